"""Whether one condition on a lead provably implies another: how a route that is never reached is found.

Belongs here: the proof. Does not belong here: reading conditions (``conditions``), or what follows from it
(``playbook.check``).

The proof is sound and incomplete: what it shows holds for every lead, and what it cannot show may hold all the
same. A condition counts as met when it is true; unknown, and an error on a lead's value, count as not met. So a
part of an ``or`` that may raise an error (a cast, arithmetic) must be shown to hold itself, because it could
take the whole expression with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Final

from leadgate.expressions.conditions import All, Atom, Condition, Some, Value

#: More cases than this are not looked at, and nothing is proved.
MOST_CASES: Final = 256


def find_covering(condition: Condition, earlier: Sequence[Condition]) -> list[int]:
    """Which of ``earlier`` together take every lead that meets ``condition``, as few as are needed; [] for no proof.

    Each lead that meets ``condition`` meets at least one of those that are returned, for certain.
    """
    for split in (False, True):  # taking lists of values apart shows more, and takes longer
        cases = list(islice(_list_cases(condition, split=split), MOST_CASES + 1))
        if len(cases) <= MOST_CASES and _is_covered(cases, earlier):
            break
    else:
        return []
    needed = list(range(len(earlier)))
    for position in reversed(range(len(earlier))):  # leave out the latest first: the earliest explains best
        fewer = [each for each in needed if each != position]
        if _is_covered(cases, [earlier[each] for each in fewer]):
            needed = fewer
    return needed


def _is_covered(cases: Sequence[Sequence[Atom]], earlier: Sequence[Condition]) -> bool:
    return all(any(facts.show(condition) for condition in earlier) for facts in map(_Facts, cases))


def _list_cases(condition: Condition, *, split: bool) -> Iterator[list[Atom]]:
    """The ways to meet a condition: in each, all atoms hold. ``split``: one that names values is a way for each."""
    match condition:
        case Atom(kind="in", values=values) if split and len(values) > 1:
            for value in sorted(values, key=str):
                one = Atom(f"{condition.term} = {value}", "in", condition.term, frozenset({value}))
                yield [condition, one]
        case Atom():
            yield [condition]
        case Some(parts):
            for part in parts:
                yield from _list_cases(part, split=split)
        case All(()):
            yield []
        case All(parts):
            for first in _list_cases(parts[0], split=split):
                for rest in _list_cases(All(parts[1:]), split=split):
                    yield [*first, *rest]


@dataclass
class _Facts:
    """What is known of a lead for which all of ``atoms`` hold."""

    atoms: Sequence[Atom]
    texts: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    only: dict[str, frozenset[Value]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for atom in self.atoms:
            self.texts.add(atom.text)
            self.given |= atom.given
            if atom.kind == "in":
                self.only[atom.term] = self.only.get(atom.term, atom.values) & atom.values
        self.impossible = any(not values for values in self.only.values())

    def show(self, condition: Condition) -> bool:
        """Whether ``condition`` holds, for certain."""
        if self.impossible:
            return True
        match condition:
            case Atom():
                return self._show_atom(condition)
            case All(parts):
                return all(self.show(part) for part in parts)
            case Some(parts):
                shown = [self.show(part) for part in parts]
                return any(shown) and all(holds or _is_total(part) for holds, part in zip(shown, parts, strict=True))

    def _show_atom(self, wanted: Atom) -> bool:
        if wanted.text in self.texts:
            return True
        if wanted.kind == "given":
            return wanted.term in self.given
        known = self.only.get(wanted.term)
        if known is not None and all(_is_met(value, wanted) for value in known):
            return True
        return any(_is_implied(wanted, atom) for atom in self.atoms if atom.term == wanted.term)


def _is_met(value: Value, wanted: Atom) -> bool:
    """Whether a term with this value meets an atom about it."""
    match wanted.kind:
        case "in":
            return value in wanted.values
        case "not_in":
            return value not in wanted.values
        case "prefix":
            return isinstance(value, str) and value.startswith(tuple(str(each) for each in wanted.values))
        case "low":
            return isinstance(value, Fraction) and (
                value > wanted.bound or (value == wanted.bound and not wanted.strict)
            )
        case "high":
            return isinstance(value, Fraction) and (
                value < wanted.bound or (value == wanted.bound and not wanted.strict)
            )
    return False


def _is_implied(wanted: Atom, known: Atom) -> bool:
    """Whether an atom about a term follows from another about the same term, apart from lists of its values."""
    if wanted.kind != known.kind:
        return False
    match wanted.kind:
        case "not_in":
            return wanted.values <= known.values
        case "prefix":
            shorter = tuple(str(each) for each in wanted.values)
            return all(str(each).startswith(shorter) for each in known.values)
        case "low":
            return known.bound > wanted.bound or (known.bound == wanted.bound and known.strict >= wanted.strict)
        case "high":
            return known.bound < wanted.bound or (known.bound == wanted.bound and known.strict >= wanted.strict)
    return False


def _is_total(condition: Condition) -> bool:
    if isinstance(condition, Atom):
        return condition.total
    return all(_is_total(part) for part in condition.parts)
