"""Features before and after: shared bins, statistics, names of categories, weeks."""

from __future__ import annotations

import math
from array import array

import pytest

from modelwatch.dashboard.distributions import feature_charts
from modelwatch.dashboard.page import DistributionChart, ViewName
from modelwatch.dashboard.rule_views import rules_of
from modelwatch.evaluate.drift.compared_shares import OTHERS, paired_distributions, unwatched_feature
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, FeatureAggregation, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import Histograms, PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.stats.profile.wandb_histogram import category_bins, category_positions
from modelwatch.timeutil import DAY, WEEK

from .making import NOW, histograms, numbers_in, series, snapshot

EDGES = (0.0, 10.0, 20.0)


def drift_rule(**more: object) -> Rule:
    given: dict[str, object] = {
        "kind": "data-drift",
        "metric": KeyPattern("features/*/psi"),
        "tiers": (Tier(Severity.WARNING, (Limit(LimitKind.ABOVE, 0.1),), ("issue",)),),
        "window": DAY,
        "every": DAY,
        "baseline": BaselineSpec(BaselineKind.ROLLING, length=14 * DAY),
        "digest": "d1",
    }
    return Rule("inputs", **(given | more))  # type: ignore[arg-type]


def numbers(first: int, then: int, days: int = 35, feature: str = "age") -> Histograms:
    """Of 100 values a day ``first`` lie in the lower bin, in the last week ``then``."""
    counts = [(first, 100 - first)] * (days - 7) + [(then, 100 - then)] * 7
    return histograms("features", EDGES, counts, {"features": feature})


def categories(*shares: dict[str, float], step: float = DAY) -> Histograms:
    rows = []
    for of_day in shares:
        at = sorted((place, of_day[name]) for name, place in category_positions(of_day).items())
        rows.append(category_bins([place for place, _ in at], [count for _, count in at]))
    size = len(rows)
    return Histograms(
        "features/categories",
        (("features", "channel"),),
        array("d", [NOW - step * (size - 1 - place) for place in range(size)]),
        tuple(array("d", edges.tolist()) for edges, _ in rows),
        tuple(array("d", counts.tolist()) for _, counts in rows),
        version_of=array("i", [-1] * size),
    )


def charts(*columns: Histograms, rule: Rule | None = None, **more: object) -> list[DistributionChart]:
    rules = (rule,) if rule else ()
    model, pull = Model("churn", rules), PulledSeries("churn", (), histograms=columns)
    findings = evaluate_model(model, pull, NOW)
    shown = snapshot(rules=rules, tracks=findings.tracks, pull={"histograms": columns}, **more)  # type: ignore[arg-type]
    return [one.chart for one in feature_charts(shown, rules_of(shown, ViewName.DATA_SCIENCE))]


def test_shares_mean_and_quantiles_of_both_sides() -> None:
    """100 values evenly in [0, 20] against 10 % in [0, 10] and 90 % in [10, 20]: the mean goes from 10 to 14."""
    (chart,) = charts(numbers(50, 10), rule=drift_rule())
    assert chart.title == "age"
    assert chart.reference.edges == chart.current.edges
    assert (chart.reference.edges[0], chart.reference.edges[-1]) == (0.0, 20.0)
    assert len(chart.reference.shares) == 24
    lower = sum(chart.current.shares[:12])
    assert sum(chart.reference.shares[:12]) == pytest.approx(0.5)
    assert lower == pytest.approx(0.1)
    rows = {row.name: (row.before, row.after) for row in chart.statistics}
    assert rows["mean"] == ("10", "14")
    assert rows["median"] == ("10", "14.44")
    assert rows["10 % lie below"] == ("2", "10")
    assert rows["90 % lie below"] == ("18", "18.89")
    assert rows["standard deviation"] == ("5", "3")
    assert rows["values"] == ("1,400", "100")


def test_the_sentence_says_how_far_and_what_moved() -> None:
    (chart,) = charts(numbers(50, 10), rule=drift_rule())
    assert chart.sentence.startswith("inputs: age: PSI ")
    assert "above its limit 0.1" in chart.sentence
    assert chart.sentence.endswith("The mean rose from 10 to 14, by 0.8 standard deviations.")
    assert chart.reference.name == "14 d before"


def test_each_week_is_a_histogram_and_gradual_change_shows() -> None:
    (chart,) = charts(numbers(50, 10), rule=drift_rule())
    assert [week.name for week in chart.weeks] == [
        "2024-10-06",
        "2024-10-13",
        "2024-10-20",
        "2024-10-27",
        "2024-11-03",
    ]
    assert [round(sum(week.shares[:12]), 6) for week in chart.weeks] == [0.5, 0.5, 0.5, 0.5, 0.1]


def test_drifted_features_go_first_then_the_furthest() -> None:
    found = charts(numbers(50, 50, feature="calm"), numbers(50, 10, feature="moved"), rule=drift_rule())
    assert [chart.title for chart in found] == ["moved", "calm"]


def test_a_rule_across_features_shows_all_of_them() -> None:
    rule = drift_rule(across=FeatureAggregation.SHARE)
    found = charts(numbers(50, 50, feature="calm"), numbers(50, 10, feature="moved"), rule=rule)
    assert [chart.title for chart in found] == ["moved", "calm"]
    assert "counted as drifted" in found[0].sentence
    assert "is not counted as drifted" in found[1].sentence


def test_a_feature_that_no_rule_watches_is_compared_with_its_weeks_before() -> None:
    (chart,) = charts(numbers(50, 10))
    assert chart.reference.name == "4 weeks before"
    assert chart.sentence.endswith("No rule watches it.")
    rows = {row.name: (row.before, row.after) for row in chart.statistics}
    assert rows["values"] == ("2,800", "700")


def test_categories_have_names_where_something_knows_them() -> None:
    days = [{"web": 60.0, "app": 40.0}] * 28 + [{"web": 20.0, "app": 50.0, "store": 30.0}] * 7
    known = (series("eval/accuracy", [0.9], {"channel": "web"}), series("eval/accuracy", [0.9], {"channel": "app"}))
    shown = snapshot(*known, pull={"histograms": (categories(*days),)})
    (chart,) = (one.chart for one in feature_charts(shown, ()))
    place = int(category_positions(["store"])["store"])
    assert chart.current.categories == ("web", "app", f"unnamed {place:08x}")
    assert chart.reference.shares == pytest.approx((0.6, 0.4, 0.0))
    assert chart.current.shares == pytest.approx((0.2, 0.5, 0.3))
    assert chart.statistics[0].name == "web"
    assert (chart.statistics[0].before, chart.statistics[0].after) == ("60 %", "20 %")
    assert "web 60 % → 20 %" in chart.sentence


def test_many_categories_end_in_all_others() -> None:
    day = {f"c{number:02d}": float(number + 1) for number in range(20)}
    shown = unwatched_feature(categories(*[day] * 35), categorical=True)
    assert shown is not None
    assert len(shown.categories) == 13
    assert shown.categories[-1] == OTHERS
    assert sum(shown.after.shares) == pytest.approx(1.0)
    # 1 + 2 + ... + 8 of 210.
    assert shown.after.shares[-1] == pytest.approx(36 / 210)


def test_a_few_extremes_do_not_squeeze_the_rest() -> None:
    edges = (0.0, 10.0, 20.0, 1e6)
    shown = unwatched_feature(
        histograms("features", edges, [(500, 499, 1)] * 35, {"features": "age"}), categorical=False
    )
    assert shown is not None
    assert shown.edges[-1] == 20.0
    assert shown.beyond == pytest.approx(0.001)
    assert sum(shown.after.shares) == pytest.approx(1.0)


def test_extremes_on_the_low_side_are_in_the_first_bar() -> None:
    edges = (-1e6, 0.0, 10.0, 20.0)
    shown = unwatched_feature(
        histograms("features", edges, [(2, 499, 499)] * 35, {"features": "age"}), categorical=False
    )
    assert shown is not None
    assert shown.edges[0] == 0.0
    assert shown.beyond == pytest.approx(0.002)
    # Of 499 values in [0, 10] a twelfth, and the two below.
    assert shown.after.shares[0] == pytest.approx((499 / 12 + 2) / 1000)


def test_one_value_alone_still_has_bins() -> None:
    shown = unwatched_feature(
        histograms("features", (math.nextafter(3, 0), 3.0), [(5,)] * 35, {"features": "age"}), categorical=False
    )
    assert shown is not None
    assert shown.edges[0] < 3.0 <= shown.edges[-1]
    assert sum(shown.after.shares) == pytest.approx(1.0)


@pytest.mark.parametrize("counts", [[(0, 0)] * 35, [(5, 5)] * 7, []])
def test_without_values_on_both_sides_there_is_no_chart(counts: list[tuple[float, ...]]) -> None:
    column = histograms("features", EDGES, counts, {"features": "age"})
    assert charts(column) == []


def test_huge_and_tiny_edges_give_finite_numbers() -> None:
    edges = (-1.7e308, -1e-300, 1e-300, 1.7e308)
    (chart,) = charts(histograms("features", edges, [(1, 2, 3)] * 35, {"features": "age"}))
    assert all(map(math.isfinite, numbers_in(chart)))


def test_missing_cells_are_before_and_after() -> None:
    missing = series("quality/missing_rate", [0.01] * 28 + [0.2], {"feature": "age"})
    shown = snapshot(missing, pull={"histograms": (numbers(50, 50),)})
    (chart,) = (one.chart for one in feature_charts(shown, ()))
    row = next(row for row in chart.statistics if row.name == "missing")
    assert (row.before, row.after) == ("1 %", "20 %")


def test_two_columns_are_compared_over_the_same_weeks() -> None:
    predicted, labels = numbers(90, 90), numbers(50, 10)
    shown = paired_distributions(predicted, labels, WEEK, categorical=False)
    assert shown is not None
    assert shown.weeks == ()
    assert (sum(shown.before.shares[:12]), sum(shown.after.shares[:12])) == pytest.approx((0.9, 0.1))


def test_hostile_names_come_out_harmless() -> None:
    name = "a\u202eb\n<img src=x>\x00" + "y" * 300
    (chart,) = charts(numbers(50, 10, feature=name), rule=drift_rule())
    assert all(char.isprintable() for char in chart.title + chart.sentence)
    assert chart.id.replace("-", "").isalnum()
