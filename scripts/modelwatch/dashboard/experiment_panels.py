"""Experiments and cohorts as panels, from what ``modelwatch measure`` published of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..model.experiment import CohortsSpec, ExperimentMetric, ExperimentSpec, cohort_key, experiment_key
from ..model.rule import Direction
from ..model.series import Series
from ..model.severity import Severity
from ..report.formatting import number, p_value, percent, utc_time
from ..report.markdown import plain_line
from ..stats.experiments.sample_ratio import SRM_ALPHA
from ..timeutil import DAY
from .page import Bar, BarChart, Curve, CurveChart, CurvePoint, Line, LineRole, Panel, Table, TimeChart
from .panel_ids import panel_id
from .sentences import MAX_NAME
from .series_lookup import SeriesLookup, newest_value
from .time_charts import series_chart

INTERVAL = "always-valid interval"
MAX_CURVES = 8
"""Cohorts that are drawn: the newest ones."""
_HOLDS = "The interval holds at all looks together, so that one may stop when one likes."


def experiment_panels(spec: ExperimentSpec, lookup: SeriesLookup) -> tuple[Panel, ...]:
    """The newest intervals of all arms, one chart over time for each treatment, all metrics in a table, and whether
    units are shared out as planned. None of what was not published yet."""
    panels = (_interval_bars(spec, lookup), *_interval_charts(spec, lookup), _metric_table(spec, lookup))
    return tuple(panel for panel in (*panels, _ratio_chart(spec, lookup)) if panel is not None)


def cohort_panels(spec: CohortsSpec, lookup: SeriesLookup, now: float) -> tuple[Panel, ...]:
    """The value of a prediction by age, one curve for each cohort; that of mature cohorts over time; and how young ones
    do at their age. None of what was not published yet."""
    mature = lookup.whole(cohort_key(spec.value, "mature"))
    young = lookup.whole(cohort_key(spec.value, "as_usual"))
    panels = (_cohort_curves(spec, lookup, now), _mature_chart(spec, mature), _young_chart(spec, young))
    return tuple(panel for panel in panels if panel is not None)


def _newest(lookup: SeriesLookup, spec: ExperimentSpec, *parts: str) -> float | None:
    series = lookup.whole(experiment_key(spec.name, *parts))
    found = newest_value(series) if series is not None else None
    return None if found is None else found[1]


def _interval_bars(spec: ExperimentSpec, lookup: SeriesLookup) -> BarChart | None:
    metric, name = spec.metrics[0], plain_line(spec.name, MAX_NAME)
    bars = []
    for arm in spec.treatments:
        value, low, high = (_newest(lookup, spec, arm, metric.name, part) for part in ("difference", "low", "high"))
        if value is not None:
            bars.append(Bar(plain_line(arm, MAX_NAME), value, low, high))
    if not bars:
        return None
    told = " ".join(_bar_sentence(bar, metric, spec.control) for bar in bars)
    title = f"{name}: {plain_line(metric.name, MAX_NAME)} against {plain_line(spec.control, MAX_NAME)}"
    return BarChart(panel_id("experiment", spec.name), title, told, tuple(bars), reference=0.0, note=_HOLDS)


def _bar_sentence(bar: Bar, metric: ExperimentMetric, control: str) -> str:
    if bar.low is None or bar.high is None:
        return f"{bar.name}: {number(bar.value)}, too few units for an interval."
    sign = 1 if metric.better is Direction.HIGHER else -1
    worst, best = sorted((sign * bar.low, sign * bar.high))
    against = plain_line(control, MAX_NAME)
    found = f"better than {against}" if worst > 0 else f"worse than {against}" if best < 0 else "nothing is proven yet"
    return f"{bar.name}: {number(bar.value)} [{number(bar.low)}, {number(bar.high)}], {found}."


def _interval_charts(spec: ExperimentSpec, lookup: SeriesLookup) -> Iterator[TimeChart]:
    metric = spec.metrics[0].name
    for arm in spec.treatments:
        value, low, high = (
            lookup.whole(experiment_key(spec.name, arm, metric, part)) for part in ("difference", "low", "high")
        )
        if value is None:
            continue
        shown = newest_value(value)
        title = f"{plain_line(spec.name, MAX_NAME)}: {plain_line(metric, MAX_NAME)} of {plain_line(arm, MAX_NAME)}"
        sentence = f"The difference from {plain_line(spec.control, MAX_NAME)} is {number(shown and shown[1])}."
        band = (low, high) if low is not None and high is not None else None
        chart = series_chart(
            panel_id("experiment", spec.name, arm), title, sentence, {"difference": value}, spec.start, band=band,
            note=_HOLDS,
        )  # fmt: skip
        zero = Line("no difference", LineRole.BASELINE, (0.0,) * len(chart.times))
        bands = tuple(replace(one, name=INTERVAL) for one in chart.bands)
        yield replace(chart, lines=(*chart.lines, zero), bands=bands)


def _metric_table(spec: ExperimentSpec, lookup: SeriesLookup) -> Table | None:
    rows = []
    for arm in spec.treatments:
        for metric in (*spec.metrics, *spec.guardrails):
            value, low, high, lift, worst = (
                _newest(lookup, spec, arm, metric.name, part) for part in ("difference", "low", "high", "lift", "worst")
            )
            if value is None:
                continue
            between = "not known yet" if low is None or high is None else f"{number(low)} to {number(high)}"
            margin = "" if metric not in spec.guardrails else f"{percent(worst)} of {number(100 * metric.margin)} %"
            cells = (plain_line(metric.name, MAX_NAME), plain_line(arm, MAX_NAME), number(value), between)
            rows.append((*cells, percent(lift), margin))
    if not rows:
        return None
    breached = _newest(lookup, spec, "guardrails_breached")
    told = f"{number(breached)} {'guardrail is' if breached == 1 else 'guardrails are'} breached."
    told = told if breached else "No guardrail is breached."
    return Table(
        panel_id("experiment", spec.name, "metrics"),
        f"{plain_line(spec.name, MAX_NAME)}: all metrics",
        told if spec.guardrails else "Each metric of each arm against the control.",
        ("metric", "arm", "difference", "interval", "lift", "worse by at most, of its margin"),
        tuple(rows),
    )


def _ratio_chart(spec: ExperimentSpec, lookup: SeriesLookup) -> TimeChart | None:
    series = lookup.whole(experiment_key(spec.name, "srm_p"))
    newest = newest_value(series) if series is not None else None
    if series is None or newest is None:
        return None
    shares = ", ".join(
        f"{plain_line(name, MAX_NAME)} {share:.1%}" for name, share in zip(spec.arm_names, spec.shares, strict=True)
    )
    found = "are not" if newest[1] < SRM_ALPHA else "are"
    return series_chart(
        panel_id("experiment", spec.name, "sample-ratio"),
        f"{plain_line(spec.name, MAX_NAME)}: shares of the arms",
        f"Units {found} shared out as planned ({shares}): {p_value(newest[1])}, over all looks.",
        {"p-value": series},
        spec.start,
        limits={f"mismatch below {SRM_ALPHA:g}": (Severity.ERROR, SRM_ALPHA)},
    )


def _cohort_curves(spec: CohortsSpec, lookup: SeriesLookup, now: float) -> CurveChart | None:
    by_day = {
        int(dict(series.labels)["day"]): series
        for series in lookup.segments(cohort_key(spec.value, "day=*", "value"))
        if dict(series.labels)["day"].isdecimal()
    }
    last = now // spec.window * spec.window
    ends = [last - place * spec.window for place in range(MAX_CURVES)]
    curves = [curve for end in reversed(ends) if (curve := _cohort_curve(by_day, end, spec.window)) is not None]
    if not curves:
        return None
    value = plain_line(spec.value, MAX_NAME)
    newest = curves[-1]
    return CurveChart(
        panel_id("cohorts", spec.value),
        f"{value} by cohort and age",
        f"The cohort of {newest.name} has brought {number(newest.points[-1].y)} a prediction in "
        f"{newest.points[-1].x:.0f} days.",
        tuple(curves),
        "days after the predictions",
        f"{value} a prediction",
        note="A curve ends where its cohort is no older: compare cohorts at one age.",
    )


def _cohort_curve(by_day: dict[int, Series], end: float, window: float) -> Curve | None:
    """What was published while this cohort was the newest one of each age."""
    points = []
    for day, series in sorted(by_day.items()):
        since = end + day * DAY
        known = [
            value for time, value in zip(series.times, series.values, strict=True) if since <= time < since + window
        ]
        if known:
            points.append(CurvePoint(float(day), known[0]))
    return Curve(utc_time(end - window)[:10], tuple(points)) if points else None


def _mature_chart(spec: CohortsSpec, series: Series | None) -> TimeChart | None:
    newest = newest_value(series) if series is not None else None
    if series is None or newest is None:
        return None
    value = plain_line(spec.value, MAX_NAME)
    return series_chart(
        panel_id("cohorts", spec.value, "mature"),
        f"{value} of mature cohorts",
        f"A prediction has brought {number(newest[1])} when its outcomes were complete.",
        {value: series},
        series.times[0],
        note="At each time the newest cohort whose outcomes were complete.",
    )


def _young_chart(spec: CohortsSpec, series: Series | None) -> TimeChart | None:
    newest = newest_value(series) if series is not None else None
    if series is None or newest is None:
        return None
    value = plain_line(spec.value, MAX_NAME)
    chart = series_chart(
        panel_id("cohorts", spec.value, "young"),
        f"{value} of young cohorts",
        f"The oldest cohort that is still young has brought {percent(newest[1] - 1)} against mature ones at its age.",
        {"share of what mature ones had": series},
        series.times[0],
        unit="%",
    )
    usual = Line("as mature ones", LineRole.BASELINE, (1.0,) * len(chart.times))
    return replace(chart, lines=(*chart.lines, usual))
