"""The checks of ``config check`` beyond loading: advice, and the contract of dispatched workflows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from ..errors import ConfigError, UserError, did_you_mean
from ..model.drill import is_drill_name
from ..model.monitored_model import Config, Model, WorkflowSpec
from ..model.rule import RELATIVE_LIMITS, BaselineEntry, BaselineKind, Limit, LimitKind, Mode, Rule
from ..model.series import format_labels
from ..timeutil import DAY
from . import vocabulary
from .literals import format_duration
from .measured_metrics import lint_measured_metrics
from .reader import Entries, Reader
from .secrets import Vault
from .yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode, parse_yaml

MAX_PAGING_RULES = 3
MAX_PAYLOAD_KEYS = 10
"""Of a repository_dispatch."""
ROUTING_KEY_LENGTH = 32
_HANDLE = re.compile(r"@[A-Za-z0-9][A-Za-z0-9-]*(?:/[A-Za-z0-9._-]+)?")
_SLOW_REACTION = 7 * DAY
_Z_95 = 1.959963984540054
_CONTRACT_HINT = f"modelwatch passes {', '.join(vocabulary.CONTRACT_INPUTS)}; `modelwatch init` writes such a workflow."


def lint_config(config: Config, root: Path) -> tuple[str | UserError, ...]:
    """Advice as text; as ``UserError`` what makes a dispatch fail or wait, or decides nothing. ``root`` is the
    working tree of the repository."""
    return (*lint_models(config), *_lint_workflows(config, root))


def lint_models(config: Config) -> tuple[str | UserError, ...]:
    """The same without the files of workflows."""
    problems: list[str | UserError] = []
    for model in config.models:
        problems.extend(_lint_model(model))
        for rule in model.rules:
            problems.extend(_lint_rule(rule))
            problems.extend(_lint_zero_baseline(rule))
        problems.extend(_lint_input_counts(model))
        problems.extend(lint_measured_metrics(model))
        problems.extend(_lint_worth(model))
    return tuple(problems)


def _lint_worth(model: Model) -> Iterator[str]:
    """The worth of a metric that no rule judges is shown nowhere."""
    judged = {name for rule in model.rules for name in (rule.metric.text, rule.metric.name)}
    for name, _ in model.business.worth if model.business else ():
        if name not in judged:
            hint = did_you_mean(name, judged, "Give it a rule, or correct the key.")
            yield f"{model.where}: `worth` of {model.name} names {name!r}, which no rule judges. {hint}"


def _lint_model(model: Model) -> Iterator[str | UserError]:
    paging = [rule.name for rule in model.rules if any("page" in tier.do for tier in rule.tiers)]
    if len(paging) > MAX_PAGING_RULES:
        yield (
            f"{model.where}: {len(paging)} rules of {model.name} page ({', '.join(paging)}). More than "
            f"{MAX_PAGING_RULES} cause alert fatigue: page for what hurts users, and let the others open issues."
        )
    if model.drill and model.wandb and not is_drill_name(model.wandb.project):
        yield UserError(
            f"{model.name} has `drill: true`, so its alerts begin with [DRILL] and nobody acts on them, but its W&B "
            f"project {model.wandb.project!r} is not a drill's.",
            hint="Remove `drill: true` from a model in production.",
            where=model.where,
        )
    if not model.owner:
        yield f"{model.where}: {model.name} has no `owner`: nobody is notified."
    elif not _HANDLE.fullmatch(model.owner):
        handles = "`@login` or `@organisation/team`"
        yield f"{model.where}: the owner of {model.name} is not a handle ({handles}): nobody is notified."
    proposed = _proposed_verbs(model)
    if proposed and not model.github.people:
        yield UserError(
            f"{model.name} proposes {' and '.join(proposed)}, and nobody may approve it.",
            hint="List logins, or teams as `@organisation/team`, under `github: {people: [...]}`.",
            where=model.where,
        )
    key = model.pagerduty.routing_key
    if key is not None and len(key.reveal()) != ROUTING_KEY_LENGTH:
        length = len(key.reveal())
        yield f"{model.where}: {key.name} has {length} characters; a routing key has {ROUTING_KEY_LENGTH}."
    yield from _lint_history(model)


def _proposed_verbs(model: Model) -> list[str]:
    """The workflows that wait for somebody to approve them."""
    verbs = {verb for rule in model.rules for tier in rule.tiers for verb in tier.do}
    return [flow.name for flow in model.workflows if flow.mode is Mode.PROPOSE and flow.name in verbs]


def _lint_history(model: Model) -> Iterator[str]:
    """Only findings with new points count, and a metric that is logged once in a window has one in each."""
    for rule in model.rules:
        for what, count in (("for", max((rule.for_, *(tier.for_ or 1 for tier in rule.tiers)))), ("hold", rule.hold)):
            length = rule.window * count
            if count > 1 and length > model.history:
                yield (
                    f"{rule.where}: `{what}: {count}` of {rule.name} takes {format_duration(length)} where the metric "
                    f"is logged once in each window of {format_duration(rule.window)}, and `history` is "
                    f"{format_duration(model.history)}: lower `{what}`, or raise the model's `history`."
                )


def _lint_rule(rule: Rule) -> Iterator[str]:
    yield from _lint_baseline_interval(rule)
    yield from _lint_recovery_limit(rule)
    yield from _lint_equal_tiers(rule)
    if rule.for_ == 1 and rule.hold == 1 and rule.recover is None:
        yield (
            f"{rule.where}: one finding opens an alert of {rule.name} and one closes it: near a limit it will flap. "
            "Raise `for` or `hold`, or give `recover`."
        )
    for what, count in (("for", rule.for_), ("hold", rule.hold)):
        if count > 1 and count * rule.every > _SLOW_REACTION:
            length, step = format_duration(count * rule.every), format_duration(rule.every)
            yield f"{rule.where}: `{what}: {count}` of {rule.name} takes {length} at one finding every {step}."


def _lint_zero_baseline(rule: Rule) -> Iterator[UserError]:
    """A captured baseline of 0, with limits that are shares of it alone."""
    reference = _baseline_entry(rule)
    limits = [limit for tier in rule.tiers for limit in tier.limits]
    if reference is not None and reference.value == 0 and limits and {one.form for one in limits} <= RELATIVE_LIMITS:
        yield UserError(
            f"the captured baseline of {rule.name} is 0, and a share of 0 is always 0.",
            hint="Use `rise_points` or `above` (or `drop_points` or `below`).",
            where=rule.where,
        )


def _lint_recovery_limit(rule: Rule) -> Iterator[str]:
    """A recovery limit further out than the tier counts as recovered what is still a breach."""
    if rule.recover is None or not rule.tiers:
        return
    for limit in rule.tiers[0].limits:
        if limit.form is rule.recover.form:
            away = limit.value - rule.recover.value
            if (away > 0) if limit.form is LimitKind.BELOW else (away < 0):
                yield (
                    f"{rule.where}: `recover: {{{_format_limit(rule.recover)}}}` of {rule.name} is looser than the "
                    f"limit `{_format_limit(limit)}` of `{rule.tiers[0].severity}`: what still breaches would count as "
                    "recovered."
                )


def _lint_equal_tiers(rule: Rule) -> Iterator[str]:
    """Tiers of a rule with ``anomaly`` differ by their budgets alone."""
    for milder, tier in pairwise(rule.tiers if rule.anomaly is not None else ()):
        if (tier.false_alarms or 0.0) <= (milder.false_alarms or 0.0):
            yield (
                f"{rule.where}: `{tier.severity}` of {rule.name} is reached as often as `{milder.severity}`. Give it a "
                "longer `false_alarms`, or an action with a longer one, such as `page`."
            )


def _lint_baseline_interval(rule: Rule) -> Iterator[str]:
    """A limit that the baseline itself reaches by chance."""
    reference = _baseline_entry(rule)
    if reference is None or reference.low is None or reference.high is None:
        return
    for tier in rule.tiers:
        for limit in tier.limits:
            at = limit.boundary(reference.value)
            if at is None or not reference.low <= at <= reference.high:
                continue
            labels = f" ({format_labels(reference.labels)})" if reference.labels else ""
            count = f", n = {reference.n:g}" if reference.n is not None else ""
            interval = f"{reference.low:.4g} to {reference.high:.4g}"
            yield (
                f"{rule.where}: the limit `{_format_limit(limit)}` of `{tier.severity}` in {rule.name} lies at "
                f"{at:.4g}, inside the baseline's own interval{labels}, {interval}{count}: chance alone reaches it. "
                "Metrics from training differ from production by 3-5 % as a rule: capture the baseline from production "
                "and from more data, or move the limit."
            )


def _baseline_entry(rule: Rule) -> BaselineEntry | None:
    """The whole's entry of a captured baseline (else its first), or the constant with its Wilson interval."""
    baseline = rule.baseline
    if baseline.kind is BaselineKind.FILE and baseline.entries:
        return next((entry for entry in baseline.entries if not entry.labels), baseline.entries[0])
    if baseline.kind is BaselineKind.CONSTANT and baseline.n and 0 <= baseline.value <= 1:
        low, high = wilson_interval(baseline.value, baseline.n)
        return BaselineEntry(rule.metric.name, (), baseline.value, baseline.n, low, high)
    return None


def wilson_interval(share: float, n: float) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson 1927)."""
    middle = (share + _Z_95 * _Z_95 / (2 * n)) / (1 + _Z_95 * _Z_95 / n)
    half = _Z_95 / (1 + _Z_95 * _Z_95 / n) * math.sqrt(share * (1 - share) / n + _Z_95 * _Z_95 / (4 * n * n))
    return middle - half, middle + half


def _lint_input_counts(model: Model) -> Iterator[UserError]:
    """More inputs than the model's GitHub takes; as a repository_dispatch it takes 10 everywhere."""
    for workflow in model.workflows:
        limit = MAX_PAYLOAD_KEYS if workflow.event_type else model.github.max_inputs
        most = limit - len(vocabulary.CONTRACT_INPUTS)
        if len(workflow.inputs) > most:
            yield UserError(
                f"`{workflow.name}` of {model.name} has {len(workflow.inputs)} inputs of its own, and this GitHub "
                f"takes {most} beside those of modelwatch.",
                hint="Make the others defaults of the workflow itself.",
                where=model.where,
            )


def _lint_workflows(config: Config, root: Path) -> Iterator[str | UserError]:
    """Each workflow's file once, where it is in the working tree."""
    folder = root / ".github" / "workflows"
    if not folder.is_dir():
        return
    checked = set()
    for model in config.models:
        for workflow in model.workflows:
            identity = (workflow.file, workflow.name, workflow.inputs, model.github.max_inputs)
            if not workflow.file or identity in checked:
                continue
            checked.add(identity)
            path = folder / workflow.file
            if path.is_file():
                yield from check_workflow(path, workflow, model.github.max_inputs)
            else:
                yield f"{model.where}: {model.name} has `{workflow.name}: {workflow.file}`, and there is no {path}."
    yield from lint_commands(config, folder)


def lint_commands(config: Config, folder: Path) -> Iterator[str]:
    """Comments are read by every evaluation; only a workflow that starts on them answers at once."""
    files = [path for path in sorted(folder.glob("*.y*ml")) if path.is_file()]
    if any("issue_comment" in path.read_text("utf-8", errors="replace") for path in files):
        return
    waiting = [model for model in config.models if model.github.people and _proposed_verbs(model)]
    for model in waiting[:1]:
        yield (
            f"{model.where}: no workflow in {folder} starts on `issue_comment`: `/modelwatch approve` and other "
            "comments wait for the next evaluation. `modelwatch init` writes `modelwatch-commands.yml`, which answers "
            "at once."
        )


def _format_limit(limit: Limit) -> str:
    amount = f"{limit.value * 100:g}%" if limit.form in RELATIVE_LIMITS else f"{limit.value:g}"
    return f"{limit.form}: {amount}"


def check_workflow(path: Path, workflow: WorkflowSpec, max_inputs: int) -> tuple[UserError, ...]:
    """What the file lacks of the contract, each with ``file:line:column``. ``max_inputs``: what GitHub takes."""
    try:
        root = parse_yaml(path.read_bytes(), str(path))
    except ConfigError as error:
        return error.problems
    except OSError as error:
        return (UserError(f"the file cannot be read: {error.strerror}.", where=str(path)),)
    reader = Reader(str(path), path.parent, Vault({}))
    if not isinstance(root, MappingNode):
        reader.add_problem(root, "a workflow is a mapping.")
        return tuple(reader.problems())
    entries = reader.entries(root)
    _check_inputs(root, entries, workflow, reader, max_inputs)
    _check_run_name(root, entries, workflow, reader)
    return tuple(reader.problems())


def _check_inputs(root: MappingNode, entries: Entries, workflow: WorkflowSpec, reader: Reader, max_inputs: int) -> None:
    key, on = entries.get("on", (root, None))
    is_declared, dispatch = _find_dispatch_trigger(on, reader)
    if not is_declared:
        reader.add_problem(key, "a dispatched workflow needs `on: workflow_dispatch`.", _CONTRACT_HINT)
        return
    section = reader.entries(dispatch) if isinstance(dispatch, MappingNode) else {}
    where, inputs = section.get("inputs", (dispatch or key, None))
    declared = reader.entries(inputs) if isinstance(inputs, MappingNode) else {}
    missing = [name for name in vocabulary.CONTRACT_INPUTS if name not in declared]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        reader.add_problem(where, f"the dispatched workflow lacks the inputs {names}.", _CONTRACT_HINT)
    if len(declared) > max_inputs:
        message = f"the dispatched workflow declares {len(declared)} inputs, and this GitHub takes {max_inputs}."
        reader.add_problem(where, message, "Leave out those that never change.")
    configured = {name for name, _ in workflow.inputs}
    if declared:
        for name in sorted(configured - declared.keys()):
            message = f"the configuration gives the input `{name}`, which the workflow does not declare."
            reader.add_problem(where, message, "GitHub refuses such a dispatch.")
    for name, (spot, value) in declared.items():
        _check_input(name, spot, value, configured, reader)


def _check_input(name: str, spot: Node, value: Node, configured: set[str], reader: Reader) -> None:
    facts = reader.entries(value) if isinstance(value, MappingNode) else {}
    kind = _scalar_text(facts, "type")
    if name in vocabulary.CONTRACT_INPUTS:
        if kind not in ("", "string"):
            reader.add_problem(facts["type"][1], f"the input `{name}` must be of type string.")
    elif _scalar_text(facts, "required") == "true" and "default" not in facts and name not in configured:
        hint = "Give it in the workflow's `inputs` in modelwatch.yml, or give it a default here."
        reader.add_problem(spot, f"the input `{name}` is required, and no value is configured.", hint)


def _check_run_name(root: MappingNode, entries: Entries, workflow: WorkflowSpec, reader: Reader) -> None:
    """Workflow runs are found again by their name: verb, model and key must be in it."""
    run_name = f"modelwatch {workflow.name} ${{{{ inputs.model }}}} ${{{{ inputs.key }}}}"
    hint = f"Write `run-name: {run_name}`."
    if "run-name" not in entries:
        reader.add_problem(root, "a dispatched workflow needs a `run-name` by which its runs are found again.", hint)
        return
    value = entries["run-name"][1]
    text = value.text if isinstance(value, ScalarNode) else ""
    model, key = (rf"\$\{{\{{\s*(?:github\.event\.)?inputs\.{name}\s*\}}\}}" for name in ("model", "key"))
    if not re.search(rf"(?:^|\s)modelwatch {re.escape(workflow.name)} {model} {key}(?:\s|$)", text):
        reader.add_problem(value, "the `run-name` does not name verb, model and key.", hint)


def _find_dispatch_trigger(on: Node | None, reader: Reader) -> tuple[bool, Node | None]:
    """Whether ``workflow_dispatch`` is among the triggers, and its value."""
    if isinstance(on, MappingNode):
        entries = reader.entries(on)
        return ("workflow_dispatch" in entries), entries.get("workflow_dispatch", (on, None))[1]
    items = on.items if isinstance(on, SequenceNode) else [on]
    return any(isinstance(item, ScalarNode) and item.text == "workflow_dispatch" for item in items), None


def _scalar_text(entries: Entries, name: str) -> str:
    value = entries[name][1] if name in entries else None
    return value.text if isinstance(value, ScalarNode) else ""
