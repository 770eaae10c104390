"""The clocks of the hosts beside the ledger's, as ``leadgate status`` shows them.

Belongs here: words and a table. Does not belong here: measuring (``leadgate.ledger.hosts``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from console.redaction import sanitise
from console.screen import build_heading, build_table, format_span
from leadgate.ledger.hosts import Host, Skew


def build_json_data(measured: Sequence[Host], off: Sequence[Host]) -> list[dict[str, Any]]:
    """Plain JSON values. ``off`` are those that are further off than they may be."""
    return [
        {
            "name": host.name,
            "skew_seconds": host.skew.seconds,
            "uncertainty_seconds": host.skew.uncertainty,
            "seconds_ago": host.seconds_ago,
            "too_far_off": host in off,
        }
        for host in measured
    ]


def render(console: Console, measured: Sequence[Host], off: Sequence[Host]) -> None:
    """Print how far each clock is off, and name the hosts whose consumers take nothing because of that."""
    if not measured:
        return
    made = build_table("host", "its clock", "measured")
    for host in measured:
        made.add_row(sanitise(host.name, 60), _describe_clock(host.skew), f"{format_span(host.seconds_ago)} ago")
    console.print()
    console.print(build_heading("Clocks of the hosts"))
    console.print(made)
    for host in off:
        console.print(
            f"\nConsumers of {sanitise(host.name, 60)} take nothing while its clock is {host.skew.words}: "
            "set the clock, or let NTP do it.",
            soft_wrap=True,
        )


def _describe_clock(skew: Skew) -> str:
    return "right" if abs(skew.seconds) < 0.5 else skew.words
