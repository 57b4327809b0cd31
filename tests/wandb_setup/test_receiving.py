"""The workflows that an automation starts: in which group they wait, and that nothing of the event is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelwatch.model.wandb_setup import EVENT_TYPE
from modelwatch.testing.standins.github.expressions import interpolate

ROOT = Path(__file__).resolve().parents[2]
LISTENERS = (".github/workflows/scheduled.yml", "scripts/modelwatch/config/templates/monitor.yml")
EVALUATING = (*LISTENERS, ".github/workflows/monitor.yml", "actions/monitor/action.yml", "actions/shards/action.yml")
HOSTILE = {"model": "$(touch pwned)", "group": "mine", "dry-run": True}


def group(path: str, event: str, **more: Any) -> str:
    """The concurrency group of a workflow run, as GitHub computes it."""
    text = yaml.safe_load((ROOT / path).read_text("utf-8"))["concurrency"]["group"]
    github = {"repository": "acme/churn-model", "ref": "refs/heads/main", "run_id": 7, "event_name": event}
    github["event"] = {"action": EVENT_TYPE, "client_payload": HOSTILE}
    return interpolate(text, {"github": github, "inputs": more.get("inputs", {})})


@pytest.mark.parametrize("path", LISTENERS)
def test_an_event_waits_with_the_schedule_and_replaces_no_dry_run(path: str) -> None:
    assert group(path, "repository_dispatch") == group(path, "schedule")
    assert group(path, "workflow_dispatch", inputs={"dry-run": True}) != group(path, "schedule")


@pytest.mark.parametrize("path", LISTENERS)
def test_both_listen_to_this_event_alone(path: str) -> None:
    workflow = yaml.safe_load((ROOT / path).read_text("utf-8"))
    assert workflow[True]["repository_dispatch"] == {"types": [EVENT_TYPE]}


@pytest.mark.parametrize("path", EVALUATING)
def test_nothing_of_the_event_reaches_an_evaluation(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    assert "client_payload" not in text
    read = set(re.findall(r"github\.event\.([\w.]+)", text))
    assert read <= {"repository.default_branch"}
