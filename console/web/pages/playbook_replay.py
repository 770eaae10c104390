"""What a kept version of the playbook would have made of the leads of the last days: a replay, in bounds.

Belongs here: its bounds, and computing it in the background. Does not belong here: replaying (``tasks.replay``), or
what is shown (``console.replay``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.replay.tables import build_sections, build_shown
from console.report.page import group_cards
from console.report.tables import Section
from console.report.zones import choose_zone
from console.web.kept_figures import Kept
from console.web.rendering import reload_until_there, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn
from leadgate import actors
from leadgate.ledger import decision_inputs, playbook_versions
from leadgate.permissions import Permission
from leadgate.playbook import parse
from leadgate.vocabulary import JourneyKind
from tasks.playbook_in_use import require_sound
from tasks.replay.results import replay_playbook

router = APIRouter()

DAYS: Final = 30
#: Leads of the days: more would keep the console's process busy for too long.
MOST: Final = 5_000
_LAST: Final = 300.0  # seconds for which a replay is kept


@dataclass(frozen=True)
class Replay:
    """``sections`` is None where there are more than ``MOST`` leads."""

    leads: int
    sections: list[Section] | None = None


@router.get("/playbook/versions/{hash_}/replay")
def show_replay(
    request: Request, site: TheSite, visitor: SignedIn, hash_: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
) -> Response:
    actors.require(visitor.actor, Permission.OPERATE)
    version = playbook_versions.read_version(site.ledger, hash_)
    if version is None:
        raise HTTPException(404)
    asked = _ask(site, hash_, version.content)
    found = None if asked is None else asked.figures
    sections = None if found is None else found.sections
    response = render(
        request, "playbook_replay.html", visitor=visitor, hash=hash_, found=found, days=DAYS, most=MOST,
        shown=None if sections is None else [(each, list(group_cards(each.tables))) for each in sections],
    )  # fmt: skip
    return reload_until_there(response, found)


def _ask(site: Site, hash_: str, content: str) -> Kept[Replay] | None:
    used = site.loaded

    def compute() -> Replay:
        since = site.now() - timedelta(days=DAYS)
        with site.ledger.transaction() as connection:
            leads = decision_inputs.count_since(connection, JourneyKind.LEAD, since)
        if leads > MOST:
            return Replay(leads)
        version = parse(content, path=used.path)
        require_sound(version)
        zone, _ = choose_zone(used.playbook, None, None, "")
        result = replay_playbook(site.ledger, version, used=used.playbook, since=since, zone=ZoneInfo(zone))
        return Replay(leads, build_sections(build_shown(result, used.playbook, zone)))

    return site.figures.ask(("playbook", "replay", hash_, used.hash), compute, keep=_LAST)
