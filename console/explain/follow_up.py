"""What is told of follow-up: clocks, waits, touches, what is due, what was missed, what comes back.

Belongs here: pure functions from ``ledger.lead_history.Story`` to words, unescaped. Does not belong here: deciding any
of it: what is told is what ``leadgate.sla.sla_targets`` and ``leadgate.sla.touches`` decide, asked again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd

from console.answers import LAST, Answer
from console.screen import format_moment, format_span
from leadgate.ledger.lead_history import Story
from leadgate.playbook import Playbook, Sla
from leadgate.sla import sla_targets
from leadgate.sla import touches as counted
from leadgate.sla.sla_targets import FoundTarget
from leadgate.sla.zones import find_rep_zone, list_time_zones
from leadgate.vocabulary import ActivityActor, EndReason

if TYPE_CHECKING:
    from leadgate.ledger.story_rows import ActivityRow, AssignmentRow

_WORDS: Final[dict[str, str]] = {
    "first_touch": "The first touch",
    "acceptance": "The answer (accept, reject or touch)",
    "next_touch": "The next touch",
    "stage": "Being accepted or finished",
}
_STALE: Final = {
    "remind": "the owner is reminded",
    "recycle": "it goes to nurture, and through qualification again later",
    "reassign": "it goes to somebody else",
}


def add_evidence(answer: Answer, story: Story, playbook: Playbook) -> Answer:
    """``answer`` with what reps did, what was missed, and the waits that are over."""
    _tell_touches(answer, story, playbook)
    _tell_early_outcomes(answer, story, playbook)
    _tell_later_outcomes(answer, story, playbook)
    _tell_missed(answer, story)
    _tell_waits(answer, story)
    return answer


def _tell_touches(answer: Answer, story: Story, playbook: Playbook) -> None:
    """Every rep's activity about the lead while somebody had it: whether it counted, and why not."""
    rows = []
    for each in _select_rows(story.assignments, story):
        until = each.ended_at or datetime.max.replace(tzinfo=each.assigned_at.tzinfo)
        for activity in _find_activities(story, each):
            if activity.occurred_at <= until:
                why_no_touch = counted.explain_no_touch(activity, playbook.follow_up, each.owner, each.assigned_at)
                if activity.withdrawn_at is not None:
                    why_no_touch = "it was logged by mistake, and taken back"
                first = activity.occurred_at == each.touched_at
                counts = "yes, as the first touch" if first else "yes"
                length = "" if activity.seconds is None else f", {activity.seconds} s"
                what = f"{activity.kind}{length}"
                by = activity.rep or "the owner, as nobody is named"
                rows.append(
                    (
                        format_moment(activity.occurred_at),
                        what,
                        by,
                        counts if why_no_touch is None else f"no: {why_no_touch}",
                    )
                )
    if rows:
        answer.say("What reps did about it:")
        answer.show(("when (UTC)", "what", "by", "counts as a touch"), rows[-LAST:])


def _tell_early_outcomes(answer: Answer, story: Story, playbook: Playbook) -> None:
    """Outcomes that came before the lead had an owner: they end nothing, which nobody would guess."""
    owned_from = min((each.assigned_at for each in story.assignments), default=None)
    recorded = {(each.kind, each.occurred_at) for each in story.recorded_outcomes if each.withdrawn_at is None}
    for activity in story.activities:
        if activity.kind not in playbook.follow_up.outcomes or activity.withdrawn_at is not None:
            continue
        if owned_from is None or activity.occurred_at < owned_from:
            counts = (activity.kind, activity.occurred_at) in recorded
            answer.say(
                f"The outcome {activity.kind}, {format_moment(activity.occurred_at)} UTC, came before the lead had an "
                "owner: it ends nothing, and "
                + ("counts in figures, as it is recorded." if counts else "is in no figure until it is recorded.")
            )


def _tell_later_outcomes(answer: Answer, story: Story, playbook: Playbook) -> None:
    """Outcomes that came after the one that ended the journey: figures go by the last."""
    rules = playbook.follow_up
    ended = next((a for a in story.assignments if str(a.end_reason).startswith(EndReason.OUTCOME.add(""))), None)
    if ended is None:
        return
    heard = [a for a in story.activities if a.kind in rules.outcomes and a.withdrawn_at is None]
    since = [a for a in heard if a.occurred_at >= ended.assigned_at]
    for activity in since[1:]:
        means = "lost" if activity.kind in rules.lost_outcomes else "won"
        answer.say(
            f"The outcome {activity.kind}, {format_moment(activity.occurred_at)} UTC, came after another one had ended "
            f"the journey. The last of them counts in figures: {activity.kind} is {means}."
        )


def _tell_missed(answer: Answer, story: Story) -> None:
    owners = {each.id: each.owner for each in story.assignments}
    for each in _select_rows(story.missed, story):
        what = f"{_WORDS[each.target]} by {owners.get(each.assignment_id, 'the owner')}"
        due, met = each.due_at, each.met_at
        if met is None:
            answer.say(
                f"Missed: {what} was due {format_moment(due)} UTC and had not come by "
                f"{format_moment(each.noticed_at)} UTC."
            )
        elif met > due:
            answer.say(
                f"Missed: {what} was due {format_moment(due)} UTC and came {format_moment(met)} UTC, "
                f"{format_span(met - due)} late."
            )
        else:
            answer.say(
                f"{what} was due {format_moment(due)} UTC and was made in time, {format_moment(met)} UTC, which "
                "became known later."
            )


def _tell_waits(answer: Answer, story: Story) -> None:
    for pause in _select_rows(story.pauses, story):
        if pause.ended_at is None:
            continue
        ended_by = str(pause.ended_by)
        by = {"lead": "the lead was heard of", "leadgate": "the time was up"}.get(ended_by)
        why = f" ({pause.reason})" if pause.reason else ""
        answer.say(
            f"{pause.by} waited for the lead from {format_moment(pause.started_at)} UTC to "
            f"{format_moment(pause.ended_at)} UTC{why}, until {by or f'{ended_by} went on'}. That time does not count."
        )


def tell_due(answer: Answer, story: Story, current: AssignmentRow, playbook: Playbook, now: datetime) -> None:
    """What is due from the owner, on whose clock, and what happens without it."""
    rule = next((each for each in playbook.slas if each.name == current.sla), None)
    row = _build_row(story, current, playbook)
    checked = sla_targets.check(pd.DataFrame([[*row.values()]], columns=[*row], dtype=object), playbook, now)
    pause = next((p for p in _select_rows(story.pauses, story) if p.ended_at is None and p.until > now), None)
    if pause is not None:
        answer.say(
            f"{pause.by} waits for the lead since {format_moment(pause.started_at)} "
            f"UTC{f': {pause.reason}' if pause.reason else ''}. The clock "
            f"stands still until {format_moment(pause.until)} UTC, or until the lead is heard of. The times below "
            "allow "
            "for it."
        )
    if current.due_at is None or rule is None:
        answer.say("No SLA asks for a first touch by a certain time.")
    else:
        if current.priority:
            answer.say(f"Priority {current.priority} sets its SLA, in place of the pool's.")
        for target in checked.list_targets():
            _tell_target(answer, target, rule, current, playbook, now)
        answer.say(_describe_clock(playbook, rule, current))
    _tell_stale(answer, row, checked, playbook)


def tell_recycling(answer: Answer, story: Story, playbook: Playbook) -> None:
    """When a lead in nurture goes through qualification again, and who does not get it then."""
    at = story.lead.recycle_at if story.lead else None
    if at is None:
        return
    again = sla_targets.list_returnable_reasons(playbook)
    without = sorted(
        {
            each.owner
            for each in story.assignments
            if (reason := each.end_reason) and reason not in again
            if reason.startswith((EndReason.STALE.add(""), EndReason.REJECTED.add("")))
        }
    )
    instead = f", for somebody other than {' and '.join(without)}" if without else ""
    answer.say(f"It goes through qualification again on {format_moment(at)} UTC, with its history{instead}.")


def _tell_target(
    answer: Answer, found: FoundTarget, rule: Sla, current: AssignmentRow, playbook: Playbook, now: datetime
) -> None:
    name, due_at, closed_at = found
    if due_at is None:
        return
    when = _format_in_zones(due_at, playbook, current.owner)
    if closed_at is not None:
        late = closed_at - due_at
        if name == "first_touch":
            how = f"came {format_span(late)} late" if late > timedelta(0) else "came in time"
            answer.say(f"{_WORDS[name]} was due {when} (SLA {rule.name}) and {how}.")
        return
    is_late = due_at < now
    answer.say(f"{_WORDS[name]} {f'was due {when} and is late' if is_late else f'is due {when}'} (SLA {rule.name}).")
    taken = getattr(current, sla_targets.TAKEN[name])
    steps = []
    for number, step in enumerate(sla_targets.list_ladder_steps(rule, name), start=1):
        to = f" to {step.to}" if step.to else " to the manager" if step.do == "escalate" else ""
        steps.append(f"{step.do}{to} at {step.after} %{' (done)' if number <= taken else ''}")
    if steps:
        answer.say(f"Until then, in parts of that time: {', '.join(steps)}.")


def _format_in_zones(at: datetime, playbook: Playbook, owner: str) -> str:
    """In UTC, as everything else here, and by the clock of the owner where that differs."""
    zone = find_rep_zone(playbook, owner)
    theirs = at.astimezone(ZoneInfo(zone) if zone in list_time_zones() else UTC)
    return f"{format_moment(at)} UTC" + (f", {theirs:%Y-%m-%d %H:%M} in {zone}" if theirs.utcoffset() else "")


def _describe_clock(playbook: Playbook, rule: Sla, current: AssignmentRow) -> str:
    name = sla_targets.find_hours(playbook, rule, current.pool, current.owner)
    if name is None:
        return "The clock runs day and night."
    own = rule.clock == "rep" and any(rep.name == current.owner and rep.hours for rep in playbook.reps)
    whose = f"{current.owner}'s own" if own else "the pool's"
    hours = playbook.hours[name]
    without = f", without the public holidays of {hours.holidays}" if hours.holidays else ""
    return f"The clock runs in {whose} working hours ({name}, {hours.time_zone}){without}."


def _tell_stale(answer: Answer, row: dict[str, Any], checked: sla_targets.Checked, playbook: Playbook) -> None:
    state = sla_targets.find_owned_state(next(iter(row["touches"]), None), row["accepted_at"])
    rule = playbook.follow_up.stale.get(state)
    if rule is None or (at := checked.find_stale_at(0)) is None:
        return
    answer.say(
        f"The last activity was {format_moment(row['active_at'])} UTC. After {rule.days} working days without another, "
        f"{format_moment(at)} UTC, {_STALE[rule.do]}."
    )


class _AboutJourney(Protocol):
    @property
    def journey_id(self) -> int: ...


_Row = TypeVar("_Row", bound=_AboutJourney)


def _select_rows(rows: list[_Row], story: Story) -> list[_Row]:
    return [row for row in rows if row.journey_id == story.journey.id]


def _find_activities(story: Story, assignment: AssignmentRow) -> Iterator[ActivityRow]:
    """What reps did since the assignment."""
    for activity in story.activities:
        if activity.actor == ActivityActor.REP and activity.occurred_at >= assignment.assigned_at:
            yield activity


def _build_row(story: Story, current: AssignmentRow, playbook: Playbook) -> dict[str, Any]:
    """The owned lead as a follow-up check sees it, from its story."""
    since, recorded = current.assigned_at, (current.touched_at, current.last_touched_at)
    activities = [each for each in story.activities if each.withdrawn_at is None]
    active = [each.occurred_at for each in activities] + [each.received_at for each in story.signals]
    return {name: getattr(current, name) for name in sla_targets.KEPT} | {
        "clock_from": current.clock_from or since,
        "touches": counted.find_touches(activities, playbook.follow_up, current.owner, since, recorded),
        "finished_at": None,
        "pauses": tuple((p.started_at, p.ended_at or p.until) for p in _select_rows(story.pauses, story)),
        "active_at": max([since, *active]),
    }
