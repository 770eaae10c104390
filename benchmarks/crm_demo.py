"""The example leads into and out of a fake of HubSpot and of Salesforce, on loopback: ``make demo-crm``.

The commands are those that a person would type; they get a data folder of their own, which is removed in the end, and a
copy of ``examples/crm/playbook.yaml`` with the fakes' addresses. In both CRMs people have worked before: some of their
records become leads, some are found by address and keep what they hold. Some writes are refused by a rule, and some do
not stand because an automation changes them: each becomes a work item.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from crm_fakes.hubspot import FakeHubSpot, Portal, Rule
from crm_fakes.salesforce import App, DuplicateRule, FakeSalesforce, ValidationRule
from crm_fakes.salesforce.schema import FieldSchema
from crm_fakes.serving import serve
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, open_ledger
from leadgate.settings import Settings

ROOT: Final = Path(__file__).parents[1]
PLAYBOOK: Final = ROOT / "examples" / "crm" / "playbook.yaml"
TOKEN: Final = "pat-of-the-demo"  # noqa: S105 - of a fake
CREDENTIALS: Final = {
    "LEADGATE_HUBSPOT_TOKEN": TOKEN,
    "LEADGATE_SALESFORCE_ID": "demo",
    "LEADGATE_SALESFORCE_SECRET": TOKEN,
}
LEADS: Final = ROOT / "examples" / "trade_show.csv"
#: Who people in the CRMs know already: two whom nobody else knows, and one who is on the badge scans as well.
PEOPLE: Final = (
    ("mara.lindqvist@tidewater.example", "Mara", "Lindqvist", "Tidewater Freight", "Head of Sales", "+46 8 123 456 70"),
    ("joe.abara@hillcrest.example", "Joe", "Abara", "Hillcrest Health", "VP Operations", "+1 212 555 0171"),
    ("bjoern.grossmann@atelier-boreal.example", "Björn", "Großmann", "Atelier Boréal", "Head of Sales EMEA", ""),
)  # fmt: skip


def build_hubspot(reps: Sequence[str]) -> FakeHubSpot:
    """An account in which people have worked, with a rule about one company, and an automation about another."""
    portal = Portal()
    for email in reps:
        portal.add_owner(email)
    for email, first, last, company, title, phone in PEOPLE:
        portal.add_record(
            "contacts", email=email, firstname=first, lastname=last, company=company, jobtitle=title, phone=phone
        )
    portal.rules.append(Rule("contacts", "phone", ("company", "Lumen Academy")))
    portal.automation = lambda record: (
        {"hs_lead_status": "UNQUALIFIED"} if "Copperleaf" in record.values.get("company", "") else {}
    )
    return FakeHubSpot(portal, token=TOKEN)


def build_salesforce(reps: Sequence[str]) -> FakeSalesforce:
    """An org with a rule about companies, one for duplicates, and without the last of the reps."""
    fake = FakeSalesforce(App("demo", "leadgate@example.com", consumer_secret=TOKEN))
    org = fake.org
    for email in reps[:-1]:
        org.add("User", Name=email.partition("@")[0], Email=email, IsActive=True, UserType="Standard")
    org.schemas["Lead"].fields["Title"] = FieldSchema("Title")
    for email, first, last, company, _, _ in PEOPLE[1:]:
        org.add("Lead", FirstName=first, LastName=last, Company=company, Email=email)
    org.duplicate_rules.append(DuplicateRule("One person, one lead", "Email"))
    org.validation_rules.append(
        ValidationRule("Farms", "Farms are served by partners", lambda row: "Farm" in (row["Company"] or ""))
    )
    return fake


def main() -> None:
    console = Console(width=min(Console().width, 110) if sys.stdout.isatty() else 110, highlight=False)
    hubspot, salesforce = build_hubspot(list_reps()), build_salesforce(list_reps())
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadgate-demo-")))
        copy = folder / "playbook.yaml"
        urls = [stack.enter_context(serve(fake)) for fake in (hubspot, salesforce)]
        copy.write_text(write_playbook(*urls), encoding="utf-8")
        environ = CREDENTIALS | {"LEADGATE_HOME": str(folder / "home"), "LEADGATE_PLAYBOOK": str(copy)}
        console.print("A fake of HubSpot and one of Salesforce are on this machine; people have worked in both.\n")
        for words, *command in (
            ("missing fields are created", "crm", "setup"),
            ("badge scans come in", "capture", str(LEADS), "--source", "trade_show"),
            ("what people made in the CRMs comes in", "crm", "sync"),
            ("all of them go through the six stages", "run"),
            ("leads are written and read back, with their tasks", "deliver"),
        ):
            shown = [Path(part).name if part.startswith("/") else part for part in command]
            console.print(f"  leadgate {' '.join(shown):<44} {words}")
            _run(command, environ)
        with open_ledger(Settings(home=folder / "home")) as ledger:
            for table in build_tables(ledger, hubspot, salesforce):
                console.print()
                console.print(table)
    console.print(
        f"\nThe playbook is {PLAYBOOK.relative_to(ROOT)}; docs/connectors.md says what to create in a real CRM."
    )


def list_reps() -> list[str]:
    """The addresses of the playbook's reps."""
    text_of_example = PLAYBOOK.read_text(encoding="utf-8")
    return [rep.email or "" for rep in playbooks.parse(text_of_example, path=PLAYBOOK).playbook.reps]


def write_playbook(hubspot: str, salesforce: str) -> str:
    """The example's text, with these addresses of its CRMs."""
    found = PLAYBOOK.read_text(encoding="utf-8")
    for old, url in (("type: hubspot\n", hubspot), ("url: https://your-org.my.salesforce.com\n", salesforce)):
        assert found.count(old) == 1, f"{PLAYBOOK} does not say {old!r} once"  # noqa: S101 - of our own file
        kept = f"{old}    " if old.startswith("type") else ""
        found = found.replace(old, f"{kept}url: {url}\n    allow_private: true\n")
    return found


def build_tables(ledger: Ledger, hubspot: FakeHubSpot, salesforce: FakeSalesforce) -> list[Table]:
    """What was read and written, what each CRM has, and what asks a person."""
    return [build(ledger, hubspot, salesforce) for build in (_show_counts, _show_leads, _show_items)]


def _run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run a command to its end; what it says is shown when it fails. Refused leads are no failure of the demo."""
    process = subprocess.Popen(
        [sys.executable, "-m", "console.cli", *command],
        cwd=ROOT,
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate()
    except KeyboardInterrupt:  # the command has heard of it, too, and stops PostgreSQL before it ends
        process.communicate(timeout=60)
        raise
    if process.returncode not in (0, 1, 4):
        sys.exit(f"leadgate {' '.join(command)} ended with {process.returncode}\n{said}")


def _show_counts(ledger: Ledger, hubspot: FakeHubSpot, salesforce: FakeSalesforce) -> Table:
    table = Table("", "HubSpot", "Salesforce", title="In and out", title_justify="left", box=SIMPLE)
    signals = _count(ledger, "SELECT source, count(*) FROM signal GROUP BY 1")
    found = _count(ledger, "SELECT crm || found_by, count(*) FROM crm_link GROUP BY 1")
    read = _count(ledger, "SELECT crm, count(*) FROM crm_link WHERE read_at IS NOT NULL GROUP BY 1")
    differing = _count(ledger, "SELECT crm, count(*) FROM crm_link WHERE differing > 0 GROUP BY 1")
    tasks = _count(ledger, "SELECT crm, count(*) FROM crm_task WHERE task_id IS NOT NULL GROUP BY 1")
    refused = _count(
        ledger,
        "SELECT split_part(promise, ':', 2), count(*) FROM work_item WHERE reason = 'crm_refused' GROUP BY 1",
    )
    names, sources = ("hubspot", "salesforce"), ("hubspot_contacts", "salesforce_leads")
    for words, counts in (
        ("records of people that became signals", [signals.get(name, 0) for name in sources]),
        ("leads created as records", [found.get(f"{name}created", 0) for name in names]),
        ("leads whose record was there, by address", [found.get(f"{name}address", 0) for name in names]),
        ("records read back", [read.get(name, 0) for name in names]),
        ("… of which a value did not stand", [differing.get(name, 0) for name in names]),
        ("leads refused", [refused.get(name, 0) for name in names]),
        ("follow-up tasks", [tasks.get(name, 0) for name in names]),
        ("records in the CRM now", [len(hubspot.portal.records["contacts"]), len(salesforce.org.rows["Lead"])]),
    ):  # fmt: skip
        table.add_row(words, *map(str, counts))
    return table


def _show_leads(ledger: Ledger, hubspot: FakeHubSpot, salesforce: FakeSalesforce) -> Table:
    """The first leads that both CRMs have, with what each holds."""
    table = Table(
        "lead", "owner", "score", "HubSpot: title, score, task", "Salesforce: score, task",
        title="What each CRM has (the first six)", title_justify="left", box=SIMPLE,
    )  # fmt: skip
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(
                "SELECT l.id, l.email, a.owner, q.score, h.record_id AS contact, s.record_id AS lead FROM lead l "
                "JOIN crm_link h ON h.lead_id = l.id AND h.crm = 'hubspot' "
                "JOIN crm_link s ON s.lead_id = l.id AND s.crm = 'salesforce' "
                "JOIN journey j ON j.lead_id = l.id AND j.status = 'owned' JOIN assignment a ON a.journey_id = j.id "
                "JOIN qualification q ON q.journey_id = j.id ORDER BY l.id LIMIT 6"
            )
        ).all()
    tasks = {row["WhoId"]: row["Subject"] for row in salesforce.org.rows["Task"].values()}
    for row in rows:
        contact = hubspot.portal.records["contacts"][row.contact]
        related = hubspot.portal.related("contacts", row.contact, "tasks")
        subject = hubspot.portal.records["tasks"][related[0][0]].values["hs_task_subject"] if related else "no task"
        lead = salesforce.org.rows["Lead"][row.lead]
        table.add_row(
            row.email,
            row.owner,
            str(row.score),
            f"{contact.values.get('jobtitle', '—')}, {contact.values.get('leadgate_score')}, {_shorten(subject)}",
            f"{lead['Leadgate_Score__c']:g}, {_shorten(tasks.get(row.lead, 'no task'))}",
        )
    return table


def _show_items(ledger: Ledger, *_: object) -> Table:
    """Open work items about the CRMs, those that say the same in one line."""
    table = Table(
        "",
        "CRM",
        "lead",
        "reason",
        "why",
        title="What asks a person (leadgate queue)",
        title_justify="left",
        box=SIMPLE,
    )
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(
                "SELECT min(w.id) AS id, w.reason, split_part(w.promise, ':', 2) AS crm, min(l.email) AS email, "
                "coalesce(w.detail, w.message) AS why, count(*) AS items FROM work_item w "
                "LEFT JOIN journey j ON j.id = w.journey_id LEFT JOIN lead l ON l.id = j.lead_id "
                "WHERE w.reason LIKE 'crm%' AND w.closed_at IS NULL GROUP BY 2, 3, 5 ORDER BY 2, 3, 1"
            )
        ).all()
    for row in rows:
        more = f" and {row.items - 1} more" if row.items > 1 else ""
        table.add_row(f"W{row.id}", row.crm, f"{row.email or 'all of a rep'}{more}", row.reason, row.why)
    return table


def _shorten(subject: str) -> str:
    return subject.partition(" of ")[0]


def _count(ledger: Ledger, query: str) -> dict[Any, int]:
    with ledger.transaction() as connection:
        return {row[0]: row[1] for row in connection.execute(text(query))}


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
