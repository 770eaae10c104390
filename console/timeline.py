"""One lead's story as a timeline: what happened, when, by whom, and whether it is good or bad news.

Belongs here: pure functions from ``ledger.lead_history.Story`` to events, unescaped. Does not belong here: the answers
to the four questions (``explain``), masking (``story_masking``), or markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from console.answers import Grid
from console.display_names import DisplayNames, write_as_words
from console.explain.evidence import describe_delivery, describe_gate
from console.screen import format_span
from leadgate.counting import format_count
from leadgate.ledger.lead_history import Story
from leadgate.matching.persons import describe_levels
from leadgate.matching.resolving import describe_keys
from leadgate.vocabulary import ActionKind, ActivityActor, HandoffOutcome, QualifiedAs, StageName

if TYPE_CHECKING:
    from leadgate.ledger.story_rows import (
        ActionRow,
        AssignmentRow,
        HandoffRow,
        QualificationRow,
        RecordedOutcomeRow,
        WorkItemRow,
    )

Tone = Literal["good", "bad", "warn", "info", ""]


@dataclass(frozen=True)
class Event:
    """Something that happened. ``who`` did it: the display name of a person; None where Leadgate or the lead did.

    ``details`` are further sentences, ``grid`` a small table. ``work_item`` is the one that it is about, ``action`` the
    number by which it can be undone.
    """

    at: datetime
    kind: str
    words: str
    who: str | None = None
    tone: Tone = ""
    details: Sequence[str] = ()
    grid: Grid | None = None
    work_item: int | None = None
    action: int | None = None


def build_timeline(story: Story, names: DisplayNames) -> list[Event]:
    """Everything that happened to the lead, the latest first."""
    events = [event for collect in _COLLECTED for event in collect(story, names)]
    # what happened in one moment stays in the order of the stages
    return sorted(events, key=lambda event: event.at)[::-1]


def _tell_signals(story: Story, _: DisplayNames) -> Iterator[Event]:
    for each in story.signals:
        origin = (f"From {each.origin}.",) if each.origin else ()
        again = "" if each.journey_id == story.signals[0].journey_id else "another "
        if each.unreadable:
            yield Event(each.received_at, "signal", f"A signal of {each.source} could not be read", None, "bad", origin)
        else:
            words = f"{again}signal of {each.source}"
            yield Event(each.received_at, "signal", words[0].upper() + words[1:], None, "info", origin)


def _tell_joins(story: Story, _: DisplayNames) -> Iterator[Event]:
    for join in story.joins:
        words = f"Taken for lead {join.lead_id}'s, because of {describe_keys(join.because)}"
        yield Event(join.at, "join", words, None, "info")
    first = {each.journey_id: each for each in reversed(story.lookalikes)}
    for journey, look in first.items():
        rows = [
            (f"lead {each.lead_id}", str(each.score), describe_levels(each.levels) or describe_keys(each.levels))
            for each in story.lookalikes
            if each.journey_id == journey and each.generation == look.generation
        ]
        words = f"Compared with {format_count(len(rows), 'lead', 'leads')} that may be the same person"
        yield Event(look.at, "comparison", words, grid=Grid(("lead", "score", "what agrees; what differs"), rows))


def _tell_handoffs(story: Story, names: DisplayNames) -> Iterator[Event]:
    for handoff in story.handoffs:
        stage = StageName(handoff.stage)
        again = f", rerun {handoff.generation}" if handoff.generation else ""
        reason = f": {write_as_words(handoff.reason)}" if handoff.reason else ""
        words = f"{_write_stage(stage)}{again}: {handoff.outcome}{reason}"
        gate = describe_gate(story, handoff)
        yield Event(handoff.at, "handoff", words, None, _judge(handoff, gate), (f"Gate {gate}",) if gate else ())
        if stage == StageName.QUALIFICATION:
            key = (handoff.journey_id, handoff.generation)
            for scored in story.qualifications:
                if (scored.journey_id, scored.generation) == key:
                    yield _tell_score(scored)
        if stage == StageName.ASSIGNMENT:
            for each in story.assignments:
                if (each.journey_id, each.generation, each.assigned_at) == (*_key(handoff), handoff.at):
                    yield _tell_assignment(each, names)


def _key(row: HandoffRow) -> tuple[int, int]:
    return row.journey_id, row.generation


def _judge(handoff: HandoffRow, gate: str) -> Tone:
    if handoff.outcome == HandoffOutcome.HELD:
        return "warn"
    if handoff.outcome in (HandoffOutcome.DISQUALIFIED, HandoffOutcome.NURTURE):
        return ""
    return "warn" if "warning" in gate else "good"


def _tell_score(scored: QualificationRow) -> Event:
    grade = f", grade {scored.grade}" if scored.grade else ""
    verdict = f": {scored.qualified_as.replace('_', '-')}" if scored.qualified_as else ""
    points = [
        (write_as_words(rule), f"{number:+}")
        for rule, number in sorted(scored.contributions.items(), key=lambda each: -abs(each[1]))
    ]
    details = (f"Fit {scored.fit}, engagement {scored.engagement}: {'; '.join(scored.reasons)}.",)
    tone: Tone = "good" if scored.qualified_as == QualifiedAs.SALES else "info"
    grid = Grid(("rule", "points"), points) if points else None
    return Event(scored.at, "score", f"Score {scored.score}{grade}{verdict}", None, tone, details, grid)


def _tell_assignment(each: AssignmentRow, names: DisplayNames) -> Event:
    pool = f" and pool {names.name_pool(each.pool)}" if each.pool else ""
    rows = [
        (names.name_rep(str(line["rep"])), "yes" if line["eligible"] else "no", str(line["reason"]))
        for line in each.candidates
    ]
    grid = Grid(("rep", "could take it", "because"), rows) if len(rows) > 1 or not each.turn else None
    words = f"Owned by {names.name_rep(each.owner)}, by route {write_as_words(each.rule)}{pool}"
    return Event(each.assigned_at, "owner", words, None, "good", (each.why,), grid)


def _tell_owners(story: Story, names: DisplayNames) -> Iterator[Event]:
    """What became of assignments; those that no handoff made, as well."""
    made = {(*_key(each), each.at) for each in story.handoffs if each.stage == StageName.ASSIGNMENT}
    accepted = {action.at for action in story.actions if action.what == ActionKind.ACCEPT}
    for each in story.assignments:
        owner = names.name_rep(each.owner)
        if (each.journey_id, each.generation, each.assigned_at) not in made:
            yield Event(each.assigned_at, "owner", f"Owned by {owner}", None, "good", (each.why,))
        if each.accepted_at is not None and each.accepted_at not in accepted:
            yield Event(each.accepted_at, "acceptance", "Accepted", owner, "good")
        if each.touched_at is not None:
            took = format_span(each.touched_at - each.assigned_at)
            yield Event(each.touched_at, "touch", f"First touch, {took} after the assignment", owner, "good")
        if each.ended_at is not None:
            turn = "; the turn was given back" if each.turn_given_back else ""
            ending = f"{owner} has it no more: {write_as_words(str(each.end_reason))}{turn}"
            yield Event(each.ended_at, "owner", ending)


def _tell_activities(story: Story, names: DisplayNames) -> Iterator[Event]:
    for each in story.activities:
        length = "" if each.seconds is None else f", {format_span(each.seconds)}"
        by_rep = each.actor == ActivityActor.REP
        who = names.name_rep(each.rep) if each.rep else None
        words = write_as_words(each.kind)
        taken_back = "" if each.withdrawn_at is None else ", taken back"
        words = words[:1].upper() + words[1:] + length + ("" if by_rep else ", by the lead") + taken_back
        yield Event(each.occurred_at, "activity", words, who, "" if by_rep else "info")


def _tell_items(story: Story, names: DisplayNames) -> Iterator[Event]:
    for item in story.work_items:
        yield Event(item.opened_at, "work item", _describe_item(item), None, "warn", _list_item_details(item, names),
                    work_item=item.id)  # fmt: skip
        if item.escalated_at is not None:
            to = names.name_rep(item.escalated_to) if item.escalated_to else "a manager"
            words = f"Nobody decided W{item.id} in time: escalated to {to}"
            yield Event(item.escalated_at, "work item", words, None, "bad", work_item=item.id)
        if item.closed_at is not None:
            note = (item.note,) if item.note else ()
            words = f"W{item.id} closed: {write_as_words(str(item.resolution))}"
            who = names.name_rep(item.closed_by) if item.closed_by else None
            yield Event(item.closed_at, "work item", words, who, "good", note, work_item=item.id)


def _describe_item(item: WorkItemRow) -> str:
    message = item.message[:1].upper() + item.message[1:]
    return f"W{item.id} at {item.stage.replace('_', '-')}: {message}"


def _list_item_details(item: WorkItemRow, names: DisplayNames) -> tuple[str, ...]:
    proposal = ", ".join(f"{name} {value}" for name, value in (item.proposal or {}).items())
    told = {"Value": item.value, "Details": item.detail, "Proposed": proposal}
    parts = [f"{name}: {value}" for name, value in told.items() if value]
    decider = names.name_rep(item.assignee) if item.assignee else write_as_words(item.route)
    return (*parts, f"{decider} decides." if item.closed_at is None else "")


def _tell_actions(story: Story, names: DisplayNames) -> Iterator[Event]:
    """What people did; how a work item was closed is told with the item. The words of a note that was taken back are
    told no more."""
    undone = story.list_undone()
    for each in story.actions:
        if each.work_item_id is None or each.what in (ActionKind.TAKE, ActionKind.UNDO):
            is_undone = each.number in undone
            note = (each.note,) if each.note and not (is_undone and each.what == ActionKind.NOTE) else ()
            words = _describe_action(each, names) + (", taken back" if is_undone else "")
            tone = "" if is_undone else _TONES.get(each.what, "")
            yield Event(each.at, "action", words, names.name_rep(each.by), tone, note, work_item=each.work_item_id,
                        action=each.number)  # fmt: skip
    for correction in story.corrections:
        words = f"{write_as_words(correction.field)} set to {correction.value or 'nothing'}"
        yield Event(correction.at, "correction", words[0].upper() + words[1:], names.name_rep(correction.by), "info")
    for verdict in story.verdicts:
        what = f"the same person, kept as lead {verdict.keep}" if verdict.same else "different people"
        words = f"Lead {verdict.low} and lead {verdict.high} are {what}"
        yield Event(verdict.at, "verdict", words, names.name_rep(verdict.by), "info")
    for said in story.recorded_outcomes:
        yield _tell_recorded_outcome(said, names)
    for unmasking in story.unmaskings:
        yield Event(unmasking.at, "unmasking", "Had the masked values shown", names.name_rep(unmasking.by))


def _tell_recorded_outcome(each: RecordedOutcomeRow, names: DisplayNames) -> Event:
    reason = f" ({write_as_words(each.reason)})" if each.reason else ""
    taken_back = "" if each.withdrawn_at is None else ", taken back"
    words = f"Outcome on record: {write_as_words(each.kind)}{reason}{taken_back}"
    detail = f"Recorded by {names.name_rep(each.by)}; it counts in figures, and moves no lead."
    return Event(each.occurred_at, "outcome", words, names.name_rep(each.rep) if each.rep else None, "", (detail,))


_TONES: Final[dict[str, Tone]] = {
    ActionKind.ACCEPT: "good",
    ActionKind.TOUCH: "good",
    ActionKind.REJECT: "warn",
    ActionKind.UNASSIGN: "warn",
    ActionKind.DISCARDED: "warn",
    ActionKind.UNDO: "warn",
}
#: What somebody did, where the name of the action does not say it.
_DID: Final[dict[str, str]] = {
    ActionKind.ACCEPT: "Accepted",
    ActionKind.REJECT: "Rejected",
    ActionKind.WAIT: "Waits for the lead",
    ActionKind.RESUME: "Went on after a wait",
    ActionKind.REASSIGN: "Gave it to somebody else",
    ActionKind.UNASSIGN: "Took it from its owner",
    ActionKind.TRANSFER: "Transferred it with the owner's other leads",
    ActionKind.TOUCH: "Logged a touch",
    ActionKind.TAKE: "Took the decision on",
    ActionKind.UNJOIN: "Undid a join",
    ActionKind.NOTE: "Wrote a note",
}


def _describe_action(action: ActionRow, names: DisplayNames) -> str:
    did = f"Undid A{action.undoes}" if action.undoes else _DID.get(action.what)
    did = did or write_as_words(action.what).capitalize()
    about = f" (W{action.work_item_id})" if action.work_item_id else ""
    return did + about + (f", for {names.name_rep(action.acted_for)}" if action.acted_for else "")


def _tell_waits(story: Story, names: DisplayNames) -> Iterator[Event]:
    for pause in story.pauses:
        if pause.ended_at is not None:
            by = {"lead": "the lead was heard of", "leadgate": "the time was up"}.get(str(pause.ended_by))
            yield Event(
                pause.ended_at, "wait", f"The wait ended: {by or f'{names.name_rep(str(pause.ended_by))} went on'}"
            )
    owners = {each.id: names.name_rep(each.owner) for each in story.assignments}
    for missed in story.missed:
        what = f"{write_as_words(missed.target)} by {owners.get(missed.assignment_id, 'the owner')}"
        late = (
            f", made {format_span(missed.met_at - missed.due_at)} late"
            if missed.met_at and missed.met_at > missed.due_at
            else ""
        )
        yield Event(missed.due_at, "missed", f"Overdue: {what}{late}", None, "bad")


def _tell_messages(story: Story, names: DisplayNames) -> Iterator[Event]:
    for message in story.messages:
        tone: Tone = "bad" if message.given_up_at else "warn" if message.failure and not message.delivered_at else ""
        words = f"Message to {_name_target(message.target, names)}: {write_as_words(message.kind)}"
        yield Event(message.created_at, "message", words, None, tone, (describe_delivery(message),))


def _name_target(target: str, names: DisplayNames) -> str:
    return target if ":" in target else names.name_rep(target)


def _tell_crms(story: Story, names: DisplayNames) -> Iterator[Event]:
    for record in story.crm_records:
        words = f"{record.crm}: it is the record {record.record_id}"
        yield Event(record.linked_at, "CRM", words, None, "info")
        if record.written_at is not None:
            words = f"{record.crm}: wrote {format_count(len(record.fields), 'field', 'fields')}"
            yield Event(record.written_at, "CRM", words, None, "good", (", ".join(record.fields),))
        if record.read_at is not None:
            differ = f"{', '.join(record.differing)} had another value"
            words = f"{record.crm}: read back, {differ if record.differing else 'all as written'}"
            yield Event(record.read_at, "CRM", words, None, "warn" if record.differing else "good")
        if record.gone_at is not None:
            yield Event(record.gone_at, "CRM", f"{record.crm}: the record is gone", None, "bad")
    for task in story.crm_tasks:
        state = "sent, not confirmed yet" if task.task_id is None else "done" if task.is_done else "open"
        yield Event(task.written_at, "CRM", f"{task.crm}: follow-up task, {state}", None, "info")


def _write_stage(stage: StageName) -> str:
    return stage.value.replace("_", "-").capitalize()


_COLLECTED: Final[tuple[Callable[[Story, DisplayNames], Iterator[Event]], ...]] = (
    _tell_signals,
    _tell_joins,
    _tell_handoffs,
    _tell_items,
    _tell_owners,
    _tell_activities,
    _tell_actions,
    _tell_waits,
    _tell_messages,
    _tell_crms,
)
