"""What differs between two playbooks, in words: rules, points, thresholds, routes, pools, SLAs, people, and the rest.

Belongs here: pure comparisons of two playbooks. Does not belong here: the sentence of a rule
(``console.rule_sentences``), or how a difference is shown.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from console.display_names import DisplayNames, write_as_words
from console.kind_sentences import list_kind_sections
from console.redaction import sanitise
from console.rule_sentences import RuleSection, list_sections
from console.screen import format_span
from leadgate.expressions.wording import list_choices
from leadgate.playbook import Playbook, Rep
from leadgate.vocabulary import JourneyKind

PEOPLE: Final = "People"
REST: Final = "Everything else, by its key"
#: The parts that are told as sentences, with the titles of these. What no sentence says is told by its key.
_SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "scoring": ("Fit: who they are", "Engagement: what they did"),
    "qualification": ("Disqualification", "Qualification"),
    "territories": ("Routing",),
    "routing": ("Routing",),
    "pools": ("Pools",),
    "slas": ("SLAs",),
    "follow_up": ("SLAs",),
    "reps": (PEOPLE,),
}
#: Of these, sentences also say what has no name of its own: thresholds, groups, places.
_WHOLLY_TOLD: Final = frozenset({"scoring", "qualification", "territories"})
_LONGEST_VALUE: Final = 120  # characters


class ChangeKind(StrEnum):
    ADDED = "new"
    REMOVED = "gone"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True)
class Change:
    """One rule, rep or key that differs: what it said ``before``, and says ``after``; None where there is none."""

    section: str
    name: str
    kind: ChangeKind
    before: str | None
    after: str | None


def compare_playbooks(before: Playbook, after: Playbook) -> list[Change]:
    """Every difference that changes what is decided, in the order of the playbook."""
    old, new = DisplayNames(before), DisplayNames(after)
    changes: list[Change] = []
    was, now = _list_by_title(before, old), _list_by_title(after, new)
    for title in dict.fromkeys([*was, *now]):
        nothing = RuleSection(title, ())
        changes += _compare_rules(was.get(title, nothing), now.get(title, nothing))
    people = (
        {rep.name: _describe_rep(rep, old) for rep in before.reps},
        {rep.name: _describe_rep(rep, new) for rep in after.reps},
    )
    changes += _compare_named(PEOPLE, *people)
    told = {(each.section, each.name) for each in changes}
    changes = [replace(each, name=new.name_rep(each.name)) if each.section == PEOPLE else each for each in changes]
    return [*changes, *(each for each in _compare_keys(before, after) if not _is_told(each.name, told))]


def list_changed_keys(before: Playbook, after: Playbook) -> list[str]:
    """The top-level keys under which anything differs that changes what is decided, in the order of the playbook."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return [key for key in old if old[key] != new[key]]


def _list_by_title(playbook: Playbook, names: DisplayNames) -> dict[str, RuleSection]:
    """The sections of leads, then those of each kind of record."""
    sections = (*list_sections(playbook, names), *list_kind_sections(playbook, names))
    return {section.title: section for section in sections}


def compare_lines(before: str, after: str, most: int) -> list[str]:
    """The lines that differ, each after a sign, with two lines around them; ``most`` of them at the most."""
    found: list[str] = []
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm=""):
        if len(found) >= most:
            break
        if not line.startswith(("---", "+++")):
            found.append(line)
    return found


def _compare_rules(before: RuleSection, after: RuleSection) -> Iterator[Change]:
    """Of one section: rules by their names, notes by their words, and which rules come in another order."""
    rules = (_write_rules(before), _write_rules(after))
    yield from _compare_named(after.title, *rules)
    both = [name for name in rules[0] if name in rules[1]]
    order = [name for name in rules[1] if name in rules[0]]
    if both != order and after.title.lower().endswith("routing"):  # elsewhere the order decides nothing
        yield Change(after.title, "order", ChangeKind.MOVED, ", then ".join(both), ", then ".join(order))
    for note in before.notes:
        if note not in after.notes:
            yield Change(after.title, "note", ChangeKind.REMOVED, note, None)
    for note in after.notes:
        if note not in before.notes:
            yield Change(after.title, "note", ChangeKind.ADDED, None, note)


def _write_rules(section: RuleSection) -> dict[str, str]:
    return {
        write_as_words(rule.name): f"{rule.sentence} Why: {rule.why}" if rule.why else rule.sentence
        for rule in section.rules
    }


def _compare_named(section: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name, words in before.items():
        if name not in after:
            yield Change(section, name, ChangeKind.REMOVED, words, None)
        elif after[name] != words:
            yield Change(section, name, ChangeKind.CHANGED, words, after[name])
    for name, words in after.items():
        if name not in before:
            yield Change(section, name, ChangeKind.ADDED, None, words)


def _describe_rep(rep: Rep, names: DisplayNames) -> str:
    """Such as "Reports to Mia. At most 5 leads a day. Speaks de and en."."""
    caps = [
        f"{most} leads {per}"
        for most, per in ((rep.max_per_day, "a day"), (rep.max_per_week, "a week"), (rep.max_open, "at a time"))
        if most is not None
    ]
    absent = [str(each.first) if each.first == each.last else f"{each.first} to {each.last}" for each in rep.absent]
    parts = [
        f"Reports to {names.name_rep(rep.manager)}" if rep.manager else "Reports to nobody",
        f"in the time zone {rep.time_zone}",
        f"works {write_as_words(rep.hours)}" if rep.hours else "",
        f"at most {list_choices(caps, 'and')}" if caps else "",
        f"speaks {list_choices(rep.languages, 'and')}" if rep.languages else "",
        f"has {list_choices(rep.skills, 'and')}" if rep.skills else "",
        f"starts on {rep.starts}" if rep.starts else "",
        f"takes on more leads over {format_span(rep.ramp)}" if rep.ramp else "",
        f"is away {'; '.join(absent)}" if absent else "",
        f"e-mail {rep.email}" if rep.email else "",
        f"signs in as {rep.login}" if rep.login else "",
        "has an id in " + ", ".join(f"{crm} ({id_})" for crm, id_ in rep.crm_ids.items()) if rep.crm_ids else "",
    ]
    return "; ".join(part for part in parts if part) + "."


def _compare_keys(before: Playbook, after: Playbook) -> Iterator[Change]:
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    for part in old:
        yield from _compare_values(part, old[part], new[part])


def _is_told(path: str, told: set[tuple[str, str]]) -> bool:
    """Whether a sentence in ``told``, which are sections and names of rules, says already what differs at ``path``."""
    part, *keys = path.split(".")
    if part == "kinds" and keys:
        return _is_told_of_kind(JourneyKind(keys[0]), keys[1:], told)
    sections = _SECTIONS.get(part, ())
    if any((section, name) in told for section in sections for key in keys for name in (key, write_as_words(key))):
        return True
    if part == "routing" and not keys:  # the order
        return ("Routing", "order") in told
    return part in _WHOLLY_TOLD and any(section in sections for section, _ in told)


def _is_told_of_kind(kind: JourneyKind, keys: Sequence[str], told: set[tuple[str, str]]) -> bool:
    """As ``_is_told``, of a key of the section of ``kind``. One that is new, or gone, is told by all its rules."""
    names = [name for section, name in told if section.startswith(f"{kind.plural.title()}: ")]
    if not keys:
        return bool(names)
    return any(name in names for key in keys for name in (key, write_as_words(key)))


def _compare_values(path: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _compare_values(f"{path}.{key}", before.get(key), after.get(key))
    elif _is_named(before) and _is_named(after):
        by_name = [{str(each["name"]): each for each in values} for values in (before, after)]
        for key in dict.fromkeys([*by_name[0], *by_name[1]]):
            yield from _compare_values(f"{path}.{key}", by_name[0].get(key), by_name[1].get(key))
        if list(by_name[0]) != list(by_name[1]) and set(by_name[0]) == set(by_name[1]):
            yield Change(REST, path, ChangeKind.MOVED, ", ".join(by_name[0]), ", ".join(by_name[1]))
    else:
        missing = (before in (None, [], {}), after in (None, [], {}))
        kind = ChangeKind.ADDED if missing[0] else ChangeKind.REMOVED if missing[1] else ChangeKind.CHANGED
        shown = [None if gone else _write_value(value) for gone, value in zip(missing, (before, after), strict=True)]
        yield Change(REST, path, kind, *shown)


def _is_named(values: Any) -> bool:
    return isinstance(values, Sequence) and all(isinstance(each, dict) and "name" in each for each in values)


def _write_value(value: Any) -> str:
    """A value of a key, such as ``within: 24h, to: data_quality``."""
    if isinstance(value, dict):
        given = {key: each for key, each in value.items() if each not in (None, [], {}, "")}
        words = ", ".join(f"{key}: {_write_value(each)}" for key, each in given.items())
    elif isinstance(value, list):
        words = ", ".join(_write_value(each) for each in value)
    elif isinstance(value, bool):
        words = "yes" if value else "no"
    else:
        words = str(value)
    return sanitise(words, _LONGEST_VALUE)
