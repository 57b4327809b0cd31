"""``modelwatch baseline propose``: once the promoted version has served long enough, and once."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch.cli import main
from modelwatch.cli.baseline import serving_since
from modelwatch.model.release import Move, MoveState, MoveVerb, Registry, Version
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from tests.release.world import World, open_world

REPOSITORY = "acme/churn"
HOUR = 3600.0
CONFIG = """\
version: 1
models:
  - name: churn
    table: {path: rows.csv, version: version}
    github: {repository: acme/elsewhere}
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}"}
    release: {artifact: acme/train/churn, canary: {length: 24h}, deploy: "true"}
    rules:
      - {name: accuracy, kind: accuracy-drop, metric: accuracy, weight: n, window: 1h, tiers: {critical: {below: 0.5}}}
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path / "wandb") as opened:
        opened.renew(tmp_path)
        yield opened


@pytest.fixture
def propose(world: World, github_server: Server[GitHubStandIn], monkeypatch: pytest.MonkeyPatch) -> Propose:
    state = github_server.standin.state
    state.add_repo(REPOSITORY)
    monkeypatch.chdir(world.folder)
    given = {
        "GITHUB_TOKEN": state.add_token(), "GITHUB_API_URL": github_server.url, "GITHUB_REPOSITORY": REPOSITORY,
        "MODELWATCH_WAIT_SCALE": "0.001",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for name in ("GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "PAGERDUTY_ROUTING_KEY"):
        monkeypatch.delenv(name, raising=False)
    (world.folder / "modelwatch.yml").write_text(CONFIG)
    return Propose(world, github_server)


class Propose:
    """The command, so many hours after v3 was promoted."""

    def __init__(self, world: World, github: Server[GitHubStandIn]) -> None:
        self.world, self.github = world, github

    def __call__(self, hours: float, out: str = "baselines/churn.json") -> tuple[int, str]:
        rows = ["time,accuracy,n,version"]
        for hour in range(-48, int(hours) + 1):
            old = hour < 0
            at = self.world.now + hour * HOUR
            rows.append(f"{at},{0.9 if old else 0.95},1000,{'v2' if old else 'v3'}")
        (self.world.folder / "rows.csv").write_text("\n".join(rows) + "\n")
        told, code = io.StringIO(), 0
        with redirect_stdout(told), redirect_stderr(told):
            try:
                main(["baseline", "propose", "--out", out, "--now", str(self.world.now + hours * HOUR)])
            except SystemExit as ended:
                code = int(ended.code or 0)
        return code, told.getvalue()

    def files(self) -> list[dict[str, object]]:
        """The entries that each pull request proposes."""
        repo = self.github.standin.state.repo(REPOSITORY)
        heads = [issue.pull.head for issue in repo.issues.items.values() if issue.pull]
        return [json.loads(repo.git.files_at(head)["baselines/churn.json"])["entries"][0] for head in heads]


def test_the_baseline_waits_until_the_version_has_served_and_is_proposed_once(world: World, propose: Propose) -> None:
    world.move(MoveVerb.PROMOTE, "v3")
    code, told = propose(1)
    assert (code, propose.files()) == (0, []), told
    assert "1.2.0 (v3) has served 1.0 of 24 h: its baseline waits." in told
    code, told = propose(30)
    assert code == 0, told
    (entry,) = propose.files()
    assert (entry["value"], entry["version"]) == (0.95, "v3")
    for hours in (30, 40):
        code, told = propose(hours)
        assert code == 0
        assert "was proposed before: " in told
    assert len(propose.files()) == 1
    (pull,) = propose.github.standin.state.repo(REPOSITORY).issues.items.values()
    assert "| `accuracy` |  | 0.95 |" in (pull.body or "")
    _, _, doubts = (pull.body or "").partition("### Before you merge")
    assert "whether an incident lies in the period is not known, since issues cannot be read" in doubts


def test_one_that_was_merged_is_not_proposed_again_and_one_that_serves_anew_is(world: World, propose: Propose) -> None:
    world.move(MoveVerb.PROMOTE, "v3")
    propose(30)
    branch = next(name for name in propose.github.standin.state.repo(REPOSITORY).git.branches if name != "main")
    (world.folder / "baselines").mkdir()
    merged = propose.github.standin.state.repo(REPOSITORY).git.files_at(branch)["baselines/churn.json"]
    (world.folder / "baselines/churn.json").write_bytes(merged)
    code, told = propose(48)
    assert code == 0
    assert "baselines/churn.json holds the baseline of 1.2.0 (v3) already." in told
    world.now += 72 * HOUR
    world.move(MoveVerb.ROLLBACK, "v2")
    world.move(MoveVerb.PROMOTE, "v3")
    assert propose(30)[0] == 0
    assert len(propose.files()) == 2


@pytest.mark.parametrize("out", ["/etc/passwd", "../churn.json", ".github/workflows/x.yml"])
def test_a_baseline_is_a_file_of_the_repository(world: World, propose: Propose, out: str) -> None:
    code, told = propose(30, out)
    assert code == 2
    assert "is not a file within the repository" in told


def test_what_else_happens_to_a_version_does_not_begin_its_service() -> None:
    """A degradation, or a promotion that failed, is no deployment: the same baseline is not proposed again."""
    v7 = Version("v7", ("production",), "d", 1.0)
    promoted = Move("k1", MoveVerb.PROMOTE, "churn", "v6", "v7", "", "", 100.0, state=MoveState.DONE)
    later = [
        replace(promoted, key="k2", verb=MoveVerb.DEGRADE, at=200.0),
        replace(promoted, key="k3", verb=MoveVerb.RESTORE, at=300.0),
        replace(promoted, key="k4", at=400.0, state=MoveState.FAILED),
    ]
    registry = Registry("churn", "acme/train/churn", (v7,), (*reversed(later), promoted))
    assert serving_since(registry, v7) == 100.0
    assert serving_since(replace(registry, moves=()), v7) == 1.0, "put there by hand: since it was made"
