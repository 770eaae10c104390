"""A person decides about work items: rerun, correct, continue by hand, discard.

Belongs here: these decisions, each one transaction that compares what it found and composes what the entities write.
Does not belong here: a statement that writes a table, finding the work items (``reports``), or asking for confirmation
(the console).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from sqlalchemy import Connection

from leadgate.actors import Actor, require
from leadgate.ledger import (
    actions,
    assignments,
    breakers,
    crm_connections,
    event_subscriptions,
    leads,
    outbox,
    qualifications,
    report_mails,
    work_items,
)
from leadgate.ledger.actions import ActionError
from leadgate.ledger.database import Ledger
from leadgate.ledger.journeys import person_moves
from leadgate.ledger.journeys.locking import HeldJourney, lock_held_by
from leadgate.ledger.journeys.person_moves import release
from leadgate.ledger.outbox import ABOUT_CRMS, CRM_OWNER_UNKNOWN, GONE_FROM_CRM, SENT_AGAIN, UNDELIVERABLE
from leadgate.ledger.typed_rows import read_rows
from leadgate.ledger.work_items import close_work_items
from leadgate.limits import find_length_problem
from leadgate.matching import ASKS
from leadgate.nearest import propose
from leadgate.permissions import Permission
from leadgate.plain_text import make_storable
from leadgate.playbook.crm import CRM_TARGET
from leadgate.playbook.events import EVENT_TARGET
from leadgate.vocabulary import CrmMessageKind, ItemResolution, JourneyKind, StageName, WorkItemKind

if TYPE_CHECKING:
    from leadgate.playbook import Playbook


_Group = TypeVar("_Group")


@dataclass(frozen=True, slots=True)
class Item:
    """A work item that somebody decides."""

    id: int
    kind: WorkItemKind
    stage: str
    reason: str
    promise: str | None
    blocking: bool
    closed_at: datetime | None
    resolution: str | None
    journey_id: int | None
    route: str
    assignee: str | None
    owner: str | None


@dataclass
class RerunReport:
    """``released`` journeys wait again; ``skipped`` says which work items were left alone, and why."""

    work_items: int = 0
    released: int = 0
    skipped: list[str] = field(default_factory=list)
    journeys: dict[int, int] = field(default_factory=dict)  # each with the work item that held it
    action: int | None = None  # the number that `leadgate undo` takes; none: it cannot be undone

    def count(self, items: Sequence[Item], journeys: Sequence[HeldJourney]) -> None:
        self.work_items += len(items)
        self.released += len(journeys)
        self.journeys |= {journey.id: journey.work_item_id for journey in journeys}

    def add(self, other: RerunReport) -> None:
        self.work_items += other.work_items
        self.released += other.released
        self.skipped += other.skipped
        self.journeys |= other.journeys


def rerun(
    ledger: Ledger,
    work_item_ids: Sequence[int],
    *,
    by: Actor,
    now: datetime,
    playbook: Playbook,
    corrections: Mapping[str, str] | None = None,
) -> RerunReport:
    """Let the journeys of these work items try their stage again, with ``corrections`` to the lead's fields.

    What is held up to validation starts from its signal again, so that a mapping that was mended in the
    playbook counts. A corrected lead is validated again, however far it had come. Rerunning a breaker's
    work item closes the breaker; that of a message that was given up has it delivered, and that of a CRM
    has the lead written again. Raises
    ``ActionError`` for a field that does not exist, and for a value that is too long for its field.
    """
    report = RerunReport()
    with ledger.transaction() as connection:
        items = open_items(connection, work_item_ids, by, report)
        resolution = ItemResolution.CORRECTED if corrections else ItemResolution.RERUN
        journeys = lock_held_by(connection, [item.id for item in items])
        if corrections and any(journey.by_time for journey in journeys):
            raise ActionError(
                "time brought this question, and nothing was told that could be corrected: have the source tell "
                "an update, or let the question pass"
            )
        corrections = _check_corrections(corrections or {}, {journey.kind for journey in journeys}, playbook)
        for item in items:
            if item.reason == UNDELIVERABLE and (item.promise or "").startswith(EVENT_TARGET):
                event_subscriptions.go_on(connection, (item.promise or "").removeprefix(EVENT_TARGET))
            elif item.reason == UNDELIVERABLE and (item.promise or "").startswith(report_mails.PROMISE):
                report_mails.try_again(connection, item.promise or "")
            elif item.reason == UNDELIVERABLE and item.promise is not None:
                outbox.try_again(connection, item.promise)
            elif item.reason in ABOUT_CRMS and item.promise is not None:
                _write_to_crm_again(connection, item, item.promise, now)
        _correct(connection, journeys, corrections, by, now)
        for stage, held in _group(journeys, lambda each: _find_restart(each.stage, corrected=bool(corrections))):
            release(connection, held, stage=stage, now=now)
        conclude(connection, items, journeys, resolution, by, now, None)
        report.count(items, journeys)
    return report


def _write_to_crm_again(connection: Connection, item: Item, promise: str, now: datetime) -> None:
    """Have the leads of a work item about a CRM written again: that of its journey, or those of a rep."""
    name, _, rep = promise.removeprefix(CRM_TARGET).partition(":")
    crm_connections.go_on(connection, name)
    journeys = [item.journey_id] if item.journey_id is not None else []
    if item.reason == CRM_OWNER_UNKNOWN:
        journeys = assignments.list_open_of(connection, rep)
    if journeys:
        outbox.tell_crms(connection, journeys, now, kind=CrmMessageKind.WRITE_AGAIN, crm=name)


def mark_done_by_hand(
    ledger: Ledger, work_item_ids: Sequence[int], *, by: Actor, now: datetime, evidence: str
) -> RerunReport:
    """A person did what the stage could not, or approves, and answers for it: the journeys go on.

    At validation and enrichment the stage runs again with the broken promise waived, so that the lead is
    still cleaned and identified; from qualification the journey goes on to assignment, as approved.
    Raises ``ActionError`` where nothing can be done by hand: at capture there is no lead yet to go on
    with, and an owner is given by assignment.
    """
    report = RerunReport()
    with ledger.transaction() as connection:
        items = open_items(connection, work_item_ids, by, report)
        for item in items:
            if (why := explain_no_pass(item)) is not None:
                raise ActionError(why)
        journeys = lock_held_by(connection, [item.id for item in items])
        approved = {item.id for item in items if item.stage == StageName.QUALIFICATION}
        scored = [each for each in journeys if each.work_item_id in approved]
        qualifications.approve(connection, [each.id for each in scored], [each.generation for each in scored], now)
        waived = {item.id: item.promise for item in items}

        def find_pass(journey: HeldJourney) -> tuple[StageName, str | None]:
            if journey.work_item_id in approved:
                return StageName.ASSIGNMENT, None
            return journey.stage, waived[journey.work_item_id]

        for (stage, promise), held in _group(journeys, find_pass):
            release(connection, held, stage=stage, now=now, waived=promise)
        conclude(connection, items, journeys, ItemResolution.DONE_BY_HAND, by, now, evidence)
        report.count(items, journeys)
    return report


class Decidable(Protocol):
    """What the rules about a work item depend on."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def blocking(self) -> bool: ...


def explain_no_pass(item: Decidable) -> str | None:
    """Why nobody can do by hand what an open work item asks for; None where somebody can."""
    if item.kind == WorkItemKind.RECOVERY and item.reason not in SENT_AGAIN:
        return f"work item W{item.id} is about a run that did not finish, which nobody can do by hand; rerun it"
    if item.reason in ASKS:
        return (
            f"work item W{item.id} asks whether two records are one person: `leadgate review W{item.id} "
            "--same LEAD`, or --different"
        )
    if item.reason in GONE_FROM_CRM:
        return f"work item W{item.id} asks whether the lead goes on; rerun it, and it does, or discard it"
    if item.stage in (StageName.CAPTURE, StageName.ASSIGNMENT):
        instead = (
            "correct it with --set" if item.stage == StageName.CAPTURE else "add capacity to the pool and rerun it"
        )
        return f"work item W{item.id} is held at {item.stage}, which nobody can do by hand; {instead}"
    return None


def explain_no_decision(item: Decidable) -> str | None:
    """Why nothing can be decided about an open work item; None where something can."""
    if item.blocking or item.reason in SENT_AGAIN | GONE_FROM_CRM:
        return None
    return f"work item W{item.id} ({item.reason}) holds no journey; it closes when the lead is followed up"


def discard(ledger: Ledger, work_item_ids: Sequence[int], *, by: Actor, now: datetime, reason: str) -> RerunReport:
    """End the journeys of these work items for a reason. What was captured stays."""
    report = RerunReport()
    with ledger.transaction() as connection:
        items = open_items(connection, work_item_ids, by, report)
        journeys = lock_held_by(connection, [item.id for item in items])
        person_moves.discard(connection, journeys)
        report.action = conclude(connection, items, journeys, ItemResolution.DISCARDED, by, now, reason)
        gone = [item.journey_id for item in items if item.reason in GONE_FROM_CRM and item.journey_id is not None]
        if gone:
            outbox.withdraw(connection, gone, "the lead was discarded: its record is gone from the CRM", now)
        report.count(items, journeys)
    return report


def _find_restart(stage: StageName, *, corrected: bool) -> StageName:
    """Where a journey that was held at ``stage`` starts again."""
    if stage in (StageName.CAPTURE, StageName.VALIDATION):
        return StageName.CAPTURE
    return StageName.VALIDATION if corrected else stage


_A: Final = {kind: f"{'an' if kind.value[0] in 'aeiou' else 'a'} {kind.value}" for kind in JourneyKind}


def _check_corrections(
    corrections: Mapping[str, str], kinds: Collection[JourneyKind], playbook: Playbook
) -> dict[str, str]:
    """The corrections of journeys of these kinds as the ledger can hold them. Raises ``ActionError`` for a field that
    one of the kinds does not have, or a value that the ledger cannot hold."""
    for name, value in corrections.items():
        for kind in sorted(kinds) or [JourneyKind.LEAD]:
            if name not in (known := playbook.for_kind(kind).told_fields):
                raise ActionError(f"{_A[kind]} has no field {name!r}; {propose(name, known)}")
        if (problem := find_length_problem(name, value)) is not None:
            raise ActionError(f"the correction does not fit its field ({problem}); give a shorter one")
    return {name: make_storable(value) for name, value in corrections.items()}


def open_items(connection: Connection, ids: Sequence[int], by: Actor, report: RerunReport) -> list[Item]:
    """The open ones of ``ids`` that a person can decide, locked in order; the others are noted as skipped.

    Raises ``ActorError`` where one of them is not for ``by`` to decide.
    """
    rows = read_rows(
        connection,
        Item,
        f"SELECT id, kind, stage, reason, promise, blocking, closed_at, resolution, journey_id, route, assignee, "
        f"{work_items.OWNER} AS owner FROM work_item w WHERE id = ANY(:ids) ORDER BY id FOR UPDATE",
        ids=list(ids),
    )
    for missing in sorted(set(ids) - {row.id for row in rows}):
        report.skipped.append(f"work item W{missing} does not exist")
    usable = []
    for row in rows:
        if row.closed_at is not None:
            report.skipped.append(f"work item W{row.id} is closed already ({row.resolution})")
        elif (why := explain_no_decision(row)) is not None:
            report.skipped.append(why)
        else:
            require(by, Permission.DECIDE_ITEMS, row.owner, (row.route, row.assignee))
            usable.append(row)
    return usable


def _group(
    journeys: Sequence[HeldJourney], by: Callable[[HeldJourney], _Group]
) -> Iterable[tuple[_Group, list[HeldJourney]]]:
    """The journeys that have the same answer to ``by``, together."""
    groups: dict[_Group, list[HeldJourney]] = {}
    for journey in journeys:
        groups.setdefault(by(journey), []).append(journey)
    return groups.items()


def _correct(
    connection: Connection, journeys: Sequence[HeldJourney], corrections: Mapping[str, str], by: Actor, now: datetime
) -> None:
    """Keep the corrections, and write them to the leads as if they had been captured so."""
    # a journey that is still at capture has no lead, and reads the corrections itself
    of = [journey.lead_id for journey in journeys if journey.lead_id is not None]
    for name, value in corrections.items():
        actions.keep_correction(connection, journeys, name, value, by.name, now)
        leads.correct(connection, of, name, value)


def conclude(
    connection: Connection,
    items: Sequence[Item],
    journeys: Sequence[HeldJourney],
    resolution: ItemResolution,
    by: Actor,
    now: datetime,
    note: str | None,
) -> int:
    """Close ``items``, and keep what was done to the ``journeys`` that they held.

    Returns the action's number.
    """
    ids = [item.id for item in items]
    close_work_items(connection, ids, by=by.name, resolution=resolution, now=now)
    work_items.keep_note(connection, ids, note)
    breakers.reset(connection, ids)
    return actions.record_decided(connection, journeys, resolution, by, now)
