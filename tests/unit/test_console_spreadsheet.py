"""CSV files for spreadsheets: no cell of them is a formula, in whatever way a spreadsheet reads them."""

from __future__ import annotations

import ast
import csv
import doctest
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

import console
from console import spreadsheet

SIGNS = "=+-@"
INVISIBLE = " \t\r\n\x00\x01\x0b\x7f\xa0\xad\u034f\u115f\u200b\u200e\u2028\u202e\u2060\u2800\u3000\u3164\ufe0f\ufeff"
WIDE = "＝＋－＠﹦﹢﹣﹫⁼₌⁺₊−"
TRICKY = st.text(st.sampled_from(SIGNS + WIDE + INVISIBLE + "ab1'\";|,"), max_size=12)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)


def calculates(text: str) -> bool:
    """Whether a spreadsheet that forgives everything would calculate ``text``."""
    kept = "".join(
        each for each in text if unicodedata.category(each)[0] not in "CZM" and each not in "\u115f\u2800\u3164"
    )
    return unicodedata.normalize("NFKC", kept)[:1] in {*SIGNS, "−"} and bool(kept)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(spreadsheet).failed == 0


@pytest.mark.parametrize("sign", [*SIGNS, *WIDE])
@pytest.mark.parametrize("before", ["", *INVISIBLE, " \ufeff\u200b", "a;", "a; ", "a\n", "a\t", 'a;"', "+1;"])
def test_no_sign_begins_a_formula_wherever_it_hides(before: str, sign: str) -> None:
    cell = str(spreadsheet.guard_cell(f"{before}{sign}1+1"))
    assert not any(map(calculates, re.split(r"[;\t\r\n]", cell)))


@settings(max_examples=tried(200))
@given(TRICKY | ANY_TEXT)
def test_no_cell_is_a_formula_and_every_cell_keeps_its_text(text: str) -> None:
    cell = str(spreadsheet.guard_cell(text))
    for ways in (r"(?!)", r"[;]", r"[\t]", r"[;\t|\r\n\u2028]"):
        assert not any(calculates(part.lstrip('"')) for part in re.split(ways, cell))
    assert not cell.startswith(("\t", "\r", "\n"))
    assert spreadsheet.guard_cell(cell) == cell
    left = iter(cell)
    assert all(character in left for character in text.replace("\x00", "␀"))  # nothing is lost, in order
    assert set(cell) <= set(text) | {"'", "␀"}


@settings(max_examples=tried(100))
@given(st.text(st.sampled_from("abc äß1,.: '/()"), max_size=20) | st.integers() | st.floats(allow_nan=False))
def test_what_is_no_formula_stays_as_it_is(value: object) -> None:
    assert spreadsheet.guard_cell(value) == value


@settings(max_examples=tried(60))
@given(st.lists(st.lists(TRICKY, min_size=2, max_size=2), min_size=1, max_size=4))
def test_a_file_is_read_back_and_holds_no_formula_with_the_wrong_separator(
    tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "export.csv"
    spreadsheet.write(path, lines)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [[str(spreadsheet.guard_cell(value)) for value in line] for line in lines]
    with path.open(encoding="utf-8-sig", newline="") as file:
        parts = [part for line in csv.reader(file, delimiter=";") for part in line]
    assert not any(calculates(part.lstrip('"')) for part in parts)


def test_no_other_part_of_the_console_writes_csv() -> None:
    folder = Path(console.__file__).parent
    for path in [
        *folder.rglob("*.py"),
        *folder.with_name("flows").rglob("*.py"),
        *folder.with_name("tasks").rglob("*.py"),
    ]:
        source = path.read_text(encoding="utf-8")
        names = {
            name.name
            for each in (ast.walk(ast.parse(source)) if "csv" in source else ())
            if isinstance(each, ast.Import)
            for name in each.names
        }
        assert "csv" not in names or path.name == "spreadsheet.py"
