"""Reading what anybody may send takes time in proportion to its length, whatever it is made of."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pycountry
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console import http_body, safe
from console.http_answers import RefusedError
from leadgate.headers import flatten, map_headers
from leadgate.masking import mask, mask_within
from leadgate.matching.companies import alike, company_key
from leadgate.matching.latin import latin
from leadgate.matching.names import name_of
from leadgate.playbook import Validation
from leadgate.values import (
    addresses,
    answers,
    countries,
    domains,
    figures,
    languages,
    marks,
    moments,
    names,
    phones,
    spam,
    text,
)
from tasks.activities import snake_case

NOW = datetime(2026, 3, 2, tzinfo=UTC)
KINDS = addresses.Kinds.of(Validation())
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=x"

READERS: dict[str, Callable[[str], Any]] = {
    "single_line": text.single_line,
    "several_lines": text.several_lines,
    "folded": text.folded,
    "address_of": lambda value: addresses.address_of(value, KINDS),
    "phone_of": lambda value: phones.phone_of(value, "DE"),
    "country_of": countries.country_of,
    "postal_code": countries.postal_code,
    "website_domain": domains.website_domain,
    "mail_domain": domains.mail_domain,
    "employees_of": figures.employees_of,
    "amount_of": figures.amount_of,
    "integer_of": figures.integer_of,
    "number_of": figures.number_of,
    "moment_of": lambda value: moments.moment_of(value, day_first=True, relative_to=NOW),
    "date_of": lambda value: moments.date_of(value, day_first=True, relative_to=NOW),
    "person_name": names.person_name,
    "parts_of": names.parts_of,
    "rest_of": lambda value: names.rest_of(value, "a", known_is_first=True),
    "language_code": languages.language_code,
    "yes_or_no": answers.yes_or_no,
    "consent_of": lambda value: answers.consent_of(value, "asked"),
    "spam_reason of a message": lambda value: spam.spam_reason(
        (None, None, None), None, value, patterns=("seo services", "casino"), max_links=3
    ),
    "spam_reason of a name": lambda value: spam.spam_reason(
        (value, value, value), value, None, patterns=("seo services", "casino"), max_links=3
    ),
    "company_key": company_key,
    "latin": latin,
    "name_of": lambda value: name_of(value, value),
    "map_headers": lambda value: map_headers([value], custom={"seats": ["how many"]}),
    "flatten": lambda value: flatten({value: {value: [value, {"name": value, "value": value}]}}),
    "snake_case": snake_case,
    "mask": mask,
    "mask_within": mask_within,
    "visible": safe.visible,
    "masked": safe.masked,
    "form": lambda value: http_body.read(value.encode(errors="replace"), FORM),
    "parts": lambda value: http_body.read(
        b'--x\r\nContent-Disposition: form-data; name="' + value.encode(errors="replace") + b"\r\n--x--\r\n", PARTS
    ),
    "content type": lambda value: http_body.read(b"{}", f"application/json; {value}"),
}

_BEGINNINGS = ("", "a@", "1", "http://")
_REPEATED = (
    "a", "1", " ", "\t", "\n", "\r\n", ".", ",", "-", "@", "<", ">", "(", "[", "{", '"', "'", "/", ":", ";", "=", "&", "%",
    "a ", "1 ", " - ", ". ", "a.", "@a.", "a@a.", "1.", "1,", "<@", "mailto:", "www.", "http://", " at ", "( ", " to ",
    "and ", "tel ", "p:", "my ", "lead ", "lead.", "aA", "\x00", "\u0301\u0327", "\ufdfa", "é", "ß", "\ud800", "__c", "{}",
    'name="', "; name=", "x=1&", "--x\r\n", "co ", "the ", "a&", "von ", "dr ",
)  # fmt: skip
_ENDS = ("", "\u2603")


def hostile(length: int) -> Iterable[str]:
    for begin, repeated, end in itertools.product(_BEGINNINGS, _REPEATED, _ENDS):
        yield begin + (repeated * (length // len(repeated) + 1))[:length] + end


def seconds(read: Callable[[str], Any], value: str) -> float:
    for cached in (company_key, latin, languages.language_code, domains.mail_domain):
        getattr(cached, "cache_clear", lambda: None)()
    began = time.process_time()
    with contextlib.suppress(ValueError, TypeError, RefusedError):  # refused, which is an answer too
        read(value)
    return time.process_time() - began


@pytest.mark.parametrize("name", READERS)
def test_four_times_the_length_takes_no_more_than_a_few_times_the_time(name: str) -> None:
    read = READERS[name]
    for short, long in zip(hostile(2_500), hostile(10_000), strict=True):
        taken = seconds(read, long)
        if taken < 0.01:
            continue
        taken = min(taken, *(seconds(read, long) for _ in range(2)))
        before = min(seconds(read, short) for _ in range(3))
        assert taken < 9 * before + 0.01, (name, long[:30])  # four is linear, sixteen is quadratic


def test_names_of_companies_as_long_as_they_may_be_are_compared() -> None:
    short, long = ("a b " * 25, "a b " * 125)
    assert alike(short, long) < 100


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=700))
def test_marks_go_piece_by_piece_as_they_do_at_once(value: str) -> None:
    at_once = unicodedata.normalize("NFKD", value * 3)
    assert marks.without_marks(value * 3) == "".join(char for char in at_once if not unicodedata.combining(char))


def test_every_language_is_known_by_its_name() -> None:
    for language in pycountry.languages:
        code = getattr(language, "alpha_2", language.alpha_3)
        if not re.match(r"[A-Za-z]{2,3}([-_]|$)", language.name):  # such a name is taken for a code or a locale
            assert languages.language_code(language.name.upper()) == code
