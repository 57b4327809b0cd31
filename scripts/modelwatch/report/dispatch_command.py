"""The command that starts a proposed workflow by hand, and how an issue shows it."""

from __future__ import annotations

import shlex

from ..model.monitored_model import Model
from ..model.register import DispatchRecord, Register
from .markdown import plain_line

MAX_COMMAND = 1000
"""Characters; a longer one is not shown."""


def dispatch_command(register: Register, record: DispatchRecord, model: Model | None) -> str:
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


def code_block(command: str) -> str:
    """A code block, fenced with tildes, since a version from outside can hold backticks."""
    fence = "~" * max(3, max((len(run) for run in command.split() if set(run) == {"~"}), default=0) + 1)
    return f"{fence}sh\n{command}\n{fence}"
