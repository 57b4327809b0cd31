"""Location and eta: an upstream model breaks everywhere at once, and the model that reads it suffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from ...timeutil import DAY, HOUR
from .churn_production import log_rows
from .environment import ENTITY, DemoModel
from .story import Story, time_steps

TITLE = "location and eta: one upstream model breaks, and two models suffer"
HEALTHY_DAYS = 5
BROKEN_HOURS = 9
MAX_HOURS = 36
STRETCH_HOURS = 3
TRIPS_PER_HOUR = 3_000
CITIES = {"berlin": (0.4, 0.945), "lyon": (0.35, 0.94), "porto": (0.25, 0.935)}
"""Share of the trips, and of those how many are located rightly."""
FALL, ETA_FALL = 0.12, 0.07
"""What both models lose while the map is shifted, in every city."""
ETA_ON_TIME = 0.9
RUN_SECONDS: dict[str, float] = {}

ETA_CONFIG = """\
  - name: eta
    owner: "@acme/arrivals"
    depends_on: location # its input is what location predicts
    wandb: {entity: acme, project: eta-prod, version: model_version, time: monitor/time}
    pagerduty: {routing_key: "${PAGERDUTY_ETA_KEY}", token: "${PAGERDUTY_TOKEN}", service: eta-model}
    github: {repository: acme/eta-model, labels: ["model:eta"]}
    rules:
      - name: on-time
        kind: business-metric
        metric: eval/on_time
        weight: eval/n
        better: higher
        window: 3h
        every: 1h
        baseline: {value: 0.90}
        tiers:
          error: {drop: 4%, do: [issue, page]}
"""
CONFIG = """\
  - name: location
    owner: "@acme/maps"
    wandb: {entity: acme, project: location-prod, version: model_version, time: monitor/time}
    pagerduty: {routing_key: "${PAGERDUTY_LOCATION_KEY}", token: "${PAGERDUTY_TOKEN}", service: location-model}
    github: {repository: acme/location-model, labels: ["model:location"]}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        better: higher
        window: 3h
        every: 1h
        baseline: {value: 0.941}
        segments: "eval/city=*/accuracy"
        tiers:
          warning: {drop: 2%, do: [issue]}
          error: {drop: 5%, do: [issue, page]}
"""

ETA = DemoModel("eta", ETA_CONFIG, ())
MODEL = DemoModel("location", CONFIG, (), downstream=ETA)


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of one model's service; ``loss``: what it loses while the map is shifted."""

    model: str
    time: float
    loss: float

    def metrics(self) -> dict[str, Any]:
        random = Random(f"{self.model}/{self.time:.0f}")  # noqa: S311 - a story, not a secret
        row: dict[str, Any] = {"monitor/time": self.time, "_timestamp": self.time}
        if self.model == ETA.name:
            return row | {
                "eval/on_time": _share(random, TRIPS_PER_HOUR, ETA_ON_TIME - self.loss),
                "eval/n": TRIPS_PER_HOUR,
            }
        right = 0.0
        for city, (share, accuracy) in CITIES.items():
            n = round(TRIPS_PER_HOUR * share)
            located = _share(random, n, accuracy - self.loss)
            row |= {f"eval/city={city}/accuracy": located, f"eval/city={city}/n": n}
            right += located * n
        return row | {"eval/accuracy": right / TRIPS_PER_HOUR, "eval/n": TRIPS_PER_HOUR}

    def inputs(self) -> Mapping[str, tuple[Any, Any]]:
        return {}


def _share(random: Random, n: int, chance: float) -> float:
    return sum(random.random() < chance for _ in range(n)) / n


def service_hours(model: str, start: float, until: float, broken: tuple[float, float]) -> Iterator[Hour]:
    """The hours that end after ``start``, up to ``until``; eta suffers an hour after location."""
    late, loss = (HOUR, ETA_FALL) if model == ETA.name else (0.0, FALL)
    for time in time_steps(start, until, HOUR):
        yield Hour(model, time, loss if broken[0] + late < time <= broken[1] + late else 0.0)


def run_story(story: Story, start: float) -> None:
    """From ``start`` (seconds, UTC, a full hour)."""
    story.version = "v4"
    shifted = start + HEALTHY_DAYS * DAY
    broken = (shifted, shifted + BROKEN_HOURS * HOUR)
    story.narrate(start, "location predicts where riders are; eta reads that, and depends on it", "")
    _log(story, start, shifted, broken)
    alarms = story.judge_only(story.pull(shifted), start + DAY, shifted, 6 * HOUR)
    story.narrate(shifted, f"judged every six hours: {story.evaluations} evaluations, {alarms} alerts", "green")
    story.narrate(shifted, "the provider of the maps shifts its coordinates, in every city at once", "dim")
    time = shifted
    while time < shifted + MAX_HOURS * HOUR and not story.is_over():
        until = time + STRETCH_HOURS * HOUR
        _log(story, time, until, broken)
        pulls = story.pull(until)
        for moment in time_steps(time, until, HOUR):
            if moment == broken[1]:
                story.narrate(moment, "the provider corrects its maps", "deploy")
            story.evaluate(pulls, moment)
        time = until


def _log(story: Story, start: float, until: float, broken: tuple[float, float]) -> None:
    story.environment.clock.now = until
    for model in (MODEL, ETA):
        hours = list(service_hours(model.name, start, until, broken))
        log_rows(ENTITY, model.project, story.version, hours, job=model.name)
