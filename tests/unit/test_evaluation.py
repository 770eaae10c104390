"""Limits of expressions: how much text they may build, how long they may take, and that both change no answer."""

from __future__ import annotations

import threading
import time
from functools import cache

import duckdb
import numpy as np
import pandas as pd
import pytest
from growing import GROWING, grow_to_limit
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.deadlines import DeadlinePassed
from leadgate.expressions import evaluation, rules
from leadgate.expressions.evaluation import MEMORY, group_expressions, split_rows
from leadgate.expressions.rules import match_rows
from leadgate.expressions.size import WRITTEN_OUT, measure
from leadgate.expressions.syntax import FUNCTIONS, MAX_BUILT, TEXT_SEEN, RuleError, connect, parse
from leadgate.fields import FieldType

COLUMNS: dict[str, FieldType] = {"message": "text", "company": "text", "employees": "integer"}


@pytest.mark.parametrize(
    "expression",
    [
        GROWING["concat"](200),
        GROWING["concat in case"](150),
        GROWING["joined"](18),
        "replace(message, '', message) = ''",
        "replace(message, 'a', message) = ''",
        GROWING["replaced in turn"](4),
        "replace(replace(message, 'a', company), 'b', company) = ''",
    ],
)
def test_an_expression_that_could_build_too_much_is_refused(expression: str) -> None:
    with pytest.raises(RuleError, match="MB of text"):
        parse(expression)


@pytest.mark.parametrize("name", ["nullif", "split_part"])
def test_calls_that_duckdb_writes_out_are_not_nested_deeply(name: str) -> None:
    def nested(depth: int) -> str:
        end = ", 'a', 1)" if name == "split_part" else ", 'a')"
        return f"{name}(" * depth + "message" + end * depth + " = 'x'"

    rules.check(nested(3), COLUMNS)
    with pytest.raises(RuleError, match="too deeply"):
        parse(nested(20))


def test_parts_of_long_texts_may_be_joined_and_replaced() -> None:
    parse(f"concat({', '.join(['left(message, 200)'] * 90)}) = 'x'")
    parse("replace(left(message, 100), 'a', left(message, 50)) = ''")
    parse("replace(company, ' ', ' and ') = 'x'")


def test_every_function_that_duckdb_writes_out_is_known() -> None:
    written = duckdb.sql("SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type LIKE '%macro%'")
    assert {name for (name,) in written.fetchall()} & FUNCTIONS == set(WRITTEN_OUT)


@pytest.mark.parametrize("function", ["lower", "upper", "strip_accents", "trim", "ltrim", "rtrim"])
def test_no_function_makes_several_characters_of_one(function: str) -> None:
    every = (
        f"SELECT max(length({function}(c))) FROM (SELECT chr(i::INTEGER) AS c FROM range(1, 1114112) t(i) "
        "WHERE i NOT BETWEEN 55296 AND 57343)"
    )
    assert connect().execute(every).fetchone() == (1,)


def test_no_progress_is_written_to_the_output_of_a_command() -> None:
    assert connect().execute("SELECT current_setting('enable_progress_bar')").fetchone() == (False,)


#: At most a dozen texts in one expression: most that are drawn without an end are given up by Hypothesis.
_TEXTS = st.recursive(
    st.sampled_from(["message", "company", "'ab'", "'ß'", "cast(employees as varchar)"]),
    lambda texts: st.one_of(
        st.builds("concat({}, {})".format, texts, texts),
        st.builds("({} || {})".format, texts, texts),
        st.builds("upper({})".format, texts),
        st.builds("left({}, 3)".format, texts),
        st.builds("replace({}, {}, {})".format, texts, texts, texts),
        st.builds("coalesce({}, {})".format, texts, texts),
        st.builds("case when employees > 3 then {} else {} end".format, texts, texts),
        st.builds("split_part({}, {}, 1)".format, texts, texts),
        st.builds("nullif({}, {})".format, texts, texts),
        st.builds("greatest({}, {})".format, texts, texts),
    ),
    max_leaves=12,
)


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    return connect()


@settings(max_examples=tried(100))
@given(_TEXTS, st.text("abß😀", max_size=5), st.text("abß😀", max_size=5), st.integers(-9, 9))
def test_no_result_is_longer_than_its_bound(expression: str, message: str, company: str, employees: int) -> None:
    try:
        tree = parse(expression).tree
    except RuleError:
        return
    lengths = {"message": len(message), "company": len(company), "employees": 64}
    asked = f"SELECT strlen(({expression})) FROM (SELECT ? AS message, ? AS company, ?::BIGINT AS employees)"
    row = _duckdb().execute(asked, [message, company, employees]).fetchone()
    size = measure(tree, lambda name: lengths[name])
    assert row is not None
    assert (row[0] or 0) <= 4 * size.text


def test_rows_and_expressions_are_put_together_as_memory_allows() -> None:
    texts = [None, "x" * TEXT_SEEN, "short"] * 5_000
    frame = pd.DataFrame({"message": texts, "company": "Acme", "employees": 3})
    worst = {name: parse(grow_to_limit(grow)) for name, grow in GROWING.items()}
    together = list(group_expressions({f"{name} {copy}": each for copy in range(20) for name, each in worst.items()}))
    assert [name for group in together for name in group] == [f"{n} {copy}" for copy in range(20) for n in worst]
    for group in together:
        built = sum(float(measure(worst[name.rsplit(" ", 1)[0]].tree, lambda _: TEXT_SEEN).built) for name in group)
        assert built <= MEMORY
    found = list(split_rows(worst.values(), frame, COLUMNS))
    assert [start for start, _ in found[1:]] == [end for _, end in found[:-1]]
    assert (found[0][0], found[-1][1]) == (0, len(frame))
    assert len(found) > 100
    plain = [parse("country = 'DE'"), parse("employees > 3")]
    few = split_rows(plain, frame.assign(country="DE"), {"country": "text", "employees": "integer"})
    assert list(few) == [(0, len(frame))]


def test_evaluating_in_parts_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(5)
    texts = ["ab" * int(n) for n in draw.integers(0, 50, 60)]
    frame = pd.DataFrame({"message": texts, "company": texts[::-1], "employees": range(60)}, index=range(900, 840, -1))
    asked = {
        "long": "length(concat(message, company)) > 90",
        "odd": "employees % 2 = 1",
        "same": "replace(message, 'a', 'aa') = company",
    }
    whole = match_rows(asked, frame, COLUMNS)
    assert 0 < whole["long"].sum() < 60
    for memory in (1, 20_000, 300_000):
        monkeypatch.setattr(evaluation, "MEMORY", memory)
        assert match_rows(asked, frame, COLUMNS).equals(whole)


# -- deadlines -------------------------------------------------------------------------------------------


def test_expressions_that_take_too_long_are_ended_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "compute_seconds", lambda rows: 0.3)
    frame = pd.DataFrame({"message": ["a" * 8_000] * 20_000, "company": "Acme", "employees": 3})
    slow = grow_to_limit(GROWING["concat"])
    with pytest.raises(DeadlinePassed, match="most of it slow") as passed:
        match_rows({"quick": "employees > 1", "slow": slow, "other": "company = 'x'"}, frame, COLUMNS)
    assert passed.value.reason == "check_timed_out"
    monkeypatch.undo()
    # what was interrupted is used no more, so the next question is answered
    assert match_rows({"quick": "employees > 1"}, frame, COLUMNS)["quick"].all()
    assert match_rows({"quick": "employees > 1"}, frame.head(3), COLUMNS)["quick"].all()


def test_an_interruption_ends_what_duckdb_does() -> None:
    connection = connect()
    began = time.monotonic()
    with pytest.raises(DeadlinePassed), evaluation.interrupted_after(0.2, connection):
        connection.execute("SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(10_000_000) b").fetchone()
    assert time.monotonic() > began
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer) and not thread.daemon]


def test_limits_leave_room_for_what_playbooks_ask() -> None:
    parse(" or ".join(["contains(lower(message), 'budget')"] * 40))
    parse("length(trim(message)) >= 20 and not regexp_matches(lower(message), '\\b(my cv|my resume|job opening)\\b')")
    assert measure(parse("lower(message) = 'x'").tree, lambda _: TEXT_SEEN).built < MAX_BUILT / 50
