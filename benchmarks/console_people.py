"""The people of the console's benchmark: a process of one thread, so that it takes little of the cores it shares.

Belongs here: who asks for what and when, over connections that stay open, and how long each answer took. Does not
belong here: the ledger, the server, or a table (``benchmarks.console``).

``python -m benchmarks.console_people`` reads a ``Plan`` as JSON from its input, and writes ``Seen`` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Final
from urllib.parse import urlencode

from console.web.visitors import COOKIE
from leadgate.vocabulary import Role

EVERY: Final = 2.0  # seconds between two requests of one person
TOUCH: Final = "POST /leads/{lead}/touch"
SIGN_IN: Final = "/sign-in"
NO_ANSWER: Final = 599
_WITHIN: Final = 60.0  # seconds
_TOUCHES: Final = 0.1  # of what reps do

#: By role, the pages that its people look at; {lead} is one of the leads that they see, {rep} one of the reps.
PAGES: Final = {
    Role.REP: ("/leads/mine", "/leads/mine", "/leads/{lead}", "/leads?search=miller"),
    Role.MANAGER: ("/team", "/leads?rep={rep}", "/leads/{lead}", "/reports"),
    Role.REVIEWER: ("/queue", "/queue", "/leads/{lead}"),
    Role.OPERATOR: ("/operations", "/quality", "/playbook", "/leads?search=miller"),
}


@dataclass(frozen=True)
class Someone:
    """A signed-in person, the rep whose leads they look at, and the first number of what they draw."""

    token: str
    role: Role
    rep: str
    leads: Sequence[int]
    seed: int


@dataclass(frozen=True)
class Plan:
    """Who asks the console at ``port``, for how many seconds."""

    port: int
    seconds: float
    people: Sequence[Someone]


@dataclass
class Seen:
    """What the people saw, by page: the seconds of each answer, and the statuses."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)

    def add(self, page: str, seconds: float, status: int) -> None:
        self.seconds.setdefault(page, []).append(seconds)
        statuses = self.statuses.setdefault(page, [])
        if status not in statuses:
            statuses.append(status)


@dataclass
class Browser:
    """A connection that stays open, with the cookie of a session."""

    port: int
    token: str
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, **fields: str) -> tuple[int, float, bytes]:
        """Status, seconds until the whole answer was there, and its body. Raises ``OSError``, ``EOFError``."""
        started = time.perf_counter()
        if self.reader is None or self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        body = urlencode(fields)
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Cookie: {COOKIE}={self.token}"]
        if method == "POST":
            lines += ["Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin"]
            lines += [f"Content-Length: {len(body)}"]
        self.writer.write("\r\n".join([*lines, "", body]).encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        page = await self.reader.readexactly(length)
        return int(head.split(" ", 2)[1]), time.perf_counter() - started, page

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def work(someone: Someone, port: int, until: float, seen: Seen) -> None:
    """One person's work: a page every two seconds; a rep logs a touch now and then."""
    draw, browser = random.Random(someone.seed), Browser(port, someone.token)
    await asyncio.sleep(draw.uniform(0, EVERY))
    while time.perf_counter() < until:
        started = time.perf_counter()
        page, lead = draw.choice(PAGES[someone.role]), draw.choice(someone.leads)
        try:
            async with asyncio.timeout(_WITHIN):
                if someone.role == Role.REP and draw.random() < _TOUCHES:
                    status, seconds, _ = await browser.ask("POST", f"/leads/{lead}/touch", kind="call")
                    seen.add(TOUCH, seconds, status)
                else:
                    status, seconds, _ = await browser.ask("GET", page.format(lead=lead, rep=someone.rep))
                    seen.add(page, seconds, status)
                status, seconds, _ = await browser.ask("GET", SIGN_IN)
                seen.add(SIGN_IN, seconds, status)
        except (OSError, EOFError, ValueError):  # also a time-out, and an answer that is none
            seen.add("no answer", _WITHIN, NO_ANSWER)
            break
        await asyncio.sleep(max(0.0, EVERY - (time.perf_counter() - started)))
    browser.close()


async def look_at_pages(plan: Plan) -> Seen:
    seen, until = Seen(), time.perf_counter() + plan.seconds
    await asyncio.gather(*(work(each, plan.port, until, seen) for each in plan.people))
    return seen


def send_people(plan: Plan) -> Seen:
    """What the people of ``plan`` saw, from a process of their own."""
    command = [sys.executable, "-m", "benchmarks.console_people"]
    ended = subprocess.run(command, input=json.dumps(asdict(plan)), capture_output=True, text=True, check=True)
    return Seen(**json.loads(ended.stdout))


def main() -> None:
    given = json.load(sys.stdin)
    people = [Someone(**{**each, "role": Role(each["role"])}) for each in given["people"]]
    seen = asyncio.run(look_at_pages(Plan(given["port"], given["seconds"], people)))
    json.dump(asdict(seen), sys.stdout)


if __name__ == "__main__":
    main()
