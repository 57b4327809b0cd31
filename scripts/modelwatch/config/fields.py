"""The configuration language, declared once: reading, the JSON Schema and the reference all come from here."""

from __future__ import annotations

from . import words
from .json_value import JsonObject
from .log_fields import MEASURE
from .pagerduty import PAGERDUTY
from .release import RELEASE
from .scalars import Choice, Count, Number, Share, Text, duration, moment, time_of_day
from .shapes import ByForm, Field, ListOf, MapOf, Record

_name = Text(words.NAME_WHAT, words.NAME, longest=64)
_text = Text()
_key = Text("a W&B key such as eval/accuracy", r"[^\s/](?:[^\n]*[^\s/])?", longest=500)
_url = Text("a URL (https://...)", r"https?://\S+")
_pages = Text("a URL (https://...) or a folder of the repository", r"https?://\S+|(?!/)[^\s:]+")
_page = Text("a URL (https://...) or a path to a Markdown file", r"https?://\S+|\S+\.md")
_login = Text("a GitHub login", r"@?[A-Za-z0-9][A-Za-z0-9_-]{0,38}(?:\[bot\])?")
_person = Text(
    "a GitHub login or a team as @org/team", r"@?[A-Za-z0-9][A-Za-z0-9_-]{0,38}(?:\[bot\]|/[A-Za-z0-9_.-]{1,100})?"
)
_repository = Text("a repository as owner/name", r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_version = Text("a version", longest=200)
_verb = Text("`issue`, `page` or the name of a workflow", words.VERB, longest=64)
_mode = Choice("a mode", words.MODES)
_severity = Choice("a severity", words.SEVERITIES)
_do = Field(
    ListOf(_verb, single=True),
    "What is asked for, the whole list: `issue`, `page` and names of workflows. Everything implies `issue`.",
    default=["issue"],
)

LIMITS = {
    "drop": Field(Share(high=1.0), "Lower than the baseline by this share of it: `2%`."),
    "rise": Field(Share(), "Higher than the baseline by this share of it: `20%`."),
    "drop_points": Field(Number(above=0.0), "Lower than the baseline by this much, in the metric's own unit."),
    "rise_points": Field(Number(above=0.0), "Higher than the baseline by this much, in the metric's own unit."),
    "above": Field(Number(), "Greater than this."),
    "below": Field(Number(), "Less than this."),
    "sigma": Field(Number(above=0.0), "This many standard deviations of the baseline away, in the worse direction."),
}

TIER = Record(
    "a tier",
    {**LIMITS, "do": _do, "for": Field(Count(), "Instead of the rule's `for`, for this tier.")},
    "One rung: reached when any of its limits is passed. In rules with `drift` it may be left to the usual ones.",
)
TIERS = Record(
    "the tiers",
    {name: Field(TIER, f"What `{name}` means for this rule.") for name in words.SEVERITIES},
    "Severity -> limits. Where only `critical` is given, a warning exists at 90 % of the way. In rules with `drift` a "
    "tier without a limit has the usual one of its measure: for psi 0.1, then 0.25 and 0.5; of most others the same; "
    "cramer_von_mises 0.005, 0.03, 0.125; classifier_auc 0.55, 0.625, 0.75; mmd 0.01, 0.06, 0.25; and with `across` "
    "30 %, 50 % and 75 % of the features. What chance alone may do never reaches a tier, whatever the limit.",
)
RECOVER = Record("the recovery limit", LIMITS, "The one limit beyond which recovery counts.")

BASELINE = Record(
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

OVERRIDE = Record(
    "an override",
    {
        "version": Field(_version, "The model version it is for.", required=True),
        "tiers": Field(TIERS, "Its tiers, instead of the rule's.", required=True),
    },
)

RULE_FIELDS = {
    "kind": Field(Text("a kind", r"[a-z][a-z0-9-]*", longest=64), "The kind of alert; it names the runbook."),
    "metric": Field(_key, "The key of the metric in W&B, or a column; `*` and `label=*` become labels."),
    "drift": Field(
        _key,
        "A pattern such as `features/*`: short for the metric `<drift>/<method>`. Judged by histograms; a score logged "
        "as a number is held against chance where its count stands beside it as `n`.",
    ),
    "method": Field(Text("a word such as psi", r"[A-Za-z0-9_.-]+"), "The measure of `drift`: `psi`, `ks`, ..."),
    "false_alarms": Field(Share(high=0.5), "With `drift`: how often chance alone may pass, per window.", default="1%"),
    "across": Field(
        Choice("a way to make one number of all features", words.ACROSS),
        "With `drift`: one finding for all features; `share` is the share of them that drifted.",
    ),
    "importances": Field(
        MapOf(Number(low=0.0), r"[^\s].*", "a feature", longest=200),
        "With `across`: what features weigh. Those without an importance count nothing, which is told.",
    ),
    "weight": Field(_key, "The key of the count behind the metric; its last part is looked for beside segments too."),
    "denominator": Field(_key, "With `aggregate: ratio`: the key that the metric is divided by."),
    "aggregate": Field(
        Choice("an aggregate", words.AGGREGATES), "How the points of a window become one number.", default="mean"
    ),
    "interval": Field(
        Choice("a kind of interval", words.INTERVALS),
        "How sure a window's value is; `wilson` where a proportion has a `weight`.",
    ),
    "better": Field(Choice("a direction", words.BETTER), "Which direction is good; by default what the limits say."),
    "window": Field(duration(60.0), "How much time one judgement looks at.", default="24h"),
    "every": Field(duration(60.0), "How often it is judged; divides a day, or whole days.", default="1h"),
    "lag": Field(duration(), "How long labels or logs take to arrive.", default="0"),
    "for": Field(Count(), "This many findings in a row reach a tier before it holds.", default=1),
    "hold": Field(Count(), "This many findings in a row beyond `recover` before it falls.", default=2),
    "recover": Field(RECOVER, "Where recovery counts; by default the mildest tier's own limits."),
    "baseline": Field(
        ByForm(single=BASELINE, listed=ListOf(BASELINE, least=1), mapped=BASELINE),
        "What the rule compares with. With `drift` also a list: the one from which a feature is furthest counts.",
    ),
    "segments": Field(
        ListOf(_key, single=True),
        "Patterns of the same metric by segment: `eval/region=*/accuracy`, or several in a list.",
    ),
    "min_points": Field(Count(), "Fewer points in a window: undecided.", default=1),
    "min_weight": Field(Number(low=0.0), "A smaller count in a window: undecided.", default=0),
    "tiers": Field(TIERS, "Severity -> limits and what to do."),
    "overrides": Field(
        ByForm(listed=ListOf(OVERRIDE), mapped=MapOf(TIERS, r"[^\s].*", "a model version", longest=200)),
        "Other tiers for one model version: a list of `version` and `tiers`, or a mapping from one to the other.",
    ),
    "improvement": Field(Share(), "Better than the baseline by this share is a finding of its own."),
    "runbook": Field(_page, "A page of your own instead of ours: a URL, or a path from the root of the repository."),
}
RULE = Record(
    "a rule",
    {"name": Field(_name, "Its name, unique within the model.", required=True), **RULE_FIELDS},
    "One configured check of one metric.",
)

TIMING = ("window", "every", "lag", "for", "hold", "min_points")
"""Keys of a rule that `quality` takes for all its checks."""
CHECK = Record(
    "a check of quality",
    {name: RULE_FIELDS[name] for name in (*TIMING, "better", "recover", "baseline", "min_weight", "tiers", "runbook")},
    "What this check does otherwise than usual.",
)
_check = ByForm(single=Choice("`on`, `off` or a mapping", {"on": True, "off": False}), mapped=CHECK)
QUALITY = Record(
    "the quality section",
    {
        **{name: RULE_FIELDS[name] for name in TIMING},
        "missing": Field(_check, "Missing cells beyond the reference's share: warning 2%, error 10%."),
        "type": Field(_check, "Cells that are no numbers in a column of numbers: warning 1%, error 10%."),
        "format": Field(_check, "Texts of a shape that the reference does not have: warning 5%, error 20%."),
        "infinite": Field(_check, "Infinite numbers: warning 0, error 1%."),
        "range": Field(_check, "Numbers beyond the extremes of the reference: warning 5%, error 20%."),
        "new": Field(_check, "Rows in categories that the reference does not have: warning 5%, error 20%."),
        "vanished": Field(_check, "Categories of the reference that do not occur, where 20 rows of each were due."),
        "cardinality": Field(_check, "Different categories against four weeks: a half less or twice as many."),
        "duplicates": Field(_check, "Rows whose id was there before: warning 1%, error 10%."),
        "freshness": Field(_check, "Seconds from the newest row to the window's end: an eighth of it, half of it."),
        "volume": Field(_check, "Rows against the same hours of four weeks: 30% less or twice as many."),
    },
    "One rule of the kind data-quality for each check, called `quality-<check>`.",
)

RUNS = Record(
    "the choice of W&B runs",
    {
        "tags": Field(ListOf(_text, single=True), "Tags that a W&B run must have, all of them."),
        "job_type": Field(_text, "Its job type."),
        "group": Field(_text, "Its group."),
        "filters": Field(JsonObject(), "Further filters in the language of `wandb.Api().runs`: a mapping, or JSON."),
    },
)
WANDB = Record(
    "the W&B source",
    {
        "entity": Field(_text, "Team or user; by default WANDB_ENTITY."),
        "project": Field(_text, "The project."),
        "runs": Field(RUNS, "Which W&B runs of the project are read; all of them by default."),
        "version": Field(_text, "The key in the config of the W&B run that holds the model version."),
        "time": Field(
            _text,
            "The history key of the event time; by default the log time. What `modelwatch measure` wrote has its own.",
        ),
        "base_url": Field(_url, "A W&B server of your own; by default WANDB_BASE_URL."),
        "offline": Field(Text("a path"), "A directory of offline W&B runs, instead of `entity` and `project`."),
    },
    "W&B runs to read.",
)
TABLE = Record(
    "the table source",
    {
        "path": Field(Text("a path"), "A CSV or Parquet file, or a pattern of files.", required=True),
        "time": Field(_text, "The column of the time.", default="time"),
        "version": Field(_text, "The column of the model version."),
    },
    "A file of metrics instead of W&B: one row a time, columns are keys.",
)
GITHUB = Record(
    "the GitHub section",
    {
        "repository": Field(_repository, "Where issues and workflows live; by default GITHUB_REPOSITORY."),
        "labels": Field(ListOf(Text("a label", longest=50), single=True), "Labels of the issues, beside our own."),
        "assignees": Field(ListOf(_login, single=True), "Logins that issues are assigned to."),
        "authors": Field(ListOf(_login, single=True), "Logins whose issues are trusted; by default the token's own."),
        "people": Field(
            ListOf(_person, single=True), "Logins, or teams `@org/team`, whose commands on an issue count."
        ),
        "api_url": Field(_url, "A GitHub server of your own; by default GITHUB_API_URL."),
    },
    "Where issues go.",
)
WORKFLOW = Record(
    "a workflow",
    {
        "file": Field(
            Text("the name of a file in .github/workflows such as retrain.yml", r"[^/\s]+\.ya?ml"),
            "The workflow's file in `.github/workflows`.",
        ),
        "repository": Field(_repository, "Another repository, which gets a repository_dispatch with `event_type`."),
        "event_type": Field(Text("an event type", r"\S+", longest=100), "With `repository`: the type that is sent."),
        "ref": Field(_text, "The branch it is started on; by default the default branch."),
        "mode": Field(_mode, "observe, propose or act; rollback, degrade and promote are proposed by default."),
        "cooldown": Field(duration(), "The least time between two of them.", default="24h"),
        "budget": Field(Count(low=0), "At most so many in `budget_period`.", default=4),
        "budget_period": Field(duration(60.0), "The period of `budget`.", default="30d"),
        "automatic": Field(duration(), "A rollback goes by itself only this long after a deployment.", default="2h"),
        "settle": Field(duration(), "By when the metric must have recovered after it.", default="2h"),
        "inputs": Field(MapOf(_text, r"[A-Za-z_][A-Za-z0-9_-]*", "the name of an input"), "Further fixed inputs."),
    },
)
_MATCH: dict[str, Field] = {
    "rule": Field(_name, "Only this rule."),
    "kind": Field(Text("a kind", r"[a-z][a-z0-9-]*"), "Only rules of this kind."),
    "labels": Field(MapOf(_text, r"[^\s].*", "the name of a label"), "Only segments with these labels."),
}
RECURRING = Record(
    "the recurring part",
    {
        "days": Field(ListOf(Choice("a day", words.DAYS), single=True), "On these days; all by default."),
        "from": Field(time_of_day(), "From this time of day (UTC).", required=True),
        "to": Field(time_of_day(), "To this one; at or before `from`, it is on the next day.", required=True),
    },
)
SILENCE = Record(
    "a silence",
    {
        **_MATCH,
        "from": Field(moment(), "When it begins; now by default."),
        "until": Field(moment(), "When it ends (UTC unless it says so).", required=True),
        "owner": Field(_text, "Who answers for it.", required=True),
        "reason": Field(_text, "Why it is muted.", required=True),
        "every": Field(RECURRING, "Only at these hours of the week."),
    },
    "Mutes messages and dispatches until a date; closes nothing.",
)
MATCHER = Record("a matcher", _MATCH)
INHIBIT = Record(
    "an inhibition",
    {
        "source": Field(MATCHER, "While an alert like this fires ...", required=True),
        "target": Field(MATCHER, "... alerts like this are muted.", required=True),
        "min_severity": Field(_severity, "Only where the source is at least this severe.", default="warning"),
    },
)
BUILT_IN = Record("a built-in finding", {"severity": Field(_severity, "How severe it is."), "do": _do})

MODEL_FIELDS = {
    "owner": Field(_text, "Who is asked to act: `@login` or `@organisation/team`."),
    "wandb": Field(WANDB, "The W&B runs that hold the metrics."),
    "table": Field(TABLE, "A table of metrics, instead of `wandb`."),
    "measure": Field(MEASURE, "The prediction log that `modelwatch measure` turns into metrics."),
    "quality": Field(
        ByForm(single=Choice("`on`, `off` or a mapping", {"on": True, "off": False}), mapped=QUALITY),
        "Checks of what `modelwatch measure` found, each a rule: all of them, or `<check>: off` and others' limits.",
    ),
    "release": Field(RELEASE, "What serves, and how that changes."),
    "pagerduty": Field(PAGERDUTY, "Where pages go."),
    "github": Field(GITHUB, "Where issues go."),
    "workflows": Field(
        MapOf(ByForm(single=WORKFLOW.fields["file"].shape, mapped=WORKFLOW), words.VERB, "a verb such as retrain"),
        "Verb -> workflow: a file name, or a mapping with more.",
    ),
    "modes": Field(MapOf(_mode, words.VERB, "`issue`, `page` or a verb"), "observe, propose or act, for each."),
    "silences": Field(ListOf(SILENCE), "What is muted for a while."),
    "inhibit": Field(ListOf(INHIBIT), "What mutes what, beside the defaults (data-quality mutes drift)."),
    "history": Field(duration(86_400.0), "How far back alerts are recomputed at every evaluation.", default="30d"),
    "silent": Field(BUILT_IN, "What a rule that can decide nothing for long asks for."),
    "improvement": Field(BUILT_IN, "What a sudden improvement asks for."),
    "gone": Field(BUILT_IN, "What a segment that disappears asks for."),
    "runbooks": Field(
        Record("the runbooks section", {"base": Field(_pages, "Pages are at `<base>/<kind>.md`.", required=True)}),
        "Runbooks of your own, for all kinds.",
    ),
}
DEEP = frozenset(
    (
        *("wandb", "pagerduty", "github", "workflows", "modes", "silences", "inhibit"),
        *("silent", "improvement", "gone", "quality", "release"),
    )
)
"""Keys of a model that add to the defaults, rather than replace them."""

RULE_DEFAULTS = Record("the rule defaults", RULE_FIELDS)
DEFAULTS = Record(
    "the defaults",
    {**MODEL_FIELDS, "rule": Field(RULE_DEFAULTS, "What every rule has unless it says otherwise.")},
    "What every model in this file has unless it says otherwise.",
)
MODEL = Record(
    "a model",
    {
        "name": Field(_name, "Its name, unique in the whole configuration.", required=True),
        **MODEL_FIELDS,
        "rules": Field(ListOf(RULE, least=1), "What is checked.", required=True),
    },
    "One watched model.",
)
BLAST_RADIUS = Record(
    "the blast radius",
    {
        "issues": Field(Count(low=0), "Issues opened.", default=20),
        "pages": Field(Count(low=0), "Incidents triggered.", default=10),
        "dispatches": Field(Count(low=0), "Workflows started.", default=5),
    },
    "At most so many changes in one evaluation; the rest is refused, and that is told.",
)
FILE = Record(
    "the configuration",
    {
        "version": Field(
            Choice("a version of this language", {"1": 1}), "The version of this language, `1`.", required=True
        ),
        "defaults": Field(DEFAULTS, "What every model has unless it says otherwise."),
        "blast_radius": Field(BLAST_RADIUS, "At most so many changes in one evaluation."),
        "models": Field(ListOf(MODEL, least=1), "The watched models.", required=True),
    },
)
