"""The team's pages: what a manager sees of their reps, whose team it is, and giving leads to others in bulk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from console_site import FORM, SAME_ORIGIN, Browser, ConsoleSite, Page
from harness import NOW, Harness, make_actor, make_lead
from sqlalchemy import text

from leadgate.ledger import ownership
from leadgate.playbook import RejectReason
from leadgate.vocabulary import Role

HOSTILE = "<script>alert(1)</script>\u202e<img src=x onerror=alert(2)>" + "x" * 8_000


@pytest.fixture
def console_as_of() -> Any:
    """Five hours after the leads were assigned: their first touch was due after four."""
    return NOW + timedelta(hours=5)


@pytest.fixture
def owned(harness: Harness) -> Harness:
    """Eight leads with owners, four of them with bob."""
    harness.begin(*[make_lead(number, Title="Chief") for number in range(8)])
    return harness


@pytest.fixture
def hostile(harness: Harness) -> Harness:
    """As ``owned``, with values that are there to do harm."""
    harness.begin(*[make_lead(number, Title="Chief") | {"First name": HOSTILE[:90]} for number in range(8)])
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE lead SET company = :company"), {"company": HOSTILE})
    return harness


@pytest.fixture
def mia(console: ConsoleSite) -> Browser:
    return console.sign_in("mia", Role.MANAGER, rep="mia")


def count_leads(harness: Harness) -> dict[str, int]:
    return dict(harness.rows("SELECT owner, count(*) FROM assignment WHERE ended_at IS NULL GROUP BY owner"))  # type: ignore[arg-type]


def list_journeys(harness: Harness, owner: str) -> list[int]:
    query = "SELECT journey_id FROM assignment WHERE owner = :owner AND ended_at IS NULL ORDER BY 1"
    return [journey for (journey,) in harness.rows(query, owner=owner)]


def read_row(page: Page, rep: str) -> dict[str, str]:
    """The cells of a rep's row, by their labels."""
    cells = page.tree.xpath(f"//tr[@id='rep-{rep}']/td")
    return {cell.get("data-label"): " ".join(cell.text_content().split()) for cell in cells}


def reload(browser: Browser, path: str) -> Page:
    """The page once its figures are computed, as it comes again by itself."""
    page = browser.get(path)
    while "refresh" in page.headers:
        page = browser.get(path)
    return page


def test_a_manager_sees_what_each_rep_has_and_how_fast_they_are(owned: Harness, mia: Browser) -> None:
    (email,) = owned.rows(
        "SELECT l.email FROM assignment a JOIN journey j ON j.id = a.journey_id JOIN lead l ON l.id = j.lead_id "
        "WHERE a.owner = 'ana' ORDER BY a.id LIMIT 1"
    )[0]
    owned.activity("call", email, rep="ana", at=NOW + timedelta(minutes=30), seconds=60)
    owned.run(NOW + timedelta(minutes=31))
    page = reload(mia, "/team")
    assert page.status == 200
    assert {rep: read_row(page, rep)["open"] for rep in count_leads(owned)} == {
        rep: str(count) for rep, count in count_leads(owned).items()
    }
    assert read_row(page, "bob") | {"trend": ""} == {
        "open": "4", "due soon": "0", "overdue": "4", "load of cap": "no cap", "turns of share": "everybody: 4 of 4.0",
        "to first touch": "no touch yet", "in time": "0 %of 4 due", "trend": "",
    }  # fmt: skip
    assert read_row(page, "ana")["to first touch"] == "30 min median95 % within 30 min"
    assert read_row(page, "ana")["in time"] == "50 %of 2 due"
    assert page.tree.xpath("//tr[@id='rep-bob']//a/@href") == [
        "/team/bob", "/leads?rep=bob", "/leads?rep=bob&due=overdue",
    ]  # fmt: skip


def test_who_is_away_or_at_a_cap_is_told(owned: Harness, console: ConsoleSite, mia: Browser) -> None:
    book = console.site.playbook
    absent = [{"first": NOW.date(), "last": NOW.date() + timedelta(days=3)}]
    reps = [
        rep.model_validate(rep.model_dump() | changes)
        for rep, changes in zip(book.reps, ({"absent": absent}, {"max_open": 4}, {}), strict=True)
    ]
    object.__setattr__(
        console.site, "loaded", replace(console.site.loaded, playbook=book.model_copy(update={"reps": tuple(reps)}))
    )
    page = reload(mia, "/team")
    assert "absent until 2026-03-07" in page.texts("//tr[@id='rep-ana']/th")[0]
    assert "reached 4 open" in page.texts("//tr[@id='rep-bob']/th")[0]
    assert read_row(page, "bob")["load of cap"] == "4 of 4 open"


@pytest.mark.parametrize(
    ("roles", "rep", "status"),
    [
        ((Role.REP,), "ana", 403),
        ((Role.REVIEWER,), None, 403),
        ((Role.PRIVACY_OFFICER,), None, 403),
        ((Role.MANAGER,), "nobody_s_manager", 403),
        ((Role.OPERATOR,), None, 200),
        ((Role.ADMIN,), None, 200),
    ],
)
def test_only_the_team_s_manager_and_who_runs_leadgate_see_a_rep(
    owned: Harness, console: ConsoleSite, roles: tuple[Role, ...], rep: str | None, status: int
) -> None:
    someone = console.sign_in("someone", *roles, rep=rep)
    assert someone.get("/team/bob").status == status
    if status == 403 and Role.MANAGER not in roles:
        assert someone.get("/team").status == 403
    elif status == 403:
        assert "Bob" not in reload(someone, "/team").words


def test_who_may_not_read_leads_sees_no_name_and_cannot_give_them_away(owned: Harness, console: ConsoleSite) -> None:
    admin = console.sign_in("adam", Role.ADMIN)
    page = reload(admin, "/team/bob")
    assert "Alex" not in page.text
    assert page.tree.xpath("//input[@name='lead']") == []
    chosen = list_journeys(owned, "bob")[:1]
    assert admin.get("/team/bob/reassign", to="rep:cyn", lead=chosen).status == 403
    assert admin.post("/team/bob/reassign", to="rep:cyn", lead=chosen, reason="x").status == 403
    assert count_leads(owned)["bob"] == 4


def test_chosen_leads_are_given_away_after_a_preview_once_and_it_can_be_undone(owned: Harness, mia: Browser) -> None:
    before, chosen = count_leads(owned), list_journeys(owned, "bob")[:2]
    preview = mia.get("/team/bob/reassign", to="rep:cyn", lead=chosen)
    assert preview.texts("//div[@class='tile']") == ["2to Cyn"]
    assert count_leads(owned) == before
    page = mia.post("/team/bob/reassign", to="rep:cyn", lead=chosen, reason="bob is on the road")
    assert page.status == 200
    assert count_leads(owned) == before | {"bob": before["bob"] - 2, "cyn": before["cyn"] + 2}
    (notice,) = page.texts("//*[@id='did']")
    assert "2 to Cyn" in notice
    assert mia.post("/team/bob/reassign", to="rep:cyn", lead=chosen, reason="again").status == 409
    assert owned.one("SELECT count(DISTINCT number) FROM action WHERE what = 'transfer'") == 1
    assert owned.rows("SELECT DISTINCT by, note FROM action") == [("mia", "bob is on the road")]
    number = owned.one("SELECT DISTINCT number FROM action")
    assert page.tree.xpath("//*[@id='did']//form/@action") == [f"/actions/{number}/undo"]
    assert mia.post(f"/actions/{number}/undo", back="/team/bob").status == 200
    assert count_leads(owned) == before
    assert "undone" in mia.get("/team/bob", did=f"A{number}").texts("//*[@id='did']")[0]
    assert mia.get("/team/cyn", did=f"A{number}").texts("//*[@id='did']") == ["Transferred 2 leads"]


def test_a_turn_that_is_to_be_filled_again_is_told(owned: Harness, mia: Browser) -> None:
    playbook = owned.loaded.playbook
    reasons = (RejectReason(name="spam", then="disqualify", gives_turn_back=True),)
    rules = playbook.follow_up.model_copy(update={"reject_reasons": reasons})
    (journey, *_) = list_journeys(owned, "bob")
    ownership.reject(
        owned.ledger, journey, by=make_actor("mia"), now=NOW, reason="spam",
        playbook=playbook.model_copy(update={"follow_up": rules}),
    )  # fmt: skip
    assert read_row(mia.get("/team"), "bob")["turns of share"] == "everybody: 4 of 4.0 1 given back, next"
    assert "given back" not in read_row(mia.get("/team"), "ana")["turns of share"]


def test_the_whole_book_goes_by_fair_turns(owned: Harness, mia: Browser) -> None:
    preview = mia.get("/team/bob/reassign", to="turns", every="true")
    planned = {
        name: count for count, _, name in (each.partition("to ") for each in preview.texts("//div[@class='tile']"))
    }
    assert sum(int(count) for count in planned.values()) == 4
    assert mia.post("/team/bob/reassign", to="turns", every="true", reason="leaves").status == 200
    assert count_leads(owned) == {"ana": 4, "cyn": 4}
    assert owned.find_broken() == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"to": "rep:cyn"}, 409),
        ({"to": "rep:nobody", "every": "true"}, 409),
        ({"to": "pool:nowhere", "every": "true"}, 409),
        ({"to": "rep:bob", "every": "true"}, 409),
        ({"to": "elsewhere", "every": "true"}, 409),
        ({"every": "true"}, 422),
        ({"to": "rep:cyn", "lead": "J1"}, 422),
        ({"to": "rep:cyn", "lead": "-1"}, 422),
        ({"to": "rep:cyn", "lead": str(2**64)}, 422),
        ({"to": "rep:cyn", "lead": str(2**62)}, 409),
        ({"to": "rep:" + "c" * 300, "every": "true"}, 422),
    ],
)
def test_an_address_that_cannot_be_read_is_answered_with_what_is_wrong(
    owned: Harness, mia: Browser, query: dict[str, str], status: int
) -> None:
    page = mia.get("/team/bob/reassign", **query)
    assert (page.status, len(page.texts("//*[@id='problem']"))) == (status, 1)
    body = "&".join(f"{name}={value}" for name, value in query.items()) + "&reason=because"
    sent = mia.send("POST", "/team/bob/reassign", body, SAME_ORIGIN | {"Content-Type": FORM})
    assert sent.status == status
    assert count_leads(owned)["bob"] == 4


def test_a_reason_is_needed(owned: Harness, mia: Browser) -> None:
    assert mia.post("/team/bob/reassign", to="rep:cyn", every="true", reason=" \t").status == 409
    assert mia.post("/team/bob/reassign", to="rep:cyn", every="true").status == 422
    assert count_leads(owned)["bob"] == 4


@pytest.mark.parametrize("path", ["/team/nobody", "/team/%00", "/team/..%2f", "/team/" + "n" * 300])
def test_a_rep_who_is_not_there_is_no_page(owned: Harness, console: ConsoleSite, path: str) -> None:
    olga = console.sign_in("olga", Role.OPERATOR)
    assert olga.get(path).status == 404
    assert olga.get(f"{path}/reassign", to="turns", every="true").status in (404, 409)


@pytest.mark.parametrize("did", ["A0", "A99999999999999999999", "<b>", "A1' OR 1=1", "A1"])
def test_an_action_that_is_none_of_a_transfer_is_told_nowhere(owned: Harness, mia: Browser, did: str) -> None:
    page = mia.get("/team/bob", did=did)
    assert (page.status, page.texts("//*[@id='did']")) == (200, [""])


def test_hostile_values_are_shown_harmless(hostile: Harness, mia: Browser) -> None:
    page = reload(mia, "/team/bob")
    assert page.status == 200
    assert "\u202e" not in page.text
    assert page.tree.xpath("//main//script | //main//img") == []
    assert len(page.text) < 40_000
