"""What updates of records would get: their values go through the stages' own decisions, and nothing is stored.

Belongs here: the frames that the stages decide over, and what they decided. Does not belong here: deciding anything
(the stages, ``leadgate.records``), where the records are from, or a page.

As for leads (``tasks.trial``) services over HTTP and Great Expectations are not asked. What a record was before is what
the trial says: no ledger is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import pandas as pd

from expectations.promises import Promise
from leadgate.assignment.absences import SaidAbsence
from leadgate.ledger import bulk
from leadgate.ledger.batches import Batch
from leadgate.ledger.signals import NewSignal
from leadgate.playbook import AccountsFile, LoadedPlaybook
from leadgate.playbook.rep_names import RepNames
from leadgate.records.fields import ENRICHED
from leadgate.records.versions import compare, merge
from leadgate.values.json_types import JsonObject
from leadgate.vocabulary import JourneyKind, NothingNew, Outcome, Severity
from tasks.assignment import Capacity
from tasks.records import enrichment, qualification, validation
from tasks.records.frames import add_values
from tasks.stage import Gathered, Work
from tasks.trial import Contribution, Routed, route
from tasks.trial_promises import find_broken

#: The id of a record that gives none.
_ID: Final = "of the trial"
#: What qualification decides and assignment does not read.
_NOT_ASSIGNED: Final = (Outcome.NURTURE, Outcome.DISQUALIFIED, Outcome.DONE)


@dataclass(frozen=True)
class TriedUpdate:
    """An update that is tried: ``values`` by field, as texts, or the ``signal`` that a source makes of a row.

    ``before``: by field, what was told and accepted before. ``is_due``: nothing is told, and the record's own time has
    come. ``did``: the days ago on which each activity was. ``enriched``: what is known of the account beside the files
    of accounts.
    """

    source: str
    now: datetime
    values: Mapping[str, str] = field(default_factory=dict)
    signal: NewSignal | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    is_due: bool = False
    did: Mapping[str, Sequence[int]] = field(default_factory=dict)
    enriched: Mapping[str, str | int | None] = field(default_factory=dict)
    away: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RecordTrial:
    """What the stages decided. ``routed``: who would get the record, of one that is held once it goes on."""

    values: JsonObject  # as validation leaves them
    broken: list[tuple[Promise, str]]
    unchecked: list[Promise]
    outcome: Outcome
    reason: str | None  # a code
    message: str | None  # what somebody is asked, in words
    asks: str | None
    tells: list[tuple[str, str]]  # who hears of it, and why
    category: str
    again_at: datetime | None
    score: int
    contributions: list[Contribution]
    reasons: list[str]
    added: dict[str, Any]
    routed: Routed | None

    @property
    def held(self) -> bool:
        """Whether validation would hold the update."""
        return any(promise.severity == Severity.CRITICAL for promise, _ in self.broken)

    @property
    def verdict(self) -> str:
        if self.held or self.outcome in (Outcome.HOLD, Outcome.REVIEW):
            return "held"
        return "goes_on" if self.outcome == Outcome.CONTINUE else self.outcome.value


def try_updates(
    loaded: LoadedPlaybook, kind: JourneyKind, given: Sequence[TriedUpdate], capacity: Capacity | None = None
) -> list[RecordTrial]:
    """What would become of each update if it came in alone. ``capacity``: what reps have and whose turn it is; by
    default no turn is taken, and nobody has anything."""
    alike: dict[tuple[datetime, frozenset[str]], list[int]] = {}
    for number, each in enumerate(given):
        alike.setdefault((each.now, each.away), []).append(number)
    found: dict[int, RecordTrial] = {}
    for (now, away), numbers in alike.items():
        work = _build_work(loaded, kind, len(numbers), now)
        absent = [SaidAbsence(rep, now, None) for rep in sorted(away)]
        reps = Capacity({}, {}, absent) if capacity is None else capacity
        trials = _try_together([given[number] for number in numbers], work, replace(reps, alone=True))
        found |= zip(numbers, trials, strict=True)
    return [found[number] for number in range(len(given))]


def _build_work(loaded: LoadedPlaybook, kind: JourneyKind, updates: int, now: datetime) -> Work:
    """Of the providers, files of accounts alone."""
    playbook = loaded.playbook
    files = tuple(each for each in playbook.enrichment.providers if isinstance(each, AccountsFile))
    ours = playbook.model_copy(update={"enrichment": playbook.enrichment.model_copy(update={"providers": files})})
    batch = Batch(0, 0, "trial", loaded.hash, updates, now, journey_kind=kind)
    return Work(batch, replace(loaded, playbook=ours), now)


def _try_together(given: Sequence[TriedUpdate], work: Work, capacity: Capacity) -> list[RecordTrial]:
    told = _read([(each.source, each.values, each.signal) for each in given], work)
    before = [
        values if given[number].before else None
        for number, values in enumerate(
            bulk.list_values(_read([(each.source, each.before, None) for each in given], work)["update"])
        )
    ]
    broken, unchecked = find_broken(told, work.rules)
    frame = _build_frame(given, bulk.list_values(told["update"]), before, work)
    frame = enrichment.ask(None, Gathered(frame), work).frame  # type: ignore[arg-type]  # it reads files alone
    for name in ENRICHED:
        cells = [each.enriched.get(name, cell) for each, cell in zip(given, bulk.list_values(frame[name]), strict=True)]
        frame[name] = pd.Series(cells, index=frame.index, dtype=object)
    decided = qualification.decide(Gathered(frame, _list_activities(given, work.now)), work).frame
    goes_on = decided[~decided["outcome"].isin(_NOT_ASSIGNED)].copy()
    goes_on["record_owner"] = goes_on["rep"]
    routed = route(goes_on, capacity, work)
    return [
        _build_trial(row, broken[number], unchecked, routed.get(number))
        for number, row in enumerate(decided.to_dict("records"))
    ]


def _read(rows: Sequence[tuple[str, Mapping[str, str], NewSignal | None]], work: Work) -> pd.DataFrame:
    """Updates as validation reads them: fields are told as corrections of a row are."""
    frame = pd.DataFrame(
        {
            "journey_id": range(len(rows)),
            "generation": 0,
            "source": [source for source, _, _ in rows],
            "captured_at": work.now,
            "payload": [signal.payload if signal else "{}" for _, _, signal in rows],
            "unreadable": pd.Series([signal and signal.unreadable for _, _, signal in rows], dtype=object),
            "recognised": pd.Series([signal and signal.recognised for _, _, signal in rows], dtype=object),
        }
    )
    told = [
        (number, name, value)
        for number, (_, values, signal) in enumerate(rows)
        for name, value in ({} if signal else {"external_id": _ID, **values}).items()
    ]
    corrections = pd.DataFrame(told, columns=["journey_id", "field", "value"])
    return validation.decide(Gathered(frame, corrections), work).frame


def _build_frame(
    given: Sequence[TriedUpdate], told: Sequence[JsonObject], before: Sequence[JsonObject | None], work: Work
) -> pd.DataFrame:
    """As qualification gathers updates."""
    reps = RepNames(work.rules.reps)
    rows = []
    for number, (each, update, was) in enumerate(zip(given, told, before, strict=True)):
        values = merge(was or {}, {"occurred_at": each.now.isoformat(), **update})
        rows.append(
            {
                "journey_id": number, "version": 0, "generation": 0, "lead_id": None, "record_id": number,
                "source": each.source, "captured_at": each.now, "waived": None, "due": each.is_due, "slipped_on": None,
                "number": 1 if was is None else 2, "values": values, "changes": compare(was or {}, values),
                "changed_at": each.now, "changed_by": None, "rep": reps.find(values.get("owner")), "category": None,
                "is_open": True, "record_outcome": None, "closes_on": None, "enriched": {}, "superseded": False,
                "before": was, "accepted": was, "pushes": 0,
            }
        )  # fmt: skip
    frame = add_values(pd.DataFrame(rows, dtype=object), work.rules)
    return frame.assign(open_opportunities=0)


def _list_activities(given: Sequence[TriedUpdate], now: datetime) -> pd.DataFrame:
    done = [
        (number, kind, now - timedelta(days=days))
        for number, each in enumerate(given)
        for kind, ago in each.did.items()
        for days in ago
    ]
    frame = pd.DataFrame(done, columns=["journey_id", "kind", "occurred_at"])
    return frame.assign(occurred_at=pd.to_datetime(frame["occurred_at"], utc=True))


def _build_trial(
    row: Mapping[Any, Any], broken: list[tuple[Promise, str]], unchecked: list[Promise], routed: Routed | None
) -> RecordTrial:
    details = orjson.loads(row["details"])
    is_repeated = row["before"] is not None and not row["changes"] and not row["due"]
    return RecordTrial(
        values={name: value for name, value in row["values"].items() if value is not None},
        broken=broken,
        unchecked=unchecked,
        outcome=Outcome(row["outcome"]),
        reason=NothingNew.NOTHING_CHANGED if is_repeated else row["reason"],
        message=row["item_message"],
        asks=row["ask"],
        tells=[] if is_repeated else list(row["tell"]),
        category=str(row["category"].value),
        again_at=row["again_at"],
        score=int(row["score"]),
        contributions=[
            Contribution(rule, points, rule in details["fit"])
            for rule, points in orjson.loads(row["contributions"]).items()
        ],
        reasons=[row["detail"]] if row["detail"] else [],
        added={name: row[name] for name in ENRICHED if row[name] is not None},
        routed=routed,
    )
