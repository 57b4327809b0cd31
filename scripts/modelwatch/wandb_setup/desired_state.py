"""What the configuration wants inside W&B, as data: views, reports and automations of each model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from ..clients.github import github_api_url
from ..clients.wandb import DEFAULT_URL
from ..errors import ConfigError, UserError
from ..model.monitored_model import Config, Model, WandbSpec
from ..model.site_paths import model_path
from ..report.markdown import code, link, plain_line, safe_url
from .charts import ChartSection, chart_sections
from .events import Watch, watches
from .ownership import digest

FILTER_VALUE = re.compile(r"[\w .:/@+-]+")
"""What stands between quotes in a filter of W&B without a meaning of its own."""
ISSUE_LABEL = "modelwatch"
_ORIGIN = (
    "It is made from the configuration: change that, and run `modelwatch wandb apply`. What is changed here by hand "
    "stays, and is not updated any more."
)
_LINES = (
    "A line that does not move is a baseline or a limit. Baselines that move, intervals and what was decided are on "
    "issues and on modelwatch's own dashboard."
)
VIEW_ITEM, REPORT_ITEM = "view", "report"


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which W&B runs the charts show; ``missing`` is what W&B's filters cannot say."""

    expression: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What a view or a report of a model shows."""

    title: str
    about: tuple[str, ...]
    """Paragraphs in Markdown."""
    links: tuple[tuple[str, str], ...]
    """Name and URL."""
    sections: tuple[ChartSection, ...]
    runs: RunFilter

    @property
    def digest(self) -> str:
        return digest(json.loads(json.dumps(asdict(self))))


@dataclass(frozen=True, slots=True)
class DesiredModel:
    """Of one model. ``dispatches`` is the address that the webhook sends to."""

    name: str
    owner: str
    entity: str
    project: str
    view: Page | None
    report: Page | None
    watches: tuple[Watch, ...] | None
    """``None``: automations are not managed."""
    webhook: str
    """Its name; empty: the one that sends to ``dispatches``."""
    dispatches: str
    repository: str
    where: str = ""

    def item(self, name: str) -> str:
        """As in marks."""
        return f"{self.name}/{name}"


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything on one W&B server."""

    server: str
    models: tuple[DesiredModel, ...]


def desired_state(config: Config, env: Mapping[str, str]) -> DesiredState:
    """Raises UserError where no model reads a W&B project, where the owner of what is made is not known, and where
    models read several servers. ``env`` can hold WANDB_BASE_URL, GITHUB_API_URL and GITHUB_SERVER_URL."""
    models = [model for model in config.models if model.wandb is not None and model.wandb.project]
    if not models:
        hint = "Give `wandb: {entity: ..., project: ...}`."
        raise UserError("no model reads a W&B project: there is nothing to make inside W&B.", hint=hint)
    problems = tuple(_missing_owner(model) for model in models if not owner_of(model))
    if problems:
        raise problems[0] if len(problems) == 1 else ConfigError(problems)
    servers = {model.wandb_url(env) or DEFAULT_URL: model.name for model in models}
    if len(servers) > 1:
        listed = ", ".join(f"{name} at {url}" for url, name in sorted(servers.items()))
        raise UserError(f"the models are on different W&B servers: {listed}.", hint="Choose one with `--model`.")
    desired = (_desired_model(model, model.wandb, env) for model in models if model.wandb is not None)
    return DesiredState(next(iter(servers)), tuple(desired))


def owner_of(model: Model) -> str:
    return model.wandb_setup.managed_as or model.github.repository


def _missing_owner(model: Model) -> UserError:
    hint = "Give `github: {repository: ...}` or `wandb_setup: {managed_as: ...}`, or set GITHUB_REPOSITORY."
    return UserError(f"there is no name to mark with what is made for {model.name}.", hint=hint, where=model.where)


def _desired_model(model: Model, source: WandbSpec, env: Mapping[str, str]) -> DesiredModel:
    spec = model.wandb_setup
    page = _page(model, source, env)
    api = github_api_url(env, model.github.api_url)
    return DesiredModel(
        model.name,
        owner_of(model),
        source.entity,
        source.project,
        page if spec.view else None,
        page if spec.report else None,
        tuple(watches(model)) if spec.automations else None,
        spec.webhook,
        f"{api}/repos/{model.github.repository}/dispatches" if model.github.repository else "",
        model.github.repository,
        model.where,
    )


def _page(model: Model, source: WandbSpec, env: Mapping[str, str]) -> Page:
    runs = run_filter(source)
    owner = code(model.owner or owner_of(model))
    about = [f"What modelwatch evaluates for {code(model.name)}, owned by {owner}. {_ORIGIN}", _LINES]
    if runs.missing:
        missing = ", ".join(map(code, runs.missing))
        about.append(f"W&B cannot filter W&B runs by {missing}: the charts show more of them.")
    return Page(f"modelwatch: {model.name}", tuple(about), _links(model, env), chart_sections(model), runs)


def _links(model: Model, env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Open issues, the team's dashboards, and the runbook of each rule."""
    links: dict[str, str] = {}
    server = env.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    if model.github.repository:
        query = quote(f'is:issue is:open label:{ISSUE_LABEL} "{model.name}" in:body')
        links["Open issues"] = f"{server}/{model.github.repository}/issues?q={query}"
    if model.dashboard:
        links["Dashboard"] = f"{model.dashboard}/{model_path(model.name)}"
    links |= {name: url for name, url in model.links if safe_url(url)}
    for rule in model.rules:
        address = rule.runbook or model.runbook_address(rule.kind)
        if safe_url(address):
            links[f"Runbook of {rule.name}"] = address
    return tuple(links.items())


def to_markdown(page: Page) -> str:
    """What a view says about itself."""
    links = "\n".join(f"- {link(plain_line(name), url)}" for name, url in page.links)
    return "\n\n".join([*page.about, *([links] if links else [])])


def run_filter(source: WandbSpec) -> RunFilter:
    """The choice of W&B runs in the filter language of ``wandb-workspaces``."""
    parts, missing = [], []
    wanted = [("Tags", tag, "in ['{}']") for tag in source.tags]
    wanted += [("JobType", source.job_type, "= '{}'"), ("Group", source.group, "= '{}'")]
    for name, value, form in wanted:
        if not value:
            continue
        if FILTER_VALUE.fullmatch(value):
            parts.append(f'Metric("{name}") {form.format(value)}')
        else:
            missing.append(f"{name}: {value}")
    if source.filters:
        missing.append(f"filters: {source.filters}")
    return RunFilter(" and ".join(parts), tuple(missing))


def automation_name(model: DesiredModel, watch: Watch) -> str:
    """Unique in a team."""
    return f"modelwatch {model.name}: {watch.item}"


def facts_text(facts: Mapping[str, Any]) -> str:
    """When an automation fires, for people."""
    match facts.get("event"):
        case ["threshold", key, _, window, comparison, value]:
            words = {"$gt": "above", "$gte": "at least", "$lt": "below", "$lte": "at most"}
            text = f"mean of {window} values of {key} {words.get(comparison, comparison)} {value:g}"
        case ["change", key, _, current, prior, kind, direction, amount]:
            size = f"{amount * 100:g} %" if kind == "RELATIVE" else f"{amount:g}"
            verb = {"INCREASE": "rises", "DECREASE": "falls"}.get(direction, "changes")
            text = f"{key} {verb} by {size} (mean of {current} values against {prior} before)"
        case ["z-score", key, window, direction, score]:
            side = {"INCREASE": "above", "DECREASE": "below"}.get(direction, "away from")
            text = f"{key} is {score:g} standard deviations {side} the mean of {window} values"
        case ["alias", *aliases]:
            text = f"a version of {facts.get('scope')} gets the alias {', '.join(map(str, aliases))}"
        case event:
            text = f"another event ({event})"
    return text if facts.get("enabled") else f"{text} (switched off)"
