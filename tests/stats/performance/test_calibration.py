"""Calibration: agreement with scikit-learn and statsmodels, and worlds in which the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from modelwatch.stats.performance.calibration import (
    ScoreCounts,
    brier_parts,
    calibration_error,
    calibration_metrics,
    counts_of_profiles,
    logistic_recalibration,
    reliability_curve,
)
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.numeric import NumericProfile

from .score_rows import counts_of_rows

Rows = tuple[NDArray[np.bool_], NDArray[np.float64]]


def world(rng: np.random.Generator, rows: int, stretch: float = 1.0, shift: float = 0.0) -> tuple[Rows, float]:
    """Rows whose true log odds are ``stretch`` times those of the score plus ``shift``; and the true mean distance of
    the scores from the truth."""
    scores = rng.beta(2, 3, rows)
    logits = np.log(scores / (1 - scores))
    truth = 1 / (1 + np.exp(-(stretch * logits + shift)))
    return (rng.random(rows) < truth, scores), float(np.abs(truth - scores).mean())


def counts_of(rows: Rows) -> ScoreCounts:
    counts = counts_of_rows(*rows)
    assert counts is not None
    return counts


def test_the_curve_is_that_of_scikit_learn() -> None:
    rows, _ = world(np.random.default_rng(1), 5000)
    ours = reliability_curve(counts_of(rows))
    observed, predicted = calibration_curve(*rows, n_bins=10, strategy="quantile")
    assert [part.predicted for part in ours] == pytest.approx(predicted, abs=2e-3)
    assert [part.observed for part in ours] == pytest.approx(observed, abs=4e-3)
    assert all(part.low < part.observed < part.high and part.n == pytest.approx(500, abs=1) for part in ours)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 1.0]) | st.floats(0, 1)), min_size=2))
def test_brier_is_that_of_scikit_learn_and_its_parts_add_up(rows: list[tuple[bool, float]]) -> None:
    truth, scores = (np.array(column) for column in zip(*rows, strict=True))
    brier, reliability, resolution, uncertainty = brier_parts(counts_of((truth, scores)))
    assert brier.value == pytest.approx(brier_score_loss(truth, scores))
    assert reliability.value - resolution.value + uncertainty.value == pytest.approx(brier.value)


def test_slope_and_intercept_are_those_of_statsmodels() -> None:
    rows, _ = world(np.random.default_rng(2), 3000, stretch=0.6, shift=0.3)
    truth, scores = rows
    logits = np.log(scores / (1 - scores))
    slope, intercept = logistic_recalibration(counts_of(rows))
    theirs = sm.Logit(truth.astype(float), sm.add_constant(logits)).fit(disp=False)
    assert slope.value == pytest.approx(theirs.params[1], abs=1e-6)
    assert (slope.low, slope.high) == pytest.approx(tuple(theirs.conf_int()[1]), abs=1e-6)
    at_one = sm.GLM(truth.astype(float), np.ones((len(truth), 1)), family=sm.families.Binomial(), offset=logits).fit()
    assert intercept.value == pytest.approx(at_one.params[0], abs=1e-6)
    assert (intercept.low, intercept.high) == pytest.approx(tuple(at_one.conf_int()[0]), abs=1e-5)


@pytest.mark.parametrize("rows", [60, 300, 2000])
def test_a_calibrated_model_has_no_error_on_average(rows: int) -> None:
    rng = np.random.default_rng(3)
    counts = [counts_of(world(rng, rows)[0]) for _ in range(400)]
    errors = np.array([calibration_error(each).value for each in counts])
    squared = np.array([brier_parts(each)[1].value for each in counts])
    for values in (errors, squared):
        assert abs(values.mean()) < 3 * values.std() / math.sqrt(len(values))
        assert 0.3 < (values > 0).mean() < 0.6


def test_a_model_that_is_off_has_the_error_it_has_within_its_interval() -> None:
    rng = np.random.default_rng(4)
    covered, values, truths = [], [], []
    for _ in range(200):
        rows, truth = world(rng, 2000, stretch=1.5, shift=0.5)
        error = calibration_error(counts_of(rows), intervals=True)
        covered.append(error.low <= truth <= error.high)
        values.append(error.value)
        truths.append(truth)
    assert np.mean(covered) >= 0.9
    assert np.mean(values) == pytest.approx(np.mean(truths), rel=0.05)


def test_less_confident_is_not_worse_and_overconfident_is() -> None:
    """The slope tells scores that are too extreme (below 1) from ones that are too cautious (above 1)."""
    rng = np.random.default_rng(5)
    calibrated, extreme, cautious = (
        logistic_recalibration(counts_of(world(rng, 5000, stretch)[0]))[0] for stretch in (1.0, 0.5, 2.0)
    )
    assert calibrated.low < 1 < calibrated.high
    assert extreme.high < 1 < cautious.low


def test_a_profile_gives_what_its_rows_give() -> None:
    truth, scores = world(np.random.default_rng(6), 20_000)[0]
    edges = choose_edges(scores[:5000])
    sides = [NumericProfile.of(scores[side], edges) for side in (truth, ~truth)]
    profiled = counts_of_profiles(*sides)
    assert profiled is not None
    ours = {estimate.name: estimate.value for estimate in calibration_metrics(profiled)}
    exact = {estimate.name: estimate.value for estimate in calibration_metrics(counts_of((truth, scores)))}
    assert ours == pytest.approx(exact, abs=2e-3)


def test_what_is_not_defined_is_nan_and_never_raises() -> None:
    one_class = counts_of((np.ones(50, np.bool_), np.linspace(0.1, 0.9, 50)))
    assert all(math.isnan(estimate.value) for estimate in logistic_recalibration(one_class))
    assert calibration_error(one_class).value == pytest.approx(0.5, abs=0.05)
    alike = counts_of((np.arange(100) % 2 == 0, np.full(100, 0.5)))
    slope, intercept = logistic_recalibration(alike)
    assert math.isnan(slope.value)
    assert intercept.value == pytest.approx(0.0)
    assert len(reliability_curve(alike)) == 1
    apart = counts_of((np.arange(100) >= 50, np.linspace(0.01, 0.99, 100)))
    assert math.isnan(logistic_recalibration(apart)[0].value), "the classes are separate: no finite slope"
    three = counts_of((np.array([True, False, True]), np.array([0.9, 0.2, np.nan])))
    assert three.n == 2
    assert math.isfinite(calibration_error(three, intervals=True).high)
    assert math.isfinite(calibration_error(counts_of((np.array([True]), np.array([1.0])))).value)


@pytest.mark.parametrize("scores", [[-0.1, 0.5], [0.5, 1.5], [np.nan, np.nan], [], [0.5, np.inf]])
def test_scores_that_are_no_probabilities_have_no_calibration(scores: list[float]) -> None:
    truth = np.zeros(len(scores), np.bool_)
    assert counts_of_rows(truth, scores) is None
    values = np.array(scores, dtype=np.float64)
    edges = np.linspace(-1, 2, 10)
    assert counts_of_profiles(NumericProfile.of(values, edges), NumericProfile.of(values[:0], edges)) is None
