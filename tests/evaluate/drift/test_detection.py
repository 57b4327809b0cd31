"""Drift under a budget of false alarms: creep is found, quiet features stay quiet, looking more often adds no data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from modelwatch.evaluate import evaluator
from modelwatch.model.rule import BaselineEntry, BaselineKind, BaselineSpec, FeatureAggregation, Rule, VersionOverride
from modelwatch.timeutil import HOUR

from ...false_alarms.drift_years import (
    BUDGETS,
    categories,
    creep,
    drift_rule,
    first_days,
    jump,
    numbers,
    severities,
)

NO_BUDGETS = (None, None, None)


@pytest.mark.parametrize(("method", "count"), [("psi", 200), ("ks", 40)])
def test_features_that_wander_a_little_stay_quiet_for_90_days(
    method: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluator, "MAX_SEGMENTS", 200)
    rng = np.random.default_rng(1)
    sizes = (150, 1000, 10_000)
    features = [numbers(f"f{i}", 90, sizes[i % 3], rng, wander=0.05) for i in range(count)]
    found = severities(drift_rule(method), features, 90)
    assert len(found) == count
    assert max(severity.max() for severity in found.values()) == -1
    per_window = severities(drift_rule(method, NO_BUDGETS), features, 90)
    assert sum((severity >= 0).any() for severity in per_window.values()) >= 3


@pytest.mark.parametrize(("method", "size", "latest"), [("psi", 300, 30), ("psi", 3000, 25), ("ks", 3000, 22)])
def test_a_mean_that_creeps_by_one_standard_deviation_in_six_weeks_is_found(
    method: str, size: int, latest: int
) -> None:
    rng = np.random.default_rng(2)
    features = [numbers("age", 60, size, rng, creep(1.0, 42), wander=0.05)]
    features += [numbers(f"f{i}", 60, size, rng, wander=0.05) for i in range(20)]
    found = severities(drift_rule(method), features, 60)
    warned, failed, _ = first_days(found.pop("age"))
    assert 5 < warned <= latest
    assert warned < failed
    assert max(severity.max() for severity in found.values()) == -1


def test_a_jump_is_found_on_the_day_it_happens_and_ends_with_the_drift() -> None:
    rng = np.random.default_rng(3)
    gone = numbers("gone", 60, 3000, rng, lambda day: 1.0 if 20 <= day < 25 else 0.0)
    stays = numbers("stays", 60, 3000, rng, lambda day: jump(1.0)(day - 20))
    found = severities(drift_rule(), [gone, stays, numbers("still", 60, 3000, rng)], 60)
    assert first_days(found["gone"]).tolist() == first_days(found["stays"]).tolist() == [20, 20, 20]
    assert (np.flatnonzero(found["gone"] >= 0) < 25).all()
    assert (found["stays"][20:30] == 3).all()
    assert found["still"].max() == -1


def test_a_share_that_creeps_is_found() -> None:
    rng = np.random.default_rng(4)
    moving = categories("city", 60, 2000, rng, creep(0.3, 42))
    calm = [categories(f"c{i}", 60, 2000, rng) for i in range(10)]
    found = severities(drift_rule("tv"), [moving, *calm], 60)
    warned, *_ = first_days(found.pop("city"))
    assert 8 < warned <= 25
    assert max(severity.max() for severity in found.values()) == -1


def test_evaluations_that_overlap_count_nothing_twice() -> None:
    rng = np.random.default_rng(5)
    features = [numbers("age", 40, 800, rng, creep(0.8, 30), parts=4), numbers("f", 40, 800, rng, parts=4)]
    daily = severities(drift_rule(), features, 40)
    hourly = severities(drift_rule(every=HOUR), features, 40)
    assert (daily["age"] >= 0).any()
    for name, severity in daily.items():
        assert (hourly[name][-24 * (len(severity) - 1) - 1 :: 24] == severity).all()
    assert hourly["f"].max() == -1


def test_a_small_effect_is_never_an_alarm_however_certain() -> None:
    rng = np.random.default_rng(6)
    found = severities(drift_rule(), [numbers("age", 60, 20_000, rng, jump(0.2))], 60)
    assert found["age"].max() == -1


def test_a_captured_reference_of_few_rows_does_not_alarm_by_its_own_luck() -> None:
    """Every day is compared with the same 150 values: what they are off by is no evidence."""
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        feature = numbers("age", 60, 1000, rng)
        few = numbers("age", 0, 150, rng)
        rule = _against(few.name, few.edges[0], few.counts[0])
        alarms += int(severities(rule, [feature], 60)["age"].max() >= 0)
    assert alarms == 0


def _against(name: str, edges: Sequence[float], counts: Sequence[float]) -> Rule:
    entry = BaselineEntry(name, (("features", "age"),), 0.0, edges=tuple(edges), counts=tuple(counts))
    return drift_rule(baseline=BaselineSpec(BaselineKind.FILE, path="b.json", entries=(entry,)))


def test_the_share_of_features_counts_those_that_are_proven() -> None:
    rng = np.random.default_rng(7)
    moves = [lambda day: jump(0.8)(day - 20)] * 4 + [jump(0.0)] * 2
    features = [numbers(f"f{i}", 40, 1000, rng, move) for i, move in enumerate(moves)]
    found = severities(drift_rule(across=FeatureAggregation.SHARE), features, 40)[""]
    assert found[:20].max() == -1
    assert found[22] == 2  # four of six


def test_a_percentage_decides_each_window_alone() -> None:
    rng = np.random.default_rng(8)
    feature = numbers("age", 30, 150, rng)
    stated = severities(drift_rule(false_alarms=0.2), [feature], 30)["age"]
    assert (stated >= 0).any()
    assert (stated == severities(drift_rule(budgets=NO_BUDGETS, false_alarms=0.2), [feature], 30)["age"]).all()


def test_a_feature_without_histograms_or_reference_is_not_proven() -> None:
    rng = np.random.default_rng(9)
    unknown = drift_rule(baseline=BaselineSpec(BaselineKind.VERSION, version="v1"))
    assert severities(unknown, [numbers("age", 30, 1000, rng, jump(3.0))], 30)["age"].max() == -1
    few = numbers("age", 30, 60, rng, jump(3.0))
    assert severities(drift_rule(), [few], 30)["age"].max() == -1


def test_other_tiers_of_a_version_are_proven_too() -> None:
    rng = np.random.default_rng(10)
    override = VersionOverride("v9", drift_rule(budgets=BUDGETS).tiers[:1])
    found = severities(drift_rule(overrides=(override,)), [numbers("age", 30, 1000, rng, jump(1.0))], 30)
    assert found["age"][3] == 3
