"""Capturing rows as production does: as those of a file, and by HTTP with the real application on loopback.

Belongs here: sending rows, and which journeys they became. Does not belong here: what is sent (``rows``).
"""

from __future__ import annotations

import contextlib
import csv
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import uvicorn
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from benchmarks.fuzz.errors import Injector, Once
from benchmarks.fuzz.rows import FILES, Door, secret_of, variable_of
from console.http.capture_api import build_app
from console.http.serving import build_config
from leadgate.connectors import files
from leadgate.connectors.files import Row
from leadgate.ledger import Ledger, clock, open_ledger, signals
from leadgate.ledger.activities import match_activities, store_activities
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from tasks import activities, capture

#: What rows are known by that a reader of files could not read: their label is lost with the rest.
UNREADABLE: Final = -1
#: The status of the rows of a file that was refused.
REFUSED_FILE: Final = 0
_LABEL: Final = "hunt label"
_TRIES: Final = 4


@dataclass(frozen=True)
class Sent:
    """A row to send; ``label`` is what the hunt knows it by."""

    label: int
    source: str
    door: Door
    payload: dict[str, Any]


@dataclass
class Captured:
    """Labels by journey; what was refused, by label, with the status; what went wrong, in words."""

    journeys: dict[int, int] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    statements: int = 0
    raised: bool = False


class Doors:
    """Both doors of one playbook's sources."""

    def __init__(self, ledger: Ledger, door: Ledger, loaded: LoadedPlaybook, port: int, folder: Path) -> None:
        self._ledger, self._door, self._loaded, self._port, self._folder = ledger, door, loaded, port, folder
        self._injector = Injector(door.engine)

    def take(self, rows: Sequence[Sent], once: Once | None = None) -> Captured:
        """Capture ``rows``, each by its door. With ``once`` a statement fails, and whoever sent it sends it again."""
        captured = Captured()
        self._injector.arm(once)
        for source in sorted({row.source for row in rows}):
            mine = [row for row in rows if row.source == source]
            for door in FILES:
                if by_file := [row for row in mine if row.door == door]:
                    self._file(source, by_file, captured, faulty=once is not None)
            for row in mine:
                if row.door not in FILES:
                    self._post(row, captured, faulty=once is not None)
        captured.statements, captured.raised = self._injector.statements, self._injector.raised
        self._injector.arm(None)
        return captured

    def _file(self, source: str, sent: Sequence[Sent], captured: Captured, *, faulty: bool) -> None:
        path = self._folder / f"hunt.{sent[0].door}"
        (_write_lines if sent[0].door == "lines" else _write_csv)(path, sent)
        try:
            rows = list(files.read(path))
        except files.FileError:  # as a whole, for a reason that whoever captures it is told: nothing of it is lost
            captured.refused |= dict.fromkeys((row.label for row in sent), REFUSED_FILE)
            return
        labels = {row.line: int(str(row.payload[_LABEL])) for row in rows if row.payload is not None}
        before = self._last()
        for again in range(_TRIES):
            try:
                self._store(source, rows)
                break
            except DBAPIError as error:
                if not faulty or again == _TRIES - 1:
                    captured.wrong.append(f"capture of a file failed: {getattr(error.orig, 'sqlstate', error)}")
                    return
        for journey, origin in self._since(before):
            captured.journeys[journey] = labels.get(int(origin.rpartition(":")[2]), UNREADABLE)

    def _store(self, source: str, rows: list[Row]) -> None:
        rules = self._loaded.playbook.sources[source]
        with self._door.transaction() as connection:
            now = clock.read_time(connection)
            if rules.kind == "activities":
                parted = activities.Reader(source, "hunt", self._loaded.playbook, now).sort(rows)
                if parted.activities:
                    store_activities(connection, parted.activities, now)
                    match_activities(connection, now)
                if parted.held:
                    signals.store_signals(connection, parted.held, now)
            else:
                stored = capture.build_signal_rows(rows, source, "hunt", capture.Keys(rules))
                signals.store_signals(connection, stored, now)

    def _post(self, row: Sent, captured: Captured, *, faulty: bool) -> None:
        before = self._last()
        for again in range(_TRIES):
            status = self._send(row)
            if status < 500 or not faulty:
                break
            time.sleep(0.1 * again)
        if status >= 500:
            captured.wrong.append(f"HTTP capture answered {status}")
        elif status != 202:
            captured.refused[row.label] = status
        for journey, _ in self._since(before):
            captured.journeys[journey] = row.label

    def _send(self, row: Sent) -> int:
        if row.door == "json":
            kind, body = "application/json", json.dumps(row.payload).encode()
        else:
            pairs = [(name, "" if value is None else value) for name, value in row.payload.items()]
            kind = "application/x-www-form-urlencoded"
            body = urlencode(pairs, doseq=True, encoding="utf-8", errors="surrogatepass").encode()
        headers = {"Content-Type": kind, "Authorization": f"Bearer {secret_of(row.source)}"}
        with contextlib.closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            connection.request("POST", f"/capture/{row.source}", body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def _last(self) -> int:
        with self._ledger.transaction() as connection:
            return int(connection.execute(text("SELECT coalesce(max(id), 0) FROM signal")).scalar_one())

    def _since(self, signal: int) -> list[tuple[int, str]]:
        with self._ledger.transaction() as connection:
            found = connection.execute(
                text(
                    "SELECT j.id, s.origin FROM signal s JOIN journey j ON j.signal_id = s.id "
                    "WHERE s.id > :id ORDER BY s.id"
                ),
                {"id": signal},
            )
            return [(row.id, row.origin) for row in found]


def _write_lines(path: Path, sent: Sequence[Sent]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
        for row in sent:
            file.write(json.dumps({_LABEL: row.label} | row.payload, ensure_ascii=row.label % 2 == 0) + "\n")


def _write_csv(path: Path, sent: Sequence[Sent]) -> None:
    names = dict.fromkeys(name for row in sent for name in row.payload)
    with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        writer = csv.DictWriter(file, [_LABEL, *names], restval="")
        writer.writeheader()
        writer.writerows({_LABEL: row.label} | row.payload for row in sent)


@contextlib.contextmanager
def opened(settings: Settings, ledger: Ledger, loaded: LoadedPlaybook, folder: Path) -> Iterator[Doors]:
    """The doors of ``loaded``, the one for HTTP served on loopback. They have connections of their own."""
    secrets = {variable_of(source): secret_of(source) for source in loaded.playbook.sources}
    with (
        socket.create_server(("127.0.0.1", 0), backlog=128) as taken,
        open_ledger(settings) as door,
    ):
        app = build_app(door, loaded.playbook, secrets)
        server = uvicorn.Server(build_config(app, app.state.connections))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        thread.start()
        try:
            until = time.monotonic() + 60
            while not server.started:
                if time.monotonic() > until or not thread.is_alive():
                    raise RuntimeError("HTTP capture did not start")
                time.sleep(0.01)
            yield Doors(ledger, door, loaded, taken.getsockname()[1], folder)
        finally:
            server.should_exit = True
            thread.join()
