"""Follow-up: whether the owner's reaction is in time, due soon or overdue, and which steps of the ladder are due.

Belongs here: what the check of owned journeys loads, decides and stores. Does not belong here: due times
(``leadgate.sla.sla_targets``), what counts as a touch (``leadgate.sla.touches``), the next owner of a lead that is
taken back (``assignment``), or messages about missed targets (``escalation``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
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

_RECHECK_AFTER: Final = timedelta(hours=1)  # for a journey that breaks a promise of the follow-up gate


@dataclass(frozen=True)
class OwnerActivity:
    """What is known of the owned leads beside their rows: activities, pauses, and each journey's last activity."""

    activities: pd.DataFrame
    pauses: pd.DataFrame
    last_active: dict[int, datetime]  # by journey; empty when the playbook has no rule for stale leads


@dataclass(frozen=True)
class FollowUpChanges:
    """The pauses that have ended, and a row for each SLA target of each journey (``sla_targets.Checked.targets``)."""

    ended_pauses: pd.DataFrame
    targets: pd.DataFrame


def gather(connection: Connection, work: Work) -> Gathered[OwnerActivity]:
    batch, rules = work.batch.id, work.rules.follow_up
    owner_activity = OwnerActivity(
        activities=activities.read_follow_up_activities(connection, batch, rules.outcomes),
        pauses=pauses.read_batch_pauses(connection, batch),
        last_active=assignments.find_last_active(connection, batch) if rules.stale else {},
    )
    return Gathered(assignments.read_owned(connection, batch), owner_activity)


def decide(gathered: Gathered[OwnerActivity], work: Work) -> Decided[FollowUpChanges]:
    """Add ``outcome`` (``done``, ``reassign``, ``nurture``, ``stay``), ``state`` in words, and the due ``steps`` of the
    ladder."""
    frame, playbook, now = gathered.frame.copy(), work.rules, work.now
    ended_pauses = _set_pauses(frame, gathered.context.pauses, now)
    _set_touches(frame, gathered.context.activities, playbook)
    last_active = frame["journey_id"].map(gathered.context.last_active)
    frame["active_at"] = last_active.where(last_active.notna(), frame["assigned_at"])
    slas = {sla.name: sla for sla in playbook.slas}
    frame["ladder_length"] = [
        len(sla_targets.list_ladder_steps(slas[name], "first_touch")) if name in slas else 0 for name in frame["sla"]
    ]
    checked = sla_targets.check(frame, playbook, now)
    frame[list(checked.rows.columns)] = checked.rows
    frame["state"] = _compute_states(frame, now)
    frame["waiting_and_chased"] = frame["waiting"] & frame["steps"].map(bool).astype(bool)
    _set_outcomes(frame, playbook, now)
    return Decided(frame, FollowUpChanges(ended_pauses, checked.targets))


def _set_pauses(frame: pd.DataFrame, batch_pauses: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Set ``pauses`` of each row, and ``waiting``: whether one of them is open. Returns the pauses that just ended."""
    spans: dict[int, list[tuple[datetime, datetime]]] = defaultdict(list)
    waiting, ended = set(), []
    rows: list[Any] = list(batch_pauses.itertuples())
    for row in rows:
        answered = row.answered_at is not None and row.answered_at < row.until
        end = row.ended_at or (row.answered_at if answered else row.until)
        spans[row.journey_id].append((row.started_at, end))
        if row.ended_at is None and end <= now:
            ended.append((row.pause_id, end, "lead" if answered else "leadgate"))
        elif row.ended_at is None:
            waiting.add(row.journey_id)
    cells = [tuple(spans.get(journey, ())) for journey in frame["journey_id"]]
    frame["pauses"] = pd.Series(cells, index=frame.index, dtype=object)
    frame["waiting"] = frame["journey_id"].isin(waiting)
    return pd.DataFrame(ended, columns=["pause_id", "ended_at", "ended_by"])


def _set_touches(frame: pd.DataFrame, batch_activities: pd.DataFrame, playbook: Playbook) -> None:
    """Set ``touches`` of each row, and ``finished_at`` and ``finished_as``: the event that ends the journey."""
    rules, finished_by = playbook.follow_up, ending.find_finishing_event(playbook)
    of_journey: dict[int, list[Any]] = defaultdict(list)
    outcome: dict[int, tuple[datetime, str]] = {}
    rows: list[Any] = list(batch_activities.itertuples(index=False))
    for activity in rows:
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
    # for the gate: activities are read from the assignment on, but a touch that was recorded by hand may be earlier
    first_touches = [cell[0] if cell else None for cell in cells]
    frame["touched_before_assigned"] = _are_before(first_touches, bulk.list_values(frame["assigned_at"]))


def _are_before(first: list[datetime | None], second: list[datetime | None]) -> list[bool]:
    return [a is not None and b is not None and a < b for a, b in zip(first, second, strict=True)]


def _compute_states(frame: pd.DataFrame, now: datetime) -> pd.Series:
    """``accepted``, ``touched``, ``waiting``, ``overdue``, ``due_soon`` or ``on_track``: the first that holds."""
    state = pd.Series("on_track", index=frame.index, dtype=object)
    state[frame["due_soon_at"] <= pd.Timestamp(now)] = "due_soon"
    state[frame["due_at"] <= pd.Timestamp(now)] = "overdue"
    state[frame["waiting"]] = "waiting"
    states = sla_targets.find_owned_states(frame)
    return state.where(states == "untouched", states)


def _set_outcomes(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> None:
    """Set the ``outcome`` of each row. A finished journey comes before a lead taken back by the ladder or stale."""
    taken_back = frame["steps"].map(lambda steps: any(due.step.do == "reassign" for due in steps)).astype(bool)
    stale = frame["stale"].astype(bool) & ~taken_back & frame["finished_at"].isna()
    rules = playbook.follow_up.stale
    states = sla_targets.find_owned_states(frame)
    actions = [rules[state].do if is_stale else None for state, is_stale in zip(states, stale, strict=True)]
    frame["stale_action"] = pd.Series(actions, index=frame.index, dtype=object)
    frame.loc[stale, "stale_since"] = frame.loc[stale, "active_at"]
    frame["outcome"] = Outcome.STAY
    frame.loc[frame["stale_action"] == "recycle", "outcome"] = Outcome.NURTURE
    frame.loc[taken_back | (frame["stale_action"] == "reassign"), "outcome"] = Outcome.REASSIGN
    frame.loc[frame["finished_at"].notna(), "outcome"] = Outcome.DONE
    ended = frame["outcome"] != Outcome.STAY
    reason = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    reason[taken_back] = EndReason.SLA_MISSED
    ended_stale = ended & stale
    reason[ended_stale] = states[ended_stale].map(EndReason.STALE.add)
    reason[frame["outcome"] == Outcome.DONE] = frame["finished_as"]
    frame["end_reason"] = frame["reason"] = reason
    frame["ended_at"] = pd.Series([now if end else None for end in ended], index=frame.index, dtype=object)
    happened = frame["steps"].map(bool) | frame["touches"].map(bool) | frame["pauses"].map(bool)
    frame["quiet"] = ~(happened.astype(bool) | ended | stale)


def _leave_leads(connection: Connection, work: Work, left: pd.DataFrame) -> None:
    """What becomes of leads that are done, or go back to nurture."""
    leads.drop_pending_rescores(connection, [int(lead) for lead in left["lead_id"]])
    recycled = left.loc[left["outcome"] == Outcome.NURTURE, "lead_id"]
    leads.recycle(connection, [int(lead) for lead in recycled], work.now + work.rules.follow_up.recycle_after)


def store(
    connection: Connection,
    work: Work,
    decided: Decided[FollowUpChanges],
    *,
    leave: Callable[[Connection, Work, pd.DataFrame], None] = _leave_leads,
) -> pd.DataFrame:
    """Take each step once: the step number, its message and its work item are written in one transaction.

    ``leave``: what becomes of the rows that are done, or go back to nurture.
    """
    frame = decided.frame
    broken = frame["broken"].astype(bool)
    sound = frame[~broken]
    assignments.follow_up(connection, sound[sound["assignment_id"].notna()])
    assignments.look_again(connection, [int(j) for j in frame.loc[broken, "journey_id"]], work.now + _RECHECK_AFTER)
    pauses.end(connection, decided.context.ended_pauses)
    targets = decided.context.targets
    targets = targets[targets["row"].isin(sound.index)].set_index("row")
    targets = targets.join(sound[["assignment_id", "journey_id"]]).rename(columns={"closed_at": "met_at"})
    assignments.record_missed(connection, targets[targets["due_at"] <= pd.Timestamp(work.now)], work.now)
    messages, items = escalation.escalate(sound, work)
    outbox.send(connection, pd.DataFrame(messages), work.now)
    if items:
        work_items.open_work_items(connection, pd.DataFrame(items))
    _close_escalations(connection, frame, targets, work.now)
    ended = frame[frame["outcome"] != Outcome.STAY]
    for journey in ended.loc[ended["pauses"].map(len) > 0, "journey_id"]:
        pauses.end_open(connection, int(journey), "leadgate", work.now)
    leave(connection, work, ended[ended["outcome"].isin((Outcome.DONE, Outcome.NURTURE))])
    return frame


def _close_escalations(connection: Connection, frame: pd.DataFrame, targets: pd.DataFrame, now: datetime) -> None:
    """Close the escalations of targets that were met meanwhile, and all escalations of leads that left their owner."""
    ended = frame.loc[frame["outcome"] != Outcome.STAY, "journey_id"]
    work_items.close_escalations(connection, [int(j) for j in ended], now)
    running = targets["met_at"].isna()
    if running.all():  # as for leads that were just assigned
        return
    for target in sla_targets.TARGETS:
        rows = targets[targets["target"] == target]
        late = set(rows.loc[running[targets["target"] == target] & rows["missed"].astype(bool), "journey_id"])
        met = set(rows.loc[~running[targets["target"] == target], "journey_id"]) - late
        work_items.close_escalations(connection, sorted(int(j) for j in met), now, escalation.find_overdue_kind(target))


STAGE: Final = Stage(
    name=StageName.FOLLOW_UP,
    gather=gather,
    decide=decide,
    store=store,
    works_on=JourneyStatus.OWNED,
    breaks=False,
    alerts=escalation.build_alerts,
)
