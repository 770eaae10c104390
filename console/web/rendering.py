"""Pages from templates: every value is written as text, in the visitor's time zone and in people's names.

Belongs here: the environment of the templates, and what each of them can use. Does not belong here: what a page shows.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from console.html_templates import build_environment
from console.redaction import sanitise
from console.report.tables import NONE, format_percent
from console.screen import format_span
from console.web.done_actions import add_done, find_done
from console.web.linked_text import link_cell, link_sentence, name_column
from console.web.navigation import is_current, list_pages
from console.web.site import find_site
from console.web.visitors import Visitor

#: Where a page is a text of its own, such as a payload: its lines and tabs stay.
_LINES: Final = str.maketrans({"␊": "\n", "␉": "\t"})


def render(
    request: Request, template: str, *, visitor: Visitor | None = None, status: int = 200, **values: object
) -> HTMLResponse:
    """The page ``template``, filled with ``values``. Templates also have ``site``, ``visitor`` and ``request``."""
    page = _build_environment().get_template(template)
    text = page.render(site=find_site(request), visitor=visitor, request=request, **values)
    return HTMLResponse(text, status)


def reload_until_there(response: HTMLResponse, *figures: object) -> HTMLResponse:
    """``response``; a page that lacks some of its ``figures`` comes again by itself, also without a script."""
    if any(each is None for each in figures):
        response.headers["Refresh"] = "2"
    return response


@cache
def _build_environment() -> Environment:
    # the parts of a report are those of the file that the command writes
    environment = build_environment("console.web", "console.report")
    environment.filters |= {
        "moment": format_moment_markup,
        "due": format_due_markup,
        "span": format_span,
        "percent": format_percent,
        "number": lambda value: f"{value:,}",
        "short": shorten,
        "words": lambda name: str(name).replace("_", " "),
        "linked": link_sentence,
        "linked_cell": link_cell,
        "column": name_column,
        "lines": lambda text: Markup(escape(sanitise(text).translate(_LINES))),  # noqa: S704 - escaped here
    }
    environment.globals |= {
        "static": build_static_address,
        "address": build_address,
        "navigation": list_pages,
        "is_current": is_current,
        "NONE": NONE,
        "find_done": find_done,
        "this_page": lambda request: add_done(build_address(request.url.path, **request.query_params), None),
    }
    return environment


def shorten(value: object, most: int) -> str:
    """``value`` as text of at most ``most`` characters."""
    text = "" if value is None else str(value)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


@pass_context
def format_moment_markup(context: Context, at: datetime | None) -> Markup:
    """A moment in the visitor's time zone, such as "Fri 27 Nov, 10:05", with the year where it is another."""
    visitor: Visitor | None = context.get("visitor")
    if at is None:
        return Markup()
    local = at if visitor is None else at.astimezone(visitor.zone)
    year = "" if visitor is None or local.year == visitor.now.astimezone(visitor.zone).year else f" {local.year}"
    return _write_time(
        at.isoformat(timespec="seconds"),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        f"{local:%a} {local.day} {local:%b}{year}, {local:%H:%M}",
    )


@pass_context
def format_due_markup(context: Context, due: datetime | None) -> Markup:
    """How long until ``due``, or how long past; a script counts on."""
    visitor: Visitor = context["visitor"]
    if due is None:
        return Markup()
    left = due - visitor.now
    words = f"in {format_span(left)}" if left > timedelta(0) else f"{format_span(-left)} overdue"
    state = "overdue" if left <= timedelta(0) else "soon" if left <= timedelta(hours=1) else "later"
    local = due.astimezone(visitor.zone)
    return _write_time(
        due.isoformat(timespec="seconds"), f"{local:%Y-%m-%d %H:%M %Z}", words, f' class="due {state}" data-due'
    )


def _write_time(moment: str, title: str, words: str, attributes: str = "") -> Markup:
    """An element ``time``. A page has a hundred of them, and ``Markup.format`` takes ten times as long."""
    return Markup(  # noqa: S704 - what is not escaped here is written above
        f'<time datetime="{moment}" title="{escape(title)}"{attributes}>{escape(words)}</time>'
    )


def build_static_address(name: str) -> str:
    """The address of a file of ``static``, which changes with its content: browsers keep it for a year."""
    return f"/static/{name}?v={_hash_static(name)}"


@cache
def _hash_static(name: str) -> str:
    return hashlib.sha256(files("console.web").joinpath("static", name).read_bytes()).hexdigest()[:12]


def build_address(path: str, **query: Any) -> str:
    """``path`` with a query, of which empty values are left out."""
    given = {name: value for name, value in query.items() if value not in (None, "", False)}
    if not given:
        return path
    if any(isinstance(value, (list, tuple)) for value in given.values()):
        return f"{path}?{urlencode(given, doseq=True)}"
    return f"{path}?{'&'.join(f'{_quote(name)}={_quote(str(value))}' for name, value in given.items())}"


#: A page writes the same address, of itself, into each of its rows.
_quote: Final = lru_cache(maxsize=1_000)(quote_plus)
