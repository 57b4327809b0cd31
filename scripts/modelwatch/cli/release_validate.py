"""``modelwatch release validate``: a candidate against the champion."""

from __future__ import annotations

import glob
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..context import make_context
from ..errors import Exit, UserError
from ..model.gate import GateDecision, GateReport
from ..model.prediction_log import is_artifact
from ..release import validation
from ..release.gate import GateSubject
from ..release.registry import read_registry, require_release_spec
from ..report.console import open_console
from ..report.release_verdicts import gate_comment, gate_markdown, show_gate
from ..step_files import encode_file, write_file
from .actions_env import write_outputs, write_summary
from .options import FILE, config_option, now_option, path_option, retry_policy
from .release import comment_on_issue, json_option, model_option, read_model

if TYPE_CHECKING:
    from ..model.monitored_model import Model

TablePair = tuple[str, str] | None
DECISION_EXIT_CODES = {GateDecision.HOLD: Exit.WARNING, GateDecision.REJECT: Exit.ERROR}


@click.command("validate")
@config_option
@model_option
@click.argument("candidate", default="candidate")
@click.option("--champion", default="production", show_default=True, help="Version or alias to compare with.")
@click.option(
    "--holdout",
    nargs=2,
    metavar="CHAMPION CANDIDATE",
    help="Prediction tables of the holdout, instead of those in `gate:`.",
)
@click.option(
    "--recent",
    nargs=2,
    metavar="CHAMPION CANDIDATE",
    help="Prediction tables of the recent window, instead of those in `gate:`.",
)
@path_option("--out", type=FILE, help="Also write the result to this JSON file.")
@click.option(
    "--issue", default="", metavar="URL", help="Issue to comment on, once, if the decision is hold or reject."
)
@json_option
@click.option(
    "--exit-code/--no-exit-code",
    default=lambda: os.environ.get("GITHUB_ACTIONS") == "true",
    help="Exit with 10 for hold, 11 for reject, 0 for promote; by default in GitHub Actions.",
)
@now_option
def validate(
    config_path: Path,
    name: str,
    candidate: str,
    champion: str,
    holdout: TablePair,
    recent: TablePair,
    out: Path | None,
    issue: str,
    as_json: bool,
    exit_code: bool,
    now: float,
) -> Exit:
    """Judge CANDIDATE (a version, a number or an alias) against the champion: promote, hold or reject, and why.

    Both must have scored the same rows. Changes no alias. W&B is read only if a table of the configuration is
    needed.

    In GitHub Actions a candidate that is held or rejected fails the step, so that no later step promotes it.
    """
    config, model = read_model(config_path, name)
    tables = {part: pair for part, pair in (("holdout", holdout), ("recent", recent)) if pair}
    _require_files(tables)
    gate = _judge_candidate(model, champion, candidate, tables, now)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_file(out, gate)
    if as_json:
        click.echo(encode_file(gate))
    else:
        show_gate(open_console(), gate)
    write_outputs({"decision": gate.decision.value, "champion": gate.champion, "candidate": gate.candidate})
    write_summary(lambda: gate_markdown(gate))
    comment_exit = Exit.OK
    if issue and gate.decision is not GateDecision.PROMOTE:
        key = f"gate.{gate.model}.{gate.candidate}.{gate.champion}.{gate.decision}"
        context, echo = make_context(config, now), partial(click.echo, err=True)
        comment_exit = comment_on_issue(context, model, issue, key, gate_comment(gate), echo)
    return DECISION_EXIT_CODES.get(gate.decision, Exit.OK) if exit_code else comment_exit


def _require_files(tables: dict[str, tuple[str, str]]) -> None:
    """UserError for a path on the command line at which there is nothing: one in the configuration may come later."""
    for part, pair in tables.items():
        for location in pair:
            is_path = "://" not in location and not glob.has_magic(location) and not is_artifact(location)
            if is_path and not Path(location).exists():
                raise UserError(f"there is no file {location!r}.", where=f"--{part}")


def _judge_candidate(
    model: Model, champion: str, candidate: str, tables: dict[str, tuple[str, str]], now: float
) -> GateReport:
    titles, locations = (champion, candidate), tables
    gate = require_release_spec(model).gate
    if not tables or any(pattern for part, pattern in validation.table_patterns(gate) if part not in tables):
        registry = read_registry(model, os.environ, retry_policy())
        versions = validation.resolve_versions(registry, champion, candidate)
        titles = (versions[0].title, versions[1].title)
        locations = validation.table_locations(gate, *versions) | tables
    with tempfile.TemporaryDirectory(prefix="modelwatch-gate-") as scratch:
        subject = GateSubject(model.name, *titles, now)
        return validation.validate(model, locations, subject, os.environ, retry_policy(), Path(scratch))
