"""The enrichment stage with a service: what a lead gets, where each value is from, and leads that pass without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli
from company_service import SECRET, VARIABLE, Behaviour, CompanyService, serving_companies
from harness import NOW, PLAYBOOK, Harness, make_lead
from sqlalchemy import text
from stub_gates import pass_all

from console.http.metrics_text import Process, format_exposition
from flows.runtime import environment
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger
from leadgate.ledger.metrics import read_metrics
from leadgate.playbook.check import check
from tasks.batches import run_waiting

Enriched = Callable[..., Harness]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[CompanyService]:
    monkeypatch.setenv(VARIABLE, SECRET)
    with serving_companies() as served:
        yield served


def write_playbook(*providers: str, top: str = "") -> str:
    listed = "".join(f"    - {{{each}}}\n" for each in ("type: company_domain", *providers))
    return PLAYBOOK.replace("scoring:\n", f"{top}enrichment:\n  providers:\n{listed}scoring:\n", 1)


def parse(text: str) -> playbooks.LoadedPlaybook:
    return playbooks.parse(text, path=Path("tests.yaml"))


@pytest.fixture
def enriched(ledger: Ledger, service: CompanyService) -> Enriched:
    """A harness whose playbook asks the service by two providers, the second for what the first does not know."""

    def build(*more: str, top: str = "", also: str = "") -> Harness:
        keys = [f"url: '{service.url}'", "allow_private: true", "timeout: 0.5s", "per_second: 1000", "connections: 1",
                f"auth: {{header: X-Api-Key, secret_env: {VARIABLE}}}", *more]  # fmt: skip
        first = ["type: http", "name: firmo", f"fields: {{employees: org.size, industry: org.industry{also}}}", *keys]
        second = ["type: http", "name: second", "fields: {employees: org.size}", *keys]
        second[3] = f"url: '{service.url}&by=second'"
        return Harness(ledger, parse(write_playbook(", ".join(first), ", ".join(second), top=top)))

    return build


def run(harness: Harness, **more: Any) -> None:
    harness.run(kinds=["intake"], **more)
    assert harness.find_broken() == []


def work(harness: Harness, now: datetime) -> None:
    """Without gates, which take most of the time."""
    run_waiting(harness.worker(), lambda: now, kinds=["intake"], check=pass_all)
    assert harness.find_broken() == []


def test_a_lead_gets_what_it_lacks_and_each_value_says_where_it_is_from(
    cli: Cli, enriched: Enriched, service: CompanyService
) -> None:
    top = "fields: {founded: {type: integer}, old: {}}\n"
    harness = enriched(top=top, also=", founded: org.founded, old: org.size")
    service.usual.body["org"]["founded"] = "1,999"
    service.of["company2.example"] = Behaviour(404, {})
    harness.capture(make_lead(1, Industry="Banking", old="its own"), make_lead(2))
    run(harness)
    assert harness.rows("SELECT employees, industry, custom FROM lead ORDER BY id") == [
        (120, "Banking", {"founded": 1999, "old": "its own"}), (None, None, {}),
    ]  # fmt: skip
    ((origins, missing),) = harness.rows("SELECT provenance, not_enriched FROM lead WHERE id = 1")
    assert {name: each["provider"] for name, each in origins.items()} == {
        "company_domain": "company_domain", "employees": "firmo", "founded": "firmo",
    }  # fmt: skip
    assert missing is None
    assert [path.partition("=")[2] for path, _ in service.requests] == [
        "company1.example", "company2.example", "company2.example&by=second",
    ]  # fmt: skip
    harness.capture(make_lead(3, Email="c@company1.example"))
    run(harness, now=NOW + timedelta(days=1))
    assert len(service.requests) == 3, "the company is known"
    assert "firmo, answered before" in " ".join(cli("explain", 3).stdout.split())


def test_leads_pass_without_a_service_that_fails_marked_and_with_a_warning(
    cli: Cli, enriched: Enriched, service: CompanyService
) -> None:
    service.usual = Behaviour(500, {"key": SECRET})
    harness = enriched("stop_after: 1")
    harness.capture(*(make_lead(number) for number in range(1, 4)))
    run(harness)
    assert harness.count_statuses() == {"owned": 3}
    assert harness.one("SELECT count(*) FROM warned WHERE reason = 'provider_failed'") == 3
    said = " ".join(cli("explain", 1).stdout.split())
    assert "Not enriched by firmo: it answered 500." in said
    assert SECRET not in str(harness.rows("SELECT l::text FROM lead l"))
    shown = " ".join(cli("status", "--now", NOW.isoformat()).stdout.split())
    assert "it answered 500" in shown
    assert "3 leads are to be looked up again" in shown
    figures = read_metrics(harness.ledger, NOW)
    assert figures.provider_units == {"firmo": 1, "second": 1}
    assert figures.providers_closed == {"firmo": 1, "second": 1}
    assert b'leadgate_provider_left_alone{provider="firmo"} 1.0' in format_exposition(
        figures, Process({}, {}, {}, 0, 0.0, 0.0)
    )


def test_leads_that_passed_without_a_service_are_looked_up_again_once_it_may_be_asked(
    cli: Cli, enriched: Enriched, service: CompanyService
) -> None:
    usual, service.usual = service.usual, Behaviour(500, {})
    harness = enriched("stop_after: 1", "pause: 10m")
    harness.capture(make_lead(1, Industry="Banking"), *(make_lead(number, Company="") for number in (2, 3)))
    work(harness, NOW)
    assert harness.count_statuses() == {"owned": 1, "nurture": 2}
    (first,) = set(harness.rows("SELECT enrich_at FROM lead"))
    assert first == (NOW + timedelta(minutes=10),)
    asked = len(service.requests)
    work(harness, NOW + timedelta(minutes=5))
    assert (len(service.requests), harness.one("SELECT count(*) FROM journey")) == (asked, 3)
    work(harness, NOW + timedelta(minutes=11))  # it still fails: those in nurture wait twice as long
    assert harness.one("SELECT count(*) FROM journey WHERE trigger = 'enrich' AND start_stage = 'enrichment'") == 2
    assert set(harness.rows("SELECT enrich_at FROM lead WHERE id > 1")) == {(NOW + timedelta(minutes=31),)}
    assert harness.rows("SELECT enrich_at FROM lead WHERE id = 1") == [(NOW + timedelta(days=1, minutes=11),)]
    service.usual = usual
    work(harness, NOW + timedelta(minutes=32))
    assert harness.rows("SELECT employees, not_enriched, enrich_at FROM lead WHERE id > 1") == [(120, None, None)] * 2
    assert "passed without a provider" in " ".join(cli("explain", 2).stdout.split())
    journeys = harness.one("SELECT count(*) FROM journey")
    work(harness, NOW + timedelta(hours=2))
    assert harness.one("SELECT count(*) FROM journey") == journeys


def test_what_a_service_gave_before_stays_while_it_cannot_be_asked(enriched: Enriched, service: CompanyService) -> None:
    harness = enriched(
        "stop_after: 1", "ttl: 1d", "pause: 1h", top="fields: {founded: {}}\n", also=", founded: org.since"
    )
    service.usual.body["org"]["since"] = "1999"
    harness.capture(make_lead(1, Company=""))
    work(harness, NOW)
    assert harness.count_statuses() == {"nurture": 1}
    usual, service.usual = service.usual, Behaviour(500, {})
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE lead SET enrich_at = :at"), {"at": NOW + timedelta(days=2)})
    for later in (timedelta(days=2), timedelta(days=2, hours=2)):
        work(harness, NOW + later)
        ((employees, industry, custom, origins),) = harness.rows(
            "SELECT employees, industry, custom, provenance FROM lead"
        )
        assert (employees, industry, custom) == (120, "Software", {"founded": "1999"})
        assert [origins[name]["at"] for name in ("employees", "industry", "founded")] == [NOW.isoformat()] * 3
    service.usual = usual
    work(harness, NOW + timedelta(days=4))
    assert harness.one("SELECT provenance -> 'employees' ->> 'at' FROM lead") > NOW.isoformat()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("url: 'https://{company_domain}/x', fields: {employees: a}", "has a field in its host"),
        ("url: 'https://a.example:{company}/x', fields: {employees: a}", "is no URL"),
        ("url: '{company}://a.example/x', fields: {employees: a}", "is no URL"),
        ("url: 'https://a.example/x', fields: {employees: a}", "asks the same of every lead"),
        ("url: 'https://u:p@a.example/{company}', fields: {employees: a}", "a user or a password"),
        ("url: 'http://a.example/{company}', fields: {employees: a}", "is not encrypted"),
        ("url: 'ftp://a.example/{company}', fields: {employees: a}", "is no URL"),
        ("url: 'https://a.example/{Company}', fields: {employees: a}", "is no field of a lead"),
        ("url: 'https://a.example/{compny}', fields: {employees: a}", "did you mean 'company'?"),
        ("url: 'https://a.example/{message}', fields: {employees: a}", "is no field that a service can be asked by"),
        ("url: 'https://a.example/{email}', fields: {employees: a}", "sends personal values of each lead (email)"),
        ("url: 'https://a.example/{company}', fields: {employes: a}", "did you mean 'employees'?"),
        ("url: 'https://a.example/{company}', fields: {email: a}", "is no field that a provider can fill"),
        ("url: 'https://a.example/{company}', fields: {employees: 'a['}", "is no JMESPath expression"),
        ("url: 'https://a.example/{company}', fields: {employees: '[@,@][]|[@,@][]'}", "makes 2 lists"),
        ("url: 'https://a.example/{company}', fields: {employees: '" + "(" * 400 + "'}", "is no JMESPath expression"),
        ("url: 'https://a.example/{company}', fields: {employees: '" + "a" * 501 + "'}", "500 characters are the most"),
        ("preset: apollo, auth: {secret_env: PREFECT_API_KEY}", "LEADGATE_PROVIDER_"),
        ("preset: apollo, auth: {header: Host, secret_env: LEADGATE_PROVIDER_A}", "steers the connection"),
        ("preset: appolo", "preset"),
        ("preset: apollo, per_second: .nan", "per_second"),
        ("preset: apollo, cost: 5, daily_budget: 3", "more than daily_budget allows in a day (3)"),
        ("preset: hunter", None),
    ],
)
def test_a_provider_over_http_is_checked(keys: str, said: str | None) -> None:
    try:
        found = [str(each) for each in check(parse(write_playbook(f"type: http, {keys}")))]
    except playbooks.PlaybookError as error:
        found = [str(error)]
    found = [each for each in found if "enrichment" in each]
    assert found == [] if said is None else any(said in each for each in found), found


def test_only_processes_that_ask_get_the_key() -> None:
    playbook = parse(write_playbook("type: http, preset: apollo")).playbook
    environ = {"LEADGATE_PROVIDER_APOLLO": SECRET, "LEADGATE_PROVIDER_OTHER": SECRET}
    assert SECRET in environment.select_for_flows(environ, playbook).values()
    assert "LEADGATE_PROVIDER_OTHER" not in environment.select_for_flows(environ, playbook)
    assert SECRET not in environment.select_for_http_capture(environ, playbook).values()
    assert SECRET not in environment.select_for_prefect_server(environ).values()


@pytest.mark.parametrize("keys", ["type: acounts_file, path: x.csv", "type: acounts_file", "type: nobodys"])
def test_a_type_of_provider_that_nobody_has_is_named(keys: str) -> None:
    try:
        found = [str(each) for each in check(parse(write_playbook(keys)))]
    except playbooks.PlaybookError as error:
        found = [str(error)]
    assert any("accounts_file" in each for each in found), found
