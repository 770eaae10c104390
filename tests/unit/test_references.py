"""Ids as they are printed can be typed, and one of another kind says which was expected."""

from __future__ import annotations

import pytest

from leadgate.references import IdError, Kind, parse, parse_number


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("W10", "work item"), ("w10", "work item"), (" 10 ", "work item"), ("work item 10", "work item"),
        ("work item W10", "work item"), ("J10", "journey"), ("journey J10", "journey"), ("10", "lead"),
        ("lead 10", "lead"), ("Lead 10", "lead"), ("L10", "lead"), ("batch 10", "batch"), ("B10", "batch"),
        ("A10", "action"), ("10", "action"), ("R10", "record"), ("record 10", "record"),
    ],
)  # fmt: skip
def test_an_id_is_read_as_it_is_printed(typed: str, kind: Kind) -> None:
    assert parse_number(typed, kind) == 10


def test_a_number_is_an_id() -> None:
    assert parse_number(10, "batch") == 10


@pytest.mark.parametrize(
    ("typed", "expected", "said"),
    [
        ("J2", "work item", ("J2 is a journey", "a work item is expected", "W12")),
        ("W10", "action", ("W10 is a work item", "an action is expected", "A12")),
        ("A1", "batch", ("A1 is an action", "a batch is expected")),
        ("ten", "work item", ("is no work item", "W12")),
        ("W10, W11", "work item", ("is no work item",)),
        ("journey W3", "journey", ("is no journey",)),
        ("1" * 30, "work item", ("is no work item",)),
    ],
)
def test_another_kind_says_which_is_expected(typed: str, expected: Kind, said: tuple[str, ...]) -> None:
    with pytest.raises(IdError) as refused:
        parse_number(typed, expected)
    for part in said:
        assert part in str(refused.value)


def test_what_is_no_id_is_none() -> None:
    assert parse("jane@acme.example") is None
