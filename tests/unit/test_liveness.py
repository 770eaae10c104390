"""Which flow run is dead: only one that gave no sign of life at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.liveness import LEASED, Signs, judge_signs

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=10)
LONG_AGO = NOW - timedelta(hours=1)
JUST_NOW = NOW - timedelta(minutes=1)


def judge(flow: str = "intake", state: Any = "running", since: datetime = LONG_AGO, **signs: Any) -> str:
    return judge_signs(Signs(flow=flow, state=state, since=since, **signs), NOW, LIMIT)


@pytest.mark.parametrize("flow", LEASED)
def test_a_run_that_holds_no_batch_and_gives_no_sign_is_dead(flow: str) -> None:
    assert judge(flow) == "dead"
    assert judge(flow, "cancelling") == "dead"
    assert judge(flow, "pending") == "dead"
    assert judge(flow, beat=LONG_AGO) == "dead"


@pytest.mark.parametrize(
    "sign", [{"since": JUST_NOW}, {"leased": True}, {"beat": JUST_NOW}, {"consumer": "c", "consumer_seen": True}]
)
@pytest.mark.parametrize("flow", ["intake", "follow-up", "deliver", "review"])
@pytest.mark.parametrize("state", ["running", "pending", "cancelling"])
def test_one_sign_of_life_is_enough(flow: str, state: str, sign: dict[str, Any]) -> None:
    assert judge(flow, state, **sign) == "alive"


def test_a_run_without_a_batch_is_dead_only_when_it_ever_gave_a_sign_that_could_stop() -> None:
    assert judge("deliver") == "unknown"
    assert judge("deliver", beat=LONG_AGO) == "dead"
    assert judge("deliver", consumer="gone") == "dead"


def test_a_run_kept_ready_by_a_consumer_that_is_gone_never_started() -> None:
    assert judge(state="pending", ready=True, consumer="gone") == "never_started"
    assert judge(state="pending", ready=True) == "unknown"
    assert judge(state="pending", ready=True, consumer="here", consumer_seen=True) == "alive"


def test_a_run_that_was_to_begin_a_day_ago_never_will() -> None:
    assert judge("deliver", "pending") == "unknown"
    assert judge("deliver", "pending", since=NOW - timedelta(days=2)) == "dead"
    assert judge("deliver", "running", since=NOW - timedelta(days=2)) == "unknown"


@given(
    st.sampled_from(["intake", "follow-up", "deliver", "review"]),
    st.sampled_from(["running", "pending", "cancelling"]),
    st.timedeltas(timedelta(0), timedelta(days=30)),
    st.booleans(),
    st.booleans(),
)
def test_nothing_that_gave_a_sign_within_the_limit_is_ended(
    flow: str, state: str, ago: timedelta, ready: bool, tagged: bool
) -> None:
    consumer = "c" if tagged else None
    said = judge(flow, state, since=NOW - timedelta(days=31), beat=NOW - ago, ready=ready, consumer=consumer)
    assert (said == "alive") == (ago < LIMIT)
