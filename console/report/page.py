"""A report as one page of HTML that needs nothing else: its style is in it, and its charts are SVG.

Belongs here: the page's layout. Does not belong here: what it shows. Every text goes through ``_safe``; the only
other thing that is put in is our own SVG and style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from console.redaction import visible
from console.report.tables import NONE, Column, Section, Table, Tile


def html(sections: Sequence[Section], title: str, about: str) -> str:
    """The page. ``about`` is the line under its title."""
    style = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    links = "".join(f'<a href="#{_safe(section.key)}">{_safe(section.title)}</a>' for section in sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # nothing of the page may run or fetch anything, whatever slips into it
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_safe(title)}</title><style>{style}</style></head><body>"
        f"<header><h1>{_safe(title)}</h1><p>{_safe(about)}</p><nav>{links}</nav></header><main>"
        f'<div class="tiles">{"".join(_tile(tile) for section in sections for tile in section.tiles)}</div>'
        f"{''.join(_section(section) for section in sections)}</main></body></html>\n"
    )


def _section(section: Section) -> str:
    cards = "".join(
        _pack(list(run)) if packed else "".join(map(_card, run))
        for packed, run in groupby(filter(lambda table: table.rows, section.tables), _is_half)
    )
    return (
        f'<section id="{_safe(section.key)}"><h2>{_safe(section.title)}</h2><p class="about">{_safe(section.about)}</p>'
        f"{cards}</section>"
    )


def _is_half(table: Table) -> bool:
    return bool(table.chart) and table.layout == "half"


def _pack(tables: Sequence[Table]) -> str:
    """Cards in two columns, each column without gaps. One alone would leave half of the page empty."""
    if len(tables) == 1:
        return _card(replace(tables[0], layout="beside"))
    return f'<div class="cards">{"".join(map(_card, tables))}</div>'


def _card(table: Table) -> str:
    """The chart with its table behind it, or beside it; a table without a chart is open, and as wide as the page."""
    body = _rows(table)
    if table.chart:
        behind = f"<details><summary>Table: {_safe(table.title)}</summary>{body}</details>"
        caption = f'<p class="note">{_safe(table.caption)}</p>' if table.caption else ""
        chart = f'<div class="chart">{table.chart}{caption}</div>'
        body = chart + (body if table.layout == "beside" else behind)
    note = f'<p class="note">{_safe(table.note)}</p>' if table.note else ""
    layout = table.layout if table.chart else "whole"
    return f'<article class="{layout}"><h3>{_safe(table.title)}</h3>{body}{note}</article>'


def _rows(table: Table) -> str:
    heads = "".join(f'<th scope="col"{_numeric(column)}>{_safe(column.label)}</th>' for column in table.columns)
    lines = "".join(
        f"<tr>{''.join(_cell(column, row[column.key], first=not n) for n, column in enumerate(table.columns))}</tr>"
        for row in table.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_safe(table.title)}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _cell(column: Column, value: Any, *, first: bool) -> str:
    shown = column.words(value)
    muted = ' class="none"' if shown == NONE else _numeric(column)
    return (
        f'<th scope="row">{_safe(shown)}</th>' if first and column.kind == "text" else f"<td{muted}>{_safe(shown)}</td>"
    )


def _numeric(column: Column) -> str:
    return "" if column.kind == "text" else ' class="n"'


def _tile(tile: Tile) -> str:
    return (
        f'<div class="tile"><span class="what">{_safe(tile.label)}</span><strong>{_safe(tile.value)}</strong>'
        f'<span>{_safe(tile.detail)}</span><span class="before">{_safe(tile.before)}</span></div>'
    )


def _safe(text: object) -> str:
    return escape(visible(text))
