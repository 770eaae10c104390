"""The rules of a playbook about records as sentences: for each kind that it works on, in the words of leads' rules.

Belongs here: what only a kind's section says, in words, and which sections of sentences a kind has. Does not belong
here: sentences about points, routes and SLAs, which are those of leads (``rule_sentences``), or markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from console.display_names import DisplayNames, write_as_words
from console.rule_sentences import RuleSection, RuleSentence, RuleWords, list_sections
from console.screen import format_span
from leadgate.expressions.wording import list_choices, name_field
from leadgate.ledger.rule_hits import RuleKind
from leadgate.playbook import ExpansionKind, OpportunityKind, Playbook, RenewalKind, SalesStage
from leadgate.vocabulary import JourneyKind

#: Sections of which a kind has none of its own.
_SHARED: Final = frozenset({"Pools"})
#: Of these a kind has those of its section; what follows from other keys is told with these.
_OF_SLAS: Final = (RuleKind.PRIORITY, RuleKind.SLA)


def list_kind_sections(playbook: Playbook, names: DisplayNames) -> list[RuleSection]:
    """Every rule by which records are judged, scored, routed and followed up, kind by kind. What a kind has no rules
    for is left out."""
    found: list[RuleSection] = []
    for kind in JourneyKind:
        section = playbook.kinds.find(kind)
        if section is None:
            continue
        view, many = playbook.for_kind(kind), kind.plural.title()
        rules = tuple(_TELL[kind](section, RuleWords(view, names)))
        found.append(RuleSection(f"{many}: what is decided", rules, about=kind))
        own = {sla.name for sla in section.slas} | {each.name for each in section.follow_up.priorities}
        for each in list_sections(view, names):
            kept = tuple(rule for rule in each.rules if rule.kind not in _OF_SLAS or rule.name in own)
            if kept and each.title not in _SHARED:
                found.append(replace(each, title=f"{many}: {_shorten(each.title)}", rules=kept, about=kind))
    return found


def _shorten(title: str) -> str:
    """The title behind that of the kind: "fit", "SLAs"."""
    word = title.partition(":")[0]
    return word if word == "SLAs" else word.lower()


def _tell(name: str, sentence: str, why: str = "", when: str | None = None) -> RuleSentence:
    return RuleSentence(None, name, sentence, why, when)


def _tell_opportunities(section: OpportunityKind, words: RuleWords) -> Iterator[RuleSentence]:
    for stage in section.sales_stages:
        yield _tell(stage.name, " ".join(_describe_stage(stage)))
    yield _tell("moves", _describe_moves(section.moves))
    too_far = f"A close date more than {_days(section.max_close_in)} away is a question to the owner."
    yield _tell("max_close_in", too_far)
    yield _tell("fiscal_year_start", f"Fiscal years of the forecast begin in month {section.fiscal_year_start}.")
    for asked in section.approvals:
        sentence = f"The owner's manager decides when {words.describe(asked.when)}."
        yield _tell(asked.name, sentence, asked.why, asked.when)
    for told in section.tell:
        who = "The owner's manager" if told.to == "manager" else words.name_rep(told.to.removeprefix("rep "))
        yield _tell(told.name, f"{who} is told when {words.describe(told.when)}.", told.why, told.when)


def _describe_stage(stage: SalesStage) -> Iterator[str]:
    if stage.closed is not None:
        yield f"Here it is {stage.closed} and ends."
    else:
        likely = "" if stage.probability is None else f", with a probability of {stage.probability} %"
        yield f"Counts as {write_as_words(stage.forecast).lower()} in the forecast{likely}."
    if stage.also:
        yield f"Also called {_quote(stage.also)}."
    if stage.requires:
        known = list_choices([name_field(name) for name in stage.requires], "and")
        yield f"{'Then' if stage.closed == 'lost' else 'From here on,'} {known} must be known."
    if stage.next_step_within is not None and stage.closed is None:
        yield f"The owner's next touch is due within {_days(stage.next_step_within)} of an update."
    if stage.stale_after is not None and stage.closed is None:
        yield f"After {_days(stage.stale_after)} without an update the owner is asked."


def _describe_moves(moves: str | Mapping[str, Sequence[str]]) -> str:
    if moves == "any":
        return "Any sales stage may follow any other; opening a closed one again is a question to the owner's manager."
    if isinstance(moves, str):
        return "A sales stage that goes back is a question to the owner."
    listed = "; ".join(
        f"after {write_as_words(name)}: {list_choices([*map(write_as_words, allowed)]) or 'none'}"
        for name, allowed in moves.items()
    )
    return f"Which sales stage may follow, {listed}. Any other is a question to the owner."


def _tell_renewals(section: RenewalKind, words: RuleWords) -> Iterator[RuleSentence]:
    yield _tell("window", f"A renewal is worked on from {_days(section.window)} before the contract ends.")
    yield _tell("prepare", f"Its owner is sought {_days(section.prepare)} before that.")
    if section.contact_within is not None:
        yield _tell("contact_within", f"The owner's first touch is due within {_days(section.contact_within)}.")
    for end, called in section.closed.items():
        yield _tell(end, f"It is {end} when its status is {_quote(called)}." if called else f"No status means {end}.")


def _tell_expansions(section: ExpansionKind, words: RuleWords) -> Iterator[RuleSentence]:
    for name, rule in section.triggers.items():
        counts = "Counts always." if rule.when is None else f"Counts when {words.describe(rule.when)}."
        yield _tell(name, counts + (f" Also called {_quote(rule.also)}." if rule.also else ""), when=rule.when)
    if section.new_leads is not None:
        sentence = (
            f"A lead that gets an owner starts one by itself when {words.describe(section.new_leads.when)}: once for"
            f" each lead and account, as an update of {words.name_source(section.new_leads.source)}."
        )
        yield _tell("new_leads", sentence, when=section.new_leads.when)
    does = "is a question to the owner" if section.conflict == "review" else "gets the sign, and it ends"
    yield _tell("conflict", f"An open opportunity at the account {does}.")
    if section.contact_within is not None:
        yield _tell("contact_within", f"The owner's first touch is due within {_days(section.contact_within)}.")


def _quote(words: Sequence[str]) -> str:
    return list_choices([f"“{word}”" for word in words])


def _days(length: timedelta) -> str:
    return format_span(length)


#: What only the section of a kind says.
_TELL: Final[Mapping[JourneyKind, Callable[[Any, RuleWords], Iterator[RuleSentence]]]] = {
    JourneyKind.OPPORTUNITY: _tell_opportunities,
    JourneyKind.RENEWAL: _tell_renewals,
    JourneyKind.EXPANSION: _tell_expansions,
}
