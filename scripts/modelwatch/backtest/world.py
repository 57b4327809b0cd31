"""GitHub, PagerDuty and the runs of workflows in memory, as far as plans see them.

A world takes a plan and gives what the next evaluation observes, like the services themselves: an issue keeps the
register, an incident is open under the key of its alert, a workflow run ends after a stated time. Every change
succeeds. People do nothing: nobody acknowledges, comments, approves or closes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..model.alert import BUILT_IN_RULES, Judgement, group_key
from ..model.monitored_model import Config, Model
from ..model.plan import (
    STEP_PREFIX,
    Change,
    ChangeKind,
    ModelObservation,
    ObservedIncident,
    ObservedIssue,
    ObservedRun,
    Plan,
)
from ..model.register import PAGE_RESOLVED, PAGE_TRIGGERED, DispatchState, Register, alert_keys
from ..model.target import Target
from ..targets.base import ObservationBuilder, RegisterUpdate
from ..targets.incidents.apply import mark_told, open_alert_count, page_receipt
from ..targets.incidents.observe import alert_counts, paging_groups
from ..targets.messages.apply import take_message
from ..targets.register.client import CLOSED_MAX_AGE
from ..targets.workflows.apply import record_dispatch
from ..targets.workflows.observe import RUN_MAX_AGE, relevant_workflows
from ..timeutil import DAY, MINUTE
from .result import ReplayedEffect

RUN_LENGTH = 30 * MINUTE
"""Seconds after which a workflow run has succeeded."""
WRITTEN_AFTER = 1.0
"""Seconds from the time of an evaluation until it writes what it will dispatch."""
SETTLED_AFTER = 2 * DAY
"""Seconds after which nothing is left to do about a closed issue: reports and messages are repeated for a day."""
LISTED_PAGE = 100
"""Issues on one page of GitHub's list, which is read up to the first page that ends with an old closed one."""
_STATES = {
    ChangeKind.REOPEN_ISSUE: ("open", "reopened"),
    ChangeKind.CLOSE_ISSUE: ("closed", "completed"),
    ChangeKind.CLOSE_DUPLICATE: ("closed", "duplicate"),
}


@dataclass(frozen=True, slots=True)
class WatchedGroup:
    """A group about which something is under way, or has just ended: a plan can change that while no alert fires."""

    key: str
    model: str
    rule: str
    fingerprints: frozenset[str] = frozenset()
    """Of the alerts whose recovery must be proven."""
    leader: str = ""
    """Key of the group that leads it, if one does."""
    register: Register | None = None


@dataclass(slots=True)
class _Issue:
    issue: ObservedIssue
    model: str
    updated: float


@dataclass(slots=True)
class _Incident:
    group: str
    status: str
    created: float
    changed: float


@dataclass(slots=True)
class _Group:
    """One group while its changes are made."""

    issue: _Issue | None = None
    updates: list[RegisterUpdate] = field(default_factory=list)

    @property
    def register(self) -> Register | None:
        return self.issue.issue.register if self.issue else None

    def update(self, register: Register) -> Register:
        for update in self.updates:
            register = update(register)
        return register


class World:
    """What exists at the targets of ``config``. ``run_length``: seconds after which each workflow run has succeeded."""

    def __init__(self, config: Config, run_length: float = RUN_LENGTH) -> None:
        self._config = config
        self._run_length = run_length
        self._issues: dict[str, list[_Issue]] = {}
        """By repository."""
        self._by_number: dict[int, _Issue] = {}
        self._incidents: dict[str, list[_Incident]] = {}
        """By the key of the alert, the newest last."""
        self._runs: dict[str, list[ObservedRun]] = {}
        """By model."""
        self._run_count = 0
        self._proposed: set[str] = set()
        """Keys of the dispatches that were proposed."""
        self._active: dict[int, _Issue] = {}
        """Issues that a plan may change, by number."""
        self._rules = {
            group_key(model.name, rule): (model.name, rule)
            for model in config.models
            for rule in (*(rule.name for rule in model.rules), *BUILT_IN_RULES)
        }

    def watched_groups(self, now: float) -> list[WatchedGroup]:
        """The groups that an evaluation at ``now`` has to judge, whether they fire or not."""
        self._active = {number: issue for number, issue in self._active.items() if _is_active(issue, now)}
        watched: dict[str, WatchedGroup] = {}
        for issue in self._active.values():
            register = issue.issue.register
            if register is None:
                continue
            leads = issue.issue.state == "open" and register.closed is None
            for record in register.firing_followers:
                leader = register.group if leads else ""
                own = frozenset(record.alerts)
                watched[record.group] = WatchedGroup(record.group, record.model, record.rule, own, leader)
        for issue in self._active.values():
            register = issue.issue.register
            if register is not None:
                known = watched.get(register.group)
                own = frozenset(register.alerts) | (known.fingerprints if known else frozenset())
                leader = known.leader if known else ""
                watched[register.group] = WatchedGroup(
                    register.group, register.model, register.rule, own, leader, register
                )
        for incidents in self._incidents.values():
            key = incidents[-1].group
            if incidents[-1].status != "resolved" and key not in watched and key in self._rules:
                watched[key] = WatchedGroup(key, *self._rules[key])
        return list(watched.values())

    def observe(self, judgement: Judgement) -> dict[str, ModelObservation]:
        """What exists for each model, as far as ``judgement`` calls for it."""
        now = judgement.at
        listed = {repository: self._listed(issues, now) for repository, issues in self._issues.items()}
        observed = {}
        for model in self._config.models:
            own = tuple(group for group in judgement.groups if group.model == model.name)
            builder = ObservationBuilder(model, own)
            issues = listed.get(_repository(model), ())
            builder.issues = [one.issue for one in issues if one.model == model.name]
            builder.runs = self._observe_runs(builder, now)
            if model.pagerduty.token is not None:
                builder.incidents = self._observe_incidents(builder)
            observed[model.name] = builder.build()
        return observed

    @staticmethod
    def _listed(issues: Sequence[_Issue], now: float) -> list[_Issue]:
        """The issues that GitHub's list gives, by number: every open one, and closed ones of the newest pages."""
        if len(issues) <= LISTED_PAGE:
            return list(issues)
        newest = sorted(issues, key=lambda one: (-one.updated, -one.issue.number))
        count = LISTED_PAGE
        while count < len(newest) and newest[count - 1].updated >= now - CLOSED_MAX_AGE:
            count += LISTED_PAGE
        left_out = [one for one in newest[count:] if one.issue.state == "open"]
        return sorted([*newest[:count], *left_out], key=lambda one: one.issue.number)

    def _observe_runs(self, builder: ObservationBuilder, now: float) -> tuple[ObservedRun, ...]:
        runs = self._runs.get(builder.model.name)
        if not runs:
            return ()
        verbs = {workflow.name for workflow in relevant_workflows(builder, now)}
        wanted = [run for run in runs if run.verb in verbs and run.created_at >= now - RUN_MAX_AGE]
        return tuple(sorted((self._run_at(run, now) for run in wanted), key=lambda run: -run.created_at))

    def _run_at(self, run: ObservedRun, now: float) -> ObservedRun:
        end = run.created_at + self._run_length
        if now < end:
            return replace(run, status="in_progress")
        return replace(run, status="completed", conclusion="success", ended_at=end)

    def _observe_incidents(self, builder: ObservationBuilder) -> tuple[ObservedIncident, ...]:
        counts = alert_counts(builder)
        keys = [key for group in paging_groups(builder) for key in alert_keys(group, counts[group])]
        newest = [(key, self._incidents[key][-1]) for key in keys if key in self._incidents]
        return tuple(
            ObservedIncident(one.group, one.status, f"incident:{key}", one.created, one.changed, by_person=False)
            for key, one in newest
        )

    def apply(self, plan: Plan) -> tuple[ReplayedEffect, ...]:
        """Make the changes of ``plan``; what was done, in its order."""
        rules = {group.key: group.rule for group in plan.groups}
        groups: dict[tuple[str, str], list[Change]] = {}
        for change in plan.changes:
            groups.setdefault((change.model, change.group), []).append(change)
        effects: list[ReplayedEffect] = []
        for changes in groups.values():
            group = _Group()
            for change in changes:
                number = change.expect.issue
                if group.issue is None and number is not None:
                    group.issue = self._by_number[number]
                notifies = self._make(change, group, plan.at)
                rule = rules.get(change.group) or (group.register.rule if group.register else "")
                verb = change.dispatch.verb if change.dispatch else self._proposed_verb(change)
                effects.append(_effect(change, rule, plan.at, verb, notifies=notifies))
            self._record(group, plan.at)
        return tuple(effects)

    def _proposed_verb(self, change: Change) -> str:
        """The workflow that an issue's change proposes for the first time; empty where it proposes none."""
        records = change.register.dispatches if change.register else ()
        new = [one for one in records if one.state is DispatchState.PROPOSED and one.key not in self._proposed]
        self._proposed.update(record.key for record in new)
        return new[-1].verb if new else ""

    def _make(self, change: Change, group: _Group, now: float) -> bool:
        """Make one change; whether it calls somebody."""
        match change.kind.target:
            case Target.ISSUE:
                self._write_issue(change, group, now)
            case Target.PAGE:
                return self._send_event(change, group, now)
            case Target.DISPATCH:
                self._start_run(change, group, now)
            case Target.MESSAGE:
                group.updates.append(lambda register: take_message(register, change.about))
        return False

    def _write_issue(self, change: Change, group: _Group, now: float) -> None:
        register = _sign(group.update(change.register), now) if change.register is not None else None
        if change.kind is ChangeKind.OPEN_ISSUE:
            number = len(self._by_number) + 1
            issue = ObservedIssue(
                number, f"issue:{number}", change.group, "open", "", None, now, "modelwatch", f"{number}.0", register
            )
            group.issue = self._by_number[number] = self._active[number] = _Issue(issue, change.model, now)
            model = self._config.model(change.model)
            self._issues.setdefault(_repository(model) if model else "", []).append(group.issue)
            return
        place = self._by_number[change.expect.issue or 0]
        fields: dict[str, object] = {"body_digest": f"{place.issue.number}.{now:.0f}"}
        if change.kind is not ChangeKind.CLOSE_DUPLICATE:
            fields["register"] = register
            group.issue = place
        if change.kind in _STATES:
            state, reason = _STATES[change.kind]
            fields |= {"state": state, "state_reason": reason, "closed_at": now if state == "closed" else None}
        place.issue, place.updated = replace(place.issue, **fields), now  # type: ignore[arg-type]
        self._active[place.issue.number] = place

    def _send_event(self, change: Change, group: _Group, now: float) -> bool:
        notifies = False
        match change.kind:
            case ChangeKind.TRIGGER_INCIDENT:
                key = change.about or change.group
                incidents = self._incidents.setdefault(key, [])
                notifies = not incidents or incidents[-1].status == "resolved"
                if notifies:
                    incidents.append(_Incident(change.group, "triggered", now, now))
                group.updates.append(page_receipt(change, group.register, now, PAGE_TRIGGERED)[1])
            case ChangeKind.RESOLVE_INCIDENT:
                for key in alert_keys(change.group, open_alert_count(group.register)):
                    incidents = self._incidents.get(key, [])
                    if incidents and incidents[-1].status != "resolved":
                        incidents[-1].status, incidents[-1].changed = "resolved", now
                group.updates.append(page_receipt(change, group.register, now, PAGE_RESOLVED)[1])
            case ChangeKind.TELL_INCIDENT if not change.about.startswith(STEP_PREFIX):
                group.updates.append(lambda register: mark_told(register, change.about))
            case _:
                pass
        return notifies

    def _start_run(self, change: Change, group: _Group, now: float) -> None:
        dispatch, register = change.dispatch, group.register
        records = register.dispatches if register else ()
        record = next((one for one in records if dispatch is not None and one.key == dispatch.key), None)
        if dispatch is None or record is None or record.state is not DispatchState.INTENDED:
            return
        self._run_count += 1
        run = ObservedRun(
            self._run_count, f"run:{self._run_count}", record.key, record.verb, change.model, "queued", "", record.at
        )
        self._runs.setdefault(change.model, []).append(run)
        sent = replace(record, state=DispatchState.SENT)
        if not dispatch.event_type:  # of a repository_dispatch GitHub does not say which run it started
            sent = replace(sent, run_id=run.id, url=run.url)
        group.updates.append(lambda register: record_dispatch(register, sent))

    @staticmethod
    def _record(group: _Group, now: float) -> None:
        """Write the receipts into the register, as an evaluation does after the changes of a group."""
        if group.issue is not None and group.register is not None and group.updates:
            register = group.update(group.register)
            if register != group.register:
                digest = f"{group.issue.issue.body_digest}'"
                group.issue.issue = replace(group.issue.issue, register=register, body_digest=digest)
                group.issue.updated = now


def _sign(register: Register, now: float) -> Register:
    """``register`` with the time of writing in its new intents."""
    records = (
        replace(record, at=now + WRITTEN_AFTER)
        if record.state is DispatchState.INTENDED and record.at == now
        else record
        for record in register.dispatches
    )
    return replace(register, dispatches=tuple(records))


def _is_active(issue: _Issue, now: float) -> bool:
    """Whether a plan may change the issue although its group does not fire."""
    register = issue.issue.register
    if register is None or register.closed is None or issue.issue.state == "open":
        return True
    settles = register.page is not None and register.page.state == PAGE_TRIGGERED
    settles |= any(record.state.is_open for record in register.dispatches)
    return settles or now - register.closed <= SETTLED_AFTER


def _repository(model: Model) -> str:
    return f"{model.github.api_url} {model.github.repository}".lower()


def _effect(change: Change, rule: str, now: float, verb: str, *, notifies: bool) -> ReplayedEffect:
    return ReplayedEffect(now, change.kind, change.model, rule, change.reason, change.severity, verb, notifies)
