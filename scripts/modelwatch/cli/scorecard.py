"""``modelwatch scorecard``: what the alerts of a period were worth, and the page for the next on call."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..clients.environment import workflow_run_url
from ..config.annotations import annotations_path
from ..context import make_context
from ..distribution import SLUG
from ..errors import Exit, UserError
from ..model.scorecard import Period
from ..report.markdown import plain_line
from ..targets.register.client import IssueClient
from ..timeutil import DAY, WEEK, format_utc
from .actions_env import write_outputs, write_summary
from .options import FILE, FOLDER, Choice, print_json, read_config, run_options, select_models

if TYPE_CHECKING:
    from ..context import RunContext
    from ..model.backtest import Marks
    from ..model.handover import Handover
    from ..model.monitored_model import Config, GitHubSpec
    from ..model.tuning import Suggestion
    from ..scorecard.scorecard import ScorecardParts

ABOUT = f"https://github.com/{SLUG}/blob/HEAD/.github/SCORECARD.md"
WEEKS = 13
"""A quarter."""
HANDOVER_READS = 2 * WEEK
"""Closed issues that changed within this time (seconds) are read for the handover."""


@click.command("scorecard")
@run_options
@click.option(
    "--weeks",
    type=click.IntRange(1, 104),
    default=WEEKS,
    show_default=True,
    help="How many weeks, until now; they are compared with as many before.",
)
@click.option("--suggest", is_flag=True, help="Tune the rules over their budget of false alarms; reads their history.")
@click.option("--pull-request", is_flag=True, help="Propose what --suggest found by pull request, once.")
@click.option("--handover", is_flag=True, help="Print the page for the next on call instead; reads no metrics.")
@click.option(
    "--earned-modes",
    "modes",
    is_flag=True,
    help="Print the modes that automations have earned, as the text of a pull request with its patch, instead.",
)
@click.option(
    "--patch", "patch_path", type=FILE, help="With --earned-modes: write the patch of the configuration here."
)
@click.option("--issue", is_flag=True, help="Post both as an issue, one a week: it is edited when this runs again.")
@click.option(
    "--repository", default="", metavar="OWNER/NAME", help="Of issue and pull request.  [default: GITHUB_REPOSITORY]"
)
@click.option(
    "--incidents",
    type=FILE,
    metavar="FILE",
    help="A YAML list of incidents with their true begin, and of false alarms, as `backtest` reads it.",
)
@click.option(
    "--root",
    type=FOLDER,
    default=".",
    show_default=True,
    help="The repository's working tree, whose workflow files are looked at.",
)
@click.option(
    "--format",
    "style",
    type=Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Tables, JSON for scripts, or Markdown.",
)
def scorecard(
    config_path: Path,
    models: tuple[str, ...],
    weeks: int,
    suggest: bool,
    pull_request: bool,
    handover: bool,
    modes: bool,
    patch_path: Path | None,
    issue: bool,
    repository: str,
    incidents: Path | None,
    root: Path,
    style: str,
    now: float,
) -> Exit:
    """Print what the alerts of the last weeks were worth, from the record on their issues.

    How soon they were found, acknowledged, mitigated and over; which were false; what automation did, and whether it
    helped; what nobody watches; what it cost. What cannot be read is reported, and its figures are unknown.
    """
    if (modes and (handover or issue)) or (patch_path is not None and not modes):
        raise UserError("--earned-modes goes with neither --handover nor --issue, and --patch with --earned-modes.")
    whole = read_config(config_path, read_only=True)
    config = select_models(whole, models, config_path) if models else whole
    context = make_context(config, now, run_url=workflow_run_url(os.environ))
    if modes:
        from .earned_modes import print_modes

        return print_modes(context, _read_marks(whole, config_path, incidents), style, patch_path)
    if handover and not issue:
        return _print_handover(context, style)
    marks = _read_marks(whole, config_path, incidents)
    period, tunes = Period(now - weeks * WEEK, now), suggest or pull_request
    texts = _make(context, period, root, marks, whole, suggest=tunes)
    if style == "json":
        _print_as_json(texts)
    else:
        click.echo(texts.markdown.rstrip() if style == "markdown" else texts.text)
    both = f"{texts.handover_markdown}\n{texts.markdown}"
    write_summary(lambda: both)
    if issue:
        _post_issue(context, both, repository, config_path)
    if pull_request:
        _open_pull_requests(context, texts.suggestions, repository)
    return Exit.PARTIAL if texts.parts.scorecard.unread else Exit.OK


@dataclass(frozen=True, slots=True)
class _Texts:
    """The scorecard in every form."""

    parts: ScorecardParts
    handover: Handover
    suggestions: tuple[Suggestion, ...]
    text: str
    markdown: str
    handover_markdown: str


def _make(context: RunContext, period: Period, root: Path, marks: Marks, whole: Config, *, suggest: bool) -> _Texts:
    from ..report.handover import handover_markdown
    from ..report.markdown import code
    from ..report.scorecard import scorecard_markdown, scorecard_text, suggestions_section
    from ..scorecard.handover import make_handover
    from ..scorecard.scorecard import make_scorecard

    parts = make_scorecard(context, period, root, marks, whole)
    page = make_handover(context.config, parts.records, context.now)
    suggestions: tuple[Suggestion, ...] = ()
    if suggest:
        from ..backtest.tuning import TuningOptions
        from ..scorecard.suggestions import suggest_settings

        options = TuningOptions(processes=min(2, os.cpu_count() or 1))
        suggestions = suggest_settings(context, parts.scorecard, marks, options, _tell_tuning)
    text, markdown = (
        write(parts.scorecard, [suggestions_section(suggestions, quote)] if suggestions else [])
        for write, quote in ((scorecard_text, plain_line), (partial(scorecard_markdown, about=ABOUT), code))
    )
    return _Texts(parts, page, suggestions, text, markdown, handover_markdown(page))


def _tell_tuning(name: str) -> None:
    click.echo(f"Tuning {plain_line(name)} …", err=True)


def _print_as_json(texts: _Texts) -> None:
    import msgspec

    suggestions = [
        {
            "model": one.model,
            "rule": one.rule,
            "reason": one.reason,
            "changes": msgspec.to_builtins(one.chosen.changes) if one.chosen else [],
        }
        for one in texts.suggestions
    ]
    found = msgspec.to_builtins({"scorecard": texts.parts.scorecard, "handover": texts.handover})
    print_json(found | {"suggestions": suggestions})


def _print_handover(context: RunContext, style: str) -> Exit:
    from ..report.handover import handover_markdown, handover_text
    from ..scorecard.handover import make_handover
    from ..scorecard.issues import read_records

    found = read_records(context, context.now - HANDOVER_READS)
    page = make_handover(context.config, context.redactor.redact(tuple(found.records)), context.now, found.problems)
    if style == "json":
        import msgspec

        print_json(msgspec.to_builtins(page))
    else:
        click.echo(handover_markdown(page).rstrip() if style == "markdown" else handover_text(page))
    write_summary(lambda: handover_markdown(page))
    return Exit.PARTIAL if found.unread else Exit.OK


def _read_marks(config: Config, config_path: Path, incidents: Path | None) -> Marks:
    """What people marked in `annotations.yml`, and in the file that was named."""
    from ..backtest.incidents import annotated_incidents, join_marks, read_incidents

    rules = {model.name: frozenset(rule.name for rule in model.rules) for model in config.models}
    parts = [annotated_incidents(annotations_path(config_path), frozenset(rules))]
    return join_marks(*parts, *([read_incidents(incidents, rules)] if incidents else []))


def _post_issue(context: RunContext, text: str, repository: str, config_path: Path) -> None:
    from ..scorecard.weekly_issue import post_weekly_issue

    spec, home = _find_home(context, repository)
    title = f"Scorecard and handover, week of {format_utc(_monday(context.now))[:10]}"
    client = IssueClient(context.sessions.github(spec, home), home)
    posted = post_weekly_issue(client, title, text, config_path.as_posix(), context.now)
    click.echo(f"{posted.outcome}: {posted.url}", err=True)
    write_outputs({"issue": posted.url})


def _open_pull_requests(context: RunContext, suggestions: tuple[Suggestion, ...], repository: str) -> None:
    from ..scorecard.suggestions import propose_settings

    spec, home = _find_home(context, repository)
    urls = propose_settings(context.sessions.github(spec, home), home, suggestions)
    for url in urls:
        click.echo(f"proposed: {url}", err=True)
    if not urls:
        click.echo("No setting is proposed.", err=True)
    write_outputs({"pull-request": " ".join(urls)})


def _find_home(context: RunContext, repository: str) -> tuple[GitHubSpec, str]:
    """The repository to write into, and how it is reached."""
    spec = next((model.github for model in context.config.models if model.github.repository), None)
    home = repository or os.environ.get("GITHUB_REPOSITORY", "") or (spec.repository if spec else "")
    if not home:
        raise UserError("no repository is known to write into.", hint="Name it: `--repository owner/name`.")
    return spec or context.config.models[0].github, home


def _monday(now: float) -> float:
    """The beginning of the week (UTC); the epoch was a Thursday."""
    return now - (now + 3 * DAY) % WEEK
