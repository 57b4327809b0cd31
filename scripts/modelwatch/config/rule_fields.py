"""The language of rules, declared once: tiers, baselines, what a check of quality takes over, a rule's own fields."""

from __future__ import annotations

from . import words
from .scalars import Count, Enumeration, Number, Percentage, Text, duration
from .shapes import AnyOf, Field, ListOf, MapOf, Section

NAME_TEXT = Text(words.NAME_DESCRIPTION, words.NAME_PATTERN, max_length=64)
_key = Text("a W&B key such as eval/accuracy", r"[^\s/](?:[^\n]*[^\s/])?", max_length=500)
_page = Text("a URL (https://...) or a path to a Markdown file", r"https?://\S+|\S+\.md")
_version = Text("a version", max_length=200)
_verb = Text("`issue`, `page` or the name of a workflow", words.VERB_PATTERN, max_length=64)
DO_FIELD = Field(
    ListOf(_verb, allow_single=True),
    "What is asked for, the whole list: `issue`, `page` and names of workflows. Everything implies `issue`.",
    default=["issue"],
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
    {name: Field(TIER, f"What `{name}` means for this rule.") for name in words.SEVERITIES},
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
        "rolling": Field(duration(86_400.0), "The history of this length, ending a week before the window."),
        "seasonal": Field(duration(7 * 86_400.0), "The same hour of the week, this far back."),
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
        Enumeration("a way to make one number of all features", words.ACROSS),
        "With `drift`: one finding for all features; `share` is the share of them that drifted.",
    ),
    "importances": Field(
        MapOf(Number(low=0.0), r"[^\s].*", "a feature", max_key_length=200),
        "With `across`: what features weigh. Those without an importance count nothing, which is told.",
    ),
    "weight": Field(_key, "The key of the count behind the metric; its last part is looked for beside segments too."),
    "denominator": Field(_key, "With `aggregate: ratio`: the key that the metric is divided by."),
    "aggregate": Field(
        Enumeration("an aggregate", words.AGGREGATES), "How the points of a window become one number.", default="mean"
    ),
    "interval": Field(
        Enumeration("a kind of interval", words.INTERVALS),
        "How sure a window's value is; `wilson` where a proportion has a `weight`.",
    ),
    "better": Field(
        Enumeration("a direction", words.DIRECTIONS), "Which direction is good; by default what the limits say."
    ),
    "window": Field(duration(60.0), "How much time one judgement looks at.", default="24h"),
    "every": Field(duration(60.0), "How often it is judged; divides a day, or whole days.", default="1h"),
    "lag": Field(duration(), "How long labels or logs take to arrive.", default="0"),
    "for": Field(Count(), "This many findings in a row reach a tier before it holds.", default=1),
    "hold": Field(Count(), "This many findings in a row beyond `recover` before it falls.", default=2),
    "recover": Field(RECOVER, "Where recovery counts; by default the mildest tier's own limits."),
    "baseline": Field(
        AnyOf(scalar=BASELINE, sequence=ListOf(BASELINE, min_items=1), mapping=BASELINE),
        "What the rule compares with. With `drift` also a list: the one from which a feature is furthest counts.",
    ),
    "segments": Field(
        ListOf(_key, allow_single=True),
        "Patterns of the same metric by segment: `eval/region=*/accuracy`, or several in a list.",
    ),
    "min_points": Field(Count(), "Fewer points in a window: undecided.", default=1),
    "min_weight": Field(Number(low=0.0), "A smaller count in a window: undecided.", default=0),
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
