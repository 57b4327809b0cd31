"""GitHub Actions around a command: the branch, the outputs and the job summary of the workflow run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..clients.workflow_commands import append_summary, set_output
from ..errors import UserError
from .runner import make_redactor

if TYPE_CHECKING:
    from ..model.alert import Judgement
    from ..model.plan import Plan, Receipts

ALWAYS_DEFAULT_BRANCH = frozenset({"schedule", "repository_dispatch"})
"""GitHub starts workflow runs for these on the default branch only."""


def require_default_branch() -> None:
    """Only the default branch's configuration is applied; ``UserError`` anywhere else in GitHub Actions.

    Fails closed: a default branch that cannot be determined is not this one.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true" or os.environ.get("GITHUB_EVENT_NAME") in ALWAYS_DEFAULT_BRANCH:
        return
    ref, default = os.environ.get("GITHUB_REF", ""), _default_branch()
    if not default or ref != f"refs/heads/{default}":
        raise UserError(
            f"this is {ref or 'an unknown ref'}, and only the configuration of the default branch"
            f"{f' ({default})' if default else ''} is applied.",
            hint="Use --dry-run here to see the plan.",
            where="GITHUB_REF",
        )


def _default_branch() -> str:
    try:
        payload = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text("utf-8"))
        return str(payload["repository"]["default_branch"])
    except (KeyError, OSError, ValueError, TypeError):
        return ""


def write_judgement_summary(judgement: Judgement, plan: Plan | None = None, receipts: Receipts | None = None) -> None:
    """Append the evaluation to the job summary."""

    def render() -> str:
        from ..report.summary import job_summary

        return job_summary(judgement, plan, receipts)

    write_summary(render)


def write_summary(render: Callable[[], str]) -> None:
    """Append the masked text that ``render`` gives to the job summary; without one nothing is rendered."""
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        append_summary(make_redactor().redact_text(render()), os.environ)


def write_outputs(outputs: dict[str, str]) -> None:
    """Set step outputs, where there is a step."""
    redactor = make_redactor()
    for name, value in outputs.items():
        set_output(name, redactor.redact_text(value), os.environ)


def write_judgement(
    judgement: Judgement,
    plan: Plan | None = None,
    receipts: Receipts | None = None,
    outputs: dict[str, str] | None = None,
) -> None:
    """The job summary, the outputs ``firing``, ``worst-severity`` and ``failures``, and further ``outputs``."""
    write_judgement_summary(judgement, plan, receipts)
    counts = {"firing": str(len(judgement.firing)), "failures": str(len(judgement.failures))}
    write_outputs({**counts, "worst-severity": str(judgement.worst_severity or "none"), **(outputs or {})})
