"""The forecast: what opportunities come to by owner, what moved since a day, and why.

Belongs here: reading the address, and whose opportunities a visitor sees. Does not belong here: the figures
(``console.forecast``), or the page of one opportunity (``records``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from console.forecast.reading import read_forecast
from console.forecast.request import (
    DEFAULT_PERIOD,
    DEFAULT_SINCE,
    SINCE_WORDS,
    AskedForecast,
    ForecastOptions,
    ask_forecast,
    describe_days,
    find_owners,
)
from console.forecast.sentences import CATEGORY_WORDS, REASON_WORDS, explain_movement, format_money, name_owner
from console.forecast.text import format_moment, list_notes
from console.screen import CommandError
from console.web.rendering import reload_until_there, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate import actors
from leadgate.permissions import Permission, Scope
from leadgate.records.forecast import COUNTED
from leadgate.records.forecast_periods import FORECAST_PERIODS

router = APIRouter()
_LAST: Final = 60.0  # seconds for which a forecast is kept
_MOST: Final = 200  # opportunities that are listed
_Text = Annotated[str, Query(max_length=200)]


@router.get("/forecast")
def show_forecast(
    request: Request,
    site: TheSite,
    visitor: SignedIn,
    period: _Text = DEFAULT_PERIOD,
    since: _Text = DEFAULT_SINCE,
    until: _Text = "",
    whose: _Text = "",
) -> Response:
    actors.require(visitor.actor, Permission.READ_FORECAST, min(_list_seen(visitor) or (), default=None))
    owners = _find_owners(site, visitor, whose)
    section = site.playbook.kinds.opportunity
    options = ForecastOptions(
        since or DEFAULT_SINCE, until or None, period or DEFAULT_PERIOD, section.fiscal_year_start if section else 1
    )
    try:
        asked = ask_forecast(options, visitor.now, visitor.zone.key, owners)
    except CommandError as error:
        return render(request, "problem.html", visitor=visitor, status=422, problem=str(error))
    key = ("forecast", asked.since, asked.period, asked.zone, owners, None if options.until is None else asked.until)
    kept = site.figures.ask(key, lambda: read_forecast(site.ledger, _renew(asked, options, site.now())), keep=_LAST)
    read = None if kept is None else kept.figures
    response = render(
        request, "forecast.html", visitor=visitor, read=read, asked=asked if read is None else read.asked,
        options=options, whose=whose, choices=_list_choices(site, visitor),
        periods=_add_chosen(FORECAST_PERIODS, options.period, asked.period_words),
        days=_add_chosen(SINCE_WORDS, options.since, options.since), period_days=describe_days(asked.period),
        columns=[(category, CATEGORY_WORDS[category]) for category in COUNTED], reasons=REASON_WORDS,
        notes=[] if read is None else list_notes(read), most=_MOST, **_build_words(site, visitor, asked),
    )  # fmt: skip
    return reload_until_there(response, read)


@router.get("/forecast/{record}")
def show_record(visitor: SignedIn, record: str) -> Response:
    """The page of a record, whose story was told here once."""
    return RedirectResponse(f"/records/{quote(record, safe='')}", 303)


def _renew(asked: AskedForecast, options: ForecastOptions, now: datetime) -> AskedForecast:
    """The same question as of ``now``: a forecast is computed again without anybody asking for it."""
    return ask_forecast(options, now, asked.zone, asked.owners)


def _list_seen(visitor: Visitor) -> frozenset[str] | None:
    """The reps whose opportunities ``visitor`` sees; None: everybody's."""
    scope = actors.find_scope(visitor.actor, Permission.READ_FORECAST)
    if scope is Scope.ALL:
        return None
    if scope is Scope.TEAM:
        return visitor.actor.reps
    return frozenset({visitor.actor.rep} - {None}) if scope is Scope.OWN else frozenset()  # type: ignore[arg-type]


def _find_owners(site: Site, visitor: Visitor, whose: str) -> frozenset[str] | None:
    """Whose opportunities are asked for, of those whom the visitor sees. Raises ``ActorError`` for others."""
    seen = _list_seen(visitor)
    kind, _, name = whose.partition(":")
    if not whose:
        return seen
    if kind not in ("rep", "team") or not name or "\x00" in name:
        raise HTTPException(404)
    try:
        owners = find_owners(site.playbook, name if kind == "rep" else None, name if kind == "team" else None)
    except CommandError as error:
        raise HTTPException(404) from error
    if owners is not None and seen is not None:
        for owner in owners - seen:
            actors.require(visitor.actor, Permission.READ_FORECAST, owner)
    return owners


def _list_choices(site: Site, visitor: Visitor) -> list[tuple[str, str]]:
    """Whose opportunities a visitor can choose: the value of a form, and its words."""
    seen = _list_seen(visitor)
    reps = [rep for rep in site.playbook.reps if seen is None or rep.name in seen]
    managers = sorted({rep.manager for rep in reps if rep.manager}) if seen is None else []
    return [
        *((f"team:{name}", f"Team of {site.names.name_rep(name)}") for name in managers),
        *((f"rep:{rep.name}", site.names.name_rep(rep.name)) for rep in reps),
    ]


def _add_chosen(choices: Mapping[str, str], chosen: str, words: str) -> list[tuple[str, str]]:
    """``choices`` with what was chosen, where the address names something else."""
    return [*([] if chosen in choices else [(chosen, words)]), *choices.items()]


def _build_words(site: Site, visitor: Visitor, asked: AskedForecast) -> dict[str, Any]:
    """What the template writes money, moments and movements with."""
    name_rep, year = site.names.name_rep, asked.day_after.year
    return {
        "money": format_money,
        "owner_name": lambda owner: name_owner(owner, name_rep),
        "explain": lambda each: explain_movement(each.movement, name_rep, year),
        "moment_words": lambda at: format_moment(at, visitor.zone, visitor.now),
    }
