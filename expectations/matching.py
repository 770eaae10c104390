"""Great Expectations' two expectations of patterns, with RE2 in place of Python's matcher.

Belongs here: the metrics, and the expectations that ask for them. Great Expectations is imported, and both are
registered, when the first of them is asked for. Does not belong here: matching itself
(``leadgate.expressions.patterns``).

Python's matcher goes back over a value, for hours with the wrong pattern and value. Meaning and result are those of
the original: a pattern is searched for in the value as text, and the rows that fail are named.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd

from expectations.promises import PATTERNS
from leadgate.expressions.patterns import find_matches

#: ``deadline``: the moment of ``time.monotonic`` at which the gate of this thread stops matching patterns.
current_gate: Final = threading.local()


def find_linear(expectation: str) -> Any:
    """The expectation that stands in for Great Expectations' own of that name; ``None`` for one without patterns."""
    return _register()[expectation] if expectation in PATTERNS else None


@cache
def _register() -> dict[str, Any]:
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations import core
    from great_expectations.expectations.metrics.map_metric_provider import (
        ColumnMapMetricProvider,
        column_condition_partial,
    )

    def match_column(column: pd.Series[Any], regex: str) -> pd.Series[bool]:
        found = find_matches(regex, column.tolist(), until=getattr(current_gate, "deadline", None))
        return pd.Series(np.array(found, dtype=bool), index=column.index)

    class ColumnValuesMatchLinear(ColumnMapMetricProvider):  # type: ignore[misc]  # publishes no types
        condition_metric_name = "column_values.match_linear"
        condition_value_keys = ("regex",)

        @column_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
        def _pandas(cls, column: pd.Series[Any], regex: str, **_: Any) -> pd.Series[bool]:  # noqa: N805 - its form
            return match_column(column, regex)

    class ColumnValuesNotMatchLinear(ColumnMapMetricProvider):  # type: ignore[misc]
        condition_metric_name = "column_values.not_match_linear"
        condition_value_keys = ("regex",)

        @column_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
        def _pandas(cls, column: pd.Series[Any], regex: str, **_: Any) -> pd.Series[bool]:  # noqa: N805
            return ~match_column(column, regex)

    class ExpectColumnValuesToMatchLinear(core.ExpectColumnValuesToMatchRegex):  # type: ignore[misc]
        map_metric = ColumnValuesMatchLinear.condition_metric_name

    class ExpectColumnValuesToNotMatchLinear(core.ExpectColumnValuesToNotMatchRegex):  # type: ignore[misc]
        map_metric = ColumnValuesNotMatchLinear.condition_metric_name

    matching, not_matching = PATTERNS
    return {matching: ExpectColumnValuesToMatchLinear, not_matching: ExpectColumnValuesToNotMatchLinear}
