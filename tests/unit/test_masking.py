"""Masked values: enough for who knows them, of no use to others."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate import masking
from leadgate.masking import mask, mask_within


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        ("", ""),
        ("jane@acme.com", "j•••@acme.com"),
        ("j@acme.com", "j•••@acme.com"),
        ("+4930123456", "•••56"),
        ("030 / 12 34 56", "•••56"),
        ("Jane", "J•••"),
        ("x@<https://evil.example|URGENT>", "x•••"),
        ("x@evil.example](https://evil.example", "x•••"),
        ("<img src=x>", "•••"),
        ("Jane Doe, 12 Elm Street", "J•••"),
        ("Apt 12345", "A•••"),  # an address, not a number
        ("020 7946 0958", "•••58"),
        ("two@at@signs.example", "t•••"),
        (" jane at acme", "j•••"),
        ("  ", ""),
        ("\x1b[31m", "•••"),
        ("jane doe@acme.com", "j•••"),  # no address, so nothing of it is kept
        ("jane@acme.com, joe@acme.com", "j•••"),
        ("x" * 100_000, "x•••"),
        ("1" * 100_000, "•••11"),
    ],
)
def test_a_value_is_recognisable_to_who_knows_it(value: str | None, shown: str) -> None:
    assert mask(value) == shown


@settings(max_examples=tried(60))
@given(st.text(min_size=4, max_size=300))
def test_nothing_but_the_first_letter_or_two_digits_is_kept_of_what_is_no_address(value: str) -> None:
    masked = mask(value)
    assert len(masked) <= 5 or "@" in value
    assert value not in masked


@settings(max_examples=tried(60))
@given(st.emails())
def test_the_local_part_of_an_address_is_hidden(address: str) -> None:
    local, _, domain = address.partition("@")
    masked = mask(address)
    assert masked in (f"{local[0]}•••@{domain}", f"{local[0]}•••") or masked.startswith("•••")
    assert len(local) < 2 or local not in masked.partition("@")[0]


@settings(max_examples=tried(60))
@given(st.integers(min_value=10_000, max_value=10**15).map(lambda number: f"+{number}"))
def test_a_number_keeps_two_digits(number: str) -> None:
    assert mask(number) == f"•••{number[-2:]}"


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(masking).failed == 0


@settings(max_examples=tried(60))
@given(st.emails())
def test_a_masked_address_does_not_hold_its_mailbox(address: str) -> None:
    local, _, _ = address.rpartition("@")
    shown = mask_within(f"write to {address} soon")
    if len(local) > 3 and "'" not in address:
        assert local not in shown


def test_what_stands_behind_the_sign_of_an_address_is_shown_only_when_it_is_a_domain() -> None:
    assert mask_within("ask x@<https://evil.example|URGENT> now") == "ask x••• now"
    assert mask_within("jane@acme.example?") == "j•••@acme.example?"
