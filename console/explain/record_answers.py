"""The four questions about a record: what triggered it, who owns it and why, what proves it, what if it fails.

Belongs here: what is told of a record alone, around the answers that are told of a lead's journey, too. Does not belong
here: the record's story as a timeline (``console.record_timeline``), or printing (``record``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from console.answers import Answer, show_value
from console.display_names import DisplayNames, write_as_words
from console.explain import evidence, follow_up, trigger
from console.forecast.sentences import format_day
from console.record_timeline import list_changes
from console.screen import format_moment
from console.suggestions import suggest
from leadgate import references
from leadgate.ledger.lead_history import Story
from leadgate.ledger.record_history import RecordStory, VersionRow
from leadgate.playbook import Playbook
from leadgate.records.fields import LEAD
from leadgate.vocabulary import JourneyKind, JourneyStatus, Trigger


def answer_questions(
    record: RecordStory, story: Story, playbook: Playbook, names: DisplayNames, now: datetime, *, commands: bool = True
) -> list[Answer]:
    """The answers about the journey of ``story``. ``playbook`` is the whole one; ``commands``: with those of the
    command line."""
    view = playbook.for_kind(JourneyKind(record.record.kind))
    return [
        _answer_trigger(record, story, names),
        trigger.answer_owner(story, now),
        _answer_evidence(record, story, view),
        _answer_failure(record, story, view, now, commands=commands),
    ]


def _answer_trigger(record: RecordStory, story: Story, names: DisplayNames) -> Answer:
    answer = Answer("What triggered it?")
    journey = story.journey
    if journey.trigger == Trigger.DUE:
        answer.say(f"No update: the time to look at it again had come, {format_moment(journey.captured_at)} UTC.")
    signal = next((each for each in story.signals if each.journey_id == journey.id), None)
    if signal is not None:
        origin = f", from {signal.origin}" if signal.origin else ""
        answer.say(
            f"An update of the source {signal.source}, received {format_moment(signal.received_at)} UTC{origin}."
        )
        if signal.unreadable:
            answer.say(f"It could not be read: {signal.unreadable}.")
    if (named := _find_lead(record)) is not None:
        answer.say(f"It came from {named}.")
    own = next((each for each in reversed(record.versions) if each.journey_id == journey.id), None)
    if own is not None:
        late = "; it came late, after a later one was known" if own.late else ""
        answer.say(f"It was changed {_describe_change(own, names)}, as version {own.number}{late}.")
        answer.show(("field", "from", "to"), list(list_changes(own)))
    if len(record.versions) > 1:
        answer.say("Its versions, the latest last:")
        answer.show(
            ("version", "changed (UTC)", "by", "what changed"),
            [_format_version(each, names) for each in record.versions[-12:]],
        )
    return answer


def _find_lead(record: RecordStory) -> str | None:
    """The lead that the record names, in words."""
    told = [changes[LEAD] for each in record.versions if not each.late and LEAD in (changes := each.changes or {})]
    changed = told[-1] if told else None
    if not isinstance(changed, list) or changed[1] is None:
        return None
    found = references.parse(str(changed[1]))
    if found is not None and found[0] == "lead":
        return f"lead {found[1]}: `leadgate explain L{found[1]}`"
    return f"the lead {show_value(changed[1])}"


def _describe_change(version: VersionRow, names: DisplayNames) -> str:
    by = f" by {names.name_rep(version.changed_by)}" if version.changed_by else ""
    return f"{format_moment(version.changed_at)} UTC{by}"


def _format_version(version: VersionRow, names: DisplayNames) -> tuple[str, ...]:
    by = names.name_rep(version.changed_by) if version.changed_by else ""
    if version.late:
        words = "late"
    elif version.number == 1:
        words = "told for the first time"
    else:
        words = ", ".join(f"{name}: {before} → {after}" for name, before, after in list_changes(version))
    return str(version.number), format_moment(version.changed_at), by, words or "nothing"


def _answer_evidence(record: RecordStory, story: Story, view: Playbook) -> Answer:
    judged = next((each for each in reversed(record.judgements) if each.journey_id == story.journey.id), None)
    answer = evidence.answer_evidence(story)
    if judged is not None:
        why = f", because of {write_as_words(judged.reason)}" if judged.reason else ""
        answer.say(f"Judged {format_moment(judged.at)} UTC: {write_as_words(judged.outcome)}{why}. It rests on:")
        facts = [(write_as_words(name), _show_fact(value)) for name, value in (judged.facts or {}).items()]
        answer.show(("fact", "value"), [(name, value) for name, value in facts if value])
    if not record.record.is_open:
        ended = "it was deleted where it came from" if record.is_deleted else record.record.outcome
        answer.say(f"It is closed: {ended or 'nobody follows it up any more'}.")
    return follow_up.add_evidence(answer, story, view)


def _show_fact(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(show_value(each) for each in value)
    return show_value(value)


def _answer_failure(record: RecordStory, story: Story, view: Playbook, now: datetime, *, commands: bool) -> Answer:
    answer = Answer("What happens when the normal path fails?")
    for item in story.work_items:
        if item.closed_at is None:
            evidence.tell_open_item(answer, item, now)
            if commands and item.id == story.journey.work_item_id:
                answer.show(("what can be done", ""), suggest(item))
    current = next((a for a in story.assignments if a.journey_id == story.journey.id and a.ended_at is None), None)
    if current is not None:
        follow_up.tell_due(answer, story, current, view, now)
    for slip in record.slips:
        answer.say(
            f"It slipped: it was to close {format_day(slip.close_date)}, and was open still, which was noticed "
            f"{format_moment(slip.noticed_at)} UTC."
        )
    if record.record.again_at is not None:
        answer.say(f"A run looks at it again by itself from {format_moment(record.record.again_at)} UTC.")
    if story.journey.status == JourneyStatus.READY:
        answer.say("It goes on with the next run. Were that killed, the one after it would continue.")
    for item in story.work_items:
        if item.closed_at is not None:
            evidence.tell_closed_item(answer, item)
    if not answer.parts:
        answer.say("Nothing failed, and nothing is open. An update of the record starts a journey of its own.")
    return answer
