"""The language of rules, declared once: tiers, baselines, what a check of quality takes over, a rule's own fields."""

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
    "What is asked for, the whole list: `issue`, `page` and names of workflows. Everything implies `issue`.",
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
    {**LIMITS, "do": DO_FIELD, "for": Field(Count(), "Instead of the rule's `for`, for this tier.")},
    "One rung: reached when any of its limits is passed. In rules with `drift` it may be left to the usual ones.",
)
TIERS = Section(
    "the tiers",
    {name: Field(TIER, f"What `{name}` means for this rule.") for name in vocabulary.SEVERITIES},
    "Severity -> limits. Where only `critical` is given, a warning exists at 90 % of the way. In rules with `drift` a "
    "tier without a limit has the usual one of its measure: for psi 0.1, then 0.25 and 0.5; of most others the same; "
    "cramer_von_mises 0.005, 0.03, 0.125; classifier_auc 0.55, 0.625, 0.75; mmd 0.01, 0.06, 0.25; and with `across` "
    "30 %, 50 % and 75 % of the features. What chance alone may do never reaches a tier, whatever the limit.",
)
RECOVER = Section("the recovery limit", LIMITS, "The one limit beyond which recovery counts.")

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
        "version": Field(_version, "The model version it is for.", required=True),
        "tiers": Field(TIERS, "Its tiers, instead of the rule's.", required=True),
    },
)

RULE_FIELDS = {
    "kind": Field(Text("a kind", r"[a-z][a-z0-9-]*", max_length=64), "The kind of alert; it names the runbook."),
    "metric": Field(_key, "The key of the metric in W&B, or a column; `*` and `label=*` become labels."),
    "drift": Field(
        _key,
        "A pattern such as `features/*`: short for the metric `<drift>/<method>`. Judged by histograms; a score logged "
        "as a number is held against chance where its count stands beside it as `n`.",
    ),
    "method": Field(Text("a word such as psi", r"[A-Za-z0-9_.-]+"), "The measure of `drift`: `psi`, `ks`, ..."),
    "false_alarms": Field(
        Percentage(high=0.5), "With `drift`: how often chance alone may pass, per window.", default="1%"
    ),
    "across": Field(
        Enumeration("a way to make one number of all features", vocabulary.ACROSS),
        "With `drift`: one finding for all features; `share` is the share of them that drifted.",
    ),
    "importances": Field(
        MapOf(Number(low=0.0), r"[^\s].*", "a feature", max_key_length=200),
        "With `across`: what features weigh. Those without an importance count nothing, which is told.",
    ),
    "weight": Field(_key, "The key of the count behind the metric; its last part is looked for beside segments too."),
    "denominator": Field(_key, "With `aggregate: ratio`: the key that the metric is divided by."),
    "aggregate": Field(
        Enumeration("an aggregate", vocabulary.AGGREGATES),
        "How the points of a window become one number.",
    ),
    "interval": Field(
        Enumeration("a kind of interval", vocabulary.INTERVALS),
        "How sure a window's value is; `wilson` where a proportion has a `weight`.",
        show_default=False,
    ),
    "better": Field(
        Enumeration("a direction", vocabulary.DIRECTIONS), "Which direction is good; by default what the limits say."
    ),
    "window": Field(duration(60.0), "How much time one judgement looks at."),
    "every": Field(duration(60.0), "How often it is judged; divides a day, or whole days."),
    "lag": Field(duration(), "How long labels or logs take to arrive."),
    "for": Field(Count(), "This many findings in a row reach a tier before it holds.", attribute="for_"),
    "hold": Field(Count(), "This many findings in a row beyond `recover` before it falls."),
    "recover": Field(RECOVER, "Where recovery counts; by default the mildest tier's own limits."),
    "baseline": Field(
        AnyOf(scalar=BASELINE, sequence=ListOf(BASELINE, min_items=1), mapping=BASELINE),
        "What the rule compares with. With `drift` also a list: the one from which a feature is furthest counts.",
    ),
    "segments": Field(
        ListOf(_key, allow_single=True),
        "Patterns of the same metric by segment: `eval/region=*/accuracy`, or several in a list.",
    ),
    "min_points": Field(Count(), "Fewer points in a window: undecided."),
    "min_weight": Field(Number(low=0.0), "A smaller count in a window: undecided."),
    "tiers": Field(TIERS, "Severity -> limits and what to do."),
    "overrides": Field(
        AnyOf(sequence=ListOf(OVERRIDE), mapping=MapOf(TIERS, r"[^\s].*", "a model version", max_key_length=200)),
        "Other tiers for one model version: a list of `version` and `tiers`, or a mapping from one to the other.",
    ),
    "improvement": Field(Percentage(), "Better than the baseline by this share is a finding of its own."),
    "runbook": Field(_page, "A page of your own instead of ours: a URL, or a path from the root of the repository."),
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
    "What this check does otherwise than usual.",
)
_check_setting = AnyOf(
    scalar=Enumeration("`on`, `off` or a mapping", {"on": True, "off": False}), mapping=QUALITY_CHECK
)
QUALITY = Section(
    "the quality section",
    {
        **{name: RULE_FIELDS[name] for name in TIMING_KEYS},
        "missing": Field(_check_setting, "Missing cells beyond the reference's share: warning 2%, error 10%."),
        "type": Field(_check_setting, "Cells that are no numbers in a column of numbers: warning 1%, error 10%."),
        "format": Field(_check_setting, "Texts of a shape that the reference does not have: warning 5%, error 20%."),
        "infinite": Field(_check_setting, "Infinite numbers: warning 0, error 1%."),
        "range": Field(_check_setting, "Numbers beyond the extremes of the reference: warning 5%, error 20%."),
        "new": Field(_check_setting, "Rows in categories that the reference does not have: warning 5%, error 20%."),
        "vanished": Field(
            _check_setting, "Categories of the reference that do not occur, where 20 rows of each were due."
        ),
        "cardinality": Field(_check_setting, "Different categories against four weeks: a half less or twice as many."),
        "duplicates": Field(_check_setting, "Rows whose id was there before: warning 1%, error 10%."),
        "freshness": Field(
            _check_setting, "Seconds from the newest row to the window's end: an eighth of it, half of it."
        ),
        "volume": Field(_check_setting, "Rows against the same hours of four weeks: 30% less or twice as many."),
    },
    "One rule of the kind data-quality for each check, called `quality-<check>`.",
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


def build_rule(given: ParsedSection, reader: Reader, context: RuleContext) -> Rule:
    """The rule; its problems go to ``reader``."""
    metric = _read_metric(given, reader)
    tiers, overrides = _read_all_tiers(given, reader, context.verbs)
    everything = (*tiers, *(tier for override in overrides for tier in override.tiers))
    where = given.key_node("tiers")
    better = infer_direction(given.get("better"), everything, given, reader, where)
    baseline, *also = read_baselines(given.get("baseline"), metric, reader, context.files)
    _check_baseline(given, everything, baseline, reader)
    check_drift(given, everything, (baseline, *also), reader)
    check_drift_keys(given, reader)
    rule: Rule = given.build(
        kind=_read_kind(given, reader, context.has_own_runbooks),
        metric=metric or KeyPattern("unknown"),
        tiers=tiers,
        better=better,
        weight=given.get("weight") or count_key(metric),
        denominator=_read_denominator(given, reader),
        interval=_read_interval(given, reader),
        recover=_read_recovery_limit(given, better, reader),
        baseline=baseline,
        also=tuple(also),
        segments=_read_segments(given, metric, reader),
        overrides=overrides,
        where=reader.location(given.node),
    )
    _check_times(given, rule, reader)
    _check_counts(given, rule, reader)
    return replace(rule, digest=rule_digest(rule))


def _read_metric(given: ParsedSection, reader: Reader) -> KeyPattern | None:
    if "drift" in given:
        if "metric" in given:
            reader.add_problem(given.key_node("drift"), "`drift` is short for a `metric`; give one of them.")
        if "method" not in given:
            hint = "For example `method: psi`, which reads the keys `<drift>/psi`."
            reader.add_problem(given.key_node("drift"), "`drift` needs a `method`.", hint)
        pattern, method = given.get("drift"), given.get("method")
        return _read_pattern(f"{pattern}/{method}", given, "drift", reader) if pattern and method else None
    if "metric" not in given:
        reader.add_problem(given.node, "a rule needs `metric`: the key of the metric in W&B, such as eval/accuracy.")
        return None
    text = given.get("metric")
    return _read_pattern(text, given, "metric", reader) if text else None


def _read_pattern(text: str, given: ParsedSection, name: str, reader: Reader) -> KeyPattern | None:
    return _parse_pattern(given.value_node(name), text, reader)


def _parse_pattern(node: Node, text: str, reader: Reader) -> KeyPattern | None:
    parts = text.split("/")
    wrong = ""
    if not all(parts):
        wrong = "has an empty part between two `/`"
    elif "*" in parts[-1] or ("=" in parts[-1] and len(parts) > 1):
        wrong = "must end in the metric's own name, not in a label"
    elif any("*" in part and part != "*" and not part.endswith("=*") for part in parts):
        wrong = "may hold `*` only as a whole part or as `label=*`"
    if wrong:
        reader.add_problem(node, f"the key `{shorten(text)}` {wrong}.")
        return None
    return KeyPattern(text)


def _read_segments(given: ParsedSection, metric: KeyPattern | None, reader: Reader) -> tuple[KeyPattern, ...]:
    texts, node = given.get("segments", []), given.value_node("segments")
    nodes = node.items if isinstance(node, SequenceNode) else [node]
    if len(texts) < len(nodes):
        return ()
    found = (_read_segment(text, at, metric, reader) for text, at in zip(texts, nodes, strict=False))
    return tuple(dict.fromkeys(pattern for pattern in found if pattern is not None))


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


def _read_kind(given: ParsedSection, reader: Reader, own_runbooks: bool) -> str:
    default = "data-drift" if "drift" in given else ""
    if "kind" not in given and not default:
        hint = f"Known: {', '.join(vocabulary.KINDS)}."
        reader.add_problem(given.node, "a rule needs `kind`: what is wrong when it fires; it names the runbook.", hint)
    kind: str = given.get("kind", default)
    if kind and kind not in vocabulary.KINDS and "runbook" not in given and not own_runbooks:
        hint = f"{did_you_mean(kind, vocabulary.KINDS)} A kind of your own needs a `runbook:`."
        reader.add_problem(given.value_node("kind"), f"`{shorten(kind)}` is not a kind that has a runbook.", hint)
    return kind


def _read_all_tiers(
    given: ParsedSection, reader: Reader, verbs: Collection[str]
) -> tuple[tuple[Tier, ...], tuple[VersionOverride, ...]]:
    if "tiers" not in given:
        reader.add_problem(given.node, "a rule needs `tiers`: severity -> limits and what to do.")
    tiers, usual = given.get("tiers"), default_limits(given)
    return (read_tiers(tiers, reader, verbs, usual) if tiers else ()), _read_overrides(given, reader, verbs)


def _read_overrides(given: ParsedSection, reader: Reader, verbs: Collection[str]) -> tuple[VersionOverride, ...]:
    found: Any = given.get("overrides", [])
    usual = default_limits(given)
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


def _read_denominator(given: ParsedSection, reader: Reader) -> KeyPattern | None:
    aggregate = given.setting("aggregate")
    if aggregate is Aggregate.RATIO and "denominator" not in given:
        reader.add_problem(given.key_node("aggregate"), "`aggregate: ratio` needs a `denominator`.")
    if aggregate is not Aggregate.RATIO and "denominator" in given:
        reader.add_problem(given.key_node("denominator"), "`denominator` belongs to `aggregate: ratio`.")
    text = given.get("denominator")
    return _read_pattern(text, given, "denominator", reader) if text else None


def _read_interval(given: ParsedSection, reader: Reader) -> Interval:
    aggregate = given.setting("aggregate")
    stated: Interval | None = given.get("interval")
    if stated is None:
        return Interval.WILSON if "weight" in given and aggregate not in _WITHOUT_PROPORTION_INTERVAL else Interval.NONE
    if stated is Interval.WILSON and "weight" not in given:
        reader.add_problem(given.value_node("interval"), "`wilson` needs the count: give `weight`.")
    elif stated is not Interval.NONE and aggregate in (
        _WITHOUT_PROPORTION_INTERVAL | _WITHOUT_STANDARD_ERROR
        if stated is Interval.NORMAL
        else _WITHOUT_PROPORTION_INTERVAL
    ):
        reader.add_problem(given.value_node("interval"), f"`{stated}` does not apply to `aggregate: {aggregate}`.")
    return stated


def _read_recovery_limit(given: ParsedSection, better: object, reader: Reader) -> Limit | None:
    limits_given = given.get("recover")
    if limits_given is None:
        return None
    limits = read_limits(limits_given)
    if len(limits_given.key_names()) != 1:
        reader.add_problem(limits_given.node, "`recover` takes exactly one limit.")
    if not limits:
        return None
    limit = limits[0]
    wrong = (
        vocabulary.LOWER_IS_BETTER_FORMS
        if better == "higher"
        else vocabulary.HIGHER_IS_BETTER_FORMS
        if better == "lower"
        else ()
    )
    if limit.form in wrong:
        message = (
            f"`recover` is stated as the limit that is no longer passed, and `{limit.form}` is the good direction."
        )
        reader.add_problem(limits_given.key_node(str(limit.form)), message, "Use the form that the tiers use.")
    return limit


def _check_baseline(given: ParsedSection, tiers: Collection[Tier], baseline: BaselineSpec, reader: Reader) -> None:
    compared = {limit.form for tier in tiers for limit in tier.limits} & vocabulary.BASELINE_FORMS
    recover = given.get("recover")
    if recover is not None:
        compared |= {limit.form for limit in read_limits(recover)} & vocabulary.BASELINE_FORMS
    if compared and "baseline" not in given:
        tiers_given = given.get("tiers")
        spot = first_limit_node(tiers_given, compared) if tiers_given is not None else None
        node, form = spot or (given.node, min(compared))
        hint = "Give `baseline:`, for example `{rolling: 28d}`."
        reader.add_problem(node, f"`{form}` compares with a baseline, and the rule has none.", hint)
    if LimitKind.SIGMA in compared and baseline.kind is BaselineKind.CONSTANT:
        message = "`sigma` needs a spread, which a constant has not."
        reader.add_problem(given.key_node("baseline"), message, "Use `file`, `rolling`, `seasonal` or `version`.")
    aggregate = given.setting("aggregate")
    if baseline.kind is BaselineKind.FILE and aggregate in (Aggregate.SUM, Aggregate.RATIO):
        message = (
            f"a captured baseline holds the mean of points, which `aggregate: {aggregate}` cannot be held against."
        )
        reader.add_problem(given.key_node("baseline"), message, "Use `rolling`, `seasonal` or `version`.")
    if baseline.kind is BaselineKind.CONSTANT and baseline.value == 0 and compared & vocabulary.RELATIVE_FORMS:
        message = "a share of a baseline of 0 is always 0."
        reader.add_problem(given.key_node("baseline"), message, "Use `drop_points` or `rise_points`.")


def _check_times(given: ParsedSection, rule: Rule, reader: Reader) -> None:
    if DAY % rule.every and rule.every % DAY:
        reader.add_problem(given.value_node("every"), "`every` must divide a day (15m, 1h, 6h, ...) or be whole days.")
    if rule.window < rule.every:
        node = given.value_node("window" if "window" in given else "every")
        message = "`window` is shorter than `every`: what lies between two windows would never be looked at."
        reader.add_problem(node, message)


def _check_counts(given: ParsedSection, rule: Rule, reader: Reader) -> None:
    if "min_weight" in given and "weight" not in given and rule.aggregate is not Aggregate.RATIO:
        reader.add_problem(given.key_node("min_weight"), "`min_weight` needs the count: give `weight`.")
    if "improvement" in given and (rule.better is None or "baseline" not in given):
        message = "`improvement` needs a `baseline`, and one direction that is better."
        reader.add_problem(given.key_node("improvement"), message)
    if rule.name in vocabulary.BUILT_IN_RULES:
        message = f"modelwatch raises `{rule.name}` by itself; the name is taken."
        reader.add_problem(given.value_node("name"), message, "Choose another one.")
    weight = given.value_node("weight")
    if rule.weight and "*" in rule.weight and isinstance(weight, ScalarNode):
        hint = "Its last part is looked for beside every segment."
        reader.add_problem(weight, "`weight` is one plain key, not a pattern.", hint)
