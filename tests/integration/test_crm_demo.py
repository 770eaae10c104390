"""The example playbook for CRMs, and what ``make demo-crm`` shows of it; the command itself is the demo's."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from crm_fakes.serving import serve
from harness import NOW, Harness
from rich.console import Console

from benchmarks import crm_demo
from leadgate import playbook as playbooks
from leadgate.connectors.crm_opening import open_crm
from leadgate.ledger import Ledger
from leadgate.playbook.check import check
from tasks.crm.setup import set_up_connection
from tasks.crm.sync import open_and_sync_crm
from tasks.outbox import deliver_waiting


def test_the_example_playbook_is_sound() -> None:
    loaded = playbooks.parse(crm_demo.PLAYBOOK.read_text(encoding="utf-8"), path=crm_demo.PLAYBOOK)

    assert check(loaded) == []
    assert {each.type for each in loaded.playbook.crm} == {"hubspot", "salesforce"}


def test_example_leads_go_in_and_out(ledger: Ledger) -> None:
    hubspot = crm_demo.build_hubspot(crm_demo.list_reps())
    salesforce = crm_demo.build_salesforce(crm_demo.list_reps())
    with serve(hubspot) as first, serve(salesforce) as second:
        loaded = playbooks.parse(crm_demo.write_playbook(first, second), path=Path("demo.yaml"))
        demo = Harness(ledger, loaded)
        with crm_demo.LEADS.open(encoding="cp1252", newline="") as file:
            demo.capture(*csv.DictReader(file, delimiter=";"), source="trade_show")
        for each in loaded.playbook.crm:

            def open_session(each=each):  # type: ignore[no-untyped-def]
                return open_crm(each, crm_demo.CREDENTIALS)

            set_up_connection(loaded.playbook, each, crm_demo.CREDENTIALS, open_session)
            assert open_and_sync_crm(ledger, loaded, each, open_session, NOW).problem is None
        demo.run()
        deliver_waiting(ledger, loaded.playbook, NOW, environ=crm_demo.CREDENTIALS)

    console = Console(width=110, record=True, file=io.StringIO())
    for table in crm_demo.build_tables(ledger, hubspot, salesforce):
        console.print(table)
    shown = console.export_text()
    assert demo.rows("SELECT DISTINCT reason FROM work_item WHERE reason LIKE 'crm%' ORDER BY 1") == [
        ("crm_owner_unknown",), ("crm_refused",), ("crm_write_not_kept",),
    ]  # fmt: skip
    readme = (crm_demo.ROOT / "README.md").read_text(encoding="utf-8")
    (excerpt,) = re.findall(r"```text\n(In and out\n.*?)```", readme, re.DOTALL)
    lines = {simplify(line) for line in shown.splitlines()}
    wanted = {simplify(line) for line in excerpt.splitlines()} - {"", "…"}
    assert len(wanted) > 15
    assert wanted - lines == set()
    assert demo.rows("SELECT source, count(*) FROM signal WHERE source <> 'trade_show' GROUP BY 1 ORDER BY 1") == [
        ("hubspot_contacts", 3), ("salesforce_leads", 2),
    ]  # fmt: skip
    assert (hubspot.errors, salesforce.errors) == ([], [])
    assert demo.find_broken() == []


def simplify(line: str) -> str:
    """A line without numbers, which depend on how rows were read, and without the space that tables are aligned with."""
    return " ".join(re.sub(r"\d+", "N", line).split())
