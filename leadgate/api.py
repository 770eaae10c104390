"""What notebooks and plug-ins may import: leads, facts and figures from a ledger, and the decisions themselves.

These names keep their meaning; other modules of Leadgate may change with any version. Nothing here writes to a ledger.

>>> from leadgate import api
>>> with api.open_ledger(".leadgate") as ledger:  # doctest: +SKIP
...     leads = api.read_leads(ledger)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from leadgate import playbook as playbooks
from leadgate.assignment.availability import find_midnights, find_mondays
from leadgate.assignment.routing import assign
from leadgate.fields import PERSONAL
from leadgate.ledger import Ledger, NoLedgerError, figures, lead_frames, lead_history
from leadgate.ledger import open_ledger as open_or_make
from leadgate.ledger.clock import ask_time
from leadgate.ledger.lead_history import Story
from leadgate.mapping.normalise import normalise
from leadgate.masking import mask
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.references import IdError, parse
from leadgate.scoring.points import score
from leadgate.scoring.verdict import qualify
from leadgate.settings import Settings
from leadgate.sla.sla_targets import compute_due_times

__all__ = [
    "IdError",
    "Ledger",
    "LoadedPlaybook",
    "NoLedgerError",
    "Playbook",
    "Story",
    "assign",
    "compute_due_times",
    "load_playbook",
    "normalise",
    "open_ledger",
    "qualify",
    "read_figures",
    "read_leads",
    "read_story",
    "score",
]


@contextlib.contextmanager
def open_ledger(home: str | Path | None = None) -> Iterator[Ledger]:
    """The ledger of the data folder ``home``, else of the environment's settings (``LEADGATE_HOME`` and others).

    Nothing is made where there is no ledger: raises ``NoLedgerError``.
    """
    settings = Settings.from_environment()
    if home is not None:
        settings = replace(settings, home=Path(home).expanduser().absolute(), database_url=None)
    with open_or_make(settings, create=False) as ledger:
        yield ledger


def load_playbook(path: str | Path | None = None) -> LoadedPlaybook:
    """The playbook of a file, or the default one. Raises ``PlaybookError`` with every problem and its line."""
    return playbooks.load_default() if path is None else playbooks.load(Path(path))


def read_leads(
    ledger: Ledger, since: datetime | None = None, until: datetime | None = None, *, personal: bool = False
) -> pd.DataFrame:
    """A row for each lead that was created from ``since`` up to, not including, ``until``; the columns are those of
    ``leadgate.ledger.lead_frames.read_leads``.

    Personal values are masked, and the playbook's own fields left out, as they may be personal, too; ``personal``
    gives them in full.
    """
    leads = lead_frames.read_leads(ledger, since, until)
    if personal:
        return leads
    hidden = {name: leads[name].map(mask, na_action="ignore") for name in lead_frames.FIELDS if name in PERSONAL}
    return leads.assign(**hidden).drop(columns="custom")


def read_story(ledger: Ledger, reference: str) -> Story:
    """The facts behind ``leadgate explain``, values in full: of a lead (``lead 5`` or ``5``), a journey (``J2``) or the
    lead that a work item is about (``W12``).

    Raises ``IdError`` for what is no such id, and ``LookupError`` where the ledger has none.
    """
    kind, number = parse(reference) or (None, 0)
    find = {
        None: lead_history.find_journey_of_lead,
        "lead": lead_history.find_journey_of_lead,
        "journey": lead_history.find_journey,
        "work item": lead_history.find_journey_of_work_item,
    }.get(kind)
    if find is None or not number:
        raise IdError(f"{reference[:80]!r} is no lead, journey or work item; give one like 5, J2 or W12")
    journey = find(ledger, number)
    if journey is None:
        raise LookupError(f"the ledger has no {reference.strip()}")
    return lead_history.load_story(ledger, journey)


def read_figures(
    ledger: Ledger,
    playbook: Playbook,
    since: datetime,
    until: datetime,
    *,
    zone: str = "UTC",
    source: str | None = None,
    rep: str | None = None,
) -> dict[str, pd.DataFrame]:
    """The counts behind ``leadgate report``, a frame for each name in ``leadgate.ledger.figures.QUERIES``.

    About journeys that were captured from ``since`` up to, not including, ``until``; with ``source`` and ``rep``, about
    theirs alone. ``zone`` is whose hours of the day are meant.
    """
    now = ask_time(ledger)
    rules = playbook.follow_up
    asked = figures.ReportRequest(
        since, until, now, zone, source, rep, tuple(rules.outcomes), tuple(rules.lost_outcomes)
    )
    before = replace(asked, since=since - (until - since), until=since)
    found, _ = figures.read(
        ledger, asked, before, list(figures.QUERIES), find_midnights(playbook, now), find_mondays(playbook, now)
    )
    return {name: pd.DataFrame(rows) for name, rows in found.items() if isinstance(rows, list)}
