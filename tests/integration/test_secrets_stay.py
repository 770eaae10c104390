"""No credential of a CRM or a provider stays anywhere, whatever the services answer: over real HTTP, all the way.

Delivery, sync and enrichment meet one fault after another, each of which quotes what it was sent. Then every text of
the ledger, every log and everything that was printed is looked through.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from commands import Cli
from crm_fakes.hubspot import FakeHubSpot, Portal
from crm_fakes.salesforce import App, FakeSalesforce
from crm_fakes.serving import Ending, Exchange, FakeService, Request, Response, serve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from harness import NOW, PLAYBOOK, Harness, make_lead

from leadgate import playbook as playbooks
from leadgate.connectors import service_session
from leadgate.connectors.crm_opening import open_crm
from leadgate.connectors.service_session import Policy
from leadgate.ledger import Ledger
from leadgate.ledger.outbox import CRM_REFUSED
from tasks.crm.sync import describe_sync, open_and_sync_crm
from tasks.outbox import deliver_waiting

TOKEN = "pat-na1-5ecret-of-hubspot"  # noqa: S105 - made up
SECRET = "5ecret/of+the app=="  # noqa: S105 - a form carries it otherwise
KEY = "5ecret-key-of-the-provider"
SALESFORCE_WRITES = """
    writes: {Email: email, LastName: last_name, Company: company, Leadgate_Score__c: {fact: score, policy: always}}"""
RULES = f"""
crm:
  - name: hubspot
    type: hubspot
    url: HUBSPOT_URL
    allow_private: true
    credentials: {{token: HUBSPOT_TOKEN}}
    writes: {{email: email, leadgate_score: {{fact: score, policy: always}}}}
    reads: {{source: contacts, only: {{email: set}}}}
  - name: client
    type: salesforce
    url: SALESFORCE_URL
    allow_private: true
    credentials: {{client_id: CLIENT_ID, client_secret: CLIENT_SECRET}}{SALESFORCE_WRITES}
    reads: {{source: leads}}
  - name: signed
    type: salesforce
    url: SALESFORCE_URL
    allow_private: true
    credentials: {{client_id: SIGNED_ID, username: SIGNED_USER, private_key: SIGNED_KEY}}{SALESFORCE_WRITES}
    reads: {{source: leads}}
enrichment:
  providers:
    - type: company_domain
    - type: http
      name: companies
      url: PROVIDER_URL/companies?domain={{company_domain}}
      auth: {{header: X-Api-Key, prefix: "Key ", secret_env: LEADGATE_PROVIDER_KEY}}
      fields: {{industry: industry}}
      allow_private: true
      timeout: 1s
      pause: 1s
      ttl: 1s
      stop_after: 1000
"""
SOURCES = (
    "  contacts: {mapping: {email: email, lastname: last_name}}\n"
    "  leads: {mapping: {Email: email, LastName: last_name, Company: company}}\n"
)


class Echoing:
    """A service that answers as it should, or with a fault that quotes the request."""

    echo: Callable[[Request], Response | Ending] | None = None

    def handle(self, request: Request) -> Response | Ending:
        if self.echo is not None:
            self.log.append(Exchange(request, None, None, 0))  # type: ignore[attr-defined]
            return self.echo(request)
        return super().handle(request)  # type: ignore[misc, no-any-return]


class HubSpotEcho(Echoing, FakeHubSpot): ...


class SalesforceEcho(Echoing, FakeSalesforce): ...


class ProviderEcho(Echoing, FakeService):
    def answer(self, request: Request) -> Response:
        return Response(200, {"industry": f"Software {request.headers['x-api-key']}"})


def quote(request: Request) -> str:
    return f"{request.method} {request.target} {dict(request.headers)} {request.body.decode()}"


def refuse(status: int) -> Callable[[Request], Response]:
    """An error of either vendor, all of whose parts quote the request."""

    def answer(request: Request) -> Response:
        told = quote(request)
        words = request.headers.get("authorization", told).rpartition(" ")[2]  # might be taken for a code
        detail = {"message": told, "code": words, "in": words, "context": {"propertyName": [words], told: [told]}}
        error = {
            "errorCode": words, "error": words, "message": told, "error_description": told, "statusCode": words,
            "category": words, "fields": [words], "errors": [detail], "policyName": words, "correlationId": told,
        }  # fmt: skip
        body: Any = [error] if "sobjects" in request.target or "query" in request.target else error
        return Response(status, body, {"X-Echo": told.replace("\n", " ").replace("\r", "")[:2_000]})

    return answer


def refuse_rows(request: Request) -> Response:
    """Every row is refused in words that quote the request; every value that is read is a quotation."""
    told = quote(request)
    words = request.headers.get("authorization", told).rpartition(" ")[2]
    rows = (orjson.loads(request.body).get("records") or [{}]) if request.body.startswith(b"{") else [{}]
    fault = {"statusCode": words, "message": told, "fields": [words]}
    if "composite" in request.target:
        return Response(200, [{"success": False, "errors": [fault]} for _ in rows])
    error = {"category": words, "message": told, "context": {"objectWriteTraceId": ["0", "1", "2", "3"]}}
    return Response(207, {"results": [], "errors": [error], "access_token": words, "records": [], "done": True})


FAULTS: dict[str, Callable[[Request], Response | Ending]] = {
    "400": refuse(400),
    "401": refuse(401),
    "403": refuse(403),
    "500": refuse(500),
    "reset": lambda request: Ending.RESET,
    "silence": lambda request: Ending.SILENCE,
    "no JSON": lambda request: Response(200, f'{{"error": "{quote(request)}'.encode()),
    "a page": lambda request: Response(502, f"<html>{quote(request)}</html>".encode()),
}


@dataclass
class Services:
    """The fakes, the environment that has the credentials, and what must not stay."""

    harness: Harness
    hubspot: HubSpotEcho
    salesforce: SalesforceEcho
    provider: ProviderEcho
    environ: dict[str, str]
    now: datetime = NOW
    told: list[str] = field(default_factory=list)

    def fail(self, fault: Callable[[Request], Response | Ending], *, only: str = "") -> None:
        """From now on the CRMs answer requests whose address has ``only`` in it with ``fault``."""

        def answer(fake: FakeService, request: Request) -> Response | Ending:
            return fault(request) if only in request.target else FakeService.handle(fake, request)

        for fake in (self.hubspot, self.salesforce):
            fake.echo = partial(answer, fake)

    def fail_provider(self, faults: Sequence[Callable[[Request], Response | Ending]], first: int) -> None:
        """The provider meets another fault for each company, from that of the lead ``first`` on."""

        def answer(request: Request) -> Response | Ending:
            for number, fault in enumerate(faults, start=first):
                if f"company{number}.example" in request.target:
                    return fault(request)
            return self.provider.answer(request)

        self.provider.echo = answer

    def enrich(self, *numbers: int) -> None:
        """Capture leads, and take them through the stages."""
        self.harness.capture(*map(make_lead, numbers), now=self.now)
        self.harness.run(now=self.now)

    def write_and_read(self) -> None:
        """Deliver what waits for the CRMs, and read them; what is reported is kept."""
        self.now += timedelta(hours=30)
        ledger, loaded = self.harness.ledger, self.harness.loaded
        report = deliver_waiting(ledger, loaded.playbook, self.now, environ=self.environ)
        self.told += [repr(report), repr(report.to_dict())]
        for connection in loaded.playbook.crm:
            read = open_and_sync_crm(ledger, loaded, connection, partial(open_crm, connection, self.environ), self.now)
            self.told += [repr(read), describe_sync(read)]

    @property
    def secrets(self) -> list[str]:
        bodies = [request.body.decode() for request in self.salesforce.requests("oauth2/token")]
        assertions = [body.partition("assertion=")[2] for body in bodies if "assertion=" in body]
        lines = [line for line in self.environ["SIGNED_KEY"].splitlines() if line and "---" not in line]
        return [TOKEN, SECRET, "5ecret%2Fof", KEY, *lines, *self.salesforce.tokens, *assertions]

    def list_texts(self) -> Iterator[tuple[str, str]]:
        """Every row of every table of the ledger, as text."""
        for (table,) in self.harness.rows(
            "SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = 'public'"
        ):
            for (row,) in self.harness.rows(f"SELECT CAST(t AS text) FROM {table} t"):
                yield table, row


@pytest.fixture
def services(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forms = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    public = key.public_key().public_bytes(forms[0], serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    portal = Portal()
    for kind in ("contacts", "tasks"):
        portal.add_property(kind, "leadgate_id", is_unique=True)
    portal.add_property("contacts", "leadgate_score", "number")
    portal.add_record("contacts", email="echo@example.com", lastname=f"I know {TOKEN}")
    hubspot, provider = HubSpotEcho(portal, token=TOKEN), ProviderEcho()
    client = App("client", "leadgate@example.com", consumer_secret=SECRET)
    salesforce = SalesforceEcho(client, App("signed", "leadgate@example.com", public_key=public))
    salesforce.org.add("Lead", LastName=f"I know {SECRET}", Company="x" * 200, Email="known@example.com")
    quick = partial(Policy, read=0.5, repeats=1, first_wait=0.001, longest_wait=0.01)
    monkeypatch.setattr(service_session, "Policy", quick)
    with ExitStack() as stack:
        urls = [stack.enter_context(serve(fake)) for fake in (hubspot, salesforce, provider)]
        rules = PLAYBOOK.replace("sources:\n", f"sources:\n{SOURCES}") + RULES
        for name, url in zip(("HUBSPOT_URL", "SALESFORCE_URL", "PROVIDER_URL"), urls, strict=True):
            rules = rules.replace(name, url)
        environ = {
            "HUBSPOT_TOKEN": TOKEN, "CLIENT_ID": "client", "CLIENT_SECRET": SECRET, "SIGNED_ID": "signed",
            "SIGNED_USER": "leadgate@example.com", "SIGNED_KEY": key.private_bytes(*forms).decode(),
            "LEADGATE_PROVIDER_KEY": KEY,
        }  # fmt: skip
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        loaded = playbooks.parse(rules, path=Path("tests.yaml"))
        yield Services(Harness(ledger, loaded), hubspot, salesforce, provider, environ)


def find_secrets(secrets: Sequence[str], text: str) -> list[str]:
    return [secret for secret in dict.fromkeys(secrets) if secret in text]


def test_no_credential_stays_anywhere(
    services: Services, cli: Cli, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "great_expectations")  # it says much, and sends nothing
    last = ("403", "401")  # of these the first ends asking
    asked = [*(fault for name, fault in FAULTS.items() if name not in last), FAULTS[last[0]]]
    services.fail_provider(asked, first=2)
    services.enrich(*range(1, 2 + len(asked)))
    assert "***" in services.harness.one("SELECT string_agg(CAST(values AS text), '') FROM provider_answer")
    assert len(services.provider.requests()) > len(asked)
    for fault, only in (
        *((fault, "") for fault in FAULTS.values()),
        (refuse_rows, "/batch/upsert"),  # of HubSpot
        (refuse(401), "oauth2"),
        (refuse(500), "oauth2"),
        (refuse_rows, "/composite"),  # of Salesforce
        (refuse_rows, ""),
    ):
        services.fail(fault, only=only)
        services.write_and_read()
    assert "***" in services.harness.one("SELECT payload FROM signal WHERE source = 'contacts'")

    rules = tmp_path / "crm.yaml"
    rules.write_text(services.harness.loaded.text, encoding="utf-8")
    services.fail(refuse(403))
    for command in (["crm", "sync"], ["crm", "check"], ["deliver"], ["status"], ["work", "--all"]):
        services.told.append(run(cli, "--playbook", str(rules), *command))

    secrets = services.secrets
    assert len(secrets) > 30
    refused = services.harness.rows(
        "SELECT DISTINCT promise FROM work_item WHERE reason = :r ORDER BY 1", r=CRM_REFUSED
    )
    assert refused == [("crm:client",), ("crm:hubspot",), ("crm:signed",)]
    found = {table: leaked for table, row in services.list_texts() if (leaked := find_secrets(secrets, row))}
    assert found == {}
    printed = capfd.readouterr()
    assert find_secrets(secrets, "\n".join([*services.told, printed.out, printed.err])) == []
    assert find_secrets(secrets, caplog.text) == []
    assert services.hubspot.errors == services.salesforce.errors == services.provider.errors == []


def run(cli: Cli, *arguments: str) -> str:
    """What a command prints, however it ends."""
    for code in (0, 1, 3, 4):
        try:
            return cli(*arguments, code=code).output
        except AssertionError as error:
            said = str(error)
    return said
