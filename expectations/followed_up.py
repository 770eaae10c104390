"""Follow-up: the lead has exactly one owner, who was told, and a clock that makes sense."""

from __future__ import annotations

from typing import Final

from expectations.promises import Promise
from leadgate.vocabulary import Severity

PROMISES: Final[tuple[Promise, ...]] = (
    Promise(
        name="one_owner",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "open_assignments", "value_set": [1]},
        severity=Severity.CRITICAL,
        reason="owner_count",
        words="The lead has exactly one open assignment",
        broken="The lead has no open assignment, or more than one",
        shown_column="open_assignments",
        required=True,
    ),
    Promise(
        name="owner_told",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "owner_told", "value_set": [True]},
        severity=Severity.CRITICAL,
        reason="owner_not_told",
        words="The owner was told about the lead",
        broken="The owner was not told about the lead",
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
    Promise(
        name="step_within_ladder",
        expectation="expect_column_pair_values_a_to_be_greater_than_b",
        arguments={"column_A": "ladder_length", "column_B": "ladder_step", "or_equal": True},
        severity=Severity.CRITICAL,
        reason="ladder_step_unknown",
        words="No more steps of the ladder were taken than it has",
        broken="More steps of the ladder were taken than it has",
        shown_column="ladder_step",
    ),
    Promise(
        name="step_counted",
        expectation="expect_column_values_to_be_between",
        arguments={"column": "ladder_step", "min_value": 0},
        severity=Severity.CRITICAL,
        reason="ladder_step_unknown",
        words="The number of steps taken is not negative",
        broken="The number of steps taken is negative",
        shown_column="ladder_step",
    ),
    Promise(
        name="waiting_not_chased",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "waiting_and_chased", "value_set": [False]},
        severity=Severity.CRITICAL,
        reason="chased_while_waiting",
        words="No step of the ladder is taken while the lead is waited for",
        broken="A step of the ladder was taken while the lead is waited for",
        shown_column="ladder_step",
    ),
    Promise(
        name="touched_after_assignment",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "touched_before_assigned", "value_set": [False]},
        severity=Severity.WARNING,
        reason="touch_before_assignment",
        words="The first touch that counts came after the assignment",
        broken="The first touch that counts came before the assignment",
    ),
)
