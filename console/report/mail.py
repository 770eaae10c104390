"""The e-mail of a saved view: headline figures beside those of the period before, and the tables of its section.

Belongs here: composing it, as plain text and as HTML of tables alone: mail clients show no SVG, run no script, and
fetch nothing unless asked. Does not belong here: the figures (``reading``), or sending it (``tasks.report_mail``).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from rich.console import Console

from console.display_names import DisplayNames
from console.report import text
from console.report.reading import Report, read_report
from console.report.request import choose_sections, describe_request
from console.report.tables import NONE, Section, Table
from console.report.view import TITLES, View, build_view_request
from leadgate.ledger import Ledger
from leadgate.ledger.record_figures import list_sections
from leadgate.ledger.report_mails import ClaimedMail
from leadgate.playbook import Playbook
from tasks.report_mail import ComposedMail

if TYPE_CHECKING:
    from jinja2 import Template

_WIDTH: Final = 78  # characters of a line of plain text
_ROWS: Final = 24  # of a table; the console has them all


def build_composer(
    ledger: Ledger, playbook: Playbook, console_url: str
) -> Callable[[ClaimedMail, datetime], ComposedMail]:
    """What composes the e-mails of an installation whose console people reach at ``console_url``."""
    return lambda mail, now: compose(ledger, playbook, mail, now, console_url)


def compose(ledger: Ledger, playbook: Playbook, mail: ClaimedMail, now: datetime, console_url: str) -> ComposedMail:
    """The e-mail as of ``now``. Raises ``CommandError`` for a source or a rep that nobody knows any more.

    Its links name the days, so that they show the same figures next week.
    """
    names, view = DisplayNames(playbook), View.of_saved(mail.view)
    options = view.read_options(names)
    sections = choose_sections(options, list_sections(ledger), with_trend=True)
    chosen = view.choose_section(sections)
    asked, whose = build_view_request(options, names, playbook, now)
    report = read_report(ledger, asked, sections, playbook)
    shown = _order(report, chosen)
    first, last = _list_days(report)
    days = first if first == last else f"{first} to {last}"
    link = _build_link(console_url, replace(view, section=chosen, since=first, until=last, zone=asked.zone))
    values = {
        "title": mail.view.name,
        "days": days,
        "about": describe_request(asked, whose, playbook),
        "link": link,
        "manage": f"{console_url}/reports#saved",
        "schedule": mail.view.schedule.in_words if mail.view.schedule is not None else "when you ask for it",
        "section": TITLES[chosen],
        "is_empty": report.is_empty,
    }
    html = _load_template().render(**values, sections=shown, columns=_list_columns, most=_ROWS)
    return ComposedMail(f"{mail.view.name}: {days}", _write_text(values, shown), html)


def _order(report: Report, chosen: str) -> list[Section]:
    """The chosen section with its tables first, then the headline figures of the others."""
    sections = sorted(report.sections, key=lambda section: section.key != chosen)
    return [section if section.key == chosen else replace(section, tables=[]) for section in sections if section.tiles]


def _list_days(report: Report) -> tuple[str, str]:
    zone = ZoneInfo(report.asked.zone)
    last = (report.asked.until - timedelta(seconds=1)).astimezone(zone).date()
    return report.asked.since.astimezone(zone).date().isoformat(), last.isoformat()


def _build_link(console_url: str, view: View) -> str:
    return f"{console_url}/reports?{urlencode(replace(view, period='', days=View().days).list_query())}"


def _list_columns(table: Table) -> list[object]:
    """The columns that a mail has room for, without those that say nothing in any row."""
    return [
        column
        for column in table.columns
        if not column.wide
        and (column.kind == "text" or any(column.format_cell(row[column.key]) != NONE for row in table.rows))
    ]


def _write_text(values: dict[str, object], sections: list[Section]) -> str:
    written = io.StringIO()
    console = Console(
        file=written, width=_WIDTH, markup=False, highlight=False, emoji=False, color_system=None, force_terminal=False
    )
    text.render(sections, str(values["about"]), console, more="in the console")
    lines = [f"{values['title']}: {values['days']}", "", *(line.rstrip() for line in written.getvalue().splitlines())]
    if values["is_empty"]:
        lines += ["", "Nothing has been captured yet."]
    lines += [
        "",
        f"The same in the console: {values['link']}",
        f"Sent {values['schedule']}. Edit, pause or delete it: {values['manage']}",
    ]
    return "\n".join(lines) + "\n"


@cache
def _load_template() -> Template:
    from console.html_templates import build_environment  # 40 ms, which only a page or a mail needs

    return build_environment("console.report").get_template("mail.html")
