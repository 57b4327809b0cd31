"""What a workflow file says about itself: its triggers, inputs, jobs and ``run-name``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from . import errors
from .expressions import ExpressionError, interpolate

MAX_INPUTS = 25
MAX_INPUT_CHARACTERS = 65_535


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """``triggers``: name to its settings; ``jobs``: id to its definition."""

    path: str
    name: str
    run_name: str
    triggers: Mapping[str, Any]
    jobs: Mapping[str, Any]

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The inputs of ``workflow_dispatch``."""
        settings = self.triggers.get("workflow_dispatch")
        inputs = settings.get("inputs") if isinstance(settings, Mapping) else None
        return inputs if isinstance(inputs, Mapping) else {}

    def listens_to(self, event_type: str) -> bool:
        """Whether a ``repository_dispatch`` of that type starts it."""
        if "repository_dispatch" not in self.triggers:
            return False
        settings = self.triggers["repository_dispatch"]
        types = settings.get("types") if isinstance(settings, Mapping) else None
        return types is None or event_type in ([types] if isinstance(types, str) else types)

    def job_names(self) -> tuple[str, ...]:
        return tuple(str(job.get("name", key)) if isinstance(job, Mapping) else key for key, job in self.jobs.items())

    def environments(self) -> tuple[str, ...]:
        """The environments that its jobs name. A job that calls a workflow names one by its input `environment`, as
        that is where our workflows take it from; which of the called jobs waits is not distinguished."""
        found: list[str] = []
        for job in self.jobs.values():
            given = job.get("with") if isinstance(job, Mapping) and "uses" in job else job
            value = given.get("environment") if isinstance(given, Mapping) else None
            name = value.get("name") if isinstance(value, Mapping) else value
            if name and str(name) not in found:
                found.append(str(name))
        return tuple(found)

    def run_title(self, contexts: Mapping[str, Any], fallback: str) -> str:
        """The ``run-name`` of a workflow run; GitHub falls back to ``fallback`` where there is none, or it is blank."""
        if not self.run_name:
            return fallback
        try:
            return interpolate(self.run_name, contexts).strip() or fallback
        except ExpressionError as error:
            raise errors.GitHubApiError(422, f"failed to parse workflow: {self.path}: run-name: {error}") from error


def parse_workflow(path: str, content: bytes) -> WorkflowFile:
    """Read a workflow file; raises ``Refusal`` (422) where it is not one."""
    try:
        tree = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise errors.GitHubApiError(422, f"failed to parse workflow: {path}: {error}") from error
    if not isinstance(tree, dict):
        raise errors.GitHubApiError(422, f"failed to parse workflow: {path}: not a mapping")
    jobs = tree.get("jobs")
    return WorkflowFile(
        path,
        str(tree.get("name") or path),
        str(tree.get("run-name") or ""),
        # YAML 1.1 reads a bare `on` as a boolean.
        _triggers(tree.get("on", tree.get(True))),
        jobs if isinstance(jobs, dict) else {},
    )


def _triggers(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        return {value: None}
    if isinstance(value, list):
        return dict.fromkeys(map(str, value))
    return {str(key): settings for key, settings in value.items()} if isinstance(value, dict) else {}


def resolve_inputs(file: WorkflowFile, given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a dispatch with the defaults of the rest; raises ``Refusal`` as GitHub does."""
    if len(given) > MAX_INPUTS:
        raise errors.invalid_request(f"No more than {MAX_INPUTS} properties are allowed; {len(given)} were supplied.")
    for name, value in given.items():
        if not isinstance(value, str):
            raise errors.wrong_type(f"inputs/{name}", value, "a string")
    if sum(len(name) + len(value) for name, value in given.items()) > MAX_INPUT_CHARACTERS:
        raise errors.GitHubApiError(422, "inputs are too large.")
    known = file.inputs
    unknown = [name for name in given if name not in known]
    if unknown:
        quoted = ", ".join(f'"{name}"' for name in unknown)
        raise errors.GitHubApiError(422, f"Unexpected inputs provided: [{quoted}]")
    return {name: _resolve_input(name, settings or {}, given) for name, settings in known.items()}


def _resolve_input(name: str, settings: Mapping[str, Any], given: Mapping[str, str]) -> Any:
    kind = settings.get("type", "string")
    if name not in given:
        if settings.get("required") and "default" not in settings:
            raise errors.GitHubApiError(422, f"Required input '{name}' not provided")
        default = settings.get("default")
        return default if default is not None else (False if kind == "boolean" else "")
    value = given[name]
    if settings.get("required") and value == "":
        raise errors.GitHubApiError(422, f"Required input '{name}' not provided")
    options = [str(option) for option in settings.get("options") or []]
    if kind == "choice" and value not in options:
        raise errors.GitHubApiError(
            422, f"Provided value '{value}' for input '{name}' not in the list of allowed values"
        )
    if kind == "boolean":
        if value not in ("true", "false"):
            raise errors.GitHubApiError(422, f"Provided value '{value}' for input '{name}' is not a boolean")
        return value == "true"
    return value
