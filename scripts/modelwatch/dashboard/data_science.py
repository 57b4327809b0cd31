"""The data scientists' view: metrics, segments, drift, scores, calibration, estimates, and how versions agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..evaluate.explanation.calibration import reliability_bins
from ..model.calibration import BIN_KEYS, CONFIDENCE, ERROR, CalibrationBin
from ..model.control_chart import ChartSignal
from ..model.prediction_log import ESTIMATE_CHECK, ESTIMATED, METRICS
from ..model.series import Series
from ..model.unit import unit_of
from ..report.formatting import bare_value, count, labels_text, number, utc_time
from ..report.markdown import plain_line
from ..timeutil import WEEK
from .bars import drift_bars, segment_bars
from .distributions import feature_charts
from .page import Curve, CurveChart, CurvePoint, Panel, Table, TimeChart, View, ViewName
from .panel_ids import panel_id
from .rule_views import RuleTracks, rules_of
from .sentences import MAX_NAME, series_sentence, series_title, series_unit
from .series_lookup import SeriesLookup, newest_value, value_at
from .snapshot import ModelSnapshot
from .thinning import finite
from .time_charts import series_chart, track_chart
from .view_layout import arrange_view

MAX_SEGMENT_CHARTS = 12
MAX_DISTRIBUTIONS = 24
MAX_DRIFTED = 3
"""Distributions before the fold."""
MAX_UNWATCHED = 6
MAX_SIGNALS = 20
MAX_NOTES = 40
RELIABILITY_BINS = 10
METRIC_STEP = 3
"""Of what fires alike a metric goes before its segments, and these before drift, and all of it before the next
metric."""
EMPTY = (
    "Nothing to show: no rule of this model is about its metrics or inputs; other rules are under the other views. "
    'For these give `metric: eval/accuracy` or `drift: "features/*"` under `rules:`; with `measure:` metrics, inputs, '
    "scores and calibration are computed from its log."
)


def data_science_view(snapshot: ModelSnapshot) -> View:
    """What fires first; then the first metric, its segments and the drift of inputs."""
    lookup = SeriesLookup(snapshot)
    since = snapshot.now - snapshot.model.history
    rules = rules_of(snapshot, ViewName.DATA_SCIENCE)
    metrics, drifts = [own for own in rules if not own.is_drift], [own for own in rules if own.is_drift]
    features = feature_charts(snapshot, drifts)
    drifted = [ranked.chart for ranked in features if ranked.has_drifted]
    healthy = [ranked.chart for ranked in features if not ranked.has_drifted]
    ranked: list[tuple[int, float, Panel]] = []
    for place, own in enumerate(metrics):
        order = place * METRIC_STEP
        ranked.append((own.badness, order, _main_chart(own, snapshot)))
        bars = segment_bars(own, snapshot.now)
        if bars is not None:
            segments_fire = any(own.severity_of(track) is not None for track in own.segments)
            ranked.append((own.badness if segments_fire else 0, order + 1, bars))
    for place, own in enumerate(drifts):
        ranked += [(own.badness, place * METRIC_STEP + 2, panel) for panel in _drift_panels(own, snapshot)]
    ranked += [(1, 2.5, chart) for chart in drifted[:MAX_DRIFTED]]
    ranked += [(0, 1.5, chart) for chart in estimate_charts(lookup, since)]
    ranked += [(0, math.inf, panel) for panel in _score_panels(lookup, since)]
    ordered = [panel for _, _, panel in sorted(ranked, key=lambda one: (-one[0], one[1]))]
    folded = [
        *_segment_charts(metrics, snapshot),
        *[*drifted[MAX_DRIFTED:], *healthy][:MAX_DISTRIBUTIONS],
        *_signals(rules),
        *_unwatched_metrics(snapshot, lookup, since),
    ]
    if ordered or folded:
        folded = [*_reading_notes(snapshot), *folded]
    empty = f"The source cannot be read: {plain_line(snapshot.pull.error)}" if snapshot.pull.error else EMPTY
    return arrange_view(ViewName.DATA_SCIENCE, ordered, folded, empty)


def _main_chart(own: RuleTracks, snapshot: ModelSnapshot) -> TimeChart:
    """What fires, worst first; while nothing does the whole, or the series that is worst."""
    fires = any(own.severity_of(track) is not None for track in own.tracks)
    whole_fires = own.whole is not None and own.severity_of(own.whole) is not None
    track = own.whole if own.whole is not None and (whole_fires or not fires) else max(own.tracks, key=own.rank_of)
    return track_chart(track, own.alerts, snapshot.now)


def _drift_panels(own: RuleTracks, snapshot: ModelSnapshot) -> Iterator[Panel]:
    if own.rule.across is not None:
        yield track_chart(own.tracks[0], own.alerts, snapshot.now)
    bars = drift_bars(own, snapshot.now)
    if bars is not None:
        yield bars
    elif own.rule.across is None:
        yield _main_chart(own, snapshot)


def _segment_charts(metrics: Sequence[RuleTracks], snapshot: ModelSnapshot) -> Iterator[Panel]:
    """Over time, the worst of all rules first."""
    pairs = [(own, track) for own in metrics for track in own.segments if track.labels]
    pairs.sort(key=lambda pair: pair[0].rank_of(pair[1]), reverse=True)
    for own, track in pairs[:MAX_SEGMENT_CHARTS]:
        yield track_chart(track, own.alerts, snapshot.now)


def _score_panels(lookup: SeriesLookup, since: float) -> Iterator[Panel]:
    yield from filter(None, [reliability_chart(lookup)])
    for name, title in ((CONFIDENCE, "Confidence"), ("predictions/positive_rate", "Share of positive predictions")):
        series = lookup.whole(name)
        if series is not None:
            unit = series_unit(name)
            sentence = series_sentence(title, series, unit)
            yield series_chart(panel_id("series", name), title, sentence, {title: series}, since, unit=unit)
    yield from decile_charts(lookup, since)
    yield from _agreement_chart(lookup, since)


def estimate_charts(lookup: SeriesLookup, since: float) -> Iterator[TimeChart]:
    """The estimate of each metric with its interval, beside what was measured once labels came."""
    for metric, estimate in lookup.below(ESTIMATED).items():
        if metric not in METRICS:
            continue
        bounds = [lookup.whole(f"{ESTIMATED}/{metric}/{bound}") for bound in ("low", "high")]
        low, high = bounds
        lines = {"estimated": estimate}
        lines |= {
            word: series
            for word, name in (("measured", f"eval/{metric}"), ("measured, young", f"young/{metric}"))
            if (series := lookup.whole(name)) is not None
        }
        yield series_chart(
            panel_id("estimate", metric),
            f"{metric}: estimated beside measured",
            _estimate_sentence(metric, lookup, estimate, low, high),
            lines,
            since,
            band=(low, high) if low is not None and high is not None else None,
            note="An estimate assumes that scores still mean what they meant; only labels can tell. Young: some labels "
            "are still to come.",
            main="measured" if "measured" in lines else "estimated",
        )


def _estimate_sentence(
    metric: str, lookup: SeriesLookup, estimate: Series, low: Series | None, high: Series | None
) -> str:
    newest = newest_value(estimate)
    if newest is None:
        return f"{metric} has no estimate."
    at, value = newest
    sides = [value_at(side, at) for side in (low, high) if side is not None]
    between = f" (95 % interval {number(sides[0])} to {number(sides[1])})" if len(sides) == 2 else ""
    parts = [f"{metric} is estimated at {number(value)}{between} as of {utc_time(at)}"]
    measured = lookup.whole(f"eval/{metric}")
    known = newest_value(measured) if measured is not None else None
    parts.append(
        "nothing is measured yet"
        if known is None
        else f"the newest that was measured is {number(known[1])} of {utc_time(known[0])}"
    )
    check = lookup.whole(f"{ESTIMATE_CHECK}/{metric}")
    checked = newest_value(check) if check is not None else None
    text = "; ".join(parts) + "."
    if checked is not None:
        holds = "it held" if checked[1] <= 1 else "it did not hold"
        text += f" The last estimate that labels could check was off by {number(checked[1])} times its margin: {holds}."
    return text


def reliability_chart(lookup: SeriesLookup) -> CurveChart | None:
    """Scores against what happened, in the newest week that has labels and in the four weeks before it."""
    columns = [series for key in BIN_KEYS.values() for series in lookup.segments(key)]
    end = max((newest[0] for series in columns if (newest := newest_value(series))), default=math.nan)
    if math.isnan(end):
        return None
    now = reliability_bins(columns, end - WEEK, end, RELIABILITY_BINS)
    before = reliability_bins(columns, end - 5 * WEEK, end - WEEK, RELIABILITY_BINS)
    if not now:
        return None
    curves = [Curve(f"week until {utc_time(end)[:10]}", _curve_points(now))]
    if before:
        curves.append(Curve("4 weeks before", _curve_points(before)))
    return CurveChart(
        panel_id("reliability"),
        "Calibration: what happened at each score",
        _reliability_sentence(now, lookup),
        tuple(curves),
        "mean score",
        "share that happened",
        diagonal=True,
        note="Below the diagonal less happens than the score says. Intervals are 95 % (Wilson), by the rows of a bin.",
    )


def _curve_points(bins: Sequence[CalibrationBin]) -> tuple[CurvePoint, ...]:
    return tuple(
        CurvePoint(finite(one.predicted) or 0.0, finite(one.observed) or 0.0, finite(one.low), finite(one.high))
        for one in bins
    )


def _reliability_sentence(bins: Sequence[CalibrationBin], lookup: SeriesLookup) -> str:
    off = [one for one in bins if not one.low <= one.predicted <= one.high]
    if off:
        worst = max(off, key=lambda one: abs(one.observed - one.predicted) * one.n)
        what = (
            f"{len(off)} of {len(bins)} bins {'is' if len(off) == 1 else 'are'} off the diagonal by more than chance, "
            f"most of all scores of about {bare_value(worst.predicted, '%')}, of which "
            f"{bare_value(worst.observed, '%')} happened ({count(worst.n)} rows)"
        )
    else:
        what = f"Scores hold: all {len(bins)} bins agree with what happened, as far as chance allows"
    error = lookup.whole(ERROR)
    newest = newest_value(error) if error is not None else None
    return f"{what}{f'; the calibration error is {number(newest[1])}' if newest else ''}."


def decile_charts(lookup: SeriesLookup, since: float) -> Iterator[TimeChart]:
    """The deciles of each score over time."""
    names = {name.removesuffix("/p50") for name in lookup.below("predictions") if name.endswith("/p50")}
    for name in sorted(names):
        lines = {
            f"p{share}": series
            for share in range(10, 100, 10)
            if (series := lookup.whole(f"predictions/{name}/p{share}")) is not None
        }
        middle = lines.get("p50")
        if middle is None or len(lines) < 2:
            continue
        title = f"Deciles of {series_title(name, ())}"
        sentence = series_sentence(f"The median of {name}", middle, "")
        yield series_chart(panel_id("deciles", name), title, sentence, lines, since, main="p50")


def _agreement_chart(lookup: SeriesLookup, since: float) -> Iterator[TimeChart]:
    names = ("champion", "candidate", "previous")
    lines = {name: series for name in names if (series := lookup.whole(f"agreement/{name}")) is not None}
    for name, series in list(lines.items())[:1]:
        sentence = series_sentence(f"The share of rows on which this version and the {name} agree", series, "%")
        title = "Agreement of versions"
        yield series_chart(panel_id("agreement"), title, sentence, lines, since, unit="%")


def _signals(rules: Sequence[RuleTracks]) -> Iterator[Table]:
    """What control charts signalled, the newest first."""
    if not any(tier.chart is not None for own in rules for tier in own.rule.tiers):
        return
    found = []
    for own in rules:
        for track in own.tracks:
            for row, code in enumerate(track.signal):
                if code != ChartSignal.NONE.code:
                    found.append((track.grid.time(row), own.rule, track, row))
    found.sort(key=lambda one: -one[0])
    rows = tuple(
        (
            utc_time(at),
            plain_line(rule.name, MAX_NAME),
            plain_line(labels_text(track.labels) or "all", MAX_NAME),
            track.finding(row).signal.text,
            bare_value(track.finding(row).value, unit_of(rule)),
        )
        for at, rule, track, row in found[:MAX_SIGNALS]
    )
    newest = f", the newest at {rows[0][0]}: {rows[0][3]}" if rows else ""
    yield Table(
        panel_id("signals"),
        "Signals of control charts",
        f"{len(found)} {'evaluation' if len(found) == 1 else 'evaluations'} had a signal of a control chart{newest}.",
        ("Time", "Rule", "Where", "Signal", "Value"),
        rows,
        note=f"The newest {MAX_SIGNALS} of {len(found)}." if len(found) > MAX_SIGNALS else "",
    )


def _unwatched_metrics(snapshot: ModelSnapshot, lookup: SeriesLookup, since: float) -> Iterator[TimeChart]:
    """Metrics that are measured and that no rule watches."""
    watched = {rule.metric.name for rule in snapshot.model.rules}
    found = [
        (name, series)
        for head in ("eval", "holdout")
        for metric, series in lookup.below(head).items()
        if (name := f"{head}/{metric}") not in watched and metric in METRICS
    ]
    for name, series in found[:MAX_UNWATCHED]:
        sentence = series_sentence(name, series, series_unit(name))
        yield series_chart(panel_id("series", name), name, sentence, {name: series}, since, unit=series_unit(name))


def _reading_notes(snapshot: ModelSnapshot) -> Iterator[Table]:
    """What the evaluation left out or could not use, as `modelwatch check` reports it."""
    own = [note.removeprefix(f"{snapshot.model.name} / ") for note in snapshot.findings.notes]
    notes = tuple(dict.fromkeys((*own, *snapshot.pull.notes)))
    if not notes:
        return
    many = len(notes) > 1
    yield Table(
        panel_id("notes"),
        "Notes on the data",
        f"{len(notes)} {'notes say' if many else 'note says'} what was left out, not judged or not found.",
        ("Note",),
        tuple((plain_line(note),) for note in notes[:MAX_NOTES]),
        note=f"The first {MAX_NOTES} of {len(notes)}." if len(notes) > MAX_NOTES else "",
    )
