"""What a person does next, and how to silence: the part of the issue that asks for something."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ..model.alert import GONE, IMPROVEMENT, SILENT, AlertState, Group
from ..model.register import DispatchRecord, ReceiptState, Register
from ..model.watched import Model, WorkflowSpec
from .escape import code, line, link, safe_url, word
from .told import recovering, tell
from .why import Quote


def next_steps(group: Group, register: Register, model: Model | None) -> str:
    """A numbered list, the most useful first; one sentence where there is nothing to do."""
    if register.closed is not None:
        return "### Next step\n\nNothing: the metric has recovered."
    if group.state is not AlertState.FIRING:
        return "### Next step\n\nNothing for now: the issue closes by itself once recovery is proved."
    steps = [*_waiting(group, register), *_dispatches(register, model), *_by_kind(group, code)]
    if group.runbook:
        steps.append(f"Follow the runbook: {link(code(group.kind), group.runbook)}.")
    elif not steps:
        steps.append("Look at the worst segments below, then at what was deployed last.")
    if len(steps) == 1:
        return f"### Next step\n\n{steps[0]}"
    return "### Next steps\n\n" + "\n".join(f"{place}. {step}" for place, step in enumerate(steps, 1))


def first(group: Group, register: Register | None) -> str:
    """The one step of a lock screen, as plain text; empty where there is none to name."""
    for record in register.dispatches if register else ():
        verb = line(record.verb)
        if record.state is ReceiptState.PROPOSED:
            to = f" to {line(record.target_version)}" if record.target_version else ""
            answer = f"comment `/modelwatch approve {line(record.name, 80)}` on the GitHub issue"
            return f"Decide about the proposed {verb}{to}: {answer}, or `reject` instead of `approve`."
        if record.state is ReceiptState.SENT and safe_url(record.url):
            return f"Watch the {verb} workflow run: {record.url}"
    for step in _by_kind(group, line):
        return step
    return f"Follow the runbook: {group.runbook}" if safe_url(group.runbook) else ""


def needed(group: Group, register: Register | None) -> int:
    """How many healthy evaluations in a row prove recovery."""
    return group.hold * (2 if register and register.reopened else 1)


def _waiting(group: Group, register: Register) -> Iterator[str]:
    healthy = recovering(group)
    left = needed(group, register) - healthy
    if healthy and left > 0:
        more = "one more healthy evaluation" if left == 1 else f"{left} more healthy evaluations in a row"
        yield f"Wait: {more}, and this issue closes by itself."


def _by_kind(group: Group, quote: Quote) -> Iterator[str]:
    told = tell(group)
    if group.kind == "data-quality" and not group.built_in:
        yield "Mend the data, not the model: until then retraining is blocked and drift alerts are muted."
    match group.rule:
        case str() as name if name == SILENT:
            yield f"Look at the job that logs what {quote(told.rule)} needs. Nothing closes until it is judged again."
        case str() as name if name == GONE:
            yield "Find out whether this segment still exists; if it does, its logging is broken."
        case str() as name if name == IMPROVEMENT:
            yield "Check labels and logging first: a jump like this is more often a leak than a better model."


def _dispatches(register: Register, model: Model | None) -> Iterator[str]:
    for record in register.dispatches:
        if record.state is ReceiptState.PROPOSED:
            to = f" to {code(record.target_version)}" if record.target_version else ""
            told = f"Decide about the proposed **{word(record.verb)}**{to}: comment {_comment('approve', record)}"
            told += f" or {_comment('reject', record)}"
            command = _command(register, record, model)
            yield f"{told}. The same by hand:\n\n{_indented(command)}" if command else f"{told}."
        elif record.state is ReceiptState.SENT:
            yield f"Watch the **{word(record.verb)}** {link('workflow run', record.url)}."


def _comment(answer: str, record: DispatchRecord) -> str:
    return code(f"/modelwatch {answer} {record.name}")


def _command(register: Register, record: DispatchRecord, model: Model | None) -> str:
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
    given = [f"{name}={line(value)}" for name, value in inputs.items() if value]
    return _shell(workflow, repository, given)


def _shell(workflow: WorkflowSpec, repository: str, given: list[str]) -> str:
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


def _indented(command: str) -> str:
    """A code block inside a list item; tildes, since a version from outside may hold backticks."""
    fence = "~" * max(3, max((len(run) for run in command.split() if set(run) == {"~"}), default=0) + 1)
    return f"   {fence}sh\n   {command}\n   {fence}"


def silencing() -> str:
    return (
        "<details><summary>How to silence or acknowledge</summary>\n\n"
        "- Comment `/modelwatch silence 24h <reason>`, `ack` or `false-positive` (people on the configured list).\n"
        "- Close this issue: acknowledged for 24 h, or until it gets worse.\n"
        "- Close it as *not planned*: silent until it has recovered.\n"
        "- For longer: an entry under `silences:` in the configuration, with `until`, `owner` and `reason`.\n\n"
        "</details>"
    )
