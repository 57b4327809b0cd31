"""Agreement between annotators equals that of scikit-learn, statsmodels and krippendorff, and its intervals cover."""

from __future__ import annotations

import math
from dataclasses import replace

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa as peer_fleiss

from modelwatch.stats.arrays import Bools, Ints
from modelwatch.stats.labels.agreement import (
    INTERVAL,
    NOMINAL,
    ORDINAL,
    SCALES,
    Ratings,
    agreeing_share,
    annotator_error,
    annotator_kappas,
    class_alphas,
    fleiss_kappa,
    kappa_estimate,
    krippendorff_alpha,
    pair_kappas,
)

NEAR = pytest.approx
VALUES = (0.0, 1.0, 5.0, 6.0, 9.0)


def judged(
    random: np.random.Generator, items: int = 60, annotators: int = 4, classes: int = 3, missing: float = 0.3,
    noise: float = 0.4, scale: str = NOMINAL,
) -> tuple[Ints, Bools, Ratings]:  # fmt: skip
    """``[annotators, items]``: classes, and which are missing."""
    truth = random.integers(0, classes, items)
    given = np.where(
        random.random((annotators, items)) < noise, random.integers(0, classes, (annotators, items)), truth
    )
    absent = random.random((annotators, items)) < missing
    who, what = np.nonzero(~absent)
    names = tuple(f"a{place}" for place in range(annotators))
    labels = tuple(map(str, range(classes)))
    return given, absent, Ratings(what, who, given[who, what], names, labels, scale, VALUES[:classes])


def as_matrix(given: Ints, absent: Bools, ratings: Ratings) -> np.ndarray:
    cells = np.array(ratings.values)[given] if ratings.scale == INTERVAL else given.astype(np.float64)
    return np.where(absent, np.nan, cells)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("seed", range(8))
def test_alpha_is_that_of_krippendorff_with_missing_values(scale: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    classes = int(random.integers(2, 6))
    given, absent, ratings = judged(random, classes=classes, scale=scale)
    domain = None if scale == INTERVAL else list(range(classes))
    data = as_matrix(given, absent, ratings)
    peer = krippendorff.alpha(data, level_of_measurement=scale, value_domain=domain)  # type: ignore[arg-type]
    mine = krippendorff_alpha(ratings)
    assert mine.value == NEAR(peer, abs=1e-12)
    assert mine.low < mine.value < mine.high
    assert mine.n == int(((~absent).sum(axis=0) >= 2).sum())


@pytest.mark.parametrize("seed", range(5))
def test_the_alpha_of_a_class_is_that_of_krippendorff(seed: int) -> None:
    given, absent, ratings = judged(np.random.default_rng(seed))
    for place, estimate in enumerate(class_alphas(ratings)):
        belongs = np.where(absent, np.nan, given == place)
        assert estimate.label == ratings.classes[place]
        assert estimate.value == NEAR(krippendorff.alpha(belongs, level_of_measurement="nominal"), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_fleiss_is_that_of_statsmodels(seed: int) -> None:
    _, _, ratings = judged(np.random.default_rng(seed), missing=0.0, classes=4)
    assert fleiss_kappa(ratings.counts()) == NEAR(peer_fleiss(ratings.counts()), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_cohen_is_that_of_scikit_learn(seed: int) -> None:
    given, _, ratings = judged(np.random.default_rng(seed), annotators=2, missing=0.0, classes=4)
    peer = cohen_kappa_score(*given)
    ((one, other, pair),) = pair_kappas(ratings)
    assert (one, other) == ("a0", "a1")
    assert pair.value == NEAR(peer, abs=1e-12)
    assert [estimate.value for estimate in annotator_kappas(ratings)] == NEAR([peer, peer], abs=1e-12)


def test_an_interval_scale_is_that_of_the_quadratic_weights_of_scikit_learn() -> None:
    random = np.random.default_rng(4)
    truth = np.repeat(np.arange(4), 50)
    given = np.stack([truth, np.clip(truth + random.integers(0, 2, 200), 0, 3)])
    places = np.tile(np.arange(200), 2), np.repeat([0, 1], 200)
    ratings = Ratings(*places, given.ravel(), ("a", "b"), tuple("0123"), INTERVAL, (0.0, 1.0, 2.0, 3.0))
    for estimate in annotator_kappas(ratings):
        assert estimate.value == NEAR(cohen_kappa_score(*given, weights="quadratic"), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_compared_on_the_items_that_both_judged(seed: int) -> None:
    given, absent, ratings = judged(np.random.default_rng(seed))
    pairs = list(pair_kappas(ratings))
    assert len(pairs) == 6
    for one, other, estimate in pairs:
        left, right = int(one[1:]), int(other[1:])
        both = ~absent[left] & ~absent[right]
        assert estimate.n == both.sum()
        assert estimate.value == NEAR(cohen_kappa_score(given[left][both], given[right][both]), abs=1e-12)


def test_the_annotator_who_drifts_is_the_one_that_disagrees() -> None:
    _, _, ratings = judged(np.random.default_rng(1), items=2000, noise=0.1)
    guessed = np.where(ratings.annotators == 2, (ratings.labels + 1) % 3, ratings.labels)
    before = {estimate.label: estimate for estimate in annotator_kappas(ratings)}
    after = {estimate.label: estimate for estimate in annotator_kappas(replace(ratings, labels=guessed))}
    assert after["a2"].high < 0 < before["a2"].low
    assert all(0 < after[name].low < after[name].high < before[name].low for name in ("a0", "a1", "a3"))


@pytest.mark.parametrize("scale", SCALES)
def test_intervals_cover_the_truth_of_many_items(scale: str) -> None:
    """Intervals of 80 items, against the alpha of 40,000 of the same world: at least 91 % of 200 (of 600, 93 to 95)."""
    random = np.random.default_rng(2)
    _, _, many = judged(random, items=40_000, scale=scale)
    truth = krippendorff_alpha(many, intervals=False).value
    others = {estimate.label: estimate.value for estimate in annotator_kappas(many, intervals=False)}
    covered = of_annotator = 0
    for _ in range(200):
        _, _, few = judged(random, items=80, scale=scale)
        estimate = krippendorff_alpha(few)
        covered += estimate.low <= truth <= estimate.high
        first = next(iter(annotator_kappas(few)))
        of_annotator += first.low <= others["a0"] <= first.high
    assert covered >= 182
    assert of_annotator >= 182


def test_full_agreement_is_certain_only_as_far_as_the_items_reach() -> None:
    labels = np.array([0, 0, 1, 1] * 5)
    items = np.repeat(np.arange(10), 2)
    ratings = Ratings(items, np.tile([0, 1], 10), labels, ("a", "b"), ("x", "y"))
    estimate = krippendorff_alpha(ratings)
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert 0.3 < estimate.low < 0.6
    table = np.diag([50.0, 50.0])
    assert 0.9 < kappa_estimate(table).low < 1.0


@pytest.mark.parametrize(
    ("items", "annotators", "labels"),
    [
        ([], [], []),
        ([0], [0], [0]),
        ([0, 1, 2], [0, 0, 0], [0, 1, 0]),
        ([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]),
    ],
)
def test_where_nothing_can_be_said_nothing_is(items: list[int], annotators: list[int], labels: list[int]) -> None:
    """Nobody, one rating, one annotator, one class: chance agrees always."""
    what, who, said = (np.array(part, dtype=np.int64) for part in (items, annotators, labels))
    ratings = Ratings(what, who, said, ("a", "b"), ("x", "y"))
    assert math.isnan(krippendorff_alpha(ratings).value)
    assert all(math.isnan(estimate.value) for estimate in annotator_kappas(ratings))
    assert all(math.isnan(estimate.value) for estimate in class_alphas(ratings))
    assert all(math.isnan(estimate.value) for _, _, estimate in pair_kappas(ratings))
    assert math.isnan(fleiss_kappa(ratings.counts()))


def test_an_order_makes_neighbours_agree_more() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 5, 400)
    near = np.clip(truth + random.integers(-1, 2, (3, 400)), 0, 4)
    who, what = np.nonzero(np.ones((3, 400)))
    ratings = Ratings(what, who, near[who, what], ("a", "b", "c"), tuple("12345"), NOMINAL, (1.0, 2.0, 3.0, 4.0, 5.0))
    nominal, ordinal, interval = (
        krippendorff_alpha(replace(ratings, scale=scale)).value for scale in (NOMINAL, ORDINAL, INTERVAL)
    )
    assert nominal < 0.4 < 0.7 < ordinal
    assert interval == NEAR(ordinal, abs=0.05)


@pytest.mark.parametrize(("error", "correlated"), [(0.02, False), (0.1, False), (0.25, False), (0.1, True)])
def test_the_error_of_single_judgements_from_how_often_two_disagree(error: float, correlated: bool) -> None:
    """Two independent annotators disagree with probability 2e(1 - e). Where both fail on the same hard items, the error
    is larger than that."""
    random = np.random.default_rng(10)
    found, covered = [], 0
    for _ in range(400):
        true = random.integers(0, 2, 500)
        hard = random.random(500) < 2 * error
        wrong = random.random((2, 500)) < (0.5 * hard if correlated else error)
        said = (true ^ wrong).ravel()
        items, who = np.tile(np.arange(500), 2), np.repeat([0, 1], 500)
        share = agreeing_share(Ratings(items, who, said, ("a", "b"), ("no", "yes")))
        one = annotator_error(share)
        assert share.value == NEAR(float((wrong[0] == wrong[1]).mean()))
        assert (1 - share.value) / 2 <= one.value
        found.append(one.value)
        covered += one.low <= error <= one.high
    if correlated:
        assert float(np.mean(found)) < 0.7 * error
    else:
        assert float(np.mean(found)) == NEAR(error, abs=0.01)
        assert covered >= 370


def test_what_the_error_does_to_an_accuracy() -> None:
    """As the page says: (measured - e) / (1 - 2e) where wrong labels do not depend on the prediction, else within e."""
    random = np.random.default_rng(2)
    right, wrong = random.random(200_000) < 0.9, random.random((2, 200_000)) < 0.08
    items, who = np.tile(np.arange(200_000), 2), np.repeat([0, 1], 200_000)
    error = annotator_error(agreeing_share(Ratings(items, who, wrong.astype(np.int64).ravel(), ("a", "b"), ("n", "y"))))
    measured = float((right ^ wrong[0]).mean())
    assert (measured - error.value) / (1 - 2 * error.value) == NEAR(0.9, abs=0.005)
    assert measured - error.value < 0.9 < measured + error.value


def test_annotators_who_disagree_as_often_as_not_have_no_error() -> None:
    ratings = Ratings(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([0, 1, 0, 0]), ("a", "b"), ("n", "y"))
    assert agreeing_share(ratings).value == 0.5
    assert math.isnan(annotator_error(agreeing_share(ratings)).value)
    nobody = Ratings(*(np.zeros(0, np.int64),) * 3, (), ())
    assert math.isnan(annotator_error(agreeing_share(nobody)).value)
