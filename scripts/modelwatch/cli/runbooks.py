"""``modelwatch runbooks``: check the pages, or fill one in for an alert."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import history, pipeline
from ..config.resolve import OUR_RUNBOOKS
from ..config.vocabulary import KINDS
from ..context import make_context
from ..errors import ConfigError, Exit, UserError, did_you_mean
from ..model.alert import MONITORING_SILENT, RELEASE_RULES, SOURCE_OUTAGE, WATCHDOG, WATCHDOG_SILENT, group_key
from ..report.console import open_console, show_markdown
from ..report.diagnosis import diagnose
from ..report.move_effect import runbook_url
from ..report.rollback_choice import add_rollback_choice, choose_rollback_target
from ..runbooks.check import check_builtin_pages
from ..runbooks.coverage import CoverageReport, builtin_page, check_coverage, local_path, page_address
from ..runbooks.page import PAGES_DIR
from ..runbooks.render import AlertContext, alert_context, render_page
from . import CommandGroup
from .diagnose import collect_input
from .options import (
    DEFAULT_CONFIG,
    FOLDER,
    Choice,
    config_option,
    format_option,
    now_option,
    path_option,
    print_json,
    read_config,
)
from .status import unknown_issue

if TYPE_CHECKING:
    from ..model.monitored_model import Config, Model
    from ..model.plan import ModelObservation


PLANNED_KINDS = {SOURCE_OUTAGE: MONITORING_SILENT, WATCHDOG_SILENT: WATCHDOG}
"""The kinds of rules that are judged when a plan is made, and not by what was pulled."""


@click.group("runbooks", cls=CommandGroup)
def runbooks() -> None:
    """Check the runbooks, or fill one in for an alert."""


@runbooks.command("check")
@config_option
@path_option("--root", type=FOLDER, default=".", help="Repository that contains your own runbooks.")
@format_option
def check(config_path: Path, root: Path, style: str) -> Exit:
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
    if style == "json":
        counts = {"pages": len(KINDS), "rules": report.rule_count, "own_pages": len(report.user_pages)}
        print_json({**counts, "warnings": list(map(str, report.warnings)), "problems": problems})
        return Exit.USAGE if problems else Exit.OK
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    if problems:
        parts = [problem.partition(": ") for problem in problems]
        raise ConfigError(tuple(UserError(message, where=where) for where, _, message in parts))
    rules = f"{report.rule_count} rules, {len(report.user_pages)} pages of your own"
    rules = rules if configured else f"no {DEFAULT_CONFIG} here"
    click.echo(f"runbooks: {len(KINDS)} pages, {rules}, no problem.")
    return Exit.OK


@runbooks.command("render")
@click.argument("kind", required=False, default="")
@click.option("--alert", "alert", default="", metavar="ALERT", help="MODEL/RULE, or the number of the issue.")
@click.option("--model", "name", default="", help="With KIND: the model that the commands name.")
@config_option
@click.option(
    "--format",
    "style",
    type=Choice(["text", "markdown"]),
    default="text",
    show_default=True,
    help="For the terminal, or as Markdown.",
)
@now_option
def render(kind: str, alert: str, name: str, config_path: Path, style: str, now: float) -> Exit:
    """Print the page of KIND, or the page of an alert with its model, versions, issue and links.

    Reads the alert from W&B, GitHub and PagerDuty, and changes nothing.
    """
    if bool(kind) == bool(alert):
        raise click.UsageError("give either a kind, or an alert with --alert.")
    if alert:
        (page, base), context = _page_for_alert(read_config(config_path, read_only=True), alert, now)
    else:
        model = read_config(config_path, (name,), read_only=True).models[0] if name else None
        (page, base), context = _load_page(kind, model, ""), AlertContext({"MODEL": name})
    text = render_page(page, context, base)
    if style == "markdown":
        click.echo(text, nl=False)
    else:
        show_markdown(open_console(), text, with_links=True)
    return Exit.OK


def _page_for_alert(config: Config, alert: str, now: float) -> tuple[tuple[str, str], AlertContext]:
    model, rule = _parse_alert(config, alert)
    context = make_context(config, now)
    if model is None:
        model, rule = _find_alert(config, pipeline.observe(context), alert)
    own = context.only(model)
    known = collect_input(context, model.name, group_key(model.name, rule))
    observed = known.observed.issues if known.observed else ()
    issues = [issue for issue in observed if issue.register and issue.register.rule == rule]
    newest = max(issues, key=lambda issue: (issue.state == "open", issue.number), default=None)
    rules = [other.rule for other in known.groups]
    if rule not in rules and not known.pull.error and rule not in PLANNED_KINDS:
        hint = did_you_mean(rule, rules, f"Its rules: {', '.join(rules[:10])}.")
        raise UserError(f"model {model.name!r} has no rule {rule!r}.", hint=hint)
    registers = [issue.register for issue in observed if issue.trusted]
    groups = tuple(add_rollback_choice(part, known.registry, registers) for part in known.groups)
    group = next((part for part in groups if part.rule == rule), None)
    kinds = (part.kind for part in model.rules if part.name == rule)
    kind = group.kind if group else next(kinds, PLANNED_KINDS.get(rule, rule))
    link = runbook_url(group, newest.register if newest else None, model) if group else ""
    page = _load_page(kind, model, link)
    needs_history = group is not None and group.rule in RELEASE_RULES and not group.evidence.previous
    health = history.version_health(own, model) if needs_history else ()
    choice = choose_rollback_target(known.registry, group.evidence.version if group else "", health)
    healthy = [choice.target] if choice.target else []
    facts = alert_context(group, newest, known.observed, now, groups, healthy, diagnose(known, now), model)
    return page, facts


def _parse_alert(config: Config, alert: str) -> tuple[Model | None, str]:
    """(model, rule); ``None`` and empty where the number of an issue is given."""
    name, _, rule = alert.partition("/")
    model = config.model(name)
    if model is not None and rule:
        return model, rule
    if alert.removeprefix("#").rpartition("/")[2].isdecimal():
        return None, ""
    names = [part.name for part in config.models]
    usage = f"Write MODEL/RULE, or an issue's number. Models: {', '.join(names[:10])}."
    raise UserError(f"{alert!r} is not an alert.", hint=did_you_mean(name, names, usage) if rule else usage)


def _find_alert(config: Config, observed: dict[str, ModelObservation], alert: str) -> tuple[Model, str]:
    """(model, rule) of the issue with this number or URL."""
    number = int(alert.removeprefix("#").rpartition("/")[2])
    for model in config.models:
        for issue in observed[model.name].issues:
            if issue.register is not None and issue.number == number and ("://" not in alert or issue.url == alert):
                return model, issue.register.rule
    raise unknown_issue(number)


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
