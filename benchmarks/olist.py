"""Public leads and the deals closed from them through the stages: from which source leads are won.

``python -m benchmarks.olist FOLDER``: the folder has ``marketing_qualified_leads.csv`` and ``closed_deals.csv``. Each
lead is captured in the week of its first contact, from a source named after its origin; it has a made-up address, as
the files have none. Each deal is told in its week as an opportunity that is won, and names the lead that it came from.
Prints leads and won leads by source; exits 1 when they are not the files'.

Belongs here: what the files' rows mean. Does not belong here: runs (``benchmarks.record_days``).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.maven import Table, read_table
from benchmarks.record_checks import Check, list_faults, print_checks
from benchmarks.record_days import Days
from expectations import gate
from leadgate import playbook as playbooks
from leadgate.ledger import open_ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings

DEALS: Final = "deals"
WEEK: Final = timedelta(days=7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    gate.preload()
    leads = read_table(arguments.folder / "marketing_qualified_leads.csv")
    deals = read_table(arguments.folder / "closed_deals.csv")
    with tempfile.TemporaryDirectory() as folder, open_ledger(Settings(home=Path(folder) / "home")) as ledger:
        days = Days(ledger, write_playbook(leads, deals, Path(folder)))
        live(days, leads, deals)
        checks = [
            Check("nothing failed of itself", days.rows, tuple(list_faults(days))),
            Check("invariants of the ledger hold", 1, tuple(f"{f.name}: {f.broken}" for f in days.find_broken())),
            *check(days, leads, deals),
        ]
    print(f"\n{days.rows:,} rows, {days.batches:,} batches, {days.seconds:.1f} s in the stages")
    print_checks(checks)
    sys.exit(1 if any(each.broken for each in checks) else 0)


def write_playbook(leads: Table, deals: Table, folder: Path) -> LoadedPlaybook:
    path = folder / "playbook.yaml"
    path.write_text(json.dumps(_build_document(leads, deals), indent=1), encoding="utf-8")
    return playbooks.parse(path.read_text(encoding="utf-8"), path=path)


def _build_document(leads: Table, deals: Table) -> dict[str, Any]:
    reps = sorted({_name_rep(deal) for deal in deals})
    sources = sorted({_name_source(lead) for lead in leads})
    mapping = {"mql_id": "external_id", "first_contact_date": "occurred_at"}
    return {
        "version": 1,
        "name": "Leads and deals",
        "sources": {
            **{name: {"mapping": mapping, "key": "mql_id"} for name in sources},
            DEALS: {
                "kind": "opportunities",
                "mapping": {
                    "mql_id": "external_id",
                    "stage": "sales_stage",
                    "won_date": "occurred_at",
                    "came_from": "lead",
                },
            },
        },
        "scoring": {"fit": [{"name": "asked", "when": "true", "points": 50}]},
        "qualification": {"marketing_qualified": 40, "sales_qualified": 50},
        "reps": [{"name": name, "email": f"{name}@seller.example"} for name in reps],
        "slas": [{"name": "standard", "first_touch": "5d", "clock": "wall"}],
        "pools": [{"name": "sellers", "sla": "standard", "members": [{"rep": name} for name in reps]}],
        "routing": [{"name": "leads", "to": "pool sellers"}],
        "kinds": {"opportunity": {"sales_stages": [{"name": "open"}, {"name": "won", "closed": "won"}]}},
        "breaker": {"share": 1.0, "window": 1000, "at_least": 1000},
    }  # fmt: skip


def _name_source(lead: dict[str, str]) -> str:
    return f"from_{(lead['origin'] or 'nowhere').replace(' ', '_')}"


def _name_rep(deal: dict[str, str]) -> str:
    return f"rep_{deal['sr_id'][:12]}"


def live(days: Days, leads: Table, deals: Table) -> None:
    """Week by week: capture its leads, tell its deals, run."""
    monday = datetime(2018, 1, 1, tzinfo=UTC)
    last = max(datetime.fromisoformat(deal["won_date"]).replace(tzinfo=UTC) for deal in deals)
    while monday <= last:
        sunday = monday + WEEK
        captured = [lead for lead in leads if monday <= _read_day(lead["first_contact_date"]) < sunday]
        for source in sorted({_name_source(lead) for lead in captured}):
            days.tell(source, (_write_lead(lead) for lead in captured if _name_source(lead) == source), sunday)
        won = [_write_deal(deal) for deal in deals if monday <= _read_day(deal["won_date"]) < sunday]
        if won:
            days.tell(DEALS, won, sunday)
        days.work(sunday)
        monday = sunday


def _read_day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _write_address(row: dict[str, str]) -> str:
    return f"{row['mql_id']}@lead.example"


def _write_lead(lead: dict[str, str]) -> dict[str, str]:
    return lead | {"Email": _write_address(lead), "Company": f"Shop {lead['mql_id'][:10]}"}


def _write_deal(deal: dict[str, str]) -> dict[str, str]:
    return {
        "mql_id": deal["mql_id"], "name": f"Deal {deal['mql_id'][:10]}", "account": f"Shop {deal['mql_id'][:10]}",
        "owner": _name_rep(deal), "stage": "Won", "won_date": f"{deal['won_date'].replace(' ', 'T')}Z",
        "close_date": deal["won_date"][:10], "came_from": _write_address(deal),
    }  # fmt: skip


def check(days: Days, leads: Table, deals: Table) -> Iterator[Check]:
    """Leads and won leads by source, printed, beside the files'."""
    rows = days.read(
        """SELECT s.source, count(DISTINCT j.lead_id) AS leads,
            count(DISTINCT j.lead_id) FILTER (WHERE a.journey_id IS NOT NULL) AS owned,
            count(DISTINCT o.lead_id) AS won
        FROM signal s JOIN journey j ON j.signal_id = s.id LEFT JOIN assignment a ON a.journey_id = j.id
            LEFT JOIN recorded_outcome o ON o.lead_id = j.lead_id AND o.kind = 'won'
        WHERE j.kind = 'lead' GROUP BY s.source ORDER BY 2 DESC"""
    )
    print(f"{'source':<28}{'leads':>8}{'owned':>8}{'won':>8}{'won of leads':>14}")
    for row in rows:
        print(f"{row.source:<28}{row.leads:>8}{row.owned:>8}{row.won:>8}{row.won / max(1, row.leads):>14.1%}")
    won = {deal["mql_id"] for deal in deals}
    captured = Counter(_name_source(lead) for lead in leads)
    of_source = Counter(_name_source(lead) for lead in leads if lead["mql_id"] in won)
    found = {row.source: (row.leads, row.won) for row in rows}
    differ = [
        f"{source}: {found.get(source)}, in the files {captured[source], of_source[source]}"
        for source in captured
        if found.get(source) != (captured[source], of_source[source])
    ]
    yield Check("leads and won leads by source are the files'", len(captured), tuple(differ))
    records = days.read("SELECT count(*) AS count FROM record WHERE outcome = 'won' AND NOT is_open")
    told = () if records[0].count == len(deals) else (f"{records[0].count} of {len(deals)}",)
    yield Check("every deal is a won opportunity", len(deals), told)


if __name__ == "__main__":
    main()
