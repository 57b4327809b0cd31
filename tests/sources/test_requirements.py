"""Which keys a model's rules need, and how far back."""

from __future__ import annotations

import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import Aggregate, BaselineKind, BaselineSpec, Interval
from modelwatch.sources.requirements import key_requests, plan_read
from modelwatch.timeutil import DAY, HOUR

from .builders import NOW, model, rule


def patterns(*rules: object) -> list[str]:
    return [want.pattern.text for want in key_requests(rules)[0]]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("baseline", "before"),
    [
        (BaselineSpec(), 0.0),
        (BaselineSpec(BaselineKind.CONSTANT), 0.0),
        (BaselineSpec(BaselineKind.VERSION), 0.0),
        (BaselineSpec(BaselineKind.ROLLING, length=14 * DAY), 21 * DAY),
        (BaselineSpec(BaselineKind.SEASONAL, length=28 * DAY), 29 * DAY),
    ],
)
def test_since_reaches_to_the_beginning_of_the_oldest_baseline(baseline: BaselineSpec, before: float) -> None:
    watched = model(rule(window=DAY, every=HOUR, lag=2 * HOUR, baseline=baseline), history=10 * DAY)
    assert plan_read(watched, NOW).since == NOW - 10 * DAY - (2 * HOUR + HOUR + DAY) - before


def test_a_long_window_moves_the_rolling_baseline_further_back() -> None:
    baseline = BaselineSpec(BaselineKind.ROLLING, length=14 * DAY)
    watched = model(rule(window=10 * DAY, baseline=baseline), history=0.0)
    assert plan_read(watched, NOW).since == NOW - HOUR - 10 * DAY - 10 * DAY - 14 * DAY


def test_a_weekly_window_reads_as_many_weeks_as_it_takes_to_know_its_noise() -> None:
    weekly = rule(window=7 * DAY, every=DAY, interval=Interval.WILSON, baseline=BaselineSpec(BaselineKind.CONSTANT))
    assert plan_read(model(weekly, history=10 * DAY), NOW).since == NOW - DAY - 9 * 7 * DAY
    assert plan_read(model(weekly, history=90 * DAY), NOW).since == NOW - 90 * DAY - DAY - 7 * DAY


def test_the_rule_that_reaches_furthest_decides() -> None:
    near, far = rule(window=HOUR), rule(window=7 * DAY, name="slow")
    assert (
        plan_read(model(near, far), NOW).since == plan_read(model(far), NOW).since < plan_read(model(near), NOW).since
    )


def test_the_count_stands_beside_each_segment() -> None:
    wants, _ = key_requests([rule(weight="eval/n", segments=(KeyPattern("eval/region=*/accuracy"),))])
    assert [want.weight_of(key) for want, key in zip(wants, ("eval/accuracy", "eval/region=eu/accuracy"))] == [
        "eval/n",
        "eval/region=eu/n",
    ]


def test_the_whole_is_weighed_by_the_very_key_that_is_named() -> None:
    (want,), _ = key_requests([rule(weight="counts/rows")])
    assert want.weight_of("eval/accuracy") == "counts/rows"


@pytest.mark.parametrize(
    ("denominator", "wanted"),
    [("eval/views", "eval/region=*/views"), ("traffic/views", "traffic/region=*/views"), ("views", "region=*/views")],
)
def test_a_ratio_needs_its_denominator_under_the_same_labels(denominator: str, wanted: str) -> None:
    ratio = rule(
        "eval/clicks",
        aggregate=Aggregate.RATIO,
        denominator=KeyPattern(denominator),
        segments=(KeyPattern("eval/region=*/clicks"),),
    )
    assert patterns(ratio) == ["eval/clicks", denominator, "eval/region=*/clicks", wanted]
    assert KeyPattern(wanted).name == denominator


def test_a_key_that_two_rules_name_is_read_once_and_keeps_its_count() -> None:
    wants, notes = key_requests([rule(name="a"), rule(name="b", weight="eval/n")])
    assert [(want.pattern.text, want.weight) for want in wants] == [("eval/accuracy", "eval/n")]
    assert notes == ()


def test_a_key_is_optional_where_no_rule_must_have_it() -> None:
    optional, must = rule(optional=True, weight="eval/n"), rule(name="b")
    assert [want.optional for want in key_requests((optional,))[0]] == [True]
    for both in ((optional, must), (must, optional)):
        (want,), _ = key_requests(both)
        assert (want.optional, want.weight) == (False, "eval/n")


def test_two_counts_for_one_metric_are_told() -> None:
    wants, notes = key_requests([rule(name="a", weight="eval/n"), rule(name="b", weight="eval/rows")])
    assert [want.weight for want in wants] == ["eval/n"]
    assert notes == ("rule b: eval/accuracy is weighed by eval/n, as an earlier rule asks, and not by eval/rows",)
