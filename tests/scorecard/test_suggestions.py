"""Rules over their budget are tuned, and what is suggested is proposed by pull request, once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from modelwatch.backtest.tuning import TuningOptions
from modelwatch.clients.github import GitHubClient, github_retry_policy
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.errors import ServiceError
from modelwatch.model.backtest import Marks
from modelwatch.model.scorecard import Period, PeriodFigures, RuleFigures, Scorecard
from modelwatch.model.tuning import Setting, SettingChange, Suggestion
from modelwatch.report.scorecard import suggestions_section
from modelwatch.scorecard.figures import duration_figure, share_figure
from modelwatch.scorecard.suggestions import propose_settings, rules_over_budget, suggest_settings
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.timeutil import HOUR, WEEK, format_iso

REPO = "acme/churn"
CONFIG = f"""\
version: 1   # ours
models:
  - name: churn
    table: {{path: metrics.csv}}
    github: {{repository: {REPO}, authors: [ada]}}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: accuracy
        window: 24h
        every: 24h
        baseline: {{rolling: 7d}}
        tiers: {{warning: {{drop: 2%, do: [issue]}}}}
"""
END = 1_795_132_800.0
DROP = SettingChange(("tiers", "warning", "drop"), "2%", "3%")


@pytest.fixture
def checkout(tmp_path: Path, github_server: Server[GitHubStandIn]) -> Path:
    """A working tree that the stand-in has, too."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch/modelwatch.yml").write_text(CONFIG, "utf-8")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    github_server.standin.state.add_repo(REPO, files={"watch/modelwatch.yml": CONFIG})
    return tmp_path


def client(server: Server[GitHubStandIn]) -> GitHubClient:
    return GitHubClient(server.url, server.standin.state.add_token(), github_retry_policy({}))


def suggestion(folder: Path, *changes: SettingChange) -> Suggestion:
    (model,) = load_config(folder / "watch/modelwatch.yml", {}).models
    (rule,) = model.rules
    return Suggestion(model.name, rule.name, rule.where, None, (), "Fewer.", chosen=Setting(rule, changes))


def test_a_suggestion_is_proposed_once_and_changes_one_value(
    checkout: Path, github_server: Server[GitHubStandIn]
) -> None:
    github, found = client(github_server), suggestion(checkout, DROP)
    (url,) = propose_settings(github, REPO, [found])
    assert propose_settings(github, REPO, [found]) == [url]
    repo = github_server.standin.state.repo(REPO)
    (pull,) = (issue for issue in repo.issues.items.values() if issue.pull)
    assert pull.title == "Tune churn accuracy"
    assert pull.pull is not None
    proposed = repo.git.files_at(pull.pull.head)["watch/modelwatch.yml"].decode()
    assert proposed == CONFIG.replace("drop: 2%", "drop: 3%")
    assert "+        tiers: {warning: {drop: 3%, do: [issue]}}" in (pull.body or "")
    (other,) = propose_settings(github, REPO, [suggestion(checkout, SettingChange(DROP.path, "2%", "4%"))])
    assert other != url, "another suggestion is another proposal"


def test_nothing_is_proposed_that_would_take_something_back(
    checkout: Path, github_server: Server[GitHubStandIn]
) -> None:
    state = github_server.standin.state
    state.add_file(state.repo(REPO), "watch/modelwatch.yml", CONFIG + "# a later change\n")
    with pytest.raises(ServiceError, match="is another one on the branch main"):
        propose_settings(client(github_server), REPO, [suggestion(checkout, DROP)])


def test_where_nothing_changes_nothing_is_proposed(checkout: Path, github_server: Server[GitHubStandIn]) -> None:
    assert propose_settings(client(github_server), REPO, [suggestion(checkout)]) == []
    assert not [request for request in github_server.requests if request.method != "GET"]


def row(rule: str, false: int, allowed: float, *, over: bool) -> RuleFigures:
    share, times = share_figure(false, 10), duration_figure([])
    return RuleFigures("churn", rule, 10, 1.0, 0, share, 0, times, allowed, over_budget=over)


def scorecard(*rows: RuleFigures) -> Scorecard:
    period, share, times = Period(END - WEEK, END), share_figure(0, 0), duration_figure([])
    figures = PeriodFigures(period, 0, 0, 0, 0, times, times, times, times, share, share, share, rows)
    return Scorecard(END, period, figures, None)


def test_the_worst_rules_come_first() -> None:
    rows = (row("a", 4, 1.0, over=True), row("b", 9, 1.0, over=False), row("c", 3, 0.5, over=True))
    assert [one.rule for one in rules_over_budget(scorecard(*rows))] == ["c", "a"]


def test_a_rule_is_tuned_on_its_history(checkout: Path, github_server: Server[GitHubStandIn]) -> None:
    """Two weeks are too short for a budget of months: it says so, and suggests nothing."""
    lines = [f"{format_iso(END - hour * HOUR)},{0.9 if hour % 31 else 0.7}" for hour in range(28 * 24, 0, -1)]
    (checkout / "watch/metrics.csv").write_text("time,accuracy\n" + "\n".join(lines) + "\n", "utf-8")
    config = load_config(checkout / "watch/modelwatch.yml", {})
    env = {"GITHUB_TOKEN": github_server.standin.state.add_token(), "GITHUB_API_URL": github_server.url}
    context, named = make_context(config, END, env), list[str]()
    card = scorecard(row("accuracy", 3, 0.1, over=True))
    (found,) = suggest_settings(context, card, Marks(), TuningOptions(settings=2), named.append)
    assert named == ["churn accuracy"]
    assert len(found.tried) == 2
    assert not found.changes_something
    section = suggestions_section([found], str)
    assert section.points[0].startswith("churn accuracy: Tuned on 2026-11-06 to")
    (checkout / "watch/metrics.csv").unlink()
    (failed,) = suggest_settings(context, card, Marks(), TuningOptions(settings=2))
    assert failed.reason.startswith("Its history cannot be read: ")
