"""What a budget of false alarms promises however one looks, and what detectors forget, leave out and recover from."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.evaluate.hypotheses import criteria, is_detectable
from modelwatch.model.finding import Outcome, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import (
    BaselineKind,
    BaselineSpec,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
    VersionOverride,
)
from modelwatch.model.series import Series
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR

from .making import NAME, NAN, NOW, rule, series, tracks

DAYS = 60
HOURS = 24 * DAYS
JUDGED = 24 * 20
"""Hours at the end of the series that are judged."""
CHANGE = HOURS - JUDGED + 120
"""The hour in which something happens, where something does."""
LIMITS = {Severity.WARNING: 0.02, Severity.ERROR: 0.05, Severity.CRITICAL: 0.1}
BUDGET = 90 * DAY


def tiers(*limits: tuple[Severity, float], budget: float = BUDGET) -> tuple[Tier, ...]:
    return tuple(
        Tier(severity, (Limit(LimitKind.DROP, limit),), ("issue",), false_alarms=budget) for severity, limit in limits
    )


def accuracy_rule(**more: object) -> Rule:
    given = {
        "window": DAY,
        "better": Direction.HIGHER,
        "weight": "eval/n",
        "interval": Interval.WILSON,
        "baseline": BaselineSpec(BaselineKind.ROLLING),
        "segments": (KeyPattern("eval/region=*/accuracy"),),
        **more,
    }
    return rule(*tiers(*LIMITS.items()), **given)


@pytest.mark.parametrize(
    ("limits", "margins"),
    [
        ((0.02, 0.05, 0.10), (0.3, 0.4, 0.5)),
        ((0.02, 0.03, 0.20), (0.3, 0.5, 0.3)),
    ],
)
def test_a_severer_tier_proves_more_than_the_one_below_allows(
    limits: tuple[float, ...], margins: tuple[float, ...]
) -> None:
    found = criteria(accuracy_rule(), tiers(*zip(LIMITS, limits, strict=True)), 1.0)
    assert [test.margin for test in found] == pytest.approx(margins)


def test_limits_of_another_form_prove_no_more() -> None:
    warning, *_ = tiers((Severity.WARNING, 0.02))
    error = replace(warning, severity=Severity.ERROR, limits=(Limit(LimitKind.DROP_POINTS, 0.04),))
    assert [test.margin for test in criteria(accuracy_rule(), (warning, error), 1.0)] == [0.3, 0.3]


def accuracy(seed: int, *, lost: Floats | float = 0.0, n: int = 200, level: float = 0.9) -> list[tuple[float, ...]]:
    """Hourly points up to now: time, accuracy, count. ``lost``: the share of the accuracy that is lost."""
    right = level * (1 - np.broadcast_to(lost, HOURS))
    hits = (np.random.default_rng(seed).random((HOURS, n)) < right[:, None]).sum(axis=1)
    return [(NOW - (HOURS - 1 - hour) * HOUR, hit / n, float(n)) for hour, hit in enumerate(hits)]


def drop(size: float, begin: int = CHANGE, end: int = HOURS) -> Floats:
    lost = np.zeros(HOURS)
    lost[begin:end] = size
    return lost


def severity(track: Track) -> list[int]:
    return list(track.severity)


def judge(a_rule: Rule, *some: Series, judged: int = JUDGED, **more: object) -> list[list[int]]:
    """The severity that each series has at each evaluation time of the last ``judged`` hours."""
    return [severity(track) for track in tracks(a_rule, *some, history=judged * HOUR, **more)]  # type: ignore[arg-type]


def first(severities: Sequence[int], least: Severity = Severity.WARNING) -> int | None:
    """The first evaluation time at which a tier holds."""
    return next((at for at, code in enumerate(severities) if code >= least.code), None)


def region(name: str, rows: list[tuple[float, ...]]) -> Series:
    return series(rows, labels=(("region", name),))


SHAPES = st.sampled_from([0.0, *(drop(size) for size in (0.02, 0.05, 0.12)), drop(0.12, CHANGE, CHANGE + 100)])
FEW = settings(max_examples=12, deadline=None)


class TestLooks:
    """The promise is one of time, not of looks."""

    @FEW
    @given(st.integers(0, 999), SHAPES, st.sampled_from([5 * 60.0, 6 * HOUR, DAY]))
    def test_looking_oftener_or_more_seldom_decides_the_same(self, seed: int, lost: Floats, every: float) -> None:
        """Against a constant: a rolling baseline moves a little between two looks."""
        rows, constant = series(accuracy(seed, lost=lost)), BaselineSpec(BaselineKind.CONSTANT, value=0.9, n=1e5)
        (hourly,) = judge(accuracy_rule(baseline=constant), rows)
        (looks,) = judge(accuracy_rule(every=every, baseline=constant), rows)
        step = every / HOUR
        common = range(0, JUDGED + 1, max(1, round(step)))
        assert [looks[round(hour / step)] for hour in common] == [hourly[hour] for hour in common]

    @FEW
    @given(st.integers(0, 999), SHAPES, st.integers(1, 200))
    def test_the_future_changes_nothing_before_it(self, seed: int, lost: Floats, hours: int) -> None:
        rows = accuracy(seed, lost=lost)
        (full,) = judge(accuracy_rule(), series(rows))
        (cut,) = judge(accuracy_rule(), series(rows[:-hours]), now=NOW - hours * HOUR, judged=JUDGED - hours)
        assert cut == full[:-hours]

    @FEW
    @given(st.integers(0, 999), SHAPES)
    def test_order_duplicates_and_points_of_the_future_do_not_matter(self, seed: int, lost: Floats) -> None:
        rows = accuracy(seed, lost=lost)
        expected = judge(accuracy_rule(), series(rows))
        shuffled = [rows[row] for row in np.random.default_rng(seed).permutation(len(rows))]
        late = [(NOW + hours * HOUR, 0.1, 500.0) for hours in (1, 2, 30)]
        again = [(at, 0.0, 1000.0) for at, _, _ in rows[::7]]
        assert judge(accuracy_rule(), series([*again, *late, *shuffled])) == expected

    def test_a_window_of_another_length_decides_the_same_from_the_same_baseline(self) -> None:
        spec = BaselineSpec(BaselineKind.CONSTANT, value=0.9)
        rows = series(accuracy(3, lost=drop(0.06)))
        day, hour = (judge(accuracy_rule(window=window, baseline=spec), rows) for window in (DAY, HOUR))
        assert day == hour
        assert first(day[0]) is not None


class TestSegments:
    @FEW
    @given(st.integers(0, 999), st.sampled_from([0.0, 0.03, 0.06, 0.12]))
    def test_a_healthy_segment_more_never_makes_another_fire_earlier(self, seed: int, size: float) -> None:
        some = [
            series(accuracy(seed)),
            region("eu", accuracy(seed + 1, lost=drop(size))),
            region("us", accuracy(seed + 2)),
        ]
        before = judge(accuracy_rule(), *some)
        after = judge(accuracy_rule(), *some, region("zz", accuracy(seed + 3)))
        for fewer, more in zip(before, after[:-1], strict=True):
            for least in LIMITS:
                early, late = first(fewer, least), first(more, least)
                assert late is None or (early is not None and early <= late)

    def test_a_drop_in_one_segment_is_found_there_and_nowhere_else(self) -> None:
        some = [series(accuracy(1)), region("eu", accuracy(2, lost=drop(0.12))), region("us", accuracy(3))]
        whole, eu, us = judge(accuracy_rule(), *some)
        assert first(whole) is first(us) is None
        start = first(eu)
        assert start is not None
        assert 120 <= start < 150


class TestDeployments:
    """A deployment restarts the detectors, and half of the budget is spent there."""

    RULE = accuracy_rule(baseline=BaselineSpec(BaselineKind.CONSTANT, value=0.9))

    def starts(self, lost: Floats, *deployed: int) -> list[int | None]:
        """When a drop is found, of twenty models. ``deployed``: hours, of versions after the first one."""
        found = []
        for seed in range(20):
            versions = [(f"v{hour}", NOW - (HOURS - 1 - hour) * HOUR - 1) for hour in deployed]
            first_one = [("v0", NOW - 400 * DAY)] if deployed else []
            (severities,) = judge(self.RULE, series(accuracy(seed, lost=lost)), deployed=[*first_one, *versions])
            found.append(first(severities))
        return found

    def test_a_drop_that_comes_with_a_deployment_is_found_earlier(self) -> None:
        before, after = self.starts(drop(0.04)), self.starts(drop(0.04), CHANGE)
        pairs = [(a, b) for a, b in zip(before, after, strict=True) if a is not None and b is not None]
        assert len(pairs) == 20
        assert np.mean([a - b for a, b in pairs]) > 1

    def test_a_drop_long_after_one_is_found_later_than_without(self) -> None:
        before, after = self.starts(drop(0.04)), self.starts(drop(0.04), CHANGE - 100)
        pairs = [(a, b) for a, b in zip(before, after, strict=True) if a is not None and b is not None]
        assert len(pairs) == 20
        assert 0 < np.mean([b - a for a, b in pairs]) < 5

    def test_evidence_against_the_version_before_is_forgotten(self) -> None:
        """Eight bad hours before a deployment do not count after it."""
        after, both = (self.starts(drop(0.04, begin), CHANGE) for begin in (CHANGE, CHANGE - 8))
        later = [(a, b) for a, b in zip(after, both, strict=True) if b is not None and b >= 120]
        assert len(later) >= 10
        assert abs(np.mean([b - a for a, b in later if a is not None])) < 2, "eight hours earlier if they did"

    def test_what_holds_ends_soon_after_a_deployment_that_repairs(self) -> None:
        bad = drop(0.12, CHANGE, CHANGE + 60)
        at = NOW - (HOURS - 1 - CHANGE - 60) * HOUR - 1
        (severities,) = judge(self.RULE, series(accuracy(5, lost=bad)), deployed=[("a", 0.0), ("b", at)])
        assert severities[179] == Severity.CRITICAL.code
        assert max(severities[180 + 24 :]) == -1

    def test_a_deployment_changes_nothing_before_it(self) -> None:
        rows = series(accuracy(6, lost=drop(0.03)))
        (with_it,) = judge(self.RULE, rows, deployed=[("a", NOW - 100 * DAY), ("b", NOW - 10 * HOUR)])
        (without,) = judge(self.RULE, rows, deployed=[("a", NOW - 100 * DAY)])
        assert with_it[:-11] == without[:-11]
        (first_one,) = judge(self.RULE, rows, deployed=[("b", NOW - 10 * HOUR)])
        (none,) = judge(self.RULE, rows)
        assert first_one[:-11] == none[:-11]


class TestRecovery:
    def test_what_fired_is_left_out_of_the_rolling_baseline_and_of_the_noise(self) -> None:
        """Four bad days: neither do they become the norm, nor do they hide a drop that comes later."""
        begin = HOURS - 24 * 45
        bad = drop(0.3, begin, begin + 96)
        later = np.maximum(bad, drop(0.04))
        clean, dirty = (
            tracks(accuracy_rule(), series(accuracy(7, lost=lost)), history=50 * DAY)[0] for lost in (drop(0.04), later)
        )
        row = 24 * 30
        assert dirty.baseline[row] == pytest.approx(clean.baseline[row], rel=0.004)
        starts = [first(severity(track)[24 * 12 :]) for track in (clean, dirty)]
        assert None not in starts
        assert abs(starts[0] - starts[1]) < 24  # type: ignore[operator]

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_the_hours_between_onset_and_alarm_are_left_out_of_the_baseline(self, seed: int) -> None:
        """20 predictions an hour: a drop of 5 % is proven a day or two after it began. A baseline of ten days, at the
        time when it ends with these hours, was up to 1.5 % lower for them."""
        lost, length = drop(0.05, HOURS - JUDGED), 10 * DAY
        spec = BaselineSpec(BaselineKind.ROLLING, length=length, anchor=False)
        rows = accuracy(seed, n=20, lost=lost)
        (found,) = tracks(accuracy_rule(baseline=spec), series(rows), history=JUDGED * HOUR)
        start = first(severity(found))
        assert start is not None
        assert start > 5
        row = start + 8 * 24 + 1
        end = HOURS - JUDGED + row - 8 * 24 - 1
        before = np.mean([value for _, value, _ in rows[end - 10 * 24 : HOURS - JUDGED]])
        assert found.baseline[row] == pytest.approx(before, rel=0.003)

    def test_a_tier_ends_within_hours_of_the_recovery(self) -> None:
        (severities,) = judge(accuracy_rule(), series(accuracy(8, lost=drop(0.12, CHANGE, CHANGE + 100))))
        assert severities[215] == Severity.CRITICAL.code
        assert max(severities[220 + 24 :]) == -1

    def test_recover_asks_for_more_than_the_limit(self) -> None:
        """After a drop of 12 % to 4 % the tier of 5 % ends, unless it has to come back to within 2 %."""
        lost = np.maximum(drop(0.12, CHANGE, CHANGE + 100), drop(0.025))
        given = accuracy_rule(segments=())
        one = replace(given, tiers=tiers((Severity.ERROR, 0.05)))
        strict = replace(one, recover=Limit(LimitKind.DROP, 0.01))
        (usual,) = judge(one, series(accuracy(9, lost=lost, n=1000)))
        (longer,) = judge(strict, series(accuracy(9, lost=lost, n=1000)))
        assert usual[-1] == -1
        assert longer[-1] == Severity.ERROR.code

    def test_a_failure_that_gets_far_worse_has_not_recovered(self) -> None:
        """Twice as slow for three days, then a thousand times: such a point says nearly nothing of the limit."""
        slow = Tier(Severity.ERROR, (Limit(LimitKind.RISE, 0.5),), ("issue",), false_alarms=BUDGET)
        normal = {"interval": Interval.NORMAL, "better": Direction.LOWER}
        given = rule(slow, window=DAY, baseline=BaselineSpec(BaselineKind.ROLLING), **normal)
        values = 100 * (1 + 0.1 * np.random.default_rng(23).standard_normal(HOURS))
        values *= np.where(np.arange(HOURS) < CHANGE, 1, np.where(np.arange(HOURS) < CHANGE + 72, 2, 1000))
        times = NOW - HOUR * np.arange(HOURS - 1, -1, -1)
        (severities,) = judge(given, Series(NAME, (), array("d", times), array("d", values), None))
        assert min(severities[130:]) == Severity.ERROR.code

    def test_a_change_that_is_over_before_it_is_proven_never_holds(self) -> None:
        (severities,) = judge(accuracy_rule(), series(accuracy(10, lost=drop(0.04, CHANGE, CHANGE + 3))))
        assert max(severities) == -1


class TestSeries:
    def test_a_young_series_is_judged_within_days(self) -> None:
        rows = accuracy(11, lost=drop(0.15))[CHANGE - 24 * 6 :]
        (severities,) = judge(accuracy_rule(), series(rows), judged=JUDGED)
        start = first(severities)
        assert start is not None
        assert 120 <= start < 150

    @pytest.mark.parametrize("level", [0.0, 1.0])
    def test_a_metric_that_is_always_0_or_1_never_fires(self, level: float) -> None:
        (severities,) = judge(accuracy_rule(), series(accuracy(12, level=level)))
        assert max(severities) == -1

    def test_a_drop_from_exactly_1_fires(self) -> None:
        (severities,) = judge(accuracy_rule(), series(accuracy(13, level=1.0, lost=drop(0.06))))
        assert severities[-1] == Severity.ERROR.code
        assert first(severities) in range(120, 130)

    def test_hours_without_predictions_change_nothing(self) -> None:
        rows = accuracy(14, lost=drop(0.12))
        kept = [row for hour, row in enumerate(rows) if hour % 24 >= 8]
        empty = [(*row[:1], 0.0, 0.0) if hour % 24 < 8 else row for hour, row in enumerate(rows)]
        assert judge(accuracy_rule(), series(empty)) == judge(accuracy_rule(), series(kept))

    @pytest.mark.parametrize("value", [NAN, float("inf")])
    def test_values_that_are_no_numbers_are_left_out(self, value: float) -> None:
        rows = accuracy(15, lost=drop(0.12))
        kept = [row for hour, row in enumerate(rows) if hour % 5]
        broken = [row if hour % 5 else (row[0], value, row[2]) for hour, row in enumerate(rows)]
        assert judge(accuracy_rule(), series(broken)) == judge(accuracy_rule(), series(kept))

    def test_proportions_outside_0_and_1_prove_nothing(self) -> None:
        rows = [(at, 1.5 if hour > CHANGE else value, n) for hour, (at, value, n) in enumerate(accuracy(16))]
        (severities,) = judge(accuracy_rule(), series(rows))
        assert max(severities) == -1


class TestTiers:
    def test_limits_of_a_tier_share_its_budget_and_each_can_make_it_hold(self) -> None:
        rows = series(accuracy(17, lost=drop(0.06)))
        one = Limit(LimitKind.DROP, 0.05)
        same = Limit(LimitKind.DROP_POINTS, 0.045)
        far = Limit(LimitKind.DROP_POINTS, 0.3)

        def start(*limits: Limit) -> int | None:
            tier = Tier(Severity.ERROR, limits, ("issue",), false_alarms=BUDGET)
            return first(judge(replace(accuracy_rule(), tiers=(tier,)), rows)[0])

        alone = start(one)
        assert alone is not None
        assert start(one, far) in range(alone, alone + 6)
        assert start(far, one) == start(one, far)
        assert start(same, far) in range(alone, alone + 6)
        assert start(far) is None

    def test_a_smaller_budget_alarms_later(self) -> None:
        rows = series(accuracy(18, lost=drop(0.04)))
        starts = [
            first(judge(replace(accuracy_rule(), tiers=tiers((Severity.WARNING, 0.02), budget=budget)), rows)[0])
            for budget in (DAY, 90 * DAY, 900 * 365 * DAY)
        ]
        assert None not in starts
        assert starts == sorted(starts)  # type: ignore[type-var]
        assert len(set(starts)) == 3

    def test_a_version_is_judged_by_its_own_tiers(self) -> None:
        """Of one drop, version b allows more and version c less."""
        loose, tight = tiers((Severity.WARNING, 0.3)), tiers((Severity.CRITICAL, 0.02))
        given = accuracy_rule(
            overrides=(VersionOverride("b", loose), VersionOverride("c", tight)),
            baseline=BaselineSpec(BaselineKind.CONSTANT, value=0.9),
        )
        rows = series(accuracy(19, lost=drop(0.06)))
        since = NOW - (HOURS - 1 - CHANGE) * HOUR - 1
        found = {
            version: judge(given, rows, deployed=[("a", NOW - 100 * DAY), (version, since)])[0]
            for version in ("b", "c", "d")
        }
        assert max(found["b"]) == -1
        assert {code for code in found["c"] if code >= 0} == {Severity.CRITICAL.code}
        assert found["d"][-1] == Severity.ERROR.code

    def test_a_static_limit_is_still_decided_by_the_window(self) -> None:
        both = (*tiers((Severity.WARNING, 0.02)), Tier(Severity.CRITICAL, (Limit(LimitKind.BELOW, 0.86),), ("issue",)))
        given = replace(accuracy_rule(), tiers=both)
        assert is_detectable(given)
        (track,) = tracks(given, series(accuracy(20, lost=drop(0.12))), history=JUDGED * HOUR)
        assert track.finding(-1).severity is Severity.CRITICAL
        assert track.finding(-1).outcome is Outcome.BREACH

    def test_what_fell_is_no_alarm_for_what_may_rise(self) -> None:
        rise = Tier(Severity.ERROR, (Limit(LimitKind.RISE, 0.05),), ("issue",), false_alarms=BUDGET)
        either = Tier(Severity.ERROR, (Limit(LimitKind.SIGMA, 3.0),), ("issue",), false_alarms=BUDGET)
        rows = series(accuracy(21, lost=drop(0.2)))
        given = replace(accuracy_rule(), better=None)
        assert max(judge(replace(given, tiers=(rise,)), rows)[0]) == -1
        assert max(judge(replace(given, tiers=(either,)), rows)[0]) == Severity.ERROR.code


def test_a_mean_without_counts_is_decided_by_the_spread_of_its_points() -> None:
    """A latency that rises by 8 %, with one outlier before that means nothing."""
    rng = np.random.default_rng(22)
    values = 250 * (1 + 0.05 * rng.standard_normal(HOURS) + drop(0.08))
    values[CHANGE - 50] = 2500
    slow = Tier(Severity.ERROR, (Limit(LimitKind.RISE, 0.05),), ("issue",), false_alarms=BUDGET)
    given = rule(
        slow, window=DAY, interval=Interval.NORMAL, baseline=BaselineSpec(BaselineKind.ROLLING), better=Direction.LOWER
    )
    times = NOW - HOUR * np.arange(HOURS - 1, -1, -1)
    (severities,) = judge(given, Series(NAME, (), array("d", times), array("d", values), None))
    start = first(severities)
    assert start is not None
    assert 120 <= start < 160
