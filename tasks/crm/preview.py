"""A preview of a sync: what would become of the records that a CRM has for it, with nothing stored.

Belongs here: which records would be new, known, unwanted or held, and why. Does not belong here: reading
(``leads``), or what capture and validation decide (``capture``, ``validation`` and their gates).

Whether a record is about a known lead, and what follows from validation on, is not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pandas as pd

from leadgate.fields import STANDARD
from leadgate.ledger import Ledger, bulk, crm_positions, leads, signals
from leadgate.ledger.batches import Batch
from leadgate.ledger.clock import ask_time
from leadgate.ledger.signals import NewSignal
from leadgate.plain_text import format_line
from leadgate.playbook import CrmConnection, CrmReads, LoadedPlaybook
from leadgate.vocabulary import GateName
from tasks import capture, validation
from tasks.crm.leads import KIND, list_fields, read_signals
from tasks.crm.reading import ask_crm
from tasks.stage import Gathered, Work

if TYPE_CHECKING:
    from expectations.findings import GateResult
    from leadgate.connectors.crm import ChangePage, Crm

#: Pages of one preview, as of one sync.
MAX_PAGES: Final = 1_000
_ERROR: Final = 300  # characters


@dataclass
class PreviewReport:
    """What would become of records, in counts. Nothing personal, and no credentials."""

    crm: str
    records: int = 0
    new: int = 0  # signals
    known: int = 0  # in a state that was read before
    unwanted: int = 0  # by the playbook
    echoes: int = 0  # that hold nothing but what Leadgate has written
    deleted: int = 0
    held: dict[str, int] = field(default_factory=dict)  # of the new ones, by reason
    complete: bool = False  # there was nothing more to read
    problem: str | None = None


def preview_crm(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    connection: CrmConnection,
    crm: Crm,
    now: datetime | None = None,
    *,
    most: int | None = None,
) -> PreviewReport:
    """Read what the next sync would read, at least ``most`` records if there are so many, and store nothing.

    A CRM that does not answer, refuses or has a limit is a problem of the report.
    """
    from leadgate.connectors.crm import CrmObject
    from leadgate.connectors.service_session import ServiceError

    report = PreviewReport(connection.name)
    reads = connection.reads
    if reads is None or reads.source is None:
        report.problem = f"the playbook makes no signals of records of {connection.name}; add crm[].reads.source"
        return report
    kept = crm_positions.read_position(ledger, connection.name, KIND)
    position = None if kept is None else kept.position
    fields = list_fields(connection, loaded.playbook)
    at = ask_time(ledger, now)
    held: Counter[str] = Counter()
    seen: set[str] = set()
    try:
        for _ in range(MAX_PAGES):
            page: ChangePage = ask_crm(
                connection.name,
                lambda: crm.read_changes(CrmObject.LEAD, fields, position),  # noqa: B023 - called at once
            )
            new = _count_page(ledger, loaded, connection, reads, page, report, seen)
            held.update(find_holds(new, loaded, at))
            report.complete = not page.has_more
            if report.complete or page.position == position or (most is not None and report.records >= most):
                break
            position = page.position
    except ServiceError as error:
        report.problem = format_line(str(error), _ERROR)
    report.held = dict(held.most_common())
    return report


def _count_page(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    connection: CrmConnection,
    reads: CrmReads,
    page: ChangePage,
    report: PreviewReport,
    seen: set[str],
) -> list[NewSignal]:
    """The signals of a page that would be new. ``seen``: the keys of those before."""
    with ledger.transaction() as transaction:
        read = read_signals(transaction, loaded.playbook, connection, reads, page.records)
        keys = {signal.key for signal in read.signals}
        known = signals.find_known(transaction, reads.source or "", keys)
    new = {signal.key: signal for signal in read.signals if signal.key not in known | seen}
    seen |= new.keys()
    report.records += len(page.records)
    report.new += len(new)
    report.known += len(read.signals) - len(new)
    report.unwanted += read.unwanted
    report.echoes += read.echoes
    report.deleted += len(read.deleted)
    return list(new.values())


def find_holds(new: Sequence[NewSignal], loaded: LoadedPlaybook, now: datetime) -> Counter[str]:
    """Why capture and validation would hold these signals: how many, by reason."""
    if not new:
        return Counter()
    from expectations import gate

    work = Work(Batch(0, 0, "preview", loaded.hash, len(new), now), loaded, now)
    frame = pd.DataFrame(
        {
            "journey_id": range(1, len(new) + 1),
            "version": 0,
            "generation": 0,
            "lead_id": None,
            "source": [each.source for each in new],
            "captured_at": now,
            "key": [each.key for each in new],
            "payload": [each.payload for each in new],
            "unreadable": pd.Series([each.unreadable for each in new], dtype=object),
        }
    )
    corrections = pd.DataFrame(columns=["journey_id", "field", "value"])
    captured = capture.decide(Gathered(frame, corrections), work).frame
    held = _list_reasons(gate.run(GateName.CAPTURED, captured, playbook=loaded.playbook), captured)
    going_on = captured[~captured["journey_id"].isin(held)]
    if not going_on.empty:
        columns = ["journey_id", "version", "generation", "lead_id", "source", "captured_at"]
        left = going_on[[*columns, *STANDARD, "custom", "attributes"]].reset_index(drop=True).assign(waived=None)
        expanded = leads.expand_custom(left, {name: f.type for name, f in loaded.playbook.fields.items()})
        validated = validation.decide(Gathered(expanded), work).frame
        held |= _list_reasons(gate.run(GateName.VALIDATED, validated, playbook=loaded.playbook), validated)
    return Counter(held.values())


def _list_reasons(result: GateResult, judged: pd.DataFrame) -> dict[int, str]:
    """The reason for which each journey would be held."""
    if result.batch_problem is not None:
        return dict.fromkeys((int(each) for each in judged["journey_id"]), result.batch_problem.reason)
    first = result.critical.drop_duplicates("journey_id")
    return dict(zip(bulk.list_values(first["journey_id"]), bulk.list_values(first["reason"]), strict=True))
