"""A view of the report: what the address of its page says, and what people save.

Belongs here: the parameters of such an address, and what they ask for. Does not belong here: reading an address
(``console.web.pages.reports``), saved views (``leadgate.ledger.saved_views``), or what a report holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from console.display_names import DisplayNames
from console.report.request import ReportOptions, add_outcomes, build_request
from console.report.zones import choose_zone
from console.screen import CommandError
from leadgate.ledger.figures import ReportRequest
from leadgate.ledger.record_figures import SECTIONS as RECORD_SECTIONS
from leadgate.ledger.saved_views import SavedView
from leadgate.nearest import propose
from leadgate.playbook import Playbook
from leadgate.report_periods import count_days

TITLES: Final = {
    "funnel": "Funnel", "conversion": "Conversion", "speed": "Speed and SLA", "load": "Load and fairness",
    "paths": "Clean paths", "overdue": "Overdue now", "trend": "Over time",
    **{name: name.title() for name in RECORD_SECTIONS},
}  # fmt: skip
_DEFAULT_DAYS: Final = 30


@dataclass(frozen=True)
class View:
    """What an address asks for, as written; its fields are the parameters of the address.

    The days are those from ``since`` to ``until``; without them those of ``period``; else the last ``days``.
    """

    section: str = ""
    days: int = _DEFAULT_DAYS
    period: str = ""
    since: str = ""
    until: str = ""
    source: str = ""
    rep: str = ""
    zone: str = ""

    @classmethod
    def of_saved(cls, saved: SavedView) -> View:
        view = cls(section=saved.section, source=saved.source, rep=saved.rep, zone=saved.zone)
        return view.with_period(saved.period)

    def with_period(self, period: str) -> View:
        """The view of the days of ``period``, in one way of writing it: 30 days are ``days``."""
        days = count_days(period)
        period = period if days is None else ""
        return replace(self, period=period, days=_DEFAULT_DAYS if days is None else days, since="", until="")

    @property
    def relative(self) -> str:
        """The name of its period, were no day given."""
        return self.period or f"{self.days}_days"

    def list_query(self) -> dict[str, object]:
        """The parameters of its address, without those that say what is so anyway."""
        default = View()
        return {name: value for name, value in vars(self).items() if value != getattr(default, name)}

    def read_options(self, names: DisplayNames) -> ReportOptions:
        rep = names.find_rep(self.rep) if self.rep else None
        return ReportOptions(
            self.since or None, self.until or None, self.zone or None, self.source or None, rep, period=self.relative
        )

    def choose_section(self, sections: list[str]) -> str:
        """The one to show; the first, where a rep has not the one that was shown of all. Raises ``CommandError``."""
        if self.section in sections or not self.section:
            return self.section or sections[0]
        if self.section in TITLES:
            return sections[0]
        raise CommandError(f"there is no section {self.section!r}; {propose(self.section, sections)}")


def build_view_request(
    options: ReportOptions, names: DisplayNames, playbook: Playbook, now: datetime
) -> tuple[ReportRequest, str]:
    """Build the request of a page or a mail. Returns it, and where its time zone is from, in words."""
    name = names.name_rep(options.rep) if options.rep else ""
    zone, whose = choose_zone(playbook, options.zone, options.rep, name)
    asked = build_request(options, now, zone)
    return add_outcomes(asked, playbook), whose
