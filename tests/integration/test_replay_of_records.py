"""Updates of records are decided again: as they were, and otherwise only where a draft says so."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import NOW, PLAYBOOK, Harness, make_lead

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.replay.comparison import End, Kind
from leadgate.vocabulary import JourneyKind
from tasks.replay.results import ReplayResult, replay_playbook

BOOK = (
    PLAYBOOK.replace(
        "sources:\n",
        """sources:
  deals: {kind: opportunities, default_country: DE}
  contracts: {kind: renewals, default_country: DE}
  signs: {kind: expansions}
""",
        1,
    )
    + """kinds:
  opportunity:
    max_close_in: 400d
    approvals:
      - {name: large, when: amount > 50000}
  renewal:
    window: 90d
    prepare: 7d
    scoring:
      engagement:
        - {name: in_use, when: usage >= 0.8, points: 40}
  expansion: {}
"""
)


def parse(text: str) -> LoadedPlaybook:
    return playbooks.parse(text, path=Path("tests.yaml"))


def change(before: str, after: str) -> LoadedPlaybook:
    assert before in BOOK
    return parse(BOOK.replace(before, after))


def at(days: float) -> Any:
    return NOW + timedelta(days=days)


def deal(key: str, days: float = 0, **more: Any) -> dict[str, Any]:
    return {
        "Id": key, "Opportunity Name": f"Deal {key}", "Account Name": f"Acme {key}", "Owner": "ana", "Stage": "Proposal",
        "Amount": "8000", "Close Date": "2026-04-30", "Last Modified Date": at(days).isoformat(),
    } | more  # fmt: skip


def contract(key: str, end: str, **more: Any) -> dict[str, Any]:
    return {
        "Contract ID": key, "Account Name": f"Acme {key}", "Owner": "bob", "Start Date": "2025-06-01", "End Date": end,
        "Status": "Active", "Usage": "0.5", "Last Modified Date": NOW.isoformat(),
    } | more  # fmt: skip


def sign(key: str, **more: Any) -> dict[str, Any]:
    return {"Id": key, "Account Name": f"Zeta {key}", "Trigger": "usage", "Usage": "1.3"} | more


@pytest.fixture
def desk(ledger: Ledger) -> Harness:
    """Updates over two months: owned, held for a manager, asked of an owner, won, waiting for a window, joined."""
    harness = Harness(ledger, parse(BOOK))

    def work() -> None:
        harness.capture(
            deal("A"), deal("B", Owner="cyn"), deal("C", Amount="60000"), deal("D", Stage="Nowhere"),
            deal("E", Amount=""), source="deals",
        )  # fmt: skip
        harness.capture(
            contract("K1", "2026-04-15"), contract("K2", "2026-07-01"), contract("K3", ""), source="contracts"
        )
        harness.capture(sign("S1"), sign("S2", Usage="1.0"), sign("S3", Trigger="magic"), source="signs")
        harness.capture(make_lead(1))
        harness.run()
        harness.capture(deal("A", 1, Amount="70000"), deal("B", 1, Stage="Closed Won"), source="deals", now=at(1))
        harness.capture(deal("A", 1, Amount="70000"), source="deals", now=at(1.1))
        harness.run(at(1.2))
        for days in (14, 21.5, 30, 58):
            harness.run(at(days))

    harness.begin_with("updates of records to replay", work)
    return harness


def replay(desk: Harness, kind: JourneyKind, draft: LoadedPlaybook | None = None, **more: Any) -> ReplayResult:
    used = desk.loaded
    return replay_playbook(desk.ledger, draft or used, used=used.playbook, kind=kind, **more)


@pytest.mark.parametrize("kind", JourneyKind)
def test_what_a_playbook_decided_of_each_kind_it_decides_again(desk: Harness, kind: JourneyKind) -> None:
    result = replay(desk, kind)
    assert (result.check.differences, result.check.unreadable) == ([], {})
    assert result.check.decisions >= 4
    assert result.comparison.changed == 0
    assert result.comparison.journeys == desk.one("SELECT count(*) FROM journey WHERE kind = :kind", kind=kind)
    assert replay(desk, kind, simulated=True).comparison.changed == 0


#: A draft, the kind that it is about, and how journeys differ under it.
CHANGES: dict[str, tuple[LoadedPlaybook, JourneyKind, Kind, int]] = {
    "an approval for less": (
        change("amount > 50000", "amount > 5000"), JourneyKind.OPPORTUNITY, Kind.NEWLY_HELD, 2,
    ),
    "an approval for more": (
        change("amount > 50000", "amount > 90000"), JourneyKind.OPPORTUNITY, Kind.NO_LONGER_HELD, 2,
    ),
    "a shorter window": (change("window: 90d", "window: 30d"), JourneyKind.RENEWAL, Kind.LATER, 2),
    "points of health": (change("usage >= 0.8", "usage >= 0.4"), JourneyKind.RENEWAL, Kind.OTHER_SCORE, 5),
    "the next step": (
        change("max_close_in: 400d", "sales_stages: [{name: proposal, next_step_within: 3d}, {name: closed_won, closed: won}]"),
        JourneyKind.OPPORTUNITY, Kind.OTHER_DUE, 2,
    ),
    "a promise that is critical": (
        change("  expansion: {}", "  expansion: {required: [usage, amount]}"), JourneyKind.EXPANSION, Kind.NEWLY_HELD, 2,
    ),
    "the routes": (
        change("  expansion: {}", "  expansion: {routing: [{name: all_to_cyn, to: rep cyn}]}"),
        JourneyKind.EXPANSION, Kind.OTHER_OWNER, 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_told(desk: Harness, what: str) -> None:
    draft, kind, differs, count = CHANGES[what]
    result = replay(desk, kind, draft)
    assert result.check.differences == []
    assert result.comparison.kinds.get(differs) == count, result.comparison.kinds
    told = next(each for each in result.comparison.told if each.kind is differs)
    assert (told.after.end is End.OWNED) == (told.after.owner is not None)


@pytest.mark.parametrize(
    ("draft", "kind", "brought"),
    [
        (change("window: 90d", "window: 30d"), JourneyKind.RENEWAL, {"continue": 1}),
        (change("window: 90d", "window: 60d"), JourneyKind.RENEWAL, {"continue": 1}),
        (
            change(
                "max_close_in: 400d",
                "sales_stages: [{name: proposal, stale_after: 5d}, {name: closed_won, closed: won}]",
            ),
            JourneyKind.OPPORTUNITY,
            {"stale": 3},
        ),
    ],
    ids=["a window of a month", "a window of two months", "stale sooner"],
)
def test_what_time_alone_would_bring_is_counted(
    desk: Harness, draft: LoadedPlaybook, kind: JourneyKind, brought: dict[str, int]
) -> None:
    result = replay(desk, kind, draft)
    assert (result.check.differences, result.brought) == ([], brought)
    assert replay(desk, kind).brought == {}
