"""``modelwatch scorecard``: what the alerts of a period were worth, and the page for the next on call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.annotations import annotations_path
from ..distribution import SLUG
from ..errors import Exit, UserError
from ..model.scorecard import Period
from ..targets.register.client import IssueClient
from ..timeutil import DAY, WEEK, format_utc
from .actions_env import write_outputs, write_summary
from .options import FILE, FOLDER, Choice, print_json, read_context, run_options

if TYPE_CHECKING:
    from ..context import RunContext
    from ..model.backtest import Marks

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
@click.option("--handover", is_flag=True, help="Print the page for the next on call instead; reads no metrics.")
@click.option(
    "--modes",
    is_flag=True,
    help="Print the modes that automations have earned, as the text of a pull request with its patch, instead.",
)
@click.option("--patch", "patch_path", type=FILE, help="With --modes: write the patch of the configuration here.")
@click.option("--issue", is_flag=True, help="Post both as an issue, one a week: it is edited when this runs again.")
@click.option("--repository", default="", metavar="OWNER/NAME", help="Of the issue.  [default: GITHUB_REPOSITORY]")
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
        raise UserError("--modes goes with neither --handover nor --issue, and --patch with --modes.")
    context = read_context(config_path, now, models, read_only=True)
    if modes:
        from .earned_modes import print_modes

        return print_modes(context, _read_marks(context, config_path, incidents), style, patch_path)
    if handover and not issue:
        return _print_handover(context, style)
    from ..report.handover import handover_markdown
    from ..report.scorecard import scorecard_markdown, scorecard_text
    from ..scorecard.handover import make_handover
    from ..scorecard.scorecard import make_scorecard

    period = Period(now - weeks * WEEK, now)
    parts = make_scorecard(context, period, root, _read_marks(context, config_path, incidents))
    card, page = parts.scorecard, make_handover(context.config, parts.records, now)
    markdown = scorecard_markdown(card, about=ABOUT)
    if style == "json":
        import msgspec

        print_json(msgspec.to_builtins({"scorecard": card, "handover": page}))
    else:
        click.echo(markdown.rstrip() if style == "markdown" else scorecard_text(card))
    whole = f"{handover_markdown(page)}\n{markdown}"
    write_summary(lambda: whole)
    if issue:
        _post_issue(context, whole, repository, config_path)
    return Exit.PARTIAL if parts.unread else Exit.OK


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


def _read_marks(context: RunContext, config_path: Path, incidents: Path | None) -> Marks:
    """What people marked in `annotations.yml`, and in the file that was named."""
    from ..backtest.incidents import annotated_incidents, join_marks, read_incidents

    rules = {model.name: frozenset(rule.name for rule in model.rules) for model in context.config.models}
    parts = [annotated_incidents(annotations_path(config_path), frozenset(rules))]
    return join_marks(*parts, *([read_incidents(incidents, rules)] if incidents else []))


def _post_issue(context: RunContext, text: str, repository: str, config_path: Path) -> None:
    from ..scorecard.weekly_issue import post_weekly_issue

    named = repository or os.environ.get("GITHUB_REPOSITORY", "")
    spec = next((model.github for model in context.config.models if model.github.repository), None)
    home = named or (spec.repository if spec else "")
    if spec is None or not home:
        raise UserError("no repository is known for the issue.", hint="Name it: `--repository owner/name`.")
    title = f"Scorecard and handover, week of {format_utc(_monday(context.now))[:10]}"
    client = IssueClient(context.sessions.github(spec, home), home)
    posted = post_weekly_issue(client, title, text, config_path.as_posix(), context.now)
    click.echo(f"{posted.outcome}: {posted.url}", err=True)
    write_outputs({"issue": posted.url})


def _monday(now: float) -> float:
    """The beginning of the week (UTC); the epoch was a Thursday."""
    return now - (now + 3 * DAY) % WEEK
