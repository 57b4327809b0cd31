"""The starter's dashboard workflow, run whole: what the team downloads is a site that opens."""

from __future__ import annotations

from modelwatch.config.templates import render_starter_files
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from tests.e2e.workplace import REPOSITORY, Workplace

CONFIG = f"""\
version: 1
models:
  - name: churn
    table: {{path: metrics.csv}}
    github: {{repository: {REPOSITORY}}}
    rules:
      - name: latency
        kind: latency
        metric: latency
        better: lower
        tiers: {{warning: {{above: 100, do: [issue]}}}}
"""
METRICS = "time,latency\n" + "".join(f"2026-11-{day:02}T00:00:00Z,{10 + day}\n" for day in range(1, 29))


def test_the_site_is_built_and_kept(workplace: Workplace, github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    state.add_repo(REPOSITORY)
    workplace.secrets = {"GITHUB_TOKEN": state.add_token()}
    workplace.env["GITHUB_API_URL"] = github_server.url
    starter = render_starter_files(
        model="churn", entity="a", project="p", repository=REPOSITORY, owner="@ada", dashboard="artifact"
    )
    name = ".github/workflows/modelwatch-dashboard.yml"
    workplace.write({name: starter[name], "modelwatch.yml": CONFIG, "metrics.csv": METRICS})
    done = workplace.start("modelwatch-dashboard.yml")
    assert done.code == 0, done.told
    site = workplace.artifacts / "modelwatch-dashboard"
    assert "churn" in (site / "index.html").read_text("utf-8")
    assert (site / "models/churn/index.html").exists()
    assert [path.suffix for path in (site / "assets").iterdir() if path.name.startswith("vega")] == [".js"]
    writes = [one for one in github_server.requests if one.method != "GET" and b"mutation" in one.body]
    assert writes == []
