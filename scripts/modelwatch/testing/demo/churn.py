"""Churn: a release misreads one input of one region. Accuracy falls there; paged, rolled back, recovered."""

from __future__ import annotations

from collections.abc import Callable

from ... import history
from ...context import make_context
from ...report.formatting import number
from ...step_files import write_baselines
from ...timeutil import DAY, HOUR
from .churn_production import BAD_VERSION, BROKEN_REGION, log_rows, service_hours
from .environment import ENTITY, DemoModel
from .story import Story, time_steps

TITLE = "churn: a release misreads one input of one region, and is rolled back"
DAYS = 30
HEALTHY_DAYS = 27
GOOD_VERSION = "v6"
STRETCH_HOURS = 3
"""Hours that are logged together; workflow runs end with them."""
RUN_SECONDS = {"retrain": 3 * HOUR, "rollback": 0.5 * HOUR}

CONFIG = """\
  - name: churn # its serving job logs metrics and histograms itself
    owner: "@acme/growth-ml"
    wandb:
      entity: acme
      project: churn-prod
      runs: {tags: production}
      version: model_version
      time: monitor/time
    pagerduty: {routing_key: "${PAGERDUTY_CHURN_KEY}", token: "${PAGERDUTY_TOKEN}", service: churn-model}
    github: {repository: acme/churn-model, labels: ["model:churn"], people: [robin]}
    runbooks: {base: "https://github.com/acme/churn-model/blob/main/runbooks"}
    workflows:
      retrain: retrain.yml
      rollback: {file: rollback.yml, mode: act, automatic_within: 24h, settle: 6h}
    business: # a right decision keeps a customer's fee
      currency: EUR
      units: {eval/n: predictions}
      derived:
        saved: "({eval/accuracy} - 80 %) * {eval/n} * 1.25 EUR/prediction" # without a model eight of ten are right
      predictions: eval/n
      value: "{saved}"
      costs: {serving: 0.01 EUR/prediction}
      worth: {eval/accuracy: "{eval/accuracy} * {eval/n} * 1.25 EUR/prediction"}
      before: 7500 EUR/day # what the rules of the years before brought in
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        better: higher
        window: 6h
        every: 1h
        hold: 3
        recover: {drop: 1.5%}
        baseline: {file: baselines/churn.json}
        segments: "eval/region=*/accuracy"
        tiers:
          warning:  {drop: 2%,  do: [issue, retrain]}
          error:    {drop: 5%,  do: [issue, page]}
          critical: {drop: 10%, do: [issue, page, rollback]}
      - name: inputs
        drift: "features/*"
        method: psi
        window: 6h
        every: 6h
        baseline: {file: baselines/churn.json}
        tiers:
          warning: {above: 0.1, do: []} # a clue for the accuracy issue, no alarm of its own
"""

MODEL = DemoModel("churn", CONFIG, ("retrain", "rollback"))


def run_story(story: Story, start: float, is_over: Callable[[Story], bool] = Story.is_over) -> None:
    """From ``start`` (seconds, UTC, a full hour) until ``is_over``, which is asked between stretches."""
    bad_day = start + HEALTHY_DAYS * DAY
    story.version, story.deployed = GOOD_VERSION, start
    story.narrate(start, f"{GOOD_VERSION} serves; the real wandb client logs {HEALTHY_DAYS} healthy days", "")
    story.environment.clock.now = bad_day
    log_rows(ENTITY, MODEL.project, GOOD_VERSION, list(service_hours(start, bad_day, GOOD_VERSION, start)))
    weeks = history.BaselinePeriod(start, start + 21 * DAY)
    entries = history.capture_baseline(make_context(story.config, bad_day), story.model, weeks).entries
    write_baselines(story.environment.folder / "baselines" / "churn.json", entries)
    story.reload_config()
    story.narrate(start + 21 * DAY, f"baseline captured from three weeks: {number(entries[0].value)} overall", "")
    alarms = story.judge_only(story.pull(bad_day), start + DAY, bad_day, 6 * HOUR)
    story.narrate(bad_day, f"judged every six hours: {story.evaluations} evaluations, {alarms} alerts", "green")
    story.deploy(BAD_VERSION, bad_day)
    story.narrate(bad_day, f"{BAD_VERSION} reads the tenure of {BROKEN_REGION} in years; nobody knows it yet", "dim")
    time = _simulate_stretch(story, bad_day)
    while time < start + DAYS * DAY and not is_over(story):
        time = _simulate_stretch(story, time)


def _simulate_stretch(story: Story, start: float) -> float:
    """Log the next hours, pull them, and evaluate each in turn; returns when the stretch ends. While a workflow runs,
    which can end in each hour, it is one."""
    until = start + (1 if story.is_workflow_running() else STRETCH_HOURS) * HOUR
    log_rows(ENTITY, MODEL.project, story.version, list(service_hours(start, until, story.version, story.deployed)))
    pulls = story.pull(until)
    for time in time_steps(start, until, HOUR):
        ended = list(story.finish_due_runs(time)) if time == until else []
        story.evaluate(pulls, time)
        if "rollback" in ended:
            story.deploy(GOOD_VERSION, time)
    return until
