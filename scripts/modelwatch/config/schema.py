"""The configuration language, declared once: reading, the JSON Schema and the reference all come from here."""

from __future__ import annotations

from typing import Any

from ..model.monitored_model import (
    BlastRadius,
    FlappingSpec,
    GitHubSpec,
    Inhibition,
    Matcher,
    MessageEvent,
    MessagesSpec,
    Model,
    OutageSpec,
    Silence,
    TableSpec,
    WandbSpec,
    WorkflowSpec,
)
from ..model.rule import Rule
from ..model.working_hours import WorkingHours
from ..timeutil import DAY
from . import rules, vocabulary
from .business import BUSINESS
from .calendars import CALENDAR_FIELDS, Country, Zone
from .field_types import (
    BOOLEANS,
    AnyOf,
    Count,
    Enumeration,
    JsonObject,
    ListOf,
    MapOf,
    SecretText,
    Text,
    duration,
    one_or_more,
)
from .measure import MEASURE
from .pagerduty import PAGERDUTY
from .quality_rules import QUALITY
from .reference import reference_markdown
from .release import RELEASE
from .rules import BUDGET, DO_FIELD, RULE, RULE_FIELDS
from .sections import Field, Section
from .self_monitoring import HEARTBEAT, WATCHDOG
from .vocabulary import (
    KIND,
    LOCAL_TIME_OF_DAY,
    MODE,
    NAME,
    ON_OR_MAPPING,
    PATH,
    REPOSITORY,
    SEVERITY,
    TEXT,
    TEXTS,
    TIME_OF_DAY,
    TIMESTAMP,
    URL,
    WEB_ADDRESS,
    WORKFLOW_FILE,
)
from .wandb_setup import WANDB_SETUP

_pages = Text("a URL (https://...) or a folder of the repository", WEB_ADDRESS + r"|(?!/)[^\s:]+")
_login = Text("a GitHub login", r"@?[A-Za-z0-9][A-Za-z0-9_-]{0,38}(?:\[bot\])?", strip="@")
_person = Text(
    "a GitHub login or a team as @org/team",
    r"@?[A-Za-z0-9][A-Za-z0-9_-]{0,38}(?:\[bot\]|/[A-Za-z0-9_.-]{1,100})?",
    strip="@",
)

RUNS = Section(
    "the choice of W&B runs",
    {
        "tags": Field(TEXTS, "Tags that a W&B run must have, all of them."),
        "job_type": Field(TEXT, "Its job type."),
        "group": Field(TEXT, "Its group."),
        "filters": Field(JsonObject(), "Further filters in the language of `wandb.Api().runs`: a mapping, or JSON."),
    },
    dataclass=WandbSpec,
)
WANDB = Section(
    "the W&B source",
    {
        "entity": Field(TEXT, "Team or user; by default WANDB_ENTITY."),
        "project": Field(TEXT, "The project."),
        "runs": Field(RUNS, "The W&B runs of the project to read; by default all."),
        "version": Field(TEXT, "The key in the config of the W&B run that holds the model version."),
        "time": Field(
            TEXT,
            "The history key of the event time; by default the log time. Rows of `modelwatch measure` have their own. "
            "A replay (`--now`) leaves out rows that were logged later.",
        ),
        "base_url": Field(URL, "Your own W&B server; by default WANDB_BASE_URL."),
        "offline": Field(PATH, "A directory of offline W&B runs, instead of `entity` and `project`."),
    },
    "W&B runs to read.",
    dataclass=WandbSpec,
)
TABLE = Section(
    "the table source",
    {
        "path": Field(PATH, "A CSV or Parquet file, a folder of them, or a pattern.", required=True),
        "time": Field(
            TEXT,
            "The column of the time. A table does not say when a row was written: a replay (`--now`) reads them all.",
        ),
        "timezone": Field(Zone(), "The time zone of times that name none: `Europe/Berlin`; by default UTC."),
        "version": Field(TEXT, "The column of the model version."),
    },
    "A file of metrics instead of W&B: one row for each time, columns are keys. It needs the extra `profiling`, which "
    "actions install by themselves.",
    dataclass=TableSpec,
)
GITHUB = Section(
    "the GitHub section",
    {
        "repository": Field(REPOSITORY, "The repository of issues and workflows; by default GITHUB_REPOSITORY."),
        "labels": Field(one_or_more(Text("a label", max_length=50)), "Labels of the issues, in addition to ours."),
        "assignees": Field(
            one_or_more(_login), "Logins that issues are assigned to; by default the owner, where it is a login."
        ),
        "authors": Field(one_or_more(_login), "Logins whose issues are trusted; by default the token's own."),
        "people": Field(one_or_more(_person), "Logins, or teams `@org/team`, whose commands on an issue are accepted."),
        "api_url": Field(URL, "Your own GitHub server; by default GITHUB_API_URL."),
    },
    "Where issues go.",
    dataclass=GitHubSpec,
)
MESSAGES = Section(
    "the messages section",
    {
        "to": Field(
            one_or_more(SecretText(), min_items=1),
            "Addresses in the notation of [apprise](https://appriseit.com/services/) such as `slack://...`, "
            "`msteams://...` or `mailto://...`, each as `${NAME}`.",
            required=True,
        ),
        "on": Field(
            one_or_more(Enumeration("an event", MessageEvent)),
            "What is sent: `opened` (also fired again), `worse`, `proposal` (one waits for approval), `recovered`.",
        ),
    },
    "Short messages about what changed on an issue, each sent at most once. Outside of our actions they need the extra "
    "`messages`.",
    dataclass=MessagesSpec,
)
FLAPPING = Section(
    "the flapping section",
    {
        "pages": Field(Count(low=1), "The most pages of one rule in 24 h while it flaps."),
        "page_after": Field(duration(), "It pages again, though no worse, once it fires for so long without a pause."),
        "quiet": Field(
            duration(),
            "It has recovered when it is healthy after so long without firing; after `hold` of the rule's windows, "
            "which share no data, if that is longer.",
        ),
    },
    "An alert that fires again within 24 h of closing flaps: the rest is one episode on one issue, and it pages when "
    "it gets worse than it was paged as.",
    dataclass=FlappingSpec,
)
WORKFLOW = Section(
    "a workflow",
    {
        "file": Field(
            WORKFLOW_FILE,
            "The workflow's file in `.github/workflows`.",
        ),
        "repository": Field(REPOSITORY, "Another repository, which gets a repository_dispatch with `event_type`."),
        "event_type": Field(Text("an event type", r"\S+", max_length=100), "With `repository`: the type that is sent."),
        "ref": Field(TEXT, "The branch it is started on; by default the default branch."),
        "mode": Field(
            MODE, "The mode; by default `propose` for rollback, degrade and promote, else `act`.", show_default=False
        ),
        "cooldown": Field(duration(), "The shortest time between two dispatches."),
        "budget": Field(Count(low=0), "The most dispatches within `budget_period`."),
        "budget_period": Field(duration(60.0), "The period of `budget`."),
        "automatic_within": Field(
            duration(),
            "A rollback starts without approval only this long after a deployment; later it is proposed.",
            attribute="automatic",
        ),
        "settle": Field(
            duration(),
            "How long the metric can take to recover afterwards; at least the rule's `window` and `hold` evaluations.",
        ),
        "remind": Field(
            duration(),
            "After this time without a decision, people are reminded of a proposal once: on the issue and, if the tier "
            "pages, by a new incident. `0`: never.",
        ),
        "inputs": Field(
            MapOf(TEXT, r"[A-Za-z_][A-Za-z0-9_-]*", "the name of an input"), "Further inputs with fixed values."
        ),
    },
    dataclass=WorkflowSpec,
    renamed={"automatic": "automatic_within"},
)
HOURS = Section(
    "the working hours",
    {
        "days": Field(one_or_more(Enumeration("a day", vocabulary.WEEKDAYS)), "On these days."),
        "from": Field(LOCAL_TIME_OF_DAY, "The start, by the clocks of `timezone`.", attribute="start"),
        "to": Field(LOCAL_TIME_OF_DAY, "The end; at or before `from` it is on the next day.", attribute="end"),
        "slow": Field(SEVERITY, "From this severity on what gets worse day by day pages at any hour."),
        "sudden": Field(SEVERITY, "From this severity on everything else pages at any hour."),
        "holidays": Field(
            one_or_more(Country()),
            "Public holidays of these countries, as in `calendar`, are no working days; by default those of the "
            "model's `calendar`. `[]`: none are.",
        ),
    },
    "A page that can wait is sent when working hours begin; its issue, which says so, is opened at once. Workflows and "
    "messages do not wait.",
    dataclass=WorkingHours,
)
_MATCHER_FIELDS: dict[str, Field] = {
    "rule": Field(NAME, "Only this rule."),
    "kind": Field(KIND, "Only rules of this kind."),
    "labels": Field(MapOf(TEXT, r"[^\s].*", "the name of a label"), "Only segments with these labels."),
}
RECURRING = Section(
    "the recurring part",
    {
        "days": Field(one_or_more(Enumeration("a day", vocabulary.WEEKDAYS)), "On these days; by default all."),
        "from": Field(TIME_OF_DAY, "The start (UTC).", required=True),
        "to": Field(TIME_OF_DAY, "The end (UTC); at or before `from` it is on the next day.", required=True),
    },
)
SILENCE = Section(
    "a silence",
    {
        **_MATCHER_FIELDS,
        "from": Field(TIMESTAMP, "When it starts; by default now.", attribute="start", show_default=False),
        "until": Field(TIMESTAMP, "When it ends (UTC unless it has an offset).", required=True),
        "owner": Field(TEXT, "Who is responsible for it.", required=True),
        "reason": Field(TEXT, "Why it is muted.", required=True),
        "every": Field(RECURRING, "Only in these hours of the week."),
    },
    "Mutes messages and dispatches until a date. Nothing is closed.",
    dataclass=Silence,
)
MATCHER = Section("a matcher", _MATCHER_FIELDS, dataclass=Matcher)
INHIBITION = Section(
    "an inhibition",
    {
        "source": Field(MATCHER, "The alert that mutes others while it fires.", required=True),
        "target": Field(MATCHER, "The alerts that it mutes.", required=True),
        "min_severity": Field(SEVERITY, "Only where the source is at least this severe."),
    },
    dataclass=Inhibition,
)
BUILT_IN = Section("a built-in finding", {"severity": Field(SEVERITY, "How severe it is."), "do": DO_FIELD})
OUTAGE = Section(
    "the outage section",
    {
        "severity": Field(SEVERITY, "How severe it is after that time; before, at most a warning."),
        "do": Field(
            one_or_more(Enumeration("`issue` or `page`", vocabulary.BUILT_IN_ACTIONS)), "Empty: it is only reported."
        ),
        "after": Field(
            duration(),
            "After this time (kept in the issue, which the first failed evaluation opens), it pages. `0`: at once.",
        ),
    },
    "A source (W&B, files) that cannot be read (W&B that is down: nor two minutes later) is one finding for all models "
    "that read it. The first of them that opens issues and pages acts for all, with its own `outage`. A project that "
    "W&B does not have is a warning, and pages nobody.",
    dataclass=OutageSpec,
)

MODEL_FIELDS = {
    "owner": Field(TEXT, "Who is responsible for the model: `@login` or `@organisation/team`."),
    "wandb": Field(WANDB, "The W&B runs that hold the metrics."),
    "table": Field(TABLE, "A table of metrics, instead of `wandb`."),
    "wandb_setup": Field(WANDB_SETUP, "What is made inside W&B: a view, a report, automations."),
    "measure": Field(MEASURE, "The prediction log that `modelwatch measure` turns into metrics."),
    "quality": Field(
        AnyOf(scalar=ON_OR_MAPPING, mapping=QUALITY),
        "Data-quality checks of the prediction log: `on` for all, or settings for each check.",
    ),
    "release": Field(RELEASE, "Which version serves, and how to change it."),
    "business": Field(BUSINESS, "What the model is worth, and what it costs."),
    "pagerduty": Field(PAGERDUTY, "Where pages go."),
    "messages": Field(MESSAGES, "Who gets messages by chat or mail."),
    "flapping": Field(FLAPPING, "How an alert that comes and goes is damped."),
    "hours": Field(HOURS, "When the team works. Without it every page is sent at once."),
    "github": Field(GITHUB, "Where issues go."),
    "workflows": Field(
        MapOf(
            AnyOf(scalar=WORKFLOW.fields["file"].field_type, mapping=WORKFLOW),
            vocabulary.VERB_PATTERN,
            "a verb such as retrain",
        ),
        "Workflows by verb: a file name, or a mapping with further keys.",
    ),
    "modes": Field(MapOf(MODE, vocabulary.VERB_PATTERN, "`issue`, `page` or a verb"), "The mode of each action."),
    "silences": Field(ListOf(SILENCE), "Alerts that are muted until a date."),
    "inhibit": Field(
        ListOf(INHIBITION), "Alerts that mute other alerts, in addition to the default (data-quality mutes drift)."
    ),
    "depends_on": Field(
        vocabulary.TEXTS,
        "Models whose output this one reads. While one of them fires, alerts of this model that begin within a day "
        "after it are shown on its issue, and neither open one nor page.",
    ),
    "history": Field(
        duration(DAY),
        "How far back alerts are recomputed at every evaluation; up to a week more, so that it begins at a whole week.",
    ),
    "false_alarms": Field(
        AnyOf(scalar=Enumeration("`off` or a mapping", {"off": False}), mapping=BUDGET),
        "The budget of false alarms, shared by the model's rules, their segments and tiers. It holds however often the "
        "rules are evaluated. `off`: every window is decided alone, at 95 %.",
    ),
    **CALENDAR_FIELDS,
    "silent": Field(BUILT_IN, "What happens when a rule stays undecided."),
    "improvement": Field(BUILT_IN, "What happens when a metric improves suddenly."),
    "implausible": Field(
        BUILT_IN,
        "What happens when a metric is constant or perfect for hours, or better than ever by far, although its past is "
        "not like that.",
    ),
    "outage": Field(OUTAGE, "What happens when the source of the metrics cannot be read."),
    "gone": Field(BUILT_IN, "What happens when a segment disappears."),
    "divergence": Field(
        BUILT_IN,
        "What happens when a rule of kind `business-metric` fires, and no technical metric of the model explains it or "
        "one has even improved.",
    ),
    "links": Field(
        vocabulary.LINKS, "Your dashboards (URLs) and commands by name; the issue, the page and the runbook show them."
    ),
    "dashboard": Field(
        Section(
            "the dashboard section",
            {
                "url": Field(
                    URL,
                    "Where you publish what `modelwatch dashboard` writes: issues and pages link to the alert there. "
                    "PagerDuty shows the chart where the address begins with https and needs no login.",
                    required=True,
                )
            },
        ),
        "The published dashboard.",
    ),
    "runbooks": Field(
        Section("the runbooks section", {"base": Field(_pages, "Pages are at `<base>/<kind>.md`.", required=True)}),
        "Your own runbooks, for all kinds.",
    ),
}
MERGED_KEYS = frozenset(
    (
        *("wandb", "pagerduty", "messages", "github", "workflows", "modes", "silences", "inhibit"),
        *("silent", "improvement", "implausible", "gone", "divergence", "quality", "release", "false_alarms"),
        *("calendar", "business", "outage", "links", "dashboard", "flapping", "hours", "wandb_setup"),
    )
)
"""Keys of a model that add to the defaults, rather than replace them."""

RULE_DEFAULTS = Section("the rule defaults", RULE_FIELDS, dataclass=Rule)
DEFAULTS = Section(
    "the defaults",
    {**MODEL_FIELDS, "rule": Field(RULE_DEFAULTS, "Defaults for every rule.")},
    "Defaults for every model in this file.",
    dataclass=Model,
)
MODEL = Section(
    "a model",
    {
        "name": Field(NAME, "Its name, unique in the whole configuration.", required=True),
        "drill": Field(
            Enumeration("`true` or `false`", BOOLEANS),
            "Whether the model exists for drills alone. `modelwatch drill --staging` refuses any other, and everything "
            "that people see of it begins with `[DRILL]`.",
        ),
        **MODEL_FIELDS,
        "rules": Field(ListOf(RULE, min_items=1), "The rules that are checked.", required=True),
    },
    "One monitored model.",
    dataclass=Model,
)
BLAST_RADIUS = Section(
    "the blast radius",
    {
        "issues": Field(Count(low=0), "Issues opened."),
        "pages": Field(Count(low=0), "Incidents triggered."),
        "dispatches": Field(Count(low=0), "Workflows started."),
    },
    "The most changes in one evaluation; further ones are refused and reported.",
    dataclass=BlastRadius,
)
WHOLE_KEYS = ("blast_radius", "heartbeat", "watchdog")
"""Sections about the whole configuration: one file states each."""
FILE = Section(
    "the configuration",
    {
        "version": Field(
            Enumeration("a format version", {"1": 1}), "The version of the configuration format, `1`.", required=True
        ),
        "defaults": Field(DEFAULTS, "Defaults for every model."),
        "blast_radius": Field(BLAST_RADIUS, "The most changes in one evaluation."),
        "heartbeat": Field(HEARTBEAT, "The monitor outside that expects a call from every evaluation."),
        "watchdog": Field(WATCHDOG, "The workflow that watches modelwatch, whose silence is an alert."),
        "models": Field(ListOf(MODEL, min_items=1), "The monitored models.", required=True),
    },
)


DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Draft 2020-12. Reading is less strict in one point: required keys can come from ``defaults``."""
    defs: dict[str, Any] = {}
    top = FILE.schema(defs)
    return {"$schema": DIALECT, "title": "modelwatch.yml", **top, "$defs": dict(sorted(defs.items()))}


FIRST_SECTIONS = (FILE, MODEL, rules.RULE, rules.TIERS, rules.TIER, rules.BASELINE)
"""The sections of the smallest configuration, in the order of writing it; the others follow as they are named."""
INTRODUCTION = """\
# `modelwatch.yml`

Every key of the configuration. `modelwatch config reference` prints this page, `modelwatch config schema` prints the
JSON Schema for editors, and `modelwatch config check` reports every problem in a file with its line and column.

- A configuration is one file, or a folder of files whose models belong together. Files whose names end in
  `modelwatch-tests.yml` are [tests of rules](RULE-TESTS.md), and no part of it.
- Durations are written `30m`, `24h`, `7d`, `1d12h`; shares `2%` or `0.02`. Times without an offset are UTC.
- `${NAME}` is replaced from the environment, or from the lines of `MODELWATCH_SECRETS`. Keys that hold a secret accept
  only `${NAME}`.
- Keys that a model does not set come from `defaults`, those of a rule from `defaults: {rule: ...}`. Sections of a model
  are merged key by key; lists, and the keys of a rule, such as `tiers`, are replaced whole.
"""


def reference_page() -> str:
    """Markdown: a table for each section, in the order of ``FIRST_SECTIONS`` and then as they are named."""
    return reference_markdown(INTRODUCTION, FIRST_SECTIONS)
