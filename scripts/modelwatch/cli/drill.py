"""``modelwatch drill``: break something on purpose, and see whether the chain that should answer it holds."""

from __future__ import annotations

import importlib
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.loader import load_config
from ..drill.drill import DrillResult, run_drill
from ..drill.drilled_rule import missing_part
from ..drill.failure_issue import report_failure
from ..drill.scenarios import SCENARIOS, Scenario, Service
from ..errors import Exit, UserError, require_extra
from ..model.severity import Severity
from ..report.drill import (
    COLUMNS,
    broken_lines,
    cleanup_lines,
    drill_markdown,
    drill_title,
    link_rows,
    verdict,
)
from . import actions_env
from .options import Choice, config_option, now_option, print_json, read_config, select_models
from .runner import make_redactor

if TYPE_CHECKING:
    from ..model.drill import DrillReport
    from ..model.monitored_model import Config

GAME_DAY = "bad-deployment"
STYLES = {"pass": "green", "FAIL": "bold red", "not reached": "yellow", "not part": "dim"}


@click.command("drill")
@click.argument("model", default="")
@click.option(
    "--scenario",
    "names",
    type=Choice(list(SCENARIOS)),
    multiple=True,
    help="What to break; repeatable. By default all.",
)
@click.option(
    "--tier",
    type=Choice([str(severity) for severity in Severity]),
    help="Aim at this tier. By default at the one that pages and starts a workflow; of equals the severest.",
)
@click.option("--stand-ins", "stand_ins", is_flag=True, help="Against local copies of W&B, GitHub and PagerDuty.")
@click.option(
    "--staging",
    type=click.Path(path_type=Path),
    metavar="CONFIG",
    help="Against real services: a configuration whose project, repository and service exist for drills.",
)
@click.option("--game-day", is_flag=True, help="Rehearse a rollback, and measure every part of it.")
@click.option(
    "--authority",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the page of who may approve what, with the times of the last game day. Alone, it drills nothing.",
)
@click.option("--issue", "with_issue", is_flag=True, help="With --staging: one issue about a drill that fails.")
@click.option(
    "--list", "list_only", is_flag=True, help="List the scenarios, with the links each must and must not see."
)
@click.option("--keep", is_flag=True, help="Clean nothing up, to look at it; the next drill does it.")
@click.option(
    "--format",
    "style",
    type=Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="Tables, Markdown, or JSON for scripts.",
)
@config_option
@now_option
def drill(
    model: str,
    names: tuple[str, ...],
    tier: str | None,
    stand_ins: bool,
    staging: Path | None,
    game_day: bool,
    authority: Path | None,
    with_issue: bool,
    list_only: bool,
    keep: bool,
    style: str,
    config_path: Path,
    now: float,
) -> Exit:
    """Break something on purpose, and verify link by link that the chain answers: rows, finding, alert, issue, page,
    notification, webhook, workflow, recovery.

    --stand-ins takes the rules of MODEL from --config and needs no account. --staging takes a configuration of its own,
    and refuses anything that is not provably staging: the model has `drill: true`; project, repository and service have
    the word `drill` in their names; PagerDuty says that the routing key pages that service; and project, repositories,
    service and key are those of no other model there or in --config, the configuration of production, which must be
    readable. Everything that people see begins with [DRILL]. At the end everything is taken away again.

    Exit codes: 0 every link holds, 2 refused or wrong usage, 4 a link is broken or something is left behind.
    """
    if list_only:
        _print_scenarios(style)
        return Exit.OK
    if stand_ins and staging is not None:
        raise click.UsageError("--stand-ins and --staging exclude each other.")
    drills = stand_ins or staging is not None
    if not drills and (authority is None or names or game_day or model):
        raise click.UsageError("Say where: --stand-ins, or --staging CONFIG.")
    if drills and not model:
        raise click.UsageError("Name the MODEL to drill.")
    if with_issue and staging is None:
        raise click.UsageError("--issue goes with --staging.")
    if game_day and names:
        raise click.UsageError(f"--game-day is the scenario {GAME_DAY}: leave --scenario out.")
    results: list[DrillResult] = []
    if drills:
        chosen = [SCENARIOS[name] for name in ((GAME_DAY,) if game_day else names)]
        if staging is None:
            results = _drill_stand_ins(model, chosen, config_path, now, tier or "", keep=keep, style=style)
        else:
            results = _drill_staging(
                model, chosen, staging, config_path, now, tier or "", keep=keep, with_issue=with_issue, style=style
            )
    if authority is not None:
        _write_authority(authority, staging or config_path, results if game_day else [])
    _finish([result.report for result in results], style, keep=keep)
    return Exit.OK if all(result.report.passed for result in results) else Exit.PARTIAL


def _drill_stand_ins(
    name: str,
    chosen: Sequence[Scenario],
    config_path: Path,
    now: float,
    tier: str,
    *,
    keep: bool,
    style: str,
) -> list[DrillResult]:
    # Of this configuration nothing is reached, so what it lacks here, such as a secret, is no news.
    config = load_config(config_path, os.environ, require_secrets=False, require_baselines=False)
    model = select_models(config, (name,), config_path).models[0]
    with require_extra("testing"), require_extra("relay"):
        place = importlib.import_module("..testing.drill_site", __package__)
    results = []
    for scenario in chosen or _possible(lambda one: missing_part(model, one, tier) if one.needs else ""):
        with place.open_stand_ins(model, scenario, now, tier, keep=keep) as site:
            result = run_drill(site, scenario, site.service.id, secrets.token_hex(3), tier, keep=keep, tell=_tell)
            _show(result.report, style, keep=keep)
            if keep and style == "text":
                click.echo(f"What each evaluation read, planned and did is kept in {site.folder}.")
        results.append(result)
    return results


def _possible(reason: Callable[[Scenario], str]) -> list[Scenario]:
    """Every scenario for which ``reason`` says nothing; what it says of the others is printed.

    Raises UserError where none is left: a drill of nothing proves nothing.
    """
    left_out = {one.name: text for one in SCENARIOS.values() if (text := reason(one))}
    for name, text in left_out.items():
        click.echo(f"note: {name} is left out: {text}", err=True)
    if len(left_out) == len(SCENARIOS):
        raise UserError("every scenario is left out, so there is nothing to drill.", hint="Name one with --scenario.")
    return [one for one in SCENARIOS.values() if one.name not in left_out]


def _drill_staging(
    name: str,
    chosen: Sequence[Scenario],
    staging: Path,
    config_path: Path,
    now: float,
    tier: str,
    *,
    keep: bool,
    with_issue: bool,
    style: str,
) -> list[DrillResult]:
    from ..drill.staging_guard import require_staging
    from ..drill.staging_site import open_staging

    actions_env.require_default_branch()
    began = time.monotonic()
    config = read_config(staging)
    model = select_models(config, (name,), staging).models[0]
    service = require_staging(model, config, _read_production(config_path), os.environ)
    possible = chosen or _possible(lambda one: missing_part(model, one, tier))
    results = []
    for scenario in possible:
        at = now + time.monotonic() - began  # each scenario begins when the one before is over
        with open_staging(config, model, scenario, os.environ, at, tier, keep=keep) as site:
            result = run_drill(site, scenario, service, secrets.token_hex(3), tier, keep=keep, tell=_tell)
            _show(result.report, style, keep=keep)
        results.append(result)
    reports = [result.report for result in results]
    if with_issue and (address := report_failure(model, reports, os.environ, make_redactor())):
        click.echo(f"The failure is reported: {address}", err=True)
    return results


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _read_production(path: Path) -> Config | UserError:
    """The configuration that the drill must share nothing with, or why it cannot be read."""
    try:
        return read_config(path, read_only=True, judges=False)
    except UserError as error:
        return error


def _write_authority(page: Path, config_path: Path, results: Sequence[DrillResult]) -> None:
    from ..report.authority import authority_page, read_times

    config = read_config(config_path, read_only=True, judges=False)
    try:
        times = read_times(page.read_text("utf-8")) if page.exists() else {}
        times |= {result.report.model: result.times for result in results if result.report.passed}
        page.write_text(authority_page({model.name: model for model in config.models}, times), "utf-8")
    except (OSError, UnicodeError) as error:
        raise UserError(f"it cannot be written: {error}.", where=str(page)) from error
    click.echo(f"Wrote {page}.", err=True)


def _show(report: DrillReport, style: str, *, keep: bool) -> None:
    """What came of one scenario, as soon as it is known."""
    if style != "text":
        return
    from ..report.console import make_text, open_console, print_table
    from ..report.formatting import utc_time

    console = open_console()
    console.print(make_text(drill_title(report), "bold"), make_text(f"at {utc_time(report.at)}, rule {report.rule}"))
    for note in report.notes:
        console.print(make_text(note, "dim"))
    console.print()
    rows = [
        (number, link, make_text(state, STYLES.get(state, "")), took, found)
        for number, link, state, took, found in link_rows(report)
    ]
    print_table(COLUMNS, rows)
    console.print()
    console.print(make_text(verdict(report), "bold green" if report.passed else "bold red"))
    for name, text in broken_lines(report):
        console.print(make_text(f"  {name}: {text}"))
    for line in cleanup_lines(report, kept=keep):
        console.print(make_text(line))
    console.print()


def _finish(reports: Sequence[DrillReport], style: str, *, keep: bool) -> None:
    """Print the results for scripts, and write the job summary and the outputs."""
    if not reports:
        return
    if style == "markdown":
        click.echo(drill_markdown(reports, kept=keep))
    elif style == "json":
        import msgspec

        rows = [{**msgspec.to_builtins(report), "passed": report.passed} for report in reports]
        print_json({"drills": rows, "passed": all(report.passed for report in reports)})
    actions_env.write_summary(lambda: drill_markdown(reports, kept=keep))
    failed = [report for report in reports if not report.passed]
    broken = failed[0].broken if failed else None
    actions_env.write_outputs(
        {
            "passed": str(not failed).lower(),
            "failed": str(len(failed)),
            "broken-link": str(broken.link) if broken else "",
        }
    )


def _print_scenarios(style: str) -> None:
    rows = [_scenario_row(scenario) for scenario in SCENARIOS.values()]
    if style == "json":
        print_json(
            {"scenarios": [dict(zip(("name", "breaks", "must see", "must not see"), row, strict=True)) for row in rows]}
        )
        return
    if style == "markdown":
        from ..report.markdown import table

        click.echo(table(("scenario", "breaks", "must see", "must not see"), rows))
        return
    from ..report.console import print_table

    print_table(("scenario", "breaks", "must see", "must not see"), rows)


def _scenario_row(scenario: Scenario) -> tuple[str, str, str, str]:
    absent = [str(link) for link in scenario.chain if link in {*scenario.must_not, *scenario.not_part}]
    must = f"all but: {', '.join(absent)}" if absent else "all 12 links"
    if scenario.away is Service.GITHUB:
        must = f"{must}; the incident before the issue"
    return scenario.name, scenario.summary, must, "; ".join(f"{link}: {why}" for link, why in scenario.must_not.items())
