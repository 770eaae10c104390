"""A report, read from the ledger: its sections, with the headline figures of the period before.

Belongs here: which section is built of which rows. Does not belong here: counting (``leadgate.ledger.figures``), what a
section shows (a file for each), or how it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from console.report import conversion, funnel, load, over_time, overdue, paths, records, speed, trend
from console.report.request import build_previous_request, require_known
from console.report.tables import Section
from leadgate.assignment.availability import find_midnights, find_mondays
from leadgate.ledger import Ledger, figures
from leadgate.ledger.figure_rows import FigureRows
from leadgate.ledger.figures import ReportRequest
from leadgate.ledger.record_figures import SECTIONS as RECORD_SECTIONS
from leadgate.playbook import Playbook


@dataclass(frozen=True)
class Report:
    """What was ``asked`` for, the period ``earlier``, and the sections of both. ``signals`` are those ever captured."""

    asked: ReportRequest
    earlier: ReportRequest
    plain: Sequence[Section]
    before: Sequence[Section]
    signals: int

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell of yet: no signal was ever captured, and no record told."""
        return not self.signals and not any(
            table.rows for section in self.plain if section.key in RECORD_SECTIONS for table in section.tables
        )

    @property
    def sections(self) -> list[Section]:
        """Those of the period, with the change against the period before."""
        return trend.add_change(self.plain, self.before)


def read_report(ledger: Ledger, asked: ReportRequest, sections: Sequence[str], playbook: Playbook) -> Report:
    """Raises ``CommandError`` for a source and a rep that nobody knows."""
    require_known(ledger, asked, playbook)
    earlier = build_previous_request(asked)
    midnights, mondays = find_midnights(playbook, asked.now), find_mondays(playbook, asked.now)
    found, before = figures.read(ledger, asked, earlier, sections, midnights, mondays)
    return Report(
        asked,
        earlier,
        build_sections(sections, found, asked, playbook),
        build_sections(sections, before, earlier, playbook),
        found["captured"][0]["n"],
    )


def build_sections(
    sections: Sequence[str], found: FigureRows, asked: ReportRequest, playbook: Playbook
) -> list[Section]:
    """The sections that are wanted, from what ``figures.read`` found for them."""
    made: dict[str, Callable[[], Section]] = {
        "funnel": lambda: funnel.build_section(found, playbook),
        "conversion": lambda: conversion.build_section(found, playbook),
        "speed": lambda: speed.build_section(found, playbook, asked.zone),
        "load": lambda: load.build_section(found, playbook, asked.rep),
        "paths": lambda: paths.build_section(found),
        "overdue": lambda: overdue.build_section(found, playbook, asked.now, asked.zone),
        "trend": lambda: over_time.build_section(found, asked),
        **{name: partial(records.build_section, found, playbook, kind) for name, kind in RECORD_SECTIONS.items()},
    }
    return [made[name]() for name in sections]
