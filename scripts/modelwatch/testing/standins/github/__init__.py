"""A GitHub on loopback: issues, workflows and their runs, files, pull requests; strict where GitHub is."""

from __future__ import annotations

from .issue_actions import Person
from .records import Comment, Issue, Token, WorkflowRun
from .standin import GitHubStandIn
from .state import BOT, GitHubState, Repo, RunControl

__all__ = [
    "BOT",
    "Comment",
    "GitHubStandIn",
    "GitHubState",
    "Issue",
    "Person",
    "Repo",
    "RunControl",
    "Token",
    "WorkflowRun",
]
