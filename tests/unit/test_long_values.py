"""Values as long as they may be are read at once, and in pieces as they would be whole."""

from __future__ import annotations

import re
import unicodedata

import pycountry
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.matching.companies import compare_keys
from leadgate.values import languages, marks


def test_names_of_companies_as_long_as_they_may_be_are_compared() -> None:
    short, long = ("a b " * 25, "a b " * 125)
    assert compare_keys(short, long) < 100


@settings(max_examples=tried(200))
@given(st.text(max_size=700))
def test_marks_go_piece_by_piece_as_they_do_at_once(value: str) -> None:
    at_once = unicodedata.normalize("NFKD", value * 3)
    assert marks.remove_marks(value * 3) == "".join(char for char in at_once if not unicodedata.combining(char))


def test_every_language_is_known_by_its_name() -> None:
    for language in pycountry.languages:
        code = getattr(language, "alpha_2", language.alpha_3)
        if not re.match(r"[A-Za-z]{2,3}([-_]|$)", language.name):  # such a name is taken for a code or a locale
            assert languages.find_language(language.name.upper()) == code
