"""Leads of Facebook's lead ads: the webhook names them, their answers are read by their ids; against a fake over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from commands import Cli
from crm_fakes.lead_ads import VERSION, FakeLeadAds
from crm_fakes.serving import RESET_BEFORE, Fault, Response, answer_with, change_answer, serve
from forked import Child
from harness import PLAYBOOK, Harness
from made_webhooks import make_facebook
from posting import JSON, Answer, Client

from leadgate import playbook as playbooks
from leadgate import source_secrets
from leadgate.ledger import open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook import check as playbook_check
from leadgate.settings import Settings
from tasks.crm.lead_ads import LEASE, MOST_ATTEMPTS, REST, TOLD_ATTEMPTS, read_answers
from tasks.crm.sync import SyncReport

SOURCES = """sources:
  ads:
    key: id
    http:
      auth: facebook
      secret_env: LEADGATE_SECRET_ADS
      verify_env: LEADGATE_SECRET_VERIFY
      answers: {token_env: PAGE_TOKEN, url: 'URL', allow_private: true}
scoring:"""
TOKEN = "EAAG-a-page-token-0123456789"  # noqa: S105 - of a fake
SECRETS = {
    "LEADGATE_SECRET_ADS": "9f86d081884c7d659a2feaa0c55ad015",
    "LEADGATE_SECRET_VERIFY": source_secrets.make(),
}
ENVIRON = {**SECRETS, "PAGE_TOKEN": TOKEN}


@pytest.fixture
def fake() -> FakeLeadAds:
    return FakeLeadAds(TOKEN, SECRETS["LEADGATE_SECRET_ADS"])


@pytest.fixture
def loaded(fake: FakeLeadAds) -> Iterator[LoadedPlaybook]:
    with serve(fake) as url:
        sources = SOURCES.replace("URL", f"{url}/{VERSION}")
        text = PLAYBOOK.partition("sources:")[0] + sources + PLAYBOOK.partition("scoring:")[2]
        yield playbooks.parse(text, path=Path("ads.yaml"))
    assert fake.errors == []


@pytest.fixture
def environment() -> dict[str, str]:
    return SECRETS


def post(client: Client, *leads: int) -> Answer:
    body = json.dumps(make_facebook(*leads)).encode()
    digest = hmac.new(SECRETS["LEADGATE_SECRET_ADS"].encode(), body, hashlib.sha256).hexdigest()
    return client.send("POST", "/capture/ads", body, JSON | {"X-Hub-Signature-256": f"sha256={digest}"})


def find_now(harness: Harness) -> datetime:
    """Just after the last webhook came."""
    now: datetime = harness.one("SELECT max(received_at) FROM crm_change") + timedelta(seconds=1)
    return now


def read(harness: Harness, now: datetime, **environ: str) -> SyncReport:
    return read_answers(harness.ledger, harness.loaded, "ads", ENVIRON | environ, now)


def count_waiting(harness: Harness) -> int:
    return int(harness.one("SELECT count(*) FROM crm_change WHERE followed_at IS NULL"))


def list_items(harness: Harness) -> list[tuple[str, str, str | None]]:
    return harness.rows(
        "SELECT reason, promise, closed_by FROM work_item WHERE reason = 'answers_not_read' ORDER BY id"
    )


def read_everything(harness: Harness) -> str:
    """Every row of the ledger, as JSON."""
    tables = harness.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
    assert ("signal",) in tables
    return "\n".join(str(row) for (name,) in tables for row in harness.rows(f'SELECT to_jsonb(t) FROM "{name}" t'))


def add(fake: FakeLeadAds, *leads: int) -> None:
    for number in leads:
        fake.add(number, full_name=f"Ada {number}", work_email=f"ada.{number}@mill.example", company_name="Mill & Sons")


def test_a_lead_that_a_webhook_names_is_one_lead_with_its_answers(
    client: Client, harness: Harness, fake: FakeLeadAds
) -> None:
    add(fake, 444001, 444002)
    answers = [post(client, 444001, 444002), post(client, 444002)]
    assert [answer.status for answer in answers] == [200, 200]
    assert [[each["new"] for each in answer.data["changes"]] for answer in answers] == [[True, True], [False]]
    now = find_now(harness)
    report = read(harness, now)
    assert (report.records, report.new, report.complete, report.problem) == (2, 2, True, None)
    assert (read(harness, now).records, len(fake.log)) == (0, 2)
    harness.run(now)
    assert harness.rows("SELECT email, full_name, company, external_id, lead_source FROM lead ORDER BY email") == [
        (f"ada.{number}@mill.example", f"Ada {number}", "Mill & Sons", str(number), "fb") for number in (444001, 444002)
    ]
    assert harness.one("SELECT min(occurred_at) FROM lead") == "2026-03-02T09:14:59+00:00"
    export = {"id": "444001", "email": "ada.444001@mill.example", "full_name": "Ada 444001"}
    assert harness.capture(export, source="ads") == 0, "the export of the same lead is no news"
    assert harness.find_broken() == []


@pytest.mark.parametrize("point", ["lead_ads.read", "lead_ads.stored", "lead_ads.marked"])
def test_reading_that_is_killed_is_gone_on_with(
    client: Client, harness: Harness, fake: FakeLeadAds, settings: Settings, point: str
) -> None:
    add(fake, 1, 2, 3)
    post(client, 1, 2, 3)
    now = find_now(harness)

    def read_in_child() -> None:
        with open_ledger(settings) as ledger:
            read_answers(ledger, harness.loaded, "ads", ENVIRON, now)

    assert Child(read_in_child, failpoint=point).killed
    read(harness, now)
    read(harness, now + LEASE)
    assert (count_waiting(harness), harness.one("SELECT count(*) FROM signal")) == (0, 3)
    harness.run(now + LEASE)
    assert harness.one("SELECT count(*) FROM lead") == 3


def test_of_two_that_ask_for_one_lead_one_stores(client: Client, harness: Harness, fake: FakeLeadAds) -> None:
    add(fake, 1)
    post(client, 1)
    now = find_now(harness)
    overtaking: list[SyncReport] = []

    def be_overtaken(answer: Response) -> Response:
        overtaking.append(read(harness, now + LEASE))
        return answer

    fake.faults.plan(change_answer(be_overtaken))
    report = read(harness, now)
    assert (overtaking[0].records, report.records) == (1, 0)
    assert harness.one("SELECT count(*) FROM signal") == 1


def test_an_expired_token_is_one_work_item_and_loses_no_lead(
    client: Client, harness: Harness, fake: FakeLeadAds
) -> None:
    leads = range(1, 6)
    add(fake, *leads)
    post(client, *leads)
    now = find_now(harness)
    fake.expired = True
    report = read(harness, now)
    assert "190/463" in (report.problem or "")
    assert (list_items(harness), count_waiting(harness)) == ([("answers_not_read", "answers:ads", None)], 5)
    assert read(harness, now + REST / 2).problem is None, "nobody asks while the source rests"
    assert len(fake.log) == 1
    read(harness, now + REST)
    assert (len(fake.log), len(list_items(harness))) == (2, 1)
    fake.expired = False
    report = read(harness, now + 2 * REST)
    assert (report.new, count_waiting(harness)) == (5, 0)
    assert list_items(harness) == [("answers_not_read", "answers:ads", "leadgate")]


def test_a_limit_is_waited_out_for_as_long_as_it_holds(client: Client, harness: Harness, fake: FakeLeadAds) -> None:
    add(fake, 1, 2, 3)
    post(client, 1, 2, 3)
    now = find_now(harness)
    fake.left = 1
    report = read(harness, now)
    assert (report.new, report.wait_seconds) == (1, 420)
    fake.left = None
    assert (read(harness, now + timedelta(minutes=6)).new, len(fake.log)) == (0, 2)
    add(fake, 4)
    post(client, 4)
    assert read(harness, now + timedelta(minutes=6)).new == 0, "a lead that came later is not asked for, either"
    assert (read(harness, now + timedelta(minutes=7)).new, list_items(harness)) == (3, [])


@pytest.mark.parametrize("code", [4, 17, 32, 613])
def test_every_limit_lets_the_source_rest(client: Client, harness: Harness, fake: FakeLeadAds, code: int) -> None:
    add(fake, 1)
    post(client, 1)
    fake.faults.plan(answer_with(400, {"error": {"code": code, "message": "limit", "type": "OAuthException"}}))
    report = read(harness, find_now(harness))
    assert (report.new, report.wait_seconds, report.problem is None) == (0, 60, False)


def test_a_lead_that_is_not_given_is_told_and_read_once_it_is_given_and_the_others_go_on(
    client: Client, harness: Harness, fake: FakeLeadAds
) -> None:
    add(fake, 2)
    post(client, 1, 2)
    now = find_now(harness)
    assert read(harness, now).new == 1
    for attempt in range(1, TOLD_ATTEMPTS):
        assert list_items(harness) == []
        read(harness, now + attempt * timedelta(hours=1))
    ((told, value),) = harness.rows("SELECT message, value FROM work_item WHERE closed_at IS NULL")
    assert (value, "100/33" in told) == ("1", True)
    add(fake, 1)
    assert read(harness, now + timedelta(hours=TOLD_ATTEMPTS)).new == 1
    assert [closed_by for *_, closed_by in list_items(harness)] == ["leadgate"]


BROKEN = answer_with(500, {"error": {"code": 2, "message": "down", "type": "OAuthException"}})


@pytest.mark.parametrize("fault", [None, BROKEN], ids=["unknown", "failing"])
def test_a_lead_that_is_not_given_for_a_day_is_held_for_a_person(
    client: Client, harness: Harness, fake: FakeLeadAds, fault: Fault | None
) -> None:
    post(client, 1)
    now = find_now(harness)
    if fault is not None:
        fake.faults.plan(fault, times=2 * MOST_ATTEMPTS)
    for attempt in range(MOST_ATTEMPTS):
        report = read(harness, now + attempt * timedelta(hours=1))
    assert (report.held, count_waiting(harness)) == (1, 0)
    assert [closed_by for *_, closed_by in list_items(harness)] == ["leadgate"]
    harness.run(now + timedelta(days=3))
    assert harness.rows("SELECT reason FROM work_item WHERE closed_at IS NULL") == [("unreadable_row",)]
    assert "lead 1 " in harness.one("SELECT unreadable FROM signal WHERE key = 'notice:1'")
    raw = json.loads(json.loads(harness.one("SELECT payload FROM signal WHERE key = 'notice:1'"))["raw"])
    assert raw["value"]["leadgen_id"] == "1"


def test_silence_is_the_sources_and_is_told_once_it_lasts(client: Client, harness: Harness, fake: FakeLeadAds) -> None:
    add(fake, 1)
    post(client, 1)
    now = find_now(harness)
    fake.faults.plan(RESET_BEFORE, times=8)
    assert read(harness, now).problem is not None
    assert list_items(harness) == []
    read(harness, now + timedelta(minutes=20))
    assert list_items(harness) == [("answers_not_read", "answers:ads", None)]
    fake.faults.stop()
    assert read(harness, now + timedelta(minutes=40)).new == 1


@pytest.mark.parametrize("variable", ["PAGE_TOKEN", "LEADGATE_SECRET_ADS"])
def test_a_variable_that_is_not_set_is_named(
    client: Client, harness: Harness, fake: FakeLeadAds, variable: str
) -> None:
    add(fake, 1)
    post(client, 1)
    report = read(harness, find_now(harness), **{variable: ""})
    assert report.problem == f"{variable} is not set"
    assert (len(list_items(harness)), count_waiting(harness), fake.log) == (1, 1, [])


def test_while_the_apps_secret_is_replaced_either_proves_a_request(
    client: Client, harness: Harness, fake: FakeLeadAds
) -> None:
    add(fake, 1, 2)
    post(client, 1, 2)
    both = f"an-older-secret-of-the-app-0123456789 {SECRETS['LEADGATE_SECRET_ADS']}"
    assert read(harness, find_now(harness), LEADGATE_SECRET_ADS=both).new == 2
    assert len(fake.log) == 3


def test_secrets_stay_out_of_ledger_reports_and_logs(
    client: Client, harness: Harness, fake: FakeLeadAds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    add(fake, 1)
    fake.leads["1"]["field_data"].append({"name": "echo", "values": [TOKEN]})
    post(client, 1)
    now = find_now(harness)
    proof = hmac.new(SECRETS["LEADGATE_SECRET_ADS"].encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
    fake.expired = True
    problems = [read(harness, now).problem]
    wrong = "EAAG-another-token-9876543210"
    problems.append(read(harness, now + REST, PAGE_TOKEN=wrong).problem)
    fake.expired = False
    assert read(harness, now + 2 * REST).new == 1
    told = "\n".join([*map(str, problems), caplog.text, read_everything(harness)])
    assert [each for each in (TOKEN, wrong, proof, *SECRETS.values()) if each in told] == []


def test_the_command_reads_answers_too(
    client: Client, harness: Harness, fake: FakeLeadAds, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(fake, 1)
    post(client, 1)
    path = tmp_path / "ads.yaml"
    path.write_text(harness.loaded.text, "utf-8")
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    for name, count in (("ads", 1), (None, 0)):
        told = cli("--playbook", str(path), "crm", "sync", *filter(None, [name]), "--json")
        assert [(each["crm"], each["new"]) for each in json.loads(told.stdout)["crms"]] == [("ads", count)]
    assert "did you mean 'ads'" in cli("--playbook", str(path), "crm", "sync", "adds", code=2).output
    for command in ("check", "sync"):
        told = cli("--playbook", str(path), "crm", command, "faceplant", code=2).output
        assert "sources are: ads" in told


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({}, 0, "Ready"),
        ({"PAGE_TOKEN": ""}, 3, "PAGE_TOKEN is not set"),
        ({"PAGE_TOKEN": "EAAG-another-token-9876543210"}, 1, "190"),
        ({"LEADGATE_SECRET_ADS": "an-older-secret-of-the-app-0123456789"}, 1, "proof"),
    ],
    ids=["ready", "unset", "refused", "wrong proof"],
)
def test_a_check_asks_with_the_token_and_never_prints_it(
    loaded: LoadedPlaybook,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    code: int,
    told: str,
) -> None:
    path = tmp_path / "ads.yaml"
    path.write_text(loaded.text, "utf-8")
    environ = ENVIRON | change
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    shown = cli("--playbook", str(path), "crm", "check", "ads", code=code).output
    assert told in shown
    assert [value for value in environ.values() if value and value in shown] == []


def test_status_tells_of_leads_that_nobody_reads(client: Client, fake: FakeLeadAds, harness: Harness, cli: Cli) -> None:
    assert "to be read" not in cli("status").output
    post(client, 1, 2)
    told = json.loads(cli("status", "--json", code=1).stdout)
    assert (told["waiting"]["to_be_read"]["count"], told["well"]) == (2, False)
    assert "2 leads that webhooks name wait to be read" in cli("status", code=1).output
    add(fake, 1, 2)
    read(harness, find_now(harness) + timedelta(days=1))
    assert json.loads(cli("status", "--json").stdout)["waiting"]["to_be_read"]["count"] == 0


def test_the_playbook_says_how_answers_are_read() -> None:
    def check(answers: str, auth: str = "facebook, verify_env: LEADGATE_SECRET_B") -> list[str]:
        source = f"{{http: {{auth: {auth}, secret_env: LEADGATE_SECRET_A, answers: {answers}}}}}"
        text = PLAYBOOK.replace("sources:\n", f"sources:\n  ads: {source}\n")
        found = playbook_check.check(playbooks.parse(text, path=Path("ads.yaml")))
        return [each.message for each in found if not each.note]

    assert check("{token_env: PAGE_TOKEN}") == []
    for answers, told in (
        ("{token_env: LEADGATE_SECRET_C}", "is a variable for the secret of a source"),
        ("{token_env: PAGE_TOKEN, url: 'http://graph.example/v25.0'}", "unencrypted"),
        ("{token_env: PAGE_TOKEN, url: 'https://127.0.0.1/v25.0'}", "allow_private"),
    ):
        (message,) = check(answers)
        assert told in message
    (message,) = check("{token_env: PAGE_TOKEN}", auth="bearer")
    assert "means nothing with auth: bearer" in message
