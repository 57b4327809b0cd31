"""``modelwatch release canary`` against a W&B on loopback: started, judged on a schedule, promoted or taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from tests.cli.test_release import CONFIG, TOKEN, Shell
from tests.release.world import DEPLOY, World

REPOSITORY = "acme/churn-model"
HOUR = 3600.0
RULES = """\
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        window: 4h
        every: 1h
        baseline: {value: 0.9, n: 100000}
        tiers: {warning: {drop: 2%}, error: {drop: 5%}}
"""
CANARY = "      canary: {percent: 5, length: 6h, min_predictions: 1000}\n      promote: act\n"
SOURCE = "    wandb: {entity: acme, project: prod, version: model_version}\n"


class Canary(Shell):
    """A shell whose model logs to W&B."""

    def configure(self, more: str = "") -> None:
        before, _, rest = CONFIG.partition("    table: {path: rows.csv}\n")
        body = rest.partition("    rules:")[0].replace("      window: 30d\n", f"      window: 30d\n{more or CANARY}")
        text = (before + SOURCE + body + RULES).replace("${DEPLOY:-true}", 'eval "$DEPLOY"')
        (self.world.folder / "modelwatch.yml").write_text(text)

    def log(self, version: str, accuracy: float, hours: int, n: int = 1000) -> None:
        """One row an hour from now on; the clock follows ``advance``."""
        first = self.world.now
        rows = [
            {"eval/accuracy": accuracy, "eval/n": n, "_timestamp": first + HOUR * hour} for hour in range(1, hours + 1)
        ]
        self.world.wandb.standin.state.add_run(
            "acme", "prod", f"{version}-{first:.0f}", {"model_version": version}, history=rows,
            created_at=first, heartbeat_at=first + HOUR * hours,
        )  # fmt: skip

    def advance(self, hours: float) -> None:
        self.world.now += HOUR * hours


@pytest.fixture
def shell(opened: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canary:
    opened.enter(tmp_path, monkeypatch, DEPLOY_TOKEN=TOKEN, DEPLOY=DEPLOY)
    made = Canary(opened)
    made.configure()
    return made


def started(shell: Canary, accuracy: float, hours: int = 7, issue: str = "") -> None:
    """v2 serves; v3 is started as a canary, and both log for some hours."""
    assert shell("canary", "start", "v3", "--key", "c1", *(["--issue", issue] if issue else [])) == 0, shell.err
    shell.log("v2", 0.9, hours, 9000)
    shell.log("v3", accuracy, hours, 500)
    shell.advance(hours)


def test_a_good_canary_is_promoted(shell: Canary) -> None:
    started(shell, 0.9)
    assert shell("canary", "judge", "--act", "--json") == 0, shell.err
    assert '"step": "promote"' in shell.out
    assert shell.world.held()["production"] == "v3"
    assert "canary" not in shell.world.held()
    assert shell.world.deployed() == ["canary v3 5", "promote v3 100"]
    assert shell.world.states() == [("c1", "done"), ("c1.promote", "done")]
    assert shell("canary", "judge", "--act") == 0
    assert "There is no canary." in shell.out


def test_a_bad_canary_is_taken_back_at_once(shell: Canary) -> None:
    started(shell, 0.8, hours=2)
    assert shell("canary", "judge", "--act") == 0, shell.err
    assert "accuracy reaches error: 0.8 against 0.9" in shell.out
    assert shell.world.held() == {"production": "v2", "previous": "v1", "candidate": "v3"}
    assert shell.world.deployed() == ["canary v3 5", "abort v2 0"]
    assert shell.world.states()[-1] == ("c1.abort", "done")


def test_judging_alone_moves_nothing(shell: Canary) -> None:
    started(shell, 0.8, hours=2)
    assert shell("canary", "judge") == 0
    assert shell.world.held()["canary"] == "v3"


def test_too_young_is_watched_further(shell: Canary) -> None:
    started(shell, 0.9, hours=3)
    assert shell("canary", "judge", "--act") == 0
    assert "it has served 3.0 of 6 h" in shell.out
    assert shell.world.held()["canary"] == "v3"


def test_what_the_canary_logs_is_no_news_of_production(shell: Canary) -> None:
    """Half as good, and the model's own rule stays quiet: the champion serves."""
    from modelwatch import pipeline
    from modelwatch.cli.options import read_context

    started(shell, 0.5)
    context = read_context(Path("modelwatch.yml"), shell.world.now)
    pulls = pipeline.pull(context)
    groups = pipeline.judge(context, pulls).groups
    assert [str(group.state) for group in groups if group.rule == "accuracy"] == ["quiet"]
    assert [one.version for one in pulls["churn"].deployments] == ["v2"]
    assert len(pulls["churn"].canary_series[0]) == 7


def test_in_mode_propose_a_person_is_asked_once(shell: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.configure(CANARY.replace("promote: act", "promote: propose"))
    with Server(GitHubStandIn()) as github:
        state = github.standin.state
        repo = state.add_repo(REPOSITORY)
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        monkeypatch.setenv("GITHUB_TOKEN", state.add_token())
        github.standin.person(REPOSITORY, "ana").open_issue("accuracy fell")
        started(shell, 0.9, issue=f"https://github.com/{REPOSITORY}/issues/1")
        for _ in range(2):
            assert shell("canary", "judge", "--act") == 0, shell.err
        (comment,) = repo.comments.items.values()
        assert "Canary `v3` can be promoted" in comment.body
        assert "comment `/modelwatch promote v3`" in comment.body
    assert shell.world.held()["canary"] == "v3"


def test_an_issue_that_cannot_be_reached_is_told(shell: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.configure(CANARY.replace("promote: act", "promote: propose"))
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_0123456789")
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    started(shell, 0.9, issue=f"https://github.com/{REPOSITORY}/issues/1")
    assert shell("canary", "judge", "--act") == 4
    assert "warning: the issue could not be commented on" in shell.out
