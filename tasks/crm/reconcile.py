"""Whether CRMs still have what Leadgate wrote: records of a period are read again and compared, a page a transaction.

Belongs here: what is a drift, and what becomes of one. Does not belong here: reading back after a write
(``write``), or comparing two values (``leadgate.crm.values``).

**A drift** is a field in which Leadgate has the last word, and which holds another value than the one that was written.
What a person writes into a field of the policy ``if_empty`` is none, nor an owner who is followed
(``owner_changes``), nor what a write that is under way has changed.
A drift is told once: a work item that a person has closed is opened again only when the value changes again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from leadgate.counting import format_count
from leadgate.crm.facts import LeadFacts
from leadgate.crm.values import CrmValue, Difference, compare_kept, describe, encode
from leadgate.crm.writes import build_key
from leadgate.errors import NotAvailableError
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, crm_connections, crm_links, outbox, work_items
from leadgate.ledger.clock import ask_time
from leadgate.ledger.crm_facts import read_facts
from leadgate.ledger.crm_links import LONGEST_READ, ReadAgain, WrittenLink
from leadgate.ledger.outbox import CRM_NOT_KEPT
from leadgate.ledger.work_items import NewWorkItem
from leadgate.plain_text import format_line
from leadgate.playbook import CrmConnection, Playbook
from tasks.crm.items import GONE, build_drift, build_refusal, open_new

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from leadgate.connectors.crm import Crm, CrmRecord

_T = TypeVar("_T")
PAGE: Final = 100  # records of one request, and of one transaction
_SHOWN: Final = 200  # drifts that a report holds; all are counted
_ERROR: Final = 300  # characters
#: A CRM that has none of so many records is likely another account than the one that was written to.
_TOO_MANY_GONE: Final = 10


@dataclass(frozen=True)
class Drift:
    """A field that does not hold what was written, with both values in words. ``is_new``: nobody was told before."""

    lead_id: int
    name: str
    written: str = field(repr=False)
    read: str = field(repr=False)
    is_new: bool = True


@dataclass
class ReconcileReport:
    """What a comparison has found. The values of ``drifts`` are personal; everything else is counts."""

    crm: str
    records: int = 0
    same: int = 0
    being_written: int = 0  # left out: a write is under way
    drifting: int = 0  # fields
    gone: int = 0
    opened: int = 0  # work items
    drifts: list[Drift] = field(default_factory=list)
    gone_leads: list[int] = field(default_factory=list)
    problem: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the CRM has everything that was written."""
        return self.problem is None and not self.drifting and not self.gone


def describe_comparison(report: ReconcileReport) -> str:
    """A comparison in a line: ``hubspot: 240 records compared, 3 fields differ, 1 record is gone``."""
    counts = [f"{format_count(report.records, 'record', 'records')} compared"]
    if report.drifting:
        counts.append(format_count(report.drifting, "field differs", "fields differ"))
    if report.gone:
        counts.append(format_count(report.gone, "record is gone", "records are gone"))
    if report.being_written:
        counts.append(f"{report.being_written:,} being written")
    if report.is_whole:
        counts.append("all as written")
    end = f" · {report.problem}" if report.problem is not None else ""
    return format_line(f"{report.crm}: {', '.join(counts)}{end}", 2 * _ERROR)


def open_and_reconcile(
    ledger: Ledger,
    playbook: Playbook,
    connection: CrmConnection,
    open_crm: Callable[[], Crm],
    since: datetime,
    now: datetime | None = None,
    *,
    report_only: bool = False,
) -> ReconcileReport:
    """Open the CRM, reconcile, and close it. One that cannot be opened is a problem of the report."""
    try:
        crm = open_crm()
    except NotAvailableError as error:
        return ReconcileReport(connection.name, problem=format_line(str(error), _ERROR))
    try:
        return reconcile_crm(ledger, playbook, connection, crm, since, now, report_only=report_only)
    finally:
        crm.close()


def reconcile_crm(
    ledger: Ledger,
    playbook: Playbook,
    connection: CrmConnection,
    crm: Crm,
    since: datetime,
    now: datetime | None = None,
    *,
    report_only: bool = False,
    page: int = PAGE,
) -> ReconcileReport:
    """Compare what was written to ``crm`` since then with what it has now. ``report_only``: the ledger stays as it is.

    A CRM that does not answer is no error: the report says what was wrong, and what was compared before stays.
    """
    from leadgate.connectors.service_session import ServiceError

    report = ReconcileReport(connection.name)
    state = crm_connections.read_state(ledger, connection.name)
    if state is not None and state.waits_until is not None and state.waits_until > ask_time(ledger, now):
        report.problem = f"{connection.name} is left alone until {state.waits_until:%Y-%m-%d %H:%M} UTC"
        return report
    here = _Comparing(ledger, playbook, connection, crm, report, now, report_only)
    after = 0
    try:
        here.leave_out_missing()
        while links := crm_links.list_written(ledger, connection.name, since, after=after, limit=page):
            here.compare_page(links)
            after = links[-1].lead_id
    except ServiceError as error:
        report.problem = format_line(str(error), _ERROR)
    return report


@dataclass
class _Compared:
    """A record that was read again. ``record``: none, when it is gone."""

    link: WrittenLink
    record: CrmRecord | None
    follows: str | None = None
    differences: list[Difference] = field(default_factory=list, repr=False)
    new: list[Difference] = field(default_factory=list, repr=False)
    read: dict[str, CrmValue] = field(default_factory=dict, repr=False)


@dataclass
class _Comparing:
    ledger: Ledger
    playbook: Playbook
    connection: CrmConnection
    crm: Crm
    report: ReconcileReport
    as_of: datetime | None
    report_only: bool
    missing: frozenset[str] = frozenset()  # fields that the CRM has not, folded

    def leave_out_missing(self) -> None:
        """A field that the CRM has no more is told once, and not as a drift of every record."""
        from leadgate.connectors.crm import CrmObject

        known = {name.casefold() for name in self._ask(lambda: self.crm.describe_fields(CrmObject.LEAD))}
        written = [*self.connection.writes, *filter(None, [self.connection.unique_field])]
        gone = [name for name in written if name.casefold() not in known]
        self.missing = frozenset(name.casefold() for name in gone)
        if gone:
            self.report.problem = format_line(
                f"{self.connection.name} has no {', '.join(gone)}; `leadgate crm check` tells more", _ERROR
            )

    def compare_page(self, links: Sequence[WrittenLink]) -> None:
        read = self._read(links)
        failpoint("crm.reconcile.read")
        compared = [self._compare(link, read.get(link.record_id)) for link in links]
        lost = sum(each.record is None for each in compared)
        if lost >= _TOO_MANY_GONE and lost == len(compared):
            from leadgate.connectors.service_session import ServiceError

            raise ServiceError(
                f"{self.connection.name} has none of {lost} records that were written to it; is it another account?"
            )
        now = ask_time(self.ledger, self.as_of)
        name = self.connection.name
        asked = [each.link.lead_id for each in compared if each.record is None or each.new]
        about = read_facts(self.ledger, asked) if asked and not self.report_only else {}
        with self.ledger.transaction() as transaction:
            crm_connections.lock(transaction, name)
            unchanged = crm_links.lock_unchanged(transaction, name, links)
            unchanged -= outbox.list_waiting_leads(transaction, self.connection.target, unchanged)
            settled = [each for each in compared if each.link.lead_id in unchanged]
            opened = 0
            if not self.report_only:
                self._keep(transaction, settled, now)
                opened = open_new(transaction, self._build_items(settled, about, now))
            failpoint("crm.reconcile.inside")
        self._count(settled, len(links), opened)

    def _ask(self, ask: Callable[[], _T]) -> _T:
        """An answer of the connector. An error that is none of its kinds is its fault."""
        from leadgate.connectors.service_session import ServiceError

        try:
            return ask()
        except ServiceError:
            raise
        except Exception as error:
            raise ServiceError(f"the connector of {self.connection.name} failed ({type(error).__name__})") from None

    def _read(self, links: Sequence[WrittenLink]) -> Mapping[str, CrmRecord]:
        from leadgate.connectors.crm import CrmObject

        fields = {name for link in links for name in link.written if self._has_last_word(name)}
        if self._has_key:
            fields.add(self.connection.unique_field or "")
        ids = [link.record_id for link in links]
        return self._ask(lambda: self.crm.read(CrmObject.LEAD, ids, sorted(fields)))

    @property
    def _has_key(self) -> bool:
        name = self.connection.unique_field
        return name is not None and name.casefold() not in self.missing

    def _has_last_word(self, name: str) -> bool:
        write = self.connection.writes.get(name)
        is_followed = name == self.connection.followed_field
        is_there = name.casefold() not in self.missing
        return write is not None and write.policy != "if_empty" and is_there and not is_followed

    def _compare(self, link: WrittenLink, record: CrmRecord | None) -> _Compared:
        if record is None or record.is_deleted:
            return _Compared(link, None, None if record is None else record.follows)
        written = {name: value for name, value in link.written.items() if self._has_last_word(name)}
        if self._has_key:
            written[self.connection.unique_field or ""] = build_key(link.lead_id)
        found = _Compared(link, record, differences=compare_kept(written, record.values))
        found.read = {name: record.values.get(name) for name in written}
        told, now = link.read or {}, encode(found.read, LONGEST_READ)
        found.new = [
            each for each in found.differences if each.field not in told or now[each.field] != told[each.field]
        ]
        return found

    def _keep(self, transaction: Connection, settled: Sequence[_Compared], now: datetime) -> None:
        """Keep what was read, which tells the next time what is new; close what holds again what was written."""
        name = self.connection.name
        gone = [each.link.lead_id for each in settled if each.record is None]
        if gone:
            crm_links.mark_gone(transaction, name, gone, now)
        there = [each for each in settled if each.record is not None]
        if there:
            read = [
                ReadAgain(each.link.lead_id, encode(each.read, LONGEST_READ), len(each.differences)) for each in there
            ]
            crm_links.keep_read_again(transaction, name, read, now)
        same = [each.link.lead_id for each in there if not each.differences]
        if same:
            work_items.close_kept(transaction, (CRM_NOT_KEPT,), self.connection.target, same, now)

    def _build_items(
        self, settled: Sequence[_Compared], about: Mapping[int, LeadFacts], now: datetime
    ) -> list[NewWorkItem]:
        name = self.connection.name
        items: list[NewWorkItem] = []
        for each in settled:
            lead = about.get(each.link.lead_id)
            if lead is None:  # nothing is new, or all of its journeys joined others
                continue
            if each.record is None:
                follows = f"the CRM names {each.follows} as what became of it" if each.follows else ""
                items.append(build_refusal(lead, name, GONE, follows, self.playbook, now))
            items += [build_drift(lead, name, difference, self.playbook, now) for difference in each.new]
        return items

    def _count(self, settled: Sequence[_Compared], records: int, opened: int) -> None:
        report = self.report
        report.records += records
        report.being_written += records - len(settled)
        report.opened += opened
        for each in settled:
            report.gone += each.record is None
            report.drifting += len(each.differences)
            report.same += each.record is not None and not each.differences
            if each.record is None and len(report.gone_leads) < _SHOWN:
                report.gone_leads.append(each.link.lead_id)
            for difference in each.differences[: max(0, _SHOWN - len(report.drifts))]:
                written, read = describe(difference.written), describe(difference.read)
                is_new = difference in each.new
                report.drifts.append(Drift(each.link.lead_id, difference.field, written, read, is_new))
