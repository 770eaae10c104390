"""Validation to enrichment of a record: the values can be read, and those that must be there are."""

from __future__ import annotations

from typing import Final

from expectations.promises import Promise
from expectations.records.captured import HAS_RECORD_KEY
from leadgate.vocabulary import Severity

PROMISES: Final[tuple[Promise, ...]] = (
    HAS_RECORD_KEY,  # a correction may have taken it away
    Promise(
        name="required_fields",
        expectation="expect_column_values_to_be_null",
        arguments={"column": "field_problem"},
        severity=Severity.CRITICAL,
        reason="field_missing",
        words="Every field that the playbook requires is there",
        broken="A field that the playbook requires is missing",
        shown_column="field_problem",
    ),
    Promise(
        name="values_readable",
        expectation="expect_column_values_to_be_null",
        arguments={"column": "unreadable_problem"},
        severity=Severity.CRITICAL,
        reason="value_unreadable",
        words="Every amount, date and number can be read",
        broken="An amount, a date or a number cannot be read",
        shown_column="unreadable_problem",
    ),
    Promise(
        name="amount_not_negative",
        expectation="expect_column_values_to_be_between",
        arguments={"column": "amount_told", "min_value": 0},
        severity=Severity.CRITICAL,
        reason="amount_negative",
        words="The amount is not below nothing",
        broken="The amount is below nothing",
        shown_column="amount_told",
    ),
)
