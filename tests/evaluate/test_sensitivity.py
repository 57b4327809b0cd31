"""What a rule can see: the mean path against simulated delays, and what follows from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.evaluate.sensitivity import (
    expected_sensitivities,
    find_blind,
    measure_sensitivity,
    tier_sensitivities,
    visible_limits,
)
from modelwatch.model.finding import Track
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, Direction, Interval, Limit, LimitKind, Rule, Tier
from modelwatch.model.sensitivity import Sensitivity, TierSensitivity
from modelwatch.model.series import PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR, WEEK
from tests.evaluate.making import NOW, hourly
from tests.false_alarms.model_years import World, delays, readme_rule

BUDGET = 90 * DAY


def sensitivity(volume: float, rule: Rule | None = None) -> Sensitivity:
    """Of README's rule about an accuracy of 0.9, before there is data."""
    return expected_sensitivities(rule or readme_rule(segments=()), volume, 0.9, 1)[0]


def one_tier(limit: Limit, budget: float = BUDGET, **more: object) -> Rule:
    tiers = (Tier(Severity.WARNING, (limit,), ("issue",), false_alarms=budget),)
    return replace(readme_rule(segments=()), tiers=tiers, **more)  # type: ignore[arg-type]


def seconds(tier: TierSensitivity, change: float) -> float:
    (found,) = (delay.seconds for delay in tier.delays if delay.change == change)
    assert found is not None
    return found


def accuracies(rng: np.random.Generator, rows: int) -> list[float]:
    """Of 50 days of hours."""
    found: list[float] = (rng.binomial(rows, 0.9, 50 * 24) / rows).tolist()
    return found


def judged(rule: Rule, *series: Series) -> tuple[Track, ...]:
    model = Model(name="churn", rules=(rule,), history=14 * DAY)
    return evaluate_model(model, PulledSeries("churn", series), NOW).tracks


class TestAgainstSimulation:
    @pytest.mark.parametrize(
        ("volume", "size", "tier"),
        [(20, 0.10, 0), (50, 0.10, 0), (200, 0.05, 0), (200, 0.10, 1), (1000, 0.05, 0), (1000, 0.05, 1)],
    )
    def test_half_of_the_changes_are_found_so_soon(self, volume: int, size: float, tier: int) -> None:
        rng = np.random.default_rng([volume, round(1000 * size), tier])
        rule = readme_rule(segments=())
        (healthy,) = judged(rule, hourly(accuracies(rng, volume), weight=float(volume)))
        seen = measure_sensitivity(healthy)
        assert seen is not None
        simulated = [delays(rule, World(volume, 0), size, rng)[0][tier] for _ in range(25)]
        assert np.median(simulated) == pytest.approx(seconds(seen.tiers[tier], size) / HOUR, rel=0.25, abs=1.0)


class TestMeanPath:
    @given(st.floats(20, 20_000), st.floats(1.2, 20))
    def test_more_rows_see_smaller_changes_sooner(self, volume: float, factor: float) -> None:
        for less, more in zip(sensitivity(volume).tiers, sensitivity(volume * factor).tiers, strict=True):
            for period in ("within_day", "within_week"):
                before, after = getattr(less, period), getattr(more, period)
                assert before is None or after <= before * 1.001
            for early, late in zip(more.delays, less.delays, strict=True):
                assert late.seconds is None or (early.seconds is not None and early.seconds <= late.seconds)

    @given(st.floats(20, 20_000))
    def test_larger_changes_are_found_sooner(self, volume: float) -> None:
        for tier in sensitivity(volume).tiers:
            found = [delay.seconds for delay in tier.delays if delay.seconds is not None]
            assert found == sorted(found, reverse=True)

    @given(st.floats(20, 20_000), st.floats(1, 50))
    def test_a_longer_budget_takes_longer(self, volume: float, factor: float) -> None:
        limit = Limit(LimitKind.DROP, 0.02)
        (often,) = sensitivity(volume, one_tier(limit)).tiers
        (seldom,) = sensitivity(volume, one_tier(limit, factor * BUDGET)).tiers
        assert seldom.false_alarms == pytest.approx(often.false_alarms / factor)
        assert seconds(often, 0.05) <= seconds(seldom, 0.05)

    @given(st.floats(5, 20_000))
    def test_the_smallest_change_within_a_week_takes_a_week(self, volume: float) -> None:
        (tier,) = sensitivity(volume, one_tier(Limit(LimitKind.DROP, 0.05))).tiers
        assert tier.within_week is not None
        assert tier.within_week >= 0.05
        if tier.within_week > 0.05:
            assert tier.own.seconds is None or tier.own.seconds > WEEK
        else:
            assert tier.own.seconds is not None
            assert tier.own.seconds <= WEEK

    def test_no_tier_finds_a_change_below_its_limit(self) -> None:
        warning, error, critical = sensitivity(50_000).tiers
        assert [delay.seconds for delay in warning.delays] == [HOUR] * 3
        assert [delay.seconds for delay in error.delays] == [None, HOUR, HOUR]
        assert [delay.seconds for delay in critical.delays] == [None, None, HOUR]

    def test_false_alarms_are_those_of_the_budget(self) -> None:
        assert [tier.false_alarms for tier in sensitivity(200).tiers] == pytest.approx([365 / 90, 1, 1])

    def test_a_limit_beyond_all_values_is_never_seen(self) -> None:
        (tier,) = sensitivity(50_000, one_tier(Limit(LimitKind.DROP_POINTS, 0.95))).tiers
        assert (tier.within_day, tier.within_week, tier.own.seconds) == (None, None, None)

    def test_a_vague_baseline_hides_a_small_limit_from_any_volume(self) -> None:
        rule = one_tier(Limit(LimitKind.DROP, 0.02), baseline=BaselineSpec(BaselineKind.CONSTANT, value=0.9, n=500.0))
        (tier,) = sensitivity(1e6, rule).tiers
        assert tier.is_baseline_vague
        assert tier.own.seconds is None
        (tier,) = sensitivity(1e6).tiers[:1]
        assert not tier.is_baseline_vague


class TestUnits:
    def test_points_and_shares_of_the_baseline_are_the_same_changes(self) -> None:
        (share,) = sensitivity(100, one_tier(Limit(LimitKind.DROP, 0.02))).tiers
        (points,) = sensitivity(100, one_tier(Limit(LimitKind.DROP_POINTS, 0.018))).tiers
        assert points.own.seconds == share.own.seconds
        assert points.within_day == pytest.approx(0.9 * (share.within_day or 0.0))

    def test_both_directions_are_one_row(self) -> None:
        noise = replace(sensitivity(1000).noise, sigma=0.01)
        rule = one_tier(Limit(LimitKind.SIGMA, 3.0), better=None)
        (tier,) = tier_sensitivities(rule, rule.tiers, noise, 1.0)
        assert tier.limit == Limit(LimitKind.SIGMA, 3.0)
        assert tier.within_week == pytest.approx(3.0)

    def test_a_limit_in_sigma_without_a_spread_is_left_out(self) -> None:
        rule = one_tier(Limit(LimitKind.SIGMA, 3.0))
        assert tier_sensitivities(rule, rule.tiers, sensitivity(1000).noise, 1.0) == ()


class TestTracks:
    def test_the_volume_and_noise_of_the_newest_week_are_measured(self) -> None:
        rng = np.random.default_rng(11)
        (track,) = judged(readme_rule(), hourly(accuracies(rng, 1000), weight=1000.0))
        noise = track.noise
        assert noise is not None
        assert (noise.gap, noise.exposure, noise.is_proportion) == (HOUR, 1000.0, True)
        assert noise.level == pytest.approx(0.9, abs=0.002)
        assert noise.trials == pytest.approx(1000, rel=0.3)
        seen = measure_sensitivity(track)
        assert seen is not None
        assert [tier.severity for tier in seen.tiers] == [Severity.WARNING, Severity.ERROR, Severity.CRITICAL]
        assert not find_blind([track])

    def test_few_rows_are_blind_to_a_small_limit(self) -> None:
        rng = np.random.default_rng(12)
        (track,) = judged(readme_rule(), hourly(accuracies(rng, 10), weight=10.0))
        assert find_blind([track]) == [track]
        seen = measure_sensitivity(track)
        assert seen is not None
        assert (seen.tiers[0].within_week or 1.0) > 0.02

    def test_segments_share_the_budget_and_see_less(self) -> None:
        rng = np.random.default_rng(13)
        eu, us = accuracies(rng, 500), accuracies(rng, 500)
        whole = hourly([(a + b) / 2 for a, b in zip(eu, us, strict=True)], weight=1000.0)
        segments = [hourly(part, weight=500.0, labels=(("region", name),)) for name, part in (("eu", eu), ("us", us))]
        tracks = judged(readme_rule(), whole, *segments)
        assert [track.budget_share for track in tracks] == [2.0, 4.0, 4.0]
        first, second, third = (found.tiers[0].own.seconds for track in tracks if (found := measure_sensitivity(track)))
        assert first is not None
        assert second is not None
        assert third is not None
        assert first < second == pytest.approx(third, rel=0.3)

    def test_means_are_known_by_their_spread(self) -> None:
        rng = np.random.default_rng(14)
        rule = one_tier(
            Limit(LimitKind.RISE, 0.10), interval=Interval.NORMAL, weight=None, better=Direction.LOWER, segments=()
        )
        (track,) = judged(rule, hourly((100 + 10 * rng.standard_normal(50 * 24)).tolist()))
        assert track.noise is not None
        assert track.noise.spread == pytest.approx(10, rel=0.2)
        seen = measure_sensitivity(track)
        assert seen is not None
        (tier,) = seen.tiers
        # A shift of one standard deviation: some 15 nats at a quarter of one a point.
        assert DAY / 2 < seconds(tier, 0.10) < 4 * DAY

    def test_without_a_baseline_nothing_is_known(self) -> None:
        (track,) = judged(readme_rule(), hourly([0.9], weight=100.0))
        assert measure_sensitivity(track) is None
        assert not find_blind([track])

    def test_windows_decided_alone_are_not_about_detectors(self) -> None:
        (track,) = judged(readme_rule((None, None, None)), hourly([0.9] * 400, weight=100.0))
        assert measure_sensitivity(track) is None


class TestVisibleLimits:
    def test_many_rows_leave_them_alone(self) -> None:
        assert visible_limits(readme_rule(), 5000, 0.9) == (0.02, 0.05, 0.10)

    @pytest.mark.parametrize("volume", [1, 5, 20, 50])
    def test_few_rows_raise_them_until_they_are_seen(self, volume: float) -> None:
        rule = readme_rule()
        limits = visible_limits(rule, volume, 0.9)
        assert sorted(set(limits)) == list(limits)
        assert limits[0] > 0.02
        tiers = tuple(
            replace(tier, limits=(Limit(LimitKind.DROP, limit),))
            for tier, limit in zip(rule.tiers, limits, strict=True)
        )
        whole, _ = expected_sensitivities(replace(rule, tiers=tiers), volume, 0.9, 5)
        assert all(tier.own.seconds is not None and tier.own.seconds <= WEEK for tier in whole.tiers)

    def test_nothing_can_be_seen_of_almost_no_rows(self) -> None:
        assert visible_limits(readme_rule(), 0.01, 0.9) == ()
