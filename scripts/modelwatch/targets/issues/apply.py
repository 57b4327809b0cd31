"""Issues changed: each change looks again just before it, and is safe to repeat after a crash at any request.

Comments come before the write that the plan would not ask for again; a new issue carries its first notes in its body.
Nothing is sent twice blindly: where an answer is lost, we look once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...errors import ServiceError, TargetError, shorten
from ...model.alert import Group
from ...model.monitored_model import GitHubSpec
from ...model.plan import Change, ChangeKind, ChangeResult
from ...model.register import DispatchState, Register
from ...model.rendered_text import IssueText
from ..base import TextWriter
from ..register.client import LABEL, RECENT_AGE, IssueClient, IssueView
from ..register.codec import digest_title, neutralize_markers, render_body, truncate
from .observe import NOTE_MARKER, trusted_authors, untrusted_reason

MAX_TITLE = 256
MAX_COMMENT = 65_536
_MAX_NOTE_IN_BODY = 4_000
_STATES_AFTER = {
    ChangeKind.REOPEN_ISSUE: ("open", "reopened"),
    ChangeKind.CLOSE_ISSUE: ("closed", "completed"),
    ChangeKind.CLOSE_DUPLICATE: ("closed", "duplicate"),
}
_PROGRESS_ORDER = list(DispatchState)


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    """What became of an issue change; ``issue`` is the issue afterwards, where it is known."""

    result: ChangeResult
    detail: str = ""
    issue: IssueView | None = None

    @property
    def succeeded(self) -> bool:
        return self.result in (ChangeResult.DONE, ChangeResult.ALREADY)


@dataclass(frozen=True, slots=True)
class IssueChangeContext:
    """What every issue change of one group needs."""

    client: IssueClient
    spec: GitHubSpec
    writer: TextWriter
    group: Group | None
    now: float


def apply_issue_change(context: IssueChangeContext, change: Change) -> ChangeOutcome:
    """Carry out ``change``. Raises UserError and ServiceError for what could not be done."""
    if change.kind is ChangeKind.OPEN_ISSUE:
        return _open_issue(context, change)
    if change.expect.issue is None:
        return ChangeOutcome(ChangeResult.REFUSED, "the plan does not say which issue")
    return _change_issue(context, change, change.expect.issue)


def _open_issue(context: IssueChangeContext, change: Change) -> ChangeOutcome:
    register = change.register
    if register is None:
        return ChangeOutcome(ChangeResult.REFUSED, "the plan has no register for the issue")
    tracker = context.client
    authors = trusted_authors(tracker, context.spec)
    there = _find_existing(context, register, authors)
    if there is not None:
        return _adopt_issue(context, there)
    text = context.writer.issue(context.group, register, context.now)
    title = _issue_title(text, register)
    notes = "\n\n".join(_note_text(context, change, key)[:_MAX_NOTE_IN_BODY] for key in range(len(change.notes)))
    body = render_body(notes, text.body, register, title)
    labels = list(dict.fromkeys([LABEL, *context.spec.labels]))
    try:
        issue, told = _create_issue(tracker, title, body, labels, list(context.spec.assignees))
    except ServiceError as error:
        found = _find_existing(context, register, authors) if error.uncertain else None
        if found is None:
            raise
        issue, told = found, []
    told += _add_labels(tracker, issue, labels)
    if problem := untrusted_reason(issue, authors):
        told.append(problem)
    return ChangeOutcome(ChangeResult.DONE, "; ".join(told), issue)


def _find_existing(context: IssueChangeContext, register: Register, authors: frozenset[str]) -> IssueView | None:
    """An open issue of this episode that came into being after the plan looked, or before a crash."""
    found = None
    for issue in context.client.list_newest(context.now - RECENT_AGE):
        theirs = issue.register_block.register
        same = theirs is not None and (theirs.group, theirs.episode) == (register.group, register.episode)
        if same and issue.state == "open" and not untrusted_reason(issue, authors):
            found = issue  # the lists are newest first, and the lowest number survives
    return found


def _adopt_issue(context: IssueChangeContext, issue: IssueView) -> ChangeOutcome:
    labels = list(dict.fromkeys([LABEL, *context.spec.labels]))
    told = _add_labels(context.client, issue, labels)
    return ChangeOutcome(ChangeResult.ALREADY, "; ".join([f"issue #{issue.number} is there already", *told]), issue)


def _create_issue(
    client: IssueClient, title: str, body: str, labels: list[str], assignees: list[str]
) -> tuple[IssueView, list[str]]:
    """The new issue, and what a person should know about its assignees."""
    try:
        issue = client.create(title, body, labels, assignees)
    except ServiceError as error:
        if error.status != 422 or not assignees or "assignee" not in error.message:
            raise
        return client.create(title, body, labels, []), [f"nobody is assigned: {error.message}"]
    missing = [login for login in assignees if login.lower() not in issue.assignees]
    told = f"cannot be assigned here: {', '.join(missing)}"
    return issue, [told] if missing else []


def _add_labels(client: IssueClient, issue: IssueView, labels: list[str]) -> list[str]:
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
            client.create_label(label)
        have = client.add_labels(issue.number, missing)
    except ServiceError as error:
        reason = error.message
    left = [label for label in missing if label.lower() not in have]
    if LABEL in left:
        raise ServiceError(
            f"issue #{issue.number} cannot be labelled {LABEL}, and would not be found again ({reason})",
            hint="The token needs `issues: write`, and its owner the triage role.",
        )
    return [f"labels that could not be added: {', '.join(left)} ({reason})"] if left else []


def _change_issue(context: IssueChangeContext, change: Change, number: int) -> ChangeOutcome:
    tracker = context.client
    issue = tracker.get(number)
    as_expected = issue.digest == change.expect.body_digest and issue.state == change.expect.issue_state
    if not as_expected:
        if _is_satisfied(issue, change):
            return ChangeOutcome(ChangeResult.ALREADY, "", issue)
        return ChangeOutcome(ChangeResult.REFUSED, _describe_difference(issue, change), issue)
    told = _post_notes(context, change, issue)
    fields = _changed_fields(context, change, issue)
    try:
        issue = _patch_issue(tracker, number, fields)
    except ServiceError as error:
        if not error.uncertain:
            raise
        issue = tracker.get(number)
        if not _is_satisfied(issue, change) or issue.body != fields.get("body", issue.body):
            raise
    return ChangeOutcome(ChangeResult.DONE, "; ".join(told), issue)


def _changed_fields(context: IssueChangeContext, change: Change, issue: IssueView) -> dict[str, str]:
    """What the issue shall be, to be written with one request."""
    fields: dict[str, str] = {}
    if change.register is not None and change.kind is not ChangeKind.CLOSE_DUPLICATE:
        text = context.writer.issue(context.group, change.register, context.now)
        fields = text_fields(issue, text, change.register)
    if change.kind in _STATES_AFTER:
        state, reason = _STATES_AFTER[change.kind]
        fields |= {"state": state, "state_reason": reason}
    return fields


def text_fields(issue: IssueView, text: IssueText, register: Register) -> dict[str, str]:
    """Body, and title unless a person gave the issue another one."""
    title = _issue_title(text, register) if text.title else ""
    if not title or issue.register_block.title != digest_title(issue.title):
        return {"body": render_body(issue.body, text.body, register)}
    fields = {"body": render_body(issue.body, text.body, register, title)}
    return fields if title == issue.title else fields | {"title": title}


def _patch_issue(client: IssueClient, number: int, fields: dict[str, str]) -> IssueView:
    """Older GitHub Enterprise Servers do not know the reason ``duplicate``."""
    try:
        return client.update(number, fields)
    except ServiceError as error:
        if error.status != 422 or fields.get("state_reason") != "duplicate":
            raise
        return client.update(number, fields | {"state_reason": "not_planned"})


def _post_notes(context: IssueChangeContext, change: Change, issue: IssueView) -> list[str]:
    """Post the comments that are not there yet; gives what a person should know where the issue is locked."""
    if not change.notes:
        return []
    tracker = context.client
    there = issue.body + "".join(str(row.get("body")) for row in _list_comments(tracker, issue))
    told = []
    for place, note in enumerate(change.notes):
        if _note_marker(note.key) in there:
            continue
        try:
            tracker.add_comment(issue.number, _note_text(context, change, place))
        except ServiceError as error:
            if error.status == 403 and issue.locked:
                told.append(f"the comment about {note.topic} could not be posted: {error.message}")
            elif not error.uncertain or not _has_note(tracker, issue, note.key):
                raise
    return told


def _list_comments(client: IssueClient, issue: IssueView) -> list[dict[str, object]]:
    return list(client.list_comments(issue.number, None)) if issue.comments else []


def _has_note(client: IssueClient, issue: IssueView, key: str) -> bool:
    return any(_note_marker(key) in str(row.get("body")) for row in client.list_comments(issue.number, None))


def _note_text(context: IssueChangeContext, change: Change, place: int) -> str:
    note, register = change.notes[place], change.register
    text = context.writer.comment(note, context.group, register, context.now) if register else note.detail
    return f"{truncate(neutralize_markers(text), MAX_COMMENT - 400)}\n\n{_note_marker(note.key)}"


def _note_marker(key: str) -> str:
    plain = "".join(letter if letter.isalnum() or letter in "._#:" else "-" for letter in key)[:200]
    return f"{NOTE_MARKER} {plain} -->"


def _issue_title(text: IssueText, register: Register) -> str:
    line = " ".join(text.title.split()) or f"{register.model}: {register.rule}"
    return shorten(line, MAX_TITLE)


def _is_satisfied(issue: IssueView, change: Change) -> bool:
    """Whether the issue already is what ``change`` asks for, perhaps with receipts added since."""
    if issue.state != _STATES_AFTER.get(change.kind, (change.expect.issue_state, ""))[0]:
        return False
    if change.register is None or change.kind is ChangeKind.CLOSE_DUPLICATE:
        return True
    return issue.register_block.register is not None and _register_covers(
        issue.register_block.register, change.register
    )


def _register_covers(has: Register, wanted: Register) -> bool:
    """Equal but for what is written after the change itself: page, receipts and troubles."""
    bare = {"page": None, "troubles": (), "dispatches": ()}
    if replace(has, **bare) != replace(wanted, **bare):  # type: ignore[arg-type]
        return False
    states = {record.key: record.state for record in has.dispatches}
    return all(
        record.key in states and _PROGRESS_ORDER.index(states[record.key]) >= _PROGRESS_ORDER.index(record.state)
        for record in wanted.dispatches
    )


def _describe_difference(issue: IssueView, change: Change) -> str:
    name = f"issue #{issue.number}"
    if issue.state != change.expect.issue_state:
        return f"{name} is {issue.state} now, and the plan expects it {change.expect.issue_state}"
    if issue.register_block.error:
        return f"{name}: {issue.register_block.error}"
    return f"the text of {name} was changed since the plan was made; the next evaluation looks again"


def require_register(issue: IssueView, group: str) -> Register:
    """The register of an issue that was just read. Raises TargetError where it cannot be used."""
    register = issue.register_block.register
    if register is None or issue.register_block.group != group:
        raise TargetError(
            f"issue #{issue.number}: {issue.register_block.error or 'it is not the register of this group'}"
        )
    return register
