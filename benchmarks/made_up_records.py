"""The records of a made-up customer: a sale as it moves on, a contract until its renewal, signs of expansion.

Belongs here: one account's records, each an update after another. Does not belong here: when an export tells them, or
what should become of them (``benchmarks.made_up_year``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final

Row = dict[str, str]

FIRST_DAY: Final = date(2026, 1, 1)

OPPORTUNITIES: Final = "opportunities"
CONTRACTS: Final = "contracts"
SIGNALS: Final = "expansion_signals"

#: The steps of a sale, in their order, with the forecast category and the share of those who get further.
STAGES: Final = (
    ("Prospecting", "Pipeline"), ("Discovery", "Pipeline"), ("Evaluation", "Best Case"), ("Proposal", "Best Case"),
    ("Negotiation", "Commit"),
)  # fmt: skip
WON, LOST = "Closed Won", "Closed Lost"
#: Words of a contract whose renewal is decided.
RENEWED, NOT_RENEWED, CHURNED = "Renewed", "Not renewed", "Churned"

_THINGS = (
    "Aldra", "Boreal", "Cinder", "Dovetail", "Ember", "Fathom", "Gannet", "Hollow", "Isthmus", "Juniper", "Kestrel",
    "Larkspur", "Mistral", "Nimbus", "Osprey", "Parallax", "Quarry", "Rowan", "Sable", "Tamarind", "Umbra", "Verdant",
    "Wicker", "Xenon", "Yarrow", "Zenith", "Bramble", "Coppice", "Drumlin", "Esker", "Fjord", "Gorse",
)  # fmt: skip
_TRADES = (
    "Logistics", "Software", "Foods", "Robotics", "Energy", "Pharma", "Textiles", "Analytics", "Insurance", "Steel",
    "Media", "Packaging", "Chemicals", "Ceramics", "Aviation", "Instruments", "Freight", "Networks", "Furniture",
    "Printing",
)  # fmt: skip
_PLACES = ("Hamburg", "Leeds", "Lyon", "Porto", "Graz", "Turin", "Ghent", "Boston", "Denver", "Toronto", "Utrecht")
_COUNTRIES = ("DE", "GB", "FR", "PT", "AT", "IT", "BE", "US", "US", "CA", "NL")
_MANAGERS = ("Ines Falk", "Peter Osei")
_REPS = (
    "Amal Rahimi", "Brigitte Noll", "Carlos Vidal", "Dana Whitmore", "Emeka Obi", "Freya Lund", "Goran Petric",
    "Hye Seo", "Ivo Marek", "Julia Stein", "Kenji Mori", "Laila Amrani",
)  # fmt: skip
#: Owners who left: a CRM names them still, the playbook knows them no more.
_LEFT = ("Walter Grimm", "Susan Hale")
_PRODUCTS = ("Core", "Insights", "Connect")


@dataclass(frozen=True)
class Rep:
    name: str
    manager: str | None = None

    @property
    def word(self) -> str:
        """As a playbook and an e-mail address write it."""
        return self.name.lower().replace(" ", "_")

    @property
    def email(self) -> str:
        return f"{self.word}@seller.example"


REPS: Final = (
    *(Rep(name) for name in _MANAGERS),
    *(Rep(name, _MANAGERS[at % 2]) for at, name in enumerate(_REPS)),
)


@dataclass(frozen=True)
class Account:
    number: int
    name: str
    domain: str
    country: str
    tier: str
    #: The rep who looks after it; "" for nobody.
    owner: str


@dataclass(frozen=True)
class Update:
    """One row of an export. ``told_at``: when the export brings it; ``changed_at``: when the record was changed."""

    source: str
    key: str
    changed_at: datetime
    told_at: datetime
    row: Row
    is_open: bool
    #: An opportunity's close date, a contract's end.
    due: date | None
    #: Told a second time, exactly as before.
    is_replay: bool = False
    #: What is wrong with it: a word, or "".
    wrong: str = ""


def make_account(number: int, draw: Random) -> Account:
    # steps through all combinations of names, the first part first: neighbours are never alike
    thing, rest = number % len(_THINGS), number // len(_THINGS)
    trade, rest = (rest + thing) % len(_TRADES), rest // len(_TRADES)
    place = (rest + trade + thing) % len(_PLACES)
    name = f"{_THINGS[thing]} {_TRADES[trade]} {_PLACES[place]}"
    owner = draw.choices(("", draw.choice(_LEFT), draw.choice(_REPS)), (6, 3, 91))[0]
    tier = draw.choices(("enterprise", "mid_market", "small"), (10, 30, 60))[0]
    return Account(number, name, f"{name.lower().replace(' ', '-')}.example", _COUNTRIES[place], tier, owner)


# --- Opportunities ------------------------------------------------------------------------------------


@dataclass
class Opportunity:
    """One sale: its state, and the draw of what happens next."""

    account: Account
    key: str
    draw: Random
    stage: int = 0

    def live(self) -> Iterator[Update]:
        draw = self.draw
        now = _office_hours(FIRST_DAY + timedelta(days=draw.randint(-45, 355)), draw)
        self.created, self.amount = now.date(), float(draw.randint(4, 240) * 500)
        self.close = now.date() + timedelta(days=draw.randint(30, 120))
        self.owner = self.account.owner if self.account.owner in _REPS else draw.choice(_REPS)
        self.known: Row = {}
        if draw.random() < 0.8:
            self.known["Need"] = draw.choice(("Replaces a spreadsheet", "Too many tools", "Audit findings"))
        yield self._tell(now)
        silent_after = draw.choices((2, 5, 99), (8, 8, 84))[0]
        for step in range(40):
            now = _office_hours(now.date() + timedelta(days=1 + int(draw.expovariate(1 / 11))), draw)
            if step >= silent_after or now.date() > FIRST_DAY + timedelta(days=420):
                return
            yield from (happened := list(self._happens(now)))
            if not happened[-1].is_open:
                return

    def _happens(self, now: datetime) -> Iterator[Update]:
        draw = self.draw
        nearly_due = (self.close - now.date()).days < 10
        what = draw.choices(
            ("advance", "push", "amount", "next step", "lose", "owner", "pull in", "back", "wrong", "twice"),
            (44, 45 if nearly_due else 6, 10, 12, 6, 2, 2, 2, 3, 3),
        )[0]
        wrong = ""
        if what == "lose":
            yield self._tell(now, LOST)
            return
        if what == "advance":
            if self.stage == len(STAGES) - 1:
                yield self._tell(now, WON)
                return
            self.stage += 1
            self._learn()
        elif what == "push":
            self.close = max(self.close, now.date()) + timedelta(days=draw.choice((7, 14, 30, 31, 60, 92)))
        elif what == "pull in":
            self.close = max(now.date(), self.close - timedelta(days=draw.choice((5, 10))))
        elif what == "amount":
            self.amount = round(self.amount * draw.choice((0.5, 0.8, 0.9, 1.1, 1.25, 2.0)), 2)
        elif what == "owner":
            self.owner = draw.choice(_REPS)
        elif what == "back":
            self.stage = max(0, self.stage - 1)
        elif what == "wrong":
            yield from self._mistake(now)
            return
        elif what == "twice":  # a slip of the finger, put right within the minute, or within the same second
            right, self.amount = self.amount, self.amount * 10
            yield self._tell(now, wrong="amount")
            self.amount, now = right, now + timedelta(seconds=draw.choice((0, 7, 41)))
        yield self._tell(now, wrong=wrong)

    def _mistake(self, now: datetime) -> Iterator[Update]:
        """Something implausible, and days later it is put right."""
        right = self.stage, self.amount, self.close, dict(self.known)
        wrong = self.draw.choice(("skipped", "no amount", "past"))
        if wrong == "skipped":
            self.stage = len(STAGES) - 1
        elif wrong == "no amount":
            self.stage, self.amount = max(3, self.stage), 0.0
        else:
            self.close = now.date() - timedelta(days=self.draw.randint(20, 200))
        yield self._tell(now, wrong=wrong)
        self.stage, self.amount, self.close, self.known = right
        yield self._tell(_office_hours(now.date() + timedelta(days=self.draw.randint(1, 6)), self.draw))

    def _learn(self) -> None:
        """What a seller knows by then: now and then one thing is missing."""
        learnt = (
            ("Need", "Too many tools"), ("Timeline", "This year"), ("Budget", "Agreed for the year"),
            ("Authority", "Head of operations"),
        )  # fmt: skip
        for name, value in learnt[: self.stage + 1]:
            if self.draw.random() < 0.93:
                self.known.setdefault(name, value)

    def _tell(self, now: datetime, closed: str = "", wrong: str = "") -> Update:
        stage, category = STAGES[self.stage]
        if closed:
            stage, category = closed, "Closed" if closed == WON else "Omitted"
            self.close = now.date()
        # most change it with the record, and some forget it
        elif self.draw.random() < 0.1:
            category = self.draw.choice(("Pipeline", "Best Case", "Commit", ""))
        row = {
            "Opportunity ID": self.key, "Opportunity Name": f"{self.account.name} {self.draw.choice(_PRODUCTS)}",
            "Account Name": self.account.name, "Opportunity Owner": _written(self.owner, self.draw), "Stage": stage,
            "Amount": f"{self.amount:.2f}" if self.amount else "", "Close Date": self.close.isoformat(),
            "Forecast Category": category, "Created Date": self.created.isoformat(),
            "Next Step": "" if closed else self.draw.choice(("Call", "Send offer", "Workshop")),
            "Next Step Date": "" if closed else (now.date() + timedelta(days=self.draw.randint(7, 40))).isoformat(),
            "Loss Reason": self.draw.choice(("Price", "Went silent", "Competitor")) if closed == LOST else "",
            **{name: self.known.get(name, "") for name in ("Budget", "Authority", "Need", "Timeline")},
            "Last Modified Date": f"{now:%Y-%m-%dT%H:%M:%SZ}", "Last Modified By": self.owner,
        }  # fmt: skip
        # an export at the year's beginning tells what was changed before it
        told = max(now, midnight(FIRST_DAY) + timedelta(hours=1))
        return Update(OPPORTUNITIES, self.key, now, told, row, not closed, self.close, wrong=wrong)


# --- Contracts ----------------------------------------------------------------------------------------


def live_contracts(account: Account, draw: Random) -> Iterator[Update]:
    """A contract, then its renewal, each term under an id of its own."""
    end = FIRST_DAY + timedelta(days=draw.randint(-20, 600))
    now = _office_hours(FIRST_DAY, draw)
    seats = draw.randint(5, 400)
    for term in range(3):
        key, start = f"CON-{account.number:05d}-{term}", end - timedelta(days=365)
        used = int(seats * draw.uniform(0.2, 1.1))

        def tell(
            at: datetime,
            status: str,
            used: int,
            key: str = key,
            start: date = start,
            end: date = end,
            seats: int = seats,
        ) -> Update:
            return _contract(account, key, at, status, (start, end), (seats, used), draw)

        yield tell(now, "Active", used)
        if draw.random() < 0.5:  # usage is reported again, some time before the end
            before = _office_hours(end - timedelta(days=draw.randint(30, 180)), draw)
            if before > now:
                now, used = before, int(seats * draw.uniform(0.1, 1.2))
                yield tell(now, "Active", used)
        decided = _office_hours(end - timedelta(days=draw.randint(-12, 60)), draw)
        fate = draw.choices((RENEWED, NOT_RENEWED, CHURNED, ""), (70, 10, 8, 12))[0]
        if not fate:  # nobody says anything: the end passes
            return
        now = max(now + timedelta(days=1), decided)
        yield tell(now, fate, used)
        if fate != RENEWED:
            return
        now, end, seats = (
            now + timedelta(minutes=5),
            end + timedelta(days=365),
            max(5, int(seats * draw.uniform(0.8, 1.4))),
        )


def _contract(
    account: Account,
    key: str,
    now: datetime,
    status: str,
    term: tuple[date, date],
    seats: tuple[int, int],
    draw: Random,
) -> Update:
    row = {
        "Contract ID": key, "Contract Name": f"{account.name} {term[0].year}", "Account Name": account.name,
        "Owner": _written(account.owner, draw), "Product": _PRODUCTS[account.number % 3],
        "Amount": f"{seats[0] * 240:.2f}", "Start Date": term[0].isoformat(), "End Date": term[1].isoformat(),
        "Status": status, "Seats": str(seats[0]), "Seats Used": str(seats[1]),
        "Usage": f"{draw.uniform(0.3, 1.6):.2f}", "Auto Renews": draw.choice(("yes", "no")),
        "Last Modified Date": f"{now:%Y-%m-%dT%H:%M:%SZ}", "Last Modified By": "Billing",
    }  # fmt: skip
    return Update(CONTRACTS, key, now, now, row, status == "Active", term[1])


# --- Signs of expansion -------------------------------------------------------------------------------


def live_signals(account: Account, draw: Random) -> Iterator[Update]:
    for number in range(draw.choices((0, 1, 2), (60, 30, 10))[0]):
        now = _office_hours(FIRST_DAY + timedelta(days=draw.randint(3, 360)), draw)
        key, trigger = (
            f"EXP-{account.number:05d}-{number}",
            draw.choice(("usage", "seats", "department", "product_interest")),
        )
        seats = draw.randint(5, 300)
        row = {
            "Signal ID": key, "Account Name": account.name, "Trigger": trigger, "Seats": str(seats),
            "Seats Used": str(int(seats * draw.uniform(0.6, 1.2))), "Usage": f"{draw.uniform(0.5, 2.0):.2f}",
            "Department": draw.choice(("Finance", "Support", "Logistics")) if trigger == "department" else "",
            "Product": draw.choice(_PRODUCTS) if trigger == "product_interest" else "",
            "Amount": str(draw.randint(1, 40) * 500), "Date": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        }  # fmt: skip
        yield Update(SIGNALS, key, now, now, row, True, None)


# --- Days and names -----------------------------------------------------------------------------------


def _written(owner: str, draw: Random) -> str:
    """An owner as a CRM's export has them: by name, or by address."""
    return f"{owner.lower().replace(' ', '_')}@seller.example" if owner and draw.random() < 0.3 else owner


def _office_hours(day: date, draw: Random) -> datetime:
    """Some time of that day, or of the Monday after a weekend."""
    if day.weekday() >= 5:
        day += timedelta(days=7 - day.weekday())
    return datetime.combine(day, time(draw.randint(8, 16), draw.randint(0, 59), draw.randint(0, 59)), UTC)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
