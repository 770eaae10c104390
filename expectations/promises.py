"""The type of a promise: one expectation of a gate, with its severity, its reason and its text for people.

Belongs here: the fields of a promise, and checks of these fields.
Does not belong here: the promises themselves (one suite a file), or checking a batch against them (``gate``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from leadgate.playbook import Expect
from leadgate.vocabulary import Severity

#: Expectations that match a pattern.
PATTERNS: Final = ("expect_column_values_to_match_regex", "expect_column_values_to_not_match_regex")

#: Expectations that judge missing values; every other expectation skips them.
JUDGE_MISSING: Final = ("expect_column_values_to_be_null", "expect_column_values_to_not_be_null")

#: Expectations that can judge missing values (``required``) and known problems (``problem_column``): in the column
#: that Great Expectations sees, the gate replaces such a value by one that is in no set and matches no pattern.
_PREPARED: Final = ("expect_column_values_to_be_in_set", "expect_column_values_to_match_regex")

_COLUMN_ARGUMENTS: Final = ("column", "column_A", "column_B")


@dataclass(frozen=True)
class Promise:
    """One expectation of a handoff.

    ``expectation`` and ``arguments`` are those of Great Expectations, in snake case. Great Expectations skips
    missing values; with ``required``, a missing value breaks the promise. ``problem_column`` names a column in which
    an earlier stage wrote why it refused the value: a row with such a text breaks the promise whatever its value, so
    that a row with one fault gets one reason. ``shown_column`` holds the value that a person has to see to decide.
    """

    name: str
    expectation: str
    arguments: Mapping[str, Any]
    severity: Severity
    reason: str  # a code, by which the playbook's exceptions route the work item
    words: str  # for people: what is promised
    broken: str  # for people: what is wrong with a row that breaks the promise
    shown_column: str | None = None
    problem_column: str | None = None
    required: bool = False

    def __post_init__(self) -> None:
        if (self.problem_column or self.required) and self.expectation not in _PREPARED:
            raise ValueError(f"promise {self.name!r}: {self.expectation} cannot use `problem_column` or `required`")

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the frame without which the promise cannot be checked."""
        named = [self.arguments[argument] for argument in _COLUMN_ARGUMENTS if argument in self.arguments]
        named += self.arguments.get("column_list", ())
        return tuple(dict.fromkeys([*named, *([self.problem_column] if self.problem_column else [])]))

    @property
    def explained_by(self) -> str | None:
        """The column that says in plain words what is wrong with a row, if there is one."""
        if self.expectation == "expect_column_values_to_be_null":
            return str(self.arguments["column"])
        return self.problem_column


def build_promise(expect: Expect) -> Promise:
    """A promise that the playbook adds to a gate; its name is also its reason."""
    column = next((expect.arguments[name] for name in _COLUMN_ARGUMENTS if name in expect.arguments), None)
    return Promise(
        name=expect.name,
        expectation=expect.expectation,
        arguments=expect.arguments,
        severity=expect.severity,
        reason=expect.name,
        words=expect.why,
        broken=expect.broken or f"This does not hold: {expect.why}",
        shown_column=column,
    )
