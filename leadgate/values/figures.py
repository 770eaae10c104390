"""Numbers as people write them: company sizes, amounts of money, whole numbers.

Belongs here: text to number. Does not belong here: what a size or an amount is worth (``scoring``).
"""

from __future__ import annotations

import math
import re
from typing import Final

from leadgate.values.text import fold

_LONGEST: Final = 80
MOST_EMPLOYEES: Final = 100_000_000

_DIGITS: Final = r"\d(?:[\d.,'’ \u00a0\u202f]{0,30}\d)?"
_FIGURE: Final = re.compile(rf"({_DIGITS})\s?(%?)\s?([a-zé]{{0,9}})")
_UNITS: Final = {
    "k": 1e3, "tsd": 1e3, "thousand": 1e3, "mille": 1e3, "mil": 1e3, "tausend": 1e3,
    "m": 1e6, "mm": 1e6, "mn": 1e6, "mio": 1e6, "mln": 1e6, "million": 1e6, "millions": 1e6, "millionen": 1e6,
    "millones": 1e6, "lakh": 1e5, "lakhs": 1e5, "crore": 1e7, "crores": 1e7, "cr": 1e7,
    "b": 1e9, "bn": 1e9, "billion": 1e9, "mrd": 1e9, "md": 1e9, "milliard": 1e9, "milliards": 1e9,
    "milliarden": 1e9, "t": 1e3,
}  # fmt: skip
_RANGE: Final = re.compile(r"\s*(?:-|–|—|~|\.\.+|\bto\b|\bà\b|\ba\b|\bbis\b|\band\b)\s*")
_AT_MOST: Final = re.compile(
    r"<|≤|\b(?:under|below|up to|upto|less than|fewer than|at most|max|maximum|moins de|jusqu|unter"
    r"|weniger als|bis zu|höchstens|menos de|hasta)\b"
)
_ALONE: Final = frozenset({"self employed", "selfemployed", "freelancer", "freelance", "just me", "only me", "solo"})
#: Marks of currencies that may stand before or after an amount, and say nothing about it.
_CURRENCY: Final = (
    r"(?:US\$|A\$|C\$|[€$£¥₹₽₺₩₪]|zł|kč|kr\.?|fr\.?|rs\.?|euros?|dollars?"
    r"|eur|usd|gbp|chf|jpy|cad|aud|nzd|sek|nok|dkk|pln|czk|huf|inr|brl|mxn|zar|try|ils|sgd|cny)"
)
_AMOUNT: Final = re.compile(
    rf"(?P<minus>-?)\s?(?:(?P<before>{_CURRENCY})\s?)?(?P<figure>-?{_DIGITS})\s?(?P<unit>k?)(?:\s?(?P<after>{_CURRENCY}))?(?:[.,]?[-–—])?",
    re.IGNORECASE,
)
_ONE_GROUP: Final = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_WITH_FRACTION: Final = re.compile(r"\d{1,3}[.,]\d{1,2}|\d{1,3}")
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}")
_DECIMAL: Final = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?")


def read_employees(text: str) -> int | None:
    """The lower bound of a company size, or ``None`` when it states none.

    >>> [read_employees(t) for t in ("51-200", "1,000+", "10k", "<10", "10.001 bis 50.000", "Enterprise")]
    [51, 1000, 10000, 1, 10001, None]
    """
    if fold(text[:_LONGEST]) in _ALONE:
        return 1
    bounds = _read_bounds(text)
    if bounds is None:
        return None
    low = max(bounds[0], 1.0) if bounds[1] else bounds[0]
    return int(low) if 1 <= low <= MOST_EMPLOYEES else None


def read_amount(text: str) -> float | None:
    """The lower bound of an amount of money, in whatever currency it states; ``None`` when it states none.

    >>> [read_amount(t) for t in ("€1.2M", "50k-100k", "50-100k", "$1,000,000", "1.000,50 €", "<10k", "lots")]
    [1200000.0, 50000.0, 50000.0, 1000000.0, 1000.5, 0.0, None]
    """
    bounds = _read_bounds(text)
    return None if bounds is None else bounds[0]


def read_integer(text: str) -> int | None:
    """A whole number, or ``None``: ``"1,000"`` and ``"12.0"`` are, ``"12.5"`` is not. Three digits are thousands.

    >>> [read_integer(t) for t in ("42", "-3", "1,000", "12.500", "12.0", "12.5", "a dozen")]
    [42, -3, 1000, 12500, 12, None, None]
    """
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    number = read_number(text, grouped=True)
    if number is None or not number.is_integer() or abs(number) >= 2**53:
        return None
    return int(number)


def find_figure(text: str) -> str | None:
    """The digits of an amount with their points and commas, without a sign, a currency or a ``k``; None where
    ``text`` is no amount.

    >>> find_figure("-12.500 EUR"), find_figure("US$1,000.50"), find_figure("10 to 20"), find_figure("5m")
    ('12.500', '1,000.50', None, None)
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    amount = _AMOUNT.fullmatch(text)
    return None if amount is None or amount["unit"] else amount["figure"].lstrip("-")


def is_amount_of_money(text: str) -> bool:
    """Whether a number has a currency's mark."""
    return (amount := _AMOUNT.fullmatch(text.strip()[:_LONGEST])) is not None and bool(
        amount["before"] or amount["after"]
    )


def read_number(text: str, *, grouped: bool = False) -> float | None:
    """A finite number with either decimal sign, perhaps with a currency's mark, or ``None``.

    A point before exactly three digits parts thousands in an amount of money, and where numbers are ``grouped``:
    "12.500 EUR" is 12500, and "12.500" is 12.5 unless it is grouped. A comma there does so in any number.
    A ``k`` counts where no separator of thousands can be meant: "1,5k" is 1500, "1.500k" may be either.

    >>> [read_number(t) for t in ("3.5", "1.234,5", "1,234.5", "1e3", "3 500", "nan", "3 of 5")]
    [3.5, 1234.5, 1234.5, 1000.0, 3500.0, None, None]
    >>> [read_number(t) for t in ("900 €", "1.200,50 EUR", "12.500 EUR", "US$1,000", "1,5k", "1.500k", "900 or so")]
    [900.0, 1200.5, 12500.0, 1000.0, 1500.0, None, None]
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    if not (text.isascii() and text[-1:].isdigit() and text[:1] in "+-0123456789"):
        amount = _AMOUNT.fullmatch(text)
        if amount is not None:
            if amount["minus"] and amount["figure"].startswith("-"):
                return None
            if amount["unit"]:
                if not _WITH_FRACTION.fullmatch(amount["figure"].lstrip("-")):
                    return None
                scaled = round(float(amount["figure"].replace(",", ".")) * _UNITS["k"], 6)
                return -scaled if amount["minus"] else scaled
            text = amount["minus"] + amount["figure"]
            grouped = grouped or bool(amount["before"] or amount["after"])
    if grouped and _ONE_GROUP.fullmatch(text):
        text = text.replace(".", "")
    if not _DECIMAL.fullmatch(text):
        sign, digits = ("-", text[1:]) if text[:1] == "-" else ("", text)
        if not re.fullmatch(_DIGITS, digits):
            return None
        text = sign + _strip_separators(digits)
    elif re.fullmatch(r"[+-]?[1-9]\d{0,2}(?:\.\d{3}){2,}", text):
        text = text.replace(".", "")
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _read_bounds(text: str) -> tuple[float, bool] | None:
    """The lower bound, and whether the text only says "at most" (the bound is then 0)."""
    lowered = text[:_LONGEST].lower().replace("_", " ")
    pieces = [piece for piece in _RANGE.split(lowered) if piece]
    figures = [found for piece in pieces[:3] if (found := _FIGURE.search(piece))]
    if not figures:
        return None
    if len(figures) == 1 and _AT_MOST.search(lowered):
        return 0.0, True
    low = figures[0]
    if low[2]:
        return None
    unit = _UNITS.get(low[3])
    if unit is None:  # "50-100k": the unit is said once, at the end
        unit = _UNITS.get(figures[1][3], 1.0) if len(figures) == 2 else 1.0
    value = read_number(_strip_separators(low[1], with_unit=unit != 1.0))
    return None if value is None else (value * unit, False)


def _strip_separators(digits: str, *, with_unit: bool = False) -> str:
    """Digits with separators as ``float`` reads them. The last of two kinds is the decimal sign.

    A single separator before exactly three digits parts thousands ("1.200"), unless a unit follows ("1.25M").
    """
    digits = re.sub(r"['’ \u00a0\u202f]", "", digits)
    comma, dot = digits.rfind(","), digits.rfind(".")
    if comma < 0 and dot < 0:
        return digits
    sign = "," if comma > dot else "."
    other = "." if sign == "," else ","
    digits = digits.replace(other, "")
    if min(comma, dot) < 0:  # only one kind
        groups = digits.split(sign)
        if len(groups) > 2 or (len(groups[1]) == 3 and not with_unit and groups[0] != "0"):
            return "".join(groups)
    whole, _, fraction = digits.rpartition(sign)
    return f"{whole.replace(sign, '')}.{fraction}"
