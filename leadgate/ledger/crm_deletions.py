"""Leads whose records were deleted or merged in a CRM: their links end, their journeys wait for a person.

Belongs here: finding them, and composing what the entities write. Does not belong here: a statement that writes a
table, the work items' words and routes (``tasks.crm.deletions``), or what a CRM says (``connectors``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection, text

from leadgate.actors import Actor
from leadgate.ledger import crm_links, handoffs, identities, outbox, playbook_activations, reassignments, work_items
from leadgate.ledger.journeys import person_moves
from leadgate.ledger.typed_rows import read_rows
from leadgate.ledger.work_items import NewWorkItem
from leadgate.limits import shorten_key
from leadgate.matching.resolving import CRM_ID
from leadgate.vocabulary import OPEN, HandoffOutcome, JourneyStatus, StageName, WorkItemKind, list_in_sql


@dataclass(frozen=True, slots=True)
class LeadStanding:
    """The open journey of a lead; the last journey of a lead that has no open one."""

    id: int
    lead_id: int
    status: JourneyStatus
    stage: StageName
    generation: int
    source: str
    work_item_id: int | None
    item_kind: str | None  # of the work item that holds it

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


#: Builds the work item about a journey; the second argument says whether it holds the journey.
BuildItem = Callable[[LeadStanding, bool], NewWorkItem]

_LONGEST_ID: Final = 63  # characters of a record's id that a link has room for
_LINKED: Final = (
    "SELECT lead_id, record_id FROM crm_link WHERE crm = :crm AND record_id = ANY(:records) "
    "AND (gone_at IS NULL OR CAST(:include_ended AS boolean))"
)
_KNOWN: Final = "SELECT lead_id, value FROM identity WHERE kind = :kind AND value = ANY(:values)"


def find_leads(
    connection: Connection,
    crm: str,
    matching_name: str | None,
    record_ids: Collection[str],
    *,
    include_ended: bool = True,
) -> dict[str, int]:
    """Find the lead of each of these records, by its link or by an identity. Returns lead ids by record ids.

    ``matching_name``: the CRM's name in the playbook's ``matching``; None: the ids of its records are no identities.
    ``include_ended``: also follow links that have ended.
    """
    ids = sorted(record_ids)
    found = {}
    if matching_name is not None:
        values = {shorten_key(each): each for each in ids}
        rows = connection.execute(text(_KNOWN), {"kind": f"{CRM_ID}:{matching_name}", "values": list(values)})
        found = {values[row.value]: row.lead_id for row in rows}
    rows = connection.execute(text(_LINKED), {"crm": crm, "records": ids, "include_ended": include_ended})
    return found | {row.record_id: row.lead_id for row in rows}


def lock_standings(connection: Connection, lead_ids: Collection[int]) -> list[LeadStanding]:
    """Read where these leads stand, and lock their journeys in the order of their ids."""
    connection.execute(
        text("SELECT 1 FROM journey WHERE lead_id = ANY(:leads) ORDER BY id FOR UPDATE"), {"leads": sorted(lead_ids)}
    )
    return read_rows(
        connection,
        LeadStanding,
        "SELECT DISTINCT ON (j.lead_id) j.id, j.lead_id, j.status, j.stage, j.generation, j.source, j.work_item_id, "
        "w.kind AS item_kind FROM journey j LEFT JOIN work_item w ON w.id = j.work_item_id "
        f"WHERE j.lead_id = ANY(:leads) ORDER BY j.lead_id, j.status IN ({list_in_sql(OPEN)}) DESC, j.id DESC",
        leads=sorted(lead_ids),
    )


def end_links(
    connection: Connection, crm: str, matching_name: str | None, leads: Mapping[str, int], now: datetime
) -> set[int]:
    """End the links of these records (record id -> lead id). Returns the leads that had such a link until now.

    A lead that is known by the record's id alone gets a link that is gone, so that it is not created again.
    """
    lost = crm_links.end(connection, crm, list(leads), now)
    if matching_name is not None:
        values = {shorten_key(record): (record, lead) for record, lead in leads.items()}
        claims = [(f"{CRM_ID}:{matching_name}", value) for value in values]
        forgotten = identities.forget(connection, claims)
        known = [(lead, record[:_LONGEST_ID]) for value, (record, lead) in values.items() if value in forgotten]
        crm_links.keep_gone(connection, crm, known, now)
        lost |= {lead for lead, _ in known}
    return lost


def hold(
    connection: Connection,
    standings: Sequence[LeadStanding],
    build_item: BuildItem,
    *,
    by: str,
    reason: str,
    now: datetime,
) -> int:
    """Hold the open journeys of these leads, each behind a work item of its own. Returns how many were held.

    An owned lead has no owner any more, as when a person takes it away. A journey that is held already is held by the
    new work item, unless that one stands for a parked source. A lead without an open journey gets a work item that
    holds none.
    """
    held = 0
    for each in standings:
        swapped = each.status == JourneyStatus.HELD and each.item_kind != WorkItemKind.BREAKER
        if each.status == JourneyStatus.OWNED:
            _take_away(connection, each, build_item(each, True), by=by, reason=reason, now=now)
        elif each.status == JourneyStatus.READY or swapped:
            item = _open(connection, build_item(each, True))
            if item is None:
                continue
            if each.status == JourneyStatus.READY:
                rows = [(each.id, each.generation, playbook_activations.find_hash(connection))]
                handoffs.record(connection, rows, stage=each.stage, outcome=HandoffOutcome.HELD, reason=reason, now=now)
                person_moves.hold(connection, [each.id], item, now)
            else:
                person_moves.hold_instead(connection, [each.id], item)
                work_items.close_empty(connection, [each.work_item_id] if each.work_item_id else [], now)
        else:
            _open(connection, build_item(each, False))
            continue
        held += 1
    outbox.tell_events(connection, [each.id for each in standings], now)
    return held


def _take_away(
    connection: Connection, standing: LeadStanding, item: NewWorkItem, *, by: str, reason: str, now: datetime
) -> None:
    frame = reassignments.lock_owned(connection, standing.id)
    reassignments.take_away(
        connection,
        frame,
        work_item=item,
        reason=reason,
        by=Actor(by),
        now=now,
        playbook_hash=playbook_activations.find_hash(connection),
    )


def _open(connection: Connection, item: NewWorkItem) -> int | None:
    """Open the work item; None when it is open."""
    journey = item["journey_id"]
    if journey is not None and work_items.list_open_about(connection, (item["reason"],), [journey]):
        return None
    return work_items.open_work_items(connection, pd.DataFrame([item]))[0]


def follow_merged(
    connection: Connection, crm: str, matching_name: str | None, merged: Mapping[str, str], now: datetime
) -> tuple[int, set[int]]:
    """Link the leads of merged records (merged id -> remaining id) to the remaining records.

    Returns how many leads were moved, and the leads that were not, because the remaining record is another lead's: the
    links of these end.
    """
    leads = find_leads(connection, crm, matching_name, {*merged, *merged.values()})
    movable: dict[str, str] = {}
    refused: dict[str, int] = {}
    for gone, stays in merged.items():
        lead = leads.get(gone)
        if lead is None:
            continue
        if leads.get(stays, lead) != lead:
            refused[gone] = lead
        else:
            movable[gone] = stays
            leads[stays] = lead
    moved = crm_links.move(connection, crm, movable)
    if matching_name is not None:
        kind = f"{CRM_ID}:{matching_name}"
        identities.move(connection, kind, {shorten_key(gone): shorten_key(stays) for gone, stays in movable.items()})
    return len(moved), end_links(connection, crm, matching_name, refused, now)
