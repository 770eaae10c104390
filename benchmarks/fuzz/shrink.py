"""The smallest example of what a hunt found.

Belongs here: leaving things out as long as something stays wrong. Does not belong here: what is wrong (``hunt``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from benchmarks.fuzz import values
from benchmarks.fuzz.hunt import Found, Ground, Plan

_T = TypeVar("_T")
_GOOD = 4  # good leads beside the smallest example


def smallest(ground: Ground, found: Found, seconds: float = 300.0) -> Found:
    """Rows, errors and then lengths are left out of ``found`` while something is still wrong, for ``seconds``."""
    until = time.monotonic() + seconds
    best = found

    def still_wrong(plan: Plan) -> bool:
        nonlocal best
        if time.monotonic() > until:
            return False
        ground.clear()
        wrong = ground.round(plan) or ground.invariants()
        if wrong:
            best = Found(plan, wrong)
        return bool(wrong)

    if not still_wrong(found.plan):  # a race, or of the rounds before
        return found
    for change in ({"poisons": ()}, {"once": None}, {"broken": ()}, {"corrections": ()}, {"good": _GOOD}):
        if any(getattr(best.plan, name) != value for name, value in change.items()):
            still_wrong(replace(best.plan, **change))
    fewest(best.plan.broken, lambda some: still_wrong(replace(best.plan, broken=tuple(some))))
    fewest(best.plan.corrections, lambda some: still_wrong(replace(best.plan, corrections=tuple(some))))
    fewest(best.plan.poisons, lambda some: still_wrong(replace(best.plan, poisons=tuple(some))))
    for at, poison in enumerate(best.plan.poisons[:3]):
        shorter = [length for length in values.LENGTHS if length < poison.length]
        while shorter:  # by halves: what fails at a length mostly fails at longer ones
            length = shorter[len(shorter) // 2]
            tried = list(best.plan.poisons)
            tried[at] = replace(poison, length=length)
            fails = still_wrong(replace(best.plan, poisons=tuple(tried)))
            shorter = [each for each in shorter if (each < length if fails else each > length)]
    return best


def fewest(items: Sequence[_T], still_wrong: Callable[[Sequence[_T]], bool]) -> Sequence[_T]:
    """As few of ``items`` as it takes: halves are left out, then quarters, and so on (delta debugging)."""
    parts = 2
    while len(items) > 1:
        size = max(1, len(items) // parts)
        chunks = [items[at : at + size] for at in range(0, len(items), size)]
        for at in range(len(chunks)):
            rest = [item for place, chunk in enumerate(chunks) if place != at for item in chunk]
            if rest and still_wrong(rest):
                items, parts = rest, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(len(items), parts * 2)
    return items
