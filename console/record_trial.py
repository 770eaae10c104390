"""Updates of records of one's own, or of a file, and what they would get. Nothing is stored.

Belongs here: from what was asked for to the updates that are tried. Does not belong here: deciding anything
(``tasks.record_trial``), or words (``console.record_trial_words``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from console.lead_trial import TrialError, require_countable, require_usable_text
from leadgate.connectors.files import Row
from leadgate.nearest import propose
from leadgate.playbook import LoadedPlaybook
from leadgate.records.fields import ENRICHED, STANDARD
from leadgate.vocabulary import JourneyKind
from tasks.assignment import Capacity
from tasks.record_trial import RecordTrial, TriedUpdate, try_updates
from tasks.trial_rows import read_signals


@dataclass(frozen=True)
class AskedUpdate:
    """What was asked for: values as a source would send them, facts about the account among them, what was told
    ``before``, and how often something was done, so many days ago. ``is_due``: nothing is told now."""

    source: str
    values: Mapping[str, str]
    before: Mapping[str, str]
    is_due: bool
    activities: Mapping[str, int]
    days_ago: int


@dataclass(frozen=True)
class TriedRecordRow:
    """A row of a file, and what would become of it. ``problem``: why it cannot be read."""

    line: int
    problem: str | None
    trial: RecordTrial


def try_update(
    loaded: LoadedPlaybook, kind: JourneyKind, asked: AskedUpdate, capacity: Capacity, now: datetime
) -> RecordTrial:
    """What would become of an update if it came in ``now``. Raises ``TrialError``."""
    _check(loaded, kind, asked)
    update = TriedUpdate(
        source=asked.source,
        now=now,
        values={name: value for name, value in asked.values.items() if name not in ENRICHED},
        before=asked.before,
        is_due=asked.is_due,
        did={each: [asked.days_ago] * times for each, times in asked.activities.items()},
        enriched={name: _read_fact(name, value) for name, value in asked.values.items() if name in ENRICHED},
    )
    return try_updates(loaded, kind, [update], capacity)[0]


def try_record_rows(
    loaded: LoadedPlaybook, kind: JourneyKind, source: str, rows: Sequence[Row], file: str, capacity: Capacity,
    now: datetime,
) -> list[TriedRecordRow]:  # fmt: skip
    """What would become of the rows of one file of ``source`` if each came in ``now``, about a record that is new."""
    signals = read_signals(loaded, source, rows, file, now)
    trials = try_updates(loaded, kind, [TriedUpdate(source, now, signal=each) for each in signals], capacity)
    return [
        TriedRecordRow(row.line, signal.unreadable, trial)
        for row, signal, trial in zip(rows, signals, trials, strict=True)
    ]


def _read_fact(name: str, value: str) -> str | int:
    if ENRICHED[name] != "integer":
        return value
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise TrialError(f"{name}: write a number")
    return int(value)


def _check(loaded: LoadedPlaybook, kind: JourneyKind, asked: AskedUpdate) -> None:
    view = loaded.playbook.for_kind(kind)
    known = [*STANDARD[kind], *view.fields]
    for name, value in (*asked.values.items(), *asked.before.items()):
        if name not in known and name not in ENRICHED:
            raise TrialError(f"{kind.plural} have no field {name[:80]!r}; {propose(name[:80], [*known, *ENRICHED])}")
        require_usable_text(name, value)
    require_countable(asked.activities, asked.days_ago, view)
