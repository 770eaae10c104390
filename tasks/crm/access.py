"""A CRM as one write sees it, and the leads that are written: answers, owners, claims, and what became of each lead.

Belongs here: what finding records (``linking``), writing tasks (``task_writing``) and writing records
(``write``) share. Does not belong here: the order of these steps.

**Claims.** A request may take long. Before each that writes, the claims of its leads' messages are renewed; a lead
whose claim somebody else has taken over is *overtaken*, and left out from there on. Where something of it was sent
already, older values may have arrived after newer ones: then the lead is written again (``tell_again``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection

from leadgate.connectors.crm import CrmObject, CrmRecord, CrmTask, CrmWrite, RowError, RowFault, RowResult
from leadgate.connectors.service_session import ServiceError
from leadgate.crm.facts import LeadFacts
from leadgate.crm.values import CrmValue, Difference
from leadgate.crm.writes import build_key
from leadgate.ledger import Ledger, crm_links, outbox
from leadgate.ledger.clock import ask_time
from leadgate.ledger.crm_links import Link
from leadgate.ledger.outbox import CrmMessage
from leadgate.playbook import CrmConnection, Playbook
from leadgate.values.json_types import JsonValue
from leadgate.vocabulary import CrmMessageKind
from tasks.crm.delivery import OpenCrm
from tasks.crm.items import GONE
from tasks.crm.owners import CrmOwners
from tasks.delivery import MOST_ATTEMPTS, wait_after

_T = TypeVar("_T")
_Row = TypeVar("_Row", CrmWrite, CrmTask)
_LONGEST_ID: Final = 63  # characters of an id that a CRM gives


@dataclass
class LeadWrite:
    """A lead that is being written, with what became of it so far."""

    lead_id: int
    messages: list[CrmMessage]
    facts: LeadFacts
    link: Link | None
    again: bool  # all of it is written, changed or not
    values: dict[str, CrmValue] = field(default_factory=dict, repr=False)
    current: dict[str, CrmValue] = field(default_factory=dict, repr=False)
    changed_at: datetime | None = None  # the record, when ``current`` was read
    # fields that hold what somebody has set in the CRM, and are left so; with what Leadgate wrote there last
    left: dict[str, JsonValue] = field(default_factory=dict, repr=False)
    known_facts: dict[str, CrmValue] = field(default_factory=dict, repr=False)
    needs_key: bool = False  # its record was found by its address
    was_sent: bool = False  # a request with it was begun
    was_written: bool = False
    is_overtaken: bool = False  # somebody else has its messages
    refusal: tuple[str, str] | None = None  # in words, and the vendor's own
    later: str | None = None  # why another attempt follows
    differences: list[Difference] = field(default_factory=list, repr=False)
    read: dict[str, CrmValue] | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        return build_key(self.lead_id)

    @property
    def is_settled(self) -> bool:
        return self.refusal is not None or self.later is not None or self.is_overtaken


class CrmAccess:
    """One CRM for the time of one write. ``ask`` raises ``ServiceError`` when the CRM as a whole gives no answer."""

    def __init__(
        self,
        ledger: Ledger,
        playbook: Playbook,
        connection: CrmConnection,
        opened: OpenCrm,
        lease: timedelta,
        as_of: datetime | None,
    ) -> None:
        self.ledger = ledger
        self.playbook = playbook
        self.connection = connection
        self.opened = opened
        self.crm = opened.crm
        self.lease = lease
        self.key_field = connection.unique_field or ""
        self.reps = {rep.name: rep for rep in playbook.reps}
        self.unknown: dict[str, str] = {}  # rep -> why the CRM does not know them
        self._as_of = as_of

    @property
    def name(self) -> str:
        return self.connection.name

    def read_time(self) -> datetime:
        return ask_time(self.ledger, self._as_of)

    def ask(self, ask: Callable[[], _T]) -> _T:
        """An answer of the connector. An error that is none of its kinds is its fault, and stops no other CRM."""
        try:
            return ask()
        except ServiceError:
            raise
        except Exception as error:
            raise ServiceError(f"the connector of {self.name} failed ({type(error).__name__})") from None

    # --- owners and fields --------------------------------------------------------------------------------

    def learn(self) -> None:
        """Ask for the fields' lengths and the owners, unless they are known."""
        opened = self.opened
        if opened.lengths is None:
            fields = self.ask(lambda: self.crm.describe_fields(CrmObject.LEAD))
            opened.lengths = {name: each.max_length for name, each in fields.items() if each.max_length}
        if opened.owners is None and self.names_owners:
            opened.owners = CrmOwners(self.name, self.ask(self.crm.list_owners))

    @property
    def names_owners(self) -> bool:
        return self.connection.names_owners

    def find_owner(self, name: str) -> str | None:
        """The CRM's id of a rep. None, noted for a work item, when the CRM knows no active one, or several."""
        rep, owners = self.reps.get(name), self.opened.owners
        found = owners.find(rep) if rep is not None and owners is not None else None
        if found is None:
            told = owners.explain(rep) if rep is not None and owners is not None else "is no rep of the playbook"
            self.unknown[name] = told
        return found

    # --- claims -------------------------------------------------------------------------------------------

    def renew_claims(self, leads: Collection[LeadWrite], connection: Connection | None = None) -> list[LeadWrite]:
        """The leads whose messages are still this process's, for the time of another lease; the others are overtaken.

        In a transaction, ``connection``, nobody else takes them over before it ends.
        """
        if not leads:
            return []
        if connection is None:
            with self.ledger.transaction() as own:
                return self.renew_claims(leads, own)
        until = self.read_time() + self.lease
        kept = outbox.renew_claims(connection, [each for lead in leads for each in lead.messages], until)
        for lead in leads:
            lead.is_overtaken = lead.is_overtaken or any(message.id not in kept for message in lead.messages)
        return [lead for lead in leads if not lead.is_overtaken]

    def tell_again(self, connection: Connection, leads: Collection[LeadWrite]) -> None:
        """Overtaken leads of which something was sent are written once more: what was sent may have come too late."""
        journeys = {lead.messages[-1].journey_id for lead in leads if lead.is_overtaken and lead.was_sent}
        if journeys:
            outbox.tell_crms(
                connection, sorted(journeys), self.read_time(), kind=CrmMessageKind.WRITE_AGAIN, crm=self.name
            )

    def send(
        self, rows: Sequence[tuple[LeadWrite, _Row]], send: Callable[[Sequence[_Row]], list[RowResult]]
    ) -> dict[str, RowResult]:
        """The result of each row by its key; none for a lead that is overtaken before its row is sent.

        A row without an answer that makes sense is tried later.
        """
        results: dict[str, RowResult] = {}
        sent: list[_Row] = []
        most = max(1, self.crm.rows_per_write)
        for start in range(0, len(rows), most):
            some = rows[start : start + most]
            self.renew_claims({lead.lead_id: lead for lead, _ in some}.values())
            part = [(lead, row) for lead, row in some if not lead.is_overtaken]
            for lead, _ in part:
                lead.was_sent = True
            sent += (to_send := [row for _, row in part])
            for result in self.ask(partial(send, to_send)) if to_send else ():
                results.setdefault(result.key, result)
        lost = RowError(RowFault.TEMPORARY, "", "the CRM gave no answer about this row")
        for row in sent:
            answer = results.get(row.key)
            if answer is None or (answer.error is None and not is_id(answer.id)):
                results[row.key] = RowResult(row.key, error=lost)
        return {row.key: results[row.key] for row in sent}

    # --- what became of a lead ----------------------------------------------------------------------------

    def lose(self, lead: LeadWrite, record: CrmRecord | None) -> None:
        """The lead's record is gone. A person decides: a record that somebody deleted is not made anew by itself."""
        followed = f"; the CRM names {record.follows} as what became of it" if record and record.follows else ""
        with self.ledger.transaction() as connection:
            crm_links.mark_gone(connection, self.name, [lead.lead_id], self.read_time())
        lead.refusal = (GONE, followed.strip("; "))

    def take_error(self, lead: LeadWrite, error: RowError, what: str = "") -> None:
        """A row of the lead was not taken: another attempt follows, or a person is asked. ``what`` names the row."""
        if error.fault == RowFault.TEMPORARY:
            if wait_after(min(message.attempts for message in lead.messages)) is not None:
                lead.later = f"{self.name} did not take {what or 'it'} for the moment"
                return
            lead.refusal = lead.refusal or (f"{what}it was not taken in {MOST_ATTEMPTS} attempts", _quote(error))
            return
        lead.refusal = lead.refusal or (
            f"{what}the CRM refuses the values. Mend the lead, the playbook or the rule in the CRM, and rerun this",
            _quote(error),
        )


def list_open(leads: Collection[LeadWrite]) -> list[LeadWrite]:
    return [lead for lead in leads if not lead.is_settled]


def is_id(value: object) -> bool:
    """Whether a CRM's answer has an id that can be kept and sent again."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable() and value.isascii()


def _quote(error: RowError) -> str:
    about = f" ({error.field})" if error.field else ""
    return f"{error.code}{about}: {error.message}".strip(": ")
