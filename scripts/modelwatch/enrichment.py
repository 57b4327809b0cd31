"""What a plan reads about the groups that it acts on: versions and moves, recent changes, past episodes.

What cannot be read is reported, and keeps no plan from being made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from .alerts.past_episodes import summarize_episodes
from .context import RunContext
from .errors import UserError, shorten
from .model.alert import AlertState, Group, Judgement, group_key
from .model.monitored_model import Config, Model
from .model.past_episode import PastEpisodes
from .model.plan import ModelObservation, ObservedIssue
from .model.recent_change import LOOKBACK, MAX_CHANGES, RecentChange, RecentChangeKind, RecentChanges
from .model.release import ANNOUNCED_VERBS
from .model.rule import Mode
from .model.target import Target
from .report.rollback_choice import ROLLBACK_KINDS
from .targets.past_episodes import read_past_episodes
from .targets.recent_changes import read_repository_changes
from .timeutil import DAY, HOUR


def add_registries(context: RunContext, judgement: Judgement, observed: dict[str, ModelObservation]) -> None:
    """Add the versions and moves at W&B to what was observed of models whose plan needs them."""
    for model in models_with_releases(context.config, judgement, observed):
        try:
            observed[model.name] = replace(observed[model.name], registry=context.read_registry(model))
        except UserError as error:
            observed[model.name] = replace(observed[model.name], registry_error=str(error))


def models_with_releases(
    config: Config, judgement: Judgement, observed: Mapping[str, ModelObservation]
) -> Iterator[Model]:
    """The models whose plan needs the versions and moves of their release: those with alerts that an earlier version
    can fix, with commands on their issues, or with a move that PagerDuty is not notified of yet."""
    firing = [group for group in judgement.groups if group.state is AlertState.FIRING]
    rollbacks = {group.model for group in firing if "rollback" in group.do or group.kind in ROLLBACK_KINDS}
    for model in config.models:
        observation = observed[model.name]
        commanded = any(issue.commands for issue in observation.issues)
        unannounced = _has_unannounced_move(observation, judgement.at)
        if model.release is not None and (model.name in rollbacks or commanded or unannounced):
            yield model


def _has_unannounced_move(observed: ModelObservation, now: float) -> bool:
    """Whether a workflow that moves the release ran in the last day without a notification to PagerDuty."""
    registers = [issue.register for issue in observed.issues if issue.register is not None]
    records = [record for register in registers for record in register.dispatches]
    recent = [record for record in records if now - (record.at if record.ended is None else record.ended) <= DAY]
    return any(record.verb in ANNOUNCED_VERBS and record.state.is_dispatched and not record.told for record in recent)


def add_recent_changes(context: RunContext, judgement: Judgement, observed: dict[str, ModelObservation]) -> None:
    """Add what changed before each group that begins to fire: only for these is anything read."""
    for model, group in _acting_groups(context, judgement, observed):
        observation = observed[model.name]
        if not any(issue.group == group.key for issue in observation.issues if _carries_group(issue)):
            found = find_recent_changes(context, model, group, judgement.groups)
            changes = (*observation.recent_changes, (group.key, found))
            observed[model.name] = replace(observation, recent_changes=changes)


def add_past_episodes(context: RunContext, judgement: Judgement, observed: dict[str, ModelObservation]) -> None:
    """Add the earlier episodes of each group that begins to fire, or gets worse and has none on its issue."""
    for model, group in _acting_groups(context, judgement, observed):
        observation = observed[model.name]
        carrying = [issue for issue in observation.issues if issue.group == group.key and _carries_group(issue)]
        registers = [issue.register for issue in carrying if issue.register is not None]
        worse = [old for old in registers if group.severity is not None and group.severity > old.severity]
        if not carrying or any(not old.past_episodes.count for old in worse):
            start = worse[0].start if worse else group.newest if group.start is None else group.start
            found = find_past_episodes(context, model, group.rule, start)
            episodes = (*observation.past_episodes, (group.key, found))
            observed[model.name] = replace(observation, past_episodes=episodes)


def _acting_groups(
    context: RunContext, judgement: Judgement, observed: Mapping[str, ModelObservation]
) -> Iterator[tuple[Model, Group]]:
    """The firing groups that an issue may be opened or kept for: neither muted nor led by another one."""
    registers = [issue.register for observation in observed.values() for issue in observation.issues if issue.register]
    for group in judgement.firing:
        model, observation = context.config.model(group.model), observed.get(group.model)
        if model is None or observation is None or observation.error_for(Target.ISSUE):
            continue
        silent = model.issue_mode is not Mode.ACT or not group.do or group.mutes
        if not silent and not any(register.leads(group.key) for register in registers):
            yield model, group


def _carries_group(issue: ObservedIssue) -> bool:
    return issue.is_under_way or issue.register is None


def find_past_episodes(context: RunContext, model: Model, name: str, start: float) -> PastEpisodes:
    """The episodes of the rule ``name`` before ``start``, from closed issues; without any, those of its kind.

    What cannot be read is a line in the result; nothing is raised.
    """
    own = next((rule for rule in model.rules if rule.name == name), None)
    alike = [rule for rule in model.rules if own and rule.kind == own.kind]
    rules = {group_key(model.name, rule.name): rule.name for rule in alike} | {group_key(model.name, name): ""}
    every = own.every if own else HOUR
    try:
        episodes, complete = read_past_episodes(context.sessions, model.github, rules, start)
    except UserError as error:
        return context.redactor.redact(PastEpisodes(problem=shorten(error, 300)))
    return context.redactor.redact(summarize_episodes(episodes, start, model.timezone, every, complete=complete))


def find_recent_changes(context: RunContext, model: Model, group: Group, groups: Sequence[Group]) -> RecentChanges:
    """What changed in the hours before ``group`` began: at GitHub, in the release, in other rules and by calendar.

    What cannot be read is a line in the result; nothing is raised.
    """
    until = group.newest if group.start is None else group.start
    since, problems = until - LOOKBACK, list[str]()
    changes = [*_release_changes(context, model, group, problems)]
    changes += [
        RecentChange(other.start, RecentChangeKind.FINDING, f"{other.rule} began to fire", "modelwatch")
        for other in groups
        # What began at the same time is not what changed before.
        if other.model == model.name and other.key != group.key and other.start is not None and other.start < until
    ]
    if model.calendar is not None:
        from .evaluate.calendars import calendar_days

        days = calendar_days(model.calendar, model.timezone, since, until)
        changes += [RecentChange(max(at, since), RecentChangeKind.CALENDAR, name) for at, name in days]
    recent = [change for change in changes if since <= change.at <= until]
    try:
        if model.github.repository:
            github = context.sessions.github(model.github, model.github.repository)
            path = model.where.partition(":")[0]
            read = read_repository_changes(github, model.github.repository, path, since, until)
            recent, problems = [*recent, *read.changes], [*problems, *read.problems]
    except UserError as error:
        problems.append(str(error))
    newest = sorted(recent, key=lambda change: -change.at)[:MAX_CHANGES]
    return context.redactor.redact(RecentChanges(tuple(newest), tuple(problems)))


def _release_changes(context: RunContext, model: Model, group: Group, problems: list[str]) -> Iterator[RecentChange]:
    """The version that serves, and with a release its versions and moves."""
    if group.evidence.version and group.evidence.version_since is not None:
        text = f"{group.evidence.version} first seen"
        yield RecentChange(group.evidence.version_since, RecentChangeKind.VERSION, text)
    if model.release is None:
        return
    try:
        registry = context.read_registry(model, producers=False)
    except UserError as error:
        problems.append(f"the registry: {error}")
        return
    for version in registry.versions:
        data = f", data {version.data}" if version.data else ""
        yield RecentChange(
            version.created, RecentChangeKind.VERSION, f"{version.title} made{data}", version.by, version.run
        )
    for move in registry.moves:
        text = f"{move.verb} to {move.target}: {move.state}"
        yield RecentChange(move.at, RecentChangeKind.MOVE, text, move.by, move.url)
