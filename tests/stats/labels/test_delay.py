"""Label delays against statsmodels' Kaplan-Meier estimator, and cohorts whose labels come late."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from modelwatch.stats.labels.delay import MATURE_SHARE, Cohort, DelayHistory
from modelwatch.stats.profile.delays import DELAY_EDGES, DelayProfile
from modelwatch.timeutil import DAY


def cohorts(
    days: int,
    rows: int,
    medians: Sequence[float],
    *,
    seed: int = 1,
    comes: float = 1.0,
    changed: tuple[int, Sequence[float]] | None = None,
    positive: float = 0.1,
) -> DelayHistory:
    """Daily cohorts as known after so many days. ``medians``: of the delay, in days, of negatives and of positives;
    ``changed``: since a day, others. ``comes``: the share of labels that ever come."""
    rng, now, found = np.random.default_rng(seed), days * DAY, []
    for day in range(days):
        times = day * DAY + rng.random(rows) * DAY
        classes = (rng.random(rows) < positive).astype(np.int64)
        median = np.array(changed[1] if changed and day >= changed[0] else medians)[classes]
        delays = median * DAY * np.exp(rng.normal(0, 0.5, rows))
        known = (times + delays <= now) & (rng.random(rows) < comes)
        profile = DelayProfile.of(np.where(known, delays, np.nan), now - times, classes, ("no", "yes"), known)
        found.append(Cohort(day * DAY, (day + 1) * DAY, profile))
    return DelayHistory(found)


def test_the_curve_is_statsmodels_on_the_same_bins() -> None:
    """All rows are as old as their cohort, and delays are ends of bins: then nothing is lost to bins."""
    rng, found, ages, events, classes = np.random.default_rng(2), [], [], [], []
    now, rows = 0.0, 400
    for place in range(20):
        # A cohort without length, whose age is the end of a bin.
        age = float(DELAY_EDGES[100 - 2 * place])
        kinds = (rng.random(rows) < 0.3).astype(np.int64)
        delays = DELAY_EDGES[rng.integers(0, 110, rows)]
        known = delays <= age
        profile = DelayProfile.of(np.where(known, delays, np.nan), np.full(rows, age), kinds, ("a", "b"), known)
        found.append(Cohort(-age, -age, profile))
        ages.append(np.where(known, delays, age))
        events.append(known)
        classes.append(kinds)
    time, status, kind = (np.concatenate(column) for column in (ages, events, classes))
    curve = DelayHistory(found).curve(now)
    theirs = SurvfuncRight(time, status.astype(int))
    at = np.searchsorted(DELAY_EDGES, theirs.surv_times)
    np.testing.assert_allclose(1 - curve.labelled[at], theirs.surv_prob, rtol=1e-9)
    for share in (0.1, 0.25, 0.4):
        mine, bounds = curve.quantile(share, 1.0), theirs.quantile_ci(share, method="cloglog")
        place = int(np.searchsorted(DELAY_EDGES, mine.value))
        assert DELAY_EDGES[place] == pytest.approx(theirs.quantile(share))
        assert mine.low == pytest.approx(bounds[0], rel=0.1)
        assert mine.high == pytest.approx(bounds[1], rel=0.1)
    incidence = CumIncidenceRight(time, np.where(status, kind + 1, 0))
    for place in range(2):
        mine_at = curve.by_class[place][np.searchsorted(DELAY_EDGES, incidence.times)]
        np.testing.assert_allclose(mine_at, incidence.cinc[place], atol=1e-9)


def test_quantiles_of_continuous_delays_are_right_to_within_a_bin() -> None:
    history, now = cohorts(120, 500, (2.0, 2.0)), 120 * DAY
    curve = history.newest_curve(now)
    assert curve.quantile(0.5).value / DAY == pytest.approx(2.0, rel=0.05)
    assert curve.quantile(0.9).value / DAY == pytest.approx(2.0 * np.exp(0.5 * 1.2816), rel=0.06)
    assert curve.missing_at(2 * DAY) == pytest.approx(0.5, abs=0.02)
    assert np.isnan(curve.missing_at(400 * DAY))


def test_labels_that_never_come_are_no_delay() -> None:
    """Half of the labels never come: the others take as long as before."""
    full, half = (cohorts(120, 500, (5.0, 5.0), comes=comes) for comes in (1.0, 0.5))
    now = 120 * DAY
    assert half.curve(now).coverage == pytest.approx(0.5, abs=0.01)
    for history in (full, half):
        usual = history.curve(now)
        assert history.newest_delays(now).quantile(0.5, usual.coverage).value / DAY == pytest.approx(5.0, rel=0.06)
        assert history.maturity(now).age / DAY == pytest.approx(5.0 * np.exp(0.5 * 1.645), rel=0.08)


def test_a_cohort_is_mature_when_its_slowest_class_is() -> None:
    """Nine rows of ten have their label within two days: 95 % of all labels say nothing about the positives."""
    history, now = cohorts(120, 1000, (1.0, 14.0)), 120 * DAY
    found = history.maturity(now)
    assert found.is_known
    assert found.age / DAY == pytest.approx(14.0 * np.exp(0.5 * 1.645), rel=0.06)
    assert 28 <= (now - found.frontier) / DAY <= 34
    assert history.curve(now).quantile(MATURE_SHARE).value < 20 * DAY


def test_a_young_log_does_not_know_how_long_labels_take() -> None:
    history, now = cohorts(20, 1000, (14.0, 14.0)), 20 * DAY
    found = history.maturity(now)
    assert not found.is_known
    assert found.frontier == -np.inf
    assert DelayHistory([]).maturity(now).is_known is False


@pytest.mark.parametrize(
    ("median", "comes", "rows"), [(14.0, 1.0, 300), (3.0, 0.8, 300), (14.0, 0.8, 300), (3.0, 1.0, 8)]
)
def test_how_long_is_long_enough(median: float, comes: float, rows: int) -> None:
    """What is said to be needed is what it then takes, to within the share by which the estimate of the age grows."""
    said: dict[int, float] = {}
    for days in range(2, 80):
        history = cohorts(days, rows, (median, median), comes=comes, positive=0.5)
        evidence = history.evidence(days * DAY)
        assert evidence.reach == days * DAY
        if history.maturity(days * DAY).is_known:
            break
        if not np.isnan(evidence.needed):
            said[days] = evidence.needed / DAY
            assert evidence.needed > evidence.reach, "or it would be known"
    assert 5 < days < 79
    assert max(said) == days - 1
    assert said[days - 1] <= days * 1.1 + 1
    assert (evidence.missing > 0) == (comes < 1 and median < 10)
    if comes < 1 and median < 10:
        assert min(said.values()) > days - 4, "how long patience takes is known from the beginning"


def test_too_few_labels_to_say_how_long_is_enough() -> None:
    history = cohorts(14, 20, (5.0, 5.0), comes=0.1)
    evidence = history.evidence(14 * DAY)
    assert np.isnan(evidence.needed)
    assert 0 < evidence.labels < 30
    assert DelayHistory([]).evidence(DAY).rows == 0


def test_labels_that_take_longer_stop_the_frontier_before_they_come() -> None:
    """14 days become 45: cohorts of the change are not taken for mature at the age at which earlier ones were, and the
    median rises long before the first of them has its labels."""
    usual, seen = 33, []
    for later in (10, 20, 30, 40, 50):
        now = (120 + later) * DAY
        history = cohorts(120 + later, 1000, (14.0, 14.0), changed=(120, (45.0, 45.0)))
        frontier, curve = history.maturity(now).frontier, history.newest_curve(now)
        seen.append(curve.quantile(0.5, history.curve(now).coverage).value / DAY)
        assert frontier <= 121 * DAY, "of the first changed cohort a quarter has come after 33 days"
        assert frontier >= min(now - (usual + 6) * DAY, 116 * DAY)
    assert seen == sorted(seen)
    assert seen[1] > 18, "after 20 days, when a twentieth of the changed cohort has its label"


def test_batches_of_labels_are_no_delay_and_an_outage_is_one() -> None:
    """Labels come on the first day of a month, so that most weeks see none."""
    rng, days, rows = np.random.default_rng(3), 200, 300

    def history(now_day: int, last_batch: int) -> DelayHistory:
        found, now = [], now_day * DAY
        for day in range(now_day):
            times = day * DAY + rng.random(rows) * DAY
            come = (np.floor(times / (30 * DAY)) + 1) * 30 * DAY
            known = (come <= now) & (come <= last_batch * DAY)
            found.append(
                Cohort(
                    day * DAY,
                    (day + 1) * DAY,
                    DelayProfile.of(
                        np.where(known, come - times, np.nan), now - times, np.zeros(rows, np.int64), ("x",), known
                    ),
                )
            )
        return DelayHistory(found)

    medians = [
        one.newest_delays(day * DAY).quantile(0.5, one.curve(day * DAY).coverage).value / DAY
        for day in range(days - 29, days, 7)
        for one in [history(day, 1000)]
    ]
    assert max(medians) < 21
    late = history(days + 30, 180)
    assert late.newest_delays((days + 30) * DAY).quantile(0.5, late.curve((days + 30) * DAY).coverage).value > 30 * DAY


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_parts_of_a_log_add_up(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(0, 200))
    delays, ages = rng.exponential(5 * DAY, rows), rng.exponential(20 * DAY, rows)
    delays[rng.random(rows) < 0.1] = np.nan
    labelled, classes = rng.random(rows) < 0.6, rng.integers(-1, 2, rows)
    whole = DelayProfile.of(delays, ages, classes, ("no", "yes"), labelled)
    part_of = rng.integers(0, parts, rows)
    merged = DelayProfile()
    for part in range(parts):
        inside = part_of == part
        some = DelayProfile.of(delays[inside], ages[inside], classes[inside], ("no", "yes"), labelled[inside])
        merged = merged.merge(some)
    assert (merged.rows, merged.untimed) == (whole.rows, whole.untimed)
    assert whole.rows + whole.untimed == rows
    np.testing.assert_array_equal(merged.waiting, whole.waiting)
    assert merged.known.keys() == whole.known.keys()
    for name, counts in whole.known.items():
        np.testing.assert_array_equal(merged.known[name], counts)


@pytest.mark.parametrize("comes", [0.0, 1.0])
def test_nothing_and_everything(comes: float) -> None:
    """No label ever came, and all came at once: no division by nothing, no NaN where a number is known."""
    rows, now = 100, 30 * DAY
    found = []
    for day in range(30):
        times, known = np.full(rows, day * DAY + 10.0), np.full(rows, comes > 0)
        profile = DelayProfile.of(np.where(known, 0.0, np.nan), now - times, np.zeros(rows, np.int64), ("only",), known)
        found.append(Cohort(day * DAY, (day + 1) * DAY, profile))
    history = DelayHistory(found)
    maturity, curve = history.maturity(now), history.curve(now)
    assert curve.coverage == comes
    assert (maturity.is_known, maturity.frontier) == ((True, now) if comes else (False, -np.inf))
