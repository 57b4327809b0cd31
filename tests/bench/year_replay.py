"""A year of hourly points of 50 rules, replayed hour by hour; prints how long that took, as JSON.

Each month an incident of one to three days hits every tenth rule; a new version serves every 45 days.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from modelwatch.backtest.logged_history import history_of_rows
from modelwatch.backtest.replay import replay, replay_alerts
from modelwatch.backtest.result import Span
from modelwatch.config.loader import load_config
from modelwatch.timeutil import DAY, HOUR

RULES, BEFORE, DAYS = 50, 60, 365
SETTINGS = 5
"""Of one rule whose alerts are replayed."""
START = 20_000 * DAY
HEAD = """
version: 1
models:
  - name: churn
    wandb: {entity: a, project: b, version: model_version}
    github: {repository: a/b}
    pagerduty: {routing_key: "${KEY}"}
    workflows: {retrain: {file: retrain.yml, mode: act}}
    rules:
"""
ACCURACY = """kind: accuracy-drop, metric: eval/m{0}/accuracy, weight: eval/m{0}/n, baseline: {{rolling: 28d}},
        tiers: {{warning: {{drop: 2%, do: [issue]}}, error: {{drop: 5%, do: [issue, page, retrain]}}}}"""
LATENCY = """kind: latency, metric: ops/latency{0}, better: lower, baseline: {{rolling: 28d}},
        tiers: {{warning: {{rise: 10%, do: [issue]}}, error: {{rise: 30%, do: [issue, page]}}}}"""
ERRORS = """kind: error-rate, metric: ops/errors{0}, weight: ops/calls{0}, better: lower,
        tiers: {{warning: {{above: 12%, do: [issue]}}, error: {{above: 15%, do: [issue, page]}}}}"""
KINDS = (ACCURACY, ACCURACY, LATENCY, LATENCY, ERRORS)


def rows() -> Iterator[dict[str, object]]:
    random = np.random.default_rng(1)
    hours = (BEFORE + DAYS) * 24
    day = np.arange(hours) / 24
    columns = {}
    for rule in range(RULES):
        bad = np.zeros(hours)
        for number, first in enumerate(range(BEFORE + 10, BEFORE + DAYS, 30)):
            if number % 10 == rule % 10:
                bad[(day > first) & (day < first + 1 + number % 3)] = 1
        match rule % 5:
            case 0 | 1:
                columns[f"eval/m{rule}/accuracy"] = random.binomial(300, 0.92 - 0.06 * bad) / 300
                columns[f"eval/m{rule}/n"] = np.full(hours, 300.0)
            case 2 | 3:
                columns[f"ops/latency{rule}"] = 100 * np.exp(random.normal(0, 0.05, hours)) * (1 + 0.4 * bad)
            case _:
                columns[f"ops/errors{rule}"] = random.binomial(300, 0.08 + 0.08 * bad) / 300
                columns[f"ops/calls{rule}"] = np.full(hours, 300.0)
    for hour in range(hours):
        known = {key: float(column[hour]) for key, column in columns.items()}
        yield {**known, "_timestamp": START + hour * HOUR, "model_version": f"v{hour // (24 * 45)}"}


def main() -> None:
    rules = [f"      - {{name: rule{n}, {KINDS[n % 5].format(n)}}}" for n in range(RULES)]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "modelwatch.yml")
        place.write_text(HEAD + "\n".join(rules) + "\n", "utf-8")
        config = load_config(place, {"KEY": "k" * 32})
    model = config.models[0]
    history = history_of_rows(model, rows())
    span = Span(START + BEFORE * DAY, START + (BEFORE + DAYS) * DAY, HOUR)
    began = time.perf_counter()
    result = replay(config, {"churn": history}, span)
    whole = time.perf_counter() - began
    began = time.perf_counter()
    for number in range(SETTINGS):
        replay_alerts(replace(model, rules=(replace(model.rules[0], hold=2 + number),)), history, span)
    each = (time.perf_counter() - began) / SETTINGS
    figures = {"replay": whole, "setting": each, "episodes": len(result.episodes), "effects": len(result.effects)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
