"""Files whose dates and numbers may be read in two ways: one order for a column, told to the person who captures it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines
from harness import NOW, PLAYBOOK, Harness
from typer.testing import Result

from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook

SOURCES = """
  sheet: {default_country: US, mapping: {Seen: occurred_at}}
  german: {default_country: US, dates: day_first, decimals: comma, mapping: {Seen: occurred_at}}
  calls: {kind: activities, default_country: US}
  deals: {kind: opportunities, default_country: US}
"""
FIELDS = """
kinds: {opportunity: {max_close_in: 400d}}
fields:
  spend: {type: number, headers: [Spend]}
  weight: {type: number, headers: [Weight]}
  pieces: {type: integer, headers: [Pieces]}
  starts: {type: date, headers: [Start]}
"""
BOOK = PLAYBOOK.replace("sources:", f"sources:{SOURCES.rstrip()}", 1) + FIELDS
WriteCsv = Callable[..., Path]


@pytest.fixture(scope="module")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(BOOK, path=Path("columns.yaml"))


@pytest.fixture
def book(cli: Cli, tmp_path: Path) -> Cli:
    (tmp_path / "playbook.yaml").write_text(BOOK, encoding="utf-8")
    return cli


def make_rows(column: str, values: list[str], start: int = 1) -> list[dict[str, str]]:
    return [
        {"Email": f"ada{at}@mill{at}.example", "Company": f"Mill {at}", column: value}
        for at, value in enumerate(values, start=start)
    ]


def join_errors(result: Result) -> str:
    return " ".join(result.stderr.split())


def read_field(harness: Harness, name: str) -> list[Any]:
    harness.run()
    return [row[0] for row in harness.rows(f"SELECT custom -> '{name}' FROM lead ORDER BY company")]


def test_a_day_past_the_twelfth_settles_the_order_of_its_column(
    book: Cli, harness: Harness, write_csv: WriteCsv
) -> None:
    path = write_csv(make_rows("Seen", ["1/2/2026", "13/2/2026", "2026-02-14"]))
    told = join_errors(book("capture", path, "--source", "sheet", "--now", NOW))
    assert (
        "'Seen' writes the day before the month ('13/2/2026' in line 3), so '1/2/2026' in line 2 is 2026-02-01." in told
    )
    harness.run()
    found = [row[0] for row in harness.rows("SELECT occurred_at FROM lead ORDER BY company")]
    assert [at[:10] for at in found] == ["2026-02-01", "2026-02-13", "2026-02-14"]


def test_a_value_on_a_later_page_settles_the_rows_before_it(book: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    values = ["3/2/2026"] * 5_200 + ["13/2/2026"]
    told = join_errors(book("capture", write_csv(make_rows("Start", values)), "--source", "sheet", "--now", NOW))
    assert "'13/2/2026' in line 5202" in told
    assert harness.rows("SELECT count(*), recognised FROM signal GROUP BY 2") == [(5_201, '{"Start":"day_first"}')]


@pytest.mark.parametrize(
    ("source", "seen", "words"),
    [
        ("sheet", "2026-01-02", "does not tell days from months: '1/2/2026' in line 2 is 2026-01-02"),
        ("german", "2026-02-01", ""),
    ],
)
def test_the_playbook_says_the_order_where_no_value_does(
    book: Cli, harness: Harness, write_csv: WriteCsv, source: str, seen: str, words: str
) -> None:
    told = join_errors(book("capture", write_csv(make_rows("Start", ["1/2/2026"])), "--source", source, "--now", NOW))
    assert words in told
    assert ("`dates: day_first` into sources.sheet" in told) is bool(words)
    assert harness.one("SELECT recognised FROM signal") is None, (
        "the playbook says it, and may say something else later"
    )
    assert read_field(harness, "starts") == [seen]


def test_a_column_that_contradicts_itself_is_told(book: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    path = write_csv(make_rows("Start", ["1/2/2026", "13/2/2026", "2/13/2026"]))
    told = join_errors(book("capture", path, "--source", "sheet", "--now", NOW))
    assert "1 value may be either and is read as the playbook has it: '1/2/2026' in line 2 is 2026-01-02" in told
    assert "'13/2/2026' in line 3" in told
    assert "'2/13/2026' in line 4" in told
    assert read_field(harness, "starts") == ["2026-01-02", "2026-02-13", "2026-02-13"]


def test_amounts_of_a_column_have_one_decimal_sign(book: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    path = write_csv(make_rows("Spend", ["12.500 EUR", "5,000 EUR", "7.250"]))
    told = join_errors(book("capture", path, "--source", "sheet", "--now", NOW))
    assert "'12.500 EUR' in line 2 is 12500 and '5,000 EUR' in line 3 is 5000" in told
    assert "`decimals: comma` or `decimals: point` into sources.sheet" in told
    assert read_field(harness, "spend") == [12500, 5000, 7250]


@pytest.mark.parametrize(
    ("column", "values", "read"),
    [
        ("Spend", ["12,500", "9,5"], [12.5, 9.5]),
        ("Spend", ["12.500", "9,5"], [12500, 9.5]),
        ("Weight", ["3.125", "4.250"], [3.125, 4.25]),
        ("Weight", ["3.125", "4,5"], [3125, 4.5]),
        ("Pieces", ["1.000", "12"], [1000, 12]),
    ],
)
def test_numbers_are_read_as_their_column_has_them(
    book: Cli, harness: Harness, write_csv: WriteCsv, column: str, values: list[str], read: list[float]
) -> None:
    book("capture", write_csv(make_rows(column, values)), "--source", "sheet", "--now", NOW)
    assert read_field(harness, column.lower()) == read


def test_a_sign_that_the_column_does_not_mean_is_told(book: Cli, write_csv: WriteCsv) -> None:
    path = write_csv(make_rows("Spend", ["12.500 EUR", "5,000 EUR", "7,50 EUR"]))
    told = join_errors(book("try", path, "--source", "sheet", "--now", NOW))
    assert "'12.500 EUR' in line 2 is 12500 and '5,000 EUR' in line 3 is 5" in told


def test_a_trial_and_a_dry_run_say_it_too(book: Cli, write_csv: WriteCsv) -> None:
    path = write_csv(make_rows("Seen", ["1/2/2026", "13/2/2026"]))
    assert "'13/2/2026' in line 3" in join_errors(book("try", path, "--source", "sheet", "--now", NOW))
    assert "'13/2/2026' in line 3" in join_lines(book("capture", path, "--source", "sheet", "--dry-run"))


def test_a_source_states_how_its_posts_are_read(harness: Harness) -> None:
    """They come one by one, so nothing else can tell."""
    rows = make_rows("Start", ["1/2/2026"]) + make_rows("Spend", ["12,500"], start=2)
    harness.capture(*rows, source="german")
    assert read_field(harness, "starts")[0] == "2026-02-01"
    assert read_field(harness, "spend")[1] == 12.5


def test_activities_have_one_order(book: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    rows = [{"Email": "ada@mill.example", "Type": "call", "Date": day} for day in ("1/2/2026", "13/2/2026")]
    told = join_errors(book("capture", write_csv(rows), "--source", "calls", "--now", NOW))
    assert "'1/2/2026' in line 2 is 2026-02-01" in told
    at = [row[0] for row in harness.rows("SELECT occurred_at FROM activity ORDER BY 1")]
    assert at == [datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 13, tzinfo=UTC)]


def test_records_have_one_order_and_one_decimal_sign(book: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    row = {"Opportunity Name": "A", "Owner": "ana", "Stage": "Discovery"}
    rows = [
        {"Id": "A", **row, "Amount": "12.500 EUR", "Close Date": "1/6/2026"},
        {"Id": "B", **row, "Amount": "5,50 EUR", "Close Date": "13/6/2026"},
    ]
    told = join_errors(book("capture", write_csv(rows), "--source", "deals", "--now", NOW))
    assert "'1/6/2026' in line 2 is 2026-06-01" in told
    harness.run()
    found = harness.rows("SELECT key, CAST(amount AS float), close_date FROM record ORDER BY key")
    assert [(key, amount, str(day)) for key, amount, day in found] == [
        ("A", 12500, "2026-06-01"),
        ("B", 5.5, "2026-06-13"),
    ]


def test_a_column_that_the_playbook_names_and_the_file_lacks_is_told(
    book: Cli, harness: Harness, write_csv: WriteCsv
) -> None:
    path = write_csv([{"Email": "ada@mill.example", "Company": "Mill", "Sen": "2026-02-01"}])
    said = "there is no column 'Seen', which the playbook names in sources.sheet.mapping.Seen; did you mean 'Sen'?"
    assert said in join_errors(book("capture", path, "--source", "sheet", "--now", NOW))
    assert said in join_errors(book("try", path, "--source", "sheet", "--now", NOW))
    assert said in join_lines(book("capture", path, "--source", "sheet", "--dry-run"))
    whole = write_csv([{"Email": "ada@mill.example", "Company": "Mill", "Seen": "2026-02-01"}], "whole.csv")
    assert "there is no column" not in book("capture", whole, "--source", "sheet", "--now", NOW).stderr
