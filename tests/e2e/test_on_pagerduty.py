"""The receiving workflow under act: an event takes effect, its duplicate stands down, a forged one is mere text."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime
from typing import Any

from modelwatch.model.alert import group_key
from modelwatch.testing.standins.github.records import WorkflowRun as Recorded
from tests.e2e.test_monitor import Scene, config, model, scene
from tests.e2e.workplace import REPOSITORY, ROOT, WorkflowRun

__all__ = ["scene"]
FILE = ".github/workflows/on-pagerduty.yml"
WORKFLOW = (ROOT / FILE).read_text("utf-8")


def payload(**fields: Any) -> dict[str, Any]:
    """As the relay sends it."""
    incident = {
        "id": "PINC1",
        "number": 7,
        "status": "triggered",
        "key": group_key("churn", "latency"),
        "service": "P1",
    }
    plain: dict[str, Any] = {
        "schema": 1, "id": "01EVENT", "type": "incident.triggered", "incident": incident, "verb": "",
        "occurred_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "agent": {"type": "none", "id": ""},
    }  # fmt: skip
    return plain | fields


def dispatch(scene: Scene, given: dict[str, Any]) -> Recorded:
    """The relay's request; the workflow run that GitHub makes of it."""
    repo = scene.github.standin.state.repo(REPOSITORY)
    token = scene.github.standin.state.add_token("relay", {"contents": "write"})
    body = json.dumps({"event_type": "pagerduty", "client_payload": given}).encode()
    url = f"{scene.github.url}/repos/{REPOSITORY}/dispatches"
    asked = urllib.request.Request(url, body, {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 204
    return max(repo.runs.items.values(), key=lambda run: run.id)


def start(scene: Scene, run: Recorded, given: dict[str, Any]) -> WorkflowRun:
    reference = f"{REPOSITORY}/{FILE}@refs/heads/main"
    scene.workplace.env |= {"GITHUB_RUN_ID": str(run.id), "GITHUB_WORKFLOW_REF": reference}
    return scene.workplace.start("on-pagerduty.yml", "repository_dispatch", action="pagerduty", client_payload=given)


def test_an_event_takes_effect_once(scene: Scene) -> None:
    state = scene.github.standin.state
    state.add_file(state.repo(REPOSITORY), FILE, WORKFLOW)
    scene.log_latency("churn", 900.0)
    scene.workplace.variables["MODELWATCH_CONFIG"] = "modelwatch.yml"
    scene.workplace.write({"modelwatch.yml": config(model("churn", "churn")), FILE: WORKFLOW})
    first, second = dispatch(scene, payload()), dispatch(scene, payload())
    told = start(scene, second, payload())
    assert told.code == 0, told.told
    assert told.outputs["receive"]["done"] == "duplicate"
    assert scene.issues() == []
    told = start(scene, first, payload())
    assert told.code == 0, told.told
    assert told.outputs["receive"]["done"] == "refresh", told.told
    assert len(scene.issues()) == 1
    assert scene.incidents() == ["triggered"]
    (change,) = scene.pagerduty.standin.state.change_events
    assert change.event["links"][0]["href"] == told.outputs["receive"]["issue"]

    hostile = payload(id="01OTHER", verb="$(touch pwned)", type="x`touch pwned`\n::add-mask::a")
    told = start(scene, dispatch(scene, hostile), hostile)
    assert told.code != 0
    assert told.outputs["receive"]["exit-code"] == "2", told.told
    assert not list(scene.workplace.folder.rglob("pwned"))
    assert not [text for command, text in told.commands if command == "add-mask" and text == "a"]
