"""One write of some leads to a CRM: find their records, write, write tasks, read back, and settle the messages.

Belongs here: the order of these steps, and what follows from each row's answer. Does not belong here: which record a
lead is (``linking``), follow-up tasks (``task_writing``), what is written (``leadgate.crm``), or a CRM that
gives no answer at all (``delivery``).

Killed anywhere, a later write finds the records by Leadgate's key, and the tasks by theirs: nothing is created twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from leadgate.connectors.crm import CrmObject, CrmRecord, CrmWrite, RowFault, RowResult
from leadgate.connectors.service_session import ServiceError
from leadgate.crm.facts import build_facts
from leadgate.crm.values import CrmValue, compare, encode, is_same
from leadgate.crm.writes import choose_values, is_set_by_others
from leadgate.failpoints import failpoint
from leadgate.ledger import crm_connections, crm_links, outbox, work_items
from leadgate.ledger.crm_facts import read_facts
from leadgate.ledger.crm_links import LONGEST_READ, Link, ReadBack
from leadgate.ledger.outbox import CRM_NOT_KEPT, CRM_REFUSED, CRM_STANDS_STILL, CrmMessage
from leadgate.ledger.work_items import NewWorkItem
from leadgate.vocabulary import CrmMessageKind
from tasks.crm.access import CrmAccess, LeadWrite, is_id, list_open
from tasks.crm.delivery import open_once
from tasks.crm.items import build_not_kept, build_refusal, build_unknown_owner, open_new
from tasks.crm.linking import ANOTHER_LEADS, link_leads, link_to_named, read_current
from tasks.crm.task_writing import write_tasks
from tasks.delivery import MOST_ATTEMPTS, wait_after


class CrmWriter:
    """Writes to one CRM. ``write`` raises ``ServiceError`` when the CRM as a whole gives no answer."""

    def __init__(self, access: CrmAccess) -> None:
        self._access = access
        self._ledger, self._playbook, self._connection = access.ledger, access.playbook, access.connection
        self._labels = {rep.name: rep.label for rep in self._playbook.reps if rep.label}
        self._types = {name: each.type for name, each in self._playbook.fields.items()}

    def write(self, messages: Sequence[CrmMessage]) -> dict[int, str]:
        """Write what the ledger knows of the messages' leads. Returns the outcome of each message: ``delivered``,
        ``failed`` (another attempt follows) or ``given_up``; none where somebody else has claimed it since."""
        access = self._access
        access.unknown = {}
        leads, nothing = self._gather(messages)
        try:
            access.learn()
            link_leads(access, leads)
            read_current(access, list_open(leads))
            for lead in list_open(leads):
                self._decide(lead)
            self._write_records([lead for lead in list_open(leads) if self._is_to_be_written(lead)])
            write_tasks(access, [lead for lead in list_open(leads) if lead.link is not None])
            self._read_back([lead for lead in list_open(leads) if lead.was_written])
        except ServiceError:
            with self._ledger.transaction() as connection:
                access.renew_claims(leads, connection)
                access.tell_again(connection, leads)
            raise
        return self._settle(leads, nothing)

    # --- gathering ----------------------------------------------------------------------------------------

    def _gather(self, messages: Sequence[CrmMessage]) -> tuple[list[LeadWrite], list[CrmMessage]]:
        """The leads of the messages, and messages about which there is nothing to write."""
        groups: dict[int | None, list[CrmMessage]] = defaultdict(list)
        for message in messages:
            groups[message.lead_id].append(message)
        nothing = groups.pop(None, [])
        ids = [lead for lead in groups if lead is not None]
        facts = read_facts(self._ledger, ids)
        links = crm_links.read_links(self._ledger, self._connection.name, ids)
        leads = []
        for lead_id in ids:
            about = groups[lead_id]
            again = any(message.kind == CrmMessageKind.WRITE_AGAIN for message in about)
            link = links.get(lead_id)
            if lead_id not in facts or (link is not None and link.gone_at is not None and not again):
                nothing += about
                continue
            if link is not None and link.gone_at is not None:
                link = None
            lead = LeadWrite(lead_id, about, facts[lead_id], link, again)
            if min(message.attempts for message in about) > MOST_ATTEMPTS:
                lead.refusal = (f"{MOST_ATTEMPTS} attempts, and the process died over the last", "")
            leads.append(lead)
        return leads, nothing

    # --- what is written ----------------------------------------------------------------------------------

    def _decide(self, lead: LeadWrite) -> None:
        facts = build_facts(lead.facts, self._connection, self._labels, self._types)
        owner = lead.facts.current_owner
        if self._access.names_owners:
            owner_id = self._access.find_owner(owner) if owner is not None else None
            if owner is None or owner_id is not None:  # an owner whom the CRM does not know is not written at all
                facts["owner"] = owner_id
        self._leave_owner(lead, facts)
        lead.known_facts = facts
        self._choose_values(lead)

    def _leave_owner(self, lead: LeadWrite, facts: dict[str, CrmValue]) -> None:
        """An owner whom somebody has set in the CRM since Leadgate assigned the lead is not written over: the next sync
        follows them."""
        name, link = self._connection.followed_field, lead.link
        if name is None or link is None or link.written is None or lead.again:
            return
        current, written = lead.current.get(name), link.written.get(name)
        if is_same(current, facts.get("owner")) or not is_set_by_others(current, written, (link.read or {}).get(name)):
            return
        since = lead.facts.owner_since
        if since is None or lead.changed_at is None or lead.changed_at >= since:
            facts.pop("owner", None)
            lead.left = {name: written}

    def _choose_values(self, lead: LeadWrite) -> None:
        lengths = self._access.opened.lengths or {}
        lead.values = choose_values(self._connection, lead.known_facts, lead.current, lengths)

    def _is_to_be_written(self, lead: LeadWrite) -> bool:
        if lead.link is None:
            return self._connection.create and lead.facts.is_qualified
        is_uncertain = lead.needs_key or lead.again or lead.link.sent_at is not None
        return is_uncertain or lead.link.written != encode(lead.values) | lead.left

    def _write_records(self, leads: list[LeadWrite], *, again: bool = False) -> None:
        if not leads:
            return
        rows = [(lead, self._build_row(lead)) for lead in leads]
        with self._ledger.transaction() as connection:
            crm_links.begin_writes(
                connection, self._connection.name, [lead.lead_id for lead in leads], self._access.read_time()
            )
        failpoint("crm.write.before")
        results = self._access.send(rows, lambda some: self._access.crm.write(CrmObject.LEAD, some))
        failpoint("crm.write.after")
        made = [
            (lead, result)
            for lead in leads
            if (result := results.get(lead.key)) is not None and result.error is None
        ]  # fmt: skip
        new = [
            (lead.lead_id, result.id or "", "created" if result.was_created else "key")
            for lead, result in made
            if lead.link is None or lead.link.record_id != result.id
        ]
        linked: set[int] = set()
        if new:
            with self._ledger.transaction() as connection:
                linked = crm_links.link_leads(connection, self._connection.name, new, self._access.read_time())
        failpoint("crm.link.after")
        for lead, result in made:
            record_id = result.id or ""
            if lead.link is None or lead.link.record_id != record_id:
                if lead.lead_id not in linked:
                    lead.refusal = (ANOTHER_LEADS, "")
                    continue
                lead.link = Link(lead.lead_id, record_id, "created", None, None, None, None, None, 0)
            lead.was_written = True
        self._take_errors(leads, results, again=again)

    def _build_row(self, lead: LeadWrite) -> CrmWrite:
        values: dict[str, CrmValue] = dict(lead.values)
        if lead.needs_key:
            values[self._access.key_field] = lead.key
        return CrmWrite(lead.key, values, lead.link.record_id if lead.link else None)

    def _take_errors(self, leads: list[LeadWrite], results: Mapping[str, RowResult], *, again: bool) -> None:
        """What follows from each row's error. A record that the CRM names as the same person is taken, once."""
        twins: list[LeadWrite] = []
        for lead in leads:
            error = results[lead.key].error if lead.key in results else None
            if error is None:
                continue
            has_twin = error.fault == RowFault.DUPLICATE and is_id(error.other_id) and lead.link is None
            if has_twin and not again and link_to_named(self._access, lead, error.other_id or ""):
                self._choose_values(lead)
                twins.append(lead)
                continue
            if error.fault == RowFault.GONE and lead.link is not None:
                self._access.lose(lead, self._find_gone(lead.link.record_id))
            self._access.take_error(lead, error)
        self._write_records(twins, again=True)

    def _find_gone(self, record_id: str) -> CrmRecord | None:
        """A record that cannot be written any more; None where the CRM does not tell what became of it."""
        records = self._access.ask(lambda: self._access.crm.read(CrmObject.LEAD, [record_id], []))
        return records.get(record_id)

    # --- reading back, and settling -----------------------------------------------------------------------

    def _read_back(self, leads: list[LeadWrite]) -> None:
        leads = self._access.renew_claims(leads)
        by_record = {lead.link.record_id: lead for lead in leads if lead.link is not None}
        fields = sorted({name for lead in leads for name in lead.values})
        if not by_record or not fields:
            return
        failpoint("crm.read.before")
        records = self._access.ask(lambda: self._access.crm.read(CrmObject.LEAD, list(by_record), fields))
        for record_id, lead in by_record.items():
            record = records.get(record_id)
            if record is None or record.is_deleted:
                self._access.lose(lead, record)
                continue
            lead.read = {name: record.values.get(name) for name in lead.values}
            lead.differences = compare(lead.values, lead.read)

    def _settle(self, leads: list[LeadWrite], nothing: list[CrmMessage]) -> dict[int, str]:
        """Keep what was read back, open and close work items, and mark the messages, in one transaction."""
        name, now = self._connection.name, self._access.read_time()
        outcomes = {message.id: "delivered" for message in nothing}
        failpoint("crm.settle.before")
        with self._ledger.transaction() as connection:
            crm_connections.lock(connection, name)
            budget = self._access.crm.budget
            crm_connections.keep_answer(
                connection, name, now, day_limit=_bound(budget.day_limit), day_left=_bound(budget.day_left)
            )
            work_items.close_general(connection, CRM_STANDS_STILL, self._connection.target, now)
            kept = self._access.renew_claims(leads, connection)
            self._access.tell_again(connection, leads)
            self._keep_read_back(connection, [lead for lead in kept if lead.read is not None], now)
            fine = list_open(kept)
            whole = [lead.lead_id for lead in fine if not lead.differences]
            if whole:
                work_items.close_kept(connection, (CRM_REFUSED, CRM_NOT_KEPT), self._connection.target, whole, now)
            outbox.mark_written(connection, [*nothing, *(each for lead in fine for each in lead.messages)], now)
            outcomes |= {message.id: "delivered" for lead in fine for message in lead.messages}
            items: list[NewWorkItem] = []
            for lead in kept:
                items += self._conclude(connection, lead, now, outcomes)
            open_new(connection, items)
            for rep, why in sorted(self._access.unknown.items()):
                open_once(connection, build_unknown_owner(name, rep, why, self._playbook, now))
            failpoint("crm.settle.inside")
        failpoint("crm.settle.after")
        return outcomes

    def _keep_read_back(self, connection: Connection, leads: list[LeadWrite], now: datetime) -> None:
        if not leads:
            return
        kept = [
            ReadBack(
                lead.lead_id,
                encode(lead.values) | lead.left,
                encode(lead.read or {}, LONGEST_READ) | lead.left,
                len(lead.differences),
            )
            for lead in leads
        ]
        crm_links.keep_read_back(connection, self._connection.name, kept, now, wrote=True)

    def _conclude(
        self, connection: Connection, lead: LeadWrite, now: datetime, outcomes: dict[int, str]
    ) -> list[NewWorkItem]:
        """Mark the messages of a lead that was not written as it should be; the work items that ask a person."""
        name, last = self._connection.name, lead.messages[-1]
        if lead.refusal is not None:
            words, vendors = lead.refusal
            if not outbox.give_up_writes(connection, lead.messages, words, now):
                return []
            outcomes |= {message.id: "given_up" for message in lead.messages}
            of_journeys = {message.journey_id: message for message in lead.messages}.values()
            return [build_refusal(message, name, words, vendors, self._playbook, now) for message in of_journeys]
        if lead.later is not None:
            wait = wait_after(min(message.attempts for message in lead.messages)) or self._access.lease
            outbox.postpone(connection, lead.messages, lead.later, now + wait, counts=True)
            outcomes |= {message.id: "failed" for message in lead.messages}
            return []
        return [build_not_kept(last, name, each, self._playbook, now) for each in lead.differences]


def _bound(value: int | None) -> int | None:
    return None if value is None else max(0, min(int(value), 2**31 - 1))
