"""What vendors' webhooks are read as: named values with the vendor's id, or held with a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_webhooks import make_calendly, make_google_lead, make_hubspot, make_typeform
from properties import tried

from console.http.vendors import read_webhooks
from leadgate.mapping.webhooks import VENDORS, Preset, find_preset, read_values, read_webhook
from leadgate.mapping.webhooks.google_leads import REMOVED
from leadgate.mapping.webhooks.reading import Column, Held, Lead, name_columns
from leadgate.playbook import HttpCapture, Playbook, Source
from tasks.activities import map_activity_headers
from tasks.capture import map_payloads
from tasks.ingestion import Payload

SECRET = "a-secret-of-google-ads-0123456789"  # noqa: S105 - of these tests
MADE: dict[str, dict[str, Any]] = {
    "typeform": make_typeform(),
    "calendly": make_calendly(),
    "google_leads": make_google_lead(SECRET),
    "hubspot": make_hubspot(),
}


def preset_of(auth: str) -> Preset:
    preset = find_preset(auth)
    assert preset is not None
    return preset


def build_playbook(auth: str, mapping: dict[str, str] | None = None) -> Playbook:
    http = HttpCapture.model_validate({"auth": auth, "secret_env": "SECRET"})
    return Playbook.model_construct(sources={"form": Source(http=http, mapping=mapping or {})}, headers={}, fields={})


def capture(auth: str, payload: Any, mapping: dict[str, str] | None = None) -> dict[str, Any]:
    """The fields of a lead and its attributes, as the stage that captures makes them."""
    frame = pd.DataFrame({"source": ["form"], "payload": [json.dumps(payload)], "unreadable": [None]}, dtype=object)
    row = map_payloads(frame, build_playbook(auth, mapping)).iloc[0].to_dict()
    return {name: value for name, value in row.items() if value}


def post(auth: str, payload: Any, *, of_leads: bool = True) -> list[Payload]:
    """What is stored of a body."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    source = Source(kind="activities")
    find = None if of_leads else (lambda name: map_activity_headers((name,), source).get(name))
    return read_webhooks(preset_of(auth), body, find)


# --- what each vendor sends -------------------------------------------------------------------------------


def test_the_answers_of_typeform_are_fields() -> None:
    lead = capture("typeform", make_typeform())
    told = {name: lead[name] for name in ("email", "full_name", "company", "occurred_at", "external_id", "lead_source")}
    assert told == {
        "email": "ada.1@mill.example", "full_name": "Ada Miller 1", "company": "Mill & Sons",
        "occurred_at": "2026-03-02T09:15:00Z", "external_id": "response-1", "lead_source": "newsletter",
    }  # fmt: skip
    assert lead["attributes"] == {
        "How many of you will use it?": "11 to 50", "What do you need?": "Routing, Scoring, Peace",
        "May we write to you?": "true", "score": "7", "form": "Ask for a demo", "form_id": "demo-form",
    }  # fmt: skip
    assert [payload.key for payload in post("typeform", make_typeform())] == ["id:response-1"]


@pytest.mark.parametrize("name", ["team", "How many of you will use it?", "TEAM"])
def test_a_mapping_may_call_a_question_by_reference_or_title(name: str) -> None:
    lead = capture("typeform", make_typeform(), {name: "company_size"})
    assert lead["company_size"] == "11 to 50"


def test_a_question_of_a_type_fills_its_field_unless_another_one_does() -> None:
    payload = make_typeform()
    assert capture("typeform", payload)["email"] == "ada.1@mill.example"
    lead = capture("typeform", payload, {"What is your full name?": "email"})
    assert lead["email"] == "Ada Miller 1"
    assert lead["attributes"]["Where do we reach you?"] == "ada.1@mill.example"


def test_two_questions_of_one_title_keep_both_answers() -> None:
    payload = make_typeform()
    payload["form_response"]["definition"]["fields"][4]["title"] = "How many of you will use it?"
    attributes = capture("typeform", payload)["attributes"]
    assert attributes["How many of you will use it?"] == "11 to 50"
    assert attributes["How many of you will use it? (2)"] == "Routing, Scoring, Peace"


def test_a_title_that_is_too_long_for_a_name_gives_way_to_the_reference() -> None:
    payload = make_typeform()
    payload["form_response"]["definition"]["fields"][3]["title"] = "<b>?</b>" * 1_000
    lead = capture("typeform", payload)
    assert lead["attributes"]["team"] == "11 to 50"
    assert lead["email"] == "ada.1@mill.example"


def test_answers_of_every_type_are_read() -> None:
    values: list[tuple[str, Any, str | None]] = [
        ("text", "a", "a"), ("number", 7, "7"), ("number", 0, "0"), ("date", "2026-03-02", "2026-03-02"),
        ("phone_number", "+49 30 1", "+49 30 1"), ("file_url", "https://x.example/f", "https://x.example/f"),
        ("choice", {"other": "mine"}, "mine"), ("choices", {"labels": ["a", "b"]}, "a, b"),
        ("choices", {"other": "mine"}, "mine"), ("payment", {"amount": "5.00", "name": "Ada", "last4": "1"}, "5.00"),
        ("boolean", False, "false"), ("text", None, None), ("a_new_type", "x", "x"),
    ]  # fmt: skip
    answers = [
        {"type": kind, kind: value, "field": {"id": f"f{at}", "ref": f"answer-{at}"}}
        for at, (kind, value, _) in enumerate(values)
    ]
    answers.append({"type": "words", "text": "z", "field": {"id": "last", "ref": "last-one"}})
    attributes = capture("typeform", make_typeform(answers=answers))
    read = attributes["attributes"] | {"answer-4": attributes["phone"]}
    assert [read.get(f"answer-{at}") for at in range(len(values))] == [expected for _, _, expected in values]
    assert read["last-one"] == "z"


def test_a_booking_of_calendly_is_a_lead() -> None:
    lead = capture("calendly", make_calendly())
    assert (lead["email"], lead["full_name"], lead["company"]) == ("ada.1@mill.example", "Ada Miller 1", "Mill & Sons")
    assert lead["occurred_at"] == "2026-03-02T09:15:00.000000Z"
    assert lead["attributes"]["meeting_start"] == "2026-03-05T14:00:00.000000Z"
    (payload,) = post("calendly", make_calendly())
    assert payload.problem is None
    assert payload.key.startswith("id:invitee.created https://api.calendly.com/")


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("invitee.created", "meeting_booked"),
        ("invitee.canceled", "meeting_canceled"),
        ("invitee_no_show.created", "meeting_no_show"),
    ],
)
def test_what_becomes_of_a_meeting_is_an_activity(event: str, kind: str) -> None:
    (payload,) = post("calendly", make_calendly(event=event), of_leads=False)
    values = payload.values
    assert (values["kind"], values["email"], values["occurred_at"]) == (
        kind, "ada.1@mill.example", "2026-03-02T09:15:00.000000Z",
    )  # fmt: skip
    of_leads = post("calendly", make_calendly(event=event))[0]
    assert (of_leads.problem is None) == (kind == "meeting_booked")


def test_who_did_not_come_is_named_inside() -> None:
    inner = make_calendly()["payload"]
    payload = make_calendly(event="invitee_no_show.created") | {
        "payload": {"created_at": "2026-03-05", "invitee": inner}
    }
    (read,) = post("calendly", payload, of_leads=False)
    assert read.values["email"] == "ada.1@mill.example"


def test_a_lead_form_of_google_is_a_lead() -> None:
    lead = capture("google_leads", make_google_lead(REMOVED))
    assert (lead["email"], lead["full_name"], lead["company"]) == ("ada.1@mill.example", "Ada Miller 1", "Mill & Sons")
    assert lead["external_id"] == "lead-1"
    assert lead["attributes"] == {
        "What do you need?": "Routing", "form_id": "40000000001", "campaign_id": "50000000001", "gcl_id": "click-1",
    }  # fmt: skip
    assert [payload.key for payload in post("google_leads", make_google_lead(SECRET))] == ["id:lead-1"]


def test_a_test_of_google_is_held() -> None:
    (payload,) = post("google_leads", make_google_lead(SECRET, is_test=True))
    assert "is_test" in (payload.problem or "")


def test_an_event_of_hubspot_is_a_change_of_a_record() -> None:
    sent = [
        make_hubspot(1),
        make_hubspot(2, "contact.creation"),
        make_hubspot(3, "object.deletion", objectTypeId="0-3"),
        make_hubspot(4, "object.creation", objectTypeId="2-1234"),
        make_hubspot(5, "contact.associationChange", objectId=None, fromObjectId=7, toObjectId=8),
        make_hubspot(6, "contact.merge", objectId=None, primaryObjectId=9, mergedObjectIds=[10, 11]),
        make_hubspot(7, "contact.privacyDeletion"),
    ]
    read = [payload.change for payload in post("hubspot", sent)]
    assert [(change.object, change.record_id, change.event, change.property) for change in read if change] == [
        ("contact", "65000000001", "propertyChange", "hubspot_owner_id"),
        ("contact", "65000000002", "creation", None),
        ("deal", "65000000003", "deletion", None),
        ("2-1234", "65000000004", "creation", None),
        ("contact", "7", "associationChange", None),
        ("contact", "9", "merge", None),
        ("contact", "65000000007", "privacyDeletion", None),
    ]  # fmt: skip
    assert read[0] is not None
    assert read[0].occurred_at == datetime(2026, 3, 2, 9, 15, 0, 1000, UTC)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"attemptNumber": 3}, True),
        ({"eventId": 101}, True),
        ({"propertyValue": "78"}, True),
        ({"portalId": 301}, False),
        ({"objectId": 1}, False),
        ({"subscriptionType": "company.propertyChange"}, False),
        ({"propertyName": "email"}, False),
        ({"occurredAt": 1_772_442_900_002}, False),
        ({"toObjectId": 1}, False),
    ],
)
def test_an_event_is_known_by_record_kind_property_and_time(other: dict[str, Any], same: bool) -> None:
    (first,), (again,) = post("hubspot", make_hubspot()), post("hubspot", make_hubspot() | other)
    assert (first.key == again.key) is same


# --- secrets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [
    make_google_lead(SECRET),
    make_google_lead(SECRET, is_test=True),
    make_google_lead(SECRET, user_column_data="none"),
    {"google_key": SECRET, "deep": {"google_key": SECRET}},
    json.dumps(make_google_lead(SECRET)).encode()[:-1] + b', "a": 1, "a": 2}',
    json.dumps(make_google_lead(SECRET)).replace('"google_key"', '"google\\u005fkey"').encode(),
    json.dumps(make_google_lead(SECRET)).replace(": ", " \n:\t").encode(),
    json.dumps(make_google_lead(SECRET)).encode()[:-1] + b', "d": ' + b"[" * 70 + b"]" * 70 + b"}",
])  # fmt: skip
def test_the_secret_in_a_body_is_never_stored(payload: Any) -> None:
    for each in post("google_leads", payload):
        assert SECRET not in each.text + each.key + (each.problem or "") + json.dumps(dict(each.values))
        assert REMOVED in each.text


def test_the_rest_of_a_body_stays_to_the_letter() -> None:
    text = json.dumps(make_google_lead(SECRET, note='say "google_key"'), indent=3)
    (payload,) = post("google_leads", text.encode())
    assert payload.text == text.replace(SECRET, REMOVED)


# --- what is not as documented ----------------------------------------------------------------------------


@pytest.mark.parametrize(("auth", "payload"), [
    ("typeform", make_typeform(answers={"q1": "x"})),
    ("typeform", make_typeform(answers="none")),
    ("typeform", make_typeform(answers=["x"])),
    ("typeform", make_typeform(answers=[{"type": "text", "text": "x"}])),
    ("typeform", make_typeform(answers=[{"type": "text", "field": {"id": "q1"}}])),
    ("typeform", make_typeform(answers=make_typeform()["form_response"]["answers"] * 2)),
    ("typeform", make_typeform(token=None)),
    ("typeform", make_typeform(token={"a": 1})),
    ("typeform", make_typeform(token="x" * 8_000)),
    ("typeform", make_typeform() | {"event_type": "form_response_partial"}),
    ("typeform", make_typeform() | {"form_response": []}),
    ("typeform", {"hello": "world"}),
    ("calendly", make_calendly(event="routing_form_submission.created")),
    ("calendly", make_calendly() | {"payload": "x"}),
    ("calendly", make_calendly(uri=None)),
    ("calendly", make_calendly(questions_and_answers={"a": 1})),
    ("google_leads", make_google_lead(SECRET, lead_id=None)),
    ("google_leads", make_google_lead(SECRET, lead_id=True)),
    ("google_leads", make_google_lead(SECRET, user_column_data={"a": 1})),
    ("google_leads", make_google_lead(SECRET, user_column_data=[{"column_id": "A"}, {"column_id": "A"}])),
    ("hubspot", make_hubspot(subscriptionType=None)),
    ("hubspot", make_hubspot(subscriptionType="contact")),
    ("hubspot", make_hubspot(subscriptionType="contact.' OR 1=1")),
    ("hubspot", make_hubspot(subscriptionType="x" * 8_000 + ".creation")),
    ("hubspot", make_hubspot(occurredAt="now")),
    ("hubspot", make_hubspot(occurredAt=2**63)),
    ("hubspot", make_hubspot(occurredAt=-1)),
    ("hubspot", make_hubspot(occurredAt=1.5)),
    ("hubspot", make_hubspot(objectId=None)),
    ("hubspot", make_hubspot(objectId=[1])),
    ("hubspot", make_hubspot(portalId={})),
    ("hubspot", make_hubspot(propertyName="<b>")),
    ("hubspot", make_hubspot(kind="object.creation")),
    ("hubspot", [make_hubspot(), 7]),
    ("typeform", b"{"),
    ("typeform", b'{"a": NaN}'),
    ("typeform", b'{"a": 1, "a": 2}'),
    ("typeform", b'{"a": 1e999}'),
    ("typeform", b"\xff\xfe"),
    ("typeform", b"[]"),
    ("typeform", b'"text"'),
    ("typeform", b"{}"),
    ("typeform", b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}"),
    ("typeform", b'{"a": ' + b"[" * 60_000),
    ("typeform", json.dumps({f"f{at}": 1 for at in range(3_000)}).encode()),
])  # fmt: skip
def test_what_is_not_as_documented_is_held_as_it_came(auth: str, payload: Any) -> None:
    for of_leads in (True, False) if auth != "hubspot" else (True,):
        (held,) = post(auth, payload, of_leads=of_leads)
        assert held.problem
        assert len(held.problem) < 300
        if isinstance(payload, bytes):
            assert held.text == payload.decode("utf-8", "backslashreplace")
        else:
            assert json.loads(held.text) == json.loads(json.dumps(payload).replace(SECRET, REMOVED))
        assert post(auth, payload, of_leads=of_leads)[0].key == held.key, "a repeat is the same signal"


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("auth", list(MADE))
@given(data=st.data(), value=_json)
@settings(max_examples=tried(25))
@example(data=None, value="<script>alert(1)</script>\x00\u202e" * 300)
def test_any_value_anywhere_is_read_or_held(auth: str, data: st.DataObject | None, value: Any) -> None:
    payload = json.loads(json.dumps(MADE[auth]))
    inside: Any = payload
    while True:
        places = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
        place = data.draw(st.sampled_from(places)) if data is not None else places[0]
        found = inside[place]
        if not isinstance(found, (dict, list)) or not found or (data is not None and data.draw(st.booleans())):
            inside[place] = value
            break
        inside = found
    for of_leads in (True, False):
        stored = post(auth, json.dumps(payload).encode(), of_leads=of_leads)
        assert stored
        for each in stored:
            assert each.key
            if each.problem is None and each.change is None and of_leads:
                capture(auth, json.loads(each.text))


@pytest.mark.parametrize("auth", VENDORS)
def test_a_row_of_a_file_of_the_same_source_is_no_webhook(auth: str) -> None:
    row = {"Email": "ada@mill.example", "Token": "response-1", "event": "x"}
    assert read_values(auth, row, {}.get) is None
    assert capture(auth, row)["email"] == "ada@mill.example"


def test_an_export_of_typeforms_responses_adds_nothing_to_what_was_posted() -> None:
    from tasks.capture import compute_key

    row = {"Email": "ada@mill.example", "Token": "response-1"}
    assert compute_key(row, Source(key="Token")) == post("typeform", make_typeform())[0].key


def test_names_that_mean_nothing_are_told_apart() -> None:
    columns = [Column(("a", "Same"), 1), Column(("b", "Same"), 2), Column(("",), 3), Column((), 4, "email")]
    named = name_columns(columns, {"b": "x"}.get)
    assert named == {"Same": 1, "b": 2, "unnamed": 3, "email": 4}


def test_a_reason_repeats_no_value() -> None:
    for auth, payload in (
        ("typeform", make_typeform(answers="secret-value")),
        ("calendly", make_calendly(uri=["secret-value"])),
    ):
        (item,) = read_webhook(preset_of(auth), payload, of_leads=True)
        assert isinstance(item, Held)
        assert "secret-value" not in item.reason
    assert isinstance(read_webhook(preset_of("typeform"), make_typeform(), of_leads=True)[0], Lead)
