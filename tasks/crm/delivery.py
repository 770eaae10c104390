"""Delivery to CRMs: claim messages about some leads, write what the ledger knows of these now, read it back, mark them.

Belongs here: the round, and what becomes of messages when a CRM as a whole gives no answer. Does not belong here: one
write of some leads (``write``), what is written (``leadgate.crm``), or a vendor's quirks (``connectors``).

A message says only which lead has changed. So ten changes are one write, and a late attempt writes nothing stale.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.connectors.crm_opening import CrmNotConfiguredError, open_crm
from leadgate.ledger import Ledger, crm_connections, outbox, work_items
from leadgate.ledger.clock import ask_time
from leadgate.ledger.outbox import CrmMessage
from leadgate.ledger.work_items import NewWorkItem
from leadgate.playbook import CrmConnection, Playbook
from leadgate.vocabulary import CrmMessageKind
from tasks.crm.items import build_connection_refusal, build_limit, build_unreachable
from tasks.delivery import DIGEST_ATTEMPTS, WAITS

if TYPE_CHECKING:
    from leadgate.connectors.crm import Crm
    from tasks.crm.owners import CrmOwners
    from tasks.outbox import DeliveryReport

#: Longer than one request can take, with all its repeats. It is renewed before each request that writes.
LEASE: Final = timedelta(minutes=5)
MOST_LEADS: Final = 100  # that are written together, if the CRM takes so many
_REFUSED_WAIT: Final = timedelta(minutes=10)
_LONGEST_WAIT: Final = timedelta(hours=24)
#: After so many faults in a row a person hears that a CRM does not answer: about a quarter of an hour.
_TOLD_AFTER: Final = 5
_KNOWN_FOR: Final = 600.0  # seconds for which owners and fields of a CRM are taken for known

Opener = Callable[[CrmConnection, Mapping[str, str]], "Crm"]


@dataclass
class OpenCrm:
    """An open CRM with what is asked of it once for many writes."""

    crm: Crm
    owners: CrmOwners | None = None
    lengths: dict[str, int] | None = None
    until: float = field(default_factory=lambda: time.monotonic() + _KNOWN_FOR)


class OpenCrms:
    """CRMs that a process has open, by connection and credentials. Owners and fields are asked for again in time."""

    def __init__(self, opener: Opener = open_crm) -> None:
        self._opener = opener
        self._open: dict[tuple[str, ...], OpenCrm] = {}

    def get(self, connection: CrmConnection, environ: Mapping[str, str]) -> OpenCrm:
        """Raises ``CrmNotConfiguredError``."""
        variables = sorted(connection.credentials.values())
        key = (connection.model_dump_json(), *(environ.get(name, "") for name in variables))
        known = self._open.get(key)
        if known is None:
            for old in [each for each in self._open if each[0] == key[0]]:
                self._open.pop(old).crm.close()
            known = self._open[key] = OpenCrm(self._opener(connection, environ))
        elif known.until < time.monotonic():
            known = self._open[key] = OpenCrm(known.crm)
        return known


_OPEN: Final = OpenCrms()


def deliver_to_crms(
    ledger: Ledger,
    playbook: Playbook,
    report: DeliveryReport,
    now: datetime | None = None,
    *,
    environ: Mapping[str, str],
    waiting: Mapping[str, int],
    lease: timedelta = LEASE,
    stop: Callable[[], bool] = lambda: False,
    open_crms: OpenCrms = _OPEN,
) -> None:
    """Write what waits for each CRM of the playbook, until nothing is due. ``waiting``: messages by target.

    CRMs take turns, some leads at a time, so that a long backlog of one does not hold up another. A CRM that gives no
    answer is left alone for a while, and costs no message. Several processes may do so at once.
    """
    rounds: list[_Round] = []
    for connection in playbook.crm:
        number = waiting.get(connection.target, 0)
        if not number or stop():
            continue
        state = crm_connections.read_state(ledger, connection.name)
        at = ask_time(ledger, now)
        if state is not None and state.waits_until is not None and state.waits_until > at:
            continue
        try:
            opened = open_crms.get(connection, environ)
        except CrmNotConfiguredError as error:
            if error.variable is not None:
                report.without_address[error.variable] = report.without_address.get(error.variable, 0) + number
            else:
                report.failures[str(error)] += 1
            continue
        rounds.append(_Round(ledger, playbook, connection, opened, report, now, lease))
    while rounds and not stop():
        rounds = [each for each in rounds if not stop() and _deliver_some(each)]


@dataclass
class _Round:
    ledger: Ledger
    playbook: Playbook
    connection: CrmConnection
    opened: OpenCrm
    report: DeliveryReport
    as_of: datetime | None
    lease: timedelta


def _deliver_some(here: _Round) -> bool:
    """Write the next leads. False when nothing is due, or when the CRM gives no answer."""
    from leadgate.connectors.service_session import ServiceError
    from tasks.crm.access import CrmAccess
    from tasks.crm.write import CrmWriter

    access = CrmAccess(here.ledger, here.playbook, here.connection, here.opened, here.lease, here.as_of)
    leads = max(1, min(MOST_LEADS, here.opened.crm.rows_per_write))
    messages = outbox.claim_for_crm(
        here.ledger,
        here.connection.target,
        leads=leads,
        alone_after=DIGEST_ATTEMPTS,
        lease=here.lease,
        now=here.as_of,
    )
    if not messages:
        return False
    try:
        outcomes = CrmWriter(access).write(messages)
    except ServiceError as error:
        _leave_alone(here, messages, error)
        here.report.failures[f"{here.connection.name}: {error}"] += 1
        for _ in messages:
            here.report.outcomes[CrmMessageKind.WRITE.value, here.connection.target, "failed"] += 1
        return False
    for message in messages:
        here.report.outcomes[message.kind, here.connection.target, outcomes.get(message.id, "failed")] += 1
    return True


def _leave_alone(here: _Round, messages: list[CrmMessage], error: Exception) -> None:
    """Nobody asks the CRM for a while, and the messages wait without having been tried; a person hears of it once."""
    from leadgate.connectors.crm import CrmLimitError, CrmRefusedError

    name, now = here.connection.name, ask_time(here.ledger, here.as_of)
    words = str(error)
    with here.ledger.transaction() as connection:
        crm_connections.lock(connection, name)
        state = crm_connections.read_failures(connection, name)
        item: NewWorkItem | None = None
        if isinstance(error, CrmLimitError):
            seconds = min(max(error.wait_seconds, 0.0), _LONGEST_WAIT.total_seconds())
            until = now + timedelta(seconds=seconds)
            if error.is_daily:
                told = f"{name} takes no more requests today; its leads wait until {until:%Y-%m-%d %H:%M} UTC"
                item = build_limit(name, told, here.playbook, now)
        elif isinstance(error, CrmRefusedError):
            until = now + _REFUSED_WAIT
            item = build_connection_refusal(
                name, words, f"{error.code} {error.vendor_message}".strip(), here.playbook, now
            )
        else:
            until = now + WAITS[min(state, len(WAITS) - 1)]
            if state + 1 >= _TOLD_AFTER:
                told = f"{name} has not answered {state + 1} times in a row ({words}); its leads wait"
                item = build_unreachable(name, told, here.playbook, now)
        crm_connections.wait(connection, name, words, until)
        outbox.postpone(connection, messages, f"{name}: {words}", until, counts=False)
        open_once(connection, item)


def open_once(connection: Connection, item: NewWorkItem | None) -> None:
    """Open a work item about a CRM as a whole, unless one is open. The CRM's row is locked."""
    if item is not None and not work_items.is_open(connection, item["reason"], item["promise"] or ""):
        work_items.open_work_items(connection, pd.DataFrame([item]))
