"""How long values may be: whatever a source sends, no index meets a text that it refuses."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import String, Table
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

from leadgate import models
from leadgate.connectors.files import Row
from leadgate.limits import (
    MAX_INDEX_ROW_BYTES,
    MAX_KEY_LENGTH,
    MAX_LENGTHS,
    MAX_TEXT_LENGTH,
    find_length_problem,
    find_max_length,
    shorten_key,
)
from leadgate.matching.persons import READ, Person
from leadgate.matching.resolving import build_claims
from leadgate.plain_text import make_storable
from leadgate.playbook import Matching, Source
from tasks.capture import Keys, compute_key

CHARACTERS = st.characters() | st.sampled_from("\ud800\udfff\x00")
ANYTHING = st.text(CHARACTERS, max_size=8) | st.builds(
    lambda char, length: char * length, CHARACTERS, st.sampled_from([254, 499, 500, 501, 700, 2_704, 70_000])
)


def indexed(table: Table) -> list[list[str]]:
    """The text columns of each index and key of ``table``."""
    keys = [table.primary_key.columns, *(index.columns for index in table.indexes)]
    keys += [[column] for column in table.columns if column.unique]
    return [
        [f"{table.name}.{each.name}" for each in key if isinstance(each.type, (String, AutoString))] for key in keys
    ]


def test_each_index_over_text_says_how_long_the_text_can_be_and_that_fits_a_page() -> None:
    found = [key for table in SQLModel.metadata.tables.values() for key in indexed(table) if key]
    assert {column for key in found for column in key} == set(models.INDEXED_TEXT)
    for key in found:
        assert sum(models.INDEXED_TEXT[column] + 16 for column in key) <= MAX_INDEX_ROW_BYTES, key


def test_a_limit_says_how_much_too_much_a_value_is_and_never_the_value() -> None:
    assert find_length_problem("email", "a" * find_max_length("email")) is None
    assert find_length_problem("email", "a" * 8_000) == "email: 8,000 characters, at most 320"
    assert find_length_problem("budget", "a" * 20_000) is None
    assert find_length_problem("budget", "a" * 1_000_000) is not None


@settings(deadline=None)
@given(ANYTHING, ANYTHING)
def test_keys_fit_an_index_and_differ_where_values_do(one: str, other: str) -> None:
    assert (shorten_key(one) == shorten_key(other)) == (one == other)
    source = Source(key="Id")
    for value in (one, other):
        row = {"Id": value}
        for key in (*Keys(source).of([Row(2, row)]), compute_key(row, source)):
            assert len(key.encode()) <= models.INDEXED_TEXT["signal.key"]


@settings(deadline=None)
@given(ANYTHING, ANYTHING, ANYTHING)
def test_identities_fit_an_index(first: str, last: str, crm_id: str) -> None:
    first, last, crm_id = (make_storable(each) for each in (first, last, crm_id))
    row = dict.fromkeys(READ) | {"phone": "+493012345678", "first_name": first, "last_name": last}
    row |= {"source": "crm", "external_id": crm_id, "is_free_mail": False}
    rules = Matching(certain=("phone_and_name", "crm_id"), crm_ids={"hubspot": ("crm",)})
    for _, value in build_claims(row, Person.of(1, row), {"crm": "hubspot"}, rules):
        assert len(value) <= MAX_KEY_LENGTH


def test_the_documentation_tells_every_limit() -> None:
    page = (Path(__file__).parents[2] / "docs" / "gates.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if re.match(r"\| (`|any other field)", line)]
    told = {
        field: int(re.sub(r"\D.*", "", cells[2].strip().replace(",", "")))
        for cells in rows
        if re.match(r" [\d,]+", cells[2])
        for field in re.findall(r"`(\w+)`", cells[1]) or ["any other"]
    }
    assert told == MAX_LENGTHS | {"any other": MAX_TEXT_LENGTH}
