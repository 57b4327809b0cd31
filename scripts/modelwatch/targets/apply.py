"""Carrying out a plan: every change ends in a receipt, and one target's failure never stops another."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from ..errors import ServiceError, UserError, shorten
from ..model.alert import Group
from ..model.monitored_model import GitHubSpec
from ..model.plan import Change, ChangeKind, ChangeResult, Dispatch, Plan, Receipt, Receipts, Target
from ..model.register import DispatchRecord, DispatchState, PageRecord, Register
from .base import TextWriter
from .incidents import apply as incidents_apply
from .issues.apply import ChangeOutcome, IssueChangeContext, apply_issue_change, require_register, text_fields
from .issues.observe import trusted_authors, untrusted_reason
from .register.client import IssueClient, IssueView
from .sessions import TargetSessions
from .workflows import apply as workflows_apply

OnReceipt = Callable[[Receipt], None]


def apply_plan(
    plan: Plan,
    digest: str,
    sessions: TargetSessions,
    writer: TextWriter,
    only: AbstractSet[Target],
    now: float,
    on_receipt: OnReceipt | None = None,
) -> Receipts:
    """Apply the changes of ``plan`` whose target is in ``only``; the others get the receipt ``not-asked``.

    ``digest`` is the plan's, for the receipts. ``on_receipt`` hears of a group's receipts as soon as it is done.
    Never raises for what a target does. The parts of a plan may be applied by several processes, one after another.
    """
    groups = {group.key: group for group in plan.groups}
    changes: dict[tuple[str, str], list[Change]] = {}
    for change in plan.changes:
        changes.setdefault((change.model, change.group), []).append(change)
    receipts: list[Receipt] = []

    def keep(receipt: Receipt) -> None:
        receipts.append(receipt)
        if on_receipt is not None:
            on_receipt(receipt)

    for (_, key), together in changes.items():
        GroupApplier(plan, tuple(together), groups.get(key), sessions, writer, frozenset(only), now).apply(keep)
    return Receipts(at=now, plan=digest, receipts=tuple(receipts))


MAX_ISSUE_TROUBLES = 5


@dataclass(slots=True)
class GroupApplier:
    """One group while its changes are applied."""

    plan: Plan
    changes: tuple[Change, ...]
    group: Group | None
    sessions: TargetSessions
    writer: TextWriter
    only: frozenset[Target]
    now: float
    issue: IssueView | None = None
    """The issue that carries the group, once it is known."""
    blocked_reason: str = ""
    """Why the issue could not be written or read: then nothing is dispatched."""
    issue_read: bool = False
    page: PageRecord | None = None
    sent_records: dict[str, DispatchRecord] = field(default_factory=dict)
    notified_keys: set[str] = field(default_factory=set)
    """Keys of the dispatches whose end PagerDuty has been told."""
    troubles: dict[str, str] = field(default_factory=dict)
    """What failed, by what was to be done; empty text: it was done, so an older trouble about it is over."""

    def apply(self, keep: Callable[[Receipt], None]) -> None:
        done: list[Receipt] = []
        for change in self.changes:
            receipt = (
                self._apply_change(change)
                if change.kind.target in self.only
                else self._make_receipt(change, _NOT_ASKED)
            )
            done.append(receipt)
        problem = self._record_results()
        for receipt in done:
            keep(receipt)
        if problem:
            keep(self._unrecorded_receipt(problem))

    def _apply_change(self, change: Change) -> Receipt:
        """Never raises: a failure here must not keep the next change, perhaps a page, from being made."""
        try:
            match change.kind.target:
                case Target.ISSUE:
                    return self._apply_issue(change)
                case Target.PAGE:
                    return self._apply_page(change)
                case Target.DISPATCH:
                    return self._apply_dispatch(change)
        except UserError as error:
            return self._failure_receipt(change, str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one change, told as such; the page after it still goes out
            return self._failure_receipt(change, f"a bug in modelwatch: {type(error).__name__}: {shorten(error)}")

    def _failure_receipt(self, change: Change, why: str) -> Receipt:
        if change.kind.target is Target.ISSUE:
            if change.kind is not ChangeKind.CLOSE_DUPLICATE:
                self.blocked_reason = why
        else:
            self.troubles[_failure_label(change)] = shorten(f"{_failure_label(change)} failed: {why}")
        return self._make_receipt(change, ChangeOutcome(ChangeResult.FAILED, why))

    # --- the issue

    def _apply_issue(self, change: Change) -> Receipt:
        context = IssueChangeContext(self._issue_client(), self._spec(change), self.writer, self.group, self.now)
        if change.register is not None and change.kind is not ChangeKind.CLOSE_DUPLICATE:
            # What was done before the issue change (an incident resolved before its issue is closed) goes in with it.
            change = replace(change, register=self._merge_results(change.register))
        outcome = apply_issue_change(context, change)
        if change.kind is not ChangeKind.CLOSE_DUPLICATE:
            self.issue_read = True
            self.issue = outcome.issue
            self.blocked_reason = "" if outcome.succeeded else outcome.detail
        url = outcome.issue.url if outcome.issue else ""
        return self._make_receipt(change, outcome, url)

    def _read_issue(self) -> None:
        """Read the issue afresh, where no change of this process did."""
        if self.issue_read or self.blocked_reason:
            return
        self.issue_read = True
        first = self.changes[0]
        try:
            number = next((change.expect.issue for change in self._issue_changes() if change.expect.issue), None)
            tracker = self._issue_client()
            self.issue = tracker.get(number) if number else self._find_open_issue(tracker, first)
            if self.issue is None:
                self.blocked_reason = "no issue of this group is open: its intent is not written"
            else:
                require_register(self.issue, first.group)
                self.blocked_reason = untrusted_reason(self.issue, trusted_authors(tracker, self._spec(first)))
        except UserError as error:
            self.blocked_reason = str(error)

    def _issue_changes(self) -> list[Change]:
        """The changes that name the group's own issue."""
        return [change for change in self.changes if change.kind is not ChangeKind.CLOSE_DUPLICATE]

    def _find_open_issue(self, client: IssueClient, change: Change) -> IssueView | None:
        authors = trusted_authors(client, self._spec(change))
        found = [
            issue
            for issue in client.list_labelled(self.now)
            if issue.register_block.group == change.group and issue.state == "open"
        ]
        return next((issue for issue in found if not untrusted_reason(issue, authors)), None)

    def _register(self) -> Register | None:
        return self.issue.register_block.register if self.issue else None

    # --- pages

    def _apply_page(self, change: Change) -> Receipt:
        self._read_issue()
        register = self._register()
        if change.kind is ChangeKind.TELL_INCIDENT:
            return self._notify_workflow_end(change, register)
        trigger = change.kind is ChangeKind.TRIGGER_INCIDENT
        state = "triggered" if trigger else "resolved"
        if incidents_apply.is_recorded(change, register, self.plan.at, state):
            return self._make_receipt(change, ChangeOutcome(ChangeResult.ALREADY))
        events = self.sessions.events(change.model)
        url = self.issue.url if self.issue else ""
        if trigger:
            self.page = incidents_apply.trigger_incident(
                events, change, self.group, register, url, self.writer, self.now
            )
        else:
            self.page = incidents_apply.resolve_incident(events, change, register, self.now)
        self.troubles[_failure_label(change)] = ""
        return self._make_receipt(change, ChangeOutcome(ChangeResult.DONE), self.page.url)

    def _notify_workflow_end(self, change: Change, register: Register | None) -> Receipt:
        record = next((one for one in register.dispatches if one.key == change.about), None) if register else None
        if record is not None and record.told:
            return self._make_receipt(change, ChangeOutcome(ChangeResult.ALREADY))
        url = self.issue.url if self.issue else ""
        incidents_apply.notify_workflow_end(self.sessions.change_events(change.model), change, record, url, self.now)
        self.notified_keys.add(change.about)
        self.troubles[_failure_label(change)] = ""
        return self._make_receipt(change, ChangeOutcome(ChangeResult.DONE))

    # --- dispatches

    def _apply_dispatch(self, change: Change) -> Receipt:
        self._read_issue()
        if change.dispatch is None:
            return self._make_receipt(
                change, ChangeOutcome(ChangeResult.REFUSED, "the plan does not say what to dispatch")
            )
        dispatch = self._with_repository(change, change.dispatch)
        record, why = self._find_intent(dispatch.key)
        if record is None:
            return self._make_receipt(change, ChangeOutcome(ChangeResult.REFUSED, why))
        if record.state is not DispatchState.INTENDED:
            return self._make_receipt(
                change, ChangeOutcome(ChangeResult.ALREADY, f"it is {record.state} already"), record.url
            )
        github = self.sessions.github(self._spec(change), dispatch.repository)
        url = self.issue.url if self.issue else ""
        sent, there = workflows_apply.dispatch_once(github, dispatch, url, self.now)
        self.sent_records[dispatch.key] = replace(record, state=DispatchState.SENT, run_id=sent.run_id, url=sent.url)
        self.troubles[_failure_label(change)] = ""
        return self._make_receipt(change, ChangeOutcome(ChangeResult.ALREADY if there else ChangeResult.DONE), sent.url)

    def _with_repository(self, change: Change, dispatch: Dispatch) -> Dispatch:
        repository = dispatch.repository or change.repository or self._spec(change).repository
        return replace(dispatch, repository=repository)

    def _find_intent(self, key: str) -> tuple[DispatchRecord | None, str]:
        """The written intent, or why there is none: an effect without one never happens."""
        register = self._register()
        if self.blocked_reason or self.issue is None or register is None:
            return None, f"its intent is not written on the issue: {self.blocked_reason or 'there is no issue'}"
        if self.issue.state != "open":
            return None, f"issue #{self.issue.number} is closed"
        record = next((record for record in register.dispatches if record.key == key), None)
        if record is None or record.state in (DispatchState.PROPOSED, DispatchState.LOST):
            return None, f"its intent is not written on the issue #{self.issue.number}"
        return record, ""

    # --- receipts

    def _record_results(self) -> str:
        """Write on the issue what was paged and dispatched, with one request; gives why that failed."""
        known = self._register()
        if self.issue is None or (known is not None and self._merge_results(known) == known):
            return ""
        try:
            self._write_receipts(self._issue_client(), self.issue.number)
        except UserError as error:
            return f"not recorded on the issue: {error}"
        except Exception as error:  # noqa: BLE001 - what was done stays done, and its receipts must not be lost
            return f"not recorded on the issue, a bug in modelwatch: {type(error).__name__}: {shorten(error)}"
        return ""

    def _write_receipts(self, client: IssueClient, number: int) -> None:
        issue = client.get(number)
        before = require_register(issue, self.changes[0].group)
        after = self._merge_results(before)
        if after == before:
            return
        fields = text_fields(issue, self.writer.issue(self.group, after, self.now), after)
        try:
            client.update(number, fields)
        except ServiceError as error:
            if not error.uncertain or client.get(number).body != fields["body"]:
                raise

    def _unrecorded_receipt(self, problem: str) -> Receipt:
        """Belongs to no change of the plan; what was done stays done, and the next evaluation finds it."""
        first, url = self.changes[0], self.issue.url if self.issue else ""
        name, kind = f"record:{first.group}", ChangeKind.UPDATE_ISSUE
        return Receipt(name, kind, first.model, first.group, ChangeResult.FAILED, self.now, problem, url)

    def _merge_results(self, register: Register) -> Register:
        dispatches = tuple(self._merge_record(record) for record in register.dispatches)
        old = [
            told for told in register.troubles if not told.startswith(tuple(f"{name} failed" for name in self.troubles))
        ]
        new = [told for told in self.troubles.values() if told]
        troubles = tuple((*old, *new)[-MAX_ISSUE_TROUBLES:])
        return replace(register, page=self.page or register.page, dispatches=dispatches, troubles=troubles)

    def _merge_record(self, record: DispatchRecord) -> DispatchRecord:
        if record.key in self.notified_keys:
            return replace(record, told=True)
        return self.sent_records.get(record.key, record) if record.state is DispatchState.INTENDED else record

    # --- common

    def _spec(self, change: Change) -> GitHubSpec:
        return self.sessions.github_spec(change.model, change.repository)

    def _issue_client(self) -> IssueClient:
        """Of the repository that holds the issues; a dispatch may go to another one."""
        spec = self._spec(self.changes[0])
        homes = (change.repository for change in self.changes if change.kind.target is not Target.DISPATCH)
        repository = spec.repository or next((home for home in homes if home), "")
        if not repository:
            raise UserError("no repository is configured", hint="Set `github.repository` to `owner/name`.")
        return IssueClient(self.sessions.github(spec, repository), repository)

    def _make_receipt(self, change: Change, outcome: ChangeOutcome, url: str = "") -> Receipt:
        return Receipt(
            change.id, change.kind, change.model, change.group, outcome.result, self.now, outcome.detail, url
        )


_NOT_ASKED = ChangeOutcome(ChangeResult.NOT_ASKED)


def _failure_label(change: Change) -> str:
    if change.dispatch is not None:
        return f"the dispatch of {change.dispatch.verb}"
    if change.kind is ChangeKind.TELL_INCIDENT:
        # A name of its own: that the incident itself was reached says nothing of this.
        return f"telling PagerDuty how {'.'.join(change.about.split('.')[-2:])} ended"
    return "telling PagerDuty"
