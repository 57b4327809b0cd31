"""A made-up fleet as the results of an evaluation: some models worsen, some are silent, the others are healthy."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelwatch import pipeline
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.model.series import Deployment, PulledSeries, Series
from modelwatch.step_files import write_file, write_series
from modelwatch.timeutil import DAY, HOUR

NOW = 1_795_478_400.0
"""2026-11-24 00:00 UTC"""
METRICS = ("accuracy", "precision", "recall", "auc", "latency_p95_ms", "error_rate")
HEAD = """\
version: 1
models:
"""
MODEL = """\
  - name: {name}
    owner: "{owner}"
    wandb: {{entity: acme, project: churn, runs: {{tags: production}}, version: model_version}}
    github: {{repository: acme/models}}
    rules:
"""
QUALITY = """\
      - name: {rule}
        kind: accuracy-drop
        metric: eval/{metric}
        weight: eval/n
        window: 24h
        every: 1h
        baseline: {{value: 0.9, n: 100000}}
        tiers: {{warning: {{drop: 2%}}, error: {{drop: 5%}}}}
"""
LATENCY = """\
      - name: {rule}
        kind: latency
        metric: eval/{metric}
        window: 24h
        every: 1h
        tiers: {{warning: {{above: 250}}, error: {{above: 400}}}}
"""
OWNERS = ("@acme/fraud", "@acme/search", "@acme/risk")


def write_fleet(
    folder: Path,
    models: int,
    *,
    rules: int = 12,
    days: int = 30,
    changed: Sequence[int] = (),
    silent: bool = True,
    names: Sequence[str] = (),
    now: float = NOW,
    worsens: bool = True,
    recovers: bool = False,
) -> Path:
    """Write ``modelwatch.yml`` and ``results/``; gives the path of the configuration. ``changed``: places of models
    whose points differ from those of another call. ``silent``: the source of some cannot be read.
    ``recovers``: what worsened three days ago became healthy again in the last day."""
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    path = folder / "modelwatch.yml"
    labels = [names[place] if place < len(names) else f"model-{place:03}" for place in range(models)]
    path.write_text(HEAD + "".join(map(_model_text, labels, range(models), [rules] * models)), "utf-8")
    pulls = tuple(
        PulledSeries(name, (), error="W&B does not answer: 503 Service Unavailable")
        if silent and place % 25 == 7
        else _pull(
            name,
            place,
            rules,
            days,
            now,
            seed=place + (10_000 if place in changed else 0),
            worsens=worsens,
            recovers=recovers,
        )
        for place, name in enumerate(labels)
    )
    context = make_context(load_config(path, os.environ), now)
    judgement = pipeline.judge(context, {pull.model: pull for pull in pulls})
    write_series(results / "series.jsonl", pulls, now)
    write_file(results / "alerts.json", judgement)
    return path


def _model_text(name: str, place: int, rules: int) -> str:
    text = MODEL.format(name=json_string(name), owner=OWNERS[place % len(OWNERS)])
    for number in range(rules):
        metric = f"{METRICS[number % len(METRICS)]}{number // len(METRICS) or ''}"
        shape = LATENCY if "latency" in metric else QUALITY
        text += shape.format(rule=metric.replace("_", "-"), metric=metric)
    return text


def json_string(text: str) -> str:
    import json

    return json.dumps(text)


def _pull(
    name: str, place: int, rules: int, days: int, now: float, seed: int, worsens: bool, recovers: bool
) -> PulledSeries:
    random = np.random.default_rng(seed)
    hours = days * 24
    times = array("d", (now - (hours - hour) * HOUR for hour in range(hours)))
    series = []
    for number in range(rules):
        metric = f"{METRICS[number % len(METRICS)]}{number // len(METRICS) or ''}"
        values = random.normal(200, 6, hours) if "latency" in metric else random.normal(0.9, 0.003, hours)
        if worsens and place % 10 == 3 and number == 0:
            values[-72 : -24 if recovers else None] *= 0.93
        if worsens and place % 10 == 5 and number == 1:
            values[-48:] *= 0.97
        weights = None if "latency" in metric else array("d", [1000.0] * hours)
        versions = ("v6", "v7")
        version_of = array("i", [0 if time < now - 10 * DAY else 1 for time in times])
        series.append(Series(f"eval/{metric}", (), times, array("d", values), weights, versions, version_of))
    deployments = (Deployment("v6", times[0]), Deployment("v7", now - 10 * DAY))
    return PulledSeries(
        name, tuple(series), deployments, links=(("run of today", "https://wandb.ai/acme/churn/runs/1"),)
    )
