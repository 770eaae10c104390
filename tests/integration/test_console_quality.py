"""The page of quality: shares of kept promises and of empty values, from a real ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from console_site import Browser, ConsoleSite, Page
from harness import NOW, Harness, make_lead
from sqlalchemy import text

from leadgate.vocabulary import Role

HOSTILE = "<script>alert(1)</script>\u202e" + "x" * 8_000


@pytest.fixture
def console_as_of() -> Any:
    return NOW + timedelta(minutes=10)


@pytest.fixture
def worked(harness: Harness) -> Harness:
    """Four sound leads, one with an impossible phone number, and one without a phone."""
    harness.begin(
        *[make_lead(number) for number in range(4)],
        make_lead(8, Phone="call me"),
        make_lead(9) | {"Phone": ""},
    )
    return harness


@pytest.fixture
def olga(worked: Harness, console: ConsoleSite) -> Browser:
    return console.sign_in("olga", Role.OPERATOR)


def look(browser: Browser, **query: Any) -> Page:
    page = browser.get("/quality", **query)
    while "refresh" in page.headers:
        page = browser.get("/quality", **query)
    return page


def read_rows(page: Page, title: str) -> dict[str, list[str]]:
    rows = page.tree.xpath(f"//*[@aria-label='{title}']//tbody/tr")
    cells = [[" ".join(cell.text_content().split()) for cell in row.xpath("./th | ./td")] for row in rows]
    return {name: rest for name, *rest in cells}


def test_each_promise_has_its_share_and_what_broke_leads_to_the_queue(olga: Browser) -> None:
    page = look(olga)
    assert page.status == 200
    ((words, broke),) = read_rows(page, "What broke lately").items()
    assert broke[:4] == ["validated", "1", "83.3 %", "1"]
    assert "/queue?reason=phone_impossible" in page.tree.xpath("//main//a/@href")
    gate = read_rows(page, "Promises of the gate validated")
    assert gate[words] == ["held", *["·"] * 7, "83.3 %"]
    assert {cells[-1] for cells in read_rows(page, "Promises of the gate captured").values()} == {"100 %"}


def test_empty_values_are_told_by_field_and_source(olga: Browser) -> None:
    empty = read_rows(look(olga, source="website"), "Empty values")
    assert empty["Leads"][-1] == "6"
    assert empty["email empty"][-1] == "0 %"
    assert empty["phone empty"][-1] == "16.7 %"
    assert "No lead in eight weeks" in look(olga, source="partner").words


@pytest.mark.parametrize(
    ("role", "status"), [(Role.REP, 403), (Role.PRIVACY_OFFICER, 403), (Role.REVIEWER, 200), (Role.ADMIN, 200)]
)
def test_quality_is_for_who_may_read_it(worked: Harness, console: ConsoleSite, role: Role, status: int) -> None:
    assert console.sign_in("someone", role, rep="ana" if role is Role.REP else None).get("/quality").status == status


@pytest.mark.parametrize(("source", "status"), [("nowhere", 404), ("\x00", 404), ("s" * 300, 422), ("<b>", 404)])
def test_a_source_that_nobody_knows_is_no_page(olga: Browser, source: str, status: int) -> None:
    assert look(olga, source=source).status == status


def test_hostile_names_are_shown_harmless(worked: Harness, olga: Browser) -> None:
    with worked.ledger.transaction() as connection:
        connection.execute(text("UPDATE journey SET source = :hostile"), {"hostile": HOSTILE[:200]})
        connection.execute(text("UPDATE work_item SET promise = :hostile, reason = :hostile"), {"hostile": HOSTILE})
    page = look(olga)
    assert page.status == 200
    assert "\u202e" not in page.text
    assert page.tree.xpath("//main//script") == []


def test_what_changed_for_the_worse_is_told_first_with_its_source_and_work_item(worked: Harness, olga: Browser) -> None:
    state = {
        "phone_possible": {"status": "open", "window": "1" * 30},
        "has_contact": {"status": "closed", "window": "0"},
    }
    item = worked.one("SELECT id FROM work_item LIMIT 1")
    with worked.ledger.transaction() as connection:
        connection.execute(
            text(
                "UPDATE breaker SET state = CAST(:state AS jsonb), work_item_id = :item "
                "WHERE source = 'website' AND gate = 'validated'"
            ),
            {"state": orjson.dumps(state).decode(), "item": item},
        )
    page = look(olga)
    (told,) = read_rows(page, "To look at").items()
    assert told[0].startswith("now The source is parked")
    assert told[1] == ["30 of the last 30 rows broke the promise phone possible", "website", f"W{item}"]
    assert page.tree.xpath(f"//a[@href='/queue/{item}']")


def test_what_enrichment_added_is_no_value_that_came(worked: Harness, olga: Browser) -> None:
    with worked.ledger.transaction() as connection:
        connection.execute(
            text("""UPDATE lead SET provenance = '{"company": {"provider": "accounts"}}' WHERE id IN (1, 2, 3)""")
        )
    assert read_rows(look(olga, source="website"), "Empty values")["company empty"][-1] == "50.0 %"
