"""How near to HubSpot's limit leads are written, by one process and by two that share it: ``make bench-crm``.

A fake of HubSpot, in a process of its own, takes 190 requests in any ten seconds and refuses the others (429), as the
real one does. Leads that have owners are delivered, two at a time, so that there are many requests: by one process,
then by two at once that know of one another only by the headers of HubSpot's answers. Told is the number of requests
that were taken in whole windows from the first one on, as a part of what the limit allows. Exit 1 below 0.9. Writes
``build/bench-crm.json``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from requests import PreparedRequest

from benchmarks.crm_apart import run_apart
from benchmarks.crm_storm import KEY, NOW, REPS, change, deliver, parse_playbook
from expectations import gate
from leadgate.connectors.crm import Crm
from leadgate.connectors.hubspot import HubSpot
from leadgate.connectors.service_session import Policy, ServiceSession
from leadgate.ledger import Ledger, open_ledger
from leadgate.playbook import CrmConnection, LoadedPlaybook
from leadgate.settings import Settings
from tasks.crm.delivery import OpenCrms

LIMIT: Final = 190  # requests in ``WINDOW``
WINDOW: Final = 10.0  # seconds
LEAST: Final = 0.9
_TOGETHER: Final = 2  # leads that are written together


def open_as_usual(connection: CrmConnection, environ: Mapping[str, str]) -> Crm:
    """The connector as ``open_crm`` makes it, with small batches."""
    token = environ[connection.credentials["token"]]

    def add_token(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    session = ServiceSession("HubSpot", auth=add_token, policy=Policy(allow_private=True))
    crm = HubSpot(connection.url or "", session)
    crm.rows_per_write = _TOGETHER
    return crm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=4, help="of ten seconds, that each part is measured for")
    asked = parser.parse_args()
    gate.preload()
    figures: dict[str, Any] = {"limit": LIMIT, "window_seconds": WINDOW, "windows": asked.windows}
    for processes in (1, 2):
        taken, refused = measure(processes, asked.windows)
        ratio = taken / (LIMIT * asked.windows)
        figures[f"processes_{processes}"] = {"taken": taken, "refused": refused, "ratio": round(ratio, 3)}
        words = "one process" if processes == 1 else "two processes"
        print(
            f"{words}: {taken:,} requests in {asked.windows * WINDOW:g} s, {ratio:.3f} of the limit; {refused} refused"
        )
    Path("build").mkdir(exist_ok=True)
    Path("build/bench-crm.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(figures[f"processes_{number}"]["ratio"] < LEAST for number in (1, 2)))


def measure(processes: int, windows: int) -> tuple[int, int]:
    """The requests that were taken in whole windows, and those that were refused, with so many processes."""
    fork = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder, run_apart("hubspot", REPS) as account:
        account.limit(LIMIT, WINDOW)
        book = parse_playbook([account.place])
        with open_ledger(Settings(home=Path(folder), key=KEY)) as ledger:
            url = ledger.engine.url.render_as_string(hide_password=False)
            leads = LIMIT * windows // 5 * _TOGETHER  # a batch is at least five requests
            prepared = fork.Process(target=_prepare, args=(url, book, leads))
            prepared.start()
            prepared.join()
            seconds = windows * WINDOW + 2
            children = [
                fork.Process(target=_deliver, args=(url, book, account.place, seconds)) for _ in range(processes)
            ]
            for child in children:
                child.start()
            for child in children:
                child.join()
        times = account.read_times()
    began = min(at for at, _ in times)
    within = [status for at, status in times if at < began + windows * WINDOW]
    return sum(status < 300 for status in within), sum(status == 429 for status in within)


def _open(url: str) -> Any:
    return open_ledger(Settings(home=Path(), database_url=url, key=KEY))


def _prepare(url: str, book: LoadedPlaybook, leads: int) -> None:
    with _open(url) as ledger:
        change(ledger, book, leads, random.Random(1), lambda: None, steps=0)


def _deliver(url: str, book: LoadedPlaybook, place: Any, seconds: float) -> None:
    ends = time.monotonic() + seconds
    ledger: Ledger
    with _open(url) as ledger:
        crms = OpenCrms(open_as_usual)
        while time.monotonic() < ends:
            deliver(ledger, book, [place], NOW, crms, ends - time.monotonic())


if __name__ == "__main__":
    main()
