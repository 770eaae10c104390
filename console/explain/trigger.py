"""The first two questions about a lead, answered from its story: what triggered it, and who owns it.

Belongs here: pure functions from ``ledger.lead_history.Story`` to words, unescaped. Does not belong here: what
proves it and what may fail (``evidence``).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from console.answers import LAST, Answer, show_value
from console.notation_words import NOTATIONS
from console.screen import format_moment
from leadgate.counting import format_count
from leadgate.ledger.lead_history import Story
from leadgate.mapping.column_notations import read_recognised
from leadgate.matching.persons import describe_levels
from leadgate.matching.resolving import describe_keys
from leadgate.vocabulary import ActionKind, AssignmentMethod, JourneyKind, JourneyStatus, StageName, Trigger

if TYPE_CHECKING:
    from leadgate.json_columns import CandidateLine
    from leadgate.ledger.story_rows import AssignmentRow, SignalRow


def describe_lead(story: Story) -> str:
    """The lead in a line: ``Lead 17: Jane Doe, VP Sales at Acme, jane@acme.example, +4420…``."""
    lead = story.lead
    if lead is None:
        kind = JourneyKind(story.journey.kind)
        what = "whose lead is" if kind is JourneyKind.LEAD else f"about one of the {kind.plural} that is"
        return f"Journey {story.journey.id}, {what} not known yet"
    name = lead.full_name or " ".join(filter(None, (lead.first_name, lead.last_name)))
    role = " at ".join(filter(None, (lead.job_title, lead.company)))
    parts = [part for part in (name, role, lead.email, lead.phone, lead.country) if part]
    return f"Lead {lead.id}: {', '.join(parts) or 'nothing is known'}"


def describe_standing(story: Story) -> str:
    """Where the lead stands, in a line."""
    journey = story.journey
    stage = journey.stage.replace("_", "-")
    words = {
        JourneyStatus.READY: f"waits at {stage}",
        JourneyStatus.HELD: f"is held at {stage}",
        JourneyStatus.OWNED: "has an owner",
        JourneyStatus.JOINED: f"joined journey J{journey.joined_to}, which is about the same person",
        JourneyStatus.NURTURE: "is in nurture",
        JourneyStatus.DISQUALIFIED: "is disqualified",
        JourneyStatus.DONE: "was followed up",
        JourneyStatus.DISCARDED: f"was discarded at {stage}",
    }
    if journey.status == JourneyStatus.DONE and journey.stage == StageName.QUALIFICATION:
        words[JourneyStatus.DONE] = "scored it again: it stays qualified"
    others = [f"J{j.id} ({j.trigger}, {j.status})" for j in story.journeys if j.id != journey.id]
    also = f" Its other journeys: {', '.join(others[:6])}{'…' if len(others) > 6 else ''}." if others else ""
    return f"Journey J{journey.id} {words[JourneyStatus(journey.status)]}.{also}"


def answer_trigger(story: Story) -> Answer:
    answer = Answer("What triggered it?")
    journey = story.journey
    if journey.trigger != Trigger.SIGNAL:
        answer.say(f"{_explain_rescoring(story)} It was first heard of like this:")
    own = next((s for s in story.signals if s.journey_id == journey.id), None)
    signal = own or next(iter(story.signals), None)
    if signal is not None:
        origin = f", from {signal.origin}" if signal.origin else ""
        answer.say(f"A signal of the source {signal.source}, received {format_moment(signal.received_at)} UTC{origin}.")
        _tell_sender(answer, signal, story)
        fields, notations = read_recognised(signal.recognised)
        for header, field in fields.items():
            answer.say(f"Its column {show_value(header)} was taken as {field} by the values of its file.")
        for header, notation in notations.items():
            answer.say(f"Its column {show_value(header)} writes {NOTATIONS[notation]}, by the values of its file.")
        payload = orjson.loads(signal.payload)
        if signal.unreadable:
            answer.say(f"It could not be read: {signal.unreadable}.", f"As received: {payload.get('raw')}")
        else:
            rows = [(str(name), show_value(value)) for name, value in payload.items() if value not in (None, "")]
            answer.show(("column", "as received"), rows, more=" columns (--json shows them)")
        others = [each for each in story.signals if each.id != signal.id]
        if others:
            count = max(len(others), story.counts.get("signals", 0) - 1)
            answer.say(f"{format_count(count, 'more signal is', 'more signals are')} about the same person:")
            because = {join.journey_id: describe_keys(join.because) for join in story.joins}
            answer.show(
                ("journey", "received (UTC)", "source", "from", "the same person because of"),
                [
                    (
                        f"J{s.journey_id}",
                        format_moment(s.received_at),
                        s.source,
                        s.origin or "",
                        because.get(s.journey_id, ""),
                    )
                    for s in others
                ],
            )
    _tell_compared(answer, story)
    if story.activities:
        answer.say(
            f"{format_count(story.counts.get('activities', 0), 'activity', 'activities')} since, the latest last:"
        )
        latest = story.activities[-LAST:]
        answer.show(
            ("when (UTC)", "what", "by"),
            [
                (format_moment(a.occurred_at), a.kind + (", taken back" if a.withdrawn_at else ""), a.rep or a.actor)
                for a in latest
            ],
        )
    if story.same_phone:
        leads = ", ".join(map(str, story.same_phone))
        answer.say(f"The same phone number: lead {leads}. That is a hint, no proof, of the same person.")
    return answer


def _tell_sender(answer: Answer, signal: SignalRow, story: Story) -> None:
    """Of a signal that came over HTTP: from where, by which request, and whether that request's id came again."""
    if signal.request_id is None:
        return
    address = signal.client_address or "an unknown address"
    answer.say(f"It was sent from {address}, as request {signal.request_id}.")
    for each in story.reused:
        if (each.source, each.request_id) == (signal.source, signal.request_id):
            answer.say(
                f"The same id came again with another body {format_count(each.times, 'time', 'times')}, "
                "the last time "
                f"{format_moment(each.last_at)} UTC from {each.last_address or 'an unknown address'}; that was refused."
            )


def _explain_rescoring(story: Story) -> str:
    at = story.journey.captured_at
    if story.journey.trigger == Trigger.RECYCLE:
        return (
            "It was given back or had gone quiet, and its time to come back came, so it went through qualification "
            f"again on {format_moment(at)} UTC."
        )
    if story.journey.trigger == Trigger.ENRICH:
        return (
            "It had passed without a provider that could not be asked, so it went through enrichment and qualification "
            f"again on {format_moment(at)} UTC."
        )
    earlier = [q for q in story.qualifications if q.journey_id < story.journey.id]
    foretold = earlier[-1].changes_at if earlier else None
    if foretold is not None and foretold <= at:
        return (
            f"Nothing new: with time alone the verdict or the grade of its last score was to change "
            f"{format_moment(foretold)} UTC, so it was scored again on {format_moment(at)} UTC."
        )
    return (
        f"Something new became known about a lead who had been through before, so it was scored again on "
        f"{format_moment(at)} UTC."
    )


def _tell_compared(answer: Answer, story: Story) -> None:
    """Whom it was compared with, and what people said about that."""
    here = story.journey.id
    mine = [each for each in story.joins if each.journey_id == here]
    if mine and mine[-1].lead_id == story.journey.lead_id:
        words = "joined its open journey" if mine[-1].joined_to else "took it up again"
        answer.say(
            f"It is about known lead {mine[-1].lead_id}, and {words}, because of {describe_keys(mine[-1].because)}."
        )
    compared = [each for each in story.lookalikes if each.journey_id == here]
    if compared:
        answer.say("It was compared with leads that may be the same person:")
        answer.show(
            ("lead", "score", "what agrees; what differs"),
            [
                (str(each.lead_id), str(each.score), describe_levels(each.levels) or describe_keys(each.levels))
                for each in compared
                if each.generation == compared[-1].generation
            ],
        )
    for each in story.verdicts:
        said = f"are the same person; what is about both goes to lead {each.keep}" if each.same else "are different"
        answer.say(f"{each.by} said that lead {each.low} and lead {each.high} {said}, {format_moment(each.at)} UTC.")


def answer_owner(story: Story, now: datetime) -> Answer:
    answer = Answer("Who owns it, and why them?")
    mine = [a for a in story.assignments if a.journey_id == story.journey.id]
    current = next((a for a in mine if a.ended_at is None), None)
    if current is None:
        answer.say(_explain_no_owner(story, now))
    assignment = current or (mine[-1] if mine else None)
    if assignment is not None:
        pool = f" and pool {assignment.pool}" if assignment.pool else ""
        have = "has had it since" if assignment is current else "had it from"
        by_hand = AssignmentMethod(assignment.method).by_hand
        way = f"by hand ({assignment.rule})" if by_hand else f"by route {assignment.rule}{pool}"
        answer.say(f"{assignment.owner} {have} {format_moment(assignment.assigned_at)} UTC, {way}.")
        answer.say(assignment.why)
        for words in (_describe_inputs(assignment), _describe_turns(assignment), _describe_clock(assignment)):
            if words:
                answer.say(words)
        if len(assignment.candidates) > 1 or not assignment.turn:
            answer.say("Considered:")
        answer.show(
            ("rep", "could take it", "turns, weight", "because"),
            [_format_candidate(c) for c in assignment.candidates],
        )
    for ended in mine if current is None else mine[:-1]:
        if ended is not assignment or ended.ended_at is not None:
            answer.say(
                f"{ended.owner} had it until {format_moment(ended.ended_at)} UTC: {_describe_ending(story, ended)}."
            )
    return answer


def _describe_ending(story: Story, ended: AssignmentRow) -> str:
    """Why an assignment ended; where a person decided it, in their words."""
    here = (ended.journey_id, ended.generation)
    notes = [
        action.note
        for action in story.actions
        if (action.journey_id, action.generation) == here
        and action.what in (ActionKind.REASSIGN, ActionKind.UNASSIGN, ActionKind.TRANSFER)
        and action.note
    ]
    given_back = f"; the turn that it took in pool {ended.pool} was given back" if ended.turn_given_back else ""
    return (f"{ended.end_reason}: {notes[-1]}" if notes else str(ended.end_reason)) + given_back


def _describe_inputs(assignment: AssignmentRow) -> str:
    """What the rule read of the lead, as it was then."""
    inputs = assignment.inputs or {}
    values = [f"{name.replace('_', ' ')} {'not given' if value is None else value}" for name, value in inputs.items()]
    return f"It read: {', '.join(values)}." if values else ""


def _describe_turns(assignment: AssignmentRow) -> str:
    """How the pool's count moved."""
    pointer = assignment.pointer
    if not pointer:
        return ""
    (before, after), (had, has) = pointer["position"], pointer["turns"]
    if "given_back" in pointer:
        left = format_count(pointer["given_back"][1], "more is to be filled", "more are to be filled")
        return (
            f"It filled a turn of {assignment.owner} that was given back in pool {assignment.pool}, whose counts stay "
            f"at {after} and {has}; {left}."
        )
    return (
        f"Pool {assignment.pool} went from {before} to {after} turns since its members last changed, "
        f"{assignment.owner} from {had} to {has}."
    )


def _describe_clock(assignment: AssignmentRow) -> str:
    since = assignment.clock_from
    return f"The SLA's clock of the owner before goes on, since {format_moment(since)} UTC." if since else ""


def _format_candidate(line: CandidateLine) -> tuple[str, ...]:
    turns = "" if line.get("turns") is None else f"{line['turns']}, "
    weight = "" if line.get("weight") is None else f"{line['weight']:g}"
    return str(line["rep"]), "yes" if line["eligible"] else "no", turns + weight, str(line["reason"])


def _explain_no_owner(story: Story, now: datetime) -> str:
    journey = story.journey
    status, stage = journey.status, journey.stage.replace("_", "-")
    if status == JourneyStatus.READY:
        if journey.run_after <= now:
            return f"Nobody yet: it waits at {stage} for the next run."
        if journey.stage == StageName.ASSIGNMENT and journey.waits_for:
            return f"Nobody yet: it waits at {stage}. {journey.waits_for}"
        return f"Nobody yet: it waits at {stage}. It is tried again after {format_moment(journey.run_after)} UTC."
    if status == JourneyStatus.HELD:
        item = next((w for w in story.work_items if w.id == journey.work_item_id), None)
        decides = f"; {item.assignee or item.route} decides" if item else ""
        return f"Nobody yet: it is held at {stage}{decides}."
    if status == JourneyStatus.JOINED:
        return f"Whoever has journey J{journey.joined_to}: `leadgate explain J{journey.joined_to}`."
    if status == JourneyStatus.DONE:
        again = " It was only scored again." if stage == StageName.QUALIFICATION else ""
        return f"Nobody any more: it was followed up.{again}"
    reason = next((h.reason for h in reversed(story.handoffs) if h.journey_id == journey.id), None)
    return f"Nobody: it is {status if status != JourneyStatus.NURTURE else 'in nurture'}" + (
        f", because {reason}." if reason else "."
    )
