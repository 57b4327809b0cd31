"""``modelwatch runbooks``: check the pages, or fill one in for an alert."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import history, pipeline
from ..config.resolve import OUR_RUNBOOKS
from ..config.vocabulary import KINDS
from ..context import RunContext, make_context
from ..errors import ConfigError, Exit, UserError, did_you_mean
from ..model.alert import RELEASE_RULES, Group, Judgement
from ..report.console import open_console, show_markdown
from ..runbooks.check import check_builtin_pages
from ..runbooks.coverage import CoverageReport, builtin_page, check_coverage, local_path, page_address
from ..runbooks.page import PAGES_DIR
from ..runbooks.render import AlertContext, alert_context, render_page
from .options import DEFAULT_CONFIG, config_option, now_option, read_config

if TYPE_CHECKING:
    from ..model.monitored_model import Config, Model
    from ..model.plan import ModelObservation, ObservedIssue


@click.group("runbooks")
def runbooks() -> None:
    """Check the runbooks, or fill one in for an alert."""


@runbooks.command("check")
@config_option()
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="Repository that contains your own runbooks.",
)
def check(config_path: Path, root: Path) -> Exit:
    """Check that every rule has a page, and that the links, commands and sections of every page are right.

    Checks the pages of modelwatch and those that the configuration names. Of other addresses only the form is
    checked.
    """
    from . import group

    report = CoverageReport()
    configured = config_path.exists() or str(config_path) != DEFAULT_CONFIG
    if configured:
        config = read_config(config_path, read_only=True)
        report = check_coverage(config.models, root, group, os.environ.get("GITHUB_REPOSITORY", ""))
    problems = [*check_builtin_pages(PAGES_DIR, KINDS, group), *report.problems]
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    if problems:
        raise ConfigError(tuple(_as_error(problem) for problem in problems))
    rules = (
        f"{report.rule_count} rules, {len(report.user_pages)} pages of your own"
        if configured
        else f"no {DEFAULT_CONFIG} here"
    )
    click.echo(f"runbooks: {len(KINDS)} pages, {rules}, no problem.")
    return Exit.OK


def _as_error(problem: str) -> UserError:
    where, _, message = problem.partition(": ")
    return UserError(message, where=where)


@runbooks.command("render")
@click.argument("kind", required=False, default="")
@click.option("--alert", "alert", default="", metavar="ALERT", help="MODEL/RULE, or the number of the issue.")
@click.option("--model", "name", default="", help="With KIND: the model that the commands name.")
@config_option()
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "markdown"]),
    default="text",
    show_default=True,
    help="For the terminal, or as Markdown.",
)
@now_option()
def render(kind: str, alert: str, name: str, config_path: Path, style: str, now: float) -> Exit:
    """Print the page of KIND, or the page of an alert with its model, versions, issue and links.

    Reads the alert from W&B, GitHub and PagerDuty, and changes nothing.
    """
    if bool(kind) == bool(alert):
        raise click.UsageError("give either a kind, or an alert with --alert.")
    if alert:
        config = read_config(config_path, read_only=True)
        _print_page(*_page_for_alert(config, alert, now), style)
        return Exit.OK
    model = None
    if name:
        config = read_config(config_path, (name,), read_only=True)
        model = config.models[0]
    _print_page(_load_page(kind, model, ""), AlertContext({"MODEL": name}), style)
    return Exit.OK


def _page_for_alert(config: Config, alert: str, now: float) -> tuple[tuple[str, str], AlertContext]:
    model, rule = _parse_alert(config, alert)
    context = make_context(config, now)
    observed = pipeline.observe(_select_model(context, model) if model else context)
    if not model:
        issue = _find_issue(observed, alert)
        assert issue.register is not None  # noqa: S101 - others are not found
        model, rule = issue.register.model, issue.register.rule
    own = _select_model(context, model)
    judgement = pipeline.evaluate(own).judgement
    group = next((part for part in judgement.groups if (part.model, part.rule) == (model, rule)), None)
    issues = [issue for issue in observed[model].issues if issue.register and issue.register.rule == rule]
    newest = max(issues, key=lambda issue: (issue.state == "open", issue.number), default=None)
    if group is None and not judgement.failures:
        raise _unknown_rule_error(judgement, model, rule)
    page = _load_page(_find_kind(config, model, rule, group), own.config.models[0], group.runbook if group else "")
    asks = group is not None and group.rule in RELEASE_RULES and not group.evidence.previous
    healthy = history.healthy_versions(own, own.config.models[0]) if asks else ()
    return page, alert_context(group, newest, observed[model], now, judgement.groups, healthy)


def _parse_alert(config: Config, alert: str) -> tuple[str, str]:
    """(model, rule); both empty where the number of an issue is given."""
    model, slash, rule = alert.partition("/")
    if slash and config.model(model) is not None and rule:
        return model, rule
    number = alert.removeprefix("#").rpartition("/")[2]
    if number.isdecimal():
        return "", ""
    names = ", ".join(part.name for part in config.models[:10])
    raise UserError(f"{alert!r} is not an alert.", hint=f"Write MODEL/RULE, or an issue's number. Models: {names}.")


def _select_model(context: RunContext, name: str) -> RunContext:
    models = tuple(model for model in context.config.models if model.name == name)
    return replace(context, config=replace(context.config, models=models))


def _find_issue(observed: dict[str, ModelObservation], alert: str) -> ObservedIssue:
    number = int(alert.removeprefix("#").rpartition("/")[2])
    issues = [issue for observation in observed.values() for issue in observation.issues if issue.number == number]
    if "://" in alert:
        issues = [issue for issue in issues if issue.url == alert]
    known = [issue for issue in issues if issue.register is not None]
    if known:
        return known[0]
    raise UserError(f"there is no issue #{number} of modelwatch.", hint="`modelwatch status --all` lists them.")


def _unknown_rule_error(judgement: Judgement, model: str, rule: str) -> UserError:
    rules = [group.rule for group in judgement.groups if group.model == model]
    hint = did_you_mean(rule, rules, f"Its rules: {', '.join(rules[:10])}.")
    return UserError(f"model {model!r} has no rule {rule!r}.", hint=hint)


def _find_kind(config: Config, model: str, rule: str, group: Group | None) -> str:
    if group is not None:
        return group.kind
    configured = config.model(model)
    return next((part.kind for part in configured.rules if part.name == rule), rule) if configured else rule


def _load_page(kind: str, model: Model | None, link: str) -> tuple[str, str]:
    """(text of the page, where links to other pages lead). A page on the web that is not ours is only pointed at."""
    link = link or (page_address(model, kind) if model else "")
    base = link.rpartition("/")[0] or OUR_RUNBOOKS
    own = local_path(link, model.github.repository, Path()) if model and not builtin_page(link) else None
    if own is not None and own.is_file():
        return own.read_text("utf-8"), base
    if link and not builtin_page(link) and not link.startswith(OUR_RUNBOOKS):
        return f"# {kind}\n\nThe page is yours: {link}\n", base
    path = builtin_page(link) if link else PAGES_DIR / f"{kind}.md" if kind in KINDS else None
    if path is None:
        hint = did_you_mean(kind, KINDS, f"Kinds: {', '.join(KINDS)}.")
        raise UserError(f"there is no page for {kind!r}.", hint=hint)
    return path.read_text("utf-8"), OUR_RUNBOOKS


def _print_page(page: tuple[str, str], known: AlertContext, style: str) -> None:
    text = render_page(page[0], known, page[1])
    if style == "markdown":
        click.echo(text, nl=False)
        return

    show_markdown(open_console(), text)
