"""The watchdog's own issue: opened, updated and closed so that there is one, however often this runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..clients.github import GitHubClient, read_number, repository_path
from ..errors import ServiceError
from ..timeutil import DAY, parse_iso_or_none
from .condition import ConditionResult, State
from .memory import Memory, decode_memory, replace_memory
from .texts import issue_body, issue_title, news_comment, worst_state

LABEL = "modelwatch-watchdog"
READ, WRITE = "issues: read", "issues: write"
ACKNOWLEDGED_FOR = DAY
"""An issue that a person closed while something was broken stays closed for this long (seconds)."""


@dataclass(frozen=True, slots=True)
class WatchdogIssue:
    """The newest issue of the watchdog."""

    number: int
    url: str
    body: str
    is_open: bool
    closed: float | None
    memory: Memory

    @property
    def is_over(self) -> bool:
        """Whether the watchdog itself closed it."""
        return not self.is_open and not self.memory

    def rests(self, now: float) -> bool:
        """Whether a person closed it while something was broken, less than a day ago."""
        return not self.is_open and self.closed is not None and now - self.closed < ACKNOWLEDGED_FOR


@dataclass(frozen=True, slots=True)
class IssueKeeper:
    """Reads and writes the issue in one repository."""

    github: GitHubClient
    repository: str
    now: float

    @property
    def _path(self) -> str:
        return f"{repository_path(self.repository)}/issues"

    def find(self) -> WatchdogIssue | None:
        """The open issue with the lowest number, else the newest one. Only those count that our own account opened and
        whose text ends as the watchdog's does: every bot of a repository can share the account. The label may be gone.
        Raises ServiceError."""
        login = self.github.login()
        found = self._list({"labels": LABEL, "state": "all"}, login)
        if not any(issue.is_open for issue in found):
            found = [*self._list({"state": "open"}, login), *found]
        still = [issue for issue in found if issue.is_open]
        if still:
            return min(still, key=lambda issue: issue.number)
        return max(found, key=lambda issue: issue.number, default=None)

    def _list(self, query: dict[str, str | int], login: str) -> list[WatchdogIssue]:
        what = f"list the issues of {self.repository}"
        newest: dict[str, str | int] = {"sort": "created", "direction": "desc"}
        pages = self.github.paginate(self._path, what, query | newest, permission=READ)
        rows: list[dict[str, Any]] = next(pages, [])
        return [issue for row in rows if (issue := _parse(row, login)) is not None]

    def keep(
        self,
        known: WatchdogIssue | None,
        results: Sequence[ConditionResult],
        memory: Memory,
        *,
        run_url: str = "",
        runbook: str = "",
    ) -> WatchdogIssue | None:
        """Let the issue say what was found, and remember it; returns it, ``None`` where there is none. Raises
        ServiceError."""
        is_ok = worst_state(results) is State.OK
        checked = {result.name for result in results}
        dropped = [name for name in (known.memory if known else {}) if name not in checked]
        text = issue_body(results, memory, self.now, dropped=dropped, run_url=run_url, runbook=runbook)
        body = self.github.redact(text)
        if known is None or known.is_over:
            return None if is_ok else self._open(results, body)
        if is_ok:
            self._write(known, {"body": body, "state": "closed", "state_reason": "completed"})
            return replace(known, body=body, is_open=False)
        new = [name for name, one in memory.items() if _is_new(name, one.state, known.memory)]
        if known.rests(self.now) and not new:
            self._write(known, {"body": body})  # it goes on counting
            return replace(known, body=body)
        if known.is_open and new:
            self._comment_once(known, results, memory, new)
        self._write(known, {"title": issue_title(results), "body": body, "state": "open"})
        return replace(known, body=body, is_open=True)

    def remember(self, issue: WatchdogIssue, memory: Memory) -> None:
        """Write down what has changed since ``keep``. Raises ServiceError."""
        self._write(issue, {"body": replace_memory(issue.body, memory)})

    def _open(self, results: Sequence[ConditionResult], body: str) -> WatchdogIssue:
        action = f"open an issue in {self.repository}"
        fields = {"title": issue_title(results), "body": body, "labels": [LABEL]}
        data = self.github.write("POST", self._path, action, fields, permission=WRITE)
        found = self.github.require_object(data, action, "number", "html_url")
        return WatchdogIssue(int(found["number"]), str(found["html_url"]), body, True, None, {})

    def _write(self, known: WatchdogIssue, fields: dict[str, Any]) -> None:
        action = f"update the issue {self.repository}#{known.number}"
        self.github.write("PATCH", f"{self._path}/{known.number}", action, fields, permission=WRITE)

    def _comment_once(
        self, known: WatchdogIssue, results: Sequence[ConditionResult], memory: Memory, new: Sequence[str]
    ) -> None:
        """Comment on what is newly broken; a crash after the comment does not repeat it."""
        path = f"{self._path}/{known.number}/comments"
        key = " ".join(f"{name}.{memory[name].since:.0f}" for name in new)
        marker = f"<!-- {LABEL}: {key} -->"
        pages = self.github.paginate(path, f"list the comments of #{known.number}", {}, permission=READ)
        if any(marker in str(row.get("body") or "") for page in pages for row in page):
            return
        text = self.github.redact(f"{news_comment(results, new)}\n\n{marker}")
        self.github.write("POST", path, f"comment on #{known.number}", {"body": text}, permission=WRITE)


def _is_new(name: str, state: State, before: Memory) -> bool:
    return state is State.BROKEN and (name not in before or before[name].state is not State.BROKEN)


def _parse(row: dict[str, Any], login: str) -> WatchdogIssue | None:
    """The issue of ``row``; ``None`` where it is not the watchdog's own."""
    author = str((row.get("user") or {}).get("login") or "")
    body = str(row.get("body") or "")
    memory = decode_memory(body)
    if author.lower() != login.lower() or memory is None or row.get("pull_request"):
        return None
    try:
        number, url = read_number(row["number"]), str(row["html_url"])
    except (KeyError, ValueError) as error:
        raise ServiceError("GitHub's answer is not an issue", hint="A proxy may be in the way.") from error
    closed = parse_iso_or_none(str(row.get("closed_at") or ""))
    return WatchdogIssue(number, url, body, row.get("state") == "open", closed, memory)
