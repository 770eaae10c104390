"""Scoring rules drafted from what columns tell of winning: conditions, and which of them earn points beside the others.

Belongs here: values put together that tell the same, their conditions, and the choice of rules by their joint weights.
Does not belong here: the figures of a column (``separation``), the fit itself (``joint_weights``), or YAML
(``draft_text``).

A value of a file is data: it stands in a condition as a quoted text or a number and as nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from leadgate.figures import Interval, Share
from leadgate.learning.joint_weights import JointWeight, Pattern, fit_joint_weights
from leadgate.learning.separation import Part, Separation, format_number, is_told_apart
from leadgate.learning.significance import (
    LEAST_LIFT,
    Limit,
    compute_larger_lift,
    find_limit,
    measure_distance,
)
from leadgate.mapping.headers import split_words

#: Standard errors by which a part differs from its neighbour to stay apart from it.
_APART: Final = 2.5
MOST_RULES: Final = 40
#: A rule that is worth fewer points beside the others raises or lowers the odds by less than the least lift.
LEAST_POINTS: Final = 3
#: Of the rules of a draft, the share whose points may be chance.
_MOST_BY_CHANCE: Final = 0.05
_MOST_DRAFTED: Final = 120
_LONGEST_NAME: Final = 63
_LONGEST_CONDITION: Final = 2_000

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ExpressedColumn:
    """How expressions name a column: as ``text`` (in the case in which it is compared), as ``number``, and as ``name``
    where it is asked whether there is a value. ``of_values``: conditions that stand for values, by value."""

    name: str
    text: str
    number: str
    of_values: Mapping[str, str] | None = None
    word: str | None = None  # of a text, that the column is about


@dataclass(frozen=True)
class RuleDraft:
    """A rule without points. ``learn`` is the share won of the rows to learn from that it should meet."""

    name: str
    header: str
    when: str
    words: str
    learn: Share
    rest: Share


@dataclass(frozen=True)
class ChosenRule:
    draft: RuleDraft
    points: int
    interval: Interval


@dataclass(frozen=True)
class LeftOut:
    """Values of a column that are in no rule of the draft, though they were looked at as one, and ``why``."""

    header: str
    words: str
    learn: Share
    rest: Share
    why: str


def quote(text: str) -> str:
    """``text`` as a constant of an expression, whatever is in it."""
    if "\0" in text:
        raise ValueError("a constant of an expression has no NUL character")
    return "'" + text.replace("'", "''") + "'"


def find_limit_of(separations: Sequence[Separation]) -> Limit:
    """From where on a value differs from the others by more than chance, for so many values in all columns."""
    return find_limit([
        measure_distance(part.learn, each.get_rest(part)) for each in separations for part in each.parts
    ])  # fmt: skip


def draft_rules(
    separation: Separation, expressed: ExpressedColumn, taken: set[str], limit: Limit
) -> tuple[list[RuleDraft], list[LeftOut]]:
    """Rules for the parts of a column that are won more or less often than the others, one for each step; and those
    that differ by no more than chance, by the ``limit``, or by too little.

    Adds the names of the rules to ``taken``. None where nothing is told apart.
    """
    if not any(limit.is_beyond(part.learn, separation.get_rest(part)) for part in separation.parts):
        return [], []
    if any(part.low is not None or part.high is not None for part in separation.parts):
        if separation.kind == "date":  # a date of the past is of no lead to come
            return [], []
        made = _draft_steps(separation, expressed, limit)
    else:
        made = _draft_groups(separation, expressed)
    drafts: list[RuleDraft] = []
    left_out: list[LeftOut] = []
    for slug, words, when, learn in made:
        rest = Share(separation.won.count - learn.count, separation.won.of - learn.of)
        if (why := _find_reason(learn, rest, when, limit)) is not None:
            left_out.append(LeftOut(separation.header, words, learn, rest, why))
            continue
        slug = slug if expressed.word is None else f"{expressed.word}_{slug}"
        drafts.append(RuleDraft(_name(expressed.name, slug, taken), separation.header, when, words, learn, rest))
    return drafts, left_out


def _find_reason(learn: Share, rest: Share, when: str, limit: Limit) -> str | None:
    """Why values make no rule; None where they do."""
    if not limit.is_beyond(learn, rest):
        return f"no more than chance among {limit.looked_at:,} values"
    if (lift := compute_larger_lift(learn, rest)) < LEAST_LIFT:
        return f"won or lost {lift:.2f} times as often as the others; a rule needs {LEAST_LIFT:g}"
    if len(when) > _LONGEST_CONDITION:
        return "its condition would be too long"
    return None


_Made = tuple[str, str, str, Share]  # the end of a name, words, the condition, the share of the rows that meet it


def _draft_groups(separation: Separation, expressed: ExpressedColumn) -> list[_Made]:
    """A rule for each group of values that tell the same, but for the group that the others are compared with."""
    groups = [[part] for part in sorted(separation.parts, key=lambda part: part.learn.value or 0.0)]
    while len(groups) > 1:
        least = min(range(len(groups) - 1), key=lambda at: _compute_distance(groups[at], groups[at + 1]))
        if _are_apart(groups[least], groups[least + 1]):
            break
        groups[least : least + 2] = [groups[least] + groups[least + 1]]
    if len(groups) < 2:
        return []
    compared = next(
        (group for group in groups if any(part.rest for part in group)), max(groups, key=lambda group: _sum(group).of)
    )
    return [
        (_slug(group), _describe(group), _express_values(group, expressed), _sum(group))
        for group in groups
        if group is not compared
    ]


def _draft_steps(separation: Separation, expressed: ExpressedColumn, limit: Limit) -> list[_Made]:
    """Where the share rises or falls from bin to bin, a rule for each step, which add up; else one for each bin but the
    largest. And one for rows without a number."""
    bins = [[part] for part in separation.parts if not part.missing]
    while len(bins) > 1:
        least = min(range(len(bins) - 1), key=lambda at: _compute_distance(bins[at], bins[at + 1]))
        if _are_apart(bins[least], bins[least + 1]):
            break
        bins[least : least + 2] = [bins[least] + bins[least + 1]]
    values = [_sum(each).value or 0.0 for each in bins]
    made: list[_Made] = []
    if values in (sorted(values), sorted(values, reverse=True)):
        for at in range(1, len(bins)):
            edge = format_number(bins[at][0].low or 0.0)
            above = [part for each in bins[at:] for part in each]
            made.append((f"from_{edge}", f"{edge} and more", f"{expressed.number} >= {edge}", _sum(above)))
    else:
        largest = max(bins, key=lambda each: _sum(each).of)
        for each in bins:
            if each is not largest:
                low, high = each[0].low, each[-1].high
                slug = "_".join(format_number(edge) for edge in (low, high) if edge is not None)
                words = _describe_span(low, high)
                made.append((slug, words, _express_span(low, high, expressed.number), _sum(each)))
    for part in separation.parts:
        if part.missing and limit.is_beyond(part.learn, separation.get_rest(part)):
            made.append(("missing", "no value", f"{expressed.name} is null", part.learn))
    return made


def _describe_span(low: float | None, high: float | None) -> str:
    if low is None:
        return f"below {format_number(high or 0.0)}"
    return f"{format_number(low)} and more" if high is None else f"{format_number(low)} to below {format_number(high)}"


def _express_span(low: float | None, high: float | None, number: str) -> str:
    bounds = [f"{number} >= {format_number(low)}"] if low is not None else []
    bounds += [f"{number} < {format_number(high)}"] if high is not None else []
    return " and ".join(bounds)


def _express_values(group: Sequence[Part], expressed: ExpressedColumn) -> str:
    values = [value for part in group for value in part.values]
    parts = [f"{expressed.name} is null"] if any(part.missing for part in group) else []
    if expressed.of_values is not None:
        parts += [expressed.of_values[value] for value in values]
    elif len(values) == 1:
        parts.append(f"{expressed.text} = {quote(values[0])}")
    elif values:
        parts.append(f"{expressed.text} in ({', '.join(map(quote, values))})")
    return " or ".join(parts)


def _sum(group: Sequence[Part]) -> Share:
    return Share(sum(part.learn.count for part in group), sum(part.learn.of for part in group))


def _compute_distance(first: Sequence[Part], second: Sequence[Part]) -> float:
    """How many standard errors the shares won are apart, roughly; which two are nearest is all that it tells."""
    a, b = _sum(first), _sum(second)
    pooled = (a.count + b.count) / max(1, a.of + b.of)
    variance = pooled * (1 - pooled) * (1 / max(1, a.of) + 1 / max(1, b.of))
    return abs((a.value or 0.0) - (b.value or 0.0)) / sqrt(max(variance, 1e-12))


def _are_apart(first: Sequence[Part], second: Sequence[Part]) -> bool:
    return is_told_apart(_sum(first), _sum(second), _APART)


def _describe(group: Sequence[Part]) -> str:
    words = [part.words for part in sorted(group, key=lambda part: -part.learn.of)]
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")


def _slug(group: Sequence[Part]) -> str:
    largest = max(group, key=lambda part: part.learn.of)
    words = "missing" if largest.missing else "_".join(split_words(largest.words)[:4])
    return words + (f"_and_{len(group) - 1}_more" if len(group) > 1 else "")


def _name(field: str, slug: str, taken: set[str]) -> str:
    """A name for a rule that is none of ``taken``, which gets it."""
    plain = re.sub(r"[^a-z0-9]+", "_", slug.lower()).strip("_")
    base = f"{field[:30]}_{plain}".strip("_")[: _LONGEST_NAME - 4].rstrip("_")
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return name


def choose_rules(
    drafts: Sequence[RuleDraft], hits: Mapping[str, Flags], won: Flags
) -> tuple[list[ChosenRule], list[LeftOut]]:
    """The rules that tell something beside the others, with their points: ten of them double the odds; and the others.

    ``hits`` are the rows to learn from that a rule meets, by its name; ``won`` is of these rows. The rules that tell
    least are left out, a few at a time, until the points of each that is left are more than chance, by the number of
    rules that were tried, and large enough to matter.
    """
    left = sorted(drafts, key=lambda draft: -abs((draft.learn.value or 0) - (draft.rest.value or 0)) * draft.learn.of)
    left = [draft for draft in left if hits[draft.name].any()]
    tried, gone = left[:_MOST_DRAFTED], {draft.name: "it tells least of very many" for draft in left[_MOST_DRAFTED:]}
    left = tried
    while left:
        # a part has enough rows to be one; of a value that all who have it were won with, that is all there is to know
        fit = fit_joint_weights(_count_patterns(left, hits, won), least=0)
        if fit is None:
            break
        weights = {weight.rule: weight for weight in fit.weights}
        weak = _find_weak(left, weights, len(tried))
        if not weak:
            return _round(left, weights), _list_left_out(drafts, gone)
        gone |= dict(weak[: max(1, len(weak) // 3)])
        left = [draft for draft in left if draft.name not in gone]
    return [], _list_left_out(drafts, gone)


def _find_weak(drafts: Sequence[RuleDraft], weights: Mapping[str, JointWeight], tried: int) -> list[tuple[str, str]]:
    """The rules to leave out, by name, those that tell least first, with the reason."""
    errors = {draft.name: _count_errors(weights.get(draft.name)) for draft in drafts}
    limit = find_limit([*errors.values(), *[0.0] * (tried - len(drafts))], _MOST_BY_CHANCE)
    order = sorted(drafts, key=lambda draft: errors[draft.name])
    if weak := [draft.name for draft in order if limit.errors is None or errors[draft.name] < limit.errors]:
        return [(name, "tells nothing beside the other rules") for name in weak]
    points = {draft.name: weights[draft.name].points or 0.0 for draft in drafts}
    if weak := [draft.name for draft in order if abs(points[draft.name]) < LEAST_POINTS - 0.5]:
        return [(name, f"beside the other rules it is worth fewer than {LEAST_POINTS} points") for name in weak]
    over = len(order) - MOST_RULES
    return [(draft.name, f"{MOST_RULES} other rules tell more") for draft in order[: max(0, over)]]


def _count_errors(weight: JointWeight | None) -> float:
    """How many standard errors the points are away from none."""
    if weight is None or weight.points is None or weight.interval is None:
        return 0.0
    return abs(weight.points) / max(1e-9, (weight.interval.high - weight.interval.low) / 2) * 1.96


def _list_left_out(drafts: Sequence[RuleDraft], why: Mapping[str, str]) -> list[LeftOut]:
    return [
        LeftOut(draft.header, draft.words, draft.learn, draft.rest, why[draft.name])
        for draft in drafts
        if draft.name in why
    ]


def _round(drafts: Sequence[RuleDraft], weights: Mapping[str, JointWeight]) -> list[ChosenRule]:
    chosen = []
    for draft in drafts:
        weight = weights[draft.name]
        if weight.points is not None and weight.interval is not None:
            points = max(-1_000, min(1_000, round(weight.points)))
            chosen.append(ChosenRule(draft, points, weight.interval))
    order = {draft.header: at for at, draft in reversed(list(enumerate(drafts)))}
    return sorted(chosen, key=lambda each: (order[each.draft.header], -each.points))


def _count_patterns(drafts: Sequence[RuleDraft], hits: Mapping[str, Flags], won: Flags) -> list[Pattern]:
    """How many rows the same rules meet, and how many of them were won. Their points now are none."""
    names = [draft.name for draft in drafts]
    met = np.column_stack([hits[name] for name in names])
    packed = np.packbits(met, axis=1)
    _, first, inverse = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    counts = np.bincount(inverse, minlength=len(first))
    wins = np.bincount(inverse[won], minlength=len(first))
    return [
        Pattern(frozenset(names[at] for at in np.flatnonzero(met[row])), int(win), int(count - win), 0.0)
        for row, count, win in zip(first, counts, wins, strict=True)
    ]
