"""Enrichment to qualification of a record: the account is known. One that is not is a warning: no record is held."""

from __future__ import annotations

from typing import Final

from expectations.promises import Promise
from leadgate.vocabulary import Severity

PROMISES: Final[tuple[Promise, ...]] = (
    Promise(
        name="version_known",
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "number"},
        severity=Severity.CRITICAL,
        reason="version_missing",
        words="The record has a version",
        broken="The record has no version",
    ),
    Promise(
        name="account_told",
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "account"},
        severity=Severity.WARNING,
        reason="account_missing",
        words="The record names its account",
        broken="The record does not name its account",
    ),
    Promise(
        name="account_files_answered",
        expectation="expect_column_values_to_be_null",
        arguments={"column": "provider_problem"},
        severity=Severity.WARNING,
        reason="provider_failed",
        words="Every file of accounts could be read",
        broken="A file of accounts could not be read",
        shown_column="provider_problem",
    ),
)
