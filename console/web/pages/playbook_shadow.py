"""A draft that decides beside the playbook in use: what it would have decided otherwise, starting it and ending it.

Belongs here: reading what was asked for. Does not belong here: a shadow (``tasks.shadow``), its tables
(``console.shadow_tables``) and its words (``console.shadow_words``).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Path, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from console.display_names import DisplayNames
from console.playbook_changes import Change, compare_playbooks
from console.replay.words import describe_changed, describe_difference, name_parts
from console.report.page import group_cards
from console.report.zones import choose_zone
from console.shadow_tables import list_facts_both_ways, list_points_both_ways, list_shadow_tables, list_shadow_tiles
from console.shadow_words import describe_cost, describe_forgotten, describe_pause
from console.web.kept_figures import Kept
from console.web.rendering import reload_until_there, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn
from leadgate import actors
from leadgate.counting import format_count
from leadgate.ledger import playbook_versions
from leadgate.ledger.playbook_activations import LONGEST_REASON
from leadgate.permissions import Permission
from leadgate.playbook import Playbook, PlaybookError, parse
from tasks.replay.results import list_not_replayed
from tasks.shadow import ShadowFindings, find_changed, find_shadow, start_kept, stop_shadow

router = APIRouter()
_PAGE: Final = "/playbook/shadow"
_KEY: Final = ("playbook", "shadow")
_LAST: Final = 5.0  # seconds for which the figures are kept
_MOST_VERSIONS: Final = 50


@dataclass(frozen=True)
class ShownShadow:
    """What a shadow found, and its draft; None for a draft that cannot be read here any more."""

    found: ShadowFindings
    draft: Playbook | None


@router.get(_PAGE)
def show_shadow(request: Request, site: TheSite, visitor: SignedIn) -> Response:
    actors.require(visitor.actor, Permission.READ_PLAYBOOK)
    asked = ask_shadow(site)
    shown = None if asked is None else asked.figures
    with site.ledger.snapshot() as connection:
        versions = playbook_versions.list_versions(connection, _MOST_VERSIONS)
    response = render(
        request, "playbook_shadow.html", visitor=visitor, is_there=asked is not None,
        shown=None if shown is None else _describe(shown, site),
        versions=[each for each in versions if each.hash != site.loaded.hash],
        known={each.hash for each in versions}, longest=LONGEST_REASON,
        may_operate=actors.may(visitor.actor, Permission.OPERATE),
        sees_leads=actors.may(visitor.actor, Permission.SEE_LEADS),
    )  # fmt: skip
    return reload_until_there(response, asked)


@router.get(_PAGE + "/leads/{journey}")
def show_lead(
    request: Request, site: TheSite, visitor: SignedIn, journey: Annotated[int, Path(ge=1, le=2**62)]
) -> Response:
    """A lead both ways."""
    actors.require(visitor.actor, Permission.READ_PLAYBOOK)
    actors.require(visitor.actor, Permission.SEE_LEADS)
    shown = _read(site)
    changed = None if shown is None else find_changed(site.ledger, shown.found.shadow.id, journey)
    if shown is None or changed is None:
        raise HTTPException(404)
    draft = shown.draft or site.playbook
    return render(
        request, "playbook_shadow_lead.html", visitor=visitor, changed=changed, found=shown.found,
        facts=list_facts_both_ways(changed, DisplayNames(draft), _choose_zone(site)),
        points=list_points_both_ways(changed, site.playbook, draft),
    )  # fmt: skip


@router.post(_PAGE + "/start")
def start(
    site: TheSite,
    visitor: SignedIn,
    draft: Annotated[str, Form(pattern=r"^[0-9a-f]{64}$")],
    reason: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    """Have a version that the ledger keeps decide beside the one in use."""
    start_kept(site.ledger, draft, reason, by=visitor.actor, now=visitor.now, read_as=site.loaded.path)
    site.figures.forget(_KEY)
    return RedirectResponse(_PAGE, 303)


@router.post(_PAGE + "/stop")
def stop(
    site: TheSite,
    visitor: SignedIn,
    number: Annotated[int, Form(ge=1, le=2**62)],
    reason: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    """End the shadow that the visitor saw."""
    stop_shadow(site.ledger, reason, by=visitor.actor, now=visitor.now, number=number)
    site.figures.forget(_KEY)
    return RedirectResponse(_PAGE, 303)


def ask_shadow(site: Site) -> Kept[ShownShadow | None] | None:
    """The shadow that was started last, once it is read."""
    return site.figures.ask(_KEY, lambda: _read(site), keep=_LAST)


def _read(site: Site) -> ShownShadow | None:
    found = find_shadow(site.ledger)
    if found is None:
        return None
    try:
        return ShownShadow(found, parse(found.shadow.content, path=site.loaded.path).playbook)
    except PlaybookError:
        return ShownShadow(found, None)


def _describe(shown: ShownShadow, site: Site) -> dict[str, object]:
    """What the page tells of a shadow."""
    found, draft = shown.found, shown.draft
    names = DisplayNames(draft or site.playbook)
    changes: list[Change] = [] if draft is None else compare_playbooks(site.playbook, draft)
    told = [(each, *describe_changed(each, names, _choose_zone(site))) for each in found.told]
    return {
        "found": found,
        "shadow": found.shadow,
        "tiles": list_shadow_tiles(found),
        "cards": list(group_cards(list_shadow_tables(found))),
        "told": told,
        "pause": describe_pause(found),
        "cost": describe_cost(found),
        "waiting": format_count(found.waiting, "batch waits", "batches wait"),
        "forgotten": describe_forgotten(found),
        "differences": [describe_difference(each) for each in found.differences],
        "changes": [(title, list(each)) for title, each in groupby(changes, lambda change: change.section)],
        "not_replayed": "" if draft is None else name_parts(list_not_replayed(site.playbook, draft)),
    }


def _choose_zone(site: Site) -> ZoneInfo:
    return ZoneInfo(choose_zone(site.playbook, None, None, "")[0])
