"""The ``measure`` section: the prediction log, the meaning of its columns, and the metrics to publish."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from ..errors import did_you_mean
from ..model.prediction_log import (
    AUTO_MATURITY,
    DEFAULT_METRICS,
    ESTIMABLE_METRICS,
    METRICS,
    AnnotationsSpec,
    CalibrationSpec,
    EstimatesSpec,
    HoldoutSpec,
    MeasureSpec,
    OperationsSpec,
    OutcomesSpec,
    RankingSpec,
)
from ..timeutil import DAY
from .calendars import Zone
from .field_types import BOOLEANS, AnyOf, Count, Enumeration, ListOf, MapOf, Quantity, Text, duration, one_or_more
from .literals import format_duration, parse_duration
from .reader import shorten
from .release import CommandText
from .sections import Field, ParsedSection, Section
from .vocabulary import ON_OR_MAPPING, PATH, TEXT, TEXTS

CLASS = Text("the name of a class", max_length=120)
MATURITY_WORDS = {"auto": AUTO_MATURITY, "off": 0.0}
OUTCOMES = Section(
    "the outcomes",
    {
        "files": Field(PATH, "A Parquet or CSV file, a folder of them, or a pattern.", required=True),
        "id": Field(TEXT, "The column of the id, as in the log.", required=True),
        "label": Field(TEXT, "The column of the true outcome.", required=True),
        "label_time": Field(
            TEXT, "The column of the time at which the outcome was known: of two outcomes the later one counts."
        ),
    },
    "The outcomes of the predictions, where they are in a second table.",
    dataclass=OutcomesSpec,
)
ANNOTATIONS = Section(
    "the annotations",
    {
        "files": Field(PATH, "A Parquet or CSV file, a folder of them, or a pattern.", required=True),
        "id": Field(TEXT, "The column of the id of what was judged.", required=True),
        "annotator": Field(TEXT, "The column that names who judged.", required=True),
        "label": Field(TEXT, "The column of the judgement.", required=True),
        "time": Field(
            TEXT, "The column of its time. Of two judgements by one annotator the later one counts.", required=True
        ),
        "scale": Field(
            Enumeration("a scale", ("nominal", "ordinal", "interval")),
            "How far two labels are apart: equally (`nominal`), by what lies between them in order (`ordinal`), or by "
            "their numbers (`interval`).",
        ),
        "order": Field(TEXTS, "The labels from the lowest to the highest, if they are no numbers."),
    },
    "The judgements of single annotators, one a row: `labels/agreement`.",
    dataclass=AnnotationsSpec,
)
RANKING = Section(
    "the ranking",
    {
        "query": Field(TEXT, "The column that names the query, or the list, of a row.", required=True),
        "at": Field(Count(), "How many rows of a list count."),
    },
    dataclass=RankingSpec,
)
CALIBRATION = Section(
    "the calibration section",
    {
        "by": Field(
            TEXTS, "Numeric inputs: calibration is also published for each tenth of their values in the reference."
        ),
    },
    dataclass=CalibrationSpec,
)
HOLDOUT = Section(
    "the holdout",
    {
        "files": Field(
            PATH, "A Parquet or CSV file: the `id` of each row, the inputs, and labels if known.", required=True
        ),
        "predict": Field(
            CommandText("a command", max_length=10_000),
            "The command that scores the table: it reads `MODELWATCH_INPUT` with the model `MODELWATCH_VERSION`, and "
            "writes `MODELWATCH_OUTPUT` with the columns `id` and `prediction` or scores; run by bash.",
            required=True,
        ),
        "timeout": Field(duration(1.0), "A command that takes longer is stopped, and nothing is logged."),
        "name": Field(
            Text("a name of small letters, digits, - and _", r"[a-z0-9][a-z0-9_-]{0,39}"),
            "Part of the keys, `holdout/<name>/accuracy`: a holdout with other rows needs a new name, and new rules.",
        ),
    },
    "A fixed table that `modelwatch score` has scored by the versions that serve.",
    dataclass=HoldoutSpec,
)
OPERATIONS = Section(
    "the operations section",
    {
        "latency": Field(TEXT, "The column of the latency: `latency/p50`, `p95` and `p99`, in the column's own unit."),
        "error": Field(
            TEXT,
            "The column that says whether a request failed: true, or a number other than 0 and HTTP's 100 to 399, or a "
            "text other than `ok`, `success` and `none`; an empty cell is no error.",
        ),
        "cost": Field(TEXT, "The column of what a prediction cost: `cost/sum` and `cost/mean`."),
    },
    "Columns about serving: each is published for every window, and by segment.",
    dataclass=OperationsSpec,
)
ESTIMATES = Section(
    "the estimates",
    {
        "metrics": Field(
            one_or_more(Enumeration("a metric that can be estimated", ESTIMABLE_METRICS)),
            "The metrics to estimate; by default those among the published metrics that can be.",
        ),
        "history": Field(
            duration(DAY), "How far back labelled rows are used, before the rows whose labels are not due."
        ),
        "min_labels": Field(Count(), "With fewer labelled rows of a version nothing is estimated."),
    },
    "How performance is estimated while labels are missing.",
    dataclass=EstimatesSpec,
)
MEASURE = Section(
    "the prediction log",
    {
        "files": Field(PATH, "A Parquet or CSV file, a folder of them, a pattern, or a URL."),
        "artifact": Field(Text("a W&B artifact (entity/project/name:alias)", r"\S+"), "A W&B artifact, or a table."),
        "query": Field(
            Text("a query", max_length=10_000),
            "SQL for DuckDB, or of Spark (`--engine spark`). It may read whatever the process that measures may read.",
        ),
        "recorder": Field(
            PATH,
            "What recorders in the serving processes counted: `wandb`, or the folder that they write to. Profiles of "
            "all rows, without labels.",
        ),
        "extensions": Field(
            ListOf(Text("the name of an extension", r"[a-z][a-z0-9_]*")),
            "Extensions of DuckDB to install and load: `httpfs` for URLs. No other is.",
        ),
        "id": Field(TEXT, "The column of the id of a prediction."),
        "time": Field(TEXT, "The column of its time."),
        "timezone": Field(Zone(), "The time zone of times that name none: `Europe/Berlin`; by default UTC."),
        "version": Field(TEXT, "The column of the model version."),
        "features": Field(TEXTS, "Columns of the inputs; by default all columns that no other key names."),
        "task": Field(
            Enumeration("a task", ("classes", "numbers")),
            "Whether labels are classes or numbers (a regression); by default numbers if labels and predictions are, "
            "and either take more than 20 values.",
        ),
        "score": Field(TEXT, "The column of the score: the probability of the positive class."),
        "prediction": Field(TEXT, "The column of the prediction: a class or a number."),
        "label": Field(TEXT, "The column of the true outcome."),
        "positive": Field(
            CLASS,
            "Of two classes the positive one, whose AUC, precision, recall and F1 are published; needed unless it is "
            "called 1, true or yes.",
        ),
        "ignore_case": Field(
            Enumeration("`true` or `false`", BOOLEANS), "Whether `Fraud` and `fraud` are one class, in lower case."
        ),
        "label_time": Field(TEXT, "The column of the time at which the outcome was known."),
        "segments": Field(TEXTS, "Columns whose values are segments."),
        "crossings": Field(
            AnyOf(scalar=Enumeration("`true`, `false` or a list of pairs", BOOLEANS), sequence=ListOf(ListOf(TEXT))),
            "Also report these pairs of segment columns: `true` for all pairs, or a list of pairs.",
            default=False,
        ),
        "min_rows": Field(Count(), "A segment with fewer rows that have a label is not published."),
        "metrics": Field(
            one_or_more(Enumeration("a metric", METRICS)),
            "The metrics to publish; those that the log does not allow are left out.",
            default=list(DEFAULT_METRICS),
        ),
        "intervals": Field(
            Enumeration("`true` or `false`", BOOLEANS),
            "Whether to publish the overall metrics with the bounds of their 95 % interval.",
        ),
        "scores": Field(
            MapOf(TEXT, r"[^\s].*", "a class", max_key_length=120),
            "With several classes: the column of each class's probability.",
        ),
        "ranking": Field(
            RANKING, "For ranked lists: the score ranks the rows of a query, the label says how relevant each row was."
        ),
        "custom": Field(
            MapOf(
                Text("a function such as mypackage.metrics:profit", r"[A-Za-z_][\w.]*[.:][A-Za-z_]\w*"),
                r"[a-z][a-z0-9_]*",
                "a name of small letters, digits and _",
            ),
            "Your own metrics by name: a function that takes labels and predictions and returns a number.",
        ),
        "value": Field(
            TEXT,
            "The column of the value of a row, such as revenue; not negative. Metrics `..._by_value` weigh by it, and "
            "come with their effective count of rows (`..._by_value_n`).",
        ),
        "outcomes": Field(OUTCOMES, "A second table that holds the labels, joined by `id`."),
        "annotations": Field(ANNOTATIONS, "A table of what single annotators said: how far they agree is published."),
        "label_noise": Field(
            Enumeration("`true` or `false`", BOOLEANS),
            "Whether to publish the share of labels that the scores contradict, to be compared with its own past: "
            "`labels/suspicious_share`.",
        ),
        "calibration": Field(
            AnyOf(scalar=ON_OR_MAPPING, mapping=CALIBRATION),
            "Publish calibration in full, and predictions by segment: `on`, or a mapping.",
        ),
        "operations": Field(
            OPERATIONS, "Latency, errors and cost from columns of the log, and the throughput of the service."
        ),
        "holdout": Field(HOLDOUT, "A fixed table that `modelwatch score` has scored by the versions that serve."),
        "agreement": Field(
            Enumeration("`true` or `false`", BOOLEANS),
            "Whether versions that predicted the same ids, as a shadow or a canary does, are compared: "
            "`agreement/champion`.",
        ),
        "window": Field(duration(60.0), "How much time one measurement covers; divides a day."),
        "reference": Field(
            Text("a path, or a W&B artifact (entity/project/name:alias)"),
            "A profile written by `modelwatch baseline capture --from-table`, or its W&B artifact.",
        ),
        "late": Field(duration(), "How long labels can take to arrive: windows younger than this are measured again."),
        "estimates": Field(
            AnyOf(scalar=ON_OR_MAPPING, mapping=ESTIMATES),
            "Estimate performance while labels are missing (`estimated/accuracy`, ...), and check it once they are "
            "there (`estimate_check/accuracy`, ...): `on`, or a mapping.",
        ),
        "maturity": Field(
            Quantity(
                "`auto`, `off` or a duration such as 14d",
                lambda text: MATURITY_WORDS.get(text, parse_duration(text)),
                r"^auto$|^off$|^([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$|^0$",
                low=AUTO_MATURITY,
                show=lambda value: (
                    next((word for word, known in MATURITY_WORDS.items() if known == value), "")
                    or format_duration(value)
                ),
            ),
            "How old a window must be before its metrics of labels count: younger ones are published under `young/`. "
            "`auto` (where `label_time` is known): as old as windows are when they have 95 % of the labels that come, "
            "of each class. A time such as `14d`, or `off`.",
        ),
        "weighted": Field(
            Enumeration("`true` or `false`", BOOLEANS),
            "Whether to publish performance with inverse-probability weights, too (`weighted/...`): each labelled row "
            "counts for all rows of its tenth of the scores and its segments.",
        ),
        "embeddings": Field(TEXTS, "Columns that hold a list of numbers in each row; judged on a sample."),
        "texts": Field(TEXTS, "Columns of free text; judged on a sample."),
    },
    "What `modelwatch measure` reads, and what its columns mean.",
    dataclass=MeasureSpec,
)


LOG_SOURCES = ("files", "artifact", "query", "recorder")


def read_measure(section: ParsedSection | None) -> MeasureSpec | None:
    """The spec, paths as written."""
    if section is None:
        return None
    _check_measure(section)
    _check_custom_metrics(section)
    spec: MeasureSpec = section.build(
        crossings=_read_crossings(section),
        calibration=_read_calibration(section),
        estimates=_read_estimates(section),
    )
    return replace(spec, label=spec.label or (spec.outcomes.label if spec.outcomes else ""))


def _read_calibration(section: ParsedSection) -> CalibrationSpec | None:
    stated = section.get("calibration", False)
    if stated is not False and not (section.get("score") or section.get("scores")):
        message, hint = "calibration is about scores.", "Give `score`, the column of the probability, or `scores`."
        section.add_problem(message, hint, key="calibration")
    if isinstance(stated, bool):
        return CalibrationSpec() if stated else None
    spec: CalibrationSpec = stated.build()
    return spec


def _read_estimates(section: ParsedSection) -> EstimatesSpec | None:
    stated = section.get("estimates", False)
    has_label = section.get("label") or section.get("outcomes") is not None
    has_output = section.get("score") or section.get("scores") or section.get("prediction")
    if stated is not False and not (has_label and has_output):
        hint = "Name the columns of the label (or `outcomes`), and of the score; of a regression, of the prediction."
        section.add_problem("an estimate learns from labels and outputs.", hint, key="estimates")
    if isinstance(stated, bool):
        return EstimatesSpec() if stated else None
    spec: EstimatesSpec = stated.build()
    return spec


def _read_crossings(section: ParsedSection) -> tuple[tuple[str, str], ...]:
    """Sorted pairs of segment columns, each once."""
    segments = dict.fromkeys(section.get("segments", ()))
    stated = section.get("crossings", False)
    if stated is True and len(segments) < 2:
        section.add_problem("a crossing needs two columns in `segments`.", value="crossings")
    if isinstance(stated, bool):
        return tuple(combinations(sorted(segments), 2)) if stated else ()
    for pair in stated:
        if len(set(pair)) != 2 or len(pair) > 2:
            section.add_problem("a crossing is a pair of two columns, such as [region, device].", value="crossings")
        for name in pair:
            if name not in segments:
                message, hint = f"`{shorten(name)}` is not in `segments`.", did_you_mean(name, segments)
                section.add_problem(message, hint, value="crossings")
    return tuple(sorted({(min(pair), max(pair)) for pair in stated if len(set(pair)) == 2}))


def _check_custom_metrics(section: ParsedSection) -> None:
    for name, (key, _) in section.get("custom", {}).items():
        if name in METRICS or name.endswith("_n") or name in ("n", "queries"):
            section.reader.add_problem(key, f"`{shorten(name)}` is a metric of modelwatch's own.")


def _check_column_roles(section: ParsedSection) -> None:
    """A column is an embedding, a text or something else, not two of these."""
    texts = section.get("texts", ())
    other = [name for part in ("features", "segments") for name in section.get(part, ())]
    other += [section.get(part, "") for part in ("id", "time", "version", "score", "prediction", "label", "value")]
    for part in ("embeddings", "texts"):
        for name in section.get(part, ()):
            if name in other or (part == "embeddings" and name in texts):
                hint = "Name it once."
                section.add_problem(f"the column `{shorten(name)}` is used by another key, too.", hint, key=part)


def _check_versions(section: ParsedSection) -> None:
    """What compares versions needs ids and outputs."""
    for key in ("holdout", "agreement"):
        if not section.get(key, False):
            continue
        if "id" not in section:
            section.add_problem(f"`{key}` compares rows by id: the log's `id` is missing.", key=key)
        if not any(name in section for name in ("prediction", "score", "scores")):
            section.add_problem(f"`{key}` compares outputs: give `prediction`, `score` or `scores`.", key=key)
    if section.get("agreement", False) and "version" not in section:
        section.add_problem("`agreement` compares versions: the log's `version` is missing.", key="agreement")


def _check_operations(section: ParsedSection) -> None:
    """A column about serving is nothing else."""
    operations = section.get("operations")
    if operations is None:
        return
    if not any(name in operations for name in OPERATIONS.fields):
        operations.add_problem("`operations` names no column.", "Give `latency`, `error` or `cost`.")
    others = {section.get(part, "") for part in ("id", "time", "version", "score", "prediction", "label", "value")}
    for name in OPERATIONS.fields:
        column = operations.get(name, "")
        if column and column in others:
            message = f"the column `{shorten(column)}` is used by another key, too."
            operations.add_problem(message, "Name it once.", key=name)


def _check_annotations(section: ParsedSection) -> None:
    if section.get("label_noise", False) and not (section.get("score") or section.get("scores")):
        message, hint = (
            "`label_noise` judges labels by scores.",
            "Give `score`, the column of the probability, or `scores`.",
        )
        section.add_problem(message, hint, key="label_noise")
    annotations = section.get("annotations")
    if annotations is None:
        return
    order = annotations.get("order", ())
    if order and annotations.setting("scale") == "nominal":
        message, hint = "labels of the scale `nominal` have no order.", "Write `scale: ordinal`."
        annotations.add_problem(message, hint, key="order")
    if len(set(order)) < len(order):
        annotations.add_problem("a label is named twice.", "Name each once.", key="order")


def _check_maturity(section: ParsedSection) -> None:
    stated, outcomes = section.get("maturity"), section.get("outcomes")
    if stated == AUTO_MATURITY and "label_time" not in section and (outcomes is None or "label_time" not in outcomes):
        message = "`maturity: auto` follows the delay of labels, and no `label_time` says when they were known."
        section.add_problem(message, "Name the column, or state the age: `maturity: 14d`.", key="maturity")
    if stated and "label" not in section and outcomes is None:
        section.add_problem("`maturity` is about labels, and there are none.", "Give `label`.", key="maturity")
    if section.get("weighted") and "label" not in section and outcomes is None:
        section.add_problem("`weighted` is about labels, and there are none.", "Give `label`.", key="weighted")


def _check_measure(section: ParsedSection) -> None:
    sources = [name for name in LOG_SOURCES if name in section]
    if not sources:
        section.add_problem("the prediction log has no source: give `files`, `artifact`, `query` or `recorder`.")
    for name in sources[1:]:
        section.add_problem(f"a prediction log has one source, and `{sources[0]}` is given already.", key=name)
    _check_column_roles(section)
    if section.get("ranking") is not None and "score" not in section:
        section.add_problem("`ranking` needs `score`.", key="ranking")
    if DAY % section.setting("window"):
        section.add_problem("the window does not divide a day.", "For example 1h, 6h or 24h.", key="window")
    _check_operations(section)
    _check_versions(section)
    _check_annotations(section)
    _check_maturity(section)
    for name in ("label", "outcomes"):
        if "recorder" in section and name in section:
            hint = "Read the rows that recorders write: `files: FOLDER/sample`."
            section.add_problem("what recorders count has no labels.", hint, key=name)
    if "outcomes" not in section:
        return
    if "label" in section:
        section.add_problem("the label is in the log or in `outcomes`, not in both.", key="label")
    if "id" not in section:
        section.add_problem("`outcomes` are joined by id: the log's `id` is missing.", key="outcomes")
