"""The breaker: it opens on the share of the last rows, cools down, probes, and closes or opens again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.breaker import BreakerState, admit, observe
from leadgate.playbook import Breaker

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULES = Breaker()  # 50 rows looked back on, from 20 on, half of them
rows = st.lists(st.booleans(), max_size=150)
rules = st.builds(
    Breaker,
    window=st.integers(20, 60),
    at_least=st.integers(20, 80),
    share=st.floats(0.05, 1.0),
    probes=st.integers(1, 6),
    cool_down=st.just(timedelta(minutes=15)),
)


def opened(at: datetime = NOW) -> BreakerState:
    return observe(BreakerState(), [True] * 20, RULES, at)


def half_open(waiting: int = 5) -> BreakerState:
    return admit(opened(), NOW + RULES.cool_down, waiting, RULES)[1]


def test_it_stays_closed_until_enough_rows_were_seen() -> None:
    assert observe(BreakerState(), [True] * 19, RULES, NOW).status == "closed"
    assert opened().status == "open"


def test_the_share_itself_opens_it_and_one_row_less_does_not() -> None:
    kept_first = [False] * 10
    assert observe(BreakerState(), [*kept_first, *[True] * 10], RULES, NOW).status == "open"
    assert observe(BreakerState(), [*kept_first, *[True] * 9, False], RULES, NOW).status == "closed"


def test_rows_older_than_the_window_are_forgotten() -> None:
    state = observe(BreakerState(), [False] * 1_000, RULES, NOW)
    assert state.seen == 50
    assert observe(state, [True] * 24, RULES, NOW).status == "closed"
    assert observe(state, [True] * 25, RULES, NOW).status == "open"


def test_an_early_burst_opens_it_and_the_window_tells_why() -> None:
    state = observe(BreakerState(), [True] * 20 + [False] * 500, RULES, NOW)
    assert (state.status, state.broken, state.seen, state.opened_at) == ("open", 20, 20, NOW)


def test_a_full_window_is_enough_when_the_playbook_asks_for_more_rows_than_it_holds() -> None:
    greedy = Breaker(window=20, at_least=100)
    assert observe(BreakerState(), [True] * 20, greedy, NOW).status == "open"


def test_closed_lets_everything_pass() -> None:
    assert admit(BreakerState(), NOW, 20_000, RULES) == (20_000, BreakerState())


def test_open_lets_nothing_pass_until_it_has_cooled_down() -> None:
    just_before = NOW + RULES.cool_down - timedelta(seconds=1)
    assert admit(opened(), just_before, 100, RULES) == (0, opened())
    passing, state = admit(opened(), NOW + RULES.cool_down, 100, RULES)
    assert (passing, state.status) == (RULES.probes, "half_open")


def test_half_open_sends_no_more_than_its_probes() -> None:
    later = NOW + RULES.cool_down + timedelta(minutes=1)
    assert admit(half_open(), later, 100, RULES)[0] == 0
    assert admit(half_open(waiting=2), later, 100, RULES)[0] == RULES.probes - 2


def test_probes_that_were_never_seen_again_are_replaced() -> None:
    state = observe(half_open(), [False, False], RULES, NOW)
    assert admit(state, NOW + 2 * RULES.cool_down, 100, RULES)[0] == RULES.probes - 2


def test_it_closes_with_an_empty_window_when_all_probes_pass() -> None:
    four = observe(half_open(), [False] * 4, RULES, NOW)
    assert four.status == "half_open"
    assert observe(four, [False], RULES, NOW) == BreakerState()


def test_one_failed_probe_opens_it_for_another_cool_down() -> None:
    later = NOW + timedelta(hours=1)
    state = observe(half_open(), [False, False, True], RULES, later)
    assert (state.status, state.opened_at, state.passed) == ("open", later, 0)
    assert admit(state, later + timedelta(minutes=14), 9, RULES)[0] == 0
    assert admit(state, later + timedelta(minutes=15), 9, RULES)[0] == RULES.probes


def test_rows_judged_before_it_opened_change_nothing_once_it_is_open() -> None:
    assert observe(opened(), [False] * 300, RULES, NOW) == opened()


@settings(max_examples=tried(50))
@given(before=rows, batch=rows, rules=rules, start=st.sampled_from(["new", "half_open"]))
def test_one_batch_and_row_by_row_end_in_the_same_state(
    before: list[bool], batch: list[bool], rules: Breaker, start: str
) -> None:
    state = observe(BreakerState(), before, rules, NOW)
    if start == "half_open":
        state = admit(state, NOW + rules.cool_down, 100, rules)[1]
    single = state
    for broke in batch:
        single = observe(single, [broke], rules, NOW)
    assert observe(state, batch, rules, NOW) == single


@settings(max_examples=tried(50))
@given(batch=rows, rules=rules)
def test_it_is_open_exactly_when_some_window_reached_the_share(batch: list[bool], rules: Breaker) -> None:
    windows = (batch[max(0, end - rules.window) : end] for end in range(1, len(batch) + 1))
    enough = min(rules.at_least, rules.window)
    reached = any(len(w) >= enough and sum(w) >= rules.share * len(w) for w in windows)
    assert (observe(BreakerState(), batch, rules, NOW).status == "open") is reached


@settings(max_examples=tried(50))
@given(batch=rows, rules=rules, waiting=st.integers(0, 200), wait=st.integers(0, 40))
def test_admitting_never_exceeds_what_waits_or_the_probes(
    batch: list[bool], rules: Breaker, waiting: int, wait: int
) -> None:
    state = observe(BreakerState(), batch, rules, NOW)
    passing, after = admit(state, NOW + timedelta(minutes=wait), waiting, rules)
    if state.status == "closed":
        assert passing == waiting
    else:
        assert passing == (min(waiting, rules.probes) if wait >= 15 else 0)
    assert BreakerState.from_json(after.to_json()) == after
