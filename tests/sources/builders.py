"""Models and W&B histories that the tests of sources share."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from modelwatch.clients.wandb import WandbSessions
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model, TableSpec, WandbSpec
from modelwatch.model.rule import Rule
from modelwatch.model.series import PulledSeries, Series
from modelwatch.sources.pull import MODEL_WORKERS, pull_all
from modelwatch.testing.standins.http import RecordedRequest, Server
from modelwatch.testing.standins.wandb import WandbStandIn
from modelwatch.timeutil import DAY, HOUR

NOW = 1_780_000_000.0

Wandb = Server[WandbStandIn]


def rule(metric: str = "eval/accuracy", **changes: Any) -> Rule:
    return Rule(
        name=changes.pop("name", "accuracy"), kind="accuracy-drop", metric=KeyPattern(metric), tiers=(), **changes
    )


def model(*rules: Rule, name: str = "churn", history: float = 30 * DAY, **wandb: Any) -> Model:
    spec = WandbSpec(**{"entity": "acme", "project": "churn", **wandb})
    return Model(name, rules or (rule(),), wandb=spec, history=history)


def table_model(path: str, *rules: Rule, **spec: str) -> Model:
    return Model("churn", rules or (rule(),), table=TableSpec(path, **spec))


def sessions(env: Mapping[str, str] | None = None) -> WandbSessions:
    """``env``: by default that of this process."""
    return WandbSessions(os.environ if env is None else env)


def pull(
    model: Model, now: float, *, workers: int = MODEL_WORKERS, env: Mapping[str, str] | None = None
) -> PulledSeries:
    return pull_all([model], now, sessions(env), workers=workers)[model.name]


def hourly(begin: float, count: int, **cells: Any) -> list[dict[str, Any]]:
    """Rows an hour apart from ``begin`` on; by default an accuracy that says which row it is."""
    return [{"_timestamp": begin + i * HOUR, "eval/accuracy": i / 1000, **cells} for i in range(count)]


def series_of(pull: PulledSeries, name: str = "eval/accuracy", **labels: str) -> Series:
    assert pull.error == ""
    wanted = tuple(sorted(labels.items()))
    return next(series for series in pull.series if (series.name, series.labels) == (name, wanted))


def points(series: Series) -> dict[float, float]:
    return dict(zip(series.times, series.values, strict=True))


def versions(series: Series) -> list[str]:
    return [series.versions[place] if place >= 0 else "" for place in series.version_of]


def operations(server: Wandb) -> list[tuple[str, Mapping[str, Any]]]:
    """``(operation, variables)`` of every GraphQL request, in order."""
    return [_operation(request) for request in server.requests if request.path == "/graphql"]


def counts(server: Wandb) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, _ in operations(server):
        found[name] = found.get(name, 0) + 1
    return found


def _operation(request: RecordedRequest) -> tuple[str, Mapping[str, Any]]:
    asked = json.loads(request.body)
    name = asked["query"].replace("#graphql", "").strip().removeprefix("query").split("{")[0].split("(")[0].strip()
    return name, asked.get("variables") or {}
