"""What an action released goes on at once, and where it is then.

Belongs here: who takes it on, and words. Does not belong here: the stages (``tasks.released``), or an action.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from console.place import Place
from console.safe import visible
from console.screen import out, program, say
from leadgate.counting import counted
from leadgate.ledger import Ledger, hosts
from leadgate.ledger.batches import Kind
from leadgate.playbook import Loaded

_MOST_SHOWN: Final = 20
#: A follow-up check may send a lead back to intake.
_INTAKE: Final[tuple[Kind, ...]] = ("intake", "follow_up", "intake")


def go_on(
    place: Place,
    ledger: Ledger,
    loaded: Loaded,
    journeys: Sequence[int],
    now: datetime | None,
    *,
    later: bool,
    kinds: Sequence[Kind] = _INTAKE,
) -> list[dict[str, Any]]:
    """Where ``journeys`` are once they have gone on; nothing when that is to happen ``later``.

    A running consumer takes them on. Where none runs, this process does, without a Prefect server: to start one takes
    longer than the leads, and what each stage and gate decided is in the ledger all the same.
    """
    if later or not journeys:
        return []
    from tasks import released
    from tasks.batches import Worker

    if "intake" in kinds and now is None and released.a_consumer_runs(ledger):
        say("A consumer runs and takes it on.")
        return released.wait_for_consumer(ledger, journeys)
    settings = place.settings
    hosts.require_right_clock(ledger, settings.clock_skew_limit)
    worker = Worker(ledger, loaded, f"by-hand-{uuid4().hex}", settings.lease_seconds, settings.batch_limit)
    try:
        return released.go_on(worker, journeys, now, kinds=kinds)
    except BaseException:
        say(f"What you decided is stored. Going on with it failed; `{program()} run` tries it again.")
        raise


def tell(standing: Sequence[Mapping[str, Any]], waiting: int) -> None:
    """Say where each journey is now; of ``waiting`` ones that were not taken on, what takes them."""
    console = out()
    if not standing:
        if waiting:
            waits = counted(waiting, "journey waits", "journeys wait")
            console.print(f"\n{waits} again. Next: {program()} run")
        return
    from flows.whereabouts import whereabouts

    console.print()
    for each in standing[:_MOST_SHOWN]:
        where, why = whereabouts(each)
        console.print(f"J{each['id']}: {where}" + (f", {visible(why, 80)}" if why else ""))
    if len(standing) > _MOST_SHOWN:
        console.print(f"and {len(standing) - _MOST_SHOWN:,} more")
