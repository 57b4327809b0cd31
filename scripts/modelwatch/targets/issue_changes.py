"""Issues changed: each change looks again just before it, and is safe to repeat after a crash at any request.

Comments come before the write that the plan would not ask for again; a new issue carries its first notes in its body.
Nothing is sent twice blindly: where an answer is lost, we look once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..clients.failure import ServiceError, short
from ..errors import TargetError
from ..model.alert import Group
from ..model.plan import Change, ChangeKind, Result
from ..model.register import ReceiptState, Register
from ..model.texts import IssueText
from ..model.watched import GitHubSpec
from .issue_commands import NOTE
from .issue_view import IssueView
from .issues import distrust, trusted
from .register_text import fit, inert, title_digest, write
from .tracker import LABEL, RECENT, Tracker
from .writer import Writer

MAX_TITLE = 256
MAX_COMMENT = 65_536
_NOTE_FITS = 4_000
_STATES = {
    ChangeKind.REOPEN_ISSUE: ("open", "reopened"),
    ChangeKind.CLOSE_ISSUE: ("closed", "completed"),
    ChangeKind.CLOSE_DUPLICATE: ("closed", "duplicate"),
}
_PROGRESS = list(ReceiptState)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an issue change; ``issue`` is the issue afterwards, where it is known."""

    result: Result
    detail: str = ""
    issue: IssueView | None = None

    @property
    def good(self) -> bool:
        return self.result in (Result.DONE, Result.ALREADY)


@dataclass(frozen=True, slots=True)
class Context:
    """What every issue change of one group needs."""

    tracker: Tracker
    spec: GitHubSpec
    writer: Writer
    group: Group | None
    now: float


def apply_issue(context: Context, change: Change) -> Outcome:
    """Carry out ``change``. Raises UserError and ServiceError for what could not be done."""
    if change.kind is ChangeKind.OPEN_ISSUE:
        return _open(context, change)
    if change.expect.issue is None:
        return Outcome(Result.REFUSED, "the plan does not say which issue")
    return _change(context, change, change.expect.issue)


def _open(context: Context, change: Change) -> Outcome:
    register = change.register
    if register is None:
        return Outcome(Result.REFUSED, "the plan has no register for the issue")
    tracker = context.tracker
    authors = trusted(tracker, context.spec)
    there = _find(context, register, authors)
    if there is not None:
        return _adopt(context, there)
    text = context.writer.issue(context.group, register, context.now)
    title = _title(text, register)
    notes = "\n\n".join(_note(context, change, key)[:_NOTE_FITS] for key in range(len(change.notes)))
    body = write(notes, text.body, register, title)
    labels = list(dict.fromkeys([LABEL, *context.spec.labels]))
    try:
        issue, told = _create(tracker, title, body, labels, list(context.spec.assignees))
    except ServiceError as error:
        found = _find(context, register, authors) if error.uncertain else None
        if found is None:
            raise
        issue, told = found, []
    told += _label(tracker, issue, labels)
    if problem := distrust(issue, authors):
        told.append(problem)
    return Outcome(Result.DONE, "; ".join(told), issue)


def _find(context: Context, register: Register, authors: frozenset[str]) -> IssueView | None:
    """An open issue of this episode that came into being after the plan looked, or before a crash."""
    found = None
    for issue in context.tracker.newest(context.now - RECENT):
        theirs = issue.found.register
        same = theirs is not None and (theirs.group, theirs.episode) == (register.group, register.episode)
        if same and issue.state == "open" and not distrust(issue, authors):
            found = issue  # the lists are newest first, and the lowest number survives
    return found


def _adopt(context: Context, issue: IssueView) -> Outcome:
    labels = list(dict.fromkeys([LABEL, *context.spec.labels]))
    told = _label(context.tracker, issue, labels)
    return Outcome(Result.ALREADY, "; ".join([f"issue #{issue.number} is there already", *told]), issue)


def _create(
    tracker: Tracker, title: str, body: str, labels: list[str], assignees: list[str]
) -> tuple[IssueView, list[str]]:
    """The new issue, and what a person should know about its assignees."""
    try:
        issue = tracker.create(title, body, labels, assignees)
    except ServiceError as error:
        if error.status != 422 or not assignees or "assignee" not in error.message:
            raise
        return tracker.create(title, body, labels, []), [f"nobody is assigned: {error.message}"]
    missing = [login for login in assignees if login.lower() not in issue.assignees]
    told = f"cannot be assigned here: {', '.join(missing)}"
    return issue, [told] if missing else []


def _label(tracker: Tracker, issue: IssueView, labels: list[str]) -> list[str]:
    """Add the labels that GitHub left off (it drops them silently), and tell which could not be added.

    Raises ServiceError where it is our own label: without it the issue would not be found again.
    """
    missing = [label for label in labels if label.lower() not in issue.labels]
    if not missing:
        return []
    reason = "GitHub dropped them"
    have = issue.labels
    try:
        for label in missing:
            tracker.create_label(label)
        have = tracker.add_labels(issue.number, missing)
    except ServiceError as error:
        reason = error.message
    left = [label for label in missing if label.lower() not in have]
    if LABEL in left:
        raise ServiceError(
            f"issue #{issue.number} cannot be labelled {LABEL}, and would not be found again ({reason})",
            hint="The token needs `issues: write`, and its owner the triage role.",
        )
    return [f"labels that could not be added: {', '.join(left)} ({reason})"] if left else []


def _change(context: Context, change: Change, number: int) -> Outcome:
    tracker = context.tracker
    issue = tracker.get(number)
    as_expected = issue.digest == change.expect.body_digest and issue.state == change.expect.issue_state
    if not as_expected:
        if _satisfied(issue, change):
            return Outcome(Result.ALREADY, "", issue)
        return Outcome(Result.REFUSED, _difference(issue, change), issue)
    told = _post_notes(context, change, issue)
    fields = _fields(context, change, issue)
    try:
        issue = _patch(tracker, number, fields)
    except ServiceError as error:
        if not error.uncertain:
            raise
        issue = tracker.get(number)
        if not _satisfied(issue, change) or issue.body != fields.get("body", issue.body):
            raise
    return Outcome(Result.DONE, "; ".join(told), issue)


def _fields(context: Context, change: Change, issue: IssueView) -> dict[str, str]:
    """What the issue shall be, to be written with one request."""
    fields: dict[str, str] = {}
    if change.register is not None and change.kind is not ChangeKind.CLOSE_DUPLICATE:
        text = context.writer.issue(context.group, change.register, context.now)
        fields = text_fields(issue, text, change.register)
    if change.kind in _STATES:
        state, reason = _STATES[change.kind]
        fields |= {"state": state, "state_reason": reason}
    return fields


def text_fields(issue: IssueView, text: IssueText, register: Register) -> dict[str, str]:
    """Body, and title unless a person gave the issue another one."""
    title = _title(text, register) if text.title else ""
    if not title or issue.found.title != title_digest(issue.title):
        return {"body": write(issue.body, text.body, register)}
    fields = {"body": write(issue.body, text.body, register, title)}
    return fields if title == issue.title else fields | {"title": title}


def _patch(tracker: Tracker, number: int, fields: dict[str, str]) -> IssueView:
    """Older GitHub Enterprise Servers do not know the reason ``duplicate``."""
    try:
        return tracker.change(number, fields)
    except ServiceError as error:
        if error.status != 422 or fields.get("state_reason") != "duplicate":
            raise
        return tracker.change(number, fields | {"state_reason": "not_planned"})


def _post_notes(context: Context, change: Change, issue: IssueView) -> list[str]:
    """Post the comments that are not there yet; gives what a person should know where the issue is locked."""
    if not change.notes:
        return []
    tracker = context.tracker
    there = issue.body + "".join(str(row.get("body")) for row in _comments(tracker, issue))
    told = []
    for place, note in enumerate(change.notes):
        if _marker(note.key) in there:
            continue
        try:
            tracker.comment(issue.number, _note(context, change, place))
        except ServiceError as error:
            if error.status == 403 and issue.locked:
                told.append(f"the comment about {note.topic} could not be posted: {error.message}")
            elif not error.uncertain or not _has(tracker, issue, note.key):
                raise
    return told


def _comments(tracker: Tracker, issue: IssueView) -> list[dict[str, object]]:
    return list(tracker.comments(issue.number, None)) if issue.comments else []


def _has(tracker: Tracker, issue: IssueView, key: str) -> bool:
    return any(_marker(key) in str(row.get("body")) for row in tracker.comments(issue.number, None))


def _note(context: Context, change: Change, place: int) -> str:
    note, register = change.notes[place], change.register
    text = context.writer.comment(note, context.group, register, context.now) if register else note.detail
    return f"{fit(inert(text), MAX_COMMENT - 400)}\n\n{_marker(note.key)}"


def _marker(key: str) -> str:
    plain = "".join(letter if letter.isalnum() or letter in "._#:" else "-" for letter in key)[:200]
    return f"{NOTE} {plain} -->"


def _title(text: IssueText, register: Register) -> str:
    line = " ".join(text.title.split()) or f"{register.model}: {register.rule}"
    return short(line, MAX_TITLE)


def _satisfied(issue: IssueView, change: Change) -> bool:
    """Whether the issue already is what ``change`` asks for, perhaps with receipts added since."""
    if issue.state != _STATES.get(change.kind, (change.expect.issue_state, ""))[0]:
        return False
    if change.register is None or change.kind is ChangeKind.CLOSE_DUPLICATE:
        return True
    return issue.found.register is not None and _covers(issue.found.register, change.register)


def _covers(has: Register, wanted: Register) -> bool:
    """Equal but for what is written after the change itself: page, receipts and troubles."""
    bare = {"page": None, "troubles": (), "dispatches": ()}
    if replace(has, **bare) != replace(wanted, **bare):  # type: ignore[arg-type]
        return False
    states = {record.key: record.state for record in has.dispatches}
    return all(
        record.key in states and _PROGRESS.index(states[record.key]) >= _PROGRESS.index(record.state)
        for record in wanted.dispatches
    )


def _difference(issue: IssueView, change: Change) -> str:
    name = f"issue #{issue.number}"
    if issue.state != change.expect.issue_state:
        return f"{name} is {issue.state} now, and the plan expects it {change.expect.issue_state}"
    if issue.found.trouble:
        return f"{name}: {issue.found.trouble}"
    return f"the text of {name} was changed since the plan was made; the next evaluation looks again"


def require_register(issue: IssueView, group: str) -> Register:
    """The register of an issue that was just read. Raises TargetError where it cannot be used."""
    register = issue.found.register
    if register is None or issue.found.group != group:
        raise TargetError(f"issue #{issue.number}: {issue.found.trouble or 'it is not the register of this group'}")
    return register
