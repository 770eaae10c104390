"""Operations: what comes in, runs, waits, is parked and goes out, with links to the runs in Prefect.

Belongs here: the page's question to the ledger, and addresses in the Prefect UI. Does not belong here: the figures
(``console.operations``, ``ledger.operation_figures``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.operations import Flow, Operations, read_flow, read_operations
from console.web.rendering import reload_until_there, render
from console.web.site import Site, TheSite
from console.web.visitors import SignedIn
from leadgate import actors
from leadgate.ledger.operation_figures import SourceStanding
from leadgate.permissions import Permission

router = APIRouter()
_LAST: Final = 3.0  # seconds for which the figures are kept
_KEY: Final = ("operations",)


@dataclass(frozen=True)
class Now:
    operations: Operations
    flow: Flow


@router.get("/operations")
def show_operations(request: Request, site: TheSite, visitor: SignedIn) -> Response:
    actors.require(visitor.actor, Permission.READ_OPERATIONS)
    kept = site.figures.ask(_KEY, lambda: _read(site), keep=_LAST)
    found = None if kept is None else kept.figures
    response = render(
        request, "operations.html", visitor=visitor, now=found,
        sources=[] if found is None else _list_sources(site, found.flow),
        link_run=lambda holder: _link_run(site, holder), prefect=site.options.prefect_url,
    )  # fmt: skip
    return reload_until_there(response, found)


def _read(site: Site) -> Now:
    at = site.now()
    return Now(read_operations(site.ledger, site.settings, at), read_flow(site.ledger, at))


def _list_sources(site: Site, flow: Flow) -> list[tuple[str, SourceStanding | None]]:
    """Those of the playbook, and others from which something came."""
    found = {each.source: each for each in flow.sources}
    return [(name, found.get(name)) for name in dict.fromkeys([*site.playbook.sources, *found])]


def _link_run(site: Site, holder: str) -> str | None:
    """The page of the flow run that holds a batch; None where a process without Prefect does."""
    try:
        run = UUID(holder)
    except ValueError:
        return None
    return None if site.options.prefect_url is None else f"{site.options.prefect_url}/runs/flow-run/{run}"
