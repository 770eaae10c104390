"""Which promises a playbook may add to a gate: expectation types and their arguments, by allow-list.

Belongs here: the allow-list, and whether one addition keeps to it.
Does not belong here: running an expectation (``expectations.gate``), which also refuses what is not here.

``row_condition`` is absent on purpose: Great Expectations hands it to pandas' expression parser, which
can run any code. So are expectations that need a query, a distribution, or another table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, Literal

from leadgate.expressions.patterns import find_pattern_problem
from leadgate.nearest import propose
from leadgate.playbook import Expect

ArgumentKind = Literal["column", "columns", "set", "regex", "bound", "count", "flag", "share", "ignore"]

MAX_SET: Final = 1000

_COLUMN: Final[dict[str, ArgumentKind]] = {"column": "column", "mostly": "share"}
_STRICT: Final[dict[str, ArgumentKind]] = {"strict_min": "flag", "strict_max": "flag"}

#: Expectation type to the arguments it may have, and what each of them must be.
EXPECTATIONS: Final[dict[str, dict[str, ArgumentKind]]] = {
    "expect_column_values_to_not_be_null": _COLUMN,
    "expect_column_values_to_be_null": _COLUMN,
    "expect_column_values_to_be_in_set": {**_COLUMN, "value_set": "set"},
    "expect_column_values_to_not_be_in_set": {**_COLUMN, "value_set": "set"},
    "expect_column_values_to_match_regex": {**_COLUMN, "regex": "regex"},
    "expect_column_values_to_not_match_regex": {**_COLUMN, "regex": "regex"},
    "expect_column_value_lengths_to_be_between": {
        **_COLUMN, "min_value": "count", "max_value": "count", **_STRICT,
    },
    "expect_column_values_to_be_between": {
        **_COLUMN, "min_value": "bound", "max_value": "bound", **_STRICT,
    },
    "expect_column_values_to_be_unique": _COLUMN,
    "expect_column_pair_values_a_to_be_greater_than_b": {
        "column_A": "column", "column_B": "column", "or_equal": "flag", "mostly": "share",
        "ignore_row_if": "ignore",
    },
    "expect_column_pair_values_to_be_equal": {
        "column_A": "column", "column_B": "column", "mostly": "share", "ignore_row_if": "ignore",
    },
    "expect_compound_columns_to_be_unique": {"column_list": "columns", "mostly": "share", "ignore_row_if": "ignore"},
    "expect_table_row_count_to_be_between": {"min_value": "count", "max_value": "count"},
}  # fmt: skip

_OPTIONAL: Final = frozenset(
    {"mostly", "strict_min", "strict_max", "or_equal", "ignore_row_if", "min_value", "max_value"}
)
_IGNORE: Final = (
    "both_values_are_missing", "either_value_is_missing", "all_values_are_missing",
    "any_value_is_missing", "neither", "never",
)  # fmt: skip

_CODE: Final = (
    "is refused: Great Expectations evaluates it as code, so a playbook could run anything; "
    "name the rows by their values instead, or use `when` in scoring, qualification or routing"
)
_REFUSED: Final = {
    "row_condition": _CODE,
    "condition_parser": _CODE,
    "meta": "is not needed; say why in `why`",
    "notes": "is not needed; say why in `why`",
    "result_format": "is decided by the gate; leave it out",
    "catch_exceptions": "is decided by the gate; leave it out",
    "severity": "belongs one level up, beside `why`",
}


def check_expectation(expect: Expect, columns: Collection[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with an added promise: (path inside it, message). ``columns`` are those of its gate."""
    allowed = EXPECTATIONS.get(expect.expectation)
    if allowed is None:
        yield (
            ("expectation",),
            f"{expect.expectation!r} is not allowed here; {propose(expect.expectation, EXPECTATIONS)}",
        )
        return
    for name, value in expect.arguments.items():
        path = ("arguments", name)
        if name in _REFUSED:
            yield path, f"{name} {_REFUSED[name]}"
        elif name not in allowed:
            yield path, f"{expect.expectation} has no argument {name!r}; {propose(name, allowed)}"
        elif (message := _check_value(allowed[name], value, columns)) is not None:
            yield path, message
    for name in allowed:
        if name not in _OPTIONAL and name not in expect.arguments:
            yield ("arguments",), f"{expect.expectation} needs {name}; add it"
    if {"min_value", "max_value"} <= allowed.keys():
        yield from _check_bounds(expect.arguments)


def _check_bounds(arguments: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    low, high = arguments.get("min_value"), arguments.get("max_value")
    if low is None and high is None:
        yield ("arguments",), "min_value and max_value are both missing, so this can never break; add one"
    elif low is not None and high is not None and type(low) is type(high) and low > high:
        yield ("arguments", "min_value"), f"min_value {low} is above max_value {high}; nothing can meet this"


def _check_value(kind: ArgumentKind, value: Any, columns: Collection[str]) -> str | None:
    match kind:
        case "column":
            if not isinstance(value, str) or value not in columns:
                return f"unknown column {value!r}; {propose(str(value), columns)}"
        case "columns":
            if not isinstance(value, list) or not value:
                return "needs a list of columns"
            if unknown := [name for name in value if not isinstance(name, str) or name not in columns]:
                return f"unknown column {unknown[0]!r}; {propose(str(unknown[0]), columns)}"
        case "set":
            if not isinstance(value, list) or not value:
                return "needs a list of values"
            if len(value) > MAX_SET:
                return f"has {len(value):,} values; {MAX_SET:,} is the most"
            if any(not isinstance(item, str | int | float | bool) for item in value):
                return "holds plain values only: text, numbers, true and false"
        case "regex":
            return find_pattern_problem(value)
        case "bound":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return f"needs a number, not {value!r}"
        case "count":
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                return f"needs a whole number, 0 or more, not {value!r}"
        case "flag":
            if not isinstance(value, bool):
                return f"needs true or false, not {value!r}"
        case "share":
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
                return f"needs a share above 0 and up to 1, not {value!r}"
        case "ignore":
            if value not in _IGNORE:
                return f"{value!r} is not possible here; {propose(str(value), _IGNORE)}"
    return None
