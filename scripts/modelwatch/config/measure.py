"""The keys of ``measure``: which prediction log, what its columns mean, and what is told of it."""

from __future__ import annotations

from itertools import combinations

from ..model.prediction_log import DEFAULT_METRICS, METRICS, MeasureSpec, OutcomesSpec, RankingSpec
from ..timeutil import DAY
from .field_types import AnyOf, Count, Enumeration, Field, ListOf, MapOf, ParsedSection, Section, Text, duration
from .reader import Reader, did_you_mean, shorten

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


LOG_SOURCES = ("files", "artifact", "query")


def read_measure(given: ParsedSection | None, reader: Reader) -> MeasureSpec | None:
    """The spec, paths as written; problems go to the reader."""
    if given is None:
        return None
    _check_measure(given, reader)
    outcomes = _read_outcomes(given.get("outcomes"))
    return MeasureSpec(
        files=given.get("files", ""),
        artifact=given.get("artifact", ""),
        query=given.get("query", ""),
        id=given.get("id", ""),
        time=given.get("time", ""),
        version=given.get("version", ""),
        features=tuple(given.get("features", ())),
        score=given.get("score", ""),
        prediction=given.get("prediction", ""),
        label=given.get("label", outcomes.label if outcomes else ""),
        label_time=given.get("label_time", ""),
        segments=tuple(given.get("segments", ())),
        value=given.get("value", ""),
        outcomes=outcomes,
        window=given.get("window", DAY),
        reference=given.get("reference", ""),
        late=given.get("late", 7 * DAY),
        embeddings=tuple(given.get("embeddings", ())),
        texts=tuple(given.get("texts", ())),
        scores=_sorted_pairs(given.get("scores")),
        crossings=_read_crossings(given, reader),
        min_rows=given.get("min_rows", 30),
        metrics=tuple(dict.fromkeys(given.get("metrics", ()))),
        intervals=given.get("intervals", False),
        ranking=_read_ranking(given, reader),
        custom=_read_custom_metrics(given, reader),
    )


def _sorted_pairs(given: dict[str, tuple[object, str]] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, text) for name, (_, text) in (given or {}).items()))


def _read_crossings(given: ParsedSection, reader: Reader) -> tuple[tuple[str, str], ...]:
    """Sorted pairs of segment columns, each once."""
    segments = dict.fromkeys(given.get("segments", ()))
    stated, node = given.get("crossings", False), given.value_node("crossings")
    if stated is True and len(segments) < 2:
        reader.add_problem(node, "a crossing needs two columns in `segments`.")
    if isinstance(stated, bool):
        return tuple(combinations(sorted(segments), 2)) if stated else ()
    for pair in stated:
        if len(set(pair)) != 2 or len(pair) > 2:
            reader.add_problem(node, "a crossing is a pair of two columns, such as [region, device].")
        for name in pair:
            if name not in segments:
                reader.add_problem(node, f"`{shorten(name)}` is not in `segments`.", did_you_mean(name, segments))
    return tuple(sorted({(min(pair), max(pair)) for pair in stated if len(set(pair)) == 2}))


def _read_ranking(given: ParsedSection, reader: Reader) -> RankingSpec | None:
    ranking: ParsedSection | None = given.get("ranking")
    if ranking is None:
        return None
    if "score" not in given:
        reader.add_problem(given.key_node("ranking"), "a ranking is by `score`, which is missing.")
    return RankingSpec(ranking.get("query", ""), ranking.get("at", 10))


def _read_custom_metrics(given: ParsedSection, reader: Reader) -> tuple[tuple[str, str], ...]:
    for name, (key, _) in given.get("custom", {}).items():
        if name in METRICS or name.endswith("_n") or name in ("n", "queries"):
            reader.add_problem(key, f"`{shorten(name)}` is the name of a metric that modelwatch measures itself.")
    return _sorted_pairs(given.get("custom"))


def _read_outcomes(given: ParsedSection | None) -> OutcomesSpec | None:
    if given is None:
        return None
    return OutcomesSpec(
        given.get("files", ""), given.get("id", ""), given.get("label", ""), given.get("label_time", "")
    )


def _check_column_roles(given: ParsedSection, reader: Reader) -> None:
    """A column is an embedding, a text or something else, not two of these."""
    texts = given.get("texts", ())
    other = [name for part in ("features", "segments") for name in given.get(part, ())]
    other += [given.get(part, "") for part in ("id", "time", "version", "score", "prediction", "label", "value")]
    for part in ("embeddings", "texts"):
        for name in given.get(part, ()):
            if name in other or (part == "embeddings" and name in texts):
                hint = "Keep it in one place."
                reader.add_problem(given.key_node(part), f"the column `{shorten(name)}` has another part, too.", hint)


def _check_measure(given: ParsedSection, reader: Reader) -> None:
    places = [name for name in LOG_SOURCES if name in given]
    if not places:
        reader.add_problem(given.node, "the prediction log has no place: give `files`, `artifact` or `query`.")
    for name in places[1:]:
        reader.add_problem(given.key_node(name), f"a prediction log has one place: `{places[0]}` is given already.")
    _check_column_roles(given, reader)
    window = given.get("window", DAY)
    if DAY % window:
        reader.add_problem(given.key_node("window"), "the window does not divide a day.", "For example 1h, 6h or 24h.")
    if "outcomes" not in given:
        return
    if "label" in given:
        reader.add_problem(given.key_node("label"), "the label stands in the log or in `outcomes`, not in both.")
    if "id" not in given:
        reader.add_problem(given.key_node("outcomes"), "`outcomes` are joined by id: the log's `id` is missing.")
