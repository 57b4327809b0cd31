"""Derived metrics: computed from what was read, per time, segment and version, and then read like any key."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.config.expressions import parse_expression
from modelwatch.model.business import BusinessSpec, DerivedMetric
from modelwatch.model.expression import unit_of_expression
from modelwatch.model.keys import KeyPattern
from modelwatch.model.measurement_unit import parse_unit
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Rule
from modelwatch.model.series import PulledSeries, Series, labels_of
from modelwatch.sources.derived_series import derive_series
from modelwatch.sources.requirements import key_requests
from modelwatch.timeutil import HOUR

from .builders import NOW, Wandb, model, points, pull, rule, series_of, table_model, versions

UNITS = {"b/revenue": "EUR", "b/cost": "EUR", "b/orders": "orders", "b/wait": "s"}
MARGIN = "({b/revenue} - {b/cost}) / {b/orders}"


def business(**derived: str) -> BusinessSpec:
    spec = BusinessSpec(currency="EUR", units=tuple((key, parse_unit(text)) for key, text in UNITS.items()))
    for name, text in derived.items():
        expression = parse_expression(text)
        metric = DerivedMetric(name, expression, unit_of_expression(expression, spec.unit_of).shown)
        spec = BusinessSpec(spec.currency, spec.units, (*spec.derived, metric))
    return spec


def made(name: str, values: Mapping[float, float], version: str = "", **labels: str) -> Series:
    return Series(
        name=name,
        labels=labels_of(labels),
        times=array("d", values),
        values=array("d", values.values()),
        weights=None,
        versions=(version,) if version else (),
        version_of=array("i", [0 if version else -1] * len(values)),
    )


def derive(spec: BusinessSpec, *series: Series, rules: tuple[Rule, ...] = ()) -> tuple[Series | None, tuple[str, ...]]:
    """The last derived series, and the notes."""
    found, notes = derive_series(spec, rules, series)
    name = spec.derived[-1].name
    return next((each for each in found if each.name == name), None), notes


def test_a_ratio_has_the_times_units_and_count_of_its_parts() -> None:
    parts = (
        made("b/revenue", {0: 100.0, 60: 90.0}, "v1"),
        made("b/cost", {0: 40.0, 60: 30.0}, "v1"),
        made("b/orders", {0: 30.0, 60: 20.0}, "v1"),
    )
    series, notes = derive(business(margin=MARGIN), *parts)
    assert series is not None
    assert points(series) == {0: 2.0, 60: 3.0}
    assert list(series.weights or ()) == [30.0, 20.0]
    assert versions(series) == ["v1", "v1"]
    assert notes == ()


def test_the_count_that_a_rule_names_goes_before_the_denominator() -> None:
    parts = [made(f"b/{name}", {0: 8.0, 60: 8.0}) for name in ("revenue", "cost", "orders")]
    rules = (rule("margin", weight="b/customers"),)
    series, _ = derive(business(margin=MARGIN), *parts, made("b/customers", {0.2: 5.0}), rules=rules)
    assert series is not None
    weights = list(series.weights or ())
    assert weights[0] == 5.0
    assert math.isnan(weights[1])


def test_other_expressions_have_no_count() -> None:
    series, _ = derive(business(profit="{b/revenue} - {b/cost}"), made("b/revenue", {0: 2.0}), made("b/cost", {0: 1.0}))
    assert series is not None
    assert series.weights is None


def test_the_root_of_a_negative_number_gives_no_point_and_a_note_with_the_count() -> None:
    series, notes = derive(
        business(size="sqrt({b/orders} / 1 orders - 4)"), made("b/orders", {0: 5.0, 60: 1.0, 120: 8.0})
    )
    assert series is not None
    assert points(series) == {0: 1.0, 120: 2.0}
    assert notes == (
        "size: 1 of 3 times left out: no number (the root or logarithm of a negative number, or too large a one)",
    )


def test_division_by_zero_gives_no_point_and_a_note_with_the_count() -> None:
    parts = (
        made("b/revenue", {0: 1.0, 60: 1.0, 120: 1.0}),
        made("b/cost", dict.fromkeys((0, 60, 120), 0.5)),
        made("b/orders", {0: 0.0, 60: 2.0, 120: 0.0}),
    )
    series, notes = derive(business(margin=MARGIN), *parts)
    assert series is not None
    assert points(series) == {60: 0.25}
    assert notes == ("margin: 2 of 3 times left out: division by zero",)


def test_each_segment_is_computed_by_itself_where_all_its_keys_are_there() -> None:
    parts = [
        made("b/revenue", {0: 10.0}),
        made("b/revenue", {0: 6.0}, region="eu"),
        made("b/revenue", {0: 4.0}, region="us"),
        made("b/orders", {0: 5.0}),
        made("b/orders", {0: 2.0}, region="eu"),
    ]
    found, _ = derive_series(business(price="{b/revenue} / {b/orders}"), (), parts)
    own = {each.labels: points(each) for each in found if each.name == "price"}
    assert own == {(): {0: 2.0}, (("region", "eu"),): {0: 3.0}}


def test_a_key_can_name_an_arm_itself() -> None:
    parts = (made("b/revenue", {0: 10.0}), made("b/revenue", {0: 4.0}, arm="holdout"))
    series, _ = derive(business(lift="{b/revenue} - {b/arm=holdout/revenue}"), *parts)
    assert series is not None
    assert points(series) == {0: 6.0}


@pytest.mark.parametrize(("later", "joined"), [(0.02, 3), (299.0, 3), (301.0, 2)])
def test_values_of_other_calls_belong_to_the_nearest_time(later: float, joined: int) -> None:
    one, other = ({600.0 * k + shift: float(k) for k in range(3)} for shift in (0.0, later))
    series, _ = derive(business(sum="{b/revenue} + {b/cost}"), made("b/revenue", one), made("b/cost", other))
    assert (len(series) if series else 0) == joined


def test_different_versions_at_one_time_give_no_point() -> None:
    parts = (made("b/revenue", {0: 1.0, 60: 1.0}, "v1"), made("b/cost", {0: 1.0}, "v2"), made("b/orders", {60: 1.0}))
    spec = business(x="{b/revenue} + default({b/cost}, 0) + default({b/orders}, 0) * 1 EUR/order")
    series, notes = derive(spec, *parts)
    assert series is not None
    assert points(series) == {60: 2.0}
    assert versions(series) == ["v1"]
    assert notes == ("x: 1 of 2 times left out: its keys are of different versions",)


def test_keys_that_are_logged_at_other_times_are_reported() -> None:
    hourly, daily = ({k * step: 1.0 for k in range(count)} for step, count in ((HOUR, 48), (24 * HOUR, 2)))
    series, notes = derive(business(x="{b/revenue} - {b/cost}"), made("b/revenue", hourly), made("b/cost", daily))
    assert series is not None
    assert len(series) == 2
    assert notes == ("x: 46 of 48 points of b/revenue left out: the other keys are not logged at the same time",)


def test_derived_metrics_use_each_other_and_missing_values_have_defaults() -> None:
    spec = business(profit="{b/revenue} - default({b/cost}, 0 EUR)", share="{profit} / {b/revenue}")
    series, _ = derive(spec, made("b/revenue", {0: 10.0, 60: 5.0}), made("b/cost", {0: 4.0}))
    assert series is not None
    assert points(series) == {0: 0.6, 60: 1.0}


def test_a_logged_key_of_the_same_name_does_not_count() -> None:
    found, _ = derive_series(
        business(twice="2 * {b/revenue}"), (), [made("twice", {0: 9.0}), made("b/revenue", {0: 1.0})]
    )
    assert [points(each) for each in found if each.name == "twice"] == [{0: 2.0}]


def test_the_keys_that_are_needed_are_asked_for_with_the_labels_of_the_rule() -> None:
    own = rule("margin", weight="b/customers", segments=(KeyPattern("region=*/margin"),))
    requests, _ = key_requests([own], business(margin=MARGIN))
    assert [request.pattern.text for request in requests] == [
        *("b/revenue", "b/cost", "b/orders", "b/customers"),
        *("b/region=*/revenue", "b/region=*/cost", "b/region=*/orders", "b/region=*/customers"),
    ]
    assert not any(request.weight for request in requests)


def test_a_table_gives_derived_metrics(tmp_path: Path) -> None:
    rows = "".join(f"{int(NOW - k * HOUR)},{10 + k},4,2,{6 + k},1,1\n" for k in range(3))
    path = tmp_path / "m.csv"
    path.write_text(
        "time,b/revenue,b/cost,b/orders,b/region=eu/revenue,b/region=eu/cost,b/region=eu/orders\n" + rows, "utf-8"
    )
    watched = with_business(table_model(str(path), rule("margin", segments=(KeyPattern("region=*/margin"),))))
    found = pull(watched, NOW, env={})
    assert points(series_of(found, "margin")) == {NOW - k * HOUR: (6 + k) / 2 for k in range(3)}
    assert points(series_of(found, "margin", region="eu")) == {NOW - k * HOUR: 5.0 + k for k in range(3)}
    assert found.notes == ()


def test_wandb_gives_derived_metrics_and_says_what_is_missing(wandb_server: Wandb) -> None:
    rows: list[dict[str, Any]] = [
        {"_timestamp": NOW - k * HOUR, "b": {"revenue": 10.0, "cost": 4.0}, "b/orders": k} for k in range(3)
    ]
    wandb_server.standin.state.add_run("acme", "churn", "day", history=rows, created_at=NOW - 3 * HOUR)
    found = pull(with_business(model(rule("margin"))), NOW)
    assert points(series_of(found, "margin")) == {NOW - HOUR: 6.0, NOW - 2 * HOUR: 3.0}
    assert "margin: 1 of 3 times left out: division by zero" in found.notes
    missing = pull(with_business(model(rule("lost")), lost="{b/revenue} * {b/refunds}"), NOW)
    assert [each.name for each in missing.series] == ["b/revenue"]
    assert any("no points under b/refunds" in note for note in missing.notes)


def with_business(plain: Model, **derived: str) -> Model:
    return replace(plain, business=business(**(derived or {"margin": MARGIN})))


TIMES = st.sets(st.integers(0, 40), max_size=12).map(sorted)


@given(st.tuples(TIMES, TIMES), st.data())
def test_the_join_is_that_of_equal_times_where_no_others_are_near(times: Any, data: st.DataObject) -> None:
    """Against a plain dictionary: times are an hour apart or more, so that only equal ones are near."""
    one, other = ({t * HOUR: data.draw(st.floats(-1e6, 1e6)) for t in each} for each in times)
    series, _ = derive(business(x="{b/revenue} / {b/cost}"), made("b/revenue", one), made("b/cost", other))
    wanted = {t: one[t] / other[t] for t in one if t in other and other[t] != 0 and math.isfinite(one[t] / other[t])}
    assert (points(series) if series else {}) == wanted
    assert series is None or isinstance(series, Series)


def test_a_failed_pull_has_no_series(tmp_path: Path) -> None:
    found: PulledSeries = pull(with_business(table_model(str(tmp_path / "none.csv"), rule("margin"))), NOW, env={})
    assert found.error
    assert found.series == ()
