"""Pricing: the market moves away from what the model was trained on. Drift is found, named and retrained away."""

from __future__ import annotations

from typing import Any

from ...timeutil import DAY, HOUR
from .batches import capture_training_reference, concatenate_batches, measure_batch
from .environment import DemoModel
from .story import Story

TITLE = "pricing: the market moves, and the model is retrained on it"
HEALTHY_DAYS = 12
DAYS = 27
CREEP_DAYS = 5
ROWS = 2_000
"""Of a day's log."""
TRAINING = 10_000
RUN_SECONDS = {"retrain": 6 * HOUR}

CONFIG = """\
  - name: pricing # `modelwatch measure` turns its prediction log into metrics, a day at a time
    owner: "@acme/pricing"
    wandb: {entity: acme, project: pricing-prod, version: model_version}
    github: {repository: acme/pricing-model, labels: ["model:pricing"]}
    runbooks: {base: "https://github.com/acme/pricing-model/blob/main/runbooks"}
    workflows:
      retrain: {file: retrain.yml, cooldown: 5d}
    measure:
      files: logs/pricing.parquet
      reference: baselines/pricing.npz
      time: time
      version: version
      prediction: price
      window: 24h
    rules:
      - name: inputs
        drift: "features/*"
        method: psi
        every: 24h
        baseline: {file: baselines/pricing.npz}
        tiers:
          warning: {above: 0.1,  do: [issue]}
          error:   {above: 0.25, for: 3, do: [issue, retrain]} # three days in a row are worth learning from
"""

MODEL = DemoModel("pricing", CONFIG, ("retrain",))


def market_requests(start: float, rows: int, moved: float, version: str, seed: int) -> dict[str, Any]:
    """One day of requests from ``start`` on. ``moved``: 0 is the market of the old days, 1 the new one."""
    import numpy as np

    random = np.random.default_rng(seed)
    competitor = random.gamma(9.0, 5.0, rows) * (1 - 0.35 * moved)
    demand = random.normal(100 - 12 * moved, 20, rows)
    channel = random.choice(["web", "app", "store"], rows, p=[0.5 - 0.2 * moved, 0.3 + 0.2 * moved, 0.2])
    return {
        "time": start + np.sort(random.uniform(0, DAY - 60, rows)),
        "version": np.array([version] * rows),
        "competitor_price": competitor,
        "demand": demand,
        "stock_days": random.poisson(20, rows).astype("float64"),
        "channel": channel,
        "price": 0.7 * competitor + 0.1 * demand + random.normal(0, 1, rows),
    }


def market_shift(day: int) -> float:
    """How far the market has moved: slowly at first, then all the way at once."""
    creep = 0.06 * max(0, day - HEALTHY_DAYS)
    return 1.0 if day >= HEALTHY_DAYS + CREEP_DAYS else creep


def run_story(story: Story, start: float) -> None:
    """From ``start`` (seconds, UTC), which is moved to the midnight before it: its windows are UTC days."""
    start = start // DAY * DAY
    story.version = "v3"
    capture_training_reference(story, market_requests(start - DAY, TRAINING, 0.0, "", 0), "v3", start)
    story.narrate(start, f"v3 serves; the reference is the profile of its {TRAINING:,} training rows", "")
    days = [market_requests(start + day * DAY, ROWS, 0.0, "v3", day + 1) for day in range(HEALTHY_DAYS)]
    until = start + HEALTHY_DAYS * DAY
    rows = measure_batch(story, concatenate_batches(days), until)
    alarms = story.judge_only(story.pull(until), start + DAY, until, DAY)
    story.narrate(until, f"{HEALTHY_DAYS} days, {rows:,} predictions measured and judged, {alarms} alerts", "green")
    story.narrate(until, "a competitor begins to cut its prices; nobody tells the model", "dim")
    recent = days
    for day in range(HEALTHY_DAYS, DAYS):
        recent = [*recent, market_requests(start + day * DAY, ROWS, market_shift(day), story.version, day + 1)]
        _simulate_day(story, recent, start + (day + 1) * DAY)
        if story.is_over():
            return


def _simulate_day(story: Story, recent: list[dict[str, Any]], end: float) -> None:
    """The workflows of this day end; at midnight its log is measured and judged."""
    for _ in story.finish_due_runs(end - DAY / 2):
        table = concatenate_batches(recent[-3:])
        capture_training_reference(story, table, "v4", end - DAY / 2)
        rows = len(table["time"])
        story.narrate(
            end - DAY / 2, f"v4 was trained on the {rows:,} newest rows; their profile is the reference now", ""
        )
        story.deploy("v4", end - DAY / 2)
    measure_batch(story, recent[-1], end)
    story.evaluate(story.pull(end), end)
