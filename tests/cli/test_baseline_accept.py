"""``modelwatch baseline accept``: what a rule sees now becomes its baseline, by one pull request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.config.loader import load_config
from modelwatch.model.rule import BaselineEntry
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.codec import from_bytes
from modelwatch.step_files import encode_baselines

from .world import BEGIN, HOUR, REPOSITORY, World

RULES = """\
version: 1
models:
  - name: churn
    owner: "@acme/growth-ml"
    table: {path: metrics.csv, version: version}
    github: {repository: acme/churn-model, people: [alice]}
    rules:
      - {name: accuracy, kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, window: 1h, every: 1h,
         baseline: {file: baselines/churn.json}, tiers: {error: {drop: 5%}}}
      - {name: other, kind: calibration, metric: eval/n, window: 1h, every: 1h, better: lower,
         baseline: {file: baselines/churn.json}, tiers: {error: {rise: 50%}}}
      - {name: moving, kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, baseline: {rolling: 28d},
         tiers: {error: {drop: 5%}}}
      - {name: constant, kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, baseline: {value: 0.92},
         tiers: {error: {drop: 5%}}}
      - {name: fixed, kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, tiers: {error: {below: 0.5}}}
"""


@pytest.fixture
def accepting(world: World) -> World:
    world.write("modelwatch.yml", RULES)
    entries = (BaselineEntry("eval/accuracy", (), 0.92, n=1e5), BaselineEntry("eval/n", (), 4000.0))
    world.write("baselines/churn.json", encode_baselines(entries))
    world.metrics(*[0.85] * 12)
    world.at(12)
    return world


def accept(world: World, rule: str, *more: str, because: str = "the new market is harder") -> Any:
    return world.run("baseline", "accept", "--model", "churn", "--rule", rule, "--because", because, *more)


def proposed(world: World, path: str = "baselines/churn.json") -> list[bytes]:
    """The file on the branch of each pull request."""
    repo = world.github.standin.state.repo(REPOSITORY)
    heads = [issue.pull.head for issue in repo.issues.items.values() if issue.pull]
    return [repo.git.files_at(head)[path] for head in heads]


def bodies(world: World) -> list[str]:
    repo = world.github.standin.state.repo(REPOSITORY)
    return [issue.body or "" for issue in repo.issues.items.values() if issue.pull]


def test_a_pull_request_changes_the_values_of_one_rule_and_says_why(accepting: World) -> None:
    ran = accept(accepting, "accuracy")
    assert (ran.code, ran.err) == (0, ""), ran.out
    assert "A new baseline of accuracy is proposed: http" in ran.out
    (content,) = proposed(accepting)
    values = {entry["name"]: entry["value"] for entry in json.loads(content)["entries"]}
    assert values == {"eval/accuracy": pytest.approx(0.85), "eval/n": 4000.0}
    (body,) = bodies(accepting)
    assert "Why: the new market is harder" in body
    assert "| `eval/accuracy` | 0.92 | 0.85 |" in body
    assert json.loads(accepting.read("baselines/churn.json"))["entries"][0]["value"] == 0.92


def test_it_is_proposed_once_until_the_file_changes(accepting: World) -> None:
    accept(accepting, "accuracy")
    accepting.at(13)
    ran = accept(accepting, "accuracy")
    assert (ran.code, "was proposed before: http" in ran.out) == (0, True)
    assert len(proposed(accepting)) == 1
    accepting.write("baselines/churn.json", proposed(accepting)[0].decode())
    accepting.metrics(*[0.8] * 13)
    assert accept(accepting, "accuracy", "--since", str(BEGIN), "--format", "json").json["pull_requests"][0]
    assert len(proposed(accepting)) == 2


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("acuracy", "has no rule 'acuracy'"),
        ("moving", "a rolling baseline takes a lasting change in after a while"),
        ("constant", "Write `baseline: {value: 0.85, n: 60000}`"),
        ("fixed", "compares with no baseline, only with fixed limits"),
    ],
)
def test_what_cannot_be_accepted_is_told_with_what_can_be_done(accepting: World, rule: str, told: str) -> None:
    ran = accept(accepting, rule)
    assert ran.code == 2
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert proposed(accepting) == []


def test_a_reason_and_a_period_are_needed(accepting: World) -> None:
    assert "--because is empty" in accept(accepting, "accuracy", because=" ").err
    swapped = accept(accepting, "accuracy", "--since", str(BEGIN + 5 * HOUR), "--until", str(BEGIN))
    assert (swapped.code, "--until is not later than --since" in swapped.err) == (2, True)
    empty = accept(accepting, "accuracy", "--since", str(BEGIN - 9 * HOUR), "--until", str(BEGIN - 8 * HOUR))
    assert (empty.code, "no finite points to capture in this period" in empty.err) == (2, True)


PROFILED = """\
version: 1
models:
  - name: churn
    owner: "@acme/growth-ml"
    table: {path: metrics.csv, version: version}
    github: {repository: acme/churn-model, people: [alice]}
    measure: {files: log.parquet, time: time, prediction: prediction, label: label, features: [age]}
    rules:
      - {name: mix, kind: label-drift, drift: labels/label, method: psi, every: 1d,
         baseline: {file: baselines/churn.npz}, tiers: {error: {above: 0.25}}}
"""


def table(rows: int, share: float, age: float, *, start: float = BEGIN, days: float = 2) -> pa.Table:
    rng = np.random.default_rng(1)
    labels = np.where(rng.random(rows) < share, "yes", "no")
    return pa.table(
        {
            "time": start + np.linspace(0, days * 24 * HOUR - 1, rows),
            "age": rng.normal(age, 5, rows),
            "prediction": labels,
            "label": labels,
        }
    )


def test_a_training_profile_keeps_every_column_but_the_labels(world: World, tmp_path: Path) -> None:
    """The inputs have changed, too, and stay what they were in the reference."""
    world.write("modelwatch.yml", PROFILED.replace("baseline: {file: baselines/churn.npz}", "baseline: {rolling: 28d}"))
    pq.write_table(table(2000, 0.2, 40.0), world.folder / "training.parquet")
    pq.write_table(table(1000, 0.5, 60.0), world.folder / "log.parquet")
    path = world.folder / "baselines/churn.npz"
    path.parent.mkdir(exist_ok=True)
    captured = world.run(
        *("baseline", "capture", "--model", "churn", "--from-table", "training.parquet"),
        *("--out", "baselines/churn.npz"),
    )
    assert captured.code == 0, captured.err
    before = from_bytes(path.read_bytes())[0].whole()
    world.write("modelwatch.yml", PROFILED)
    world.write("metrics.csv", f"time,version,labels/label/psi,labels/label/n\n{BEGIN + 48 * HOUR:.0f},v6,0.4,1000\n")
    world.at(49)
    ran = accept(world, "mix", "--since", str(BEGIN), "--until", str(BEGIN + 48 * HOUR))
    assert ran.code == 0, ran.err
    (content,) = proposed(world, "baselines/churn.npz")
    after, about = from_bytes(content)
    renewed = after.whole()
    label = renewed.columns["label"]
    assert isinstance(label, CategoricalProfile)
    assert label.n == 1000
    assert label.counts["yes"] / label.n == pytest.approx(0.5, abs=0.05)
    assert about["renewed"] == ["label"]
    age = renewed.columns["age"]
    np.testing.assert_array_equal(age.counts, before.columns["age"].counts)
    assert "| `label` | 2,000 cells | 1,000 cells |" in bodies(world)[0]
    path.write_bytes(content)
    assert load_config(world.folder / "modelwatch.yml", {}).models[0].rules[0].baseline.profile
