"""The business view: from what was read to panels, by a model whose numbers are known."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch import pipeline
from modelwatch.context import make_context
from modelwatch.dashboard.business import EMPTY, business_answer, business_view
from modelwatch.dashboard.page import Panel, Table, TimeChart
from modelwatch.dashboard.snapshot import ModelSnapshot
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.monitored_model import Config
from modelwatch.model.series import PulledSeries, Series
from modelwatch.sources.derived_series import derive_series
from modelwatch.timeutil import DAY, HOUR

from ..config.making import load_model

NOW = 20_000 * DAY
BUSINESS = """
business:
  currency: EUR
  units: {b/revenue: EUR, b/orders: orders}
  derived: {basket: "{b/revenue} / {b/orders}", twice: "{b/revenue} * 2"}
  value: "{b/revenue}"
  costs: {serving: 10 EUR/day}
  before: 100 EUR/day
  predicted: {amount: 10 EUR/day, from: 2024-09-25}
"""
RULES = (
    "{name: basket, kind: business-metric, metric: basket, window: 1d, baseline: {value: 2}, "
    "tiers: {error: {drop: 10%, do: [issue]}}}\n"
    "  - {name: accuracy, kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, window: 1d, "
    "baseline: {value: 0.9, n: 100000}, tiers: {error: {drop: 10%, do: [issue]}}}"
)


def hourly(name: str, *daily: float, weight: float | None = None) -> Series:
    """One point an hour, 24 a day; of each day its value."""
    values = [value for value in daily for _ in range(24)]
    times = array("d", [NOW - (len(values) - place - 0.5) * HOUR for place in range(len(values))])
    weights = None if weight is None else array("d", [weight] * len(values))
    return Series(name, (), times, array("d", values), weights, (), array("i", [-1] * len(values)))


def shown(folder: Path, *revenue: float, keys: str = BUSINESS) -> ModelSnapshot:
    """``revenue`` an hour, of each day, from 2.5 orders an hour."""
    model = load_model(folder, keys, RULES)
    logged = [hourly("b/revenue", *revenue), hourly("b/orders", *[2.5] * len(revenue))]
    logged.append(hourly("eval/accuracy", *[0.9] * len(revenue), weight=1000.0))
    series, _ = derive_series(model.business, model.rules, logged) if model.business else (tuple(logged), ())
    pull = PulledSeries("m", series)
    judgement = pipeline.judge(make_context(Config((model,), "c"), NOW), {"m": pull})
    return ModelSnapshot(model, NOW, pull, evaluate_model(model, pull, NOW), judgement.groups)


def panels(snapshot: ModelSnapshot) -> dict[str, Panel]:
    view = business_view(snapshot)
    everything = (*view.critical, *view.others, *view.folded)
    assert len({panel.id for panel in everything}) == len(everything)
    return {panel.id: panel for panel in everything}


def test_a_healthy_model_shows_value_gain_and_return(tmp_path: Path) -> None:
    found = panels(shown(tmp_path, *[5.0] * 10))
    value = found["business--value"]
    assert isinstance(value, TimeChart)
    assert value.sentence == "On 2024-10-03 the model earned 120 EUR, against 100 EUR before."
    drawn = {line.name: line.values[-1] for line in value.lines}
    assert drawn == {"value": 120.0, "before": pytest.approx(100.0), "cost": pytest.approx(10.0)}
    gain = found["business--gain"]
    assert isinstance(gain, TimeChart)
    assert gain.sentence == "The gain of the last 7 days: 20 EUR a day; 10 EUR a day were promised."
    result = found["business--roi"]
    assert isinstance(result, Table)
    # From 2024-09-25 on, 9 days: 180 EUR more, at 90 EUR of costs: 90 EUR, 100 %.
    assert result.rows[-1][:2] == ("since 2024-09-25 (9 d)", "1,080 EUR")
    assert result.rows[-1][-1].startswith("100 %")
    costs = found["business--costs"]
    assert isinstance(costs, Table)
    assert costs.rows == (("serving", "90 EUR"),)
    assert "business--alerts" not in found
    assert any(panel.startswith("derived--twice") for panel in found)
    assert "rule--basket" in found


def test_what_an_alert_costs_and_that_no_technical_metric_shows_it_come_first(tmp_path: Path) -> None:
    snapshot = shown(tmp_path, *[5.0] * 10, 4.0, 4.0, 4.0, 4.0)
    view = business_view(snapshot)
    assert [panel.id for panel in view.critical[:2]] == ["rule--basket", "business--divergence"]
    found = panels(snapshot)
    divergence = found["business--divergence"]
    assert isinstance(divergence, Table)
    assert divergence.sentence == "basket got worse, and no technical metric did."
    alerts = found["business--alerts"]
    assert isinstance(alerts, Table)
    # 0.4 EUR less each of 60 orders a day.
    assert {row[0]: row[2] for row in alerts.rows} == {
        "basket": "−24 EUR a day",
        "business-divergence": "−24 EUR a day",
    }
    assert business_answer(snapshot) == "basket: Costs about 24 EUR a day (interval unknown)."


def test_a_model_without_a_business_section_says_what_to_configure(tmp_path: Path) -> None:
    snapshot = shown(tmp_path, 5.0, 5.0, keys="links: {Grafana: https://grafana.example}")
    bare = replace(snapshot, findings=replace(snapshot.findings, tracks=()))
    view = business_view(bare)
    assert view.critical == ()
    assert view.empty == EMPTY
    assert business_answer(bare) == ""


def test_a_source_that_is_down_shows_nothing(tmp_path: Path) -> None:
    snapshot = shown(tmp_path, 5.0, 5.0)
    down = replace(
        snapshot, pull=PulledSeries("m", (), error="it is down"), findings=replace(snapshot.findings, tracks=())
    )
    assert business_view(down).empty == "The source cannot be read: it is down"
