"""The application of the console: its parts put together, and what is answered when something goes wrong.

Belongs here: which pages there are, and errors. Does not belong here: a page (``pages``), or the process (``serving``).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from importlib.resources import files
from typing import Final
from urllib.parse import quote

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from console.http.writer import report
from console.web import live, open_id, sign_in
from console.web.going_on import GoingOn
from console.web.guard import MOST_BODY, Guard
from console.web.open_id_provider import OpenIdProvider
from console.web.pages import (
    accounts,
    away,
    data_docs,
    forecast,
    home,
    lead,
    lead_actions,
    my_leads,
    operations,
    playbook,
    playbook_replay,
    playbook_shadow,
    quality,
    queue,
    records,
    report_leads,
    report_views,
    reports,
    team,
    unjoin,
)
from console.web.rendering import render
from console.web.site import Site
from console.web.visitors import SignInNeededError
from leadgate.errors import LeadgateError
from leadgate.ledger import faults

_PAGES: Final = (
    sign_in.router,
    open_id.router,
    live.router,
    home.router,
    accounts.router,
    team.router,
    forecast.router,
    records.router,
    reports.router,
    report_leads.router,
    report_views.router,
    operations.router,
    playbook.router,
    playbook_replay.router,
    playbook_shadow.router,
    quality.router,
    data_docs.router,
    queue.router,
    my_leads.router,
    away.router,
    lead_actions.router,
    unjoin.router,
    lead.router,  # behind other addresses that begin with /leads
)
#: Requests that are answered at a time; more would only wait for each other.
_THREADS: Final = 24
_KEPT: Final = "public, max-age=31536000, immutable"


def build_app(site: Site) -> Guard:
    """The application, guarded. It has threads of its own from start-up to shutdown (ASGI's lifespan)."""
    going_on = GoingOn(site)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = _THREADS
        with going_on.running(), site.figures.renewing():
            async with site.changes.running():
                yield
        site.replays.close()
        site.figures.close()

    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _answer_http_error,
            RequestValidationError: _answer_invalid,
            SignInNeededError: _ask_to_sign_in,
            LeadgateError: _answer_refusal,
            Exception: _answer_unexpected,
        },
    )
    app.state.site = site
    app.state.attempts = sign_in.Attempts()
    server = site.options.sign_in.open_id
    app.state.open_id = None if server is None else OpenIdProvider(server)
    app.state.going_on = going_on
    app.mount("/static", _Static(directory=str(files("console.web").joinpath("static"))))
    # the routes as they are: included, FastAPI would prepare each of them anew at the first request of the application
    app.router.routes.extend(route for router in _PAGES for route in router.routes)

    @app.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("alive\n")

    return Guard(app)  # around everything, the answer to an unexpected error as well


class _Static(StaticFiles):
    """Our own files, whose addresses change with their content."""

    def file_response(self, *given: object, **named: object) -> Response:
        response = super().file_response(*given, **named)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = _KEPT
        return response


async def _ask_to_sign_in(request: Request, _: Exception) -> Response:
    if request.method != "GET" or request.url.path == "/live":
        return PlainTextResponse("sign in first\n", 401)
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?after={quote(asked)}" if asked != "/" else "/sign-in", 303)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {
        404: "There is nothing at this address.",
        405: "This address takes no such request.",
        413: f"A form has at most {MOST_BODY:,} bytes.",
    }
    return _show_problem(request, status, words.get(status, HTTPStatus(status).phrase))


async def _answer_invalid(request: Request, _: Exception) -> Response:
    return _show_problem(request, 422, "The form or the address has a value that cannot be read. Nothing was changed.")


async def _answer_refusal(request: Request, error: Exception) -> Response:
    """An error that says to a person what was wrong, and what to do."""
    status = error.http_status if isinstance(error, LeadgateError) else 400
    return _show_problem(request, status, str(error))


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    if faults.judge(error) != "ours":
        return _show_problem(request, 503, "The ledger cannot be reached at the moment. Try again in a few seconds.")
    report(error, "console")
    return _show_problem(request, 500, "Something went wrong here. It is in the log of the console.")


def _show_problem(request: Request, status: int, problem: str) -> Response:
    return render(request, "problem.html", status=status, problem=problem)
