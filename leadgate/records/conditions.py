"""The conditions of a kind's section over the updates of records: what they may read, and which hold.

Belongs here: ``when`` of approvals, of who is told, and of triggers. Does not belong here: evaluating an expression
(``expressions.rules``), or what follows when one holds (``opportunity``, ``expansion``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from leadgate.expressions import rules
from leadgate.expressions.syntax import parse
from leadgate.fields import FieldType
from leadgate.playbook import Playbook
from leadgate.records.cells import Row
from leadgate.records.judgement import Update
from leadgate.vocabulary import JourneyKind, StageName

#: What a condition of an opportunity may read beside its fields, and which field's change each is.
CHANGES: Final[Mapping[str, FieldType]] = {"amount_change": "number", "pushed_days": "integer", "pushes": "integer"}
_CHANGE_OF: Final = {"amount_change": "amount", "pushed_days": "close_date", "pushes": "close_date"}
_WITH_CHANGES: Final = frozenset({JourneyKind.OPPORTUNITY})


def list_condition_columns(playbook: Playbook) -> dict[str, FieldType]:
    """The columns that a condition about records of the playbook's kind may use, with their types."""
    return playbook.columns_at(StageName.ASSIGNMENT) | (dict(CHANGES) if playbook.kind in _WITH_CHANGES else {})


def match_updates(conditions: Mapping[str, str], rows: Sequence[Row], playbook: Playbook) -> list[frozenset[str]]:
    """For each row the names of the conditions that hold. Raises like ``expressions.rules.match_rows``."""
    if not conditions or not rows:
        return [frozenset()] * len(rows)
    columns = list_condition_columns(playbook)
    used = sorted({name for text in conditions.values() for name in parse(text).columns})
    # cells of one type each, so that a row is read alike alone and among others
    content = {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in used}
    found = rules.match_rows(conditions, pd.DataFrame(content, index=pd.RangeIndex(len(rows))), columns)
    names = np.array(list(conditions), dtype=object)
    return [frozenset(names[held].tolist()) for held in found[list(conditions)].to_numpy(dtype=bool)]


def is_news(condition: str, update: Update) -> bool:
    """Whether an update changed what a condition reads; of a new record, everything is news.

    A condition that holds is a question once: as long as nobody changes what it is about, it was answered.
    """
    return update.touches({_CHANGE_OF.get(name, name) for name in parse(condition).columns})
