"""Sentences of a lead's story as markup: moments in the visitor's time zone, ids as links.

Belongs here: finding moments and ids in a sentence. Does not belong here: the sentences (``console.explain``,
``console.timeline``), or values: those are written as they are.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from console.display_names import DisplayNames
from console.redaction import SHOWN, sanitise

MOST: Final = SHOWN * 5  # characters of a sentence
_MOMENT: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d"
_FOUND: Final = re.compile(
    rf"(?P<moment>{_MOMENT}) UTC|(?P<command>`leadgate explain (?P<explained>[JR]\d{{1,18}})`)"
    r"|\b(?P<item>W(?P<number>\d{1,18}))\b|\b(?P<journey>J\d{1,18})\b|\b(?P<word>[Ll]ead )(?P<lead>\d{1,18})\b"
)
_DIGIT: Final = re.compile(r"\d")  # each of those has one


@pass_context
def link_sentence(context: Context, text: object) -> Markup:
    """A sentence, with its moments (as in "2026-03-04 10:00 UTC") as times and its ids as links to their pages."""
    names: DisplayNames = context["site"].names
    sentence = sanitise(names.write_names(str(text)), MOST)
    if not _DIGIT.search(sentence):  # most sentences and cells of a page
        return escape(sentence)
    parts, at = [], 0
    for found in _FOUND.finditer(sentence):
        parts += [escape(sentence[at : found.start()]), _link(context, found)]
        at = found.end()
    return Markup().join([*parts, escape(sentence[at:])])


@pass_context
def link_cell(context: Context, text: object, column: str) -> Markup:
    """A cell of a table, as ``link_sentence``; in a column of moments, such as "when (UTC)", as a moment."""
    if column.endswith("(UTC)") and re.fullmatch(_MOMENT, str(text)):
        return _show_moment(context, str(text))
    return link_sentence(context, text)


def name_column(column: str) -> str:
    """The heading of a column: its moments are in the visitor's zone, not in UTC."""
    return column.removesuffix(" (UTC)")


def _link(context: Context, found: re.Match[str]) -> Markup:
    if found["moment"]:
        return _show_moment(context, found["moment"])
    if found["item"]:
        return Markup('<a href="/queue/{}">{}</a>').format(found["number"], found["item"])
    if (found["explained"] or "").startswith("R"):
        return Markup('<a href="/records/{0}">{0}</a>').format(found["explained"])
    journey = found["explained"] or found["journey"]
    if journey:
        return Markup('<a href="/leads/{0}">{0}</a>').format(journey)
    return Markup('<a href="/leads/{}">{}{}</a>').format(found["lead"], found["word"], found["lead"])


def _show_moment(context: Context, text: str) -> Markup:
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:  # a value that only looks like one
        return escape(text)
    markup: Markup = context.environment.filters["moment"](context, at)
    return markup
