"""The next step after an alert, and how to silence it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..model.alert import (
    IMPLAUSIBLE_METRIC,
    MONITORING_SILENT,
    SEGMENT_GONE,
    SOURCE_OUTAGE,
    SUDDEN_IMPROVEMENT,
    AlertState,
    Group,
)
from ..model.monitored_model import Model
from ..model.register import DATA_IN_DOUBT_PREFIX, ESCALATED, DispatchRecord, DispatchState, Register
from ..model.rule import Mode
from ..model.series import StartOrigin
from ..timeutil import DAY, HOUR
from .alert_phrase import describe_alert, recovery_streak
from .explanation import Quote
from .formatting import duration, utc_time
from .markdown import code, known_word, link, plain_line, safe_url
from .rollback_choice import ROLLBACK_KINDS, RollbackChoice

HEADING, WAIT = "### Next step\n\n", "Wait:"
USUAL_LENGTH, USUAL_TRAINING = HOUR, 6 * HOUR
"""A workflow run that takes longer (seconds) counts as stuck: one that moves a release, and any other."""
RECOVERY_VERBS = ("rollback", "promote", "degrade")
"""Verbs after which the metric has to recover by a deadline."""


def next_steps(group: Group, register: Register, model: Model | None, now: float) -> str:
    """The one thing to do next, then what follows; one sentence where there is nothing to do."""
    if register.closed is not None:
        return f"{HEADING}Nothing: the metric has recovered."
    if group.state is not AlertState.FIRING:
        return f"{HEADING}Nothing for now: the issue closes automatically once recovery is proven."
    steps = _steps(group, register, model, now, _markdown_style(register, model))
    if group.runbook:
        steps.append(f"Follow the runbook: {link(code(group.kind), group.runbook)}.")
    elif not steps:
        steps.append("Check the worst segments below, then the latest deployment.")
    waiting = steps[0].startswith(WAIT)
    after = [f"{'If that does not help,' if waiting else 'Then'} {step[0].lower()}{step[1:]}" for step in steps[1:]]
    return HEADING + "\n\n".join((steps[0], *after))


def first_step(
    group: Group, register: Register | None, model: Model | None, now: float, issue_text: str = "the GitHub issue"
) -> str:
    """The next step as plain text, for a lock screen; empty where there is none."""
    steps = _steps(group, register, model, now, _plain_style(model, issue_text))
    steps += [f"Follow the runbook: {group.runbook}"] if safe_url(group.runbook) else []
    return steps[0] if steps else ""


def approval_instruction(model: Model | None) -> str:
    """What comes before the command that answers a proposal: ``comment``, and what is missing where nobody may."""
    if model is None or model.github.people:
        return "comment"
    return "add who may approve it to `github.people` in the configuration (nobody so far), then comment"


@dataclass(frozen=True, slots=True)
class _StepStyle:
    """How steps are written: as Markdown on the issue, or as a plain line on a page and in a terminal."""

    quote: Quote
    issue_text: str
    """What the issue is called."""
    open_dispatch: Callable[[DispatchRecord], str]
    """What to do about a workflow that is proposed or under way; empty for nothing."""
    log: Callable[[str], str]
    """The address of a workflow run's log; empty where it is not one."""


def _markdown_style(register: Register, model: Model | None) -> _StepStyle:
    return _StepStyle(
        quote=code,
        issue_text="this issue",
        open_dispatch=lambda record: _dispatch_step(record, register, model),
        log=lambda url: link("its log", url) if safe_url(url) else "",
    )


def _plain_style(model: Model | None, issue_text: str) -> _StepStyle:
    return _StepStyle(
        quote=plain_line,
        issue_text=issue_text,
        open_dispatch=lambda record: _plain_dispatch_step(record, model, issue_text),
        log=safe_url,
    )


def _plain_dispatch_step(record: DispatchRecord, model: Model | None, issue_text: str) -> str:
    verb = plain_line(record.verb)
    if record.state is DispatchState.PROPOSED:
        comment = approval_instruction(model)
        answer = f"{comment} `/modelwatch approve {plain_line(record.name, 80)}` (or `reject`) on {issue_text}"
        return f"Decide on the proposed {verb}{target_clause(record, plain_line)}: {answer}."
    return f"Watch the {verb} workflow run: {record.url}" if safe_url(record.url) else ""


def _steps(group: Group, register: Register | None, model: Model | None, now: float, style: _StepStyle) -> list[str]:
    """Every step but the runbook, the most useful one first.

    A retraining takes long and may not help: it hides no rollback.
    """
    dispatches, quote = register.dispatches if register else (), style.quote
    newest = {record.verb: record.key for record in dispatches}
    shown = (DispatchState.PROPOSED, DispatchState.SENT)
    records = [
        record
        for record in dispatches
        if record.state in shown or (record.state is DispatchState.FINISHED and newest[record.verb] == record.key)
    ]
    urgent = [record for record in records if record.state is DispatchState.PROPOSED or record.verb in RECOVERY_VERBS]
    later = [record for record in records if record not in urgent]

    def steps(some: Iterable[DispatchRecord]) -> Iterator[str]:
        for record in some:
            if record.state is DispatchState.FINISHED:
                step = _ended_step(record, model, now, quote, style.log(record.url))
            else:
                step = _stuck_step(record, now, quote, style.log(record.url)) or style.open_dispatch(record)
            yield from filter(None, (step,))

    return [
        *_recovery_steps(group, register),
        *steps(urgent),
        *(_settling_steps(group, register, model, now, quote) if register else ()),
        *_cause_steps(group, register, quote),
        *_kind_steps(group, quote),
        *_rollback_steps(group, register, model, quote, style.issue_text),
        *steps(later),
    ]


def _stuck_step(record: DispatchRecord, now: float, quote: Quote, run: str) -> str:
    """About a workflow run that should have ended by now; empty where there is none."""
    usual = USUAL_LENGTH if record.verb in RECOVERY_VERBS else USUAL_TRAINING
    if record.state is not DispatchState.SENT or now - record.at <= usual:
        return ""
    name = f"the {known_word(record.verb)}{target_clause(record, quote)}"
    where = run or "its workflow run at GitHub"
    return (
        f"Find out why {name} has not ended after {duration(now - record.at)}; it may wait for a runner or for an "
        f"approval: {where}"
    )


def _ended_step(record: DispatchRecord, model: Model | None, now: float, quote: Quote, run: str) -> str:
    """About the newest workflow run of a verb that failed, or that succeeded and did not help; empty for others."""
    workflow = model.workflow(record.verb) if model else None
    name = f"the {known_word(record.verb)}{target_clause(record, quote)}"
    if record.conclusion not in ("success", ""):
        log = f": {run}" if run else ""
        by_hand = ""
        if model and model.release and record.verb == "rollback" and record.target_version:
            by_hand = f" Or move by hand: {quote(_release_command(model, record.target_version))}."
        return f"Find out why {name} failed ({known_word(record.conclusion)}){log}.{by_hand}"
    if record.verb in RECOVERY_VERBS and record.settled == ESCALATED:
        return f"Look for a cause outside the release: {name} succeeded, and the metric has not recovered."
    if record.verb != "retrain" or workflow is None or record.ended is None or now - record.ended <= workflow.settle:
        return ""
    return (
        f"Check whether the model of {name} serves: it ended at {utc_time(record.ended)}, and the metric has not "
        "recovered."
    )


def _release_command(model: Model, target: str) -> str:
    words = ["modelwatch", "release", "rollback", plain_line(target), "--model", model.name, "--reason", "..."]
    return shlex.join(words)


def required_healthy_evaluations(group: Group, register: Register | None) -> int:
    """How many healthy evaluations in a row prove recovery."""
    return group.hold * (2 if register and register.reopened else 1)


def _recovery_steps(group: Group, register: Register | None) -> Iterator[str]:
    healthy = recovery_streak(group)
    left = required_healthy_evaluations(group, register) - healthy
    if healthy and left > 0:
        more = "one more healthy evaluation" if left == 1 else f"{left} more healthy evaluations in a row"
        flaps = register is not None and register.flap is not None
        after = "the alert stops firing; as it flaps, this closes later" if flaps else "this closes automatically"
        yield f"{WAIT} {more}, and {after}."


def _settling_steps(group: Group, register: Register, model: Model | None, now: float, quote: Quote) -> Iterator[str]:
    """Wait after a workflow that should fix the metric has succeeded: the next windows show whether it did."""
    record = _last_watched_dispatch(register)
    until = recovery_deadline(register, model, now)
    if record is not None and until is not None:
        success = f"the {known_word(record.verb)}{target_clause(record, quote)} succeeded at {utc_time(record.ended)}"
        yield f"{WAIT} {success}. {paging_sentence(until)}"
    if group.kind != "data-quality" and any(DATA_IN_DOUBT_PREFIX in trouble for trouble in register.troubles):
        yield "Fix the data first: a data-quality alert of this model is firing, and retraining waits for it."


def target_clause(record: DispatchRecord, quote: Quote) -> str:
    """`` to v6``, of a dispatch that moves to a version."""
    return f" to {quote(record.target_version)}" if record.target_version else ""


def paging_sentence(until: float) -> str:
    return f"If the metric has not recovered by {utc_time(until)}, the on-call is paged again."


def recovery_deadline(register: Register, model: Model | None, now: float) -> float | None:
    """By when the metric has to recover after the last workflow that should fix it; ``None`` where none did."""
    record = _last_watched_dispatch(register)
    workflow = model.workflow(record.verb) if model and record else None
    if record is None or record.ended is None or record.settled or record.conclusion != "success" or workflow is None:
        return None
    until = record.ended + workflow.settle
    return until if now < until else None


def _last_watched_dispatch(register: Register) -> DispatchRecord | None:
    ended = [record for record in register.dispatches if record.verb in RECOVERY_VERBS and record.ended is not None]
    return ended[-1] if ended else None


def _rollback_steps(
    group: Group, register: Register | None, model: Model | None, quote: Quote, where: str
) -> Iterator[str]:
    """Roll back, where the alert began with a version and the previous one was healthy."""
    tried = any(record.verb == "rollback" for record in register.dispatches) if register else False
    if model is None or tried or group.kind not in ROLLBACK_KINDS or not began_with_version(group, register):
        return
    ranked = group.evidence.rollback
    target = RollbackChoice(ranked).target if ranked else group.evidence.previous[0]
    version, command = quote(group.evidence.version), _rollback_command(model, target, where)
    if command and target:
        yield f"If {version} is the cause, roll back to {quote(target)}, which was healthy: {command}."


def _rollback_command(model: Model, target: str, where: str) -> str:
    workflow = model.workflow("rollback")
    if workflow is not None and workflow.mode is not Mode.OBSERVE and model.github.people:
        return f"comment {code(f'/modelwatch rollback {target}')} on {where}"
    if model.release is not None:
        return code(_release_command(model, target))
    return ""


def began_with_version(group: Group, register: Register | None) -> bool:
    """Whether the alert began within a day of a deployment, and an earlier version was healthy."""
    evidence, start = group.evidence, register.start if register else group.start
    start = evidence.gradual.since if evidence.gradual else start
    if group.built_in or not evidence.previous or evidence.version_since is None or start is None:
        return False
    return evidence.version_origin is not StartOrigin.EDGE and 0 <= start - evidence.version_since <= DAY


def _cause_steps(group: Group, register: Register | None, quote: Quote) -> Iterator[str]:
    """What the alerts that share the cause say of it: data first, since no version and no retraining fixes it."""
    if register is None:
        return
    if register.leading_issue:
        yield f"Work on the issue that leads: {plain_line(register.leading_issue, 300)}."
    broken = next((record for record in register.firing_followers if record.kind == "data-quality"), None)
    if broken is not None and group.kind != "data-quality":
        yield f"Fix the data first: {quote(broken.rule)} fires, too. Until then retraining is blocked."


def _kind_steps(group: Group, quote: Quote) -> Iterator[str]:
    if group.kind == "data-quality" and not group.built_in:
        yield "Fix the data, not the model. Until then retraining is blocked and drift alerts are muted."
    if group.rule == MONITORING_SILENT:
        rule = quote(describe_alert(group).rule)
        yield f"Check the job that logs the data of {rule}. Nothing closes until it is judged again."
    if group.rule == SOURCE_OUTAGE:
        error = plain_line(next(iter(group.evidence.notes), "it cannot be read"), 250)
        yield f"Find out why it cannot be read: {quote(error)}. Until then nothing is judged, and nothing closes."
    if group.rule == SEGMENT_GONE:
        yield "Find out whether this segment still exists. If it does, its logging is broken."
    if group.rule == IMPLAUSIBLE_METRIC:
        rule = quote(describe_alert(group).rule)
        yield f"Check what {rule} is computed from: labels that leak, or a job that repeats its last result."
    if group.rule == SUDDEN_IMPROVEMENT:
        yield "Check labels and logging first: a jump like this is more often a label leak than a better model."


def _dispatch_step(record: DispatchRecord, register: Register, model: Model | None) -> str:
    if record.state is not DispatchState.PROPOSED:
        return f"Watch the **{known_word(record.verb)}** {link('workflow run', record.url)}."
    to = target_clause(record, code)
    approve, reject = code(f"/modelwatch approve {record.name}"), code(f"/modelwatch reject {record.name}")
    comment = approval_instruction(model)
    step = f"Decide on the proposed **{known_word(record.verb)}**{to}: {comment} {approve} or {reject}"
    command = _dispatch_command(register, record, model)
    return f"{step}. Or start it yourself:\n\n{_code_block(command)}" if command else f"{step}."


def _dispatch_command(register: Register, record: DispatchRecord, model: Model | None) -> str:
    """The command that starts a proposed workflow; the key in it lets modelwatch recognize the workflow run."""
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
    words = ["gh", "workflow", "run", workflow.file, "--repo", repository]
    words += ["--ref", workflow.ref] if workflow.ref else []
    if workflow.event_type:
        words = ["gh", "api", f"repos/{repository}/dispatches", "-f", f"event_type={workflow.event_type}"]
        inputs = {f"client_payload[{name}]": value for name, value in inputs.items()}
    for name, value in inputs.items():
        words += ["-f", f"{name}={plain_line(value)}"] if value else []
    return shlex.join(words)


def _code_block(command: str) -> str:
    """A code block, fenced with tildes, since a version from outside can hold backticks."""
    fence = "~" * max(3, max((len(run) for run in command.split() if set(run) == {"~"}), default=0) + 1)
    return f"{fence}sh\n{command}\n{fence}"


SILENCING_HELP = """<details><summary>How to silence or acknowledge</summary>

- Comment `/modelwatch silence 24h <reason>`, `ack` or `false-positive` (people in `github.people`).
- Close this issue to acknowledge it for 24 h, or until it gets worse.
- Close it as *not planned* to silence it until it recovers.
- For longer, add an entry under `silences:` in the configuration, with `until`, `owner` and `reason`.

</details>"""
