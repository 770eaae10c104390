"""Webhooks of vendors by HTTP, into the ledger: verified, stored once as they came, read as leads or held."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from harness import NOW, PLAYBOOK, Harness
from made_webhooks import make_calendly, make_facebook, make_google_lead, make_hubspot, make_typeform
from posting import JSON, Answer, Client, count_signals

from leadgate import playbook as playbooks
from leadgate import source_secrets
from leadgate.ledger import crm_changes
from leadgate.ledger.metrics import read_metrics
from leadgate.mapping.webhooks.google_leads import REMOVED
from leadgate.playbook import LoadedPlaybook

ADDRESS = "https://leads.example/capture/hubspot"
SOURCES = """sources:
  typeform: {key: Token, http: {auth: typeform, secret_env: LEADGATE_SECRET_TYPEFORM}}
  calendly: {http: {auth: calendly, secret_env: LEADGATE_SECRET_CALENDLY}}
  meetings: {kind: activities, http: {auth: calendly, secret_env: LEADGATE_SECRET_MEETINGS}}
  google: {http: {auth: google_leads, secret_env: LEADGATE_SECRET_GOOGLE}}
  facebook:
    key: id
    http: {auth: facebook, secret_env: LEADGATE_SECRET_FACEBOOK, verify_env: LEADGATE_SECRET_VERIFY}
  hubspot: {http: {auth: hubspot, secret_env: LEADGATE_SECRET_HUBSPOT, public_url: ADDRESS}}
  any: {http: {auth: standard_webhooks, secret_env: LEADGATE_SECRET_ANY}}
scoring:""".replace("ADDRESS", ADDRESS)
WEBHOOK_PLAYBOOK = PLAYBOOK.partition("sources:")[0] + SOURCES + PLAYBOOK.partition("scoring:")[2]
SECRETS = {
    f"LEADGATE_SECRET_{name}": source_secrets.make()
    for name in ("TYPEFORM", "CALENDLY", "MEETINGS", "GOOGLE", "FACEBOOK", "VERIFY", "ANY", "HUBSPOT")
}
SOURCES_OF_VENDORS = ("typeform", "calendly", "meetings", "facebook", "hubspot")


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(WEBHOOK_PLAYBOOK, path=Path("webhooks.yaml"))


@pytest.fixture
def environment() -> dict[str, str]:
    return SECRETS


def sign(source: str, body: bytes, at: float | None = None) -> dict[str, str]:
    key = SECRETS[f"LEADGATE_SECRET_{source.upper()}"].encode()
    stamp = int(time.time() if at is None else at)

    def compute(signed: bytes) -> bytes:
        return hmac.new(key, signed, hashlib.sha256).digest()

    if source == "typeform":
        return {"Typeform-Signature": "sha256=" + base64.b64encode(compute(body)).decode()}
    if source == "facebook":
        return {"X-Hub-Signature-256": "sha256=" + compute(body).hex()}
    if source == "hubspot":
        at_ms = str(stamp * 1000 + 123)
        digest = compute(b"POST" + ADDRESS.encode() + body + at_ms.encode())
        return {"X-HubSpot-Signature-v3": base64.b64encode(digest).decode(), "X-HubSpot-Request-Timestamp": at_ms}
    return {"Calendly-Webhook-Signature": f"t={stamp},v1={compute(b'%d.%b' % (stamp, body)).hex()}"}


def post(client: Client, source: str, payload: Any, **headers: str) -> Answer:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = {} if source == "google" else sign(source, body)
    return client.send("POST", f"/capture/{source}", body, JSON | signed | headers)


def take_on(harness: Harness) -> None:
    harness.run(NOW + timedelta(days=3650))


MADE = {
    "typeform": make_typeform(),
    "calendly": make_calendly(),
    "google": make_google_lead(SECRETS["LEADGATE_SECRET_GOOGLE"]),
}


@pytest.mark.parametrize("source", list(MADE))
def test_a_form_is_one_lead_however_often_it_is_sent(client: Client, harness: Harness, source: str) -> None:
    body = json.dumps(MADE[source], indent=2).encode()
    answers = [post(client, source, body) for _ in range(2)]
    assert [answer.data["signals"][0]["new"] for answer in answers] == [True, False]
    assert answers[0].status == (200 if source == "google" else 202)
    (stored,) = harness.one("SELECT array_agg(payload) FROM signal")
    assert stored == body.decode().replace(SECRETS["LEADGATE_SECRET_GOOGLE"], REMOVED)
    take_on(harness)
    assert harness.rows("SELECT email, company FROM lead") == [("ada.1@mill.example", "Mill & Sons")]


def test_a_meeting_is_an_activity_of_the_lead_that_is_known(client: Client, harness: Harness) -> None:
    assert post(client, "typeform", make_typeform()).status == 202
    take_on(harness)
    for event in ("invitee.created", "invitee.canceled", "invitee.created"):
        answer = post(client, "meetings", make_calendly(event=event))
        assert answer.status == 202
    assert answer.data["activities"][0]["new"] is False
    assert harness.rows("SELECT kind, actor, lead_id IS NOT NULL FROM activity ORDER BY id") == [
        ("meeting_booked", "lead", True), ("meeting_canceled", "lead", True),
    ]  # fmt: skip
    assert json.loads(harness.one("SELECT payload FROM activity ORDER BY id LIMIT 1")) == make_calendly()


def test_notices_of_facebook_are_held_one_by_one_and_keep_no_export_out(client: Client, harness: Harness) -> None:
    assert post(client, "facebook", make_facebook(444001, 444002)).status == 200
    answer = post(client, "facebook", make_facebook(444002, 444003))
    assert [signal["new"] for signal in answer.data["signals"]] == [False, True]
    take_on(harness)
    assert harness.one("SELECT count(*) FROM work_item WHERE reason = 'unreadable_row'") == 3
    assert "444002" in harness.one("SELECT unreadable FROM signal WHERE key = 'notice:444002'")
    raw = json.loads(json.loads(harness.one("SELECT payload FROM signal WHERE key = 'notice:444002'"))["raw"])
    assert raw["value"]["form_id"] == "333"
    export = [{"id": str(lead), "Email": f"lead{lead}@mill.example"} for lead in (444001, 444002)]
    assert harness.capture(*export, source="facebook") == 2, "what the person answered is news"
    take_on(harness)
    assert harness.one("SELECT count(*) FROM lead WHERE email LIKE '%@mill.example'") == 2


HOSTILE = (
    b"{", b"[]", b'{"a": 1, "a": 2}', b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}", b"\xff\x00", b'{"a": NaN}', b'"x"', b"{}",
    json.dumps({"form_response": {"answers": {"a": 1}}, "event": "<b>", "payload": [], "object": 1, "entry": 7}).encode(),
)  # fmt: skip


def test_what_a_known_vendor_sends_is_never_lost(client: Client, harness: Harness) -> None:
    key = SECRETS["LEADGATE_SECRET_GOOGLE"]
    of_google = [b'{"google_key": "%b", "a": %b}' % (key.encode(), body) for body in HOSTILE[2:]]
    sent = [(source, body) for source in SOURCES_OF_VENDORS for body in HOSTILE]
    sent += [("google", body) for body in of_google]
    for source, body in sent:
        for _ in range(2):
            assert post(client, source, body).status in (200, 202)
    kept = harness.rows("SELECT source, payload FROM signal ORDER BY id")
    assert [(source, json.loads(payload)["raw"]) for source, payload in kept] == [
        (source, body.decode("utf-8", "backslashreplace").replace(key, REMOVED)) for source, body in sent
    ]
    take_on(harness)
    assert harness.one("SELECT count(*) FROM work_item WHERE reason = 'unreadable_row'") == len(sent)
    for body in HOSTILE:
        client.seconds += 100
        assert post(client, "google", body).status == 401, "nothing proves that Google sent this"


def test_nothing_but_the_vendors_own_signature_is_taken(client: Client, harness: Harness) -> None:
    body = json.dumps(make_typeform()).encode()
    wrong: list[tuple[str, bytes, dict[str, str]]] = [
        ("calendly", body, sign("calendly", body, time.time() - 301)),
        ("calendly", body, sign("calendly", body, time.time() + 400)),
        ("hubspot", body, sign("hubspot", body, time.time() - 301)),
        ("hubspot", body, sign("hubspot", body, time.time() + 400)),
        ("hubspot", body, sign("hubspot", body) | {"X-HubSpot-Request-Timestamp": str(int(time.time() * 1000))}),
        ("google", body, {}),
        ("google", json.dumps(make_google_lead("another-key-of-google-0123456789")).encode(), {}),
        ("any", body, {}),
        ("nowhere", body, sign("typeform", body)),
        ("typeform", body, {"Authorization": "Bearer " + SECRETS["LEADGATE_SECRET_TYPEFORM"]}),
    ]
    for source in SOURCES_OF_VENDORS:
        right = sign(source, body)
        name, value = next(iter(right.items()))
        wrong += [
            (source, body + b" ", right),
            (source, body, sign("facebook" if source != "facebook" else "typeform", body)),
            (source, body, right | {name: value[:-2] + "00"}),
            (source, body, right | {name: "x" * 8_000}),
            (source, body, right | {name: value + "\u00e9"}),
            (source, body, {}),
        ]
    answers = []
    for source, sent, headers in wrong:
        client.seconds += 100
        answers.append(client.send("POST", f"/capture/{source}", sent, JSON | headers))
    assert {answer.status for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert count_signals(harness) == 0


def test_a_signature_that_is_there_twice_is_none(client: Client, harness: Harness) -> None:
    body = json.dumps(make_typeform()).encode()
    value = sign("typeform", body)["Typeform-Signature"]
    head = (
        f"POST /capture/typeform HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Typeform-Signature: {value}\r\nTypeform-Signature: {value}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as twice:
        twice.sendall(head.encode() + body)
        assert twice.recv(10_000).startswith(b"HTTP/1.1 401 ")
    assert count_signals(harness) == 0


def test_an_id_that_no_signature_covers_means_nothing(client: Client, harness: Harness) -> None:
    """Else a stranger who captured a request could send it under another id, or spend an id."""
    for number, more in enumerate(({"webhook-id": "a"}, {"webhook-id": "b"}, {"Idempotency-Key": "a"})):
        answer = post(client, "typeform", make_typeform(), **more)
        assert (answer.status, answer.data["signals"][0]["new"]) == (202, number == 0)
    assert post(client, "typeform", make_typeform(2), **{"webhook-id": "a"}).data["signals"][0]["new"] is True


def test_an_export_of_a_form_adds_nothing_to_what_was_posted(client: Client, harness: Harness) -> None:
    assert post(client, "typeform", make_typeform()).status == 202
    assert harness.capture({"Token": "response-1", "Email": "ada.1@mill.example"}, source="typeform") == 0


def test_a_meeting_with_nobody_is_held_as_it_came(client: Client, harness: Harness) -> None:
    body = json.dumps(make_calendly(email="nobody"), indent=1).encode()
    answer = post(client, "meetings", body)
    assert list(answer.data["activities"][0]) == ["held_as_signal", "new"]
    ((payload, unreadable),) = harness.rows("SELECT payload, unreadable FROM signal")
    assert json.loads(payload)["raw"] == body.decode()
    assert "e-mail" in unreadable


# --- changes of a CRM's records ---------------------------------------------------------------------------


def test_changes_of_hubspot_wait_once_and_are_no_leads(client: Client, harness: Harness) -> None:
    events = [make_hubspot(1), make_hubspot(1) | {"eventId": 9, "attemptNumber": 1}, make_hubspot(2, "deal.creation")]
    events += [{"eventId": 1}, make_hubspot(3, "contact.privacyDeletion")]
    first, again = post(client, "hubspot", events), post(client, "hubspot", [*reversed(events)])
    assert (first.status, again.status) == (202, 202)
    assert ["held_as_signal" in entry for entry in first.data["changes"]] == [False, False, False, True, False]
    assert [entry["new"] for entry in first.data["changes"]] == [True, False, True, True, True]
    assert {entry["new"] for entry in again.data["changes"]} == {False}
    assert json.loads(harness.one("SELECT payload FROM crm_change ORDER BY id LIMIT 1")) == make_hubspot(1)
    take_on(harness)
    assert harness.one("SELECT count(*) FROM journey") == 1
    assert harness.one("SELECT count(*) FROM work_item WHERE reason = 'unreadable_row'") == 1

    with harness.ledger.transaction() as connection:
        waiting = crm_changes.list_changed_records(connection, "hubspot", 10)
        assert [(each.object, each.events) for each in waiting] == [
            ("contact", ["propertyChange"]), ("deal", ["creation"]), ("contact", ["privacyDeletion"]),
        ]  # fmt: skip
        assert [crm_changes.mark_followed(connection, waiting[0].ids, NOW) for _ in range(2)] == [1, 0]
        assert len(crm_changes.list_changed_records(connection, "hubspot", 10)) == 2
        assert crm_changes.list_changed_records(connection, "typeform", 10) == []
    assert read_metrics(harness.ledger, NOW).crm_changes_waiting == {"hubspot": 2}


def test_a_record_that_changes_again_waits_with_both_changes(client: Client, harness: Harness) -> None:
    post(client, "hubspot", [make_hubspot(1, occurredAt=at) for at in (1_772_442_900_000, 1_772_442_999_000)])
    with harness.ledger.transaction() as connection:
        (record,) = crm_changes.list_changed_records(connection, "hubspot", 10)
    assert len(record.ids) == 2
    assert record.occurred_at.timestamp() == 1_772_442_999


def test_a_list_of_hubspot_costs_what_it_holds(client: Client) -> None:
    answer = post(client, "hubspot", [{"portalId": 1}] * 1_001)
    assert [sorted(entry) for entry in answer.data["changes"]] == [["held_as_signal", "new"]], "more than a body holds"
    for first in (1, 500):
        assert post(client, "hubspot", [make_hubspot(first + number) for number in range(499)]).status == 202
    late = post(client, "hubspot", [make_hubspot(number) for number in range(2_000, 2_100)])
    assert (late.status, late.data["error"]) == (429, "too_fast")


# --- Facebook verifies the address ------------------------------------------------------------------------


GUESS = "wrong"


def ask(client: Client, source: str = "facebook", **changed: str | None) -> Answer:
    asked = {
        "mode": "subscribe",
        "challenge": "1158201444",
        "verify_token": SECRETS["LEADGATE_SECRET_VERIFY"],
    } | changed
    query = urlencode({f"hub.{name}": value for name, value in asked.items() if value is not None})
    client.seconds += 100
    return client.get(f"/capture/{source}?{query}")


def test_facebook_verifies_the_address_by_its_token(client: Client) -> None:
    answer = ask(client)
    assert (answer.status, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    refused = [
        ask(client, verify_token=GUESS),
        ask(client, verify_token=None),
        ask(client, verify_token=SECRETS["LEADGATE_SECRET_FACEBOOK"]),
        ask(client, verify_token="\u00e9" * 2_000),
        ask(client, mode="unsubscribe"),
        ask(client, challenge=None),
        ask(client, challenge="<script>alert(1)</script>"),
        ask(client, challenge="1" * 201),
        ask(client, source="typeform"),
        ask(client, source="nowhere"),
    ]
    assert {answer.status for answer in refused} == {401}
    assert len({answer.text for answer in refused}) == 1
    assert {client.get(f"/capture/{name}").status for name in ("facebook", "typeform", "nowhere")} == {405}


def test_guesses_of_the_token_are_throttled(client: Client) -> None:
    answers = []
    for _ in range(30):
        answers.append(ask(client, verify_token=GUESS).status)
        client.seconds -= 100
    assert answers[0] == 401
    assert answers[-1] == 429


# --- secrets ----------------------------------------------------------------------------------------------


def test_no_secret_reaches_the_ledger_an_answer_or_a_log(
    client: Client, harness: Harness, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    key = SECRETS["LEADGATE_SECRET_GOOGLE"]
    told = [
        post(client, "google", make_google_lead(key)),
        post(client, "google", make_google_lead(key, is_test=True)),
        post(client, "google", make_google_lead(key, user_column_data=7)),
        post(client, "google", make_google_lead(key, note="x" * 300_000)),
        ask(client, verify_token=key),
        ask(client),
        post(client, "facebook", make_facebook(1)),
        client.get("/capture/facebook?hub.mode=subscribe&hub.verify_token=" + key),
    ]
    take_on(harness)
    tables = harness.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
    )
    everything = [answer.text + str(answer.headers) for answer in told]
    everything += [str(harness.rows(f'SELECT t::text FROM "{table}" t')) for (table,) in tables]
    everything += [*capfd.readouterr(), caplog.text]
    assert count_signals(harness) == 4
    for secret in SECRETS.values():
        assert not [text[:200] for text in everything if secret in text or secret.removeprefix("whsec_") in text]
