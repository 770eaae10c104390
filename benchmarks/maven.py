"""A public sales pipeline through the stages: 8,800 opportunities of 35 agents, told as they happened.

``python -m benchmarks.maven FOLDER``: the folder has ``sales_pipeline.csv``, ``sales_teams.csv``, ``accounts.csv`` and
``products.csv``. Each opportunity is told on its engage date, with the list price as its amount, and again on its close
date, won or lost, with what it came to. One that has no engage date is told on the first day. Agents and their managers
are the reps of a made playbook. Prints, by agent, how many opportunities they have, won and lost, and how many are
stale; and whether the ledger agrees with the files. Exits 1 when it does not.

Belongs here: what the files' rows mean. Does not belong here: runs (``benchmarks.record_days``).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.record_checks import Check, list_faults, print_checks
from benchmarks.record_days import Days
from expectations import gate
from leadgate import playbook as playbooks
from leadgate.ledger import open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings

SOURCE: Final = "pipeline"
#: Some rows name a product in another way than the list of prices.
_PRODUCTS: Final = {"GTXPro": "GTX Pro"}
_STAGES: Final = [
    {"name": "prospecting", "category": "pipeline", "stale_after": "60d"},
    {"name": "engaging", "category": "best_case", "stale_after": "60d", "next_step_within": "14d"},
    {"name": "won", "closed": "won", "requires": ["amount"]},
    {"name": "lost", "closed": "lost"},
]
_MAPPING: Final = {
    "opportunity_id": "external_id", "name": "name", "sales_agent": "owner", "product": "product", "account": "account",
    "deal_stage": "sales_stage", "close_date": "close_date", "close_value": "amount", "changed_at": "occurred_at",
}  # fmt: skip
_CHANGED: Final = (
    "record JOIN (SELECT record_id, max(changed_at) AS changed FROM record_version GROUP BY record_id) v "
    "ON v.record_id = record.id"
)

Table = list[dict[str, str]]


@dataclass(frozen=True)
class Pipeline:
    """The files as they are."""

    opportunities: Table
    teams: Table
    accounts: Table
    prices: dict[str, str]

    def updates(self) -> Iterator[tuple[date, dict[str, str]]]:
        """Every update with its day, in no order."""
        first = min(row["engage_date"] for row in self.opportunities if row["engage_date"])
        for row in self.opportunities:
            closed = row["deal_stage"] in ("Won", "Lost")
            product = _PRODUCTS.get(row["product"], row["product"])
            engaged = row["engage_date"] or first
            about = {
                "opportunity_id": row["opportunity_id"], "name": f"{product} {row['opportunity_id']}",
                "sales_agent": row["sales_agent"], "product": product, "account": row["account"],
            }  # fmt: skip
            price = self.prices.get(product, "")
            begun = "Engaging" if closed else row["deal_stage"]
            told = {"deal_stage": begun, "close_date": "", "close_value": price, "changed_at": f"{engaged}T09:00:00Z"}
            yield date.fromisoformat(engaged), about | told
            if closed:
                value = row["close_value"] if row["deal_stage"] == "Won" else price
                told = {"deal_stage": row["deal_stage"], "close_date": row["close_date"], "close_value": value}
                told["changed_at"] = f"{row['close_date']}T17:00:00Z"
                yield date.fromisoformat(row["close_date"]), about | told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=7, metavar="DAYS", help="how many days a run looks at at once")
    arguments = parser.parse_args()
    gate.preload()
    pipeline = read_pipeline(arguments.folder)
    with tempfile.TemporaryDirectory() as folder, open_ledger(Settings(home=Path(folder) / "home")) as ledger:
        days = Days(ledger, write_playbook(pipeline, Path(folder)))
        live(days, pipeline, arguments.every)
        print_owners(days)
        checks = check(days, pipeline)
    print(f"\n{days.rows:,} updates, {days.batches:,} batches, {days.seconds:.1f} s in the stages")
    print_checks(checks)
    sys.exit(1 if any(one.broken for one in checks) else 0)


def read_pipeline(folder: Path) -> Pipeline:
    prices = {row["product"]: row["sales_price"] for row in read_table(folder / "products.csv")}
    return Pipeline(
        read_table(folder / "sales_pipeline.csv"),
        read_table(folder / "sales_teams.csv"),
        read_table(folder / "accounts.csv"),
        prices,
    )


def read_table(path: Path) -> Table:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_playbook(pipeline: Pipeline, folder: Path) -> LoadedPlaybook:
    """The playbook, in ``folder`` beside the file of its accounts, which nobody owns: the files do not say who does."""
    with (folder / "accounts.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "name", "domain"))
        for number, row in enumerate(pipeline.accounts):
            table.writerow((f"A{number}", row["account"], f"account{number}.example"))
    path = folder / "playbook.yaml"
    path.write_text(json.dumps(_build_document(pipeline), indent=1), encoding="utf-8")
    return playbooks.parse(path.read_text(encoding="utf-8"), path=path)


def _build_document(pipeline: Pipeline) -> dict[str, Any]:
    managers = sorted({row["manager"] for row in pipeline.teams})
    agents = [_build_rep(row["sales_agent"]) | {"manager": _word(row["manager"])} for row in pipeline.teams]
    return {
        "version": 1,
        "name": "A sales pipeline",
        "sources": {SOURCE: {"kind": "opportunities", "mapping": _MAPPING}},
        "enrichment": {
            "providers": [
                {
                    "type": "accounts_file", "name": "accounts", "path": "accounts.csv", "domain": "domain",
                    "company": "name", "fields": {"account_id": "id", "account_name": "name"},
                }
            ]
        },
        "reps": [*map(_build_rep, managers), *agents],
        "pools": [{"name": "agents", "sla": "standard", "members": [{"rep": rep["name"]} for rep in agents]}],
        "slas": [{"name": "standard", "first_touch": "5d", "clock": "wall"}],
        "routing": [{"name": "leads", "to": "pool agents"}],
        "kinds": {"opportunity": {"sales_stages": _STAGES}},
        "breaker": {"share": 1.0, "window": 1000, "at_least": 1000},
    }  # fmt: skip


def _build_rep(name: str) -> dict[str, str]:
    return {"name": _word(name), "label": name, "email": f"{_word(name)}@agents.example"}


def _word(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


def live(days: Days, pipeline: Pipeline, every: int) -> None:
    """Tell every update on its day, and run each so many days."""
    updates = sorted(pipeline.updates(), key=lambda update: (update[0], update[1]["changed_at"]))
    day, told = updates[0][0], 0
    while told < len(updates):
        day += timedelta(days=every)
        due = [row for at, row in updates[told:] if at < day]
        evening = datetime(day.year, day.month, day.day, tzinfo=UTC)
        if due:
            days.tell(SOURCE, due, evening)
        days.work(evening)
        told += len(due)


def print_owners(days: Days) -> None:
    """One line for each agent: load, outcomes, and what has not moved."""
    rows = _read_owners(days)
    print(
        f"{'owner':<24}{'open':>6}{'won':>6}{'lost':>6}{'won of closed':>15}{'value of won':>14}{'stale, 60 days':>16}"
    )
    for row in rows:
        closed = row.won + row.lost
        share = f"{row.won / closed:.0%}" if closed else "-"
        print(f"{row.owner:<24}{row.open:>6}{row.won:>6}{row.lost:>6}{share:>15}{row.value:>14,.0f}{row.stale:>16}")


def _read_owners(days: Days) -> list[Any]:
    return days.read(
        f"""SELECT coalesce(owner, '(nobody)') AS owner, count(*) FILTER (WHERE is_open) AS open,
            count(*) FILTER (WHERE outcome = 'won') AS won, count(*) FILTER (WHERE outcome = 'lost') AS lost,
            coalesce(sum(amount) FILTER (WHERE outcome = 'won'), 0) AS value,
            count(*) FILTER (WHERE is_open AND changed < CAST(:now AS timestamptz) - interval '60 days') AS stale
        FROM {_CHANGED} GROUP BY 1 ORDER BY value DESC, 1""",
        now=days.looked[-1],
    )


def check(days: Days, pipeline: Pipeline) -> Sequence[Check]:
    """The ledger beside the files, counted by agent and stage."""
    words = {"Won": "won", "Lost": "lost", "Engaging": "engaging", "Prospecting": "prospecting"}
    files = Counter((_word(row["sales_agent"]), words[row["deal_stage"]]) for row in pipeline.opportunities)
    ledger = Counter((row.owner, row.sales_stage) for row in days.read("SELECT owner, sales_stage FROM record"))
    value = sum(float(row["close_value"] or 0) for row in pipeline.opportunities if row["deal_stage"] == "Won")
    (won,) = days.read("SELECT coalesce(sum(amount), 0) AS value FROM record WHERE outcome = 'won'")
    stale = sum(row.stale for row in _read_owners(days))
    unasked = days.read(
        f"""SELECT id FROM {_CHANGED} WHERE is_open AND changed < CAST(:now AS timestamptz) - interval '60 days'
            AND NOT EXISTS (SELECT FROM journey j JOIN work_item w ON w.journey_id = j.id
                WHERE j.record_id = record.id AND w.closed_at IS NULL AND w.reason = 'stale')""",
        now=days.looked[-1],
    )
    return [
        Check("nothing failed of itself", days.rows, tuple(list_faults(days))),
        Check("invariants of the ledger hold", 1, tuple(f"{f.name}: {f.broken}" for f in days.find_broken())),
        Check("opportunities by agent and sales stage are the files'", len(files), tuple(_differ(files, ledger))),
        Check("the value of what is won is the files'", 1, () if float(won.value) == value else (f"{won.value}",)),
        Check("the owner of what is stale is asked about it", stale, tuple(f"R{row.id}" for row in unasked)),
    ]


def _differ(files: Counter[Any], ledger: Counter[Any]) -> Iterator[str]:
    for key in files.keys() | ledger.keys():
        if files[key] != ledger[key]:
            yield f"{key}: {ledger[key]}, in the files {files[key]}"


if __name__ == "__main__":
    main()
