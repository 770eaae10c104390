"""What a learned score reads of a lead: indicators, each of which a lead has or has not.

Belongs here: what was recorded of a decision, choosing indicators over many decisions, and the matrix of zeros and
ones. Does not belong here: weights (``fitting``), or reading decisions from the ledger (``ledger.score_samples``).

Everything is an indicator, a number too: it falls into one of a few ranges. So a weight is what having the indicator
adds to the log-odds, and a lead's contributions add up to its score exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

#: An indicator is used when so many leads have it, and so many have it not.
LEAST: Final = 10
#: A word of a text field is an indicator when so many leads have it, of at most so many words.
LEAST_OF_WORD: Final = 30
_MOST_WORDS: Final = 20
#: A number falls into one of so many ranges, about as many leads each.
_RANGES: Final = 5

Floats = npt.NDArray[np.float64]
Value: TypeAlias = str | bool | float | int | None
IndicatorKind = Literal["rule", "known", "negative", "equals", "range", "missing"]


@dataclass(frozen=True)
class Decision:
    """What qualification recorded when it decided about a lead.

    ``rules`` that gave points; parts of the evidence that were ``known``, and those known to be ``negative``; the
    ``values`` that fields had then, as far as they were recorded.
    """

    rules: frozenset[str]
    known: frozenset[str] = frozenset()
    negative: frozenset[str] = frozenset()
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Indicator:
    """One thing that a lead has or has not.

    ``rule``: the rule ``name`` gave points. ``known``, ``negative``: the part ``name`` of the evidence was so. Of the
    field ``name``: it ``equals`` a word or a truth value; it is a number in a ``range``, from ``low`` (included) to
    ``high``, each of which may be open; its value is ``missing``.
    """

    kind: IndicatorKind
    name: str
    value: str | bool | None = None
    low: float | None = None
    high: float | None = None

    @property
    def words(self) -> str:
        """What a person reads of it, of a field without its value: what is kept with a lead tells no value."""
        if self.kind == "rule":
            return self.name
        if self.kind in ("known", "negative"):
            return f"{self.name} {self.kind}"
        return f"field {self.name}"


def read_decision(contributions: str, evidence: str, values: Mapping[str, Value] | None = None) -> Decision:
    """A decision from JSON as ``qualification`` keeps it, and the values of fields. A cap is no rule."""
    parts = orjson.loads(evidence).items()
    return Decision(
        frozenset(name for name in orjson.loads(contributions) if not name.startswith("cap of ")),
        frozenset(part for part, proof in parts if proof["known"]),
        frozenset(part for part, proof in parts if proof.get("negative")),
        values or {},
    )


def read_value(value: object) -> Value:
    """A cell of a frame as the value of a field: what is missing there is None, and numbers are Python's."""
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float | Decimal | np.number):
        return float(value)
    return str(value)


def choose_indicators(decisions: Sequence[Decision], rules: Iterable[str]) -> tuple[Indicator, ...]:
    """The indicators that tell these leads apart, in a fixed order. ``rules`` are those of the playbook in use: one
    that is gone will be met by nobody."""
    found = [Indicator("rule", name) for name in sorted(rules)]
    parts = sorted({part for each in decisions for part in each.known | each.negative})
    found += [Indicator("known", part) for part in parts] + [Indicator("negative", part) for part in parts]
    for name in sorted({name for each in decisions for name in each.values}):
        found += _divide_field(name, [each.values.get(name) for each in decisions])
    counts = build_matrix(decisions, found).sum(axis=0)
    return tuple(
        each for each, count in zip(found, counts.tolist(), strict=True) if LEAST <= count <= len(decisions) - LEAST
    )


def _divide_field(name: str, values: Sequence[Value]) -> list[Indicator]:
    missing = [Indicator("missing", name)] if any(value is None for value in values) else []
    given = [value for value in values if value is not None]
    if any(isinstance(value, bool) for value in given):
        return [Indicator("equals", name, value=True), *missing]
    if given and all(isinstance(value, int | float) for value in given):
        numbers = np.array(given, dtype=np.float64)
        edges = np.unique(np.quantile(numbers, [part / _RANGES for part in range(1, _RANGES)])).tolist()
        bounds = [None, *edges, None]
        ranges = [Indicator("range", name, low=low, high=high) for low, high in pairwise(bounds)]
        return [*ranges, *missing]
    counted = Counter(str(value) for value in given).most_common(_MOST_WORDS)
    words = sorted(word for word, count in counted if count >= LEAST_OF_WORD)
    return [*(Indicator("equals", name, value=word) for word in words), *missing]


def build_matrix(decisions: Sequence[Decision], indicators: Sequence[Indicator]) -> Floats:
    """A row for each decision and a column for each indicator: 1 where the lead has it, else 0."""
    matrix = np.zeros((len(decisions), len(indicators)))
    places = {
        kind: {each.name: place for place, each in enumerate(indicators) if each.kind == kind}
        for kind in ("rule", "known", "negative")
    }
    for row, decision in enumerate(decisions):
        for kind, names in (("rule", decision.rules), ("known", decision.known), ("negative", decision.negative)):
            for name in names:
                if (place := places[kind].get(name)) is not None:
                    matrix[row, place] = 1
    for place, each in enumerate(indicators):
        if each.kind in ("equals", "range", "missing"):
            matrix[:, place] = [_has(each, decision.values.get(each.name)) for decision in decisions]
    return matrix


def _has(indicator: Indicator, value: Value) -> bool:
    if indicator.kind == "missing":
        return value is None
    if indicator.kind == "range":
        if value is None or isinstance(value, str | bool):
            return False
        return (indicator.low is None or value >= indicator.low) and (indicator.high is None or value < indicator.high)
    return value is indicator.value if isinstance(indicator.value, bool) else str(value) == indicator.value
