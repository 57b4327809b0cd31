"""From a prediction log and outcomes to W&B's keys, and to the rules that watch an experiment."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from modelwatch import pipeline
from modelwatch.cli import group
from modelwatch.clients.retry import RetryPolicy
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.dashboard.business import business_view
from modelwatch.dashboard.collect import collect_live
from modelwatch.model.alert import AlertState
from modelwatch.model.experiment import BusinessOutcomesSpec, CohortsSpec
from modelwatch.model.monitored_model import WandbSpec
from modelwatch.model.plan import ModelObservation
from modelwatch.profiling.experiments import Reading, read_experiment
from modelwatch.profiling.measure import MeasureResult, measure
from modelwatch.stats.profile.codec import to_bytes
from modelwatch.targets.plan import make_plan
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn
from modelwatch.timeutil import DAY

from .tables import OUTCOMES, SPEC, START, analyse, cohort_values, model, simple_log, write
from .test_analysis import LATENCY

NOW = START + 20 * DAY + 3600


def lagged(n: int = 3000, seed: int = 1, effect: float = 1.0) -> tuple[dict[str, Any], dict[str, Any]]:
    """A log and outcomes that come after two days on average."""
    rng = np.random.default_rng(seed)
    log = simple_log(n, seed=seed, effect=effect, latency=rng.gamma(50, 2, n))
    paid = {"id": log["id"], "known": log["at"] + rng.exponential(2 * DAY, n), "revenue": log.pop("revenue")}
    return log, paid


def measured(folder: Path, log: dict[str, Any], paid: dict[str, Any], **changed: Any) -> MeasureResult:
    spec = replace(SPEC, guardrails=(LATENCY,), follow_up=5 * DAY)
    watched = model(folder, log, paid, experiments=(spec,), cohorts=CohortsSpec("revenue"), **changed)
    return measure(watched, NOW, {}, RetryPolicy(), folder)


def test_each_window_has_what_was_known_at_its_end(tmp_path: Path) -> None:
    log, paid = lagged()
    result = measured(tmp_path, log, paid)
    rows = {round((row.time - START) / DAY): row.scalars for row in result.rows}
    assert len(rows) == 20
    spec = replace(SPEC, guardrails=(LATENCY,), follow_up=5 * DAY)
    found = analyse(model(tmp_path / "again", log, paid), spec, START + 12 * DAY, tmp_path)
    effect, guardrail = found.newest.effects[0], found.newest.guardrails[0]
    scalars = rows[12]
    assert scalars["experiment/checkout/units"] == found.newest.units
    assert scalars["experiment/checkout/srm_p"] == found.srm_p
    for name in ("difference", "low", "high", "lift"):
        assert scalars[f"experiment/checkout/new/revenue/{name}"] == getattr(effect, name)
    assert scalars["experiment/checkout/new/latency/worst"] == guardrail.worst
    assert scalars["experiment/checkout/guardrails_breached"] == 0
    assert "experiment/checkout/new/revenue/low" not in rows[5], "nobody was followed for five days yet"


def test_the_values_of_cohorts_are_published_by_age(tmp_path: Path) -> None:
    log, paid = lagged()
    result = measured(tmp_path, log, paid, lag=5 * DAY)
    rows = {round((row.time - START) / DAY): row.scalars for row in result.rows}
    found = cohort_values(
        model(tmp_path / "b", log, paid, lag=5 * DAY), CohortsSpec("revenue"), START + 16 * DAY, tmp_path
    )
    mature = [curve for curve in found.curves if curve.is_mature][-1]
    assert rows[16]["cohorts/revenue/mature"] == pytest.approx(mature.values[-1])
    assert rows[16]["cohorts/revenue/day=3/value"] == pytest.approx(
        [curve for curve in found.curves if curve.end_of_ages >= 3 * DAY][-1].value_at(3 * DAY)
    )


def test_an_experiment_that_cannot_be_read_is_a_note_and_nothing_else_is_lost(tmp_path: Path) -> None:
    log, paid = lagged(300)
    log["arm"] = np.where(log["arm"] == "new", "newer", log["arm"])
    result = measured(tmp_path, log, paid)
    assert len(result.rows) == 20
    assert not any(key.startswith("experiment/") for row in result.rows for key in row.scalars)
    assert any("experiment 'checkout': " in note and "the arm 'newer'" in note for note in result.notes)


def test_nothing_is_published_of_a_part_of_the_rows(tmp_path: Path) -> None:
    log, paid = lagged(300)
    watched = model(tmp_path, log, paid, experiments=(SPEC,))
    profile = tmp_path / "churn.npz"
    profile.write_bytes(to_bytes(measure(watched, NOW, {}, RetryPolicy(), tmp_path).profile, {}))
    found = measure(watched, NOW, {}, RetryPolicy(), tmp_path, profiles=[profile])
    assert any("nothing is published of experiments and cohorts" in note for note in found.notes)
    assert not any(key.startswith("experiment/") for row in found.rows for key in row.scalars)


@pytest.mark.parametrize("is_table", [False, True])
def test_outcomes_from_wandb(wandb_server: Server[WandbStandIn], tmp_path: Path, is_table: bool) -> None:
    """A Parquet file in an artifact, or a table that was logged: the same as from a file."""
    log, paid = lagged(800)
    if is_table:
        cells = [[int(id), float(at), float(worth)] for id, at, worth in zip(*paid.values(), strict=True)]
        files = {"paid.table.json": json.dumps({"columns": list(paid), "data": cells}).encode()}
    else:
        write(tmp_path / "file", paid)
        files = {"paid.parquet": (tmp_path / "file/0.parquet").read_bytes()}
    wandb_server.standin.state.add_artifact("acme", "churn", "paid", files)
    table = BusinessOutcomesSpec("id", artifact="acme/churn/paid:latest", time="known")
    spec = replace(SPEC, follow_up=5 * DAY)
    watched = replace(model(tmp_path, log, table=table), wandb=WandbSpec("acme", "churn", base_url=wandb_server.url))
    reading = Reading(watched, {"WANDB_API_KEY": "k" * 40}, RetryPolicy(max_attempts=1), tmp_path / "scratch")
    found = read_experiment(reading, spec, NOW)
    expected = analyse(model(tmp_path / "b", log, paid, table=OUTCOMES), spec, NOW, tmp_path)
    assert found.looks == expected.looks


CONFIG = """
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn}
    github: {repository: acme/churn}
    measure: {files: log, id: id, time: at}
    business:
      experiments:
        - name: checkout
          start: 2026-10-01
          arm: arm
          arms: {control: 1, new: 1}
          control: control
          metrics: [{name: revenue, value: revenue}]
          guardrails: [{name: latency, value: latency, form: mean, better: lower, margin: 5%}]
    rules:
      - name: guardrails
        kind: business-metric
        metric: experiment/checkout/guardrails_breached
        every: 1d
        window: 1d
        aggregate: last
        tiers: {error: {above: 0, do: [issue]}}
      - name: sample-ratio
        kind: business-metric
        metric: "experiment/*/srm_p"
        better: higher
        every: 1d
        window: 1d
        aggregate: last
        tiers: {error: {below: 0.001, do: [issue]}}
"""


@pytest.mark.parametrize(
    ("slower", "lost", "expected"), [(0.0, 0.0, set()), (12.0, 0.0, {"guardrails"}), (0.0, 0.3, {"sample-ratio"})]
)
def test_rules_on_the_keys_open_an_issue(
    wandb_server: Server[WandbStandIn], tmp_path: Path, slower: float, lost: float, expected: set[str]
) -> None:
    log = simple_log(3000)
    rng = np.random.default_rng(2)
    log["latency"] = rng.gamma(50, 2, 3000) + slower * (log["arm"] == "new")
    keep = (log["arm"] == "control") | (rng.random(3000) >= lost)
    write(tmp_path / "log", {name: column[keep] for name, column in log.items()})
    path = tmp_path / "modelwatch.yml"
    path.write_text(CONFIG)
    options = ["--config", str(path), "--now", str(NOW)]
    done = CliRunner().invoke(group, ["measure", "--since", "2026-10-01", *options])
    assert done.exit_code == 0, done.output
    config = load_config(path, {})
    judgement = pipeline.evaluate(make_context(config, NOW)).judgement
    firing = {
        found.rule for found in judgement.groups if any(alert.state is AlertState.FIRING for alert in found.alerts)
    }
    assert firing == expected
    plan = make_plan(judgement, config, {"churn": ModelObservation("churn")}, NOW)
    assert {change.kind.name for change in plan.changes} == ({"OPEN_ISSUE"} if expected else set())


def test_the_dashboard_reads_and_shows_what_was_measured(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    """From the log to the business view, although no rule reads these keys."""
    log, paid = lagged()
    write(tmp_path / "log", log)
    write(tmp_path / "paid", paid)
    outcomes = "outcomes: {files: paid, id: id, time: known}\n      lag: 5d\n      cohorts: {value: revenue}\n      "
    text = CONFIG.replace("experiments:\n", f"{outcomes}experiments:\n", 1)
    text = (
        text[: text.index("    rules:")]
        + "    rules:\n      - {name: p, kind: latency, metric: x, tiers: {error: {above: 1}}}\n"
    )
    path = tmp_path / "modelwatch.yml"
    path.write_text(text)
    done = CliRunner().invoke(group, ["measure", "--since", "2026-10-01", "--config", str(path), "--now", str(NOW)])
    assert done.exit_code == 0, done.output
    config = load_config(path, {})
    (source,) = collect_live(make_context(config, NOW)).models
    view = business_view(source.read())
    shown = {panel.id for panel in (*view.critical, *view.others, *view.folded)}
    assert {"experiment--checkout", "experiment--checkout--new", "experiment--checkout--sample-ratio"} <= shown
    assert {"cohorts--revenue", "cohorts--revenue--mature"} <= shown
