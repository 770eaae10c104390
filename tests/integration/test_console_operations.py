"""The page of operations: what comes in, what runs and waits, what is parked, and the runs in Prefect behind it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from console_site import Browser, ConsoleSite, Page
from harness import NOW, Harness, make_lead
from sqlalchemy import text

from leadgate.ledger import consumers
from leadgate.vocabulary import Role

HOSTILE = "<script>alert(1)</script>\u202e" + "x" * 8_000
RUN = "0198a8a2-4b5c-7def-8123-456789abcdef"


@pytest.fixture
def console_as_of() -> Any:
    return NOW + timedelta(minutes=10)


@pytest.fixture
def worked(harness: Harness) -> Harness:
    harness.begin(*[make_lead(number) for number in range(4)], make_lead(9, Phone="call me"))
    return harness


@pytest.fixture
def olga(worked: Harness, console: ConsoleSite) -> Browser:
    return console.sign_in("olga", Role.OPERATOR)


def look(browser: Browser) -> Page:
    page = browser.get("/operations")
    while "refresh" in page.headers:
        page = browser.get("/operations")
    return page


def read_rows(page: Page, title: str) -> list[list[str]]:
    rows = page.tree.xpath(f"//*[@aria-label='{title}']//tbody/tr")
    return [[" ".join(cell.text_content().split()) for cell in row.xpath("./th | ./td")] for row in rows]


def run_sql(harness: Harness, statement: str, **values: Any) -> None:
    with harness.ledger.transaction() as connection:
        connection.execute(text(statement), values)


def test_an_operator_sees_what_came_in_what_is_held_and_that_all_is_well(olga: Browser) -> None:
    page = look(olga)
    assert page.status == 200
    assert ["website", "5", "5", "5", "Wed 4 Mar, 10:00", "1", "comes in"] in read_rows(page, "Sources")
    assert ["partner", "0", "0", "0", "not in 7 days", "0", "silent"] in read_rows(page, "Sources")
    assert "All is well" in page.words
    ((_, kind, size, *_),) = read_rows(page, "Batches")[-1:]
    assert (kind, size) == ("intake", "5")


def test_leads_that_nobody_takes_and_a_consumer_that_is_gone_are_told(worked: Harness, olga: Browser) -> None:
    worked.capture(make_lead(20))
    consumers.record_consumer(worked.ledger, name="laptop", host="h1", pid=7, doing="waits for leads")
    run_sql(worked, "UPDATE consumer SET seen_at = seen_at - interval '5 minutes'")
    page = look(olga)
    assert "nobody takes them" in page.texts("//*[@class='notice bad']")[0]
    ((name, _, _, _, state),) = read_rows(page, "Consumers")
    assert (name, state) == ("laptop", "gone; its batch is taken over")


def test_a_parked_source_leads_to_its_work_item(worked: Harness, olga: Browser) -> None:
    item = worked.one("SELECT work_item_id FROM journey WHERE work_item_id IS NOT NULL")
    state = '{"phone_possible": {"status": "open", "window": "1101", "opened_at": "2026-03-04T10:00:00+00:00"}}'
    run_sql(worked, "DELETE FROM breaker")
    run_sql(
        worked,
        "INSERT INTO breaker (source, gate, state, work_item_id) "
        "VALUES ('website', 'validated', CAST(:state AS jsonb), :item)",
        state=state,
        item=item,
    )
    page = look(olga)
    (notice,) = page.texts("//*[@class='notice warn']")
    assert "3 of its last 4 rows broke the promise phone possible" in notice
    assert f"/queue/W{item}" in page.tree.xpath("//*[@class='notice warn']//a/@href")
    assert read_rows(page, "Sources")[0][-1] == "parked"


def test_a_batch_leads_to_its_run_in_prefect(worked: Harness, olga: Browser) -> None:
    run_sql(worked, "UPDATE batch SET holder = :run", run=RUN)
    page = look(olga)
    assert f"http://127.0.0.1:4200/runs/flow-run/{RUN}" in page.tree.xpath("//*[@aria-label='Batches']//a/@href")


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.REP, 403),
        (Role.REVIEWER, 403),
        (Role.PRIVACY_OFFICER, 403),
        (Role.MANAGER, 200),
        (Role.OPERATOR, 200),
        (Role.ADMIN, 200),
    ],
)
def test_operations_are_for_who_may_read_them(worked: Harness, console: ConsoleSite, role: Role, status: int) -> None:
    assert console.sign_in("someone", role, rep="ana" if role is Role.REP else None).get("/operations").status == status


def test_hostile_values_are_shown_harmless(worked: Harness, olga: Browser) -> None:
    run_sql(worked, "UPDATE journey SET source = :hostile", hostile=HOSTILE[:200])
    run_sql(worked, "UPDATE outbox SET target = :hostile, failure = :hostile, attempts = 1", hostile=HOSTILE)
    run_sql(worked, "UPDATE batch SET holder = :hostile", hostile=HOSTILE)
    consumers.record_consumer(worked.ledger, name=HOSTILE[:300], host=HOSTILE[:300], pid=7, doing=HOSTILE)
    page = look(olga)
    assert page.status == 200
    assert "\u202e" not in page.text
    assert page.tree.xpath("//main//script") == []
