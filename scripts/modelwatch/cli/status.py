"""``modelwatch status`` and ``modelwatch audit``: what exists at GitHub and PagerDuty, and what was done there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import pipeline
from ..errors import Exit
from ..model.plan import ObservedIssue
from ..model.register import ACKNOWLEDGED
from ..report.comments import mute_sentence
from ..report.console import make_text, print_table
from ..report.formatting import duration, utc_time
from ..report.markdown import plain_line, safe_url
from ..timeutil import format_iso
from .options import format_option, parse_time, print_json, read_context, run_options

if TYPE_CHECKING:
    from rich.text import Text

    from ..model.plan import ModelObservation, ObservedIssue


@click.command("status")
@run_options
@click.option("--all", "everything", is_flag=True, help="Include closed issues.")
@format_option
def status(config_path: Path, models: tuple[str, ...], everything: bool, style: str, now: float) -> Exit:
    """List open issues with their incidents and workflow runs, read from GitHub and PagerDuty.

    An issue that a person closed while its alert fired is listed, too.
    """
    issues, troubles = _observe(config_path, models, now)
    rows = [_issue_row(*pair, now) for pair in issues if everything or pair[1].is_under_way]
    if style == "json":
        print_json({"groups": rows, "troubles": troubles})
    else:
        _print_issues(rows, troubles, now)
    return Exit.PARTIAL if troubles else Exit.OK


def _observe(
    config_path: Path, models: tuple[str, ...], now: float
) -> tuple[list[tuple[ModelObservation, ObservedIssue]], list[tuple[str, str]]]:
    """Every issue with the observation of its model; and (model, reason) where something cannot be read, each once."""
    observed = pipeline.observe(read_context(config_path, now, models, read_only=True)).values()
    troubles = dict.fromkeys((part.model, error.reason) for part in observed for error in part.errors)
    return [(part, issue) for part in observed for issue in part.issues], list(troubles)


def _issue_row(observation: ModelObservation, issue: ObservedIssue, now: float) -> dict[str, str]:
    register = issue.register
    row = {"model": observation.model, "issue": f"#{issue.number}", "state": issue.state, "url": issue.url}
    if register is None:
        unknown = {"rule": "?", "severity": "?", "since": "", "ended": "", "incident": "", "workflows": "", "muted": ""}
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
        "trouble": "; ".join((issue.register_error, *register.troubles)).strip("; "),
    }


def _print_issues(rows: list[dict[str, str]], troubles: list[tuple[str, str]], now: float) -> None:
    if rows:
        columns = ("model", "rule", "issue", "severity", "for", "incident", "workflows")
        print_table(columns, [_cells(row, now) for row in rows])
    else:
        click.echo("No issue could be read." if troubles else "No open issue of modelwatch.")
    for row in rows:
        if row["muted"]:
            click.echo(f"muted: {plain_line(row['model'])} {row['issue']}: {plain_line(row['muted'], 400)}")
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


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit."""

    at: float
    model: str
    rule: str
    who: str
    what: str
    where: str


@click.command("audit")
@run_options
@format_option
def audit(config_path: Path, models: tuple[str, ...], style: str, now: float) -> Exit:
    """List every action that the registers record, oldest first."""
    issues, troubles = _observe(config_path, models, now)
    entries = sorted((entry for _, issue in issues for entry in issue_entries(issue)), key=lambda entry: entry.at)
    if style == "json":
        print_json([asdict(entry) | {"at": format_iso(entry.at)} for entry in entries])
    else:
        _print_entries(entries)
    for model, reason in troubles:
        click.echo(f"{model}: {reason}", err=True)
    return Exit.PARTIAL if troubles else Exit.OK


def issue_entries(issue: ObservedIssue) -> Iterator[AuditEntry]:
    """The entries of one issue's register, in no order but that it was opened first."""
    register = issue.register
    if register is None:
        return

    def entry(at: float, what: str, who: str = "modelwatch", where: str = issue.url) -> AuditEntry:
        return AuditEntry(at, register.model, register.rule, who, what, where)

    # modelwatch stamps what it did with the beginning of its evaluation; GitHub's clock came to the issue later.
    acts = [record.at for record in register.dispatches] + ([register.page.at] if register.page else [])
    opened = min([issue.created_at, *acts])
    yield entry(opened, f"opened issue #{issue.number} (episode {register.episode})")
    if page := register.page:
        yield entry(page.at, f"incident {page.state} ({page.severity})", where=page.url)
        if page.status and page.status_at is not None:
            yield entry(page.status_at, f"incident {page.status} at PagerDuty", page.status_by or "?", page.url)
    for call in register.calls:
        yield entry(call.at, f"called the on-call: {call.reason}")
    for record in register.dispatches:
        conclusion = f": {record.conclusion}" if record.conclusion else ""
        yield entry(record.at, f"{record.verb} {record.state}{conclusion}", where=record.url or issue.url)
    if register.silence_until:
        ends = f"the silence ends: {register.silence_reason}"
        yield entry(register.silence_until, ends, register.silence_by or "?")
    if register.closed:
        yield entry(register.closed, f"closed issue #{issue.number}")
    elif issue.closed_at:
        yield entry(issue.closed_at, f"closed issue #{issue.number} as {issue.state_reason or 'completed'}", "a person")
    if register.reopened:
        yield entry(register.reopened, f"reopened issue #{issue.number}", "a person")


def _link_text(url: str) -> Text:
    """The end of the address, ``issues/17``; where the terminal knows links, it leads there."""
    safe = safe_url(url)
    return make_text("/".join(safe.split("/")[-2:]), f"link {safe}" if safe else "")


def _print_entries(entries: list[AuditEntry]) -> None:
    if not entries:
        click.echo("The registers hold nothing yet.")
        return
    rows: list[tuple[str | Text, ...]] = []
    for entry in entries:
        texts = (utc_time(entry.at)[:-4], entry.model, entry.rule, entry.who)
        rows.append((*(plain_line(text) for text in texts), _link_text(entry.where), plain_line(entry.what)))
    print_table(("when (UTC)", "model", "rule", "who", "where", "what"), rows)
