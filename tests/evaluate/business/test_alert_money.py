"""What alerts are worth, by hand: slopes, volumes, bends, segments, metrics that are money, gains."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch import pipeline
from modelwatch.context import make_context
from modelwatch.model.alert import Group
from modelwatch.model.money import MoneyImpact
from modelwatch.model.monitored_model import Config, Model
from modelwatch.model.series import PulledSeries, Series, labels_of
from modelwatch.stats.intervals import wilson_bounds
from modelwatch.timeutil import DAY, HOUR

from ...config.making import load_model

NOW = 20_000 * DAY
BUSINESS = """
improvement: {severity: warning, do: [issue]}
business:
  currency: EUR
  units: {b/orders: orders, latency: ms, b/profit: EUR, b/rate: EUR/day, b/margin: EUR/order}
  worth: {WORTH}
"""
ACCURACY = (
    "{name: accuracy, kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, segments: 'eval/region=*/accuracy', "
    "window: 1d, baseline: {value: 0.9, n: 100000}, improvement: 2%, tiers: {warning: {drop: 2%, do: [issue]}}}"
)


def metric(name: str, *daily: float, weight: float | None = None, **labels: str) -> Series:
    """One point an hour, 24 a day; of each day its value."""
    values = [value for value in daily for _ in range(24)]
    times = array("d", [NOW - (len(values) - place - 0.5) * HOUR for place in range(len(values))])
    weights = None if weight is None else array("d", [weight] * len(values))
    return Series(name, labels_of(labels), times, array("d", values), weights, (), array("i", [-1] * len(values)))


def judged(folder: Path, worth: str, rule: str, *series: Series) -> dict[str, Group]:
    model: Model = load_model(folder, BUSINESS.replace("WORTH", worth), rule)
    judgement = pipeline.judge(make_context(Config((model,), "c"), NOW), {"m": PulledSeries("m", series)})
    return {group.rule: group for group in judgement.groups}


def money(folder: Path, worth: str, rule: str, *series: Series, group: str = "") -> MoneyImpact:
    groups = judged(folder, worth, rule, *series)
    name = group or next(iter(groups))
    assert groups[name].alerts, "it fires"
    found = groups[name].evidence.money
    assert found is not None
    return found


def accuracies(*daily: float, weight: float = 1000.0) -> Series:
    return metric("eval/accuracy", *daily, weight=weight)


def test_a_slope_by_point_with_the_interval_of_the_metric(tmp_path: Path) -> None:
    found = money(tmp_path, "eval/accuracy: 1000 EUR/day per point", ACCURACY, accuracies(0.9, 0.9, 0.85))
    low, high = wilson_bounds(0.85, 24_000)
    assert found.amount == pytest.approx(-5000)
    assert (found.low, found.high) == pytest.approx((-(0.9 - low) * 100_000, -(0.9 - high) * 100_000))
    assert (found.currency, found.worth, found.share) == ("EUR", "1000 EUR/day/point * {eval/accuracy}", 1.0)


def test_an_improvement_gains(tmp_path: Path) -> None:
    series = accuracies(0.9, 0.9, 0.96)
    found = money(tmp_path, "eval/accuracy: 1000 EUR/day per point", ACCURACY, series, group="sudden-improvement")
    assert found.amount == pytest.approx(6000)
    assert found.low is not None
    assert 0 < found.low < 6000


def test_a_segment_is_worth_its_share_of_the_rows(tmp_path: Path) -> None:
    whole = accuracies(0.9, 0.9, 0.885, weight=1000.0)
    parts = [
        metric("eval/accuracy", 0.9, 0.9, level, weight=500.0, region=name)
        for name, level in (("eu", 0.9), ("us", 0.6))
    ]
    found = money(tmp_path, "eval/accuracy: 1000 EUR/day per point", ACCURACY, whole, *parts)
    assert found.share == pytest.approx(0.5)
    assert found.amount == pytest.approx(-30 * 1000 * 0.5)


def test_a_segment_of_unknown_share_is_worth_nothing_that_is_known(tmp_path: Path) -> None:
    part = metric("eval/accuracy", 0.9, 0.9, 0.6, weight=500.0, region="us")
    groups = judged(tmp_path, "eval/accuracy: 1000 EUR/day per point", ACCURACY, part)
    assert groups["accuracy"].alerts
    assert groups["accuracy"].evidence.money is None


def test_an_expression_takes_the_volume_of_the_last_week(tmp_path: Path) -> None:
    orders = metric("b/orders", *[10.0] * 5, *[20.0] * 7)
    worth = 'eval/accuracy: "{eval/accuracy} * {b/orders} * 2 EUR/order"'
    found = money(tmp_path, worth, ACCURACY, accuracies(*[0.9] * 11, 0.85), orders)
    assert found.amount == pytest.approx(-0.05 * 20 * 24 * 2)


def test_without_the_volume_nothing_is_known(tmp_path: Path) -> None:
    worth = 'eval/accuracy: "{eval/accuracy} * {b/orders} * 2 EUR/order"'
    groups = judged(tmp_path, worth, ACCURACY, accuracies(0.9, 0.9, 0.85))
    assert groups["accuracy"].evidence.money is None


def test_the_interval_of_a_bent_function_is_its_least_and_its_most(tmp_path: Path) -> None:
    """Below 0.84 nothing more is lost."""
    worth = 'eval/accuracy: "100000 EUR/day * max({eval/accuracy}, 0.84)"'
    found = money(tmp_path, worth, ACCURACY, accuracies(0.9, 0.9, 0.842, weight=50.0))
    low, high = wilson_bounds(0.842, 1200)
    assert low < 0.84 < high
    assert found.amount == pytest.approx(-5800)
    assert (found.low, found.high) == pytest.approx((-6000, -(0.9 - high) * 100_000))


def test_the_interval_of_a_function_that_turns_holds_its_turning_point(tmp_path: Path) -> None:
    worth = 'eval/accuracy: "100000 EUR/day * abs({eval/accuracy} - 0.842)"'
    found = money(tmp_path, worth, ACCURACY, accuracies(0.9, 0.9, 0.842, weight=50.0))
    low, high = wilson_bounds(0.842, 1200)
    assert found.amount == found.low == pytest.approx(-5800)
    assert found.high == pytest.approx(-5800 + max(0.842 - low, high - 0.842) * 100_000)


def test_a_slope_in_another_unit(tmp_path: Path) -> None:
    rule = (
        "{name: latency, kind: latency, metric: latency, better: lower, window: 1d, baseline: {value: 200}, "
        "tiers: {warning: {rise: 10%, do: [issue]}}}"
    )
    found = money(tmp_path, "latency: -3 EUR/day per ms", rule, metric("latency", 200.0, 260.0))
    assert found.amount == pytest.approx(-180)
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize(
    ("key", "aggregate", "before", "after", "lost"),
    [
        ("b/profit", "sum", 2400.0, 75.0, -600.0),
        ("b/profit", "mean", 100.0, 75.0, -600.0),
        ("b/rate", "mean", 100.0, 75.0, -25.0),
    ],
)
def test_a_metric_that_is_money_needs_no_worth(
    tmp_path: Path, key: str, aggregate: str, before: float, after: float, lost: float
) -> None:
    rule = (
        f"{{name: own, kind: business-metric, metric: {key}, aggregate: {aggregate}, window: 1d, "
        f"baseline: {{value: {before}}}, tiers: {{warning: {{drop: 5%, do: [issue]}}}}}}"
    )
    found = money(tmp_path, "x: 1 EUR/day", rule, metric(key, 100.0, after))
    assert found.amount == pytest.approx(lost)
    assert found.worth == ""


@pytest.mark.parametrize("lost", [[], [-1], [-1, -2, -3, -5, -8]])
def test_points_that_are_late_or_lost_make_no_day_cheaper(tmp_path: Path, lost: list[int]) -> None:
    rule = (
        "{name: own, kind: business-metric, metric: b/profit, better: higher, window: 6h, "
        "baseline: {value: 100}, tiers: {warning: {drop: 10%, do: [issue]}}}"
    )
    whole = metric("b/profit", *[100.0] * 6, 75.0)
    kept = [place for place in range(len(whole.times)) if place - len(whole.times) not in lost]
    times, values = (array("d", [column[place] for place in kept]) for column in (whole.times, whole.values))
    series = replace(whole, times=times, values=values, version_of=array("i", [-1] * len(kept)))
    assert money(tmp_path, "x: 1 EUR/day", rule, series).amount == pytest.approx(-25 * 24)


def test_money_for_each_counts_with_its_count(tmp_path: Path) -> None:
    rule = (
        "{name: margin, kind: business-metric, metric: b/margin, weight: b/orders, interval: normal, window: 1d, "
        "baseline: {value: 2}, tiers: {warning: {drop: 5%, do: [issue]}}}"
    )
    values = metric("b/margin", 2.0, 1.5)
    found = money(tmp_path, "x: 1 EUR/day", rule, replace(values, weights=array("d", [50.0] * 48)))
    assert found.amount == pytest.approx(-0.5 * 50 * 24)


def test_what_is_no_money_is_worth_nothing(tmp_path: Path) -> None:
    groups = judged(tmp_path, "x: 1 EUR/day", ACCURACY, accuracies(0.9, 0.9, 0.85))
    assert groups["accuracy"].alerts
    assert groups["accuracy"].evidence.money is None


def test_values_that_the_function_does_not_take_are_no_error(tmp_path: Path) -> None:
    worth = 'eval/accuracy: "1000 EUR/day * log({eval/accuracy} - 0.9)"'
    groups: dict[str, Group] = judged(tmp_path, worth, ACCURACY, accuracies(0.9, 0.9, 0.85))
    assert groups["accuracy"].evidence.money is None
