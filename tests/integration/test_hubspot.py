"""Writing through the HubSpot connector to a strict fake over real HTTP: what is written stands, whatever fails."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from crm_fakes.hubspot import Limits, Rule
from crm_fakes.hubspot.connected import SOON, Account, make_rows, make_task
from crm_fakes.serving import RESET_AFTER, RESET_BEFORE, SILENCE_AFTER, Response, answer_with, change_answer

from leadgate.connectors.crm import Crm, CrmLimitError, CrmObject, CrmRefusedError, CrmWrite, RowFault
from leadgate.connectors.hubspot import HubSpot
from leadgate.connectors.service_session import ServiceUnreachableError

LEAD = CrmObject.LEAD


def test_it_is_a_crm(hubspot: Account) -> None:
    crm: Crm = hubspot.crm
    assert crm.name == "HubSpot"


@pytest.mark.parametrize("version", ["2026-09", "2026-03", "v3"])
def test_every_version_writes_and_reads(hubspot: Account, version: str) -> None:
    crm = hubspot.connect(version=version)
    (written,) = crm.write(LEAD, make_rows(1))
    task = make_task(hubspot)
    (made,) = crm.write_tasks([replace(task, record_id=written.id or "")])
    (again,) = crm.write_tasks([replace(task, record_id=written.id or "")])
    assert (written.was_created, made.was_created, again.id) == (True, True, made.id)
    assert crm.list_owners()[0].email == "rep@example.com"
    assert hubspot.portal.related("tasks", made.id or "", "contacts") == [(written.id, 204)]


def test_a_wrong_version_and_a_wrong_token_are_refused(hubspot: Account) -> None:
    with pytest.raises(CrmRefusedError):
        hubspot.connect(version="2020-01").describe_fields(LEAD)
    hubspot.fake.token = "another"  # noqa: S105 - made up
    with pytest.raises(CrmRefusedError, match="token"):
        hubspot.crm.describe_fields(LEAD)


# writing


def test_rows_are_created_and_updated_by_their_keys(hubspot: Account) -> None:
    first = hubspot.crm.write(LEAD, make_rows(250))
    second = hubspot.crm.write(LEAD, make_rows(250, company="Acme"))
    assert [row.was_created for row in first] == [True] * 250
    assert [(row.id, row.was_created, row.error) for row in second] == [(row.id, False, None) for row in first]
    by_key = hubspot.portal.by_key("contacts")
    assert {key: record.id for key, record in by_key.items()} == {row.key: row.id for row in first}
    assert {record.values["company"] for record in by_key.values()} == {"Acme"}
    sizes = [len(request.json()["inputs"]) for request in hubspot.fake.requests("batch/upsert")]
    assert sizes == [100, 100, 50] * 2


def test_a_row_with_an_id_is_updated_by_it_and_gets_the_key(hubspot: Account) -> None:
    there = hubspot.portal.add_record("contacts", email="ann@example.com")
    (written,) = hubspot.crm.write(LEAD, [CrmWrite("L1", {"company": "Acme"}, id=there.id)])
    (gone,) = hubspot.crm.write(LEAD, [CrmWrite("L2", {"company": "Acme"}, id="999999")])
    assert (written.id, written.was_created, written.error) == (there.id, False, None)
    assert hubspot.portal.by_key("contacts")["L1"] is there
    assert gone.error is not None
    assert gone.error.fault is RowFault.GONE


def test_rows_of_one_key_never_share_a_batch_and_keep_their_order(hubspot: Account) -> None:
    rows = [CrmWrite(key, {"leadgate_score": n}) for n, key in enumerate(["A", "B", "A", "A", "B"])]
    results = hubspot.crm.write(LEAD, rows)
    assert [row.error for row in results] == [None] * 5
    assert len({row.id for row in results}) == 2
    scores = {key: record.values["leadgate_score"] for key, record in hubspot.portal.by_key("contacts").items()}
    assert scores == {"A": "3", "B": "4"}


@pytest.mark.parametrize("multi_status", [True, False], ids=["207", "400"])
def test_bad_rows_never_fail_the_others(hubspot: Account, multi_status: bool) -> None:
    hubspot.fake.multi_status = multi_status
    taken = hubspot.portal.add_record("contacts", email="taken@example.com")
    hubspot.portal.rules = [Rule("contacts", "company"), Rule("contacts", "phone", when=("hs_lead_status", "OPEN"))]
    rows = make_rows(40, company="Acme")
    rows[3] = replace(rows[3], values={"email": "no address", "company": "Acme"})
    rows[17] = replace(rows[17], values={"email": "p17@example.com"})
    rows[18] = replace(rows[18], values={**rows[18].values, "hs_lead_status": "OPEN"})
    rows[39] = replace(rows[39], values={"email": "taken@example.com", "company": "Acme"})
    results = hubspot.crm.write(LEAD, rows)
    errors = {n: row.error for n, row in enumerate(results) if row.error is not None}
    assert {n: error.code for n, error in errors.items()} == {
        3: "INVALID_EMAIL",
        17: "MISSING_REQUIRED_PROPERTY",
        18: "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
        39: "OBJECT_ALREADY_EXISTS",
    }
    assert {n: error.field for n, error in errors.items()} == {3: "email", 17: "company", 18: "phone", 39: None}
    assert (errors[39].fault, errors[39].other_id) == (RowFault.DUPLICATE, taken.id)
    assert {errors[n].fault for n in (3, 17, 18)} == {RowFault.PERMANENT}
    assert set(hubspot.portal.by_key("contacts")) == {row.key for row in rows} - {"L3", "L17", "L18", "L39"}


def test_a_row_whose_error_names_no_row_is_not_taken_for_written(hubspot: Account) -> None:
    def hide_traces(response: Response) -> Response:
        body = dict(response.body)
        body["errors"] = [{**error, "context": {}} for error in body.get("errors", [])]
        body["results"] = [{**one, "objectWriteTraceId": None, "properties": {}} for one in body["results"]]
        return replace(response, body=body)

    hubspot.fake.faults.plan(change_answer(hide_traces), matching="batch/upsert", times=20)
    rows = make_rows(4)
    rows[2] = replace(rows[2], values={"email": "no address"})
    results = hubspot.crm.write(LEAD, rows)
    assert [row.error is None for row in results] == [False] * 4
    assert results[2].error is not None
    assert results[2].error.code == "INVALID_EMAIL"
    assert {row.error.fault for row in results if row.error and row.key != "L2"} == {RowFault.TEMPORARY}


def test_a_row_that_does_not_fit_is_refused_without_a_request(hubspot: Account) -> None:
    rows = [
        *make_rows(2),
        CrmWrite("bad", {"leadgate_score": "many"}),
        CrmWrite("nan", {"leadgate_score": float("nan")}),
    ]
    results = hubspot.crm.write(LEAD, rows)
    assert [row.error.code if row.error else None for row in results] == [None, None, "UNFIT_VALUE", "UNFIT_VALUE"]
    assert "many" not in str(results[2].error)


def test_an_unknown_property_is_refused_before_anything_is_sent(hubspot: Account) -> None:
    with pytest.raises(CrmRefusedError, match="leadgate_score"):
        hubspot.crm.write(LEAD, [CrmWrite("L1", {"leadgate_scor": 1})])
    assert hubspot.fake.requests("batch") == []


def test_values_come_back_as_they_were_written(hubspot: Account) -> None:
    values = {
        "leadgate_score": 12.5,
        "leadgate_due": datetime(2026, 3, 4, 5, 6, 7, 891234, tzinfo=UTC),
        "leadgate_day": date(2026, 3, 4),
        "leadgate_told": False,
        "leadgate_grade": "B",
        "firstname": "  Zoë\u0000\r\n\U0001f642 " + "x" * 8_000,
        "email": "Ann@Example.com",
        "company": None,
    }
    (written,) = hubspot.crm.write(LEAD, [CrmWrite("L1", values)])
    assert written.error is None
    read = hubspot.crm.read(LEAD, [written.id or ""], list(values))[written.id or ""]
    assert read.values == hubspot.crm.predict_stored(LEAD, values)
    assert read.values["leadgate_due"] == datetime(2026, 3, 4, 5, 6, 7, 891000, tzinfo=UTC)
    assert hubspot.crm.write(LEAD, [CrmWrite("L1", {"leadgate_day": None})])[0].error is None
    assert hubspot.crm.read(LEAD, [written.id or ""], ["leadgate_day"])[written.id or ""].values == {
        "leadgate_day": None
    }


def test_the_lifecycle_stage_goes_back_too(hubspot: Account) -> None:
    ids = [row.id or "" for row in hubspot.crm.write(LEAD, make_rows(2, lifecyclestage="opportunity"))]
    hubspot.crm.write(LEAD, [CrmWrite("L0", {"lifecyclestage": "lead"})])
    hubspot.crm.write(LEAD, [CrmWrite("L1", {"lifecyclestage": "lead"}, id=ids[1])])
    assert {hubspot.portal.records["contacts"][one].values["lifecyclestage"] for one in ids} == {"lead"}
    before = len(hubspot.fake.requests("batch/update"))
    hubspot.crm.write(LEAD, [CrmWrite("L0", {"lifecyclestage": "customer"})])
    assert len(hubspot.fake.requests("batch/update")) == before  # forward needs no emptying


# faults


@pytest.mark.parametrize(
    "fault",
    [
        RESET_BEFORE,
        RESET_AFTER,
        SILENCE_AFTER,
        answer_with(500),
        answer_with(502, b"<html>bad gateway</html>"),
        answer_with(504, acts=True),
        answer_with(521),
        answer_with(423, {"message": "locked"}),
        answer_with(477, Retry_After="0"),
        answer_with(429, {"policyName": "TEN_SECONDLY_ROLLING"}),
        answer_with(429, {"message": "no policy"}),
        answer_with(429, Retry_After="0"),
    ],
    ids=lambda fault: fault.name,
)
def test_a_passing_fault_costs_nothing(hubspot: Account, fault: Any) -> None:
    hubspot.fake.faults.plan(fault, matching="batch/upsert")
    hubspot.fake.faults.plan(fault, matching="tasks/batch/create")
    rows = hubspot.crm.write(LEAD, make_rows(3))
    tasks = hubspot.crm.write_tasks([make_task(hubspot, "T1"), make_task(hubspot, "T2")])
    assert hubspot.fake.faults.are_used_up
    assert [row.error for row in (*rows, *tasks)] == [None] * 5
    assert {key: r.id for key, r in hubspot.portal.by_key("contacts").items()} == {row.key: row.id for row in rows}
    assert {key: r.id for key, r in hubspot.portal.by_key("tasks").items()} == {row.key: row.id for row in tasks}
    assert len(hubspot.portal.records["tasks"]) == 2
    for task in tasks:
        assert len(hubspot.portal.related("tasks", task.id or "", "contacts")) == 1


def test_a_day_s_limit_is_an_error_that_says_so(hubspot: Account) -> None:
    hubspot.crm.write(LEAD, make_rows(1))
    hubspot.fake.limits.daily = hubspot.fake.limits.used_today
    with pytest.raises(CrmLimitError) as reached:
        hubspot.crm.write(LEAD, make_rows(1))
    assert reached.value.is_daily
    assert reached.value.wait_seconds == SOON.daily_wait
    assert hubspot.crm.budget.day_left == 0


def test_a_long_wait_is_the_callers(hubspot: Account) -> None:
    hubspot.fake.faults.plan(answer_with(477, Retry_After="3600"))
    with pytest.raises(CrmLimitError) as moving:
        hubspot.crm.describe_fields(LEAD)
    assert (moving.value.wait_seconds, moving.value.is_daily) == (3600, False)


def test_what_was_written_stays_known_when_the_rest_fails(hubspot: Account) -> None:
    hubspot.crm.describe_fields(LEAD)
    hubspot.fake.faults.plan(*[change_answer(lambda response: response)], *[answer_with(503)] * 9, matching="upsert")
    results = hubspot.crm.write(LEAD, make_rows(150))
    assert [row.error is None for row in results] == [True] * 100 + [False] * 50
    assert {row.error.fault for row in results if row.error} == {RowFault.TEMPORARY}
    with pytest.raises(ServiceUnreachableError):
        hubspot.crm.write(LEAD, make_rows(1))


def test_a_row_with_which_hubspot_fails_fails_alone(hubspot: Account) -> None:
    real = hubspot.fake.answer

    def fail_with_poison(request: Any) -> Response:
        return Response(500) if b"poison" in request.body else real(request)

    hubspot.fake.answer = fail_with_poison  # type: ignore[method-assign]
    rows = [*make_rows(6), CrmWrite("L9", {"company": "poison"})]
    results = hubspot.crm.write(LEAD, rows)
    assert [row.error.fault if row.error else None for row in results] == [None] * 6 + [RowFault.TEMPORARY]


def test_limits_of_a_busy_account_are_kept_by_two_at_once(hubspot: Account) -> None:
    hubspot.fake.limits = Limits(burst=20, interval=0.1)
    results: list[Any] = []

    def write(crm: HubSpot, name: str) -> None:
        for n in range(15):
            results.extend(crm.write(LEAD, [CrmWrite(f"{name}{n}", {"leadgate_score": n})]))

    pace = replace(SOON, requests=20)
    threads = [threading.Thread(target=write, args=(hubspot.connect(pace), name)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.error for row in results] == [None] * 30
    assert len(hubspot.portal.by_key("contacts")) == 30


# tasks


def test_a_task_is_made_once_and_shows_text_as_text(hubspot: Account) -> None:
    task = make_task(hubspot)
    (made,) = hubspot.crm.write_tasks([task])
    stored = hubspot.portal.records["tasks"][made.id or ""]
    assert stored.values["hs_task_body"] == "first<br>&lt;script&gt;"
    assert stored.values["hs_timestamp"] == "2026-11-30T09:00:00.000Z"
    hubspot.portal.edit(stored, hs_task_status="COMPLETED")
    for again in (task, replace(task, id=made.id, subject="Call again")):
        (result,) = hubspot.crm.write_tasks([again])
        assert (result.id, result.was_created, result.error) == (made.id, False, None)
    assert stored.values["hs_task_status"] == "COMPLETED"  # what a rep has done is not opened again
    assert stored.values["hs_task_subject"] == "Call again"
    assert len(hubspot.portal.records["tasks"]) == 1


def test_a_task_that_another_process_makes_meanwhile_is_found(hubspot: Account) -> None:
    task = make_task(hubspot)
    other = hubspot.connect()
    real = hubspot.fake.answer
    met: list[str] = []

    def make_it_first(request: Any) -> Response:
        answer = real(request)
        if request.path.endswith("tasks/batch/read") and not met:
            met.append("once")
            hubspot.portal.write("tasks", None, {"leadgate_id": "T1", "hs_timestamp": "0"}, source="INTEGRATION")
        return answer

    hubspot.fake.answer = make_it_first  # type: ignore[method-assign]
    (result,) = other.write_tasks([task])
    assert result.error is None
    assert list(hubspot.portal.by_key("tasks")) == ["T1"]
    assert hubspot.portal.related("tasks", result.id or "", "contacts") == [(task.record_id, 204)]


def test_a_task_for_a_contact_that_is_gone_fails_alone(hubspot: Account) -> None:
    good, bad = make_task(hubspot, "T1"), replace(make_task(hubspot, "T2"), record_id="999999")
    results = hubspot.crm.write_tasks([good, bad])
    assert [row.error.fault if row.error else None for row in results] == [None, RowFault.GONE]


def test_no_task_is_made_without_a_unique_property(hubspot: Account) -> None:
    hubspot.portal.properties["tasks"]["leadgate_id"].is_unique = False
    with pytest.raises(CrmRefusedError, match="unique"):
        hubspot.crm.write_tasks([make_task(hubspot)])
    assert hubspot.portal.records["tasks"] == {}
