"""What operators see: uptime and what it means, latency in one chart, freshness, deployments, automation, on-call."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from modelwatch.dashboard.operations import calls_chart, expected_share, freshness_table, operations_view
from modelwatch.dashboard.operations_tables import (
    alerts_table,
    automation_table,
    deployments_table,
    escalation_table,
)
from modelwatch.dashboard.page import LineRole, Table, TimeChart
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import PagerDutySpec
from modelwatch.model.pagerduty_setup import EscalationPolicy, EscalationStep
from modelwatch.model.prediction_log import MeasureSpec, OperationsSpec
from modelwatch.model.register import DispatchRecord, DispatchState, Register
from modelwatch.model.release import Move, MoveState, MoveVerb
from modelwatch.model.rule import Aggregate, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import Deployment
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

from ..alerts.making import NAN, at, rule, track
from .making import NOW, firing_alert, group_of, panels_of, series, snapshot


def ids(view_panels: list[object]) -> list[str]:
    return [panel.id for panel in view_panels]  # type: ignore[attr-defined]


def test_uptime_is_the_share_of_calls_weighed_by_their_number() -> None:
    """Today 100 calls without an error, yesterday 300 of which 30 failed: 370 of 400 in two days."""
    errors = series("errors/rate", [0.1, 0.0], weights=[300.0, 100.0], step=DAY)
    chart = calls_chart(errors, NOW)
    assert chart.sentence == (
        "Calls that succeeded: 100 % in the last 24 h, 92.5 % in the 2 d since it began. "
        "This is 1 − errors/rate, weighted by the number of calls."
    )
    assert chart.unit == "%"
    assert chart.lines[0].values[:1] == (0.9,)


def test_uptime_without_counts_says_so() -> None:
    chart = calls_chart(series("errors/rate", [0.1, 0.0], step=DAY), NOW)
    assert "95 % in the 2 d since it began" in chart.sentence
    assert "each point counts the same" in chart.sentence


def test_unknown_rates_and_counts_are_no_calls() -> None:
    errors = series("errors/rate", [NAN, 0.5, 0.2], weights=[100.0, NAN, 10.0], step=HOUR)
    assert "80 % in the 3 h since it began" in calls_chart(errors, NOW).sentence


def test_expected_points_are_counted_by_the_usual_gap() -> None:
    hourly = series("eval/accuracy", [0.9] * 48, step=HOUR)
    assert expected_share(hourly, HOUR, NOW - DAY, NOW) == 1.0
    missing = series("eval/accuracy", [0.9] * 48, step=HOUR)
    for _ in range(6):
        missing.times.pop(-5)
        missing.values.pop(-5)
    assert expected_share(missing, HOUR, NOW - DAY, NOW) == 18 / 24
    assert expected_share(missing, HOUR, NOW - 2 * DAY, NOW - DAY) == 1.0


def test_points_a_little_early_or_late_are_expected_points() -> None:
    jittered = array("d", [NOW - HOUR * place + (300 if place % 3 else -420) for place in range(47, -1, -1)])
    column = replace(series("a", [1.0] * 48, step=HOUR), times=jittered)
    assert expected_share(column, HOUR, NOW - DAY, NOW) == pytest.approx(1.0, abs=0.05)


def test_before_a_series_began_nothing_is_expected_of_it() -> None:
    young = series("a", [1.0] * 12, step=HOUR)
    assert expected_share(young, HOUR, NOW - 30 * DAY, NOW) == 1.0
    assert expected_share(young, HOUR, NOW - 30 * DAY, NOW - 2 * DAY) is None
    assert expected_share(series("a", []), HOUR, NOW - DAY, NOW) is None


def test_a_series_that_stopped_is_not_up() -> None:
    stopped = series("a", [1.0] * 24, step=HOUR, end=NOW - DAY)
    assert expected_share(stopped, HOUR, NOW - DAY, NOW) == 0.0


def test_without_errors_uptime_is_about_points_and_says_so() -> None:
    own = rule()
    columns = series("eval/accuracy", [0.9] * 48, step=HOUR)
    view = operations_view(snapshot(columns, rules=(own,)))
    chart = next(panel for panel in panels_of(view) if panel.id == "uptime")
    assert chart.title == "Uptime: share of expected points"
    assert "not about the service" in chart.sentence
    assert "100 % in the last 24 h" in chart.sentence


def test_irregular_series_expect_no_points() -> None:
    times = array("d", [NOW - DAY * gap for gap in (20, 19, 18.9, 12, 11.9, 3, 2.9, 2.8)])
    column = replace(series("eval/accuracy", [0.9] * 8), times=times)
    view = operations_view(snapshot(column, rules=(rule(),)))
    assert "uptime" not in ids(panels_of(view))


def latency_rule(*limits: Limit, metric: str = "latency/p95") -> Rule:
    return rule(
        "slow",
        kind="latency",
        metric=KeyPattern(metric),
        tiers=(Tier(Severity.WARNING, limits, ("issue",)),),
        aggregate=Aggregate.LAST,
    )


def latencies() -> list[object]:
    return [
        series("latency/p50", [20.0, 21.0]),
        series("latency/p95", [200.0, 310.0]),
        series("latency/p99", [400.0, 500.0]),
    ]


def test_quantiles_of_latency_share_a_chart_with_the_limits_of_their_rule() -> None:
    own = latency_rule(Limit(LimitKind.ABOVE, 300.0))
    found = track(".w", own, values=[200.0, 310.0])
    measure = MeasureSpec(files="log", operations=OperationsSpec(latency="took_ms"))
    view = operations_view(
        snapshot(
            *latencies(),  # type: ignore[arg-type]
            rules=(own,),
            tracks=(found,),
            groups=(group_of(firing_alert(found, "warning")),),
            model={"measure": measure},
            now=at(1),
        )
    )
    charts = [panel for panel in panels_of(view) if isinstance(panel, TimeChart) and panel.id.startswith("latency")]
    (chart,) = charts
    assert [line.name for line in chart.lines] == ["p50", "p95", "p99", "warning: above 300 ms"]
    assert [line.role for line in chart.lines][1] is LineRole.VALUE
    assert chart.lines[3].values[-1] == 300.0
    assert chart.unit == "ms"
    assert "slow is 310 ms, above its limit 300 ms: warning since" in chart.sentence
    assert "p50 21 ms; p99 500 ms" in chart.sentence
    assert chart.decided[-1].severity is Severity.WARNING
    assert "rule--slow" not in ids(panels_of(view)), "one chart shows it"


def test_relative_limits_of_latency_have_a_chart_of_their_own() -> None:
    own = latency_rule(Limit(LimitKind.RISE, 0.5))
    view = operations_view(snapshot(*latencies(), rules=(own,), tracks=(track("..", own),)))  # type: ignore[arg-type]
    assert {"rule--slow"} < {*ids(panels_of(view))}


def test_siblings_of_a_latency_are_found_under_any_key() -> None:
    columns = [series(f"serve/latency_{name}_ms", [1.0, 2.0]) for name in ("p50", "p99")]
    view = operations_view(snapshot(*columns))
    (chart,) = [panel for panel in panels_of(view) if panel.id.startswith("latency")]
    assert [line.name for line in chart.lines] == ["p50", "p99"]
    assert chart.unit == "ms"


def test_throughput_errors_cost_and_resources_are_shown_without_a_rule() -> None:
    columns = [series(name, [1.0, 2.0]) for name in ("throughput", "cost/mean", "cost/sum", "system/cpu")]
    columns += [series("system", [0.5], {"system": "memory"}), series("resources", [0.5], {"resources": "gpu"})]
    measure = MeasureSpec(files="log", operations=OperationsSpec(cost="cost_cents"))
    view = operations_view(snapshot(*columns, model={"measure": measure}))
    titles = {panel.title for panel in panels_of(view)}
    assert {"Throughput, rows an hour", "Cost of a prediction", "Cost of a window"} <= titles
    assert {"Resources: cpu", "Resources: memory", "Resources: gpu"} <= titles
    cost = next(panel for panel in panels_of(view) if panel.title == "Cost of a prediction")
    assert "cost_cents" in cost.note
    assert len(view.critical) + len(view.others) <= 12


def test_freshness_names_what_is_overdue_first() -> None:
    fresh = series("eval/accuracy", [0.9] * 30, step=HOUR)
    late = series("eval/recall", [0.9] * 30, step=HOUR, end=NOW - 5 * HOUR)
    rules = (rule(every=HOUR), rule("recall", metric=KeyPattern("eval/recall"), every=HOUR))
    table = freshness_table(snapshot(fresh, late, rules=rules))
    assert table is not None
    assert [(row[0], row[2], row[5]) for row in table.rows] == [
        ("eval/recall", "5 h", "overdue"),
        ("eval/accuracy", "0 s", "fresh"),
    ]
    assert table.sentence == (
        "1 of 2 series that rules watch is overdue, first eval/recall, without a point for 5 h (usually one every 1 h)."
    )


def test_fresh_series_of_a_metric_share_a_row() -> None:
    regions = [series("eval/accuracy", [0.9] * 9, {"region": name}, step=HOUR) for name in ("eu", "na")]
    late = series("eval/accuracy", [0.9] * 9, {"region": "apac"}, step=HOUR, end=NOW - 9 * HOUR)
    table = freshness_table(snapshot(series("eval/accuracy", [0.9] * 9, step=HOUR), *regions, late, rules=(rule(),)))
    assert table is not None
    assert [(row[0], row[5]) for row in table.rows] == [
        ("eval/accuracy (region=apac)", "overdue"),
        ("eval/accuracy, 3 series", "fresh"),
    ]
    assert table.sentence.startswith("1 of 4 series that rules watch is overdue, first eval/accuracy (region=apac)")


def test_a_series_of_few_points_has_no_cadence_yet() -> None:
    table = freshness_table(snapshot(series("eval/accuracy", [0.9]), rules=(rule(),)))
    assert table is not None
    assert table.rows[0][3:] == ("not known yet", "not known yet", "fresh")


def test_deployments_are_newest_first_with_what_became_of_them() -> None:
    deployments = (Deployment("v6", NOW - 20 * DAY), Deployment("v7", NOW - 3 * DAY), Deployment("v6", NOW - DAY))
    table = deployments_table(snapshot(pull={"deployments": deployments, "rolled_back": (("v7", "accuracy fell"),)}))
    assert table is not None
    assert [(row[0], row[2], row[3], row[5]) for row in table.rows] == [
        ("v6", "serves", "1 d", ""),
        ("v7", "2024-11-02 00:00 UTC", "2 d", "rolled back: accuracy fell"),
        ("v6", "2024-10-31 00:00 UTC", "17 d", ""),
    ]
    assert table.sentence == "v6 serves since 2024-11-02 00:00 UTC (1 d); before it v7."


def test_alerts_are_worst_first() -> None:
    mild, bad = track("w", rule("mild")), track("e", rule("bad"))
    groups = (group_of(firing_alert(mild, "warning")), group_of(firing_alert(bad, "error")))
    table = alerts_table(snapshot(groups=groups, now=at(2)))
    assert table is not None
    assert [row[0] for row in table.rows] == ["bad", "mild"]
    assert table.sentence.startswith("2 alerts fire, the worst: bad is 0.8, 11.1 % below its baseline 0.9, since ")


def register(*dispatches: DispatchRecord) -> Register:
    return Register("g1", "churn", "accuracy", 1, NOW, Severity.ERROR, Severity.ERROR, "c1", NOW, dispatches=dispatches)


def test_workflows_and_moves_are_listed_with_their_outcome() -> None:
    done = DispatchRecord(
        "g1.1.retrain.1",
        "retrain",
        DispatchState.FINISHED,
        NOW - 5 * HOUR,
        "https://github.com/acme/churn/actions/runs/1",
        conclusion="failure",
        ended=NOW - 4 * HOUR,
    )
    waiting = DispatchRecord("g1.1.rollback.1", "rollback", DispatchState.PROPOSED, NOW - HOUR, target_version="v6")
    move = Move(
        "k",
        MoveVerb.ROLLBACK,
        "churn",
        "v7",
        "v6",
        "it fell",
        "robin",
        NOW - 9 * HOUR,
        state=MoveState.DONE,
        ended=NOW - 8 * HOUR,
    )
    table = automation_table(snapshot(registers={"g1": register(done, waiting)}, pull={"moves": (move,)}))
    assert table is not None
    assert [row[1:4] for row in table.rows] == [
        ("rollback to v6", "proposed: waits for approval", "modelwatch"),
        ("retrain", "failure after 1 h", "modelwatch"),
        ("move: rollback v7 → v6", "done after 1 h", "robin"),
    ]
    assert table.links == ("", "https://github.com/acme/churn/actions/runs/1", "")
    assert "1 waits for approval" in table.sentence


def test_an_address_that_is_none_is_no_link() -> None:
    record = DispatchRecord("g1.1.retrain.1", "retrain", DispatchState.SENT, NOW, "javascript:alert(1)")
    table = automation_table(snapshot(registers={"g1": register(record)}))
    assert table is not None
    assert table.links == ("",)


def test_on_call_is_the_policy_as_configured_without_addresses() -> None:
    steps = (
        EscalationStep(("robin@acme.example",), ("Growth",), 900.0),
        EscalationStep(("kim@acme.example",)),
    )
    pagerduty = PagerDutySpec(service="churn-model", escalation=EscalationPolicy("growth", steps))
    table = escalation_table(snapshot(model={"pagerduty": pagerduty}))
    assert table is not None
    assert table.rows == (("1", "robin, schedule Growth", "15 min"), ("2", "kim", "30 min"))
    assert "acme.example" not in str(table)
    assert "Only PagerDuty shows who holds a shift now" in table.note
    assert escalation_table(snapshot()) is None


def test_columns_in_which_nothing_stands_are_left_out() -> None:
    view = operations_view(snapshot(pull={"deployments": (Deployment("v6", NOW - DAY),)}))
    (table,) = [panel for panel in panels_of(view) if isinstance(panel, Table)]
    assert table.columns == ("Version", "Since", "Until", "For", "Known by")
    assert all(len(row) == 5 for row in table.rows)


def test_an_empty_view_names_the_keys_that_fill_it() -> None:
    view = operations_view(snapshot())
    assert panels_of(view) == []
    assert "operations: {latency:" in view.empty
    failed = operations_view(snapshot(pull={"error": "W&B is down\n<b>"}))
    assert failed.empty == "The source cannot be read: W&B is down <b>"
