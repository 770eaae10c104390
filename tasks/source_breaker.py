"""The breaker at a handoff: park a source whose rows keep breaking a promise, and let it out again.

Belongs here: applying ``leadgate.breaker`` to a batch, inside the handoff's transaction.
Does not belong here: the breaker's own rules, which are pure and in ``leadgate.breaker``.

Only first passes count (generation 0): a rerun is a person's decision about rows that are known to be bad.
"""

from __future__ import annotations

from typing import Final

import orjson
import pandas as pd
from sqlalchemy import Connection

from expectations.findings import GateResult
from leadgate.breaker import BreakerState, admit, observe
from leadgate.ledger import breakers, work_items
from leadgate.ledger.journeys import locking, person_moves
from leadgate.ledger.work_items import NewWorkItem
from leadgate.values.json_types import JsonObject
from leadgate.vocabulary import ItemResolution, Outcome, Severity, WorkItemKind
from tasks.stage import Alert, AnyStage, Work
from tasks.work_items import build_work_item

#: The reason of a lead whose source is parked.
PARKED: Final = "source_parked"


def park(
    connection: Connection, stage: AnyStage, work: Work, frame: pd.DataFrame, result: GateResult
) -> tuple[pd.DataFrame, list[Alert]]:
    """The frame with the rows of a parked source as ``parked``, and the breakers that opened.

    Locks the breakers of the batch's sources, counts this batch's rows, and opens, keeps open, or
    closes each breaker; closing releases what it held. One work item stands for what a source has parked.
    """
    alerts: list[Alert] = []
    if result.batch_problem is not None:
        return frame, alerts  # the gate itself is broken: that says nothing about a source
    promises = [line["promise"] for line in result.evidence if line["severity"] == Severity.CRITICAL]
    critical = result.critical
    first_passes = _group_first_passes(frame)
    kept = breakers.lock_breakers(connection, stage.gate, list(first_passes))
    frame["work_item_id"] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    broken = {name: set(rows["journey_id"]) for name, rows in critical.groupby("promise")} if len(critical) else {}
    ids = frame["journey_id"].tolist()
    for source, rows in first_passes.items():
        stored, item = kept[source]
        before = {name: _load_state(stored, name) for name in promises}
        journeys = [ids[row] for row in rows]
        broke = {
            name: [journey in broken[name] for journey in journeys] if name in broken else [False] * len(journeys)
            for name in promises
        }
        after, admitted = _count_admitted(before, broke, len(rows), work)
        opened = [name for name in promises if after[name].status == "open"]
        if opened and item is None:
            item = work_items.open_work_items(
                connection, pd.DataFrame([_build_item(stage, work, source, opened[0], after)])
            )[0]
            alerts.append(_build_alert(stage, source, item, opened[0], after))
        parked = rows if opened else rows[admitted:]
        if len(parked):
            frame.loc[frame.index[parked], ["outcome", "reason", "work_item_id"]] = [Outcome.PARKED, PARKED, item]
        if item is not None and all(state.status == "closed" for state in after.values()):
            person_moves.release(connection, locking.lock_held_by(connection, [item]), now=work.now)
            work_items.close_work_items(
                connection, [item], by="leadgate", resolution=ItemResolution.BREAKER_CLOSED, now=work.now
            )
            item = None
        if after != before or item != kept[source].work_item_id:
            states = {name: orjson.loads(state.to_json()) for name, state in after.items()}
            breakers.keep_breaker(connection, source, stage.gate, {**stored, **states}, item)
    return frame, alerts


def _group_first_passes(frame: pd.DataFrame) -> dict[str, list[int]]:
    """The positions of each source's rows that are in their first generation."""
    found: dict[str, list[int]] = {}
    generations = frame["generation"].tolist()
    for row, source in enumerate(frame["source"].tolist()):
        if generations[row] == 0:
            found.setdefault(str(source), []).append(row)
    return found


def _count_admitted(
    before: dict[str, BreakerState], broke: dict[str, list[bool]], rows: int, work: Work
) -> tuple[dict[str, BreakerState], int]:
    """The breakers after ``rows`` rows of a source, and how many of these may pass.

    Probes that close a half-open breaker let the rows behind them through as well: those are counted next.
    """
    states, done = dict(before), 0
    while done < rows:
        admitted = rows - done
        for name, state in states.items():
            may_pass, states[name] = admit(state, work.now, rows - done, work.rules.breaker)
            admitted = min(admitted, may_pass)
        if admitted == 0:
            break
        for name in states:
            states[name] = observe(states[name], broke[name][done : done + admitted], work.rules.breaker, work.now)
        done += admitted
    return states, done


def _load_state(stored: JsonObject, promise: str) -> BreakerState:
    if promise not in stored:
        return BreakerState()
    return BreakerState.from_json(orjson.dumps(stored[promise]).decode())


def _build_alert(stage: AnyStage, source: str, item: int, promise: str, states: dict[str, BreakerState]) -> Alert:
    state = states[promise]
    facts = {"source": source, "promise": promise, "broken": state.broken, "seen": state.seen}
    return Alert("breaker.opened", {"stage": stage.name, "gate": stage.gate, "work_item": item} | facts)


def _build_item(stage: AnyStage, work: Work, source: str, promise: str, states: dict[str, BreakerState]) -> NewWorkItem:
    state = states[promise]
    message = (
        f"{state.broken} of the last {state.seen} rows of {source} broke the promise {promise}: the source is "
        "parked. Look for a changed form or mapping, then rerun this work item to let its rows through."
    )
    return build_work_item(
        work.rules,
        stage.name,
        work.now,
        kind=WorkItemKind.BREAKER,
        blocking=True,
        batch_id=work.batch.id,
        reason=PARKED,
        message=message,
        promise=promise,
        source=source,
    )
