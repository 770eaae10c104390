"""Values that forms, exports and attackers send: by kind and length, the same for the same kind and length.

Belongs here: values alone. Does not belong here: which column they go into (``rows``).
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any, Final

#: Lengths at which something changes: of a column, an index row, a page, a field of 16 bits, a limit of ours.
LENGTHS: Final = (
    0, 1, 2, 7, 40, 63, 64, 65, 99, 100, 101, 199, 200, 201, 253, 254, 255, 256, 319, 320, 321, 399, 400, 401,
    499, 500, 501, 999, 1_000, 1_001, 2_000, 2_048, *range(2_700, 2_713), 4_096, 7_999, 8_000, 8_001, 8_190, 8_191,
    8_192, 9_000, 19_999, 20_000, 20_001, 65_535, 65_536, 99_999, 100_000, 100_001, 262_144, 1_048_575, 1_048_576,
)  # fmt: skip

_Make = Callable[[int], Any]


def repeat(piece: str) -> _Make:
    """``piece`` again and again, up to a length."""
    return lambda length: (piece * (length // len(piece) + 1))[:length]


def around(before: str, piece: str, after: str) -> _Make:
    """``piece`` repeated between ``before`` and ``after``, so that the whole has a length."""
    return lambda length: before + repeat(piece)(max(0, length - len(before) - len(after))) + after


@cache
def characters() -> dict[str, str]:
    """Up to 200 characters of each general category of Unicode, spread over all of them."""
    found: dict[str, list[str]] = {}
    for char in map(chr, range(sys.maxunicode + 1)):
        found.setdefault(unicodedata.category(char), []).append(char)
    return {name: "".join(each[:: max(1, len(each) // 200)][:200]) for name, each in sorted(found.items())}


def nested(level: Callable[[Any], Any]) -> _Make:
    """A value as deep as its length says, at most 300 levels."""

    def make(length: int) -> Any:
        value: Any = "x"
        for _ in range(min(length, 300)):
            value = level(value)
        return value

    return make


def constant(value: Any) -> _Make:
    return lambda _length: value


#: Look like what a column wants, and grow: what reads them must not take longer than their length.
LOOKALIKES: Final[dict[str, _Make]] = {
    "email_local": around("", "a", "@company.example"),
    "email_domain": around("a@", "a", ".example"),
    "email_labels": around("a@", "a.", "example"),
    "email_ats": repeat("@"),
    "email_dots": around("a@b", ".", "example"),
    "email_prefixes": around("", "mailto:", "a@company.example"),
    "email_several": repeat("ann@company.example, "),
    "email_words": around("ann at ", "company dot ", "example"),
    "email_brackets": around("", "<", "a@company.example"),
    "email_quoted": around('"', "a b\\", '"@company.example'),
    "email_idn": around("a@", "ü", ".example"),
    "email_punycode": around("a@xn--", "a", ".example"),
    "phone_digits": around("+49", "1", ""),
    "phone_labels": around("", "tel: ", "+493012345678"),
    "phone_several": repeat("+493012345678 / "),
    "phone_extension": around("+493012345678 ext. ", "1", ""),
    "phone_spaces": around("+49", " ", "3012345678"),
    "phone_other_digits": repeat("٣"),
    "url": around("https://", "a", ".example/"),
    "url_path": around("https://company.example/", "%2e%2e/", ""),
    "url_labels": around("https://", "a.", "example"),
    "url_users": around("https://", "a@", "company.example"),
    "url_many": repeat("https://company.example "),
    "name_particles": around("", "van der ", "Berg"),
    "name_titles": around("", "Dr. ", "Ann"),
    "name_apostrophes": repeat("O'"),
    "name_commas": repeat("Lee, "),
    "name_expands": repeat("ﷺ"),
    "company_forms": around("Company ", "GmbH & Co. KG ", ""),
    "country_pieces": repeat("Germany, "),
    "size_ranges": repeat("1-"),
    "size_thousands": around("1", ",000", ""),
    "amount": around("$", "9", ".99"),
    "date_zeros": around("2026-", "0", "1-01"),
    "date_words": repeat("1 day "),
    "list_of_answers": repeat("yes; "),
}

#: For regular expressions that backtrack, parsers, markup, shells, templates, and whoever takes text for code.
TEXTS: Final[dict[str, _Make]] = {
    "spaces_then_x": around("", " ", "x"),
    "a_then_bang": around("", "a", "!"),
    "open_tags": repeat("<a href="),
    "script": around("<script>", "x", "</script>"),
    "sql": repeat("'; DROP TABLE lead; --"),
    "sql_percent": repeat("%s %(x)s $1 ? :x "),
    "duckdb": repeat("read_csv('/etc/passwd') "),
    "copy": repeat("\\N\t\\.\n"),
    "yaml": repeat("!!python/object/apply:os.system [x]\n"),
    "gx": repeat("$PARAMETER.x {{ row_condition }} "),
    "template": repeat("{{ 7*7 }} ${x} #{x} {0} "),
    "formula": repeat("=cmd|' /C calc'!A0"),
    "csv": repeat('","\r\n'),
    "markdown": repeat("[x](javascript:alert(1)) |"),
    "terminal": repeat("\x1b[2J\x07"),
    "chat": repeat("<https://evil.example|URGENT> <!channel> "),
    "json": repeat('{"a": [1, "b'),
    "words": repeat("hello world "),
    "word": repeat("a"),
    "quotes": repeat("'\"`"),
    "backslashes": repeat("\\"),
    "nul": around("a", "\x00", "b"),
    "one_nul": around("a\x00", "b", ""),
    "lone_surrogate": around("a", "\ud800", "b"),
    "low_surrogate": repeat("\udfff"),
    "right_to_left": repeat("\u202egnp.exe\u202c"),
    "arabic": repeat("شركة "),
    "zero_width": repeat("\u200b\u200d\ufeff"),
    "combining": around("a", "\u0301", ""),
    "combining_orders": around("a", "\u0301\u0323\u0338", ""),
    "emoji": repeat("👩‍👩‍👧‍👦🏳️‍🌈"),
    "regional": repeat("🇩"),
    "noncharacter": repeat("\ufffe\U0010ffff"),
    "line_breaks": repeat("\r\n\x0b\x0c\x85\u2028"),
    "none_words": constant("N/A"),
    "empty": constant(""),
}

#: What is no text, or text of another type.
OTHERS: Final[dict[str, _Make]] = {
    "null": constant(None),
    "true": constant(True),
    "false": constant(False),
    "zero": constant(0),
    "minus": constant(-1),
    "int_32": constant(2**31),
    "int_63": constant(2**63 - 1),
    "int_64": constant(2**63),
    "int_65": constant(2**64),
    "int_huge": lambda length: 10 ** min(length, 4_000),
    "float_huge": constant(1e308),
    "float_tiny": constant(5e-324),
    "nan": constant(float("nan")),
    "infinity": constant(float("inf")),
    "minus_infinity": constant(float("-inf")),
    "nan_text": constant("NaN"),
    "infinity_text": constant("Infinity"),
    "exponent": constant("1e999"),
    "exponent_long": around("1e", "9", ""),
    "year_0": constant("0000-01-01"),
    "year_1": constant("0001-01-01T00:00:00+14:00"),
    "year_9999": constant("9999-12-31T23:59:59-14:00"),
    "year_10000": constant("10000-01-01"),
    "year_294277": constant("294277-01-10"),
    "before_christ": constant("4714-11-24 BC"),
    "day_0": constant("2026-00-00"),
    "leap_second": constant("2026-06-30T23:59:60Z"),
    "epoch_long": around("1", "7", ""),
    "date_infinity": constant("infinity"),
    "zone_far": constant("2026-03-01T00:00:00+99:99"),
    "objects": nested(lambda value: {"a": value}),
    "lists": nested(lambda value: [value]),
    "answers": nested(lambda value: [{"name": "a", "values": [value]}]),
    "salesforce": nested(lambda value: {"attributes": {"type": "Lead", "url": "x"}, "b": value}),
    "empty_object": constant({}),
    "empty_list": constant([]),
    "wide_list": lambda length: ["x"] * min(length, 50_000),
    "wide_object": lambda length: {f"a{number}": number for number in range(min(length, 1_900))},
    "dotted": lambda length: {"a.b": 1, "a": {"b": "x" * min(length, 1_000)}},
}

_BY_CATEGORY: Final = "category "
_MAKERS: Final = LOOKALIKES | TEXTS | OTHERS


def kinds() -> tuple[str, ...]:
    """Every kind of value."""
    return (*_MAKERS, *(_BY_CATEGORY + category for category in characters()))


def make(kind: str, length: int) -> Any:
    """The value of ``kind`` with ``length`` characters, levels or items, as far as the kind has a length."""
    if kind.startswith(_BY_CATEGORY):
        return repeat(characters()[kind.removeprefix(_BY_CATEGORY)])(length)
    return _MAKERS[kind](length)
