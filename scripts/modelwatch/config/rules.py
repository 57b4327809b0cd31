"""Rules: the keys of a rule and its parts, and reading one into a ``Rule``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from ..errors import did_you_mean
from ..model.alert import BUILT_IN_RULES
from ..model.keys import KeyPattern
from ..model.rule import (
    FALL_LIMITS,
    PROPORTION_INTERVALS,
    RELATIVE_LIMITS,
    RISE_LIMITS,
    STATIC_LIMITS,
    Aggregate,
    AnomalySpec,
    BaselineKind,
    BaselineSpec,
    Direction,
    FalseAlarmBudget,
    FeatureAggregation,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
    VersionOverride,
)
from ..model.severity import Severity
from ..timeutil import DAY, WEEK
from . import vocabulary
from .baselines import BaselineFiles, BaselineUser, read_baselines
from .calendars import CALENDAR_FIELDS, read_calendar
from .charts import CHART_FIELD, check_charts
from .digest import rule_digest, settings_digest
from .drift import check_drift, check_drift_keys, count_key, default_limits
from .estimates import check_estimate_actions
from .field_types import AnyOf, Count, Enumeration, ListOf, MapOf, Number, Percentage, Text, duration, one_or_more
from .metric_directions import is_no_share
from .reader import shorten
from .sections import Field, ParsedSection, Section
from .tiers import first_limit, infer_direction, read_limits, read_tiers
from .vocabulary import KIND, NAME, PATH, WEB_ADDRESS
from .yaml_nodes import Node, SequenceNode

_key = Text("a W&B key such as eval/accuracy", r"[^\s/](?:[^\n]*[^\s/])?", max_length=500)
_page = Text("a URL (https://...) or a path to a Markdown file", WEB_ADDRESS + r"|(?!https?:)\S+\.md")
_version = Text("a version", max_length=200)
_verb = Text("`issue`, `page` or the name of a workflow", vocabulary.VERB_PATTERN, max_length=64)
DO_FIELD = Field(
    one_or_more(_verb),
    "All actions of this tier: `issue`, `page` and names of workflows. Every action implies `issue`.",
    default=list(vocabulary.DEFAULT_ACTIONS),
)

LIMITS = {
    "drop": Field(Percentage(high=1.0), "Lower than the baseline by this share of it: `2%`."),
    "rise": Field(Percentage(), "Higher than the baseline by this share of it: `20%`."),
    "drop_points": Field(Number(above=0.0), "Lower than the baseline by this much, in the metric's own unit."),
    "rise_points": Field(Number(above=0.0), "Higher than the baseline by this much, in the metric's own unit."),
    "above": Field(Number(), "Greater than this."),
    "below": Field(Number(), "Less than this."),
    "sigma": Field(Number(above=0.0), "This many standard deviations of the baseline away, in the worse direction."),
}

BUDGET = Section(
    "the false alarms",
    {
        "warnings": Field(duration(DAY), "Tiers that open an issue or retrain."),
        "pages": Field(duration(DAY), "Tiers that page."),
        "actions": Field(duration(DAY), "Tiers that start another workflow without approval."),
    },
    "The mean time between two false alarms, by what an alarm does.",
    dataclass=FalseAlarmBudget,
)
TIER = Section(
    "a tier",
    {
        **LIMITS,
        "chart": CHART_FIELD,
        "do": DO_FIELD,
        "for": Field(Count(), "The `for` of this tier, instead of the rule's."),
        "false_alarms": Field(duration(DAY), "The mean time between false alarms of this tier alone."),
    },
    "A severity: it is reached when any of its limits is exceeded, or its chart signals. Rules with `drift` have "
    "default limits.",
)
TIERS = Section(
    "the tiers",
    {str(name): Field(TIER, f"When the severity is `{name}`, and what happens then.") for name in Severity},
    "Limits by severity. With `critical` alone there is a warning at 90 % of its limit. In rules with `drift` a tier "
    "without a limit has the default limits of its method, from the mildest tier on: 0.1, 0.25, 0.5 for psi and most "
    "others; 0.005, 0.03, 0.125 for cramer_von_mises; 0.55, 0.625, 0.75 for classifier_auc; 0.01, 0.06, 0.25 for mmd; "
    "and with `across` 30 %, 50 % and 75 % of the features. Drift that chance explains never reaches a tier.",
)
RECOVER = Section("the recovery limit", LIMITS, "The one limit beyond which a finding counts as recovered.")

BASELINE = Section(
    "the baseline",
    {
        "file": Field(
            PATH,
            "A file written by `modelwatch baseline capture`, of a period or of a training set (`--from-table`); for "
            "`drift` also the latter's W&B artifact (`entity/project/name:alias`). Captured for another model, or from "
            "another source, it is refused, unless it was captured with `--force`.",
        ),
        "rolling": Field(duration(DAY), "The history of this length, ending a week before the window."),
        "seasonal": Field(
            duration(7 * DAY),
            "The same hour of the week, this far back; from `52w` on the same week of earlier years, times the change "
            "of the level since.",
        ),
        "version": Field(_version, "Another model version: its name, or `previous`."),
        "value": Field(Number(), "A constant."),
        "n": Field(Number(above=0.0), "The count behind `value`, so that its own uncertainty counts."),
        "anchor": Field(
            Enumeration("`on` or `off`", vocabulary.SWITCH),
            "With `rolling`: compare with the first healthy weeks of the version in production, too, to find what gets "
            "worse slowly. Rules with a budget of false alarms only; sums never.",
            default="on",
        ),
    },
    "What a rule compares with: one of `file`, `rolling`, `seasonal`, `version`, `value`.",
)

ANOMALY = Section(
    "the anomaly section",
    {"memory": Field(duration(4 * WEEK), "How much history before the oldest evaluation counts as the past.")},
    "Finds points unlike the metric's own past, without limits and without a baseline. Each tier is reached as seldom "
    "as its budget of `false_alarms` says.",
    dataclass=AnomalySpec,
)
OVERRIDE = Section(
    "an override",
    {
        "version": Field(_version, "The model version.", required=True),
        "tiers": Field(TIERS, "The tiers of this version, instead of the rule's.", required=True),
    },
)

RULE_FIELDS = {
    "kind": Field(
        KIND,
        f"The kind of alert; it names the runbook: {', '.join(f'`{kind}`' for kind in vocabulary.RULE_KINDS)}, or "
        "one of your own with a `runbook`. By default `data-drift` with `drift`, and `anomaly` with `anomaly`.",
    ),
    "metric": Field(_key, "The key of the metric in W&B, or a column; `*` and `label=*` become labels."),
    "drift": Field(
        _key,
        "A pattern such as `features/*`: short for the metric `<drift>/<method>`. Histograms are compared; a score "
        "that was logged as a number is tested against chance where its count is logged as `n`.",
    ),
    "method": Field(Text("a word such as psi", r"[A-Za-z0-9_.-]+"), "The drift method: `psi`, `ks`, ..."),
    "false_alarms": Field(
        AnyOf(scalar=Percentage(high=0.5), mapping=BUDGET),
        "The rule's own budget of false alarms, instead of a share of the model's. With `drift` also a percentage: "
        "each window is decided alone, and exceeds the limit by chance so often.",
        show_default=False,
    ),
    "across": Field(
        Enumeration("a way to make one number of all features", FeatureAggregation),
        "With `drift`: one finding for all features; `share` is the share of them that drifted.",
    ),
    "importances": Field(
        MapOf(Number(low=0.0), r"[^\s].*", "a feature", max_key_length=200),
        "With `across`: the weight of each feature. Features without one do not count, and are reported.",
    ),
    "anomaly": Field(ANOMALY, "`{}`: tiers without limits, which points unlike the metric's own past reach."),
    "weight": Field(_key, "The key of the count behind the metric; segments have it under its last part."),
    "denominator": Field(_key, "With `aggregate: ratio`: the key that the metric is divided by."),
    "aggregate": Field(Enumeration("an aggregate", Aggregate), "How the points of a window become one number."),
    "interval": Field(
        Enumeration("a kind of interval", Interval),
        "The confidence interval of a window's value; by default `wilson` where there is a `weight` (`normal` for "
        "errors that are no shares, such as `mae`, `rmse` and `log_loss`), else `none`. "
        "`auc`: the metric is an area under the ROC curve, and `weight` counts the rows of the rarer class.",
        show_default=False,
    ),
    "better": Field(
        Enumeration("a direction", vocabulary.DIRECTIONS),
        "Which direction is good; by default it follows from the limits, or where these do not say from the key that "
        "`measure` publishes.",
    ),
    "window": Field(duration(60.0), "How much time one evaluation covers."),
    "every": Field(duration(60.0), "How often the rule is evaluated: a divisor of a day, or whole days."),
    "lag": Field(
        duration(),
        "How long labels or logs take to arrive. Rules on metrics of labels that `measure` publishes wait for mature "
        "windows anyway, see `measure: {maturity}`.",
    ),
    "for": Field(
        Count(),
        "How many findings in a row, each with new points, must reach a tier before it applies.",
        attribute="for_",
    ),
    "hold": Field(
        Count(),
        "How many findings in a row, each with new points, must be beyond `recover` for the alert to resolve. Where "
        "windows decide, the issue closes after as many whose windows share no data.",
    ),
    "recover": Field(
        RECOVER, "The limit beyond which a finding counts as recovered; by default the limits of the mildest tier."
    ),
    "baseline": Field(
        AnyOf(scalar=BASELINE, sequence=ListOf(BASELINE, min_items=1), mapping=BASELINE),
        "What the rule compares with. With `drift` also a list: the baseline that a feature is furthest from counts.",
    ),
    "segments": Field(
        one_or_more(_key), "Patterns of the same metric by segment: `eval/region=*/accuracy`, or several in a list."
    ),
    "min_points": Field(Count(), "A window with fewer points is undecided."),
    "min_weight": Field(Number(low=0.0), "A window with a smaller count is undecided."),
    "tiers": Field(TIERS, "Limits and actions by severity."),
    "overrides": Field(
        AnyOf(sequence=ListOf(OVERRIDE), mapping=MapOf(TIERS, r"[^\s].*", "a model version", max_key_length=200)),
        "Other tiers for a model version: a list of `version` and `tiers`, or tiers by version.",
    ),
    **CALENDAR_FIELDS,
    "improvement": Field(Percentage(), "An improvement on the baseline by this share is reported, too."),
    "runbook": Field(_page, "Your own page instead of ours: a URL, or a path from the root of the repository."),
    "links": Field(vocabulary.LINKS, "Your dashboards and commands for this rule, before those of the model."),
}
RULE = Section(
    "a rule",
    {"name": Field(NAME, "Its name, unique within the model.", required=True), **RULE_FIELDS},
    "One configured check of one metric.",
    dataclass=Rule,
)

_WITHOUT_PROPORTION_INTERVAL = frozenset((Aggregate.SUM, Aggregate.P50, Aggregate.P95, Aggregate.P99))
"""Aggregates to which a proportion's interval does not apply."""

_INAPPLICABLE = {
    Interval.NORMAL: frozenset((Aggregate.LAST, Aggregate.RATIO)),
    Interval.AUC: frozenset((Aggregate.RATIO,)),
}
"""Aggregates whose standard error does not follow from the spread of the window's points, or that are no area."""

_WITHOUT_MEANING_FOR_ANOMALY = (
    *("drift", "denominator", "aggregate", "interval", "baseline", "recover", "overrides"),
    *("min_weight", "improvement"),
)


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What a rule must know of its model."""

    user: BaselineUser
    verbs: Collection[str]
    has_own_runbooks: bool
    files: BaselineFiles


def build_rule(section: ParsedSection, context: RuleContext) -> Rule:
    """The rule; problems are reported where they are."""
    metric = _read_metric(section)
    limits = None if "anomaly" in section else default_limits(section)
    tiers = _read_rule_tiers(section, context.verbs, limits)
    overrides = _read_overrides(section, context.verbs, limits)
    everything = (*tiers, *(tier for override in overrides for tier in override.tiers))
    better = infer_direction(section, everything, metric)
    baseline, *also = read_baselines(section.get("baseline"), metric, context.files, context.user)
    _check_baseline(section, everything, baseline)
    check_drift(section, everything, (baseline, *also))
    check_drift_keys(section)
    if "drift" in section and "calendar" in section:
        section.add_problem("rules about drift have no `calendar`.", "Remove it.", key="calendar")
    _check_anomaly(section)
    rule: Rule = section.build(
        kind=_read_kind(section, context.has_own_runbooks),
        metric=metric or KeyPattern("unknown"),
        tiers=tiers,
        better=better,
        weight=section.get("weight") or count_key(metric),
        denominator=_read_denominator(section),
        interval=_read_interval(section, metric),
        recover=_read_recovery_limit(section, better),
        baseline=baseline,
        also=tuple(also),
        segments=_read_segments(section, metric),
        overrides=overrides,
        calendar=read_calendar(section),
        anomaly=_read_anomaly(section),
        **_read_false_alarms(section),
        where=section.reader.location(section.node),
    )
    _check_times(section, rule)
    _check_counts(section, rule)
    check_charts(section, rule)
    check_estimate_actions(section, rule)
    return replace(rule, digest=rule_digest(rule), settings=settings_digest(rule))


def _read_anomaly(section: ParsedSection) -> AnomalySpec | None:
    stated = section.get("anomaly")
    return stated.build() if stated is not None else None


def _read_false_alarms(section: ParsedSection) -> dict[str, Any]:
    """A percentage is of drift, for each window; a mapping is a budget."""
    stated = section.get("false_alarms")
    if isinstance(stated, ParsedSection):
        return {"false_alarms": None, "budget": stated.build()}
    if stated is not None and "drift" not in section:
        message = "`false_alarms` without `drift` is a mapping of `warnings`, `pages` and `actions`."
        section.add_problem(message, value="false_alarms")
        return {"false_alarms": None}
    return {"false_alarms": stated}


def _read_metric(section: ParsedSection) -> KeyPattern | None:
    if "drift" in section:
        if "metric" in section:
            section.add_problem("`drift` replaces `metric`; give only one of them.", key="drift")
        if "method" not in section:
            hint = "For example `method: psi`, which reads the keys `<drift>/psi`."
            section.add_problem("`drift` needs a `method`.", hint, key="drift")
        pattern, method = section.get("drift"), section.get("method")
        return (
            _read_pattern(f"{pattern}/{method}", section, section.value_node("drift")) if pattern and method else None
        )
    if "metric" not in section:
        section.add_problem("a rule needs `metric`: the key of the metric in W&B, such as eval/accuracy.")
        return None
    text = section.get("metric")
    return _read_pattern(text, section, section.value_node("metric")) if text else None


def _read_pattern(text: str, section: ParsedSection, node: Node) -> KeyPattern | None:
    parts = text.split("/")
    problem = ""
    if not all(parts):
        problem = "has an empty part between two `/`"
    elif "*" in parts[-1] or ("=" in parts[-1] and len(parts) > 1):
        problem = "must end in the metric's own name, not in a label"
    elif any("*" in part and part != "*" and not part.endswith("=*") for part in parts):
        problem = "can have `*` only as a whole part or as `label=*`"
    if problem:
        section.reader.add_problem(node, f"the key `{shorten(text)}` {problem}.")
        return None
    return KeyPattern(text)


def _read_segments(section: ParsedSection, metric: KeyPattern | None) -> tuple[KeyPattern, ...]:
    texts, node = section.get("segments", []), section.value_node("segments")
    nodes = node.items if isinstance(node, SequenceNode) else [node]
    if len(texts) < len(nodes):
        return ()
    patterns = (_read_segment(text, at, metric, section) for text, at in zip(texts, nodes, strict=False))
    return tuple(dict.fromkeys(pattern for pattern in patterns if pattern is not None))


def _read_segment(text: str, node: Node, metric: KeyPattern | None, section: ParsedSection) -> KeyPattern | None:
    reader = section.reader
    pattern = _read_pattern(text, section, node)
    if pattern is None:
        return None
    if pattern.is_plain:
        reader.add_problem(node, "`segments` is a pattern with a label, such as `eval/region=*/accuracy`.")
    elif metric is not None and pattern.name != metric.name:
        reader.add_problem(node, f"the segments are of {pattern.name}, and the metric is {metric.name}.")
    elif metric is not None and not metric.is_plain:
        reader.add_problem(node, "the metric is a pattern itself, so its matches are the segments already.")
    return pattern


def _read_kind(section: ParsedSection, own_runbooks: bool) -> str:
    default = "data-drift" if "drift" in section else "anomaly" if "anomaly" in section else ""
    if "kind" not in section and not default:
        hint = f"Known: {', '.join(vocabulary.KINDS)}."
        section.add_problem("a rule needs `kind`: what is wrong when it fires; it names the runbook.", hint)
    kind: str = section.get("kind", default)
    if kind and kind not in vocabulary.KINDS and "runbook" not in section and not own_runbooks:
        hint = f"{did_you_mean(kind, vocabulary.KINDS)} Your own kind needs a `runbook:`."
        section.add_problem(f"`{shorten(kind)}` is not a kind that has a runbook.", hint, value="kind")
    return kind


def _read_rule_tiers(
    section: ParsedSection, verbs: Collection[str], limits: tuple[float, ...] | None
) -> tuple[Tier, ...]:
    if "tiers" not in section:
        section.add_problem("a rule needs `tiers`: severity -> limits and what to do.")
    tiers = section.get("tiers")
    return read_tiers(tiers, verbs, limits) if tiers else ()


def _read_overrides(
    section: ParsedSection, verbs: Collection[str], limits: tuple[float, ...] | None
) -> tuple[VersionOverride, ...]:
    stated: Any = section.get("overrides", [])
    if isinstance(stated, dict):
        return tuple(VersionOverride(name, read_tiers(tiers, verbs, limits)) for name, (_, tiers) in stated.items())
    overrides: dict[str, VersionOverride] = {}
    for item in stated:
        version, tiers = item.get("version"), item.get("tiers")
        if version is None or tiers is None:
            continue
        if version in overrides:
            item.add_problem(f"version `{shorten(version)}` has an override already.", value="version")
        overrides[version] = VersionOverride(version, read_tiers(tiers, verbs, limits))
    return tuple(overrides.values())


def _read_denominator(section: ParsedSection) -> KeyPattern | None:
    aggregate = section.setting("aggregate")
    if aggregate is Aggregate.RATIO and "denominator" not in section:
        section.add_problem("`aggregate: ratio` needs a `denominator`.", key="aggregate")
    if aggregate is not Aggregate.RATIO and "denominator" in section:
        section.add_problem("`denominator` belongs to `aggregate: ratio`.", key="denominator")
    text = section.get("denominator")
    return _read_pattern(text, section, section.value_node("denominator")) if text else None


def _read_interval(section: ParsedSection, metric: KeyPattern | None) -> Interval:
    aggregate = section.setting("aggregate")
    stated: Interval | None = section.get("interval")
    if stated is None:
        kind = Interval.NORMAL if metric is not None and is_no_share(metric) else Interval.WILSON
        inapplicable = _WITHOUT_PROPORTION_INTERVAL | _INAPPLICABLE.get(kind, frozenset())
        return kind if "weight" in section and aggregate not in inapplicable else Interval.NONE
    if stated in PROPORTION_INTERVALS and "weight" not in section:
        section.add_problem(f"`{stated}` needs the count: give `weight`.", value="interval")
    elif (stated is not Interval.NONE and aggregate in _WITHOUT_PROPORTION_INTERVAL) or (
        aggregate in _INAPPLICABLE.get(stated, ())
    ):
        section.add_problem(f"`{stated}` does not apply to `aggregate: {aggregate}`.", value="interval")
    return stated


def _read_recovery_limit(section: ParsedSection, better: Direction | None) -> Limit | None:
    recover = section.get("recover")
    if recover is None:
        return None
    limits = read_limits(recover)
    if len(recover.key_names()) != 1:
        recover.add_problem("`recover` takes exactly one limit.")
    if not limits:
        return None
    limit = limits[0]
    if better is not None and limit.form in (RISE_LIMITS if better is Direction.HIGHER else FALL_LIMITS):
        message = f"`recover` must limit the bad direction, and `{limit.form}` limits the good one."
        recover.add_problem(message, "Use the form that the tiers use.", key=str(limit.form))
    return limit


def _check_baseline(section: ParsedSection, tiers: Collection[Tier], baseline: BaselineSpec) -> None:
    limits = [limit for tier in tiers for limit in tier.limits]
    if section.get("recover") is not None:
        limits += read_limits(section.get("recover"))
    compared = {limit.form for limit in limits} - STATIC_LIMITS
    if compared and "baseline" not in section:
        tier, form = first_limit(section.get("tiers"), compared) or (section, min(compared))
        hint = "Give `baseline:`, for example `{rolling: 28d}`."
        tier.add_problem(f"`{form}` compares with a baseline, and the rule has none.", hint, key=str(form))
    if LimitKind.SIGMA in compared and baseline.kind is BaselineKind.CONSTANT:
        message = "`sigma` needs a spread, which a constant does not have."
        section.add_problem(message, "Use `file`, `rolling`, `seasonal` or `version`.", key="baseline")
    aggregate = section.setting("aggregate")
    if baseline.kind is BaselineKind.FILE and aggregate in (Aggregate.SUM, Aggregate.RATIO):
        message = (
            f"a captured baseline holds the mean of points, which `aggregate: {aggregate}` cannot be compared with."
        )
        section.add_problem(message, "Use `rolling`, `seasonal` or `version`.", key="baseline")
    if baseline.kind is BaselineKind.CONSTANT and baseline.value == 0 and compared & RELATIVE_LIMITS:
        message = "a share of a baseline of 0 is always 0."
        hint = "Use `rise_points` or `above` (or `drop_points` or `below`)."
        section.add_problem(message, hint, key="baseline")


def _check_anomaly(section: ParsedSection) -> None:
    """Report keys that have no meaning beside ``anomaly``."""
    for name in _WITHOUT_MEANING_FOR_ANOMALY if "anomaly" in section else ():
        if name in section:
            message = f"`{name}` has no meaning with `anomaly`, which learns from the points themselves what is usual."
            section.add_problem(message, f"Remove `{name}`, or give the tiers limits instead of `anomaly`.", key=name)


def _check_times(section: ParsedSection, rule: Rule) -> None:
    if DAY % rule.every and rule.every % DAY:
        section.add_problem("`every` must divide a day (15m, 1h, 6h, ...) or be whole days.", value="every")
    if rule.window < rule.every:
        message = "`window` is shorter than `every`: the time between two windows would never be evaluated."
        section.add_problem(message, value="window" if "window" in section else "every")


def _check_counts(section: ParsedSection, rule: Rule) -> None:
    if "min_weight" in section and "weight" not in section and rule.aggregate is not Aggregate.RATIO:
        section.add_problem("`min_weight` needs the count: give `weight`.", key="min_weight")
    if "improvement" in section and (rule.better is None or "baseline" not in section):
        section.add_problem("`improvement` needs a `baseline`, and one direction that is better.", key="improvement")
    if rule.name in BUILT_IN_RULES:
        section.add_problem(f"`{rule.name}` is a built-in rule of modelwatch.", "Choose another name.", value="name")
    if "*" in section.get("weight", ""):
        hint = "Segments have it under its last part."
        section.add_problem("`weight` must be a plain key, not a pattern.", hint, value="weight")
