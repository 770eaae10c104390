"""The update of a record that each signal of a batch carries, with what people corrected of it.

Belongs here: mapping signals to the fields of their kind, for capture and validation alike. Does not belong here: names
of columns and values (``leadgate.records.reading``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Final

import orjson
import pandas as pd

from leadgate.ledger import bulk
from leadgate.limits import find_length_problem, find_max_length
from leadgate.mapping.column_notations import find_kind, read_recognised, settle_payload
from leadgate.mapping.shapes import flatten_webhook, is_nested
from leadgate.playbook import Playbook
from leadgate.records.reading import list_field_types, map_record_headers
from leadgate.values.json_types import JsonObject
from leadgate.values.notations import Notation
from tasks.capture import clean_text

#: What an update says of each field that it names; None where it names the field and says nothing.
Told = dict[str, str | None]
_SHOWN: Final = 200  # characters of a value that a person has to mend


def read_updates(frame: pd.DataFrame, corrections: pd.DataFrame, playbook: Playbook) -> pd.DataFrame:
    """``frame``, signals as ``signals.read_captured`` returns them, with the columns ``told`` (``Told``),
    ``longest_value``, ``too_long`` and ``too_long_value`` (as capture of leads has them).

    A value that is too long for its field is left out. A row that cannot be read says nothing, unless a person gave its
    values: then ``unreadable`` is None.
    """
    by_journey: dict[int, Told] = defaultdict(dict)
    for journey_id, field, value in corrections.itertuples(index=False):
        by_journey[journey_id][field] = value or None
    map_headers = lru_cache(maxsize=1_000)(partial(map_record_headers, playbook=playbook))
    known = list_field_types(playbook)
    told: list[Told] = []
    longest: list[int] = []
    too_long: list[str | None] = []
    begins: list[str | None] = []
    columns = (
        bulk.list_values(frame[name]) for name in ("journey_id", "source", "payload", "unreadable", "recognised")
    )
    for journey_id, source, payload, unreadable, recognised in zip(*columns, strict=True):
        said: Told = {}
        if unreadable is None:
            notations = read_recognised(recognised)[1]
            said = _map_payload(orjson.loads(payload), source, map_headers, notations, playbook)
        said |= {name: value for name, value in by_journey[journey_id].items() if name in known}
        over = {name: value for name, value in said.items() if value and len(value) > find_max_length(name)}
        longest.append(max((len(value) for value in said.values() if value), default=0))
        too_long.append("; ".join(find_length_problem(name, value) or "" for name, value in over.items()) or None)
        begins.append(next((value[:_SHOWN] for value in over.values()), None))
        told.append({name: value for name, value in said.items() if name not in over})
    corrected = frame["journey_id"].isin([journey for journey, values in by_journey.items() if values])
    return frame.assign(
        told=pd.Series(told, index=frame.index, dtype=object),
        longest_value=longest,
        too_long=pd.Series(too_long, index=frame.index, dtype=object),
        too_long_value=pd.Series(begins, index=frame.index, dtype=object),
        unreadable=frame["unreadable"].where(~corrected, None),
    )


def _map_payload(
    payload: JsonObject,
    source: str,
    map_headers: Callable[[tuple[str, ...], str], dict[str, str]],
    notations: Mapping[str, Notation],
    playbook: Playbook,
) -> Told:
    """``notations``: how columns of the payload's file write dates or numbers; their values are written so that they
    are read in this way."""
    if is_nested(payload):
        payload = flatten_webhook(
            payload,
            lambda name: map_headers((name,), source).get(name),
            lambda name: bool(map_headers((name,), source)),
        )
    types = list_field_types(playbook)
    told: Told = {}
    for header, field in map_headers(tuple(payload), source).items():
        value = clean_text(payload[header])
        kind = find_kind(field, types.get(field))
        if kind is not None and value is not None:
            value = settle_payload(payload[header], value, kind, notations.get(header), playbook.sources.get(source))
        told[field] = value
    return told
