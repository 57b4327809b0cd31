"""Workflows: the files, the contract of those that are dispatched, and whether GitHub can start them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..clients.github import quote_segment
from ..config.lint import check_workflow, lint_commands
from ..distribution import PIN, SLUG
from ..errors import ServiceError, UserError, did_you_mean
from ..model.monitored_model import Config, Model, WorkflowSpec
from .github import SUBJECT as GITHUB
from .github import SharedRepository, write_refusal
from .setup_check import SetupCheck, is_outage, report_error, report_ok, report_problem, report_warning

FOLDER = Path(".github") / "workflows"
STUB = "Replace this step in .github/workflows/"
"""What ``init`` writes into workflows that are still to be written."""
EVALUATES = ("actions/monitor", "modelwatch run", "monitor.yml")
PERMISSION = "actions: write"
SUBJECT = "workflow"
_PIN = re.compile(rf"^\s*(?:- )?uses:\s*{re.escape(SLUG)}/[^@\s]+@(\S+)", re.MULTILINE)


def check_files(config: Config, root: Path) -> Iterator[SetupCheck]:
    """The files in the working tree ``root``; none where it has no folder of workflows."""
    folder = root / FOLDER
    if not folder.is_dir():
        yield report_warning(SUBJECT, f"there is no folder {folder}.", "Run this in the repository, or give --root.")
        return
    names = {path.name: path for path in sorted(folder.glob("*.y*ml")) if path.is_file()}
    checked = set()
    for model in config.models:
        for workflow in model.workflows:
            identity = (workflow.file, workflow.name, workflow.inputs)
            if workflow.file and identity not in checked:
                checked.add(identity)
                yield from _check_file(model, workflow, names, folder)
    if config.watchdog is not None and config.watchdog.workflow not in names:
        text = f"`watchdog`: there is no {folder / config.watchdog.workflow}."
        yield report_problem(SUBJECT, text, "`modelwatch init --watchdog` writes one.")
    for text in lint_commands(config, folder):
        yield report_warning(SUBJECT, text)
    texts = [path.read_text("utf-8", errors="replace") for path in names.values()]
    yield from _check_pins(texts)
    if not any(word in text for word in EVALUATES for text in texts):
        hint = "`modelwatch init` writes modelwatch.yml, which does so every hour."
        yield report_warning(SUBJECT, f"no workflow in {folder} runs an evaluation.", hint)


def _check_pins(texts: Sequence[str]) -> Iterator[SetupCheck]:
    """Whether the workflows use the release that this command line belongs to."""
    pins = dict.fromkeys(pin for text in texts for pin in _PIN.findall(text))
    others = [pin for pin in pins if pin != PIN]
    if others:
        listed = ", ".join(pin[:12] for pin in others)
        text = f"the workflows use modelwatch at {listed}, and this command line is of the release {PIN[:12]}."
        yield report_warning(SUBJECT, text, "Keep both at one version: see Upgrading, in the documentation.")


def _check_file(model: Model, workflow: WorkflowSpec, names: dict[str, Path], folder: Path) -> Iterator[SetupCheck]:
    path = names.get(workflow.file)
    if path is None:
        hint = did_you_mean(workflow.file, names, "Write it, or correct `workflows:`.")
        text = f"`{workflow.name}: {workflow.file}`: there is no {folder / workflow.file}."
        yield report_problem(SUBJECT, text, hint, model=model.name)
        return
    problems = check_workflow(path, workflow, model.github.max_inputs)
    yield from (report_error(SUBJECT, problem, model=model.name) for problem in problems)
    if not problems and STUB in path.read_text("utf-8", errors="replace"):
        text = f"{workflow.file} is still as `init` wrote it, and fails."
        yield report_warning(SUBJECT, text, f"Let it do what `{workflow.name}` means for you.", model=model.name)
    elif not problems:
        yield report_ok(SUBJECT, f"{workflow.file} takes what modelwatch passes", model=model.name)


def check_dispatch(repository: SharedRepository, root: Path) -> Iterator[SetupCheck]:
    """Whether GitHub knows each workflow, and the token may start it; asked without the branch that a start needs."""
    folder = root / FOLDER
    files = dict.fromkeys(workflow.file for model in repository.models for workflow in model.workflows if workflow.file)
    ready = []
    for file in files:
        if folder.is_dir() and not (folder / file).is_file():
            continue  # reported where files are checked
        try:
            check = _check_remote(repository, file, exists_here=folder.is_dir())
        except UserError as error:
            yield report_error(GITHUB, error)
            return
        if check is None:
            ready.append(file)
            continue
        yield check
        if check.subject == GITHUB:
            return  # the token: it is the same for all
    if ready:
        yield report_ok(GITHUB, f"the token may start {', '.join(ready)}")


def _check_remote(repository: SharedRepository, file: str, *, exists_here: bool) -> SetupCheck | None:
    name, path = repository.name, f"{repository.path}/actions/workflows/{quote_segment(file)}"
    refusal = write_refusal(repository.client, f"{path}/dispatches", PERMISSION, f"start {file} of {name}")
    if refusal is not None:
        return _judge_refusal(refusal, name, file, exists_here=exists_here)
    try:
        state = str(repository.client.get(path, f"read {file} of {name}", permission="actions: read").get("state"))
    except ServiceError as error:
        if is_outage(error):
            raise
        state = "active"  # it may be started: whether it is switched off stays unknown
    if state != "active":
        text = f"{file} is switched off in {name} ({state})."
        return report_problem(SUBJECT, text, f"`gh workflow enable {file} --repo {name}`")
    return None


def _judge_refusal(error: ServiceError, name: str, file: str, *, exists_here: bool) -> SetupCheck:
    if error.status == 404:
        text = f"GitHub has no workflow {file} on the default branch of {name}."
        if exists_here:  # as it is just after `init`; issue and page need no workflow
            return report_warning(SUBJECT, text, "Commit it and push: until then it cannot be started.")
        return report_problem(SUBJECT, text, "Commit it and push, or correct `workflows:`.")
    if error.status == 403:
        hint = f"It needs `{PERMISSION}` (in a workflow: under `permissions:`)."
        return report_problem(GITHUB, f"the token may not start workflows in {name}.", hint)
    return report_error(GITHUB, error)
