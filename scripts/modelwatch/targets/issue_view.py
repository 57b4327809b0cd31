"""An issue as GitHub's JSON shows it, reduced to what we need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..clients.failure import ServiceError
from .register_text import RegisterBlock, digest_body, parse_body


@dataclass(frozen=True, slots=True)
class IssueView:
    number: int
    url: str
    title: str
    body: str
    state: str
    state_reason: str
    author: str
    labels: frozenset[str]
    """Lower-case names."""
    assignees: frozenset[str]
    """Lower-case logins."""
    comments: int
    created_at: float
    updated_at: float
    closed_at: float | None
    register_block: RegisterBlock
    """What the body holds of ours."""
    locked: bool = False
    """Only collaborators may comment."""

    @property
    def digest(self) -> str:
        return digest_body(self.body)


def parse_issue(row: dict[str, Any]) -> IssueView:
    """Raises ServiceError where ``row`` is not an issue."""
    try:
        body = row.get("body") or ""
        return IssueView(
            number=int(row["number"]),
            url=str(row["html_url"]),
            title=str(row["title"]),
            body=body,
            state=str(row["state"]),
            state_reason=str(row.get("state_reason") or ""),
            author=author_login(row),
            labels=frozenset(_names(row.get("labels"), "name")),
            assignees=frozenset(_names(row.get("assignees"), "login")),
            comments=int(row.get("comments") or 0),
            created_at=parse_time(row["created_at"]),
            updated_at=parse_time(row.get("updated_at") or row["created_at"]),
            closed_at=parse_time(row["closed_at"]) if row.get("closed_at") else None,
            register_block=parse_body(body),
            locked=bool(row.get("locked")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServiceError(
            "GitHub's answer is not an issue", uncertain=True, hint="A proxy may be in the way."
        ) from error


def author_login(row: dict[str, Any]) -> str:
    """The author; deleted accounts have none."""
    user = row.get("user")
    return str(user.get("login") or "") if isinstance(user, dict) else ""


def parse_time(text: str) -> float:
    """``2026-11-20T14:00:00Z`` as seconds (UTC)."""
    return datetime.fromisoformat(text).timestamp()


def _names(rows: Any, name: str) -> list[str]:
    names = [row.get(name) if isinstance(row, dict) else row for row in rows or ()]
    return [str(found).lower() for found in names if found]
