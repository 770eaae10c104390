"""What a shadow does and why it rests, in words that the terminal and the page share.

Belongs here: these sentences. Does not belong here: those about leads that differ (``console.replay.words``).
"""

from __future__ import annotations

from leadgate.counting import format_count
from tasks.shadow import ALLOWED, EVERY, SHARE, WITHIN, ShadowFindings


def describe_pause(found: ShadowFindings) -> str | None:
    """Why the shadow does not decide what waits; None where it does, or has ended."""
    waits = format_count(found.waiting, "batch waits", "batches wait")
    if not found.is_running:
        return None
    if found.shadow.problem is not None:
        return f"The draft cannot decide, and {waits}; no lead does. {found.shadow.problem}"
    if found.rests:
        return (
            f"{waits}: the passes of the last {WITHIN.total_seconds() / 60:.0f} minutes took {found.spent:.0f} s, and "
            f"{ALLOWED:.0f} s is what the schedule may spend."
        )
    if found.is_idle:
        return f"{waits}, and nobody looks at them: `leadgate up` does every {EVERY.total_seconds() / 60:.0f} minutes."
    return None


def describe_cost(found: ShadowFindings) -> str:
    """What the passes cost."""
    share = found.spent / WITHIN.total_seconds()
    return (
        f"{format_count(found.shadow.passes, 'pass', 'passes')} took {found.totals.seconds:.1f} s in all; those of the "
        f"last hour took {share:.1%} of a core, and the schedule may take {SHARE:.0%}."
    )


def describe_forgotten(found: ShadowFindings) -> str | None:
    """What is not shown any more, as it is too old."""
    if not found.shadow.forgotten:
        return None
    rows = format_count(found.shadow.forgotten, "older lead is", "older leads are")
    return f"{rows} not shown: what was found of them is deleted (`retention.shadows`)."
