"""Rules suggested from an export: the outcome's column, kinds of columns, what was known afterwards, hostile values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.expressions import rules
from leadgate.figures import Share
from leadgate.learning.discrimination import compute_top_share
from leadgate.learning.draft_text import NewField, build_draft_text
from leadgate.learning.export_columns import LONGEST_VALUE, Column, ColumnReader
from leadgate.learning.known_afterwards import compare_with_end, judge_name, list_suspicions
from leadgate.learning.outcome_column import OutcomeColumnError, find_outcome_column, read_outcome_words
from leadgate.learning.rule_drafts import (
    ChosenRule,
    ExpressedColumn,
    RuleDraft,
    choose_rules,
    draft_rules,
    find_limit_of,
    quote,
)
from leadgate.learning.separation import Separation, find_edges, separate
from leadgate.learning.significance import compute_larger_lift, find_limit, measure_distance
from leadgate.playbook import Scoring
from leadgate.playbook.yaml_text import read as read_yaml
from leadgate.values.json_types import JsonValue

ROWS = 2_000


def read(header: str, cells: list[JsonValue], most: int = 1_000) -> Column:
    reader = ColumnReader(header, most)
    for start in range(0, len(cells), 300):
        reader.add(cells[start : start + 300])
    return reader.build()


def part(header: str, cells: list[JsonValue], won: list[bool]) -> Separation:
    """The rows parted by a column; every seventh is kept aside."""
    found = separate(read(header, cells), np.array(won), np.arange(len(cells)) % 7 != 6, str.lower)
    assert found is not None
    return found


# --- the outcome's column ---------------------------------------------------------------------------------


def test_the_outcome_is_the_column_with_the_most_telling_name_whose_values_are_known() -> None:
    values = {"Status": {"won", "lost"}, "Is Converted": {"1", "0"}, "Subscribed": {"yes", "no"}, "Stage": {"A", "B"}}
    assert find_outcome_column(list(values), values) == "Is Converted"
    del values["Is Converted"]
    assert find_outcome_column(list(values), values) == "Status"
    assert find_outcome_column(["lead.Won", *values], values | {"lead.Won": {"true", "false"}}) == "lead.Won"
    del values["Status"]
    with pytest.raises(OutcomeColumnError, match="it may be 'Subscribed'"):
        find_outcome_column(list(values), values)


@pytest.mark.parametrize(
    ("values", "won", "lost", "expected"),
    [
        (["1", "0"], [], [], ({"1"}, {"0"})),
        (["Closed Won", "Closed Lost", "Negotiation"], [], [], ({"Closed Won"}, {"Closed Lost"})),
        (["Won", "Lost", "Engaging"], ["won"], [], ({"Won"}, {"Lost"})),
        (["gold", "silver", "lead"], ["gold"], [], ({"gold"}, {"silver", "lead"})),
        (["gold", "silver", "lead"], ["gold"], ["lead"], ({"gold"}, {"lead"})),
        (["yes", "no"], ["no"], [], ({"no"}, {"yes"})),
    ],
)
def test_values_mean_what_is_said_of_them_or_what_they_usually_mean(
    values: list[str], won: list[str], lost: list[str], expected: tuple[set[str], set[str]]
) -> None:
    words = read_outcome_words(values, won, lost)
    assert (words.won, words.lost, words.missing_is_lost) == (*map(frozenset, expected), False)


def test_any_value_may_mean_won_and_then_none_means_lost() -> None:
    words = read_outcome_words(["2025-01-01", "2025-01-02"], ["*"])
    assert words.missing_is_lost
    assert words.judge("2025-01-02") is True


@pytest.mark.parametrize(
    ("values", "won", "lost", "said"),
    [
        (["gold", "lead"], [], [], "say with --won VALUE"),
        (["gold", "lead"], ["silver"], [], "no value 'silver'"),
        (["gold", "lead"], ["gold"], ["Gold"], "given as won and as lost"),
    ],
)
def test_what_was_said_of_the_values_must_fit_them(
    values: list[str], won: list[str], lost: list[str], said: str
) -> None:
    with pytest.raises(OutcomeColumnError, match=said):
        read_outcome_words(values, won, lost)


# --- columns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "cells", "kind"),
    [
        ("Visits", [str(n % 30) for n in range(ROWS)], "number"),
        ("Revenue", [f"{n * 37 % 9_001},{n % 10}0" for n in range(ROWS)], "number"),
        ("Lead Number", [str(660_000 - n) for n in range(ROWS)], "id"),
        ("Prospect", [f"{n:032x}" for n in range(ROWS)], "id"),
        ("Created", [f"2025-{n % 12 + 1:02}-{n % 28 + 1:02}" for n in range(ROWS)], "date"),
        ("Opted in", ["1", "0"] * (ROWS // 2), "category"),
        ("Source", [f"source {n % 7}" for n in range(ROWS)], "category"),
        ("Wish", [f"I would like {n} of them" for n in range(ROWS)], "text"),
        ("Empty", ["", "n/a"] * (ROWS // 2), "nothing"),
        ("Same", ["No"] * ROWS, "one value"),
        ("Mixed", [None, 3, 4.5, True, "x"] * (ROWS // 5), "category"),
    ],
)
def test_the_kind_of_a_column(header: str, cells: list[JsonValue], kind: str) -> None:
    assert read(header, cells).kind == kind


def test_only_so_many_short_values_are_kept_and_the_others_are_known_to_be_there() -> None:
    cells: list[JsonValue] = [f"text {n}" for n in range(50)] + ["y" * (LONGEST_VALUE + 1), "", "text 1"]
    column = read("Wish", cells, most=20)
    assert len(column.values) == 20
    assert column.filled.sum() == 52
    assert column.values[column.codes[-1]] == "text 1"
    numbers = read("Amount", [str(n / 7) for n in range(500)], most=20).numbers
    assert numbers is not None
    assert numbers.tolist() == pytest.approx([n / 7 for n in range(500)])


@given(st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=60))
def test_bins_part_numbers_at_edges_that_rise(amounts: list[float]) -> None:
    edges = find_edges(np.array(amounts))
    assert edges == sorted(set(edges))
    counts = np.bincount(np.searchsorted(edges, amounts, side="right"), minlength=len(edges) + 1)
    assert (counts > 0).all()


def test_edges_are_short_numbers_and_a_frequent_smallest_number_has_a_bin_of_its_own() -> None:
    assert find_edges(np.array([0.0] * 30 + [1.0, 132.0, 136.0, 138.0] * 10)) == [1.0, 100.0, 136.0, 138.0]


def test_shares_of_values_are_those_of_the_rows_to_learn_from() -> None:
    cells: list[JsonValue] = ["Google", "google", "Fair", ""] * 300
    won = [n % 4 < 2 and n % 8 != 0 for n in range(1_200)]
    found = part("Source", cells, won)
    assert [each.words for each in found.parts] == ["Google", "Fair", "no value"]
    google, fair, nothing = found.parts
    learned = [n for n in range(1_200) if n % 7 != 6]
    assert google.learn == Share(sum(won[n] for n in learned if n % 4 < 2), sum(n % 4 < 2 for n in learned))
    assert (fair.learn.count, nothing.missing, google.values) == (0, True, ("google",))
    assert google.learn.of + google.aside.of == 600


@pytest.mark.parametrize(
    ("wins", "trend"), [((0.1, 0.3, 0.6), "rises"), ((0.6, 0.3, 0.1), "falls"), ((0.3, 0.6, 0.2), "up and down")]
)
def test_whether_the_share_won_rises_with_a_number(wins: tuple[float, ...], trend: str) -> None:
    amounts = [n % 3 for n in range(ROWS)]
    won = [n // 3 % 100 < 100 * wins[amount] for n, amount in enumerate(amounts)]
    assert part("Visits", [str(amount) for amount in amounts], won).trend == trend


# --- what was known afterwards ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    ["Tags", "Lead Quality", "Lead Profile", "Asymmetrique Activity Index", "LeadScore", "Last Notable Activity",
     "lost_reason", "Close Value", "Owner", "Deal Stage"],
)  # fmt: skip
def test_names_of_what_is_filled_in_as_a_lead_is_worked(header: str) -> None:
    assert [each.sign for each in judge_name(header)] == ["named"]


@pytest.mark.parametrize("header", ["Industry", "Lead Source", "What is your current occupation", "Job title", "City"])
def test_names_of_what_is_known_when_a_lead_comes(header: str) -> None:
    assert judge_name(header) == []


def find_signs(cells: list[JsonValue], won: list[bool]) -> set[str]:
    column = read("Column", cells)
    found = separate(column, np.array(won), np.arange(len(cells)) % 7 != 6, str.lower)
    assert found is not None
    return {each.sign for each in list_suspicions(found, np.array(won), column.filled)}


def test_a_column_that_only_one_outcome_has_or_that_parts_them_is_suspected() -> None:
    won = [n % 4 == 0 for n in range(ROWS)]
    assert find_signs([f"seller {n % 5}" if w else "" for n, w in enumerate(won)], won) >= {"separates", "filled"}
    assert "filled" in find_signs([f"reason {n % 5}" if not w and n % 7 else "" for n, w in enumerate(won)], won)
    assert "filled" in find_signs(["big" if w and n % 9 == 0 else "" for n, w in enumerate(won)], won)
    assert "only_won" in find_signs(["hot" if w and n % 3 else "warm" for n, w in enumerate(won)], won)
    assert find_signs(["big" if n % 5 < 1 + w else "small" for n, w in enumerate(won)], won) == set()


def test_dates_after_the_outcome_are_counted_but_for_a_few_mistakes() -> None:
    ended = np.full(1_000, 20_000.0)
    days = np.where(np.arange(1_000) < 30, 20_002.0, 19_990.0)
    (found,) = compare_with_end(days, ended)
    assert (found.sign, found.words) == ("late", "30 of 1,000 dates are after the outcome")
    assert compare_with_end(np.where(np.arange(1_000) < 9, 20_002.0, 19_990.0), ended) == []
    assert compare_with_end(days - 2, ended) == []


# --- the draft --------------------------------------------------------------------------------------------


def draft(found: Separation, expressed: ExpressedColumn, taken: set[str] | None = None) -> list[RuleDraft]:
    """The rules of a column alone."""
    return draft_rules(found, expressed, set() if taken is None else taken, find_limit_of([found]))[0]


TEXT = ExpressedColumn("origin", "lower(origin)", "origin")
VISITS = ExpressedColumn("visits", "lower(visits)", "visits")
_HOSTILE = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=40)


@settings(max_examples=tried(100))
@given(_HOSTILE.map(str.strip).filter(str.isprintable).filter(bool))
def test_a_value_of_a_file_is_a_text_in_a_condition_and_in_yaml_whatever_is_in_it(value: str) -> None:
    """... so a rule meets the rows with exactly this value, and nothing in it is read as an expression or as YAML."""
    draft = RuleDraft("origin_x", value, f"origin in ({quote(value)}, 'other')", value, Share(9, 10), Share(1, 10))
    rule = ChosenRule(draft, 7, (1, 9))  # type: ignore[arg-type]
    written = read_yaml(build_draft_text([rule], {"origin": NewField("origin", "text", value)}, ["note"], {}), "d").data
    (scored,) = Scoring.model_validate(written["scoring"]).fit
    assert (scored.points, scored.when, written["fields"]["origin"]["headers"]) == (7, draft.when, [value])
    frame = pd.DataFrame({"origin": [value, value + "'", "x" + value, None, "other"]}, dtype=object)
    met = rules.match_rows({"it": scored.when}, frame, {"origin": "text"})["it"]
    assert met.tolist() == [True, False, value == "other", False, True]


def test_a_text_that_nobody_sees_is_not_written() -> None:
    with pytest.raises(ValueError, match="visible"):
        build_draft_text([], {"x": NewField("x", "text", "a\nscoring: {}")}, [], {})
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


def test_values_that_tell_the_same_are_one_rule_and_the_others_are_what_it_is_compared_with() -> None:
    cells: list[JsonValue] = [("fair", "expo", "web", "ads", "mail")[n % 5] for n in range(ROWS)]
    won = [(n // 5 % 10) < (8 if n % 5 < 2 else 3) for n in range(ROWS)]
    taken: set[str] = {"origin_expo_and_1_more"}
    (rule,) = draft(part("Origin", cells, won), TEXT, taken)
    assert set(rule.when.removeprefix("lower(origin) in (").rstrip(")").split(", ")) == {"'fair'", "'expo'"}
    assert rule.name in taken
    assert rule.name != "origin_expo_and_1_more"
    assert rule.learn.value == pytest.approx(0.8, abs=0.02)


def test_steps_of_a_number_add_up_and_a_missing_one_has_a_rule() -> None:
    cells: list[JsonValue] = [("0", "1", "5", "9", "")[n % 5] for n in range(5_000)]
    shares = (2, 2, 5, 9, 7)
    won = [(n // 5 % 10) < shares[n % 5] for n in range(5_000)]
    drafts = draft(part("Visits", cells, won), VISITS)
    assert [each.when for each in drafts] == ["visits >= 5", "visits >= 9", "visits is null"]


def test_numbers_without_a_trend_have_a_rule_for_each_bin_that_is_told_apart() -> None:
    cells: list[JsonValue] = [("1", "5", "9")[n % 3] for n in range(3_000)]
    won = [(n // 3 % 10) < (2, 7, 3)[n % 3] for n in range(3_000)]
    assert "visits >= 5 and visits < 9" in {each.when for each in draft(part("V", cells, won), VISITS)}


def test_a_column_that_tells_nothing_and_dates_of_the_past_make_no_rule() -> None:
    random = np.random.default_rng(7)
    won = (random.random(ROWS) < 0.4).tolist()
    noise: list[JsonValue] = [f"v{n}" for n in random.integers(0, 9, ROWS)]
    assert draft(part("Noise", noise, won), TEXT) == []
    days: list[JsonValue] = [f"2025-{1 + 6 * w + n % 6:02}-03" for n, w in enumerate(won)]
    assert draft(part("Day", days, won), TEXT) == []


def test_a_rule_that_tells_nothing_beside_another_is_left_out() -> None:
    """Everybody who was referred came by the form: the form is what tells, and the other differs by chance only."""
    random = np.random.default_rng(3)
    form = random.random(4_000) < 0.4
    referred = form & (random.random(4_000) < 0.6)
    won = random.random(4_000) < np.where(form, 0.7, 0.2)
    drafts = [RuleDraft(name, name, name, name, Share(1, 2), Share(1, 4)) for name in ("form", "referred")]
    (chosen,), left_out = choose_rules(drafts, {"form": form, "referred": referred}, won)
    assert [(each.words, each.why) for each in left_out] == [("referred", "tells nothing beside the other rules")]
    assert chosen.draft.name == "form"
    odds = won[form].mean() / (1 - won[form].mean()) / (won[~form].mean() / (1 - won[~form].mean()))
    assert chosen.points == pytest.approx(10 * np.log2(odds), abs=0.6)


def test_the_limit_rises_with_the_number_of_differences_that_were_looked_at() -> None:
    """Of ten differences, ranked by their chance, the k-th counts below k thousandths; and so do all before it."""
    errors = [3.4, 3.1, 2.9, 2.0, *[0.5] * 6]  # chances 0.0007, 0.0019, 0.0037, 0.0455
    limit = find_limit(errors)
    assert limit.errors == pytest.approx(3.090, abs=0.001)  # the third is not below 0.003
    assert find_limit([3.4, 3.1, 3.0, 2.9, *[0.5] * 6]).errors == pytest.approx(2.878, abs=0.001)  # the fourth helps
    assert find_limit([2.5] * 2 + [0.1] * 50).errors is None
    assert find_limit([]).errors is None


def test_a_difference_is_beyond_the_limit_exactly_where_the_wider_interval_is_without_zero() -> None:
    limit = find_limit([4.0, *[0.1] * 99])
    for count in range(300, 420):
        first, second = Share(count, 1_000), Share(300, 1_000)
        interval = limit.widen(first, second)
        assert interval is not None
        assert limit.is_beyond(first, second) is (measure_distance(first, second) >= (limit.errors or 0))
        assert limit.is_beyond(first, second) is (interval.low >= 0 and count > 300)


@pytest.mark.parametrize(
    ("first", "second", "lift"),
    [
        (Share(33, 100), Share(30, 100), 1.1),
        (Share(30, 100), Share(33, 100), 1.1),
        (Share(95, 100), Share(80, 100), 4.0),  # a quarter as often lost
        (Share(0, 10), Share(5, 10), float("inf")),
        (Share(0, 0), Share(5, 10), 1.0),
    ],
)
def test_the_larger_lift_is_that_of_winning_or_of_losing(first: Share, second: Share, lift: float) -> None:
    assert compute_larger_lift(first, second) == pytest.approx(lift)


def test_a_rule_whose_points_say_the_opposite_of_its_share_says_so() -> None:
    rule = ChosenRule(RuleDraft("chat", "Chat", "chat", "yes", Share(25, 100), Share(41, 100)), 5, (1, 9))  # type: ignore[arg-type]
    (scored,) = read_yaml(build_draft_text([rule], {}, [], {}), "d").data["scoring"]["fit"]
    assert scored["why"] == "won 25 % of 100, 41 % of the others; more often where the other rules are the same"


def test_the_tenth_with_the_most_points_shares_the_leads_at_its_border() -> None:
    scores = np.array([9.0, 5.0, 5.0, 5.0, 5.0] + [0.0] * 15)
    won = np.array([True, True, False, False, False] + [False] * 15)
    found = compute_top_share(scores, won)
    assert (found.share.of, found.lift) == (2, pytest.approx((1 + 0.25) / 2 / 0.1))
