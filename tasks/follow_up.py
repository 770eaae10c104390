"""Follow-up: is the first touch made, due soon, or overdue, and what the ladder asks for now.

Belongs here: the check of owned journeys. Does not belong here: business time (``leadgate.hours``), or who
gets a lead that is taken back (assignment).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.hours import clock_of
from leadgate.ledger import bulk, decisions, records
from leadgate.masking import mask
from leadgate.playbook import LadderStep, Playbook, Sla
from tasks.exceptions import route_of, work_item
from tasks.stage import Alert, Decided, Gathered, Stage, Work

OVERDUE: Final = "first_touch_overdue"
_LOOK_AGAIN: Final = timedelta(hours=1)  # at a journey whose follow-up promises are broken


def gather(connection: Connection, work: Work) -> Gathered:
    return Gathered(decisions.owned(connection, work.batch.id, work.rules.follow_up.touches))


def decide(gathered: Gathered, work: Work) -> Decided:
    """``outcome`` (``done``, ``reassign``, ``stay``), ``state`` in words, and the ladder's ``steps`` that are due."""
    frame, playbook, now = gathered.frame.copy(), work.rules, work.now
    frame["touched_at"] = frame["touched_at"].where(frame["touched_at"].notna(), frame["touch"])
    frame["touched_before_assigned"] = _before(frame["touched_at"], frame["assigned_at"])
    by_acceptance = playbook.qualification.sales_qualified_by == "acceptance"
    finished = frame["accepted_at" if by_acceptance else "touched_at"].notna()
    chased = frame["touched_at"].isna()  # accepted is not yet followed up
    slas = {sla.name: sla for sla in playbook.slas}
    frame["ladder_length"] = [len(slas[name].ladder) if name in slas else 0 for name in bulk.plain(frame["sla"])]
    frame["outcome"] = "stay"
    frame.loc[finished, "outcome"] = "done"
    frame["state"] = _states(frame, now)
    frame["steps"] = pd.Series([()] * len(frame), index=frame.index, dtype=object)
    frame["next_check_at"] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    for (sla_name, pool), rows in frame[chased & ~finished].groupby(["sla", "pool"], dropna=False):
        if sla_name in slas:
            _climb(frame, rows, slas[sla_name], playbook, pool, now)
    taken_back = frame["steps"].map(lambda steps: any(step.do == "reassign" for _, step in steps))
    frame.loc[taken_back, "outcome"] = "reassign"
    frame["ladder_step"] = frame["ladder_step"] + frame["steps"].map(len)
    ended = frame["outcome"] != "stay"
    frame["ended_at"] = pd.Series([now if end else None for end in ended], index=frame.index, dtype=object)
    frame["end_reason"] = frame["outcome"].map(
        {"done": "accepted" if by_acceptance else "touched", "reassign": "sla_missed"}
    )
    frame["reason"] = frame["end_reason"]
    return Decided(frame)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    """Each step once: the step number, its message and its work item are written together."""
    frame = decided.frame
    broken = frame["broken"].astype(bool)
    look_again = frame.loc[broken, "journey_id"]
    decisions.follow_up(connection, frame[~broken & frame["assignment_id"].notna()])
    decisions.look_again(connection, [int(j) for j in look_again], work.now + _LOOK_AGAIN)
    messages, items = [], []
    climbing: list[Any] = list(frame[~broken].itertuples())
    for row in climbing:
        for number, step in row.steps:
            messages.append(_message(row, number, step, work.rules))
            if step.do == "escalate":
                items.append(_escalation(row, number, step, work))
    records.send(connection, pd.DataFrame(messages), work.now)
    if items:
        records.open_work_items(connection, pd.DataFrame(items))
    over = frame[frame["outcome"] != "stay"]
    touched = frame[frame["touched_at"].notna() | (frame["outcome"] != "stay")]
    decisions.close_escalations(connection, [int(j) for j in touched["journey_id"]], work.now)
    decisions.forget_news(connection, [int(lead) for lead in over.loc[over["outcome"] == "done", "lead_id"]])
    return frame


def escalations(frame: pd.DataFrame, work: Work) -> list[Alert]:
    """An alert for each lead that was escalated just now."""
    alerts = []
    climbed: list[Any] = list(frame[~frame["broken"].astype(bool)].itertuples())
    for row in climbed:
        for number, step in row.steps:
            if step.do == "escalate":
                to = _escalated_to(row, step, work.rules)
                facts = {"journey": int(row.journey_id), "owner": row.owner, "ladder_step": number, "reason": OVERDUE}
                facts |= {"to": mask(to) if "@" in to else to, "due_at": row.due_at.isoformat()}
                alerts.append(Alert("lead.escalated", facts))
    return alerts


def _states(frame: pd.DataFrame, now: datetime) -> pd.Series:
    """``accepted``, ``touched``, ``overdue``, ``due_soon`` or ``on_track``, told in this order."""
    state = pd.Series("on_track", index=frame.index, dtype=object)
    state[~_after(frame["due_soon_at"], now)] = "due_soon"
    state[~_after(frame["due_at"], now)] = "overdue"
    state[frame["touched_at"].notna()] = "touched"
    state[frame["accepted_at"].notna()] = "accepted"
    return state


def _after(moments: pd.Series, now: datetime) -> pd.Series:
    """Whether a moment is still to come; one that is missing never comes to pass."""
    return moments.map(lambda at: at is None or pd.isna(at) or at > now).astype(bool)


def _before(first: pd.Series, second: pd.Series) -> list[bool]:
    return [
        a is not None and b is not None and a < b for a, b in zip(bulk.plain(first), bulk.plain(second), strict=True)
    ]


def _climb(frame: pd.DataFrame, rows: pd.DataFrame, sla: Sla, playbook: Playbook, pool: Any, now: datetime) -> None:
    """The steps that are due and not taken yet, up to one that takes the lead back; and the next look.

    ``rows`` share an SLA and a pool, so one clock tells all their times at once.
    """
    hours = next((p.hours for p in playbook.pools if p.name == pool), None)
    clock = clock_of(playbook.hours[hours] if hours is not None and sla.clock == "pool" else None)
    starts = pd.to_datetime(rows["clock_from"], utc=True)
    times = [clock.add_many(starts, sla.first_touch * step.after / 100) for step in sla.ladder]
    moment = pd.Timestamp(now)
    taken = rows["ladder_step"].astype(int)
    moments = [pd.to_datetime(rows[name], utc=True) for name in ("due_soon_at", "due_at")]
    moments += [when.where(taken <= number) for number, when in enumerate(times)]
    coming = pd.concat([at.where(at > moment) for at in moments], axis=1).min(axis=1)
    frame.loc[rows.index, "next_check_at"] = coming.astype(object).where(coming.notna(), None)
    is_due = pd.Series(data=False, index=rows.index)
    for number, when in enumerate(times):
        is_due |= (when <= moment) & (taken <= number)
    for index in rows.index[is_due]:
        steps: list[tuple[int, LadderStep]] = []
        for number in range(int(taken[index]), len(sla.ladder)):
            if times[number][index] > moment:
                break
            steps.append((number + 1, sla.ladder[number]))
            if sla.ladder[number].do == "reassign":
                break
        cell: Any = tuple(steps)
        frame.at[index, "steps"] = cell


def _message(row: Any, number: int, step: LadderStep, playbook: Playbook) -> dict[str, Any]:
    kinds = {"remind": "first_touch_due", "escalate": OVERDUE, "reassign": "lead_taken_back"}
    return {
        "key": f"{step.do}:{row.journey_id}:{row.generation}:{number}",
        "journey_id": row.journey_id,
        "target": _escalated_to(row, step, playbook) if step.do == "escalate" else row.owner,
        "kind": kinds[step.do],
    }


def _escalated_to(row: Any, step: LadderStep, playbook: Playbook) -> str:
    """The step's addressee, else the owner's manager, else whoever the playbook routes overdue leads to."""
    manager = next((rep.manager for rep in playbook.reps if rep.name == row.owner), None)
    return step.to or manager or route_of(playbook, OVERDUE, "follow_up").to


def _escalation(row: Any, number: int, step: LadderStep, work: Work) -> dict[str, Any]:
    return work_item(
        "follow_up",
        work,
        kind="escalation",
        blocking=False,
        reason=OVERDUE,
        promise=f"ladder_step_{number}",
        message=f"{row.owner} has not touched the lead yet; the first touch was due {row.due_at:%Y-%m-%d %H:%M} UTC",
        journey_id=row.journey_id,
        generation=row.generation,
        source=row.source,
        route=_escalated_to(row, step, work.rules),
    )


STAGE: Final = Stage(
    name="follow_up",
    gate="followed_up",
    gather=gather,
    decide=decide,
    store=store,
    works_on="owned",
    breaks=False,
    alerts=escalations,
)
