"""The leads behind a number of the report: the journeys that it counts, in pages.

Belongs here: reading the address, and the links that lead here. Does not belong here: the list
(``ledger.counted_journeys``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from console.report.request import require_known
from console.report.tables import STATUS_WORDS
from console.report.view import View, build_view_request
from console.screen import CommandError
from console.web.rendering import build_address, render
from console.web.site import TheSite
from console.web.view_address import read_view
from console.web.visitors import SignedIn
from leadgate import actors
from leadgate.figures import STEPS
from leadgate.ledger.counted_journeys import Counted, list_counted
from leadgate.nearest import propose
from leadgate.permissions import Permission
from leadgate.vocabulary import STATUSES, JourneyStatus

router = APIRouter()
_ROWS: Final = 50
_PATH: Final = "/reports/leads"
_Text = Annotated[str, Query(max_length=200)]


@router.get(_PATH)
def show_counted(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    view: Annotated[View, Depends(read_view)],
    reached: _Text = "",
    stopped: _Text = "",
    status: _Text = "",
    route: _Text = "",
    before: _Text = "",
) -> Response:
    actors.require(visitor.actor, Permission.READ_REPORTS)
    for word, known in ((reached, STEPS), (stopped, STEPS), (status, STATUSES)):
        if word and word not in known:
            raise CommandError(f"there is no {word[:80]!r} in the funnel; {propose(word[:80], known)}")
    asked, _ = build_view_request(view.read_options(site.names), site.names, site.playbook, visitor.now)
    require_known(site.ledger, asked, site.playbook)
    route = route.replace("\x00", "")
    counted = Counted(reached or None, stopped or None, JourneyStatus(status) if status else None, route or None)
    rows, following = list_counted(site.ledger, asked, counted, _ROWS, _read_number(before))
    query = {**view.list_query(), "reached": reached, "stopped": stopped, "status": status, "route": route}
    words = [f"reached: {reached}" if reached else "", f"no further than: {stopped}" if stopped else ""]
    words += [STATUS_WORDS.get(status, status), f"by the rule {route.replace('_', ' ')}" if route else ""]
    return render(
        request, "report_leads.html", visitor=visitor, rows=rows, asked=asked,
        words=", ".join(filter(None, words)) or "all signals", status_words=STATUS_WORDS,
        back=build_address("/reports", **view.list_query()),
        more=None if following is None else build_address(_PATH, **query, before=following),
    )  # fmt: skip


def build_link(view: View, table: str, column: str, row: Mapping[str, Any]) -> str | None:
    """Where a number of a table of the funnel leads to; None for one that counts no journeys of their own."""
    status = column.removeprefix("now_") if column.startswith("now_") else ""
    if not status and column not in (*STEPS, "reached", "on"):
        return None
    given = view.list_query() | {"section": "", "status": status}
    match table:
        case "steps" if status:
            given["stopped"] = row["step"]
        case "steps":
            at = STEPS.index(str(row["step"])) + (column == "on")
            if at >= len(STEPS):
                return None
            given["reached"] = STEPS[at]
        case "by_source":
            given |= {"source": row["source"], "reached": "" if status else column}
        case "by_route" if row["route"]:
            given |= {"route": row["route"], "reached": "" if status else column}
        case _:
            return None
    return build_address(_PATH, **given)


def build_tile_link(view: View, step: str) -> str:
    """The signals of a view that reached ``step``."""
    return build_address(_PATH, **(view.list_query() | {"section": "", "reached": step}))


def _read_number(text: str) -> int | None:
    """Raises ``CommandError``."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise CommandError("this is not where a page of the list begins; go back to its first page")
    return int(text)
