"""A perfect version counts as healthy, however few predictions there are, and a bad one never does."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
import pytest

from modelwatch.alerts.version_health import judge_versions
from modelwatch.config.loader import load_config
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.monitored_model import Model
from modelwatch.model.series import Deployment, Labels, PulledSeries, Series
from modelwatch.report.rollback_choice import choose_rollback_target
from modelwatch.timeutil import DAY, HOUR

NOW = 20_000 * DAY
HOURS = 60 * 24
FIRST, SECOND = 48 * 24, 48 * 24 + 10 * 24
"""Hours after which v2 and v3 were deployed; v1 served before."""
REGIONS = (("eu", 0.5), ("us", 0.3), ("na", 0.2))
VERSIONS = ("v1", "v2", "v3")
PER_HOUR = 50
GOOD, BAD = 0.92, 0.77
WORLDS = 60

CONFIG = """
version: 1
models:
  - name: churn
    table: {{path: metrics.csv, version: version}}
    {options}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        {weight}
        window: {window}
        every: 1h
        baseline: {{rolling: 28d}}
        segments: "eval/region=*/accuracy"
        tiers: {{warning: {{drop: 2%}}, error: {{drop: 5%}}, critical: {{drop: 10%}}}}
"""
SETTINGS = {
    "as `init` writes it": {"window": "24h"},
    "every window decided alone": {"window": "24h", "options": "false_alarms: off"},
    "windows of an hour": {"window": "1h", "options": "false_alarms: off"},
    "without counts": {"window": "24h", "weight": ""},
}


def configured(tmp_path: Path, setting: str) -> Model:
    values = {"options": "", "weight": "weight: eval/n"} | SETTINGS[setting]
    path = tmp_path / "modelwatch.yml"
    path.write_text(CONFIG.format(**values))
    return load_config(path, {}).models[0]


def world(seed: int, bad: dict[str, tuple[int, int]]) -> PulledSeries:
    """v1, v2 and v3 in turn; ``bad``: by region the hours in which accuracy is low. v3 is bad everywhere."""
    rng = np.random.default_rng(seed)
    hours = np.arange(HOURS)
    times = NOW - (HOURS - 1 - hours) * HOUR
    version = (hours >= FIRST).astype(int) + (hours >= SECOND)
    parts: list[tuple[Labels, np.ndarray, np.ndarray]] = []
    for region, share in REGIONS:
        rows = rng.poisson(PER_HOUR * share, HOURS)
        since, until = bad.get(region, (0, 0))
        low = (hours >= SECOND) | ((hours >= since) & (hours < until))
        parts.append(((("region", region),), rows, rng.binomial(rows, np.where(low, BAD, GOOD))))
    parts.insert(0, ((), np.sum([rows for _, rows, _ in parts], axis=0), np.sum([hits for *_, hits in parts], axis=0)))
    series = []
    for labels, rows, hits in parts:
        some = rows > 0
        at, values, counts = (
            array("d", column[some].astype(float)) for column in (times, hits / np.maximum(rows, 1), rows)
        )
        series.append(Series("eval/accuracy", labels, at, values, counts, VERSIONS, array("i", version[some].tolist())))
    starts = (times[0], times[FIRST], times[SECOND])
    return PulledSeries("churn", tuple(series), tuple(map(Deployment, VERSIONS, map(float, starts))))


def chosen(model: Model, pull: PulledSeries) -> str:
    health = judge_versions(pull.deployments, evaluate_model(model, pull, NOW).tracks)
    return choose_rollback_target(None, "v3", health).target


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_version_before_is_found_in_every_world(setting: str, tmp_path: Path) -> None:
    model = configured(tmp_path, setting)
    assert [chosen(model, world(seed, {})) for seed in range(WORLDS)] == ["v2"] * WORLDS


EVERYWHERE = {region: (FIRST, SECOND) for region, _ in REGIONS}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(EVERYWHERE, id="as long as it served"),
        pytest.param({region: (SECOND - 72, SECOND) for region, _ in REGIONS}, id="in its last three days"),
        pytest.param({"us": (FIRST, SECOND)}, id="for one region"),
    ],
)
def test_a_bad_version_is_never_chosen(setting: str, bad: dict[str, tuple[int, int]], tmp_path: Path) -> None:
    model = configured(tmp_path, setting)
    assert "v2" not in {chosen(model, world(seed, bad)) for seed in range(10)}
