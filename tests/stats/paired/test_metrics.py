"""Every metric of two models: the values of scikit-learn, and intervals that hold what they should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap
from sklearn import metrics as sk
from sklearn.metrics import roc_auc_score
from statsmodels.stats.inter_rater import cohens_kappa

from modelwatch.stats.paired.contingency_tables import agreement, tango_interval
from modelwatch.stats.paired.metrics import (
    LOWER_IS_BETTER,
    METRICS,
    compare_metric,
    compare_quantiles,
    delong,
    placements,
    required_input,
)
from modelwatch.stats.paired.paired_rows import PairedColumn, PairedRows
from modelwatch.stats.performance.probabilistic import calibration_error
from modelwatch.stats.performance.ranking import metrics_by_query

from . import making as make

RNG = np.random.default_rng(11)
N = 700
LABEL = RNG.integers(0, 2, N)
OURS, THEIRS = (np.where(RNG.random(N) < share, LABEL, 1 - LABEL) for share in (0.8, 0.86))
SCORES = [np.round(np.clip(0.5 + 0.3 * (LABEL - 0.5) + RNG.normal(0, spread, N), 0, 1), 2) for spread in (0.25, 0.2)]
TRUTH = RNG.normal(5, 2, N)
NUMBERS = [TRUTH + RNG.normal(0.1, spread, N) for spread in (1.0, 0.8)]
MANY = RNG.integers(0, 4, N)
GUESSES = [np.where(RNG.random(N) < share, MANY, RNG.integers(0, 4, N)) for share in (0.6, 0.7)]

QUERY = np.repeat(np.arange(90), 8)
RELEVANCE = RNG.integers(0, 4, len(QUERY)) * (RNG.random(len(QUERY)) < 0.3)
RANKED = [np.round(RELEVANCE + RNG.normal(0, spread, len(QUERY)), 1) for spread in (3.0, 1.5)]
DEPTH = 3

TWO = make.of_classes(("no", "yes"), LABEL, OURS, THEIRS)
FOUR = make.of_classes(("a", "b", "c", "d"), MANY, *GUESSES)
SCORED = make.of_scores(LABEL == 1, *SCORES)
NUMBERED = make.of_numbers(TRUTH, *NUMBERS)
LISTED = make.of_lists(QUERY, RELEVANCE, RANKED[0], RANKED[1], DEPTH)

OF_TWO = {
    "accuracy": sk.accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
}
OF_FOUR = {"accuracy": sk.accuracy_score} | {
    f"{name}_{how}": (lambda y, p, f=function, how=how: f(y, p, average=how))
    for name, function in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score))
    for how in ("macro", "weighted")
}
OF_SCORES = {
    "auc": sk.roc_auc_score,
    "pr_auc": sk.average_precision_score,
    "log_loss": sk.log_loss,
    "brier": sk.brier_score_loss,
}
OF_NUMBERS = {
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
    "mape": sk.mean_absolute_percentage_error,
    "r2": sk.r2_score,
}


def by_lists(reference: Callable[..., float]) -> Callable[..., float]:
    """scikit-learn takes one row a list, and each must hold something relevant."""

    def value(relevance: np.ndarray, score: np.ndarray) -> float:
        return reference(relevance.reshape(90, 8), score.reshape(90, 8))

    return value


def ndcg(relevance: np.ndarray, score: np.ndarray) -> float:
    known = relevance.sum(axis=1) > 0
    return float(sk.ndcg_score(relevance[known], score[known], k=DEPTH))


def hit_rate(relevance: np.ndarray, score: np.ndarray) -> float:
    best = np.argsort(-score, axis=1, kind="stable")[:, :DEPTH]
    return float((np.take_along_axis(relevance, best, axis=1) > 0).any(axis=1).mean())


OF_LISTS = {"ndcg": by_lists(ndcg), "hit_rate": by_lists(hit_rate)}
WORTH = RNG.lognormal(0, 1, N)
VALUED = replace(TWO, worth=WORTH)
PRICED = replace(NUMBERED, worth=WORTH)


def by_value(reference: Callable[..., float]) -> Callable[..., float]:
    return lambda truth, side: reference(truth, side, sample_weight=WORTH)


CASES = [
    ("accuracy_by_value", VALUED, by_value(sk.accuracy_score), LABEL, OURS, THEIRS),
    ("mae_by_value", PRICED, by_value(sk.mean_absolute_error), TRUTH, *NUMBERS),
    *((name, TWO, function, LABEL, OURS, THEIRS) for name, function in OF_TWO.items()),
    *((name, FOUR, function, MANY, *GUESSES) for name, function in OF_FOUR.items()),
    *((name, SCORED, function, LABEL, *SCORES) for name, function in OF_SCORES.items()),
    *((name, NUMBERED, function, TRUTH, *NUMBERS) for name, function in OF_NUMBERS.items()),
    *((name, LISTED, function, RELEVANCE, *RANKED) for name, function in OF_LISTS.items()),
]


@pytest.mark.parametrize(("name", "rows", "reference", "truth", "ours", "theirs"), CASES)
def test_the_values_are_those_of_scikit_learn(
    name: str, rows: PairedRows, reference: object, truth: np.ndarray, ours: np.ndarray, theirs: np.ndarray
) -> None:
    assert callable(reference)
    found = compare_metric(name, rows, 0.95)
    assert found.champion == pytest.approx(reference(truth, ours), abs=1e-9)
    assert found.candidate == pytest.approx(reference(truth, theirs), abs=1e-9)
    assert found.low < found.value < found.high
    # The candidates of these fixtures are better.
    assert (found.value < 0) == (name in LOWER_IS_BETTER)


def test_every_metric_is_tried_above() -> None:
    assert {case[0] for case in CASES} == set(METRICS)


@pytest.mark.parametrize("name", [case[0] for case in CASES if case[1] is not FOUR])
def test_swapping_the_two_turns_the_answer_round(name: str) -> None:
    rows = next(case[1] for case in CASES if case[0] == name and case[1] is not FOUR)
    other = PairedRows(
        rows.n,
        rows.classes,
        rows.label,
        rows.candidate,
        rows.champion,
        rows.positive,
        None if rows.scores is None else PairedColumn(rows.scores.candidate, rows.scores.champion),
        rows.truth,
        None if rows.numbers is None else PairedColumn(rows.numbers.candidate, rows.numbers.champion),
        rows.query,
        rows.depth,
        rows.worth,
    )
    there, back = compare_metric(name, rows, 0.95), compare_metric(name, other, 0.95)
    assert back.value == pytest.approx(-there.value, abs=1e-12)
    width = there.high - there.low
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=0.1 * width)


@pytest.mark.parametrize(("name", "rows"), [(case[0], case[1]) for case in CASES])
def test_one_row_or_none_has_no_interval(name: str, rows: PairedRows) -> None:
    for count in (0, 1):
        found = compare_metric(name, rows.take(np.arange(count)), 0.95)
        assert found.n <= count
        if name not in ("accuracy", "recall", "hit_rate"):
            assert not found.has_interval or name.endswith(("macro", "weighted", "precision", "f1"))


@pytest.mark.parametrize(("name", "rows"), [(case[0], case[1]) for case in CASES])
def test_a_copy_is_not_known_to_be_equal(name: str, rows: PairedRows) -> None:
    """Where nothing differs the interval is open, or there is none: never a point."""
    same = PairedRows(
        rows.n,
        rows.classes,
        rows.label,
        rows.champion,
        rows.champion,
        rows.positive,
        None if rows.scores is None else PairedColumn(rows.scores.champion, rows.scores.champion),
        rows.truth,
        None if rows.numbers is None else PairedColumn(rows.numbers.champion, rows.numbers.champion),
        rows.query,
        rows.depth,
        rows.worth,
    )
    found = compare_metric(name, same, 0.95)
    assert found.value == 0
    assert not found.has_interval or found.low < 0 < found.high


def test_a_metric_of_one_class_wants_two_classes() -> None:
    with pytest.raises(ValueError, match="f1_macro"):
        compare_metric("f1", FOUR, 0.95)


def test_unknown_metrics_and_missing_columns_are_told() -> None:
    with pytest.raises(ValueError, match="'acuracy' is no metric"):
        required_input("acuracy")
    with pytest.raises(ValueError, match="needs scores"):
        compare_metric("auc", TWO, 0.95)
    with pytest.raises(ValueError, match="needs numbers"):
        compare_metric("mae", TWO, 0.95)


def test_a_metric_of_the_users_own() -> None:
    found = compare_metric("sklearn.metrics.mean_absolute_error", NUMBERED, 0.95)
    own = compare_metric("mae", NUMBERED, 0.95)
    assert (found.champion, found.candidate) == pytest.approx((own.champion, own.candidate), abs=1e-12)
    width = own.high - own.low
    assert (found.low, found.high) == pytest.approx((own.low, own.high), abs=0.15 * width)


def test_rankings_are_paired_by_query() -> None:
    """Queries, not rows, stand for themselves: twice as many rows of each query tell no more."""
    found = compare_metric("ndcg", LISTED, 0.95)
    known = np.add.reduceat(RELEVANCE, np.arange(0, len(QUERY), 8)) > 0
    assert (found.n, found.unit, found.how) == (known.sum(), "queries", "paired bootstrap, BCa")
    ours, theirs = (metrics_by_query(QUERY, RELEVANCE.astype(np.float64), side, DEPTH)[0][known] for side in RANKED)
    told = bootstrap((theirs - ours,), np.mean, method="BCa", n_resamples=2000, rng=np.random.default_rng(2))
    width = found.high - found.low
    assert (found.low, found.high) == pytest.approx(tuple(told.confidence_interval), abs=0.1 * width)
    hits = compare_metric("hit_rate", LISTED, 0.95)
    assert (hits.n, hits.unit) == (90, "queries")
    assert (hits.low, hits.high) == tango_interval(hits.gained, hits.lost, 90, 0.95)
    shuffled = RNG.permutation(len(QUERY))
    assert compare_metric("ndcg", LISTED.take(shuffled), 0.95) == found


def test_a_mean_by_value_is_bounded_as_scipy_bounds_it() -> None:
    """Rows are drawn with what they are worth."""

    def apart(right: np.ndarray, other: np.ndarray, worth: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(((other - right) * worth).sum(axis) / worth.sum(axis))

    sides = [(side == LABEL).astype(float) for side in (OURS, THEIRS)]
    told = bootstrap((*sides, WORTH), apart, paired=True, method="BCa", n_resamples=2000, rng=np.random.default_rng(2))
    found = compare_metric("accuracy_by_value", VALUED, 0.95)
    width = found.high - found.low
    assert (found.low, found.high) == pytest.approx(tuple(told.confidence_interval), abs=0.1 * width)
    many = VALUED.take(np.tile(np.arange(N), 20))
    assert compare_metric("accuracy_by_value", many, 0.95).value == pytest.approx(found.value, abs=1e-12)
    with pytest.raises(ValueError, match="what each row is worth"):
        compare_metric("accuracy_by_value", TWO, 0.95)
    assert not compare_metric("accuracy_by_value", replace(TWO, worth=np.zeros(N)), 0.95).has_interval


def test_quantiles_are_compared_by_their_ratio() -> None:
    rng = np.random.default_rng(1)
    base = rng.lognormal(3, 0.5, 5000)
    found = compare_quantiles(PairedColumn(base, base * 1.2 * rng.lognormal(0, 0.05, 5000)), 0.95, 0.95)
    assert found.champion == pytest.approx(np.quantile(base, 0.95))
    assert found.low < 1.2 < found.high < 1.3
    assert not compare_quantiles(PairedColumn(np.zeros(0), np.zeros(0)), 0.95, 0.95).has_interval


@pytest.mark.parametrize("table", [[[30, 5, 2], [3, 40, 8], [1, 2, 9]], [[50, 10], [5, 35]], [[0, 3], [4, 0]]])
def test_agreement_is_that_of_statsmodels(table: list[list[int]]) -> None:
    found, told = agreement(np.array(table, dtype=float), 0.95), cohens_kappa(np.array(table))
    assert found.kappa == pytest.approx(told.kappa, abs=1e-9)
    low, high = max(-1.0, told.kappa_low), min(1.0, told.kappa_upp)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    assert found.observed == pytest.approx(np.trace(table) / np.sum(table))


def test_two_that_always_say_one_thing_agree_by_chance_alone() -> None:
    found = agreement(np.array([[7.0, 0], [0, 0]]), 0.95)
    assert found.observed == 1
    assert np.isnan(found.kappa)
    assert agreement(np.zeros((2, 2)), 0.95).n == 0


def test_the_calibration_error_is_what_its_definition_says() -> None:
    score = SCORES[0].astype(np.float64)
    expected = 0.0
    for low in range(10):
        inside = (score > low / 10) & (score <= (low + 1) / 10) if low else score <= 0.1
        if inside.any():
            expected += inside.mean() * abs(score[inside].mean() - LABEL[inside].mean())
    assert calibration_error(LABEL == 1, score) == pytest.approx(expected, abs=1e-9)
    assert np.isnan(calibration_error(LABEL == 1, 2 * score))
    assert np.isnan(calibration_error(np.zeros(0, bool), np.zeros(0)))


# 43 patients with ovarian cancer of DeLong, DeLong and Clarke-Pearson (1988): albumin, total protein, K-G score, and
# whether surgery was of benefit; as printed in the SAS/STAT User's Guide.
PRINTED = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""
PATIENTS = np.array(PRINTED.split(), dtype=float).reshape(-1, 4)
ALBUMIN, PROTEIN, SCORE, BENEFIT = PATIENTS[:, 0], PATIENTS[:, 1], 10 - PATIENTS[:, 2], PATIENTS[:, 3] == 1


@pytest.mark.parametrize(
    ("test", "area", "difference", "error", "chi_square", "p", "low", "high"),
    [
        (ALBUMIN, 0.7366, 0.0108, 0.0953, 0.0127, 0.9102, -0.1761, 0.1976),
        (PROTEIN, 0.6478, -0.0780, 0.1046, 0.5554, 0.4561, -0.2830, 0.1271),
    ],
)
def test_the_published_comparison(
    test: np.ndarray, area: float, difference: float, error: float, chi_square: float, p: float, low: float, high: float
) -> None:
    found = delong(BENEFIT, SCORE, test, 0.95)
    assert found.champion == pytest.approx(0.7258, abs=5e-5)
    assert found.candidate == pytest.approx(area, abs=5e-5)
    assert found.value == pytest.approx(difference, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.p == pytest.approx(p, abs=5e-5)
    half = (found.high - found.low) / 2 / 1.959964
    assert half == pytest.approx(error, abs=5e-5)
    assert (found.value / half) ** 2 == pytest.approx(chi_square, abs=5e-4)


scores = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=60)


@given(scores)
@settings(max_examples=100, deadline=None)
def test_it_is_what_the_definition_says_pair_by_pair(rows: list[tuple[bool, int, int]]) -> None:
    positive, one, other = (np.array(column) for column in zip(*rows, strict=True))
    found = delong(positive, one, other, 0.9)
    if positive.all() or not positive.any():
        assert np.isnan(found.champion)
        return
    beats = []
    for side in (one, other):
        hits, misses = side[positive][:, None], side[~positive]
        beats.append((hits > misses) + 0.5 * (hits == misses))
    assert found.champion == pytest.approx(roc_auc_score(positive, one), abs=1e-12)
    assert found.candidate == pytest.approx(roc_auc_score(positive, other), abs=1e-12)
    n, m = positive.sum(), (~positive).sum()
    if n < 2 or m < 2:
        assert not found.has_interval
        return
    apart = beats[1] - beats[0]
    error = np.sqrt(apart.mean(axis=1).var(ddof=1) / n + apart.mean(axis=0).var(ddof=1) / m)
    if error < 1e-12:
        assert not found.has_interval
        return
    assert (found.low, found.high) == pytest.approx(
        (max(-1, found.value - 1.6448536269514722 * error), min(1, found.value + 1.6448536269514722 * error)), abs=1e-9
    )


def test_placements_keep_the_order_of_the_rows() -> None:
    positive = np.array([True, False, True, False])
    beats, beaten = placements(positive, np.array([0.9, 0.2, 0.2, 0.1]))
    assert beats.tolist() == [1.0, 0.75]
    assert beaten.tolist() == [0.75, 1.0]


def test_equal_scores_claim_nothing() -> None:
    found = delong([True, True, False, False], [3, 2, 2, 1], [30, 20, 20, 10], 0.95)
    assert found.value == 0
    assert not found.has_interval
