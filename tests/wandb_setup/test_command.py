"""`modelwatch wandb`: what it prints, what it refuses, its exit codes; and the page that explains it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from modelwatch.cli import group
from modelwatch.runbooks.check import command_problem, split_commands
from modelwatch.testing.standins.faults import Fault
from tests.wandb_setup.world import World, run

PAGE = (Path(__file__).resolve().parents[2] / ".github/INSIDE-WANDB.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return [token.content for token in MarkdownIt().parse(PAGE) if token.type == "fence" and token.info == language]


def test_a_plan_is_printed_with_a_digest_that_applies_exactly_it(world: World) -> None:
    told = run("plan", "--config", str(world.path))
    assert told.code == 0, told.err
    (digest,) = re.findall(r"^digest ([0-9a-f]{16}):", told.out, re.MULTILINE)
    assert "mean of 5 values of eval/accuracy at most 0.855" in " ".join(told.out.split())
    world.replace("{above: 250,", "{above: 300,")
    refused = run("apply", "--digest", digest, "--config", str(world.path))
    assert refused.code == 2
    assert "nothing was done" in refused.err
    assert world.mutations() == []
    world.replace("{above: 300,", "{above: 250,")
    done = run("apply", "--digest", digest, "--config", str(world.path))
    assert done.code == 0, done.err
    assert f"view churn: {world.server.url}/acme/churn-prod?nw=" in done.out
    again = run("apply", "--config", str(world.path))
    assert (again.code, "No changes needed: W&B matches the configuration." in again.out) == (0, True)


def test_without_consent_nothing_is_done(world: World) -> None:
    told = run("apply", "--config", str(world.path))
    assert told.code == 2
    assert "the plan needs consent" in told.err
    assert world.mutations() == []


def test_as_json_the_plan_and_what_came_of_it_are_data(world: World) -> None:
    plan = json.loads(run("plan", "--format", "json", "--config", str(world.path)).out)
    assert {change["kind"] for change in plan["changes"]} == {"view", "report", "automation"}
    done = json.loads(run("apply", "--yes", "--format", "json", "--config", str(world.path)).out)
    assert done["digest"] == plan["digest"]
    assert {receipt["result"] for receipt in done["receipts"]} == {"done"}
    assert set(done["addresses"]) == {"view churn", "report churn"}
    again = json.loads(run("plan", "--format", "json", "--config", str(world.path)).out)
    assert again["changes"] == []
    assert {"kind": "view", "name": "churn"} in again["same"]


def test_what_was_changed_by_hand_ends_with_exit_code_4_until_it_is_forced(world: World) -> None:
    run("apply", "--yes", "--config", str(world.path))
    world.view().display_name = "mine"
    told = run("plan", "--config", str(world.path))
    assert told.code == 4
    assert "refused: view churn: somebody changed it in W&B. `--force` replaces it" in " ".join(told.out.split())
    forced = run("plan", "--force", "--config", str(world.path))
    assert forced.code == 0
    assert "title: mine → modelwatch: churn" in forced.out
    (digest,) = re.findall(r"apply --force --digest ([0-9a-f]{16})", forced.out)
    assert run("apply", "--force", "--digest", digest, "--config", str(world.path)).code == 0
    assert world.view().display_name == "modelwatch: churn"


def test_a_webhook_that_is_missing_says_what_a_person_must_do(world: World) -> None:
    world.state.automations.webhooks.clear()
    told = run("plan", "--config", str(world.path))
    assert told.code == 4
    text = " ".join(told.out.split())
    assert "Team Settings → Webhooks, with the address https://api.github.com/repos/acme/churn-model/dispatches" in text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("wandb: {entity: acme, project: churn-prod", "wandb: {entity: acme, project: gone"), "no such project"),
        (("    github: {repository: acme/churn-model}\n", ""), "there is no name to mark"),
    ],
)
def test_a_mistake_is_one_paragraph(world: World, change: tuple[str, str], problem: str) -> None:
    world.replace(*change)
    told = run("plan", "--config", str(world.path))
    assert told.code == 2
    assert problem in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(("status", "code"), [(401, 3), (403, 3), (500, 3)])
def test_a_server_that_refuses_or_is_down_is_exit_code_3(world: World, status: int, code: int) -> None:
    world.server.inject(Fault("status", path="graphql", status=status, times=-1))
    told = run("plan", "--config", str(world.path))
    assert told.code == code, told.err
    assert f"HTTP {status}" in told.err


def test_a_slow_server_ends_the_command_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWATCH_TIMEOUT_SCALE", "0.05")
    world.server.inject(Fault("hang", path="graphql", seconds=60.0, times=-1, text="SavedViews"))
    told = run("plan", "--config", str(world.path))
    assert told.code == 3, told.err
    world.server.faults.clear()


def test_a_key_that_may_only_read_plans_and_says_what_it_lacks(world: World) -> None:
    world.server.inject(Fault("status", path="graphql", status=403, times=-1, text="upsertView"))
    assert run("plan", "--config", str(world.path)).code == 0
    told = run("apply", "--yes", "--config", str(world.path))
    assert told.code == 4
    text = " ".join(told.out.split())
    assert "may write to the project; that of a read-only account may not" in text
    assert "6 failed" in text or "7 failed" in text


def test_without_the_extra_nothing_is_done(world: World) -> None:
    code = "import sys; sys.modules['wandb_workspaces'] = None; from modelwatch.cli import main; main(sys.argv[1:])"
    env = {**os.environ, "HOME": str(world.folder)}
    words = [sys.executable, "-c", code, "wandb", "apply", "--yes", "--config", str(world.path)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "wandb_workspaces is not installed. Install it with" in done.stderr
    assert "modelwatch[workspaces]" in done.stderr
    assert world.mutations() == []


def test_only_the_default_branch_is_applied(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"repository": {"default_branch": "main"}}')
    for name, value in {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "workflow_dispatch",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REF": "refs/heads/other",
    }.items():
        monkeypatch.setenv(name, value)
    told = run("apply", "--yes", "--config", str(world.path))
    assert told.code == 2
    assert world.mutations() == []


def test_the_example_of_the_page_is_made_and_its_commands_parse(world: World) -> None:
    (example,) = (text for text in blocks("yaml") if text.startswith("version: 1"))
    world.write(example)
    assert run("apply", "--yes", "--config", str(world.path)).code == 0
    assert world.automation_names() == ["modelwatch churn: accuracy", "modelwatch churn: latency"]
    commands = [line for text in blocks("") for line in text.splitlines() if line.startswith("modelwatch ")]
    assert len(commands) == 2
    for line in commands:
        assert [command_problem(argv, group) for argv in split_commands(line.partition("#")[0])] == [""]


def test_the_trigger_of_the_page_is_that_of_our_workflows() -> None:
    (trigger,) = (text for text in blocks("yaml") if text.startswith("on:"))
    root = Path(__file__).resolve().parents[2]
    for path in (".github/workflows/scheduled.yml", "scripts/modelwatch/config/templates/monitor.yml"):
        text = re.sub(r" +#.*", "", (root / path).read_text("utf-8"))
        assert trigger.strip() in text


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "[red]x[/red]", "a\nb\u202ec", "::error::x"])
def test_what_people_wrote_in_wandb_is_printed_as_one_harmless_line(world: World, text: str) -> None:
    run("apply", "--yes", "--config", str(world.path))
    world.view().display_name = text
    world.automation("latency").name = text
    for words in (("plan",), ("plan", "--force")):
        told = run(*words, "--config", str(world.path))
        assert "\x1b" not in told.out
        assert "\u202e" not in told.out
        assert not any(line.startswith("::") for line in told.out.splitlines())
    assert (text in told.out) == (text in ("[red]x[/red]", "::error::x"))
