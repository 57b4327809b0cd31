"""The contract of a dispatched workflow, checked in the workflow's own file: its inputs and its ``run-name``."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import ConfigError, UserError
from ..model.watched import WorkflowSpec
from . import words
from .nodes import MappingNode, Node, ScalarNode, SequenceNode, parse_yaml
from .reader import Entries, Reader
from .secrets import Vault


def check_workflow(path: Path, workflow: WorkflowSpec) -> tuple[UserError, ...]:
    """What the file lacks of the contract, each with ``file:line:column``."""
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
    _check_inputs(root, entries, workflow, reader)
    _check_run_name(root, entries, workflow, reader)
    return tuple(reader.problems())


def _check_inputs(root: MappingNode, entries: Entries, workflow: WorkflowSpec, reader: Reader) -> None:
    key, on = entries.get("on", (root, None))
    found, dispatch = _find_dispatch_trigger(on, reader)
    if not found:
        reader.add_problem(key, "a dispatched workflow needs `on: workflow_dispatch`.", _contract_hint())
        return
    section = reader.entries(dispatch) if isinstance(dispatch, MappingNode) else {}
    where, inputs = section.get("inputs", (dispatch or key, None))
    declared = reader.entries(inputs) if isinstance(inputs, MappingNode) else {}
    missing = [name for name in words.CONTRACT_INPUTS if name not in declared]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        reader.add_problem(where, f"the dispatched workflow lacks the inputs {names}.", _contract_hint())
    given = {name for name, _ in workflow.inputs}
    if declared:
        for name in sorted(given - declared.keys()):
            message = f"the configuration gives the input `{name}`, which the workflow does not declare."
            reader.add_problem(where, message, "GitHub refuses such a dispatch.")
    for name, (spot, value) in declared.items():
        _check_input(name, spot, value, given, reader)


def _check_input(name: str, spot: Node, value: Node, given: set[str], reader: Reader) -> None:
    facts = reader.entries(value) if isinstance(value, MappingNode) else {}
    kind = _scalar_text(facts, "type")
    if name in words.CONTRACT_INPUTS:
        if kind not in ("", "string"):
            reader.add_problem(facts["type"][1], f"the input `{name}` must be of type string.")
    elif _scalar_text(facts, "required") == "true" and "default" not in facts and name not in given:
        hint = "Give it in the workflow's `inputs` in modelwatch.yml, or give it a default here."
        reader.add_problem(spot, f"the input `{name}` is required, and nobody gives it.", hint)


def _check_run_name(root: MappingNode, entries: Entries, workflow: WorkflowSpec, reader: Reader) -> None:
    """Workflow runs are found again by their name: verb, model and key must stand in it."""
    wanted = f"modelwatch {workflow.name} ${{{{ inputs.model }}}} ${{{{ inputs.key }}}}"
    hint = f"Write `run-name: {wanted}`."
    if "run-name" not in entries:
        reader.add_problem(root, "a dispatched workflow needs a `run-name` by which its runs are found again.", hint)
        return
    value = entries["run-name"][1]
    text = value.text if isinstance(value, ScalarNode) else ""
    model, key = (rf"\$\{{\{{\s*(?:github\.event\.)?inputs\.{name}\s*\}}\}}" for name in ("model", "key"))
    if not re.search(rf"(?:^|\s)modelwatch {re.escape(workflow.name)} {model} {key}(?:\s|$)", text):
        reader.add_problem(value, "the `run-name` does not name verb, model and key.", hint)


def _find_dispatch_trigger(on: Node | None, reader: Reader) -> tuple[bool, Node | None]:
    """Whether ``workflow_dispatch`` is among the triggers, and what stands under it."""
    if isinstance(on, MappingNode):
        entries = reader.entries(on)
        return ("workflow_dispatch" in entries), entries.get("workflow_dispatch", (on, None))[1]
    items = on.items if isinstance(on, SequenceNode) else [on]
    return any(isinstance(item, ScalarNode) and item.text == "workflow_dispatch" for item in items), None


def _scalar_text(entries: Entries, name: str) -> str:
    value = entries[name][1] if name in entries else None
    return value.text if isinstance(value, ScalarNode) else ""


def _contract_hint() -> str:
    return f"modelwatch hands over {', '.join(words.CONTRACT_INPUTS)}; `modelwatch init` writes such a workflow."
