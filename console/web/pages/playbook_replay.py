"""What a kept version of the playbook would have made of the leads so far: a replay in the background, in bounds.

Belongs here: what is asked for, starting and cancelling it, and its bounds. Does not belong here: replaying
(``tasks.replay``), or what is shown (``console.replay``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path as FilePath
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from console.replay.tables import Shown, build_sections, build_shown
from console.replay.verdict import build_verdict
from console.replay.words import describe_period
from console.report.page import group_cards, render_page
from console.report.tables import Section
from console.report.zones import choose_zone
from console.web.background_replays import BackgroundReplay
from console.web.downloads import answer_page
from console.web.rendering import build_address, reload_until_there, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate import actors
from leadgate.errors import LeadgateError
from leadgate.ledger import decision_inputs, playbook_versions
from leadgate.ledger.playbook_versions import VersionContent
from leadgate.permissions import Permission
from leadgate.playbook import parse
from leadgate.replay.limits import MEASURES, Limit, find_exceeded, read_limit
from leadgate.vocabulary import JourneyKind
from tasks.playbook_in_use import require_sound
from tasks.replay.results import ReplayResult, replay_kinds

router = APIRouter()

DAYS: Final = 30
#: Decisions of the period, four of a lead that gets an owner: more would keep the console's process busy for minutes.
MOST: Final = 200_000
_YEARS: Final = range(1970, 9_000)  # others are no days of leads, and some no moments of PostgreSQL

_Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
_Text = Annotated[str, Query(max_length=40)]
_Sent = Annotated[str, Form(max_length=40)]


class AskedReplayError(LeadgateError):
    """What was asked for cannot be replayed on a page."""


@dataclass(frozen=True)
class AskedReplay:
    """Which days, whether turns run on, and the limits, as they were typed."""

    since: str
    until: str
    simulate: bool
    limits: tuple[tuple[str, str], ...]

    def read_days(self, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime | None]:
        """From when on, and up to when: the last day is part of it. Raises ``AskedReplayError``."""
        today = now.astimezone(zone).date()
        first = _read_day(self.since, "from") or today - timedelta(days=DAYS)
        last = _read_day(self.until, "to")
        if last is not None and last < first:
            raise AskedReplayError("the last day is before the first; choose a later one")
        after = None if last is None else datetime.combine(last + timedelta(days=1), time(), zone)
        return datetime.combine(first, time(), zone), after

    def read_limits(self) -> dict[str, Limit]:
        """By the name of the measure. Raises ``AskedReplayError``."""
        try:
            return {name: read_limit(text) for name, text in self.limits}
        except ValueError as error:
            raise AskedReplayError(str(error)) from None

    def list_query(self) -> dict[str, str]:
        """The parameters of an address that asks for the same; what was not asked for is empty."""
        given = dict(self.limits)
        limits = {_name_field(name): given.get(name, "") for name in MEASURES}
        return {"since": self.since, "until": self.until, "simulate": "1" if self.simulate else "", **limits}


def _name_field(measure: str) -> str:
    return measure.replace("-", "_")


def _read_day(text: str, which: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if day.year not in _YEARS:
        raise AskedReplayError(f"{text!r} ({which}) is no day; write one such as 2027-03-31")
    return day


async def read_asked(
    since: _Text = "",
    until: _Text = "",
    simulate: bool = False,
    max_owner_changes: _Text = "",
    max_dropped: _Text = "",
    max_newly_held: _Text = "",
    max_changes: _Text = "",
) -> AskedReplay:
    given = zip(MEASURES, (max_owner_changes, max_dropped, max_newly_held, max_changes), strict=True)
    limits = tuple((name, text.strip()) for name, text in given if text.strip())
    return AskedReplay(since.strip(), until.strip(), simulate, limits)


async def read_sent(
    since: _Sent = "",
    until: _Sent = "",
    simulate: Annotated[bool, Form()] = False,
    max_owner_changes: _Sent = "",
    max_dropped: _Sent = "",
    max_newly_held: _Sent = "",
    max_changes: _Sent = "",
) -> AskedReplay:
    return await read_asked(since, until, simulate, max_owner_changes, max_dropped, max_newly_held, max_changes)


_Asked = Annotated[AskedReplay, Depends(read_asked)]
_SentAsked = Annotated[AskedReplay, Depends(read_sent)]


@router.get("/playbook/versions/{hash_}/replay")
def show_replay(request: Request, site: TheSite, visitor: SignedIn, hash_: _Hash, asked: _Asked) -> Response:
    """The form, and what the replay found, how far it has come, or why there is none."""
    _find_version(site, visitor, hash_)
    found = site.replays.find(_build_key(site, hash_, asked))
    limits = asked.read_limits()
    first, _ = asked.read_days(_choose_zone(site), visitor.now)
    # without limits: the verdict tells of them
    shown = [] if found is None or found.found is None else _build_shown(site, found.found, {})
    if found is not None and found.error is not None and not isinstance(found.error, LeadgateError):
        raise found.error
    response = render(
        request, "playbook_replay.html", visitor=visitor, hash=hash_, asked=asked, replay=found, measures=MEASURES,
        first=asked.since or f"{first:%Y-%m-%d}", query=asked.list_query(), address=_build_address(hash_, asked),
        file=_build_address(hash_, asked, "replay.html"), field=_name_field,
        shown=[(each, list(group_cards(each.tables))) for each in _list_sections(shown)],
        verdict=build_verdict(shown, limits),
    )  # fmt: skip
    return reload_until_there(response, None if found is not None and found.is_going_on else found or "")


@router.post("/playbook/versions/{hash_}/replay")
def start_replay(site: TheSite, visitor: SignedIn, hash_: _Hash, asked: _SentAsked) -> Response:
    """Have it computed in the background."""
    version = _find_version(site, visitor, hash_)
    asked.read_limits()
    zone = _choose_zone(site)
    since, until = asked.read_days(zone, visitor.now)
    used = site.loaded

    def compute(replay: BackgroundReplay) -> list[ReplayResult]:
        with site.ledger.transaction() as connection:
            replay.total = decision_inputs.count_decisions(connection, since, until)
        if replay.total > MOST:
            raise AskedReplayError(
                f"{replay.total:,} decisions were made in these days, and a page replays at most {MOST:,}; choose fewer"
                f" days, or on the host: leadgate replay --playbook {hash_[:12]} --since {since:%Y-%m-%d}"
            )
        draft = parse(version.content, path=used.path)
        require_sound(draft)
        return replay_kinds(
            site.ledger, draft, list(JourneyKind), used=used.playbook, since=since, until=until, zone=zone,
            simulated=asked.simulate, advance=replay.advance,
        )  # fmt: skip

    site.replays.start(_build_key(site, hash_, asked), compute, visitor.account.name)
    return RedirectResponse(_build_address(hash_, asked), 303)


@router.post("/playbook/versions/{hash_}/replay/cancel")
def cancel_replay(site: TheSite, visitor: SignedIn, hash_: _Hash, asked: _SentAsked) -> Response:
    """End the replay, whoever started it."""
    actors.require(visitor.actor, Permission.OPERATE)
    site.replays.cancel(_build_key(site, hash_, asked))
    return RedirectResponse(_build_address(hash_, asked), 303)


@router.get("/playbook/versions/{hash_}/replay.html")
def download_replay(site: TheSite, visitor: SignedIn, hash_: _Hash, asked: _Asked) -> Response:
    """What was found as one page that needs no network; the page of the console instead where it is not there."""
    _find_version(site, visitor, hash_)
    found = site.replays.find(_build_key(site, hash_, asked))
    if found is None or not found.found:
        return RedirectResponse(_build_address(hash_, asked), 303)
    shown = _build_shown(site, found.found, asked.read_limits())
    first = replace(found.found[0], draft=replace(found.found[0].draft, path=FilePath("a kept version")))
    page = render_page(_list_sections(shown), f"Replay of playbook {hash_[:12]}", describe_period(first))
    return answer_page(f"replay_{hash_[:12]}", page)


def _find_version(site: Site, visitor: Visitor, hash_: str) -> VersionContent:
    actors.require(visitor.actor, Permission.OPERATE)
    version = playbook_versions.read_version(site.ledger, hash_)
    if version is None:
        raise HTTPException(404)
    return version


def _choose_zone(site: Site) -> ZoneInfo:
    zone, _ = choose_zone(site.playbook, None, None, "")
    return ZoneInfo(zone)


def _build_key(site: Site, hash_: str, asked: AskedReplay) -> tuple[object, ...]:
    """What the result depends on: not the limits, which are compared with it."""
    return hash_, site.loaded.hash, asked.since, asked.until, asked.simulate


def _build_address(hash_: str, asked: AskedReplay, page: str = "replay") -> str:
    return build_address(f"/playbook/versions/{hash_}/{page}", **asked.list_query())


def _build_shown(site: Site, results: list[ReplayResult], limits: dict[str, Limit]) -> list[Shown]:
    zone = _choose_zone(site).key
    return [build_shown(each, site.playbook, zone, find_exceeded(each.comparison, limits)) for each in results]


def _list_sections(shown: list[Shown]) -> list[Section]:
    return [section for each in shown for section in build_sections(each, apart=len(shown) > 1)]
