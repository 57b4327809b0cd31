"""``modelwatch status``: what exists at GitHub and PagerDuty."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import pipeline
from ..errors import Exit, UserError
from ..model.register import ACKNOWLEDGED
from ..report.comments import mute_sentence, next_page_sentence
from ..report.console import print_table
from ..report.formatting import duration
from ..report.markdown import plain_line
from ..timeutil import format_iso
from .options import format_option, parse_time, print_json, read_context, run_options

if TYPE_CHECKING:
    from ..context import RunContext
    from ..model.monitored_model import Model
    from ..model.plan import ModelObservation, ObservedIssue


NO_ISSUE = "No open issue of modelwatch. What fires now: `modelwatch check`."
"""Issues are written by the evaluation, so a younger alert has none yet."""


@click.command("status")
@run_options
@click.option("--all", "everything", is_flag=True, help="Include closed issues.")
@format_option
def status(config_path: Path, models: tuple[str, ...], everything: bool, style: str, now: float) -> Exit:
    """List open issues with their incidents and workflow runs, read from GitHub and PagerDuty.

    An issue that a person closed while its alert fired is listed, too.
    """
    context = read_context(config_path, now, models, read_only=True)
    issues, troubles = read_issues(context)
    shown = (pair for pair in issues if everything or pair[1].is_under_way)
    rows = [_issue_row(seen, issue, context.config.model(seen.model), now) for seen, issue in shown]
    if style == "json":
        print_json({"groups": rows, "troubles": troubles})
    else:
        _print_issues(rows, troubles, now)
    return Exit.PARTIAL if troubles else Exit.OK


def unknown_issue(number: int) -> UserError:
    """The error where ``number`` is no issue, or one that modelwatch did not open."""
    return UserError(f"there is no issue #{number} of modelwatch.", hint="`modelwatch status --all` lists them.")


def read_issues(
    context: RunContext,
) -> tuple[list[tuple[ModelObservation, ObservedIssue]], list[tuple[str, str]]]:
    """Every issue with the observation of its model; and (model, reason) where something cannot be read, each once."""
    observed = pipeline.observe(context).values()
    troubles = dict.fromkeys((part.model, error.reason) for part in observed for error in part.errors)
    return [(part, issue) for part in observed for issue in part.issues], list(troubles)


def _issue_row(observation: ModelObservation, issue: ObservedIssue, model: Model | None, now: float) -> dict[str, str]:
    register = issue.register
    row = {"model": observation.model, "issue": f"#{issue.number}", "state": issue.state, "url": issue.url}
    if register is None:
        unknown = {"rule": "?", "severity": "?", "since": "", "ended": "", "incident": "", "workflows": ""}
        unknown |= {"muted": "", "page": ""}
        return row | unknown | {"trouble": issue.register_error}
    incidents = [part for part in observation.incidents or () if part.group == issue.group]
    incident = max(incidents, key=lambda part: (part.is_open, part.created_at), default=None)
    recorded = register.page.status or register.page.state if register.page else "none"
    by = f" by {incident.by}" if incident and incident.by and incident.status == ACKNOWLEDGED else ""
    workflows = ", ".join(f"{record.verb}: {record.conclusion or record.state}" for record in register.dispatches)
    return row | {
        "rule": register.rule,
        "severity": str(register.severity),
        "since": format_iso(register.start),
        "ended": "" if register.closed is None else format_iso(register.closed),
        "episode": str(register.episode),
        "incident": f"{incident.status}{by}" if incident else recorded,
        "workflows": workflows,
        "muted": mute_sentence(None, register, now),
        "page": next_page_sentence(register, model, now),
        "trouble": "; ".join((issue.register_error, *register.troubles)).strip("; "),
    }


def _print_issues(rows: list[dict[str, str]], troubles: list[tuple[str, str]], now: float) -> None:
    if rows:
        columns = ("model", "rule", "issue", "severity", "for", "incident", "workflows")
        print_table(columns, [_cells(row, now) for row in rows])
    else:
        click.echo("No issue could be read." if troubles else NO_ISSUE)
    for row in rows:
        if row["muted"]:
            click.echo(f"muted: {plain_line(row['model'])} {row['issue']}: {plain_line(row['muted'], 400)}")
        if row["page"]:
            click.echo(f"{plain_line(row['model'])} {row['issue']}: {row['page']}")
    in_registers = [(f"{row['model']} {row['issue']}", row["trouble"]) for row in rows if row["trouble"]]
    for model, reason in (*in_registers, *troubles):
        click.secho(f"problem: {plain_line(model)}: {plain_line(reason, 400)}", fg="red")


def _cells(row: dict[str, str], now: float) -> list[str]:
    is_open = row["state"] == "open"
    lasts = duration(now - parse_time(row["since"])) if row["since"] and (is_open or not row["ended"]) else ""
    closed = " closed" if row["ended"] else " closed by hand"
    issue = row["issue"] + ("" if is_open else closed)
    cells = (row["model"], row["rule"], issue, row["severity"], lasts, row["incident"], row["workflows"])
    return [plain_line(cell) for cell in cells]
