"""``modelwatch init``: what it writes, and what it proposes for what W&B has logged."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.seed import seed_wandb
from modelwatch.testing.standins.wandb import WandbStandIn

from .world import BEGIN, HOUR, World

FILES = (
    ".github/workflows/modelwatch-commands.yml",
    ".github/workflows/modelwatch.yml",
    ".github/workflows/retrain.yml",
    ".github/workflows/rollback.yml",
    "modelwatch.yml",
    "runbooks/credit.md",
)


def test_what_it_writes_passes_the_check_and_a_second_time_is_kept(
    world: World, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("fresh")
    monkeypatch.chdir(folder)
    options = ("--model", "credit", "--entity", "acme", "--project", "credit", "--repository", "acme/credit")
    first = world.run("init", *options, "--owner", "@acme/risk", "--people", "ada", now=False)
    assert first.code == 0
    assert files(folder) == list(FILES)
    assert world.run("config", "check", now=False).code == 0
    (folder / "modelwatch.yml").write_text("mine")
    second = world.run("init", *options, "--people", "ada", now=False)
    assert second.out.count("kept ") == len(FILES)
    assert "modelwatch.yml was kept: list who may approve a rollback there" in second.out
    assert (folder / "modelwatch.yml").read_text() == "mine"


def test_the_backtest_of_pull_requests_is_written_on_request(world: World, tmp_path: Path) -> None:
    assert world.run("init", str(tmp_path / "new"), "--backtest", now=False).code == 0
    text = (tmp_path / "new/.github/workflows/modelwatch-backtest.yml").read_text("utf-8")
    document = yaml.safe_load(text)
    assert list(document[True]) == ["pull_request"]
    job = document["jobs"]["backtest"]
    assert job["permissions"] == {"contents": "read", "pull-requests": "write", "issues": "read"}
    assert "/.github/workflows/backtest.yml@" in job["uses"]


def test_the_weekly_scorecard_is_written_on_request(world: World, tmp_path: Path) -> None:
    assert world.run("init", str(tmp_path / "new"), "--scorecard", now=False).code == 0
    text = (tmp_path / "new/.github/workflows/modelwatch-scorecard.yml").read_text("utf-8")
    job = yaml.safe_load(text)["jobs"]["scorecard"]
    assert job["permissions"] == {"contents": "read", "issues": "write", "actions": "read"}
    assert "/actions/scorecard@" in job["steps"][-1]["uses"]


def test_the_deploy_command_to_fill_in_names_what_must_serve_and_fails(world: World, tmp_path: Path) -> None:
    assert world.run("init", str(tmp_path / "new"), "--release", now=False).code == 0
    script = tmp_path / "new/deploy.sh"
    env = {**os.environ, "MODELWATCH_SERVING": "v2:95 v3:5"}
    ran = subprocess.run([script], env=env, capture_output=True, text=True)
    assert ran.returncode == 1
    shares = ["version v2 must get 95 % of the traffic", "version v3 must get 5 % of the traffic"]
    assert ran.stdout.splitlines()[:2] == shares
    assert "deploys nothing yet" in ran.stdout
    shellcheck = Path(sys.executable).with_name("shellcheck")
    subprocess.run([shellcheck, "--severity=style", script], check=True)


@pytest.mark.parametrize(
    ("options", "people"),
    [
        (("--owner", "@ada"), "[ada]"),
        (("--owner", "@acme/risk"), "[]"),
        (("--owner", "@acme/risk", "--people", "ada", "--people", "@acme/sre"), '[ada, "@acme/sre"]'),
    ],
)
def test_who_may_approve(world: World, tmp_path: Path, options: tuple[str, ...], people: str) -> None:
    found = world.run("init", str(tmp_path / "new"), *options, now=False)
    assert found.code == 0
    assert f"people: {people} #" in (tmp_path / "new/modelwatch.yml").read_text()
    assert ("Nobody may approve" in found.out) == (people == "[]")


@pytest.mark.parametrize(
    ("remote", "repository"),
    [
        ("git@github.com:acme/credit.git", "acme/credit"),
        ("https://token@github.example.com/acme/credit", "acme/credit"),
        ("ssh://git@github.com/acme/credit.git", "acme/credit"),
        ("/srv/git/credit.git", "my-org/my-repo"),
        ("", "my-org/my-repo"),
    ],
)
def test_the_repository_is_that_of_the_remote(world: World, tmp_path: Path, remote: str, repository: str) -> None:
    folder = tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    if remote:
        subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", remote], check=True)
    assert world.run("init", str(folder), "--owner", "@ada", now=False).code == 0
    text = (folder / "modelwatch.yml").read_text()
    assert f"repository: {repository}\n" in text
    assert "token" not in text


def test_without_a_remote_the_repository_is_that_of_the_environment(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/churn-model")
    assert world.run("init", str(tmp_path / "new"), "--owner", "@ada", now=False).code == 0
    assert "repository: acme/churn-model\n" in (tmp_path / "new/modelwatch.yml").read_text()
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "clone")], check=True)
    remote = "https://github.com/acme/credit"
    subprocess.run(["git", "-C", str(tmp_path / "clone"), "remote", "add", "origin", remote], check=True)
    assert world.run("init", str(tmp_path / "clone"), "--owner", "@ada", now=False).code == 0
    assert "repository: acme/credit\n" in (tmp_path / "clone/modelwatch.yml").read_text()


def test_at_a_terminal_it_asks_who_may_approve(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"ada, @grace\n")
        command = [sys.executable, "-m", "modelwatch", "init", str(tmp_path), "--owner", "@acme/risk"]
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert "people: [ada, grace] #" in (tmp_path / "modelwatch.yml").read_text()
    assert "Nobody may approve" not in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--repository", "churn"), "`churn` is not a repository as owner/name."),
        (("--model", "a: b"), "`a: b` is not a name"),
        (("--model", "../up"), "`../up` is not a name"),
    ],
)
def test_what_could_not_be_read_is_not_written(
    world: World, tmp_path: Path, options: tuple[str, str], said: str
) -> None:
    found = world.run("init", str(tmp_path / "new"), *options, now=False)
    assert found.code == 2
    assert said in found.err
    assert "Nothing was written." in found.err
    assert not (tmp_path / "new").exists()


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def started(folder: Path) -> Any:
    (model,) = yaml.safe_load((folder / "modelwatch.yml").read_text())["models"]
    return model


def test_it_proposes_rules_for_what_is_logged_and_says_why(
    world: World, wandb_server: Server[WandbStandIn], tmp_path: Path
) -> None:
    """Entity, project, tag, version, count and segments are those of W&B."""
    seed_wandb(wandb_server.standin.state, "acme", BEGIN)
    ran = world.run("init", str(tmp_path / "new"), "--owner", "@ada", now=False)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[:5] == [
        "project: churn-prod, the only one of acme",
        "W&B: acme/churn-prod, 2 runs; chosen by names alone:",
        "  runs: those with the tag production, 2 of 2",
        "  version: model_version, from the config of the W&B runs",
        (
            "  rule accuracy: eval/accuracy by its name (accuracy-drop), counted by eval/n, "
            "segments eval/region=*/accuracy (apac, eu, na); drop of 2%, 5%, 10%"
        ),
    ]
    model = started(tmp_path / "new")
    assert model["name"] == "churn-prod"
    assert model["wandb"] == {
        "entity": "acme",
        "project": "churn-prod",
        "runs": {"tags": "production"},
        "version": "model_version",
    }
    (rule,) = model["rules"]
    assert (rule["metric"], rule["weight"], rule["segments"]) == ("eval/accuracy", "eval/n", "eval/region=*/accuracy")


def test_runs_of_training_are_neither_read_nor_watched(
    world: World, wandb_server: Server[WandbStandIn], tmp_path: Path
) -> None:
    state = wandb_server.standin.state
    row = {"_timestamp": BEGIN, "served/rmse": 3.0, "served/count": 50, "train/loss": 0.2}
    state.add_run("acme", "rent", "day", tags=["prod"], history=[row], created_at=BEGIN)
    state.add_run("acme", "rent", "sweep", tags=["sweep"], history=[{"loss": 1.0}], created_at=BEGIN)
    ran = world.run("init", str(tmp_path / "new"), "--owner", "@ada", "--model", "rent", now=False)
    assert "runs: those with the tag prod, 1 of 2" in ran.out
    assert "left out: train/loss, by name from training or validation" in ran.out
    assert "version: none, since no W&B run has one of model_version" in ran.out
    model = started(tmp_path / "new")
    assert "version" not in model["wandb"]
    assert model["wandb"]["runs"] == {"tags": "prod"}
    assert [(rule["metric"], rule["weight"], rule["interval"]) for rule in model["rules"]] == [
        ("served/rmse", "served/count", "normal")
    ]
    assert model["rules"][0]["tiers"]["warning"] == {"rise": "5%", "do": ["issue", "retrain"]}


def test_of_several_projects_none_is_guessed(world: World, wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    for name in ("churn", "fraud"):
        wandb_server.standin.state.add_project("acme", name)
    ran = world.run("init", str(tmp_path / "new"), now=False)
    assert ran.code == 2
    assert ran.err == "error: init: acme has 2 projects: churn, fraud. Give --project.\n"
    assert not (tmp_path / "new").exists()


def test_at_a_terminal_it_asks_which_project(world: World, wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    seed_wandb(wandb_server.standin.state, "acme", BEGIN)
    wandb_server.standin.state.add_project("acme", "fraud")
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"churn-prod\n")
        command = [sys.executable, "-m", "modelwatch", "init", str(tmp_path / "new"), "--owner", "@ada"]
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert "acme has 2 projects: churn-prod, fraud." in done.stdout
    assert started(tmp_path / "new")["wandb"]["project"] == "churn-prod"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "acme has no project yet: the rule in modelwatch.yml is an example."),
        (("--project", "nothing"), "W&B was not read: acme/nothing: W&B has no such project"),
        (("--project", "empty"), "W&B: acme/empty has no W&B run yet: the rule in modelwatch.yml is an example."),
        (("--project", "odd"), "rules: none, since no key has the name of a known metric"),
    ],
)
def test_where_nothing_can_be_proposed_the_example_is_written_and_called_one(
    world: World, wandb_server: Server[WandbStandIn], tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    if "empty" in options:
        wandb_server.standin.state.add_project("acme", "empty")
    if "odd" in options:
        wandb_server.standin.state.add_run("acme", "odd", "day", history=[{"x": 1.0}], created_at=BEGIN + HOUR)
    ran = world.run("init", str(tmp_path / "new"), "--owner", "@ada", *options, now=False)
    assert ran.code == 0, ran.err
    assert said in ran.out
    assert started(tmp_path / "new")["rules"][0]["metric"] == "eval/accuracy"


def test_a_key_that_is_refused_is_reported(world: World, wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    wandb_server.standin.state.keys = frozenset({"x" * 40})
    ran = world.run("init", str(tmp_path / "new"), "--owner", "@ada", now=False)
    assert ran.code == 0
    assert ran.out.startswith("W&B was not read: ")
    assert "refuses the API key (HTTP 401)" in ran.out
    assert started(tmp_path / "new")["rules"][0]["metric"] == "eval/accuracy"


def test_without_a_key_it_says_that_it_did_not_ask(world: World, tmp_path: Path) -> None:
    ran = world.run("init", str(tmp_path / "new"), "--owner", "@ada", now=False)
    assert ran.out.startswith("W&B was not asked, since WANDB_API_KEY is not set")
    assert ran.out.endswith("Next: set the secret WANDB_API_KEY, then `modelwatch doctor`.\n")


def test_a_configuration_that_is_kept_asks_nothing(
    world: World, wandb_server: Server[WandbStandIn], tmp_path: Path
) -> None:
    (tmp_path / "modelwatch.yml").write_text("mine")
    assert world.run("init", str(tmp_path), "--owner", "@ada", now=False).code == 0
    assert wandb_server.requests == []


def test_as_json(world: World, wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    seed_wandb(wandb_server.standin.state, "acme", BEGIN)
    folder = tmp_path / "new"
    first = world.run("init", str(folder), "--owner", "@ada", "--format", "json", now=False).json
    assert f"{folder}/modelwatch.yml" in first["written"]
    assert first["kept"] == []
    assert "version: model_version, from the config of the W&B runs" in first["choices"]
    assert first["next"] == ["Next: `modelwatch doctor`."]
    second = world.run("init", str(folder), "--owner", "@ada", "--model", "churn-prod", "--format", "json", now=False)
    assert second.json["kept"] == first["written"]


OPTIONS = {
    "watchdog": ("--watchdog",),
    "drill": ("--drill",),
    "backtest": ("--backtest",),
    "scorecard": ("--scorecard",),
    "pages": ("--dashboard", "pages"),
    "release": ("--release",),
}
NAMES = ("--model", "credit", "--entity", "acme", "--project", "credit", "--repository", "acme/credit", "--owner", "@a")


@pytest.mark.parametrize("first", ["", "drill", "release"])
@pytest.mark.parametrize("second", OPTIONS)
def test_a_second_call_fits_or_says_what_the_kept_files_lack(
    world: World, tmp_path: Path, first: str, second: str
) -> None:
    """Every line that one call with both options writes is there after two, or is said, or its file is."""
    one, two = OPTIONS.get(first, ()), OPTIONS[second]
    assert world.run("init", str(tmp_path / "one"), *NAMES, *one, *two, now=False).code == 0
    assert world.run("init", str(tmp_path / "two"), *NAMES, *one, now=False).code == 0
    said = world.run("init", str(tmp_path / "two"), *two, now=False)
    assert said.code == 0
    for name in files(tmp_path / "one"):
        text = (tmp_path / "two" / name).read_text("utf-8")
        if f"{name} was kept; these options write another one" in said.out:
            assert second == "release"
            assert name.endswith(("/retrain.yml", "/rollback.yml"))
            continue
        lines = (line.partition(" #")[0].strip() for line in (tmp_path / "one" / name).read_text("utf-8").splitlines())
        missing = [line for line in lines if line and not line.startswith("#") and line not in text]
        (advice,) = [line for line in said.out.splitlines() if line.startswith(f"{name} was kept: add ")] or [""]
        assert bool(advice) == bool(missing), (name, missing)
        assert all(f"`{line}`" in advice for line in missing), (name, missing)


def test_what_a_kept_file_has_in_another_style_is_not_missing(world: World, tmp_path: Path) -> None:
    assert world.run("init", str(tmp_path / "new"), *NAMES, now=False).code == 0
    path = tmp_path / "new/modelwatch.yml"
    text = path.read_text("utf-8")
    path.write_text(text + "\n# watchdog: later\n", "utf-8")
    lacking = world.run("init", str(tmp_path / "new"), "--watchdog", now=False)
    assert "modelwatch.yml was kept: add `watchdog: {workflow: modelwatch-watchdog.yml, every: 1h}`." in lacking.out
    path.write_text(text + "\nwatchdog:\n  every: 2h\n  workflow: mine.yml\n", "utf-8")
    assert "was kept: add" not in world.run("init", str(tmp_path / "new"), "--watchdog", now=False).out


def test_it_names_every_secret_that_the_workflows_need(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "PAGERDUTY_ROUTING_KEY", "PAGERDUTY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    ran = world.run("init", str(tmp_path / "new"), *NAMES, "--drill", "--watchdog", now=False)
    names = "WANDB_API_KEY, PAGERDUTY_ROUTING_KEY, PAGERDUTY_TOKEN and DRILL_GITHUB_TOKEN"
    assert f"Next: set the secrets {names}" in ran.out
    assert (
        "TOKEN, and in the secret MODELWATCH_SECRETS the line DRILL_ROUTING_KEY=..., then `modelwatch doctor`."
        in ran.out
    )
    staging = yaml.safe_load((tmp_path / "new/staging.yml").read_text("utf-8"))["models"][0]
    assert staging["owner"] == "@a"
