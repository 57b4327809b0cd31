"""The changes of one group, in order: the issue first (it holds the intents), then pages and dispatches, then receipts.

The register is threaded through: what was paged and dispatched is written to the issue with one last request. Killed at
any point, the next evaluation finds an issue with intents, and looks for what became of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..clients.failure import ServiceError, short
from ..errors import UserError
from ..model.alert import Group
from ..model.plan import Change, ChangeKind, Dispatch, Plan, Receipt, Result, Target
from ..model.register import DispatchRecord, PageRecord, ReceiptState, Register
from ..model.watched import GitHubSpec
from . import pagerduty, workflows
from .connect import Connected
from .issue_changes import Context, Outcome, apply_issue, require_register, text_fields
from .issue_view import IssueView
from .issues import distrust, trusted
from .tracker import Tracker
from .writer import Writer

MAX_TROUBLES = 5


@dataclass(slots=True)
class GroupApply:
    """One group while its changes are applied."""

    plan: Plan
    changes: tuple[Change, ...]
    group: Group | None
    targets: Connected
    writer: Writer
    only: frozenset[Target]
    now: float
    issue: IssueView | None = None
    """The issue that carries the group, once it is known."""
    blocked: str = ""
    """Why the issue could not be written or read: then nothing is dispatched."""
    looked: bool = False
    page: PageRecord | None = None
    sent: dict[str, DispatchRecord] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    """Keys of the dispatches whose end PagerDuty has been told."""
    troubles: dict[str, str] = field(default_factory=dict)
    """What failed, by what was to be done; empty text: it was done, so an older trouble about it is over."""

    def run(self, keep: Callable[[Receipt], None]) -> None:
        done: list[Receipt] = []
        for change in self.changes:
            receipt = self._apply(change) if change.kind.target in self.only else self._receipt(change, _NOT_ASKED)
            done.append(receipt)
        problem = self._record()
        for receipt in done:
            keep(receipt)
        if problem:
            keep(self._unrecorded(problem))

    def _apply(self, change: Change) -> Receipt:
        """Never raises: a failure here must not keep the next change, perhaps a page, from being made."""
        try:
            match change.kind.target:
                case Target.ISSUE:
                    return self._issue(change)
                case Target.PAGE:
                    return self._page(change)
                case Target.DISPATCH:
                    return self._dispatch(change)
        except UserError as error:
            return self._failed(change, str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one change, told as such; the page after it still goes out
            return self._failed(change, f"a bug in modelwatch: {type(error).__name__}: {short(error)}")

    def _failed(self, change: Change, why: str) -> Receipt:
        if change.kind.target is Target.ISSUE:
            if change.kind is not ChangeKind.CLOSE_DUPLICATE:
                self.blocked = why
        else:
            self.troubles[_told_as(change)] = short(f"{_told_as(change)} failed: {why}")
        return self._receipt(change, Outcome(Result.FAILED, why))

    # --- the issue

    def _issue(self, change: Change) -> Receipt:
        context = Context(self._tracker(), self._spec(change), self.writer, self.group, self.now)
        if change.register is not None and change.kind is not ChangeKind.CLOSE_DUPLICATE:
            # What was done before the issue change (an incident resolved before its issue is closed) goes in with it.
            change = replace(change, register=self._receipts(change.register))
        outcome = apply_issue(context, change)
        if change.kind is not ChangeKind.CLOSE_DUPLICATE:
            self.looked = True
            self.issue = outcome.issue
            self.blocked = "" if outcome.good else outcome.detail
        url = outcome.issue.url if outcome.issue else ""
        return self._receipt(change, outcome, url)

    def _look(self) -> None:
        """Read the issue afresh, where no change of this process did."""
        if self.looked or self.blocked:
            return
        self.looked = True
        first = self.changes[0]
        try:
            number = next((change.expect.issue for change in self._carrying() if change.expect.issue), None)
            tracker = self._tracker()
            self.issue = tracker.get(number) if number else self._search(tracker, first)
            if self.issue is None:
                self.blocked = "no issue of this group is open: its intent is not written"
            else:
                require_register(self.issue, first.group)
                self.blocked = distrust(self.issue, trusted(tracker, self._spec(first)))
        except UserError as error:
            self.blocked = str(error)

    def _carrying(self) -> list[Change]:
        """The changes that name the group's own issue."""
        return [change for change in self.changes if change.kind is not ChangeKind.CLOSE_DUPLICATE]

    def _search(self, tracker: Tracker, change: Change) -> IssueView | None:
        authors = trusted(tracker, self._spec(change))
        found = [
            issue for issue in tracker.ours(self.now) if issue.found.group == change.group and issue.state == "open"
        ]
        return next((issue for issue in found if not distrust(issue, authors)), None)

    def _register(self) -> Register | None:
        return self.issue.found.register if self.issue else None

    # --- pages

    def _page(self, change: Change) -> Receipt:
        self._look()
        register = self._register()
        if change.kind is ChangeKind.TELL_INCIDENT:
            return self._tell(change, register)
        trigger = change.kind is ChangeKind.TRIGGER_INCIDENT
        state = "triggered" if trigger else "resolved"
        if pagerduty.done_already(change, register, self.plan.at, state):
            return self._receipt(change, Outcome(Result.ALREADY))
        events = self.targets.events(change.model)
        url = self.issue.url if self.issue else ""
        if trigger:
            self.page = pagerduty.trigger(events, change, self.group, register, url, self.writer, self.now)
        else:
            self.page = pagerduty.resolve(events, change, register, self.now)
        self.troubles[_told_as(change)] = ""
        return self._receipt(change, Outcome(Result.DONE), self.page.url)

    def _tell(self, change: Change, register: Register | None) -> Receipt:
        record = next((one for one in register.dispatches if one.key == change.about), None) if register else None
        if record is not None and record.told:
            return self._receipt(change, Outcome(Result.ALREADY))
        url = self.issue.url if self.issue else ""
        pagerduty.tell(self.targets.change_events(change.model), change, record, url, self.now)
        self.told.add(change.about)
        self.troubles[_told_as(change)] = ""
        return self._receipt(change, Outcome(Result.DONE))

    # --- dispatches

    def _dispatch(self, change: Change) -> Receipt:
        self._look()
        if change.dispatch is None:
            return self._receipt(change, Outcome(Result.REFUSED, "the plan does not say what to dispatch"))
        dispatch = self._complete(change, change.dispatch)
        record, why = self._intent(dispatch.key)
        if record is None:
            return self._receipt(change, Outcome(Result.REFUSED, why))
        if record.state is not ReceiptState.INTENDED:
            return self._receipt(change, Outcome(Result.ALREADY, f"it is {record.state} already"), record.url)
        github = self.targets.github(self._spec(change), dispatch.repository)
        url = self.issue.url if self.issue else ""
        sent, there = workflows.send(github, dispatch, url, self.now)
        self.sent[dispatch.key] = replace(record, state=ReceiptState.SENT, run_id=sent.run_id, url=sent.url)
        self.troubles[_told_as(change)] = ""
        return self._receipt(change, Outcome(Result.ALREADY if there else Result.DONE), sent.url)

    def _complete(self, change: Change, dispatch: Dispatch) -> Dispatch:
        repository = dispatch.repository or change.repository or self._spec(change).repository
        return replace(dispatch, repository=repository)

    def _intent(self, key: str) -> tuple[DispatchRecord | None, str]:
        """The written intent, or why there is none: an effect without one never happens."""
        register = self._register()
        if self.blocked or self.issue is None or register is None:
            return None, f"its intent is not written on the issue: {self.blocked or 'there is no issue'}"
        if self.issue.state != "open":
            return None, f"issue #{self.issue.number} is closed"
        record = next((record for record in register.dispatches if record.key == key), None)
        if record is None or record.state in (ReceiptState.PROPOSED, ReceiptState.LOST):
            return None, f"its intent is not written on the issue #{self.issue.number}"
        return record, ""

    # --- receipts

    def _record(self) -> str:
        """Write on the issue what was paged and dispatched, with one request; gives why that failed."""
        known = self._register()
        if self.issue is None or (known is not None and self._receipts(known) == known):
            return ""
        try:
            self._write_receipts(self._tracker(), self.issue.number)
        except UserError as error:
            return f"not recorded on the issue: {error}"
        except Exception as error:  # noqa: BLE001 - what was done stays done, and its receipts must not be lost
            return f"not recorded on the issue, a bug in modelwatch: {type(error).__name__}: {short(error)}"
        return ""

    def _write_receipts(self, tracker: Tracker, number: int) -> None:
        issue = tracker.get(number)
        before = require_register(issue, self.changes[0].group)
        after = self._receipts(before)
        if after == before:
            return
        fields = text_fields(issue, self.writer.issue(self.group, after, self.now), after)
        try:
            tracker.change(number, fields)
        except ServiceError as error:
            if not error.uncertain or tracker.get(number).body != fields["body"]:
                raise

    def _unrecorded(self, problem: str) -> Receipt:
        """Belongs to no change of the plan; what was done stays done, and the next evaluation finds it."""
        first, url = self.changes[0], self.issue.url if self.issue else ""
        name, kind = f"record:{first.group}", ChangeKind.UPDATE_ISSUE
        return Receipt(name, kind, first.model, first.group, Result.FAILED, self.now, problem, url)

    def _receipts(self, register: Register) -> Register:
        dispatches = tuple(self._newer(record) for record in register.dispatches)
        old = [
            told for told in register.troubles if not told.startswith(tuple(f"{name} failed" for name in self.troubles))
        ]
        new = [told for told in self.troubles.values() if told]
        troubles = tuple((*old, *new)[-MAX_TROUBLES:])
        return replace(register, page=self.page or register.page, dispatches=dispatches, troubles=troubles)

    def _newer(self, record: DispatchRecord) -> DispatchRecord:
        if record.key in self.told:
            return replace(record, told=True)
        return self.sent.get(record.key, record) if record.state is ReceiptState.INTENDED else record

    # --- common

    def _spec(self, change: Change) -> GitHubSpec:
        return self.targets.github_spec(change.model, change.repository)

    def _tracker(self) -> Tracker:
        """Of the repository that holds the issues; a dispatch may go to another one."""
        spec = self._spec(self.changes[0])
        homes = (change.repository for change in self.changes if change.kind.target is not Target.DISPATCH)
        repository = spec.repository or next((home for home in homes if home), "")
        if not repository:
            raise UserError("no repository is configured", hint="Set `github.repository` to `owner/name`.")
        return Tracker(self.targets.github(spec, repository), repository)

    def _receipt(self, change: Change, outcome: Outcome, url: str = "") -> Receipt:
        return Receipt(
            change.id, change.kind, change.model, change.group, outcome.result, self.now, outcome.detail, url
        )


_NOT_ASKED = Outcome(Result.NOT_ASKED)


def _told_as(change: Change) -> str:
    if change.dispatch is not None:
        return f"the dispatch of {change.dispatch.verb}"
    if change.kind is ChangeKind.TELL_INCIDENT:
        # A name of its own: that the incident itself was reached says nothing of this.
        return f"telling PagerDuty how {'.'.join(change.about.split('.')[-2:])} ended"
    return "telling PagerDuty"
