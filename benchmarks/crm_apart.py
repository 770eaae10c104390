"""An account of a CRM in a process of its own, which answers over HTTP on loopback while others are killed.

Belongs here: the process, and asking it. Does not belong here: what an account is (``crm_accounts``).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from crm_fakes.serving import serve

from benchmarks.crm_accounts import ACCOUNTS, Place, State


@dataclass
class Apart:
    """An account in another process."""

    place: Place
    _pipe: Connection = field(repr=False)

    def begin_storm(self, seed: int) -> None:
        self._ask("begin_storm", seed)

    def end_storm(self) -> None:
        self._ask("end_storm")

    def be_worked_in(self, emails: Sequence[str], seconds: float) -> None:
        """People make records with these addresses, spread over so many seconds."""
        self._ask("be_worked_in", emails, seconds)

    def limit(self, requests: int, seconds: float) -> None:
        self._ask("limit", requests, seconds)

    def read_times(self) -> list[tuple[float, int]]:
        times = self._ask("read_times")
        assert isinstance(times, list)  # noqa: S101 - for the type alone
        return times

    def read_state(self) -> State:
        state = self._ask("read_state")
        assert isinstance(state, State)  # noqa: S101 - for the type alone
        return state

    def _ask(self, what: str, *arguments: object) -> object:
        self._pipe.send((what, *arguments))
        return self._pipe.recv()


@contextlib.contextmanager
def run_apart(kind: str, reps: Sequence[str]) -> Iterator[Apart]:
    """Serve an account in a process of its own, on a free port of loopback, until the block ends."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(there, kind, tuple(reps)), daemon=True)
    process.start()
    there.close()
    try:
        yield Apart(here.recv(), here)
    finally:
        here.close()
        process.join(10)
        process.kill()
        process.join()


def _run(pipe: Connection, kind: str, reps: Sequence[str]) -> None:
    account = ACCOUNTS[kind](reps)
    over = threading.Event()

    def work_in(emails: Sequence[str], seconds: float) -> None:
        for email in emails:
            if over.wait(seconds / len(emails)):
                return
            account.add_person(email)

    with serve(account.fake) as url, contextlib.suppress(EOFError, KeyboardInterrupt):
        pipe.send(account.describe(url))
        while True:
            what, *arguments = pipe.recv()
            if what == "be_worked_in":
                threading.Thread(target=work_in, args=arguments, daemon=True).start()
                pipe.send(None)
            else:
                pipe.send(getattr(account, what)(*arguments))
    over.set()
