"""Ingestion: rows of a file and payloads of a request become signals and activities of one source, stored once.

Belongs here: what a source's kind makes of its rows, and the transactions that store them. Does not belong here:
reading a file (``leadgate.connectors.files``) or a body (``console.http.body_reader``), who may send one, or keys
(``tasks.capture``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeVar

from leadgate.connectors.files import Row
from leadgate.ledger import Ledger, captured_rows, crm_changes, requests, signals
from leadgate.ledger.activities import NewActivity, store_activities, store_each_activity, try_to_match_activities
from leadgate.ledger.captured_rows import StoredRow
from leadgate.ledger.crm_changes import NewCrmChange
from leadgate.ledger.requests import Sender
from leadgate.ledger.signals import NewSignal
from leadgate.mapping.column_notations import read_recognised
from leadgate.mapping.webhooks.reading import Change
from leadgate.plain_text import make_storable
from leadgate.playbook import Playbook
from leadgate.playbook.kinds import SOURCE_KINDS
from leadgate.values.json_types import JsonObject
from leadgate.vocabulary import JourneyKind
from tasks.activities import Reader
from tasks.capture import Keys, build_signal_rows, encode
from tasks.notations import FileNotations
from tasks.recognition import FileColumns
from tasks.records.file_updates import FileUpdates, leave_out_repeats

_Row = TypeVar("_Row")


class Payload(NamedTuple):
    """One payload of a request: its key, itself as the text that came, and its values, or why it cannot be read.

    ``change``: it says that a record of a CRM was changed, and has no values.
    """

    key: str
    text: str
    values: JsonObject
    problem: str | None = None
    change: Change | None = None


class Arrivals(NamedTuple):
    """What came in, as ``ledger.signals``, ``ledger.activities`` and ``ledger.crm_changes`` take it.

    ``held_lines`` are the lines of rows that cannot be read: signals for a person to look at.
    """

    signals: Sequence[NewSignal]
    activities: Sequence[NewActivity]
    held_lines: Sequence[int]
    changes: Sequence[NewCrmChange] = ()
    undated: Mapping[str, str] = MappingProxyType({})  # record of each signal that does not say when it was changed

    @property
    def problems(self) -> list[str]:
        """What is wrong with each row that cannot be read."""
        return [row.unreadable for row in self.signals if row.unreadable is not None]


class SourceReader:
    """Reads what one source sends, as leads or as activities. ``origin`` is a file's name, or HTTP.

    ``now`` is what a relative date ("yesterday") is relative to; rows are called by ``unit`` and number in messages.
    ``digest`` tells the file from others: of records it tells rows apart that do not say when they were changed.
    """

    def __init__(
        self,
        name: str,
        origin: str,
        playbook: Playbook,
        now: datetime,
        *,
        unit: str = "line",
        digest: str | None = None,
    ) -> None:
        self.source = playbook.sources[name]
        self._name, self._origin = name, origin
        self._keys = Keys(self.source)
        of_activities = self.source.kind == "activities"
        self._activities = Reader(name, origin, playbook, now, unit=unit) if of_activities else None
        self._kind = SOURCE_KINDS.get(self.source.kind, JourneyKind.LEAD)
        # of rows of leads; payloads are known one by one, and records by the names of their columns alone
        self.columns = FileColumns(name, playbook) if self.source.kind == "leads" else None
        self.notations = FileNotations(name, playbook)
        of_records = digest is not None and self._kind is not JourneyKind.LEAD
        self.updates = FileUpdates(name, playbook, str(digest)) if of_records else None

    def read_rows(self, rows: Sequence[Row]) -> Arrivals:
        """A page of one file; the pages come in their order, for a key may count equal rows. How columns write dates
        and numbers is known by all rows that ``notations`` has looked at, at least these."""
        if not self.notations.has_looked:
            self.notations.look(rows)
        if self._activities is None:
            held = [row.line for row in rows if row.problem is not None]
            built = self._build_signals(rows)
            if self.updates is None:
                return Arrivals(built, [], held)
            built, undated = self.updates.mark(rows, built)
            return Arrivals(built, [], held, undated=undated)
        parted = self._activities.sort(rows, notations=read_recognised(self._recognised)[1])
        return Arrivals(parted.held, parted.activities, parted.held_lines)

    def read_payloads(
        self, payloads: Sequence[Payload], now: datetime, *, listed: bool, is_webhook: bool = False
    ) -> Arrivals:
        """The payloads of one request. ``listed``: they came as a list. ``is_webhook``: their values are what a
        vendor's webhook was read as. Safe to use from several threads."""
        if self._activities is None:
            rows = [
                NewSignal(
                    at, self._name, each.key, each.text if each.problem is None else _keep_raw(each.text),
                    None if each.problem is None else make_storable(each.problem),
                    f"{self._origin}:{at + 1}" if listed else self._origin,
                    journey_kind=self._kind.value,
                )
                for at, each in enumerate(payloads)
                if each.change is None
            ]  # fmt: skip
            held = [at for at, each in enumerate(payloads, start=1) if each.problem is not None]
            return Arrivals(rows, [], held, [*self._list_changes(payloads)])
        lines = [
            Row(at, dict(each.values)) if each.problem is None else Row(at, None, each.text, each.problem)
            for at, each in enumerate(payloads, start=1)
        ]
        texts = [each.text for each in payloads] if is_webhook else None
        parted = self._activities.sort(lines, [each.key for each in payloads], now, texts)
        return Arrivals(parted.held, parted.activities, parted.held_lines)

    def _build_signals(self, rows: Sequence[Row]) -> list[NewSignal]:
        """The rows with what the columns of their file are by their values, so that each is mapped as all of them."""
        if self.columns is not None:
            self.columns.look(rows)
        return build_signal_rows(rows, self._name, self._origin, self._keys, self._recognised, self._kind)

    @property
    def _recognised(self) -> str | None:
        """What the columns of the file are by their values, as its signals keep it."""
        found = self.notations.found | ({} if self.columns is None else self.columns.fields)
        return encode(found).decode() if found else None

    def _list_changes(self, payloads: Sequence[Payload]) -> Iterator[NewCrmChange]:
        for each in payloads:
            if (change := each.change) is not None:
                yield NewCrmChange(
                    self._name, each.key, change.object, change.record_id, change.event, change.property,
                    change.occurred_at, each.text,
                )  # fmt: skip


def _keep_raw(text: str) -> str:
    """What cannot be read, as a signal keeps it."""
    return encode({"raw": text}).decode()


def store_page(ledger: Ledger, arrivals: Arrivals, now: datetime) -> int:
    """Store a page of a file in one transaction. Returns how many of its rows are new."""
    new = 0
    with ledger.transaction() as connection:
        if arrivals.activities:
            new += store_activities(connection, arrivals.activities, now)
            try_to_match_activities(connection, now)
        if arrivals.signals:
            rows = leave_out_repeats(connection, arrivals.signals, arrivals.undated)
            new += signals.store_signals(connection, rows, now) if rows else 0
    return new


class Rows(Protocol):
    """What a request holds, as the ledger takes it."""

    @property
    def signals(self) -> Sequence[NewSignal]: ...
    @property
    def activities(self) -> Sequence[NewActivity]: ...
    @property
    def changes(self) -> Sequence[NewCrmChange]: ...


class Request(Rows, Protocol):
    """What one sender sent at once."""

    @property
    def sender(self) -> Sender: ...


class Outcome(NamedTuple):
    """What became of a request's rows, in their order."""

    signals: list[StoredRow]
    activities: list[StoredRow]
    changes: list[StoredRow]


def store_requests(ledger: Ledger, together: Sequence[Request]) -> list[Outcome | None]:
    """Store requests in one transaction, all or none; None for one whose id named another body before, of which
    nothing is stored."""
    stored: list[StoredRow] = []
    known: list[StoredRow] = []
    changed: list[StoredRow] = []
    # an installation may begin with statistics of an empty ledger, and a plan that is made then is kept
    with ledger.transaction(plan_by_index=True) as connection:
        now = captured_rows.lock_sources(connection, {each.sender.source for each in together})
        reused = requests.find_reused(connection, [each.sender for each in together])
        again = [each.sender for each, is_reused in zip(together, reused, strict=True) if is_reused]
        requests.record_reuse(connection, again, now)
        taken = [each for each, is_reused in zip(together, reused, strict=True) if not is_reused]
        rows = [(row, each.sender) for each in taken for row in each.signals]
        happened = [(row, each.sender) for each in taken for row in each.activities]
        changes = [(row, each.sender) for each in taken for row in each.changes]
        if rows:
            stored = signals.store_each_signal(connection, *_unzip(rows), now)
        if happened:
            known = store_each_activity(connection, *_unzip(happened), now)
            try_to_match_activities(connection, now)
        if changes:
            changed = crm_changes.store_each_change(connection, *_unzip(changes), now)
    outcomes: list[Outcome | None] = []
    for each, is_reused in zip(together, reused, strict=True):
        if is_reused:
            outcomes.append(None)
            continue
        outcomes.append(
            Outcome(stored[: len(each.signals)], known[: len(each.activities)], changed[: len(each.changes)])
        )
        stored, known = stored[len(each.signals) :], known[len(each.activities) :]
        changed = changed[len(each.changes) :]
    return outcomes


def _unzip(rows: Sequence[tuple[_Row, Sender]]) -> tuple[list[_Row], list[Sender]]:
    return [row for row, _ in rows], [sender for _, sender in rows]
