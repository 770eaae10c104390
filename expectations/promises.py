"""What a promise is: one expectation of a gate, with its severity, its reason and its plain words.

Belongs here: the shape of a promise, and the checks that keep a suite's data honest.
Does not belong here: the promises themselves (one suite a file), nor how they are checked (``gate``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from leadgate.playbook import Expect
from leadgate.vocabulary import Severity

#: Expectations that match a pattern.
PATTERNS: Final = ("expect_column_values_to_match_regex", "expect_column_values_to_not_match_regex")

#: Expectations that are about missing values; every other one skips them.
JUDGE_MISSING: Final = ("expect_column_values_to_be_null", "expect_column_values_to_not_be_null")

#: Expectations whose column the gate prepares: only these can judge a missing value or a known problem,
#: because a value that is none of the set, and does not match, can be put in its place.
_PREPARED: Final = ("expect_column_values_to_be_in_set", "expect_column_values_to_match_regex")

_COLUMN_ARGUMENTS: Final = ("column", "column_A", "column_B")


@dataclass(frozen=True)
class Promise:
    """One expectation of a handoff.

    ``expectation`` and ``arguments`` are Great Expectations' own, in snake case. Great Expectations skips
    missing values: with ``present`` a missing value breaks the promise too. ``problem`` names a column
    that holds why an earlier stage refused the value, or None; where it is filled the promise is broken,
    whatever the value looks like, so a row with one fault gets one reason. ``shows`` is the column whose
    value a person needs to see to decide.
    """

    name: str
    expectation: str
    arguments: Mapping[str, Any]
    severity: Severity
    reason: str  # a code, the one that exception routes of the playbook name
    words: str  # what is promised, for a person
    broken: str  # what is wrong when it is broken, for a person
    shows: str | None = None
    problem: str | None = None
    present: bool = False

    def __post_init__(self) -> None:
        if (self.problem or self.present) and self.expectation not in _PREPARED:
            raise ValueError(f"promise {self.name!r}: {self.expectation} cannot use `problem` or `present`")

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the frame without which the promise cannot be checked."""
        named = [self.arguments[argument] for argument in _COLUMN_ARGUMENTS if argument in self.arguments]
        named += self.arguments.get("column_list", ())
        return tuple(dict.fromkeys([*named, *([self.problem] if self.problem else [])]))

    @property
    def explained_by(self) -> str | None:
        """The column that says in plain words what is wrong with a row, if there is one."""
        if self.expectation == "expect_column_values_to_be_null":
            return str(self.arguments["column"])
        return self.problem


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
        shows=column,
    )
