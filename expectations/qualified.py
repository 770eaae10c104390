"""The promises of the gate from qualification to assignment: scores add up, and decisions can be explained.

Belongs here: these promises. Does not belong here: checking them (``gate``). They are checked for every row that
qualification decided, also for those that do not go on.
"""

from __future__ import annotations

from typing import Final

from expectations.promises import Promise
from leadgate.vocabulary import Outcome, Severity

_OUTCOMES: Final = [
    outcome.value for outcome in (Outcome.CONTINUE, Outcome.REVIEW, Outcome.NURTURE, Outcome.DISQUALIFIED, Outcome.DONE)
]

PROMISES: Final[tuple[Promise, ...]] = (
    Promise(
        name="fit_scored",
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "fit"},
        severity=Severity.CRITICAL,
        reason="score_missing",
        words="The lead has points for fit",
        broken="The lead has no points for fit",
    ),
    Promise(
        name="engagement_scored",
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "engagement"},
        severity=Severity.CRITICAL,
        reason="score_missing",
        words="The lead has points for engagement",
        broken="The lead has no points for engagement",
    ),
    Promise(
        name="score_adds_up",
        expectation="expect_column_pair_values_to_be_equal",
        arguments={"column_A": "score", "column_B": "contribution_sum"},
        severity=Severity.CRITICAL,
        reason="score_mismatch",
        words="The score is the sum of its contributions",
        broken="The score is not the sum of its contributions",
        shown_column="score",
    ),
    Promise(
        name="outcome_known",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "outcome", "value_set": _OUTCOMES},
        severity=Severity.CRITICAL,
        reason="outcome_unknown",
        words="The lead continues, waits for review, is nurtured, is disqualified, or is done and stays qualified",
        broken="Qualification ended with an unknown outcome",
        shown_column="outcome",
        required=True,
    ),
    Promise(
        name="disqualified_with_reason",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "reason_missing", "value_set": [False]},
        severity=Severity.CRITICAL,
        reason="reason_missing",
        words="A disqualified lead carries the reason",
        broken="The lead was disqualified without a reason",
        shown_column="outcome",
        required=True,
    ),
    Promise(
        name="score_in_bounds",
        expectation="expect_column_values_to_be_between",
        arguments={"column": "score", "min_value": -10_000, "max_value": 10_000},
        severity=Severity.WARNING,
        reason="score_extreme",
        words="The score is between -10,000 and 10,000",
        broken="The score is not between -10,000 and 10,000",
        shown_column="score",
    ),
    Promise(
        name="one_playbook",  # about the batch: two playbooks in one batch would mix two definitions
        expectation="expect_column_unique_value_count_to_be_between",
        arguments={"column": "playbook_hash", "min_value": 1, "max_value": 1},
        severity=Severity.CRITICAL,
        reason="playbook_mixed",
        words="The whole batch was decided by one playbook",
        broken="The batch was decided by more than one playbook",
    ),
)
