"""The console on a large ledger, with fifty signed-in people who look at pages and act; one table.

Fills a ledger of 300,000 leads as ``benchmarks.growth`` does, starts ``leadgate console`` in a process of its own, and
lets people of every role ask for their pages, each every two seconds, while reps log touches; they are in another
process (``benchmarks.console_people``). For each page: answers, p50, p95 and the slowest, as a person's browser would
see them on the same machine; p95 as a multiple of that of the page of the sign-in, which asks the ledger nothing: other
work on the machine changes it less. Meanwhile leads are given to a rep: how soon after the commit their open page has
them.

Before, each page is asked for alone, one request after another: the milliseconds for which the server and PostgreSQL
compute for one answer. Figures that are kept for minutes are computed then. Leads go on as in production, by a consumer
elsewhere, which this benchmark only announces.

Exit 1 where the p95 of a page is over 150 ms, an answer is an error of the server, or a new owner waits more than a
second. Writes ``build/bench-console.json``. ``--home`` keeps the ledger in a folder, or takes the one that is there:
filling it takes minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from benchmarks.console_people import PAGES, SIGN_IN, Browser, Plan, Seen, Someone, send_people
from benchmarks.growth import LEADS, fill, opened
from benchmarks.process_cpu import read_cpu
from console.display_names import DisplayNames
from console.web.visitors import COOKIE
from leadgate.actors import Actor
from leadgate.ledger import Ledger, accounts, consumers, web_sessions
from leadgate.ledger.clock import ask_time
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import Role
from tasks import reassignments

MOST_P95: Final = 0.150  # seconds
MOST_NEW: Final = 1.0  # seconds until a new owner's page has the lead
WARM: Final = 20.0  # seconds before
ALONE: Final = 30  # requests for each page, by which its processor time is measured
ROUNDS: Final = 10  # leads that are given to somebody who looks
_ADMIN: Final = Actor("benchmark", roles=frozenset({Role.ADMIN}))
#: Of each fifty people.
SHARE: Final = {Role.REP: 34, Role.MANAGER: 6, Role.REVIEWER: 6, Role.OPERATOR: 4}


def find_free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class Console:
    """Where it is reached, and its process."""

    port: int
    pid: int


@contextmanager
def console_running(home: Path) -> Iterator[Console]:
    """``leadgate console`` on this ledger, with the bundled playbook."""
    port = find_free_port()
    environment = {**os.environ, "LEADGATE_HOME": str(home)}
    command = [sys.executable, "-m", "console.cli", "console", "--port", str(port), "--no-link"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("the console ended at its start") from None
                time.sleep(0.1)
        yield Console(port, process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def sign_in(ledger: Ledger, role: Role, loaded: LoadedPlaybook, rep: str | None = None) -> str:
    """The token of a new session of somebody of ``role``; of the playbook's ``rep``, who may be a manager as well."""
    login, now = rep or str(role), ask_time(ledger)
    roles = {role}
    if rep is not None:
        reps = loaded.playbook.reps
        roles = {Role.REP} if any(each.name == rep for each in reps) else set()
        roles |= {Role.MANAGER} if any(each.manager == rep for each in reps) else set()
    account = accounts.find_account(ledger, login)
    if account is None:
        name = DisplayNames(loaded.playbook).name_rep(login)
        account = accounts.add_account(ledger, login=login, name=name, roles=roles, rep=rep, by=_ADMIN, now=now)
    return web_sessions.open_session(ledger, account.id, now)


def list_leads_of(ledger: Ledger, rep: str) -> list[int]:
    with ledger.transaction() as connection:
        return list(
            connection.execute(
                text(
                    "SELECT j.lead_id FROM assignment a JOIN journey j ON j.id = a.journey_id "
                    "WHERE a.owner = :rep AND a.ended_at IS NULL ORDER BY a.id DESC LIMIT 200"
                ),
                {"rep": rep},
            ).scalars()
        )


def invite_people(ledger: Ledger, loaded: LoadedPlaybook, count: int) -> list[Someone]:
    """So many people, who are signed in."""
    people = []
    of_reps = {rep.name: list_leads_of(ledger, rep.name) for rep in loaded.playbook.reps}
    reps = [rep for rep, leads in of_reps.items() if leads]  # nobody touches leads without having some
    managers = sorted({rep.manager for rep in loaded.playbook.reps if rep.manager})
    for role, share in SHARE.items():
        for number in range(max(1, round(share * count / 50))):
            rep = reps[number % len(reps)]
            of_playbook = {Role.REP: rep, Role.MANAGER: managers[number % len(managers)]}.get(role)
            token = sign_in(ledger, role, loaded, of_playbook)
            people.append(Someone(token, role, rep, of_reps[rep], number))
    return people


async def ask_alone(console: Console, people: list[Someone], home: Path) -> dict[str, dict[str, float]]:
    """Of each page, asked for by nobody else: milliseconds until it is there, and of the processors for it."""
    found: dict[str, dict[str, float]] = {}
    database = int((home / "postgresql" / "postmaster.pid").read_text().split()[0])
    first = {each.role: each for each in reversed(people)}
    for page, role in {page: role for role, pages in PAGES.items() for page in (*pages, SIGN_IN)}.items():
        someone = first[role]
        browser, taken = Browser(console.port, someone.token), []
        before: tuple[float, float] = (0.0, 0.0)
        for number in range(-ALONE // 3, ALONE):
            if number == 0:
                before = read_cpu(console.pid), read_cpu(database)
            lead = someone.leads[number % len(someone.leads)]
            taken.append((await browser.ask("GET", page.format(lead=lead, rep=someone.rep)))[1])
        browser.close()
        found[page] = {
            "alone_ms": round(1000 * statistics.median(taken[-ALONE:]), 1),
            "server_cpu_ms": round(1000 * (read_cpu(console.pid) - before[0]) / ALONE, 1),
            "database_cpu_ms": round(1000 * (read_cpu(database) - before[1]) / ALONE, 1),
        }
    return found


def announce_consumer(ledger: Ledger, stop: threading.Event) -> None:
    """A consumer is alive, as far as the console can tell."""
    while not stop.wait(5.0):
        consumers.record_consumer(ledger, name="benchmark", host="elsewhere", pid=1, doing="waits for leads")


def give_leads(ledger: Ledger, loaded: LoadedPlaybook, port: int, seconds: float) -> list[float]:
    """Seconds from the commit that gives a lead to a rep until the rep's list has it, which an event has told to look.
    ``ROUNDS`` leads in so many ``seconds``, to the rep who has fewest; they are given back in the end."""
    reps = sorted((rep.name for rep in loaded.playbook.reps), key=lambda rep: len(list_leads_of(ledger, rep)))
    receiver, giver = reps[0], reps[-1]
    token = sign_in(ledger, Role.REP, loaded, receiver)
    page, stream = HTTPConnection("127.0.0.1", port, timeout=60), HTTPConnection("127.0.0.1", port, timeout=30)
    stream.request("GET", "/live", headers={"Cookie": f"{COOKIE}={token}"})
    events = stream.getresponse()
    _wait_for_event(events)
    by = Actor("benchmark", None, frozenset({receiver, giver}), roles=frozenset({Role.MANAGER}))

    def give(journey: int, rep: str) -> None:
        reassignments.reassign(
            ledger, loaded, journey, rep=rep, pool=None, anyway=True, reason="benchmark", by=by, now=ask_time(ledger)
        )

    waits, given = [], _list_journeys(ledger, giver)
    for number, (journey, lead) in enumerate(given):
        time.sleep(seconds / ROUNDS * (0.5 if number == 0 else 1.0))
        give(journey, receiver)
        committed, shown = time.perf_counter(), ""
        while f'href="/leads/{lead}"' not in shown:
            _wait_for_event(events)
            page.request("GET", "/leads/mine", headers={"Cookie": f"{COOKIE}={token}"})
            shown = page.getresponse().read().decode()
        waits.append(time.perf_counter() - committed)
    for journey, _ in given:
        give(journey, giver)
    return waits


def _wait_for_event(events: Any) -> None:
    while not events.readline().startswith(b"data:"):
        pass


def _list_journeys(ledger: Ledger, rep: str) -> list[tuple[int, int]]:
    statement = (
        "SELECT a.journey_id, j.lead_id FROM assignment a JOIN journey j ON j.id = a.journey_id "
        "WHERE a.owner = :rep AND a.ended_at IS NULL ORDER BY a.id LIMIT :most"
    )
    with ledger.transaction() as connection:
        return [(row[0], row[1]) for row in connection.execute(text(statement), {"rep": rep, "most": ROUNDS})]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=LEADS, help="of the ledger")
    parser.add_argument("--home", type=Path, help="data folder of the ledger, kept; default: a temporary one")
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, opened(arguments.home or Path(folder) / "large") as place:
        fill(place, arguments.leads)
        with console_running(place.home) as console:
            stop = threading.Event()
            threading.Thread(target=announce_consumer, args=(place.ledger, stop), daemon=True).start()
            people = invite_people(place.ledger, place.loaded, arguments.people)
            alone = asyncio.run(ask_alone(console, people, place.home))
            send_people(Plan(console.port, WARM, people))
            before = read_cpu(console.pid)
            with ThreadPoolExecutor(1) as threads:
                giving = threads.submit(give_leads, place.ledger, place.loaded, console.port, arguments.seconds)
                seen = send_people(Plan(console.port, arguments.seconds, people))
                waits = giving.result()
            computed = read_cpu(console.pid) - before
            stop.set()
    result = describe(seen, alone, computed, waits)
    target = Path("build/bench-console.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=2))
    sys.exit(print_table(result))


def describe(seen: Seen, alone: dict[str, dict[str, float]], computed: float, waits: list[float]) -> dict[str, Any]:
    """``computed``: seconds of the server's processor time for all that was seen."""
    pages: dict[str, dict[str, Any]] = {}
    for page, seconds in sorted(seen.seconds.items()):
        ordered = sorted(seconds)
        pages[page] = {
            "answers": len(ordered),
            "p50_ms": round(1000 * statistics.median(ordered), 1),
            "p95_ms": round(1000 * ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
            "max_ms": round(1000 * ordered[-1], 1),
            "statuses": sorted(seen.statuses[page]),
        } | alone.get(page, {})
    for row in pages.values():
        row["times_sign_in"] = round(row["p95_ms"] / pages[SIGN_IN]["p95_ms"], 1)
    answers = sum(row["answers"] for row in pages.values())
    return {
        "pages": pages,
        "cpu_ms_per_answer": round(1000 * computed / answers, 1),
        "new_owner_ms": [round(1000 * each, 1) for each in waits],
    }


#: The heading of each column, and its name in the result.
_COLUMNS: Final = {
    "answers": "answers", "p50 ms": "p50_ms", "p95 ms": "p95_ms", "max ms": "max_ms", "of sign-in": "times_sign_in",
    "alone ms": "alone_ms", "server": "server_cpu_ms", "database": "database_cpu_ms",
}  # fmt: skip


def print_table(result: dict[str, Any]) -> int:
    print(f"{'page':<28}" + "".join(f"{heading:>11}" for heading in _COLUMNS) + "  statuses")
    bad = False
    for page, row in result["pages"].items():
        values = "".join(f"{row.get(name, ''):>11}" for name in _COLUMNS.values())
        print(f"{page:<28}{values}  " + " ".join(map(str, row["statuses"])))
        bad |= row["p95_ms"] > 1000 * MOST_P95 or any(status >= 500 for status in row["statuses"])
    print(f"\nthe server computed {result['cpu_ms_per_answer']} ms for each answer, that of the sign-in among them")
    worst = max(result["new_owner_ms"], default=0.0)
    print(f"a new owner's page has the lead after at most {worst} ms, of {len(result['new_owner_ms'])} leads")
    return int(bad or worst > 1000 * MOST_NEW)


if __name__ == "__main__":
    main()
