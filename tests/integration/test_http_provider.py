"""The provider ``http`` against a real service on loopback and a real ledger: what is asked, kept, spent, left alone.

One ledger serves all tests here: each test asks by a provider of its own name.

Long as one file: what a service may do wrong is listed, with what comes of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import databases
import pandas as pd
import pytest
from company_service import SECRET, VARIABLE, Behaviour, CompanyService, serving_companies
from harness import KEY, NOW
from sqlalchemy import text

from leadgate.connectors import http_provider
from leadgate.connectors.http_provider import ServiceProvider
from leadgate.connectors.provider import ANSWERED, ASK_AGAIN, PROBLEM
from leadgate.ledger import Ledger, lookups, open_ledger
from leadgate.playbook import PRESETS, CustomField, HttpProvider, LoadedPlaybook
from leadgate.settings import Settings

Ask = Callable[..., pd.DataFrame]
FIELDS = {"employees": "org.size", "industry": "org.industry", "country": "org.country", "revenue": "org.revenue"}


@pytest.fixture(scope="module")
def shared(postgres: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with databases.fresh(postgres) as (url,):
        settings = Settings(home=tmp_path_factory.mktemp("home"), database_url=url, key=KEY)
        with open_ledger(settings) as opened:
            yield opened


@pytest.fixture
def service() -> Iterator[CompanyService]:
    with serving_companies() as served:
        yield served


@pytest.fixture
def ask(shared: Ledger, service: CompanyService, loaded: LoadedPlaybook, request: pytest.FixtureRequest) -> Ask:
    """Asks the service about companies by their domains, by a provider with ``more`` keys."""

    def ask(
        *domains: str,
        at: timedelta = timedelta(0),
        secret: str = SECRET,
        own: dict[str, CustomField] | None = None,
        paths: dict[str, str] | None = None,
        known: dict[str, list[Any]] | None = None,
        **more: Any,
    ) -> pd.DataFrame:
        keys = {
            "name": request.node.name.partition("[")[0][5:60], "url": service.url, "allow_private": True,
            "auth": {"header": "X-Api-Key", "secret_env": VARIABLE, "prefix": "Key "}, "timeout": "0.5s",
            "per_second": 1000, "fields": paths or FIELDS,
        }  # fmt: skip
        declared = HttpProvider(**keys | more)
        rules = loaded.playbook.model_copy(update={"fields": own or {}})
        provider = ServiceProvider(declared, rules, lookups.Lookups(shared), KEY.encode(), NOW + at, {VARIABLE: secret})
        empty: dict[str, list[Any]] = {name: [None] * len(domains) for name in declared.fields}
        frame = pd.DataFrame({"company_domain": list(domains)} | empty | (known or {}), dtype=object)
        return provider.look_up(frame)

    return ask


@pytest.fixture
def state(shared: Ledger, request: pytest.FixtureRequest) -> Callable[[str], Any]:
    def read(columns: str) -> Any:
        query = text(f"SELECT {columns} FROM provider_state WHERE provider = :name")
        with shared.transaction() as connection:
            row = connection.execute(query, {"name": request.node.name.partition("[")[0][5:60]}).one()
        return tuple(row)

    return read


def list_domains(count: int, start: int = 1) -> list[str]:
    return [f"company{number}.example" for number in range(start, start + count)]


def read_problems(answers: pd.DataFrame) -> list[str | None]:
    return answers[PROBLEM].tolist()


def test_values_are_cleaned_as_if_they_had_been_captured(ask: Ask, service: CompanyService) -> None:
    service.usual.body = {"org": {"size": "51-200", "country": "germany", "revenue": "$50M-$100M", "industry": " IT "}}
    answers = ask("acme.example")
    assert answers[[*FIELDS]].iloc[0].tolist() == [51, "IT", "DE", 50_000_000]
    ((path, headers),) = service.requests
    assert path == "/companies?domain=acme.example"
    assert headers["x-api-key"] == f"Key {SECRET}"


def test_a_company_is_asked_about_once_until_the_answer_is_too_old(ask: Ask, service: CompanyService) -> None:
    first = ask("acme.example", "acme.example", ttl="2d")
    later = ask("acme.example", ttl="2d", at=timedelta(days=1))
    assert service.asked == ["acme.example"]
    assert first[ANSWERED].tolist() == [None, None]
    assert later[ANSWERED].tolist() == [NOW.isoformat()]
    assert later["employees"].tolist() == [120]
    ask("acme.example", ttl="2d", at=timedelta(days=3))
    assert len(service.asked) == 2


def test_what_was_answered_before_a_process_is_killed_is_not_asked_again(
    ask: Ask, service: CompanyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    keep = lookups.Lookups.keep_answers
    kept: list[int] = []

    def keep_twice(records: lookups.Lookups, provider: str, answers: dict[int, Any], *more: Any) -> None:
        if len(kept) == 2:
            raise Killed
        kept.append(len(answers))
        keep(records, provider, answers, *more)

    monkeypatch.setattr(http_provider, "_KEPT_TOGETHER", 5)
    monkeypatch.setattr(lookups.Lookups, "keep_answers", keep_twice)
    with pytest.raises(Killed):
        ask(*list_domains(30), connections=1, daily_budget=60)
    monkeypatch.setattr(lookups.Lookups, "keep_answers", keep)
    service.asked.clear()
    assert ask(*list_domains(30), connections=1, daily_budget=60)["employees"].tolist() == [120] * 30
    assert len(set(service.asked)) <= 30 - sum(kept) + 1, "one may have been under way"


def test_another_expression_asks_anew(ask: Ask, service: CompanyService) -> None:
    ask("acme.example")
    answers = ask("acme.example", not_found={"status": [404, 410]})
    assert len(service.asked) == 2
    assert answers["employees"].tolist() == [120]


def test_nobody_is_asked_about_a_lead_that_lacks_nothing_or_has_nothing_to_ask_with(
    ask: Ask, service: CompanyService
) -> None:
    whole = {"employees": [5, 5, None], "industry": ["IT"] * 3, "country": ["DE"] * 3, "revenue": [1.0] * 3}
    answers = ask("full.example", None, "lacking.example", known=whole)  # type: ignore[arg-type]
    assert service.asked == ["lacking.example"]
    assert read_problems(answers) == [None] * 3


@pytest.mark.parametrize(
    ("answer", "where"),
    [
        (Behaviour(404, {"error": "no"}), None),
        (Behaviour(200, {"org": None}), "org == null"),
        (Behaviour(200, {"org": {}}), "org"),
        (Behaviour(200, {"matches": []}), "matches"),
    ],
)
def test_not_found_is_kept_and_no_problem(
    ask: Ask, service: CompanyService, shared: Ledger, answer: Behaviour, where: str | None
) -> None:
    service.usual = answer
    for _ in range(2):
        answers = ask("nobody.example", not_found={"where": where}, name=f"nobody_{len(where or '')}")
    assert len(service.asked) == 1
    assert read_problems(answers) == [None]
    with shared.transaction() as connection:
        kept = connection.execute(
            text("SELECT values FROM provider_answer WHERE provider = :name"), {"name": f"nobody_{len(where or '')}"}
        ).all()
    assert [tuple(row) for row in kept] == [(None,)]


#: What a hostile service says, and what is wrong with it.
HOSTILE: list[tuple[Any, str]] = [
    ({"org": {"size": [1, 2], "industry": {"a": 1}}}, "employees: a list"),
    ({"org": {"size": True}}, "employees: a list, an object or a yes"),
    ({"org": {"industry": "x" * 8_000}}, "industry: 8,000 characters"),
    ({"org": {"size": 10**40}}, "employees: "),
    ({"org": {"size": -5, "revenue": -1.5}}, "employees: a value that cannot be read"),
    ({"org": {"size": "many"}}, "employees: a value that cannot be read"),
    ({"org": {"country": "Atlantis"}}, "country: a value that cannot be read"),
    (b'{"org": {"revenue": NaN}}', "no JSON"),
    (b'{"org": {"revenue": 1e400}}', ""),
    (b"<html>please log in</html>", "no JSON"),
    (b"", "no JSON"),
    (b"[" * 5_000, "no JSON"),
    (b"[" * 900 + b"]" * 900, ""),
    (b"x" * 300_000, "more than 262,144 bytes"),
    ([], ""),
    ("a text", ""),
    ({"org": "a text"}, ""),
]


def test_hostile_answers_leave_words_and_no_value(ask: Ask, service: CompanyService) -> None:
    domains = list_domains(len(HOSTILE))
    service.of = {domain: Behaviour(body=body) for domain, (body, _) in zip(domains, HOSTILE, strict=True)}
    answers = ask(*domains, "sound.example", stop_after=100)
    for said, (_, expected) in zip(read_problems(answers), HOSTILE, strict=False):
        assert expected in (said or "")
    assert answers[[*FIELDS]].notna().sum().sum() == 2, "those of the sound one"


def test_control_characters_and_markup_are_data(ask: Ask, service: CompanyService) -> None:
    service.usual.body = {"org": {"industry": "\x1b[31m<script>a\x00b\u202e</script>\n"}}
    assert ask("acme.example")["industry"].tolist() == ["[31m<script>ab</script>"]


def test_a_value_cannot_leave_its_place_in_the_url(ask: Ask, service: CompanyService) -> None:
    values = ["a&domain=evil#x", "../../etc", "é/ü?", "..", "x" * 499, "\ud800"]
    ask(*values)
    assert sorted(service.asked) == sorted(["a&domain=evil#x", "../../etc", "é/ü?", ".."])
    service.requests.clear()
    in_path = service.url.replace("companies?domain={company_domain}", "c/{company_domain}/d")
    ask(*values, url=in_path, name="in_path")
    assert sorted(path for path, _ in service.requests) == sorted(
        ["/c/a%26domain%3Devil%23x/d", "/c/..%2F..%2Fetc/d", "/c/%C3%A9%2F%C3%BC%3F/d"]
    )


def test_failures_in_a_row_leave_the_provider_alone(ask: Ask, service: CompanyService, state: Any) -> None:
    service.usual = Behaviour(500, {})
    how = {"stop_after": 2, "connections": 1, "pause": "10m"}
    answers = ask(*list_domains(5), **how)
    assert len(dict.fromkeys(service.asked)) == 2
    assert read_problems(answers) == ["it answered 500"] * 5
    assert set(answers[ASK_AGAIN]) == {NOW + timedelta(minutes=10)}
    asked = len(service.asked)
    assert read_problems(ask("six.example", **how, at=timedelta(minutes=5))) == ["it answered 500"]
    assert len(service.asked) == asked, "it is left alone"
    service.usual = Behaviour(body={"org": {"size": 7}})
    assert ask("six.example", **how, at=timedelta(minutes=11))["employees"].tolist() == [7]
    assert state("failures, pauses, closed_until") == (0, 0, None)


def test_pauses_double_until_the_service_answers(ask: Ask, service: CompanyService, state: Any) -> None:
    service.usual = Behaviour(500, {})
    at, pauses = timedelta(0), []
    for _ in range(4):
        ask(*list_domains(3), at=at, stop_after=2, connections=1, pause="10m")
        (until,) = state("closed_until")
        pauses.append(until - NOW - at)
        at = until - NOW + timedelta(minutes=1)
    assert [pause / timedelta(minutes=10) for pause in pauses] == [1, 2, 4, 8]
    assert len(service.asked) == 2 * (2 + 1 + 1 + 1), "each request is repeated once; after a pause one is enough"


@pytest.mark.parametrize(
    ("answer", "why", "minutes"),
    [
        (Behaviour(401, {"error": SECRET}), "it refuses the key (401)", 15),
        (Behaviour(402, {}), "its account has no credit left (402)", 15),
        (Behaviour(429, {}, {"Retry-After": "3600"}), "its limit is reached (429)", 60),
        (Behaviour(429, {}, {"Retry-After": "9" * 30}), "its limit is reached (429)", 24 * 60),
    ],
)
def test_an_answer_that_refuses_everybody_stops_at_once(
    ask: Ask, service: CompanyService, answer: Behaviour, why: str, minutes: int
) -> None:
    service.usual = answer
    answers = ask(*list_domains(3), connections=1, name=f"refuses_{answer.status}_{minutes}")
    assert len(service.asked) == 1
    assert read_problems(answers) == [why] * 3
    assert set(answers[ASK_AGAIN]) == {NOW + timedelta(minutes=minutes)}


def test_a_request_that_is_refused_is_its_leads_own_problem(ask: Ask, service: CompanyService) -> None:
    service.of = {domain: Behaviour(422, {}) for domain in list_domains(5)}
    answers = ask(*list_domains(6), stop_after=2, connections=1)
    assert read_problems(answers) == ["it answered 422"] * 5 + [None]
    assert set(answers[ASK_AGAIN]) == {None}


def test_the_days_budget_is_kept_and_begins_anew_by_utc(ask: Ask, service: CompanyService, state: Any) -> None:
    answers = ask(*list_domains(4), cost=2, daily_budget=5)
    assert len(service.asked) == 2
    assert read_problems(answers) == [None, None, *["the day's budget is spent"] * 2]
    midnight = (NOW + timedelta(days=1)).replace(hour=0, minute=0)
    assert state("spent, closed_until") == (4, midnight)
    assert ask(*list_domains(4), cost=2, daily_budget=5)["employees"].tolist() == [120, 120, None, None]
    ask("five.example", cost=2, daily_budget=5, at=midnight - NOW)
    assert state("spent") == (2,)


def test_a_slow_service_holds_a_batch_no_longer_than_its_bound(ask: Ask, service: CompanyService, state: Any) -> None:
    service.usual.seconds = 0.15
    answers = ask(*list_domains(12), connections=2, batch_timeout="0.1s", timeout="0.3s")
    assert len(service.asked) <= 4
    assert read_problems(answers).count("the batch could wait no longer for it") >= 8
    assert state("closed_until, spent") == (None, len(service.asked))


def test_the_pace_is_kept_across_batches(ask: Ask, service: CompanyService) -> None:
    """No clock is read: what comes too late for the bound of the batch is not asked."""
    answers = [ask(*list_domains(5, start), per_second=10, batch_timeout="0.25s") for start in (1, 6)]
    assert sum(frame["employees"].notna().sum() for frame in answers) == len(service.asked) <= 7


@pytest.mark.parametrize("value", ["", " ", "two\nlines", "kéy", "x" * 5_000])
def test_a_key_that_is_not_there_or_is_none_is_named_by_its_variable_alone(
    ask: Ask, service: CompanyService, value: str
) -> None:
    answers = ask("acme.example", secret=value, name=f"key_{len(value)}")
    (said,) = read_problems(answers)
    assert said is not None
    assert VARIABLE in said
    assert not value.strip() or value not in said
    assert service.asked == []


#: Each fault, with the key in whatever the service can put it.
FAULTS = [
    Behaviour(500, {"key": SECRET}),
    Behaviour(breaks=True),
    Behaviour(body=SECRET.encode()),
    Behaviour(302, {}, {"Location": f"http://127.0.0.1:9/?key={SECRET}"}),
    Behaviour(body={"org": {"country": SECRET}}),
    Behaviour(429, {"key": SECRET}, {"Retry-After": SECRET}),
    Behaviour(401, {"key": SECRET}),
]


def test_neither_the_key_nor_whom_it_was_about_reaches_a_log_an_error_or_the_ledger(
    ask: Ask, service: CompanyService, shared: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    domains = list_domains(len(FAULTS))
    service.of = dict(zip(domains, FAULTS, strict=True))
    told = "".join(str(read_problems(ask(domain, stop_after=100, name=f"f_{domain[7]}"))) for domain in domains)
    assert "None" not in told
    with shared.transaction() as connection:
        kept = "".join(
            str(connection.execute(text(f"SELECT t::text FROM {table} t")).all())
            for table in ("provider_state", "provider_answer")
        )
    assert SECRET not in kept + told + caplog.text
    assert not any(domain in kept + told + caplog.text for domain in domains)


def test_a_private_address_is_refused_unless_it_is_allowed(ask: Ask, service: CompanyService) -> None:
    url = service.url.replace("http:", "https:")
    (said,) = read_problems(ask("acme.example", url=url, allow_private=False))
    assert said == "the service has an address that is not public; nothing was sent to it"
    assert service.asked == []


def test_the_playbooks_own_fields_are_typed(ask: Ask, service: CompanyService) -> None:
    service.usual.body = {"org": {"founded": "1,999", "public": True, "tech": ["a", "b"], "since": "soon"}}
    own = {"founded": CustomField(type="integer"), "listed": CustomField(type="boolean"), "tech": CustomField(),
           "since": CustomField(type="date")}  # fmt: skip
    paths = {"founded": "org.founded", "listed": "org.public", "tech": "join(', ', org.tech)", "since": "org.since"}
    answers = ask("acme.example", own=own, paths=paths)
    assert answers[[*paths]].iloc[0].tolist() == [1999, True, "a, b", None]
    assert read_problems(answers) == ["since: a value that cannot be read"]


#: What the services of the presets answer by their documentation, with what a lead gets of it.
DOCUMENTED: dict[str, tuple[Any, dict[str, Any]]] = {
    "apollo": (
        {"organization": {"name": "Acme", "estimated_num_employees": 1600, "annual_revenue": 100_000_000,
                          "industry": "software", "country": "United States", "state": "California", "city": "Bern"}},
        {"employees": 1600, "revenue": 1e8, "company": "Acme", "country": "US", "state": "California"},
    ),
    "people_data_labs": (
        {"status": 200, "name": "acme", "display_name": "Acme", "size": "51-200", "employee_count": 83,
         "inferred_revenue": "$50M-$100M", "industry": "computer software", "likelihood": 6,
         "location": {"locality": "san francisco", "region": "california", "country": "united states"}},
        {"employees": 83, "revenue": 5e7, "company": "Acme", "country": "US", "city": "san francisco"},
    ),
    "hunter": (
        {"data": {"name": "Acme", "metrics": {"employees": "11-50", "annualRevenue": None,
                                              "estimatedAnnualRevenue": "$1M-$10M"},
                  "category": {"industry": "Software"}, "geo": {"countryCode": "FR", "city": "Paris", "state": None}}},
        {"employees": 11, "revenue": 1e6, "company": "Acme", "country": "FR", "city": "Paris"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_reads_what_its_service_documents(ask: Ask, service: CompanyService, preset: str) -> None:
    body, expected = DOCUMENTED[preset]
    service.usual.body = body
    declared = HttpProvider.model_validate({"type": "http", "preset": preset})
    known = {"domain": "{company_domain}"}
    assert declared.url.endswith(known["domain"])
    assert declared.url.startswith("https://")
    auth = {"header": declared.auth.header if declared.auth else "", "secret_env": VARIABLE}
    of = {"url": service.url, "auth": auth}
    answers = ask("acme.example", preset=preset, name=preset, paths=declared.fields, **of,
                  not_found=declared.not_found.model_dump())  # fmt: skip
    assert {name: answers[name].iloc[0] for name in expected} == expected
    assert read_problems(answers) == [None]
    service.usual = Behaviour(404, {"error": {"type": "not_found"}})
    nobody = ask("nobody.example", preset=preset, name=preset, paths=declared.fields, **of)
    assert read_problems(nobody) == [None]


def test_two_processes_that_ask_at_once_keep_one_answer_and_spend_within_the_budget(shared: Ledger) -> None:
    from concurrent.futures import ThreadPoolExecutor

    records = lookups.Lookups(shared)

    def spend(_: int) -> int:
        permit = records.reserve("both", 3, 10, NOW)
        records.keep_answers("both", {2: {"employees": 1}, 1: None}, NOW, NOW + timedelta(days=1))
        records.settle("both", unspent=permit.units, failures=0, answered=True, closing=None, now=NOW)
        return records.reserve("both", 2, 10, NOW).units

    with ThreadPoolExecutor(4) as threads:
        spent = sum(threads.map(spend, range(4)))
    assert records.read_answers("both", [1, 2, 3], NOW).keys() == {1, 2}
    assert records.reserve("both", 10, 10, NOW).units == 10 - spent


def test_answers_that_are_too_old_are_deleted(shared: Ledger) -> None:
    records = lookups.Lookups(shared)
    records.keep_answers("old", {1: {"employees": 1}}, NOW, NOW + timedelta(days=1))
    records.keep_answers("old", {2: {"employees": 1}}, NOW, NOW + timedelta(days=9))
    assert lookups.forget_old_answers(shared, NOW + timedelta(days=1), 10_000) >= 1
    with shared.transaction() as connection:
        rows = connection.execute(text("SELECT request FROM provider_answer WHERE provider = 'old'")).all()
    assert [row.request for row in rows] == [2]
