"""Which promises of validation a lead or record breaks that is tried, read off its values without Great Expectations.

Belongs here: the kinds of expectations that read themselves. Does not belong here: judging a batch (``expectations``),
or what follows from a broken promise (``tasks.trial``).
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from expectations.gate import list_promises
from expectations.promises import Promise
from leadgate.expressions.patterns import find_matches
from leadgate.playbook import Playbook
from leadgate.vocabulary import GateName


def find_broken(frame: pd.DataFrame, playbook: Playbook) -> tuple[list[list[tuple[Promise, str]]], list[Promise]]:
    """Find the promises of validation that each lead breaks, with what is wrong, and the promises left unchecked."""
    given = frame.astype(object).where(frame.notna(), None)
    broken: list[list[tuple[Promise, str]]] = [[] for _ in range(len(frame))]
    unchecked = []
    for promise in list_promises(GateName.VALIDATED, playbook):
        breaks = _list_breaks(promise, given)
        if breaks is None:
            unchecked.append(promise)
            continue
        said = given[promise.explained_by].tolist() if promise.explained_by in given else [None] * len(given)
        for number in (number for number, is_broken in enumerate(breaks) if is_broken):
            words = f"{promise.broken}: {said[number]}" if said[number] else promise.broken
            broken[number].append((promise, words))
    return broken, unchecked


def _list_breaks(promise: Promise, given: pd.DataFrame) -> list[bool] | None:
    """Which leads break a promise; None where only Great Expectations judges its kind."""
    found = _list_breaks_of_values(promise, given)
    if promise.problem_column is None:
        return found
    problems = [value is not None for value in given[promise.problem_column]]
    if found is None:
        return problems if any(problems) else None
    return [one or other for one, other in zip(problems, found, strict=True)]


def _list_breaks_of_values(promise: Promise, given: pd.DataFrame) -> list[bool] | None:
    arguments = promise.arguments
    values = given[arguments["column"]].tolist() if arguments.get("column") in given else [None] * len(given)
    match promise.expectation:
        case "expect_column_values_to_be_null":
            return [value is not None for value in values]
        case "expect_column_values_to_not_be_null":
            return [value is None for value in values]
        case "expect_column_values_to_be_in_set" if not promise.required:
            return [value is not None and value not in arguments["value_set"] for value in values]
        case "expect_column_values_to_be_between" if "max_value" not in arguments:
            return [_is_number(value) and value < arguments["min_value"] for value in values]
        case "expect_column_values_to_match_regex" if not promise.required:
            fits = iter(find_matches(arguments["regex"], [value for value in values if value is not None]))
            return [value is not None and not next(fits) for value in values]
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and value == value
