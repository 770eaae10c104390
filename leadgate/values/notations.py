"""How a column writes dates and numbers, where one value alone may be read in two ways.

Belongs here: what one value tells, what all values of a column settle, and a value written so that it is read in one
way only. Does not belong here: reading a value (``moments``, ``figures``), which columns are looked at, or what a
source states (``leadgate.mapping.column_notations``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from leadgate.values.figures import find_figure, is_amount_of_money

_LONGEST: Final = 64
#: Two numbers and a year, as ``moments`` reads them; a year of two digits only where no other order is usual.
_SHORT_DATE: Final = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})([/.\-])(\d{4}|(?<![\-])\d{2})(?!\d)([,T\s].*)?", re.DOTALL)
_ONE_GROUP: Final = re.compile(r"[1-9]\d{0,2}([.,])(\d{3})")
_GROUPS: Final = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})+")
_CENTURY_FROM: Final = 70  # a year of two digits from here on is one of the last century


class Notation(StrEnum):
    """How a column writes its dates, or its numbers."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"
    DECIMAL_COMMA = "decimal_comma"
    DECIMAL_POINT = "decimal_point"
    THOUSANDS = "thousands"  # of amounts whose decimal sign nothing tells: three digits after a sign are thousands


#: What a value tells: one notation, that it may be either, or nothing (None).
Told = Notation | Literal["either"] | None
Kind = Literal["date", "number"]
_DECIMALS: Final = {",": Notation.DECIMAL_COMMA, ".": Notation.DECIMAL_POINT}


def tell_notation(text: str, kind: Kind) -> Told:
    """What ``text`` tells of how its column writes dates or numbers.

    >>> [tell_notation(text, "date") for text in ("13/6/2026", "6/13/2026", "1/6/2026", "1.6.2026", "2026-06-01")]
    [<Notation.DAY_FIRST: 'day_first'>, <Notation.MONTH_FIRST: 'month_first'>, 'either', \
<Notation.DAY_FIRST: 'day_first'>, None]
    >>> [tell_notation(text, "number") for text in ("12,5", "1,234.50", "1.234.567", "12.500 EUR", "0.125", "500")]
    [<Notation.DECIMAL_COMMA: 'decimal_comma'>, <Notation.DECIMAL_POINT: 'decimal_point'>, \
<Notation.DECIMAL_COMMA: 'decimal_comma'>, 'either', <Notation.DECIMAL_POINT: 'decimal_point'>, None]
    """
    if len(text) > _LONGEST:
        return None
    return _tell_order(text.strip()) if kind == "date" else _tell_decimal_sign(text)


def _tell_order(text: str) -> Told:
    found = _SHORT_DATE.fullmatch(text)
    if found is None or (len(found[5]) == 2 and "-" in (found[2], found[4])):
        return None
    first, second = int(found[1]), int(found[3])
    if not (0 < first <= 31 and 0 < second <= 31) or min(first, second) > 12:
        return None
    if second > 12:
        return Notation.MONTH_FIRST
    if first > 12 or (found[2] == found[4] == "."):  # nobody writes 6.13.2026
        return Notation.DAY_FIRST
    return None if first == second else "either"


def _tell_decimal_sign(text: str) -> Told:
    figure = find_figure(text)
    if figure is None:
        return None
    if _ONE_GROUP.fullmatch(figure):
        return "either"
    if (groups := _GROUPS.fullmatch(figure)) is not None:
        return _DECIMALS["," if groups[1] == "." else "."]
    if figure.count(",") + figure.count(".") == 0:
        return None
    sign = max(",.", key=figure.rfind)
    return _DECIMALS[sign] if figure.count(sign) == 1 else None


def write_in_one_way(text: str, notation: Notation) -> str:
    """``text``, which may be read in two ways, so that it can be read as ``notation`` has it only; any other text as
    it is.

    >>> write_in_one_way("1/6/2026 14:30", Notation.DAY_FIRST), write_in_one_way("13/6/2026", Notation.MONTH_FIRST)
    ('2026-06-01 14:30', '13/6/2026')
    >>> [write_in_one_way("12.500 EUR", each) for each in (Notation.DECIMAL_COMMA, Notation.DECIMAL_POINT)]
    ['12500 EUR', '12.5 EUR']
    >>> write_in_one_way("12,500", Notation.THOUSANDS)
    '12500'
    """
    is_date = notation in (Notation.DAY_FIRST, Notation.MONTH_FIRST)
    if tell_notation(text, "date" if is_date else "number") != "either":
        return text
    return _write_date(text, notation) if is_date else _write_number(text, notation)


def _write_date(text: str, notation: Notation) -> str:
    found = _SHORT_DATE.fullmatch(text.strip())
    if found is None:
        return text
    first, second, year = int(found[1]), int(found[3]), int(found[5])
    day, month = (first, second) if notation is Notation.DAY_FIRST else (second, first)
    if len(found[5]) == 2:
        year += 1900 if year >= _CENTURY_FROM else 2000
    return f"{year}-{month:02}-{day:02}{found[6] or ''}"


def _write_number(text: str, notation: Notation) -> str:
    figure = find_figure(text) or ""
    found = _ONE_GROUP.search(figure)
    if found is None:
        return text
    whole = found[0][: found.start(1) - found.start()]
    if _DECIMALS[found[1]] is not notation:
        plain = f"{whole}{found[2]}"
    else:
        fraction = found[2].rstrip("0")
        # with a fourth digit nobody takes it for a group of thousands
        plain = whole if not fraction else f"{whole}.{fraction + '0' if len(fraction) == 3 else fraction}"
    return text.replace(found[0], plain, 1)


class Seen(NamedTuple):
    """A value, and the line of its file."""

    line: int
    text: str


@dataclass
class ColumnValues:
    """What the values of one column tell: the first one that each notation follows from, and those that may be
    either: how many, and the first one of each separator."""

    kind: Kind
    telling: dict[Notation, Seen] = field(default_factory=dict)
    either: int = 0
    examples: list[Seen] = field(default_factory=list)
    is_money: bool = False  # whether a value has a currency's mark

    def add(self, line: int, text: str) -> None:
        if self.kind == "number" and not self.is_money:
            self.is_money = is_amount_of_money(text)
        told = tell_notation(text, self.kind)
        if told == "either":
            self.either += 1
            if not self.examples or (len(self.examples) == 1 and _differ(self.examples[0].text, text)):
                self.examples.append(Seen(line, text))
        elif told is not None:
            self.telling.setdefault(told, Seen(line, text))

    @property
    def settled(self) -> Notation | None:
        """The notation that all values allow, where a value needs one."""
        return next(iter(self.telling)) if self.either and len(self.telling) == 1 else None


def _differ(one: str, other: str) -> bool:
    """Whether two numbers have another separator."""
    return ("," in one) != ("," in other)
