"""DEPLOY.md says what each command gets, and its scripts do what they are told to."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from modelwatch.model.release import MoveState, MoveVerb
from modelwatch.release.command_variables import DEPRECATED_VARIABLES, PREFIX, VARIABLES, command_variables
from modelwatch.release.move_request import MoveRequest, build_intent, resolve_target

from .deploy_page import (
    CALLS,
    PAGE,
    START,
    calls,
    install_fakes,
    made,
    page_with,
    recorded_calls,
    run_script,
    scripts,
    state,
    variables_section,
)
from .world import World

SCRIPTS = scripts()
DEPLOYMENTS = [call for call in calls() if call.command in ("deploy", "degrade")]
UPDATE = "run `python -m tests.release.deploy_page --update`"


def serving(verb: MoveVerb, *earlier: MoveRequest, target: str = "", percent: float | None = None) -> str:
    """What must serve after ``verb``, when the ``earlier`` moves were made."""
    registry, variables = START, {}
    for request in (*earlier, MoveRequest(verb, target, percent=percent)):
        move = build_intent(request, registry, resolve_target(request, registry), "", float(len(registry.moves)))
        variables = command_variables(move, registry, 5.0)
        registry = made(registry, move)
    return variables["MODELWATCH_SERVING"]


CANARY = MoveRequest(MoveVerb.CANARY, "v3", percent=20.0)
DEGRADE = MoveRequest(MoveVerb.DEGRADE)


def test_the_page_lists_what_each_call_gets() -> None:
    assert PAGE.read_text("utf-8") == page_with(variables_section()), UPDATE
    known = {PREFIX + name for name in (*VARIABLES, *DEPRECATED_VARIABLES)}
    assert all(set(call.variables) == known for call in calls())


@pytest.mark.parametrize(
    ("verb", "earlier", "target", "expected"),
    [
        (MoveVerb.ABORT, [CANARY], "", "v2:100"),
        (MoveVerb.PROMOTE, [CANARY], "v1", "v1:100"),
        (MoveVerb.ROLLBACK, [CANARY], "v1", "v1:100"),
        (MoveVerb.DEGRADE, [CANARY], "", "fallback:100"),
        (MoveVerb.CANARY, [DEGRADE], "v3", "fallback:95 v3:5"),
        (MoveVerb.ABORT, [DEGRADE, CANARY], "", "fallback:100"),
        (MoveVerb.RESTORE, [DEGRADE, CANARY], "", "v2:80 v3:20"),
        (MoveVerb.PROMOTE, [DEGRADE], "v3", "v3:100"),
        (MoveVerb.ROLLBACK, [DEGRADE, CANARY], "v1", "v1:100"),
        (MoveVerb.RETRAIN, [CANARY], "", "v2:80 v3:20"),
        (MoveVerb.RETRAIN, [DEGRADE], "", "fallback:100"),
    ],
)
def test_what_serves_follows_from_all_that_was_moved(
    verb: MoveVerb, earlier: list[MoveRequest], target: str, expected: str
) -> None:
    assert serving(verb, *earlier, target=target) == expected


@pytest.mark.parametrize("percent", [0.1, 1e-7, 5.0, 7.5, 33.3, 99.99, 100.0])
def test_the_percents_sum_to_100_exactly(percent: float) -> None:
    text = serving(MoveVerb.CANARY, target="v3", percent=percent)
    (champion, rest), (canary, share) = (part.split(":") for part in text.split())
    assert (champion, canary) == ("v2", "v3")
    assert Decimal(rest) + Decimal(share) == 100
    assert "e" not in text.lower()


def test_the_scripts_call_what_was_recorded(tmp_path: Path) -> None:
    assert recorded_calls(tmp_path) == CALLS.read_text("utf-8"), UPDATE


@pytest.mark.parametrize("title", SCRIPTS)
def test_a_script_that_runs_twice_makes_the_same_true(title: str, tmp_path: Path) -> None:
    for call in DEPLOYMENTS:
        status, first = run_script(SCRIPTS[title], tmp_path, call.variables)
        once = state(tmp_path)
        status_again, second = run_script(SCRIPTS[title], tmp_path, call.variables)
        assert (status, status_again) == (0, 0), call.title
        assert state(tmp_path) == once, call.title
        assert len(second) <= len(first)


@pytest.mark.parametrize("title", SCRIPTS)
def test_a_script_refuses_to_serve_nothing(title: str, tmp_path: Path) -> None:
    status, told = run_script(SCRIPTS[title], tmp_path, {"MODELWATCH_SERVING": ""})
    assert status != 0
    assert told == []


@pytest.mark.parametrize("title", SCRIPTS)
def test_a_script_is_clean(title: str, tmp_path: Path) -> None:
    path = tmp_path / "serve.sh"
    path.write_text(SCRIPTS[title], "utf-8")
    shellcheck = Path(sys.executable).parent / "shellcheck"
    checked = subprocess.run([shellcheck, "--severity=style", path], capture_output=True, text=True)
    assert checked.stdout == ""
    assert checked.returncode == 0


FAILURES = [
    ("SageMaker", "create-endpoint-config"),
    ("SageMaker", "update-endpoint "),
    ("SageMaker", "wait endpoint-in-service"),
    ("SageMaker", "goes back"),
    ("KServe", "patch"),
    ("KServe", "wait"),
    ("Vertex AI", "describe"),
    ("Vertex AI", "deploy-model"),
    ("Vertex AI", "--traffic-split"),
    ("Kubernetes", "set image"),
    ("Kubernetes", "rollout status"),
    ("A file", "unwritable"),
]


@pytest.mark.parametrize(("title", "failing"), FAILURES)
def test_a_call_that_fails_fails_the_move(
    title: str, failing: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.folder / "serve.sh").write_text(SCRIPTS[title], "utf-8")
    for name, value in install_fakes(world.folder).items():
        monkeypatch.setenv(name, value)
    world.change(deploy="bash serve.sh")
    before = world.held()
    if failing == "goes back":
        monkeypatch.setenv("FAKE_GOES_BACK", "1")
    elif failing == "unwritable":
        (world.folder / "serving.txt.new").mkdir()
    else:
        monkeypatch.setenv("FAKE_FAILS", failing)
    failed = world.move(MoveVerb.PROMOTE, "v3")
    assert failed.state is MoveState.FAILED
    assert world.held() == before
    served = state(world.folder)
    assert not {"endpoint", "split", "serving.txt"} & set(served)
    if failing == "rollout status":
        assert served["image.deployment.churn"] == "registry.example.com/churn:v2\n"
        assert served["replicas.deployment.churn"] == "20\n"
