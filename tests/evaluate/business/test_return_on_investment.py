"""The return on investment against cases that are computed by hand, and by SciPy."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelwatch.evaluate.business.return_on_investment import compute_roi, roi_history_start
from modelwatch.model.money import ReturnOnInvestment
from modelwatch.model.series import PulledSeries, Series, labels_of
from modelwatch.report.return_on_investment import promise_sentence, roi_markdown, roi_text
from modelwatch.stats.daily_mean import daily_mean
from modelwatch.timeutil import DAY, HOUR, parse_iso

from ...config.making import load_model

FIRST = parse_iso("2026-03-01")


def hourly(name: str, days: Sequence[float], first: float = FIRST, **labels: str) -> Series:
    """24 points a day, each with a 24th of what is earned on it."""
    times = array("d", [first + day * DAY + (hour + 0.5) * HOUR for day in range(len(days)) for hour in range(24)])
    values = array("d", [total / 24 for total in days for _ in range(24)])
    return Series(name, labels_of(labels), times, values, None, (), array("i", [-1] * len(values)))


def roi(
    folder: Path, keys: str, *series: Series, retrainings: Sequence[float] | None = None, now: float | None = None
) -> ReturnOnInvestment:
    head = "business:\n  currency: EUR\n  units: {b/revenue: EUR, calls: predictions, labels: labels, cost: EUR}\n"
    model = load_model(folder, head + "".join(f"  {line}\n" for line in keys.splitlines()))
    end = max(one.times[-1] for one in series) if series else FIRST
    return compute_roi(model, PulledSeries("m", series), retrainings, end + HOUR if now is None else now)


VALUE = 'value: "{b/revenue}"\n'
NOISE = np.random.default_rng(5).normal(0, 10, 200)


def days(level: float, count: int, start: int = 0) -> list[float]:
    return [level + noise for noise in NOISE[start : start + count].tolist()]


def critical(days: int) -> float:
    """Kiefer and Vogelsang (2005), Bartlett weights up to a week: of so many days, instead of 1.96."""
    share = 8 / days
    return 1.959964 + 2.9694 * share + 0.4160 * share**2 - 0.5324 * share**3


def test_against_a_constant(tmp_path: Path) -> None:
    earned = days(100, 40)
    found = roi(tmp_path, VALUE + "before: 2400 EUR/month", hourly("b/revenue", earned))
    before = 2400 / (365.25 / 12)
    total = found.total
    assert total is not None
    assert total.value == pytest.approx(sum(earned))
    assert total.before == pytest.approx(before * 40)
    gained = total.gained
    assert gained is not None
    mean = daily_mean(np.array(earned) - before)
    low, high = mean.mean - critical(40) * mean.se, mean.mean + critical(40) * mean.se
    assert (gained.value, gained.low, gained.high) == pytest.approx((sum(earned) - before * 40, low * 40, high * 40))
    assert [row.name for row in found.months] == ["2026-03", "2026-04"]
    assert [row.days for row in found.months] == [31, 9]
    assert sum(row.value or 0.0 for row in found.months) == pytest.approx(total.value)


def test_against_a_period_before(tmp_path: Path) -> None:
    old, new = days(80, 20), days(100, 30, 20)
    keys = VALUE + "before: {from: 2026-03-01, to: 2026-03-20}\nsince: 2026-03-21"
    found = roi(tmp_path, keys, hourly("b/revenue", old + new))
    total = found.total
    assert total is not None
    assert (total.name, total.days) == ("since 2026-03-21", 30)
    assert total.before == pytest.approx(sum(old) / 20 * 30)
    one, other = daily_mean(np.array(new)), daily_mean(np.array(old))
    half = np.hypot(critical(30) * one.se, critical(20) * other.se)
    low, high = one.mean - other.mean - half, one.mean - other.mean + half
    assert total.gained is not None
    assert (total.gained.low, total.gained.high) == pytest.approx((low * 30, high * 30))
    assert any("20 days from 2026-03-01 to 2026-03-20" in text for text in found.assumptions)


def test_against_a_holdout_that_gets_a_tenth_of_the_traffic(tmp_path: Path) -> None:
    keys = VALUE + "predictions: calls\nbefore: {holdout: arm=old}"
    arms = [hourly("b/revenue", [8.0] * 10, arm="old"), hourly("calls", [100.0] * 10, arm="old")]
    found = roi(tmp_path, keys, hourly("b/revenue", [98.0] * 10), hourly("calls", [1000.0] * 10), *arms)
    assert found.total is not None
    assert found.total.before == pytest.approx(800.0)  # 8 cents a prediction, 1,000 a day
    assert found.total.gained is not None
    assert found.total.gained.value == pytest.approx(180.0)


def test_against_an_expression(tmp_path: Path) -> None:
    keys = VALUE + 'before: "0.05 EUR/prediction * {calls}"'
    found = roi(tmp_path, keys, hourly("b/revenue", [98.0] * 8), hourly("calls", [1000.0] * 8))
    assert found.total is not None
    assert found.total.gained is not None
    assert found.total.gained.value == pytest.approx(8 * 48.0)


def test_costs_are_of_the_days_whose_value_is_known(tmp_path: Path) -> None:
    """Of ten days one was lost: a rate of 30 EUR/day costs 270, as what was gained is of nine days."""
    whole = hourly("b/revenue", [98.0] * 10)
    kept = [place for place in range(len(whole.times)) if not 96 <= place < 120]
    times, values = (array("d", [column[place] for place in kept]) for column in (whole.times, whole.values))
    series = replace(whole, times=times, values=values, version_of=array("i", [-1] * len(kept)))
    found = roi(tmp_path, VALUE + "before: 50 EUR/day\ncosts: {labelling: 30 EUR/day}", series)
    assert found.total is not None
    assert found.total.days == 9
    assert found.total.labelling == pytest.approx(270.0)


def test_value_by_prediction_costs_and_return(tmp_path: Path) -> None:
    keys = (
        "value: 0.10 EUR/prediction\npredictions: calls\nbefore: 50 EUR/day\n"
        "costs: {serving: 0.01 EUR/prediction, retraining: 85 EUR, labelling: '0.5 EUR/label * {labels}'}"
    )
    times = [FIRST + DAY, FIRST + 3 * DAY, FIRST - DAY]
    series = hourly("calls", [1000.0] * 10), hourly("labels", [4.0] * 10)
    found = roi(tmp_path, keys, *series, retrainings=times)
    total = found.total
    assert total is not None
    assert total.value == pytest.approx(1000.0)
    assert (total.serving, total.retraining, total.retrainings, total.labelling) == pytest.approx((100, 170, 2, 20))
    assert total.cost == pytest.approx(290)
    assert total.gained is not None
    assert total.gained.value == pytest.approx(500)
    assert total.net is not None
    assert total.net.value == pytest.approx(210)
    assert total.roi is not None
    assert total.roi.value == pytest.approx(210 / 290)
    assert not any("costs" in text for text in found.missing)


@pytest.mark.parametrize(
    ("promise", "verdict"),
    [("16 EUR/day", "this agrees with it"), ("2 EUR/day", "it is more"), ("90 EUR/day", "it is less")],
)
def test_what_was_promised_is_compared_with_its_days(tmp_path: Path, promise: str, verdict: str) -> None:
    keys = VALUE + f"before: 80 EUR/day\nsince: 2026-03-01\npredicted: {{amount: {promise}, from: 2026-03-11}}"
    found = roi(tmp_path, keys, hourly("b/revenue", days(100, 40)))
    total = found.total
    assert total is not None
    assert total.predicted == pytest.approx(float(promise.split()[0]) * 30)
    assert total.predicted_gained is not None
    assert total.predicted_gained.value == pytest.approx(sum(days(100, 40)[10:]) - 80 * 30)
    assert verdict in promise_sentence(total, "EUR")


def test_too_few_days_have_no_interval(tmp_path: Path) -> None:
    found = roi(tmp_path, VALUE + "before: 80 EUR/day", hourly("b/revenue", days(100, 6)))
    assert found.total is not None
    assert found.total.gained is not None
    assert found.total.gained.low is None
    keys = VALUE + "before: {from: 2026-03-01, to: 2026-03-06}\nsince: 2026-03-07"
    short = roi(tmp_path, keys, hourly("b/revenue", days(100, 40)))
    assert short.total is not None
    assert short.total.gained is not None
    assert short.total.gained.low is None


def test_incomplete_days_are_left_out_and_counted(tmp_path: Path) -> None:
    whole = hourly("b/revenue", [100.0] * 10)
    keep = [place for place in range(240) if not 24 <= place < 40]
    cut = Series(
        whole.name, (), array("d", (whole.times[p] for p in keep)), array("d", (whole.values[p] for p in keep)), None
    )
    found = roi(tmp_path, VALUE + "before: 80 EUR/day", cut)
    assert found.total is not None
    assert found.total.days == 9
    assert any("1 days with fewer than 80 %" in text for text in found.assumptions)


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        ("before: 80 EUR/day", "`value`: what the model earns is not stated"),
        (VALUE, "`before`: the value without this model is not stated"),
        (VALUE + "before: {from: 2025-01-01, to: 2025-02-01}", "2025-01-01 to 2025-02-01"),
        (VALUE + "before: 80 EUR/day", "`costs: serving`: not stated"),
        (VALUE + "before: 80 EUR/day", "no impact was promised"),
        (VALUE + "before: 80 EUR/day\ncosts: {retraining: 85 EUR}", "retrainings cannot be counted"),
        (VALUE + "before: 80 EUR/day\ncosts: {serving: '{cost}'}", "the cost of serving has no points: cost"),
        (VALUE + "predictions: calls\nbefore: {holdout: arm=old}", "the holdout arm=old has no value"),
        ('value: "{cost}"', "the value has no points: cost"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, keys: str, missing: str) -> None:
    found = roi(tmp_path, keys, hourly("b/revenue", [100.0] * 8))
    assert any(missing in text for text in found.missing), found.missing
    assert found.model in roi_text(found)
    assert roi_markdown(found).startswith("## `m`")


def test_the_period_that_is_read_begins_with_what_is_compared(tmp_path: Path) -> None:
    def begin(keys: str) -> float:
        model = load_model(tmp_path, f"business:\n  currency: EUR\n  units: {{b/revenue: EUR}}\n{keys}")
        return roi_history_start(model, FIRST + 100 * DAY)

    value = '  value: "{b/revenue}"\n'
    assert begin(value) == FIRST - 80 * DAY
    assert begin(value + "  since: 2026-03-11\n") == FIRST + 10 * DAY
    assert begin(value + "  since: 2026-03-11\n  before: {from: 2026-02-01, to: 2026-02-28}\n") == FIRST - 28 * DAY
