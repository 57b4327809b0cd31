"""Reading one model: its workflows, silences, inhibitions, sources and rules."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from ..errors import did_you_mean
from ..model.baseline_origin import describe_origin
from ..model.calendar import CalendarSpec
from ..model.monitored_model import (
    DEFAULT_INHIBITIONS,
    PROPOSED_BY_DEFAULT,
    BuiltInRule,
    Inhibition,
    Matcher,
    Model,
    OutageSpec,
    Silence,
    WandbSpec,
    WeeklyWindow,
    WorkflowSpec,
)
from ..model.prediction_log import MeasureSpec
from ..model.rule import BaselineKind, FalseAlarmBudget, Mode, Rule
from ..model.series import labels_of
from ..model.working_hours import WorkingHours
from . import vocabulary
from .baselines import BaselineFiles, BaselineUser
from .business import read_business, stated_unit
from .calendars import read_calendar
from .literals import format_duration
from .measure import read_measure
from .pagerduty import read_pagerduty
from .quality_rules import build_quality_rules
from .reader import shorten
from .release import check_release
from .rules import RuleContext, build_rule
from .sections import ParsedSection
from .tiers import read_actions
from .yaml_nodes import ScalarNode

BUILT_IN_FINDINGS = ("silent", "improvement", "implausible", "gone", "divergence")
"""Keys of a model that set severity and actions of a built-in rule."""

MAX_INPUTS = 25 - len(vocabulary.CONTRACT_INPUTS)
"""GitHub allows 25 inputs; the contract takes some."""

_Modes = dict[str, tuple[ScalarNode, Mode]]


def read_workflows(model: ParsedSection) -> tuple[WorkflowSpec, ...]:
    """One spec a verb. A verb's own ``mode`` wins over the model's ``modes``, and that over the default."""
    modes: _Modes = model.get("modes", {})
    workflows = []
    for verb, (key, value) in model.get("workflows", {}).items():
        if verb in vocabulary.BUILT_IN_ACTIONS:
            model.reader.add_problem(key, f"`{verb}` has its own meaning in `do`.", "Give the workflow another verb.")
            continue
        default = Mode.PROPOSE if verb in PROPOSED_BY_DEFAULT else Mode.ACT
        mode = modes[verb][1] if verb in modes else default
        if isinstance(value, str):
            workflows.append(WorkflowSpec(verb, value, mode=mode))
        else:
            workflows.append(_read_workflow(verb, value, mode))
    return tuple(workflows)


def _read_workflow(verb: str, section: ParsedSection, mode: Mode) -> WorkflowSpec:
    _check_destination(section)
    inputs = section.get("inputs", {})
    for name, (key, _) in inputs.items():
        if name in vocabulary.CONTRACT_INPUTS:
            section.reader.add_problem(key, f"modelwatch sets the input `{name}` itself.", "Choose another name.")
    if len(inputs) > MAX_INPUTS:
        section.add_problem(f"more than {MAX_INPUTS} inputs of your own.", key="inputs")
    workflow: WorkflowSpec = section.build(name=verb, mode=section.get("mode", mode))
    return workflow


def _check_destination(section: ParsedSection) -> None:
    """Either a file of this repository, or an event for another one."""
    if "event_type" in section and "repository" not in section:
        section.add_problem("`event_type` needs a `repository`.", key="event_type")
    elif "repository" in section and "event_type" not in section:
        section.add_problem("`repository` needs an `event_type`.", key="repository")
    elif "event_type" in section and "file" in section:
        section.add_problem("give either `file`, or `repository` and `event_type`.", key="file")
    elif "event_type" not in section and "file" not in section:
        section.add_problem("a workflow needs `file`, or `repository` and `event_type`.")
    if "event_type" in section and "ref" in section:
        section.add_problem("a repository_dispatch always runs on the default branch.", "Remove `ref`.", key="ref")


def read_modes(model: ParsedSection, verbs: tuple[str, ...]) -> tuple[Mode, Mode]:
    """The modes of ``issue`` and ``page``; every other key must be a verb of the model."""
    modes: _Modes = model.get("modes", {})
    known = (*vocabulary.BUILT_IN_ACTIONS, *verbs)
    for name, (key, _) in modes.items():
        if name not in known:
            message = f"`{shorten(name)}` is neither `issue` nor `page` nor a workflow of this model."
            model.reader.add_problem(key, message, did_you_mean(name, known))
    issue, page = (modes[name][1] if name in modes else Mode.ACT for name in vocabulary.BUILT_IN_ACTIONS)
    return issue, page


def read_silences(model: ParsedSection) -> tuple[Silence, ...]:
    """Every silence, with those of the defaults; each needs an end, an owner and a reason."""
    silences: dict[tuple[object, ...], Silence] = {}
    for section in model.get("silences", []):
        _note_references(section)
        labels = labels_of({name: value for name, (_, value) in section.get("labels", {}).items()})
        silence: Silence = section.build(
            match=Matcher(model.get("name", ""), section.get("rule", ""), section.get("kind", ""), labels),
            until=section.get("until", 0.0),
            window=_read_recurrence(section.get("every")),
            where=section.reader.location(section.node),
        )
        if "until" in section and section.get("from") is not None and silence.start >= silence.until > 0:
            section.add_problem("the silence ends before it begins.", value="until")
        same = (silence.match, silence.start, silence.until, silence.window)
        if same in silences:
            section.add_problem(f"this silence repeats the one at {silences[same].where}.")
        silences.setdefault(same, silence)
    return tuple(silences.values())


def _read_recurrence(section: ParsedSection | None) -> WeeklyWindow | None:
    if section is None:
        return None
    days = section.get("days")
    if days == []:
        section.add_problem("`days` is empty.", "Leave `days` out for every day.", key="days")
    start, end = section.get("from", 0.0), section.get("to", 0.0)
    if start == end and "from" in section and "to" in section:
        section.add_problem("`from` and `to` are the same.", "A whole day is from 00:00 to 24:00.", value="to")
    return WeeklyWindow(tuple(sorted(set(days or range(7)))), start, end)


def _read_hours(section: ParsedSection | None, calendar: CalendarSpec | None) -> WorkingHours | None:
    if section is None:
        return None
    if section.get("days") == []:
        section.add_problem("`days` is empty.", "Leave `days` out for Monday to Friday.", key="days")
        return None
    holidays = section.get("holidays", calendar.countries if calendar else ())
    hours: WorkingHours = section.build(
        days=tuple(sorted(set(section.setting("days")))), holidays=tuple(dict.fromkeys(holidays))
    )
    if hours.start == hours.end:
        section.add_problem("`from` and `to` are the same.", "A whole day is from 00:00 to 24:00.", value="to")
    return hours


def read_inhibitions(model: ParsedSection) -> tuple[Inhibition, ...]:
    """The default ones, and what the model adds."""
    inhibitions = list(DEFAULT_INHIBITIONS)
    for section in model.get("inhibit", []):
        for matcher in filter(None, (section.get("source"), section.get("target"))):
            _note_references(matcher)
            if not matcher.key_names():
                matcher.add_problem("this matcher matches everything.", "Give `rule`, `kind` or `labels`.")
        inhibitions.append(section.build())
    return tuple(dict.fromkeys(inhibitions))


def _note_references(section: ParsedSection) -> None:
    """That the rule and the kind of a matcher exist is checked when all files are read."""
    for word in ("rule", "kind"):
        if section.get(word):
            section.reader.references.append((section.value_node(word), word, section.get(word)))


def build_model(section: ParsedSection, files: BaselineFiles) -> Model:
    """The model as written: paths, environment and missing secrets are resolved later (``resolve.py``)."""
    workflows, calendar = read_workflows(section), read_calendar(section)
    verbs = tuple(dict.fromkeys((*section.get("workflows", {}), *(workflow.name for workflow in workflows))))
    issue_mode, page_mode = read_modes(section, verbs)
    runbooks, dashboard = section.get("runbooks"), section.get("dashboard")
    measure = read_measure(section.get("measure"))
    user = BaselineUser(section.get("name", "MODEL"), _read_origin(section))
    rules = _read_rules(section, RuleContext(user, verbs, runbooks is not None, files), measure)
    business = read_business(section.get("business"), measure)
    model: Model = section.build(
        rules=tuple(replace(rule, unit=stated_unit(rule, business)) for rule, _ in rules),
        wandb=_read_wandb(section.get("wandb")),
        measure=measure,
        pagerduty=read_pagerduty(section.get("pagerduty")),
        workflows=workflows,
        silences=read_silences(section),
        inhibitions=read_inhibitions(section),
        issue_mode=issue_mode,
        page_mode=page_mode,
        **{name: _read_built_in(section, name, verbs) for name in BUILT_IN_FINDINGS},
        outage=_read_outage(section),
        false_alarms=_read_budget(section),
        calendar=calendar,
        business=business,
        hours=_read_hours(section.get("hours"), calendar),
        runbook_base=runbooks.get("base", "").rstrip("/") if runbooks else "",
        dashboard=dashboard.get("url", "") if dashboard else "",
        where=section.reader.location(section.node),
    )
    for name in model.depends_on:
        section.reader.references.append((section.value_node("depends_on"), "model", name))
        if name == model.name:
            section.add_problem("a model cannot depend on itself.", value="depends_on")
    _check_source(section)
    _check_pages(section, rules)
    _check_history(section, model)
    _check_versions(model, rules)
    if section.get("release") is not None:
        check_release(section.get("release"), model.wandb, measure)
    return model


def _read_budget(section: ParsedSection) -> FalseAlarmBudget | None:
    stated = section.setting("false_alarms")
    if isinstance(stated, ParsedSection):
        return cast(FalseAlarmBudget, stated.build())
    return stated or None


def _read_outage(model: ParsedSection) -> OutageSpec:
    section: ParsedSection | None = model.get("outage")
    if section is None:
        return OutageSpec()
    do = {"do": read_actions(section, ())} if "do" in section else {}
    return cast(OutageSpec, section.build(**do))


def _read_rules(
    section: ParsedSection, context: RuleContext, measure: MeasureSpec | None
) -> list[tuple[Rule, ParsedSection]]:
    rules: dict[str, tuple[Rule, ParsedSection]] = {}
    own = ((build_rule(rule_section, context), rule_section) for rule_section in section.get("rules", []))
    spec = measure or MeasureSpec()
    for rule, rule_section in (*own, *build_quality_rules(section, spec.window, bool(spec.reference), context)):
        if rule.name in rules and rule.name:
            message = f"the model has a rule `{shorten(rule.name)}` already, at {rules[rule.name][0].where}."
            rule_section.add_problem(message, "Names are unique within a model.", value="name")
        rules.setdefault(rule.name, (rule, rule_section))
    return list(rules.values())


def _read_origin(model: ParsedSection) -> str:
    """See ``describe_origin``."""
    wandb, table = (model.get(name) for name in ("wandb", "table"))
    path = table.get("path", "") if table else wandb.get("offline", "") if wandb else ""
    if not wandb:
        return describe_origin("", "", path)
    entity = wandb.get("entity", "") or model.reader.vault.find("WANDB_ENTITY") or ""
    return describe_origin(entity, wandb.get("project", ""), path)


def _read_wandb(section: ParsedSection | None) -> WandbSpec | None:
    if section is None:
        return None
    runs: ParsedSection | None = section.get("runs")
    spec: WandbSpec = section.build(**(runs.attributes() if runs else {}))
    return spec


def _read_built_in(model: ParsedSection, name: str, verbs: tuple[str, ...]) -> BuiltInRule:
    default: BuiltInRule = model.default(name)
    section = model.get(name)
    if section is None:
        return default
    actions = read_actions(section, verbs) if "do" in section else default.do
    return BuiltInRule(section.get("severity", default.severity), actions)


def _check_source(section: ParsedSection) -> None:
    wandb = section.get("wandb")
    if "wandb" in section and "table" in section:
        section.add_problem("a model has one source: `wandb` or `table`, not both.", key="table")
    elif "wandb" not in section and "table" not in section:
        hint = "For example `wandb: {entity: acme, project: churn-prod}`."
        section.add_problem("the model has no source: give `wandb` or `table`.", hint)
    if wandb is None:
        return
    if "offline" in wandb and "project" in wandb:
        wandb.add_problem("give either `offline`, or `entity` and `project`.", key="offline")
    elif "offline" not in wandb and "project" not in wandb:
        wandb.add_problem("the W&B source needs `project` (and `entity`), or `offline`.")
    elif "project" in wandb and "entity" not in wandb and section.reader.vault.find("WANDB_ENTITY") is None:
        wandb.add_problem("the W&B source needs `entity`: the team or user.", "Or set WANDB_ENTITY.")


def _check_pages(section: ParsedSection, rules: list[tuple[Rule, ParsedSection]]) -> None:
    """Rules that page need a routing key."""
    pagerduty = section.get("pagerduty")
    if pagerduty is not None and "routing_key" in pagerduty:
        return
    message = "this rule pages, and the model has no `pagerduty.routing_key`."
    hint = 'Give `pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}"}`.'
    for rule, rule_section in rules:
        overridden = (tier for override in rule.overrides for tier in override.tiers)
        if any("page" in tier.do for tier in (*rule.tiers, *overridden)):
            rule_section.add_problem(message, hint, key="tiers")
            return
    for name in (*BUILT_IN_FINDINGS, "outage"):
        built_in = section.get(name)
        if built_in is not None and "page" in built_in.get("do", ()):
            section.add_problem("this pages, and the model has no `pagerduty.routing_key`.", hint, key=name)


def _check_history(section: ParsedSection, model: Model) -> None:
    for rule in model.rules:
        if model.history < rule.window + rule.every * max(rule.for_, rule.hold):
            length = format_duration(rule.window + rule.every * max(rule.for_, rule.hold))
            message = f"`history` is too short for the rule `{shorten(rule.name)}`, which looks back {length}."
            section.add_problem(message, key="history")
            return


def _check_versions(model: Model, rules: list[tuple[Rule, ParsedSection]]) -> None:
    """A rule that uses model versions needs to know where they are written."""
    source = model.wandb or model.table
    if source is None or source.version:
        return
    for rule, rule_section in rules:
        name = "overrides" if rule.overrides else "baseline"
        if rule.overrides or rule.baseline.kind is BaselineKind.VERSION:
            section = "wandb" if model.wandb else "table"
            hint = f"Give `version:` in the model's `{section}`."
            rule_section.add_problem(f"`{name}` needs model versions, and the source names none.", hint, key=name)
