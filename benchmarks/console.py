"""The console on a large ledger, with fifty signed-in people who look at pages and act; one table.

Fills a ledger of 300,000 leads as ``benchmarks.growth`` does, starts ``leadgate console`` in a process of its own, and
lets people of every role ask for their pages, each every two seconds, while reps log touches. For each page: answers,
p50, p95 and the slowest, as a person's browser would see them on the same machine; beside them the page of the sign-in,
which asks the ledger nothing. Then how soon an open page of a rep has a lead that was given to them.

Every page is asked for once before: figures that are kept for minutes are computed then. Leads go on as in production,
by a consumer elsewhere, which this benchmark only announces.

Exit 1 where the p95 of a page is over 150 ms, an answer is an error of the server, or a new owner waits more than a
second. Writes ``build/bench-console.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import text

from benchmarks.growth import LEADS, fill, opened
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
EVERY: Final = 2.0  # seconds between two requests of one person
WARM: Final = 20.0  # seconds before
ROUNDS: Final = 10  # leads that are given to somebody who looks
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
_ADMIN: Final = Actor("benchmark", roles=frozenset({Role.ADMIN}))

#: By role, the pages that its people look at; {lead} is one of the leads that they see, {rep} one of the reps.
PAGES: Final = {
    Role.REP: ("/leads/mine", "/leads/mine", "/leads/{lead}", "/leads?search=miller"),
    Role.MANAGER: ("/team", "/leads?rep={rep}", "/leads/{lead}", "/reports"),
    Role.REVIEWER: ("/queue", "/queue", "/leads/{lead}"),
    Role.OPERATOR: ("/operations", "/quality", "/playbook", "/leads?search=miller"),
}
#: Of each fifty people.
SHARE: Final = {Role.REP: 34, Role.MANAGER: 6, Role.REVIEWER: 6, Role.OPERATOR: 4}


@dataclass
class Seen:
    """What the people saw. Seconds by page."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, page: str, seconds: float, status: int) -> None:
        with self.lock:
            self.seconds[page].append(seconds)
            self.statuses[page].add(status)


class Person:
    """Somebody with a browser that keeps its connection."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._cookie = {"Cookie": f"{COOKIE}={token}"}

    def ask(self, method: str, path: str, **fields: Any) -> tuple[int, float, str]:
        """Status, seconds, and the page."""
        started = time.perf_counter()
        more = _FORM if method == "POST" else {}
        self._connection.request(method, path, urlencode(fields) if fields else None, self._cookie | more)
        answer = self._connection.getresponse()
        page = answer.read().decode()
        return answer.status, time.perf_counter() - started, page


def work(person: Person, role: Role, rep: str, leads: list[int], seen: Seen, until: float, draw: random.Random) -> None:
    """One person's work: a page every two seconds; a rep logs a touch now and then."""
    time.sleep(draw.uniform(0, EVERY))
    while time.perf_counter() < until:
        started = time.perf_counter()
        page = draw.choice(PAGES[role])
        lead = draw.choice(leads)
        try:
            if role == Role.REP and draw.random() < 0.1:
                status, seconds, _ = person.ask("POST", f"/leads/{lead}/touch", kind="call")
                seen.add("POST /leads/{lead}/touch", seconds, status)
            else:
                status, seconds, _ = person.ask("GET", page.format(lead=lead, rep=rep))
                seen.add(page, seconds, status)
            status, seconds, _ = person.ask("GET", "/sign-in")
            seen.add("/sign-in", seconds, status)
        except (OSError, HTTPException):
            seen.add("no answer", 60.0, 599)
            return
        time.sleep(max(0.0, EVERY - (time.perf_counter() - started)))


def find_free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def console_running(home: Path) -> Iterator[int]:
    """``leadgate console`` on this ledger, with the bundled playbook; its port."""
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
        yield port
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


def look_at_pages(ledger: Ledger, loaded: LoadedPlaybook, port: int, people: int, seconds: float) -> Seen:
    seen, until, threads = Seen(), time.perf_counter() + seconds, []
    reps = [rep.name for rep in loaded.playbook.reps]
    managers = sorted({rep.manager for rep in loaded.playbook.reps if rep.manager})
    for role, share in SHARE.items():
        for number in range(max(1, round(share * people / 50))):
            rep = reps[number % len(reps)]
            of_playbook = {Role.REP: rep, Role.MANAGER: managers[number % len(managers)]}.get(role)
            token = sign_in(ledger, role, loaded, of_playbook)
            leads = list_leads_of(ledger, rep) or [1]
            draw = random.Random(number)
            arguments = (Person(port, token), role, rep, leads, seen, until, draw)
            threads.append(threading.Thread(target=work, args=arguments))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def announce_consumer(ledger: Ledger, stop: threading.Event) -> None:
    """A consumer is alive, as far as the console can tell."""
    while not stop.wait(5.0):
        consumers.record_consumer(ledger, name="benchmark", host="elsewhere", pid=1, doing="waits for leads")


def give_leads(ledger: Ledger, loaded: LoadedPlaybook, port: int) -> list[float]:
    """Seconds from before a lead is given to a rep until the rep's page, which an event has told to look, has it."""
    first, second = [rep.name for rep in loaded.playbook.reps][:2]
    token = sign_in(ledger, Role.REP, loaded, first)
    person = Person(port, token)
    stream = HTTPConnection("127.0.0.1", port, timeout=30)
    stream.request("GET", "/live", headers={"Cookie": f"{COOKIE}={token}"})
    events = stream.getresponse()
    _wait_for_event(events)
    by = Actor("benchmark", None, frozenset({first, second}), roles=frozenset({Role.MANAGER}))
    waits = []
    for journey, lead in _list_journeys(ledger, second):
        started = time.perf_counter()
        reassignments.reassign(
            ledger, loaded, journey, rep=first, pool=None, anyway=True, reason="benchmark", by=by, now=ask_time(ledger)
        )
        page = ""
        while f"/leads/{lead}" not in page:
            _wait_for_event(events)
            page = person.ask("GET", f"/leads/{lead}")[2]
        waits.append(time.perf_counter() - started)
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
        with console_running(place.home) as port:
            stop = threading.Event()
            threading.Thread(target=announce_consumer, args=(place.ledger, stop), daemon=True).start()
            look_at_pages(place.ledger, place.loaded, port, 50, WARM)
            seen = look_at_pages(place.ledger, place.loaded, port, arguments.people, arguments.seconds)
            waits = give_leads(place.ledger, place.loaded, port)
            stop.set()
    result = describe(seen, waits)
    target = Path("build/bench-console.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=2))
    sys.exit(print_table(result))


def describe(seen: Seen, waits: list[float]) -> dict[str, Any]:
    pages = {}
    for page, seconds in sorted(seen.seconds.items()):
        ordered = sorted(seconds)
        pages[page] = {
            "answers": len(ordered),
            "p50_ms": round(1000 * statistics.median(ordered), 1),
            "p95_ms": round(1000 * ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
            "max_ms": round(1000 * ordered[-1], 1),
            "statuses": sorted(seen.statuses[page]),
        }
    return {"pages": pages, "new_owner_ms": [round(1000 * each, 1) for each in waits]}


def print_table(result: dict[str, Any]) -> int:
    print(f"{'page':<32}{'answers':>8}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}  statuses")
    bad = False
    for page, row in result["pages"].items():
        print(
            f"{page:<32}{row['answers']:>8}{row['p50_ms']:>9}{row['p95_ms']:>9}{row['max_ms']:>9}  "
            + " ".join(map(str, row["statuses"]))
        )
        bad |= row["p95_ms"] > 1000 * MOST_P95 or any(status >= 500 for status in row["statuses"])
    worst = max(result["new_owner_ms"], default=0.0)
    print(f"\na new owner's page has the lead after at most {worst} ms, of {len(result['new_owner_ms'])} leads")
    return int(bad or worst > 1000 * MOST_NEW)


if __name__ == "__main__":
    main()
