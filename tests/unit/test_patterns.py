"""Patterns of a playbook: RE2 finds what Python's ``re`` finds, in linear time, and says why it refuses one."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable

import pytest
import re2
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from properties import tried

from expectations import PROMISES
from leadgate.deadlines import DeadlinePassed
from leadgate.expressions.patterns import MAX_PATTERN, find_matches, find_pattern_problem
from leadgate.expressions.syntax import RuleError, parse

#: Patterns that hold a backtracking matcher for minutes or hours.
BACKTRACKING = [
    r"^(?:\+?\d? ?){20}$",
    r"^(.*)a(.*)a(.*)b$",
    r"(a+)+$",
    r"(\w+\s?)*$",
    r"(a|aa)*b",
    r"([a-z]+){3}$",
    r".*.*=",
    r"a{0,200}a{0,200}b",
    r".*a.*a.*a.*b",
    r"\s+$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    "a?" * 30 + "a" * 30 + "b",
]
#: Values that are nearly matched, so that a matcher has to try everything.
HOSTILE: list[Callable[[int], str]] = [
    lambda n: "a" * n + "!",
    lambda n: "1" * n + "x",
    lambda n: "a " * (n // 2) + "\n",
    lambda n: " " * n + "x",
    lambda n: "+1 " * (n // 3) + "x",
]


def seconds(pattern: str, text: str) -> float:
    began = time.process_time()
    find_matches(pattern, [f"{text}{number}" for number in range(20)])
    return time.process_time() - began


@pytest.mark.parametrize("pattern", BACKTRACKING)
def test_patterns_that_backtrack_are_sound_and_take_linear_time(pattern: str) -> None:
    assert find_pattern_problem(pattern) is None
    for text in HOSTILE:
        short, long = (min(seconds(pattern, text(n)) for _ in range(3)) for n in (2_000, 8_000))
        assert long < 10 * short + 0.1  # four times would be linear, sixteen times quadratic


def test_a_job_title_of_61_characters_is_answered() -> None:
    assert find_matches(r"^(?:\+?\d? ?){20}$", ["1" * 60 + "x", "1" * 20]) == [False, True]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(x)\1", r"invalid escape sequence: \1; RE2 has no look-arounds, no back-references"),
        (r"(?=x)y", "invalid perl operator: (?="),
        (r"(?<!x)y", "invalid perl operator: (?<"),
        (r"x\Z", r"writes \z for \Z"),
        ("[", "missing ]: ["),
        ("(", "missing ): ("),
        ("a{2000}", "invalid repetition size: {2000}"),
        (".{0,1000}" * 20, "pattern too large"),
        (r"(?i)\pL{0,500}", "pattern too large"),
        ("\ud800", "half a character"),
        ("x" * (MAX_PATTERN + 1), "200 is the most"),
        (7, "as text"),
    ],
)
def test_a_refused_pattern_gives_the_reason(pattern: object, said: str) -> None:
    assert said in str(find_pattern_problem(pattern))


def test_an_expression_is_refused_for_the_same_reason() -> None:
    for pattern in (r"(?=x)y", ".{0,1000}" * 20):
        with pytest.raises(RuleError) as refused:
            parse(f"regexp_matches(message, '{pattern}')")
        assert str(find_pattern_problem(pattern)) in str(refused.value)


def test_the_gates_own_patterns_can_be_compiled() -> None:
    own = [
        promise.arguments["regex"] for suite in PROMISES.values() for promise in suite if "regex" in promise.arguments
    ]
    assert own
    for pattern in own:
        assert find_matches(pattern, [""]) == [False]


def test_a_deadline_that_has_passed_ends_the_search() -> None:
    with pytest.raises(DeadlinePassed, match=r"a\.b"):
        find_matches("a.b", ["axb"] * 1_000, until=time.monotonic() - 1)


def test_values_of_any_kind_are_searched_as_text() -> None:
    assert find_matches("^1", [1, 1.5, True, "1", None]) == [True, True, False, True, False]
    assert find_matches("^.b$", ["\ud800b", "\x00b"]) == [True, True]


def test_many_states_do_not_change_the_answer() -> None:
    """RE2's automaton outgrows its memory here and is begun anew again and again."""
    draw = random.Random(7)
    for pattern in (r"(x|y)*x(x|y){100}$", r"x[xy]{0,60}z", r"(?:(?:x|xy|yx){0,20}z?){0,20}z$"):
        assert find_pattern_problem(pattern) is None
        plain = re2.compile(pattern)
        values = ["".join(draw.choices("xyz", weights=(9, 9, 1), k=draw.randint(0, 1_000))) for _ in range(100)]
        assert find_matches(pattern, values) == [plain.search(value) is not None for value in values]


# -- the same as Python's re -----------------------------------------------------------------------------

_ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "é",
        "1",
        r"\.",
        r"\+",
        "-",
        " ",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        r"\W",
        r"\S",
        "[ab]",
        "[^a1]",
        "[a-c1-3é]",
    ]
)
_REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?"])


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.tuples(st.sampled_from(["(", "(?:"]), parts, st.just(")"), _REPEATS).map("".join)
    choice = st.tuples(parts, parts).map("|".join).map("(?:{})".format)
    return st.lists(st.one_of(parts, group, choice), min_size=1, max_size=3).map("".join)


_BODY = st.recursive(st.tuples(_ATOMS, _REPEATS).map("".join), _joined, max_leaves=5)
_PATTERNS = st.tuples(st.sampled_from(["", "", "^", r"\A", r"\b"]), _BODY, st.sampled_from(["", "", "$", r"\b"])).map(
    "".join
)
_VALUES = st.lists(st.text(st.sampled_from("ab1é.+- \n_cZ"), max_size=10), min_size=1, max_size=5)


@settings(max_examples=tried(300))
@given(_PATTERNS, _VALUES)
def test_a_verdict_is_that_of_pythons_re(pattern: str, values: list[str]) -> None:
    assume(find_pattern_problem(pattern) is None)
    # in RE2 `$` is the very end, and classes are of ASCII
    theirs = re.compile(pattern.replace("$", r"\Z"), re.ASCII)
    assert find_matches(pattern, values) == [theirs.search(value) is not None for value in values]
