"""A world for each test: GitHub and PagerDuty on loopback, with the repository, the workflow and the tokens."""

from __future__ import annotations

import pytest

from modelwatch.standins.github import GitHubStandIn
from modelwatch.standins.http import Server
from modelwatch.standins.pagerduty import PagerDutyStandIn

from .world import World, furnished


@pytest.fixture
def world(github_server: Server[GitHubStandIn], pagerduty_server: Server[PagerDutyStandIn]) -> World:
    return furnished(github_server, pagerduty_server)
