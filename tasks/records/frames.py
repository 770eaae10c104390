"""The frame of a stage of records: a column for each field of the kind, by type.

Belongs here: this shape, which the later stages share. Does not belong here: reading it (``ledger.records``).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from leadgate.ledger import bulk
from leadgate.playbook import Playbook
from leadgate.records.fields import ENRICHED
from leadgate.records.reading import list_field_types, parse_stored


def add_values(frame: pd.DataFrame, playbook: Playbook) -> pd.DataFrame:
    """``frame`` with a column for each field of the kind of which ``playbook`` is a view, and for what enrichment added
    to the record. A day is a ``date``, a moment a ``datetime``, and what is not known None."""
    added = [values or {} for values in bulk.list_values(frame["enriched"])]
    columns = {name: pd.Series([row.get(name) for row in added], index=frame.index, dtype=object) for name in ENRICHED}
    return _replace_columns(add_fields(frame, playbook), columns)


def add_fields(frame: pd.DataFrame, playbook: Playbook) -> pd.DataFrame:
    """``frame`` with a column for each field of the kind alone."""
    rows = [values or {} for values in bulk.list_values(frame["values"])]
    columns = {
        name: pd.Series([parse_stored(row.get(name), type_) for row in rows], index=frame.index, dtype=object)
        for name, type_ in list_field_types(playbook).items()
    }
    return _replace_columns(frame, columns)


def _replace_columns(frame: pd.DataFrame, columns: Mapping[str, pd.Series]) -> pd.DataFrame:
    return pd.concat([frame.drop(columns=[name for name in columns if name in frame]), pd.DataFrame(columns)], axis=1)
