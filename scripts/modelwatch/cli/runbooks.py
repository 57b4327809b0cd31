"""``modelwatch runbooks``: prove that the pages hold what they promise, or fill one in for one alert."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, Exit, UserError
from .options import DEFAULT_CONFIG, config_option, now_option, read_config

if TYPE_CHECKING:
    from ..context import RunContext
    from ..model.alert import Group, Judgement
    from ..model.monitored_model import Config, Model
    from ..model.plan import ModelObservation, ObservedIssue
    from ..runbooks.render import AlertContext


@click.group("runbooks")
def runbooks() -> None:
    """Check the runbooks, or fill one in for one alert."""


@runbooks.command("check")
@config_option()
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="Checkout in which runbooks of your own are looked for.",
)
def check(config_path: Path, root: Path) -> Exit:
    """Prove that every rule has a page, and that links, commands and sections of every page hold.

    Checks the pages that come with modelwatch, and those that the configuration names. Addresses elsewhere are looked
    at for their form only.
    """
    from ..config.vocabulary import KINDS
    from ..runbooks.check import check_builtin_pages
    from ..runbooks.coverage import CoverageReport, check_coverage
    from ..runbooks.page import PAGES_DIR
    from . import group

    found = CoverageReport()
    there = config_path.exists() or str(config_path) != DEFAULT_CONFIG
    if there:
        config = read_config(config_path, read_only=True)
        found = check_coverage(config.models, root, group, os.environ.get("GITHUB_REPOSITORY", ""))
    problems = [*check_builtin_pages(PAGES_DIR, KINDS, group), *found.problems]
    for told in found.warnings:
        click.echo(f"warning: {told}", err=True)
    if problems:
        raise ConfigError(tuple(_as_error(told) for told in problems))
    rules = (
        f"{found.rule_count} rules, {len(found.user_pages)} pages of your own" if there else f"no {DEFAULT_CONFIG} here"
    )
    click.echo(f"runbooks: {len(KINDS)} pages, {rules}, no problem.")
    return Exit.OK


def _as_error(told: str) -> UserError:
    where, _, what = told.partition(": ")
    return UserError(what, where=where)


@runbooks.command("render")
@click.argument("kind", required=False, default="")
@click.option("--alert", "wanted", default="", metavar="ALERT", help="MODEL/RULE, or the number of the issue.")
@click.option("--model", "name", default="", help="With KIND: the model that the commands are to name.")
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
def render(kind: str, wanted: str, name: str, config_path: Path, style: str, now: float) -> Exit:
    """Print the page of KIND, or that of one alert with model, versions, issue and links filled in.

    Looks at W&B, GitHub and PagerDuty for the alert, and changes nothing.
    """
    from ..runbooks.render import AlertContext

    if bool(kind) == bool(wanted):
        raise click.UsageError("name a kind, or an alert with --alert; not both.")
    if wanted:
        config = read_config(config_path, read_only=True)
        _print_page(*_page_for_alert(config, wanted, now), style)
        return Exit.OK
    model = None
    if name:
        config = read_config(config_path, (name,), read_only=True)
        model = config.models[0]
    _print_page(_load_page(kind, model, ""), AlertContext({"MODEL": name}), style)
    return Exit.OK


def _page_for_alert(config: Config, wanted: str, now: float) -> tuple[tuple[str, str], AlertContext]:
    from .. import history, pipeline
    from ..context import make_context
    from ..model.alert import RELEASE_RULES
    from ..runbooks.render import alert_context

    context = make_context(config, now)
    model, rule = _parse_alert(config, wanted)
    observed = pipeline.observe(_select_model(context, model) if model else context)
    if not model:
        issue = _find_issue(observed, wanted)
        assert issue.register is not None  # noqa: S101 - others are not found
        model, rule = issue.register.model, issue.register.rule
    own = _select_model(context, model)
    judgement = pipeline.evaluate(own).judgement
    group = next((found for found in judgement.groups if (found.model, found.rule) == (model, rule)), None)
    issues = [one for one in observed[model].issues if one.register and one.register.rule == rule]
    issue_now = max(issues, key=lambda one: (one.state == "open", one.number), default=None)
    if group is None and not judgement.failures:
        raise _unknown_rule_error(judgement, model, rule)
    page = _load_page(_find_kind(config, model, rule, group), own.config.models[0], group.runbook if group else "")
    asks = group is not None and group.rule in RELEASE_RULES and not group.evidence.previous
    healthy = history.healthy_versions(own, own.config.models[0]) if asks else ()
    return page, alert_context(group, issue_now, observed[model], now, judgement.groups, healthy)


def _parse_alert(config: Config, wanted: str) -> tuple[str, str]:
    """(model, rule); both empty where the number of an issue is given."""
    model, slash, rule = wanted.partition("/")
    if slash and config.model(model) is not None and rule:
        return model, rule
    number = wanted.removeprefix("#").rpartition("/")[2]
    if number.isdecimal():
        return "", ""
    names = ", ".join(one.name for one in config.models[:10])
    raise UserError(f"{wanted!r} names no alert.", hint=f"Write MODEL/RULE, or an issue's number. Models: {names}.")


def _select_model(context: RunContext, name: str) -> RunContext:
    from dataclasses import replace

    models = tuple(model for model in context.config.models if model.name == name)
    return replace(context, config=replace(context.config, models=models))


def _find_issue(observed: dict[str, ModelObservation], wanted: str) -> ObservedIssue:
    number = int(wanted.removeprefix("#").rpartition("/")[2])
    issues = [issue for found in observed.values() for issue in found.issues if issue.number == number]
    if "://" in wanted:
        issues = [issue for issue in issues if issue.url == wanted]
    known = [issue for issue in issues if issue.register is not None]
    if known:
        return known[0]
    raise UserError(f"there is no issue #{number} of modelwatch.", hint="`modelwatch status --all` lists them.")


def _unknown_rule_error(judgement: Judgement, model: str, rule: str) -> UserError:
    import difflib

    rules = [group.rule for group in judgement.groups if group.model == model]
    near = difflib.get_close_matches(rule, rules, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Its rules: {', '.join(rules[:10])}."
    return UserError(f"model {model!r} has no rule {rule!r}.", hint=hint)


def _find_kind(config: Config, model: str, rule: str, group: Group | None) -> str:
    if group is not None:
        return group.kind
    found = config.model(model)
    return next((one.kind for one in found.rules if one.name == rule), rule) if found else rule


def _load_page(kind: str, model: Model | None, link: str) -> tuple[str, str]:
    """(text of the page, where links to other pages lead). A page on the web that is not ours is only pointed at."""
    from ..config.resolve import OUR_RUNBOOKS
    from ..config.vocabulary import KINDS
    from ..runbooks.coverage import builtin_page, local_path, page_address
    from ..runbooks.page import PAGES_DIR

    link = link or (page_address(model, kind) if model else "")
    base = link.rpartition("/")[0] or OUR_RUNBOOKS
    own = local_path(link, model.github.repository, Path()) if model and not builtin_page(link) else None
    if own is not None and own.is_file():
        return own.read_text("utf-8"), base
    if link and not builtin_page(link) and not link.startswith(OUR_RUNBOOKS):
        return f"# {kind}\n\nThe page is yours: {link}\n", base
    path = builtin_page(link) if link else PAGES_DIR / f"{kind}.md" if kind in KINDS else None
    if path is None:
        import difflib

        near = difflib.get_close_matches(kind, KINDS, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Kinds: {', '.join(KINDS)}."
        raise UserError(f"there is no page for {kind!r}.", hint=hint)
    return path.read_text("utf-8"), OUR_RUNBOOKS


def _print_page(page: tuple[str, str], known: AlertContext, style: str) -> None:
    from ..runbooks.render import render_page as filled

    text = filled(page[0], known, page[1])
    if style == "markdown":
        click.echo(text, nl=False)
        return
    from ..report.console import open_console, show_markdown

    show_markdown(open_console(), text)
