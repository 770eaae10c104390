"""Sending the e-mails of saved views, with what this installation knows: its mail server, and where its console is.

Belongs here: what consumers and commands share. Does not belong here: what an e-mail says (``mail``), or the loop
(``tasks.report_mail``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from rich.console import Console

from console.redaction import sanitise
from console.screen import find_program
from console.web.addresses import build_address
from leadgate.counting import format_count
from leadgate.ledger import Ledger
from leadgate.playbook import Playbook
from leadgate.settings import Settings
from tasks.report_mail import SERVER_VARIABLE, ReportMailReport


def build_sender(
    settings: Settings, playbook: Playbook, only: int | None = None
) -> Callable[[Ledger, datetime | None, Callable[[], bool]], ReportMailReport]:
    """What sends the e-mails that are due, or that of the view ``only``."""
    return partial(_send, settings, playbook, only)


def _send(
    settings: Settings,
    playbook: Playbook,
    only: int | None,
    ledger: Ledger,
    now: datetime | None,
    stop: Callable[[], bool],
) -> ReportMailReport:
    from console.report.mail import build_composer  # they need pandas, and most looks find nothing to send
    from tasks.report_mail import send_due

    composer = build_composer(ledger, playbook, build_address(settings))
    return send_due(ledger, playbook, composer, settings.mail_server, now, only=only, stop=stop)


def render_mails(report: ReportMailReport, console: Console) -> None:
    """Print the outcomes, where there are any."""
    counts = report.to_dict()
    if counts["sent"]:
        console.print(f"{format_count(counts['sent'], 'report', 'reports')} sent by e-mail.")
    for failure, number in report.failures.items():
        console.print(f"{format_count(number, 'report was', 'reports were')} not sent: {sanitise(failure, 300)}.")
    if counts["given_up"]:
        console.print(f"Given up: {counts['given_up']}. Next: {find_program()} queue --reason undeliverable")
    if report.without_server:
        waits = format_count(report.without_server, "report waits", "reports wait")
        console.print(f"{waits} for a mail server: set {SERVER_VARIABLE}.")
