"""Reading files: every format, every kind of damage, and every line accounted for.

Long as one file: every format has the same kinds of damage, written by the same helpers.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.connectors.files import json_values
from leadgate.connectors.files.formats import open_table as read
from leadgate.connectors.files.table import FileError, Limits, Row, Table

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def saved(folder: Path, content: bytes | str, name: str = "leads.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def payloads(table: Table) -> list[dict[str, Any]]:
    return [row.payload for row in table if row.payload is not None]


def problems(table: Table) -> list[tuple[int, str | None, str | None]]:
    return [(row.line, row.raw, row.problem) for row in table if row.payload is None]


def workbook(path: Path, *sheets: list[list[Any]], hidden: int | None = None) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"Sheet {number + 1}")
        sheet.sheet_state = "hidden" if number == hidden else "visible"
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def refused(path: Path, limits: Limits = Limits()) -> str:  # noqa: B008 - frozen
    with pytest.raises(FileError) as error:
        read(path, limits=limits)
    assert str(error.value).startswith(f"{path.name}: ")
    return error.value.reason


# -- delimited text ----------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"]
)
def test_delimiters_and_encodings_are_recognised(tmp_path: Path, delimiter: str, encoding: str) -> None:
    end = "\r\n" if delimiter == ";" else "\r" if delimiter == "|" else "\n"
    lines = [
        ["prénom", "email", "ville"],
        ["Zoë", "zoe@firma.example", "Köln"],
        ["Anaïs", "a@société.example", "Orléans"],
    ]
    path = saved(tmp_path, end.join(delimiter.join(line) for line in lines).encode(encoding), "leads.txt")
    table = read(path)
    assert table.delimiter == delimiter
    assert table.headers == ("prénom", "email", "ville")
    assert list(table) == [Row(2 + n, dict(zip(lines[0], line, strict=True))) for n, line in enumerate(lines[1:])]
    assert table.position() == table.bytes_total == path.stat().st_size


VALUES = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=tried(40))
@given(
    rows=st.lists(st.lists(VALUES, min_size=3, max_size=3).filter(any), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    style=st.sampled_from([(csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r\n"), (csv.QUOTE_MINIMAL, "\r\n")]),
)
def test_whatever_a_csv_writer_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    delimiter: str,
    encoding: str,
    style: tuple[Any, str],
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=style[0], lineterminator=style[1])
    writer.writerow(["first name", "email", "message"])
    writer.writerows(rows)
    path = saved(tmp_path_factory.mktemp("csv"), out.getvalue().encode(encoding))
    table = read(path)
    assert problems(table) == []
    assert [list(payload.values()) for payload in payloads(table)] == rows


@settings(max_examples=tried(80))
@given(
    body=st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "a,b,c",
                    '"x",y,z',
                    "",
                    ",,",
                    "too,few",
                    "1,2,3,4",
                    '"open,b,c',
                    'a,"b"c,d',
                    '"two',
                    'b",2,3',
                ]
            ),
            st.text(st.sampled_from('ab,"\n '), max_size=8),
        ),
        max_size=14,
    )
)
def test_every_line_is_in_a_row_or_unreadable_or_blank(
    tmp_path_factory: pytest.TempPathFactory, body: list[str]
) -> None:
    text = "\n".join(["first,second,third", "good,good,good", *body]) + "\n"
    table = read(saved(tmp_path_factory.mktemp("csv"), text))
    lines = text.split("\n")[:-1]
    seen = {1}
    for row in table:
        values = [row.raw or ""] if row.payload is None else list(row.payload.values())
        span = range(row.line, row.line + 1 + sum(value.count("\n") for value in values))
        assert seen.isdisjoint(span)
        seen.update(span)
        if row.payload is None:
            assert row.raw == "\n".join(lines[number - 1] for number in span)
            assert row.problem is not None
            assert row.problem.startswith(f"line {row.line}: ")
    left = set(range(1, len(lines) + 1)) - seen
    assert not [lines[number - 1] for number in left if lines[number - 1].strip(' ,"')]


def test_rows_go_on_after_one_with_the_wrong_number_of_cells(tmp_path: Path) -> None:
    table = read(saved(tmp_path, "name,email\nAnn,a@b.example\nBob\n\nCy,c@d.example,more\nDi,d@e.example\n"))
    assert [row.line for row in table if row.payload] == [2, 6]
    assert problems(table) == [
        (3, "Bob", "line 3: 1 cells, the header has 2"),
        (5, "Cy,c@d.example,more", "line 5: 3 cells, the header has 2"),
    ]
    assert table.blank == 1


@pytest.mark.parametrize("damaged", ['"Bob,b@b.example', 'Bob,"b@b.example', '"Bob"by,b@b.example'])
def test_a_broken_quote_costs_its_own_line_only(tmp_path: Path, damaged: str) -> None:
    after = [f'"Cy {n}",c{n}@d.example' for n in range(300)]
    table = read(saved(tmp_path, "\n".join(["name,email", "Ann,a@b.example", damaged, *after])))
    assert [(line, raw) for line, raw, _ in problems(table)] == [(3, damaged)]
    assert len(payloads(table)) == 301


def test_a_run_away_quote_that_happens_to_close_frees_the_rows_it_swallowed(tmp_path: Path) -> None:
    text = 'name,email,note\n"Ann,a@b.example,x\nBob,b@b.example,y\nCy,c@d.example,27",\nDi,d@e.example,z\n'
    table = read(saved(tmp_path, text))
    assert [payload["name"] for payload in payloads(table)] == ["Bob", "Di"]
    assert [line for line, _, _ in problems(table)] == [2, 4]


def test_a_quote_is_given_up_after_the_lines_it_may_span(tmp_path: Path) -> None:
    text = 'name,email\n"Ann,a@b.example\n' + "Bob,b@b.example\n" * 20
    table = read(saved(tmp_path, text), limits=Limits(quoted_lines=5))
    assert [line for line, _, _ in problems(table)] == [2]
    assert len(payloads(table)) == 20


def test_a_file_full_of_stray_quotes_is_not_read_over_and_over(tmp_path: Path) -> None:
    """Each stray quote may look for its end; 3,000 that each look 50,000 lines ahead would take minutes."""
    text = "name,email\n" + ('Bob,b@b.example\n"Ann,a\n' + "x,y\n" * 8) * 3000
    table = read(saved(tmp_path, text))
    assert len(payloads(table)) + len(problems(table)) == 30_000


def test_values_keep_line_breaks_quotes_nul_and_markup(tmp_path: Path) -> None:
    value = 'a\r\nb "c"\0=cmd|x <b>[red] \x1b[31m\u2028'
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["email", "message"], ["a@b.example", value]])
    assert payloads(read(saved(tmp_path, out.getvalue()))) == [{"email": "a@b.example", "message": value}]


def test_megabytes_in_a_value_are_read_and_more_than_the_limit_is_not(tmp_path: Path) -> None:
    lines = ["name,note", f"Ann,{'x' * 3_000_000}", f"Bob,{'y' * 5_000_000}", "Cy,z"]
    table = read(saved(tmp_path, "\n".join(lines)))
    assert [payload["name"] for payload in payloads(table)] == ["Ann", "Cy"]
    ((line, raw, problem),) = problems(table)
    assert (line, problem) == (
        3,
        "line 3: longer than the 4,194,304 characters allowed; what is above them is left out",
    )
    assert raw == lines[2][:4_194_304]


def test_an_undecodable_byte_costs_its_own_row(tmp_path: Path) -> None:
    content = "name,email\nZoë,z@b.example\nBob,?\nCy,c@d.example\n".encode().replace(b"?", b"\xff\xfe\x81")
    table = read(saved(tmp_path, content))
    assert table.encoding == "utf-8"
    assert [payload["name"] for payload in payloads(table)] == ["Zoë", "Cy"]
    assert problems(table) == [(3, r"Bob,\xff\xfe\x81", "line 3: bytes that are not utf-8")]


def test_half_a_surrogate_in_utf_16_costs_its_own_row(tmp_path: Path) -> None:
    content = "name,email\nBob,?\nCy,c@d.example\n".encode("utf-16").replace("?".encode("utf-16-le"), b"\x00\xd8")
    table = read(saved(tmp_path, content))
    assert payloads(table) == [{"name": "Cy", "email": "c@d.example"}]
    assert [line for line, _, _ in problems(table)] == [2]


def test_an_accent_far_below_the_head_still_tells_the_encoding(tmp_path: Path) -> None:
    content = b"name,email\n" + b"Ann,a@b.example\n" * 40_000 + "Müller,m@b.example\n".encode("cp1252")
    table = read(saved(tmp_path, content))
    assert table.encoding == "cp1252"
    assert payloads(table)[-1]["name"] == "Müller"


def test_an_encoding_can_be_named(tmp_path: Path) -> None:
    path = saved(tmp_path, "имя,email\nИван,i@b.example\n".encode("cp1251"))
    assert payloads(read(path, encoding="cp1251")) == [{"имя": "Иван", "email": "i@b.example"}]
    with pytest.raises(FileError, match="no encoding is called 'klingon'"):
        read(path, encoding="klingon")


def test_a_carriage_return_outside_quotes_costs_its_own_row(tmp_path: Path) -> None:
    table = read(saved(tmp_path, b"name,email\nA\rnn,a@b.example\nBob,b@b.example\r\nCy,c@d.example\r\r\n"))
    assert [payload["name"] for payload in payloads(table)] == ["Bob", "Cy"]
    assert [line for line, _, _ in problems(table)] == [2]


def test_equal_and_empty_headers_lose_no_column(tmp_path: Path) -> None:
    table = read(saved(tmp_path, "Email,Email,,Email (2)\na,b,c,d\n"))
    assert table.headers == ("Email", "Email (2)", "column 3", "Email (2) (2)")
    assert payloads(table) == [dict(zip(table.headers, "abcd", strict=True))]


def test_excels_separator_line_is_obeyed(tmp_path: Path) -> None:
    table = read(saved(tmp_path, 'sep=;\r\nname;email\r\n"A;nn";a,b\r\nBob\r\n'))
    assert (table.delimiter, table.headers) == (";", ("name", "email"))
    assert payloads(table) == [{"name": "A;nn", "email": "a,b"}]
    assert [line for line, _, _ in problems(table)] == [4]


def test_delimiters_inside_values_do_not_confuse(tmp_path: Path) -> None:
    table = read(saved(tmp_path, "name;email;tags\nSmith, A;a@b.example;x,y,z\nDoe, B;b@b.example;u,v,w\n"))
    assert table.delimiter == ";"
    assert payloads(table)[0] == {"name": "Smith, A", "email": "a@b.example", "tags": "x,y,z"}


def test_one_column_is_a_table(tmp_path: Path) -> None:
    table = read(saved(tmp_path, "E-mail\na@b.example\nc@d.example\n"))
    assert table.delimiter is None
    assert [payload["E-mail"] for payload in payloads(table)] == ["a@b.example", "c@d.example"]


def test_lines_above_the_headers_are_blank_or_refused(tmp_path: Path) -> None:
    table = read(saved(tmp_path, "\n \n,,\nname,email\nAnn,a@b.example\n"))
    assert list(table) == [Row(5, {"name": "Ann", "email": "a@b.example"})]
    titled = "Leads of May\nname,email\nAnn,a@b.example\nBob,b@b.example\n"
    assert "remove what is above the headers" in refused(saved(tmp_path, titled))


def test_a_table_is_read_again_from_the_top(tmp_path: Path) -> None:
    table = read(saved(tmp_path, "name,email\n\nAnn,a@b.example\n"))
    assert table.position() <= table.bytes_total
    assert list(table) == list(table)
    assert table.blank == 1


# -- JSON --------------------------------------------------------------------------------------

LEADS: list[dict[str, Any]] = [
    {"Email": "a@b.example", "n": 1, "ok": True, "x": None, "tags": ["a"]},
    {"Email": "c@d.example", "Fax": "1"},
]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wrap", [None, "records", "results", "data", "leads", "contacts"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_documents(tmp_path: Path, indent: int | None, wrap: str | None, encoding: str) -> None:
    document: Any = LEADS if wrap is None else {"totalSize": 2, "done": True, wrap: LEADS}
    table = read(saved(tmp_path, json.dumps(document, indent=indent).encode(encoding), "export.json"))
    assert table.format == "json"
    assert list(table) == [Row(1, LEADS[0]), Row(2, LEADS[1])]
    assert table.headers == ("Email", "n", "ok", "x", "tags", "Fax")
    assert table.position() == table.bytes_total


def test_a_single_object_is_one_lead(tmp_path: Path) -> None:
    table = read(saved(tmp_path, '{\n "email": "a@b.example",\n "answers": [{"q": 1}]\n}'))
    assert payloads(table) == [{"email": "a@b.example", "answers": [{"q": 1}]}]


def test_an_item_that_is_no_object_is_unreadable(tmp_path: Path) -> None:
    table = read(saved(tmp_path, '[{"email": "a@b.example"}, "oops", {"email": "c@d.example"}]'))
    assert len(payloads(table)) == 2
    ((line, raw, problem),) = problems(table)
    assert (line, raw) == (2, '"oops"')
    assert problem is not None
    assert "no object" in problem


def test_json_lines_go_on_after_a_broken_one(tmp_path: Path) -> None:
    text = '{"email": "a@b.example"}\n{"email": \n\n{"email": "c@d.example"}\n[1]\n'
    table = read(saved(tmp_path, text))
    assert table.format == "json lines"
    assert [row.line for row in table if row.payload] == [1, 4]
    assert [(line, raw) for line, raw, _ in problems(table)] == [(2, '{"email": '), (5, "[1]")]
    assert table.blank == 1


def test_json_lines_may_begin_with_a_broken_or_a_long_one(tmp_path: Path) -> None:
    assert len(payloads(read(saved(tmp_path, '{"email": \n{"a": 1}\n{"a": 2}\n')))) == 2
    long = json.dumps({"email": "x" * 400_000})
    assert len(payloads(read(saved(tmp_path, f"{long}\n{long}\n")))) == 2


def test_json_keeps_what_the_standard_parser_would_lose(tmp_path: Path) -> None:
    text = r'[{"a": 1, "a": 2, "n": NaN, "big": 1e999, "half": "\ud800x", "whole": "\ud83d\ude00"}]'
    assert payloads(read(saved(tmp_path, text))) == [
        {"a": 1, "a (2)": 2, "n": "NaN", "big": "1e999", "half": "\\ud800x", "whole": "😀"}
    ]


def test_numbers_longer_than_64_bits_stay_as_they_were_written(tmp_path: Path) -> None:
    digits = "9" * 5_000  # more than Python itself turns into an integer
    numbers = ["9223372036854775807", "18446744073709551615", "18446744073709551616", "-9223372036854775809", digits]
    path = saved(tmp_path, "[" + ",".join(f'{{"n": {number}, "text": "{number}"}}' for number in numbers) + "]")
    assert [payload["n"] for payload in payloads(read(path))] == [int(numbers[0]), int(numbers[1]), *numbers[2:]]
    assert [payload["text"] for payload in payloads(read(path))] == numbers


def test_a_record_with_very_many_equal_keys_is_read(tmp_path: Path) -> None:
    """To look for the next free number from the first one on would take hours."""
    (payload,) = payloads(read(saved(tmp_path, "{" + ",".join(['"a":1'] * 150_000) + "}\n{}\n")))
    assert len(payload) == 150_000
    assert "a (150000)" in payload


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "data", 'q"\\']), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS = st.lists(
    st.dictionaries(st.sampled_from(["x", "y", "z\\"]), JSON_VALUES, max_size=3) | JSON_VALUES, max_size=5
)


@settings(max_examples=tried(60))
@given(records=RECORDS, around=st.dictionaries(st.sampled_from(["meta", "n"]), JSON_VALUES), chunk=st.integers(1, 40))
@pytest.mark.parametrize("wrap", [False, True])
def test_a_document_read_in_pieces_has_the_records_of_one_parsed_whole(
    tmp_path_factory: pytest.TempPathFactory,
    wrap: bool,
    records: list[Any],
    around: dict[str, Any],
    chunk: int,
) -> None:
    document = {**around, "records": records, "last": 1} if wrap else records
    path = saved(tmp_path_factory.mktemp("json"), json.dumps(document, indent=1), "leads.json")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_values, "_CHUNK", chunk)
        try:
            rows = list(read(path))
        except FileError:
            assert not any(isinstance(record, dict) for record in records) or not any(records)
            return
    if not any(isinstance(record, dict) for record in records):
        assert wrap  # the document is one lead
        assert [row.line for row in rows] == [1]
        return
    whole = {number: record for number, record in enumerate(records, start=1) if record != {}}
    assert [row.line for row in rows] == list(whole)
    for row in rows:
        if isinstance(whole[row.line], dict):
            assert row.payload == json.loads(json.dumps(whole[row.line]), parse_int=json_values._parse_int)
        else:
            assert json.loads(row.raw or "") == whole[row.line]


def test_a_json_record_past_its_limit_costs_itself_alone(tmp_path: Path) -> None:
    long = '{"note": "\\\\ \\" ]}[{,' + "x" * 400_000 + '", "deep": [[{}], "]"]}'
    listed = f'[{{"a": 1}}, {long}, {{"a": 2}}]'
    for document in (listed, f'{{"included": [{long}], "meta": {long}, "data": {listed}}}'):
        path = saved(tmp_path, document)
        table = read(path, limits=Limits(row_chars=1000))
        assert [row.payload for row in table if row.payload] == [{"a": 1}, {"a": 2}]
        ((line, raw, problem),) = problems(table)
        assert (line, raw) == (2, long[:1000])
        assert "longer than the 1,000 characters" in (problem or "")


@pytest.mark.parametrize("chunk", [1, 7, 256 * 1024])
@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[{"a": 1},\n {"a": tru}]', "line 2 column 8"),
        ('[{"a": 1}\n {"a": 2}]', "line 2 column 2"),
        ('[{"a": 1}] x', "Extra data: line 1 column 12"),
        ('[{"a": "b}]', "Unterminated string"),
        ('{"data": [{"a": 1}], x: 1}', "property name"),
        ('{"data" [{"a": 1}]}', "':' delimiter"),
    ],
)
def test_a_mistake_in_a_document_is_told_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, where: str, chunk: int
) -> None:
    monkeypatch.setattr(json_values, "_CHUNK", chunk)
    assert where in refused(saved(tmp_path, text))


def test_json_that_is_too_deep_is_refused_or_unreadable(tmp_path: Path) -> None:
    assert "nested too deeply" in refused(saved(tmp_path, "[" * 100_000))
    deep = '{"a":' * 70 + "1" + "}" * 70
    table = read(saved(tmp_path, f'{{"a": 1}}\n{deep}\n'))
    assert [(line, raw) for line, raw, _ in problems(table)] == [(2, deep)]


# -- XLSX --------------------------------------------------------------------------------------


def test_a_workbook_gives_text(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["Name", "Phone", "Score", "When", "Day", "Formula", "Ok"],
        ["Ann", 33612345678, 4.5, datetime(2025, 1, 2, 3, 4, 5), date(2025, 1, 2), "=1+1", True],  # noqa: DTZ001
        [None, None, None],
        ["Bob", 5.0],
    ]
    table = read(workbook(tmp_path / "leads.bin", rows))
    assert (table.format, table.sheet) == ("xlsx", "Sheet 1")
    names = [str(name) for name in rows[0]]
    assert list(table) == [
        Row(
            2,
            dict(
                zip(
                    names,
                    ["Ann", "33612345678", "4.5", "2025-01-02T03:04:05", "2025-01-02", "=1+1", "true"],
                    strict=True,
                )
            ),
        ),
        Row(4, dict(zip(names, ["Bob", "5", "", "", "", "", ""], strict=True))),
    ]
    assert table.blank == 1
    assert table.position() == table.bytes_total


def test_the_first_visible_sheet_with_rows_is_read_below_its_title(tmp_path: Path) -> None:
    secret, empty, leads = (
        [["a", "b"], ["1", "2"]],
        [["only", "headers"]],
        [["Leads of May"], [], ["n", "e"], ["x", "y"]],
    )
    table = read(workbook(tmp_path / "b.xlsx", secret, empty, leads, hidden=0))
    assert table.sheet == "Sheet 3"
    assert list(table) == [Row(4, {"n": "x", "e": "y"})]


def test_a_value_right_of_the_headers_is_unreadable(tmp_path: Path) -> None:
    table = read(workbook(tmp_path / "b.xlsx", [["n", "e"], ["x", "y", None, "z"], ["u", "v"]]))
    assert list(table) == [
        Row(2, None, "x\ty\t\tz", "row 2: 4 cells, the header has 2"),
        Row(3, {"n": "u", "e": "v"}),
    ]


@pytest.mark.parametrize("make", [workbook, None])
def test_long_column_names_are_refused_for_every_row_would_repeat_them(tmp_path: Path, make: Any) -> None:
    rows = [["n" * 2_000, "e"], ["x", "y"]]
    path = workbook(tmp_path / "b.xlsx", rows) if make else saved(tmp_path, "\n".join(map(",".join, rows)))
    assert "the name of column 1" in refused(path)
    assert "together" in refused(path, Limits(header_chars=3_000, headers_chars=2_000))


def test_what_a_workbook_may_cost(tmp_path: Path) -> None:
    path = workbook(tmp_path / "b.xlsx", [["n", "e"], *([["x", "y"]] * 500)])
    assert "unpacks to" in refused(path, Limits(unpacked_bytes=1000))
    assert "times its size, as a bomb does" in refused(path, Limits(ratio=2, ratio_from=0))
    assert "rows" in refused(path, Limits(rows=100))
    assert "cells" in refused(path, Limits(cells=100))
    assert "columns" in refused(path, Limits(columns=1))


def test_a_bomb_is_refused_without_unpacking_it(tmp_path: Path) -> None:
    path = workbook(tmp_path / "b.xlsx", [["n", "e"], ["x", "y"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet9.xml", b" " * 40_000_000)
    assert "as a bomb does" in refused(path)


def test_entities_are_refused(tmp_path: Path) -> None:
    source = workbook(tmp_path / "a.xlsx", [["n", "e"], ["x", "y"]])
    path = tmp_path / "b.xlsx"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                part = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + part
            new.writestr(name, part)
    assert "cannot be read" in refused(path)


# -- refused -----------------------------------------------------------------------------------

REFUSED = [
    (b"", "empty"),
    (b"\xef\xbb\xbf\r\n \n", "empty"),
    (b"name,email\n\n,\n", "only headers"),
    (b"name;email", "only headers"),
    (b"%PDF-1.7\nstuff", "this is a PDF, not a table; export it as CSV, XLSX or JSON"),
    (b"\x89PNG\r\n\x1a\n....", "PNG image"),
    (b"\x1f\x8b\x08\x00....", "gzip"),
    (OLE + b"\0" * 600, "old Excel file (.xls); save it as .xlsx"),
    (OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "protected by a password"),
    (b"PK\x03\x04 nonsense", "damaged"),
    (b"<!DOCTYPE html><table><tr><td>a,b</td></tr></table>", "HTML or XML"),
    (random.Random(1).randbytes(5000), "binary file"),
    (b"a,b\n" + b"\0\1\2\3" * 500, "binary file"),
    (b"Ann,a@b.example\nBob,b@b.example\n", "line 1 holds an e-mail address"),
    (b"Ann,+1 (555) 010-1234\nBob,+1 555 0102\n", "line 1 holds a phone number"),
    (b"This is a letter that nobody would take for a table of leads.\nYours, truly\n", "running text"),
    (b"Dear all, good news\nNo comma here\nNor here\nThis, has, three\n", "not a table"),
    (b"[1, 2, 3]", "no list of objects"),
    (b"[]", "no records"),
    (b"{}", "no records"),
    (b'{"records": [], "done": true}', "no records"),
    (b'[{"email": "a@b.example"}, {"email": ', "not valid JSON"),
]


@pytest.mark.parametrize(("content", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_is_no_table_of_leads_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason in refused(saved(tmp_path, content))


def test_a_json_document_too_large_to_parse_whole_is_refused(tmp_path: Path) -> None:
    assert "JSON lines or CSV" in refused(saved(tmp_path, json.dumps(LEADS)), Limits(json_bytes=10))


def test_missing_files_directories_and_other_archives_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere.csv") == "there is no such file"
    assert "directory" in refused(tmp_path)
    for part, reason in (
        ("photo.jpg", "zip archive"),
        ("word/document.xml", "Word"),
        ("content.xml", "OpenDocument"),
    ):
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(part, "x")
        assert reason in refused(path)


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, "name,email\nAnn,a@b.example\n")

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)  # the suite may run as root, whom no mode stops
    assert "no permission" in refused(path)
