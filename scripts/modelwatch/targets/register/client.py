"""The issues of one repository, and the register that is kept in their text."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ...clients.github import GitHubClient, Page, malformed_answer, read_number, repository_path
from ...errors import ServiceError, TargetError, UserError
from ...model.register import Register
from ...timeutil import DAY, format_iso, parse_iso
from .codec import RegisterBlock, digest_body, parse_body, render_body

LABEL = "modelwatch"
"""Every issue of ours carries it; issues are found by it."""
MAX_PAGES = 20
MAX_COMMENT_PAGES = 20
"""Of 100 comments each: so many are read of an issue, the newest."""
MAX_CLOSED_PAGES = 5
MAX_PERIOD_PAGES = 20
"""Of 100 issues each, of a list over a long time."""
CLOSED_MAX_AGE = 60 * DAY
"""Closed issues that were last changed before this (seconds) are ignored."""
RECENT_AGE = DAY
LISTED_WITHIN = 600.0
"""GitHub's lists show a new issue, or a dispatched workflow run, within this time (seconds)."""
READ, WRITE = "issues: read", "issues: write"
NOTE_MARKER = "<!-- modelwatch:note"
"""Part of every comment of ours. In comments of others it means nothing."""


class IssueClient:
    def __init__(self, github: GitHubClient, repository: str) -> None:
        self.github = github
        self.repository = repository
        self._path = f"{repository_path(repository)}/issues"
        self._is_public: bool | None = None

    def is_public(self) -> bool:
        """Whether everybody can read the repository, and comment; asked once. Where that cannot be found out, yes."""
        if self._is_public is None:
            try:
                row = self.github.get(repository_path(self.repository), f"read the repository {self.repository}")
            except ServiceError:
                return True
            self._is_public = row.get("private") is not True
        return self._is_public

    def list_labelled(self, now: float | None) -> tuple[IssueView, ...]:
        """Issues with our label: every open one, and closed ones of the last 60 days. Usually a single request.

        An issue that is changed between two pages moves to the first one, which is therefore read again.
        """
        issues: dict[int, IssueView] = {}
        query: dict[str, str | int] = {"labels": LABEL, "state": "all", "sort": "updated", "direction": "desc"}
        pages, complete = self._collect(issues, query, None if now is None else now - CLOSED_MAX_AGE)
        newest = max((issue.updated_at for issue in issues.values()), default=None)
        if not complete:
            self._collect(issues, query | {"state": "open"}, None)
        if pages > 1:
            self._collect(issues, query, newest)
        return tuple(sorted(issues.values(), key=lambda issue: issue.number))

    def _collect(
        self, issues: dict[int, IssueView], query: dict[str, str | int], since: float | None
    ) -> tuple[int, bool]:
        """Add the pages of a list to ``issues``: how many were read, and whether no issue older than ``since`` was left
        out."""
        what = f"list the issues of {self.repository}"
        pages = self.github.paginate(self._path, what, query, permission=READ)
        for number, page in enumerate(pages, start=1):
            listed = list(_issues(page))
            issues.update((issue.number, issue) for issue in listed)
            if not page.more:
                return number, True
            if since is not None and listed and listed[-1].updated_at < since:
                return number, False
            if number >= MAX_PAGES:
                raise ServiceError(
                    f"could not {what}: more than {MAX_PAGES * 100} carry the label {LABEL}",
                    hint="Remove the label from old ones.",
                )
        return 0, True

    def list_closed(self, since: float) -> ClosedIssues:
        """Closed issues with our label that changed after ``since``, newest change first; at most 500."""
        what = f"list the closed issues of {self.repository}"
        query: dict[str, str | int] = {"labels": LABEL, "state": "closed", "sort": "updated", "direction": "desc"}
        issues: list[IssueView] = []
        more = False
        pages = self.github.paginate(self._path, what, query | {"since": format_iso(since)}, permission=READ)
        for page in islice(pages, MAX_CLOSED_PAGES):
            issues += _issues(page)
            more = page.more
        return ClosedIssues(tuple(issues), complete=not more)

    def list_period(self, since: float) -> PeriodIssues:
        """Issues with our label that are open, or have changed after ``since``; at most 2,000 of each.

        Newest first by when they were opened: that never changes, so an issue that is changed between two pages is not
        left out.
        """
        what = f"list the issues of {self.repository}"
        query: dict[str, str | int] = {"labels": LABEL, "sort": "created", "direction": "desc"}
        issues: dict[int, IssueView] = {}
        complete_since = since
        for filters in ({"state": "open"}, {"state": "all", "since": format_iso(since)}):
            pages = self.github.paginate(self._path, what, query | filters, permission=READ)
            for number, page in enumerate(islice(pages, MAX_PERIOD_PAGES), start=1):
                listed = list(_issues(page))
                issues.update((issue.number, issue) for issue in listed)
                if page.more and number == MAX_PERIOD_PAGES:
                    oldest = min((issue.created_at for issue in listed), default=math.inf)
                    complete_since = max(complete_since, oldest)
        return PeriodIssues(tuple(sorted(issues.values(), key=lambda issue: issue.number)), complete_since)

    def list_by_label(self, label: str) -> tuple[IssueView, ...]:
        """The newest 100 issues with ``label``, open or closed."""
        what = f"list the issues of {self.repository} with the label {label}"
        query: dict[str, str | int] = {"labels": label, "state": "all", "sort": "created", "direction": "desc"}
        return tuple(_issues(next(self.github.paginate(self._path, what, query, permission=READ))))

    def list_newest(self, since: float) -> Iterator[IssueView]:
        """The newest issues, labelled or not, created after ``since``, and the rest of their page."""
        what = f"list the newest issues of {self.repository}"
        query: dict[str, str | int] = {"state": "all", "sort": "created", "direction": "desc"}
        for page in islice(self.github.paginate(self._path, what, query, permission=READ), MAX_PAGES):
            issues = list(_issues(page))
            yield from issues
            if issues and issues[-1].created_at < since:
                return

    def get(self, number: int) -> IssueView:
        name = f"{self.repository}#{number}"
        issue = parse_issue(self.github.get(f"{self._path}/{number}", f"read the issue {name}", permission=READ))
        if issue.number != number:
            raise ServiceError(f"the issue {name} was moved to {issue.url}", status=301)
        return issue

    def find(self, number: int) -> IssueView | None:
        """The issue or pull request with this number; ``None`` where there is none (any more)."""
        try:
            return self.get(number)
        except ServiceError as error:
            if error.status not in (301, 404, 410):
                raise
            return None

    def create(self, title: str, body: str, labels: Iterable[str], assignees: Iterable[str]) -> IssueView:
        fields = {"title": title, "body": body, "labels": list(labels), "assignees": list(assignees)}
        return self._write("POST", self._path, f"open an issue in {self.repository}", fields)

    def update(self, number: int, fields: dict[str, Any]) -> IssueView:
        """Change ``fields`` of an issue. Where the answer is lost, look whether they were changed."""
        what = f"change the issue {self.repository}#{number}"
        try:
            return self._write("PATCH", f"{self._path}/{number}", what, fields)
        except ServiceError as error:
            if error.status == 422 and fields.get("state_reason") == "duplicate":
                # An older GitHub Enterprise Server does not know this reason.
                return self.update(number, fields | {"state_reason": "not_planned"})
            if not error.uncertain:
                raise
            issue = self.get(number)
            if any(getattr(issue, name) != fields.get(name, getattr(issue, name)) for name in ("body", "state")):
                raise
            return issue

    def assign(self, number: int, login: str) -> bool:
        """Whether GitHub assigned the issue: a login without access is dropped without an error."""
        what = f"assign the issue {self.repository}#{number}"
        fields = {"assignees": [login]}
        answer = self.github.write("POST", f"{self._path}/{number}/assignees", what, fields, permission=WRITE)
        return login.lower() in _names(self.github.require_object(answer, what).get("assignees"), "login")

    def add_labels(self, number: int, labels: list[str]) -> frozenset[str]:
        """The labels that the issue has afterwards, lower-case."""
        what = f"label the issue {self.repository}#{number}"
        data = self.github.write("POST", f"{self._path}/{number}/labels", what, {"labels": labels}, permission=WRITE)
        return frozenset(_names(data if isinstance(data, list) else (), "name"))

    def create_label(self, label: str) -> None:
        """Create ``label``; one that exists is fine."""
        fields = {"name": label, "color": "5319e7", "description": "Opened and kept by modelwatch"}
        what = f"create the label {label} in {self.repository}"
        try:
            self.github.write("POST", f"{repository_path(self.repository)}/labels", what, fields, permission=WRITE)
        except ServiceError as error:
            if error.status != 422 or "already_exists" not in error.message:
                raise

    def comment_pages(self, number: int, after: int = 0, since: float = 0.0) -> Iterator[Page]:
        """Comments with ids above ``after`` that were written after ``since``, the newest first, each once. ``more``
        says that older ones follow, or are left out: at most 2,000 are read.

        GitHub lists the oldest first, so the first page is read to learn which is the last, and again at the end: a
        comment that is deleted meanwhile moves later ones to earlier pages. GitHub's own ``since`` counts changes; then
        one that is edited meanwhile would move others to pages that were read already.
        """
        what = f"list the comments of the issue {self.repository}#{number}"
        path = f"{self._path}/{number}/comments"
        first = self._comment_page(path, what, {})
        lowest = 2**63
        if first.more and not first.last:
            raise malformed_answer(what, self.github.api_url, uncertain=False)
        for place in range(first.last or 1, max(first.last - MAX_COMMENT_PAGES, 0), -1):
            page = self._comment_page(path, what, {"page": place}) if first.more else first
            wanted = [row for row in reversed(page) if row["id"] > after and parse_iso(row["created_at"]) >= since]
            more = place > 1 and len(wanted) == len(page)
            yield Page([row for row in wanted if row["id"] < lowest], more=more)
            if not more:
                return
            lowest = min([lowest, *(row["id"] for row in page)])

    def _comment_page(self, path: str, what: str, query: dict[str, str | int]) -> Page:
        page = next(self.github.paginate(path, what, query, permission=READ))
        for row in page:
            self._check_comment(row, what, uncertain=False)
        return page

    def _check_comment(self, row: Any, what: str, *, uncertain: bool) -> dict[str, Any]:
        """``row``, which is a comment with an id and a time; raises ServiceError otherwise."""
        try:
            read_number(row["id"])
            parse_iso(row["created_at"])
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise malformed_answer(what, self.github.api_url, uncertain=uncertain) from error
        return dict(row)

    def list_comments(self, number: int, after: int = 0) -> Iterator[dict[str, Any]]:
        """Comments with ids above ``after``, the newest first; at most 2,000."""
        for page in self.comment_pages(number, after):
            yield from page

    def get_comment(self, comment: int) -> dict[str, Any] | None:
        """A comment by its id; ``None`` where it was deleted."""
        what = f"read a comment in {self.repository}"
        try:
            row = self.github.get(f"{self._path}/comments/{comment}", what, permission=READ)
            return self._check_comment(row, what, uncertain=False)
        except ServiceError as error:
            if error.status != 404:
                raise
            return None

    def find_comment(self, number: int, marker: str, authors: frozenset[str]) -> dict[str, Any] | None:
        """The newest comment of ``authors`` (lower-case logins) that contains ``marker``."""
        rows = (row for row in self.list_comments(number) if is_written_by(row, authors))
        return next((row for row in rows if marker in str(row.get("body"))), None)

    def add_comment(self, number: int, body: str, marker: str, authors: frozenset[str]) -> dict[str, Any]:
        """Post ``body``, which contains ``marker``, and return the comment. Where the answer is lost, look whether one
        of ``authors`` posted it."""
        what = f"comment on the issue {self.repository}#{number}"
        try:
            data = self.github.write("POST", f"{self._path}/{number}/comments", what, {"body": body}, permission=WRITE)
            return self._check_comment(data, what, uncertain=True)
        except ServiceError as error:
            posted = self.find_comment(number, marker, authors) if error.uncertain else None
            if posted is None:
                raise
            return posted

    def edit_comment(self, comment: int, body: str) -> dict[str, Any]:
        """Replace the text of a comment, and return it; safe to repeat, so a lost answer is read again."""
        path, what = f"{self._path}/comments/{comment}", f"edit a comment in {self.repository}"
        try:
            data = self.github.write("PATCH", path, what, {"body": body}, permission=WRITE)
            return self._check_comment(data, what, uncertain=True)
        except ServiceError as error:
            if not error.uncertain:
                raise
            return self._check_comment(self.github.get(path, what, permission=READ), what, uncertain=False)

    def comment_once(self, number: int, key: str, text: str, authors: frozenset[str]) -> bool:
        """Comment ``text``, unless ``authors`` commented with ``key`` before; returns whether it was posted."""
        marker = f"{NOTE_MARKER} {hashlib.sha256(key.encode()).hexdigest()[:16]} -->"
        if self.find_comment(number, marker, authors):
            return False
        row = self.add_comment(number, f"{text}\n\n{marker}", marker, authors)
        self.delete_duplicates(number, {marker: row["id"]}, authors)
        return True

    def delete_comment(self, comment: int) -> None:
        """Delete a comment of ours; one that is gone is fine."""
        what = f"delete a comment in {self.repository}"
        try:
            self.github.write("DELETE", f"{self._path}/comments/{comment}", what, {}, permission=WRITE)
        except ServiceError as error:
            if error.status != 404:
                raise

    def delete_duplicates(self, number: int, posted: Mapping[str, int], authors: frozenset[str]) -> bool:
        """Delete those of the comments that were just ``posted`` (the id of each by its marker) that ``authors`` had
        posted before. Whether the list, which can lag behind, shows all of them. The newest page has both."""
        rows = [row for row in next(self.comment_pages(number), ()) if is_written_by(row, authors)]
        for marker, comment in posted.items():
            if any(marker in str(row.get("body")) and row["id"] < comment for row in rows):
                self.delete_comment(comment)
        return set(posted.values()) <= {row["id"] for row in rows}

    def _write(self, verb: str, path: str, what: str, fields: dict[str, Any]) -> IssueView:
        answer = self.github.write(verb, path, what, fields, permission=WRITE)
        return parse_issue(self.github.require_object(answer, what, "number"))


def _issues(page: list[dict[str, Any]]) -> Iterator[IssueView]:
    """The issues among the rows: GitHub lists pull requests with them."""
    return (parse_issue(row) for row in page if "pull_request" not in row)


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
    closed_by: str = ""
    """Login; empty where GitHub does not say it."""
    closed_by_bot: bool = False

    @property
    def digest(self) -> str:
        return digest_body(self.body)


@dataclass(frozen=True, slots=True)
class ClosedIssues:
    issues: tuple[IssueView, ...]
    complete: bool
    """Whether there are no more."""


@dataclass(frozen=True, slots=True)
class PeriodIssues:
    issues: tuple[IssueView, ...]
    complete_since: float
    """Of the issues that were opened before this (seconds, UTC) some may be missing: there were too many."""


def parse_issue(row: dict[str, Any]) -> IssueView:
    """Raises ServiceError where ``row`` is not an issue."""
    try:
        body = row.get("body") or ""
        return IssueView(
            number=read_number(row["number"]),
            url=str(row["html_url"]),
            title=str(row["title"]),
            body=body,
            state=str(row["state"]),
            state_reason=str(row.get("state_reason") or ""),
            author=author_login(row),
            labels=frozenset(_names(row.get("labels"), "name")),
            assignees=frozenset(_names(row.get("assignees"), "login")),
            comments=int(row.get("comments") or 0),
            created_at=parse_iso(row["created_at"]),
            updated_at=parse_iso(row.get("updated_at") or row["created_at"]),
            closed_at=parse_iso(row["closed_at"]) if row.get("closed_at") else None,
            register_block=parse_body(body),
            locked=bool(row.get("locked")),
            closed_by=user_login(row, "closed_by"),
            closed_by_bot=is_bot(row, "closed_by"),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ServiceError(
            "GitHub's answer is not an issue", uncertain=True, hint="A proxy may be in the way."
        ) from error


def author_login(row: dict[str, Any]) -> str:
    """The author; deleted accounts have none."""
    return user_login(row, "user")


def user_login(row: dict[str, Any], field: str) -> str:
    """The login of an account in ``row``; empty where there is none."""
    user = row.get(field)
    return str(user.get("login") or "") if isinstance(user, dict) else ""


def is_bot(row: dict[str, Any], field: str = "user") -> bool:
    """Whether that account is a bot's: an App's, or that of GitHub Actions."""
    user = row.get(field)
    return isinstance(user, dict) and (user.get("type") == "Bot" or user_login(row, field).endswith("[bot]"))


def is_written_by(row: dict[str, Any], authors: frozenset[str]) -> bool:
    """Whether the author is one of ``authors`` (lower-case logins)."""
    return author_login(row).lower() in authors


def _names(rows: Any, name: str) -> list[str]:
    names = [row.get(name) if isinstance(row, dict) else row for row in rows or ()]
    return [str(value).lower() for value in names if value]


def require_register(issue: IssueView, group: str) -> Register:
    """The register of an issue that was just read. Raises TargetError where it cannot be used."""
    register = issue.register_block.register
    if register is None or issue.register_block.group != group:
        raise TargetError(
            f"issue #{issue.number}: {issue.register_block.error or 'it is not the register of this group'}"
        )
    return register


def update_register(
    client: IssueClient,
    number: int,
    group: str,
    update: Callable[[Register], Register],
    fields_of: Callable[[IssueView, Register], dict[str, str]] | None = None,
) -> IssueView:
    """Apply ``update`` to the register on the issue, and return the issue afterwards.

    ``fields_of`` gives the fields to write for the new register; by default it alone is replaced. Raises TargetError
    and ServiceError.
    """
    issue = client.get(number)
    before = require_register(issue, group)
    after = update(before)
    if after == before:
        return issue
    fields = fields_of(issue, after) if fields_of else {"body": render_body(issue.body, "", after)}
    return client.update(number, fields)


_ISSUE = re.compile(r"https?://[^/\s]+/(?P<repository>[^/\s]+/[^/\s]+)/issues/(?P<number>\d{1,9})")


def parse_issue_url(url: str) -> tuple[str, int]:
    """Repository and number of the issue at ``url``; raises UserError where it is none."""
    match = _ISSUE.fullmatch(url)
    if match is None:
        raise UserError(f"{url!r} is not the address of an issue", hint="It ends in `/owner/name/issues/12`.")
    return match["repository"], int(match["number"])
