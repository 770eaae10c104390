"""The last two questions about a lead: what proves that it worked, and what happens when it does not.

Belongs here: pure functions from ``ledger.lead_history.Story`` to words, unescaped. Does not belong here: where
the lead came from and whose it is (``trigger``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from console.answers import Answer, format_iso_moment, show_value
from console.explain import crm_writes, follow_up, scores
from console.screen import format_moment, format_span
from console.suggestions import suggest
from leadgate.counting import format_count
from leadgate.ledger.lead_history import Story
from leadgate.playbook import Playbook
from leadgate.vocabulary import ActionKind, HandoffOutcome, JourneyStatus, StageName

if TYPE_CHECKING:
    from leadgate.json_columns import ConsideredAccount
    from leadgate.ledger.story_rows import ActionRow, AssignmentRow, HandoffRow, MessageRow, WorkItemRow


def answer_evidence(story: Story) -> Answer:
    answer = Answer("What evidence proves it worked?")
    answer.show(
        ("when (UTC)", "stage", "outcome", "its gate"),
        [_format_handoff(story, h) for h in story.handoffs if h.journey_id == story.journey.id],
    )
    scored = [q for q in story.qualifications if q.journey_id == story.journey.id]
    if scored:
        scores.tell(answer, scored[-1], story.lead)
    lead = story.lead
    if lead is not None and lead.provenance:
        answer.say("Added to what the lead said:")
        answer.show(
            ("field", "value", "from", "when (UTC)"),
            [
                (
                    name,
                    show_value(getattr(lead, name, None)),
                    origin.get("provider", "") + (", answered before" if origin.get("kept") else ""),
                    format_iso_moment(origin.get("at")),
                )
                for name, origin in lead.provenance.items()
            ],
        )
    for name, missing in (lead.not_enriched or {}).items() if lead is not None else ():
        answer.say(f"Not enriched by {name}: {missing['why']}.")
    if lead is not None and lead.enrich_at is not None:
        answer.say(f"It is looked up again from {format_moment(lead.enrich_at)} UTC, once nobody has it.")
    if lead is not None and lead.account_candidates:
        answer.say("Accounts considered:")
        answer.show(
            ("account", "score", "found by", "taken"),
            [_format_account(each) for each in lead.account_candidates],
        )
    for each in story.assignments:
        if each.accepted_at is not None:
            answer.say(f"{_describe_acceptance(each, story.actions)} {format_moment(each.accepted_at)} UTC.")
        if each.touched_at is not None:
            took = format_span(each.touched_at - each.assigned_at)
            answer.say(f"First touch by {each.owner}: {format_moment(each.touched_at)} UTC, {took} after assignment.")
    for said in story.recorded_outcomes:
        reason = f" ({said.reason})" if said.reason else ""
        who = f" by {said.rep}" if said.rep else ""
        withdrawn = f"; {said.withdrawn_by} took it back" if said.withdrawn_at is not None else ""
        answer.say(
            f"Outcome on record: {said.kind}{reason}{who}, {format_moment(said.occurred_at)} UTC, recorded by "
            f"{said.by} for figures alone{withdrawn}."
        )
    for record in story.expansions:
        stands = "open" if record.is_open else record.outcome or "closed"
        answer.say(f"It started an expansion at its account, which is {stands}: `leadgate explain R{record.id}`.")
    for message in story.messages:
        words = message.kind.replace("_", " ")
        answer.say(
            f"Message to {message.target}: {words}, {format_moment(message.created_at)} UTC, "
            f"{describe_delivery(message)}."
        )
    crm_writes.tell_writes(answer, story)
    for correction in story.corrections:
        answer.say(
            f"{correction.by} set {correction.field} to {correction.value or 'nothing'}, "
            f"{format_moment(correction.at)} UTC."
        )
    undone = story.list_undone()
    for action in story.actions:
        about = f" (work item W{action.work_item_id})" if action.work_item_id else ""
        note = f" ({action.note})" if action.note else ""
        if action.number in undone and action.what in (ActionKind.NOTE, ActionKind.TOUCH):
            note = " (taken back)"
        what = action.what.replace("_", " ")
        if action.undoes:
            what = f"undo of A{action.undoes}"
        acted_for = f" for {action.acted_for}" if action.acted_for else ""
        number = f" (A{action.number})" if action.number else ""
        answer.say(f"{action.by}{acted_for}: {what}{about}{note}, {format_moment(action.at)} UTC{number}.")
    if not answer.parts:
        answer.say("Nothing yet: no stage has handed it on.")
    return answer


def _describe_acceptance(assignment: AssignmentRow, actions: Sequence[ActionRow]) -> str:
    """Who accepted, and for whom: the owner's acceptance may be another person's act."""
    for action in reversed(actions):
        if action.what == ActionKind.ACCEPT and action.at == assignment.accepted_at:
            acted_for = action.acted_for or (assignment.owner if action.by != assignment.owner else None)
            return f"{action.by} accepted it for {acted_for}" if acted_for else f"{action.by} accepted it"
    return f"{assignment.owner} accepted it"


def describe_delivery(message: MessageRow) -> str:
    """How the delivery of a message goes."""
    tries = format_count(message.attempts, "attempt", "attempts")
    if message.delivered_at:
        return f"delivered {format_moment(message.delivered_at)} UTC" + (
            f", after {tries}" if message.attempts > 1 else ""
        )
    if message.given_up_at:
        return f"given up {format_moment(message.given_up_at)} UTC after {tries} ({message.failure})"
    if message.failure:
        next_at = format_moment(message.retry_at)
        return f"failed, after {tries} so far ({message.failure}), tried again after {next_at} UTC"
    return "being sent" if message.attempts else "waiting in the outbox"


def _format_account(considered: ConsideredAccount) -> tuple[str, ...]:
    name = f"{considered['name']} ({considered['account_id']})" if considered["name"] else considered["account_id"]
    if not considered.get("taken"):
        return name, str(considered["score"]), considered["because"], "no"
    parents: dict[str, list[str]] = {}
    for field, parent in considered.get("inherited", {}).items():
        parents.setdefault(parent, []).append(field.removeprefix("account_"))
    given = "".join(f"; its {' and '.join(sorted(fields))} from {parent}" for parent, fields in parents.items())
    return name, str(considered["score"]), considered["because"], f"yes{given}"


def _format_handoff(story: Story, handoff: HandoffRow) -> tuple[str, ...]:
    again = f", rerun {handoff.generation}" if handoff.generation else ""
    stage = handoff.stage.replace("_", "-") + again
    reason = f": {handoff.reason}" if handoff.reason else ""
    return format_moment(handoff.at), stage, handoff.outcome + reason, describe_gate(story, handoff)


def describe_gate(story: Story, handoff: HandoffRow) -> str:
    """What the gate of a handoff found about this lead, among the batch it was judged with."""
    gate = StageName(handoff.stage).gate
    found = next((g for g in story.gates if (g.batch_id, g.gate) == (handoff.batch_id, gate)), None)
    if found is None:
        return "by a person" if handoff.batch_id is None else ""
    key = (handoff.journey_id, handoff.generation)
    warned = [w.reason for w in story.warnings if (w.journey_id, w.generation, w.gate) == (*key, gate)]
    broke = [
        w.promise
        for w in story.work_items
        if (w.journey_id, w.generation, w.stage) == (*key, handoff.stage) and w.promise and w.blocking
    ]
    promises = format_count(len(found.evidence), "promise", "promises")
    if broke:
        words = f"{gate}: {promises}, broken: {', '.join(broke)}"
    elif handoff.outcome == HandoffOutcome.HELD:
        words = f"{gate}: {promises}"
    else:
        words = f"{gate}: {promises}, " + ("kept" if not warned else f"passed with a warning: {', '.join(warned)}")
    return f"{words} (batch {found.batch_id}, {format_count(found.rows, 'row', 'rows')})"


def answer_failure(story: Story, playbook: Playbook, now: datetime, *, commands: bool = True) -> Answer:
    """``commands``: with those of the command line; a page has buttons."""
    answer = Answer("What happens when the normal path fails?")
    held_by = story.journey.work_item_id
    for item in story.work_items:
        if item.closed_at is None:
            tell_open_item(answer, item, now)
            if commands and item.id == held_by:
                answer.show(("what can be done", ""), suggest(item))
    current = next(
        (a for a in story.assignments if a.journey_id == story.journey.id and a.ended_at is None),
        None,
    )
    if current is not None:
        follow_up.tell_due(answer, story, current, playbook, now)
        if commands:
            _tell_owners_commands(answer, story)
    status = story.journey.status
    if status == JourneyStatus.READY and not commands:
        answer.say("It goes on within seconds, as soon as a consumer takes it or somebody runs Leadgate.")
    elif status == JourneyStatus.READY:
        answer.say(
            "`leadgate run` takes it on. Were that killed, nothing of a stage would be half done, and "
            "the next run would continue."
        )
    elif status in (JourneyStatus.NURTURE, JourneyStatus.DISQUALIFIED):
        follow_up.tell_recycling(answer, story, playbook)
        answer.say("A new signal or activity of this person has it scored again.", _explain_rescoring(story))
    elif status == JourneyStatus.DONE:
        answer.say(
            "Nothing is open. A new signal of this person starts a new journey; an activity has it scored again.",
            _explain_rescoring(story, " Nobody is assigned again while it stays qualified."),
        )
    for item in story.work_items:
        if item.closed_at is not None:
            tell_closed_item(answer, item)
    if not answer.parts:
        answer.say("Nothing failed, and nothing is open.")
    return answer


def tell_closed_item(answer: Answer, item: WorkItemRow) -> None:
    resolution = str(item.resolution).replace("_", " ")
    note = f": {item.note}" if item.note else ""
    answer.say(
        f"Work item W{item.id} ({item.reason} at {item.stage}) was closed by "
        f"{item.closed_by}, {format_moment(item.closed_at)} UTC, as {resolution}{note}."
    )


def _tell_owners_commands(answer: Answer, story: Story) -> None:
    answer.say(
        f"`leadgate reject J{story.journey.id} --reason …` gives it back, "
        f"`leadgate reassign J{story.journey.id} --to REP --reason …` gives it to somebody else."
    )


def _explain_rescoring(story: Story, more: str = "") -> str:
    """When the passing of time alone has the lead scored again, if it does."""
    at = story.lead.score_changes_at if story.lead else None
    return (
        f"Without news it is scored again {format_moment(at)} UTC, when its verdict or grade changes.{more}"
        if at
        else ""
    )


def tell_open_item(answer: Answer, item: WorkItemRow, now: datetime) -> None:
    answer.say(f"Work item W{item.id} ({item.reason}) at {item.stage}: {item.message}")
    if item.value:
        answer.say(f"The value seen: {item.value}")
    if item.detail:
        considered = item.reason == "nobody_available"
        answer.say(f"{'Considered' if considered else 'What is wrong with it'}: {item.detail}")
    if item.proposal:
        answer.say(f"Proposed: {', '.join(f'{name}={value}' for name, value in item.proposal.items())}")
    due = format_moment(item.due_at)
    late = f", {format_span(now - item.due_at)} ago" if item.due_at < now else ""
    answer.say(f"{item.assignee or item.route} decides, by {due} UTC{late}.")
    if item.escalated_at is not None:
        answer.say(
            f"Nobody took it in time: escalated to {item.escalated_to} at {format_moment(item.escalated_at)} UTC."
        )
