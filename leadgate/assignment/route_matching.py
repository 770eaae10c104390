"""Which routes a lead matches, and what of the lead they read.

Belongs here: territories, ``when:`` over a batch, and the inputs of a decision as they may be kept. Does not
belong here: evaluating one expression (``rules``), and who gets the lead (``routing``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from leadgate import fields
from leadgate.expressions.rules import match_rows
from leadgate.expressions.syntax import parse
from leadgate.masking import mask_within
from leadgate.playbook import Playbook, Route, Territory
from leadgate.vocabulary import StageName

#: The fields that a territory reads: its key, and the lead's field.
TERRITORY_FIELDS: Final = {"countries": "country", "states": "state", "postal_prefixes": "postal_code"}
_MOST_SHOWN: Final = 60


def list_route_columns(playbook: Playbook) -> dict[str, fields.FieldType]:
    """What a route's ``when`` may read, with types."""
    return playbook.columns_at(StageName.ASSIGNMENT)


def match_routes(frame: pd.DataFrame, playbook: Playbook) -> pd.DataFrame:
    """For each row ``routes``, the names of all that match, a tuple in the playbook's order; and ``priority``, the
    name of the first that matches, or None."""
    routes, priorities = playbook.routing, {f"priority {p.name}": p.when for p in playbook.follow_up.priorities}
    found = match_rows({route.name: route.when for route in routes} | priorities, frame, list_route_columns(playbook))
    matched = found[[route.name for route in routes]].copy()
    used = {route.territory for route in routes if route.territory is not None}
    inside = {name: _is_inside(frame, playbook.territories[name]) for name in used}
    for route in routes:
        if route.territory is not None:
            matched[route.name] &= inside[route.territory]
    names = list(matched.columns)
    named = [tuple(n for n, hit in zip(names, row, strict=True) if hit) for row in matched.to_numpy()]
    urgent = [each.name for each in playbook.follow_up.priorities]
    first = [
        next((name for name, hit in zip(urgent, row, strict=True) if hit), None)
        for row in found[list(priorities)].to_numpy()
    ]
    return pd.DataFrame({"routes": named, "priority": first}, index=frame.index, dtype=object)


def _is_inside(frame: pd.DataFrame, territory: Territory) -> npt.NDArray[np.bool_]:
    """Which rows are in a territory. A lead without the field that it asks for is not."""
    inside = np.ones(len(frame), dtype=bool)
    for key, field in TERRITORY_FIELDS.items():
        if wanted := list_place_values(territory, key):
            known: dict[Any, bool] = {}
            for value in set(frame[field].dropna()):
                text = normalise_place(field, str(value))
                known[value] = text.startswith(tuple(wanted)) if field == "postal_code" else text in wanted
            inside &= np.array([known.get(value, False) for value in frame[field]], dtype=bool)
    return inside


def list_place_values(territory: Territory, key: str) -> frozenset[str]:
    """What a territory asks of one field, in the form that ``normalise_place`` gives a lead's."""
    return frozenset(normalise_place(TERRITORY_FIELDS[key], value) for value in getattr(territory, key))


def normalise_place(field: str, value: str) -> str:
    """A country, state or postal code as territories compare it."""
    if field == "country":
        return value
    text = value.casefold()
    return "".join(text.split()) if field == "postal_code" else " ".join(text.split())


def format_inputs(frame: pd.DataFrame, rules: pd.Series, playbook: Playbook) -> pd.Series:
    """What the deciding route read of each lead, as JSON text: field → value at that moment.

    Of a personal field, and of a text of the playbook's own, only whether it was given: these records outlive
    an erasure. A row without a route has none.
    """
    read = {route.name: list_route_fields(route, playbook) for route in playbook.routing}
    found = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    personal = fields.PERSONAL | {name for name, field in playbook.fields.items() if field.type == "text"}
    for rule, index in rules.groupby(rules).groups.items():
        names = [name for name in read.get(str(rule), ()) if name in frame]
        if names:
            rows = zip(*(frame.loc[index, name].tolist() for name in names), strict=True)
            known: dict[tuple[Any, ...], str] = {}
            found.loc[index] = [_as_json(names, row, personal, known) for row in rows]
    return found


def list_route_fields(route: Route, playbook: Playbook) -> list[str]:
    """The lead's fields that decide whether a route matches and to whom it leads, sorted."""
    read = set(parse(route.when).columns)
    if route.territory is not None:
        territory = playbook.territories[route.territory]
        read |= {field for key, field in TERRITORY_FIELDS.items() if getattr(territory, key)}
    if route.to in ("account_owner", "earlier_owner", "record_owner"):
        read.add(route.to)
    pool = next((pool for pool in playbook.pools if route.to == f"pool {pool.name}"), None)
    if pool is not None:
        read |= {field for field in ("language", "product") if getattr(pool, field) != "ignored"}
    return sorted(read)


def _as_json(
    names: list[str], row: tuple[Any, ...], personal: frozenset[str], known: dict[tuple[Any, ...], str]
) -> str:
    """``known`` remembers rows of a batch, which repeat the same few values."""
    if row not in known:
        shown = {name: _format_value(value, name in personal) for name, value in zip(names, row, strict=True)}
        known[row] = orjson.dumps(shown, default=str).decode()
    return known[row]


def _format_value(value: Any, is_personal: bool) -> Any:
    if value is None or value == "" or (not isinstance(value, (str, list, Mapping)) and pd.isna(value)):
        return None
    if is_personal:
        return "(given)"
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, float, np.integer, np.floating)):
        return value.item() if isinstance(value, np.generic) else value
    text = mask_within(str(value))
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
