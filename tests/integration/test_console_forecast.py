"""The page of the forecast: whose opportunities each role sees, what moved, and the story of one."""

from __future__ import annotations

from typing import Any

import pytest
from console_site import Browser, ConsoleSite, Page
from harness import Harness
from opportunities import Told, at, tell, tell_a_week

from leadgate.vocabulary import Role

HOSTILE = "<script>alert(1)</script>\u202e{{ 7 * 7 }}" + "x" * 8_000


def load(browser: Browser, path: str = "/forecast", **query: Any) -> Page:
    """The page once its figures are computed, as it comes again by itself."""
    page = browser.get(path, **query)
    while "refresh" in page.headers:
        page = browser.get(path, **query)
    return page


def read_owners(page: Page) -> dict[str, str]:
    """The total of each owner."""
    rows = page.tree.xpath("//tr[starts-with(@id, 'owner-')]")
    return {
        row.get("id").removeprefix("owner-"): row.xpath("td[@data-label='total']")[0].text_content() for row in rows
    }


def list_moved(page: Page) -> list[str]:
    return [row.get("id") for row in page.tree.xpath("//tr[starts-with(@id, 'R')]")]


def read_changes(page: Page) -> list[list[str]]:
    return [
        [" ".join(cell.text_content().split()) for cell in row]
        for row in page.tree.xpath("//ol[@class='timeline']//tbody/tr")
    ]


@pytest.fixture
def ids(harness: Harness) -> dict[str, int]:
    return tell_a_week(harness.ledger)


@pytest.fixture
def mia(console: ConsoleSite) -> Browser:
    return console.sign_in("mia", Role.MANAGER, rep="mia")


def test_a_manager_sees_the_forecast_of_their_team_and_what_moved(ids: dict[str, int], mia: Browser) -> None:
    page = load(mia)
    assert page.status == 200
    assert read_owners(page) == {"ana": "36,000", "bob": "3,000", "cyn": "0"}
    assert page.texts("//div[@class='tile']/strong") == [
        "10,000", "25,000", "4,000", "0", "39,000",
    ]  # fmt: skip
    names = ("grew", "won", "pushed out", "lost", "handed over", "new", "slips")
    assert sorted(list_moved(page)) == sorted(f"R{ids[name]}" for name in names)
    (row,) = page.texts(f"//tr[@id='R{ids['grew']}']")
    assert "Amount from 20,000.50 up to 25,000; from best case up to commit." in row
    totals = page.texts("//table[not(contains(@class, 'stack'))]/tbody/tr/td[last()]")
    assert (totals[0], totals[-1]) == ("46,000.50", "39,000")


def test_each_role_sees_the_opportunities_that_are_theirs(ids: dict[str, int], console: ConsoleSite) -> None:
    assert read_owners(load(console.sign_in_rep("bob"))) == {"bob": "3,000"}
    olga = console.sign_in("olga", Role.OPERATOR)
    assert read_owners(load(olga)) == {"ana": "36,000", "bob": "3,000", "cyn": "0", "": "9,000"}
    assert read_owners(load(olga, whose="team:mia")) == {"ana": "36,000", "bob": "3,000", "cyn": "0"}
    assert read_owners(load(olga, whose="rep:ana")) == {"ana": "36,000"}
    other = console.sign_in("otto", Role.MANAGER, rep="otto")
    assert "Opportunities that moved" not in load(other).words


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.PRIVACY_OFFICER, Role.ADMIN])
def test_who_sells_nothing_sees_no_forecast(ids: dict[str, int], console: ConsoleSite, role: Role) -> None:
    someone = console.sign_in("someone", role)
    assert someone.get("/forecast").status == 403
    assert someone.get(f"/records/R{ids['won']}").status == 403
    assert "Forecast" not in someone.get("/account").texts("//nav/a")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"whose": "rep:ana"}, 403),
        ({"whose": "team:mia"}, 403),
        ({"whose": "rep:bob"}, 200),
        ({"whose": "rep:nobody"}, 403),
        ({"whose": "everybody"}, 404),
        ({"whose": "team:nobody"}, 404),
        ({"since": "someday"}, 422),
        ({"since": "2026-03-03", "until": "2026-03-01"}, 422),
        ({"period": "this_quater"}, 422),
        ({"period": "2026-q1", "since": "2026-03-02", "until": "2026-03-03"}, 200),
    ],
)
def test_what_a_rep_asks_for_in_the_address_is_theirs_or_is_refused(
    ids: dict[str, int], console: ConsoleSite, query: dict[str, str], status: int
) -> None:
    bob = console.sign_in_rep("bob")
    page = load(bob, **query)
    assert page.status == status
    if status == 200:
        assert set(read_owners(page)) <= {"bob"}


def test_a_story_is_for_whoever_has_or_had_the_opportunity(
    ids: dict[str, int], console: ConsoleSite, mia: Browser
) -> None:
    address = f"/records/R{ids['handed over']}"
    for login in ("ana", "bob"):
        page = console.sign_in_rep(login).get(address)
        assert page.status == 200
        assert ["owner", "ana", "bob"] in read_changes(page)
    assert mia.get(address).status == 200
    cyn = console.sign_in_rep("cyn")
    assert cyn.get(address).status == 403
    assert cyn.get("/records/R99999").status == 403, "whether it is there is nobody else's business"
    olga = console.sign_in("olga", Role.OPERATOR)
    assert [olga.get(f"/records/{record}").status for record in ("R99999", "R0", "J1", "x", "9" * 30)][:2] == [
        404,
        404,
    ]
    assert all(400 <= olga.get(f"/records/{record}").status < 500 for record in ("J1", "x", "9" * 30, "%00"))


def test_the_story_tells_what_changed_from_to_when_and_by_whom(ids: dict[str, int], mia: Browser) -> None:
    page = mia.get(f"/records/R{ids['grew']}")
    rows = read_changes(page)
    assert ["amount", "20,000.50", "25,000"] in rows
    assert ["forecast category", "best_case", "commit"] in rows
    assert ["sales stage", "proposal"] in rows, "what was told first changes nothing"
    latest, first = page.texts("//ol[@class='timeline']/li/div[1]")
    assert latest.startswith("Updated. Tue 3 Mar")
    assert first.startswith("Told for the first time.")
    assert "Ana" in latest


def test_values_that_are_there_to_do_harm_are_shown_harmless(harness: Harness, mia: Browser) -> None:
    ids = tell(harness.ledger, Told("one", at(3), name=HOSTILE, account=HOSTILE, changed_by=HOSTILE))
    for path in ("/forecast", f"/records/R{ids['one']}"):
        page = load(mia, path)
        assert page.status == 200
        assert page.tree.xpath("//main//script") == []
        assert "\u202e" not in page.text
        assert len(page.text) < 40_000


def test_without_opportunities_the_page_says_how_they_come(harness: Harness, mia: Browser) -> None:
    assert "kind: opportunities" in load(mia).words
