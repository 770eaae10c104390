"""Readers of what anybody may send: time at four times the length, as a ratio to the time at the length itself.

Four is linear, sixteen is quadratic. Prints the worst ratio of each reader over many hostile texts, and exits with 1
above nine.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from console import redaction
from console.http import body_reader
from console.http.responses import RefusedError
from leadgate.mapping.contents import find_only_address, recognise_columns
from leadgate.mapping.headers import find_settled, flatten, map_headers
from leadgate.mapping.shapes import flatten_webhook
from leadgate.masking import mask, mask_within
from leadgate.matching.companies import build_company_key
from leadgate.matching.latin import latinise
from leadgate.matching.names import build_name
from leadgate.playbook import Validation
from leadgate.values import (
    addresses,
    answers,
    countries,
    domains,
    figures,
    languages,
    moments,
    names,
    phones,
    spam,
    text,
)
from tasks.activities import normalise_kind

NOW = datetime(2026, 3, 2, tzinfo=UTC)
KINDS = addresses.Kinds.of(Validation())
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=x"

READERS: dict[str, Callable[[str], Any]] = {
    "clean_line": text.clean_line,
    "clean_lines": text.clean_lines,
    "fold": text.fold,
    "read_address": lambda value: addresses.read_address(value, KINDS),
    "read_phone": lambda value: phones.read_phone(value, "DE"),
    "read_country": countries.read_country,
    "clean_postal_code": countries.clean_postal_code,
    "find_website_domain": domains.find_website_domain,
    "read_mail_domain": domains.read_mail_domain,
    "read_employees": figures.read_employees,
    "read_amount": figures.read_amount,
    "read_integer": figures.read_integer,
    "read_number": figures.read_number,
    "read_moment": lambda value: moments.read_moment(value, day_first=True, relative_to=NOW),
    "read_date": lambda value: moments.read_date(value, day_first=True, relative_to=NOW),
    "capitalise_name": names.capitalise_name,
    "split_name": names.split_name,
    "find_rest_of_name": lambda value: names.find_rest_of_name(value, "a", known_is_first=True),
    "find_language": languages.find_language,
    "read_yes_or_no": answers.read_yes_or_no,
    "judge_consent": lambda value: answers.judge_consent(value, "asked"),
    "find_spam_reason of a message": lambda value: spam.find_spam_reason(
        (None, None, None), None, value, patterns=("seo services", "casino"), max_links=3
    ),
    "find_spam_reason of a name": lambda value: spam.find_spam_reason(
        (value, value, value), value, None, patterns=("seo services", "casino"), max_links=3
    ),
    "build_company_key": build_company_key,
    "latinise": latinise,
    "build_name": lambda value: build_name(value, value),
    "map_headers": lambda value: map_headers([value], custom={"seats": ["how many"]}),
    "flatten": lambda value: flatten({value: {value: [value, {"name": value, "value": value}]}}),
    "flatten_webhook": lambda value: flatten_webhook(
        {value: {"a": value}, "b": [{"label": value, "type": "email", "value": value}], "rawRequest": "{" + value},
        lambda name: map_headers([name]).get(name),
        lambda name: name in find_settled([name], {"x": "email"}),
    ),
    "find_only_address": lambda value: find_only_address({value: value, "b": value}, {}, ()),
    "recognise_columns": lambda value: recognise_columns([{value: value, "b": value}], {}),
    "snake_case": normalise_kind,
    "mask": mask,
    "mask_within": mask_within,
    "visible": redaction.sanitise,
    "form": lambda value: body_reader.read(value.encode(errors="replace"), FORM),
    "parts": lambda value: body_reader.read(
        b'--x\r\nContent-Disposition: form-data; name="' + value.encode(errors="replace") + b"\r\n--x--\r\n", PARTS
    ),
    "content type": lambda value: body_reader.read(b"{}", f"application/json; {value}"),
}

_BEGINNINGS = ("", "a@", "1", "http://")
_REPEATED = (
    "a",
    "1",
    " ",
    "\t",
    "\n",
    "\r\n",
    ".",
    ",",
    "-",
    "@",
    "<",
    ">",
    "(",
    "[",
    "{",
    '"',
    "'",
    "/",
    ":",
    ";",
    "=",
    "&",
    "%",
    "a ",
    "1 ",
    " - ",
    ". ",
    "a.",
    "@a.",
    "a@a.",
    "1.",
    "1,",
    "<@",
    "mailto:",
    "www.",
    "http://",
    " at ",
    "( ",
    " to ",
    "and ",
    "tel ",
    "p:",
    "my ",
    "lead ",
    "lead.",
    "aA",
    "\x00",
    "\u0301\u0327",
    "\ufdfa",
    "é",
    "ß",
    "\ud800",
    "__c",
    "{}",
    'name="',
    "; name=",
    "x=1&",
    "--x\r\n",
    "co ",
    "the ",
    "a&",
    "von ",
    "dr ",
)
_ENDS = ("", "\u2603")


def hostile(length: int) -> Iterable[str]:
    for begin, repeated, end in itertools.product(_BEGINNINGS, _REPEATED, _ENDS):
        yield begin + (repeated * (length // len(repeated) + 1))[:length] + end


def seconds(read: Callable[[str], Any], value: str) -> float:
    for cached in (build_company_key, latinise, languages.find_language, domains.read_mail_domain):
        getattr(cached, "cache_clear", lambda: None)()
    began = time.process_time()
    with contextlib.suppress(ValueError, TypeError, RefusedError):  # refused, which is an answer too
        read(value)
    return time.process_time() - began


def worst(read: Callable[[str], Any]) -> tuple[float, str]:
    """The largest ratio of ``read`` over all hostile texts, and how that text begins."""
    found = (0.0, "")
    for short, long in zip(hostile(2_500), hostile(10_000), strict=True):
        if seconds(read, long) < 0.01:
            continue
        taken = min(seconds(read, long) for _ in range(3))
        before = min(seconds(read, short) for _ in range(3))
        found = max(found, (taken / (before + 0.001), long[:30]))
    return found


def main() -> None:
    quadratic = False
    for name, read in READERS.items():
        ratio, text_begins = worst(read)
        quadratic |= ratio > 9
        print(f"{name:<16} {ratio:5.1f}  {text_begins!a}")
    sys.exit(1 if quadratic else 0)


if __name__ == "__main__":
    main()
