"""What the pages on security say is so: permissions, the recipe without a relay, the bill of materials."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelwatch.inbound.payload import parse_payload
from modelwatch.model.alert import group_key
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server

from .relay.world import FILE, REPOSITORY, WORKFLOW, call

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PAGE = (ROOT / ".github/SECURITY.md").read_text("utf-8")
FIELDS = {
    "incident.id": "Q2EXAMPLE",
    "incident.created_at": "2026-11-22T09:00:00Z",
    "workflow.started_by.id": "PUSER1",
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.name for path in WORKFLOWS])
def test_the_page_has_the_permissions_of_every_job(path: Path) -> None:
    row = re.search(rf"^\| `{re.escape(path.name)}` \| (.*) \|$", PAGE, re.MULTILINE)
    assert row, f"{path.name} is missing"
    told = dict(part.split(": ", 1) for part in row[1].split("; "))
    jobs = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)["jobs"]  # noqa: S506 - it makes nothing but text
    assert {
        name: ", ".join(f"`{scope}: {level}`" for scope, level in job["permissions"].items()) or "none"
        for name, job in jobs.items()
    } == told


def recipe() -> str:
    found = re.search(r"```json incident-workflow\n(.*?)```", (ROOT / ".github/RELAY.md").read_text("utf-8"), re.DOTALL)
    assert found
    return found[1]


def filled(values: dict[str, str]) -> str:
    """As PagerDuty fills it in: by pasting."""
    return re.sub(r"\{\{([^}]+)\}\}", lambda field: values[field[1]], recipe())


@pytest.fixture
def github() -> Iterator[tuple[Server[GitHubStandIn], str]]:
    standin = GitHubStandIn()
    standin.state.add_repo(REPOSITORY, files={f".github/workflows/{WORKFLOW}": FILE})
    with Server(standin) as server:
        yield server, standin.state.add_token("recipe", {"contents": "write"})


def test_the_recipe_without_a_relay_is_what_github_takes(github: tuple[Server[GitHubStandIn], str]) -> None:
    """GitHub's published limits: event_type of 1 to 100 characters, at most 10 keys, under 64 KB, nothing else."""
    server, token = github
    body = json.loads(filled(FIELDS))
    assert set(body) == {"event_type", "client_payload"}
    assert 1 <= len(body["event_type"]) <= 100
    assert len(body["client_payload"]) <= 10
    assert len(json.dumps(body["client_payload"])) < 64 * 1024
    url = f"{server.url}/repos/{REPOSITORY}/dispatches"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "User-Agent": "pagerduty"}
    assert call(url, filled(FIELDS).encode(), headers).status == 204
    (run,) = server.standin.state.repo(REPOSITORY).runs.items.values()
    assert run.title == "PagerDuty incident.workflow.started wf-Q2EXAMPLE-retrain"


def test_the_recipe_without_a_relay_is_what_we_take() -> None:
    found = parse_payload(json.loads(filled(FIELDS))["client_payload"])
    assert (found.verb, found.incident, found.agent, found.by_person) == ("retrain", "Q2EXAMPLE", "PUSER1", True)
    assert found.key == "", "it is looked up by the incident's id"
    assert len(group_key("a", "b")) == 16


def test_the_recipe_is_schema_checked_by_githubs_own_description() -> None:
    """The request body of `POST /repos/{owner}/{repo}/dispatches` as GitHub publishes it."""
    import jsonschema

    published: dict[str, Any] = {
        "type": "object",
        "required": ["event_type"],
        "properties": {
            "event_type": {"type": "string", "minLength": 1, "maxLength": 100},
            "client_payload": {"type": "object", "additionalProperties": True, "maxProperties": 10},
        },
    }
    jsonschema.validate(json.loads(filled(FIELDS)), published)


def test_the_bill_of_materials_has_everything_that_is_locked() -> None:
    path = ROOT / ".ci/sbom.py"
    spec = importlib.util.spec_from_file_location("sbom", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    bill = module.bill(ROOT, ROOT / "requirements.txt")
    locked = re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    assert [(one["name"], one["version"]) for one in bill["components"]] == locked
    assert all(one["properties"] for one in bill["components"]), "each with the hashes of its files"
    assert bill["metadata"]["component"]["name"] == "modelwatch"


def steps_of(name: str) -> dict[str, list[str]]:
    """By job: what its steps run, and the actions that they use."""
    text = (ROOT / ".github/workflows" / name).read_text("utf-8")
    jobs = yaml.load(text, Loader=yaml.BaseLoader)["jobs"]  # noqa: S506 - it makes nothing but text
    return {job: [step.get("run", step.get("uses", "")) for step in found["steps"]] for job, found in jobs.items()}


def test_dependencies_are_audited_with_every_change_every_week_and_before_a_release() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    assert {"push", "pull_request", "schedule"} <= yaml.load(text, Loader=yaml.BaseLoader)["on"].keys()  # noqa: S506
    assert "make audit" in steps_of("ci.yml")["audit"]
    assert "make audit wheel sbom" in "".join(steps_of("release.yml")["build"])


def test_a_release_is_attested_before_it_is_published_and_needs_no_token_of_pypi() -> None:
    jobs = steps_of("release.yml")
    attested = next(
        at for at, step in enumerate(jobs["publish"]) if step.startswith("actions/attest-build-provenance@")
    )
    assert attested < next(at for at, step in enumerate(jobs["publish"]) if "gh release create" in step)
    assert "--verify-tag" in "".join(jobs["publish"]), "of a tag that exists, and is not made by the way"
    assert "--trusted-publishing always" in "".join(jobs["pypi"])
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text("utf-8")


@pytest.mark.parametrize(("answer", "code"), [("true", 0), ("false", 2)])
def test_an_audit_that_proves_nothing_fails_and_says_so(answer: str, code: int) -> None:
    """Every file is asked for, also after one that failed."""
    command = ["make", "--old-file", ".tools/audit/installed", "audit", f"AUDIT={answer}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stdout.count("requirements") == 5
    told = re.findall(r"^(\S+) is not proven free of known weaknesses", done.stderr, re.MULTILINE)
    assert len(told) == (5 if code else 0)
