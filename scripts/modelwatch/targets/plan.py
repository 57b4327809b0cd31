"""Makes the plan: the changes that turn what was observed into what is desired; each change and skip has a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..errors import list_names, shorten, unforeseen
from ..model.alert import BUILT_IN_RULES, AlertState, Group, Judgement, group_key
from ..model.monitored_model import Config
from ..model.plan import (
    ANSWER,
    HEARTBEAT_FAILED,
    UNOBSERVABLE,
    Change,
    ChangeKind,
    Command,
    ModelObservation,
    ObservationError,
    Plan,
    Precondition,
    Skip,
)
from ..model.register import remember_command
from ..model.target import Target
from ..report.rollback_choice import add_rollback_choice
from .draft import INVALID_PREFIX, REFUSED_PREFIX, BlastRadiusCounter, GroupPlan, Situation
from .incidents.plan import report_next_step
from .issues.plan import current_step, issues_unavailable, write_draft
from .leadership import assign_leaders
from .order import TARGETS
from .register.ledger import command_entry
from .register.selection import IssueSelection, select_issue
from .workflows.plan import add_refusals

MAX_SHOWN = 60
MAX_NAMED = 5
COMMAND_LIST = (
    "`approve`, `reject`, `ack`, `silence 24h <reason>`, `unsilence`, `false-positive`, "
    "`retrain`, `rollback [version]`, `promote <version>`, `degrade` and `restore`"
)


def make_plan(judgement: Judgement, config: Config, observed: Mapping[str, ModelObservation], now: float) -> Plan:
    """The changes that the judgement requires, given what was observed of each model (by name).

    For a model that was not observed nothing is opened, closed or dispatched.
    """
    drafts, selections, skips = _sync_drafts(judgement, config, observed, now)
    changes: list[Change] = []
    problems: list[tuple[str, str]] = []
    # A group that follows another one needs to know what that one does.
    for draft in sorted(drafts.values(), key=lambda draft: draft.leader is not None):
        group, selection = draft.group, selections[draft.group.key]
        if not _try_step(draft, plan_group) and not _try_step(draft, plan_group):
            draft.changes.clear()
        problems.extend((group.model, text) for text in draft.failures)
        if not draft.blocked_reason:
            _close_duplicates(draft, selection)
        draft.skips.extend(
            Skip("issue", group.model, group.key, text, "identity")
            for text in (*selection.ignored, *selection.warnings)
        )
        problems.extend((group.model, text) for text in selection.warnings)
        changes.extend(draft.changes)
        skips.extend(draft.skips)
    for name, observation in observed.items():
        problems.extend((name, text) for text in observation_problems(observation.errors))
        skips.extend(_skip_unjudged_issues(observation, judgement, config))
    shown = {change.group for change in changes}
    shown |= {record.group for change in changes if change.register for record in change.register.followers}
    shown |= {skip.group for skip in skips if skip.what == ChangeKind.OPEN_ISSUE and skip.guard == UNOBSERVABLE}
    shown |= {group.key for group in judgement.groups if group.outlasts_history}
    groups = tuple(drafts[group.key].group for group in judgement.groups if group.key in shown & drafts.keys())
    heartbeat = next((change for change in changes if change.kind is ChangeKind.SEND_HEARTBEAT), None)
    others = tuple(change for change in changes if change is not heartbeat)
    if heartbeat is not None and judgement.failures:
        heartbeat = replace(heartbeat, about=HEARTBEAT_FAILED, reason=_unread_reason(judgement))
    if heartbeat is None and config.heartbeat and config.models:
        problems.append((config.models[0].name, "the watchdog does not fire, so no heartbeat is sent"))
    troubles = tuple(dict.fromkeys(problems))
    return Plan(now, judgement.config, others, tuple(skips), groups, troubles, heartbeat)


def _unread_reason(judgement: Judgement) -> str:
    names = list_names((failure.model for failure in judgement.failures), MAX_NAMED)
    return f"{len(judgement.failures)} of the models could not be read or judged: {names}"


def sync_groups(
    judgement: Judgement, config: Config, observed: Mapping[str, ModelObservation], now: float
) -> dict[str, GroupPlan]:
    """Each group, by key, as the next plan finds it before anything is planned: its issue, its register with what has
    happened since, its leader, and what a person could not start."""
    drafts, _, _ = _sync_drafts(judgement, config, observed, now)
    for draft in drafts.values():
        _try_step(draft, add_refusals)
    return drafts


def _sync_drafts(
    judgement: Judgement, config: Config, observed: Mapping[str, ModelObservation], now: float
) -> tuple[dict[str, GroupPlan], dict[str, IssueSelection], list[Skip]]:
    drafts, skips = _start_drafts(judgement, config, observed, now)
    selections = {key: _select_group_issue(draft) for key, draft in drafts.items()}
    for draft in drafts.values():
        _try_step(draft, sync_group)
    assign_leaders(drafts, judgement.causes)
    return drafts, selections, skips


def _try_step(draft: GroupPlan, step: Callable[[GroupPlan], None]) -> bool:
    """Whether ``step`` succeeded. Where it fails, by a bug of ours or a register that nobody foresaw, the group goes on
    without its issue: it still pages, and no other group is hurt."""
    try:
        step(draft)
    except Exception as error:  # noqa: BLE001 - the barrier between groups
        draft.block(unforeseen("planning", error))
        draft.failures.append(draft.blocked_reason)
        return False
    return True


def _rank_versions(group: Group, observed: ModelObservation | None) -> Group:
    """``group`` with the versions that could be rolled back to, where that is known."""
    if observed is None or observed.registry_error:
        return group
    registers = (issue.register for issue in observed.issues if issue.trusted)
    return add_rollback_choice(group, observed.registry, registers)


def _start_drafts(
    judgement: Judgement, config: Config, observed: Mapping[str, ModelObservation], now: float
) -> tuple[dict[str, GroupPlan], list[Skip]]:
    """A draft for each group, the worst first, by its key; and a skip for each whose model is not configured."""
    counter = BlastRadiusCounter(config.blast_radius)
    judged = (*judgement.groups, *((judgement.watchdog,) if judgement.watchdog else ()))
    groups = {group.key: _rank_versions(group, observed.get(group.model)) for group in judged}
    configured = {
        group_key(model.name, rule)
        for model in config.models
        for rule in (*(rule.name for rule in model.rules), *BUILT_IN_RULES)
    }
    groups_of: dict[str, list[Group]] = {}
    for group in groups.values():
        groups_of.setdefault(group.model, []).append(group)
    drafts: dict[str, GroupPlan] = {}
    skips: list[Skip] = []
    for group in sorted(groups.values(), key=_worst_first):
        model = config.model(group.model)
        if model is None:
            skips.append(Skip("group", group.model, group.key, "the model is not in the configuration"))
            continue
        observation = observed.get(group.model) or unobserved_model(group.model)
        drafts[group.key] = GroupPlan(
            group, model, observation, now, counter, groups_of[group.model], groups, configured
        )
    return drafts, skips


def sync_group(draft: GroupPlan) -> None:
    """Write into the draft what happened since the register was written: at the targets, and by people's commands.

    From the last target to the first, since the incident reports the end of a workflow run, and the issue reports both.
    """
    if draft.blocked_reason:
        draft.register = None  # an issue that cannot be written does not count
        return
    for target in reversed(TARGETS):
        target.sync(draft)
    answer_commands(draft)


def plan_group(draft: GroupPlan) -> None:
    """Let the targets fill the draft, which is synced, stage by stage from the first to the last, and sort the changes.

    The issue carries the draft: it is written when all targets have planned, but its change is applied first. Only to
    close, the incident goes first.
    """
    for target in TARGETS:
        target.prepare(draft)
    for target in TARGETS:
        target.plan(draft)
    add_refusals(draft)
    report_next_step(draft, current_step(draft))
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
    selection = select_issue(draft.group.key, draft.observed.issues)
    guard, reason = issues_unavailable(draft)
    if not guard:
        guard, reason = UNOBSERVABLE, selection.blocked_reason
    draft.blocking_guard, draft.blocked_reason, draft.issue = guard, reason, selection.issue
    if selection.issue is not None:
        draft.previous_register, draft.register = selection.issue.register, selection.register
    return selection


def _close_duplicates(draft: GroupPlan, selection: IssueSelection) -> None:
    for duplicate in selection.duplicates:
        number = selection.issue.number if selection.issue else 0
        draft.add_change(
            ChangeKind.CLOSE_DUPLICATE,
            f"duplicate of #{number}: of two issues for one group the lowest number survives",
            expect=Precondition(duplicate.number, duplicate.body_digest, duplicate.state),
            register=duplicate.register,
        )


def observation_problems(errors: Sequence[ObservationError]) -> list[str]:
    """One for each reason, with the targets that cannot be observed for it."""
    targets: dict[str, list[str]] = {}
    for error in errors:
        if error.target is not Target.MESSAGE:
            targets.setdefault(error.reason, []).append(str(error.target))
    texts = [f"{' and '.join(dict.fromkeys(names))} cannot be observed: {reason}" for reason, names in targets.items()]
    return texts + [f"messages cannot be sent: {error.reason}" for error in errors if error.target is Target.MESSAGE]


def _skip_unjudged_issues(observed: ModelObservation, judgement: Judgement, config: Config) -> list[Skip]:
    """Skips for open issues whose group was not judged: a missing alert closes nothing."""
    judged = {group.key for group in judgement.groups if group.model == observed.model}
    if any(failure.model == observed.model for failure in judgement.failures):
        reason = "its source cannot be read, which proves nothing"
    elif config.model(observed.model) is None:
        reason = "its model is no longer in the configuration: close it by hand"
    else:
        reason = "its rule was not judged (renamed, removed, or without data): a missing alert closes nothing"
    return [
        Skip(str(ChangeKind.CLOSE_ISSUE), observed.model, issue.group, f"issue #{issue.number}: {reason}", "proof")
        for issue in observed.issues
        if issue.state == "open" and issue.group not in judged
    ]


def answer_commands(draft: GroupPlan) -> None:
    """Answer every new command on the group's issue, in the order of the comments; those of strangers with one answer,
    and on a public repository with none."""
    issue, register = draft.issue, draft.register
    if issue is None or register is None:
        return
    commands = sorted(issue.commands, key=lambda command: command.comment)
    new = [command for command in commands if not register.is_answered(command.comment)]
    draft.update_register(last_comment=max(register.last_comment, issue.last_comment))
    for command in new:
        if not command.by_stranger:
            _answer_command(draft, command)
    if strangers := [command for command in new if command.by_stranger]:
        _answer_strangers(draft, strangers, is_public=issue.is_public)
    if issue.comments_left_out:
        text = "there are more new comments than are read: post a command again if it has no answer"
        draft.add_note("comments", issue.last_comment, text)


def _answer_command(draft: GroupPlan, command: Command) -> None:
    answer = f"{INVALID_PREFIX if command.invalid else REFUSED_PREFIX}{command.refused}"
    if command.allowed:
        unknown = f"{INVALID_PREFIX}unknown command `{command.verb}`. Commands: {COMMAND_LIST}"
        answer = next(filter(None, (target.answer(draft, command) for target in TARGETS)), unknown)
    done = not answer.startswith((REFUSED_PREFIX, INVALID_PREFIX))
    _add_answer(draft, command, answer, answer if done else _refusal_text(command, answer))


def _refusal_text(command: Command, answer: str) -> str:
    """The refusal with who gave the command and its beginning, which any other answer names itself."""
    quote = shorten(f"{command.verb} {command.argument}", MAX_SHOWN)
    return f"{command.author or 'somebody'}, `{quote}`: {answer.removeprefix(INVALID_PREFIX)}"


def _answer_strangers(draft: GroupPlan, commands: Sequence[Command], *, is_public: bool) -> None:
    """Refuse what people who are not on the list commanded. ``commands``: at least one, the newest last."""
    newest, answer = commands[-1], f"{REFUSED_PREFIX}{commands[-1].refused}"
    if is_public:
        reason = f"{len(commands)} from people who are not in `github.people` are ignored: the repository is public"
        draft.add_skip("commands", reason, "people")
        return
    text = _refusal_text(newest, answer)
    if len(commands) > 1:
        authors = list(dict.fromkeys(command.author or "somebody" for command in commands))
        more = f" and {len(authors) - MAX_NAMED} others" if len(authors) > MAX_NAMED else ""
        text = f"{len(commands)} commands by {', '.join(authors[:MAX_NAMED])}{more}, the newest by {text}"
    _add_answer(draft, newest, answer, text)


def _add_answer(draft: GroupPlan, command: Command, answer: str, text: str) -> None:
    """``answer``: for the ledger, which names author and command beside it; ``text``: for the comment."""
    register = draft.register
    if register is not None:
        draft.entries.append(command_entry(draft, command, answer))
        draft.add_note(ANSWER, command.comment, text)
        draft.update_register(commands=remember_command(register.commands, command.comment))
