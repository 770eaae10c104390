"""Capture to validation of a record: every update is a readable row with the record's key, from a known source."""

from __future__ import annotations

from typing import Final

from expectations import captured
from expectations.promises import Promise
from leadgate.vocabulary import Severity

#: Those of leads that hold for whatever comes in.
_SHARED: Final = {
    each.name: each
    for each in captured.PROMISES
    if each.name in ("readable", "source_known", "keyed", "values_fit", "values_not_oversized")
}

HAS_RECORD_KEY: Final = Promise(
    name="has_record_key",
    expectation="expect_column_values_to_not_be_null",
    arguments={"column": "record_key"},
    severity=Severity.CRITICAL,
    reason="record_key_missing",
    words="The update says which record it is about: there is an id",
    broken="The update does not say which record it is about: there is no id",
)

PROMISES: Final[tuple[Promise, ...]] = (
    *(_SHARED[name] for name in ("readable", "source_known", "keyed", "values_fit")),
    HAS_RECORD_KEY,
    _SHARED["values_not_oversized"],
)
