"""Issues changed: each change looks again just before it, and is safe to repeat after a crash at any request.

Comments come before the write that the plan would not ask for again; a new issue carries its first notes in its body.
Nothing is sent twice blindly: where an answer is lost, we look once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...errors import ServiceError, shorten
from ...model.monitored_model import GitHubSpec
from ...model.plan import Change, ChangeKind, ChangeResult, Note
from ...model.register import Register
from ...model.rendered_text import IssueText
from ..base import ChangeOutcome, GroupRun
from ..register.authorization import trusted_authors, untrusted_reason
from ..register.client import LABEL, RECENT_AGE, IssueClient, IssueView, has_comment
from ..register.codec import digest_title, neutralize_markers, render_body, truncate
from ..register.selection import PROGRESS_ORDER
from .observe import NOTE_MARKER
from .render import issue_text, note_text

MAX_TITLE = 256
MAX_COMMENT = 65_536
_MAX_NOTE_IN_BODY = 4_000
_STATES_AFTER = {
    ChangeKind.REOPEN_ISSUE: ("open", "reopened"),
    ChangeKind.CLOSE_ISSUE: ("closed", "completed"),
    ChangeKind.CLOSE_DUPLICATE: ("closed", "duplicate"),
}
_Result = tuple[ChangeResult, str, IssueView | None]
"""What became of it, the detail, and the issue afterwards where it is known."""


@dataclass(frozen=True, slots=True)
class IssueChangeContext:
    """What every issue change of one group needs."""

    run: GroupRun
    client: IssueClient
    spec: GitHubSpec

    @property
    def labels(self) -> list[str]:
        return list(dict.fromkeys([LABEL, *self.spec.labels]))


def apply_issue_change(change: Change, run: GroupRun) -> ChangeOutcome:
    """Carry out ``change``, and leave the issue that carries the group in ``run``. Raises UserError."""
    context = IssueChangeContext(run, run.issue_client(change), run.github_spec(change))
    if change.kind is ChangeKind.CLOSE_DUPLICATE:
        return _apply_change(context, change)[0]
    if change.register is not None:
        # What was done before the issue change (an incident resolved before its issue is closed) goes in with it.
        change = replace(change, register=run.update(change.register))
    outcome, issue = _apply_change(context, change)
    run.issue_read, run.issue = True, issue
    run.blocked_reason = "" if outcome.succeeded else outcome.detail
    return outcome


def _apply_change(context: IssueChangeContext, change: Change) -> tuple[ChangeOutcome, IssueView | None]:
    if change.kind is ChangeKind.OPEN_ISSUE:
        result, detail, issue = _open_issue(context, change)
    elif change.expect.issue is None:
        result, detail, issue = ChangeResult.REFUSED, "the plan does not say which issue", None
    else:
        result, detail, issue = _change_issue(context, change, change.expect.issue)
    return ChangeOutcome(result, detail, issue.url if issue else ""), issue


def _open_issue(context: IssueChangeContext, change: Change) -> _Result:
    register = change.register
    if register is None:
        return ChangeResult.REFUSED, "the plan has no register for the issue", None
    client = context.client
    authors = trusted_authors(client, context.spec)
    existing = _find_existing(context, register, authors)
    if existing is not None:
        return _adopt_issue(context, existing)
    text = issue_text(context.run, register)
    title = _issue_title(text, register)
    notes = "\n\n".join(_comment_body(context, note, register)[:_MAX_NOTE_IN_BODY] for note in change.notes)
    body = render_body(notes, text.body, register, title)
    try:
        issue, warnings = _create_issue(client, title, body, context.labels, list(context.spec.assignees))
    except ServiceError as error:
        existing = _find_existing(context, register, authors) if error.uncertain else None
        if existing is None:
            raise
        issue, warnings = existing, []
    warnings += _add_labels(client, issue, context.labels)
    if problem := untrusted_reason(issue, authors):
        warnings.append(problem)
    return ChangeResult.DONE, "; ".join(warnings), issue


def _find_existing(context: IssueChangeContext, register: Register, authors: frozenset[str]) -> IssueView | None:
    """An open issue of this episode that came into being after the plan looked, or before a crash."""
    existing = None
    for issue in context.client.list_newest(context.run.now - RECENT_AGE):
        theirs = issue.register_block.register
        same = theirs is not None and (theirs.group, theirs.episode) == (register.group, register.episode)
        if same and issue.state == "open" and not untrusted_reason(issue, authors):
            existing = issue  # the lists are newest first, and the lowest number survives
    return existing


def _adopt_issue(context: IssueChangeContext, issue: IssueView) -> _Result:
    warnings = _add_labels(context.client, issue, context.labels)
    return ChangeResult.ALREADY, "; ".join([f"issue #{issue.number} is there already", *warnings]), issue


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
    return issue, [f"cannot be assigned here: {', '.join(missing)}"] if missing else []


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


def _change_issue(context: IssueChangeContext, change: Change, number: int) -> _Result:
    client = context.client
    issue = client.get(number)
    as_expected = issue.digest == change.expect.body_digest and issue.state == change.expect.issue_state
    if not as_expected:
        if _is_satisfied(issue, change):
            return ChangeResult.ALREADY, "", issue
        return ChangeResult.REFUSED, _describe_difference(issue, change), issue
    warnings = _post_notes(context, change, issue)
    fields = _changed_fields(context, change, issue)
    try:
        issue = _patch_issue(client, number, fields)
    except ServiceError as error:
        if not error.uncertain:
            raise
        issue = client.get(number)
        if not _is_satisfied(issue, change) or issue.body != fields.get("body", issue.body):
            raise
    return ChangeResult.DONE, "; ".join(warnings), issue


def _changed_fields(context: IssueChangeContext, change: Change, issue: IssueView) -> dict[str, str]:
    """What the issue shall be, to be written with one request."""
    fields: dict[str, str] = {}
    if change.register is not None and change.kind is not ChangeKind.CLOSE_DUPLICATE:
        fields = text_fields(issue, issue_text(context.run, change.register), change.register)
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
    client = context.client
    comments = client.list_comments(issue.number, None) if issue.comments else ()
    posted = issue.body + "".join(str(row.get("body")) for row in comments)
    warnings = []
    for note in change.notes:
        if _note_marker(note.key) in posted:
            continue
        try:
            client.add_comment(issue.number, _comment_body(context, note, change.register))
        except ServiceError as error:
            if error.status == 403 and issue.locked:
                warnings.append(f"the comment about {note.topic} could not be posted: {error.message}")
            elif not error.uncertain or not has_comment(client, issue.number, _note_marker(note.key)):
                raise
    return warnings


def _comment_body(context: IssueChangeContext, note: Note, register: Register | None) -> str:
    text = note_text(context.run, note, register) if register else note.detail
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
    """Equal but for what is written after the change itself: page, receipts, messages and troubles."""
    bare = {"page": None, "troubles": (), "dispatches": (), "messages": ()}
    if replace(has, **bare) != replace(wanted, **bare):  # type: ignore[arg-type]
        return False
    states = {record.key: record.state for record in has.dispatches}
    return all(
        record.key in states and PROGRESS_ORDER.index(states[record.key]) >= PROGRESS_ORDER.index(record.state)
        for record in wanted.dispatches
    )


def _describe_difference(issue: IssueView, change: Change) -> str:
    name = f"issue #{issue.number}"
    if issue.state != change.expect.issue_state:
        return f"{name} is {issue.state} now, and the plan expects it {change.expect.issue_state}"
    if issue.register_block.error:
        return f"{name}: {issue.register_block.error}"
    return f"the text of {name} was changed since the plan was made; the next evaluation looks again"
