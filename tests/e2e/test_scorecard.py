"""The starter's scorecard workflow, run whole: one issue a week, and the same in the job summary."""

from __future__ import annotations

from modelwatch.config.templates import render_starter_files
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from tests.e2e.test_dashboard import CONFIG, METRICS
from tests.e2e.workplace import REPOSITORY, Workplace

NAME = ".github/workflows/modelwatch-scorecard.yml"


def test_the_issue_is_posted_once(workplace: Workplace, github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    repo = state.add_repo(REPOSITORY)
    workplace.secrets = {"GITHUB_TOKEN": state.add_token()}
    workplace.env["GITHUB_API_URL"] = github_server.url
    starter = render_starter_files(
        model="churn", entity="a", project="p", repository=REPOSITORY, owner="@ada", scorecard=True
    )
    workplace.write({NAME: starter[NAME], "modelwatch.yml": CONFIG, "metrics.csv": METRICS})
    for _ in range(2):
        done = workplace.start("modelwatch-scorecard.yml")
        assert done.code == 0, done.told
    (issue,) = repo.issues.items.values()
    assert "No alert in 13 weeks." in (issue.body or "")
    assert issue.title.startswith("Scorecard and handover, week of ")
