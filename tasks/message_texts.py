"""What a message to a person says: about one lead or record, or a digest of many. All pure.

Belongs here: words, and which values may be in them. Does not belong here: where a message goes (``tasks.delivery``),
or claiming and sending (``tasks.outbox``).

A message leaves the installation through a service that others run. Of a lead it shows an address or a number that
validation has found good, masked, and what the notification's ``shows`` allows on top. What a lead typed is cut short,
on a line of its own kind, and nothing in it can be clicked; ``connectors.notify`` makes plain what a service would
interpret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from leadgate.ledger.message_facts import MessageFacts
from leadgate.ledger.outbox import Message
from leadgate.masking import mask
from leadgate.plain_text import defang, format_line
from leadgate.playbook import MessageFact, Playbook, Rep, ShownFact
from leadgate.vocabulary import JourneyKind, MessageKind
from tasks.delivery import mask_target


@dataclass(frozen=True)
class Words:
    """A message as it is read. Plain text; the last line of ``body`` carries the key."""

    title: str
    body: str


class Template(NamedTuple):
    """A message about one lead or record, and a digest about ``count`` of them: their titles and sentences.

    They name fields of ``_build_fields``, and hold no other values: ``what`` and ``several`` are what it is about, such
    as lead and leads, and ``number`` is its id.
    """

    title: str
    sentence: str
    digest_title: str
    digest_sentence: str


_ABOUT_THE_FIRST_TOUCH: Final = (
    MessageKind.LEAD_ASSIGNED,
    MessageKind.LEAD_HEARD_AGAIN,
    MessageKind.FIRST_TOUCH_DUE,
    MessageKind.FIRST_TOUCH_OVERDUE,
)

TEMPLATES: Final[Mapping[str, Template]] = {
    MessageKind.LEAD_ASSIGNED: Template(
        "New {what} {number}", "This {what} is yours.", "{count} new {several}", "These {several} are yours."
    ),
    MessageKind.LEAD_HEARD_AGAIN: Template(
        "{What} {number} was heard of again",
        "There is news about your {what}.",
        "{count} {several} were heard of again",
        "There is news about your {several}.",
    ),
    MessageKind.LEAD_WARMED_UP: Template(
        "{What} {number} warmed up",
        "A lead that you followed up has done more since.",
        "{count} {several} warmed up",
        "Leads that you followed up have done more since.",
    ),
    MessageKind.FIRST_TOUCH_DUE: Template(
        "Reminder: {what} {number} waits",
        "Your {what} waits for its first touch.",
        "Reminder: {count} {several} wait",
        "Your {several} wait for their first touch.",
    ),
    MessageKind.FIRST_TOUCH_OVERDUE: Template(
        "Overdue: {what} {number}",
        "{owner} has not touched this {what} yet.",
        "Overdue: {count} {several}",
        "Nobody has touched these {several} yet.",
    ),
    MessageKind.ACCEPTANCE_DUE: Template(
        "Reminder: {what} {number} waits",
        "Please accept or reject your {what}.",
        "Reminder: {count} {several} wait",
        "Please accept or reject your {several}.",
    ),
    MessageKind.ACCEPTANCE_OVERDUE: Template(
        "Overdue: {what} {number}",
        "{owner} has neither accepted nor rejected this {what} yet.",
        "Overdue: {count} {several}",
        "Their owners have neither accepted nor rejected these {several} yet.",
    ),
    MessageKind.NEXT_TOUCH_DUE: Template(
        "Reminder: {what} {number} waits",
        "Your {what} waits for its next touch.",
        "Reminder: {count} {several} wait",
        "Your {several} wait for their next touch.",
    ),
    MessageKind.NEXT_TOUCH_OVERDUE: Template(
        "Overdue: {what} {number}",
        "{owner} has not touched this {what} again yet.",
        "Overdue: {count} {several}",
        "Their owners have not touched these {several} again yet.",
    ),
    MessageKind.STAGE_DUE: Template(
        "Reminder: {what} {number} stays long",
        "Please accept your {what}, or give it back.",
        "Reminder: {count} {several} stay long",
        "Please accept your {several}, or give them back.",
    ),
    MessageKind.STAGE_OVERDUE: Template(
        "Overdue: {what} {number}",
        "{owner} has neither accepted nor finished this {what} in time.",
        "Overdue: {count} {several}",
        "Their owners have neither accepted nor finished these {several} in time.",
    ),
    MessageKind.LEAD_STALE: Template(
        "{What} {number} went quiet",
        "Nothing has happened about your {what} for days.",
        "{count} {several} went quiet",
        "Nothing has happened about your {several} for days.",
    ),
    MessageKind.LEAD_TAKEN_BACK: Template(
        "{What} {number} was taken back",
        "Nothing happened in time, so it goes to somebody else.",
        "{count} {several} were taken back",
        "Nothing happened in time, so they go to somebody else.",
    ),
    MessageKind.LEAD_RECYCLED: Template(
        "{What} {number} goes back to nurture",
        "Nothing has happened about it for days. It comes back through qualification.",
        "{count} {several} go back to nurture",
        "Nothing has happened about them for days. They come back through qualification.",
    ),
    MessageKind.LEAD_HANDED_OVER: Template(
        "{What} {number} is not yours any more",
        "A person gave this {what} to somebody else, or took it back.",
        "{count} {several} are not yours any more",
        "A person gave these {several} to somebody else, or took them back.",
    ),
    MessageKind.RECORD_ASSIGNED: Template(
        "{What} {number} is yours", "This {what} is yours.", "{count} {several} are yours", "These {several} are yours."
    ),
    MessageKind.RECORD_CHANGED: Template(
        "{What} {number} has changed",
        "There is news about this {what}.",
        "{count} {several} have changed",
        "There is news about these {several}.",
    ),
    MessageKind.RECORD_SLIPPED: Template(
        "{What} {number} slipped",
        "Its close date has passed, and this {what} is still open.",
        "{count} {several} slipped",
        "Their close dates have passed, and these {several} are still open.",
    ),
    MessageKind.RECORD_DELETED: Template(
        "{What} {number} was deleted",
        "This {what} was deleted where it came from, or became part of another: nobody follows it up any more.",
        "{count} {several} were deleted",
        "These {several} were deleted where they came from, or became part of others: nobody follows them up any more.",
    ),
    MessageKind.WORK_ITEM_OVERDUE: Template(
        "Overdue: work item {item}",
        "This {what} waits behind {item}, which nobody has taken or decided in time: leadgate explain {item}.",
        "Overdue: {count} work items",
        "These {several} wait behind work items that nobody has taken or decided in time: leadgate queue.",
    ),
}
_ANY: Final = Template(
    "{What} {number}: {kind}",
    "There is news about this {what}.",
    "{count} {several}: {kind}",
    "There is news about these {several}.",
)
_BODY: Final = (
    "To {target}: {sentence}\n{What}: {about}, from {source}\n{facts}{due}More: leadgate explain {number}\nKey: {key}"
)
_DIGEST: Final = "To {target}: {sentence}\n{lines}\n{more}More: leadgate explain {number}\nKey: {key}"

#: Characters of a name, of everything that is known of a lead, and of a value that a lead typed.
_NAME: Final = 80
_LEAD: Final = 100
_TYPED: Final = 60
#: Leads that a digest names, and rules that it names for one lead.
_NAMED: Final = 20
_RULES: Final = 4
#: A validated address looks like this: nothing else is taken for one.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9_][^\s@<>()\[\]\\,;:\"|]{0,63}@[\w.-]{4,253}")
_NUMBER: Final = re.compile(r"\+[1-9]\d{6,14}")
_ITEM: Final = re.compile(r"\d{1,19}")
#: Nobody has validated the values of a lead that such a message is about.
_WITHOUT_FACTS: Final = frozenset({MessageKind.WORK_ITEM_OVERDUE})
#: Facts that are typed by a lead, in the order in which they are shown.
_TYPED_FACTS: Final[tuple[ShownFact, ...]] = ("name", "job_title", "company", "country")


def compose_message(
    message: Message,
    playbook: Playbook,
    now: datetime,
    *,
    shows: Sequence[MessageFact] = (),
    facts: MessageFacts | None = None,
) -> Words:
    """The message in words: a template, and values that are safe to leave the installation.

    ``shows``: the facts of the lead that may be in it; ``facts``: what they are.
    """
    fields = _build_fields(message, playbook, now, shows, facts)
    template = TEMPLATES.get(message.kind, _ANY)
    return Words(template.title.format(**fields), _BODY.format(sentence=template.sentence.format(**fields), **fields))


def compose_digest(
    messages: Sequence[Message],
    playbook: Playbook,
    now: datetime,
    *,
    shows: Sequence[MessageFact] = (),
    facts: Mapping[int, MessageFacts],
) -> Words:
    """One message in place of several of one kind to one target: a line a lead, what is due first at the top.

    ``facts`` are by journey. The first message's key stands for all of them.
    """
    first, count = messages[0], len(messages)
    fields = _build_fields(first, playbook, now, (), None) | {"count": f"{count:,}"}
    template = TEMPLATES.get(first.kind, _ANY)
    ordered = sorted(messages, key=lambda each: (each.due_at is None, each.due_at or each.created_at, each.id))
    lines = [_describe_in_digest(each, playbook, shows, facts.get(each.journey_id)) for each in ordered[:_NAMED]]
    return Words(
        template.digest_title.format(**fields),
        _DIGEST.format(
            sentence=template.digest_sentence.format(**fields),
            lines="\n".join(lines),
            more=f"and {count - _NAMED:,} more\n" if count > _NAMED else "",
            **fields,
        ),
    )


def _describe_in_digest(
    message: Message, playbook: Playbook, shows: Sequence[MessageFact], facts: MessageFacts | None
) -> str:
    shown = _choose_shown(message, shows, facts)
    typed = _list_typed(facts, shown) if facts is not None else []
    contacts = [value for _, value in _list_contacts(message, shown)]
    contacts = contacts or [format_line(_describe_subject(message, playbook, facts), _LEAD)]
    due = ""
    if message.due_at is not None and message.kind in _ABOUT_THE_FIRST_TOUCH:
        zone = _find_zone(message, {rep.name: rep for rep in playbook.reps})
        due = f", due {message.due_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"
    links = "".join(f"  {link}" for link in _list_records(playbook, shown, facts))
    return f"{_find_number(message)}: {', '.join([*typed, *contacts])}{due}{links}"


def _build_fields(
    message: Message, playbook: Playbook, now: datetime, shows: Sequence[MessageFact], facts: MessageFacts | None
) -> dict[str, str]:
    """The values that a template can name, each on a line of its own, without unseen characters, and no longer than
    it has to be. Of what a lead said there are only ``about`` and ``facts``."""
    reps = {rep.name: rep for rep in playbook.reps}
    item = message.key.rpartition(":")[2]  # of a message about one, whose key ends with its number
    what, several = message.about.value, message.about.plural
    known = {
        "what": what,
        "What": what.capitalize(),
        "several": several,
        "number": _find_number(message),
        "item": f"W{item}" if _ITEM.fullmatch(item) else "a work item",
        "kind": message.kind.replace("_", " "),
        "owner": _find_label(message.owner, reps),
        "target": _find_label(message.target, reps),
        "source": message.source,
        "key": message.key,
        "about": _describe_subject(message, playbook, facts),
    }
    fields = {name: format_line(value, _LEAD if name in ("about", "key") else _NAME) for name, value in known.items()}
    shown = _choose_shown(message, shows, facts)
    lines = [] if facts is None else _describe_facts(message, shown, facts)
    lines += [f"Record: {link}" for link in _list_records(playbook, shown, facts)]
    return fields | {
        "facts": "".join(f"{line}\n" for line in lines),
        "due": _describe_due(message, reps, now),
    }


def _choose_shown(message: Message, shows: Sequence[MessageFact], facts: MessageFacts | None) -> Sequence[MessageFact]:
    """The facts that this message may show: none of a lead whose values nobody has validated."""
    return () if message.kind in _WITHOUT_FACTS or facts is None else shows


def _find_label(name: str | None, reps: Mapping[str, Rep]) -> str:
    if name is None:
        return "Nobody"
    label = reps[name].label if name in reps else ""
    return label or (defang(mask_target(name)) if "@" in name else name)


def _find_number(message: Message) -> str:
    return f"J{message.journey_id}" if message.record_id is None else f"R{message.record_id}"


def _describe_subject(message: Message, playbook: Playbook, facts: MessageFacts | None) -> str:
    """The lead, or the record by its number and sales stage, where the playbook has that one: other text of a record
    may be anybody's."""
    if message.about is JourneyKind.LEAD:
        return _describe_lead(message)
    stages = {stage.name for stage in playbook.kinds.opportunity.sales_stages} if playbook.kinds.opportunity else ()
    stage = facts.sales_stage or "" if facts is not None else ""
    return _find_number(message) + (f", sales stage {stage.replace('_', ' ')}" if stage in stages else "")


def _describe_lead(message: Message) -> str:
    """What is known of the lead: an address or a number that validation has found good, masked; else that there is
    one, or none. What is not valid may be any text: a form must not be able to write to a sales team's channel."""
    if message.email is not None and _ADDRESS.fullmatch(message.email):
        return defang(mask(message.email))
    if message.phone is not None and _NUMBER.fullmatch(message.phone):
        return mask(message.phone)
    return "an address that could not be validated" if message.has_contact else "no address is known"


def _describe_facts(message: Message, shows: Sequence[MessageFact], facts: MessageFacts) -> list[str]:
    """A line for who the lead is, for each way to reach them, and for why the lead qualified; as ``shows`` allows."""
    typed = _list_typed(facts, shows)
    lines = [f"Who: {', '.join(typed)}"] if typed else []
    lines += [f"{name}: {value}" for name, value in _list_contacts(message, shows)]
    why = [
        *([f"score {facts.score}"] if "score" in shows and facts.score is not None else []),
        *([f"grade {format_line(facts.grade, _NAME)}"] if "grade" in shows and facts.grade else []),
        *(_list_reasons(facts) if "reasons" in shows else []),
    ]
    return [*lines, f"Why: {', '.join(why)}"] if why else lines


def _list_typed(facts: MessageFacts, shows: Sequence[MessageFact]) -> list[str]:
    values = {"name": facts.name, "job_title": facts.job_title, "company": facts.company, "country": facts.country}
    typed = [value for fact in _TYPED_FACTS if fact in shows and (value := values[fact])]
    if "company" in shows and facts.record_name:  # a record's name says as much as its account
        typed.insert(0, facts.record_name)
    shown = [defang(format_line(value, _TYPED)) for value in typed]
    return [value for value in shown if value]


def _list_contacts(message: Message, shows: Sequence[MessageFact]) -> list[tuple[str, str]]:
    """The ways to reach a lead that validation has found good, in full. An address's domain may be anybody's."""
    found = []
    if "phone" in shows and message.phone is not None and _NUMBER.fullmatch(message.phone):
        found.append(("Phone", message.phone))
    if "email" in shows and message.email is not None and _ADDRESS.fullmatch(message.email):
        found.append(("E-mail", defang(format_line(message.email, _LEAD))))
    return found


def _list_records(playbook: Playbook, shows: Sequence[MessageFact], facts: MessageFacts | None) -> list[str]:
    """The addresses of the lead's records in CRMs, whose ids are quoted: the playbook says where they lead."""
    if "record" not in shows or facts is None:
        return []
    return [
        each.record_link.replace("{record_id}", quote(facts.records[each.name], safe=""))
        for each in playbook.crm
        if each.record_link is not None and each.name in facts.records
    ]


def _list_reasons(facts: MessageFacts) -> list[str]:
    """The rules that counted most, with their points."""
    counted = sorted(facts.contributions.items(), key=lambda each: (-abs(each[1]), each[0]))
    return [f"{format_line(rule, _NAME)} {points:+d}" for rule, points in counted[:_RULES] if points]


def _find_zone(message: Message, reps: Mapping[str, Rep]) -> str:
    """Of the clock of whom the message is for, else of the owner's."""
    rep = reps.get(message.target) or reps.get(message.owner or "")
    return rep.time_zone if rep is not None else "UTC"


def _describe_due(message: Message, reps: Mapping[str, Rep], now: datetime) -> str:
    """When the first touch is due; a line, or nothing."""
    if message.due_at is None or message.kind not in _ABOUT_THE_FIRST_TOUCH:
        return ""
    zone = _find_zone(message, reps)
    verb = "was" if message.due_at < now else "is"
    return f"First touch {verb} due: {message.due_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})\n"
