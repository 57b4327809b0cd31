"""What keepers of labels see: how labels come, who has one, agreement, labels against predictions, data quality."""

from __future__ import annotations

from typing import Any

import pytest

from modelwatch.dashboard.ground_truth import defect_bars, delay_curves, ground_truth_view, quality_table
from modelwatch.dashboard.page import BarChart, CurveChart, DistributionChart, Table, TimeChart
from modelwatch.dashboard.rule_views import RuleTracks
from modelwatch.dashboard.series_lookup import SeriesLookup
from modelwatch.model.keys import KeyPattern
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.model.rule import Limit, LimitKind, Tier
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, WEEK

from ..alerts.making import NAN, at, rule, track
from .making import NOW, firing_alert, group_of, histograms, labels, panels_of, series, snapshot


def lookup(*columns: Any) -> SeriesLookup:
    return SeriesLookup(snapshot(*columns))


def panel(view: Any, id: str) -> Any:
    return next(one for one in panels_of(view) if one.id == id)


def missing(days: int, *shares: float) -> Any:
    return series("labels/missing_share", shares, {"days": str(days)}, step=WEEK)


def test_delay_curves_are_the_share_with_a_label_by_age() -> None:
    """After 1, 7 and 30 days 90, 40 and 5 % have none; four weeks earlier 7 days were enough for 80 %."""
    columns = (missing(1, 0.9, 0.9, 0.9, 0.9, 0.9), missing(7, 0.2, 0.3, 0.3, 0.3, 0.4), missing(30, 0.05, *[0.05] * 4))
    chart = delay_curves(lookup(*columns, series("labels/delay_days/p50", [6.5])))
    assert isinstance(chart, CurveChart)
    newest, earlier = chart.curves
    assert [(point.x, round(point.y, 3)) for point in newest.points] == [(0, 0), (1, 0.1), (7, 0.6), (30, 0.95)]
    assert [(point.x, round(point.y, 3)) for point in earlier.points] == [(0, 0), (1, 0.1), (7, 0.8), (30, 0.95)]
    assert chart.sentence == (
        "After 30 days 95 % of the rows have a label (4 weeks earlier 95 %); "
        "half of the labels that come are there after 6.5 days."
    )


def test_an_age_that_no_row_has_reached_has_no_point() -> None:
    chart = delay_curves(lookup(missing(1, 0.9), missing(90, NAN)))
    assert chart is not None
    assert [point.x for point in chart.curves[0].points] == [0, 1]
    assert delay_curves(lookup(series("labels/coverage", [0.5]))) is None


def test_ages_that_are_no_numbers_are_left_out() -> None:
    odd = series("labels/missing_share", [0.5], {"days": "<b>"})
    chart = delay_curves(lookup(missing(1, 0.9), odd))
    assert chart is not None
    assert len(chart.curves[0].points) == 2


def test_coverage_of_young_windows_is_marked() -> None:
    view = ground_truth_view(
        snapshot(series("labels/coverage", [0.9, 0.92], end=NOW - 7 * DAY), series("young/coverage", [0.4, 0.2]))
    )
    chart = panel(view, "coverage")
    assert [line.name for line in chart.lines] == ["mature", "young"]
    assert chart.unit == "%"
    assert "is 92 % at" in chart.sentence
    assert chart.sentence.endswith("Of the newest window, whose labels are still to come, it is 20 %.")


def test_coverage_by_tenth_keeps_their_order_and_by_segment_the_least_goes_first() -> None:
    tenths = [series("labels/coverage", [share], {"decile": f"{place:02d}"}) for place, share in ((1, 0.9), (2, 0.2))]
    regions = [series("labels/coverage", [share], {"region": name}) for name, share in (("eu", 0.9), ("na", 0.5))]
    view = ground_truth_view(snapshot(series("labels/coverage", [0.7]), *tenths, *regions))
    by_score, by_region = panel(view, "coverage--decile"), panel(view, "coverage--region")
    assert [(bar.name, bar.value) for bar in by_score.bars] == [("01", 0.9), ("02", 0.2)]
    assert [(bar.name, bar.value) for bar in by_region.bars] == [("na", 0.5), ("eu", 0.9)]
    assert by_score.reference == 0.7
    assert "lowest in tenth of the score 02 (20 %) and highest in 01 (90 %)" in by_score.sentence
    assert "Labelled rows are not like all rows" in by_score.sentence


def test_labels_stand_beside_predictions_in_the_same_bins() -> None:
    spec = MeasureSpec(files="log", label="label", prediction="predicted")
    columns = (
        histograms("predictions/predicted", (0.0, 1.0, 2.0), [(80, 20)] * 40),
        histograms("labels/label", (0.0, 1.0, 2.0), [(50, 50)] * 40),
    )
    view = ground_truth_view(
        snapshot(series("labels/predictions/psi", [0.3]), model={"measure": spec}, pull={"histograms": columns})
    )
    chart = panel(view, "labels-and-predictions")
    assert isinstance(chart, DistributionChart)
    assert (chart.reference.name, chart.current.name) == ("predictions", "labels")
    assert sum(chart.reference.shares[:12]) == pytest.approx(0.8)
    assert sum(chart.current.shares[:12]) == pytest.approx(0.5)
    assert "PSI is 0.3" in chart.sentence


def test_of_two_classes_one_is_drawn_beside_what_was_predicted() -> None:
    shares = [series("labels/class_share", [share], {"class": name}) for name, share in (("no", 0.9), ("yes", 0.1))]
    view = ground_truth_view(snapshot(*shares, series("predictions/positive_rate", [0.2])))
    chart = panel(view, "classes")
    assert [line.name for line in chart.lines] == ["yes", "predicted positive"]
    assert "Predicted positive are 20 % of all rows." in chart.sentence


def test_of_several_classes_the_largest_are_drawn() -> None:
    shares = [series("labels/class_share", [place / 28], {"class": f"c{place}"}) for place in range(1, 8)]
    chart = panel(ground_truth_view(snapshot(*shares)), "classes")
    assert [line.name for line in chart.lines] == ["c7", "c6", "c5", "c4", "c3"]


def test_maturity_says_what_young_windows_are() -> None:
    view = ground_truth_view(
        snapshot(
            series("labels/maturity_days", [5.0]),
            series("eval/accuracy", [0.9], end=NOW - 5 * DAY),
            series("young/accuracy", [0.7]),
        )
    )
    assert "mature 5 days after their end" in panel(view, "maturity").sentence
    young = panel(view, "young--accuracy")
    assert [line.name for line in young.lines] == ["mature", "young"]
    assert "The newest young window has 0.7 so far" in young.sentence


def test_annotators_are_worst_first_with_the_interval_of_all() -> None:
    columns = (
        series("labels/agreement", [0.7, 0.6]),
        series("labels/agreement/low", [0.65, 0.5]),
        series("labels/agreement/high", [0.75, 0.7]),
        *(series("labels/agreement", [value], {"annotator": name}) for name, value in (("kim", 0.8), ("robin", 0.3))),
    )
    view = ground_truth_view(snapshot(*columns))
    chart, bars = panel(view, "annotators"), panel(view, "annotators--each")
    assert isinstance(chart, TimeChart)
    assert chart.bands[0].low == (0.65, 0.5)
    assert [(bar.name, bar.value) for bar in bars.bars] == [("robin", 0.3), ("kim", 0.8)]
    assert bars.sentence == "robin agrees least with the others: 0.3; the best agreement is 0.8."


def test_defects_are_bars_by_column_worst_first() -> None:
    columns = [
        series("quality/missing_rate", [before, now], {"feature": name}, step=4 * WEEK)
        for name, before, now in (("age", 0.0, 0.0), ("income", 0.01, 0.25))
    ]
    (chart,) = defect_bars(lookup(*columns))
    assert [(bar.name, bar.value, bar.text) for bar in chart.bars] == [
        ("income", 0.25, "4 weeks before 1 %"),
        ("age", 0.0, "4 weeks before 0 %"),
    ]
    assert chart.sentence == (
        "1 of 2 columns has missing cells in the newest window, most of all income: 25 % of its rows "
        "(4 weeks before 1 %)."
    )


def test_a_defect_that_nothing_has_is_not_drawn_but_for_missing_cells() -> None:
    found = [
        *defect_bars(
            lookup(
                series("quality/missing_rate", [0.0], {"feature": "age"}),
                series("quality/type_rate", [0.0], {"feature": "age"}),
            )
        )
    ]
    assert [chart.id for chart in found] == ["defects--missing"]
    assert found[0].sentence == "No column has missing cells in the newest window."


QUALITY = rule(
    "quality-missing",
    kind="data-quality",
    metric=KeyPattern("quality/feature=*/missing_rate"),
    tiers=(Tier(Severity.ERROR, (Limit(LimitKind.ABOVE, 0.2),), ("issue",)),),
)


def test_checks_of_the_data_are_a_table_with_their_worst_column() -> None:
    bad = track(".e", QUALITY, labels(feature="income"), values=[0.0, 0.5])
    good = track("..", QUALITY, labels(feature="age"), values=[0.0, 0.0])
    calm = track("..", rule("quality-files", kind="data-quality", metric=KeyPattern("quality/unreadable_files")))
    owned = [RuleTracks([good, bad], group_of(firing_alert(bad, "error"))), RuleTracks([calm], None)]
    table = quality_table(owned, at(2))
    assert isinstance(table, Table)
    assert table.rows[0] == (
        "quality-missing",
        "income",
        "50 %",
        "error above 20 %",
        "error since 2024-10-04 01:00 UTC (1 h)",
    )
    assert table.rows[1][4] == "no problem"
    assert table.sentence == "1 of 2 checks of the data fails: quality-missing."


def test_what_fires_goes_first() -> None:
    bad = track(".e", QUALITY, labels(feature="income"), values=[0.0, 0.5])
    view = ground_truth_view(
        snapshot(
            series("labels/coverage", [0.9]),
            rules=(QUALITY,),
            tracks=(bad,),
            groups=(group_of(firing_alert(bad, "error")),),
            now=at(2),
        )
    )
    assert view.critical[0].title == "quality-missing: income"


def test_calm_checks_are_folded_and_tabled() -> None:
    tracks = tuple(
        track("..", rule(f"quality-{number}", kind="data-quality", metric=KeyPattern(f"quality/x{number}")))
        for number in range(20)
    )
    view = ground_truth_view(snapshot(rules=tuple(one.rule for one in tracks), tracks=tracks))
    assert [one.id for one in view.critical] == ["checks"]
    assert len(view.folded) == 12


def test_doubtful_labels_have_charts_with_their_bounds() -> None:
    name = "labels/suspicious_share"
    columns = (series(name, [0.05]), series(f"{name}/low", [0.04]), series(f"{name}/high", [0.06]))
    view = ground_truth_view(snapshot(*columns, series("labels/changed_share", [0.01])))
    charts = {one.title: one for one in panels_of(view)}
    assert charts["Suspicious labels: share that the scores contradict"].bands[0].high == (0.06,)
    assert "Labels that differ from the first one of their id" in charts


def test_an_empty_view_names_what_fills_it() -> None:
    view = ground_truth_view(snapshot())
    assert panels_of(view) == []
    assert "`outcomes: {files, id, label, label_time}`" in view.empty
    assert not any(isinstance(one, BarChart) for one in panels_of(view))
