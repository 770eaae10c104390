"""Reading the answers of leads that webhooks only name: each becomes a signal of its source, once.

Belongs here: which lead is asked for when, what a failure leads to, and what is reported. Does not belong here: the
webhook (``leadgate.mapping.webhooks``), which stores that there is a lead, or the request (``connectors.lead_ads``).

A lead counts as read in the transaction that stores its signal. Killed anywhere, another process asks for it once the
lease is over; of two that ask, one stores. What Facebook refuses to everybody, or has a limit for, is the source's: it
rests for a while, and a person hears of it once. What it does not give of one lead is that lead's: a person hears of it
after some attempts, the others go on, and the lead is asked for again for a day: often the token may not read it yet.
Then it is held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pandas as pd
from sqlalchemy import Connection

from leadgate import source_secrets
from leadgate.errors import NotAvailableError
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, crm_changes, signals, work_items
from leadgate.ledger.captured_rows import lock_source
from leadgate.ledger.clock import read_time
from leadgate.ledger.crm_changes import ANSWERS_NOT_READ, ClaimedRecord
from leadgate.ledger.signals import NewSignal
from leadgate.ledger.work_items import NewWorkItem
from leadgate.plain_text import format_line, make_storable
from leadgate.playbook import AnswersRead, LoadedPlaybook, Playbook, Source
from leadgate.values.json_types import JsonObject
from leadgate.vocabulary import StageName
from tasks.capture import encode, make_own_key
from tasks.crm.reading import ask_crm
from tasks.crm.sync import SyncReport
from tasks.work_items import build_work_item

if TYPE_CHECKING:
    from leadgate.connectors.lead_ads import LeadAds
    from leadgate.connectors.service_session import ServiceError

#: Longer than one lead can take, with its repeats.
LEASE: Final = timedelta(minutes=3)
#: Attempts after which a person hears of a lead that Facebook does not give, and after which it is held: a day.
TOLD_ATTEMPTS: Final = 3
MOST_ATTEMPTS: Final = 30
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
#: For how long a source rests that is refused, or that nobody answers.
REST: Final = timedelta(minutes=5)
_SHORT_REST: Final = timedelta(minutes=1)
#: A person hears of a limit, or of silence, once a lead has waited for so long.
_TOLD_AFTER: Final = timedelta(minutes=15)
_DETAIL: Final = 500  # characters of Facebook's message


class LeadAdsNotConfiguredError(NotAvailableError):
    """The source cannot ask for its leads as it is; the message names the variable, and no value."""


Opener = Callable[[AnswersRead, str, Mapping[str, str]], "LeadAds"]


def open_lead_ads(answers: AnswersRead, secret_env: str, environ: Mapping[str, str]) -> LeadAds:
    """What asks for the leads of a source. Nothing is sent yet. Raises ``LeadAdsNotConfiguredError``."""
    from leadgate.connectors.lead_ads import LeadAds

    token = environ.get(answers.token_env, "").strip()
    if not token:
        raise LeadAdsNotConfiguredError(f"{answers.token_env} is not set")
    if not (token.isascii() and token.isprintable()):
        raise LeadAdsNotConfiguredError(f"{answers.token_env} holds characters that no token has")
    try:
        secrets = [each.text.decode() for each in source_secrets.read(environ.get(secret_env, ""))]
    except source_secrets.SecretError as error:
        raise LeadAdsNotConfiguredError(f"{secret_env} {error}") from None
    if not secrets:
        raise LeadAdsNotConfiguredError(f"{secret_env} is not set")
    return LeadAds(answers.url, token, secrets, allow_private=answers.allow_private)


def list_sources(playbook: Playbook) -> list[str]:
    """The sources whose webhooks only name leads, and that read what these answered."""
    return [name for name, source in playbook.sources.items() if source.http is not None and source.http.answers]


def read_answers(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    name: str,
    environ: Mapping[str, str],
    now: datetime | None = None,
    *,
    open_ads: Opener = open_lead_ads,
    stop: Callable[[], bool] = lambda: False,
) -> SyncReport:
    """Ask for the leads of the source ``name`` that wait and are due, and store what they answered.

    A service that does not answer, refuses or has a limit is no error: the report says what was wrong, and the next
    round goes on.
    """
    reading = _Reading(ledger, loaded.playbook, name, now)
    lead_ads: LeadAds | None = None
    try:
        while not stop() and (claimed := reading.claim()) is not None:
            try:
                if lead_ads is None:
                    lead_ads = _open(loaded.playbook.sources[name], environ, open_ads)
                if not reading.read(claimed, lead_ads):
                    break
            except LeadAdsNotConfiguredError as error:
                reading.rest(claimed, str(error), REST, is_told=True)
                break
    finally:
        if lead_ads is not None:
            lead_ads.close()
    report = reading.report
    report.complete = report.problem is None and not stop()
    return report


def _open(source: Source, environ: Mapping[str, str], open_ads: Opener) -> LeadAds:
    if source.http is None or source.http.answers is None:
        raise LeadAdsNotConfiguredError("the source reads no answers; add http.answers")
    return open_ads(source.http.answers, source.http.secret_env, environ)


@dataclass
class _Reading:
    """One round of a source."""

    ledger: Ledger
    playbook: Playbook
    source: str
    as_of: datetime | None

    def __post_init__(self) -> None:
        self.report = SyncReport(self.source)

    def claim(self) -> ClaimedRecord | None:
        with self.ledger.transaction() as connection:
            now = read_time(connection, self.as_of)
            return crm_changes.claim_record(connection, self.source, now, now + LEASE)

    def read(self, claimed: ClaimedRecord, lead_ads: LeadAds) -> bool:
        """Ask for one lead. False when no other one of the source is to be asked for."""
        from leadgate.connectors.lead_ads import (
            LeadAdsLimitError,
            LeadAdsRefusedError,
            LeadFailedError,
            LeadUnknownError,
        )
        from leadgate.connectors.service_session import ServiceError

        try:
            given = ask_crm(self.source, lambda: lead_ads.read_lead(claimed.record_id))
        except LeadAdsRefusedError as error:
            self.rest(claimed, str(error), REST, is_told=True, detail=f"{error.code} {error.vendor_message}")
            return False
        except LeadAdsLimitError as error:
            self.rest(claimed, str(error), timedelta(seconds=error.wait_seconds))
            return False
        except (LeadUnknownError, LeadFailedError) as error:
            self._fail(claimed, error)
            return True
        except ServiceError as error:
            self.rest(claimed, str(error), _SHORT_REST)
            return False
        failpoint("lead_ads.read")
        self._store(claimed, self._build_signal(claimed, given))
        return True

    def _build_signal(self, claimed: ClaimedRecord, given: JsonObject) -> NewSignal:
        key = make_own_key(claimed.record_id) or claimed.record_id
        return NewSignal(0, self.source, key, encode(given).decode(), None, "http")

    def _store(self, claimed: ClaimedRecord, signal: NewSignal, *, closes: bool = True) -> None:
        with self.ledger.transaction() as connection:
            now = read_time(connection, self.as_of)
            if not crm_changes.mark_followed(connection, [claimed.id], now):
                return  # another process was faster
            new = signals.store_signals(connection, [signal], now)
            failpoint("lead_ads.stored")
            for promise in [self._name_lead(claimed), *([self._promise] if closes else [])]:
                work_items.close_general(connection, (ANSWERS_NOT_READ,), promise, now)
        failpoint("lead_ads.marked")
        self.report.records += 1
        self.report.new += new
        self.report.followed += 1
        self.report.held += new if signal.unreadable is not None else 0

    def _fail(self, claimed: ClaimedRecord, error: ServiceError) -> None:
        """Another attempt at this lead follows later, which a person hears of; in the end it is held."""
        from leadgate.mapping.webhooks.facebook import build_notice_key

        attempts = claimed.attempts + 1
        if attempts < MOST_ATTEMPTS:
            with self.ledger.transaction() as connection:
                now = read_time(connection, self.as_of)
                wait = min(_FIRST_WAIT * 2 ** min(claimed.attempts, 20), _LONGEST_WAIT)
                crm_changes.ask_later(connection, claimed.id, now + wait)
                if attempts >= TOLD_ATTEMPTS:
                    words = f"a lead of {self.source} is not given: {error}. It is asked for again, for a day"
                    self._tell(connection, self._name_lead(claimed), words, now, value=claimed.record_id)
            return
        words = (
            f"the answers of lead {claimed.record_id} cannot be read: {error}. Fetch the lead from its form, capture "
            "the export, and discard this"
        )
        raw = encode({"raw": claimed.payload}).decode()
        held = NewSignal(0, self.source, build_notice_key(claimed.record_id), raw, make_storable(words), "http")
        self._store(claimed, held, closes=False)

    def rest(
        self, claimed: ClaimedRecord, words: str, time: timedelta, *, is_told: bool = False, detail: str = ""
    ) -> None:
        """Nobody asks for a lead of the source for a while. A person hears of it at once (``is_told``), or when it has
        lasted."""
        self.report.problem = words
        self.report.wait_seconds = time.total_seconds()
        with self.ledger.transaction() as connection:
            now = read_time(connection, self.as_of)
            crm_changes.rest(connection, claimed.id, now + time)
            if is_told or claimed.received_at + _TOLD_AFTER <= now:
                told = (
                    f"what leads of {self.source} answered cannot be read: {words}. Webhooks are accepted meanwhile, "
                    "and no lead is lost"
                )
                self._tell(connection, self._promise, told, now, detail=detail)

    def _tell(
        self, connection: Connection, promise: str, words: str, now: datetime, *, detail: str = "", value: str = ""
    ) -> None:
        """Open the work item, unless it is open. An id of a lead is a person's: it is in ``value``, and so erasable."""
        lock_source(connection, self.source)  # of two that fail at once, one opens the work item
        if work_items.is_open(connection, ANSWERS_NOT_READ, promise):
            return
        item: NewWorkItem = build_work_item(
            self.playbook,
            StageName.CAPTURE,
            now,
            reason=ANSWERS_NOT_READ,
            promise=promise,
            source=self.source,
            message=words,
            detail=format_line(detail.strip(), _DETAIL) or None,
            value=value or None,
        )
        work_items.open_work_items(connection, pd.DataFrame([item]))

    @property
    def _promise(self) -> str:
        return f"answers:{self.source}"[:63]

    def _name_lead(self, claimed: ClaimedRecord) -> str:
        """The promise of the work item about one lead."""
        return f"answers:{self.source[:40]}:{claimed.id}"
