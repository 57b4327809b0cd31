"""What data scientists see: metrics and segments worst first, drift, estimates, calibration, scores, agreement."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

import pytest

from modelwatch.dashboard.bars import drift_bars, segment_bars
from modelwatch.dashboard.data_science import data_science_view, decile_charts, estimate_charts, reliability_chart
from modelwatch.dashboard.page import BarChart, CurveChart, LineRole, Table, TimeChart, ViewName
from modelwatch.dashboard.rule_views import RuleTracks, rules_of, view_of
from modelwatch.dashboard.series_lookup import SeriesLookup
from modelwatch.model.control_chart import ChartMethod, ChartSignal, ControlChart
from modelwatch.model.drift import FeatureDrift, ReferenceDrift
from modelwatch.model.finding import Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import BaselineKind, FeatureAggregation, Limit, LimitKind, Tier
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY

from ..alerts.making import NAN, at, rule, track
from .making import NOW, firing_alert, group_of, labels, panels_of, series, snapshot


def lookup(*columns: Any) -> SeriesLookup:
    return SeriesLookup(snapshot(*columns))


def segmented(**regions: str) -> list[Track]:
    """The whole and regions as text, of one rule."""
    own = rule(segments=(KeyPattern("eval/region=*/accuracy"),))
    return [track("....", own), *(track(text, own, labels(region=name)) for name, text in regions.items())]


def owned(tracks: list[Track], *firing: tuple[Track, str]) -> RuleTracks:
    alerts = [firing_alert(found, severity) for found, severity in firing]
    return RuleTracks(tracks, group_of(*alerts) if alerts else None)


def test_segments_are_worst_first_with_the_whole_as_the_line() -> None:
    tracks = segmented(eu="....", na="...e", apac="...w")
    chart = segment_bars(owned(tracks, (tracks[2], "error")), at(3))
    assert chart is not None
    assert [(bar.name, bar.value, bar.severity) for bar in chart.bars] == [
        ("region=na", 0.8, Severity.ERROR),
        ("region=apac", 0.85, None),
        ("region=eu", 0.9, None),
    ]
    assert chart.reference == 0.9
    assert chart.sentence == (
        "accuracy is worst in region=na: 0.8, 11.1 % below its baseline 0.9 (error since 2024-10-04 03:00 UTC). "
        "1 of 3 segments is beyond a limit; overall it is 0.9."
    )


def test_segments_that_are_fine_are_said_to_be() -> None:
    chart = segment_bars(owned(segmented(eu="....", na="....")), at(3))
    assert chart is not None
    assert "No segment is beyond a limit" in chart.sentence
    assert segment_bars(owned(segmented(eu="....")), at(3)) is None, "one segment is no comparison"
    assert segment_bars(owned(segmented(eu="...._", na="____")), at(3)) is None


def test_a_segment_beyond_a_limit_that_is_not_proven_is_not_called_fine() -> None:
    """Without counts 11 % less is undecided: no tier holds, and nobody should read that all is well."""
    chart = segment_bars(owned(segmented(eu="....", na="...e")), at(3))
    assert chart is not None
    assert "1 of 2 segments is beyond a limit, which is not proven" in chart.sentence


def test_intervals_of_segments_are_drawn_where_both_sides_are_known() -> None:
    tracks = segmented(eu="....", na="....")
    known = array("d", [0.88] * 4)
    tracks[1] = replace(tracks[1], low=known, high=array("d", [0.92] * 4))
    tracks[2] = replace(tracks[2], low=known)
    chart = segment_bars(owned(tracks), at(3))
    assert chart is not None
    bounds = {bar.name: (bar.low, bar.high) for bar in chart.bars}
    assert bounds == {"region=eu": (0.88, 0.92), "region=na": (None, None)}


DRIFT = rule(
    "inputs",
    kind="data-drift",
    metric=KeyPattern("features/*/psi"),
    tiers=(Tier(Severity.WARNING, (Limit(LimitKind.ABOVE, 0.1),), ("issue",)),),
)


def drifting(feature: str, value: float) -> Track:
    reference = ReferenceDrift(BaselineKind.FILE, "baselines/churn.npz", 0.0, value, sure=True)
    found = FeatureDrift(feature, "psi", value, (reference,))
    text = "w" if value > 0.1 else "."
    return track(text, DRIFT, labels(features=feature), values=[value], drifted=(found,))


def test_features_are_bars_of_their_drift_against_the_limit() -> None:
    tracks = [drifting("age", 0.02), drifting("income", 0.41)]
    chart = drift_bars(owned(tracks, (tracks[1], "warning")), at(0))
    assert chart is not None
    assert [(bar.name, bar.value, bar.severity) for bar in chart.bars] == [
        ("income", 0.41, Severity.WARNING),
        ("age", 0.02, None),
    ]
    assert (chart.reference, chart.unit, chart.note) == (0.1, "psi", "Limits: warning above 0.1.")
    assert chart.sentence == (
        "1 of 2 features has drifted. Furthest from its reference: income, PSI 0.41, since 2024-10-04 00:00 UTC."
    )
    healthy = drift_bars(owned([drifting("age", 0.02), drifting("income", 0.03)]), at(0))
    assert healthy is not None
    assert healthy.sentence == "None of 2 features has drifted. Furthest from its reference: income, PSI 0.03."


def test_a_rule_across_features_has_a_bar_for_each_that_drifted() -> None:
    own = replace(DRIFT, across=FeatureAggregation.SHARE)
    drifts = (FeatureDrift("income", "psi", 0.41), FeatureDrift("age", "psi", 0.2))
    found = replace(track("w", own, values=[0.5]), drifted=drifts, features=4)
    chart = drift_bars(owned([found], (found, "warning")), at(0))
    assert chart is not None
    assert [(bar.name, bar.value) for bar in chart.bars] == [("income", 0.41), ("age", 0.2)]
    assert chart.sentence == "2 of 4 features have drifted, most of all income, age."


def test_estimates_have_their_interval_and_what_was_measured_beside_them() -> None:
    columns = (
        series("estimated/accuracy", [0.84, 0.83, 0.74]),
        series("estimated/accuracy/low", [0.82, 0.81, 0.71]),
        series("estimated/accuracy/high", [0.86, 0.85, 0.77]),
        series("estimated/n", [100.0] * 3),
        series("eval/accuracy", [0.85], end=NOW - 2 * DAY),
        series("estimate_check/accuracy", [0.6], end=NOW - 2 * DAY),
    )
    (chart,) = estimate_charts(lookup(*columns), 0.0)
    assert {line.name: line.role for line in chart.lines} == {
        "estimated": LineRole.OTHER,
        "measured": LineRole.VALUE,
    }
    assert chart.lines[0].values == (0.84, 0.83, 0.74)
    assert chart.lines[1].values == (0.85, None, None)
    assert chart.bands[0].low == (0.82, 0.81, 0.71)
    assert "estimated at 0.74 (95 % interval 0.71 to 0.77)" in chart.sentence
    assert "the newest that was measured is 0.85 of 2024-11-01 00:00 UTC" in chart.sentence
    assert "off by 0.6 times its margin: it held" in chart.sentence


def test_an_estimate_alone_says_that_nothing_is_measured() -> None:
    (chart,) = estimate_charts(lookup(series("estimated/auc", [0.8])), 0.0)
    assert "nothing is measured yet" in chart.sentence
    assert chart.lines[0].role is LineRole.VALUE


def bins(number: int, predicted: float, observed: float, n: float = 400.0) -> list[Any]:
    label = {"bin": str(number)}
    return [
        series("calibration/predicted", [predicted] * 21, label, weights=[n / 7] * 21),
        series("calibration/observed", [observed] * 14 + [observed] * 7, label, weights=[n / 7] * 21),
    ]


def test_reliability_is_a_curve_of_bins_with_intervals() -> None:
    chart = reliability_chart(lookup(*bins(1, 0.1, 0.1), *bins(2, 0.8, 0.6), series("calibration/ece", [0.08])))
    assert isinstance(chart, CurveChart)
    assert chart.diagonal
    assert [(point.x, round(point.y, 3)) for point in chart.curves[0].points] == [(0.1, 0.1), (0.8, 0.6)]
    worst = chart.curves[0].points[1]
    # Wilson's interval of 240 in 400.
    assert worst.low == pytest.approx(0.5512, abs=1e-3)
    assert worst.high == pytest.approx(0.6468, abs=1e-3)
    assert chart.sentence == (
        "1 of 2 bins is off the diagonal by more than chance, most of all scores of about 80 %, of which 60 % happened "
        "(400 rows); the calibration error is 0.08."
    )
    assert [curve.name for curve in chart.curves] == ["week until 2024-11-03", "4 weeks before"]


def test_scores_that_hold_are_said_to_hold() -> None:
    chart = reliability_chart(lookup(*bins(1, 0.1, 0.11), *bins(2, 0.8, 0.79)))
    assert chart is not None
    assert chart.sentence.startswith("Scores hold: all 2 bins agree with what happened")
    assert reliability_chart(lookup(series("calibration/ece", [0.1]))) is None


def test_deciles_of_a_score_are_one_chart() -> None:
    columns = [series(f"predictions/score/p{share}", [share / 100, share / 100]) for share in range(10, 100, 10)]
    (chart,) = decile_charts(lookup(*columns), 0.0)
    assert len(chart.lines) == 9
    assert {line.name for line in chart.lines if line.role is LineRole.VALUE} == {"p50"}


def test_versions_that_agree_are_one_chart() -> None:
    view = data_science_view(
        snapshot(series("agreement/candidate", [0.99, 0.97]), series("agreement/previous", [0.9, 0.95]))
    )
    chart = next(panel for panel in panels_of(view) if panel.id == "agreement")
    assert [line.name for line in chart.lines] == ["candidate", "previous"]
    assert "97 %" in chart.sentence


def test_what_fires_goes_first() -> None:
    calm, bad = track("..", rule("calm")), track("ee", rule("bad"))
    groups = (group_of(firing_alert(bad, "error")),)
    view = data_science_view(snapshot(rules=(calm.rule, bad.rule), tracks=(calm, bad), groups=groups, now=at(1)))
    assert [panel.id for panel in view.critical] == ["rule--bad", "rule--calm"]
    assert all(isinstance(panel, TimeChart) for panel in view.critical)


def test_of_a_calm_model_the_first_metric_segments_and_drift_go_first() -> None:
    first, second = segmented(eu="....", na="....."), [track("....", rule("recall"))]
    view = data_science_view(
        snapshot(
            rules=(first[0].rule, second[0].rule, DRIFT),
            tracks=(*first, *second, drifting("age", 0.02)),
        )
    )
    assert [panel.id for panel in view.critical] == ["rule--accuracy", "segments--accuracy", "drift--inputs"]
    assert [type(panel) for panel in view.critical] == [TimeChart, BarChart, BarChart]
    assert "rule--accuracy--region--eu" in [panel.id for panel in view.folded]


def test_drift_that_fires_goes_before_metrics_that_do_not() -> None:
    bad = drifting("income", 0.41)
    group = group_of(firing_alert(bad, "warning"))
    view = data_science_view(snapshot(rules=(rule(), DRIFT), tracks=(track("...."), bad), groups=(group,), now=at(3)))
    assert [panel.id for panel in view.critical] == ["drift--inputs", "rule--accuracy"]


def test_a_view_of_many_rules_has_a_dozen_panels_and_a_fold() -> None:
    tracks = tuple(track("..", rule(f"metric-{number:02d}")) for number in range(40))
    view = data_science_view(snapshot(rules=tuple(one.rule for one in tracks), tracks=tracks))
    assert (len(view.critical), len(view.others)) == (3, 9)
    assert 0 < len(view.folded) <= 40
    assert len({panel.id for panel in panels_of(view)}) == len(panels_of(view))


def test_signals_of_control_charts_are_listed() -> None:
    chart = ControlChart(ChartMethod.CUSUM)
    own = rule(tiers=(Tier(Severity.WARNING, (), ("issue",), chart=chart),))
    found = replace(track("..w", own), signal=array("b", [0, 0, ChartSignal.CUSUM.code]))
    view = data_science_view(snapshot(rules=(own,), tracks=(found,)))
    table = next(panel for panel in panels_of(view) if isinstance(panel, Table))
    assert table.rows == (("2024-10-04 02:00 UTC", "accuracy", "all", "CUSUM beyond its limit", "0.85"),)
    assert table.sentence.startswith("1 evaluation had a signal")
    curve = next(panel for panel in panels_of(view) if panel.id == "rule--accuracy")
    assert "control chart (cusum)" in curve.note


def test_metrics_that_no_rule_watches_are_folded() -> None:
    view = data_science_view(snapshot(series("eval/f1", [0.8, 0.81]), series("eval/own", [1.0, 2.0])))
    assert [panel.title for panel in view.folded] == ["eval/f1"]
    assert "No rule watches it." in view.folded[0].sentence


@pytest.mark.parametrize(
    ("kind", "metric", "view"),
    [
        ("accuracy-drop", "eval/accuracy", ViewName.DATA_SCIENCE),
        ("latency", "serve/p95", ViewName.OPERATIONS),
        ("error-rate", "x", ViewName.OPERATIONS),
        ("anomaly", "cost/mean", ViewName.OPERATIONS),
        ("data-quality", "quality/volume", ViewName.GROUND_TRUTH),
        ("label-drift", "labels/label/psi", ViewName.GROUND_TRUTH),
        ("business-metric", "orders", ViewName.BUSINESS),
        ("anomaly", "business/revenue", ViewName.BUSINESS),
        ("own-kind", "x", ViewName.DATA_SCIENCE),
    ],
)
def test_each_rule_has_its_view(kind: str, metric: str, view: ViewName) -> None:
    assert view_of(rule(kind=kind, metric=KeyPattern(metric))) is view


def test_rules_of_a_view_are_worst_first() -> None:
    calm, bad = track("..", rule("calm")), track("ee", rule("bad"))
    shown = snapshot(tracks=(calm, bad), groups=(group_of(firing_alert(bad, "error")),))
    assert [own.rule.name for own in rules_of(shown, ViewName.DATA_SCIENCE)] == ["bad", "calm"]


def test_an_empty_view_names_what_fills_it() -> None:
    view = data_science_view(snapshot())
    assert panels_of(view) == []
    assert "`metric: eval/accuracy`" in view.empty
    assert data_science_view(snapshot(series("eval/f1", [NAN, NAN]))).empty


def test_what_was_not_judged_is_in_the_fold() -> None:
    left = "the 50 largest of 73 segments in the newest window are judged, 23 left out"
    own = track("oooo")
    shown = snapshot(rules=(own.rule,), tracks=(own,))
    shown = replace(shown, findings=replace(shown.findings, notes=(f"{shown.model.name} / accuracy: {left}",)))
    table = next(panel for panel in data_science_view(shown).folded if panel.title == "Notes on the data")
    assert isinstance(table, Table)
    assert table.rows == ((f"accuracy: {left}",),)
    assert table.sentence == "1 note says what was left out, not judged or not found."
