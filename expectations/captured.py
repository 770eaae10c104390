"""Capture to validation: every signal is a readable row with a contact, from a source of the playbook.

Values that validation may still repair are not judged here.
"""

from __future__ import annotations

from typing import Final

from expectations.promises import Promise
from leadgate.vocabulary import Severity

PROMISES: Final[tuple[Promise, ...]] = (
    Promise(
        name="readable",
        expectation="expect_column_values_to_be_null",
        arguments={"column": "unreadable"},
        severity=Severity.CRITICAL,
        reason="unreadable_row",
        words="The row could be read",
        broken="The row could not be read",
    ),
    Promise(
        name="source_known",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "source_known", "value_set": [True]},
        severity=Severity.CRITICAL,
        reason="source_unknown",
        words="The source is one of the playbook's",
        broken="The source is none of the playbook's",
        shown_column="source",
        required=True,
    ),
    Promise(
        name="keyed",
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "signal_key"},
        severity=Severity.CRITICAL,
        reason="signal_key_missing",
        words="The signal has a key, so that the same one is never counted twice",
        broken="The signal has no key, so the same one could be counted twice",
    ),
    Promise(
        name="values_fit",  # before ``has_contact``: "too long" is a better reason than "no contact"
        expectation="expect_column_values_to_be_null",
        arguments={"column": "too_long"},
        severity=Severity.CRITICAL,
        reason="value_too_long",
        words="No value is longer than its field can hold",
        broken="A value is longer than its field can hold",
        shown_column="too_long_value",
    ),
    Promise(
        name="has_contact",
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "contact"},
        severity=Severity.CRITICAL,
        reason="no_contact",
        words="The lead can be reached: there is an e-mail address or a phone number",
        broken="The lead cannot be reached: there is no e-mail address and no phone number",
    ),
    Promise(
        name="values_not_oversized",
        expectation="expect_column_values_to_be_between",
        arguments={"column": "longest_value", "max_value": 20_000},
        severity=Severity.WARNING,
        reason="oversized_value",
        words="No value is longer than 20,000 characters",
        broken="A value is longer than 20,000 characters",
        shown_column="longest_value",
    ),
    Promise(
        name="not_from_the_future",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "occurred_in_future", "value_set": [False]},
        severity=Severity.WARNING,
        reason="occurred_in_future",
        words="The signal does not come from the future",
        broken="The signal is dated in the future",
        shown_column="occurred_at",
    ),
)
