"""How the CRMs stand, on the screen of ``leadgate status``.

Belongs here: the table and its words. Does not belong here: asking the ledger (``crm_figures``), or a CRM
(``crm_check``).
"""

from __future__ import annotations

from rich.console import Console

from console.redaction import sanitise
from console.screen import build_heading, build_table, format_moment, format_span
from leadgate.ledger.crm_figures import CrmStanding

_SHOWN = 80  # characters of an error


def render(console: Console, standings: list[CrmStanding]) -> None:
    """Print how each CRM stands; nothing without one."""
    if not standings:
        return
    numbers = ("to write", "records gone", "requests left today")
    rows = build_table("CRM", "read", *numbers, "what is wrong", right=numbers)
    for each in standings:
        rows.add_row(
            sanitise(each.crm),
            "" if each.read_age is None else f"{format_span(max(0.0, each.read_age))} ago",
            _describe_backlog(each),
            f"{each.gone:,}",
            _describe_budget(each),
            sanitise(_describe_trouble(each), 2 * _SHOWN),
        )
    console.print()
    console.print(build_heading("CRMs"))
    console.print(rows)


def _describe_backlog(each: CrmStanding) -> str:
    if each.oldest_waiting is None:
        return f"{each.waiting:,}"
    return f"{each.waiting:,}, oldest {format_span(max(0.0, each.oldest_waiting))}"


def _describe_budget(each: CrmStanding) -> str:
    if each.day_left is None:
        return "not told"
    limit = "" if each.day_limit is None else f" of {each.day_limit:,}"
    told = "" if each.day_told_age is None else f", {format_span(max(0.0, each.day_told_age))} ago"
    return f"{each.day_left:,}{limit}{told}"


def _describe_trouble(each: CrmStanding) -> str:
    parts = []
    if each.left_alone_until is not None:
        parts.append(f"left alone until {format_moment(each.left_alone_until)} UTC: {(each.why or '')[:_SHOWN]}")
    if each.read_failures:
        times = "once" if each.read_failures == 1 else f"{each.read_failures:,} times in a row"
        parts.append(f"reading failed {times}: {(each.read_error or '')[:_SHOWN]}")
    return "; ".join(parts)
