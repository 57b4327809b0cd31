"""``modelwatch release validate``: a candidate against the champion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Exit
from .options import config_option, now_option
from .release import json_option, model_option, read_model, retry_policy

if TYPE_CHECKING:
    from ..model.gate import GateReport
    from ..model.monitored_model import Config, Model

TablePair = tuple[str, str] | None


@click.command("validate")
@config_option()
@model_option()
@click.argument("candidate", default="candidate")
@click.option("--champion", default="production", show_default=True, help="Version or alias to compare with.")
@click.option(
    "--holdout", nargs=2, metavar="CHAMPION CANDIDATE", help="Predictions on the holdout, instead of `gate:`."
)
@click.option("--recent", nargs=2, metavar="CHAMPION CANDIDATE", help="On the most recent window, likewise.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the answer as JSON, too.")
@click.option("--issue", default="", metavar="URL", help="Comment there, once, where the answer is hold or reject.")
@json_option()
@click.option("--exit-code", is_flag=True, help="End with 10 to hold, 11 to reject; 0 to promote.")
@now_option()
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

    Both must have scored the same rows. Moves nothing. --holdout and --recent name tables in place of those of the
    configuration; W&B is asked only where one of the configuration's is still needed.
    """
    config, model = read_model(config_path, name, read_only=True)
    named = {part: pair for part, pair in (("holdout", holdout), ("recent", recent)) if pair}
    gate = _judge_candidate(model, champion, candidate, named, now)
    from ..step_files import encode_file, write_file

    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_file(out, gate)
    if as_json:
        click.echo(encode_file(gate))
    else:
        from ..report.console import open_console
        from ..report.release_verdicts import show_gate

        show_gate(open_console(), gate)
    _write_outputs(gate)
    told = _comment_on_issue(config, model, gate, issue)
    return _exit_code(gate) if exit_code else told


def _judge_candidate(
    model: Model, champion: str, candidate: str, named: dict[str, tuple[str, str]], now: float
) -> GateReport:
    import os
    import tempfile

    from ..release.gate import GateSubject
    from ..release.registry import require_release_spec
    from ..release.validation import resolve_versions, table_locations, table_patterns, validate

    titles, places = (champion, candidate), named
    gate = require_release_spec(model).gate
    if not named or any(pattern for part, pattern in table_patterns(gate) if part not in named):
        from ..release.registry import read_registry

        ours, theirs = resolve_versions(read_registry(model, os.environ, retry_policy()), champion, candidate)
        titles, places = (ours.title, theirs.title), table_locations(gate, ours, theirs) | named
    with tempfile.TemporaryDirectory(prefix="modelwatch-gate-") as scratch:
        about = GateSubject(model.name, *titles, now)
        return validate(model, places, about, os.environ, retry_policy(), Path(scratch))


def _comment_on_issue(config: Config, model: Model, gate: GateReport, issue: str) -> Exit:
    """On the issue that asked for the candidate: why it goes no further."""
    from ..errors import ServiceError, UserError
    from ..model.gate import GateDecision
    from ..report.release_verdicts import gate_comment
    from ..targets.register.client import comment_once, parse_issue_url
    from ..targets.sessions import open_sessions
    from .secrets import make_redactor

    if not issue or gate.decision is GateDecision.PROMOTE:
        return Exit.OK
    key = f"gate.{gate.model}.{gate.candidate}.{gate.champion}.{gate.decision}"
    try:
        github = open_sessions(config).github(model.github, parse_issue_url(issue)[0])
        posted = comment_once(github, issue, key, make_redactor().redact_text(gate_comment(gate)))
    except (ServiceError, UserError) as error:
        click.echo(f"warning: nobody could be told on the issue: {error}", err=True)
        return Exit.PARTIAL
    click.echo(f"{'told' if posted else 'told before'} on {issue}", err=True)
    return Exit.OK


def _exit_code(gate: GateReport) -> Exit:
    from ..model.gate import GateDecision

    return {GateDecision.HOLD: Exit.WARNING, GateDecision.REJECT: Exit.ERROR}.get(gate.decision, Exit.OK)


def _write_outputs(gate: GateReport) -> None:
    """Outputs and the job summary, where a step takes them."""
    import os

    from .actions_env import write_outputs
    from .secrets import make_redactor

    write_outputs({"decision": gate.decision.value, "champion": gate.champion, "candidate": gate.candidate})
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        from ..clients.workflow_commands import append_summary
        from ..report.release_verdicts import gate_markdown

        append_summary(make_redactor().redact_text(gate_markdown(gate)))
