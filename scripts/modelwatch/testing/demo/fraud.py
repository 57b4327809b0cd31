"""Fraud: nothing is wrong with the model, its pipeline is broken. The data is fixed; retraining is refused."""

from __future__ import annotations

from typing import Any

from ...timeutil import DAY, HOUR
from .batches import capture_training_reference, measure_batch
from .environment import DemoModel
from .export import model_incidents
from .story import Story, time_steps

TITLE = "fraud: only the pipeline is broken, and the model is left alone"
WINDOW = 6 * HOUR
ROWS_PER_WINDOW = 1_500
"""Of a window's log."""
HEALTHY_DAYS = 6
BROKEN_WINDOWS = 2
MENDED_WINDOWS = 4
TRAINING = 10_000
RUN_SECONDS = {"retrain": 6 * HOUR}

CONFIG = """\
  - name: fraud
    owner: "@acme/risk"
    wandb: {entity: acme, project: fraud-prod, version: model_version}
    pagerduty: {routing_key: "${PAGERDUTY_FRAUD_KEY}", token: "${PAGERDUTY_TOKEN}", service: fraud-model}
    github: {repository: acme/fraud-model, labels: ["model:fraud"]}
    runbooks: {base: "https://github.com/acme/fraud-model/blob/main/runbooks"}
    workflows: {retrain: retrain.yml}
    measure:
      files: logs/fraud.parquet
      reference: baselines/fraud.npz
      id: payment
      time: time
      version: version
      score: score
      label: fraud
      window: 6h
    quality: # missing, type, range, new categories, duplicates, freshness, volume, ... one word each
      every: 6h
      missing: {tiers: {warning: {above: 2%, do: [issue]}, error: {above: 20%, do: [issue, page]}}}
      volume: {baseline: {value: 1500}} # a week of history would do as well
      cardinality: off
    rules:
      - name: ranking
        kind: accuracy-drop
        metric: eval/auc
        window: 6h
        every: 6h
        baseline: {value: 0.95}
        tiers:
          warning: {drop: 8%, do: [issue, retrain]}
      - name: inputs
        drift: "features/*"
        method: psi
        window: 6h
        every: 6h
        baseline: {file: baselines/fraud.npz}
        tiers:
          warning: {above: 0.1, do: [issue]}
          error: {above: 0.25, do: [issue, retrain]}
"""

MODEL = DemoModel("fraud", CONFIG, ("retrain",))


def payments(start: float, length: float, rows: int, seed: int, *, broken: bool = False) -> dict[str, Any]:
    """The payments from ``start`` on. Broken: most of the app's events are lost, and of the device ages."""
    import numpy as np

    random = np.random.default_rng(seed)
    app = random.random(rows) < 0.45
    fraud = random.random(rows) < 0.08
    amount = random.lognormal(np.where(app, 3.0, 4.5), 0.6) * np.where(fraud, 1.8, 1.0)
    age = random.gamma(np.where(fraud, 1.5, 6.0), 60.0)
    known = random.random(rows) >= (0.6 if broken else 0.002)
    signal = np.where(known, np.log(age + 1) - 5.0, 0.0) * -1.6 + (np.log(amount) - 4.0) * 0.5
    score = 1 / (1 + np.exp(-(signal + random.normal(0, 0.5, rows) - 2.0)))
    columns = {
        "payment": np.arange(rows) + seed * 1_000_000,
        "time": start + np.sort(random.uniform(0, length - 60, rows)),
        "version": np.array(["v12"] * rows),
        "amount": amount,
        "device_age_days": np.where(known, age, np.nan),
        "channel": np.where(app, "app", "web"),
        "score": score,
        "fraud": np.where(fraud, "1", "0"),
    }
    lost = app & (random.random(rows) < 0.9)
    return {name: some[~lost] for name, some in columns.items()} if broken else columns


def run_story(story: Story, start: float) -> None:
    """From ``start`` (seconds, UTC), which is moved to the midnight before it."""
    start = start // DAY * DAY
    story.version = "v12"
    capture_training_reference(story, payments(start - DAY, DAY, TRAINING, 0), "v12", start)
    story.narrate(start, f"v12 serves; the reference is the profile of its {TRAINING:,} training rows", "")
    until = start + HEALTHY_DAYS * DAY
    windows = HEALTHY_DAYS * 4
    rows = measure_batch(story, payments(start, until - start, ROWS_PER_WINDOW * windows, 1), until)
    alarms = story.judge_only(story.pull(until), start + WINDOW, until, WINDOW)
    story.narrate(until, f"{windows} windows, {rows:,} payments measured and judged, {alarms} alerts", "green")
    story.narrate(until, "a deployment upstream loses most of the app's events, and of the device ages", "dim")
    mended = until + BROKEN_WINDOWS * WINDOW
    for seed, end in enumerate(time_steps(until, mended + MENDED_WINDOWS * WINDOW, 2 * WINDOW), 2):
        if end == mended + 2 * WINDOW:
            story.narrate(mended, "the team upstream fixes its pipeline", "deploy")
        batch = payments(end - 2 * WINDOW, 2 * WINDOW, 2 * ROWS_PER_WINDOW, seed, broken=end <= mended)
        measure_batch(story, batch, end)
        _evaluate_half_day(story, end)


def _evaluate_half_day(story: Story, end: float) -> None:
    pulls = story.pull(end)
    for time in time_steps(end - 2 * WINDOW, end, WINDOW):
        for _ in story.finish_due_runs(time):
            story.narrate(time, "retraining ran on broken data: this must not happen", "critical")
        story.evaluate(pulls, time)
        for incident in model_incidents(story):
            if incident.status == "triggered":
                story.environment.pagerduty.standin.state.acknowledge_as_person(incident)
                story.narrate(time, "the on-call acknowledges the page, and calls the team upstream", "dim")
