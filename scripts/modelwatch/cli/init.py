"""``modelwatch init``: the files to begin with, with rules for what W&B has logged."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from .. import step_files
from ..clients.wandb import WandbSessions, default_entity, find_projects
from ..config.loader import load_config
from ..config.proposals import EXAMPLE, PRODUCTION_TAGS, LoggedKeys, Proposal, choose_tag, propose
from ..config.starter_needs import BUNDLE, advise_on_file, needed_secrets
from ..config.templates import DASHBOARD_FILE, DASHBOARDS, PAGES, default_people, render_starter_files
from ..doctor.wandb_runs import LoggedRuns, read_runs
from ..errors import ConfigError, Exit, SourceError, UserError, did_you_mean
from ..model.monitored_model import Config, Model, WandbSpec
from ..model.rule import LimitKind, Rule
from ..report.formatting import whole_percent
from ..report.markdown import plain_line
from .git_remote import origin_repository
from .options import DEFAULT_CONFIG, FOLDER, Choice, format_option, level_option, print_json, rows_option

MAX_NAMES = 10
OWNER = "@my-org/my-team"
PLACEHOLDERS = {"model": "my-model", "entity": "my-team", "project": "my-project"}

_Render = Callable[[Mapping[str, Any]], dict[str, str]]
"""The files of some options."""


@click.command("init")
@click.argument("folder", type=FOLDER, default=".")
@click.option("--model", default="", help="Name of the first model to monitor.  [default: that of the project]")
@click.option("--entity", default="", help="W&B entity.  [default: WANDB_ENTITY, else that of WANDB_API_KEY]")
@click.option("--project", default="", help="W&B project.  [default: the entity's only one; at a terminal it asks]")
@click.option(
    "--repository",
    default="",
    help="owner/name of this repository.  [default: that of the git remote `origin`, else GITHUB_REPOSITORY]",
)
@click.option("--owner", default=OWNER, show_default=True, help="Who owns the model.")
@click.option(
    "--people",
    multiple=True,
    metavar="LOGIN",
    help="Who may approve and silence: a login or @org/team; repeatable.  [default: --owner, if it is a person]",
)
@click.option(
    "--release",
    is_flag=True,
    help="Also write workflows that retrain, promote, roll back and degrade, and a deploy.sh to fill in.",
)
@click.option(
    "--dashboard",
    type=Choice([*DASHBOARDS]),
    help="Also write a workflow that writes the dashboard every hour: published with Pages, or kept as an artifact.",
)
@click.option(
    "--scorecard", is_flag=True, help="Also write a workflow that posts the scorecard as an issue every week."
)
@click.option(
    "--watchdog", is_flag=True, help="Also write a workflow that checks every hour whether modelwatch still works."
)
@click.option(
    "--backtest",
    is_flag=True,
    help="Also write a workflow that says on pull requests what a change of the rules would have done.",
)
@click.option(
    "--drill", is_flag=True, help="Also write a workflow that drills a staging project every month, and staging.yml."
)
@rows_option("Labelled predictions an hour. If they are few, limits are raised to what can be seen within a week.")
@level_option
@format_option
def init(
    folder: Path,
    model: str,
    entity: str,
    project: str,
    repository: str,
    owner: str,
    people: tuple[str, ...],
    release: bool,
    dashboard: str | None,
    scorecard: bool,
    watchdog: bool,
    backtest: bool,
    drill: bool,
    rows_per_hour: float | None,
    level: float,
    style: str,
) -> Exit:
    """Write modelwatch.yml, the workflows and a runbook stub into FOLDER; existing files are kept.

    With WANDB_API_KEY it asks W&B what is logged, proposes rules for that, and prints what it took and why. Without it,
    or where nothing is logged yet, the rule is an example.
    """
    talk = _Talk(style == "json")
    is_kept = (folder / DEFAULT_CONFIG).exists()
    entity = entity or os.environ.get("WANDB_ENTITY", "")
    proposal = EXAMPLE
    kept_model = _read_kept_model(folder / DEFAULT_CONFIG) if is_kept else None
    if not is_kept:
        entity, project, proposal = _ask_wandb(talk, entity, project)
    elif kept_model is not None:  # what is written beside it is about the same model
        spec = kept_model.wandb or WandbSpec()
        model, entity, project = model or kept_model.name, entity or spec.entity, project or spec.project
        repository = repository or kept_model.github.repository
        owner = kept_model.owner or owner if owner == OWNER else owner
        proposal = replace(EXAMPLE, tag=next(iter(spec.tags), ""))
    names: dict[str, Any] = {
        "model": model or re.sub(r"[^A-Za-z0-9._-]+", "-", project).strip("-._") or PLACEHOLDERS["model"],
        "entity": entity or PLACEHOLDERS["entity"],
        "project": project or PLACEHOLDERS["project"],
        "repository": repository
        or origin_repository(folder)
        or os.environ.get("GITHUB_REPOSITORY")
        or "my-org/my-repo",
        "owner": owner,
    }
    kept_people = kept_model.github.people if kept_model else ()
    people = people or kept_people or _ask_for_people(owner)
    options: dict[str, Any] = {
        "release": release,
        "dashboard": dashboard or "",
        "scorecard": scorecard,
        "watchdog": watchdog,
        "backtest": backtest,
        "drill": drill,
    }

    def render(some: Mapping[str, Any]) -> dict[str, str]:
        return render_starter_files(**names, people=people, proposal=proposal, **some)

    every_option = options | _find_earlier_options(folder, options, render)
    files = render(every_option)
    first = _validate_config(files[DEFAULT_CONFIG]).models[0]
    limits = () if rows_per_hour is None else _choose_limits(talk, first.rules[0], rows_per_hour, level)
    if limits:
        raised = replace(proposal.rules[0], own_limits=limits)
        proposal = replace(proposal, rules=(raised, *proposal.rules[1:]))
        files = render(every_option)
    asked = {name: files[name] for name in render(options)}
    written, kept = _write_files(talk, folder, asked)
    next_steps = [*_advise_on_files(folder, every_option, render)]
    if release:
        next_steps += ["Fill in deploy.sh, which makes a version serve, and in modelwatch.yml the command that trains."]
    if drill:
        next_steps += ["Make the W&B project, repository and PagerDuty service of staging.yml, which exist for drills."]
    if dashboard == PAGES:
        next_steps += ["Choose GitHub Actions as the source of Pages in the repository's settings; the site is public."]
    if is_kept and set(people) - set(kept_people):
        next_steps += ["modelwatch.yml was kept: list who may approve a rollback there, under `github: people:`."]
    elif not is_kept and not first.github.people:
        next_steps += ["Nobody may approve a rollback yet: list logins in modelwatch.yml under `github: people:`."]
    next_steps += [_next_step(folder, asked)]
    for step in next_steps:
        talk.say(step)
    if style == "json":
        print_json({"written": written, "kept": kept, "choices": talk.choices, "next": next_steps})
    return Exit.OK


@dataclass(slots=True)
class _Talk:
    """Messages, on standard output, or beside JSON on standard error."""

    as_json: bool
    choices: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        click.echo(text, err=self.as_json)

    def say_choice(self, text: str, indent: str = "") -> None:
        """What was chosen, and why. Names in W&B are somebody else's words."""
        self.choices.append(plain_line(text, 600))
        self.say(indent + self.choices[-1])


def _write_files(talk: _Talk, folder: Path, files: dict[str, str]) -> tuple[list[str], list[str]]:
    """The paths that were written, and those that were there."""
    written, kept = [], []
    for name, text in files.items():
        path = folder / name
        if path.exists():
            talk.say(f"kept     {path}")
            kept.append(str(path))
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        step_files.write_text(path, text)
        if path.suffix == ".sh":
            path.chmod(0o755)
        talk.say(f"written  {path}")
        written.append(str(path))
    return written, kept


def _read_kept_model(path: Path) -> Model | None:
    """The first model of the configuration that is kept; ``None`` where it cannot be read: `config check` says why."""
    try:
        return load_config(path, {}, require_secrets=False, require_baselines=False).models[0]
    except ConfigError:
        return None


def _find_earlier_options(folder: Path, options: Mapping[str, Any], render: _Render) -> dict[str, Any]:
    """The options of earlier calls, by the files that they alone write."""
    base = render({})
    earlier: dict[str, Any] = {}
    for option in (name for name, value in options.items() if not value):
        alone = render({option: PAGES if option == "dashboard" else True})
        if any((folder / name).exists() for name in alone.keys() - base.keys()):
            earlier[option] = _find_dashboard(folder) if option == "dashboard" else True
    return earlier


def _advise_on_files(folder: Path, options: Mapping[str, Any], render: _Render) -> Iterator[str]:
    """A sentence for each file that lacks what an option, of this call or an earlier one, writes into it."""
    used = {option: value for option, value in options.items() if value}
    fewer = [render({name: value for name, value in used.items() if name != option}) for option in used]
    for name, text in render(used).items():
        path = folder / name
        if not path.exists():
            continue
        parts = [part[name] for part in fewer if name in part]
        if advice := advise_on_file(name, path.read_text("utf-8", "replace"), text, parts):
            yield advice


def _find_dashboard(folder: Path) -> str:
    """Where the dashboard goes whose workflow is there."""
    text = (folder / DASHBOARD_FILE).read_text("utf-8", "replace")
    return PAGES if "deploy-pages@" in text else next(name for name in DASHBOARDS if name != PAGES)


def _next_step(folder: Path, files: Mapping[str, str]) -> str:
    """The secrets that the configurations and workflows in the folder use, and the environment has not."""
    texts = {name: (folder / name).read_text("utf-8", "replace") for name in files if name.endswith(".yml")}
    passed, bundled = ([name for name in names if not os.environ.get(name)] for names in needed_secrets(texts))
    parts = [f"the secret{'s' if len(passed) > 1 else ''} {_join_words(passed)}"] if passed else []
    if bundled:
        lines = _join_words([f"{name}=..." for name in bundled])
        parts += [f"in the secret {BUNDLE} the line{'s' if len(bundled) > 1 else ''} {lines}"]
    secrets = f"set {', and '.join(parts)}, then " if parts else ""
    return f"Next: {secrets}`modelwatch doctor`."


def _join_words(words: Sequence[str]) -> str:
    return " and ".join(", ".join(part) for part in (words[:-1], words[-1:]) if part)


def _ask_wandb(talk: _Talk, entity: str, project: str) -> tuple[str, str, Proposal]:
    """Entity, project and rules, with a printed line for each choice. Where W&B cannot be read, the example."""
    if not os.environ.get("WANDB_API_KEY"):
        talk.say_choice("W&B was not asked, since WANDB_API_KEY is not set: the rule in modelwatch.yml is an example.")
        return entity, project, EXAMPLE
    sessions = WandbSessions(os.environ)
    try:
        entity = entity or default_entity(sessions)
        project = project or _choose_project(talk, sessions, entity)
        if not project:
            talk.say_choice(f"W&B: {entity} has no project yet: the rule in modelwatch.yml is an example.")
            return entity, project, EXAMPLE
        return entity, project, _propose_rules(talk, sessions, entity, project)
    except SourceError as error:
        talk.say_choice(f"W&B was not read: {error} The rule in modelwatch.yml is an example.")
        return entity, project, EXAMPLE


def _choose_project(talk: _Talk, sessions: WandbSessions, entity: str) -> str:
    """The only project of the entity; of several the one that a person picks. Empty where there is none."""
    names = sorted(find_projects(sessions, "", entity))
    if len(names) <= 1:
        if names:
            talk.say_choice(f"project: {names[0]}, the only one of {entity}")
        return names[0] if names else ""
    listed = ", ".join(names[:MAX_NAMES]) + (", …" if len(names) > MAX_NAMES else "")
    if not sys.stdin.isatty():
        raise UserError(f"{entity} has {len(names)} projects: {listed}.", hint="Give --project.", where="init")
    talk.say_choice(f"{entity} has {len(names)} projects: {listed}.")
    answer: str = click.prompt("Which one does the serving job log to")
    if answer not in names:
        raise UserError(f"{entity} has no project {answer!r}.", hint=did_you_mean(answer, names), where="init")
    return answer


def _propose_rules(talk: _Talk, sessions: WandbSessions, entity: str, project: str) -> Proposal:
    spec = WandbSpec(entity=entity, project=project)
    every = _read_runs(spec, sessions)
    tag = choose_tag(every.tags)
    runs = _read_runs(replace(spec, tags=(tag,)), sessions) if tag else every
    where = f"{entity}/{project}"
    if not runs.keys:
        lack = "has no W&B run yet" if not every.count else "has no W&B run that logged anything"
        talk.say_choice(f"W&B: {where} {lack}: the rule in modelwatch.yml is an example.")
        return EXAMPLE
    proposal = propose(LoggedKeys(runs.keys, runs.config, runs.summary, every.tags), tag)
    talk.say_choice(f"W&B: {where}, {every.count} run{'' if every.count == 1 else 's'}; chosen by names alone:")
    with_tag = f"those with the tag {tag}, {runs.count} of {every.count}"
    chosen = with_tag if tag else f"all, since none has a tag such as {PRODUCTION_TAGS[0]}"
    for reason in (f"runs: {chosen}", *proposal.reasons):
        talk.say_choice(reason, "  ")
    if proposal.rules:
        return proposal
    talk.say_choice("rules: none, since no key has the name of a known metric; the rule is an example", "  ")
    return replace(proposal, rules=EXAMPLE.rules)


def _read_runs(spec: WandbSpec, sessions: WandbSessions) -> LoggedRuns:
    runs = read_runs(spec, sessions)
    if isinstance(runs, SourceError):
        raise runs
    return runs


def _ask_for_people(owner: str) -> tuple[str, ...]:
    """Ask at a terminal who may approve, unless the owner is a person; empty where nobody is named."""
    if default_people(owner) or not sys.stdin.isatty():
        return ()
    answer: str = click.prompt("Logins of those who may approve a rollback", default="", show_default=False)
    return tuple(name.removeprefix("@") for name in answer.replace(",", " ").split())


def _choose_limits(talk: _Talk, rule: Rule, rows_per_hour: float, level: float) -> tuple[float, ...]:
    """Limits that can be seen at this volume; empty where none can."""
    from ..evaluate.sensitivity import visible_limits

    if [limit.form for limit in rule.tiers[0].limits] != [LimitKind.DROP]:
        return ()
    limits = visible_limits(rule, rows_per_hour, level)
    volume = f"At {rows_per_hour:g} rows an hour"
    if not limits:
        click.echo(f"warning: {volume} no drop is found within a week: the limits are the usual ones.", err=True)
    elif limits[0] > rule.tiers[0].limits[0].value:
        texts = ", ".join(whole_percent(limit) for limit in limits)
        talk.say(f"{volume} a week shows drops of {texts}: these are the limits in {DEFAULT_CONFIG}.")
    return limits


def _validate_config(text: str) -> Config:
    """UserError before anything is written, where the options give a configuration that cannot be read."""
    with TemporaryDirectory() as folder:
        path = Path(folder, DEFAULT_CONFIG)
        path.write_text(text, "utf-8")
        try:
            return load_config(path, {}, require_secrets=False, require_baselines=False)
        except ConfigError as error:
            message = " ".join(problem.message for problem in error.problems)
            raise UserError(message, hint="Nothing was written.", where="init") from error
