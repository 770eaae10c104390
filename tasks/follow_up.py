"""Follow-up: is the owner's reaction in time, due soon, or overdue, and what the ladder asks for now.

Belongs here: what the check of owned journeys loads, decides and stores. Does not belong here: what is due
(``leadgate.sla.sla_targets``), what counts as a touch (``leadgate.sla.touches``), who gets a lead that is taken back
(assignment), or what people are told of it (``escalation``).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.ledger import activities, assignments, bulk, leads, outbox, pauses, work_items
from leadgate.playbook import Playbook
from leadgate.sla import ending, sla_targets, touches
from leadgate.vocabulary import EndReason, JourneyStatus, Outcome, StageName
from tasks import escalation
from tasks.stage import Decided, Gathered, Stage, Work

_LOOK_AGAIN: Final = timedelta(hours=1)  # at a journey whose follow-up promises are broken


def gather(connection: Connection, work: Work) -> Gathered:
    batch, rules = work.batch.id, work.rules.follow_up
    context = {
        "done": activities.read_done_since(connection, batch, rules.outcomes),
        "pauses": pauses.read_batch_pauses(connection, batch),
        "active": assignments.find_last_active(connection, batch) if rules.stale else {},
    }
    return Gathered(assignments.read_owned(connection, batch), context)


def decide(gathered: Gathered, work: Work) -> Decided:
    """``outcome`` (``done``, ``reassign``, ``nurture``, ``stay``), ``state`` in words, and the ladder's ``steps`` that
    are due.

    The context has the ``pauses`` that are over, and what was ``missed``.
    """
    frame, playbook, now = gathered.frame.copy(), work.rules, work.now
    over = _set_pauses(frame, gathered.context["pauses"], now)
    _set_touches(frame, gathered.context["done"], playbook)
    active = frame["journey_id"].map(gathered.context["active"])
    frame["active_at"] = active.where(active.notna(), frame["assigned_at"])
    slas = {each.name: each for each in playbook.slas}
    frame["ladder_length"] = [
        len(sla_targets.list_ladder_steps(slas[n], "first_touch")) if n in slas else 0 for n in frame["sla"]
    ]
    checked = sla_targets.check(frame, playbook, now)
    frame[list(checked.rows.columns)] = checked.rows
    frame["state"] = _compute_states(frame, now)
    frame["waiting_and_chased"] = frame["waiting"] & frame["steps"].map(bool).astype(bool)
    _set_outcomes(frame, playbook, now)
    return Decided(frame, {"pauses": over, "targets": checked.targets})


def _set_pauses(frame: pd.DataFrame, known: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Sets ``pauses`` of each row, and ``waiting``: whether one is open. Answers with those that are over since."""
    spans: dict[int, list[tuple[datetime, datetime]]] = defaultdict(list)
    waiting, over = set(), []
    rows: list[Any] = list(known.itertuples())
    for row in rows:
        answered = row.answered_at is not None and row.answered_at < row.until
        end = row.ended_at or (row.answered_at if answered else row.until)
        spans[row.journey_id].append((row.started_at, end))
        if row.ended_at is None and end <= now:
            over.append((row.pause_id, end, "lead" if answered else "leadgate"))
        elif row.ended_at is None:
            waiting.add(row.journey_id)
    cells = [tuple(spans.get(journey, ())) for journey in frame["journey_id"]]
    frame["pauses"] = pd.Series(cells, index=frame.index, dtype=object)
    frame["waiting"] = frame["journey_id"].isin(waiting)
    return pd.DataFrame(over, columns=["pause_id", "ended_at", "ended_by"])


def _set_touches(frame: pd.DataFrame, done: pd.DataFrame, playbook: Playbook) -> None:
    """Sets ``touches`` of each row, and ``finished_at`` and ``finished_as``: the event that ends its journey."""
    rules, finished_by = playbook.follow_up, ending.find_finishing_event(playbook)
    of_journey: dict[int, list[Any]] = defaultdict(list)
    outcome: dict[int, tuple[datetime, str]] = {}
    activities: list[Any] = list(done.itertuples(index=False))
    for activity in activities:
        journey = activity.journey_id
        of_journey[journey].append(activity)
        if activity.kind in rules.outcomes:
            outcome.setdefault(journey, (activity.occurred_at, EndReason.OUTCOME.add(activity.kind)))
    columns = ("journey_id", "owner", "assigned_at", "touched_at", "last_touched_at")
    cells = [
        touches.find_touches(of_journey.get(journey, ()), rules, owner, since, recorded)
        for journey, owner, since, *recorded in zip(*(bulk.list_values(frame[c]) for c in columns), strict=True)
    ]
    frame["touches"] = pd.Series(cells, index=frame.index, dtype=object)
    ends: list[tuple[datetime | None, str | None]]
    if finished_by == "outcome":
        ends = [outcome.get(journey, (None, None)) for journey in frame["journey_id"]]
    elif finished_by == "acceptance":
        ends = [(at, EndReason.ACCEPTED) for at in bulk.list_values(frame["accepted_at"])]
    else:
        ends = [(cell[0] if cell else None, EndReason.TOUCHED) for cell in cells]
    frame["finished_at"] = pd.Series([at for at, _ in ends], index=frame.index, dtype=object)
    frame["finished_as"] = pd.Series([name for _, name in ends], index=frame.index, dtype=object)
    # what is recorded may be wrong; what is found is not looked for before the assignment
    first = [cell[0] if cell else None for cell in cells]
    frame["touched_before_assigned"] = _are_before(first, bulk.list_values(frame["assigned_at"]))


def _are_before(first: list[datetime | None], second: list[datetime | None]) -> list[bool]:
    return [a is not None and b is not None and a < b for a, b in zip(first, second, strict=True)]


def _compute_states(frame: pd.DataFrame, now: datetime) -> pd.Series:
    """``accepted``, ``touched``, ``waiting``, ``overdue``, ``due_soon`` or ``on_track``, told in this order."""
    state = pd.Series("on_track", index=frame.index, dtype=object)
    state[frame["due_soon_at"] <= pd.Timestamp(now)] = "due_soon"
    state[frame["due_at"] <= pd.Timestamp(now)] = "overdue"
    state[frame["waiting"]] = "waiting"
    states = sla_targets.find_owned_states(frame)
    return state.where(states == "untouched", states)


def _set_outcomes(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> None:
    """What becomes of each row: finished, taken back by the ladder, or gone stale, in this order."""
    taken_back = frame["steps"].map(lambda steps: any(each.step.do == "reassign" for each in steps)).astype(bool)
    stale = frame["stale"].astype(bool) & ~taken_back & frame["finished_at"].isna()
    rules = playbook.follow_up.stale
    states = sla_targets.find_owned_states(frame)
    does = [rules[state].do if hit else None for state, hit in zip(states, stale, strict=True)]
    frame["stale_does"] = pd.Series(does, index=frame.index, dtype=object)
    frame.loc[stale, "stale_since"] = frame.loc[stale, "active_at"]
    frame["outcome"] = Outcome.STAY
    frame.loc[frame["stale_does"] == "recycle", "outcome"] = Outcome.NURTURE
    frame.loc[taken_back | (frame["stale_does"] == "reassign"), "outcome"] = Outcome.REASSIGN
    frame.loc[frame["finished_at"].notna(), "outcome"] = Outcome.DONE
    ended = frame["outcome"] != Outcome.STAY
    reason = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    reason[taken_back] = EndReason.SLA_MISSED
    gone = ended & stale
    reason[gone] = states[gone].map(EndReason.STALE.add)
    reason[frame["outcome"] == Outcome.DONE] = frame["finished_as"]
    frame["end_reason"] = frame["reason"] = reason
    frame["ended_at"] = pd.Series([now if end else None for end in ended], index=frame.index, dtype=object)
    happened = frame["steps"].map(bool) | frame["touches"].map(bool) | frame["pauses"].map(bool)
    frame["quiet"] = ~(happened.astype(bool) | ended | stale)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    """Each step once: the step number, its message and its work item are written together."""
    frame = decided.frame
    broken = frame["broken"].astype(bool)
    sound = frame[~broken]
    assignments.follow_up(connection, sound[sound["assignment_id"].notna()])
    assignments.look_again(connection, [int(j) for j in frame.loc[broken, "journey_id"]], work.now + _LOOK_AGAIN)
    pauses.end(connection, decided.context["pauses"])
    targets = decided.context["targets"]
    targets = targets[targets["row"].isin(sound.index)].set_index("row")
    targets = targets.join(sound[["assignment_id", "journey_id"]]).rename(columns={"closed_at": "met_at"})
    assignments.record_missed(connection, targets[targets["due_at"] <= pd.Timestamp(work.now)], work.now)
    messages, items = escalation.escalate(sound, work)
    outbox.send(connection, pd.DataFrame(messages), work.now)
    if items:
        work_items.open_work_items(connection, pd.DataFrame(items))
    _close_escalations(connection, frame, targets, work.now)
    over = frame[frame["outcome"] != Outcome.STAY]
    for journey in over.loc[over["pauses"].map(len) > 0, "journey_id"]:
        pauses.end_open(connection, int(journey), "leadgate", work.now)
    left = over.loc[over["outcome"].isin((Outcome.DONE, Outcome.NURTURE)), "lead_id"]
    leads.forget_news(connection, [int(lead) for lead in left])
    recycled = over.loc[over["outcome"] == Outcome.NURTURE, "lead_id"]
    leads.recycle(connection, [int(lead) for lead in recycled], work.now + work.rules.follow_up.recycle_after)
    return frame


def _close_escalations(connection: Connection, frame: pd.DataFrame, targets: pd.DataFrame, now: datetime) -> None:
    """Close the escalations of what was met meanwhile, and all of a lead that left its owner."""
    over = frame.loc[frame["outcome"] != Outcome.STAY, "journey_id"]
    work_items.close_escalations(connection, [int(j) for j in over], now)
    running = targets["met_at"].isna()
    if running.all():  # as with leads that were just given out
        return
    for target in sla_targets.TARGETS:
        these = targets[targets["target"] == target]
        late = set(these.loc[running[targets["target"] == target] & these["missed"].astype(bool), "journey_id"])
        met = set(these.loc[~running[targets["target"] == target], "journey_id"]) - late
        work_items.close_escalations(connection, sorted(int(j) for j in met), now, escalation.name_overdue(target))


STAGE: Final = Stage(
    name=StageName.FOLLOW_UP,
    gather=gather,
    decide=decide,
    store=store,
    works_on=JourneyStatus.OWNED,
    breaks=False,
    alerts=escalation.build_alerts,
)
