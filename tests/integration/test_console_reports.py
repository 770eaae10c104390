"""The report as pages: what its address asks for, who may see it, and where its numbers lead to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from console_site import Browser, ConsoleSite, Page
from harness import NOW, Harness, make_lead
from sqlalchemy import text

from leadgate.vocabulary import Role

HOSTILE = "<script>alert(1)</script>\u202e" + "x" * 8_000


@pytest.fixture
def console_as_of() -> Any:
    return NOW + timedelta(hours=5)


@pytest.fixture
def worked(harness: Harness) -> Harness:
    """Eight leads with owners, one that waits for a person, and one that cannot be read."""
    harness.begin(*[make_lead(number, Title="Chief") for number in range(8)], make_lead(9, Phone="call me"), None)
    return harness


@pytest.fixture
def mia(worked: Harness, console: ConsoleSite) -> Browser:
    return console.sign_in("mia", Role.MANAGER, rep="mia")


def look(browser: Browser, **query: Any) -> Page:
    """The page once its figures are computed, as it comes again by itself."""
    page = browser.get("/reports", **query)
    while "refresh" in page.headers:
        page = browser.get("/reports", **query)
    return page


def read_tiles(page: Page) -> dict[str, str]:
    return dict(
        zip(page.texts("//*[@class='tile']/span[@class='what']"), page.texts("//*[@class='tile']/strong"), strict=True)
    )


def test_each_section_has_a_page_with_its_figures_and_the_period_before(mia: Browser) -> None:
    page = look(mia)
    assert page.status == 200
    assert page.texts("//nav[@aria-label='Sections']/a") == [
        "Funnel", "Conversion", "Speed and SLA", "Load and fairness", "Clean paths", "Over time",
    ]  # fmt: skip
    for href in page.tree.xpath("//nav[@aria-label='Sections']/a/@href")[:-1]:
        assert len(read_tiles(mia.get(href))) >= 1
    speed = look(mia, section="speed")
    assert read_tiles(speed)["First touch in time"] == "0 %"
    assert "in the period before" in speed.words
    assert look(mia, section="load").tree.xpath("//article//svg")
    over_time = look(mia, section="trend")
    assert over_time.tree.xpath("//article//svg/@aria-label")[0] == "Signals by day"


def test_numbers_lead_to_what_they_are_of(mia: Browser) -> None:
    load = look(mia, section="load")
    links = set(load.tree.xpath("//section//a/@href"))
    assert {"/leads?due=overdue", "/leads?rep=bob", "/leads?rep=bob&due=overdue", "/team/bob"} <= links
    paths = look(mia, section="paths", days=7)
    assert "/queue?reason=phone_impossible" in paths.tree.xpath("//section//a/@href")
    speed = look(mia, section="speed", days=7)
    assert "/reports?section=speed&days=7&rep=bob" in speed.tree.xpath("//section//a/@href")


def test_a_view_is_its_address(mia: Browser) -> None:
    asked = {"section": "load", "since": "2026-03-01", "until": "2026-03-04", "rep": "bob", "zone": "Asia/Tokyo"}
    page = look(mia, **asked)
    (address,) = page.tree.xpath("//main/p/a/@href")
    assert mia.get(address).texts("//h2[@id='section']") == page.texts("//h2[@id='section']") == ["Load and fairness"]
    assert "2026-03-01 to 2026-03-04, days and hours of Asia/Tokyo · rep Bob" in page.words
    form = {each.get("name"): each.get("value") for each in page.tree.xpath("//form[@method='get']//input")}
    assert form["since"] == "2026-03-01"
    assert page.tree.xpath("//select[@name='rep']/option[@selected]/@value") == ["bob"]


def test_a_period_of_days_follows_the_calendar(mia: Browser) -> None:
    assert "2026-02-26 to 2026-03-04" in look(mia, days=7).words
    assert "2025-12-05 to 2026-03-04" in look(mia, days=90).words


def test_figures_are_kept_and_computed_again_when_somebody_asks(
    worked: Harness, mia: Browser, console: ConsoleSite
) -> None:
    before = read_tiles(look(mia, section="load"))["Open now"]
    with worked.ledger.transaction() as connection:
        connection.execute(
            text(
                "UPDATE assignment SET ended_at = assigned_at, end_reason = 'reassigned' "
                "WHERE id = (SELECT max(id) FROM assignment)"
            )
        )
    assert read_tiles(look(mia, section="load"))["Open now"] == before
    assert mia.post("/reports/refresh", section="load").status == 200
    assert read_tiles(look(mia, section="load"))["Open now"] == before  # younger than ten seconds
    key = next(iter(console.site.figures._kept))
    console.site.figures.forget(key)
    assert int(read_tiles(look(mia, section="load"))["Open now"]) == int(before) - 1


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.REP, 403),
        (Role.PRIVACY_OFFICER, 403),
        (Role.MANAGER, 200),
        (Role.REVIEWER, 200),
        (Role.OPERATOR, 200),
        (Role.ADMIN, 200),
    ],
)
def test_reports_are_for_who_may_read_them(worked: Harness, console: ConsoleSite, role: Role, status: int) -> None:
    someone = console.sign_in("someone", role, rep="ana" if role is Role.REP else None)
    assert someone.get("/reports").status == status
    assert someone.post("/reports/refresh").status == status
    assert ("Reports" in someone.get("/account").texts("//nav/a")) is (status == 200)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"section": "nothing"}, 400),
        ({"days": "0"}, 422),
        ({"days": "99999999999999999999"}, 422),
        ({"days": "x"}, 422),
        ({"since": "yesterday"}, 400),
        ({"since": "0001-01-01"}, 400),
        ({"until": "9999-12-31"}, 400),
        ({"since": "2026-03-04", "until": "2026-03-01"}, 400),
        ({"zone": "Mars/Olympus"}, 400),
        ({"zone": "../../etc/passwd"}, 400),
        ({"source": "nowhere"}, 400),
        ({"rep": "nobody"}, 400),
        ({"rep": "n" * 300}, 422),
        ({"source": "\x00"}, 400),
        ({"source": HOSTILE[:150]}, 400),
    ],
)
def test_an_address_that_cannot_be_read_is_answered_with_what_is_wrong(
    mia: Browser, query: dict[str, str], status: int
) -> None:
    page = look(mia, **query)
    assert (page.status, len(page.texts("//*[@id='problem']"))) == (status, 1)
    assert page.tree.xpath("//main//script") == []


def test_a_section_that_a_rep_does_not_have_gives_way_to_one_that_they_have(mia: Browser) -> None:
    page = look(mia, section="funnel", rep="bob")
    assert (page.status, page.texts("//h2[@id='section']")) == (200, ["Speed to lead"])


def test_hostile_names_are_shown_harmless(worked: Harness, mia: Browser) -> None:
    with worked.ledger.transaction() as connection:
        connection.execute(text("UPDATE work_item SET reason = :hostile"), {"hostile": HOSTILE})
        connection.execute(text("UPDATE assignment SET pool = :hostile"), {"hostile": HOSTILE[:150]})
    for section in ("paths", "load", "speed"):
        page = look(mia, section=section, days=3)
        assert page.status == 200
        assert "\u202e" not in page.text
        assert page.tree.xpath("//main//script") == []


def test_each_table_of_a_view_is_a_file(mia: Browser, console: ConsoleSite) -> None:
    page = look(mia, section="load", days=7)
    links = page.tree.xpath("//p[@class='file']/a/@href")
    assert "/reports.csv?section=load&days=7&table=reps" in links
    for link in links:
        answer = mia.get(link)
        assert answer.headers["content-type"].startswith("text/csv"), link
        assert "attachment" in answer.headers["content-disposition"], link
    lines = mia.get("/reports.csv", section="load", table="reps").text.splitlines()
    assert {line.split(",")[0] for line in lines} == {"\ufeffrep", "ana", "bob", "cyn"}
    assert mia.get("/reports.csv", section="load", table="nothing").status == 404
    assert 400 <= mia.get("/reports.csv", section="nothing", table="reps").status < 500
    assert console.sign_in_rep("ana").get("/reports.csv", section="load", table="reps").status == 403


def count_listed(browser: Browser, address: str) -> int:
    """The rows behind a link, on all pages of the list."""
    listed, pages = 0, 0
    while address:
        page = browser.get(address)
        assert page.status == 200, address
        listed, pages = listed + len(page.tree.xpath("//main//tbody/tr")), pages + 1
        assert pages < 5
        (address,) = page.tree.xpath("//main//a[text()='More']/@href") or [""]
    return listed


def test_each_number_of_the_funnel_leads_to_as_many_leads(mia: Browser) -> None:
    page, behind = look(mia, period="this_week"), "[starts-with(@href, '/reports/leads?')]"
    cells = page.tree.xpath(f"//section[@class='report']//td/a{behind}")
    assert len(cells) > 20
    counted: dict[str, int] = {each.get("href"): int(each.text_content().replace(",", "")) for each in cells}
    assert {address: count_listed(mia, address) for address in counted} == counted
    tiles = page.tree.xpath(f"//a[@class='tile']{behind}/@href")
    assert len(tiles) == 4
    assert count_listed(mia, tiles[0]) == int(read_tiles_of_links(page)["Signals"])


def read_tiles_of_links(page: Page) -> dict[str, str]:
    return {
        each.xpath("span")[0].text_content(): each.xpath("strong")[0].text_content()
        for each in page.tree.xpath("//a[@class='tile']")
    }


def test_a_list_behind_a_number_goes_on_where_a_page_ends(mia: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.web.pages.report_leads._ROWS", 4)
    assert count_listed(mia, "/reports/leads?days=7") == 10


@pytest.mark.parametrize("role", [Role.REP, Role.PRIVACY_OFFICER])
def test_leads_behind_numbers_are_for_who_may_read_reports(worked: Harness, console: ConsoleSite, role: Role) -> None:
    assert console.sign_in("someone", role).get("/reports/leads").status == 403


@pytest.mark.parametrize(
    "query",
    [
        {"reached": "nowhere"},
        {"stopped": "x"},
        {"status": "lost"},
        {"before": "x"},
        {"before": "1_1"},
        {"source": "no"},
    ],
)
def test_a_list_that_cannot_be_read_is_answered_with_what_is_wrong(mia: Browser, query: dict[str, str]) -> None:
    assert mia.get("/reports/leads", **query).status == 400
