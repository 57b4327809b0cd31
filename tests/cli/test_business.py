"""Business metrics end to end: W&B's real client, a derived metric whose rule fires, money on issue and page, ROI."""

from __future__ import annotations

from typing import Any

import pytest

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .world import BEGIN, HOUR, WANDB, World

DAY = 24 * HOUR
BUSINESS = """\
version: 1
models:
  - name: churn
    owner: "@acme/growth-ml"
    SOURCE
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}", token: "${PAGERDUTY_TOKEN}", service: churn-model}
    github: {repository: acme/churn-model, people: [alice]}
    business:
      currency: EUR
      units: {business/revenue: EUR, business/cost: EUR, business/orders: orders, serving/calls: predictions}
      derived:
        margin: "({business/revenue} - {business/cost}) / {business/orders}"
      predictions: serving/calls
      value: "{business/revenue} - {business/cost}"
      costs: {serving: 0.01 EUR/prediction}
      worth: {eval/accuracy: 1290 EUR/day per point}
      before: 1500 EUR/day
      predicted: {amount: 1000 EUR/day, from: 2026-11-20}
    rules:
      - name: margin
        kind: business-metric
        metric: margin
        window: 4h
        every: 1h
        for: 2
        baseline: {value: 2}
        tiers: {error: {drop: 10%, do: [issue, page]}}
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        window: 4h
        every: 1h
        baseline: {value: 0.92, n: 100000}
        tiers: {warning: {drop: 2%, do: [issue]}}
"""
Wandb = Server[WandbStandIn]


def log(server: Wandb, hours: int, **changes: Any) -> None:
    """An hour: 50 orders with 200 EUR of revenue and 100 EUR of cost. ``changes``: key -> (from hour, value)."""
    usual = {"business/revenue": 200.0, "business/cost": 100.0, "business/orders": 50.0, "serving/calls": 1000.0}
    usual |= {"eval/accuracy": 0.92, "eval/n": 5000.0}
    history = []
    for hour in range(1, hours + 1):
        row = dict(usual)
        for key, (since, value) in changes.items():
            if hour >= since:
                row[key.replace("__", "/")] = value
        history.append({"_timestamp": BEGIN + hour * HOUR, "_step": hour, **row})
    server.standin.state.add_run(
        "acme",
        "churn-prod",
        "day-1",
        history=history,
        created_at=BEGIN,
        config={"model_version": "v6"},
        tags=["production"],
    )


def test_a_rule_on_a_derived_metric_fires_with_its_money(world: World, wandb_server: Wandb) -> None:
    log(wandb_server, 60, business__cost=(52, 130.0))
    world.config(BUSINESS, WANDB)
    world.at(60)
    ran = world.run("run")
    assert (ran.code, ran.err) == (0, "")
    (issue,) = world.issues
    # 0.6 EUR less an order, 50 orders an hour: 720 EUR a day.
    assert "Costs about 720 EUR a day" in issue.body
    (incident,) = world.incidents
    assert incident.event["payload"]["custom_details"]["money"].startswith("Costs about 720 EUR a day")
    summary = world.read("modelwatch-out/summary.md")
    assert "−720 EUR a day" in summary
    shown = world.run("diagnose", "churn")
    assert "; costs about 720 EUR a day" in " ".join(shown.out.split())


def test_what_a_drop_of_accuracy_is_worth_has_the_interval_of_the_metric(world: World, wandb_server: Wandb) -> None:
    log(wandb_server, 60, eval__accuracy=(52, 0.896))
    world.config(BUSINESS, WANDB)
    world.at(60)
    world.run("run")
    (issue,) = world.issues
    # 2.4 points at 1,290 EUR; Wilson's interval of 0.896 with 20,000 rows is 0.8917 to 0.9002: 2,600 to 3,700 EUR.
    assert "Costs about 3,100 EUR a day (95 % interval 2,600 to 3,700)." in issue.body
    assert world.incidents == []


def test_derived_metrics_are_pulled_like_any_key(world: World, wandb_server: Wandb) -> None:
    log(wandb_server, 3)
    world.config(BUSINESS, WANDB)
    world.at(3)
    ran = world.run("pull", "--out", "series.jsonl", "--table", "points.csv")
    assert ran.code == 0
    rows = [line.split(",") for line in world.read("points.csv").splitlines()]
    assert sum("margin" in row for row in rows) == 3


def test_the_return_of_four_days(world: World, wandb_server: Wandb) -> None:
    log(wandb_server, 24 * 10, business__cost=(24 * 7, 120.0))
    world.config(BUSINESS, WANDB)
    world.at(24 * 10)
    ran = world.run("business", "roi", "churn", "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    total = ran.json["total"]
    # Hour 24k is the first of day k; the last day has but one hour. The first has 23.
    first, usual, last = 23 * 100.0, 24 * 100.0, 24 * 80.0
    assert total["days"] == 10
    assert total["value"] == pytest.approx(first + 6 * usual + 3 * last)
    assert total["before"] == pytest.approx(1500 * 10)
    assert total["gained"]["value"] == pytest.approx(total["value"] - 15_000)
    assert total["predicted"] == 10_000
    assert total["serving"] == pytest.approx((23 + 9 * 24) * 10)
    assert total["net"]["value"] == pytest.approx(total["gained"]["value"] - total["serving"])
    assert total["roi"]["value"] == pytest.approx(total["net"]["value"] / total["serving"])
    text = world.run("business", "roi")
    assert text.code == 0
    assert "It earned 22,500 EUR in 10 days" in text.out
    assert "Missing:" in text.out
    assert world.run("business", "roi", "--format", "markdown").out.startswith("## `churn`: value and costs until")


def test_slips_are_explained(world: World) -> None:
    world.config()
    ran = world.run("business", "roi")
    assert ran.code == 2
    assert "no model has a `business` section." in ran.err
    assert world.run("business", "roi", "chrn").code == 2


def test_doctor_says_from_what_a_derived_metric_is_computed(world: World, wandb_server: Wandb) -> None:
    log(wandb_server, 48)
    metric = "        metric: margin\n"
    world.config(BUSINESS.replace(metric, f'{metric}        segments: "region=*/margin"\n'), WANDB)
    world.at(48)
    found = world.run("doctor", "--format", "json").out
    assert "region=*/margin, a segment of margin, has no point: it is computed from business/revenue, " in found


def test_a_divergence_shares_the_issue_of_its_business_rule_however_late_it_is_known(
    world: World, wandb_server: Wandb
) -> None:
    log(wandb_server, 90, business__cost=(52, 130.0))
    slow = BUSINESS.replace(
        "        weight: eval/n\n        window: 4h\n", "        weight: eval/n\n        window: 24h\n"
    )
    world.config(slow, WANDB)
    for hour in (60, 90):
        world.at(hour)
        assert world.run("run").code == 0
    (issue,) = world.issues
    assert "business-divergence" in issue.body
    summaries = [incident.event["payload"]["summary"] for incident in world.incidents]
    assert summaries[-1].endswith("with 1 more alert")
    assert all("churn margin" in summary for summary in summaries)
