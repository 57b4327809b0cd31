"""Panels of experiments and cohorts, from what was measured."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelwatch.dashboard.experiment_panels import INTERVAL, cohort_panels, experiment_panels
from modelwatch.dashboard.page import BarChart, CurveChart, LineRole, Panel, Table, TimeChart
from modelwatch.dashboard.series_lookup import SeriesLookup
from modelwatch.dashboard.vega import charts_of
from modelwatch.model.experiment import CohortsSpec, ExperimentSpec, published_keys
from modelwatch.model.keys import KeyPattern
from modelwatch.model.series import Labels, PulledSeries, Series
from modelwatch.profiling.measure import MeasureResult
from modelwatch.timeutil import DAY

from ..dashboard.making import snapshot
from .tables import SPEC, START, cohort_values, model
from .test_analysis import LATENCY
from .test_measure import NOW, lagged, measured

EXPERIMENT = replace(SPEC, guardrails=(LATENCY,), follow_up=5 * DAY)
COHORTS = CohortsSpec("revenue")


def lookup(result: MeasureResult, spec: ExperimentSpec = EXPERIMENT) -> SeriesLookup:
    """The series under the keys that pages name, as a source pulls them."""
    found: dict[tuple[str, Labels], list[tuple[float, float]]] = {}
    for row in result.rows:
        for text in published_keys((spec,), COHORTS):
            pattern = KeyPattern(text)
            for key, value in row.scalars.items():
                labels = pattern.match(key)
                if labels is not None:
                    found.setdefault((pattern.name, labels), []).append((row.time, value))
    series = []
    for (name, labels), points in found.items():
        times, values = (array("d", column) for column in zip(*sorted(points), strict=True))
        series.append(Series(name, labels, times, values, None))
    return SeriesLookup(replace(snapshot(), pull=PulledSeries("churn", tuple(series))))


@pytest.fixture(scope="module")
def better(tmp_path_factory: pytest.TempPathFactory) -> SeriesLookup:
    return lookup(measured(tmp_path_factory.mktemp("better"), *lagged(), lag=5 * DAY))


def by_id(panels: tuple[Panel, ...]) -> dict[str, Panel]:
    assert len({panel.id for panel in panels}) == len(panels)
    for panel in panels:
        charts_of(panel)
        assert panel.title
        assert panel.sentence.endswith(".")
    return {panel.id: panel for panel in panels}


def test_every_key_that_is_published_is_listed_for_pages(tmp_path: Path) -> None:
    result = measured(tmp_path, *lagged(), lag=5 * DAY)
    patterns = [KeyPattern(text) for text in published_keys((EXPERIMENT,), COHORTS)]
    keys = {key for row in result.rows for key in row.scalars if key.startswith(("experiment/", "cohorts/"))}
    assert len(keys) > 10
    assert [key for key in keys if not any(pattern.match(key) is not None for pattern in patterns)] == []


def test_the_panels_of_an_experiment(better: SeriesLookup) -> None:
    panels = by_id(experiment_panels(EXPERIMENT, better))
    assert list(panels) == [
        "experiment--checkout",
        "experiment--checkout--new",
        "experiment--checkout--metrics",
        "experiment--checkout--sample-ratio",
    ]
    bars, chart, table, ratio = panels.values()
    assert isinstance(bars, BarChart)
    assert (bars.bars[0].name, bars.reference) == ("new", 0.0)
    assert bars.sentence.endswith("better than control.")
    assert isinstance(chart, TimeChart)
    assert [line.role for line in chart.lines] == [LineRole.VALUE, LineRole.BASELINE]
    assert [band.name for band in chart.bands] == [INTERVAL]
    low = [value for value in chart.bands[0].low if value is not None]
    assert bars.bars[0].low == pytest.approx(low[-1], rel=1e-5)
    assert isinstance(table, Table)
    assert [row[:2] for row in table.rows] == [("revenue", "new"), ("latency", "new")]
    assert table.sentence == "No guardrail is breached."
    assert isinstance(ratio, TimeChart)
    assert ratio.sentence.startswith("Units are shared out as planned (control 50.0%, new 50.0%): p = ")


def test_a_mismatch_and_a_breach_show(tmp_path: Path) -> None:
    log, paid = lagged()
    log["latency"] = log["latency"] + 20 * (log["arm"] == "new")
    keep = (log["arm"] == "control") | (np.arange(3000) % 3 > 0)
    log = {name: column[keep] for name, column in log.items()}
    panels = by_id(experiment_panels(EXPERIMENT, lookup(measured(tmp_path, log, paid))))
    assert panels["experiment--checkout--metrics"].sentence == "1 guardrail is breached."
    assert panels["experiment--checkout--sample-ratio"].sentence.startswith("Units are not shared out as planned")


def test_the_panels_of_cohorts(better: SeriesLookup, tmp_path: Path) -> None:
    panels = by_id(cohort_panels(COHORTS, better, NOW))
    assert list(panels) == ["cohorts--revenue", "cohorts--revenue--mature", "cohorts--revenue--young"]
    curves, mature, _ = panels.values()
    assert isinstance(curves, CurveChart)
    log, paid = lagged()
    found = cohort_values(model(tmp_path, log, paid, lag=5 * DAY), COHORTS, START + 20 * DAY, tmp_path)
    expected = [curve for curve in found.curves if curve.end_of_ages >= 3 * DAY]
    drawn = {curve.name: {point.x: point.y for point in curve.points} for curve in curves.curves}
    for cohort, values in zip(expected[-len(drawn) :], drawn.values(), strict=False):
        assert values[3.0] == pytest.approx(cohort.value_at(3 * DAY), rel=1e-6)
    assert isinstance(mature, TimeChart)
    assert mature.lines[0].role is LineRole.VALUE


def test_nothing_is_drawn_of_what_was_not_published() -> None:
    empty = SeriesLookup(replace(snapshot(), pull=PulledSeries("churn", ())))
    assert experiment_panels(EXPERIMENT, empty) == ()
    assert cohort_panels(COHORTS, empty, NOW) == ()


def test_an_experiment_with_few_units(tmp_path: Path) -> None:
    log, paid = lagged(150)
    panels = by_id(experiment_panels(EXPERIMENT, lookup(measured(tmp_path, log, paid))))
    assert panels["experiment--checkout"].sentence.endswith("too few units for an interval.")
