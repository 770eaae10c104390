"""Cases of records: each kind of expectation, alone and without a ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from leadgate import playbook
from leadgate.playbook import PlaybookError
from tasks.case_results import TriedCase
from tasks.playbook_cases import try_cases

PLAYBOOK = """
version: 1
name: Cases of records
sources:
  website: {default_country: DE}
  deals: {kind: opportunities}
  contracts: {kind: renewals, mapping: {Rep: owner}}
  signs: {kind: expansions}
hours:
  office: {time_zone: Europe/Berlin, week: {wed: [09:00-17:00]}}
reps:
  - {name: ana, manager: mia}
  - {name: bob, manager: ana}
  - {name: mia}
pools:
  - {name: everybody, members: [{rep: ana}, {rep: bob}], hours: office, sla: standard}
routing:
  - {name: all, to: pool everybody}
exceptions:
  - {to: ops, within: 24h}
slas:
  - {name: standard, first_touch: 4h}
kinds:
  opportunity:
    approvals:
      - {name: large, when: amount > 50000, why: two pairs of eyes}
      - {name: often, when: pushes > 1}
    tell:
      - {name: falls, when: amount_change < -1000, to: manager}
  renewal:
    scoring:
      fit: [{name: falls, when: usage < 0.8, points: -30}]
      engagement: [{name: met, activity: meeting, points: 10, within: 60d}]
  expansion: {required: [account]}
"""
DEAL = "{kind: opportunity, record: {owner: bob, sales_stage: Discovery, amount: 20000, close_date: 2027-05-31}"
AGAIN = "{kind: opportunity, before: {owner: bob, sales_stage: needs_analysis, amount: 20000}, record: {amount: 8000}"
CONTRACT = "{kind: renewal, record: {owner: bob, end_date: 2027-05-31, usage: 0.5}, did: {meeting: 2}"
SIGN = "{kind: expansion, record: {account: Acme, trigger: department}"


@pytest.fixture
def try_text(tmp_path: Path) -> Callable[[str], list[TriedCase]]:
    def do(text: str) -> list[TriedCase]:
        (tmp_path / "playbook.yaml").write_text(PLAYBOOK, encoding="utf-8")
        (tmp_path / "cases.yaml").write_text(text, encoding="utf-8")
        return try_cases(playbook.load(tmp_path / "playbook.yaml"))

    return do


@pytest.mark.parametrize(
    ("case", "expected", "wrong"),
    [
        (DEAL, "verdict: goes_on", "verdict: held"),
        (DEAL, "owner: bob", "owner: ana"),
        (DEAL, "route: record_owner", "route: first_pool"),
        (DEAL, "category: pipeline", "category: commit"),
        (DEAL, "sla: next_step_needs_analysis", "sla: standard"),
        (DEAL, "priority: next_step_needs_analysis", "priority: next_step_proposal"),
        (DEAL, "due: 2027-03-17T14:00Z", "due: 2027-03-18T14:00Z"),
        (DEAL, "values: {sales_stage: needs_analysis}", "values: {sales_stage: Discovery}"),
        (DEAL, "again: 2027-03-24T14:00Z", "again: 2027-03-25T14:00Z"),
        (DEAL.replace("20000", "60000"), "asks: manager", "asks: owner"),
        (DEAL.replace("20000", "60000"), "reason: approval_needed", "reason: evidence_missing"),
        (DEAL.replace("20000", "60000"), "reason: two pairs of eyes", "reason: three pairs of eyes"),
        (DEAL.replace("20000", "60000"), "owner: bob", "owner: ana"),
        (DEAL.replace("20000", "-1"), "held_by: amount_not_negative", "held_by: required_fields"),
        (DEAL.replace("owner: bob", "owner: nobody"), "pool: everybody", "owner: mia"),
        (DEAL.replace("owner: bob", "owner: nobody") + ", away: ana", "owner: bob", "owner: ana"),
        (DEAL + ", enriched: {account_owner: ana}", "owner: bob", "values: {account_owner: bob}"),
        (AGAIN, "tells: ana", "tells: [ana, mia]"),
        (AGAIN, "verdict: goes_on", "verdict: done"),
        (AGAIN.replace("8000", "20000"), "reason: nothing_changed", "verdict: goes_on"),
        (CONTRACT, "score: -20", "score: {at_least: 0}"),
        (CONTRACT, "points: {falls: -30, met: 10}", "points: {met: 20}"),
        ("{kind: renewal, row: {Rep: ana, End Date: 2027-12-31}", "again: 2027-09-25T00:00Z", "again: 2027-10-02"),
        ("{kind: renewal, time: true, record: {owner: bob, end_date: 2027-03-01}", "tells: [bob, ana]", "tells: mia"),
        (SIGN, "verdict: goes_on", "verdict: held"),
        (SIGN + ", enriched: {open_opportunities: 2}", "reason: open_opportunity", "verdict: goes_on"),
        (SIGN.replace("account: Acme, ", ""), "held_by: required_fields", "verdict: done"),
    ],
)
def test_what_a_case_expects_is_compared(
    try_text: Callable[[str], list[TriedCase]], case: str, expected: str, wrong: str
) -> None:
    lines = [f"  - {case}, name: {name}, expect: {{{each}}}}}" for name, each in (("is", expected), ("is not", wrong))]
    right, failed = try_text("records:\n" + "\n".join(lines) + "\n")
    assert right.mismatches == ()
    assert [each.key.split(".")[0] for each in failed.mismatches] == [wrong.split(":")[0]]
    assert (failed.line, failed.mismatches[0].line) == (3, 3)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (DEAL + ", name: a, expect: {}}", "expects nothing"),
        (DEAL.replace("amount", "amonut") + ", name: a, expect: {verdict: held}}", "amount"),
        (DEAL + ", source: contracts, name: a, expect: {verdict: held}}", "no source of opportunities"),
        (DEAL + ", name: a, expect: {owner: bop}}", "bob"),
        (DEAL + ", name: a, expect: {tells: [sales]}}", "no rep 'sales'"),
        (DEAL + ", name: a, expect: {held_by: email_well_formed}}", "no promise of validation"),
        (DEAL + ", row: {Id: 1}, name: a, expect: {verdict: held}}", "not both"),
        (DEAL + ", enriched: {owner: bob}, name: a, expect: {verdict: held}}", "account_owner"),
        ("{kind: lead, name: a, expect: {verdict: held}}", "opportunity"),
    ],
)
def test_a_case_that_cannot_be_tried_is_told_with_its_line(
    try_text: Callable[[str], list[TriedCase]], case: str, said: str
) -> None:
    with pytest.raises(PlaybookError) as raised:
        try_text(f"records:\n  - {case}\n")
    assert any(said in str(problem) and problem.line == 2 for problem in raised.value.problems)


def test_a_kind_without_a_source_has_no_case(try_text: Callable[[str], list[TriedCase]]) -> None:
    with pytest.raises(PlaybookError, match="cases, of leads, or records"):
        try_text("received: 2027-03-03\n")
    with pytest.raises(PlaybookError, match="is there twice"):
        try_text(
            f"records:\n  - {DEAL}, name: a, expect: {{verdict: held}}}}\n" * 1
            + f"  - {DEAL}, name: a, expect: {{verdict: held}}}}\n"
        )
