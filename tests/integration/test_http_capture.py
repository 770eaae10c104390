"""HTTP capture over real HTTP: what is answered, what is stored, and that both always agree.

Long as one file: one server, and the same questions about answer and ledger for each kind of request.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from commands import Cli, join_lines, read_json
from forked import wait_for
from harness import NOW, Harness, make_lead
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from poison import refuse_rows
from posting import (
    BRAKE_FROM,
    HTTP_PLAYBOOK,
    JSON,
    SECRETS,
    TOKEN,
    Answer,
    Client,
    build_auth_headers,
    count_signals,
    is_writer_waiting,
    name_secret,
    writer_held,
)
from prometheus_client.parser import text_string_to_metric_families
from properties import tried
from sqlalchemy import create_engine, text
from stub_gates import pass_all

from console.http import capture_api, connections, incoming, writer
from console.http.brake import MAX_DELAY
from console.http.connections import Limits
from console.http.rates import FAILURES, FAILURES_PER_SECOND
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, consumers
from leadgate.ledger.activities import NewActivity
from leadgate.ledger.requests import Sender
from leadgate.ledger.signals import NewSignal
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks import ingestion
from tasks.batches import run_waiting


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(HTTP_PLAYBOOK, path=Path("http.yaml"))


# --- what is stored ---------------------------------------------------------------------------------------


def test_a_signal_is_stored_as_it_came_and_goes_all_the_way(client: Client, harness: Harness) -> None:
    body = b' {"Phone": "+49301000001", "Email":"lead1@company1.example",\n "Company": "One", "Note": "a\\u0000b", "n": 1.50}'
    answer = client.post(body)

    assert (answer.status, answer.headers["content-type"]) == (202, "application/json")
    ((id_, payload, origin),) = harness.rows("SELECT id, payload, origin FROM signal")
    assert answer.data == {"signals": [{"id": id_, "new": True}]}
    assert (payload, origin) == (body.decode().strip(), "HTTP")
    harness.run(NOW + timedelta(days=3650))
    assert harness.count_statuses() == {"owned": 1}
    assert harness.one("SELECT email FROM lead") == "lead1@company1.example"
    assert harness.find_broken() == []


def test_a_payload_whose_names_say_nothing_keeps_its_only_address(client: Client, harness: Harness) -> None:
    """Of two addresses neither is taken; a file with the same columns would be decided as a whole."""
    bodies: list[dict[str, Any]] = [
        {"q1": "ada@mill.example", "q2": "Ada", "company": "Mill"},
        {"data": {"fields": [{"key": "x", "label": "?", "type": "INPUT_EMAIL", "value": "bob@mill.example"}]}},
        {"q1": "cyn@mill.example", "q2": "dan@mill.example", "company": "Mill"},
        {"owner": {"email": "rep@seller.example"}, "company": "Mill"},
    ]
    for body in bodies:
        assert client.post(json.dumps(body).encode()).status == 202
    harness.run(NOW + timedelta(days=3650))
    found = harness.rows("SELECT email FROM lead WHERE email IS NOT NULL ORDER BY email")
    assert found == [("ada@mill.example",), ("bob@mill.example",)]
    assert harness.one("SELECT count(*) FROM work_item WHERE reason = 'no_contact'") == 2


def test_a_list_is_stored_whole_and_answered_in_its_order(client: Client, harness: Harness) -> None:
    client.post(make_lead(2, id=2))
    answer = client.post([make_lead(1, id=1), make_lead(2, id=2), make_lead(3, id=3), make_lead(1, id=1)])

    entries = answer.data["signals"]
    assert [entry["new"] for entry in entries] == [True, False, True, False]
    assert entries[0]["id"] == entries[3]["id"], "the same id twice is one signal"
    emails = {id_: json.loads(payload)["Email"] for id_, payload in harness.rows("SELECT id, payload FROM signal")}
    assert [emails[entry["id"]] for entry in entries] == [make_lead(n)["Email"] for n in (1, 2, 3, 1)]
    assert harness.one("SELECT count(*) FROM journey") == 3


def test_forms_are_signals_too(client: Client, harness: Harness) -> None:
    body = b"Email=lead1%40company1.example&Company=One&Interest=a&Interest=b"
    form = client.send(
        "POST", "/capture/website", body,
        {"Content-Type": "application/x-www-form-urlencoded"} | build_auth_headers("website", body, request="form"),
    )  # fmt: skip
    assert form.status == 202
    stored = json.loads(harness.one("SELECT payload FROM signal"))
    assert stored == {"Email": "lead1@company1.example", "Company": "One", "Interest": ["a", "b"]}
    assert client.post(stored, request="form").data["signals"][0]["new"] is False


def test_odd_values_are_accepted_and_do_no_harm(client: Client, harness: Harness) -> None:
    odd = [
        make_lead(1, Message="x" * 100_000, Comment="y" * 100_000),
        make_lead(2, Message="nul \x00 here", **{"na\x00me": "\x00"}),
        make_lead(3, id="own\x00id"),
        make_lead(4, id="long" * 2_000),
        make_lead(5, id={"nested": [1, None]}),
        make_lead(6, big=2**64 - 1, small=1e-300, nested={"a": [{"b": {"c": [1, 2]}}]}),
        {"nobody": None},
    ]
    assert [each.status for each in map(client.post, odd)] == [202] * len(odd)
    harness.run(NOW + timedelta(days=3650))
    assert sum(harness.count_statuses().values()) == len(odd)
    assert harness.one("SELECT count(*) FROM journey WHERE stage = 'capture' AND status = 'ready'") == 0
    assert harness.find_broken() == []


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ((make_lead(1), "a"), (make_lead(1), "a"), True),
        ((make_lead(1), "a"), (dict(reversed(make_lead(1).items())), "a"), True),
        ((make_lead(1), "a"), (make_lead(1), "b"), False),
        ((make_lead(1, sent_at="Monday"), "a"), (make_lead(1, sent_at="Tuesday"), "a"), True),
        ((make_lead(1, id=7), "a"), (make_lead(2, id="7"), "b"), True),
        ((make_lead(1, id=7), "a"), (make_lead(1, id=8), "b"), False),
        (([make_lead(1), make_lead(2)], "a"), ([make_lead(1), make_lead(2)], "a"), True),
        (([make_lead(1), make_lead(2)], "a"), ([make_lead(1), make_lead(2)], "b"), False),
    ],
)  # fmt: skip
def test_a_known_key_answers_with_the_signal_that_is_there(
    client: Client, harness: Harness, first: Any, second: Any, same: bool
) -> None:
    one = client.post(first[0], request=first[1]).data["signals"]
    other = client.post(second[0], request=second[1]).data["signals"]

    assert all(entry["new"] for entry in one)
    assert [entry["new"] for entry in other] == [not same] * len(other)
    assert ([entry["id"] for entry in one] == [entry["id"] for entry in other]) == same
    assert count_signals(harness) == len({entry["id"] for entry in one + other})


def test_a_file_of_what_was_posted_adds_nothing(client: Client, harness: Harness) -> None:
    rows = [make_lead(number, id=f"W-{number}") for number in range(3)]
    assert client.post(rows).status == 202
    assert harness.capture(*rows) == 0
    assert client.post(rows, "partner").status == 202
    assert harness.capture(*rows, source="partner") == 0, "without an id, its content is its key"


def test_activities_are_stored_and_what_tells_too_little_is_held(client: Client, harness: Harness) -> None:
    happened = [
        {"email": "a@one.example", "kind": "Demo request", "date": "2026-03-01T10:00:00Z"},
        {"email": "nobody", "kind": "call", "date": "2026-03-01"},
        {"email": "b@one.example", "kind": "call", "date": "2026-03-02", "rep": "ana"},
    ]
    answer = client.post(happened, "activities")

    assert answer.status == 202
    assert [sorted(entry) for entry in answer.data["activities"]] == [
        ["id", "new"],
        ["held_as_signal", "new"],
        ["id", "new"],
    ]
    kinds = harness.rows("SELECT id, kind, rep FROM activity ORDER BY id")
    assert kinds == [
        (answer.data["activities"][0]["id"], "demo_request", None),
        (answer.data["activities"][2]["id"], "call", "ana"),
    ]
    ((held, unreadable, origin),) = harness.rows("SELECT id, unreadable, origin FROM signal")
    assert held == answer.data["activities"][1]["held_as_signal"]
    assert unreadable == "payload 2: the activity names nobody: the e-mail address is malformed"
    assert origin == "HTTP:2"
    again = client.post(happened, "activities").data["activities"]
    assert again == [entry | {"new": False} for entry in answer.data["activities"]]


def test_an_activity_finds_its_lead(client: Client, harness: Harness) -> None:
    client.post(make_lead(1))
    harness.run(NOW + timedelta(days=3650))
    client.post({"email": make_lead(1)["Email"], "kind": "demo_request", "date": "2026-03-01"}, "activities")
    assert harness.one("SELECT a.lead_id = l.id AND l.rescore_at IS NOT NULL FROM activity a, lead l") is True


def test_whoever_waits_for_journeys_is_woken(client: Client, ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True
        driver.execute("LISTEN leadgate_waiting")
        client.post(make_lead(1))
        assert [note.channel for note in driver.notifies(timeout=60, stop_after=1)] == ["leadgate_waiting"]
        driver.autocommit = False


# --- who may post -----------------------------------------------------------------------------------------


def test_there_is_one_refusal_for_everybody_who_is_not_known(client: Client, harness: Harness) -> None:
    body = json.dumps(make_lead(1)).encode()
    right, stale = build_auth_headers("website", body), build_auth_headers("website", body, time.time() - 301)
    attempts: list[tuple[str, dict[str, str]]] = [
        ("nowhere", right),
        ("files", right),
        ("unset", {"Authorization": "Bearer "}),
        ("unset", {}),
        ("website", {}),
        ("website", stale),
        ("website", right | {"webhook-signature": "v1," + "A" * 43 + "="}),
        ("website", right | {"webhook-signature": "sha256=" + "0" * 64}),
        ("website", right | {"webhook-timestamp": "soon"}),
        ("website", right | {"webhook-id": "msg.1"}),
        ("website", right | {"webhook-id": "another"}),
        ("old", right),
        ("website", build_auth_headers("old", body)),
        ("website", {"Authorization": f"Bearer {SECRETS['LEADGATE_SECRET_WEBSITE']}"}),
        ("website", build_auth_headers("website", body + b" ")),
        ("partner", right),
        ("partner", {"Authorization": "Bearer wrong"}),
        ("%00", {"Authorization": "Bearer \u00e9"}),
    ]
    answers = [client.send("POST", f"/capture/{source}", body, JSON | headers) for source, headers in attempts]

    assert {answer.status for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert len({tuple(sorted(set(answer.headers) - {"date"})) for answer in answers}) == 1
    assert "server" not in answers[0].headers
    assert count_signals(harness) == 0
    assert client.send("POST", "/capture/website", body, JSON | right).status == 202


def test_a_stranger_does_not_learn_a_sources_limits(client: Client) -> None:
    big = json.dumps(make_lead(1, Message="x" * 5_000)).encode()
    assert client.post(big, "partner").status == 413
    formed = {"webhook-id": "a", "webhook-timestamp": str(int(time.time())), "webhook-signature": f"v1,{'A' * 43}="}
    for body in (big, b" " * 300_000):
        for headers, status in ((JSON, 401), (JSON | formed, 401 if body is big else 413)):
            found = {
                client.send("POST", f"/capture/{name}", body, headers).status for name in ("partner", "website", "no")
            }
            assert found == {status}


@pytest.mark.parametrize("source", ["website", "partner", "old", "unset", "nowhere"])
@pytest.mark.parametrize(
    ("headers", "answered"),
    [
        ({}, True),
        ({"Authorization": "Bearer wrong"}, True),
        ({"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": f"v1,{'A' * 43}="}, True),
        ({"webhook-id": "a", "webhook-timestamp": "now", "webhook-signature": "v1,short"}, True),
        ({"webhook-id": "a", "webhook-timestamp": "now", "webhook-signature": f"v1,{'A' * 43}="}, False),
        ({"X-Leadgate-Timestamp": "now", "X-Leadgate-Signature": "sha256=" + "0" * 64}, False),
    ],
)  # fmt: skip
def test_a_head_that_cannot_be_right_is_refused_before_the_body_comes(
    client: Client, source: str, headers: dict[str, str], answered: bool
) -> None:
    """Whatever the source: half a body tells a stranger nothing about which sources there are."""
    head = f"POST /capture/{source} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
    head += "".join(
        f"{name}: {str(int(time.time())) if value == 'now' else value}\r\n" for name, value in headers.items()
    )
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as half:
        half.sendall(head.encode() + b"\r\n{")
        if answered:
            answer = half.recv(10_000)
            assert answer.startswith(b"HTTP/1.1 401 ")
            assert b"connection: close" in answer.lower()
        else:
            assert client.get("/healthz").status == 200  # by now it would have been answered
            half.setblocking(False)
            with pytest.raises(BlockingIOError):
                half.recv(1)


def test_a_refusal_arrives_although_the_body_is_still_coming(client: Client) -> None:
    body = b"x" * 3_000_000
    answer = client.send("POST", "/capture/website", body, JSON)
    assert (answer.status, answer.headers["connection"]) == (401, "close")


def test_failures_are_throttled_by_address_and_whoever_signs_in_is_not(client: Client, harness: Harness) -> None:
    def wrong() -> Answer:
        return client.send("POST", "/capture/partner", b"{}", JSON | {"Authorization": "Bearer wrong"})

    assert [wrong().status for _ in range(FAILURES)] == [401] * FAILURES
    throttled = wrong()
    assert (throttled.status, throttled.data["error"]) == (429, "too_many_failures")
    assert int(throttled.headers["retry-after"]) > 0
    assert client.post(make_lead(1)).status == 202
    assert client.post(make_lead(2), "partner").status == 202
    client.seconds += 1 / FAILURES_PER_SECOND
    assert [wrong().status, wrong().status] == [401, 429]
    counted = metrics(client)
    assert counted["leadgate_http_unauthorised_total", ("wrong",)] == FAILURES + 3
    assert counted["leadgate_http_refused_total", ("too_many_failures", "429")] == 2


def test_metrics_tell_why_a_sender_was_not_known(client: Client) -> None:
    body = b"{}"
    right = build_auth_headers("website", body)
    for source, headers in (
        ("nowhere", right),
        ("unset", {}),
        ("website", {}),
        ("partner", {}),
        ("website", right | {"webhook-signature": "v1,"}),
        ("website", build_auth_headers("website", body, time.time() - 301)),
        ("website", build_auth_headers("website", b"other")),
    ):
        assert client.send("POST", f"/capture/{source}", body, JSON | headers).status == 401
    counted = {
        labels[0]: value
        for (name, labels), value in metrics(client).items()
        if name == "leadgate_http_unauthorised_total"
    }
    assert counted == {
        "unknown_source": 1, "no_secret": 1, "missing": 2, "malformed": 1, "stale": 1, "wrong": 1,
    }  # fmt: skip


# --- ids and replays --------------------------------------------------------------------------------------


def test_a_captured_request_makes_no_second_signal(client: Client, harness: Harness) -> None:
    """Whatever a stranger adds to it or changes in it."""
    body = json.dumps(make_lead(1)).encode()
    captured = JSON | build_auth_headers("website", body, request="msg_1")
    first = client.send("POST", "/capture/website", body, captured)
    assert first.data["signals"][0]["new"] is True
    for more, status in (({}, 202), ({"Idempotency-Key": "another"}, 202), ({"webhook-id": "msg_2"}, 401)):
        answer = client.send("POST", "/capture/website", body, captured | more)
        assert answer.status == status
        if status == 202:
            assert answer.data["signals"] == [first.data["signals"][0] | {"new": False}]
    assert client.send("POST", "/capture/old", body, captured).status == 401, "the source is bound by its secret"
    assert count_signals(harness) == 1


def test_a_captured_request_of_the_old_scheme_makes_no_second_signal(
    client: Client, harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    body = json.dumps(make_lead(1)).encode()
    captured = JSON | build_auth_headers("old", body)
    for more in ({}, {"Idempotency-Key": "one"}, {"Idempotency-Key": "other"}, {"X-Request-Id": "other"}):
        assert client.send("POST", "/capture/old", body, captured | more).status == 202
    other = json.dumps(make_lead(2)).encode()
    answer = client.send(
        "POST", "/capture/old", other, JSON | build_auth_headers("old", other) | {"Idempotency-Key": "one"}
    )
    assert answer.data["signals"][0]["new"] is True, "a foreign key makes no signal vanish"
    assert count_signals(harness) == 2
    assert capsys.readouterr().err.count("the source old signs by X-Leadgate-Signature") == 1


@pytest.mark.parametrize("source", ["website", "activities"])
def test_an_id_that_comes_again_with_another_body_is_refused_and_recorded(
    client: Client, harness: Harness, source: str
) -> None:
    def post(number: int, request: str) -> Answer:
        happened = {"email": make_lead(number)["Email"], "kind": "call", "date": "2026-03-01"}
        if source == "activities":
            return client.post(happened, source, Idempotency_Key=request)
        return client.post(make_lead(number, id=number), source, request)

    def total() -> Any:
        return harness.one("SELECT (SELECT count(*) FROM signal) + (SELECT count(*) FROM activity)")

    first = post(1, "a")
    assert (first.status, first.headers["x-request-id"]) == (202, "a")
    for _ in range(2):
        again = post(2, "a")
        assert (again.status, again.data["error"], again.headers["x-request-id"]) == (409, "id_reused", "a")
    assert post(1, "a").status == 202
    assert total() == 1
    assert post(2, "b").status == 202, "the body itself is welcome"
    assert post(1, "a").status == 202
    assert client.post({"x": 1}, "partner", Idempotency_Key="a").status == 202, "the ids of another source are its own"
    assert harness.rows("SELECT source, request_id, times, last_address FROM reused_request") == [
        (source, "a", 2, "127.0.0.1")
    ]
    assert metrics(client)["leadgate_request_ids_reused_total", (source,)] == 2


def test_explain_and_status_tell_of_the_request_and_of_its_id_used_again(
    client: Client, harness: Harness, cli: Cli
) -> None:
    assert client.post(make_lead(1), request="msg_1").status == 202
    harness.run(NOW + timedelta(days=3650))
    told = join_lines(cli("explain", make_lead(1)["Email"]))
    assert "sent from 127.0.0.1, as request msg_1" in told
    assert "another body" not in told
    assert client.post(make_lead(2), request="msg_1").status == 409
    assert "came again with another body 1 time" in join_lines(cli("explain", make_lead(1)["Email"]))
    assert read_json(cli("explain", make_lead(1)["Email"], "--json"))["story"]["reused"][0]["request_id"] == "msg_1"
    assert read_json(cli("status", "--json"))["reused_request_ids"][0]["times"] == 1
    assert "msg_1" in join_lines(cli("status"))


def test_a_list_and_its_only_payload_are_two_bodies(client: Client, harness: Harness) -> None:
    assert client.post([make_lead(1)], request="a").status == 202
    assert client.post(make_lead(1), request="a").status == 409
    assert client.post([make_lead(1), make_lead(2)], request="a").status == 409
    assert count_signals(harness) == 1


def test_of_bodies_that_come_at_once_under_one_id_one_is_stored(client: Client, harness: Harness) -> None:
    with ThreadPoolExecutor(12) as pool:
        with writer_held(harness):
            first = pool.submit(client.post, make_lead(0))
            wait_for(lambda: is_writer_waiting(harness))
            posts = [pool.submit(client.post, make_lead(1 + number % 3), request="a") for number in range(9)]
            wait_for(lambda: metrics_waiting(client) >= 9)
        answers = [post.result() for post in posts]
    assert first.result().status == 202
    assert sorted(answer.status for answer in answers) == [202] * 3 + [409] * 6
    assert len({answer.data["signals"][0]["id"] for answer in answers if answer.status == 202}) == 1
    assert count_signals(harness) == 2
    assert harness.one("SELECT times FROM reused_request") == 6


def metrics_waiting(client: Client) -> float:
    """How many connections are open: each of these tests' posts has one until it is answered."""
    return metrics(client)["leadgate_http_connections", ()] - 2  # this question's, and that of the post that is held


@pytest.mark.parametrize("key", ["", "k" * 256, "tab\there"])
def test_a_bearers_key_has_a_form(client: Client, harness: Harness, key: str) -> None:
    answer = client.post({"a": 1}, "partner", Idempotency_Key=key)
    assert (answer.status, answer.data["error"]) == (400, "idempotency_key")
    assert count_signals(harness) == 0


def test_address_and_request_id_stay_with_each_signal(client: Client, harness: Harness) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9"}
    client.post([make_lead(1), make_lead(2)], request="msg_1", **forged)
    client.post(make_lead(3), "partner", **{"X-Request-Id": "of the sender"})
    named = client.post(make_lead(4), "partner", **{"X-Request-Id": "of-the-sender"})
    assert named.headers["x-request-id"] == "of-the-sender"
    client.post({"email": "a@one.example", "kind": "call", "date": "2026-03-01"}, "activities", Idempotency_Key="k")
    found = harness.rows("SELECT client_address, request_id FROM signal ORDER BY id")
    assert found[:2] == [("127.0.0.1", "msg_1")] * 2, "whoever is no trusted proxy is believed nothing"
    assert found[3] == ("127.0.0.1", "of-the-sender")
    assert re.fullmatch("[0-9a-f]{32}", str(found[2][1])), "a name of ours for a request without one"
    assert harness.rows("SELECT client_address, request_id FROM activity") == [("127.0.0.1", "k")]


# --- slow senders -----------------------------------------------------------------------------------------


HALF_HEAD = b"POST /capture/website HTTP/1.1\r\nHost: x\r\n"


def half_body(length: int = 100) -> bytes:
    """A head with a signature that has the right form, so that only the body can tell, and the start of a body."""
    signature = f"webhook-id: a\r\nwebhook-timestamp: {int(time.time())}\r\nwebhook-signature: v1,{'A' * 43}=\r\n"
    return HALF_HEAD + f"{signature}Content-Length: {length}\r\n\r\n{{".encode()


@contextlib.contextmanager
def opened(client: Client, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        halves = []
        for _ in range(count):
            halves.append(stack.enter_context(socket.create_connection(("127.0.0.1", client.port), timeout=60)))
            halves[-1].sendall(sent)
        yield halves


def closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("make", [bytes, lambda: HALF_HEAD, half_body], ids=["nothing", "half a head", "half a body"])
def test_at_the_limit_of_connections_the_oldest_that_is_not_whole_is_closed(
    client: Client, harness: Harness, make: Callable[[], bytes]
) -> None:
    client.connections.limits = Limits(20, 100)
    with opened(client, 60, make()) as halves:  # made now: a signature is good for five minutes
        for number in range(5):
            assert client.post(make_lead(number)).status == 202
        wait_for(lambda: client.connections.count <= 20)
        wait_for(lambda: closed(halves[0]))
        assert not closed(halves[-1])
    assert count_signals(harness) == 5
    ended = metrics(client)
    assert sum(value for (name, _), value in ended.items() if name == "leadgate_http_connections_closed_total") >= 45


def test_idle_connections_make_room_too(client: Client) -> None:
    client.connections.limits = Limits(20, 100)
    with opened(client, 30, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") as idle:
        for each in idle:
            with contextlib.suppress(ConnectionError):
                each.recv(1_000)  # answered, so it is idle now; or closed, to make room for a later one
        assert client.post(make_lead(1)).status == 202


def test_a_head_that_does_not_come_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = connections.HEAD_WITHIN
    monkeypatch.setattr(connections, "HEAD_WITHIN", 0.2)
    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with (
        opened(client, 3, b"") as silent,
        opened(client, 3, HALF_HEAD) as half,
        opened(client, 3, whole + b"GET") as second,
    ):
        for each in (*silent, *half, *second):
            wait_for(lambda each=each: closed(each))  # type: ignore[misc]
    monkeypatch.setattr(connections, "HEAD_WITHIN", usual)
    assert client.post(make_lead(1)).status == 202


def test_a_body_that_comes_too_slowly_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "GRACE", 0.3)
    with opened(client, 1, half_body(2_000)) as (slow,):
        answer = b""
        with contextlib.suppress(OSError):
            for _ in range(1_000):  # a byte at a time, and each of them in time
                slow.sendall(b" ")
                slow.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    answer += slow.recv(10_000)
                    break
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_half_bodies_of_strangers_do_not_keep_others_out(client: Client, harness: Harness) -> None:
    """As many bytes as all bodies of strangers may have, and more: the oldest are given up."""
    half = half_body(262_144) + b" " * 250_000
    with opened(client, 300, half) as halves:
        for number in range(5):
            assert client.post(make_lead(number, Message="x" * 50_000)).status == 202
        halves[0].settimeout(60)
        assert halves[0].recv(10_000).startswith(b"HTTP/1.1 503 ")
    assert count_signals(harness) == 5


def test_half_bodies_of_one_bearer_do_not_keep_others_out(client: Client, harness: Harness) -> None:
    head = f"POST /capture/activities HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\nAuthorization: Bearer {SECRETS[name_secret('activities')]}\r\n\r\n"
    with opened(client, 150, head.encode() + b" " * 250_000) as halves:
        assert client.post(make_lead(1)).status == 202
        assert client.post({"email": "a@one.example", "kind": "call", "date": "2026-03-01"}, "activities").status == 202
        halves[0].settimeout(60)
        assert halves[0].recv(10_000).startswith(b"HTTP/1.1 503 ")


# --- limits and mistakes ----------------------------------------------------------------------------------


def test_a_body_without_a_length_is_limited_too(client: Client, harness: Harness) -> None:
    def sent(size: int) -> Answer:
        chunks = (b'{"a": "', *[b"x" * 1000] * (size // 1000), b'"}')
        headers = JSON | build_auth_headers("website", b"".join(chunks)) | {"Transfer-Encoding": "chunked"}
        return client.send("POST", "/capture/website", iter(chunks), headers)

    assert sent(200_000).status == 202
    assert (refused := sent(2_000_000)).status == 413
    assert refused.data["error"] == "too_large"
    assert count_signals(harness) == 1


def test_a_source_that_sends_too_fast_is_told_when_to_come_again(client: Client, harness: Harness) -> None:
    assert client.post([{"a": 1}, {"a": 2}], "partner").status == 202
    refused = client.post([{"a": 3}, {"a": 4}], "partner")
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert client.post({"a": 5}, "partner").status == 202, "what was refused took no tokens"
    assert client.post(make_lead(1)).status == 202, "another source has its own"
    assert client.post([{"a": n} for n in range(4)], "partner").status == 413, "more than it can ever have at once"
    client.seconds += 2
    assert client.post([{"a": 3}, {"a": 4}], "partner").status == 202
    assert count_signals(harness) == 6


@pytest.mark.parametrize(
    ("body", "headers", "status", "error"),
    [
        (b"{", {}, 400, "invalid_json"),
        (b'{"a": "\xff"}', {}, 400, "invalid_utf8"),
        (b'[{"ok": 1}, {"a": NaN}]', {}, 400, "invalid_json"),
        (b'[{"ok": 1}, {"a": 1, "a": 2}]', {}, 400, "duplicate_name"),
        (b'{"a": 1}', {"Content-Type": "text/plain"}, 415, "content_type"),
        (b'{"a": 1}', {"Content-Encoding": "gzip"}, 415, "content_encoding"),
        (b"[]", {}, 422, "empty"),
        (b'[{"a": 1}, 2]', {}, 422, "not_an_object"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_its_reason_and_nothing_is_stored(
    client: Client, harness: Harness, body: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    answer = client.send("POST", "/capture/website", body, JSON | build_auth_headers("website", body) | headers)
    assert (answer.status, answer.data["error"]) == (status, error)
    assert answer.data["message"]
    assert count_signals(harness) == 0


def test_other_addresses_have_nothing(client: Client) -> None:
    for path in ("/", "/docs", "/openapi.json", "/capture", "/capture/", "/capture/website/", "/metrics/x"):
        assert (answer := client.get(path)).status == 404, path
        assert answer.data["error"] == "not_found"
    assert client.get("/capture/website").status == 405
    assert client.get("/capture/website").headers["allow"] == "POST"


def test_a_client_that_goes_away_in_its_body_leaves_nothing(client: Client, harness: Harness) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", client.port)) as half:
            half.sendall(b"POST /capture/website HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert client.post(make_lead(1)).status == 202
    assert count_signals(harness) == 1


# --- trouble ----------------------------------------------------------------------------------------------


def test_one_request_that_the_ledger_refuses_does_not_fail_the_others(
    client: Client, harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    desk_execute(harness, "ALTER TABLE signal ADD CHECK (payload NOT LIKE '%poison%')")
    with ThreadPoolExecutor(20) as pool:
        with writer_held(harness):
            first = pool.submit(client.post, make_lead(0))
            wait_for(lambda: is_writer_waiting(harness))
            posts = [pool.submit(client.post, make_lead(n, Note="poison" if n == 5 else "")) for n in range(1, 12)]
            bad_list = pool.submit(client.post, [make_lead(20), make_lead(21, Note="poison"), make_lead(22)])
            time.sleep(0.5)  # until all of them are in the queue: nothing else shows it
        answers = [first.result(), *(post.result() for post in posts)]
    assert [answer.status for answer in answers] == [500 if n == 5 else 202 for n in range(12)]
    assert bad_list.result().status == 500
    assert count_signals(harness) == 11, "all of a list, or nothing"
    assert answers[5].data["error"] == "unexpected"
    said = capsys.readouterr().err
    assert "check_violation (SQLSTATE 23514)" in said
    assert "poison" not in said
    assert "company5" not in said + answers[5].text


def test_an_activity_that_cannot_be_matched_does_not_fail_the_posts_of_others(client: Client, harness: Harness) -> None:
    assert client.post(make_lead(1)).status == 202
    run_waiting(harness.worker(), lambda: NOW, check=pass_all)
    with refuse_rows(harness, "activity", "new.email = 'lead1@company1.example' AND new.lead_id IS NOT NULL"):
        for number in (1, 2):
            happened = {"email": make_lead(number)["Email"], "kind": "demo_request", "date": "2026-03-01"}
            assert client.post(happened, "activities").status == 202
    assert harness.one("SELECT count(*) FROM activity") == 2


def desk_execute(harness: Harness, statement: str) -> None:
    with harness.ledger.transaction() as connection:
        connection.execute(text(statement))


def test_too_much_at_once_is_refused_with_nothing_stored(
    client: Client, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 4)
    with ThreadPoolExecutor(20) as pool:
        with writer_held(harness):
            first = pool.submit(client.post, make_lead(0))
            wait_for(lambda: is_writer_waiting(harness))
            posts = [pool.submit(client.post, make_lead(number)) for number in range(1, 11)]
            wait_for(lambda: sum(post.done() for post in posts) == 6)
        answers = [post.result() for post in posts]
    assert first.result().status == 202
    assert sorted(answer.status for answer in answers) == [202] * 4 + [503] * 6
    assert {answer.headers.get("retry-after") for answer in answers if answer.status == 503} == {"1"}
    assert count_signals(harness) == 5


def test_a_postgresql_that_goes_away_is_told_and_found_again(
    client: Client, harness: Harness, settings: Settings
) -> None:
    assert client.post(make_lead(1)).status == 202
    assert client.get("/readyz").status == 200
    with postgresql_away(harness):
        for answer in (
            client.post(make_lead(2)),
            client.get("/readyz"),
            client.get("/metrics", authorization=f"Bearer {TOKEN}"),
        ):
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.data["error"] == "ledger_away"
        assert client.get("/healthz").status == 200
    assert client.get("/readyz").status == 200
    assert client.post(make_lead(2)).data["signals"][0]["new"] is True
    assert count_signals(harness) == 2


def test_intake_that_stands_still_is_told_by_readyz_and_posts_are_accepted_all_the_same(
    client: Client, harness: Harness
) -> None:
    consumers.record_consumer(harness.ledger, name="one", host="here", pid=1, doing="waits for leads")
    assert client.post(make_lead(1)).status == 202
    assert client.get("/readyz").status == 200
    desk_execute(harness, "UPDATE journey SET run_after = run_after - interval '90 seconds'")
    answer = client.get("/readyz")
    assert (answer.status, answer.data["error"]) == (503, "stalled")
    assert client.post(make_lead(2)).status == 202
    run_waiting(harness.worker(), check=pass_all)
    assert client.get("/readyz").status == 200


def test_a_ledger_that_takes_too_long_is_told_and_what_was_stored_is_found_again(
    client: Client, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_api, "_STORED_WITHIN", 0.3)
    with writer_held(harness):
        answer = client.post(make_lead(1), request="once")
        assert (answer.status, answer.data["error"]) == (503, "slow")
        assert client.get("/readyz").status == 200
    wait_for(lambda: count_signals(harness) == 1)  # its sender was told that this may be so
    assert client.post(make_lead(1), request="once").data["signals"][0]["new"] is False


def test_a_body_that_does_not_arrive_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "BODY_WITHIN", 0.3)
    with opened(client, 1, half_body(100_000) + b" " * 50_000) as (slow,):
        slow.settimeout(60)
        assert slow.recv(10_000).startswith(b"HTTP/1.1 408 ")
        wait_for(lambda: closed(slow))


@contextlib.contextmanager
def postgresql_away(harness: Harness) -> Iterator[None]:
    """For this test's database: every connection is cut, and none is taken."""
    url = harness.ledger.engine.url
    engine = create_engine(url.set(username="postgres", database="postgres"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false"))
            cut = text("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = :name")
            connection.execute(cut, {"name": url.database})
            try:
                yield
            finally:
                connection.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true"))
    finally:
        engine.dispose()


# --- many at once -----------------------------------------------------------------------------------------


def test_many_at_once_get_ids_that_exist_and_no_signal_is_there_twice(client: Client, harness: Harness) -> None:
    numbers = [number % 1_400 for number in range(2_000)]
    found: dict[int, list[dict[str, Any]]] = {}

    def work(mine: list[int]) -> None:
        with contextlib.closing(HTTPConnection("127.0.0.1", client.port, timeout=60)) as connection:
            for number in mine:
                body = json.dumps(make_lead(number)).encode()
                signed = build_auth_headers("website", body, request=f"of-{number}")
                connection.request("POST", "/capture/website", body, JSON | signed)
                answer = connection.getresponse()
                assert answer.status == 202
                found.setdefault(number, []).extend(json.loads(answer.read())["signals"])

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(work, (numbers[start::32] for start in range(32))))
    assert all(len({entry["id"] for entry in entries}) == 1 for entries in found.values())
    assert all(sum(entry["new"] for entry in entries) == 1 for entries in found.values())
    stored = {id_: json.loads(payload)["Email"] for id_, payload in harness.rows("SELECT id, payload FROM signal")}
    assert stored == {entries[0]["id"]: make_lead(number)["Email"] for number, entries in found.items()}
    assert harness.one("SELECT count(*) FROM journey") == 1_400


class OneSenders(NamedTuple):
    """What a sender posts at once, as ``ingestion`` takes it."""

    signals: list[NewSignal]
    activities: list[NewActivity]
    sender: Sender
    changes: tuple[()] = ()


@pytest.mark.parametrize("statistics", ["none", "of an empty ledger"])
def test_known_keys_and_ids_are_found_by_index_although_the_ledger_was_empty_at_first(
    ledger: Ledger, statistics: str
) -> None:
    """A plan that is made then is kept: a join would read the whole table for every request from then on."""
    if statistics != "none":
        with ledger.transaction() as connection:
            connection.execute(text("ANALYZE"))
    for number in range(40):
        together = []
        for each in range(3):
            sender = Sender("website", None, f"{number}-{each}", "hash")
            key, email = f"once:{sender.id}", f"{sender.id}@one.example"
            lead = NewSignal(0, "website", key, "{}", None, "HTTP")
            call = NewActivity("website", key, "call", "lead", None, email, NOW, "{}", None, None)
            together.append(OneSenders([lead], [call], sender))
        ingestion.store_requests(ledger, together)
        with ledger.transaction() as connection:
            connection.execute(text("SELECT pg_stat_force_next_flush()"))
    with ledger.transaction() as connection:
        read = "SELECT max(seq_tup_read) FROM pg_stat_user_tables WHERE relname IN ('signal', 'activity')"
        assert connection.execute(text(read)).scalar_one() < 40 * 3


def test_posting_and_capturing_the_same_file_at_once_stores_each_once(client: Client, harness: Harness) -> None:
    rows = [make_lead(number, id=number) for number in range(300)]
    with ThreadPoolExecutor(9) as pool:
        posts = [pool.submit(client.post, rows[at : at + 30][::-1]) for at in range(0, 300, 30)]
        new = sum(harness.capture(*rows[::step]) for step in (1, -1))
        new += sum(entry["new"] for post in posts for entry in post.result().data["signals"])
    assert new == count_signals(harness) == 300


# --- anything at all --------------------------------------------------------------------------------------

_texts = st.text(max_size=12)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_bodies = st.one_of(
    st.binary(max_size=80),
    _json.map(lambda value: json.dumps(value).encode()),
    st.lists(st.dictionaries(st.sampled_from(["id", "Email", "sent_at", "x"]), _json, max_size=4), max_size=4).map(
        lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    ),
    st.tuples(_texts, _texts).map(lambda pair: f"{pair[0]}={pair[1]}&id=".encode("utf-8", "surrogatepass")),
)
_value = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)
_headers = st.dictionaries(
    st.sampled_from(["Idempotency-Key", "Content-Encoding", "Authorization", "X-Leadgate-Timestamp", "Accept", "X-Other"]),
    _value, max_size=3,
)  # fmt: skip
_types = st.sampled_from(
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=x"]
) | _value  # fmt: skip


# a server and a database for each example would take minutes, so the examples share theirs
@hypothesis(
    max_examples=tried(250),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    _bodies, _types, _headers, st.sampled_from(["website", "activities", "nowhere"]), st.sampled_from(["POST", "PUT"])
)
def test_whatever_is_sent_the_answer_and_the_ledger_agree(
    client: Client, harness: Harness, body: bytes, content_type: str, headers: dict[str, str], source: str, method: str
) -> None:
    count = "SELECT (SELECT count(*) FROM signal) + (SELECT count(*) FROM activity)"
    before = harness.one(count)
    sent = {"Content-Type": content_type} | build_auth_headers(source, body) | headers
    answer = client.send(method, f"/capture/{source}", body, {k: v.encode("latin-1") for k, v in sent.items()})

    assert answer.status in (202, 400, 401, 405, 413, 415, 422, 429)
    new = 0
    if answer.status == 202:
        entries = answer.data["signals" if source == "website" else "activities"]
        assert entries
        new = sum(entry["new"] for entry in entries)
    assert harness.one(count) - before == new
    assert count_signals(harness) == harness.one("SELECT count(*) FROM journey")


def test_what_is_not_http_is_no_trouble(client: Client, harness: Harness) -> None:
    for noise in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"POST /capture/website HTTP/9\r\n\r\n", b"A" * 70_000):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", client.port), timeout=60) as other:
            other.sendall(noise)
            other.shutdown(socket.SHUT_WR)
            assert b"Traceback" not in other.recv(10_000)
    assert client.post(make_lead(1)).status == 202


# --- what a monitoring system asks ------------------------------------------------------------------------


def test_metrics_tell_what_is_in_the_ledger(client: Client, harness: Harness) -> None:
    assert client.get("/metrics").status == 401
    assert client.get("/metrics", authorization="Bearer wrong").status == 401
    client.post([make_lead(1), make_lead(2), make_lead(3, Email="broken", Phone="")])
    client.post(b"{")
    client.post({"email": "a@one.example", "kind": "call", "date": "2026-03-01"}, "activities")

    waiting = metrics(client)
    assert waiting["leadgate_signals_captured_total", ("website",)] == 3
    assert waiting["leadgate_activities_captured_total", ("activities",)] == 1
    assert waiting["leadgate_journeys", ("capture", "ready")] == 3
    assert waiting["leadgate_http_refused_total", ("invalid_json", "400")] == 1
    assert waiting["leadgate_http_refused_total", ("unauthorised", "401")] == 2
    assert waiting["leadgate_oldest_waiting_seconds", ()] > 0

    received = harness.one("SELECT max(captured_at) FROM journey")
    harness.run(received + timedelta(seconds=20))
    harness.activity(
        "call",
        make_lead(1)["Email"],
        rep=harness.one("SELECT min(owner) FROM assignment"),
        at=received + timedelta(hours=2),
    )
    desk_execute(
        harness,
        "UPDATE assignment SET touched_at = assigned_at + interval '60 s' WHERE id = (SELECT min(id) FROM assignment)",
    )
    done = metrics(client)
    assert done["leadgate_journeys", ("follow_up", "owned")] == 2
    assert done["leadgate_work_items_open", ("email_malformed",)] == 1
    assert done["leadgate_oldest_waiting_seconds", ()] == 0
    assert done["leadgate_outbox_waiting", ()] == harness.one("SELECT count(*) FROM outbox") > 0
    assert done["leadgate_capture_to_owner_seconds_count", ()] == 2
    assert done["leadgate_capture_to_owner_seconds_bucket", ("10.0",)] == 0
    assert done["leadgate_capture_to_owner_seconds_bucket", ("30.0",)] == 2
    assert done["leadgate_owner_to_touch_seconds_bucket", ("30.0",)] == 0
    assert done["leadgate_owner_to_touch_seconds_bucket", ("60.0",)] == 1, "a bucket holds its own bound"
    assert done["leadgate_owner_to_touch_seconds_sum", ()] == 60


def metrics(client: Client) -> dict[tuple[str, tuple[str, ...]], float]:
    """Values by name and labels, the labels in the order of their names."""
    answer = client.get("/metrics", authorization=f"Bearer {TOKEN}")
    assert answer.status == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


# --- the brake --------------------------------------------------------------------------------------------


def test_answers_are_held_back_while_too_much_waits_and_nothing_is_refused(client: Client, harness: Harness) -> None:
    def held_back() -> float:
        return metrics(client)["leadgate_http_held_back_seconds", ()]

    assert held_back() == 0
    harness.capture(*(make_lead(number) for number in range(2 * BRAKE_FROM)))
    wait_for(lambda: held_back() > 0)
    started = time.monotonic()
    assert client.post(b'{"Email": "late@company.example"}').status == 202
    assert time.monotonic() - started >= MAX_DELAY / 2
    assert count_signals(harness) == 2 * BRAKE_FROM + 1
    harness.run(NOW + timedelta(days=3650))
    wait_for(lambda: held_back() == 0)
