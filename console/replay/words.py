"""What a replay found, in words: what differs, and why of one lead.

Belongs here: sentences that the terminal and the page share. Does not belong here: tables of either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from console.display_names import DisplayNames, write_as_words
from leadgate.counting import format_count
from leadgate.replay.comparison import ChangedJourney, Comparison, End, JourneyEnd, Kind
from leadgate.replay.limits import MEASURES, Measured
from leadgate.vocabulary import JourneyKind
from tasks.replay.results import Later, ReplayResult
from tasks.replay.self_check import Difference, SelfCheck

ENDS: Final = {
    End.OWNED: "has an owner",
    End.WAITING: "waits for an owner",
    End.HELD: "held",
    End.REVIEW: "in review",
    End.NURTURE: "nurture",
    End.DISQUALIFIED: "disqualified",
    End.DONE: "stays with its owner",
    End.JOINED: "joined another",
    End.UNDER_WAY: "under way",
}
KINDS: Final = {
    Kind.DROPPED: "get no owner any more",
    Kind.NEWLY_OWNED: "get an owner that had none",
    Kind.NEWLY_HELD: "are newly held",
    Kind.NO_LONGER_HELD: "are held no longer",
    Kind.LATER: "go on later, when the time of their record has come",
    Kind.OTHER_END: "end elsewhere",
    Kind.OTHER_OWNER: "get another owner",
    Kind.OTHER_ROUTE: "get the same owner by another route or pool",
    Kind.OTHER_DUE: "are due at another time",
    Kind.OTHER_REASON: "end the same for another reason",
    Kind.OTHER_SCORE: "get another score, and nothing else",
}
#: The same, of updates of records: what ends needs no owner.
_ENDS_OF_RECORDS: Final = ENDS | {End.DONE: "ends here", End.NURTURE: "waits for its time"}
#: What became of leads that would get no owner any more, where its name is not what people say.
_LATER: Final = {Later.UNTOUCHED: "not touched yet", Later.UNOWNED: "still waiting for an owner"}
_IN_SHORT: Final = 3
#: Parts of a playbook as people call them.
_PARTS: Final = {
    "crm": "CRMs", "kinds": "opportunities, renewals and expansions", "reassignments": "reassignment",
    "tell": "who else hears of an update",
}  # fmt: skip


@dataclass(frozen=True)
class Nouns:
    """What the journeys of a kind are about: a lead, or an update of a record."""

    one: str
    many: str

    def count(self, count: int) -> str:
        return format_count(count, self.one, self.many)


def find_nouns(kind: JourneyKind) -> Nouns:
    """
    >>> find_nouns(JourneyKind.LEAD).many, find_nouns(JourneyKind.RENEWAL).count(1)
    ('leads', '1 renewal update')
    """
    one, many = kind.value, kind.plural
    return Nouns(one, many) if kind is JourneyKind.LEAD else Nouns(f"{one} update", f"{one} updates")


def find_end_words(kind: JourneyKind) -> Mapping[End, str]:
    """Where journeys of a kind end, in words."""
    return ENDS if kind is JourneyKind.LEAD else _ENDS_OF_RECORDS


def describe_period(result: ReplayResult) -> str:
    """Which leads are decided again, and by which playbook."""
    since = "" if result.since is None else f" since {result.since:%Y-%m-%d %H:%M} UTC"
    until = "" if result.until is None else f" until {result.until:%Y-%m-%d %H:%M} UTC"
    return (
        f"{find_nouns(result.kind).many.capitalize()}{since}{until} by {result.draft.path} ({result.draft.hash[:12]})"
    )


def describe_check(check: SelfCheck) -> list[str]:
    """What the self-check found, a sentence each. ``list_differences`` names the decisions."""
    again = f"{format_count(check.decisions, 'decision was', 'decisions were')} made again under the playbook that made"
    if not check.decisions:
        none = "Nothing was decided in this time whose inputs were kept."
        first = "Self-check: nothing that was decided in this time can be made again." if check.not_made else none
    elif check.different_decisions:
        first = (
            f"Self-check: {again} them; {check.different_decisions:,} came out otherwise, and their journeys are left "
            "out below."
        )
    else:
        first = f"Self-check: {again} them, and all came out the same."
    lines = [first]
    if check.facts:
        made = format_count(check.facts, "decision was", "decisions were")
        lines.append(
            f"{made} no playbook's to make (who a person is, a parked source, a fault), and stay as they were."
        )
    lines += [
        f"{format_count(count, 'decision', 'decisions')} by playbook {hash_[:12]} cannot be made again: {why}"
        for hash_, (why, count) in check.unreadable.items()
    ]
    if check.damaged:
        made = format_count(check.damaged, "decision", "decisions")
        lines.append(f"What {made} came from cannot be read; their journeys are left out below.")
    return lines


def list_differences(check: SelfCheck) -> list[str]:
    """The decisions that came out otherwise, and those that cannot be made again, a sentence each."""
    not_made = [f"J{each.journey}, {each.stage}: cannot be made again; {each.why}" for each in check.not_made]
    return [describe_difference(each) for each in check.differences] + not_made


def describe_difference(each: Difference) -> str:
    """A decision that came out otherwise when it was made again."""
    return f"J{each.journey}, {each.stage}: {each.what} was {each.recorded}, and is {each.again}"


def name_parts(parts: Collection[str]) -> str:
    """Parts of a playbook as people call them."""
    return ", ".join(_PARTS.get(name, write_as_words(name).lower()) for name in parts)


def describe_sum(comparison: Comparison) -> str:
    """How many journeys differ."""
    if not comparison.changed:
        return f"None of {format_count(comparison.journeys, 'journey', 'journeys')} differs."
    return f"{comparison.changed:,} of {format_count(comparison.journeys, 'journey', 'journeys')} differ:"


def describe_in_short(results: Sequence[ReplayResult]) -> str:
    """What a replay of several kinds found, in a sentence that stays on record with an activation."""
    since = results[0].since
    began = "" if since is None else f" since {since:%Y-%m-%d %H:%M} UTC"
    first, *others = (_describe_kind_in_short(each, began if each is results[0] else "") for each in results)
    return "; ".join([f"a replay of {first}", *(f"of {each}" for each in others)])


def _describe_kind_in_short(result: ReplayResult, began: str) -> str:
    comparison = result.comparison
    gravest = list(comparison.kinds.items())[:_IN_SHORT]  # a reason has a length
    ways = ", ".join(f"{count:,} {KINDS[kind]}" for kind, count in gravest)
    otherwise = result.check.different_decisions
    return (
        f"{find_nouns(result.kind).count(comparison.journeys)}{began}: {comparison.changed:,} differ"
        + (f"; {ways}" if ways else "")
        + (f"; {otherwise:,} decisions came out otherwise than recorded" if otherwise else "")
    )


def list_notes(result: ReplayResult, rotation_differs: bool) -> list[str]:
    """What a reader must know to read the figures right."""
    notes = []
    if result.comparison.uncertain:
        leads = format_count(result.comparison.uncertain, "lead was", "leads were")
        notes.append(f"{leads} held before any provider was asked: what they get here is without answers of providers.")
    if result.not_replayed:
        notes.append(f"The draft also changes {name_parts(result.not_replayed)}; a replay does not show what these do.")
    if result.simulated:
        notes.append("Turns and loads ran on from the start under the draft. No touch was made up.")
    elif rotation_differs:
        notes.append(
            "The draft changes who is in a pool, weights or caps: each lead was assigned by the turns of its moment. "
            "--simulate lets turns and loads run on."
        )
    return notes


def describe_changed(
    each: ChangedJourney, names: DisplayNames, zone: ZoneInfo, kind: JourneyKind = JourneyKind.LEAD
) -> tuple[str, str]:
    """A lead that differs, as it was and as it would be. Points are told of the rules that give others."""
    points = (each.before.contributions, each.after.contributions)
    differ = [rule for rule in {**points[0], **points[1]} if points[0].get(rule) != points[1].get(rule)]
    before, after = (_describe_end(end, differ, names, zone, find_end_words(kind)) for end in (each.before, each.after))
    return before, after + (" (no provider was asked)" if each.uncertain else "")


def _describe_end(
    end: JourneyEnd, rules: Sequence[str], names: DisplayNames, zone: ZoneInfo, ends: Mapping[End, str]
) -> str:
    words = [ends[end.end]]
    if end.owner is not None:
        words = [f"{names.name_rep(end.owner)}, by route {end.route}" + (f", pool {end.pool}" if end.pool else "")]
    elif end.reason is not None:
        words[0] += f" ({describe_reason(end.reason)})"
    if end.due_at is not None:
        words.append(f"due {end.due_at.astimezone(zone):%Y-%m-%d %H:%M}")
    if end.score is not None:
        points = ", ".join(f"{rule} {end.contributions.get(rule, 0):+d}" for rule in rules)
        words.append(f"score {end.score}" + (f" ({points})" if points else ""))
    return "; ".join(words)


def describe_later(word: str) -> str:
    """What became of a lead that would get no owner any more."""
    return _LATER.get(Later(word), word) if word in set(Later) else word


def describe_reason(reason: str) -> str:
    """A reason, which is a code or a sentence, in words."""
    return reason if " " in reason else write_as_words(reason).lower()


def describe_exceeded(exceeded: Sequence[Measured], kind: JourneyKind = JourneyKind.LEAD) -> list[str]:
    """The limits that the draft goes beyond, a sentence each."""
    return [
        f"--{each.name} {each.limit.in_words}: {each.count:,} {find_nouns(kind).many} {MEASURES[each.name].what}"
        + (f", {each.count / each.base:.1%} {MEASURES[each.name].of}" if each.base else "")
        for each in exceeded
    ]
