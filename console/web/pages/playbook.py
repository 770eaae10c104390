"""The playbook: its rules as sentences with their hits, its versions, and what a lead that is made up would get.

Belongs here: reading what was asked for. Does not belong here: the sentences (``console.rule_sentences``), the hits
(``ledger.rule_hits``), or the decisions about a lead (``tasks.trial``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from console.kind_sentences import list_kind_sections
from console.lead_trial import (
    MOST_DAYS,
    MOST_TIMES,
    TrialError,
    TriedLead,
    list_tried_fields,
    list_tried_sources,
    read_capacity,
    try_lead,
)
from console.playbook_changes import compare_lines, compare_playbooks
from console.rule_sentences import RuleSection, list_sections
from console.shadow_words import describe_pause
from console.web.kept_figures import Kept
from console.web.pages.playbook_shadow import ask_shadow
from console.web.rendering import reload_until_there, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn, Visitor
from leadgate import actors
from leadgate.expressions.wording import name_field
from leadgate.ledger import playbook_activations, playbook_versions, shadows
from leadgate.ledger.playbook_activations import LONGEST_REASON, Activation
from leadgate.ledger.playbook_versions import Version, VersionContent
from leadgate.ledger.rule_hits import Hits, read_hits
from leadgate.ledger.shadows import Shadow
from leadgate.permissions import Permission
from leadgate.playbook import Playbook, PlaybookError, parse
from leadgate.scoring.verdict import list_counted_activities
from tasks import playbook_in_use
from tasks.assignment import Capacity
from tasks.playbook_in_use import describe_method
from tasks.shadow import ShadowFindings

router = APIRouter()
_Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
_HashAsked = Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")]

#: Seconds for which hits are kept, and what reps can take.
_HITS: Final = ("playbook", "hits")
_HITS_LAST: Final = 300.0
_CAPACITY_LASTS: Final = 5.0
_PATIENCE: Final = 10.0  # seconds for what reps can take, which a trial cannot do without
_MOST_VERSIONS: Final = 50
_MOST_ACTIVATIONS: Final = 50
_MOST_LINES: Final = 2_000  # of a difference
_NUMBER: Final = re.compile(r"[0-9]{1,5}")
_DID: Final = "did_"  # before a kind of activity in the form
_LONG: Final = frozenset({"message"})


@router.get("/playbook")
def show_playbook(
    request: Request, site: TheSite, visitor: SignedIn, show: Literal["all", "unused"] = "all"
) -> Response:
    actors.require(visitor.actor, Permission.READ_PLAYBOOK)
    asked = _ask_hits(site)
    hits = None if asked is None else asked.figures[0]
    sections = list_sections(site.playbook, site.names)
    unused = 0 if hits is None else sum(each.key not in hits.by_rule for section in sections for each in section.rules)
    of_records = list_kind_sections(site.playbook, site.names)
    only_unused = show == "unused" and hits is not None
    shown = list(_keep_unused(sections, hits)) if only_unused and hits is not None else [*sections, *of_records]
    shadow = _find_shadow(site)
    found = None if shadow is None else _find_findings(site, shadow)
    response = render(
        request, "playbook.html", shadow=shadow, found=found, pause=None if found is None else describe_pause(found),
        visitor=visitor, sections=shown, hits=hits, show=show, unused=unused,
        rules=sum(len(section.rules) for section in (*sections, *of_records)),
        quiet=0 if hits is None else _count_quiet(sections, hits),
        versions={} if asked is None else {each.hash: each for each in asked.figures[1]},
        activations=_list_activations(site), describe_method=describe_method, longest=LONGEST_REASON,
        may_operate=actors.may(visitor.actor, Permission.OPERATE), before=_find_before(site),
    )  # fmt: skip
    return reload_until_there(response, hits)


@router.post("/playbook/activations/{number}/reason")
def add_reason(
    site: TheSite,
    visitor: SignedIn,
    number: Annotated[int, Path(ge=1, le=2**62)],
    reason: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    """Say afterwards why a playbook was activated."""
    playbook_activations.add_reason(site.ledger, number, reason, by=visitor.actor, now=visitor.now)
    return RedirectResponse("/playbook#versions", 303)


@router.post("/playbook/versions/{hash_}/activate")
def activate_version(
    site: TheSite,
    visitor: SignedIn,
    hash_: _Hash,
    instead_of: Annotated[str, Form(pattern=r"^[0-9a-f]{64}$")],
    reason: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    """Make a kept version the one in use, in place of the one that the visitor saw in use."""
    playbook_in_use.roll_back(
        site.ledger,
        reason,
        by=visitor.actor,
        now=visitor.now,
        read_as=site.loaded.path,
        to=hash_,
        instead_of=instead_of,
    )
    site.follow()
    site.figures.forget(_HITS)
    return RedirectResponse("/playbook#versions", 303)


@router.get("/playbook/versions/{hash_}")
def show_version(request: Request, site: TheSite, visitor: SignedIn, hash_: _Hash) -> Response:
    """A version beside the one that was first used before it."""
    actors.require(visitor.actor, Permission.READ_PLAYBOOK)
    found = _read_version(site, hash_)
    return _show_difference(request, site, visitor, found, found.before_hash, found.before_content)


@router.get("/playbook/diff")
def show_difference(request: Request, site: TheSite, visitor: SignedIn, a: _HashAsked, b: _HashAsked) -> Response:
    """The version ``b`` beside the version ``a``."""
    actors.require(visitor.actor, Permission.READ_PLAYBOOK)
    before = _read_version(site, a)
    return _show_difference(request, site, visitor, _read_version(site, b), before.hash, before.content)


@router.get("/playbook/try")
def try_values(request: Request, site: TheSite, visitor: SignedIn) -> Response:
    """The form, and what the lead in the address would get. Nothing is stored."""
    actors.require(visitor.actor, Permission.READ_PLAYBOOK)
    given = request.query_params
    fields, activities = list_tried_fields(site.playbook), list_counted_activities(site.playbook)
    trial = None
    if "source" in given:
        lead = _read_lead(given, list(fields), activities)
        trial = try_lead(site.loaded, lead, _ask_capacity(site), visitor.now)
    labels = {name: each.label for name, each in site.playbook.fields.items() if each.label}
    sentences = {each.name: each for section in list_sections(site.playbook, site.names) for each in section.rules}
    return render(
        request, "playbook_try.html", visitor=visitor, trial=trial, given=given, activities=activities,
        fields=[(name, (labels.get(name) or name_field(name)), name in _LONG) for name in fields],
        sources=list_tried_sources(site.playbook), most_times=MOST_TIMES, most_days=MOST_DAYS, sentences=sentences,
    )  # fmt: skip


def _ask_hits(site: Site) -> Kept[tuple[Hits, list[Version]]] | None:
    def compute() -> tuple[Hits, list[Version]]:
        with site.ledger.snapshot() as connection:
            versions = playbook_versions.list_versions(connection, _MOST_VERSIONS)
        return read_hits(site.ledger, site.now()), versions

    return site.figures.ask(_HITS, compute, keep=_HITS_LAST)


def _ask_capacity(site: Site) -> Capacity:
    def compute() -> Capacity:
        return read_capacity(site.ledger, site.playbook, site.now())

    found = site.figures.ask(("playbook", "capacity"), compute, keep=_CAPACITY_LASTS, patience=_PATIENCE)
    return compute() if found is None else found.figures


def _keep_unused(sections: list[RuleSection], hits: Hits) -> Iterator[RuleSection]:
    for section in sections:
        if unused := tuple(each for each in section.rules if each.key not in hits.by_rule):
            yield RuleSection(section.title, unused)


def _count_quiet(sections: list[RuleSection], hits: Hits) -> int:
    """Rules that were hit before, but not lately."""
    found = (hits.by_rule.get(each.key) for section in sections for each in section.rules)
    return sum(each is not None and each.recent == 0 for each in found)


def _list_activations(site: Site) -> list[Activation]:
    with site.ledger.transaction() as connection:
        return playbook_activations.list_activations(connection, _MOST_ACTIVATIONS)


def _find_shadow(site: Site) -> Shadow | None:
    with site.ledger.statement() as connection:
        return shadows.find_running(connection)


def _find_findings(site: Site, shadow: Shadow) -> ShadowFindings | None:
    """What the shadow found, if it is read already."""
    asked = ask_shadow(site)
    shown = None if asked is None else asked.figures
    return shown.found if shown is not None and shown.found.shadow.id == shadow.id else None


def _find_before(site: Site) -> str | None:
    """The hash of the version that going back makes the one in use again."""
    with site.ledger.transaction() as connection:
        return playbook_in_use.find_before(playbook_activations.list_contents(connection))


def _read_version(site: Site, hash_: str) -> VersionContent:
    found = playbook_versions.read_version(site.ledger, hash_)
    if found is None:
        raise HTTPException(404)
    return found


def _show_difference(
    request: Request, site: Site, visitor: Visitor, version: VersionContent, before: str | None, content: str | None
) -> Response:
    """``version``, and what differs from ``before``, whose text is ``content``; None for both: it was the first."""
    changes, lines = None, None
    if content is not None:
        lines = compare_lines(content, version.content, _MOST_LINES)
        old, new = _parse(site, content), _parse(site, version.content)
        if old is not None and new is not None:
            found = compare_playbooks(old, new)
            changes = [(title, list(each)) for title, each in groupby(found, lambda change: change.section)]
    history = _list_activations(site)
    in_use = history[0].hash if history else site.loaded.hash
    return render(
        request, "playbook_version.html", visitor=visitor, version=version, in_use=in_use,
        before=before, changes=changes, lines=lines, cut=lines is not None and len(lines) >= _MOST_LINES,
        activations=[each for each in history if each.hash == version.hash], describe_method=describe_method,
        may_operate=actors.may(visitor.actor, Permission.OPERATE), longest=LONGEST_REASON, shadow=_find_shadow(site),
    )  # fmt: skip


def _parse(site: Site, content: str) -> Playbook | None:
    """None for one that another version of Leadgate wrote, and this one cannot read."""
    try:
        return parse(content, path=site.loaded.path).playbook
    except PlaybookError:
        return None


def _read_lead(given: Mapping[str, str], fields: list[str], activities: list[str]) -> TriedLead:
    unknown = given.keys() - {"source", "days_ago", *fields, *(f"{_DID}{kind}" for kind in activities)}
    if unknown:
        raise TrialError("the address has a field that this form does not have; open the form again")
    return TriedLead(
        source=given["source"],
        values={name: given[name] for name in fields if given.get(name, "").strip()},
        activities={kind: times for kind in activities if (times := _read_number(given.get(f"{_DID}{kind}", "")))},
        days_ago=_read_number(given.get("days_ago", "")),
    )


def _read_number(text: str) -> int:
    if not text.strip():
        return 0
    if _NUMBER.fullmatch(text.strip()) is None:
        raise TrialError("how often and how many days ago are whole numbers")
    return int(text)
