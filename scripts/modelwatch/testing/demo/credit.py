"""Credit: labels come four days late. An estimate warns first, and the labels confirm it."""

from __future__ import annotations

import math
from typing import Any

from ...profiling.window_selection import WindowSelection
from ...timeutil import DAY
from .batches import capture_training_reference, concatenate_batches, measure_batch
from .environment import DemoModel
from .story import Story, time_steps

TITLE = "credit: labels come four days late, and an estimate warns first"
ROWS = 1_000
"""Of a day's log."""
TRAINING = 10_000
HEALTHY_DAYS = 14
MAX_DAYS = 26
USUAL, CAMPAIGN = 0.06, 0.4
"""Share of the applicants that the campaign brings: nearly all of them are hard to tell apart."""
RUN_SECONDS = {"retrain": 5 * 3600.0}

CONFIG = """\
  - name: credit
    owner: "@acme/lending"
    wandb: {entity: acme, project: credit-prod, version: model_version}
    pagerduty: {routing_key: "${PAGERDUTY_CREDIT_KEY}", token: "${PAGERDUTY_TOKEN}", service: credit-model}
    github: {repository: acme/credit-model, labels: ["model:credit"]}
    workflows: {retrain: retrain.yml}
    measure:
      files: logs/credit.parquet
      reference: baselines/credit.npz
      id: application
      time: time
      version: version
      score: score
      prediction: predicted
      label: defaulted
      label_time: known_at
      late: 5d
      estimates: {metrics: accuracy, history: 8d}
    rules:
      - name: estimated-accuracy
        kind: accuracy-drop
        metric: estimated/accuracy
        weight: estimated/accuracy_n
        window: 24h
        every: 24h
        baseline: {value: 0.825}
        tiers:
          warning: {drop: 4%, do: [issue]}
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        window: 24h
        every: 24h
        baseline: {value: 0.825}
        tiers:
          warning: {drop: 4%, do: [issue, retrain]}
      - name: estimate-check
        kind: concept-drift
        metric: estimate_check/accuracy
        window: 24h
        every: 24h
        for: 3
        tiers:
          warning: {above: 1, do: [issue]}
"""

MODEL = DemoModel("credit", CONFIG, ("retrain",))


def applications(start: float, rows: int, version: str, seed: int, campaign: float = USUAL) -> dict[str, Any]:
    """One day's applications; who repays is known after four days or so. ``campaign``: the share that it
    brings. Version v2 was trained on such applicants, too, and reads their accounts."""
    import numpy as np

    random = np.random.default_rng(seed)
    is_new = random.random(rows) < campaign
    income = np.where(is_new, random.normal(0, 0.4, rows), random.normal(0, 1, rows))
    debt = np.where(is_new, random.normal(0, 0.4, rows), random.normal(0, 1, rows))
    account = random.normal(0, 1, rows)
    signal = 2.2 * debt - 2.2 * income + np.where(is_new, 2.5 * account, 0.0)
    seen = signal if version == "v2" else 2.2 * debt - 2.2 * income
    if version != "v2":
        seen = np.where(is_new, 0.45 * seen, seen)
    score = 1 / (1 + np.exp(-seen))
    time = start + np.sort(random.uniform(0, DAY - 60, rows))
    return {
        "application": np.arange(rows) + seed * 1_000_000,
        "time": time,
        "version": np.array([version] * rows),
        "income": income,
        "debt": debt,
        "account": account,
        "new_customer": np.where(is_new, "yes", "no"),
        "score": score,
        "predicted": (score > 0.5).astype("int64"),
        "defaulted": (random.random(rows) < 1 / (1 + np.exp(-signal))).astype("int64"),
        "known_at": time + 4 * DAY + random.normal(0, DAY / 4, rows),
    }


def run_story(story: Story, start: float) -> None:
    """From ``start`` (seconds, UTC), which is moved to the midnight before it: its windows are UTC days."""
    start = start // DAY * DAY
    story.version = "v1"
    capture_training_reference(story, applications(start - DAY, TRAINING, "", 0), "v1", start)
    story.narrate(start, "v1 serves; whether a loan is repaid is known four days later", "")
    days = [applications(start + day * DAY, ROWS, "v1", day + 1) for day in range(HEALTHY_DAYS)]
    until = start + HEALTHY_DAYS * DAY
    rows = measure_batch(story, concatenate_batches(days), until)
    alarms = story.judge_only(story.pull(until), start + DAY, until, DAY)
    story.narrate(until, f"{HEALTHY_DAYS} days, {rows:,} applications measured and judged, {alarms} alerts", "green")
    story.narrate(until, "marketing invites customers that the model hardly knows", "dim")
    for day, end in enumerate(time_steps(until, until + MAX_DAYS * DAY, DAY), HEALTHY_DAYS):
        for _ in story.finish_due_runs(end - DAY):
            story.deploy("v2", end - DAY)
        days = [*days[-20:], applications(end - DAY, ROWS, story.version, day + 1, CAMPAIGN)]
        measure_batch(story, concatenate_batches(days), end, _new_windows(end))
        story.evaluate(story.pull(end), end)
        if story.is_over():
            return


def _new_windows(end: float) -> WindowSelection:
    """The newest day, and those whose labels have come meanwhile; days are given by their beginning."""
    due = {end - days * DAY for days in (1, 5, 6)}
    others = frozenset(end - days * DAY for days in range(40))
    return WindowSelection(measured_days=others - due, remeasure_after=math.inf)
