"""Headline figures beside those of the period before.

Belongs here: the difference, in words and as data. Does not belong here: the figures (the sections).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from console.report.tables import Kind, Section, Tile, describe_value, format_decimal
from console.screen import format_span
from leadgate.counting import format_count


def add_change(sections: Sequence[Section], before: Sequence[Section]) -> list[Section]:
    """``sections``, each headline figure with the one of the period ``before`` and the change, in words."""
    earlier = _index_by_key(before)
    return [
        replace(
            section,
            tiles=[replace(t, before=_describe_before(t, earlier.get((section.key, t.key)))) for t in section.tiles],
        )
        for section in sections
    ]


def build_json_data(sections: Sequence[Section], before: Sequence[Section]) -> list[dict[str, str | float | None]]:
    """A row for each headline figure: its ``value``, that ``before``, and the ``change``; None where there is none."""
    earlier = _index_by_key(before)
    rows = []
    for section in sections:
        for tile in section.tiles:
            was = earlier[section.key, tile.key].number if tile.when else None
            change = None if was is None or tile.number is None else tile.number - was
            row: dict[str, str | float | None] = {
                "section": section.key,
                "figure": tile.key,
                "label": tile.label,
                "value": tile.number,
            }
            rows.append(row | {"of": tile.detail, "before": was, "change": change})
    return rows


def _index_by_key(sections: Sequence[Section]) -> dict[tuple[str, str], Tile]:
    return {(section.key, tile.key): tile for section in sections for tile in section.tiles}


def _describe_before(tile: Tile, was: Tile | None) -> str:
    """``was`` is None for a figure that is shown only where there is something to tell."""
    if not tile.when or was is None:
        return "Not known for the period before."
    if was.number is None:
        return f"No figure {tile.when}."
    change = "" if tile.number is None else f", {_describe_change(tile.number, was.number, tile.kind)}"
    return f"{was.value} {tile.when}{change}."


def _round_percent(share: float) -> int:
    """In whole percent, so that the change is that of the two figures as they are read."""
    return round(share * 100)


def _describe_change(number: float, was: float, kind: Kind) -> str:
    by = number - was
    if abs(by) < 1e-9:
        return "the same"
    more, size = by > 0, abs(by)
    match kind:
        case "share":
            points = _round_percent(number) - _round_percent(was)
            if not points:
                return "almost the same"
            return f"{format_count(abs(points), 'point', 'points')} {'up' if more else 'down'}"
        case "span":
            return f"{format_span(size)} {'slower' if more else 'faster'}"
        case "count":
            return f"{size:,.0f} {'more' if more else 'fewer'}"
        case "number":
            return f"{format_decimal(size)} {'more' if more else 'less'}"
        case _:
            return describe_value(by, kind)
