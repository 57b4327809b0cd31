"""Rules about drift judged by histograms: what moved is found, what did not is quiet, and bins are never drift."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np
import pytest

from modelwatch.evaluate.drift.rebinning import common_bin_ends, rebin, rebinning_error
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.drift import EMBEDDING_METHODS, METHOD_ALIASES, MIN_EFFECT
from modelwatch.model.finding import Cause, Outcome, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, FeatureAggregation, LimitKind
from modelwatch.model.series import Histograms, PulledSeries
from modelwatch.stats.drift.methods import METHODS
from modelwatch.timeutil import DAY, HOUR

from ..making import NOW, rule, series, tier, tracks

Draw = Callable[[np.random.Generator, int], np.ndarray]
ROLLING = BaselineSpec(BaselineKind.ROLLING, length=7 * DAY)


def feature(name: str, draw: Draw, edges: np.ndarray | None = None, days: int = 18) -> Histograms:
    """A histogram every six hours; like W&B's, with 64 bins over its own range unless ``edges`` are given."""
    rng = np.random.default_rng(len(name))
    times = [NOW - i * 6 * HOUR for i in reversed(range(days * 4))]
    made = [
        np.histogram(draw(rng, i), bins=64) if edges is None else np.histogram(draw(rng, i), bins=edges)
        for i in range(len(times))
    ]
    return Histograms(
        "features",
        (("features", name),),
        array("d", times),
        tuple(array("d", ends) for _, ends in made),
        tuple(array("d", counts.astype(float)) for counts, _ in made),
        (),
        array("i", [-1] * len(times)),
    )


def still(size: int = 400) -> Draw:
    return lambda rng, _: rng.normal(size=size)


def moved(by: float, size: int = 400, last: int = 4, days: int = 18) -> Draw:
    return lambda rng, i: rng.normal(by if i >= days * 4 - last else 0.0, 1.0, size=size)


def judged(
    *features: Histograms,
    method: str = "psi",
    baseline: BaselineSpec = ROLLING,
    every: float = 6 * HOUR,
    across: FeatureAggregation | None = None,
) -> dict[str, Track]:
    limit = MIN_EFFECT[method]
    asked = rule(
        tier("warning", LimitKind.ABOVE, limit),
        metric=KeyPattern(f"features/*/{method}"),
        window=DAY,
        every=every,
        baseline=baseline,
        across=across,
    )
    pull = PulledSeries("churn", (), histograms=features)
    found = evaluate_model(Model("churn", (asked,), history=2 * DAY), pull, NOW)
    return {dict(track.labels).get("features", ""): track for track in found.tracks}


@pytest.mark.parametrize("method", ["psi", "ks", "wasserstein", "js", "hellinger", "tv", "chi2", "cvm"])
def test_a_feature_that_moved_is_found_and_one_that_did_not_is_quiet(method: str) -> None:
    found = judged(feature("age", moved(1.0)), feature("tenure", still()), method=method)
    newest = found["age"].finding(-1)
    assert newest.outcome is Outcome.BREACH
    assert newest.value is not None
    assert newest.value > MIN_EFFECT[method]
    assert newest.n == 1600
    assert found["age"].finding(0).outcome is Outcome.OK
    assert all(found["tenure"].finding(i).outcome is Outcome.OK for i in range(found["tenure"].grid.count))


def test_a_limit_passed_by_chance_alone_is_not_cleared() -> None:
    found = judged(feature("age", still(30)), method="psi")["age"]
    outcomes = {found.finding(i).outcome for i in range(found.grid.count)}
    assert Outcome.BREACH not in outcomes


def test_fewer_than_a_hundred_values_decide_nothing() -> None:
    newest = judged(feature("age", moved(3.0, size=20)))["age"].finding(-1)
    assert (newest.outcome, newest.cause) == (Outcome.UNDECIDED, Cause.TOO_SMALL_COUNT)


def test_without_a_reference_nothing_is_decided() -> None:
    newest = judged(feature("age", moved(3.0)), baseline=BaselineSpec())["age"].finding(-1)
    assert (newest.outcome, newest.cause) == (Outcome.UNDECIDED, Cause.NO_BASELINE)
    assert newest.severity is None


def test_a_window_without_histograms_has_no_data() -> None:
    one = feature("age", still())
    kept = len(one) - 8
    gone = Histograms(
        one.name, one.labels, one.times[:kept], one.edges[:kept], one.counts[:kept], (), one.version_of[:kept]
    )
    assert judged(gone)["age"].finding(-1).outcome is Outcome.NO_DATA


def test_the_same_hours_of_other_weeks_are_a_reference() -> None:
    seasonal = BaselineSpec(BaselineKind.SEASONAL, length=14 * DAY)
    found = judged(feature("age", moved(1.0)), feature("tenure", still()), baseline=seasonal)
    assert found["age"].finding(-1).outcome is Outcome.BREACH
    assert found["tenure"].finding(-1).outcome is Outcome.OK


@pytest.mark.parametrize("method", ["psi", "ks", "tv"])
def test_whole_numbers_in_bins_that_lie_otherwise_are_no_drift(method: str) -> None:
    """Few values, and bins that change with the largest one: laid on common bins alone this looks like drift."""
    found = judged(feature("visits", lambda rng, _: rng.poisson(2.0, size=400).astype(float)), method=method)["visits"]
    assert Outcome.BREACH not in {found.finding(i).outcome for i in range(found.grid.count)}


def test_a_scalar_in_history_is_used_instead() -> None:
    asked = rule(tier("warning", LimitKind.ABOVE, 0.1), metric=KeyPattern("features/*/psi"), window=DAY)
    labels = (("features", "age"),)
    scalar = series([(NOW - HOUR, 0.5)], name="features/psi", labels=labels)
    pull = PulledSeries("churn", (scalar,), histograms=(feature("age", still()),))
    (track,) = evaluate_model(Model("churn", (asked,), history=2 * DAY), pull, NOW).tracks
    assert track.finding(-1).value == 0.5
    assert tracks(asked, scalar)[0].finding(-1).value == 0.5


def test_at_most_fifty_features_those_that_moved_most() -> None:
    edges = np.linspace(-6, 6, 33)
    many = [feature(f"f{i:02}", still(), edges=edges) for i in range(51)]
    found = judged(*many, feature("age", moved(1.0), edges=edges))
    assert len(found) == 50
    assert found["age"].finding(-1).outcome is Outcome.BREACH


def test_histograms_with_one_set_of_edges_lose_nothing() -> None:
    one = feature("age", still(), edges=np.linspace(-6, 6, 65))
    rows = list(range(len(one)))
    points = common_bin_ends(one, rows, 10)
    below = rebin(one, rows, points)
    assert rebinning_error(below).max() == 0.0
    assert (below.estimate == below.lower).all()
    assert below.n.tolist() == [400.0] * len(one)


def test_the_error_of_other_edges_is_bounded() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=5000)
    counts, edges = np.histogram(values, bins=64)
    one = Histograms("f", (), array("d", [1.0]), (array("d", edges),), (array("d", counts.astype(float)),))
    points = np.linspace(-2.9, 3.1, 37)
    below = rebin(one, [0], points)
    exact = (values[:, None] < points).sum(axis=0)
    assert (np.abs(below.estimate[0] - exact) / 5000 <= rebinning_error(below)[0]).all()
    assert (below.lower[0] <= exact).all()
    assert (exact <= below.upper[0]).all()
    assert 0 < rebinning_error(below)[0] <= counts.max() / 5000


def test_the_names_and_limits_of_methods_are_those_of_the_statistics() -> None:
    of_bins = MIN_EFFECT.keys() - set(EMBEDDING_METHODS)
    assert {METHOD_ALIASES.get(name, name) for name in of_bins} == set(METHODS)
    assert all(MIN_EFFECT[name] == MIN_EFFECT[METHOD_ALIASES.get(name, name)] for name in of_bins)


@pytest.mark.parametrize("across", [None, FeatureAggregation.SHARE])
def test_findings_count_where_histograms_are_new(across: FeatureAggregation | None) -> None:
    """Logged every six hours and judged every hour; of each feature, and of the share of features."""
    tracks = judged(feature("age", still()), feature("income", still()), every=HOUR, across=across)
    assert len(tracks) == (2 if across is None else 1)
    for found in tracks.values():
        fresh = [row for row in range(found.grid.count) if found.is_fresh(row)]
        assert fresh == list(range(0, found.grid.count, 6))
