"""What tests with a ledger share: a real PostgreSQL, a database of its own for each test, a playbook.

The pure tests in ``unit`` use none of it, and must not pay for importing it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import databases
import pytest
from sqlalchemy import text

from leadgate import actors
from leadgate import playbook as playbooks
from leadgate.actors import Actor
from leadgate.connectors.files import Row
from leadgate.ledger import Ledger, activities, open_ledger, signals
from leadgate.ledger.verify import verify
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.kinds import SOURCE_KINDS
from leadgate.settings import Settings
from leadgate.vocabulary import BatchKind, JourneyKind
from tasks import capture
from tasks.batches import BatchReport, Worker, run_waiting

#: Of keyed hashes: one for all data folders that a test uses with its ledger.
KEY = "a key of the tests, which is long enough"
NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)  # a Wednesday morning, inside everybody's office hours

PLAYBOOK = """
version: 1
name: Tests
sources:
  website: {default_country: DE}
  partner: {default_country: FR}
  activities: {kind: activities}
scoring:
  fit:
    - {name: has_company, when: "company is not null", points: 30}
    - {name: decides, when: "job_title ilike '%chief%'", points: 25}
    - {name: student, when: "job_title ilike '%student%'", points: -40}
  engagement:
    - {name: asked_for_demo, activity: demo_request, points: 20}
qualification:
  marketing_qualified: 30
  sales_qualified: 50
  review: {lowest: 20, below: 30}
  disqualify:
    - {name: competitor, when: "email_domain = 'rival.example'", reason: works for a competitor}
hours:
  office:
    time_zone: Europe/Berlin
    week:
      mon: [["09:00", "17:00"]]
      tue: [["09:00", "17:00"]]
      wed: [["09:00", "17:00"]]
      thu: [["09:00", "17:00"]]
      fri: [["09:00", "17:00"]]
reps:
  - {name: ana, manager: mia}
  - {name: bob, manager: mia}
  - {name: cyn, manager: mia}
pools:
  - name: everybody
    members: [{rep: ana}, {rep: bob, weight: 2}, {rep: cyn}]
    hours: office
    sla: standard
routing:
  - {name: all_leads, to: pool everybody}
slas:
  - name: standard
    first_touch: 4h
    ladder:
      - {after: 50, do: remind}
      - {after: 100, do: escalate}
      - {after: 200, do: reassign}
exceptions:
  - {to: data_quality, within: 8h, reasons: [email_malformed, phone_impossible]}
  - {to: revenue_operations, within: 24h}
"""

#: The end of the tests' playbook: it insists on phone numbers and countries that can be read, so that there are reasons
#: to hold a lead. A test with gates of its own puts them in its place: ``PLAYBOOK.removesuffix(INSISTS)``.
INSISTS = """gates:
  validated: {severity: {phone_possible: critical, country_known: critical}}
"""
PLAYBOOK += INSISTS


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """The embedded PostgreSQL, migrated once; tests copy its database."""
    with open_ledger(Settings(home=tmp_path_factory.mktemp("home"))) as ledger:
        databases.prepare(ledger, KEY)
        yield ledger


@pytest.fixture
def template() -> str:
    """The database that a test gets a copy of; a module names another by a fixture of its own."""
    return databases.KEYED


@pytest.fixture
def settings(postgres: Ledger, template: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a fresh ledger: a database of its own."""
    with databases.fresh(postgres, of=template) as (url,):
        yield Settings(home=tmp_path, database_url=url, lease_seconds=5.0, key=KEY)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """A fresh, migrated ledger."""
    with open_ledger(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    """The playbook of the tests: small, with one of everything that a stage can decide."""
    return playbooks.parse(PLAYBOOK, path=Path("tests.yaml"))


def make_actor(name: str, acts_for: str | None = None) -> Actor:
    """The actor whom a door of the tests' playbook knows as ``name``."""
    book = playbooks.parse(PLAYBOOK, path=Path("tests.yaml")).playbook
    who = actors.identify(name, book)
    return who if acts_for is None else actors.act_for(who, acts_for, book)


class Harness:
    """What the tests do with a ledger: capture rows, work until nothing waits, ask."""

    def __init__(self, ledger: Ledger, loaded: LoadedPlaybook) -> None:
        self.ledger = ledger
        self.loaded = loaded

    def begin(self, *rows: dict[str, Any] | None, now: datetime = NOW, check: Callable[..., Any] | None = None) -> None:
        """Capture rows and work until nothing waits, the first thing of a test; for all that begin alike, once."""

        def work() -> None:
            self.capture(*rows, now=now)
            gates = {} if check is None else {"check": check}
            run_waiting(self.worker(), lambda: now, kinds=(BatchKind.INTAKE, BatchKind.FOLLOW_UP), **gates)

        self.begin_with(repr((self.loaded.text, rows, now, check)), work)

    def begin_with(self, key: str, do: Callable[[], object]) -> None:
        """Have the ledger, empty so far, as ``do`` leaves it (``databases.begin_with``)."""
        databases.begin_with(self.ledger, key, do)

    def worker(self, holder: str = "worker", limit: int = 20_000, lease_seconds: float = 5.0) -> Worker:
        return Worker(self.ledger, self.loaded, holder, lease_seconds, limit)

    def capture(self, *rows: dict[str, Any] | None, source: str = "website", now: datetime = NOW) -> int:
        """Store rows as a file of ``source`` would bring them; ``None`` is a row that cannot be read."""
        keys = capture.Keys(self.loaded.playbook.sources[source])
        read = [
            Row(line, row) if row is not None else Row(line, None, "a,b,c,d", f"line {line}: 4 cells, the header has 3")
            for line, row in enumerate(rows, start=2)
        ]
        with self.ledger.transaction() as connection:
            kind = SOURCE_KINDS.get(self.loaded.playbook.sources[source].kind, JourneyKind.LEAD)
            rows_of_kind = capture.build_signal_rows(read, source, "leads.csv", keys, kind=kind)
            return signals.store_signals(connection, rows_of_kind, now)

    def activity(
        self,
        kind: str,
        email: str,
        *,
        rep: str | None = None,
        at: datetime = NOW,
        seconds: int | None = None,
        automatic: bool | None = None,
    ) -> None:
        """Something that a lead, or a rep, did."""
        actor = "lead" if rep is None else "rep"
        key = f"{kind}:{email}:{at.isoformat()}"
        row = activities.NewActivity("activities", key, kind, actor, rep, email, at, "{}", seconds, automatic)
        with self.ledger.transaction() as connection:
            activities.store_activities(connection, [row], at)
            activities.match_activities(connection, at)

    def run(
        self,
        now: datetime = NOW,
        *,
        kinds: Sequence[BatchKind] = (BatchKind.INTAKE, BatchKind.FOLLOW_UP),
        **worker: Any,
    ) -> list[BatchReport]:
        """Work until nothing waits, as of ``now``, with the real gates."""
        return run_waiting(self.worker(**worker), lambda: now, kinds=kinds)

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self.ledger.transaction() as connection:
            return [tuple(row) for row in connection.execute(text(query), parameters)]

    def one(self, query: str, **parameters: Any) -> Any:
        """The single value that ``query`` yields."""
        ((value,),) = self.rows(query, **parameters)
        return value

    def count_statuses(self) -> dict[str, int]:
        return dict(self.rows("SELECT status, count(*) FROM journey GROUP BY status"))  # type: ignore[arg-type]

    def find_broken(self) -> list[str]:
        """The invariants that are broken: none, in a sound ledger."""
        return [finding.name for finding in verify(self.ledger) if finding.broken]


@pytest.fixture
def harness(ledger: Ledger, loaded: LoadedPlaybook) -> Harness:
    """A fresh ledger with the tests' playbook."""
    return Harness(ledger, loaded)


def make_lead(number: int, **more: Any) -> dict[str, Any]:
    """A clean lead, as a form sends it."""
    return {
        "Email": f"lead{number}@company{number}.example",
        "First name": "Alex",
        "Last name": f"Number{number}",
        "Company": f"Company {number}",
        "Phone": f"+4930{1000000 + number}",
    } | more


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[..., Path]:
    """Write rows (dicts) to a CSV file and return its path."""

    def write(rows: Sequence[dict[str, Any]], name: str = "leads.csv") -> Path:
        import csv

        path = tmp_path / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write
