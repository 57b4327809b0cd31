"""What holds for the repository as a whole: its layout, its locks, its workflows and its composite actions."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis.internal.conjecture import providers

from modelwatch.distribution import PIN, SLUG
from modelwatch.targets.register.client import LABEL

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / "actions").glob("*/action.yml"))
TOP = {
    ".ci", ".github", ".gitignore", "LICENSE", "Makefile", "README.md", "actions", "pyproject.toml",
    "requirements-dashboard.txt", "requirements-dev.txt", "requirements-profiling.txt", "requirements.txt", "runbooks",
    "scripts", "tests",
}  # fmt: skip
UNTRUSTED = re.compile(r"\$\{\{")


def read(path: Path) -> Any:
    """YAML as GitHub reads it: `on` is a word."""
    return yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but text


def ids(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def steps(path: Path) -> Iterator[dict[str, Any]]:
    document = read(path)
    for part in [document["runs"]] if "runs" in document else document["jobs"].values():
        yield from part.get("steps", [])


def uses(path: Path) -> Iterator[str]:
    """Every action and workflow that a file uses, with its comment."""
    for line in path.read_text("utf-8").splitlines():
        if found := re.match(r"\s*(?:- )?uses:\s*(.+)", line):
            yield found[1]


def tracked() -> list[str]:
    told = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in told.stdout.split("\0") if name]


def test_the_top_level_holds_what_the_design_says_and_nothing_else() -> None:
    there = {name.split("/")[0] for name in tracked()}
    assert there <= TOP
    assert there >= TOP - {"runbooks"}


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-profiling.txt", "requirements-dashboard.txt", "requirements-dev.txt"]
)
def test_lock_files_have_a_hash_for_everything_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[\w.\[\]-]+==[\w.+!]+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_npm_lock_has_a_hash_for_everything_and_no_address() -> None:
    import json

    lock = json.loads((ROOT / ".ci/npm/package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())


def test_what_runs_is_locked_to_the_same_versions_as_what_is_tested() -> None:
    def versions(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))

    test = versions("requirements-dev.txt")
    for lock in ("requirements.txt", "requirements-profiling.txt", "requirements-dashboard.txt"):
        run = versions(lock)
        assert {name: test.get(name) for name in run} == run
    assert versions("requirements.txt").items() <= versions("requirements-profiling.txt").items()
    assert versions("requirements-profiling.txt").items() <= versions("requirements-dashboard.txt").items()


def test_every_dependency_of_the_package_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = {
        name.lower() for name in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    }
    assert locked & {"pyarrow", "duckdb", "scikit-learn"} == set()
    # The actions cannot know before they have an environment whether the configuration has `messages:`.
    for requirement in project["dependencies"] + project["optional-dependencies"]["messages"]:
        assert re.match(r"[\w.-]+", requirement)[0].lower() in locked  # type: ignore[index]


def test_there_are_workflows_and_actions() -> None:
    assert {path.stem for path in WORKFLOWS} >= {"ci", "monitor", "release", "scheduled"}
    assert {path.stem for path in WORKFLOWS} >= {"retrain", "canary", "promote", "rollback", "degrade", "commands"}
    asked = {
        "monitor",
        "pull-metrics",
        "evaluate",
        "raise-incident",
        "open-issue",
        "dispatch-workflow",
        "send-messages",
    }
    assert {path.parent.name for path in ACTIONS} >= asked


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids(WORKFLOWS))
def test_a_workflow_grants_nothing_at_the_top_and_each_job_what_it_needs(path: Path) -> None:
    document = read(path)
    assert document["permissions"] == {}
    for name, job in document["jobs"].items():
        assert "permissions" in job, name
        for scope, level in job["permissions"].items():
            assert level in ("read", "write"), f"{name}: {scope}"
            line = rf"^\s+{scope}: {level} # \S"
            assert re.search(line, path.read_text(), re.MULTILINE), f"{name}: say why it needs {scope}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids(WORKFLOWS))
def test_a_workflow_is_never_cancelled(path: Path) -> None:
    """A cancelled evaluation may leave half of its changes to the next; a cancelled rollback is worse."""
    concurrency = read(path)["concurrency"]
    assert concurrency["group"]
    assert concurrency["cancel-in-progress"] == "false"


def test_the_reusable_workflow_and_its_caller_do_not_wait_for_each_other() -> None:
    groups = [
        read(ROOT / ".github/workflows" / name)["concurrency"]["group"] for name in ("monitor.yml", "scheduled.yml")
    ]
    assert groups[0].split("-$")[0] != groups[1].split("-$")[0]
    assert "inputs.config" in groups[0]
    assert "github.repository" in groups[0]


def test_evaluations_wait_for_each_other_where_that_loses_nothing() -> None:
    """GitHub drops the older of two that wait in one group: an evaluation for a later one, but no event, and none for a
    dry run or for a comment that starts no evaluation."""
    folder = ROOT / ".github/workflows"
    monitor, commands, events = (
        read(folder / f"{name}.yml")["concurrency"]["group"] for name in ("monitor", "commands", "on-pagerduty")
    )
    starter = read(ROOT / "scripts/modelwatch/config/templates/monitor.yml")["concurrency"]["group"]
    begins = " ".join(read(folder / "commands.yml")["jobs"]["answer"]["if"].split())
    assert commands == monitor.replace(
        "inputs.dry-run && github.run_id || github.ref", f"{begins} && github.ref || github.run_id"
    )
    assert starter.replace("modelwatch.yml", "${{ inputs.config }}") == monitor
    assert "client_payload.id" in events


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids(WORKFLOWS))
def test_a_job_ends_some_day(path: Path) -> None:
    document = read(path)
    asked = document["on"].get("workflow_call", {}) if isinstance(document["on"], dict) else {}
    for name, job in document["jobs"].items():
        limit = job.get("timeout-minutes", "60")
        if limit == "${{ inputs.timeout-minutes }}":  # a training takes as long as it takes
            limit = asked["inputs"]["timeout-minutes"]["default"]
        assert "uses" in job or ("timeout-minutes" in job and int(limit) <= 60), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids(WORKFLOWS))
def test_a_matrix_does_not_stop_at_its_first_failure(path: Path) -> None:
    """One model's failure never hides another's result."""
    for name, job in read(path)["jobs"].items():
        if "strategy" in job:
            assert job["strategy"]["fail-fast"] == "false", name


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids(WORKFLOWS))
def test_a_schedule_is_off_the_full_hour(path: Path) -> None:
    on = read(path)["on"]
    for entry in on.get("schedule", []) if isinstance(on, dict) else []:
        assert entry["cron"].split()[0] not in ("*", "0", "00", "30"), entry


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids(WORKFLOWS))
def test_no_workflow_is_started_by_strangers_with_rights(path: Path) -> None:
    on = read(path)["on"]
    assert set(on if isinstance(on, dict | list) else [on]).isdisjoint(
        {"pull_request_target", "workflow_run", "issue_comment"}
    )


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=ids([*WORKFLOWS, *ACTIONS]))
def test_nothing_is_pasted_into_a_script(path: Path) -> None:
    """Values reach bash through `env:` only."""
    for step in steps(path):
        assert not UNTRUSTED.search(step.get("run", "")), step
        assert "GITHUB_ENV" not in step.get("run", "")
        assert "GITHUB_PATH" not in step.get("run", "")
    if path in ACTIONS:
        assert all(step["shell"] == "bash" for step in steps(path) if "run" in step)


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=ids([*WORKFLOWS, *ACTIONS]))
def test_whatever_is_used_is_pinned_by_commit(path: Path) -> None:
    for used in uses(path):
        if used.startswith("./"):
            assert path in WORKFLOWS, "a composite action would look in the caller's workspace"
            continue
        name, _, comment = used.partition(" # ")
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name), used
        assert name.startswith(f"{SLUG}/") or re.fullmatch(r"v\d+\.\d+\.\d+", comment), f"say which version: {used}"


def test_one_commit_of_an_action_everywhere() -> None:
    seen: dict[str, set[str]] = {}
    for path in [*WORKFLOWS, *ACTIONS, *(ROOT / "scripts/modelwatch/config/templates").glob("*.yml")]:
        for used in uses(path):
            if "@" in used and "__" not in used:
                seen.setdefault(used.partition("@")[0], set()).add(used)
    assert {name: found for name, found in seen.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=ids([*WORKFLOWS, *ACTIONS]))
def test_no_checkout_leaves_its_token_behind(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"


def test_our_workflows_use_our_actions_at_the_commit_of_the_release() -> None:
    ours = [
        used for path in WORKFLOWS for used in uses(path) if "/actions/" in used and not used.startswith("actions/")
    ]
    assert len(ours) >= 3
    for used in ours:
        name, _, commit = used.partition("@")
        assert name.removeprefix(f"{SLUG}/actions/") in {path.parent.name for path in ACTIONS}, used
        assert commit == PIN, "run make pin"
    done = subprocess.run([sys.executable, ROOT / ".ci/pin.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run make pin: {done.stdout}"


def test_the_pinned_commit_has_the_actions_that_are_used() -> None:
    """Where history is there (a clone of depth 1 has none): the release's first commit holds what the second names."""
    there = subprocess.run(["git", "cat-file", "-e", f"{PIN}^{{commit}}"], cwd=ROOT, capture_output=True, check=False)
    if there.returncode == 0:
        told = subprocess.run(
            ["git", "ls-tree", "-r", "--name-only", PIN], cwd=ROOT, capture_output=True, text=True, check=True
        )
        held = told.stdout.splitlines()
        assert {f"actions/{name}/action.yml" for name in ("monitor", "shards", "gather")} <= set(held)
    assert re.fullmatch("[0-9a-f]{40}", PIN)


def test_our_address_stands_in_one_place() -> None:
    """Elsewhere only what `make pin` rewrites: `uses:` lines."""
    wrong = []
    for name in tracked():
        if name.endswith((".py", ".sh", ".yml", ".toml", "Makefile")) and name != "scripts/modelwatch/distribution.py":
            lines = (ROOT / name).read_text("utf-8").splitlines() if (ROOT / name).is_file() else []
            wrong += [f"{name}: {line.strip()}" for line in lines if SLUG in line and "uses:" not in line]
    assert wrong == []


@pytest.mark.parametrize("path", ACTIONS, ids=ids(ACTIONS))
def test_an_action_is_documented_thin_and_alike(path: Path) -> None:
    document = read(path)
    assert document["name"].startswith("modelwatch: ")
    assert document["description"].endswith(".")
    for name, given in document["inputs"].items():
        assert given["description"].rstrip().endswith("."), name
        assert given["required"] in ("true", "false"), name
        assert ("default" in given) == (given["required"] == "false"), name
    for name, given in document["outputs"].items():
        assert given["description"].rstrip().endswith("."), name
        assert given["value"] == f"${{{{ steps.run.outputs.{name} }}}}"
    assert [step.get("id", "cache") for step in document["runs"]["steps"]] == ["environment", "cache", "run"]


@pytest.mark.parametrize("path", ACTIONS, ids=ids(ACTIONS))
def test_an_action_hands_on_every_input_it_documents(path: Path) -> None:
    document = read(path)
    text = "\n".join(str(step.get("env", {})) for step in document["runs"]["steps"])
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(document["inputs"])


def test_the_actions_that_read_logs_and_no_others_install_the_extra_profiling() -> None:
    """In the step that names the environment and in the one that makes it. The others need it for a `table:` alone,
    which the first step looks for."""
    extras = {path.parent.name: [step.get("env", {}).get("MW_EXTRA") for step in steps(path)] for path in ACTIONS}
    measuring = {"measure-predictions", "score-holdout", "validate-candidate"}
    assert {name for name, found in extras.items() if found == ["profiling", None, "profiling"]} == measuring
    assert [name for name, found in extras.items() if found == ["dashboard", None, "dashboard"]] == ["build-dashboard"]
    measuring.add("build-dashboard")
    told = [None, None, "${{ steps.environment.outputs.extra }}"]
    configured = {path.parent.name for path in ACTIONS if "config" in read(path)["inputs"]} - measuring
    assert {name for name, found in extras.items() if found == told} == configured
    assert all(found == [None, None, None] for name, found in extras.items() if name not in measuring | configured)


@pytest.mark.parametrize("path", sorted((ROOT / "actions/_lib").iterdir()), ids=lambda path: path.name)
def test_the_shell_below_the_actions_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 60


def test_nothing_is_left_undone_in_the_open() -> None:
    """Unfinished work belongs in the tracker; a test that is skipped proves nothing."""
    words = re.compile(
        "|".join(["TO" + "DO", "FIX" + "ME", r"\bNotImplemented" + "Error", "pytest.mark." + "skip", "x" + r"fail\b"])
    )
    wrong = []
    for name in tracked():
        path = ROOT / name
        if path.suffix in (".py", ".sh", ".yml", ".md") and path.is_file() and words.search(path.read_text("utf-8")):
            wrong.append(name)
    assert wrong == []


def test_only_a_command_of_somebody_who_belongs_to_the_repository_starts_a_runner() -> None:
    """Before anything is installed, in our workflow and in the one that `init` writes."""
    ours = read(ROOT / ".github/workflows/commands.yml")["jobs"]["answer"]["if"]
    assert read(ROOT / "scripts/modelwatch/config/templates/commands.yml")["jobs"]["answer"]["if"] == ours
    assert ours.split("\n")[0].split(" && ")[:4] == [
        "github.event.issue.pull_request == null",
        f"contains(github.event.issue.labels.*.name, '{LABEL}')",
        "startsWith(github.event.comment.body, '/modelwatch')",
        "github.event.comment.user.type != 'Bot'",
    ]
    assert "github.event.comment.author_association" in ours


def test_examples_do_not_depend_on_what_is_imported() -> None:
    """Hypothesis draws constants from modules: a property test failed for whoever had other modules loaded."""
    assert len(providers._get_local_constants()) == 0
