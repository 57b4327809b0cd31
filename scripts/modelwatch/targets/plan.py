"""The plan: wanted minus observed, with a reason for every change and every non-change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..model.alert import AlertState, Group, Judgement
from ..model.monitored_model import Config
from ..model.plan import (
    Change,
    ChangeKind,
    ModelObservation,
    ObservationError,
    ObservedIssue,
    Plan,
    Precondition,
    Skip,
    Target,
)
from .commands import answer_commands
from .draft import BlastRadiusCounter, GroupPlan, Situation
from .issues.plan import issues_unavailable, write_draft
from .order import TARGETS
from .register.selection import IssueSelection, select_issue


def make_plan(judgement: Judgement, config: Config, observed: Mapping[str, ModelObservation], now: float) -> Plan:
    """What differs between what the judgement asks for and what was observed, by model name.

    A model that was not observed counts as one whose targets cannot be: nothing of it is opened, closed or dispatched.
    """
    ledger = BlastRadiusCounter(config.blast_radius)
    changes: list[Change] = []
    skips: list[Skip] = []
    troubles: list[tuple[str, str]] = []
    judged: dict[str, list[Group]] = {}
    for group in judgement.groups:
        judged.setdefault(group.model, []).append(group)
    for group in sorted(judgement.groups, key=_worst_first):
        model = config.model(group.model)
        if model is None:
            skips.append(Skip("group", group.model, group.key, "the model is not in the configuration"))
            continue
        seen = observed.get(group.model) or unobserved_model(group.model)
        draft = GroupPlan(group, model, seen, now, ledger, judged[group.model])
        chosen = _select_group_issue(draft)
        plan_group(draft)
        if not draft.blocked_reason:
            _close_duplicates(draft, chosen)
        draft.skips.extend(Skip("issue", group.model, group.key, told, "identity") for told in chosen.warnings)
        troubles.extend((group.model, told) for told in chosen.warnings)
        changes.extend(draft.changes)
        skips.extend(draft.skips)
    for name, seen in observed.items():
        troubles.extend((name, f"{trouble.target} cannot be observed: {trouble.reason}") for trouble in seen.errors)
        skips.extend(_skip_unjudged_issues(seen, judgement, config))
    touched = {change.group for change in changes}
    groups = tuple(group for group in judgement.groups if group.key in touched)
    return Plan(now, judgement.config, tuple(changes), tuple(skips), groups, tuple(dict.fromkeys(troubles)))


def plan_group(draft: GroupPlan) -> None:
    """Let the targets fill the draft, stage by stage, and put the changes in order.

    What happened is passed on from the last target to the first: the end of a workflow run is news for the incident,
    and both are for the issue. What shall happen goes from the first to the last; the issue, which carries the draft,
    is written when all have planned, and its change is applied first. To close, the incident goes before it.
    """
    if draft.blocked_reason:
        draft.register = None  # what an issue says that cannot be touched counts for nothing
    else:
        for target in reversed(TARGETS):
            target.sync(draft)
        answer_commands(draft)
    for target in TARGETS:
        target.prepare(draft)
    for target in TARGETS:
        target.plan(draft)
    write_draft(draft)
    places: dict[Target, float] = {target.name: place for place, target in enumerate(TARGETS)}
    if draft.situation is Situation.RECOVERED:
        places[Target.ISSUE] = places[Target.PAGE] + 0.5
    draft.changes.sort(key=lambda change: places[change.kind.target])


def unobserved_model(model: str) -> ModelObservation:
    return ModelObservation(model, errors=tuple(ObservationError(target, "it was not observed") for target in Target))


def _worst_first(group: Group) -> tuple[int, str, str]:
    firing = group.severity is not None and group.state is AlertState.FIRING
    return -(group.severity.code + 1) if group.severity and firing else 0, group.model, group.rule


def _select_group_issue(draft: GroupPlan) -> IssueSelection:
    chosen = select_issue(draft.group.key, draft.observed.issues)
    guard, why = issues_unavailable(draft)
    draft.blocking_guard, draft.blocked_reason = (guard, why) if guard else ("unobservable", chosen.blocked_reason)
    draft.issue = chosen.issue
    if chosen.issue is not None:
        draft.previous_register, draft.register = chosen.issue.register, chosen.register
    return chosen


def _close_duplicates(draft: GroupPlan, chosen: IssueSelection) -> None:
    for duplicate in chosen.duplicates:
        number = chosen.issue.number if chosen.issue else 0
        draft.add_change(
            ChangeKind.CLOSE_DUPLICATE,
            f"duplicate of #{number}: of two issues for one group the lowest number survives",
            expect=Precondition(duplicate.number, duplicate.body_digest, duplicate.state),
            register=duplicate.register,
        )


def _skip_unjudged_issues(observed: ModelObservation, judgement: Judgement, config: Config) -> list[Skip]:
    """Open issues whose group this evaluation says nothing about: a missing alert closes nothing."""
    judged = {group.key for group in judgement.groups if group.model == observed.model}
    failed = next((failure.error for failure in judgement.failures if failure.model == observed.model), "")
    if failed:
        reason = f"the source failed, which proves nothing: {failed}"
    elif config.model(observed.model) is None:
        reason = "its model is no longer in the configuration: close it by hand"
    else:
        reason = "its rule was not judged (renamed, removed, or without data): a missing alert closes nothing"
    return [
        Skip(str(ChangeKind.CLOSE_ISSUE), observed.model, issue.group, f"issue #{issue.number}: {reason}", "proof")
        for issue in _open_issues(observed.issues)
        if issue.group not in judged
    ]


def _open_issues(issues: Sequence[ObservedIssue]) -> list[ObservedIssue]:
    return [issue for issue in issues if issue.state == "open"]
