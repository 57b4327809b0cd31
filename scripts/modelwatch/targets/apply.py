"""Applies a plan: every change ends in a receipt, and one target's failure never stops another.

What planning relies on:

* An issue change writes body and state in **one** request, and posts its notes *before* it: a note that was posted
  (by its key) is not posted again, so a crash in between repeats nothing and loses nothing.
* What a target did is written into the register right after the group's changes. ``Change.register`` of the issue
  change never claims such a success, but an issue change applied after a success keeps it.
* A dispatch is sent only if the issue change before it in the same group succeeded or none was needed: the intent
  must be in the register first.
* Where applying is slow, pages do not wait for the issues before them: they are sent at once, and again with the link.
* Changes of other targets name the issue of their group in ``expect.issue`` where there is one; without a body digest,
  since the issue change before them has altered the body.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial

from ..errors import ServiceError, UserError, shorten
from ..model.ledger import Ledger
from ..model.plan import Change, ChangeKind, ChangeResult, Plan, Receipt, Receipts
from ..model.register import Register
from ..model.target import Target
from .base import ChangeOutcome, GroupRun
from .delivery import REPORTED_KINDS, comment_on_failures, report_unwritten_issues
from .issues.apply import text_fields
from .order import TARGETS
from .register.archive import archive_entries
from .register.authorization import trusted_authors, untrusted_reason
from .register.client import IssueClient, IssueView, require_register, update_register
from .register.codec import future_reason
from .sessions import TargetSessions

MAX_ISSUE_TROUBLES = 5
PAGE_PATIENCE = 10.0
"""Seconds of applying for which pages wait for the issues that they link to."""
_NOT_ASKED = ChangeOutcome(ChangeResult.NOT_ASKED)
_TARGETS = {target.name: target for target in TARGETS}


def apply_plan(
    plan: Plan,
    digest: str,
    sessions: TargetSessions,
    only: AbstractSet[Target],
    now: float,
    run_url: str = "",
    writer: str = "",
) -> Receipts:
    """Apply the changes of ``plan`` whose target is in ``only``; the others get the receipt ``not-asked``.

    ``digest`` is the plan's, for the receipts. Never raises for what a target does. The parts of a plan can be applied
    by several processes, one after another. ``writer`` tells this evaluation from others at the same time; by
    default it is the same for all parts of a plan in one workflow run.
    """
    writer = writer or hashlib.sha256(f"{digest} {run_url}".encode()).hexdigest()[:16]
    groups = {group.key: group for group in plan.groups}
    changes: dict[tuple[str, str], list[Change]] = {}
    for change in plan.changes:
        changes.setdefault((change.model, change.group), []).append(change)
    receipts: list[Receipt] = []
    ahead: AbstractSet[str] = frozenset()

    def start(key: tuple[str, str]) -> GroupRun:
        return GroupRun(sessions, groups.get(key[1]), now, plan.at, run_url, groups, writer=writer, sent_ahead=ahead)

    until, waits = sessions.clock.monotonic() + sessions.timeout(PAGE_PATIENCE), Target.PAGE in only
    for place, (key, group_changes) in enumerate(changes.items()):
        if waits and (sessions.is_slow or sessions.clock.monotonic() > until):
            waits = False
            ahead = _page_ahead([(start(later), changes[later]) for later in list(changes)[place:]])
        receipts += _apply_group(start(key), group_changes, only)
    if {Target.ISSUE, Target.PAGE} <= only:
        receipts += report_unwritten_issues(plan, receipts, sessions, now, run_url)
    heartbeat = _apply_heartbeat(plan, receipts, start, only) if plan.heartbeat else None
    return Receipts(at=now, plan=digest, receipts=tuple(receipts), heartbeat=heartbeat)


def _apply_heartbeat(
    plan: Plan, receipts: Sequence[Receipt], start: Callable[[tuple[str, str]], GroupRun], only: AbstractSet[Target]
) -> Receipt | None:
    """Send the heartbeat of the plan, last of all: it says that everything before it worked. Never raises."""
    change = plan.heartbeat
    if change is None:
        return None
    run = start((change.model, change.group))
    run.unfinished = _unfinished(plan, receipts)
    outcome = _NOT_ASKED
    if Target.HEARTBEAT in only:
        try:
            outcome = _TARGETS[Target.HEARTBEAT].apply(change, run)
        except UserError as error:
            outcome = ChangeOutcome(ChangeResult.FAILED, str(error))
        except Exception as error:  # noqa: BLE001 - a sign of life must not end the life
            outcome = ChangeOutcome(ChangeResult.FAILED, f"a bug in modelwatch: {type(error).__name__}")
    return Receipt(change.id, change.kind, change.model, change.group, outcome.result, run.now, outcome.detail)


def _unfinished(plan: Plan, receipts: Sequence[Receipt]) -> str:
    """What the evaluation could not do, as a reason; empty where it did everything."""
    if plan.troubles:
        more = f" (and {len(plan.troubles) - 1} more)" if len(plan.troubles) > 1 else ""
        return f"{plan.troubles[0][0]}: {plan.troubles[0][1]}{more}"
    left = [receipt for receipt in receipts if receipt.result in (ChangeResult.FAILED, ChangeResult.REFUSED)]
    if not left:
        return ""
    more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
    verb = "failed" if left[0].result is ChangeResult.FAILED else "was refused"
    return f"{left[0].kind} of {left[0].model} {verb}: {left[0].detail}{more}"


def _page_ahead(groups: Sequence[tuple[GroupRun, Sequence[Change]]]) -> set[str]:
    """Send the pages of ``groups`` without their issues' links; returns the ids of those that were accepted.

    Each is sent again when its turn comes, which PagerDuty only adds to the alert: then with the link, recorded, and
    reported where it was never accepted."""
    accepted = set()
    for run, changes in groups:
        run.issue_problem = "this page did not wait for GitHub, which is slow; the link follows"
        for change in changes:
            if change.kind is not ChangeKind.TRIGGER_INCIDENT:
                continue
            try:
                _TARGETS[Target.PAGE].apply(change, run)
                accepted.add(change.id)
            except ServiceError as error:
                if not error.status:
                    return accepted  # PagerDuty does not answer either
            except Exception:  # noqa: BLE001, S110 - its own turn reports it
                pass
    return accepted


def _apply_group(run: GroupRun, changes: Sequence[Change], only: AbstractSet[Target]) -> list[Receipt]:
    troubles: dict[str, str] = {}
    failures: dict[str, str] = {}
    run.updates.append(lambda register: _update_troubles(register, troubles))
    receipts = []
    for change in changes:
        outcome = _apply_change(run, change, changes, troubles, failures) if change.kind.target in only else _NOT_ASKED
        receipts.append(
            Receipt(
                change.id, change.kind, change.model, change.group, outcome.result, run.now, outcome.detail, outcome.url
            )
        )
    if problem := _record_results(run, changes, failures):
        # No change of the plan failed: what was done stays done, and the next evaluation finds it.
        first, kind = changes[0], ChangeKind.UPDATE_ISSUE
        name, failed = f"record:{first.group}", ChangeResult.FAILED
        receipts.append(Receipt(name, kind, first.model, first.group, failed, run.now, problem, run.issue_url))
    return receipts


def _apply_change(
    run: GroupRun, change: Change, changes: Sequence[Change], troubles: dict[str, str], failures: dict[str, str]
) -> ChangeOutcome:
    """Make ``change``; adds to ``troubles`` and ``failures`` (what somebody has to know) what failed, or works again.

    Never raises: a failure here must not keep the next change, perhaps a page, from being made."""
    target = _TARGETS[change.kind.target]
    try:
        if target.name is not Target.ISSUE:
            _read_issue(run, changes)
        outcome = target.apply(change, run)
    except UserError as error:
        reason = str(error)
        # Whether a page that is sent twice was lost does not matter; what cannot be repeated is looked for first.
        repeatable = change.kind is ChangeKind.TRIGGER_INCIDENT
        certain = repeatable or not (isinstance(error, ServiceError) and error.uncertain)
    except Exception as error:  # noqa: BLE001 - a bug in one change; the page after it still goes out
        reason, certain = f"a bug in modelwatch: {type(error).__name__}: {shorten(error)}", True
    else:
        if outcome.record is not None:
            run.updates.append(outcome.record)
            troubles[target.describe(change)] = ""  # an older trouble about it is over
            failures[target.describe(change)] = ""
        return outcome
    if target.name is not Target.ISSUE:
        what = target.describe(change)
        troubles[what] = shorten(f"{what} failed: {reason}")
        if change.kind in REPORTED_KINDS and certain:
            failures[what] = troubles[what]
    elif change.kind is not ChangeKind.CLOSE_DUPLICATE:
        run.blocked_reason = run.issue_problem = reason
    return ChangeOutcome(ChangeResult.FAILED, reason)


def _read_issue(run: GroupRun, changes: Sequence[Change]) -> None:
    """Read the group's issue, unless a change of this process has."""
    if run.issue_read or run.blocked_reason:
        return
    run.issue_read = True
    first = changes[0]
    try:
        others = (change for change in changes if change.kind is not ChangeKind.CLOSE_DUPLICATE)
        number = next((change.expect.issue for change in others if change.expect.issue), None)
        client = run.issue_client(_change_beside_issue(changes))
        run.issue = client.get(number) if number else _find_open_issue(client, run, first)
        if run.issue is None:
            run.blocked_reason = "no issue of this group is open: its intent is not written"
        else:
            doubt = future_reason(require_register(run.issue, first.group), run.now)
            run.blocked_reason = doubt or untrusted_reason(run.issue, trusted_authors(client, run.github_spec(first)))
    except UserError as error:
        run.blocked_reason = str(error)
        run.issue_problem = str(error) if run.github_spec(changes[0]).repository else ""


def _change_beside_issue(changes: Sequence[Change]) -> Change:
    """A change in the repository of the issue, if there is one: a dispatch can go to another repository."""
    return next((change for change in changes if change.kind.target is not Target.DISPATCH), changes[0])


def _find_open_issue(client: IssueClient, run: GroupRun, change: Change) -> IssueView | None:
    authors = trusted_authors(client, run.github_spec(change))
    for issue in client.list_labelled(run.now):
        ours = issue.register_block.group == change.group and not untrusted_reason(issue, authors)
        if ours and issue.state == "open":
            return issue
    return None


def _record_results(run: GroupRun, changes: Sequence[Change], failures: Mapping[str, str]) -> str:
    """Write the receipts on the issue, with one request; returns why that failed."""
    if run.issue is None or run.superseded:
        return ""
    try:
        if run.register is None and (written := run.issue.register_block.register):
            return f"not recorded on the issue: {future_reason(written, run.now)}"
        client = run.issue_client(_change_beside_issue(changes))
        comment_on_failures(run, client, failures)
        problem = _archive_ledger(run, client, changes)
        if run.register is None or run.update(run.register) != run.register:
            update_register(client, run.issue.number, changes[0].group, run.update, partial(text_fields, run))
    except UserError as error:
        return f"not recorded on the issue: {error}"
    except Exception as error:  # noqa: BLE001 - what was done stays done, and its receipts must not be lost
        return f"not recorded on the issue, a bug in modelwatch: {type(error).__name__}: {shorten(error)}"
    return problem


def _archive_ledger(run: GroupRun, client: IssueClient, changes: Sequence[Change]) -> str:
    """Move older entries of a long ledger into a comment; returns why that failed."""
    register = run.update(run.register) if run.register else None
    if run.issue is None or register is None or not register.ledger.is_long:
        return ""
    try:
        authors = trusted_authors(client, run.github_spec(_change_beside_issue(changes)))
        ledger = archive_entries(client, run.issue.number, register.episode, register.ledger, authors, run.now)
    except UserError as error:
        return f"the record's older entries stay in the issue's text: {error}"
    moved = {entry.key for entry in register.ledger.recent} - {entry.key for entry in ledger.recent}
    run.updates.append(lambda register: _drop_archived(register, ledger, moved))
    return ""


def _drop_archived(register: Register, archived: Ledger, keys: AbstractSet[str]) -> Register:
    recent = tuple(entry for entry in register.ledger.recent if entry.key not in keys)
    ledger = replace(archived, recent=recent, lost=register.ledger.lost, moves_until=register.ledger.moves_until)
    return replace(register, ledger=ledger)


def _update_troubles(register: Register, troubles: dict[str, str]) -> Register:
    """``register`` with the troubles of this run, which replace older ones about the same change."""
    old = [text for text in register.troubles if not text.startswith(tuple(f"{what} failed" for what in troubles))]
    new = [text for text in troubles.values() if text]
    return replace(register, troubles=tuple((*old, *new)[-MAX_ISSUE_TROUBLES:]))
