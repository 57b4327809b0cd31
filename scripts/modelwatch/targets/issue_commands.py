"""What people ask for in comments: ``/modelwatch <verb> <argument>`` at the start of a line that everybody sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ..model.plan import Command
from .issue_view import author_login, parse_time

NOTE_MARKER = "<!-- modelwatch:note"
"""Stands in every comment of ours: those are never commands."""
MAX_ARGUMENT = 500
EDITED_REFUSAL = "its comment was edited, and whoever may write here can edit what others wrote: say it in a new one"
MULTIPLE_REFUSAL = "it asks for several things at once: write a comment for each"
MAX_REMEMBERED = 20
"""As many ids of answered comments as a register keeps."""

_HIDDEN_TEXT = re.compile(r"<!--.*?(?:-->|\Z)|^ {0,3}(```+|~~~+).*?(?:^ {0,3}\1|\Z)", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^[ \t]{0,3}/modelwatch[ \t]+([A-Za-z-]+)(?:[ \t]+([^ \t\n].*)|[ \t]*)$", re.MULTILINE)
"""Linear in the comment's length, whatever stands in it: anybody may write 65,536 characters."""


def parse_commands(
    rows: Iterable[dict[str, Any]], answered_ids: tuple[int, ...], denial_reason: Callable[[str], str]
) -> tuple[Command, ...]:
    """The commands not yet answered, oldest first; one a comment, and of a comment with several none is obeyed.

    ``refuses``: why the commands of a login do not count; empty where they do.
    """
    comments = [one for one in answered_ids if one > 0]
    oldest = min(comments) if len(comments) >= MAX_REMEMBERED else 0
    found = []
    for row in rows:
        number, body = row.get("id"), row.get("body")
        if not isinstance(number, int) or not isinstance(body, str) or number in answered_ids or number < oldest:
            continue
        said = [] if NOTE_MARKER in body else _find_commands(body)
        if not said:
            continue
        author, match = author_login(row), said[0]
        refused = denial_reason(author) or _edited_refusal(row) or (MULTIPLE_REFUSAL if len(said) > 1 else "")
        found.append(
            Command(
                comment=number,
                author=author,
                at=parse_time(str(row["created_at"])) if row.get("created_at") else 0.0,
                verb=match[1].lower(),
                argument=(match[2] or "").rstrip(" \t")[:MAX_ARGUMENT],
                allowed=not refused,
                refused=refused,
            )
        )
    return tuple(found)


def _find_commands(body: str) -> list[re.Match[str]]:
    """Not those in examples (fenced code) nor in what nobody sees (HTML comments)."""
    return list(_COMMAND.finditer(_HIDDEN_TEXT.sub("", body.replace("\r\n", "\n"))))


def _edited_refusal(row: dict[str, Any]) -> str:
    """GitHub names the author of a comment, not who changed it."""
    created, updated = row.get("created_at"), row.get("updated_at")
    return EDITED_REFUSAL if created and updated and created != updated else ""
