"""Leads written to CRMs that fail in every way, by processes that are killed: ``make storm-crm``.

A fake of HubSpot and one of Salesforce, each in a process of its own, answer with every fault that they know: limits
(429), locks (423), a move (477), 500, 502 and 503, before and after having written; they reset connections, say nothing
after having written, refuse single rows, and leave rows out of an answer; HubSpot's searches lag. People make records
by hand meanwhile. One process captures leads, has them owned, touched, handed over and scored again; two deliver what
has changed, and are killed (SIGKILL) at random and started again. The deliverers' clock runs sixty times as fast as
the real one, so that waits and leases pass. In the end, when the storm is over and everything was delivered:

- each CRM has what the ledger has: key, score, status and owner of each lead, and of each address one record;
- each assignment that waits for a touch has one open task, with its owner and its record; no other task is open;
- each lead that the CRM can never take is one work item, and no other lead is any;
- the CRMs' secrets are in no table of the ledger and in no log, although the faults quote them.

Prints figures, writes ``build/crm-storm.json``, and exits 1 on any violation. The same seed draws the same leads,
faults and kills; which request a fault meets, and when a kill strikes, is the machine's doing.

Long as one file: what the storm does and what must be true after it are read together.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from requests import PreparedRequest
from sqlalchemy import text

from benchmarks.crm_accounts import ACCOUNTS, HUBSPOT_TOKEN, REGIONS, SALESFORCE_SECRET, Place, State
from benchmarks.crm_apart import run_apart
from expectations import gate
from expectations.findings import GateResult
from leadgate import actors
from leadgate import playbook as playbooks
from leadgate.connectors.crm import Crm
from leadgate.connectors.files import Row
from leadgate.connectors.hubspot import HubSpot, Pace
from leadgate.connectors.salesforce import ClientCredentials, Salesforce
from leadgate.connectors.service_session import Policy, ServiceSession
from leadgate.ledger import Ledger, open_ledger, outbox, ownership, signals
from leadgate.ledger.crm_facts import read_facts
from leadgate.ledger.verify import verify
from leadgate.playbook import CrmConnection, LoadedPlaybook
from leadgate.settings import Settings
from tasks import capture, reassignments
from tasks.batches import Worker, run_waiting
from tasks.crm.delivery import OpenCrms, deliver_to_crms
from tasks.outbox import DeliveryReport

NOW: Final = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
DELIVERED_FROM: Final = NOW + timedelta(days=1)  # after every change, whenever it is made
KEY: Final = "a key for ledgers that last as long as a storm"
REPS: Final = ("ana", "bob", "cyn", "dan")
SECRETS: Final = (HUBSPOT_TOKEN, SALESFORCE_SECRET)
_SPEED: Final = 60.0  # seconds of the deliverers' clock in one real second
_ROUND: Final = 0.5  # real seconds for which a round of delivery claims more
_BATCH: Final = 20  # leads that are written together, so that there are many batches
_ATLANTIS: Final = "Atlantis"  # a region that no CRM takes
FAILPOINTS: Final = (
    "crm.claim.before", "crm.claim.after", "crm.write.before", "crm.write.after", "crm.link.after", "crm.tasks.before",
    "crm.tasks.after", "crm.read.before", "crm.settle.before", "crm.settle.inside", "crm.settle.after",
)  # fmt: skip

PLAYBOOK: Final = """
version: 1
name: Storm at the CRMs
sources:
  website: {default_country: DE}
scoring:
  fit:
    - {name: has_company, when: "company is not null", points: 30}
    - {name: decides, when: "job_title = 'CEO'", points: 20}
qualification:
  marketing_qualified: 30
  sales_qualified: 50
reps:
""" + "".join(f"  - {{name: {rep}, email: {rep}@example.com, manager: mia}}\n" for rep in REPS) + """
pools:
  - name: everybody
    members: [{rep: ana}, {rep: bob, weight: 2}, {rep: cyn}, {rep: dan}]
    sla: standard
routing:
  - {name: all_leads, to: pool everybody}
slas:
  - name: standard
    first_touch: 4h
breaker: {share: 1.0, window: 1000, at_least: 1000}
crm:
"""  # fmt: skip


@dataclass
class Tally:
    """What happened to the deliverers."""

    started: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    failed: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=1_000)
    parser.add_argument("--crm", choices=(*ACCOUNTS, "both"), default="both")
    parser.add_argument("--seed", type=int, help="draw the same leads, faults and kills again")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}", flush=True)
    gate.preload()
    started = time.monotonic()
    kinds = list(ACCOUNTS) if asked.crm == "both" else [asked.crm]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        accounts = [stack.enter_context(run_apart(kind, REPS)) for kind in kinds]
        ledger = stack.enter_context(open_ledger(Settings(home=folder / "home", key=KEY)))
        places = [account.place for account in accounts]
        book = parse_playbook(places)
        for number, account in enumerate(accounts):
            account.begin_storm(seed + number)
            account.be_worked_in([_name_email(n) for n in range(0, asked.leads, 7)], asked.leads / 100)
        tally = _storm(ledger, book, places, folder, random.Random(seed), asked.leads)
        for account in accounts:
            account.end_storm()
        rounds = settle(ledger, book, places)
        states = {account.place.kind: account.read_state() for account in accounts}
        logs = [path.read_text(errors="replace") for path in folder.glob("*.log")]
        violations = find_violations(ledger, places, states, list_refused(asked.leads), logs)
    if tally.failed:
        violations.append(f"{tally.failed} deliverers ended by an error")
    figures = _build_figures(asked.leads, seed, states, tally, rounds, time.monotonic() - started, violations)
    Path("build").mkdir(exist_ok=True)
    Path("build/crm-storm.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    _report(figures, states, violations)
    sys.exit(bool(violations))


def parse_playbook(places: Sequence[Place]) -> LoadedPlaybook:
    return playbooks.parse(PLAYBOOK + "".join(place.playbook for place in places), path=Path("storm.yaml"))


def _name_email(number: int) -> str:
    return f"lead{number}@company{number}.example"


def list_refused(leads: int) -> list[str]:
    """The addresses of leads whose region no CRM takes."""
    return [_name_email(number) for number in range(leads) if number % 20 == 3]


# -- what changes ------------------------------------------------------------------------------------------


def _build_row(number: int, job_title: str) -> dict[str, Any]:
    return {
        "Email": _name_email(number),
        "First name": "Alex",
        "Last name": f"Number{number}",
        "Company": f"Company {number}",
        "City": _ATLANTIS if number % 20 == 3 else REGIONS[number % 2],
        "Job title": job_title,
    }


def change(
    ledger: Ledger,
    book: LoadedPlaybook,
    leads: int,
    draw: random.Random,
    pause: Callable[[], None],
    steps: int = 3,
    check: Callable[..., GateResult] | None = None,
) -> None:
    """Leads come in, are owned, handed over, touched, and come again with another title, which scores more.

    ``check`` stands in for the gates.
    """
    run = partial(run_waiting, Worker(ledger, book, "storm", 30.0, 20_000), check=check)
    now = NOW
    for start in range(0, leads, 100):
        numbers = range(start, min(start + 100, leads))
        _capture(ledger, book, [_build_row(number, "Buyer") for number in numbers], now)
        run(_stop_clock(now))
        pause()
    someone = actors.identify("mia", book.playbook)
    for step, rep in enumerate(draw.sample(REPS, k=steps), start=1):
        now = NOW + timedelta(minutes=5 * step)
        reassignments.transfer(ledger, book, rep, reason="it blows", by=someone, now=now)
        pause()
        touched = _touch_some(ledger, book, draw, leads // 6, now)
        run(_stop_clock(now + timedelta(minutes=1)))
        pause()
        _capture(ledger, book, [_build_row(number, "CEO") for number in touched], now + timedelta(minutes=2))
        run(_stop_clock(now + timedelta(minutes=2)))
        pause()


def _stop_clock(at: datetime) -> Callable[[], datetime]:
    return lambda: at


def _capture(ledger: Ledger, book: LoadedPlaybook, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    read = [Row(line, row | {"Message": f"{now}"}) for line, row in enumerate(rows, start=2)]
    keys = capture.Keys(book.playbook.sources["website"])
    with ledger.transaction() as connection:
        signals.store_signals(connection, capture.build_signal_rows(read, "website", f"{now}.csv", keys), now)


def _touch_some(ledger: Ledger, book: LoadedPlaybook, draw: random.Random, count: int, now: datetime) -> list[int]:
    """Owners call some of their leads. Returns the leads' numbers."""
    with ledger.transaction() as connection:
        owned = connection.execute(
            text(
                "SELECT j.id, a.owner, l.email FROM journey j JOIN lead l ON l.id = j.lead_id JOIN assignment a ON "
                "a.journey_id = j.id AND a.ended_at IS NULL WHERE j.status = 'owned' AND l.city <> :never ORDER BY j.id"
            ),
            {"never": _ATLANTIS},
        ).all()
    called = draw.sample(owned, k=min(count, len(owned)))
    for journey, owner, _ in called:
        actor = actors.identify(owner, book.playbook)
        ownership.touch(ledger, journey, kind="call", rep=owner, by=actor, at=now, seconds=60, now=now)
    return [int(email.partition("@")[0].removeprefix("lead")) for _, _, email in called]


# -- delivering --------------------------------------------------------------------------------------------


def open_quickly(connection: CrmConnection, environ: Mapping[str, str]) -> Crm:
    """As ``open_crm`` does it, with waits of milliseconds and small batches."""
    assert connection.url is not None  # noqa: S101 - it is in the playbook
    policy = Policy(connect=2, read=0.4, whole=3, repeats=2, first_wait=0.005, longest_wait=0.05, allow_private=True)
    crm: HubSpot | Salesforce
    if connection.type == "hubspot":
        token = environ[connection.credentials["token"]]

        def add_token(request: PreparedRequest) -> PreparedRequest:
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        pace = Pace(
            requests=100_000, interval=0.05, searches=100_000, search_interval=0.01, lock_wait=0.005, longest_wait=2.0
        )
        crm = HubSpot(connection.url, ServiceSession("HubSpot", auth=add_token, policy=policy), pace=pace)
    else:
        known = {word: environ[variable] for word, variable in connection.credentials.items()}
        credentials = ClientCredentials(known["client_id"], known["client_secret"])
        session = ServiceSession("Salesforce", policy=policy)
        crm = Salesforce(connection.url, session, credentials, lock_waits=(0.005, 0.01))
    crm.rows_per_write = _BATCH
    return crm


def deliver(
    ledger: Ledger,
    book: LoadedPlaybook,
    places: Sequence[Place],
    now: datetime,
    crms: OpenCrms,
    seconds: float = _ROUND,
) -> DeliveryReport:
    """One round: what is due ``now``."""
    report = DeliveryReport()
    ends = time.monotonic() + seconds
    deliver_to_crms(
        ledger,
        book.playbook,
        report,
        now,
        environ={name: value for place in places for name, value in place.environ.items()},
        waiting={each.target: each.due for each in outbox.count_waiting_messages(ledger, now)},
        stop=lambda: time.monotonic() > ends,
        open_crms=crms,
    )
    return report


def settle(ledger: Ledger, book: LoadedPlaybook, places: Sequence[Place], crms: OpenCrms | None = None) -> int:
    """Deliver without faults until nothing waits, however far ahead its next attempt is. Returns the rounds."""
    crms = crms or OpenCrms(open_quickly)
    for number in range(1, 60):
        now = DELIVERED_FROM + timedelta(days=2, hours=number)
        deliver(ledger, book, places, now, crms, 60.0)
        if not any(each.messages for each in outbox.count_waiting_messages(ledger, now) if each.target[:4] == "crm:"):
            return number
    return 0


@contextlib.contextmanager
def _opened(url: str) -> Iterator[Ledger]:
    with open_ledger(Settings(home=Path(), database_url=url, key=KEY)) as ledger:
        yield ledger


def _deliver_until_killed(url: str, book: LoadedPlaybook, places: Sequence[Place], began: float, log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
    crms = OpenCrms(open_quickly)
    with _opened(url) as ledger:
        while True:
            now = DELIVERED_FROM + timedelta(seconds=(time.monotonic() - began) * _SPEED)
            report = deliver(ledger, book, places, now, crms)
            print(json.dumps(report.to_dict()), flush=True)
            if not report.outcomes:
                time.sleep(0.02)


def _change_all(url: str, book: LoadedPlaybook, leads: int, seed: int) -> None:
    with _opened(url) as ledger:
        change(ledger, book, leads, random.Random(seed), lambda: time.sleep(0.5))


# -- the storm ---------------------------------------------------------------------------------------------


@dataclass
class _Running:
    process: Any
    kill_at: float | None


def _storm(
    ledger: Ledger, book: LoadedPlaybook, places: Sequence[Place], folder: Path, draw: random.Random, leads: int
) -> Tally:
    """One process changes leads, two deliver and are killed again and again, until what changed was delivered once."""
    url = ledger.engine.url.render_as_string(hide_password=False)
    tally = Tally()
    began = time.monotonic()
    fork = multiprocessing.get_context("fork")
    changes = fork.Process(target=_change_all, args=(url, book, leads, draw.randrange(1_000_000)))
    changes.start()
    running: list[_Running] = []
    while changes.is_alive() or (_count_waiting(ledger) > leads // 20 and time.monotonic() < began + leads):
        running = [child for child in running if not _has_ended(child, tally)]
        while len(running) < 2:
            log = folder / f"deliverer{tally.started}.log"
            running.append(_start(partial(_deliver_until_killed, url, book, places, began, log), draw, tally))
        time.sleep(0.01)
    for child in running:
        child.process.kill()
        child.process.join()
    changes.join()
    tally.failed += changes.exitcode != 0
    return tally


def _start(work: Callable[[], None], draw: random.Random, tally: Tally) -> _Running:
    """Fork ``work``, with a random death: at a failpoint or at a time."""
    tally.started += 1
    at, kill_at = None, None
    if draw.random() < 0.6:
        at = f"{draw.choice(FAILPOINTS)}:{draw.randint(1, 8)}"
    kill_at = time.monotonic() + draw.uniform(1.0, 5.0)
    process = multiprocessing.get_context("fork").Process(target=_run_child, args=(work, at))
    process.start()
    return _Running(process, kill_at)


def _run_child(work: Callable[[], None], failpoint: str | None) -> None:
    if failpoint is not None:
        os.environ["LEADGATE_FAILPOINT"] = failpoint
    work()


def _has_ended(child: _Running, tally: Tally) -> bool:
    is_late = child.kill_at is not None and time.monotonic() > child.kill_at
    if is_late:
        child.process.kill()
        child.process.join()
    code = child.process.exitcode
    if code is None:
        return False
    if code == -signal.SIGKILL:
        tally.killed["by time" if is_late else "at a failpoint"] += 1
    else:
        tally.failed += 1
        print(f"a deliverer ended with {code}", flush=True)
    return True


def _count_waiting(ledger: Ledger) -> int:
    return sum(each.messages for each in outbox.count_waiting_messages(ledger) if each.target.startswith("crm:"))


# -- what must be true in the end --------------------------------------------------------------------------


def find_violations(
    ledger: Ledger, places: Sequence[Place], states: Mapping[str, State], refused: Sequence[str], logs: Sequence[str]
) -> list[str]:
    """What was promised and is not so, in words."""
    found = [f"{each.name}: {each.broken} ({each.words})" for each in verify(ledger) if each.broken]
    with ledger.transaction() as connection:
        leads = {row.id: row.email for row in connection.execute(text("SELECT id, email FROM lead WHERE email <> ''"))}
    for place in places:
        state = states[place.kind]
        found += [f"{place.kind} failed itself: {error}" for error in state.errors[:3]]
        found += [f"{place.kind}: {each}" for each in _compare_records(ledger, place, state, leads, refused)]
        found += [f"{place.kind}: {each}" for each in _compare_tasks(ledger, place, state, leads, refused)]
        found += [f"{place.kind}: {each}" for each in _compare_items(ledger, place, leads, refused)]
    kept = _dump(ledger)
    for secret in SECRETS:
        if secret in kept:
            found.append(f"a secret is in the ledger: …{kept[max(0, kept.index(secret) - 200) :][:200]}…")
        if any(secret in log for log in logs):
            found.append("a secret is in a log")
    return found


def _compare_records(
    ledger: Ledger, place: Place, state: State, leads: Mapping[int, str], refused: Sequence[str]
) -> Iterator[str]:
    by_email = Counter(record.email.casefold() for record in state.records)
    yield from (f"{count} records have the address {email}" for email, count in by_email.items() if count > 1)
    by_key = {record.key: record for record in state.records if record.key}
    if len(by_key) < sum(record.key is not None for record in state.records):
        yield "two records have one key"
    facts = read_facts(ledger, list(leads))
    for lead, email in leads.items():
        if email in refused:
            continue
        record = by_key.get(f"leadgate-L{lead}")
        if record is None:
            yield f"L{lead} has no record"
            continue
        owner = facts[lead].current_owner
        expected = (email, facts[lead].score, facts[lead].status.value, place.owners[owner] if owner else None)
        if place.kind == "salesforce" and owner is None:
            expected = (*expected[:3], record.owner)  # OwnerId is never emptied there
        if expected != (has := (record.email, record.score, record.status, record.owner)):
            yield f"L{lead} is {has} and should be {expected}"


def _compare_tasks(
    ledger: Ledger, place: Place, state: State, leads: Mapping[int, str], refused: Sequence[str]
) -> Iterator[str]:
    with ledger.transaction() as connection:
        waiting = {
            f"leadgate-J{row.journey_id}-{row.generation}": (place.owners[row.owner], f"leadgate-L{row.lead_id}")
            for row in connection.execute(
                text(
                    "SELECT a.journey_id, a.generation, a.owner, j.lead_id FROM assignment a JOIN journey j "
                    "ON j.id = a.journey_id WHERE a.ended_at IS NULL AND a.touched_at IS NULL"
                )
            )
            if leads[row.lead_id] not in refused
        }
    keys = {record.id: record.key for record in state.records}
    by_key = Counter(task.key for task in state.tasks)
    yield from (f"{count} tasks have the key {key}" for key, count in by_key.items() if count > 1 or key is None)
    still_open = {
        task.key: (task.owner, *(keys.get(record) for record in task.records))
        for task in state.tasks
        if not task.is_done
    }
    for key in sorted(waiting.keys() | {key for key in still_open if key}):
        if waiting.get(key) != still_open.get(key):
            yield f"the open task {key} is {still_open.get(key)} and should be {waiting.get(key)}"


def _compare_items(ledger: Ledger, place: Place, leads: Mapping[int, str], refused: Sequence[str]) -> Iterator[str]:
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(
                "SELECT l.email, w.reason, count(*) AS items, string_agg(concat_ws(' ', 'J' || j.id, 'generation', "
                "w.generation, w.message, w.detail), ' | ') AS words "
                "FROM work_item w JOIN journey j ON j.id = w.journey_id JOIN lead l ON l.id = j.lead_id "
                "WHERE w.reason LIKE 'crm%' AND w.closed_at IS NULL AND w.promise LIKE :promise GROUP BY 1, 2"
            ),
            {"promise": f"crm:{place.kind}%"},
        ).all()
        waiting = connection.execute(
            text("SELECT count(*) FROM outbox WHERE target = :target AND delivered_at IS NULL AND given_up_at IS NULL"),
            {"target": f"crm:{place.kind}"},
        ).scalar_one()
        differing = connection.execute(
            text("SELECT count(*) FROM crm_link WHERE crm = :crm AND differing > 0"), {"crm": place.kind}
        ).scalar_one()
    if waiting:
        yield f"{waiting} messages still wait"
    if differing:
        yield f"{differing} records do not hold what was written"
    asked = Counter({(row.email, row.reason): row.items for row in rows})
    expected = Counter((email, "crm_refused") for email in refused if email in leads.values())
    words = {(row.email, row.reason): row.words for row in rows}
    for each in asked | expected:
        if asked[each] != expected[each]:
            yield f"{asked[each]} work items for {each} instead of {expected[each]}: {words.get(each)}"


def _dump(ledger: Ledger) -> str:
    """Every row of every table."""
    with ledger.transaction() as connection:
        names = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        return "\n".join(
            row for name in names for row in connection.execute(text(f"SELECT t::text FROM {name} t")).scalars()
        )


# -- telling -----------------------------------------------------------------------------------------------


def _build_figures(
    leads: int, seed: int, states: Mapping[str, State], tally: Tally, rounds: int, seconds: float, violations: list[str]
) -> dict[str, Any]:
    return {
        "leads": leads,
        "seed": seed,
        "rows_written": sum(state.rows_written for state in states.values()),
        "requests": sum(state.requests for state in states.values()),
        "faults": sum(state.faults.total() for state in states.values()),
        "deliverers": tally.started,
        "killed": tally.killed.total(),
        "rounds_to_settle": rounds,
        "seconds": round(seconds, 1),
        "crms": {
            kind: {
                "records": len(state.records),
                "tasks": len(state.tasks),
                "rows_written": state.rows_written,
                "requests": state.requests,
                "faults": dict(sorted(state.faults.items())),
            }
            for kind, state in states.items()
        },
        "violations": violations,
    }


def _report(figures: Mapping[str, Any], states: Mapping[str, State], violations: Sequence[str]) -> None:
    for kind, state in states.items():
        print(
            f"\n{kind}: {state.rows_written:,} rows written by {state.requests:,} requests; "
            f"{len(state.records):,} records, {len(state.tasks):,} tasks"
        )
        for name, count in sorted(state.faults.items()):
            print(f"  {name:<34} {count:>6}")
    print(f"\n{figures['killed']} of {figures['deliverers']} deliverers killed; {figures['seconds']} s")
    for violation in violations[:40]:
        print(f"BROKEN  {violation}"[:400])
    print(
        f"{len(violations)} violations" if violations else "The CRMs have what the ledger has; nothing is there twice."
    )


if __name__ == "__main__":
    main()
