"""The parts of ``business:`` about what predictions brought: outcomes, cohorts and experiments."""

from __future__ import annotations

from ..errors import did_you_mean
from ..model.business import BusinessSpec
from ..model.experiment import (
    AUTO_LAG,
    BusinessOutcomesSpec,
    CohortsSpec,
    ExperimentMetric,
    ExperimentSpec,
    MetricForm,
    MissingOutcome,
    RepeatedOutcome,
)
from ..model.prediction_log import MeasureSpec
from ..model.rule import Direction
from ..timeutil import DAY
from .field_types import Count, Enumeration, ListOf, MapOf, Number, Percentage, Quantity, Text, duration
from .literals import format_duration, parse_duration
from .reader import shorten
from .sections import Field, ParsedSection, Section
from .vocabulary import NAME, PATH, TEXT, TEXTS, TIMESTAMP

LAG = Quantity(
    "`auto` or a duration such as 90d",
    lambda text: AUTO_LAG if text == "auto" else parse_duration(text),
    r"^auto$|^([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$|^0$",
    low=AUTO_LAG,
    show=lambda value: "auto" if value == AUTO_LAG else format_duration(value),
)
ARM = Text("the name of an arm", max_length=64)
BUSINESS_OUTCOMES = Section(
    "the business outcomes",
    {
        "files": Field(PATH, "A Parquet or CSV file, a folder of them, a pattern, or a URL."),
        "artifact": Field(Text("a W&B artifact (entity/project/name:alias)", r"\S+"), "A W&B artifact, or a table."),
        "query": Field(Text("a query", max_length=10_000), "SQL for DuckDB."),
        "id": Field(TEXT, "The column of the id of the prediction, as `measure: {id}` has it.", required=True),
        "time": Field(TEXT, "The column of the time at which the outcome was known."),
        "missing": Field(
            Enumeration("what a missing outcome means", MissingOutcome),
            "What it means that a prediction is not in the table: that its outcome is `unknown`, or `zero` (a table of "
            "purchases).",
        ),
        "repeated": Field(
            Enumeration("what several outcomes are", RepeatedOutcome),
            "What several rows with one id are: corrections, of which the `last` counts, or outcomes to `add` up.",
        ),
    },
    "A table with what predictions brought, joined to the prediction log by id.",
    dataclass=BusinessOutcomesSpec,
)
COHORTS = Section(
    "the cohorts",
    {
        "value": Field(TEXT, "The column of the value, in the outcomes or in the log.", required=True),
        "window": Field(duration(DAY), "The predictions of so long are one cohort."),
    },
    "The value of a prediction by age, for each cohort: totals are of cohorts whose outcomes are complete.",
    dataclass=CohortsSpec,
)
METRIC_FIELDS = {
    "name": Field(NAME, "Its name, which is part of the keys.", required=True),
    "value": Field(TEXT, "The column of the value, in the outcomes or in the log.", required=True),
    "form": Field(
        Enumeration("a form of metric", MetricForm),
        "What is compared: the `sum` of a unit's values, the `share` of units that brought something, or the `mean` of "
        "all predictions.",
    ),
    "per": Field(TEXT, "A second column: the metric is the sum of values over the sum of this."),
    "better": Field(Enumeration("a direction", Direction), "Which direction is good."),
    "cap": Field(
        Number(above=0.0),
        "A unit counts at most so much, and at least the negative of it. Decide it before the experiment.",
    ),
}
METRIC = Section("the metric", METRIC_FIELDS, "What an experiment measures.", dataclass=ExperimentMetric)
GUARDRAIL = Section(
    "the guardrail",
    {
        **METRIC_FIELDS,
        "margin": Field(
            Percentage(high=1.0),
            "How much worse it may be at most, as a share of the control's value; more than 0.",
            required=True,
            show_default=False,
        ),
    },
    "What an experiment must not harm.",
    dataclass=ExperimentMetric,
)
EXPERIMENT = Section(
    "the experiment",
    {
        "name": Field(NAME, "Its name, which is part of the keys.", required=True),
        "start": Field(TIMESTAMP, "When units began to be assigned.", required=True),
        "until": Field(TIMESTAMP, "Units that come later do not count."),
        "arm": Field(TEXT, "The column of the arm, in the log or in the outcomes; empty: not in it.", required=True),
        "arms": Field(
            MapOf(Number(above=0.0), r"[^\s](?:.*[^\s])?", "the name of an arm"),
            "Each arm with its weight: `{control: 50%, new: 50%}`, or `{control: 1, new: 1}`.",
            required=True,
        ),
        "control": Field(ARM, "The arm that the others are compared with.", required=True),
        "unit": Field(TEXT, "The column of what was assigned, such as the customer; by default each prediction."),
        "follow_up": Field(
            LAG, "For how long each unit is followed after its first prediction. `auto`: for the lag of the outcomes."
        ),
        "metrics": Field(ListOf(METRIC, min_items=1), "What is measured: the first metric decides.", required=True),
        "guardrails": Field(ListOf(GUARDRAIL), "What must not get worse by more than a margin."),
        "covariate": Field(
            TEXTS,
            "Columns of what was known of a unit before the experiment, such as its revenue then: what they explain is "
            "taken off (CUPED).",
            attribute="covariates",
        ),
        "segments": Field(TEXTS, "Columns: the effect in each of their values, and who is harmed."),
        "alpha": Field(Percentage(high=0.5), "The probability of a false positive, over all looks and arms."),
        "units": Field(
            Count(high=1_000_000_000), "The number of units, of all arms, for which intervals are the narrowest."
        ),
    },
    "An A/B experiment, or a holdout: who was in which arm, and what is compared.",
    dataclass=ExperimentSpec,
)


def read_outcomes(section: ParsedSection | None, measure: MeasureSpec | None) -> BusinessOutcomesSpec | None:
    """The spec, paths as written."""
    if section is None:
        return None
    sources = [name for name in ("files", "artifact", "query") if name in section]
    if not sources:
        section.add_problem("the business outcomes have no source: give `files`, `artifact` or `query`.")
    for name in sources[1:]:
        section.add_problem(f"the outcomes have one source, and `{sources[0]}` is given already.", key=name)
    if measure is None or not measure.id or not measure.time:
        hint = "Give `measure: {files: ..., id: ..., time: ...}`."
        section.add_problem("business outcomes are joined to the prediction log by id, and the log has none.", hint)
    outcomes: BusinessOutcomesSpec = section.build()
    return outcomes


def check_business_times(section: ParsedSection, business: BusinessSpec, measure: MeasureSpec | None) -> None:
    """What is compared by age needs a lag: stated, or measured from the times of outcomes."""
    outcomes = business.outcomes
    if business.lag == AUTO_LAG and outcomes is not None and outcomes.time and outcomes.missing is MissingOutcome.ZERO:
        message = "the lag cannot be measured where a missing outcome means zero."
        section.add_problem(message, "State after what time outcomes are complete: `lag: 90d`.", key="outcomes")
    if business.cohorts is not None and (measure is None or not measure.time):
        section.add_problem("cohorts are of predictions, and the model names no log of them.", key="cohorts")
    if business.cohorts is not None and (outcomes is None or not outcomes.time):
        message = "cohorts are by age, and nothing says when outcomes were known."
        section.add_problem(message, "Give `outcomes: {files, id, time}`.", key="cohorts")


def read_experiments(
    sections: list[ParsedSection], measure: MeasureSpec | None, outcomes: BusinessOutcomesSpec | None
) -> tuple[ExperimentSpec, ...]:
    """The specs; of equal names only the first."""
    experiments: dict[str, ExperimentSpec] = {}
    for section in sections:
        _check_experiment(section, measure, outcomes)
        metrics = tuple(part.build() for part in section.get("metrics", []))
        guardrails = tuple(part.build() for part in section.get("guardrails", []))
        spec: ExperimentSpec = section.build(
            metrics=metrics,
            guardrails=guardrails,
            start=section.get("start", 0.0),
            arms=tuple((name, weight) for name, (_, weight) in section.get("arms", {}).items() if weight),
        )
        if spec.name in experiments:
            section.add_problem(f"there is an experiment `{shorten(spec.name)}` already.", value="name")
        experiments.setdefault(spec.name, spec)
    return tuple(experiments.values())


def _check_experiment(
    section: ParsedSection, measure: MeasureSpec | None, outcomes: BusinessOutcomesSpec | None
) -> None:
    if measure is None or not measure.time:
        hint = "Give `measure: {files: ..., id: ..., time: ...}`."
        section.add_problem("an experiment reads the prediction log, and the model names none.", hint)
    arms, control = list(section.get("arms", {})), section.get("control", "")
    if "arms" in section and len(arms) < 2:
        section.add_problem("an experiment has two arms at least.", "Name the control, too.", key="arms")
    if arms and control and control not in arms:
        section.add_problem(f"`{shorten(control)}` is not in `arms`.", did_you_mean(control, arms), value="control")
    if "until" in section and section.get("until", 0.0) <= section.get("start", 0.0):
        section.add_problem("the experiment ends before it begins.", value="until")
    if "unit" in section and section.setting("follow_up") == AUTO_LAG and (outcomes is None or not outcomes.time):
        message = "a unit has several predictions, and nothing says how long it is followed."
        section.add_problem(message, "Give `follow_up: 14d`: every unit counts once it was followed for so long.")
    names: list[str] = []
    for part in (*section.get("metrics", []), *section.get("guardrails", [])):
        if part.get("name") in names:
            part.add_problem(f"there is a metric `{shorten(part.get('name'))}` already.", value="name")
        names.append(part.get("name", ""))
        if "per" in part and "form" in part:
            part.add_problem("`per` makes a ratio of sums: leave `form` out.", key="form")
