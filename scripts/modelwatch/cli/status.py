"""``modelwatch status``: what exists in the world now, group by group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import pipeline
from ..errors import Exit
from ..report.escape import plain_line
from ..report.words import duration, iso_time
from .options import config_option, format_option, models_option, now_option, parse_time, read_config

if TYPE_CHECKING:
    from ..model.plan import ModelObservation, ObservedIssue


@click.command("status")
@config_option()
@models_option()
@click.option("--all", "everything", is_flag=True, help="Closed issues too.")
@format_option()
@now_option()
def status(config_path: Path, models: tuple[str, ...], everything: bool, style: str, now: float) -> Exit:
    """Open issues with their incident and workflow runs, as GitHub and PagerDuty have them."""
    config = read_config(config_path, models, read_only=True)
    observed = pipeline.observe(config, now)
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
        "since": iso_time(register.start),
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
