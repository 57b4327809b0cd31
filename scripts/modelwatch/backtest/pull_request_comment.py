"""One comment on a pull request, which is edited when there is something new: found by a marker and by its author."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ..errors import UserError
from ..targets.register.client import NOTE_MARKER, IssueClient, is_written_by
from ..targets.register.codec import neutralize_markers

MAX_CHARACTERS = 65_536
"""GitHub's limit."""
_PULL = re.compile(r"https?://[^/\s]+/(?P<repository>[^/\s]+/[^/\s]+)/pull/(?P<number>\d{1,9})")


def parse_pull_request(text: str, repository: str) -> tuple[str, int]:
    """Repository and number of a pull request: ``12`` of ``repository``, or an address. Raises UserError."""
    if match := _PULL.fullmatch(text):
        return match["repository"], int(match["number"])
    if not text.isdecimal() or len(text) > 9 or not int(text):
        raise UserError(f"{text!r} is not the number or the address of a pull request.", where="--comment")
    if not repository:
        raise UserError("it is not known which repository is meant.", hint="Give the address.", where="--comment")
    return repository, int(text)


def comment_marker(config: Path) -> str:
    """The marker of the comment about one configuration: several of a repository have one each."""
    return f"{NOTE_MARKER} backtest.{hashlib.sha256(config.as_posix().encode()).hexdigest()[:12]} -->"


def upsert_comment(client: IssueClient, number: int, text: str, marker: str) -> str:
    """Write ``text`` into the comment of this token's account that has ``marker``, or into a new one. Of several, which
    runs at the same time can make, the oldest stays. Returns its address. Raises UserError."""
    body = f"{client.github.redact(neutralize_markers(text)).rstrip()}\n\n{marker}"
    if len(body) > MAX_CHARACTERS:
        raise ValueError(f"the comment has {len(body):,} characters")
    authors = frozenset({client.github.login().lower()})
    rows = [row for row in client.list_comments(number) if is_written_by(row, authors) and marker in str(row["body"])]
    if not rows:
        row = client.add_comment(number, body, marker, authors)
        client.delete_duplicates(number, {marker: row["id"]}, authors)
        return str(row.get("html_url") or "")
    oldest = min(rows, key=lambda row: int(row["id"]))
    for row in rows:
        if row is not oldest:
            client.delete_comment(row["id"])
    if str(oldest["body"]).replace("\r\n", "\n") != body:
        oldest = client.edit_comment(oldest["id"], body)
    return str(oldest.get("html_url") or "")
