"""A drift rule from its configuration to the issue: a profile of the training set beside the last weeks."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelwatch import pipeline, series_jsonl
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.model.alert import AlertState, Group
from modelwatch.model.monitored_model import Config
from modelwatch.model.series import Histograms, PulledSeries
from modelwatch.report.explanation import drift_section, drift_text
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.codec import to_bytes
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.table import Profile, ProfileKey, TableProfile
from modelwatch.stats.profile.wandb_histogram import to_histogram
from modelwatch.timeutil import DAY
from tests.sources.builders import pull

NOW = 20_000 * DAY
DAYS = 45
CONFIG = """\
version: 1
models:
  - name: churn
    owner: "@acme/ml"
    table: {path: metrics.csv}
    rules:
      - name: features
        drift: "features/*"
        method: psi
        every: 1d
        baseline: [{file: train.npz}, {rolling: 28d}]
        tiers: {warning: {do: [issue]}, error: {do: [issue]}}
      - name: how-many
        drift: "features/*"
        method: psi
        every: 1d
        across: share
        baseline: {file: train.npz}
        tiers: {warning: {do: [issue]}}
"""


def profiled(mean: float, seed: int, size: int = 2000) -> NumericProfile:
    edges = choose_edges(np.random.default_rng(7).normal(size=20_000))
    return NumericProfile.of(np.random.default_rng(seed).normal(mean, 1.0, size), edges)


REFERENCE = profiled(0.0, 1, 20_000)


def daily(name: str, mean: Callable[[int], float]) -> Histograms:
    made = [to_histogram(profiled(mean(i), i + 50), REFERENCE) for i in reversed(range(DAYS))]
    found = [one for one in made if one is not None]
    return Histograms(
        "features",
        (("features", name),),
        array("d", [NOW - i * DAY for i in reversed(range(DAYS))]),
        tuple(array("d", edges) for edges, _ in found),
        tuple(array("d", counts) for _, counts in found),
        (),
        array("i", [-1] * DAYS),
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    columns = {"tenure": REFERENCE, "age": REFERENCE}
    (tmp_path / "train.npz").write_bytes(to_bytes(Profile({ProfileKey(): TableProfile(20_000, columns)})))
    (tmp_path / "metrics.csv").write_text("time,other\n2026-01-01,1\n", "utf-8")
    (tmp_path / "modelwatch.yml").write_text(CONFIG, "utf-8")
    return load_config(tmp_path / "modelwatch.yml", {})


def groups(config: Config) -> dict[str, Group]:
    """Everything through series.jsonl, as the steps of a workflow hand it on."""
    pulled = pull(config.models[0], NOW, env={})
    histograms = (daily("tenure", lambda i: 0.75 - i * 0.005), daily("age", lambda _: 0.0))
    whole = PulledSeries("churn", (), references=pulled.references, histograms=histograms)
    (back,) = series_jsonl.decode(series_jsonl.encode([whole], NOW), Path("series.jsonl"))
    return {group.rule: group for group in pipeline.judge(make_context(config, NOW), {"churn": back}).groups}


def test_creep_is_found_and_told_with_both_references(config: Config) -> None:
    group = groups(config)["features"]
    assert (group.state, [dict(alert.labels)["features"] for alert in group.alerts]) == (AlertState.FIRING, ["tenure"])
    told = drift_section(group.evidence)
    assert told.startswith("- `tenure`: mean −0.011 → 0.76; PSI 0.")
    assert "against the reference `train.npz`" in told
    assert told.endswith("against the 28 d up to a week before the window: it drifted slowly.")
    assert [dict(found.labels)["features"] for found in group.evidence.segments] == ["tenure", "age"]


def test_one_number_names_the_features_behind_it(config: Config) -> None:
    group = groups(config)["how-many"]
    assert [alert.labels for alert in group.alerts] == [()]
    assert group.alerts[0].finding.value == 0.5
    assert drift_text(group.evidence).startswith("1 of 2 features drifted, worst first: tenure: mean ")


def test_a_profile_that_is_gone_by_the_time_of_the_pull_is_told(config: Config, tmp_path: Path) -> None:
    (tmp_path / "train.npz").unlink()
    pulled = pull(config.models[0], NOW, env={})
    assert not pulled.error
    assert any("the reference profile train.npz cannot be read" in note for note in pulled.notes)
