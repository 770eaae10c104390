"""The report's sections of opportunities, renewals and expansions: clean paths beside stalled ones, counted by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from console_site import ConsoleSite
from harness import NOW, PLAYBOOK, Harness

from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import Role

SOURCES = """sources:
  deals: {kind: opportunities, default_country: DE}
  contracts: {kind: renewals, default_country: DE}
  signs: {kind: expansions}
"""
KINDS = "kinds: {opportunity: {max_close_in: 400d}, renewal: {window: 90d, prepare: 7d}, expansion: {}}\n"
BOOK = PLAYBOOK.replace("sources:\n", SOURCES, 1) + KINDS
PERIOD = ("--since", "2026-03-01", "--until", "2026-03-31")


@pytest.fixture(scope="module")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(BOOK, path=Path("records.yaml"))


def at(days: float) -> Any:
    return NOW + timedelta(days=days)


def deal(key: str, days: float = 0, **more: Any) -> dict[str, Any]:
    return {
        "Id": key, "Opportunity Name": f"Deal {key}", "Account Name": f"Company {key}", "Owner": "ana",
        "Stage": "Proposal", "Amount": "8000", "Close Date": "2026-04-30", "Last Modified Date": at(days).isoformat(),
    } | more  # fmt: skip


@pytest.fixture
def told(harness: Harness) -> Harness:
    """Twenty days of records.

    An owner reacts to an update of an opportunity in proposal within 14 days. A is told, told again after five days,
    and then nobody reacts. B says no sales stage and no owner, so it is held. C is won after ten days. D slips on the
    third. E was told long ago and is stale since the 28 Feb. Of the contracts F is in its window, G churned, H is for
    later.
    """

    def work() -> None:
        harness.capture(deal("E", -25, Owner="cyn"), source="deals", now=at(-25))
        harness.run(at(-25))
        harness.run(at(-4))
        harness.capture(deal("A"), source="deals", now=NOW)
        harness.run(NOW)
        harness.capture(deal("A", Amount="8000.00"), source="deals", now=at(0.5))  # says the same
        harness.capture(
            deal("C", 1, Owner="bob"), deal("D", 1, **{"Close Date": "2026-03-06"}), source="deals", now=at(1)
        )
        harness.capture(deal("B", 1, Stage="", Owner=""), source="deals", now=at(1))
        harness.run(at(1))
        harness.run(at(4))
        harness.capture(deal("A", 5, Amount="9000"), source="deals", now=at(5))
        harness.capture(
            contract("F", "2026-04-30"), contract("G", "2026-04-30", Status="Churned"), contract("H", "2027-04-30"),
            source="contracts", now=at(5),
        )  # fmt: skip
        harness.run(at(5))
        harness.capture(deal("C", 10, Owner="bob", Stage="Closed Won"), source="deals", now=at(10))
        harness.run(at(10))
        harness.run(at(20))

    harness.begin_with("records to report", work)
    return harness


def contract(key: str, end: str, **more: Any) -> dict[str, Any]:
    return {"Id": key, "Contract Name": key, "Account Name": key, "End Date": end, "Owner": "ana"} | more


def report(cli: Cli, *options: Any) -> Any:
    return read_json(cli("report", "--json", "--now", at(20.5), *PERIOD, *options))


def row(rows: list[dict[str, Any]], **of: Any) -> dict[str, Any]:
    """The one of ``rows`` that has these values."""
    (found,) = [each for each in rows if all(each[name] == value for name, value in of.items())]
    return found


def has(found: dict[str, Any], **values: Any) -> bool:
    assert {name: found[name] for name in values} == pytest.approx(values)
    return True


def test_clean_updates_stand_beside_stalled_ones(told: Harness, cli: Cli) -> None:
    found = report(cli)["opportunities"]
    # clean: A and C as told first, to both of which their owner reacted in time; C as won. The repeat is no update
    assert {each["path"]: each["updates"] for each in found["paths"]} == {"clean": 3, "held": 2, "late": 2}
    ana, bob, cyn, nobody = (row(found["by_owner"], owner=name) for name in ("ana", "bob", "cyn", None))
    assert has(ana, updates=4, clean=1, stalled=3, due=3, kept_share=1 / 3, not_done=2, open=2, overdue=2, slipped=1)
    assert has(bob, updates=2, clean_share=1.0, kept_share=1.0, open=0, won=1)
    assert has(cyn, updates=0, clean_share=None, open=1, held=1, stale=1)
    assert has(nobody, updates=1, stalled=1, unowned=1, held=1)
    assert has(row(found["by_source"], source="deals"), updates=7, clean=3, open=4, unowned=1, won=1)
    assert {each["reason"]: each["journeys"] for each in found["reasons"]} == {
        "first_touch_overdue": 2,
        "slipped": 1,
        "stage_missing": 1,
    }


def test_what_is_open_is_told_by_sales_stage(told: Harness, cli: Cli) -> None:
    stages = report(cli)["opportunities"]["by_stage"]
    assert has(row(stages, sales_stage="proposal"), open=3, owned=3, held=2, overdue=3, stale=1, slipped=1)
    assert has(row(stages, sales_stage=None), open=1, unowned=1, held=1)


def test_each_kind_that_has_records_has_the_same_section(told: Harness, cli: Cli) -> None:
    found = report(cli)
    assert "expansions" not in found
    assert found["renewals"].keys() == found["opportunities"].keys()
    # F is due and not done, G churned, H waits for its time, for which nobody is needed
    assert {each["path"]: each["updates"] for each in found["renewals"]["paths"]} == {"clean": 2, "late": 1}
    assert has(row(found["renewals"]["by_owner"], owner="ana"), open=2, unowned=0, not_done=1, churned=1, won=0)
    assert found["renewals"]["by_stage"] == []
    assert report(cli, "--section", "expansions")["expansions"]["paths"] == []


def test_headlines_stand_beside_the_period_before(told: Harness, cli: Cli) -> None:
    headlines = {(each["section"], each["figure"]): each for each in report(cli)["headlines"]}
    assert has(headlines["opportunities", "clean"], value=3 / 7, before=0.0)
    assert "2 held, 2 touch missed" in headlines["opportunities", "clean"]["of"]
    assert has(headlines["opportunities", "in_time"], value=0.5, before=0.0)
    assert "2 due and not done" in headlines["opportunities", "in_time"]["of"]
    assert has(headlines["opportunities", "won"], value=1.0)
    assert has(headlines["opportunities", "unowned"], value=1, before=None)


def test_a_source_and_a_rep_leave_the_others_out(told: Harness, cli: Cli) -> None:
    of_contracts = report(cli, "--source", "contracts")
    assert of_contracts["opportunities"]["by_source"] == []
    assert [each["source"] for each in of_contracts["renewals"]["by_source"]] == ["contracts"]
    of_bob = report(cli, "--rep", "bob")
    assert [each["owner"] for each in of_bob["opportunities"]["by_owner"]] == ["bob"]
    assert of_bob["renewals"]["by_owner"] == []


def test_a_ledger_of_records_alone_has_a_report(told: Harness, cli: Cli, tmp_path: Path) -> None:
    cli("report", "--now", at(20.5), *PERIOD, "--html", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Clean, and stalled" in page
    assert "stalled: touch missed" in join_lines(cli("report", "--now", at(20.5), *PERIOD))


def test_the_console_has_a_page_for_each_kind(told: Harness, console: ConsoleSite) -> None:
    mia = console.sign_in("mia", Role.MANAGER, rep="mia")

    def look(section: str) -> Any:
        page = mia.get("/reports", section=section, since="2026-02-01", until="2026-03-31")
        while "refresh" in page.headers:
            page = mia.get("/reports", section=section, since="2026-02-01", until="2026-03-31")
        return page

    page = look("opportunities")
    assert page.texts("//nav[@aria-label='Sections']/a")[5:] == ["Opportunities", "Renewals", "Over time"]
    assert page.texts("//h2[@id='section']") == ["Opportunities"]
    assert "/queue?reason=slipped" in page.tree.xpath("//section//a/@href")
    assert look("renewals").texts("//h2[@id='section']") == ["Renewals"]
