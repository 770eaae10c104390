"""Made-up days of leads and of people who decide about them: what a replay is tried on.

Belongs here: what happens, drawn from a seed, done by what production calls. Does not belong here: replaying.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import text

from benchmarks import sample
from leadgate.actors import Actor, act_for, identify
from leadgate.connectors.files import Row
from leadgate.ledger import Ledger, absences, activities, ownership, reruns, signals
from leadgate.ledger.actions import ActionError
from leadgate.playbook import LoadedPlaybook
from tasks import capture, reassignments
from tasks.batches import Worker, run_waiting

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)  # a Monday
_KINDS = ("demo_request", "pricing_page_view", "webinar_attended", "unsubscribe")


@dataclass
class Days:
    """A team that works by ``loaded``, hour by hour. What it does is the same for the same seed."""

    ledger: Ledger
    loaded: LoadedPlaybook
    seed: int = 1
    now: datetime = START
    done: dict[str, int] = field(default_factory=dict)
    _draw: random.Random = field(init=False)
    _people: Iterator[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._people = sample.people(10_000_000, seed=self.seed)

    def live(self, leads: int, hours: int) -> None:
        """``leads`` more leads, spread over so many working hours of five days a week."""
        for hour in range(hours):
            share = leads * (hour + 1) // hours - leads * hour // hours
            self.capture(share)
            self.run()
            self.decide(share)
            self.now += timedelta(minutes=self._draw.randrange(20, 90))
            if self.now.hour >= 17:
                self.now += timedelta(hours=14)
            while self.now.weekday() > 4:
                self.now += timedelta(days=1)

    def capture(self, leads: int) -> None:
        source = self._draw.choice(("website", "website", "partner"))
        if source not in self.loaded.playbook.sources:
            source = "website"
        rows = islice(self._people, leads)
        keys = capture.Keys(self.loaded.playbook.sources[source])
        read = (Row(line, payload) for line, payload in enumerate(rows, start=2))
        for chunk in capture.chunk_rows(read):
            with self.ledger.transaction() as connection:
                built = capture.build_signal_rows(chunk, source, f"{self.now:%d-%H}", keys)
                signals.store_signals(connection, built, self.now)

    def run(self) -> None:
        run_waiting(Worker(self.ledger, self.loaded, "days", limit=500), lambda: self.now)

    def decide(self, leads: int) -> None:
        """What people and leads do within the hour, a little of each kind; the stages run in between."""
        few = max(1, leads // 25)
        self._be_active(few)
        self._be_away()
        self._correct(few)
        self._review(few)
        self._follow_up(3 * few)
        self._return(few)
        self._reassign(1)
        self.run()

    def _count(self, what: str, times: int = 1) -> None:
        self.done[what] = self.done.get(what, 0) + times

    def _sample(self, statement: str, most: int) -> list[Any]:
        with self.ledger.transaction() as connection:
            rows = connection.execute(text(statement)).all()
        return self._draw.sample(rows, min(most, len(rows)))

    def _be_active(self, most: int) -> None:
        """Leads do something; some of those that are finished are scored again."""
        rows = []
        for lead, email in self._sample("SELECT id, email FROM lead WHERE email IS NOT NULL ORDER BY id", most):
            kind = self._draw.choice(_KINDS)
            at = self.now - timedelta(minutes=self._draw.randrange(60))
            rows.append(
                activities.NewActivity(
                    "activities", f"{kind}:{lead}:{at}", kind, "lead", None, email, at, "{}", None, None
                )
            )
        with self.ledger.transaction() as connection:
            activities.store_activities(connection, rows, self.now)
            activities.match_activities(connection, self.now)
        self._count("activities", len(rows))

    def _be_away(self) -> None:
        rep = self._draw.choice([each.name for each in self.loaded.playbook.reps])
        who = self._act_for(rep)
        if self._draw.random() < 0.5:
            until = self.now + timedelta(hours=self._draw.randrange(1, 30))
            absences.go_away(self.ledger, rep, until=until, by=who, now=self.now, playbook=self.loaded.playbook)
            self._count("absences")
        else:
            absences.come_back(self.ledger, rep, by=who, now=self.now)

    def _list_items(self, reasons: Sequence[str], most: int) -> list[int]:
        listed = ", ".join(f"'{reason}'" for reason in reasons)
        return [
            row.id
            for row in self._sample(
                f"SELECT id FROM work_item WHERE closed_at IS NULL AND reason IN ({listed}) ORDER BY id", most
            )
        ]

    def _correct(self, most: int) -> None:
        for number, item in enumerate(
            self._list_items(("email_malformed", "phone_impossible", "country_unknown"), most)
        ):
            values = {"email": f"right{item}@corp{number}.example"}
            self._try(reruns.rerun, [item], by=self._operator, playbook=self.loaded.playbook, corrections=values)
            self._count("corrections")

    def _review(self, most: int) -> None:
        for item in self._list_items(("score_in_review_band",), most):
            if self._draw.random() < 0.6:
                self._try(reruns.mark_done_by_hand, [item], by=self._operator, evidence="spoke to them")
                self._count("approvals")
            else:
                self._try(reruns.discard, [item], by=self._operator, reason="not for us")
                self._count("discarded")

    def _list_owned(self, most: int) -> list[Any]:
        return self._sample(
            "SELECT journey_id, owner FROM assignment WHERE ended_at IS NULL AND kind = 'lead' ORDER BY id", most
        )

    def _follow_up(self, most: int) -> None:
        for journey, owner in self._list_owned(most):
            who = self._act_for(owner)
            if self._draw.random() < 0.3:
                self._try(ownership.accept, journey, by=who)
            else:
                self._try(ownership.touch, journey, kind="call", rep=owner, by=who, at=self.now, seconds=300)
            self._count("follow-ups")

    def _return(self, most: int) -> None:
        reasons = [each.name for each in self.loaded.playbook.follow_up.reject_reasons]
        for journey, owner in self._list_owned(most):
            self._try(
                ownership.reject, journey, by=self._act_for(owner), reason=self._draw.choice(reasons),
                playbook=self.loaded.playbook,
            )  # fmt: skip
            self._count("rejections")

    def _reassign(self, most: int) -> None:
        pools = [pool.name for pool in self.loaded.playbook.pools]
        for journey, owner in self._list_owned(most):
            pool = self._draw.choice(pools)
            self._try(
                reassignments.reassign, self.loaded, journey, pool=pool, reason="knows them", by=self._act_for(owner)
            )
            self._count("reassignments")

    @property
    def _operator(self) -> Actor:
        return identify("ops", self.loaded.playbook)

    def _act_for(self, rep: str) -> Actor:
        return act_for(self._operator, rep, self.loaded.playbook)

    def _try(self, action: Any, *given: Any, **named: Any) -> None:
        """An action that may come too late: the lead was touched, or the item was answered meanwhile."""
        try:
            action(self.ledger, *given, now=self.now, **named)
        except ActionError:
            self._count("refused")


def list_done(days: Iterable[Days]) -> dict[str, int]:
    """What was done in all, by its kind."""
    total: dict[str, int] = {}
    for each in days:
        for what, times in each.done.items():
            total[what] = total.get(what, 0) + times
    return total
