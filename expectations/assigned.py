"""Assignment to follow-up: the lead has an owner who can take it, and a due time for the first touch."""

from __future__ import annotations

from typing import Final

from expectations.promises import Promise
from leadgate.vocabulary import Severity

PROMISES: Final[tuple[Promise, ...]] = (
    Promise(
        name="owner_known",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "owner_known", "value_set": [True]},
        severity=Severity.CRITICAL,
        reason="no_owner",
        words="The owner is one of the playbook's reps",
        broken="The owner is none of the playbook's reps",
        shown_column="owner",
        required=True,
    ),
    Promise(
        name="rule_recorded",
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "rule"},
        severity=Severity.CRITICAL,
        reason="rule_missing",
        words="The assignment names the route that led to the owner",
        broken="The assignment does not name the route that led to the owner",
        shown_column="owner",
    ),
    Promise(
        name="owner_present",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "owner_absent", "value_set": [False]},
        severity=Severity.CRITICAL,
        reason="owner_absent",
        words="The owner is not absent today",
        broken="The owner is absent today",
        shown_column="owner",
        required=True,
    ),
    Promise(
        name="owner_within_caps",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "over_cap", "value_set": [False]},
        severity=Severity.CRITICAL,
        reason="owner_over_cap",
        words="The owner is within their caps: by day, by week and on open leads",
        broken="The owner is over one of their caps: by day, by week or on open leads",
        shown_column="owner",
        required=True,
    ),
    Promise(
        name="touch_due",
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "due_at"},
        severity=Severity.CRITICAL,
        reason="due_missing",
        words="The first touch has a due time",
        broken="The first touch has no due time",
        shown_column="owner",
    ),
    Promise(
        name="due_after_assignment",
        expectation="expect_column_pair_values_a_to_be_greater_than_b",
        arguments={"column_A": "due_at", "column_B": "assigned_at"},
        severity=Severity.CRITICAL,
        reason="due_before_assignment",
        words="The first touch is due after the assignment",
        broken="The first touch is due before the assignment",
        shown_column="due_at",
    ),
)
