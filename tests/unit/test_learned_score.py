"""A learned score: contributions that add up, what scikit-learn predicts without it, and a judgement by later leads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import exp

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.learning.discrimination import Curve, compute_auc
from leadgate.learning.fitting import convert_boosting, fit_boosting, fit_logistic
from leadgate.learning.indicators import LEAST_OF_WORD, Decision, Indicator, Value, build_matrix, choose_indicators
from leadgate.learning.quality import compare, compare_all
from leadgate.learning.scorer import LearnedScore, Tree, Trees, Weights, load
from leadgate.learning.training import LEAST_LEADS, LEAST_OF_CLASS, Sample, TooFewError, require_enough, train

RULES = ("demo", "size", "student", "news")
POINTS = {"demo": 20, "size": 10, "student": -30, "news": 5}
START = datetime(2026, 1, 1, tzinfo=UTC)
LEADS = 1_200

Floats = np.ndarray


def draw(seed: int, rows: int = 400, columns: int = 5) -> tuple[Floats, Floats]:
    """Indicators, and outcomes that the first two of them tell of, together more than each alone."""
    numbers = np.random.default_rng(seed)
    matrix = numbers.integers(0, 2, (rows, columns)).astype(float)
    told = -1 + 1.5 * matrix[:, 0] - matrix[:, 1] + 2 * matrix[:, 0] * matrix[:, 1]
    return matrix, numbers.random(rows) < 1 / (1 + np.exp(-told))


def make_samples(chance: Callable[[frozenset[str]], float], *, leads: int = LEADS, seed: int = 1) -> list[Sample]:
    """Leads one an hour, each with rules by chance, won by ``chance`` of these."""
    numbers = np.random.default_rng(seed)
    samples = []
    for number in range(leads):
        rules = frozenset(name for name in RULES if numbers.random() < 0.4)
        points = sum(POINTS[name] for name in rules)
        won = bool(numbers.random() < chance(rules))
        samples.append(Sample(number, START + timedelta(hours=number), Decision(rules), points, won))
    return samples


def chance_by_weights(rules: frozenset[str]) -> float:
    """By a logistic curve in which the rules weigh otherwise than their points say."""
    told = -0.5 + 1.2 * ("news" in rules) + 1.6 * ("size" in rules) - 0.4 * ("demo" in rules)
    return float(1 / (1 + np.exp(-told)))


def chance_by_pair(rules: frozenset[str]) -> float:
    """By two rules together: neither tells anything alone."""
    return 0.9 if ("size" in rules) == ("news" in rules) else 0.1


# --- scoring ----------------------------------------------------------------------------------------------

_DECISIONS = st.lists(st.frozensets(st.sampled_from(RULES)).map(Decision), min_size=1, max_size=8)
_NUMBERS = st.floats(-3, 3, allow_nan=False)
_INDICATORS = tuple(Indicator("rule", name) for name in RULES)


@st.composite
def _scores(draw: st.DrawFn) -> LearnedScore:
    curve = Curve(draw(_NUMBERS), draw(_NUMBERS))
    if draw(st.booleans()):
        weights = draw(st.tuples(*[_NUMBERS] * len(RULES)))
        return LearnedScore(_INDICATORS, Weights(draw(_NUMBERS), weights), curve)
    # the root asks for one indicator, and its right node for another
    first, second = draw(st.permutations(range(len(RULES))))[:2]
    values = draw(st.tuples(*[_NUMBERS] * 5))
    tree = Tree((first, -1, second, -1, -1), (1, -1, 3, -1, -1), (2, -1, 4, -1, -1), values)
    return LearnedScore(_INDICATORS, Trees(draw(_NUMBERS), (tree, tree)), curve)


@given(_scores(), _DECISIONS)
def test_contributions_add_up_to_the_log_odds_of_the_chance(score: LearnedScore, decisions: list[Decision]) -> None:
    told = score.compute_log_odds(build_matrix(decisions, score.indicators))
    for lead, log_odds in zip(score.score(decisions), told.tolist(), strict=True):
        assert lead.begin + sum(lead.contributions.values()) == pytest.approx(log_odds, abs=1e-9)
        assert lead.chance == pytest.approx(1 / (1 + exp(-log_odds)), abs=1e-12)


@given(_scores(), _DECISIONS)
def test_a_score_that_was_kept_as_json_scores_the_same(score: LearnedScore, decisions: list[Decision]) -> None:
    again = load(orjson.loads(orjson.dumps(score.dump())))
    assert again == score
    assert again.score(decisions) == score.score(decisions)


def test_a_kind_that_is_not_known_is_refused() -> None:
    kept = LearnedScore(_INDICATORS, Weights(0.0, (0.0,) * 4), Curve(0, 1)).dump()
    with pytest.raises(ValueError, match="'forest' cannot be read"):
        load(kept | {"kind": "forest"})


def test_a_logistic_regression_predicts_what_scikit_learn_predicts() -> None:
    from sklearn.linear_model import LogisticRegression

    matrix, won = draw(3)
    reference = LogisticRegression(C=0.3, max_iter=1_000, tol=1e-6).fit(matrix, won)
    begin, added = fit_logistic(matrix, won, 0.3).contribute(matrix)
    assert begin + added.sum(axis=1) == pytest.approx(reference.decision_function(matrix), abs=1e-9)


@pytest.mark.parametrize("columns", [1, 6])
def test_trees_predict_what_scikit_learn_predicts(columns: int) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    matrix, won = draw(4, rows=600, columns=6)
    matrix = matrix[:, :columns]
    reference = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, early_stopping=False).fit(matrix, won)
    begin, added = convert_boosting(reference).contribute(matrix)
    assert begin + added.sum(axis=1) == pytest.approx(reference.decision_function(matrix), abs=1e-9)


def test_boosting_keeps_the_sign_that_a_rule_has() -> None:
    matrix, won = draw(5, rows=800)
    trees = fit_boosting(matrix, won, [1, 1, -1, 1, -1])
    corners = np.array([[(number >> place) & 1 for place in range(5)] for number in range(32)], dtype=float)
    for place, sign in enumerate((1, 1, -1, 1, -1)):
        without, with_it = corners[corners[:, place] == 0], corners[corners[:, place] == 1]
        told = [begin + added.sum(axis=1) for begin, added in (trees.contribute(with_it), trees.contribute(without))]
        assert ((told[0] - told[1]) * sign >= -1e-12).all()


# --- indicators -------------------------------------------------------------------------------------------


def count_by_words(values: list[Value]) -> dict[str, int]:
    decisions = [Decision(frozenset(), values={"it": value}) for value in values]
    chosen = choose_indicators(decisions, [])
    sums = build_matrix(decisions, chosen).sum(axis=0).astype(int).tolist()
    return {
        f"{each.kind} {each.value if each.kind == 'equals' else ''}{each.low or ''}".strip(): count
        for each, count in zip(chosen, sums, strict=True)
    }


def test_a_field_is_divided_into_indicators_by_its_type() -> None:
    rare = ["Malta"] * (LEAST_OF_WORD - 1)
    assert count_by_words(["DE"] * 40 + ["FR"] * 35 + rare + [None] * 12) == {
        "equals DE": 40,
        "equals FR": 35,
        "missing": 12,
    }
    assert count_by_words([True] * 20 + [False] * 20 + [None] * 9) == {"equals True": 20}  # too few are missing
    ranges = count_by_words([*range(100), *[None] * 20])
    assert ranges.pop("missing") == 20
    assert sorted(ranges.values()) == [20] * 5


def test_a_number_outside_of_what_was_seen_is_in_the_range_at_its_end() -> None:
    chosen = choose_indicators([Decision(frozenset(), values={"it": number}) for number in range(100)], [])
    matrix = build_matrix([Decision(frozenset(), values={"it": number}) for number in (-5, 1e9)], chosen)
    assert matrix.sum(axis=1).tolist() == [1, 1]
    assert (matrix[0] != matrix[1]).any()


def test_a_rule_that_the_playbook_has_no_more_is_no_indicator() -> None:
    decisions = [Decision(frozenset({"demo", "gone"} if number % 2 else set())) for number in range(60)]
    assert [each.name for each in choose_indicators(decisions, ["demo", "never_met"])] == ["demo"]


# --- how good a score is ----------------------------------------------------------------------------------


def test_the_same_chances_are_no_better_and_chances_that_are_known_are() -> None:
    numbers = np.random.default_rng(7)
    chances = numbers.random(400)
    won = numbers.random(400) < chances
    same = compare(chances, chances, won)
    assert (same.auc_gain.value, *same.auc_gain.interval) == (0, 0, 0)
    assert not same.is_better
    better = compare(chances, np.full(400, won.mean()), won)
    assert better.is_better
    assert better.auc_gain.interval.low > 0.2
    found = compute_auc(chances, won)
    assert found is not None
    assert better.learned.auc.value == found.value
    for quality in (better.learned, better.rules):
        for each in (quality.auc, quality.brier, quality.calibration_error, quality.top_lift):
            assert each.interval.low <= each.value <= each.interval.high
    assert better.rules.top_lift.value == pytest.approx(1)  # all are alike: a tenth of each is in the best tenth
    assert better.learned.brier.value == pytest.approx(((chances - won) ** 2).mean())


def test_the_lift_is_that_of_the_best_tenth_and_equal_leads_share_its_edge() -> None:
    chances = np.repeat([0.9, 0.5, 0.1], [10, 20, 70])
    won = np.concatenate([np.ones(9), [0], np.ones(10), np.zeros(80)]).astype(bool)
    assert compare(chances, chances, won).learned.top_lift.value == pytest.approx(0.9 / 0.19)
    merged = np.where(chances > 0.3, 0.5, 0.1)  # 30 leads for ten places, 19 of them won
    assert compare(merged, merged, won).learned.top_lift.value == pytest.approx(19 / 30 / 0.19)


def test_several_sets_of_chances_are_compared_as_two_are() -> None:
    numbers = np.random.default_rng(8)
    chances = numbers.random(300)
    won = numbers.random(300) < chances
    worse = np.clip(chances + numbers.normal(0, 0.3, 300), 0, 1)
    together = compare_all({"good": chances, "worse": worse, "none": np.full(300, 0.5)}, won)
    alone = compare(chances, worse, won)
    assert together.auc_gains["good", "worse"] == alone.auc_gain
    assert together.qualities["good"].brier == alone.learned.brier
    for name in ("value", "interval"):  # the value is the same; the interval is of draws in place of DeLong's
        close = 1e-12 if name == "value" else 0.02
        assert getattr(together.qualities["worse"].auc, name) == pytest.approx(
            getattr(alone.rules.auc, name), abs=close
        )
    assert together.auc_gains["none", "good"].value == -together.auc_gains["good", "none"].value
    assert together.qualities["none"].auc.value == 0.5


def test_of_one_outcome_alone_nothing_is_compared() -> None:
    with pytest.raises(ValueError, match="nothing can be compared"):
        compare(np.linspace(0, 1, 20), np.linspace(0, 1, 20), np.ones(20, dtype=bool))


# --- learning ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leads", "won", "words"),
    [
        (LEAST_LEADS - 1, 300, "not enough yet (999 of 1,000 leads"),
        (LEAST_LEADS, LEAST_OF_CLASS - 1, "not enough yet (119 of 120 leads that were accepted"),
        (LEAST_LEADS, LEAST_LEADS - 7, "not enough yet (7 of 120 leads that were not accepted"),
    ],
)
def test_too_few_leads_are_told_with_how_many_there_are(leads: int, won: int, words: str) -> None:
    with pytest.raises(TooFewError) as error:
        require_enough(leads, won)
    assert str(error.value).startswith(words)
    require_enough(LEAST_LEADS, LEAST_OF_CLASS)


def test_the_latest_leads_judge_and_teach_nothing() -> None:
    samples = make_samples(chance_by_weights)
    found = train(samples, POINTS)
    assert found.score.kind == "logistic"
    assert found.comparison.is_better
    assert found.taught.leads + found.calibrated.leads + found.judged.leads == LEADS
    assert found.taught.until < found.calibrated.since <= found.calibrated.until < found.judged.since
    turned = [
        *samples[: -found.judged.leads],
        *(replace(each, won=not each.won) for each in samples[-found.judged.leads :]),
    ]
    other = train(turned, POINTS)
    assert other.comparison.learned.auc.value == pytest.approx(1 - found.comparison.learned.auc.value)
    assert (other.score, other.data_hash == found.data_hash) == (found.score, False)
    assert not other.comparison.is_better


def test_the_order_in_which_leads_are_given_changes_nothing() -> None:
    samples = make_samples(chance_by_weights)
    assert train(samples[::-1], POINTS) == train(samples, POINTS)


def test_boosting_is_taken_where_it_is_better_beyond_the_interval() -> None:
    free = dict.fromkeys(POINTS, 0)  # no rule has a direction
    found = train(make_samples(chance_by_pair), free)
    assert found.score.kind == "boosting"
    assert found.boosting_gain[0] > 0
    assert found.comparison.learned.auc.value > 0.8


def test_a_period_with_one_outcome_alone_is_not_learned_from() -> None:
    samples = make_samples(chance_by_weights)
    late = [replace(each, won=False) if each.lead_id >= LEADS * 0.8 else each for each in samples]
    with pytest.raises(TooFewError, match="of the latest 240 leads none was accepted"):
        train(late, POINTS)


def test_nothing_imports_scikit_learn_until_a_score_is_learned() -> None:
    asks = "import sys, leadgate.learning.training, leadgate.learning.scorer; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
