"""PyGithub at the GitHub stand-in."""

from __future__ import annotations

import github

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server


def connect(server: Server[GitHubStandIn], token: str, path: str = "") -> github.Github:
    """PyGithub without its pauses and repetitions."""
    auth = github.Auth.Token(token)
    url = server.url + path
    return github.Github(base_url=url, auth=auth, retry=None, seconds_between_requests=0, seconds_between_writes=0)
