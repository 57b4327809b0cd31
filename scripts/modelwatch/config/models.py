"""One model: what its keys gave, the defaults merged in -> ``Model``."""

from __future__ import annotations

from typing import Any

from ..model.measured import MeasureSpec
from ..model.rule import DAY, BaselineKind, Rule
from ..model.severity import Severity
from ..model.watched import BuiltInRule, GitHubSpec, Model, TableSpec, WandbSpec
from .baselines import BaselineFiles
from .measured import read_measure
from .mutes import read_inhibitions, read_silences
from .pagerduty import read_pagerduty
from .quality import build_quality_rules
from .reader import Reader, shorten
from .release import check_gate_metric, check_history_project, read_release
from .rules import RuleContext, build_rule
from .shapes import ParsedSection
from .tiers import read_actions
from .units import format_duration
from .workflows import read_modes, read_workflows


def build_model(given: ParsedSection, reader: Reader, files: BaselineFiles) -> Model:
    """The model as written: paths, environment and missing secrets are settled later (``settle.py``)."""
    workflows = read_workflows(given, reader)
    verbs = tuple(dict.fromkeys((*given.get("workflows", {}), *(workflow.name for workflow in workflows))))
    issue_mode, page_mode = read_modes(given, reader, verbs)
    runbooks = given.get("runbooks")
    around = RuleContext(verbs, runbooks is not None, files)
    measure = read_measure(given.get("measure"), reader)
    rules = _read_rules(given, reader, around, measure)
    model = Model(
        name=given.get("name", ""),
        rules=tuple(rule for rule, _ in rules),
        owner=given.get("owner", ""),
        wandb=_read_wandb(given.get("wandb")),
        table=_read_table(given.get("table")),
        measure=measure,
        release=read_release(given.get("release"), reader),
        pagerduty=read_pagerduty(given.get("pagerduty"), reader),
        github=_read_github(given.get("github")),
        workflows=workflows,
        silences=read_silences(given, reader),
        inhibitions=read_inhibitions(given, reader),
        issue_mode=issue_mode,
        page_mode=page_mode,
        history=given.get("history", 30 * DAY),
        silent=_read_built_in(given, "silent", Severity.WARNING, ("issue",), reader, verbs),
        improvement=_read_built_in(given, "improvement", Severity.INFO, (), reader, verbs),
        gone=_read_built_in(given, "gone", Severity.WARNING, ("issue",), reader, verbs),
        runbook_base=runbooks.get("base", "").rstrip("/") if runbooks else "",
        where=reader.location(given.node),
    )
    _check_source(given, reader)
    _check_pages(given, rules, reader)
    _check_history(given, model, reader)
    _check_versions(model, rules, reader)
    check_history_project(given, model.release, model.wandb, reader)
    check_gate_metric(given, measure, reader)
    return model


def _read_rules(
    given: ParsedSection, reader: Reader, context: RuleContext, measure: MeasureSpec | None
) -> list[tuple[Rule, ParsedSection]]:
    rules: dict[str, tuple[Rule, ParsedSection]] = {}
    own = ((build_rule(rule_given, reader, context), rule_given) for rule_given in given.get("rules", []))
    spec = measure or MeasureSpec()
    for rule, rule_given in (*own, *build_quality_rules(given, spec.window, bool(spec.reference), reader, context)):
        if rule.name in rules and rule.name:
            message = f"the model has a rule `{shorten(rule.name)}` already, at {rules[rule.name][0].where}."
            reader.add_problem(rule_given.value_node("name"), message, "Names are unique within a model.")
        rules.setdefault(rule.name, (rule, rule_given))
    return list(rules.values())


def _read_wandb(given: ParsedSection | None) -> WandbSpec | None:
    if given is None:
        return None
    runs: Any = given.get("runs")
    return WandbSpec(
        entity=given.get("entity", ""),
        project=given.get("project", ""),
        tags=tuple(runs.get("tags", ())) if runs else (),
        job_type=runs.get("job_type", "") if runs else "",
        group=runs.get("group", "") if runs else "",
        filters=runs.get("filters", "") if runs else "",
        version=given.get("version", ""),
        time=given.get("time", ""),
        base_url=given.get("base_url", "").rstrip("/"),
        offline=given.get("offline", ""),
    )


def _read_table(given: ParsedSection | None) -> TableSpec | None:
    if given is None:
        return None
    return TableSpec(given.get("path", ""), given.get("time", "time"), given.get("version", ""))


def _read_github(given: ParsedSection | None) -> GitHubSpec:
    if given is None:
        return GitHubSpec()
    return GitHubSpec(
        repository=given.get("repository", ""),
        labels=tuple(given.get("labels", ())),
        assignees=_read_logins(given, "assignees"),
        authors=_read_logins(given, "authors"),
        people=_read_logins(given, "people"),
        api_url=given.get("api_url", "").rstrip("/"),
    )


def _read_logins(given: ParsedSection, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(login.removeprefix("@") for login in given.get(name, ())))


def _read_built_in(
    model: ParsedSection, name: str, severity: Severity, do: tuple[str, ...], reader: Reader, verbs: tuple[str, ...]
) -> BuiltInRule:
    given = model.get(name)
    if given is None:
        return BuiltInRule(severity, do)
    asked = read_actions(given, reader, verbs) if "do" in given else do
    return BuiltInRule(given.get("severity", severity), asked)


def _check_source(given: ParsedSection, reader: Reader) -> None:
    wandb = given.get("wandb")
    if "wandb" in given and "table" in given:
        reader.add_problem(given.key_node("table"), "a model has one source: `wandb` or `table`, not both.")
    elif "wandb" not in given and "table" not in given:
        hint = "For example `wandb: {entity: acme, project: churn-prod}`."
        reader.add_problem(given.node, "the model has no source: give `wandb` or `table`.", hint)
    if wandb is None:
        return
    if "offline" in wandb and "project" in wandb:
        reader.add_problem(wandb.at("offline"), "give either `offline`, or `entity` and `project`.")
    elif "offline" not in wandb and "project" not in wandb:
        reader.add_problem(wandb.node, "the W&B source needs `project` (and `entity`), or `offline`.")
    elif "project" in wandb and "entity" not in wandb and reader.vault.find("WANDB_ENTITY") is None:
        reader.add_problem(wandb.node, "the W&B source needs `entity`: the team or user.", "Or set WANDB_ENTITY.")


def _check_pages(given: ParsedSection, rules: list[tuple[Rule, ParsedSection]], reader: Reader) -> None:
    """Who asks for a page needs somewhere to send it."""
    pagerduty = given.get("pagerduty")
    if pagerduty is not None and "routing_key" in pagerduty:
        return
    hint = 'Give `pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}"}`.'
    for rule, rule_given in rules:
        overridden = (tier for override in rule.overrides for tier in override.tiers)
        if any("page" in tier.do for tier in (*rule.tiers, *overridden)):
            message = "this rule pages, and the model has no `pagerduty.routing_key`."
            reader.add_problem(rule_given.key_node("tiers"), message, hint)
            return
    for name in ("silent", "improvement", "gone"):
        built_in = given.get(name)
        if built_in is not None and "page" in built_in.get("do", ()):
            reader.add_problem(given.key_node(name), "this pages, and the model has no `pagerduty.routing_key`.", hint)


def _check_history(given: ParsedSection, model: Model, reader: Reader) -> None:
    for rule in model.rules:
        if model.history < rule.window + rule.every * max(rule.for_, rule.hold):
            length = format_duration(rule.window + rule.every * max(rule.for_, rule.hold))
            message = f"`history` is too short for the rule `{shorten(rule.name)}`, which looks back {length}."
            reader.add_problem(given.key_node("history"), message)
            return


def _check_versions(model: Model, rules: list[tuple[Rule, ParsedSection]], reader: Reader) -> None:
    """A rule that speaks of model versions needs to know where they are written."""
    source = model.wandb or model.table
    if source is None or source.version:
        return
    for rule, rule_given in rules:
        name = "overrides" if rule.overrides else "baseline"
        if rule.overrides or rule.baseline.kind is BaselineKind.VERSION:
            section = "wandb" if model.wandb else "table"
            hint = f"Give `version:` in the model's `{section}`."
            reader.add_problem(
                rule_given.key_node(name), f"`{name}` speaks of versions, and the source tells none.", hint
            )
