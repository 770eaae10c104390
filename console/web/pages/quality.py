"""The quality of data: the share of rows that kept each promise of each gate, and of empty values, by week.

Belongs here: reading the address. Does not belong here: shares (``console.quality``), or counting (``ledger``).
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.quality import build_fields, build_promises, list_findings, read_counts
from console.web.rendering import reload_until_there, render
from console.web.site import TheSite
from console.web.visitors import SignedIn
from leadgate import actors
from leadgate.data_docs_folder import find_build
from leadgate.ledger.breakers import list_breakers
from leadgate.ledger.quality_figures import WEEKS
from leadgate.permissions import Permission
from leadgate.vocabulary import GateName

router = APIRouter()
_LAST: Final = 600.0  # seconds for which the counts are kept
_MOST: Final = 50  # findings
_KEY: Final = ("quality",)


@router.get("/quality")
def show_quality(
    request: Request, site: TheSite, visitor: SignedIn, source: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    actors.require(visitor.actor, Permission.READ_QUALITY)
    kept = site.figures.ask(_KEY, lambda: read_counts(site.ledger, site.now()), keep=_LAST)
    counts = None if kept is None else kept.figures
    sources = list(dict.fromkeys([*site.playbook.sources, *(counts.sources if counts else ())]))
    if source and source not in sources and counts is not None:
        raise HTTPException(404)
    promises = build_promises(counts, source or None) if counts else []
    leads, fields = build_fields(counts, source or None) if counts else ([], [])
    with site.ledger.statement() as connection:
        breakers = list_breakers(connection)
    findings = list_findings(counts, breakers, site.playbook.breaker, source or None) if counts else []
    response = render(
        request, "quality.html", visitor=visitor, counts=counts, source=source,
        sources=[(name, site.names.name_source(name)) for name in sources],
        broke=sorted((each for each in promises if each.broken or each.open), key=lambda each: -each.broken),
        gates=[(gate, [each for each in promises if each.gate == gate]) for gate in GateName],
        leads=leads, fields=fields, findings=findings[:_MOST],
        data_docs=find_build(site.settings.home),
        weeks=[f"{number} w ago" if number else "7 days" for number in reversed(range(WEEKS))],
    )  # fmt: skip
    return reload_until_there(response, counts)
