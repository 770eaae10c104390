"""The sections of kinds: sales stages that exist, conditions that can hold, words with one meaning, and sources.

Belongs here: what must fit together in a section beside what it shares with leads. Does not belong here: its routes,
SLAs, points and gates, which the checks of leads judge by the playbook as it is for the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from leadgate.playbook import SOURCE_KINDS, Approval, ExpansionKind, OpportunityKind, RenewalKind, Tell
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.kinds import NEW_LEAD, TRIGGER_WORDS
from leadgate.playbook.yaml_text import Path
from leadgate.records.conditions import list_condition_columns
from leadgate.records.sales_stages import fold_word
from leadgate.vocabulary import JourneyKind, StageName


def check_kinds_have_sources(checker: Checker) -> Found:
    """A source of records has a section with their rules, and a section a source."""
    used = {SOURCE_KINDS.get(source.kind) for source in checker.playbook.sources.values()}
    for name, source in checker.playbook.sources.items():
        kind = SOURCE_KINDS.get(source.kind)
        if kind is not None and kind not in checker.of_kinds:
            message = f"there are no rules for {source.kind}; add kinds.{kind.value}, if only an empty one: {{}}"
            yield checker.at(("sources", name, "kind"), message)
    for kind in checker.of_kinds:
        if kind is not JourneyKind.LEAD and kind not in used:
            message = f"no source tells of {kind.plural}; add one with kind: {_find_source_word(kind)}"
            yield checker.at(("kinds", kind.value), message, note=True)


def check_new_leads(checker: Checker) -> Found:
    """What starts an expansion is a condition about leads, counts as a trigger, and has a source. Asked of the playbook
    as it is for leads."""
    section = checker.playbook.kinds.expansion
    if section is None or section.new_leads is None:
        return
    here: Path = ("kinds", JourneyKind.EXPANSION.value, "new_leads")
    yield from checker.check_expression(
        (*here, "when"), section.new_leads.when, checker.columns_at(StageName.ASSIGNMENT)
    )
    sources = {name: SOURCE_KINDS.get(source.kind) for name, source in checker.playbook.sources.items()}
    fitting = [name for name, kind in sources.items() if kind is JourneyKind.EXPANSION]
    yield from checker.check_known((*here, "source"), "source of expansions", section.new_leads.source, fitting)
    if NEW_LEAD not in section.triggers:
        message = f"triggers leaves out {NEW_LEAD}, so no lead ever starts an expansion; name it there"
        yield checker.at(here, message)


def _find_source_word(kind: JourneyKind) -> str:
    return next(word for word, meant in SOURCE_KINDS.items() if meant is kind)


def check_section(checker: Checker) -> Found:
    """What only the section of this kind has."""
    if checker.section is not None:
        yield from _CHECKS[checker.kind](checker)


def _check_opportunity(checker: Checker) -> Found:
    section = checker.section
    assert isinstance(section, OpportunityKind)  # noqa: S101 - of this kind there is no other
    names = [stage.name for stage in section.sales_stages]
    here: Path = ("sales_stages",)
    yield from checker.check_unique(here, names)
    yield from _check_words(
        checker, [((*here, at, "also"), each.name, each.also) for at, each in enumerate(section.sales_stages)]
    )
    for position, stage in enumerate(section.sales_stages):
        for place, name in enumerate(stage.requires):
            yield from checker.check_field((*here, position, "requires", place), name)
    if all(stage.closed is not None for stage in section.sales_stages):
        yield checker.at(here, "every sales stage is closed, so no opportunity is ever open; leave closed out of some")
    for end in ("won", "lost"):
        if not any(stage.closed == end for stage in section.sales_stages):
            message = f"no sales stage is closed: {end}, so no opportunity is ever {end}; name the one that is"
            yield checker.at(here, message, note=True)
    if isinstance(section.moves, dict):
        for name, allowed in section.moves.items():
            yield from checker.check_known(("moves", name), "sales stage", name, names)
            for place, following in enumerate(allowed):
                yield from checker.check_known(("moves", name, place), "sales stage", following, names)
    yield from checker.check_unique(("approvals",), [rule.name for rule in section.approvals])
    yield from checker.check_unique(("tell",), [rule.name for rule in section.tell])
    columns = list_condition_columns(checker.playbook)
    parts: tuple[tuple[str, Sequence[Approval | Tell]], ...] = (
        ("approvals", section.approvals),
        ("tell", section.tell),
    )
    for part, rules in parts:
        for position, rule in enumerate(rules):
            yield from checker.check_expression((part, position, "when"), rule.when, columns)
    for position, rule in enumerate(section.tell):
        if rule.to != "manager":
            yield from checker.check_known(("tell", position, "to"), "rep", rule.to.removeprefix("rep "), checker.reps)
    if section.approvals and not any(rep.manager in checker.reps for rep in checker.playbook.reps):
        message = "no rep has a manager who is a rep, so an approval goes to whom the exceptions name"
        yield checker.at(("approvals",), message, note=True)


def _check_renewal(checker: Checker) -> Found:
    section = checker.section
    assert isinstance(section, RenewalKind)  # noqa: S101 - of this kind there is no other
    yield from _check_words(checker, [(("closed", end), end, words) for end, words in section.closed.items()])


def _check_expansion(checker: Checker) -> Found:
    section = checker.section
    assert isinstance(section, ExpansionKind)  # noqa: S101 - of this kind there is no other
    columns = list_condition_columns(checker.playbook)
    for word, rule in section.triggers.items():
        if rule.when is not None:
            yield from checker.check_expression(("triggers", word, "when"), rule.when, columns)
    words = [(("triggers", word, "also"), word, rule.also) for word, rule in section.triggers.items()]
    unused = [((), word, ()) for word in TRIGGER_WORDS if word not in section.triggers]
    yield from _check_words(checker, [*unused, *words])
    if not section.triggers:
        yield checker.at(("triggers",), "no trigger counts, so no expansion ever does; name some")


def _check_words(checker: Checker, meanings: Iterable[tuple[Path, str, Iterable[str]]]) -> Found:
    """No word means two things. Each meaning with the path of its other words, its own word, and these."""
    listed = [(path, own, tuple(words)) for path, own, words in meanings]
    meant = {fold_word(own): own for _, own, _ in listed}
    for path, own, words in listed:
        for place, word in enumerate(words):
            folded = fold_word(word)
            if not folded:
                yield checker.at((*path, place), f"{word!r} has no letter or digit, so nothing is known by it")
            elif (other := meant.setdefault(folded, own)) != own:
                yield checker.at((*path, place), f"{word!r} means {other!r} already; remove one of the two")


_CHECKS: Final[Mapping[JourneyKind, Callable[[Checker], Found]]] = {
    JourneyKind.OPPORTUNITY: _check_opportunity,
    JourneyKind.RENEWAL: _check_renewal,
    JourneyKind.EXPANSION: _check_expansion,
}
