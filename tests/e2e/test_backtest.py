"""The starter's backtest workflow on pull requests, run whole: one comment, edited; from a fork none."""

from __future__ import annotations

import random
import subprocess
import time
from datetime import UTC, datetime
from typing import Any

from modelwatch.config.templates import render_starter_files
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.github.issue_actions import open_issue
from modelwatch.testing.standins.github.records import PullRequestDetails
from modelwatch.testing.standins.github.state import Repo
from modelwatch.testing.standins.http import Server
from tests.e2e.workplace import REPOSITORY, WorkflowRun, Workplace

NAME = ".github/workflows/modelwatch-backtest.yml"
CONFIG = f"""\
version: 1
models:
  - name: churn
    table: {{path: metrics.csv}}
    github: {{repository: {REPOSITORY}}}
    pagerduty: {{routing_key: "${{PAGERDUTY_ROUTING_KEY}}"}}
    rules:
      - name: latency
        kind: latency
        metric: latency
        better: lower
        window: 1h
        tiers: {{error: {{above: 100, do: [issue, page]}}}}
"""
HOUR = 3600.0
PERMISSIONS = {"contents": "read", "issues": "read", "pull_requests": "write"}


def metrics() -> str:
    """Four weeks of hourly points until now, six of them at 150, six at 80."""
    now, dice = time.time() // HOUR * HOUR, random.Random(17)
    values = [20 + 4 * dice.random() for _ in range(672)]
    values[200:206], values[500:506] = [150.0] * 6, [80.0] * 6
    times = (now - (672 - place) * HOUR for place in range(672))
    rows = (
        f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%MZ},{value:.1f}"
        for at, value in zip(times, values, strict=True)
    )
    return "\n".join(("time,latency", *rows, ""))


def adopt(workplace: Workplace, github: Server[GitHubStandIn], permissions: dict[str, str]) -> tuple[Repo, int]:
    """A repository with a configuration on ``main`` and another one on a branch, and its pull request."""
    state = github.standin.state
    repo = state.add_repo(REPOSITORY)
    workplace.secrets = {"GITHUB_TOKEN": state.add_token(permissions=permissions)}
    workplace.env["GITHUB_API_URL"] = github.url
    starter = render_starter_files(
        model="churn", entity="a", project="p", repository=REPOSITORY, owner="@ada", backtest=True
    )
    workflow = starter[NAME].replace("config: modelwatch.yml", "config: modelwatch.yml\n      since: 20d")
    workplace.write({NAME: workflow, "modelwatch.yml": CONFIG, "metrics.csv": metrics()})
    words = ["git", "update-ref", "refs/remotes/origin/main", "main"]  # as `fetch-depth: 0` leaves it
    subprocess.run(words, cwd=workplace.repository, check=True)
    workplace.branch("change")
    workplace.write({"modelwatch.yml": CONFIG.replace("above: 100", "above: 60")})
    tip = repo.git.branches["main"]
    return repo, open_issue(
        state, repo, "ada", "Page earlier", pull=PullRequestDetails("change", "main", tip, tip)
    ).number


def push(workplace: Workplace, number: int, head: str = REPOSITORY) -> WorkflowRun:
    pull: dict[str, Any] = {
        "number": number,
        "head": {"ref": "change", "repo": {"full_name": head, "fork": head != REPOSITORY}},
        "base": {"ref": "main", "repo": {"full_name": REPOSITORY}},
    }
    return workplace.start("modelwatch-backtest.yml", "pull_request", number=number, pull_request=pull)


def test_one_comment_is_written_and_then_edited(workplace: Workplace, github_server: Server[GitHubStandIn]) -> None:
    repo, number = adopt(workplace, github_server, PERMISSIONS)
    done = push(workplace, number)
    assert done.code == 0, done.told
    (comment,) = repo.comments.items.values()
    assert comment.issue == number
    assert "this change would have paged 1 more time (2 instead of 1)" in comment.body
    assert "| Pages | 1 | 2 | +1 |" in comment.body
    assert "`origin/main`" in comment.body
    assert done.outputs["backtest"]["pages"] == "2"
    assert comment.body.splitlines()[0] in done.summary
    workplace.write({"modelwatch.yml": CONFIG.replace("above: 100", "above: 200")})
    again = push(workplace, number)
    assert again.code == 0, again.told
    (edited,) = repo.comments.items.values()
    assert edited.id == comment.id
    assert "paged 1 fewer time (0 instead of 1)" in edited.body
    workplace.write({"modelwatch.yml": CONFIG.replace("above:", "abvoe:")})
    broken = push(workplace, number)
    assert broken.code != 0
    (edited,) = repo.comments.items.values()
    assert "This change could not be replayed." in edited.body


RULE_TESTS = """\
version: 1
tests:
  - name: slow answers page
    warm_up: 2h
    series: {latency: 20x6h 80x6h}
    expect: [{fires: {rule: latency, since: 6h, by: 8h}}]
"""


def test_a_rule_test_that_fails_fails_the_job_after_the_comment(
    workplace: Workplace, github_server: Server[GitHubStandIn]
) -> None:
    repo, number = adopt(workplace, github_server, PERMISSIONS)
    workplace.write({"modelwatch-tests.yml": RULE_TESTS})
    done = push(workplace, number)
    assert done.code == 0, done.told
    assert "ok    slow answers page" in done.told
    workplace.write({"modelwatch.yml": CONFIG.replace("above: 100", "above: 200")})
    broken = push(workplace, number)
    assert broken.code != 0
    assert "expected latency to fire by 8h" in broken.told
    (comment,) = repo.comments.items.values()
    assert "paged 1 fewer time (0 instead of 1)" in comment.body


def test_from_a_fork_there_is_a_summary_and_no_comment(
    workplace: Workplace, github_server: Server[GitHubStandIn]
) -> None:
    repo, number = adopt(workplace, github_server, {"contents": "read", "issues": "read"})
    done = push(workplace, number, head="eve/churn-model")
    assert done.code == 0, done.told
    assert repo.comments.items == {}
    assert "This pull request comes from a fork" in done.summary
    assert "this change would have paged 1 more time (2 instead of 1)" in done.summary
    writes = [one for one in github_server.requests if one.method != "GET" and one.path != "/graphql"]
    assert writes == []
