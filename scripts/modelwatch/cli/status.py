"""``modelwatch status``: what exists in the world now, group by group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import pipeline
from ..errors import Exit
from ..model.plan import ObservedIssue
from ..report.formatting import duration, utc_time
from ..report.markdown import plain_line, safe_url
from ..timeutil import format_iso
from .options import config_option, format_option, models_option, now_option, parse_time, read_context

if TYPE_CHECKING:
    from rich.text import Text

    from ..model.plan import ModelObservation, ObservedIssue


@click.command("status")
@config_option()
@models_option()
@click.option("--all", "everything", is_flag=True, help="Closed issues too.")
@format_option()
@now_option()
def status(config_path: Path, models: tuple[str, ...], everything: bool, style: str, now: float) -> Exit:
    """Open issues with their incident and workflow runs, as GitHub and PagerDuty have them."""
    observed = pipeline.observe(read_context(config_path, now, models, read_only=True))
    rows = [
        _issue_row(found, issue)
        for found in observed.values()
        for issue in found.issues
        if everything or issue.state == "open"
    ]
    seen = [(found.model, trouble.reason) for found in observed.values() for trouble in found.errors]
    troubles = list(dict.fromkeys(seen))
    if style == "json":
        import json

        click.echo(json.dumps({"groups": rows, "troubles": troubles}, indent=2))
    else:
        _print_issues(rows, troubles, now)
    return Exit.PARTIAL if troubles else Exit.OK


def _issue_row(found: ModelObservation, issue: ObservedIssue) -> dict[str, str]:
    register = issue.register
    row = {"model": found.model, "issue": f"#{issue.number}", "state": issue.state, "url": issue.url}
    if register is None:
        return row | {
            "rule": "?",
            "severity": "?",
            "since": "",
            "incident": "",
            "workflows": "",
            "trouble": issue.register_error,
        }
    seen = next((incident for incident in found.incidents or () if incident.group == issue.group), None)
    incident = seen.status if seen else register.page.state if register.page else "none"
    workflows = ", ".join(f"{record.verb}: {record.conclusion or record.state}" for record in register.dispatches)
    return row | {
        "rule": register.rule,
        "severity": str(register.severity),
        "since": format_iso(register.start),
        "episode": str(register.episode),
        "incident": incident,
        "workflows": workflows,
        "trouble": "; ".join((issue.register_error, *register.troubles)).strip("; "),
    }


def _print_issues(rows: list[dict[str, str]], troubles: list[tuple[str, str]], now: float) -> None:
    from rich.text import Text

    from ..report.console import fit_table, make_table, open_console

    console = open_console()
    if not rows:
        console.print("No open issue of modelwatch." if not troubles else "No issue could be seen.")
    else:
        table = make_table(("model", "rule", "issue", "severity", "for", "incident", "workflows"))
        for row in rows:
            issue = row["issue"] + (" closed" if row["state"] == "closed" else "")
            lasts = duration(now - parse_time(row["since"])) if row["since"] and row["state"] == "open" else ""
            cells = (row["model"], row["rule"], issue, row["severity"], lasts, row["incident"], row["workflows"])
            table.add_row(*(Text(plain_line(cell)) for cell in cells))
        console.print(fit_table(table))
    told = [(f"{row['model']} {row['issue']}", row["trouble"]) for row in rows if row["trouble"]]
    for model, reason in (*told, *troubles):
        console.print(Text(f"trouble: {plain_line(model)}: {plain_line(reason, 400)}", style="red"))


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
@config_option()
@models_option()
@format_option()
@now_option()
def audit(config_path: Path, models: tuple[str, ...], style: str, now: float) -> Exit:
    """Everything the registers prove, oldest first."""
    observed = pipeline.observe(read_context(config_path, now, models, read_only=True))
    entries = sorted(
        (entry for found in observed.values() for issue in found.issues for entry in issue_entries(issue)),
        key=lambda entry: entry.at,
    )
    seen = [(found.model, trouble.reason) for found in observed.values() for trouble in found.errors]
    troubles = list(dict.fromkeys(seen))
    if style == "json":
        import json

        click.echo(json.dumps([asdict(entry) | {"at": format_iso(entry.at)} for entry in entries], indent=2))
    else:
        _print_entries(entries)
    for model, reason in troubles:
        click.echo(f"{model}: {reason}", err=True)
    return Exit.PARTIAL if troubles else Exit.OK


def issue_entries(issue: ObservedIssue) -> Iterator[AuditEntry]:
    """What one issue's register says, in no order."""
    register = issue.register
    if register is None:
        return

    def entry(at: float, what: str, who: str = "modelwatch", where: str = issue.url) -> AuditEntry:
        return AuditEntry(at, register.model, register.rule, who, what, where)

    yield entry(issue.created_at, f"opened issue #{issue.number} (episode {register.episode})")
    if register.page:
        yield entry(
            register.page.at, f"incident {register.page.state} ({register.page.severity})", where=register.page.url
        )
    for record in register.dispatches:
        told = f"{record.verb} {record.state}" + (f": {record.conclusion}" if record.conclusion else "")
        yield entry(record.at, told, where=record.url or issue.url)
    if register.silence_until:
        until = f"silenced until {utc_time(register.silence_until)}: {register.silence_reason}"
        yield entry(register.silence_until, until, register.silence_by or "?")
    if register.closed:
        yield entry(register.closed, f"closed issue #{issue.number}")
    elif issue.closed_at:
        yield entry(issue.closed_at, f"closed issue #{issue.number} as {issue.state_reason or 'completed'}", "a person")
    if register.reopened:
        yield entry(register.reopened, f"reopened issue #{issue.number}", "a person")


def _link_text(url: str) -> Text:
    """The end of the address, ``issues/17``; where the terminal knows links, it leads there."""
    from rich.text import Text

    safe = safe_url(url)
    return Text("/".join(safe.split("/")[-2:]), style=f"link {safe}" if safe else "")


def _print_entries(entries: list[AuditEntry]) -> None:
    from rich.text import Text

    from ..report.console import fit_table, make_table, open_console

    table = make_table(("when (UTC)", "model", "rule", "who", "where", "what"))
    for entry in entries:
        cells = [Text(plain_line(cell)) for cell in (utc_time(entry.at)[:-4], entry.model, entry.rule, entry.who)]
        table.add_row(*cells, _link_text(entry.where), Text(plain_line(entry.what)))
    open_console().print(fit_table(table) if entries else "The registers hold nothing yet.")
