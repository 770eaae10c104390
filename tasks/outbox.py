"""Delivering what waits in the outbox, without Prefect: claim one message, send it, mark it.

Belongs here: the loop, and what becomes of a message that cannot be delivered. Does not belong here: what it
says (``tasks.message_texts``), when it is tried again (``tasks.delivery``), or Apprise (``connectors.notify``).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypedDict

from leadgate.connectors import notify
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, event_subscriptions, faults, outbox, work_items
from leadgate.ledger.clock import ask_time
from leadgate.ledger.message_facts import read_message_facts, read_record_facts
from leadgate.ledger.outbox import UNDELIVERABLE, Message
from leadgate.ledger.row_filter import RowFilter
from leadgate.ledger.work_items import NewWorkItem
from leadgate.playbook import CRM_TARGET, Playbook
from leadgate.vocabulary import StageName
from tasks.delivery import DIGEST_ATTEMPTS, MOST_ATTEMPTS, DeliveryAddress, find_address, mask_target, wait_after
from tasks.event_delivery import EventSender, NotTakenError, ReceiverGoneError
from tasks.message_texts import Words, compose_digest, compose_message
from tasks.work_items import build_work_item

#: Far longer than any service takes to answer or to time out, so that nobody takes over what is being sent.
LEASE: Final = timedelta(minutes=5)
#: After this many failures of an address in a row, its other messages wait for the next round: a receiver
#: that is down must not hold up the others, for seconds each time.
ENOUGH: Final = 3


class MessageCount(TypedDict):
    """How many messages of a kind to a target had an outcome."""

    kind: str
    target: str
    outcome: str
    count: int


class DeliveryCounts(TypedDict):
    """A delivery report as JSON."""

    delivered: int
    failed: int
    given_up: int
    later: int
    failures: dict[str, int]
    waiting_for_address: dict[str, int]
    waiting_for_entry: dict[str, int]
    messages: list[MessageCount]


@dataclass
class DeliveryReport:
    """The outcomes of a delivery round, in counts. Nothing personal, and no address."""

    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # kind, target, outcome
    failures: Counter[str] = field(default_factory=Counter)  # variable and reason -> failed attempts
    without_address: dict[str, int] = field(default_factory=dict)  # variable that is not set -> messages
    without_entry: dict[str, int] = field(default_factory=dict)  # target that no notification names -> messages
    later: int = 0  # wait for their next attempt, or behind an earlier message

    def count(self, outcome: str) -> int:
        """Messages ``delivered``, ``failed`` (another attempt follows) or ``given_up``."""
        return sum(number for (_, _, what), number in self.outcomes.items() if what == outcome)

    def to_dict(self) -> DeliveryCounts:
        """The report as plain values for JSON."""
        return {
            "delivered": self.count("delivered"),
            "failed": self.count("failed"),
            "given_up": self.count("given_up"),
            "later": self.later,
            "failures": dict(self.failures),
            "waiting_for_address": dict(self.without_address),
            "waiting_for_entry": dict(self.without_entry),
            "messages": [
                {"kind": kind, "target": target, "outcome": outcome, "count": number}
                for (kind, target, outcome), number in sorted(self.outcomes.items())
            ],
        }


def deliver_waiting(
    ledger: Ledger,
    playbook: Playbook,
    now: datetime | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    lease: timedelta = LEASE,
    progress: Callable[[Message, str], None] = lambda message, outcome: None,
    stop: Callable[[], bool] = lambda: False,
) -> DeliveryReport:
    """Deliver what is due, one message after the other, until nothing is; several processes may do so at once.

    Many messages of one kind to one target are sent as one, as the playbook's notification says.

    A failed attempt is no error: it is counted, and tried again in a later round. ``environ`` holds the
    addresses; ``progress`` hears of each message and its outcome; ``stop`` ends the round early. What is due, and
    until when a message is this process's, goes by the ledger's clock, unless ``now`` says what time it is.
    """
    report = DeliveryReport()
    waiting_for_crms: dict[str, int] = {}
    reachable = _find_reachable(
        ledger, playbook, os.environ if environ is None else environ, now, report, waiting_for_crms
    )
    in_a_row: Counter[str | None] = Counter()
    refused: set[int] = set()  # messages whose rows PostgreSQL does not let be changed: they wait, the others go on
    with closing(EventSender(ledger)) as sender:
        while reachable and not stop():
            message = _claim(ledger, sorted(reachable), lease, now, refused)
            if message is None:
                break
            address = reachable[message.target]
            together = _claim_digest(ledger, message, address, lease, now, refused)
            failure, is_gone = _attempt(ledger, together, address, playbook, sender)
            if is_gone:
                reachable.pop(message.target)
                _tell_gone(ledger, address, failure or "", playbook, ask_time(ledger, now))
            for each in together:
                try:
                    outcome = _settle(ledger, each, failure, playbook, ask_time(ledger, now))
                except Exception as error:
                    if not faults.is_ours(error):
                        raise
                    refused.add(each.id)
                    report.failures[f"the ledger: {faults.describe(error)}"] += 1
                    continue
                report.outcomes[each.kind, mask_target(each.target), outcome] += 1
                progress(each, outcome)
            if failure is None:
                in_a_row[address.variable] = 0
                continue
            report.failures[failure] += 1
            in_a_row[address.variable] += 1
            if in_a_row[address.variable] >= ENOUGH:
                reachable = {to: other for to, other in reachable.items() if other.variable != address.variable}
    if playbook.crm:
        from tasks.crm.delivery import deliver_to_crms  # it needs pandas, and most playbooks have no CRM

        deliver_to_crms(
            ledger,
            playbook,
            report,
            now,
            environ=os.environ if environ is None else environ,
            waiting=waiting_for_crms,
            stop=stop,
        )
    # what could have been sent and was not: it waits for its next attempt, or behind another
    waiting = sum(each.messages for each in outbox.count_waiting_messages(ledger, now))
    report.later = max(0, waiting - sum(report.without_address.values()) - sum(report.without_entry.values()))
    return report


def _claim(
    ledger: Ledger, targets: Sequence[str], lease: timedelta, now: datetime | None, refused: set[int]
) -> Message | None:
    """The next message that can be claimed; those that cannot are added to ``refused``."""
    while True:
        only = RowFilter(without=frozenset(refused))
        try:
            return outbox.claim(ledger, targets, lease=lease, now=now, only=only)
        except Exception as error:
            if not faults.is_ours(error):
                raise
            following = outbox.find_next_due(ledger, targets, now, only)
            if following is None:
                return None
            refused.add(following)


def _claim_digest(
    ledger: Ledger,
    message: Message,
    address: DeliveryAddress,
    lease: timedelta,
    now: datetime | None,
    refused: set[int],
) -> list[Message]:
    """``message``, and the others that are sent with it in a digest, if there are enough."""
    if address.digest_from is None or message.attempts > DIGEST_ATTEMPTS:
        return [message]
    try:
        alike = outbox.claim_alike(
            ledger,
            message,
            least=address.digest_from - 1,
            attempts=DIGEST_ATTEMPTS,
            lease=lease,
            now=now,
            only=RowFilter(without=frozenset(refused)),
        )
    except Exception as error:
        if not faults.is_ours(error):
            raise
        return [message]  # one of them cannot be changed, and is found when it is claimed by itself
    return [message, *alike]


def _find_reachable(
    ledger: Ledger,
    playbook: Playbook,
    environ: Mapping[str, str],
    now: datetime | None,
    report: DeliveryReport,
    crms: dict[str, int],
) -> dict[str, DeliveryAddress]:
    """The targets of what waits that have an address. The others are counted, and left alone; those for CRMs go to
    ``crms``."""
    reachable = {}
    gone = event_subscriptions.list_gone(ledger) if playbook.events else set()
    known = {connection.target for connection in playbook.crm}
    for each in outbox.count_waiting_messages(ledger, now):
        if each.target in known:
            crms[each.target] = each.messages
            continue
        if each.target.startswith(CRM_TARGET):
            report.without_entry[each.target] = each.messages
            continue
        address = find_address(each.target, playbook, environ)
        if address.receiver is not None and address.receiver.name in gone:
            continue  # its events wait until a person says that it takes them again
        if address.value is not None:
            reachable[each.target] = address
        elif address.variable is not None:
            report.without_address[address.variable] = report.without_address.get(address.variable, 0) + each.messages
        else:
            target = mask_target(each.target)
            report.without_entry[target] = report.without_entry.get(target, 0) + each.messages
    return reachable


def _attempt(
    ledger: Ledger, together: Sequence[Message], address: DeliveryAddress, playbook: Playbook, sender: EventSender
) -> tuple[str | None, bool]:
    """Send a message, or a digest of several. Why it failed, or None; and whether its receiver is gone."""
    message = together[0]
    if message.attempts > MOST_ATTEMPTS:
        return f"{address.variable}: {MOST_ATTEMPTS} attempts, and the process died over the last", False
    try:
        if address.receiver is not None:
            event = sender.compose(message, address.receiver)
        else:
            text = _compose(ledger, together, address, playbook)
    except Exception as error:  # whatever a message is about, the next one is sent
        if not faults.is_ours(error):
            raise
        return f"the message cannot be worded ({faults.describe(error)} at {faults.format_place(error)})", False
    failpoint("deliver.send.before")
    try:
        if address.receiver is not None:
            sender.send(message, event, address.receiver, address.value or "")
        else:
            notify.send(address.value or "", text.title, text.body)
    except (notify.NotifyError, NotTakenError) as error:
        return f"{address.variable}: {error}", isinstance(error, ReceiverGoneError)
    failpoint("deliver.send.after")
    return None, False


def _compose(ledger: Ledger, together: Sequence[Message], address: DeliveryAddress, playbook: Playbook) -> Words:
    message, shows = together[0], address.shows
    journeys = {each.journey_id for each in together}
    if message.record_id is not None:
        facts = read_record_facts(ledger, journeys)
    else:
        facts = read_message_facts(ledger, journeys) if shows else {}
    if len(together) == 1:
        return compose_message(message, playbook, message.claimed_at, shows=shows, facts=facts.get(message.journey_id))
    return compose_digest(together, playbook, message.claimed_at, shows=shows, facts=facts)


def _settle(ledger: Ledger, message: Message, failure: str | None, playbook: Playbook, now: datetime) -> str:
    if failure is None:
        outbox.mark_delivered(ledger, message, now)
        return "delivered"
    wait = wait_after(message.attempts)
    if wait is None:
        outbox.give_up(ledger, message, failure, now, _build_work_item(message, failure, playbook, now))
        return "given_up"
    outbox.mark_failed(ledger, message, failure, now + wait)
    return "failed"


def _tell_gone(ledger: Ledger, address: DeliveryAddress, failure: str, playbook: Playbook, now: datetime) -> None:
    """The receiver takes no events any more: one work item, however many wait for it."""
    import pandas as pd

    if address.receiver is None:
        return
    item = build_work_item(
        playbook,
        StageName.FOLLOW_UP,
        now,
        reason=UNDELIVERABLE,
        promise=address.receiver.target,
        message=(
            f"{address.receiver.name} is told of no event until somebody reruns this work item: {failure}. Events wait "
            "meanwhile; take it out of the playbook if it is gone for good"
        ),
    )
    with ledger.transaction() as connection:
        if event_subscriptions.mark_gone(connection, address.receiver.name, now):
            work_items.open_work_items(connection, pd.DataFrame([item]))


def _build_work_item(message: Message, failure: str, playbook: Playbook, now: datetime) -> NewWorkItem:
    """A recovery task. It holds nothing: the lead goes on, somebody only has to hear of it."""
    what = message.kind.replace("_", " ")
    return build_work_item(
        playbook,
        StageName.FOLLOW_UP,
        now,
        reason=UNDELIVERABLE,
        promise=message.key,  # so that each message has one of its own
        source=message.source,
        journey_id=message.journey_id,
        generation=message.generation,
        message=(
            f"Not sent to {mask_target(message.target)}: {failure} ({what}). "
            "Mend the address and rerun this work item, or tell them and close it as done by hand"
        ),
    )
