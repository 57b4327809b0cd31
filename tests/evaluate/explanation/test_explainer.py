"""Reasons of a drop, from series through findings and alerts."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from modelwatch.alerts.grouping import judge_models
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.evaluate.explanation.explainer import explain
from modelwatch.model.explanation import Explanation
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Config, Model
from modelwatch.model.rule import (
    Aggregate,
    BaselineEntry,
    BaselineKind,
    BaselineSpec,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from modelwatch.model.series import Deployment, Labels, PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.report.explanation import explanation_text
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR

from ...alerts.making import at, findings, track
from ..making import NAME, NOW, hourly, rule, tier

EU, LATAM, NA = ((("region", name),) for name in ("eu", "latam", "na"))
HOURS, BAD = 240, 24
WOBBLE = (0.0, 0.004, -0.004, 0.002, -0.002)
"""A little noise, the same every time."""

Healthy = dict[Labels, tuple[float, float]]
REGIONS: Healthy = {EU: (500, 0.93), LATAM: (300, 0.91), NA: (200, 0.92)}
"""Rows an hour and accuracy while healthy."""


def watched(**more: Any) -> Rule:
    return rule(
        tier("warning", LimitKind.DROP, 0.02),
        better=Direction.HIGHER,
        weight="eval/n",
        interval=Interval.WILSON,
        segments=(KeyPattern("eval/region=*/accuracy"),),
        window=6 * HOUR,
        **more,
    )


def one(healthy: tuple[float, float], bad: tuple[float, float], labels: Labels) -> Series:
    values = [healthy[1] + WOBBLE[hour % 5] for hour in range(HOURS - BAD)]
    values += [bad[1] + WOBBLE[hour % 5] for hour in range(BAD)]
    found = hourly(values, labels=labels)
    weights = found.times[:]
    for hour in range(HOURS):
        weights[hour] = healthy[0] if hour < HOURS - BAD else bad[0]
    return replace(found, weights=weights)


def world(bad: dict[Labels, tuple[float, float]], *, logged: Sequence[Labels] = (EU, LATAM, NA)) -> list[Series]:
    """The whole and its segments; under ``bad`` the rows an hour and the accuracy of the last hours."""
    parts = {labels: one(REGIONS[labels], bad.get(labels, REGIONS[labels]), labels) for labels in REGIONS}
    whole = hourly([0.0] * HOURS)
    weights = whole.times[:]
    for hour in range(HOURS):
        counts = [part.weights[hour] for part in parts.values() if part.weights]
        weights[hour] = sum(counts)
        hits = sum(n * part.values[hour] for n, part in zip(counts, parts.values(), strict=True))
        whole.values[hour] = hits / weights[hour]
    return [replace(whole, weights=weights), *(parts[labels] for labels in logged)]


def baseline(series: Sequence[Series]) -> BaselineSpec:
    entries = []
    for found in series:
        n, hours = found.weights, range(HOURS - BAD)
        assert n is not None
        total = sum(n[hour] for hour in hours)
        value = sum(n[hour] * found.values[hour] for hour in hours) / total
        entries.append(BaselineEntry(NAME, found.labels, value, n=total))
    return BaselineSpec(BaselineKind.FILE, entries=tuple(entries))


def why(a_rule: Rule, series: Sequence[Series], *rules: Rule, now: float = NOW, days: int = 9) -> Explanation | None:
    deployed = (Deployment("v6", NOW - HOURS * HOUR), Deployment("v7", NOW - (BAD - 1) * HOUR))
    model = Model("churn", (a_rule, *rules), history=days * DAY)
    pull = PulledSeries("churn", tuple(series), deployed)
    judgement = judge_models(
        Config((model,), "c"), {"churn": evaluate_model(model, pull, now)}, {"churn": pull}, now, explain
    )
    return next(group for group in judgement.groups if group.rule == a_rule.name).evidence.why


def told(bad: dict[Labels, tuple[float, float]], **more: Any) -> Explanation:
    series = world(bad, **more)
    found = why(watched(baseline=baseline(series)), series)
    assert found is not None
    return found


def test_a_segment_that_got_worse() -> None:
    found = told({LATAM: (300, 0.7)})
    assert found.found is not None
    assert found.found.labels == LATAM
    assert found.found.rate == pytest.approx(found.total, rel=0.02)
    assert found.found.p is not None
    assert found.found.p < 1e-9
    assert found.mix == pytest.approx(0, abs=1e-9)
    assert found.parts_seen == 3
    assert (found.since, found.since_labels, found.version) == (NOW - (BAD - 1) * HOUR, LATAM, "v7")


def test_after_the_recovery_the_reason_is_that_of_the_worst_moment() -> None:
    """The whole never reached its tier; when latam is back, only noise is left in the newest window."""
    series = world({LATAM: (30, 0.7)})
    back = []
    for part in series:
        values = part.values[:]
        values[-BAD // 2 :] = values[: BAD // 2]
        back.append(replace(part, values=values))
    found = why(replace(watched(baseline=baseline(series)), hold=30), back)
    assert found is not None
    assert found.at <= NOW - (BAD // 2 - 6) * HOUR, "a window in which latam was bad"
    assert (found.found.labels if found.found else found.since_labels) == LATAM
    assert found.version == "v7"


@pytest.mark.parametrize(("newest", "explained"), [(0.895, 2), (0.79, 5)])
def test_values_within_the_limits_explain_nothing_though_the_alert_lasts(newest: float, explained: int) -> None:
    """What was before is not outweighed yet: the reason stays that of the worst moment."""
    text, values = "..eeee", [0.9, 0.9, 0.7, 0.75, newest, newest]
    lasting = track(text, values=values)
    model = Model("churn", (lasting.rule,))
    judgement = judge_models(
        Config((model,), "c"), {"churn": findings(lasting)}, {"churn": PulledSeries("churn", ())}, at(5), explain
    )
    reason = next(group for group in judgement.groups if group.rule == "accuracy").evidence.why
    assert reason is not None
    assert reason.at == at(explained)


def test_mix_and_rate_are_the_whole_change() -> None:
    found = told({LATAM: (700, 0.8), NA: (100, 0.95)})
    assert found.mix is not None
    assert found.rate is not None
    assert found.mix + found.rate == pytest.approx(found.total, abs=1e-15)
    assert sum(part.total for part in found.parts) == pytest.approx(found.total, abs=1e-15)
    assert found.mix < 0 < sum(part.rate for part in found.parts if part.labels == NA)


def test_sizes_alone() -> None:
    series = world({LATAM: (30_000, 0.91)})
    a_rule = watched(baseline=baseline(series))
    found = why(replace(a_rule, tiers=(tier("warning", LimitKind.DROP, 0.01),)), series)
    assert found is not None
    assert found.mix is not None
    assert found.rate == pytest.approx(0, abs=5e-4)
    assert found.mix == pytest.approx(found.total, abs=5e-4)
    assert found.mix < -0.01


def test_what_no_segment_names_is_a_part_of_its_own() -> None:
    found = told({LATAM: (300, 0.7)}, logged=(EU, NA))
    rest = found.parts[0]
    assert rest.labels == ()
    assert rest.before == pytest.approx(0.91, abs=0.001)
    assert rest.value == pytest.approx(0.7, abs=0.001)
    assert found.found is None
    assert found.since == NOW - (BAD - 1) * HOUR


def test_segments_that_overlap_are_no_parts() -> None:
    series = world({LATAM: (300, 0.7)})
    series.append(replace(series[1], labels=(("region", "europe"),)))
    found = why(watched(baseline=baseline(series)), series)
    assert found is not None
    assert (found.mix, found.parts, found.found) == (None, (), None)
    assert found.total < 0
    assert found.since is not None


def test_unknown_counts_give_the_time_alone() -> None:
    series = [replace(one, weights=None) for one in world({LATAM: (300, 0.7)})]
    entries = tuple(BaselineEntry(NAME, one.labels, one.values[0]) for one in series)
    a_rule = watched(baseline=BaselineSpec(BaselineKind.FILE, entries=entries))
    found = why(replace(a_rule, interval=Interval.NONE), series)
    assert found is not None
    assert (found.mix, found.rate, found.parts) == (None, None, ())
    assert found.since == NOW - (BAD - 1) * HOUR


def test_a_median_is_no_mean_of_segments() -> None:
    series = world({LATAM: (300, 0.3), EU: (500, 0.5)})
    a_rule = replace(watched(baseline=baseline(series)), aggregate=Aggregate.P50, interval=Interval.NONE)
    found = why(a_rule, series)
    assert found is not None
    assert found.mix is None
    assert found.since is not None


def test_where_only_a_segment_fires_its_own_beginning_is_told() -> None:
    found = told({LATAM: (300, 0.85), EU: (500, 0.99)})
    assert found.mix is None
    assert found.since_labels == LATAM
    assert found.since == NOW - (BAD - 1) * HOUR
    assert found.total == pytest.approx(-0.06, abs=0.002)


def test_a_rolling_baseline_is_known_by_its_counts() -> None:
    series = world({LATAM: (300, 0.7)})
    found = why(watched(baseline=BaselineSpec(BaselineKind.ROLLING, length=2 * DAY)), series)
    assert found is not None
    assert found.found is not None
    assert found.found.labels == LATAM
    assert found.found.share_before == pytest.approx(0.3)


def test_nothing_is_explained_while_all_is_well() -> None:
    series = world({})
    assert why(watched(baseline=baseline(series)), series) is None


def test_drifted_inputs_are_ranked_by_where_the_drop_lies() -> None:
    series = world({LATAM: (700, 0.7)})
    drift = [
        hourly([0.01] * (HOURS - BAD) + [psi] * BAD, name="features/psi", labels=(("features", feature),))
        for feature, psi in (("age", 0.9), ("region", 0.4), ("plan", 0.02))
    ]
    drifts = Rule(
        "inputs", "data-drift", KeyPattern("features/*/psi"), (tier("warning", LimitKind.ABOVE, 0.2),), window=6 * HOUR
    )
    found = why(watched(baseline=baseline(series)), [*series, *drift], drifts)
    assert found is not None
    assert [one.feature for one in found.features] == ["region", "age"]
    region, age = found.features
    assert region.share == pytest.approx(1.0, abs=0.05)
    assert age.share is None
    assert age.value == pytest.approx(0.9)


def crossed(bad: dict[Labels, float], **more: Any) -> Explanation:
    """A world of regions and devices; under ``bad`` the accuracy of some crossings in the last hours."""
    cells = {
        (("device", device), ("region", region)): (REGIONS[(("region", region),)][0] * share, 0.92)
        for device, share in (("android", 0.5), ("ios", 0.3), ("web", 0.2))
        for region in ("eu", "latam", "na")
    }
    small = {labels: one(healthy, (healthy[0], bad.get(labels, 0.92)), labels) for labels, healthy in cells.items()}
    keys = [(), *{(label,) for labels in cells for label in labels}]
    series = [total(labels, [part for own, part in small.items() if set(labels) <= set(own)]) for labels in keys]
    series += small.values()
    patterns = ("eval/region=*/accuracy", "eval/device=*/accuracy", "eval/device=*/region=*/accuracy")
    a_rule = replace(watched(baseline=baseline(series)), segments=tuple(map(KeyPattern, patterns)), **more)
    found = why(a_rule, series)
    assert found is not None
    return found


def total(labels: Labels, parts: Sequence[Series]) -> Series:
    whole = hourly([0.0] * HOURS, labels=labels)
    weights = whole.times[:]
    for hour in range(HOURS):
        counts = [part.weights[hour] for part in parts if part.weights]
        weights[hour] = sum(counts)
        whole.values[hour] = sum(n * part.values[hour] for n, part in zip(counts, parts, strict=True)) / weights[hour]
    return replace(whole, weights=weights)


IOS_LATAM: Labels = (("device", "ios"), ("region", "latam"))


def test_a_crossing_is_found_among_columns_and_crossings() -> None:
    found = crossed({IOS_LATAM: 0.5})
    assert found.found is not None
    assert found.found.labels == found.parts[0].labels == IOS_LATAM
    assert found.searched == 3 + 3 + 9
    assert found.share_of_total(found.found.total) == pytest.approx(1, abs=0.05)
    assert found.found.share_before == pytest.approx(0.09)
    assert found.found.p is not None
    assert found.found.p < 1e-9
    assert (found.since, found.since_labels, found.version) == (NOW - (BAD - 1) * HOUR, IOS_LATAM, "v7")
    assert sum(part.total for part in found.parts) == pytest.approx(found.total, abs=1e-12)


def test_a_whole_column_is_not_told_as_its_crossings() -> None:
    found = crossed({(("device", device), ("region", "latam")): 0.6 for device in ("android", "ios", "web")})
    assert found.found is not None
    assert found.found.labels == LATAM
    assert {len(part.labels) for part in found.parts} == {1}


def test_a_drop_everywhere_is_no_segments_own() -> None:
    every = [
        (("device", device), ("region", region))
        for device in ("android", "ios", "web")
        for region in ("eu", "latam", "na")
    ]
    found = crossed(dict.fromkeys(every, 0.8))
    assert found.found is None
    assert found.rate == pytest.approx(found.total, rel=0.01)


def test_the_spread_of_a_mean_follows_from_its_interval() -> None:
    assert crossed({IOS_LATAM: 0.5}, interval=Interval.NORMAL).found is not None


LONG = 24 * 67
"""Hours with which a rolling baseline has an anchor."""


def shifting(days: int, seed: int) -> list[Series]:
    """Two regions of steady accuracies; so many days ago the worse one grew from half of the rows to four fifths."""
    rng = np.random.default_rng(seed)
    times = NOW - HOUR * np.arange(LONG)[::-1]
    parts: list[tuple[Labels, Floats, Floats]] = []
    for labels, level, grown in ((EU, 0.95, 0.2), (NA, 0.85, 0.8)):
        n = rng.poisson(2000 * np.where(times > NOW - days * DAY, grown, 0.5))
        parts.append((labels, rng.binomial(n, level) / n, n.astype(float)))
    n = np.sum([rows for *_, rows in parts], axis=0)
    whole = ((), np.sum([values * rows for _, values, rows in parts], axis=0) / n, n)
    return [
        Series(NAME, labels, array("d", times), array("d", values), array("d", rows))
        for labels, values, rows in (whole, *parts)
    ]


@pytest.mark.parametrize(("days", "anchor"), [(3, True), (25, True), (12, False), (25, False)])
def test_a_shift_of_traffic_is_told_whatever_the_whole_is_compared_with(days: int, anchor: bool) -> None:
    """Against an anchor, or without the hours in which it fired, the whole's baseline has not the rows of the segments'
    baselines; then only "the level changed" was left."""
    tiers = [
        Tier(severity, (Limit(LimitKind.DROP, limit),), ("issue",), false_alarms=90 * DAY)
        for severity, limit in ((Severity.WARNING, 0.02), (Severity.ERROR, 0.05))
    ]
    spec = BaselineSpec(BaselineKind.ROLLING, anchor=anchor)
    given = replace(watched(baseline=spec), tiers=tuple(tiers), window=DAY)
    model = Model("churn", (given,), history=30 * DAY)
    pull = PulledSeries("churn", tuple(shifting(days, 2)))
    found = {"churn": evaluate_model(model, pull, NOW)}
    groups = judge_models(Config((model,), "c"), found, {"churn": pull}, NOW, explain).groups
    group = next(group for group in groups if group.rule == given.name)
    assert (group.evidence.anchor is not None) is anchor
    reason = group.evidence.why
    assert reason is not None
    assert reason.mix == pytest.approx(reason.total, rel=0.1)
    assert {part.labels for part in reason.parts} == {EU, NA}
    assert "segments that changed size" in explanation_text(reason) or "of the rows" in explanation_text(reason)


def test_hours_in_which_a_segment_fired_are_no_change_of_traffic() -> None:
    """Each segment's rolling baseline lacks the hours in which that segment fired, and the whole's does not: 400, 400
    and 200 rows an hour were called 26 → 40 % of the rows."""
    rng = np.random.default_rng(5)
    times = NOW - HOUR * np.arange(24 * 30)[::-1]
    parts: list[tuple[Labels, Floats, Floats]] = []
    for labels, level, rows in ((EU, 0.92, 400), (NA, 0.92, 400), (LATAM, 0.91, 200)):
        quality = np.where(times > NOW - 11 * HOUR, 0.88, 1.0) * np.where(_was_low(times, labels), 0.95, 1.0)
        parts.append((labels, rng.binomial(rows, level * quality) / rows, np.full(len(times), float(rows))))
    n = np.sum([rows for *_, rows in parts], axis=0)
    whole = ((), np.sum([values * rows for _, values, rows in parts], axis=0) / n, n)
    series = [
        Series(NAME, labels, array("d", times), array("d", values), array("d", rows))
        for labels, values, rows in (whole, *parts)
    ]
    tiers = tuple(
        Tier(severity, (Limit(LimitKind.DROP, limit),), ("issue",), false_alarms=90 * DAY)
        for severity, limit in ((Severity.WARNING, 0.02), (Severity.ERROR, 0.05))
    )
    reason = why(replace(watched(baseline=BaselineSpec(BaselineKind.ROLLING)), tiers=tiers), series, days=30)
    assert reason is not None
    assert {part.labels for part in reason.parts} == {EU, NA, LATAM}
    assert sum(part.share_before for part in reason.parts) == pytest.approx(1)
    assert all(part.share_before == pytest.approx(part.share) for part in reason.parts)
    assert "Traffic mix is unchanged." in explanation_text(reason)


def _was_low(times: Any, labels: Labels) -> Any:
    """For five days, two weeks ago, one region alone was worse."""
    return (labels == LATAM) & (times > NOW - 17 * DAY) & (times < NOW - 12 * DAY)
