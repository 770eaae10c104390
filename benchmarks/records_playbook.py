"""The playbook of the made-up year: its people, its sources, and what holds for each kind of record.

Belongs here: that playbook, as JSON, which is YAML as well. Does not belong here: the year itself
(``benchmarks.made_up_year``).
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from benchmarks.made_up_records import CONTRACTS, OPPORTUNITIES, SIGNALS
from benchmarks.made_up_year import WINDOW, Year
from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook

_CHANGED = {"Last Modified Date": "occurred_at", "Last Modified By": "changed_by", "Account Name": "account"}
_SOURCES = {
    OPPORTUNITIES: {
        "kind": "opportunities",
        "mapping": {
            **_CHANGED,
            "Opportunity ID": "external_id", "Opportunity Name": "name", "Opportunity Owner": "owner",
            "Stage": "sales_stage", "Amount": "amount", "Close Date": "close_date",
            "Forecast Category": "forecast_category", "Created Date": "created_date", "Next Step": "next_step",
            "Next Step Date": "next_step_date", "Loss Reason": "lost_reason", "Budget": "budget",
            "Authority": "authority", "Need": "need", "Timeline": "timeline",
        },
    },
    CONTRACTS: {
        "kind": "renewals",
        "mapping": {
            **_CHANGED,
            "Contract ID": "external_id", "Contract Name": "name", "Owner": "owner", "Product": "product",
            "Amount": "amount", "Start Date": "start_date", "End Date": "end_date", "Status": "status",
            "Seats": "seats", "Seats Used": "seats_used", "Usage": "usage", "Auto Renews": "auto_renews",
        },
    },
    SIGNALS: {
        "kind": "expansions",
        "mapping": {
            "Signal ID": "external_id", "Account Name": "account", "Trigger": "trigger", "Seats": "seats",
            "Seats Used": "seats_used", "Usage": "usage", "Department": "department", "Product": "product",
            "Amount": "amount", "Date": "occurred_at",
        },
    },
}  # fmt: skip
_KINDS = {
    "opportunity": {
        "sales_stages": [
            {"name": "prospecting", "category": "pipeline", "next_step_within": "14d", "stale_after": "28d"},
            {"name": "discovery", "category": "pipeline", "next_step_within": "14d", "stale_after": "28d"},
            {
                "name": "evaluation", "category": "best_case", "requires": ["need"], "next_step_within": "14d",
                "stale_after": "28d",
            },
            {
                "name": "proposal", "category": "best_case", "requires": ["amount", "close_date", "need", "timeline"],
                "next_step_within": "7d", "stale_after": "21d",
            },
            {
                "name": "negotiation", "category": "commit", "requires": ["amount", "close_date", "budget"],
                "next_step_within": "7d", "stale_after": "21d",
            },
            {"name": "closed_won", "closed": "won", "requires": ["amount"]},
            {"name": "closed_lost", "closed": "lost"},
        ],
        "moves": {
            "prospecting": ["discovery", "closed_lost"],
            "discovery": ["prospecting", "evaluation", "closed_lost"],
            "evaluation": ["discovery", "proposal", "closed_lost"],
            "proposal": ["evaluation", "negotiation", "closed_lost"],
            "negotiation": ["proposal", "closed_won", "closed_lost"],
        },
        "approvals": [
            {"name": "pushed_far", "when": "pushed_days > 60 and amount >= 50000", "why": "the quarter depends on it"},
        ],
        "tell": [{"name": "pushed", "when": "pushed_days > 0 and amount >= 20000", "to": "manager"}],
    },
    "renewal": {
        "window": f"{WINDOW.days}d",
        "prepare": "7d",
        "scoring": {
            "fit": [
                {"name": "well_used", "when": "seats_used >= 0.8 * seats", "points": 30},
                {"name": "hardly_used", "when": "seats_used < 0.4 * seats", "points": -20},
                {"name": "growing", "when": "usage >= 1.1", "points": 10},
            ],
        },
    },
    "expansion": {"conflict": "review"},
}  # fmt: skip


def write_playbook(year: Year, folder: Path) -> LoadedPlaybook:
    """The playbook, in ``folder`` beside the file of its accounts."""
    _write_accounts(year, folder / "accounts.csv")
    path = folder / "playbook.yaml"
    path.write_text(json.dumps(build_document(year), indent=1), encoding="utf-8")
    return playbooks.parse(path.read_text(encoding="utf-8"), path=path)


def build_document(year: Year) -> dict[str, Any]:
    words = {rep.name: rep.word for rep in year.reps}
    sellers = [rep for rep in year.reps if rep.manager is not None]
    return {
        "version": 1,
        "name": "A made-up year",
        "sources": _SOURCES,
        "enrichment": {
            "providers": [
                {
                    "type": "accounts_file", "name": "accounts", "path": "accounts.csv", "domain": "domain",
                    "company": "name",
                    "fields": {
                        "account_id": "id", "account_name": "name", "account_tier": "tier", "account_owner": "owner",
                    },
                }
            ]
        },
        "reps": [
            {"name": rep.word, "label": rep.name, "email": rep.email}
            | ({"manager": words[rep.manager]} if rep.manager else {})
            for rep in year.reps
        ],
        "pools": [{"name": "sellers", "sla": "standard", "members": [{"rep": rep.word} for rep in sellers]}],
        "slas": [{"name": "standard", "first_touch": "5d", "clock": "wall"}],
        "routing": [{"name": "leads", "to": "pool sellers"}],
        "kinds": _KINDS,
        # which rows break a promise is the year's doing, and none of them may park the others
        "breaker": {"share": 1.0, "window": 1000, "at_least": 1000},
    }  # fmt: skip


def _write_accounts(year: Year, path: Path) -> None:
    words = {rep.name: rep.word for rep in year.reps}
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "name", "domain", "tier", "owner", "country"))
        for account in year.accounts:
            # somebody who left has no word of the playbook's, and stays as the CRM has them
            owner = words.get(account.owner, account.owner)
            number = f"ACC-{account.number:05d}"
            table.writerow((number, account.name, account.domain, account.tier, owner, account.country))
