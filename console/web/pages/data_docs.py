"""Great Expectations' Data Docs, as they were built last.

Belongs here: a page of the build, and with which rights a browser shows it. Does not belong here: building
(``tasks.data_docs``), or finding the page's file safely (``leadgate.data_docs_folder``).
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from console.web.rendering import render
from console.web.site import TheSite
from console.web.visitors import SignedIn
from leadgate import actors
from leadgate.data_docs_folder import INDEX, find_build, read_page
from leadgate.permissions import Permission

router = APIRouter()
#: Files are shown, not trusted: less than a page of ours may. Of the sandbox nothing is lifted but the origin, by which
#: the style is that of this host; without ``allow-scripts`` no script runs, ours neither.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "sandbox allow-same-origin"
)
_TYPES: Final = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8"}


@router.get("/quality/data-docs")
def go_to_data_docs(visitor: SignedIn) -> Response:
    actors.require(visitor.actor, Permission.READ_QUALITY)
    return RedirectResponse("/quality/data-docs/", 303)


@router.get("/quality/data-docs/")
def show_index(request: Request, site: TheSite, visitor: SignedIn) -> Response:
    return show_data_docs(request, site, visitor, INDEX)


@router.get("/quality/data-docs/{name}")
def show_data_docs(request: Request, site: TheSite, visitor: SignedIn, name: str) -> Response:
    actors.require(visitor.actor, Permission.READ_QUALITY)
    content = read_page(site.settings.home, name)
    if content is not None:
        return Response(
            content,
            media_type=_TYPES[name.rpartition(".")[2]],
            headers={"Content-Security-Policy": _POLICY},
        )
    build = find_build(site.settings.home)
    if build is None or name == INDEX:
        return render(request, "data_docs_missing.html", visitor=visitor, status=404)
    raise HTTPException(404)
