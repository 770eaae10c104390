"""What an action released goes on at once, and where it is then.

Belongs here: who takes it on, and words. Does not belong here: the stages (``tasks.released``), or an action.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from console.command_context import CommandContext
from console.redaction import sanitise
from console.screen import build_console, find_program, say
from console.taking_on import take_on
from leadgate.counting import format_count
from leadgate.ledger import Ledger, hosts, reports
from leadgate.ledger.reports import JourneyStanding
from leadgate.playbook import LoadedPlaybook

_MOST_SHOWN: Final = 20


def go_on(
    context: CommandContext,
    ledger: Ledger,
    loaded: LoadedPlaybook,
    journeys: Sequence[int],
    now: datetime | None,
    *,
    later: bool,
) -> list[JourneyStanding]:
    """Where ``journeys`` are once they have gone on; nothing when that is to happen ``later``.

    A running consumer takes those on that wait for intake. Where none runs, this process does, and this process always
    checks the owned ones. It starts no Prefect server: that takes longer than the leads, and what each stage and gate
    decided is in the ledger all the same. A host whose clock is too far off takes nothing, and says so.
    """
    if later or not journeys:
        return []
    from tasks import released

    consumer = now is None and released.is_consumer_running(ledger)
    if consumer and released.is_any_waiting(reports.list_standings(ledger, journeys)):
        return _leave_to_consumer(ledger, journeys)
    settings = context.settings
    try:
        hosts.require_right_clock(ledger, settings.clock_skew_limit)
    except hosts.ClockError as error:  # a decision of a person holds on any host
        say(f"What you decided is stored, and waits for a run: {error}")
        return []
    try:
        standing = take_on(ledger, loaded, settings, journeys, now, beside_a_consumer=consumer)
    except BaseException:
        say(f"What you decided is stored. Going on with it failed; `{find_program()} run` tries it again.")
        raise
    return _leave_to_consumer(ledger, journeys) if consumer and released.is_any_waiting(standing) else standing


def _leave_to_consumer(ledger: Ledger, journeys: Sequence[int]) -> list[JourneyStanding]:
    from tasks import released

    say("A consumer runs and takes it on.")
    return released.wait_for_consumer(ledger, journeys)


def tell(standing: Sequence[JourneyStanding], waiting: int) -> None:
    """Say where each journey is now; of ``waiting`` ones that were not taken on, what takes them."""
    console = build_console()
    if not standing:
        if waiting:
            waits = format_count(waiting, "journey waits", "journeys wait")
            console.print(f"\n{waits} again. Next: {find_program()} run")
        return
    from flows.whereabouts import describe_whereabouts

    console.print()
    for each in standing[:_MOST_SHOWN]:
        where, why = describe_whereabouts(each)
        console.print(f"J{each.id}: {where}" + (f", {sanitise(why, 80)}" if why else ""))
    if len(standing) > _MOST_SHOWN:
        console.print(f"and {len(standing) - _MOST_SHOWN:,} more")
