"""The repository that a folder was cloned from, for defaults."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

TIMEOUT = 5.0
"""Seconds."""
_REMOTE = re.compile(
    r"(?:https?://(?:[^@/]+@)?[^/]+/|ssh://(?:[^@/]+@)?[^/]+/|[^@/:]+@[^:/]+:/?)"
    r"(?P<repository>[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+?)(?:\.git)?/?"
)


def origin_repository(folder: Path) -> str:
    """``owner/name`` of the remote `origin`; empty where there is none, or it is no repository at a server."""
    try:
        ended = subprocess.run(
            ["git", "-C", str(folder), "remote", "get-url", "origin"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return parse_remote(ended.stdout.strip()) if ended.returncode == 0 else ""


def parse_remote(url: str) -> str:
    """``owner/name`` in the address of a remote; empty where it has another form."""
    found = _REMOTE.fullmatch(url)
    return found["repository"] if found else ""
