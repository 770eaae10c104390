"""Reading a CRM: what changed since the last time, a page a transaction, of each kind of records.

Belongs here: reading page after page from the watermarks on, and the report. Does not belong here: a vendor's requests
(``connectors``), or storing one kind of records (``leads``, ``outcomes``, ``activities``, each behind a ``feed``).

**The watermark** of a kind moves in the transaction that stores a page. Killed anywhere, a sync goes on where it was; a
page that comes again changes nothing, because the same state of a record has the same key. When two syncs of one
CRM run at the same time, one stores a page, and the other reads on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from leadgate.counting import format_count
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, crm_positions
from leadgate.ledger.clock import read_time
from leadgate.plain_text import format_line
from leadgate.playbook import CrmConnection, CrmReads, LoadedPlaybook, Playbook
from tasks.crm import activities, outcomes, record_updates
from tasks.crm.change_following import follow_changes
from tasks.crm.feed import Feed, SyncCounts
from tasks.crm.leads import KIND, build_follower, build_lead_feed
from tasks.crm.reading import ask_crm, close_failure, tell_failure

if TYPE_CHECKING:
    from leadgate.connectors.crm import Crm

#: Pages that one sync reads at most; the next sync goes on. It also ends a sync of a CRM that always reports more.
MAX_PAGES: Final = 1_000
_LONGEST_POSITION: Final = 4_000  # characters
_ERROR: Final = 300  # characters


@dataclass
class SyncReport(SyncCounts):
    """What a sync has read, in counts. Nothing personal, and no credentials."""

    crm: str
    pages: int = 0
    complete: bool = False  # everything that had changed was read
    followed: int = 0  # changes reported by webhooks that were read
    deletions_known_from: datetime | None = None  # the CRM no longer reports earlier deletions
    problem: str | None = None
    wait_seconds: float | None = None  # how long the CRM asks to wait before the next request


def describe_sync(report: SyncReport) -> str:
    """Describe a sync in one line: ``hubspot: 240 records, 31 new signals, 3 held · complete``."""
    counts = [format_count(report.records, "record", "records"), format_count(report.new, "new signal", "new signals")]
    more = {
        "held": report.held,
        "deleted": report.deleted,
        "leads wait because their record is gone": report.gone,
        "records ended because they are gone": report.ended,
        "new owners": report.owners,
        "new outcomes": report.outcomes,
        "new activities": report.activities,
    }
    counts += [f"{count:,} {words}" for words, count in more.items() if count]
    if report.deletions_known_from is not None:
        counts.append(f"deletions before {report.deletions_known_from:%Y-%m-%d %H:%M} UTC are not known")
    end = "complete" if report.complete else "more to read"
    return format_line(f"{report.crm}: {', '.join(counts)} · {report.problem or end}", 2 * _ERROR)


def open_and_sync_crm(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    connection: CrmConnection,
    open_crm: Callable[[], Crm],
    now: datetime | None = None,
    *,
    max_records: int | None = None,
) -> SyncReport:
    """Open the CRM, call ``sync_crm``, and close the CRM.

    A CRM that cannot be opened raises nothing: ``problem`` of the report says why.
    """
    from leadgate.errors import NotAvailableError

    try:
        crm = ask_crm(connection.name, open_crm)
    except NotAvailableError as error:
        report = SyncReport(connection.name)
        _record_failure(ledger, loaded.playbook, report, KIND, error, now)
        return report
    try:
        report = sync_crm(ledger, loaded, connection, crm, now, max_records=max_records)
    finally:
        crm.close()
    if report.problem is None:
        close_failure(ledger, connection.name, now)
    return report


def sync_crm(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    connection: CrmConnection,
    crm: Crm,
    now: datetime | None = None,
    *,
    max_pages: int = MAX_PAGES,
    max_records: int | None = None,
    progress: Callable[[SyncReport], None] = lambda report: None,
    stop: Callable[[], bool] = lambda: False,
) -> SyncReport:
    """Read what changed in ``crm`` since the last sync, until there is no more.

    A CRM that does not answer, refuses a request or limits requests raises nothing: ``problem`` of the report says why.
    The sync also ends after the page at which ``stop`` returns true or ``max_records`` records were read. In all of
    these cases the next sync continues from the watermarks. ``progress`` gets the report after each page.
    """
    from leadgate.connectors.crm import CrmRefusedError
    from leadgate.connectors.service_session import ServiceError

    report = SyncReport(connection.name)
    if connection.reads is None:
        report.problem = f"the playbook reads nothing from {connection.name}; add crm[].reads"
        return report
    complete = True
    for feed in build_feeds(ledger, loaded, connection, connection.reads, crm, now):
        report.complete = False
        try:
            while not report.complete and report.pages < max_pages and not stop():
                if max_records is not None and report.records >= max_records:
                    break
                _sync_page(ledger, connection, feed, report, now)
                progress(report)
        except CrmRefusedError as error:  # this kind of records, such as for a missing scope; the others are read
            _record_failure(ledger, loaded.playbook, report, feed.kind, error, now)
        except ServiceError as error:
            _record_failure(ledger, loaded.playbook, report, feed.kind, error, now)
            report.wait_seconds = getattr(error, "wait_seconds", None)
            return report
        complete = complete and report.complete
    report.complete = complete
    if report.problem is None and (webhooks := connection.reads.webhooks) is not None:
        try:
            followers = [
                build_follower(ledger, loaded, connection, connection.reads, crm, now),
                *record_updates.build_followers(loaded.playbook, connection, crm),
            ]
            counts, report.followed = follow_changes(
                ledger, webhooks, crm=connection.name, followers=followers, now=now, stop=stop
            )
            report.add(counts)
        except ServiceError as error:
            _record_failure(ledger, loaded.playbook, report, KIND, error, now)
            report.wait_seconds = getattr(error, "wait_seconds", None)
    return report


def build_feeds(
    ledger: Ledger, loaded: LoadedPlaybook, connection: CrmConnection, reads: CrmReads, crm: Crm, now: datetime | None
) -> list[Feed]:
    """Build a feed for each kind of records that the playbook reads from this CRM, in reading order."""
    feeds: list[Feed] = []
    if reads.source is not None or connection.followed_field is not None:
        feeds.append(build_lead_feed(ledger, loaded, connection, reads, crm, now))
    if reads.deals is not None:
        feeds.append(outcomes.build_feed(ledger, loaded.playbook, connection, reads.deals, crm, now))
    feeds += record_updates.build_feeds(loaded.playbook, connection, crm)
    if reads.activities:
        feeds += activities.build_feeds(ledger, loaded.playbook, connection, reads, crm, now)
    return feeds


def _record_failure(
    ledger: Ledger, playbook: Playbook, report: SyncReport, kind: str, error: Exception, now: datetime | None
) -> None:
    words = format_line(str(error), _ERROR)
    report.problem = report.problem or words
    with ledger.transaction() as transaction:
        at = read_time(transaction, now)
        failures = crm_positions.record_failure(transaction, report.crm, kind, words, at)
        tell_failure(transaction, playbook, report.crm, error, words, failures, at)


def _sync_page(ledger: Ledger, connection: CrmConnection, feed: Feed, report: SyncReport, now: datetime | None) -> None:
    from leadgate.connectors.service_session import ServiceError

    kept = crm_positions.read_position(ledger, connection.name, feed.kind)
    before = None if kept is None else kept.position
    page = ask_crm(connection.name, lambda: feed.read(before))
    if len(page.position) > _LONGEST_POSITION:
        raise ServiceError(
            f"{connection.name} sent a position of {len(page.position):,} characters; at most "
            f"{_LONGEST_POSITION:,} are stored"
        )
    if page.has_more and page.position == before:
        raise ServiceError(f"{connection.name} reports more pages, and sent the same position again")
    failpoint("crm.sync.read")
    prepared = page.prepare()
    with ledger.transaction() as transaction:
        at = read_time(transaction, now)
        # moved before the page is stored, so that a second sync waits here and not for the lock of the source
        moved = crm_positions.move_position(
            transaction,
            connection.name,
            feed.kind,
            before=before,
            after=page.position,
            records=page.records,
            changed_at=page.changed_at,
            complete=not page.has_more,
            now=at,
        )
        if not moved:
            return
        counts = page.store(transaction, at)
        failpoint("crm.sync.stored")
    failpoint("crm.sync.moved")
    report.pages += 1
    report.deletions_known_from = report.deletions_known_from or page.deletions_known_from
    report.add(counts)
    report.add(prepared)
    report.complete = not page.has_more
