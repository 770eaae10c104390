"""Match keys: alike names are always near, other names seldom, and nothing shows without the installation's key."""

from __future__ import annotations

import random
from itertools import combinations
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.matching.match_keys import LOWER, build_keys, get_block, is_near
from leadgate.matching.names import PersonName, compare_names

SECRET = b"0123456789abcdef0123456789abcdef"
OTHER_SECRET = SECRET[::-1]
words = st.text("abcdeéжü", min_size=1, max_size=9)


def near(one: PersonName, other: PersonName) -> bool:
    (kept,) = build_keys(SECRET, [], ["jl acme"], other.first, other.last).names
    keys = build_keys(SECRET, [], ["jl acme"], one.first, one.last)
    assert get_block(keys.names[0]) == get_block(kept)
    return is_near(keys.names[0], keys.swap, kept)


@given(words, words, words, words)
def test_names_that_are_alike_have_near_keys(a: str, b: str, c: str, d: str) -> None:
    one, other = PersonName(a, b), PersonName(c, d)
    if compare_names(one, other):
        assert near(one, other)


@pytest.mark.parametrize(
    "other",
    [
        PersonName("jonathan", "lindqvist"),  # the same
        PersonName("lindqvist", "jonathan"),  # first name and surname have changed places
        PersonName("nathan", "lindqvist"),  # a short form
        PersonName("j", "lindqvist"),  # an initial
        PersonName("jonathan", "lindkwist"),  # two slips
        PersonName("jonahtan", "lindqvits"),  # letters that changed places, in both
        PersonName("lindqvis", "jonatan"),  # slips, and both have changed places
    ],
    ids=lambda name: f"{name.first} {name.last}",
)
def test_what_may_be_the_same_person_is_near(other: PersonName) -> None:
    one = PersonName("jonathan", "lindqvist")
    assert near(one, other)
    assert near(other, one)


def test_most_colleagues_are_not_near() -> None:
    draw = random.Random(7)
    given = ["jane", "john", "jorge", "jill"]
    names = [
        PersonName(draw.choice(given), "".join(draw.choices(ascii_lowercase, k=draw.randint(5, 12))))
        for _ in range(100)
    ]
    pairs = list(combinations(names, 2))
    assert sum(near(*pair) for pair in pairs) < len(pairs) / 10


def test_without_the_key_the_letters_of_a_name_do_not_show() -> None:
    blocks = [f"jl employer {number}" for number in range(100)]
    lower = [key & LOWER for key in build_keys(SECRET, [], blocks, "jane", "lind").names]
    assert len(set(lower)) == 100  # the block inverts bits, so equal names look different
    differences = {
        one ^ other
        for secret in (SECRET, OTHER_SECRET)
        for one, other in [
            (build_keys(secret, [], ["jl acme"], "jane", surname).names[0] for surname in ("lind", "miller"))
        ]
    }
    assert len(differences) == 2  # and each installation has an alphabet of its own
