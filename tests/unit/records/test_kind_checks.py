"""What a check of a playbook says about the sections of kinds: each problem once, in its own line, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from leadgate import playbook
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.check import check
from leadgate.vocabulary import GateName, JourneyKind

BOOK = """\
version: 1
name: Small
sources:
  website: {}
  deals: {kind: opportunities, mapping: {Rival: competitor, Deal size: amount}}
  contracts: {kind: renewals}
  signs: {kind: expansions}
reps: [{name: ann}, {name: bob, manager: ann}]
pools:
  - {name: first, members: [{rep: ann}, {rep: bob}], sla: fast}
routing: [{name: rest, to: pool first}]
slas: [{name: fast, first_touch: 1h}]
kinds:
  opportunity:
    fields: {competitor: {}}
    headers: {Main rival: competitor}
    required: [sales_stage]
    scoring: {fit: [{name: large, when: amount > 1000, points: 5}]}
    qualification: {disqualify: [{name: trial, when: name = 'trial', reason: A trial}]}
    routing:
      - {name: own, to: record_owner}
      - {name: rest, to: pool first}
    slas: [{name: slow, first_touch: 5d, ladder: [{after: 50, do: remind}]}]
    follow_up: {priorities: [{name: large, when: amount > 1000, sla: slow}]}
    exceptions: [{to: ann, reasons: [stage_unknown]}]
    gates: {validated: {severity: {fields_readable: critical}}}
    sales_stages:
      - {name: talk, also: [Discovery], stale_after: 9d}
      - {name: offer, requires: [competitor, amount]}
      - {name: won, closed: won}
      - {name: lost, closed: lost}
    moves: {talk: [offer]}
    approvals: [{name: big, when: amount_change > 10 or pushes > 2 or pushed_days > 4}]
    tell: [{name: rival, when: competitor is not null, to: rep bob}]
  renewal:
    closed: {won: [Renewed], lost: [Gone]}
  expansion:
    triggers: {usage: {when: usage > 2, also: [Consumption]}, seats: {}}
"""
PROMISES = {kind: {GateName.VALIDATED: {"fields_readable"}} for kind in JourneyKind}

Edit = Callable[[str, str], list[str]]


def parsed(text: str, folder: Path) -> LoadedPlaybook:
    return playbook.parse(text, path=folder / "playbook.yaml")


@pytest.fixture
def problems(tmp_path: Path) -> Edit:
    """What is said about the playbook when one part of it is replaced, notes marked: ``line: key: message``."""

    def edit(old: str, new: str) -> list[str]:
        assert BOOK.count(old) == 1, f"{old!r} is there {BOOK.count(old)} times"
        found = check(parsed(BOOK.replace(old, new), tmp_path), promises=PROMISES)
        return [f"{'note: ' * each.note}{str(each).partition('playbook.yaml:')[2]}" for each in found]

    return edit


def test_the_playbook_is_right(tmp_path: Path) -> None:
    assert check(parsed(BOOK, tmp_path), promises=PROMISES) == []


def test_an_empty_section_is_right(tmp_path: Path) -> None:
    text = BOOK.partition("kinds:")[0].replace("Rival: competitor, ", "")

    assert check(parsed(f"{text}kinds: {{opportunity: {{}}, renewal: , expansion: {{}}}}\n", tmp_path)) == []


@pytest.mark.parametrize(
    ("old", "new", "where", "said"),
    [
        # what leads and records share
        ("fields: {competitor: {}}", "fields: {competitor: {}, owner: {}}", "fields.owner", "uses itself"),
        ("fields: {competitor: {}}", "fields: {competitor: {}, judgement: {}}", "fields.judgement", "uses itself"),
        ("{Main rival: competitor}", "{Main rival: competetor}", "headers.Main rival", "did you mean 'competitor'"),
        ("required: [sales_stage]", "required: [email]", "required[0]", "not a field of an opportunity"),
        ("when: amount > 1000, points: 5", "when: seats > 1, points: 5", "scoring.fit[0].when", "unknown column 'seats'"),
        ("when: amount > 1000, points: 5", "when: grade = 'A1', points: 5", "scoring.fit[0].when", "grade"),
        ("points: 5", "points: 0", "scoring.fit[0].points", "change nothing"),
        ("when: name = 'trial'", "when: 'true'", "qualification.disqualify[0].when", "every opportunity"),
        ("to: record_owner", "to: rep bbo, when_away: pass_on", "routing[0].to", "did you mean 'bob'"),
        ("- {name: rest, to: pool first}", "- {name: rest, to: pool frist}", "routing[1].to", "did you mean 'first'"),
        ("{name: own, to: record_owner}", "{name: own, to: pool first}", "routing[1]", "takes every opportunity"),
        ("{name: own, to: record_owner}", "{name: own, when: score > 'x', to: record_owner}", "routing[0].when", ""),
        ("after: 50, do: remind", "after: 50, do: remind, of: stage", "slas[0].ladder[0].of", "never due"),
        ("sla: slow}]", "sla: slwo}]", "follow_up.priorities[0].sla", "did you mean 'slow'"),
        ("to: ann, reasons", "to: ann, escalate_to: board, reasons", "exceptions[0].escalate_to", "unknown rep"),
        ("fields_readable: critical", "fields_redable: critical", "gates.validated.severity", "'fields_readable'"),
        # its own
        ("name: lost, closed", "name: won, closed", "sales_stages[3].name", "twice"),
        ("also: [Discovery]", "also: [Discovery, OFFER]", "sales_stages[0].also[1]", "means 'offer' already"),
        ("also: [Discovery]", "also: ['--']", "sales_stages[0].also[0]", "no letter"),
        ("[competitor, amount]", "[competitor, ammount]", "sales_stages[1].requires[1]", "did you mean 'amount'"),
        ("moves: {talk: [offer]}", "moves: {talk: [ofer]}", "moves.talk[0]", "did you mean 'offer'"),
        ("moves: {talk: [offer]}", "moves: {tlak: [offer]}", "moves.tlak", "did you mean 'talk'"),
        ("amount_change > 10 or", "amount_chnage > 10 or", "approvals[0].when", "did you mean 'amount_change'"),
        ("pushes > 2 or pushed_days > 4", "sales_stage = 'Offer'", "approvals[0].when", "did you mean 'offer'"),
        ("competitor is not null", "forecast_category = 'Commit'", "tell[0].when", "did you mean 'commit'"),
        ("to: rep bob", "to: rep bbo", "tell[0].to", "did you mean 'bob'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_section_is_told_where_it_is(
    problems: Edit, old: str, new: str, where: str, said: str
) -> None:
    found = [each for each in problems(old, new) if not each.startswith("note")]
    line = BOOK.replace(old, new).split("kinds:\n")[0].count("\n")

    assert len(found) == 1, found
    assert f" kinds.opportunity.{where}" in found[0]
    assert said in found[0]
    assert int(found[0].partition(":")[0]) > line + 1


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("lost: [Gone]", "lost: [renewed]", "kinds.renewal.closed.lost[0]", "means 'won' already"),
        ("usage > 2", "usgae > 2", "kinds.expansion.triggers.usage.when", "did you mean 'usage'"),
        ("usage > 2", "usage > 2 and usage < 1", "kinds.expansion.triggers.usage.when", "never match"),
        ("[Consumption]", "[new lead]", "kinds.expansion.triggers.usage.also[0]", "'new_lead' already"),
        ("Rival: competitor", "Rival: competetor", "sources.deals.mapping.Rival", "not a field of an opportunity"),
        ("Deal size: amount", "Deal size: email", "sources.deals.mapping.Deal size", "not a field of an opportunity"),
        ("{kind: renewals}", "{kind: renewals, mapping: {End: ends}}", "sources.contracts.mapping.End", "of a renewal"),
    ],
)
def test_other_kinds_and_their_sources_are_checked(problems: Edit, old: str, new: str, key: str, said: str) -> None:
    found = [each for each in problems(old, new) if not each.startswith("note")]

    assert len(found) == 1, found
    assert f" {key}: " in found[0]
    assert said in found[0]


def test_a_record_that_no_sla_gives_a_due_time_would_be_held(tmp_path: Path) -> None:
    text = BOOK.replace("sla: fast}", "sla: fast}\n  - {name: bare, members: [{rep: bob}]}").replace(
        "  renewal:\n", "  renewal:\n    routing: [{name: all, to: pool bare}]\n    contact_within: WITHIN\n"
    )

    without, given = (
        check(parsed(text.replace("WITHIN", within), tmp_path), promises=PROMISES) for within in ("", "3d")
    )

    errors = [each for each in without if not each.note]
    assert [each.key for each in errors] == ["kinds.renewal.routing[0].to"]
    assert "'bare' has no sla" in errors[0].message
    assert [each for each in given if not each.note] == []
    assert not [each for each in (*without, *given) if "no route leads to pool" in each.message]


def test_sales_stages_without_an_end_or_a_beginning_are_told(problems: Edit) -> None:
    assert "note: 27: kinds.opportunity.sales_stages: no sales stage is closed: won" in "".join(
        problems("{name: won, closed: won}", "{name: signed}")
    )
    closed = problems(
        "- {name: talk, also: [Discovery], stale_after: 9d}\n      - {name: offer, requires: [competitor, amount]}\n",
        "- {name: talk, closed: lost}\n      - {name: offer, closed: lost}\n",
    )
    assert any("every sales stage is closed" in each for each in closed)


def test_a_source_needs_a_section_and_a_section_a_source(problems: Edit) -> None:
    without_section = problems("  renewal:\n    closed: {won: [Renewed], lost: [Gone]}\n", "")
    without_source = problems("  contracts: {kind: renewals}\n", "")

    assert without_section == [
        "6: sources.contracts.kind: there are no rules for renewals; add kinds.renewal, if only an empty one: {}"
    ]
    assert len(without_source) == 1
    assert without_source[0].startswith("note: ")
    assert "kinds.renewal" in without_source[0]
    assert "kind: renewals" in without_source[0]


def test_vendors_of_leads_send_no_records(problems: Edit) -> None:
    found = problems(
        "{kind: renewals}", "{kind: renewals, http: {auth: typeform, secret_env: LEADGATE_SECRET_CONTRACTS}}"
    )

    assert ["kind: renewals" in each for each in found] == [True]
