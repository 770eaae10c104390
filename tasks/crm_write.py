"""One write of some leads to a CRM: find their records, write, write tasks, read back, and settle the messages.

Belongs here: the order of these steps, and what follows from each row's answer. Does not belong here: what is written
(``leadgate.crm``), or a CRM that gives no answer at all (``crm_delivery``).

Long as one file: the steps of one write, in their order.

Killed anywhere, a later write finds the records by Leadgate's key, and the tasks by theirs: nothing is created twice.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import Connection

from leadgate.connectors.crm import CrmObject, CrmRecord, CrmTask, CrmWrite, RowError, RowFault, RowResult
from leadgate.connectors.service_session import ServiceError
from leadgate.crm.facts import LeadFacts, build_facts
from leadgate.crm.values import CrmValue, Difference, compare, encode
from leadgate.crm.writes import build_key, build_task_key, build_task_texts, choose_values, list_guarded
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, crm_connections, crm_links, crm_tasks, outbox, work_items
from leadgate.ledger.clock import ask_time
from leadgate.ledger.crm_facts import read_facts
from leadgate.ledger.crm_links import Link, ReadBack
from leadgate.ledger.crm_tasks import NeededTask, WrittenTask
from leadgate.ledger.outbox import CRM_NOT_KEPT, CRM_REFUSED, CrmMessage
from leadgate.ledger.work_items import NewWorkItem
from leadgate.playbook import CrmConnection, Playbook, Rep
from leadgate.vocabulary import CrmMessageKind
from tasks import crm_items
from tasks.crm_delivery import OpenCrm, open_once
from tasks.delivery import MOST_ATTEMPTS, wait_after

_T = TypeVar("_T")
_Row = TypeVar("_Row", CrmWrite, CrmTask)
_LONGEST_ID: Final = 63  # characters of an id that a CRM gives
_LONGEST_READ: Final = 1_000  # characters of a value that are kept of what was read
_GONE: Final = "its record is not in the CRM any more"


@dataclass
class _Lead:
    """A lead that is being written, with what became of it so far."""

    lead_id: int
    messages: list[CrmMessage]
    facts: LeadFacts
    link: Link | None
    again: bool  # a person asked for it
    values: dict[str, CrmValue] = field(default_factory=dict, repr=False)
    current: dict[str, CrmValue] = field(default_factory=dict, repr=False)
    known_facts: dict[str, CrmValue] = field(default_factory=dict, repr=False)
    needs_key: bool = False  # its record was found by its address
    was_written: bool = False
    refusal: tuple[str, str] | None = None  # in words, and the vendor's own
    later: str | None = None  # why another attempt follows
    differences: list[Difference] = field(default_factory=list, repr=False)
    read: dict[str, CrmValue] | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        return build_key(self.lead_id)

    @property
    def is_settled(self) -> bool:
        return self.refusal is not None or self.later is not None


class CrmWriter:
    """Writes to one CRM. ``write`` raises ``ServiceError`` when the CRM as a whole gives no answer."""

    def __init__(
        self,
        ledger: Ledger,
        playbook: Playbook,
        connection: CrmConnection,
        opened: OpenCrm,
        lease: timedelta,
        as_of: datetime | None,
    ) -> None:
        self._ledger = ledger
        self._playbook = playbook
        self._connection = connection
        self._opened = opened
        self._crm = opened.crm
        self._lease = lease
        self._as_of = as_of
        self._reps = {rep.name: rep for rep in playbook.reps}
        self._labels = {rep.name: rep.label for rep in playbook.reps if rep.label}
        self._key_field = connection.unique_field or ""
        self._unknown: dict[str, str] = {}  # rep -> why the CRM does not know them

    def write(self, messages: Sequence[CrmMessage]) -> dict[int, str]:
        """Write what the ledger knows of the messages' leads. Returns the outcome of each message: ``delivered``,
        ``failed`` (another attempt follows) or ``given_up``."""
        self._unknown = {}
        leads, nothing = self._gather(messages)
        self._ask_what_is_known()
        self._link(leads)
        self._read_current(_list_open(leads))
        for lead in _list_open(leads):
            self._decide(lead)
        leads = self._renew(leads)
        self._write_records([lead for lead in _list_open(leads) if self._is_to_be_written(lead)])
        self._write_tasks([lead for lead in _list_open(leads) if lead.link is not None])
        self._read_back([lead for lead in _list_open(leads) if lead.was_written])
        return self._settle(leads, nothing)

    # --- gathering ----------------------------------------------------------------------------------------

    def _gather(self, messages: Sequence[CrmMessage]) -> tuple[list[_Lead], list[CrmMessage]]:
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
            lead = _Lead(lead_id, about, facts[lead_id], link, again)
            if min(message.attempts for message in about) > MOST_ATTEMPTS:
                lead.refusal = (f"{MOST_ATTEMPTS} attempts, and the process died over the last", "")
            leads.append(lead)
        return leads, nothing

    def _ask(self, ask: Callable[[], _T]) -> _T:
        """An answer of the connector. An error that is none of its kinds is its fault, and stops no other CRM."""
        try:
            return ask()
        except ServiceError:
            raise
        except Exception as error:
            raise ServiceError(f"the connector of {self._connection.name} failed ({type(error).__name__})") from None

    def _ask_what_is_known(self) -> None:
        opened = self._opened
        if opened.lengths is None:
            fields = self._ask(lambda: self._crm.describe_fields(CrmObject.LEAD))
            opened.lengths = {name: each.max_length for name, each in fields.items() if each.max_length}
        if opened.owners is None and self._names_owners:
            listed = self._ask(self._crm.list_owners)
            opened.owners = {owner.id: owner.id for owner in listed if owner.is_active}
            opened.owners |= {
                owner.email.strip().casefold(): owner.id
                for owner in listed
                if owner.email and owner.is_active and not owner.is_queue
            }
            opened.inactive = frozenset(
                name.strip().casefold()
                for each in listed
                if not each.is_active
                for name in (each.id, each.email)
                if name
            )

    @property
    def _names_owners(self) -> bool:
        writes = self._connection.writes.values()
        return self._connection.task is not None or any(write.fact == "owner" for write in writes)

    def _find_owner(self, name: str) -> str | None:
        """The CRM's id of a rep. None, noted for a work item, when the CRM knows no active one."""
        rep = self._reps.get(name)
        known = self._opened.owners or {}
        asked = rep and (rep.crm_ids.get(self._connection.name) or (rep.email or "").strip().casefold())
        if asked and asked in known:
            return known[asked]
        if not asked:
            why = "has no e-mail address in the playbook by which to be found"
        else:
            why = "is not active" if asked.casefold() in self._opened.inactive else "is not known"
        self._unknown[name] = why
        return None

    # --- which record a lead is ---------------------------------------------------------------------------

    def _link(self, leads: list[_Lead]) -> None:
        """Find the records of leads that have none yet: by Leadgate's key, then by e-mail address."""
        fields = [self._key_field, *list_guarded(self._connection)]
        lost = {lead.key: lead for lead in _list_open(leads) if lead.link is None}
        found: dict[int, tuple[CrmRecord, str]] = {}
        if lost:
            for record in self._find(self._key_field, lost, fields):
                lead = lost.get(str(record.values.get(self._key_field) or ""))
                if lead is not None:
                    found[lead.lead_id] = (record, "key")
        by_address = self._connection.address_field
        addressed: dict[str, list[_Lead]] = defaultdict(list)
        for lead in lost.values():
            if lead.lead_id not in found and (address := str(lead.facts.values.get("email") or "").strip()):
                addressed[address.casefold()].append(lead)
        if by_address is not None and addressed:
            self._match_addresses(by_address, addressed, fields, found)
        if not found:
            return
        now = ask_time(self._ledger, self._as_of)
        rows = [(lead, record.id, how) for lead, (record, how) in sorted(found.items()) if _is_id(record.id)]
        with self._ledger.transaction() as connection:
            linked = crm_links.link_leads(connection, self._connection.name, rows, now)
        for lead in lost.values():
            if lead.lead_id not in found:
                continue
            record, how = found[lead.lead_id]
            if lead.lead_id in linked:
                lead.link = Link(lead.lead_id, record.id, how, None, None, None, None, 0)
                lead.current, lead.needs_key = dict(record.values), how == "address"
            else:
                lead.refusal = ("its record is that of another lead already; merge the two, or correct one", "")

    def _match_addresses(
        self,
        by_address: str,
        addressed: Mapping[str, list[_Lead]],
        fields: list[str],
        found: dict[int, tuple[CrmRecord, str]],
    ) -> None:
        matches: dict[str, list[CrmRecord]] = defaultdict(list)
        for record in self._find(by_address, addressed, [by_address, *fields]):
            matches[str(record.values.get(by_address) or "").strip().casefold()].append(record)
        for address, wanted in addressed.items():
            records = {record.id: record for record in matches.get(address, ())}
            for lead in wanted:
                if len(records) > 1:
                    words = f"{len(records)} records have its e-mail address; merge them in the CRM and rerun this"
                    lead.refusal = (words, "")
                elif records:
                    (record,) = records.values()
                    found[lead.lead_id] = (record, "address")

    def _find(self, field_name: str, values: Iterable[str], fields: Sequence[str]) -> list[CrmRecord]:
        wanted = list(dict.fromkeys(fields))
        records = self._ask(lambda: self._crm.find(CrmObject.LEAD, field_name, list(values), wanted))
        return [record for record in records if not record.is_deleted]

    def _read_current(self, leads: list[_Lead]) -> None:
        """What the CRM has of fields that are written only while they are empty."""
        guarded = list_guarded(self._connection)
        asked = {lead.link.record_id: lead for lead in leads if lead.link is not None and not lead.current}
        if not guarded or not asked:
            return
        records = self._ask(lambda: self._crm.read(CrmObject.LEAD, list(asked), guarded))
        for record_id, lead in asked.items():
            record = records.get(record_id)
            if record is None or record.is_deleted:
                self._lose(lead, record)
            else:
                lead.current = dict(record.values)

    def _lose(self, lead: _Lead, record: CrmRecord | None) -> None:
        """The lead's record is gone. A person decides: a record that somebody deleted is not made anew by itself."""
        followed = f"; the CRM names {record.follows} as what became of it" if record and record.follows else ""
        with self._ledger.transaction() as connection:
            now = ask_time(self._ledger, self._as_of)
            crm_links.mark_gone(connection, self._connection.name, [lead.lead_id], now)
        lead.refusal = (f"{_GONE}. A rerun of this work item finds it again, or creates it", followed.strip("; "))

    # --- what is written ----------------------------------------------------------------------------------

    def _decide(self, lead: _Lead) -> None:
        facts = build_facts(lead.facts, self._connection, self._labels)
        owner = lead.facts.current_owner
        if self._names_owners:
            owner_id = self._find_owner(owner) if owner is not None else None
            if owner is None or owner_id is not None:  # an owner whom the CRM does not know is not written at all
                facts["owner"] = owner_id
        lead.known_facts = facts
        lead.values = choose_values(self._connection, facts, lead.current, self._opened.lengths or {})

    def _is_to_be_written(self, lead: _Lead) -> bool:
        if lead.link is None:
            return self._connection.create and lead.facts.is_qualified
        return lead.needs_key or lead.again or lead.link.written != encode(lead.values)

    def _renew(self, leads: list[_Lead]) -> list[_Lead]:
        """The leads whose messages are still this process's, for the time of another lease."""
        until = ask_time(self._ledger, self._as_of) + self._lease
        kept = outbox.renew_claims(self._ledger, [each for lead in leads for each in lead.messages], until)
        return [lead for lead in leads if all(message.id in kept for message in lead.messages)]

    def _write_records(self, leads: list[_Lead], *, again: bool = False) -> None:
        if not leads:
            return
        rows = [self._build_row(lead) for lead in leads]
        failpoint("crm.write.before")
        results = self._send(rows, lambda some: self._crm.write(CrmObject.LEAD, some))
        failpoint("crm.write.after")
        made = [(lead, results[lead.key]) for lead in leads if results[lead.key].error is None]
        now = ask_time(self._ledger, self._as_of)
        new = [
            (lead.lead_id, result.id or "", "created" if result.was_created else "key")
            for lead, result in made
            if lead.link is None or lead.link.record_id != result.id
        ]
        if new:
            with self._ledger.transaction() as connection:
                linked = crm_links.link_leads(connection, self._connection.name, new, now)
        else:
            linked = set()
        failpoint("crm.link.after")
        for lead, result in made:
            record_id = result.id or ""
            if lead.link is None or lead.link.record_id != record_id:
                if lead.lead_id not in linked:
                    lead.refusal = ("its record is that of another lead already; merge the two, or correct one", "")
                    continue
                lead.link = Link(lead.lead_id, record_id, "created", None, None, None, None, 0)
            lead.was_written = True
        self._take_errors(leads, results, again=again)

    def _build_row(self, lead: _Lead) -> CrmWrite:
        values: dict[str, CrmValue] = dict(lead.values)
        if lead.needs_key:
            values[self._key_field] = lead.key
        return CrmWrite(lead.key, values, lead.link.record_id if lead.link else None)

    def _take_errors(self, leads: list[_Lead], results: Mapping[str, RowResult], *, again: bool) -> None:
        """What follows from each row's error. A record that the CRM names as the same person is taken, once."""
        twins: list[_Lead] = []
        for lead in leads:
            error = results[lead.key].error
            if error is None:
                continue
            has_twin = error.fault == RowFault.DUPLICATE and _is_id(error.other_id) and lead.link is None
            if has_twin and not again and self._take_twin(lead, error.other_id or ""):
                twins.append(lead)
                continue
            if error.fault == RowFault.GONE and lead.link is not None:
                self._lose(lead, None)
            self._take_error(lead, error, "")
        self._write_records(twins, again=True)

    def _take_twin(self, lead: _Lead, record_id: str) -> bool:
        now = ask_time(self._ledger, self._as_of)
        with self._ledger.transaction() as connection:
            row = (lead.lead_id, record_id, "address")
            if not crm_links.link_leads(connection, self._connection.name, [row], now):
                return False
        lead.link, lead.needs_key = Link(lead.lead_id, record_id, "address", None, None, None, None, 0), True
        self._read_current([lead])
        if lead.is_settled:
            return False
        lead.values = choose_values(self._connection, lead.known_facts, lead.current, self._opened.lengths or {})
        return True

    def _take_error(self, lead: _Lead, error: RowError, what: str) -> None:
        if error.fault == RowFault.TEMPORARY:
            if wait_after(min(message.attempts for message in lead.messages)) is not None:
                lead.later = f"{self._connection.name} did not take {what or 'it'} for the moment"
                return
            lead.refusal = lead.refusal or (f"{what}it was not taken in {MOST_ATTEMPTS} attempts", _quote(error))
            return
        lead.refusal = lead.refusal or (
            f"{what}the CRM refuses the values. Mend the lead, the playbook or the rule in the CRM, and rerun this",
            _quote(error),
        )

    def _send(self, rows: Sequence[_Row], send: Callable[[Sequence[_Row]], list[RowResult]]) -> dict[str, RowResult]:
        """The result of each row by its key. A row without an answer that makes sense is tried later."""
        results: dict[str, RowResult] = {}
        most = max(1, self._crm.rows_per_write)
        for start in range(0, len(rows), most):
            some = rows[start : start + most]
            for result in self._ask(partial(send, some)):
                results.setdefault(result.key, result)
        lost = RowError(RowFault.TEMPORARY, "", "the CRM gave no answer about this row")
        for row in rows:
            answer = results.get(row.key)
            if answer is None or (answer.error is None and not _is_id(answer.id)):
                results[row.key] = RowResult(row.key, error=lost)
        return results

    # --- follow-up tasks ----------------------------------------------------------------------------------

    def _write_tasks(self, leads: list[_Lead]) -> None:
        """Write the tasks of assignments that need one, and those that have changed or are done since."""
        if self._connection.task is None or not leads:
            return
        of = {lead.lead_id: lead for lead in leads}
        built: dict[str, tuple[NeededTask, CrmTask, str]] = {}
        for needed in crm_tasks.read_needed_tasks(self._ledger, self._connection.name, list(of)):
            task = self._build_task(of[needed.lead_id], needed)
            if task is not None and (content := _hash(task)) != needed.content:
                built[task.key] = (needed, task, content)
        if not built:
            return
        failpoint("crm.tasks.before")
        results = self._send([task for _, task, _ in built.values()], self._crm.write_tasks)
        failpoint("crm.tasks.after")
        written = []
        for key, (needed, task, content) in built.items():
            result = results[key]
            if result.error is not None:
                self._take_error(of[needed.lead_id], result.error, "its follow-up task: ")
                continue
            written.append(
                WrittenTask(
                    needed.lead_id, needed.journey_id, needed.generation, result.id or "", task.owner_id, content,
                    task.is_done,
                )
            )  # fmt: skip
        if written:
            now = ask_time(self._ledger, self._as_of)
            with self._ledger.transaction() as connection:
                crm_tasks.keep_tasks(connection, self._connection.name, written, now)

    def _build_task(self, lead: _Lead, needed: NeededTask) -> CrmTask | None:
        """The task of an assignment; None while the CRM does not know its owner."""
        rep: Rep | None = self._reps.get(needed.owner)
        owner = (needed.owner_id if needed.is_done else None) or self._find_owner(needed.owner)
        if owner is None or self._connection.task is None or lead.link is None:
            return None
        subject, body = build_task_texts(self._connection.task, lead.known_facts)
        return CrmTask(
            key=build_task_key(needed.journey_id, needed.generation),
            record_id=lead.link.record_id,
            owner_id=owner,
            subject=subject,
            body=body,
            due_at=needed.due_at.astimezone(ZoneInfo(rep.time_zone if rep else "UTC")),
            id=needed.task_id,
            is_done=needed.is_done,
        )

    # --- reading back, and settling -----------------------------------------------------------------------

    def _read_back(self, leads: list[_Lead]) -> None:
        by_record = {lead.link.record_id: lead for lead in leads if lead.link is not None}
        fields = sorted({name for lead in leads for name in lead.values})
        if not by_record or not fields:
            return
        failpoint("crm.read.before")
        records = self._ask(lambda: self._crm.read(CrmObject.LEAD, list(by_record), fields))
        for record_id, lead in by_record.items():
            record = records.get(record_id)
            if record is None or record.is_deleted:
                self._lose(lead, record)
                continue
            lead.read = {name: record.values.get(name) for name in lead.values}
            lead.differences = compare(lead.values, lead.read)

    def _settle(self, leads: list[_Lead], nothing: list[CrmMessage]) -> dict[int, str]:
        """Keep what was read back, open and close work items, and mark the messages, in one transaction."""
        name, now = self._connection.name, ask_time(self._ledger, self._as_of)
        outcomes = {message.id: "delivered" for message in nothing}
        failpoint("crm.settle.before")
        with self._ledger.transaction() as connection:
            crm_connections.lock(connection, name)
            budget = self._crm.budget
            crm_connections.keep_answer(
                connection, name, now, day_limit=_bound(budget.day_limit), day_left=_bound(budget.day_left)
            )
            read = [lead for lead in leads if lead.read is not None]
            if read:
                kept = [
                    ReadBack(
                        lead.lead_id, encode(lead.values), encode(lead.read or {}, _LONGEST_READ), len(lead.differences)
                    )
                    for lead in read
                ]
                crm_links.keep_read_back(connection, name, kept, now, wrote=True)
            fine = [lead for lead in leads if not lead.is_settled]
            whole = [lead.lead_id for lead in fine if not lead.differences]
            if whole:
                work_items.close_kept(connection, (CRM_REFUSED, CRM_NOT_KEPT), self._connection.target, whole, now)
            outbox.mark_written(connection, [*nothing, *(each for lead in fine for each in lead.messages)], now)
            outcomes |= {message.id: "delivered" for lead in fine for message in lead.messages}
            items: list[NewWorkItem] = []
            for lead in leads:
                items += self._conclude(connection, lead, now, outcomes)
            self._open_items(connection, items)
            for rep, why in sorted(self._unknown.items()):
                open_once(connection, crm_items.build_unknown_owner(name, rep, why, self._playbook, now))
            failpoint("crm.settle.inside")
        failpoint("crm.settle.after")
        return outcomes

    def _conclude(
        self, connection: Connection, lead: _Lead, now: datetime, outcomes: dict[int, str]
    ) -> list[NewWorkItem]:
        """Mark the messages of a lead that was not written as it should be; the work items that ask a person."""
        name, last = self._connection.name, lead.messages[-1]
        if lead.refusal is not None:
            words, vendors = lead.refusal
            if not outbox.give_up_writes(connection, lead.messages, words, now):
                return []
            outcomes |= {message.id: "given_up" for message in lead.messages}
            of_journeys = {message.journey_id: message for message in lead.messages}.values()
            return [
                crm_items.build_refusal(message, name, words, vendors, self._playbook, now) for message in of_journeys
            ]
        if lead.later is not None:
            wait = wait_after(min(message.attempts for message in lead.messages)) or self._lease
            outbox.postpone(connection, lead.messages, lead.later, now + wait, counts=True)
            outcomes |= {message.id: "failed" for message in lead.messages}
            return []
        return [crm_items.build_not_kept(last, name, each, self._playbook, now) for each in lead.differences]

    def _open_items(self, connection: Connection, items: list[NewWorkItem]) -> None:
        if not items:
            return
        journeys = [item["journey_id"] for item in items if item["journey_id"] is not None]
        known = work_items.list_open_about(connection, (CRM_REFUSED, CRM_NOT_KEPT), journeys)
        new = [
            item
            for item in items
            if (item["journey_id"], item["generation"], item["reason"], item["promise"]) not in known
        ]
        if new:
            work_items.open_work_items(connection, pd.DataFrame(new))


def _list_open(leads: Collection[_Lead]) -> list[_Lead]:
    return [lead for lead in leads if not lead.is_settled]


def _is_id(value: object) -> bool:
    """Whether a CRM's answer has an id that can be kept and sent again."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable() and value.isascii()


def _quote(error: RowError) -> str:
    about = f" ({error.field})" if error.field else ""
    return f"{error.code}{about}: {error.message}".strip(": ")


def _hash(task: CrmTask) -> str:
    whole = "\x1f".join(map(str, (task.subject, task.body, task.owner_id, task.due_at.isoformat(), task.is_done)))
    return hashlib.sha256(whole.encode("utf-8", "backslashreplace")).hexdigest()


def _bound(value: int | None) -> int | None:
    return None if value is None else max(0, min(int(value), 2**31 - 1))
