"""A world for each test: GitHub and PagerDuty on loopback, with the repository, the workflow and the tokens."""

from __future__ import annotations

import pytest

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn

from .world import World, furnished


@pytest.fixture
def world(github_server: Server[GitHubStandIn], pagerduty_server: Server[PagerDutyStandIn]) -> World:
    return furnished(github_server, pagerduty_server)
