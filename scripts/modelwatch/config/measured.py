"""The prediction log of a model: what its keys gave -> ``MeasureSpec``."""

from __future__ import annotations

from ..model.measured import MeasureSpec, OutcomesSpec
from ..model.rule import DAY
from .reader import Reader
from .shapes import Given

PLACES = ("files", "artifact", "query")


def read_measure(given: Given | None, reader: Reader) -> MeasureSpec | None:
    """The spec, paths as written; problems go to the reader."""
    if given is None:
        return None
    _check(given, reader)
    outcomes = _outcomes(given.get("outcomes"))
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
    )


def _outcomes(given: Given | None) -> OutcomesSpec | None:
    if given is None:
        return None
    return OutcomesSpec(
        given.get("files", ""), given.get("id", ""), given.get("label", ""), given.get("label_time", "")
    )


def _check(given: Given, reader: Reader) -> None:
    places = [name for name in PLACES if name in given]
    if not places:
        reader.problem(given.node, "the prediction log has no place: give `files`, `artifact` or `query`.")
    for name in places[1:]:
        reader.problem(given.at(name), f"a prediction log has one place: `{places[0]}` is given already.")
    window = given.get("window", DAY)
    if DAY % window:
        reader.problem(given.at("window"), "the window does not divide a day.", "For example 1h, 6h or 24h.")
    if "outcomes" not in given:
        return
    if "label" in given:
        reader.problem(given.at("label"), "the label stands in the log or in `outcomes`, not in both.")
    if "id" not in given:
        reader.problem(given.at("outcomes"), "`outcomes` are joined by id: the log's `id` is missing.")
