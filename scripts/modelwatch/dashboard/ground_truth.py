"""The view of those who keep the labels: how they come, which rows have one, whether annotators agree, whether the
labels change, and the quality of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..evaluate.drift.compared_shares import paired_distributions
from ..model.drift import CATEGORIES_PART
from ..model.finding import Outcome
from ..model.label_maturity import MATURITY_KEY, YOUNG
from ..model.monitored_model import Model
from ..model.prediction_log import METRICS, SUSPICIOUS_SHARE, MeasureSpec
from ..model.series import Series
from ..model.unit import unit_of
from ..report.formatting import bare_value, count, labels_text, limit_text, number, utc_time
from ..report.markdown import plain_line
from ..sources.shown_keys import DEFECTS, DELAY_AGES
from ..timeutil import WEEK
from .bars import drift_bars, segment_bars
from .distributions import change_sentence, feature_chart, feature_charts, name_categories
from .page import (
    Bar,
    BarChart,
    Curve,
    CurveChart,
    CurvePoint,
    DistributionChart,
    Panel,
    Table,
    TimeChart,
    View,
    ViewName,
)
from .panel_ids import panel_id
from .rule_views import RuleTracks, rules_of
from .sentences import MAX_NAME, series_sentence, since_text
from .series_lookup import SeriesLookup, newest_value, value_at
from .snapshot import ModelSnapshot
from .thinning import finite
from .time_charts import series_chart, track_chart
from .view_layout import arrange_view

MAX_QUALITY_CHARTS = 12
MAX_BARS = 30
EMPTY = (
    "Nothing to show: nothing about labels or the quality of data is measured. With `measure:` and its `label`, or "
    "`outcomes: {files, id, label, label_time}`, it is known how labels come and which rows have one; "
    "`annotations:` adds how far annotators agree, and `quality:` checks the data."
)
YOUNG_NOTE = "Young: labels of these windows are still to come."
DEFECT_NAMES = {
    "missing": "missing cells",
    "type": "cells of another type",
    "format": "texts of another format",
    "infinite": "infinite numbers",
    "out_of_range": "numbers out of range",
    "new": "new categories",
}


def ground_truth_view(snapshot: ModelSnapshot) -> View:
    """What fires first; then how labels come, which rows have one, and labels against predictions."""
    lookup = SeriesLookup(snapshot)
    since = snapshot.now - snapshot.model.history
    rules = rules_of(snapshot, ViewName.GROUND_TRUTH)
    labels = [own for own in rules if not _is_quality(own)]
    quality = [own for own in rules if _is_quality(own)]
    ranked: list[Panel] = [panel for own in rules if own.badness for panel in _rule_panels(own, snapshot)]
    ranked += filter(None, [delay_curves(lookup)])
    ranked += _coverage_charts(lookup, since)
    ranked += _label_distributions(snapshot, lookup)
    ranked += [panel for own in labels if not own.badness for panel in _rule_panels(own, snapshot)]
    ranked += [one.chart for one in feature_charts(snapshot, [own for own in labels if own.is_drift], unwatched=())]
    ranked += filter(None, [quality_table(quality, snapshot.now)])
    ranked += _agreement_panels(lookup, since)
    ranked += _timing_charts(snapshot.model, lookup, since)
    ranked += defect_bars(lookup)
    ranked += _doubt_charts(lookup, since)
    ranked += _young_charts(snapshot.model, lookup, since)
    calm = [own for own in quality if not own.badness]
    folded = [panel for own in calm for panel in _rule_panels(own, snapshot)][:MAX_QUALITY_CHARTS]
    empty = f"The source cannot be read: {plain_line(snapshot.pull.error)}" if snapshot.pull.error else EMPTY
    return arrange_view(ViewName.GROUND_TRUTH, ranked, folded, empty)


def _is_quality(own: RuleTracks) -> bool:
    return own.rule.kind == "data-quality" or own.rule.metric.text.startswith("quality/")


def _rule_panels(own: RuleTracks, snapshot: ModelSnapshot) -> Iterator[Panel]:
    """Over time the whole, or the column that is worst; and all of them side by side."""
    track = own.whole or max(own.tracks, key=own.rank_of)
    yield track_chart(track, own.alerts, snapshot.now)
    bars = drift_bars(own, snapshot.now) if own.is_drift else segment_bars(own, snapshot.now)
    if bars is not None and (own.whole is not None or own.badness or own.is_drift):
        yield bars


def quality_table(rules: Sequence[RuleTracks], now: float) -> Table | None:
    """Every check of the data, what fires first: its worst column in the newest window."""
    if not rules:
        return None
    rows = []
    for own in rules:
        track = max(own.tracks, key=own.rank_of)
        finding, severity = track.finding(-1), own.severity_of(track)
        fired = next((alert.start for alert in own.alerts if alert.labels == track.labels), None)
        state = f"{severity} {since_text(fired, now)}" if severity is not None and fired is not None else "no problem"
        if severity is None and finding.outcome in (Outcome.UNDECIDED, Outcome.NO_DATA):
            state = f"not decided: {finding.reason}" if finding.reason else "not decided"
        unit = unit_of(own.rule)
        rows.append(
            (
                plain_line(own.rule.name, MAX_NAME),
                plain_line(labels_text(track.labels) or "all rows", MAX_NAME),
                bare_value(finding.value, unit),
                ", ".join(
                    f"{tier.severity} {limit_text(limit, unit)}" for tier in own.rule.tiers for limit in tier.limits
                ),
                state,
            )
        )
    firing = [own for own in rules if own.badness]
    names = ", ".join(plain_line(own.rule.name, MAX_NAME) for own in firing[:3])
    sentence = (
        f"All {len(rules)} checks of the data pass or wait for data."
        if len(rules) > 1
        else "The check of the data passes."
    )
    if firing:
        sentence = (
            f"{len(firing)} of {len(rules)} checks of the data {'fails' if len(firing) == 1 else 'fail'}: {names}."
        )
    return Table(
        panel_id("checks"),
        "Checks of the data",
        sentence,
        ("Check", "Worst", "Value", "Limits", "State"),
        tuple(rows),
    )


def delay_curves(lookup: SeriesLookup) -> CurveChart | None:
    """The share of rows that have a label by their age: now, and four weeks earlier."""
    columns = [(float(series.labels[0][1]), series) for series in lookup.segments(DELAY_AGES) if _is_age(series)]
    columns.sort(key=lambda pair: pair[0])
    end = max((newest[0] for _, series in columns if (newest := newest_value(series))), default=None)
    if end is None:
        return None
    newest_curve, earlier = _delay_curve(columns, end), _delay_curve(columns, end - 4 * WEEK)
    if not newest_curve:
        return None
    curves = [Curve(f"as of {utc_time(end)[:10]}", newest_curve)]
    if earlier:
        curves.append(Curve("4 weeks earlier", earlier))
    last = newest_curve[-1]
    sentence = f"After {_days(last.x)} {bare_value(last.y, '%')} of the rows have a label"
    same = next((point for point in earlier if point.x == last.x), None)
    if same is not None:
        sentence += f" (4 weeks earlier {bare_value(same.y, '%')})"
    for name, share in (("p50", "half"), ("p90", "90 %")):
        quantile = lookup.whole(f"labels/delay_days/{name}")
        known = newest_value(quantile) if quantile is not None else None
        if known is not None:
            sentence += f"; {share} of the labels that come are there after {_days(known[1])}"
    return CurveChart(
        panel_id("delay"),
        "How labels come: share of rows with a label by age",
        f"{sentence}.",
        tuple(curves),
        "age in days",
        "share of rows with a label",
        note="One minus the Kaplan-Meier estimate: rows without a label count up to their age.",
    )


def _is_age(series: Series) -> bool:
    return len(series.labels) == 1 and series.labels[0][1].isdecimal() and len(series.labels[0][1]) <= 4


def _delay_curve(columns: Sequence[tuple[float, Series]], at: float) -> tuple[CurvePoint, ...]:
    """By age; at an age that no row had reached there is no point."""
    points = [CurvePoint(0.0, 0.0)]
    for age, series in columns:
        places = [place for place, time in enumerate(series.times) if time <= at]
        missing = series.values[places[-1]] if places else None
        if missing is not None and 0.0 <= missing <= 1.0:
            points.append(CurvePoint(age, finite(1.0 - missing) or 0.0))
    return tuple(points) if len(points) > 1 else ()


def _days(days: float) -> str:
    return f"{number(float(f'{days:.3g}'))} {'day' if days == 1 else 'days'}"


def _coverage_charts(lookup: SeriesLookup, since: float) -> Iterator[Panel]:
    """The share of rows with a label over time, and by tenth of the score and by segment."""
    whole, young = lookup.whole("labels/coverage"), lookup.whole(f"{YOUNG}/coverage")
    lines = {name: series for name, series in (("mature", whole), ("young", young)) if series}
    if lines:
        first = next(iter(lines.values()))
        sentence = series_sentence("The share of rows with a label", first, "%")
        newest = newest_value(young) if young is not None and whole is not None else None
        if newest is not None:
            sentence += f" Of the newest window, whose labels are still to come, it is {bare_value(newest[1], '%')}."
        title = "Coverage: share of rows with a label"
        yield series_chart(panel_id("coverage"), title, sentence, lines, since, unit="%", note=YOUNG_NOTE)
    by_label: dict[str, list[Series]] = {}
    for series in lookup.segments_of("labels/coverage"):
        by_label.setdefault(series.labels[0][0], []).append(series)
    for label, columns in sorted(by_label.items(), key=lambda pair: (pair[0] != "decile", pair[0])):
        yield from filter(None, [_coverage_bars(label, columns, whole)])


def _coverage_bars(label: str, columns: Sequence[Series], whole: Series | None) -> BarChart | None:
    rows = [(series.labels[0][1], newest[1], series) for series in columns if (newest := newest_value(series))]
    if len(rows) < 2:
        return None
    is_decile = label == "decile"
    if not is_decile:
        rows.sort(key=lambda row: row[1])
    low, high = min(rows, key=lambda row: row[1]), max(rows, key=lambda row: row[1])
    overall = newest_value(whole) if whole is not None else None
    what = "tenth of the score" if is_decile else plain_line(label, MAX_NAME)
    skewed = high[1] - low[1] >= 0.1
    advice = " Labelled rows are not like all rows; `measure: {weighted: true}` weighs them." if skewed else ""
    lowest, highest = (f"{plain_line(row[0], MAX_NAME)} ({bare_value(row[1], '%')})" for row in (low, high))
    sentence = f"The share of rows with a label is lowest in {what} {lowest} and highest in {highest}.{advice}"
    if bare_value(low[1], "%") == bare_value(high[1], "%"):
        sentence = f"The share of rows with a label is the same in every {what}: {bare_value(low[1], '%')}."
    return BarChart(
        panel_id("coverage", label),
        f"Coverage by {what}",
        sentence,
        tuple(
            Bar(plain_line(name, MAX_NAME), finite(value) or 0.0, text=_rows_text(series))
            for name, value, series in rows[:MAX_BARS]
        ),
        "%",
        finite(overall[1]) if overall is not None else None,
    )


def _rows_text(series: Series) -> str:
    weight = series.weights[-1] if series.weights is not None else None
    return f"{count(weight)} rows" if weight is not None and finite(weight) is not None else ""


def _label_distributions(snapshot: ModelSnapshot, lookup: SeriesLookup) -> Iterator[Panel]:
    """Labels against predictions of the same weeks, and how often each class is over time."""
    spec = snapshot.model.measure
    if spec is not None:
        yield from filter(None, [_labels_and_predictions(spec, lookup)])
    shares = {series.labels[0][1]: series for series in lookup.segments("labels/class=*/class_share")}
    if shares:
        ranked = sorted(shares, key=lambda name: -(newest_value(shares[name]) or (0.0, 0.0))[1])[:5]
        since = snapshot.now - snapshot.model.history
        # Of two classes one says everything.
        chosen = {name: shares[name] for name in (ranked if len(shares) > 2 else sorted(ranked)[-1:])}
        first = next(iter(chosen))
        sentence = series_sentence(f"The share of the label {first}", shares[first], "%")
        predicted = lookup.whole("predictions/positive_rate")
        newest = newest_value(predicted) if predicted is not None and len(shares) == 2 else None
        if newest is not None and predicted is not None:
            sentence += f" Predicted positive are {bare_value(newest[1], '%')} of all rows."
            chosen["predicted positive"] = predicted
        yield series_chart(
            panel_id("classes"), "Labels: share of each class", sentence, chosen, since, unit="%", main=first
        )


def _labels_and_predictions(spec: MeasureSpec, lookup: SeriesLookup) -> DistributionChart | None:
    """The newest four weeks that have labels, where both columns are published in the same kind of bins."""
    for part in ("", f"/{CATEGORIES_PART}"):
        label = lookup.histograms(f"{spec.key_of_column(spec.label)}{part}", ()) if spec.label else []
        predicted = lookup.histograms(f"{spec.key_of_column(spec.prediction)}{part}", ()) if spec.prediction else []
        if not label or not predicted:
            continue
        before, after = (name_categories(one[0], lookup) for one in (predicted, label))
        shown = paired_distributions(before, after, 4 * WEEK, categorical=bool(part))
        if shown is not None:
            distance = lookup.whole("labels/predictions/psi")
            newest = newest_value(distance) if distance is not None else None
            psi = f" Of rows with both, PSI is {number(newest[1])}." if newest is not None else ""
            return feature_chart(
                panel_id("labels-and-predictions"),
                f"Labels beside predictions of the 4 weeks until the newest label. {change_sentence(shown)}{psi}",
                shown,
                "predictions",
                title="Labels against predictions",
                current="labels",
            )
    return None


def _timing_charts(model: Model, lookup: SeriesLookup, since: float) -> Iterator[TimeChart]:
    """How long labels take, and after how many days windows are judged."""
    watched = {rule.metric.name for rule in model.rules}
    quantiles = {
        title: series
        for name, title in (("p50", "half are there"), ("p90", "90 % are there"))
        if (series := lookup.whole(f"labels/delay_days/{name}")) is not None
    }
    if quantiles:
        last = list(quantiles)[-1]
        is_watched = any(name.startswith("labels/delay_days") for name in watched)
        sentence = series_sentence(f"The age at which {last}", quantiles[last], "d", watched=is_watched)
        title = "Delay of labels, in days"
        yield series_chart(panel_id("delays"), title, sentence, quantiles, since, unit="d", main=last)
    maturity = lookup.whole(MATURITY_KEY)
    newest = newest_value(maturity) if maturity is not None else None
    if maturity is not None and newest is not None:
        sentence = (
            f"Windows are mature {_days(newest[1])} after their end: then their labels are there, and rules judge "
            "them. Younger windows are shown as young, and judged by nothing."
        )
        lines = {"mature after": maturity}
        yield series_chart(panel_id("maturity"), "Maturity of windows, in days", sentence, lines, since, unit="d")


def _young_charts(model: Model, lookup: SeriesLookup, since: float) -> Iterator[TimeChart]:
    """Metrics of windows whose labels are still to come beside those of mature ones, watched ones first."""
    watched = {rule.metric.name for rule in model.rules}
    columns = sorted(lookup.below(YOUNG).items(), key=lambda pair: f"eval/{pair[0]}" not in watched)
    for metric, young in columns:
        mature = lookup.whole(f"eval/{metric}")
        if metric in METRICS and mature is not None:
            point = newest_value(young)
            of = f" The newest young window has {number(point[1])} so far." if point is not None else ""
            sentence = f"{series_sentence(metric, mature, '', watched=f'eval/{metric}' in watched)}{of}"
            yield series_chart(
                panel_id("young", metric),
                f"{metric}: mature windows and young ones",
                sentence,
                {"mature": mature, "young": young},
                since,
                note=YOUNG_NOTE,
            )


def _agreement_panels(lookup: SeriesLookup, since: float) -> Iterator[Panel]:
    """How far annotators agree beyond chance, and each of them."""
    whole = lookup.whole("labels/agreement")
    if whole is not None:
        low, high = (lookup.whole(f"labels/agreement/{bound}") for bound in ("low", "high"))
        yield series_chart(
            panel_id("annotators"),
            "Agreement of annotators (Krippendorff's alpha)",
            f"{series_sentence('Agreement beyond chance', whole, '')} 1 is always, 0 is as chance would.",
            {"agreement": whole},
            since,
            band=(low, high) if low is not None and high is not None else None,
        )
    rows = [
        (series.labels[0][1], newest[1])
        for series in lookup.segments("labels/annotator=*/agreement")
        if (newest := newest_value(series))
    ]
    if len(rows) > 1:
        rows.sort(key=lambda row: row[1])
        newest = newest_value(whole) if whole is not None else None
        name = plain_line(rows[0][0], MAX_NAME)
        yield BarChart(
            panel_id("annotators", "each"),
            "Agreement of each annotator with the others",
            f"{name} agrees least with the others: {number(rows[0][1])}; the best agreement is {number(rows[-1][1])}.",
            tuple(Bar(plain_line(who, MAX_NAME), finite(value) or 0.0) for who, value in rows[:MAX_BARS]),
            "",
            finite(newest[1]) if newest is not None else None,
        )


def defect_bars(lookup: SeriesLookup) -> Iterator[BarChart]:
    """For each kind of defect the share of cells by column in the newest window, where there are any."""
    for defect in DEFECTS:
        rows = [
            (series.labels[0][1], newest[1], value_at(series, newest[0] - 4 * WEEK))
            for series in lookup.segments(f"quality/feature=*/{defect}_rate")
            if (newest := newest_value(series))
        ]
        rows.sort(key=lambda row: (-row[1], row[0]))
        if not rows or (rows[0][1] <= 0 and defect != "missing"):
            continue
        name, value, before = rows[0]
        what = DEFECT_NAMES[defect]
        affected = sum(row[1] > 0 for row in rows)
        sentence = f"No column has {what} in the newest window."
        if affected:
            was = f" (4 weeks before {bare_value(before, '%')})" if before is not None else ""
            sentence = (
                f"{affected} of {len(rows)} columns {'has' if affected == 1 else 'have'} {what} in the newest window, "
                f"most of all {plain_line(name, MAX_NAME)}: {bare_value(value, '%')} of its rows{was}."
            )
        yield BarChart(
            panel_id("defects", defect),
            f"Data quality: {what} by column",
            sentence,
            tuple(
                Bar(
                    plain_line(column, MAX_NAME),
                    finite(share) or 0.0,
                    text=f"4 weeks before {bare_value(earlier, '%')}" if earlier is not None else "",
                )
                for column, share, earlier in rows[:MAX_BARS]
            ),
            "%",
            note=f"The {MAX_BARS} worst of {len(rows)} columns." if len(rows) > MAX_BARS else "",
        )


def _doubt_charts(lookup: SeriesLookup, since: float) -> Iterator[TimeChart]:
    """Labels that are doubtful or were changed, and repeated rows."""
    parts = (
        (SUSPICIOUS_SHARE, "Suspicious labels: share that the scores contradict", "suspicious labels"),
        ("labels/changed_share", "Labels that differ from the first one of their id", "changed labels"),
        ("labels/annotator_error", "Wrong judgements of annotators, as estimated", "wrong judgements"),
        ("quality/duplicate_rate", "Rows whose id occurred before", "repeated rows"),
    )
    for name, title, subject in parts:
        series = lookup.whole(name)
        if series is not None:
            low, high = (lookup.whole(f"{name}/{bound}") for bound in ("low", "high"))
            band = (low, high) if low is not None and high is not None else None
            sentence = series_sentence(f"The share of {subject}", series, "%")
            yield series_chart(panel_id("series", name), title, sentence, {subject: series}, since, unit="%", band=band)
