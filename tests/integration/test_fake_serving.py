"""The server that fakes of CRMs stand on: its faults come where they were planned, and a seed repeats them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from crm_fakes.serving import (
    RESET_AFTER,
    RESET_BEFORE,
    SILENCE_AFTER,
    Ending,
    FakeService,
    Request,
    Response,
    answer_with,
    change_answer,
    serve,
)
from forked import wait_for


class Counter(FakeService):
    """Counts the requests that it acted on."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def answer(self, request: Request) -> Response:
        self.count += 1
        return Response(200, {"count": self.count, "sent": request.body.decode(), "path": list(request.segments)})


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def url(counter: Counter) -> Iterator[str]:
    with serve(counter) as base_url:
        yield base_url


def test_a_request_is_answered_and_kept(counter: Counter, url: str) -> None:
    with requests.Session() as session:
        for _ in range(3):
            answer = session.post(f"{url}/a%2Fb/c?d=e", data="hello", timeout=60)
    assert answer.json() == {"count": 3, "sent": "hello", "path": ["a/b", "c"]}
    assert [(r.method, r.query, r.body) for r in counter.requests("a%2Fb")] == [("POST", {"d": "e"}, b"hello")] * 3
    assert counter.errors == []


@pytest.mark.parametrize(
    ("fault", "count"), [(RESET_BEFORE, 0), (RESET_AFTER, 1), (SILENCE_AFTER, 1)], ids=lambda value: str(value)
)
def test_a_request_that_gets_no_answer_was_acted_on_or_not(
    counter: Counter, url: str, fault: object, count: int
) -> None:
    counter.faults.plan(fault, matching="POST")  # type: ignore[arg-type]
    with pytest.raises((requests.ConnectionError, requests.Timeout)):
        requests.post(url, timeout=0.1 if fault is SILENCE_AFTER else 60)
    wait_for(lambda: counter.count == count)  # who waits for an answer may have given up before the fake acts
    assert requests.get(url, timeout=60).json()["count"] == count + 1
    assert counter.faults.are_used_up


def test_an_answer_can_be_replaced_or_changed(counter: Counter, url: str) -> None:
    counter.faults.plan(
        answer_with(429, {"why": "limit"}, Retry_After="7"),
        change_answer(lambda response: Response(response.status, {**response.body, "count": "many"})),
    )
    limited, changed = requests.get(url, timeout=60), requests.get(url, timeout=60)
    assert (limited.status_code, limited.headers["Retry-After"], limited.json()) == (429, "7", {"why": "limit"})
    assert changed.json()["count"] == "many"
    assert counter.count == 1


def test_a_seed_repeats_what_chance_did() -> None:
    def draw(seed: int) -> list[object]:
        counter = Counter()
        counter.faults.by_chance({RESET_BEFORE: 0.3, answer_with(503): 0.2}, seed=seed)
        outcomes = [counter.handle(Request("GET", "/", {}, b"")) for _ in range(200)]
        return [outcome if isinstance(outcome, Ending) else outcome.status for outcome in outcomes]

    assert draw(7) == draw(7) != draw(8)
    assert 30 < draw(7).count(Ending.RESET) < 90
    assert 20 < draw(7).count(503) < 70
