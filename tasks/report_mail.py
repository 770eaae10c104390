"""Sending the e-mails of saved views of the report, without Prefect: claim one, compose it, send it, mark it.

Belongs here: the loop, who may have an e-mail at the moment of sending, and what becomes of one that cannot be sent.
Does not belong here: what it says (its caller composes it), when it is due (``leadgate.report_schedule``), or SMTP
(``connectors.notify``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, TypedDict

import pandas as pd

from leadgate import actors
from leadgate.connectors import notify
from leadgate.errors import LeadgateError
from leadgate.failpoints import failpoint
from leadgate.hashing import compute_fingerprint
from leadgate.ledger import Ledger, faults, report_mails, work_items
from leadgate.ledger.clock import ask_time
from leadgate.ledger.outbox import UNDELIVERABLE
from leadgate.ledger.report_mails import ClaimedMail
from leadgate.masking import mask_within
from leadgate.permissions import Permission
from leadgate.plain_text import format_line
from leadgate.playbook import Playbook
from leadgate.vocabulary import StageName
from tasks.delivery import MOST_ATTEMPTS, wait_after
from tasks.work_items import build_work_item

#: The variable with the mail server. Its value is a secret, and is never told.
SERVER_VARIABLE: Final = "LEADGATE_MAIL_SERVER"
#: Longer than computing a report of a large ledger and sending it takes.
LEASE: Final = timedelta(minutes=10)
#: After so many failures in a row the other e-mails wait for the next round: a mail server is down.
ENOUGH: Final = 3
_LONGEST_FAILURE: Final = 300
_LONGEST_SUBJECT: Final = 150


@dataclass(frozen=True)
class ComposedMail:
    """What an e-mail says: the same as plain text and as HTML that needs nothing else."""

    subject: str
    text: str
    html: str


#: Composes the e-mail of a view as of a moment. Raises ``LeadgateError`` where the view shows nothing any more.
Compose = Callable[[ClaimedMail, datetime], ComposedMail]


class ReportMailCounts(TypedDict):
    """A round of e-mails as JSON."""

    sent: int
    failed: int
    given_up: int
    refused: int
    failures: dict[str, int]
    waiting_for_server: int


@dataclass
class ReportMailReport:
    """How many e-mails were ``sent``, ``failed`` (another attempt follows), ``given_up`` and ``refused``; why attempts
    failed; and how many wait because there is no mail server."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    without_server: int = 0

    def to_dict(self) -> ReportMailCounts:
        """The report as plain values for JSON."""
        return {
            "sent": self.outcomes["sent"],
            "failed": self.outcomes["failed"],
            "given_up": self.outcomes["given_up"],
            "refused": self.outcomes["refused"],
            "failures": dict(self.failures),
            "waiting_for_server": self.without_server,
        }


def send_due(
    ledger: Ledger,
    playbook: Playbook,
    compose: Compose,
    server: str | None,
    now: datetime | None = None,
    *,
    only: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> ReportMailReport:
    """Send the e-mails that are due, one after the other; several processes may do so at once.

    ``server`` is the mail server in Apprise's notation; without one, e-mails wait. ``only`` is one view. An error
    of one view is kept with it, and the others go on.
    """
    report = ReportMailReport()
    due = [view for view in report_mails.list_due(ledger, ask_time(ledger, now)) if only in (None, view)]
    if server is None:
        report.without_server = len(due)
        return report
    in_a_row = 0
    for view_id in due:
        if stop() or in_a_row >= ENOUGH:
            break
        mail = report_mails.claim(ledger, view_id, LEASE, ask_time(ledger, now))
        if mail is None:
            continue
        outcome, failure = _send(ledger, playbook, mail, compose, server, ask_time(ledger, now), now)
        report.outcomes[outcome] += 1
        if failure is not None:
            report.failures[failure] += 1
        in_a_row = in_a_row + 1 if outcome in ("failed", "given_up") else 0
    return report


def _send(
    ledger: Ledger,
    playbook: Playbook,
    mail: ClaimedMail,
    compose: Compose,
    server: str,
    at: datetime,
    now: datetime | None,
) -> tuple[str, str | None]:
    """The outcome, and why it is no other. ``at`` is when it was claimed, ``now`` replaces the ledger's clock."""
    if mail.tries > MOST_ATTEMPTS:
        failure = f"{MOST_ATTEMPTS} attempts, and the process died over the last"
        return _keep_failure(ledger, playbook, mail, failure, ask_time(ledger, now)), failure
    why = find_refusal(mail, playbook)
    if why is not None:
        report_mails.mark_refused(ledger, mail, why, ask_time(ledger, now))
        return "refused", why
    try:
        message = build_message(mail, compose(mail, at), at, compute_fingerprint(ledger.key))
        failpoint("report_mail.send.before")
        notify.send_mail(server, mail.account.email or "", message)
        failpoint("report_mail.send.after")
    except notify.NotifyError as error:
        failure = f"{SERVER_VARIABLE}: {error}"
    except LeadgateError as error:
        why = mask_within(format_line(str(error), _LONGEST_FAILURE))
        report_mails.mark_refused(ledger, mail, why, ask_time(ledger, now))
        return "refused", why
    except Exception as error:  # whatever a view shows, the next one is sent
        if not faults.is_ours(error):
            raise
        failure = f"the report cannot be written ({faults.describe(error)} at {faults.format_place(error)})"
    else:
        report_mails.mark_sent(ledger, mail, ask_time(ledger, now))
        return "sent", None
    return _keep_failure(ledger, playbook, mail, failure, ask_time(ledger, now)), failure


def find_refusal(mail: ClaimedMail, playbook: Playbook) -> str | None:
    """Why the account of an e-mail may not have it now, or None."""
    account = mail.account
    if account.disabled_at is not None:
        return "the account is disabled"
    if not notify.is_mail_address(account.email or ""):
        return "the account has no e-mail address that can be written to; an admin sets it"
    actor = actors.identify_account(account.login, account.roles, account.rep, playbook)
    if not actors.may(actor, Permission.READ_REPORTS):
        return "the account may not read reports any more"
    return None


def build_message(mail: ClaimedMail, composed: ComposedMail, at: datetime, installation: str) -> EmailMessage:
    """The message, to the account's own address. A mail that is sent again has the same ``Message-ID``."""
    message = EmailMessage()
    message["Subject"] = format_line(composed.subject, _LONGEST_SUBJECT)
    message["To"] = mail.account.email
    message["Date"] = format_datetime(at)
    message["Message-ID"] = (
        f"<view-{mail.view.id}-{int(mail.due_at.timestamp())}.{installation[:16]}@{notify.LOCAL_DOMAIN}>"
    )
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(composed.text)
    message.add_alternative(composed.html, subtype="html")
    return message


def _keep_failure(ledger: Ledger, playbook: Playbook, mail: ClaimedMail, failure: str, now: datetime) -> str:
    wait = wait_after(mail.tries)
    if wait is not None:
        report_mails.mark_failed(ledger, mail, failure, now, now + wait)
        return "failed"
    item = build_work_item(
        playbook,
        StageName.FOLLOW_UP,
        now,
        reason=UNDELIVERABLE,
        promise=mail.promise,
        message=(
            f"The report by e-mail of saved view V{mail.view.id} was not sent: {failure}. "
            "Mend the mail server and rerun this work item, or close it as done by hand"
        ),
    )
    with ledger.transaction() as connection:
        if report_mails.mark_given_up(connection, mail, failure, now):
            work_items.open_work_items(connection, pd.DataFrame([item]))
            failpoint("report_mail.give_up.before")
    failpoint("report_mail.give_up.after")
    return "given_up"
