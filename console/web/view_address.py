"""The view of the report that an address of the console asks for.

Belongs here: reading its parameters, for every page that has them. Does not belong here: what they mean
(``console.report.view``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Query

from console.report.view import View

_Text = Annotated[str, Query(max_length=200)]


async def read_view(
    section: _Text = "",
    days: Annotated[int, Query(ge=1, le=3660)] = 30,
    period: _Text = "",
    since: _Text = "",
    until: _Text = "",
    source: _Text = "",
    rep: _Text = "",
    zone: _Text = "",
) -> View:
    view = View(section, days, "", since.strip(), until.strip(), source.strip(), rep.strip(), zone.strip())
    return replace(view.with_period(period.strip()), since=view.since, until=view.until) if period.strip() else view
