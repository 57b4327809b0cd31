"""Rules: the keys of a rule and its parts, and reading one into a ``Rule``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from ..model.keys import KeyPattern
from ..model.rule import Aggregate, BaselineKind, BaselineSpec, Interval, Limit, LimitKind, Rule, Tier, VersionOverride
from ..timeutil import DAY
from . import vocabulary
from .baselines import BaselineFiles, read_baselines
from .digest import rule_digest
from .drift import check_drift, check_drift_keys, count_key, default_limits
from .field_types import AnyOf, Count, Enumeration, ListOf, MapOf, Number, Percentage, Text, duration
from .reader import Reader, did_you_mean, shorten
from .sections import Field, ParsedSection, Section
from .tiers import first_limit_node, infer_direction, read_limits, read_tiers
from .yaml_nodes import Node, ScalarNode, SequenceNode

NAME_TEXT = Text(vocabulary.NAME_DESCRIPTION, vocabulary.NAME_PATTERN, max_length=64)
_key = Text("a W&B key such as eval/accuracy", r"[^\s/](?:[^\n]*[^\s/])?", max_length=500)
_page = Text("a URL (https://...) or a path to a Markdown file", r"https?://\S+|\S+\.md")
_version = Text("a version", max_length=200)
_verb = Text("`issue`, `page` or the name of a workflow", vocabulary.VERB_PATTERN, max_length=64)
DO_FIELD = Field(
    ListOf(_verb, allow_single=True),
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

TIER = Section(
    "a tier",
    {**LIMITS, "do": DO_FIELD, "for": Field(Count(), "The `for` of this tier, instead of the rule's.")},
    "A severity: it is reached when any of its limits is exceeded. Rules with `drift` have default limits.",
)
TIERS = Section(
    "the tiers",
    {name: Field(TIER, f"When the severity is `{name}`, and what happens then.") for name in vocabulary.SEVERITIES},
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
            Text("a path"),
            "A file written by `modelwatch baseline capture`; for `drift` also one by `--from-table`, or its W&B "
            "artifact (`entity/project/name:alias`).",
        ),
        "rolling": Field(duration(DAY), "The history of this length, ending a week before the window."),
        "seasonal": Field(duration(7 * DAY), "The same hour of the week, this far back."),
        "version": Field(_version, "Another model version: its name, or `previous`."),
        "value": Field(Number(), "A constant."),
        "n": Field(Number(above=0.0), "The count behind `value`, so that its own uncertainty counts."),
    },
    "What a rule compares with: one of `file`, `rolling`, `seasonal`, `version`, `value`.",
)

OVERRIDE = Section(
    "an override",
    {
        "version": Field(_version, "The model version.", required=True),
        "tiers": Field(TIERS, "The tiers of this version, instead of the rule's.", required=True),
    },
)

RULE_FIELDS = {
    "kind": Field(Text("a kind", r"[a-z][a-z0-9-]*", max_length=64), "The kind of alert; it names the runbook."),
    "metric": Field(_key, "The key of the metric in W&B, or a column; `*` and `label=*` become labels."),
    "drift": Field(
        _key,
        "A pattern such as `features/*`: short for the metric `<drift>/<method>`. Histograms are compared; a score "
        "that was logged as a number is tested against chance where its count is logged as `n`.",
    ),
    "method": Field(Text("a word such as psi", r"[A-Za-z0-9_.-]+"), "The drift method: `psi`, `ks`, ..."),
    "false_alarms": Field(
        Percentage(high=0.5), "With `drift`: how often a window may exceed the limit by chance.", default="1%"
    ),
    "across": Field(
        Enumeration("a way to make one number of all features", vocabulary.ACROSS),
        "With `drift`: one finding for all features; `share` is the share of them that drifted.",
    ),
    "importances": Field(
        MapOf(Number(low=0.0), r"[^\s].*", "a feature", max_key_length=200),
        "With `across`: the weight of each feature. Features without one do not count, and are reported.",
    ),
    "weight": Field(_key, "The key of the count behind the metric; segments have it under its last part."),
    "denominator": Field(_key, "With `aggregate: ratio`: the key that the metric is divided by."),
    "aggregate": Field(
        Enumeration("an aggregate", vocabulary.AGGREGATES),
        "How the points of a window become one number.",
    ),
    "interval": Field(
        Enumeration("a kind of interval", vocabulary.INTERVALS),
        "The confidence interval of a window's value; by default `wilson` where there is a `weight`, else `none`.",
        show_default=False,
    ),
    "better": Field(
        Enumeration("a direction", vocabulary.DIRECTIONS),
        "Which direction is good; by default it follows from the limits.",
    ),
    "window": Field(duration(60.0), "How much time one evaluation covers."),
    "every": Field(duration(60.0), "How often the rule is evaluated: a divisor of a day, or whole days."),
    "lag": Field(duration(), "How long labels or logs take to arrive."),
    "for": Field(Count(), "How many findings in a row must reach a tier before it applies.", attribute="for_"),
    "hold": Field(Count(), "How many findings in a row must be beyond `recover` before the alert resolves."),
    "recover": Field(
        RECOVER, "The limit beyond which a finding counts as recovered; by default the limits of the mildest tier."
    ),
    "baseline": Field(
        AnyOf(scalar=BASELINE, sequence=ListOf(BASELINE, min_items=1), mapping=BASELINE),
        "What the rule compares with. With `drift` also a list: the baseline that a feature is furthest from counts.",
    ),
    "segments": Field(
        ListOf(_key, allow_single=True),
        "Patterns of the same metric by segment: `eval/region=*/accuracy`, or several in a list.",
    ),
    "min_points": Field(Count(), "A window with fewer points is undecided."),
    "min_weight": Field(Number(low=0.0), "A window with a smaller count is undecided."),
    "tiers": Field(TIERS, "Limits and actions by severity."),
    "overrides": Field(
        AnyOf(sequence=ListOf(OVERRIDE), mapping=MapOf(TIERS, r"[^\s].*", "a model version", max_key_length=200)),
        "Other tiers for a model version: a list of `version` and `tiers`, or tiers by version.",
    ),
    "improvement": Field(Percentage(), "An improvement on the baseline by this share is reported, too."),
    "runbook": Field(_page, "Your own page instead of ours: a URL, or a path from the root of the repository."),
}
RULE = Section(
    "a rule",
    {"name": Field(NAME_TEXT, "Its name, unique within the model.", required=True), **RULE_FIELDS},
    "One configured check of one metric.",
    dataclass=Rule,
)

TIMING_KEYS = ("window", "every", "lag", "for", "hold", "min_points")
"""Keys of a rule that `quality` takes for all its checks."""
QUALITY_CHECK = Section(
    "a check of quality",
    {
        name: RULE_FIELDS[name]
        for name in (*TIMING_KEYS, "better", "recover", "baseline", "min_weight", "tiers", "runbook")
    },
    "Settings of one check.",
)
_check_setting = AnyOf(
    scalar=Enumeration("`on`, `off` or a mapping", {"on": True, "off": False}), mapping=QUALITY_CHECK
)
QUALITY = Section(
    "the quality section",
    {
        **{name: RULE_FIELDS[name] for name in TIMING_KEYS},
        "missing": Field(_check_setting, "Share of missing cells above the reference: warning 2%, error 10%."),
        "type": Field(_check_setting, "Cells that are not numbers in a numeric column: warning 1%, error 10%."),
        "format": Field(_check_setting, "Texts in a format that the reference does not have: warning 5%, error 20%."),
        "infinite": Field(_check_setting, "Infinite numbers: warning 0, error 1%."),
        "range": Field(_check_setting, "Numbers outside the range of the reference: warning 5%, error 20%."),
        "new": Field(_check_setting, "Rows in categories that the reference does not have: warning 5%, error 20%."),
        "vanished": Field(
            _check_setting, "Categories of the reference that do not occur although 20 rows of each were expected."
        ),
        "cardinality": Field(
            _check_setting, "The number of categories against four weeks: half as many or twice as many."
        ),
        "duplicates": Field(_check_setting, "Rows whose id occurred before: warning 1%, error 10%."),
        "freshness": Field(
            _check_setting,
            "Seconds from the newest row to the window's end: warning at an eighth of the window, error at half.",
        ),
        "volume": Field(
            _check_setting, "The number of rows against the same hours of four weeks: 30% less or twice as many."
        ),
    },
    "Each check is a rule of the kind data-quality, with the name `quality-<check>`.",
)


_WITHOUT_PROPORTION_INTERVAL = frozenset((Aggregate.SUM, Aggregate.P50, Aggregate.P95, Aggregate.P99))
"""Aggregates to which a proportion's interval does not apply."""

_WITHOUT_STANDARD_ERROR = frozenset((Aggregate.LAST, Aggregate.RATIO))
"""Aggregates whose standard error does not follow from the spread of the window's points."""


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What a rule must know of its model."""

    verbs: Collection[str]
    has_own_runbooks: bool
    files: BaselineFiles


def build_rule(section: ParsedSection, reader: Reader, context: RuleContext) -> Rule:
    """The rule; its problems go to ``reader``."""
    metric = _read_metric(section, reader)
    tiers, overrides = _read_all_tiers(section, reader, context.verbs)
    everything = (*tiers, *(tier for override in overrides for tier in override.tiers))
    where = section.key_node("tiers")
    better = infer_direction(section.get("better"), everything, section, reader, where)
    baseline, *also = read_baselines(section.get("baseline"), metric, reader, context.files)
    _check_baseline(section, everything, baseline, reader)
    check_drift(section, everything, (baseline, *also), reader)
    check_drift_keys(section, reader)
    rule: Rule = section.build(
        kind=_read_kind(section, reader, context.has_own_runbooks),
        metric=metric or KeyPattern("unknown"),
        tiers=tiers,
        better=better,
        weight=section.get("weight") or count_key(metric),
        denominator=_read_denominator(section, reader),
        interval=_read_interval(section, reader),
        recover=_read_recovery_limit(section, better, reader),
        baseline=baseline,
        also=tuple(also),
        segments=_read_segments(section, metric, reader),
        overrides=overrides,
        where=reader.location(section.node),
    )
    _check_times(section, rule, reader)
    _check_counts(section, rule, reader)
    return replace(rule, digest=rule_digest(rule))


def _read_metric(section: ParsedSection, reader: Reader) -> KeyPattern | None:
    if "drift" in section:
        if "metric" in section:
            reader.add_problem(section.key_node("drift"), "`drift` replaces `metric`; give only one of them.")
        if "method" not in section:
            hint = "For example `method: psi`, which reads the keys `<drift>/psi`."
            reader.add_problem(section.key_node("drift"), "`drift` needs a `method`.", hint)
        pattern, method = section.get("drift"), section.get("method")
        return _read_pattern(f"{pattern}/{method}", section, "drift", reader) if pattern and method else None
    if "metric" not in section:
        reader.add_problem(section.node, "a rule needs `metric`: the key of the metric in W&B, such as eval/accuracy.")
        return None
    text = section.get("metric")
    return _read_pattern(text, section, "metric", reader) if text else None


def _read_pattern(text: str, section: ParsedSection, name: str, reader: Reader) -> KeyPattern | None:
    return _parse_pattern(section.value_node(name), text, reader)


def _parse_pattern(node: Node, text: str, reader: Reader) -> KeyPattern | None:
    parts = text.split("/")
    problem = ""
    if not all(parts):
        problem = "has an empty part between two `/`"
    elif "*" in parts[-1] or ("=" in parts[-1] and len(parts) > 1):
        problem = "must end in the metric's own name, not in a label"
    elif any("*" in part and part != "*" and not part.endswith("=*") for part in parts):
        problem = "can have `*` only as a whole part or as `label=*`"
    if problem:
        reader.add_problem(node, f"the key `{shorten(text)}` {problem}.")
        return None
    return KeyPattern(text)


def _read_segments(section: ParsedSection, metric: KeyPattern | None, reader: Reader) -> tuple[KeyPattern, ...]:
    texts, node = section.get("segments", []), section.value_node("segments")
    nodes = node.items if isinstance(node, SequenceNode) else [node]
    if len(texts) < len(nodes):
        return ()
    patterns = (_read_segment(text, at, metric, reader) for text, at in zip(texts, nodes, strict=False))
    return tuple(dict.fromkeys(pattern for pattern in patterns if pattern is not None))


def _read_segment(text: str, node: Node, metric: KeyPattern | None, reader: Reader) -> KeyPattern | None:
    pattern = _parse_pattern(node, text, reader)
    if pattern is None:
        return None
    if pattern.is_plain:
        reader.add_problem(node, "`segments` is a pattern with a label, such as `eval/region=*/accuracy`.")
    elif metric is not None and pattern.name != metric.name:
        reader.add_problem(node, f"the segments are of {pattern.name}, and the metric is {metric.name}.")
    elif metric is not None and not metric.is_plain:
        reader.add_problem(node, "the metric is a pattern itself, so its matches are the segments already.")
    return pattern


def _read_kind(section: ParsedSection, reader: Reader, own_runbooks: bool) -> str:
    default = "data-drift" if "drift" in section else ""
    if "kind" not in section and not default:
        hint = f"Known: {', '.join(vocabulary.KINDS)}."
        reader.add_problem(
            section.node, "a rule needs `kind`: what is wrong when it fires; it names the runbook.", hint
        )
    kind: str = section.get("kind", default)
    if kind and kind not in vocabulary.KINDS and "runbook" not in section and not own_runbooks:
        hint = f"{did_you_mean(kind, vocabulary.KINDS)} Your own kind needs a `runbook:`."
        reader.add_problem(section.value_node("kind"), f"`{shorten(kind)}` is not a kind that has a runbook.", hint)
    return kind


def _read_all_tiers(
    section: ParsedSection, reader: Reader, verbs: Collection[str]
) -> tuple[tuple[Tier, ...], tuple[VersionOverride, ...]]:
    if "tiers" not in section:
        reader.add_problem(section.node, "a rule needs `tiers`: severity -> limits and what to do.")
    tiers, usual = section.get("tiers"), default_limits(section)
    return (read_tiers(tiers, reader, verbs, usual) if tiers else ()), _read_overrides(section, reader, verbs)


def _read_overrides(section: ParsedSection, reader: Reader, verbs: Collection[str]) -> tuple[VersionOverride, ...]:
    found: Any = section.get("overrides", [])
    usual = default_limits(section)
    if isinstance(found, dict):
        return tuple(
            VersionOverride(version, read_tiers(tiers, reader, verbs, usual)) for version, (_, tiers) in found.items()
        )
    overrides: dict[str, VersionOverride] = {}
    for item in found:
        version, tiers = item.get("version"), item.get("tiers")
        if version is None or tiers is None:
            continue
        if version in overrides:
            reader.add_problem(item.value_node("version"), f"version `{shorten(version)}` has an override already.")
        overrides[version] = VersionOverride(version, read_tiers(tiers, reader, verbs, usual))
    return tuple(overrides.values())


def _read_denominator(section: ParsedSection, reader: Reader) -> KeyPattern | None:
    aggregate = section.setting("aggregate")
    if aggregate is Aggregate.RATIO and "denominator" not in section:
        reader.add_problem(section.key_node("aggregate"), "`aggregate: ratio` needs a `denominator`.")
    if aggregate is not Aggregate.RATIO and "denominator" in section:
        reader.add_problem(section.key_node("denominator"), "`denominator` belongs to `aggregate: ratio`.")
    text = section.get("denominator")
    return _read_pattern(text, section, "denominator", reader) if text else None


def _read_interval(section: ParsedSection, reader: Reader) -> Interval:
    aggregate = section.setting("aggregate")
    stated: Interval | None = section.get("interval")
    if stated is None:
        return (
            Interval.WILSON if "weight" in section and aggregate not in _WITHOUT_PROPORTION_INTERVAL else Interval.NONE
        )
    if stated is Interval.WILSON and "weight" not in section:
        reader.add_problem(section.value_node("interval"), "`wilson` needs the count: give `weight`.")
    elif stated is not Interval.NONE and aggregate in (
        _WITHOUT_PROPORTION_INTERVAL | _WITHOUT_STANDARD_ERROR
        if stated is Interval.NORMAL
        else _WITHOUT_PROPORTION_INTERVAL
    ):
        reader.add_problem(section.value_node("interval"), f"`{stated}` does not apply to `aggregate: {aggregate}`.")
    return stated


def _read_recovery_limit(section: ParsedSection, better: object, reader: Reader) -> Limit | None:
    limits_given = section.get("recover")
    if limits_given is None:
        return None
    limits = read_limits(limits_given)
    if len(limits_given.key_names()) != 1:
        reader.add_problem(limits_given.node, "`recover` takes exactly one limit.")
    if not limits:
        return None
    limit = limits[0]
    improving_forms = (
        vocabulary.LOWER_IS_BETTER_FORMS
        if better == "higher"
        else vocabulary.HIGHER_IS_BETTER_FORMS
        if better == "lower"
        else ()
    )
    if limit.form in improving_forms:
        message = f"`recover` must limit the bad direction, and `{limit.form}` limits the good one."
        reader.add_problem(limits_given.key_node(str(limit.form)), message, "Use the form that the tiers use.")
    return limit


def _check_baseline(section: ParsedSection, tiers: Collection[Tier], baseline: BaselineSpec, reader: Reader) -> None:
    compared = {limit.form for tier in tiers for limit in tier.limits} & vocabulary.BASELINE_FORMS
    recover = section.get("recover")
    if recover is not None:
        compared |= {limit.form for limit in read_limits(recover)} & vocabulary.BASELINE_FORMS
    if compared and "baseline" not in section:
        tiers_given = section.get("tiers")
        spot = first_limit_node(tiers_given, compared) if tiers_given is not None else None
        node, form = spot or (section.node, min(compared))
        hint = "Give `baseline:`, for example `{rolling: 28d}`."
        reader.add_problem(node, f"`{form}` compares with a baseline, and the rule has none.", hint)
    if LimitKind.SIGMA in compared and baseline.kind is BaselineKind.CONSTANT:
        message = "`sigma` needs a spread, which a constant does not have."
        reader.add_problem(section.key_node("baseline"), message, "Use `file`, `rolling`, `seasonal` or `version`.")
    aggregate = section.setting("aggregate")
    if baseline.kind is BaselineKind.FILE and aggregate in (Aggregate.SUM, Aggregate.RATIO):
        message = (
            f"a captured baseline holds the mean of points, which `aggregate: {aggregate}` cannot be compared with."
        )
        reader.add_problem(section.key_node("baseline"), message, "Use `rolling`, `seasonal` or `version`.")
    if baseline.kind is BaselineKind.CONSTANT and baseline.value == 0 and compared & vocabulary.RELATIVE_FORMS:
        message = "a share of a baseline of 0 is always 0."
        reader.add_problem(section.key_node("baseline"), message, "Use `drop_points` or `rise_points`.")


def _check_times(section: ParsedSection, rule: Rule, reader: Reader) -> None:
    if DAY % rule.every and rule.every % DAY:
        reader.add_problem(
            section.value_node("every"), "`every` must divide a day (15m, 1h, 6h, ...) or be whole days."
        )
    if rule.window < rule.every:
        node = section.value_node("window" if "window" in section else "every")
        message = "`window` is shorter than `every`: the time between two windows would never be evaluated."
        reader.add_problem(node, message)


def _check_counts(section: ParsedSection, rule: Rule, reader: Reader) -> None:
    if "min_weight" in section and "weight" not in section and rule.aggregate is not Aggregate.RATIO:
        reader.add_problem(section.key_node("min_weight"), "`min_weight` needs the count: give `weight`.")
    if "improvement" in section and (rule.better is None or "baseline" not in section):
        message = "`improvement` needs a `baseline`, and one direction that is better."
        reader.add_problem(section.key_node("improvement"), message)
    if rule.name in vocabulary.BUILT_IN_RULES:
        message = f"`{rule.name}` is a built-in rule of modelwatch."
        reader.add_problem(section.value_node("name"), message, "Choose another name.")
    weight = section.value_node("weight")
    if rule.weight and "*" in rule.weight and isinstance(weight, ScalarNode):
        hint = "Segments have it under its last part."
        reader.add_problem(weight, "`weight` must be a plain key, not a pattern.", hint)
