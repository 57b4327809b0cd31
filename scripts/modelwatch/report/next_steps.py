"""What a person does next, and how to silence: the part of the issue that asks for something."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ..model.alert import MONITORING_SILENT, SEGMENT_GONE, SUDDEN_IMPROVEMENT, AlertState, Group
from ..model.monitored_model import Model, WorkflowSpec
from ..model.register import DATA_IN_DOUBT_PREFIX, DispatchRecord, DispatchState, Register
from ..model.rule import Mode
from ..timeutil import DAY
from .alert_phrase import describe_alert, recovery_streak
from .explanation import Quote
from .formatting import utc_time
from .markdown import code, known_word, link, plain_line, safe_url

HEADING, WAIT = "### Next step\n\n", "Wait:"
DEFAULT_ISSUE_TEXT = "the GitHub issue"
ROLLBACK_KINDS = frozenset(
    ["accuracy-drop", "segment-drop", "calibration", "prediction-drift", "business-metric", "latency", "error-rate"]
)
"""Kinds that an earlier version can cure; data and labels are as they are whatever serves."""
WATCHED_VERBS = ("rollback", "promote", "degrade")
"""Verbs after which the metric is looked at again."""


def next_steps(group: Group, register: Register, model: Model | None, now: float) -> str:
    """The one thing to do next, then what comes after it; one sentence where there is nothing to do."""
    if register.closed is not None:
        return f"{HEADING}Nothing: the metric has recovered."
    if group.state is not AlertState.FIRING:
        return f"{HEADING}Nothing for now: the issue closes by itself once recovery is proved."
    steps = [
        *_recovery_steps(group, register),
        *_dispatch_steps(register, model),
        *settling_steps(register, model, now, code),
        *_data_quality_steps(register),
        *_kind_steps(group, code),
        *_rollback_steps(group, register, model, code, "this issue"),
    ]
    if group.runbook:
        steps.append(f"Follow the runbook: {link(code(group.kind), group.runbook)}.")
    elif not steps:
        steps.append("Look at the worst segments below, then at what was deployed last.")
    waiting = steps[0].startswith(WAIT)
    after = [f"{'If that does not help,' if waiting else 'Then'} {step[0].lower()}{step[1:]}" for step in steps[1:]]
    return HEADING + "\n\n".join((steps[0], *after))


def first_step(
    group: Group, register: Register | None, model: Model | None, now: float, issue_text: str = DEFAULT_ISSUE_TEXT
) -> str:
    """The one step of a lock screen, as plain text; empty where there is none to name. ``where``: the issue."""
    for step in _recovery_steps(group, register):
        return step
    for record in register.dispatches if register else ():
        verb = plain_line(record.verb)
        if record.state is DispatchState.PROPOSED:
            to = f" to {plain_line(record.target_version)}" if record.target_version else ""
            answer = f"comment `/modelwatch approve {plain_line(record.name, 80)}` on {issue_text}"
            return f"Decide about the proposed {verb}{to}: {answer}, or `reject` instead of `approve`."
        if record.state is DispatchState.SENT and safe_url(record.url):
            return f"Watch the {verb} workflow run: {record.url}"
    steps: list[str] = [
        *((*settling_steps(register, model, now, plain_line), *_data_quality_steps(register)) if register else ()),
        *_kind_steps(group, plain_line),
        *_rollback_steps(group, register, model, plain_line, issue_text),
    ]
    if steps:
        return steps[0]
    return f"Follow the runbook: {group.runbook}" if safe_url(group.runbook) else ""


def required_healthy_evaluations(group: Group, register: Register | None) -> int:
    """How many healthy evaluations in a row prove recovery."""
    return group.hold * (2 if register and register.reopened else 1)


def _recovery_steps(group: Group, register: Register | None) -> Iterator[str]:
    healthy = recovery_streak(group)
    left = required_healthy_evaluations(group, register) - healthy
    if healthy and left > 0:
        more = "one more healthy evaluation" if left == 1 else f"{left} more healthy evaluations in a row"
        yield f"{WAIT} {more}, and this closes by itself."


def settling_steps(register: Register, model: Model | None, now: float, quote: Quote) -> Iterator[str]:
    """A workflow that was to bring the metric back has just ended well: the next windows tell."""
    record = _last_watched_dispatch(register)
    until = recovery_deadline(register, model, now)
    if record is not None and until is not None:
        to = f" to {quote(record.target_version)}" if record.target_version else ""
        yield (
            f"{WAIT} the {known_word(record.verb)}{to} succeeded at {utc_time(record.ended)}; if the metric has not "
            "recovered by "
            f"{utc_time(until)}, somebody is paged."
        )


def _data_quality_steps(register: Register) -> Iterator[str]:
    if any(DATA_IN_DOUBT_PREFIX in trouble for trouble in register.troubles):
        yield "Mend the data first: a data-quality alert of this model fires, and retraining waits for it."


def recovery_deadline(register: Register, model: Model | None, now: float) -> float | None:
    """By when the metric has to recover after the last workflow that was to bring it back; ``None``: nobody waits."""
    record = _last_watched_dispatch(register)
    workflow = model.workflow(record.verb) if model and record else None
    if record is None or record.ended is None or record.settled or record.conclusion != "success" or workflow is None:
        return None
    until = record.ended + workflow.settle
    return until if now < until else None


def _last_watched_dispatch(register: Register) -> DispatchRecord | None:
    ended = [record for record in register.dispatches if record.verb in WATCHED_VERBS and record.ended is not None]
    return ended[-1] if ended else None


def _rollback_steps(
    group: Group, register: Register | None, model: Model | None, quote: Quote, where: str
) -> Iterator[str]:
    """It began with a version, and the one before was healthy: the quickest way out, where there is one."""
    tried = any(record.verb == "rollback" for record in register.dispatches) if register else False
    if model is None or tried or group.kind not in ROLLBACK_KINDS or not began_with_version(group, register):
        return
    target = group.evidence.previous[0]
    way = _rollback_command(model, target, where)
    if way:
        yield f"If {quote(group.evidence.version)} is the cause, go back to {quote(target)}, which was healthy: {way}."


def _rollback_command(model: Model, target: str, where: str) -> str:
    workflow = model.workflow("rollback")
    if workflow is not None and workflow.mode is not Mode.OBSERVE and model.github.people:
        return f"comment {code(f'/modelwatch rollback {target}')} on {where}"
    if model.release is not None:
        words = ["modelwatch", "release", "rollback", plain_line(target), "--model", model.name, "--reason", "..."]
        return code(shlex.join(words))
    return ""


def began_with_version(group: Group, register: Register | None) -> bool:
    """Whether it began within a day of another version's deployment, and an earlier one was healthy."""
    evidence, start = group.evidence, register.start if register else group.start
    if group.built_in or not evidence.previous or evidence.version_since is None or start is None:
        return False
    return 0 <= start - evidence.version_since <= DAY


def _kind_steps(group: Group, quote: Quote) -> Iterator[str]:
    told = describe_alert(group)
    if group.kind == "data-quality" and not group.built_in:
        yield "Mend the data, not the model: until then retraining is blocked and drift alerts are muted."
    match group.rule:
        case str() as name if name == MONITORING_SILENT:
            yield f"Look at the job that logs what {quote(told.rule)} needs. Nothing closes until it is judged again."
        case str() as name if name == SEGMENT_GONE:
            yield "Find out whether this segment still exists; if it does, its logging is broken."
        case str() as name if name == SUDDEN_IMPROVEMENT:
            yield "Check labels and logging first: a jump like this is more often a leak than a better model."


def _dispatch_steps(register: Register, model: Model | None) -> Iterator[str]:
    for record in register.dispatches:
        if record.state is DispatchState.PROPOSED:
            to = f" to {code(record.target_version)}" if record.target_version else ""
            told = (
                f"Decide about the proposed **{known_word(record.verb)}**{to}: comment "
                f"{_answer_command('approve', record)}"
            )
            told += f" or {_answer_command('reject', record)}"
            command = _dispatch_command(register, record, model)
            yield f"{told}. The same by hand:\n\n{_code_block(command)}" if command else f"{told}."
        elif record.state is DispatchState.SENT:
            yield f"Watch the **{known_word(record.verb)}** {link('workflow run', record.url)}."


def _answer_command(answer: str, record: DispatchRecord) -> str:
    return code(f"/modelwatch {answer} {record.name}")


def _dispatch_command(register: Register, record: DispatchRecord, model: Model | None) -> str:
    """What starts a proposed workflow so that its workflow run is recognised by the key in its name."""
    workflow = model.workflow(record.verb) if model else None
    if model is None or workflow is None:
        return ""
    inputs = {
        "key": record.key,
        "model": register.model,
        "version": record.version,
        "target_version": record.target_version,
        "reason": f"started by hand for {register.rule}",
    } | dict(workflow.inputs)
    repository = workflow.repository or model.github.repository
    given = [f"{name}={plain_line(value)}" for name, value in inputs.items() if value]
    return _gh_command(workflow, repository, given)


def _gh_command(workflow: WorkflowSpec, repository: str, given: list[str]) -> str:
    if workflow.event_type:
        words = ["gh", "api", f"repos/{repository}/dispatches", "-f", f"event_type={workflow.event_type}"]
        for field in given:
            name, _, value = field.partition("=")
            words += ["-f", f"client_payload[{name}]={value}"]
    else:
        words = ["gh", "workflow", "run", workflow.file, "--repo", repository]
        words += ["--ref", workflow.ref] if workflow.ref else []
        for field in given:
            words += ["-f", field]
    return shlex.join(words)


def _code_block(command: str) -> str:
    """A code block; tildes, since a version from outside may hold backticks."""
    fence = "~" * max(3, max((len(run) for run in command.split() if set(run) == {"~"}), default=0) + 1)
    return f"{fence}sh\n{command}\n{fence}"


def silencing_help() -> str:
    return (
        "<details><summary>How to silence or acknowledge</summary>\n\n"
        "- Comment `/modelwatch silence 24h <reason>`, `ack` or `false-positive` (people on the configured list).\n"
        "- Close this issue: acknowledged for 24 h, or until it gets worse.\n"
        "- Close it as *not planned*: silent until it has recovered.\n"
        "- For longer: an entry under `silences:` in the configuration, with `until`, `owner` and `reason`.\n\n"
        "</details>"
    )
