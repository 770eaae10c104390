"""Write the example files of records beside this one: opportunities, contracts, signs of expansion, all made up.

    python examples/records/make_records.py [FOLDER] [DAY]

A fixed seed and no clock: the same rows every time. ``DAY`` (as 2027-03-01; otherwise the day of the files that are
here) is the day of the exports: files as of today have renewals in their window and close dates ahead. The accounts are
those of the bundled accounts file, the owners the reps of the bundled playbook.

Belongs here: the example data. Does not belong here: what Leadgate makes of it.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

Row = dict[str, str]

HERE = Path(__file__).parent
ACCOUNTS = HERE.parents[1] / "leadgate" / "data" / "accounts.csv"
DAY = date(2026, 11, 27)
SEED = 11

REPS = ("anna_keller", "james_okafor", "sofia_marin", "luc_fontaine", "maya_johnson", "tom_nguyen")
PRODUCTS = ("Core", "Insights", "Connect")
#: A sale's steps as an export of Salesforce has them, with its forecast category.
STEPS = (
    ("Prospecting", "Pipeline"),
    ("Qualification", "Pipeline"),
    ("Value Proposition", "Best Case"),
    ("Proposal/Price Quote", "Best Case"),
    ("Negotiation/Review", "Commit"),
)
#: What a seller has learnt by each step.
LEARNT = {
    2: ("Need", "Replaces spreadsheets"),
    3: ("Timeline", "This half-year"),
    4: ("Budget", "Agreed for the year"),
}


def opportunities(accounts: list[Row], day: date, draw: Random) -> Iterator[Row]:
    """Each sale's updates up to ``day``: most plausible, some with what a person is asked about."""
    for number in range(24):
        account = accounts[number * 3 % len(accounts)]
        begun = day - timedelta(days=draw.randint(30, 120))
        row = {
            "Opportunity ID": f"006EX{number:05d}",
            "Opportunity Name": f"{account['name']} {PRODUCTS[number % 3]}",
            "Account Name": account["name"],
            "Opportunity Owner": account["owner"] or REPS[number % len(REPS)],
            "Stage": "Prospecting",
            "Amount": f"{draw.randint(8, 90) * 500:.2f}",
            "Close Date": (day + timedelta(days=draw.randint(20, 100))).isoformat(),
            "Created Date": begun.isoformat(),
            "Forecast Category": "Pipeline",
            "Next Step": "Call",
            "Next Step Date": (day + timedelta(days=draw.randint(1, 10))).isoformat(),
            **dict.fromkeys(("Budget", "Authority", "Need", "Timeline", "Loss Reason"), ""),
        }
        changed = begun
        for step in range(1 + number % len(STEPS)):
            row |= dict(zip(("Stage", "Forecast Category"), STEPS[step], strict=True))
            if step in LEARNT:
                name, value = LEARNT[step]
                row[name] = value
            if step == len(STEPS) - 1:
                row["Authority"] = "Head of operations"
            yield row | _changed(changed, draw)
            changed += timedelta(days=max(1, (day - begun).days // 6))
        yield from _last_news(number, row, day, draw)


def _last_news(number: int, row: Row, day: date, draw: Random) -> Iterator[Row]:
    """What was told last of some of them."""
    close = date.fromisoformat(row["Close Date"])
    news: dict[int, Row] = {
        0: {"Close Date": (close + timedelta(days=45)).isoformat()},  # pushed far: the manager is asked
        2: {"Stage": "Proposal/Price Quote", "Amount": ""},  # nobody knows the amount: the owner is asked
        4: {"Stage": "Closed Won", "Forecast Category": "Closed", "Close Date": day.isoformat()},
        6: {"Amount": "140000.00"},  # large: the manager is asked
        7: {"Stage": "Legal review"},  # no sales stage of the playbook
        9: {"Stage": "Closed Won", "Forecast Category": "Closed", "Close Date": day.isoformat()},
        11: {"Stage": "Closed Lost", "Forecast Category": "Omitted", "Loss Reason": "Price"},
        13: {"Stage": "Closed Lost", "Forecast Category": "Omitted"},  # and why?
        15: {"Close Date": (day - timedelta(days=3)).isoformat()},  # it passed, and it is still open
        17: {"Close Date": (close + timedelta(days=7)).isoformat()},  # pushed, not far
        19: {"Amount": "12000.00"},
        21: {"Close Date": "2099-12-31"},  # no plan
    }
    if number in news:
        yield row | news[number] | _changed(day, draw)


def contracts(accounts: list[Row], day: date, draw: Random) -> Iterator[Row]:
    """Contracts whose windows are open, open soon, or are a long way off, and some that are decided."""
    for number in range(24):
        account = accounts[(number * 5 + 1) % len(accounts)]
        end = day + timedelta(days=(-6, 15, 40, 85, 93, 140, 250, 330)[number % 8] + number // 8)
        seats = draw.randint(10, 300)
        yield {
            "Contract ID": f"CON-{number + 1:04d}",
            "Contract Name": f"{account['name']} {PRODUCTS[number % 3]}",
            "Account Name": account["name"],
            "Contract Owner": account["owner"] if number % 4 else "",
            "Amount": f"{seats * 240:.2f}",
            "Start Date": (end - timedelta(days=365)).isoformat(),
            "End Date": end.isoformat() if number != 20 else "",
            "Status": {1: "Renewed", 9: "Churned"}.get(number, "Active"),
            "Seats": str(seats),
            "Seats Used": str(int(seats * draw.uniform(0.3, 1.0))),
            "Usage": f"{draw.uniform(0.5, 1.4):.2f}",
            "Auto Renews": "yes" if number % 6 == 5 else "no",
        } | _changed(day - timedelta(days=draw.randint(1, 20)), draw)


def expansion_signals(accounts: list[Row], day: date, draw: Random) -> Iterator[Row]:
    triggers = ("usage", "seats", "department", "product_interest", "usage spike", "partner gossip")
    for number in range(18):
        trigger, seats = triggers[number % len(triggers)], draw.randint(10, 200)
        yield {
            "ID": f"SIGN-{number + 1:03d}",
            "Account Name": accounts[(number * 7 + 2) % len(accounts)]["name"],
            "Trigger": trigger,
            "Seats": str(seats),
            "Seats Used": str(int(seats * draw.uniform(0.7, 1.1))),
            "Usage": f"{draw.uniform(0.9, 1.8):.2f}",
            "Department": draw.choice(("Finance", "Support")) if trigger == "department" else "",
            "Product": draw.choice(PRODUCTS) if trigger == "product_interest" else "",
        } | _changed(day - timedelta(days=draw.randint(0, 10)), draw)


def _changed(day: date, draw: Random) -> Row:
    at = f"{day.isoformat()}T{draw.randint(7, 16):02d}:{draw.randint(0, 59):02d}:00Z"
    return {"Last Modified Date": at, "Last Modified By": "CRM"}


def main(folder: Path, day: date) -> None:
    """Write all files into ``folder``."""
    with ACCOUNTS.open(encoding="utf-8", newline="") as file:
        accounts = list(csv.DictReader(file))
    for name, make in (
        ("opportunities.csv", opportunities),
        ("contracts.csv", contracts),
        ("expansion_signals.csv", expansion_signals),
    ):
        draw = Random(SEED)  # noqa: S311 - examples, not secrets
        rows = sorted(make(accounts, day, draw), key=lambda row: row["Last Modified Date"])
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else HERE, date.fromisoformat(sys.argv[2]) if len(sys.argv) > 2 else DAY
    )
