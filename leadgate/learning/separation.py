"""What the values of one column tell of winning: shares won, bins of numbers, and how well they separate.

Belongs here: parting the rows by a column, and the figures of the parts. Does not belong here: what kind a column is
(``export_columns``), rules and points (``rule_drafts``), or which columns are not to be believed
(``known_afterwards``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from leadgate.figures import Interval, Share, compute_difference, lift
from leadgate.learning.discrimination import Auc, compute_auc
from leadgate.learning.export_columns import MISSING, Column, Kind
from leadgate.learning.significance import measure_distance

#: A value that fewer of the rows to learn from have is one of the others.
LEAST_OF_A_VALUE: Final = 20
_LEAST_SHARE: Final = 0.005
_MOST_VALUES: Final = 40
_LONGEST_SAID: Final = 100  # characters of a value that a rule may name
_BINS: Final = 5
_OFTEN: Final = 0.1  # the share of the rows from which the smallest number is a bin of its own
_PRIOR: Final = 10.0  # rows with the share of all, added to each part: a part of three is no certainty
_DIGITS: Final = 15

Trend = Literal["rises", "falls", "up and down"]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Rows with some values of a column: by name (``values``), from ``low`` up to below ``high``, without a value
    (``missing``), or all others (``rest``). ``learn`` and ``aside`` are shares won."""

    words: str
    learn: Share
    aside: Share
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    missing: bool = False
    rest: bool = False


@dataclass(frozen=True)
class Separation:
    """A column parted. ``of``: the place of each row's part. ``won`` is the share of all rows to learn from; ``auc`` of
    the rows kept aside, where parts are ordered by what the others taught. ``trend`` is of bins of numbers or days."""

    header: str
    kind: Kind
    parts: list[Part]
    of: npt.NDArray[np.int16]
    won: Share
    auc: Auc | None
    trend: Trend | None = None

    def get_rest(self, part: Part) -> Share:
        """The share won of the rows to learn from that are in another part."""
        return Share(self.won.count - part.learn.count, self.won.of - part.learn.of)

    def compute_lift(self, part: Part) -> float | None:
        return lift(part.learn, self.get_rest(part))

    def compute_difference(self, part: Part) -> Interval | None:
        return compute_difference(part.learn, self.get_rest(part))


def separate(column: Column, won: Flags, learn: Flags, fold: Callable[[str], str]) -> Separation | None:
    """The rows parted by ``column``. ``fold`` gives the form in which a rule compares texts.

    None where no two parts have rows to learn from.
    """
    kind = column.kind
    if kind in ("nothing", "one value", "id"):
        return None
    amounts = column.numbers if kind == "number" else column.days if kind == "date" else None
    if amounts is not None:
        made, of = _part_by_amount(column, amounts, learn)
    elif kind == "category":
        made, of = _part_by_value(column, learn, fold)
    else:
        made, of = _part_by_presence(column)
    counts = np.bincount(of[learn], minlength=len(made))
    keep = [place for place, count in enumerate(counts.tolist()) if count]
    if len(keep) < 2:
        return None
    moved = np.full(len(made), keep.index(max(keep, key=lambda place: counts[place])), dtype=np.int16)
    moved[keep] = np.arange(len(keep), dtype=np.int16)
    of = moved[of]
    learned, aside = _count(of, won, learn, len(keep)), _count(of, won, ~learn, len(keep))
    parts = [
        Part(made[place].words, learned[at], aside[at], made[place].values, made[place].low, made[place].high,
             made[place].missing, made[place].rest)
        for at, place in enumerate(keep)
    ]  # fmt: skip
    all_won = Share(int(won[learn].sum()), int(learn.sum()))
    base = all_won.value or 0.0
    told = np.array([(part.learn.count + base * _PRIOR) / (part.learn.of + _PRIOR) for part in parts])
    auc = compute_auc(told[of[~learn]], won[~learn])
    return Separation(column.header, kind, parts, of, all_won, auc, None if amounts is None else find_trend(parts))


def is_told_apart(first: Share, second: Share, z: float) -> bool:
    """Whether two shares won differ by more than ``z`` standard errors, by Newcombe's interval of the difference."""
    return measure_distance(first, second) > z


def find_trend(parts: Sequence[Part]) -> Trend | None:
    """Whether the share won rises or falls from bin to bin; a step the other way counts where it is more than chance.
    None where no two bins differ by more than chance."""
    bins = [part.learn for part in parts if not part.missing]
    ups = [b for a, b in _pair(bins) if is_told_apart(b, a, 1.96) and (b.value or 0) > (a.value or 0)]
    downs = [b for a, b in _pair(bins) if is_told_apart(b, a, 1.96) and (b.value or 0) < (a.value or 0)]
    if ups and downs:
        return "up and down"
    if not ups and not downs:
        if len(bins) < 2 or not is_told_apart(bins[0], bins[-1], 1.96):
            return None
        return "rises" if (bins[-1].value or 0) > (bins[0].value or 0) else "falls"
    return "rises" if ups else "falls"


def _pair(shares: Sequence[Share]) -> list[tuple[Share, Share]]:
    return list(pairwise(shares))


def is_sayable(value: str) -> bool:
    """Whether a rule may name the value: one line of visible characters, and no novel."""
    return len(value) <= _LONGEST_SAID and value.isprintable()


@dataclass(frozen=True)
class _Made:
    words: str
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    missing: bool = False
    rest: bool = False


_WITHOUT: Final = _Made("no value", missing=True)


def _part_by_presence(column: Column) -> tuple[list[_Made], npt.NDArray[np.int16]]:
    return [_Made("a value", rest=True), _WITHOUT], (~column.filled).astype(np.int16)


def _part_by_value(
    column: Column, learn: Flags, fold: Callable[[str], str]
) -> tuple[list[_Made], npt.NDArray[np.int16]]:
    """A part for each frequent value, the most frequent first; then the others, and the rows without one."""
    spellings: dict[str, list[int]] = {}
    for place, value in enumerate(column.values):
        spellings.setdefault(fold(value), []).append(place)
    codes = column.codes[learn]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.values))
    least = max(LEAST_OF_A_VALUE, _LEAST_SHARE * len(codes))
    total = {key: int(counts[places].sum()) for key, places in spellings.items()}
    frequent = sorted((key for key in total if total[key] >= least and is_sayable(key)), key=lambda key: -total[key])
    frequent = frequent[:_MOST_VALUES]
    made = [
        _Made(column.values[max(spellings[key], key=lambda place: counts[place])], values=(key,)) for key in frequent
    ]
    rest, missing = len(made), len(made) + 1
    made += [_Made("other values", rest=True), _WITHOUT]
    # two more behind the values: the codes of no value and of one that is not kept count from the end
    part_of = np.full(len(column.values) + 2, rest, dtype=np.int16)
    part_of[MISSING] = missing
    for at, key in enumerate(frequent):
        part_of[spellings[key]] = at
    return made, part_of[column.codes]


def _part_by_amount(column: Column, amounts: Floats, learn: Flags) -> tuple[list[_Made], npt.NDArray[np.int16]]:
    """Bins with about as many rows each, and the rows without an amount."""
    known = ~np.isnan(amounts)
    edges = find_edges(amounts[learn & known])
    bounds = [None, *edges, None]
    write = _write_day if column.kind == "date" else format_number
    made = [_Made(_describe_bin(low, high, write), low=low, high=high) for low, high in pairwise(bounds)]
    of = np.full(len(amounts), len(made), dtype=np.int16)
    of[known] = np.searchsorted(np.array(edges), amounts[known], side="right")
    return [*made, _WITHOUT], of


def find_edges(amounts: Floats) -> list[float]:
    """Where bins of about as many amounts begin, but for the first; the smallest has one of its own if it is frequent.

    An edge is the shortest number that parts the same amounts.
    """
    distinct, counts = np.unique(amounts, return_counts=True)
    if len(distinct) < 2:
        return []
    places: list[int] = []
    first = 0
    if counts[0] >= _OFTEN * len(amounts):
        places.append(1)
        first = 1
    above = np.cumsum(counts[first:])
    for number in range(1, _BINS):
        place = first + int(np.searchsorted(above, above[-1] * number / _BINS)) + 1
        if 0 < place < len(distinct):
            places.append(place)
    return [_shorten(float(distinct[at - 1]), float(distinct[at])) for at in sorted(set(places))]


def _shorten(below: float, edge: float) -> float:
    """The number with the fewest digits that is above ``below`` and not above ``edge``."""
    if edge == 0 or below < 0 <= edge:
        return 0.0
    magnitude = math.floor(math.log10(abs(edge)))
    for digits in range(1, _DIGITS):
        unit = 10.0 ** (magnitude - digits + 1)
        shorter = float(f"{math.floor(edge / unit) * unit:.{digits}g}")
        if below < shorter <= edge:
            return shorter
    return edge


def format_number(number: float) -> str:
    """A number as an expression has it: without an exponent."""
    text = np.format_float_positional(number, trim="-")
    return text if text not in ("-0", "") else "0"


def _write_day(days: float) -> str:
    return str(np.datetime64(int(days), "D"))


def _describe_bin(low: float | None, high: float | None, write: Callable[[float], str]) -> str:
    if low is None:
        return "all" if high is None else f"below {write(high)}"
    return f"{write(low)} and more" if high is None else f"{write(low)} to below {write(high)}"


def _count(of: npt.NDArray[np.int16], won: Flags, among: Flags, parts: int) -> list[Share]:
    counts = np.bincount(of[among], minlength=parts)
    wins = np.bincount(of[among & won], minlength=parts)
    return [Share(int(win), int(count)) for win, count in zip(wins, counts, strict=True)]
