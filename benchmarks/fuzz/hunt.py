"""Rounds of good leads with poisoned rows and errors among them, and what must hold after each.

Belongs here: what a round is, what is wrong with its outcome, the figures. Does not belong here: how rows are made,
sent and worked on. After each round: every good lead has an owner or waits for one, everything else ended with a
reason, nothing stood still for longer than a minute, and the ledger's invariants hold.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text
from sqlmodel import SQLModel

from benchmarks.fuzz import doors, errors, rows, values
from benchmarks.fuzz.consumer import LIMIT, Consumer, Ran
from benchmarks.fuzz.doors import REFUSED_FILE, UNREADABLE, Captured, Doors, Sent
from benchmarks.fuzz.errors import Broken, Once
from benchmarks.fuzz.rows import DOORS, FILES, Poison, activity, person
from leadgate.actors import SYSTEM_ROLES, Actor
from leadgate.fields import STANDARD
from leadgate.ledger import Ledger, clock, open_ledger, reruns
from leadgate.ledger.actions import ActionError
from leadgate.ledger.verify import verify
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings

#: Who reruns what the hunt has corrected.
HUNTER: Final = Actor("hunt", roles=SYSTEM_ROLES)
_CLEARED_EVERY: Final = 20  # rounds: looking at all of a ledger takes longer and longer
_MOST_BYTES: Final = 24 * 1024**2  # of the poison of one round
#: What rounds are about, in turn.
_ROUNDS: Final = ("poison", "once", "broken", "once", "poison", "once")
#: One row of poison to so many good ones: half of a source's rows with one fault would open its breaker.
_GOOD_TO_POISON: Final = 3
#: Good leads of a source: fewer of them, when there are few, because each file takes its time.
_OF_A_SOURCE: Final = 15


@dataclass(frozen=True)
class Plan:
    """A round: what is sent beside good leads, and which errors are raised."""

    poisons: tuple[Poison, ...]
    good: int
    once: Once | None = None
    at_capture: bool = False
    broken: tuple[Broken, ...] = ()
    corrections: tuple[Poison, ...] = ()

    def __str__(self) -> str:
        parts = [str(poison) for poison in self.poisons[:5]]
        parts += [f"… and {len(self.poisons) - 5} more"] if len(self.poisons) > 5 else []
        parts += [f"SQLSTATE {each.state} whenever {each.relation} is written" for each in self.broken]
        if self.once is not None:
            where = "capture" if self.at_capture else "the stages"
            parts.append(f"SQLSTATE {self.once.state} once, at statement {self.once.at} of {where}")
        parts += [f"corrected by {each.column} = {each.kind}, length {each.length:,}" for each in self.corrections]
        return "; ".join(parts) or "good leads alone"


@dataclass
class Figures:
    """What a hunt comes to."""

    rounds: int = 0
    rows: int = 0
    good: int = 0
    refused: int = 0
    held: int = 0
    good_held: int = 0
    longest_standstill: float = 0.0
    raised: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    came_out: Counter[str] = field(default_factory=Counter)


class Ground:
    """A ledger that is thrown away, a playbook, both doors and a consumer. Use ``opened``."""

    def __init__(self, settings: Settings, ledger: Ledger, loaded: LoadedPlaybook, folder: Path, at: Doors) -> None:
        self.ledger, self.loaded, self._settings = ledger, loaded, settings
        self.statements = [1, 1]  # of capture and of the stages, in the last round without an error
        self._folder, self._doors = folder, at
        self._consumer: Consumer | None = None
        self._numbers = itertools.count(1)

    def round(self, plan: Plan, figures: Figures | None = None) -> list[str]:
        """Do it, and say what is wrong with what came of it."""
        figures = figures if figures is not None else Figures()
        sent, kinds = self._rows(plan)
        captured = self._doors.take(sent, plan.once if plan.at_capture else None)
        if plan.once is None:
            self.statements[0] = max(1, captured.statements)
        self._break(plan, captured, kinds)
        ran = self._run(None if plan.at_capture else plan.once)
        if plan.once is None and ran.ended:
            self.statements[1] = max(1, ran.statements)
        wrong = captured.wrong + self._judge(captured, kinds, ran, figures)
        if plan.corrections and not wrong:
            wrong += self._correct(plan, captured, kinds, figures)
        figures.rounds += 1
        figures.rows += len(sent)
        figures.good += sum(kind in ("good", "activity") for kind in kinds.values())
        figures.refused += len(captured.refused)
        if plan.once is not None and (ran.raised or captured.raised):
            figures.raised[plan.once.state] += 1
        figures.broken.update(each.state for each in plan.broken)
        return wrong

    def clear(self) -> None:
        """An empty ledger, between two rounds: a consumer that still worked at the end of one is dead."""
        names = ", ".join(table.name for table in SQLModel.metadata.sorted_tables)
        with self.ledger.transaction() as connection:
            connection.execute(text(f"TRUNCATE {names}, fuzz.broken RESTART IDENTITY CASCADE"))

    def stop(self) -> None:
        if self._consumer is not None:
            self._consumer.kill()
            self._consumer = None

    def invariants(self) -> list[str]:
        return [f"verify: {found.name} is broken {found.broken} times" for found in verify(self.ledger) if found.broken]

    def _rows(self, plan: Plan) -> tuple[list[Sent], dict[int, str]]:
        """What is sent, and which kind each label is: good, activity, broken or poison."""
        sources = [name for name, source in self.loaded.playbook.sources.items() if source.kind == "leads"]
        logs = [name for name, source in self.loaded.playbook.sources.items() if source.kind == "activities"]
        sent: list[Sent] = []
        kinds = {UNREADABLE: "poison"}
        sources = sources[: 1 + plan.good // _OF_A_SOURCE]
        wanted = ["good"] * plan.good + ["broken"] * len(plan.broken)
        for at, kind in enumerate(wanted):
            number = next(self._numbers)
            # most by file: a request each would take most of the time
            door = DOORS[at % 12] if at % 12 < len(DOORS) else FILES[at % 2]
            sent.append(Sent(number, sources[at % len(sources)], door, person(number)))
            kinds[number] = kind
            if kind == "good" and logs and at % 10 == 0:
                about, number = number, next(self._numbers)
                sent.append(Sent(number, logs[0], "lines", activity(about)))
                kinds[number] = "activity"
        for poison in plan.poisons:
            number = next(self._numbers)
            sent.append(Sent(number, poison.source, poison.door, poison.payload(number)))
            kinds[number] = "poison"
        random.Random(len(sent)).shuffle(sent)
        return sent, kinds

    def _break(self, plan: Plan, captured: Captured, kinds: dict[int, str]) -> None:
        journeys = [journey for journey, label in captured.journeys.items() if kinds[label] == "broken"]
        errors.break_journeys(self.ledger, list(zip(journeys, plan.broken, strict=False)))

    def _run(self, once: Once | None) -> Ran:
        if self._consumer is None or not self._consumer.alive:
            self._consumer = Consumer(self._settings, self.ledger, self.loaded, self._folder)
        return self._consumer.run(once, LIMIT)

    def _judge(self, captured: Captured, kinds: dict[int, str], ran: Ran, figures: Figures) -> list[str]:
        figures.longest_standstill = max(figures.longest_standstill, ran.standstill)
        figures.came_out.update(ran.errors)
        wrong = []
        if not ran.ended:
            wrong.append(f"nothing moved for {ran.standstill:.0f} s, at {ran.stood_at}")
        elif ran.standstill > LIMIT:
            wrong.append(f"nothing moved for {ran.standstill:.0f} s, then it went on")
        in_refused_files = {label for label, status in captured.refused.items() if status == REFUSED_FILE}
        missing = (
            {label for label, kind in kinds.items() if kind == "good"}
            - set(captured.journeys.values())
            - in_refused_files
        )
        if missing:
            wrong.append(f"{len(missing)} good leads were not captured ({captured.refused.get(min(missing), 'lost')})")
        ended: Counter[str] = Counter()
        for journey in self._journeys(list(captured.journeys)):
            kind = kinds[captured.journeys[journey["id"]]]
            waits = journey["status"] == "ready" and journey["waits_for"] is not None
            came_to = f"{journey['status']} at {journey['stage']}" + (
                f" ({journey['reason']})" if journey["reason"] else ""
            )
            figures.outcomes[f"{kind}: {came_to}"] += 1
            figures.held += journey["status"] == "held"
            if kind == "good" and journey["status"] != "owned" and not waits:
                ended[f"good leads are {came_to}"] += 1
                figures.good_held += journey["status"] == "held"
            elif journey["status"] == "ready" and not waits:
                ended[f"{kind} rows are {came_to}"] += 1
        wrong += [f"{count} {what}" for what, count in ended.most_common()]
        if ran.ended and (unmatched := self._unmatched_activities()):
            wrong.append(f"{unmatched} activities of good leads found nobody")
        return wrong

    def _journeys(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        with self.ledger.transaction() as connection:
            found = connection.execute(
                text(
                    "SELECT j.id, j.stage, j.status, j.waits_for, w.reason FROM journey j "
                    "LEFT JOIN work_item w ON w.id = j.work_item_id WHERE j.id = ANY(:ids) ORDER BY j.id"
                ),
                {"ids": ids},
            ).mappings()
            return [dict(row) for row in found]

    def _unmatched_activities(self) -> int:
        with self.ledger.transaction() as connection:
            return int(
                connection.execute(
                    text(
                        "SELECT count(*) FROM activity a JOIN identity i ON i.kind = 'email' AND i.value = a.email "
                        "WHERE a.lead_id IS NULL"
                    )
                ).scalar_one()
            )

    def _correct(self, plan: Plan, captured: Captured, kinds: dict[int, str], figures: Figures) -> list[str]:
        """Held rows are corrected with poison, which is refused or leads to an end like any other."""
        with self.ledger.transaction() as connection:
            held = connection.execute(
                text("SELECT work_item_id FROM journey WHERE status = 'held' ORDER BY id DESC LIMIT :n"),
                {"n": len(plan.corrections)},
            ).scalars()
            items, now = list(held), clock.read_time(connection)
        for item, poison in zip(items, plan.corrections, strict=False):
            value = values.make(poison.kind, poison.length)
            given = {poison.column: value if isinstance(value, str) else str(value)}
            with contextlib.suppress(ActionError):
                reruns.rerun(self.ledger, [item], by=HUNTER, now=now, playbook=self.loaded.playbook, corrections=given)
        return self._judge(captured, kinds, self._run(None), figures)


@contextlib.contextmanager
def opened(settings: Settings, loaded: LoadedPlaybook, folder: Path) -> Iterator[Ground]:
    """The ledger of ``settings``, which name a database, with what a hunt needs; its schema is changed."""
    with open_ledger(settings) as ledger:
        errors.install(ledger)
        with doors.opened(settings, ledger, loaded, folder) as both:
            ground = Ground(settings, ledger, loaded, folder, both)
            try:
                yield ground
            finally:
                ground.stop()


def plans(ground: Ground, draw: random.Random, size: int) -> Iterator[Plan]:
    """Rounds without end, of ``size`` rows: poison, then poison and an error at any statement, then rows that fail."""
    poisons = rows.poisons(ground.loaded, draw)
    fields = [*STANDARD, *ground.loaded.playbook.fields]
    every = [Broken(relation, state) for relation in errors.RELATIONS for state in errors.ALWAYS]
    at, states, broken = 0, list[str](), list[Broken]()
    yield Plan((), size // 4)
    while True:
        some: list[Poison] = []
        left = _MOST_BYTES
        for poison in itertools.islice(poisons, size // (_GOOD_TO_POISON + 1)):
            if poison.length * 4 <= left:
                left -= poison.length * 4
                some.append(poison)
        few = tuple(some[: len(some) // 8])
        kind = at % len(_ROUNDS)
        if _ROUNDS[kind] == "poison":
            corrections = tuple(
                Poison("", draw.choice(fields), draw.choice(values.kinds()), draw.choice(values.LENGTHS), "lines")
                for _ in range(3 if kind else 0)
            )
            yield Plan(tuple(some), size - len(some), corrections=corrections)
        elif _ROUNDS[kind] == "once":
            at_capture = draw.random() < 0.2
            most = ground.statements[0 if at_capture else 1]
            states = states or draw.sample(errors.ONCE, len(errors.ONCE))
            yield Plan(few, size // 8, once=Once(states.pop(), draw.randint(1, most)), at_capture=at_capture)
        else:
            broken = broken or draw.sample(every, len(every))
            yield Plan(few, size // 2, broken=(broken.pop(), broken.pop()))
        at += 1


@dataclass(frozen=True)
class Found:
    """The first round that went wrong."""

    plan: Plan
    wrong: list[str]


def hunt(
    ground: Ground, draw: random.Random, figures: Figures, *, size: int, seconds: float, rounds: int | None = None
) -> Found | None:
    """Rounds until something is wrong, or ``seconds`` or ``rounds`` are over."""
    until = time.monotonic() + seconds
    for number, plan in enumerate(plans(ground, draw, size), start=1):
        if wrong := ground.round(plan, figures) or ground.invariants():
            return Found(plan, wrong)
        if time.monotonic() > until or number == rounds:
            break
        if number % _CLEARED_EVERY == 0:
            ground.clear()
    return None
