"""``modelwatch watchdog``: notices that modelwatch itself is blind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from ..clients.environment import workflow_run_url
from ..clients.github import repository_path
from ..config.literals import parse_duration
from ..config.resolve import OUR_RUNBOOKS
from ..distribution import SLUG
from ..errors import Exit, UserError
from ..timeutil import DAY
from ..watchdog.condition import ConditionResult, State
from ..watchdog.examination import CONDITIONS
from ..watchdog.settings import WatchdogSettings, open_access
from ..watchdog.texts import console_lines, headline, worst_state
from ..watchdog.watch import WatchdogReport, watch
from . import actions_env
from .git_remote import origin_repository
from .options import Choice, Decorator, format_option, now_option, print_json
from .runner import make_redactor, print_error

RUNBOOK = f"{OUR_RUNBOOKS}/watchdog.md"
ROUTING_KEY_VARIABLE = "PAGERDUTY_ROUTING_KEY"
_DEFAULTS = WatchdogSettings("")
_UNITS = ((DAY, "d"), (3600.0, "h"), (60.0, "m"))


def _duration_text(seconds: float) -> str:
    return next((f"{seconds / unit:.0f}{name}" for unit, name in _UNITS if seconds % unit == 0), f"{seconds:g}s")


def _duration_option(name: str, default: float, text: str, attribute: str = "") -> Decorator:
    def parse(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
        seconds = parse_duration(value)
        if not seconds:
            raise click.BadParameter(f"{value!r} is not a duration; write 2h, 90m or 35d.")
        return seconds

    names = [name, attribute] if attribute else [name]
    shown = _duration_text(default)
    return click.option(*names, default=shown, show_default=True, callback=parse, metavar="TIME", help=text)


def _left_out_option() -> Decorator:
    return click.option(
        "--without", multiple=True, type=Choice([*CONDITIONS]), help="Do not check this condition; repeatable."
    )


def _setting_options(function: Any) -> Any:
    """The options that become ``WatchdogSettings``."""
    options: Sequence[Decorator] = (
        click.option(
            "--repository",
            envvar="GITHUB_REPOSITORY",
            default="",
            metavar="OWNER/NAME",
            help="Where modelwatch runs.  [default: the git remote `origin`]",
        ),
        click.option(
            "--workflow", default=_DEFAULTS.workflow, show_default=True, metavar="FILE", help="The one that evaluates."
        ),
        _duration_option("--every", _DEFAULTS.every, "How often it runs."),
        _duration_option("--interval", _DEFAULTS.interval, "How often the watchdog runs."),
        click.option(
            "--any-event",
            is_flag=True,
            help="Count evaluations that were started by hand or from outside, too, though they can be dry runs.",
        ),
        click.option(
            "--wandb",
            "projects",
            multiple=True,
            metavar="ENTITY/PROJECT",
            help="A project that must get data; repeatable.",
        ),
        click.option("--wandb-tag", "tags", multiple=True, metavar="TAG", help="Only W&B runs with one of these tags."),
        _duration_option("--wandb-max-age", _DEFAULTS.max_data_age, "How old the newest row may be.", "max_data_age"),
        click.option("--dashboard", default="", metavar="URL", help="The published dashboard."),
        _duration_option("--dashboard-max-age", _DEFAULTS.max_dashboard_age, "How old it may be.", "max_dashboard_age"),
        click.option("--drill", default="", metavar="FILE", help="The workflow that rehearses."),
        _duration_option("--drill-max-age", _DEFAULTS.max_drill_age, "How long ago it may have been.", "max_drill_age"),
        click.option(
            "--token",
            "tokens",
            multiple=True,
            default=_DEFAULTS.tokens,
            show_default=True,
            metavar="VARIABLE",
            help="An environment variable that holds a token of GitHub; repeatable.",
        ),
        _duration_option("--token-notice", _DEFAULTS.token_notice, "How long before its end a token is reported."),
        click.option(
            "--max-rate",
            type=click.FloatRange(0, 1, min_open=True),
            default=_DEFAULTS.max_rate,
            show_default=True,
            help="The share of an hourly limit that may be used.",
        ),
        click.option(
            "--actions",
            default=SLUG,
            show_default=True,
            metavar="OWNER/NAME",
            help="Whose actions the workflows use.",
        ),
        _duration_option("--outdated-after", _DEFAULTS.outdated_after, "How long a newer release may stay unused."),
        _left_out_option(),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command("watchdog")
@_setting_options
@click.option("--dry-run", is_flag=True, help="Only print what is found: no issue, no page.")
@format_option
@now_option
def watchdog(dry_run: bool, style: str, now: float, without: tuple[str, ...], **settings: Any) -> Exit:
    """Check from outside whether modelwatch still works: evaluations, schedule, deliveries, data, dashboard, tokens.

    What is broken is one issue, and one page where PAGERDUTY_ROUTING_KEY is set; both end when every check is ok. It
    reads no configuration. Exits with 11 if something is broken, 10 if something cannot be checked, 4 if the issue or
    the page could not be delivered.
    """
    settings["repository"] = settings["repository"] or origin_repository(Path())
    if not settings["repository"]:
        raise UserError("the watchdog needs to know the repository.", hint="Give --repository OWNER/NAME.")
    repository_path(settings["repository"])
    if settings["actions"]:
        repository_path(settings["actions"])
    if set(without) >= {*CONDITIONS}:
        raise UserError("every check is left out, so nothing could be found.", hint="Leave one --without out.")
    address = urlsplit(settings["dashboard"])
    if address.query or address.username:
        text = "the address of the dashboard has a query or a password."
        raise UserError(text, hint="Give --dashboard the address of its folder.")
    for project in settings["projects"]:
        _require_project(project)
    chosen = WatchdogSettings(**settings, left_out=frozenset(without))
    access = open_access(chosen, os.environ, now, make_redactor())
    report = watch(
        access,
        routing_key=os.environ.get(ROUTING_KEY_VARIABLE, "").strip(),
        run_url=workflow_run_url(os.environ),
        runbook=RUNBOOK,
        dry_run=dry_run,
    )
    _show(report, style)
    for failure in report.failures:
        print_error(UserError(failure))
    return _exit_code(report)


def _require_project(project: str) -> None:
    entity, slash, name = project.partition("/")
    if not (entity and slash and name) or "/" in name:
        raise UserError(f"{project!r} is no project of W&B.", hint="Write --wandb ENTITY/PROJECT.")


def _show(report: WatchdogReport, style: str) -> None:
    state = worst_state(report.results)
    if style == "json":
        print_json(
            {
                "state": state.value,
                "conditions": [_row(result) for result in report.results],
                "issue": report.issue,
                "failures": list(report.failures),
            }
        )
    else:
        for line in console_lines(report.results):
            click.echo(line)
        click.echo(f"watchdog: {headline(report.results)}{f' ({report.issue})' if report.issue else ''}")
    actions_env.write_summary(lambda: _summary(report))
    actions_env.write_outputs({"state": state.value, "issue": report.issue})


def _row(result: ConditionResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "state": result.state.value,
        "what": result.what,
        "since": result.since,
        "todo": result.todo,
    }


def _summary(report: WatchdogReport) -> str:
    lines = [
        f"- **{one.name}**: {one.state.value}: {one.what}{f'. {one.todo}' if one.todo else ''}"
        for one in report.results
    ]
    return "\n".join([f"## modelwatch watchdog: {headline(report.results)}", "", *lines, ""])


def _exit_code(report: WatchdogReport) -> Exit:
    if report.failures:
        return Exit.PARTIAL
    return {State.BROKEN: Exit.ERROR, State.UNKNOWN: Exit.WARNING, State.OK: Exit.OK}[worst_state(report.results)]
