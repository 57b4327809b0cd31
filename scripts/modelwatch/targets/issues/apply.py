"""Applies changes of issues: each reads the issue again first, and is safe to repeat after a crash at any request.

Comments are posted before the issue is written, since the plan would not repeat them afterwards; a new issue has its
first notes in its body. Only answers to commands are posted after it: a crash in between loses an answer, which the
record on the issue has, and never doubles one. Where GitHub's answer is lost, the issue is read once before anything is
sent again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import ServiceError, shorten
from ...model.ledger import Ledger, LedgerEntry
from ...model.plan import ANSWER, Change, ChangeKind, ChangeResult, Note
from ...model.register import Register
from ..base import ChangeOutcome, GroupRun
from ..register.archive import fetch_ledger
from ..register.authorization import trusted_authors, untrusted_reason
from ..register.claim import CLAIM_SECONDS, check_write_time, is_foreign, sign
from ..register.client import (
    LABEL,
    LISTED_WITHIN,
    NOTE_MARKER,
    RECENT_AGE,
    IssueClient,
    IssueView,
    is_written_by,
    require_register,
)
from ..register.codec import digest_title, neutralize_markers, render_body, shrink_register, truncate
from ..register.selection import PROGRESS_ORDER
from .render import issue_text, note_text

SEVERITY_LABEL = "severity:"
MAX_TITLE = 256
MAX_COMMENT = 65_536
_MAX_NOTE_IN_BODY = 4_000
_STATES_AFTER = {
    ChangeKind.REOPEN_ISSUE: ("open", "reopened"),
    ChangeKind.CLOSE_ISSUE: ("closed", "completed"),
    ChangeKind.CLOSE_DUPLICATE: ("closed", "duplicate"),
}
MAX_READS = 50
"""Issues and pull requests that are read by their numbers before a new issue counts as the only one."""
RECENT_SECONDS = 30.0
"""A list may not yet show a comment that is younger."""
MAX_LISTINGS = 3
_Result = tuple[ChangeResult, str, IssueView | None]
"""The result, the detail, and the issue afterwards where it is known."""


def apply_issue_change(change: Change, run: GroupRun) -> ChangeOutcome:
    """Carry out ``change``, and leave the issue that carries the group in ``run``. Raises UserError."""
    is_duplicate = change.kind is ChangeKind.CLOSE_DUPLICATE
    if change.register is not None and not is_duplicate:
        # Receipts of earlier changes (an incident is resolved before its issue is closed) are written with it.
        change = replace(change, register=run.update(change.register))
    client = run.issue_client(change)
    if change.kind is ChangeKind.OPEN_ISSUE:
        result, detail, issue = _open_issue(run, client, change)
    elif change.expect.issue is None:
        result, detail, issue = ChangeResult.REFUSED, "the plan does not say which issue", None
    else:
        result, detail, issue = _change_issue(run, client, change, change.expect.issue)
    outcome = ChangeOutcome(result, detail, issue.url if issue else "")
    if not is_duplicate:
        run.issue_read, run.issue = True, issue
        run.blocked_reason = "" if outcome.succeeded else detail
    return outcome


def _open_issue(run: GroupRun, client: IssueClient, change: Change) -> _Result:
    if change.register is None:
        return ChangeResult.REFUSED, "the plan has no register for the issue", None
    register, spec = sign(run, change.register), run.github_spec(change)
    authors = trusted_authors(client, spec)
    labels = list(dict.fromkeys([LABEL, _severity_label(register), *spec.labels]))
    newest = {issue.number: issue for issue in client.list_newest(run.now - RECENT_AGE)}
    if existing := _find_existing(newest.values(), register, authors):
        return _join_existing(run, client, existing, labels)
    title, text = issue_text(run, register)
    title = shorten(title or f"{register.model}: {register.rule}", MAX_TITLE)
    notes = "\n\n".join(_comment_body(run, note, register)[:_MAX_NOTE_IN_BODY] for note in change.notes)
    body = render_body(notes, text, register, title)
    try:
        issue, warnings = _create_issue(client, title, body, labels, _assignees(run, change))
    except ServiceError as error:
        newest = {issue.number: issue for issue in client.list_newest(run.now - RECENT_AGE)} if error.uncertain else {}
        existing = _find_existing(newest.values(), register, authors)
        if existing is None:
            raise
        issue, warnings = existing, []
    if is_foreign(run, issue):
        return _join_existing(run, client, issue, labels)
    run.issue_read, run.issue = True, issue  # from here on it is known, whatever fails
    warnings += _add_labels(client, issue, labels)
    try:
        older = _find_older(client, issue, register, authors, newest)
    except ServiceError as error:
        return ChangeResult.REFUSED, f"issue #{issue.number} is opened, but nothing is dispatched: {error}", issue
    if older is not None:
        return _close_own(run, client, issue, older)
    run.claimed = True
    if problem := untrusted_reason(issue, authors):
        warnings.append(problem)
    return ChangeResult.DONE, "; ".join(warnings), issue


def _join_existing(run: GroupRun, client: IssueClient, issue: IssueView, labels: list[str]) -> _Result:
    """Leave the issue of this episode to the evaluation that has opened it, which can be a part of this one."""
    run.superseded = is_foreign(run, issue)
    warnings = [f"issue #{issue.number} is there already", *_add_labels(client, issue, labels)]
    return ChangeResult.ALREADY, "; ".join(warnings), issue


def _find_older(
    client: IssueClient,
    issue: IssueView,
    register: Register,
    authors: frozenset[str],
    listed: Mapping[int, IssueView],
) -> IssueView | None:
    """The issue of this episode with the lowest number that was opened shortly before ``issue``. Those that are not in
    ``listed`` are read by their numbers, since lists lag behind. Raises ServiceError."""
    found, reads = None, 0
    for number in range(issue.number - 1, 0, -1):
        other = listed.get(number)
        if other is None:
            reads += 1
            if reads > MAX_READS:
                raise ServiceError(
                    f"more than {MAX_READS} issues and pull requests before #{issue.number} are not listed"
                )
            other = client.find(number)
        if other is not None and other.created_at < issue.created_at - LISTED_WITHIN:
            break
        found = _find_existing([other] if other else [], register, authors) or found
    return found


def _close_own(run: GroupRun, client: IssueClient, issue: IssueView, older: IssueView) -> _Result:
    """Close the issue that was opened later than ``older``, without its intents, which belong to that one."""
    run.superseded = is_foreign(run, older)
    register = require_register(issue, issue.register_block.group)
    body = render_body(issue.body, "", replace(register, dispatches=(), messages=()))
    client.update(issue.number, {"body": body, "state": "closed", "state_reason": "duplicate"})
    detail = f"#{older.number} was opened at the same time: its duplicate #{issue.number} is closed"
    return ChangeResult.ALREADY, detail, older


def _severity_label(register: Register) -> str:
    return f"{SEVERITY_LABEL}{register.severity}"


def _assignees(run: GroupRun, change: Change) -> list[str]:
    """Those of the configuration, else the owner; a team cannot be assigned."""
    model = run.model(change.model)
    owner = re.fullmatch(r"@([A-Za-z0-9][A-Za-z0-9-]{0,38})", model.owner) if model else None
    return list(run.github_spec(change).assignees) or ([owner[1]] if owner else [])


def _find_existing(issues: Iterable[IssueView], register: Register, authors: frozenset[str]) -> IssueView | None:
    """The oldest of the open ``issues`` of this episode, newest first: it was opened after the plan was made, or before
    a crash."""
    existing = None
    for issue in issues:
        other = issue.register_block.register
        same = other is not None and (other.group, other.episode) == (register.group, register.episode)
        if same and issue.state == "open" and not untrusted_reason(issue, authors):
            existing = issue
    return existing


def _create_issue(
    client: IssueClient, title: str, body: str, labels: list[str], assignees: list[str]
) -> tuple[IssueView, list[str]]:
    """The new issue, and warnings about its assignees."""
    try:
        issue = client.create(title, body, labels, assignees)
    except ServiceError as error:
        if error.status != 422 or not assignees or "assignee" not in error.message:
            raise
        return client.create(title, body, labels, []), [f"nobody is assigned: {error.message}"]
    missing = [login for login in assignees if login.lower() not in issue.assignees]
    return issue, [f"cannot be assigned here: {', '.join(missing)}"] if missing else []


def _add_labels(client: IssueClient, issue: IssueView, labels: list[str]) -> list[str]:
    """Add the labels that GitHub dropped, as it does without an error; returns a warning about those that fail.

    Raises ServiceError if our own label fails: without it the issue would not be found again.
    """
    missing = [label for label in labels if label.lower() not in issue.labels]
    if not missing:
        return []
    reason, present = "GitHub dropped them", issue.labels
    try:
        for label in missing:
            client.create_label(label)
        present = client.add_labels(issue.number, missing)
    except ServiceError as error:
        reason = error.message
    missing = [label for label in missing if label.lower() not in present]
    if LABEL in missing:
        raise ServiceError(
            f"issue #{issue.number} cannot be labelled {LABEL}, and would not be found again ({reason})",
            hint="The token needs `issues: write`, and its owner the triage role.",
        )
    return [f"labels that could not be added: {', '.join(missing)} ({reason})"] if missing else []


def _change_issue(run: GroupRun, client: IssueClient, change: Change, number: int) -> _Result:
    clock = run.sessions.clock
    read_at, issue = clock.monotonic(), client.get(number)
    if not _is_expected(issue, change):
        return _report_difference(run, issue, change)
    posted, warnings = _post_notes(run, client, change, issue)
    if any(note.topic != ANSWER for note in change.notes):  # they take their time
        if posted:
            warnings += _delete_duplicates(run, client, change, posted, issue)
        read_at, issue = clock.monotonic(), client.get(number)
        if not _is_expected(issue, change):
            return _report_difference(run, issue, change)
    fields: dict[str, Any] = {}
    is_duplicate = change.kind is ChangeKind.CLOSE_DUPLICATE
    register = None if change.register is None or is_duplicate else sign(run, change.register)
    if register is not None:
        fields = {**text_fields(run, issue, register), **_label_fields(issue, register)}
    if change.kind in _STATES_AFTER:
        state, reason = _STATES_AFTER[change.kind]
        fields |= {"state": state, "state_reason": reason}
    issue = client.update(number, fields)
    late = check_write_time(run, register, read_at) if register is not None else ""
    warnings += _post_answers(run, client, change, issue)
    if late:
        return ChangeResult.REFUSED, late, issue
    return ChangeResult.DONE, "; ".join(warnings), issue


def _is_expected(issue: IssueView, change: Change) -> bool:
    return issue.digest == change.expect.body_digest and issue.state == change.expect.issue_state


def _report_difference(run: GroupRun, issue: IssueView, change: Change) -> _Result:
    if _is_satisfied(issue, change):
        return ChangeResult.ALREADY, "", issue
    register = issue.register_block.register
    if register is not None and change.register is not None and change.kind is not ChangeKind.CLOSE_DUPLICATE:
        run.superseded = register.writer != change.register.writer
    return ChangeResult.REFUSED, _describe_difference(issue, change), issue


def _label_fields(issue: IssueView, register: Register) -> dict[str, list[str]]:
    """All labels, where that of the severity changes."""
    others = sorted(label for label in issue.labels if not label.startswith(SEVERITY_LABEL))
    label = _severity_label(register)
    return {} if label in issue.labels else {"labels": [*others, label]}


def text_fields(run: GroupRun, issue: IssueView, register: Register) -> dict[str, str]:
    """The body, and the title unless a person changed it."""
    title, text = issue_text(run, register)
    title = shorten(title, MAX_TITLE)
    if issue.register_block.title != digest_title(issue.title):
        title = ""
    fields = {"body": render_body(issue.body, text, register, title)}
    return fields | {"title": title} if title not in ("", issue.title) else fields


def _delete_duplicates(
    run: GroupRun, client: IssueClient, change: Change, posted: Mapping[str, int], before: IssueView
) -> list[str]:
    """Delete those of our comments that another evaluation posted a moment before; returns what failed as warnings.

    The issue itself, which does not lag behind, says whether somebody else commented: it was changed shortly before it
    was read (``before``), or has more comments than then and ours. Only then is the list read, again where it lags.
    """
    clock = run.sessions.clock
    authors = trusted_authors(client, run.github_spec(change))
    is_quiet = run.now + clock.age() - before.updated_at > RECENT_SECONDS
    try:
        if is_quiet and client.get(before.number).comments <= before.comments + len(posted):
            return []
        for _ in range(MAX_LISTINGS):
            if client.delete_duplicates(before.number, posted, authors):
                break
            clock.sleep(CLAIM_SECONDS * client.github.retry.wait_scale)
    except ServiceError as error:
        return [f"a comment may be there twice: {error.message}"]
    return []


def _post_notes(
    run: GroupRun, client: IssueClient, change: Change, issue: IssueView
) -> tuple[dict[str, int], list[str]]:
    """Post the comments that are missing, but for answers: the id of each by its marker, and a warning for each that a
    locked issue did not take.

    One that is there already was posted by an evaluation that ended before it wrote the register.
    """
    notes = [note for note in change.notes if note.topic != ANSWER]
    if not notes:
        return {}, []
    authors = trusted_authors(client, run.github_spec(change))
    before = issue.register_block.register
    rows = client.list_comments(issue.number, before.last_comment if before else 0) if issue.comments else ()
    posted = issue.body + "".join(str(row.get("body")) for row in rows if is_written_by(row, authors))
    entries: Sequence[LedgerEntry] = ()
    if change.register and any(note.topic == "recovered" for note in notes):
        entries, _ = fetch_ledger(client, issue.number, change.register, authors)
    added, warnings = {}, []
    for note in notes:
        marker = _note_marker(note.key)
        if marker in posted:
            continue
        try:
            row = client.add_comment(issue.number, _comment_body(run, note, change.register, entries), marker, authors)
            added[marker] = row["id"]
        except ServiceError as error:
            if error.status != 403 or not issue.locked:
                raise
            warnings.append(f"the comment about {note.topic} could not be posted: {error.message}")
    return added, warnings


def _post_answers(run: GroupRun, client: IssueClient, change: Change, issue: IssueView) -> list[str]:
    """Post the answers to commands; returns a warning for each that failed. What follows does not wait for them."""
    posted, warnings = {}, []
    for note in change.notes:
        if note.topic != ANSWER:
            continue
        body, marker = _comment_body(run, note, change.register), _note_marker(note.key)
        try:
            row = client.add_comment(issue.number, body, marker, trusted_authors(client, run.github_spec(change)))
            posted[marker] = row["id"]
        except ServiceError as error:
            warnings.append(f"an answer to a command could not be posted: {error.message}")
    if posted:
        warnings += _delete_duplicates(run, client, change, posted, issue)
    return warnings


def _comment_body(run: GroupRun, note: Note, register: Register | None, entries: Sequence[LedgerEntry] = ()) -> str:
    text = note_text(run, note, register, entries) if register else note.detail
    return f"{truncate(neutralize_markers(text), MAX_COMMENT - 400)}\n\n{_note_marker(note.key)}"


def _note_marker(key: str) -> str:
    plain = "".join(letter if letter.isalnum() or letter in "._#:" else "-" for letter in key)[:200]
    return f"{NOTE_MARKER} {plain} -->"


def _is_satisfied(issue: IssueView, change: Change) -> bool:
    """Whether the issue already has what ``change`` writes, with or without later receipts."""
    if issue.state != _STATES_AFTER.get(change.kind, (change.expect.issue_state, ""))[0]:
        return False
    if change.register is None or change.kind is ChangeKind.CLOSE_DUPLICATE:
        return True
    register = issue.register_block.register
    return register is not None and _register_covers(register, change.register)


def _register_covers(register: Register, wanted: Register) -> bool:
    """Whether both are equal but for the writer and the fields written later: page, receipts, messages and troubles."""
    wanted = shrink_register(wanted)
    later = {
        "writer": "",
        "page": None,
        "troubles": (),
        "dispatches": (),
        "messages": (),
        "ledger": Ledger(),
        "impact": None,
    }
    if replace(register, **later) != replace(wanted, **later):  # type: ignore[arg-type]
        return False
    states = {record.key: record.state for record in register.dispatches}
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
    return f"the text of {name} was changed since the plan was made; the next evaluation tries again"
