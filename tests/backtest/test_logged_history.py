"""What was known then: rows by the time when they were logged, and the registry without what came later."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch.backtest.logged_history import history_of_rows, pull_history, registry_as_of
from modelwatch.backtest.result import Span
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.model.release import Move, MoveState, MoveVerb, Registry, Version
from modelwatch.model.series import PulledSeries
from modelwatch.timeutil import DAY, HOUR

from .live import pull
from .random_histories import START, random_history

MODEL = """
version: 1
models:
  - name: churn
    SOURCE
    history: 5d
    rules:
      - {name: static, kind: accuracy-drop, metric: eval/accuracy, better: higher, tiers: {warning: {below: 90%}}}
"""


def facts(pulled: PulledSeries) -> tuple[object, ...]:
    series = [(s.name, s.labels, s.times, list(map(str, s.values)), s.weights, s.versions, s.version_of)
              for s in pulled.series]  # fmt: skip
    histograms = [(h.name, h.labels, h.times, h.edges, h.counts, h.version_of) for h in pulled.histograms]
    return series, histograms, pulled.deployments, pulled.starts


@pytest.mark.parametrize("seed", [2, 7, 12])
def test_it_is_what_a_source_gave_then(seed: int, tmp_path: Path) -> None:
    logged = random_history(seed, tmp_path)
    for model in logged.config.models:
        history = history_of_rows(model, logged.rows[model.name])
        for day in (11.3, 25.0, 31.71, 41.0):
            now = START + day * DAY
            assert facts(history.as_of(now)) == facts(pull(model, logged.rows[model.name], now)), day


def test_a_value_that_was_logged_again_is_seen_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "modelwatch.yml").write_text(MODEL.replace("SOURCE", "wandb: {entity: a, project: b, time: at}"))
    model = load_config(tmp_path / "modelwatch.yml", {}).models[0]
    rows = [
        {"at": START, "_timestamp": START + HOUR, "eval/accuracy": 0.9},
        {"at": START, "_timestamp": START + 5 * HOUR, "eval/accuracy": 0.5},
    ]
    history = history_of_rows(model, rows)
    seen = [[list(one.values) for one in history.as_of(START + hours * HOUR).series] for hours in (0, 1, 4, 5, 9)]
    assert seen == [[], [[0.9]], [[0.9]], [[0.5]], [[0.5]]]


def test_a_table_is_read_once_for_a_whole_span(tmp_path: Path) -> None:
    lines = [f"{START + hour * HOUR:.0f},{0.9 + hour / 1e4}" for hour in range(24 * 20)]
    (tmp_path / "metrics.csv").write_text("\n".join(["time,eval/accuracy", *lines]) + "\n")
    (tmp_path / "modelwatch.yml").write_text(MODEL.replace("SOURCE", f"table: {{path: {tmp_path}/metrics.csv}}"))
    config = load_config(tmp_path / "modelwatch.yml", {})
    span = Span(START + 12 * DAY, START + 19 * DAY, HOUR)
    history = pull_history(make_context(config, START + 20 * DAY, {}), span)["churn"]
    assert history.error == ""
    (seen,) = history.as_of(span.since).series
    assert seen.times[-1] == span.since
    assert seen.times[0] <= span.since - 5 * DAY
    (tmp_path / "metrics.csv").unlink()
    failed = pull_history(make_context(config, START + 20 * DAY, {}), span)["churn"]
    assert "metrics.csv" in failed.error
    assert failed.as_of(span.since).error == failed.error


VERSIONS = (
    Version("v3", ("production", "3.0.0"), "c", START + 9 * DAY),
    Version("v2", ("previous",), "b", START + 2 * DAY),
    Version("v1", (), "a", START),
)


def move(key: str, verb: MoveVerb, target: str, day: float, **more: object) -> Move:
    known = Move(key, verb, "churn", "", target, "because", "ana", START + day * DAY, state=MoveState.DONE)
    return replace(known, ended=START + day * DAY + HOUR, **more)  # type: ignore[arg-type]


REGISTRY = Registry(
    "churn",
    "a/b/churn",
    VERSIONS,
    (
        move("c", MoveVerb.PROMOTE, "v3", 10, before=(("production", "v2"), ("previous", "v1"))),
        move("b", MoveVerb.PROMOTE, "v2", 3, before=(("production", "v1"), ("previous", ""))),
        move("a", MoveVerb.PROMOTE, "v1", 1, before=(("production", ""),)),
    ),
)


@pytest.mark.parametrize(
    ("day", "versions", "production", "previous", "ended"),
    [
        (0.5, ["v1"], "", "", []),
        (1.01, ["v1"], "", "", [False]),
        (2.5, ["v2", "v1"], "v1", "", [True]),
        (5, ["v2", "v1"], "v2", "v1", [True, True]),
        (9.5, ["v3", "v2", "v1"], "v2", "v1", [True, True]),
        (10.01, ["v3", "v2", "v1"], "v2", "v1", [False, True, True]),
        (11, ["v3", "v2", "v1"], "v3", "v2", [True, True, True]),
    ],
)
def test_a_registry_has_nothing_that_came_later(
    day: float, versions: list[str], production: str, previous: str, ended: list[bool]
) -> None:
    then = registry_as_of(REGISTRY, START + day * DAY)
    assert [version.name for version in then.versions] == versions
    holders = [then.holder(alias) for alias in ("production", "previous")]
    assert [holder.name if holder else "" for holder in holders] == [production, previous]
    assert [one.state.ended for one in then.moves] == ended
    assert array("d", (one.at for one in then.moves)) == array("d", sorted((m.at for m in then.moves), reverse=True))
