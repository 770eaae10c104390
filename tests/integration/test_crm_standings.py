"""The state of CRMs in ``leadgate status`` and ``/metrics``: reading, backlog, limits, failures, gone records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from crm_books import run_intake
from harness import NOW, Harness, make_lead
from sqlalchemy import text

from console.http.metrics_text import Process, format_exposition
from leadgate.ledger import crm_connections, crm_positions
from leadgate.ledger.crm_figures import list_standings
from leadgate.ledger.metrics import read_metrics

IDLE = Process({}, {}, {}, 0, 0.0, 0.0)


@pytest.fixture
def template(taken: str) -> str:
    return taken


@pytest.fixture
def troubled(written: Harness) -> Harness:
    """A ledger with two leads in the CRM, one that waits, one whose record is gone, and a CRM that may not be asked."""
    written.capture(make_lead(3), now=NOW)
    run_intake(written)
    with written.ledger.transaction() as connection:
        connection.execute(text("UPDATE crm_link SET gone_at = :now WHERE lead_id = 2"), {"now": NOW})
        crm_connections.keep_answer(connection, "sales", NOW, day_limit=1000, day_left=240)
        crm_connections.wait(connection, "sales", "\x1b[31mHubSpot is away", NOW + timedelta(hours=1))
        for kind, age in (("lead", 60), ("deal", 600)):
            crm_positions.move_position(
                connection, "sales", kind, before=None, after="1", records=1, changed_at=NOW, complete=True,
                now=NOW - timedelta(seconds=age),
            )  # fmt: skip
        crm_positions.record_failure(connection, "sales", "deal", "no answer", NOW)
    return written


def test_a_crm_stands_as_its_rows_say(troubled: Harness) -> None:
    (each,) = list_standings(troubled.ledger, NOW + timedelta(seconds=30))
    assert (each.crm, each.read_age, each.read_failures, each.read_error) == ("sales", 630.0, 1, "no answer")
    assert (each.day_limit, each.day_left, each.waiting, each.gone) == (1000, 240, 1, 1)
    assert (each.oldest_waiting, each.left_alone_until) == (30.0, NOW + timedelta(hours=1))


def test_a_kind_that_was_never_read_to_its_end_has_no_age(troubled: Harness) -> None:
    with troubled.ledger.transaction() as connection:
        crm_positions.record_failure(connection, "sales", "task", "no answer", NOW)
    (each,) = list_standings(troubled.ledger, NOW)
    assert each.read_age is None


def test_a_crm_that_is_not_used_any_more_is_left_out(troubled: Harness) -> None:
    with troubled.ledger.transaction() as connection:
        crm_connections.keep_active(connection, ["other"])
    (each,) = list_standings(troubled.ledger, NOW)
    assert (each.crm, each.read_age, each.waiting, each.day_left, each.gone) == ("other", None, 0, None, 0)


def test_status_tells_how_each_crm_stands(troubled: Harness, cli: Cli) -> None:
    result = cli("status", "--now", NOW)
    told = join_lines(result)
    assert "\x1b" not in result.stdout
    for words in ("sales", "240 of 1,000", "11:00 UTC", "HubSpot is away", "reading failed once"):
        assert words in told
    (each,) = read_json(cli("status", "--json", "--now", NOW))["crms"]
    assert (each["crm"], each["gone"], each["waiting"]) == ("sales", 1, 1)


def test_metrics_have_a_value_for_each_crm(troubled: Harness) -> None:
    exposed = format_exposition(read_metrics(troubled.ledger, NOW), IDLE).decode()
    values: dict[str, Any] = dict(
        line.rsplit(" ", 1) for line in exposed.splitlines() if line.startswith("leadgate_crm_") and "{crm" in line
    )
    assert values == {
        'leadgate_crm_read_age_seconds{crm="sales"}': "600.0",
        'leadgate_crm_read_failures{crm="sales"}': "1.0",
        'leadgate_crm_write_failures{crm="sales"}': "1.0",
        'leadgate_crm_left_alone{crm="sales"}': "1.0",
        'leadgate_crm_requests_left{crm="sales"}': "240.0",
        'leadgate_crm_messages_waiting{crm="sales"}': "1.0",
        'leadgate_crm_oldest_waiting_seconds{crm="sales"}': "0.0",
        'leadgate_crm_records_gone{crm="sales"}': "1.0",
    }
