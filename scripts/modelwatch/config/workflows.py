"""The workflows of a model: verb -> what is dispatched, in which mode, how often."""

from __future__ import annotations

from ..model.rule import DAY, HOUR, Mode
from ..model.watched import PROPOSED_BY_DEFAULT, WorkflowSpec
from . import words
from .nodes import ScalarNode
from .reader import Reader, did_you_mean, shorten
from .shapes import ParsedSection

MAX_INPUTS = 25 - len(words.CONTRACT_INPUTS)
"""GitHub allows 25 inputs; the contract takes some."""

_Modes = dict[str, tuple[ScalarNode, Mode]]


def read_workflows(model: ParsedSection, reader: Reader) -> tuple[WorkflowSpec, ...]:
    """One spec a verb. A verb's own ``mode`` wins over the model's ``modes``, and that over the default."""
    modes: _Modes = model.get("modes", {})
    found = []
    for verb, (key, value) in model.get("workflows", {}).items():
        if verb in words.BUILT_IN_ACTIONS:
            reader.add_problem(key, f"`{verb}` has its own meaning in `do`.", "Give the workflow another verb.")
            continue
        default = Mode.PROPOSE if verb in PROPOSED_BY_DEFAULT else Mode.ACT
        mode = modes[verb][1] if verb in modes else default
        if isinstance(value, str):
            found.append(WorkflowSpec(verb, value, mode=mode))
        else:
            found.append(_read_workflow(verb, value, mode, reader))
    return tuple(found)


def _read_workflow(verb: str, given: ParsedSection, mode: Mode, reader: Reader) -> WorkflowSpec:
    _check_destination(given, reader)
    inputs = given.get("inputs", {})
    for name, (key, _) in inputs.items():
        if name in words.CONTRACT_INPUTS:
            reader.add_problem(
                key, f"the input `{name}` is one that modelwatch fills in itself.", "Choose another name."
            )
    if len(inputs) > MAX_INPUTS:
        reader.add_problem(given.key_node("inputs"), f"more than {MAX_INPUTS} inputs of your own.")
    return WorkflowSpec(
        name=verb,
        file=given.get("file", ""),
        repository=given.get("repository", ""),
        event_type=given.get("event_type", ""),
        ref=given.get("ref", ""),
        mode=given.get("mode", mode),
        cooldown=given.get("cooldown", 24 * HOUR),
        budget=given.get("budget", 4),
        budget_period=given.get("budget_period", 30 * DAY),
        automatic=given.get("automatic", 2 * HOUR),
        settle=given.get("settle", 2 * HOUR),
        inputs=tuple(sorted((name, value) for name, (_, value) in inputs.items())),
    )


def _check_destination(given: ParsedSection, reader: Reader) -> None:
    """Either a file of this repository, or an event for another one."""
    if "event_type" in given and "repository" not in given:
        reader.add_problem(given.key_node("event_type"), "`event_type` is for another `repository`; name it.")
    elif "repository" in given and "event_type" not in given:
        reader.add_problem(given.key_node("repository"), "another repository is reached by an `event_type`; give it.")
    elif "event_type" in given and "file" in given:
        reader.add_problem(given.key_node("file"), "give either `file`, or `repository` and `event_type`.")
    elif "event_type" not in given and "file" not in given:
        reader.add_problem(given.node, "a workflow needs `file`, or `repository` and `event_type`.")
    if "event_type" in given and "ref" in given:
        reader.add_problem(
            given.key_node("ref"), "a repository_dispatch always runs on the default branch.", "Remove `ref`."
        )


def read_modes(model: ParsedSection, reader: Reader, verbs: tuple[str, ...]) -> tuple[Mode, Mode]:
    """The modes of ``issue`` and ``page``; every other key must be a verb of the model."""
    modes: _Modes = model.get("modes", {})
    known = (*words.BUILT_IN_ACTIONS, *verbs)
    for name, (key, _) in modes.items():
        if name not in known:
            message = f"`{shorten(name)}` is neither `issue` nor `page` nor a workflow of this model."
            reader.add_problem(key, message, did_you_mean(name, known))
    issue = modes["issue"][1] if "issue" in modes else Mode.ACT
    page = modes["page"][1] if "page" in modes else Mode.ACT
    return issue, page
