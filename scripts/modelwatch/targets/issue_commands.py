"""What people ask for in comments: ``/modelwatch <verb> <argument>`` at the start of a line that everybody sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ..model.plan import Command
from .issue_view import login_of, seconds

NOTE = "<!-- modelwatch:note"
"""Stands in every comment of ours: those are never commands."""
MAX_ARGUMENT = 500
EDITED = "its comment was edited, and whoever may write here can edit what others wrote: say it in a new one"
SEVERAL = "it asks for several things at once: write a comment for each"
KEPT = 20
"""As many ids of answered comments as a register keeps."""

_UNSAID = re.compile(r"<!--.*?(?:-->|\Z)|^ {0,3}(```+|~~~+).*?(?:^ {0,3}\1|\Z)", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^[ \t]{0,3}/modelwatch[ \t]+([A-Za-z-]+)(?:[ \t]+([^ \t\n].*)|[ \t]*)$", re.MULTILINE)
"""Linear in the comment's length, whatever stands in it: anybody may write 65,536 characters."""


def commands_in(
    rows: Iterable[dict[str, Any]], answered: tuple[int, ...], refuses: Callable[[str], str]
) -> tuple[Command, ...]:
    """The commands not yet answered, oldest first; one a comment, and of a comment with several none is obeyed.

    ``refuses``: why the commands of a login do not count; empty where they do.
    """
    comments = [one for one in answered if one > 0]
    oldest = min(comments) if len(comments) >= KEPT else 0
    found = []
    for row in rows:
        number, body = row.get("id"), row.get("body")
        if not isinstance(number, int) or not isinstance(body, str) or number in answered or number < oldest:
            continue
        said = [] if NOTE in body else _commands(body)
        if not said:
            continue
        author, match = login_of(row), said[0]
        refused = refuses(author) or _edited(row) or (SEVERAL if len(said) > 1 else "")
        found.append(
            Command(
                comment=number,
                author=author,
                at=seconds(str(row["created_at"])) if row.get("created_at") else 0.0,
                verb=match[1].lower(),
                argument=(match[2] or "").rstrip(" \t")[:MAX_ARGUMENT],
                allowed=not refused,
                refused=refused,
            )
        )
    return tuple(found)


def _commands(body: str) -> list[re.Match[str]]:
    """Not those in examples (fenced code) nor in what nobody sees (HTML comments)."""
    return list(_COMMAND.finditer(_UNSAID.sub("", body.replace("\r\n", "\n"))))


def _edited(row: dict[str, Any]) -> str:
    """GitHub names the author of a comment, not who changed it."""
    created, updated = row.get("created_at"), row.get("updated_at")
    return EDITED if created and updated and created != updated else ""
