"""Everything that is observed for the models that share a repository: issues, workflow runs, incidents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ServiceError, UserError
from ..model.alert import BUILT_IN_RULES, AlertState, Group, Judgement, group_key
from ..model.monitored_model import Model, WorkflowSpec
from ..model.plan import ModelObservation, ObservationError, ObservedIncident, ObservedIssue, ObservedRun, Target
from .incidents.apply import observe_incidents
from .issues.observe import find_model, observe_issue, open_dispatch_verbs, trusted_authors, untrusted_reason
from .register.client import IssueClient
from .workflows.apply import RUN_MAX_AGE, observe_runs

if TYPE_CHECKING:
    from .sessions import TargetSessions

PAGE_TRIGGERED = "triggered"


@dataclass(slots=True)
class ObservationBuilder:
    """What is known of one model so far."""

    model: Model
    issues: list[ObservedIssue] = field(default_factory=list)
    runs: tuple[ObservedRun, ...] = ()
    incidents: tuple[ObservedIncident, ...] | None = None
    errors: list[ObservationError] = field(default_factory=list)

    def add_error(self, reason: object, *targets: Target) -> None:
        self.errors += [ObservationError(target, str(reason)) for target in targets]

    def build(self) -> ModelObservation:
        return ModelObservation(self.model.name, tuple(self.issues), self.runs, self.incidents, tuple(self.errors))


def observe_repository(
    sessions: TargetSessions, models: Sequence[Model], judgement: Judgement | None, now: float | None
) -> dict[str, ModelObservation]:
    """Never raises for a target that cannot be observed."""
    findings = {model.name: ObservationBuilder(model) for model in models}
    groups: dict[str, list[Group]] = {model.name: [] for model in models}
    for group in judgement.groups if judgement else ():
        if group.model in groups:
            groups[group.model].append(group)
    _observe_issues(sessions, findings, groups, now)
    lists: dict[tuple[str, str], tuple[ObservedRun, ...] | UserError] = {}
    for found in findings.values():
        _observe_runs(sessions, found, None if judgement is None else groups[found.model.name], now, lists)
        _observe_incidents(sessions, found, groups[found.model.name])
    return {name: found.build() for name, found in findings.items()}


def _observe_issues(
    sessions: TargetSessions, findings: dict[str, ObservationBuilder], groups: dict[str, list[Group]], now: float | None
) -> None:
    first = next(iter(findings.values())).model.github
    try:
        if not first.repository:
            raise UserError("no repository is configured", hint="Set `github.repository` to `owner/name`.")
        tracker = IssueClient(sessions.github(first, first.repository), first.repository)
        issues = tracker.list_labelled(now)
    except (ServiceError, UserError) as error:
        for found in findings.values():
            found.add_error(error, Target.ISSUE, Target.DISPATCH)
        return
    known = {key: name for name in findings for key in _group_keys(findings[name].model, groups[name])}
    for issue in issues:
        found_for = findings.get(find_model(issue, known, findings)) if issue.register_block.group else None
        if found_for is None:
            continue
        spec = found_for.model.github
        try:
            authors = trusted_authors(tracker, spec)
            if issue.register_block.group not in known and untrusted_reason(issue, authors):
                continue
            found_for.issues.append(observe_issue(tracker, issue, spec, authors, now))
        except (ServiceError, UserError) as error:
            found_for.add_error(error, Target.ISSUE, Target.DISPATCH)


def _group_keys(model: Model, groups: Iterable[Group]) -> set[str]:
    rules = [rule.name for rule in model.rules]
    return {group_key(model.name, rule) for rule in (*rules, *BUILT_IN_RULES)} | {group.key for group in groups}


def _observe_runs(
    sessions: TargetSessions,
    found: ObservationBuilder,
    groups: Sequence[Group] | None,
    now: float | None,
    lists: dict[tuple[str, str], tuple[ObservedRun, ...] | UserError],
) -> None:
    """Look at the workflow runs that matter; ``lists`` keeps what models share."""
    if any(trouble.target is Target.DISPATCH for trouble in found.errors):
        return
    model = found.model
    runs: dict[tuple[str, int], ObservedRun] = {}
    for workflow in _relevant_workflows(found, groups, now):
        repository = workflow.repository or model.github.repository
        key = (repository.lower(), "" if workflow.event_type else workflow.file)
        if key not in lists:
            try:
                lists[key] = observe_runs(sessions.github(model.github, repository), repository, key[1], now)
            except (ServiceError, UserError) as error:
                lists[key] = error
        rows = lists[key]
        if isinstance(rows, UserError):
            found.add_error(rows, Target.DISPATCH)
        else:
            runs |= {(repository, run.id): run for run in rows if run.model == model.name}
    found.runs = tuple(sorted(runs.values(), key=lambda run: -run.created_at))


def _relevant_workflows(
    found: ObservationBuilder, groups: Sequence[Group] | None, now: float | None
) -> list[WorkflowSpec]:
    """The workflows whose runs have to be known: those asked for, and those that are under way."""
    if groups is None:
        return list(found.model.workflows)
    asked = {verb for group in groups if group.state is AlertState.FIRING for verb in group.do}
    asked |= open_dispatch_verbs(found.issues, 0.0 if now is None else now - RUN_MAX_AGE)
    return [workflow for workflow in found.model.workflows if workflow.name in asked]


def _observe_incidents(sessions: TargetSessions, found: ObservationBuilder, groups: Sequence[Group]) -> None:
    firing = {group.key for group in groups if group.state is AlertState.FIRING and "page" in group.do}
    # What has just recovered without an issue may have been paged while GitHub could not be seen.
    told = {issue.group for issue in found.issues}
    paging = firing | {g.key for g in groups if g.state is AlertState.RESOLVED and g.key not in told}
    for issue in found.issues:
        page = issue.register.page if issue.register else None
        if page is not None and page.state == PAGE_TRIGGERED:
            paging.add(issue.group)
    try:
        incidents = sessions.incidents(found.model)
        if incidents is not None:
            found.incidents = observe_incidents(incidents, sorted(paging))
    except (ServiceError, UserError) as error:
        found.add_error(error, Target.PAGE)
