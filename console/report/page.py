"""A report as one page of HTML that needs nothing else: its style is in it, and its charts are SVG.

Belongs here: filling the page (``templates/page.html``), and which cards stand side by side. Does not belong here: what
the page shows. Every value is written as text, but for what is ``Markup`` already: charts and the style.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING

from markupsafe import Markup

from console.report.tables import NONE, Section, Table

if TYPE_CHECKING:
    from jinja2 import Template


def render_page(sections: Sequence[Section], title: str, about: str) -> str:
    """The page. ``about`` is the line under its title."""
    shown = [(section, list(group_cards(section.tables))) for section in sections]
    return _load_page().render(title=title, about=about, sections=shown)


@cache
def _load_page() -> Template:
    from console.html_templates import build_environment  # 40 ms, which only a page needs

    environment = build_environment("console.report")
    environment.globals["NONE"] = NONE
    style = Markup(files("console.report").joinpath("templates", "style.css").read_text("utf-8"))  # noqa: S704 - ours
    return environment.get_template("page.html", globals={"style": style})


def group_cards(tables: Sequence[Table]) -> Iterator[list[Table]]:
    """The tables that have rows; several that follow one another and need half of the width each, together.

    One alone would leave half of the page empty: its table stands beside its chart.
    """
    for half, run in groupby((table for table in tables if table.rows), _is_half):
        together = list(run)
        if half and len(together) > 1:
            yield together
        else:
            yield from ([replace(table, layout="beside") if half else table] for table in together)


def _is_half(table: Table) -> bool:
    return bool(table.chart) and table.layout == "half"
