"""A connector to the fake of HubSpot, as the tests of the connector share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from crm_fakes.hubspot import FakeHubSpot, Portal
from crm_fakes.serving import serve
from leadgate.connectors.crm import CrmTask, CrmWrite
from leadgate.connectors.hubspot import HubSpot, Pace
from leadgate.connectors.service_session import Policy, ServiceSession

TOKEN = "pat-na1-5ecret"  # noqa: S105 - made up
#: ``read``: for an answer that never comes it is waited for, and no answer may take as long on a busy machine.
QUICK = Policy(read=2, repeats=2, first_wait=0.001, longest_wait=0.01, allow_private=True)
SOON = Pace(
    requests=1_000, interval=0.1, searches=1_000, search_interval=0.02, lock_wait=0.002, longest_wait=1, daily_wait=9
)
DUE = datetime(2026, 11, 30, 9, tzinfo=UTC)


def add_token(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = f"Bearer {TOKEN}"
    return request


@dataclass
class Account:
    """A connector, the fake that it is connected to, and the memory of the fake."""

    crm: HubSpot
    fake: FakeHubSpot
    portal: Portal
    connect: Callable[..., HubSpot]
    base_url: str


@pytest.fixture
def hubspot() -> Iterator[Account]:
    portal = Portal()
    for kind in ("contacts", "tasks"):
        portal.add_property(kind, "leadgate_id", is_unique=True)
    portal.add_property("contacts", "leadgate_score", "number")
    portal.add_property("contacts", "leadgate_due", "datetime")
    portal.add_property("contacts", "leadgate_day", "date")
    portal.add_property("contacts", "leadgate_told", "bool")
    portal.add_property("contacts", "leadgate_grade", "enumeration", options=["A", "B"])
    portal.add_owner("rep@example.com")
    fake = FakeHubSpot(portal, token=TOKEN)
    opened: list[HubSpot] = []
    with serve(fake) as base_url:

        def connect(pace: Pace = SOON, **options: Any) -> HubSpot:
            session = ServiceSession("HubSpot", auth=add_token, policy=QUICK, secrets=[TOKEN])
            opened.append(HubSpot(base_url, session, pace=pace, **{"overlap": 0.0, "deleted_every": 0.0, **options}))
            return opened[-1]

        yield Account(connect(), fake, portal, connect, base_url)
        for crm in opened:
            crm.close()
    assert fake.errors == []


def make_rows(count: int, **values: Any) -> list[CrmWrite]:
    return [CrmWrite(f"L{n}", {"email": f"p{n}@example.com", "leadgate_score": n, **values}) for n in range(count)]


def make_task(account: Account, key: str = "T1", **more: Any) -> CrmTask:
    contact = account.portal.add_record("contacts", email=f"{key.lower()}@example.com")
    owner = account.portal.owners[0]["id"]
    return CrmTask(key, contact.id, owner, "Call <b>Ann</b>", "first\n<script>", DUE, **more)
