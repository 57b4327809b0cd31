"""The keys of ``measure``: which prediction log, what its columns mean, and what is told of it."""

from __future__ import annotations

from ..model.measured import DEFAULT_METRICS, METRICS
from .scalars import Count, Enumeration, Text, duration
from .shapes import AnyOf, Field, ListOf, MapOf, Section

_text = Text()
BOOLEANS = {"true": True, "false": False}

OUTCOMES = Section(
    "the outcomes",
    {
        "files": Field(Text("a path"), "A Parquet or CSV file, a folder of them, or a pattern.", required=True),
        "id": Field(_text, "The column of the id, as in the log.", required=True),
        "label": Field(_text, "The column of what came true.", required=True),
        "label_time": Field(_text, "The column of when that was known: of two outcomes the later one counts."),
    },
    "What became of the predictions, where that stands in a second table.",
)
RANKING = Section(
    "the ranking",
    {
        "query": Field(_text, "The column that names the query, or the list, of a row.", required=True),
        "at": Field(Count(), "How deep a list is looked at.", default=10),
    },
)
MEASURE = Section(
    "the prediction log",
    {
        "files": Field(Text("a path"), "A Parquet or CSV file, a folder of them, a pattern, or a URL."),
        "artifact": Field(Text("a W&B artifact (entity/project/name:alias)", r"\S+"), "A W&B artifact, or a table."),
        "query": Field(Text("a query", max_length=10_000), "SQL for DuckDB."),
        "id": Field(_text, "The column of the id of a prediction."),
        "time": Field(_text, "The column of its time."),
        "version": Field(_text, "The column of the model version."),
        "features": Field(
            ListOf(_text, allow_single=True), "Columns of the inputs; by default all that have no other part."
        ),
        "score": Field(_text, "The column of the score (a probability)."),
        "prediction": Field(_text, "The column of what was predicted: a class or a number."),
        "label": Field(_text, "The column of what came true."),
        "label_time": Field(_text, "The column of when that was known."),
        "segments": Field(ListOf(_text, allow_single=True), "Columns whose values are told apart."),
        "crossings": Field(
            AnyOf(scalar=Enumeration("`true`, `false` or a list of pairs", BOOLEANS), sequence=ListOf(ListOf(_text))),
            "Crossings of two segment columns that are told apart, too: `true` for all, or pairs of columns.",
            default=False,
        ),
        "min_rows": Field(Count(), "A segment with fewer rows that have a label is not published.", default=30),
        "metrics": Field(
            ListOf(Enumeration("a metric", {name: name for name in METRICS}), allow_single=True),
            "What is published of what the log allows; by default few.",
            default=list(DEFAULT_METRICS),
        ),
        "intervals": Field(
            Enumeration("`true` or `false`", BOOLEANS),
            "Whether the metrics of the whole are published with the bounds of their 95 % interval.",
            default=False,
        ),
        "scores": Field(
            MapOf(_text, r"[^\s].*", "a class", max_key_length=120),
            "Class -> the column of its probability, for several classes.",
        ),
        "ranking": Field(RANKING, "The score ranks the rows of a query, the label says how relevant each was."),
        "custom": Field(
            MapOf(
                Text("a function such as mypackage.metrics:profit", r"[A-Za-z_][\w.]*[.:][A-Za-z_]\w*"),
                r"[a-z][a-z0-9_]*",
                "a name of small letters, digits and _",
            ),
            "Name -> a function of yours that takes labels and predictions and gives a number.",
        ),
        "value": Field(
            _text,
            "The column of what a row is worth, such as revenue; not negative. Metrics `..._by_value` weigh by it, and "
            "come with the count (`..._by_value_n`) of rows alike in worth that would say as much.",
        ),
        "outcomes": Field(OUTCOMES, "A second table that holds the labels, joined by `id`."),
        "window": Field(duration(60.0), "How much time one measurement covers; divides a day.", default="24h"),
        "reference": Field(
            Text("a path, or a W&B artifact (entity/project/name:alias)"),
            "A profile written by `modelwatch baseline capture --from-table`, or its W&B artifact.",
        ),
        "late": Field(
            duration(), "How long labels may take: windows younger than this are measured again.", default="7d"
        ),
        "embeddings": Field(
            ListOf(_text, allow_single=True), "Columns that hold a list of numbers in each row; judged on a sample."
        ),
        "texts": Field(ListOf(_text, allow_single=True), "Columns of free text; judged on a sample."),
    },
    "What `modelwatch measure` reads, and what its columns mean.",
)
