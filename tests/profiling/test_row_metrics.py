"""Metrics that need rows: rankings and custom functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as peer

from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import UserError
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec, RankingSpec
from modelwatch.profiling import performance
from modelwatch.profiling.measure import MeasureResult, measure
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import capture_reference, write_reference
from modelwatch.stats.performance.probabilistic import binning_error
from modelwatch.stats.profile.codec import to_bytes
from modelwatch.stats.profile.numeric import NumericProfile

from .logs import DAY, START, log, write

NOW = START + 3 * DAY


def profit(labels: Any, predictions: Any) -> float:
    assert labels.dtype == object
    return float(np.mean(labels == predictions) * 10 - 3)


def broken(labels: Any, predictions: Any) -> float:
    raise ZeroDivisionError("no rows of mine")


def found(tmp_path: Path, table: pa.Table, **more: Any) -> MeasureResult:
    path = write(table, tmp_path / "log.parquet")
    roles = {name: name for name in ("id", "time", "label", "prediction", "score")}
    spec = MeasureSpec(str(path), **{**roles, **more})
    return measure(Model("churn", (), measure=spec), NOW, {}, RetryPolicy(), tmp_path)


def test_a_function_of_ones_own(tmp_path: Path) -> None:
    mine = (("profit", f"{__name__}:profit"),)
    days = found(tmp_path, log(), custom=mine, intervals=True).rows
    assert len(days) == 2
    for day in days:
        assert day.scalars["eval/profit"] == pytest.approx(day.scalars["eval/accuracy"] * 10 - 3)
        assert day.scalars["eval/profit_n"] == 1000
        assert day.scalars["eval/profit/low"] < day.scalars["eval/profit"] < day.scalars["eval/profit/high"]


@pytest.mark.parametrize(
    ("path", "told"),
    [("broken", "'mine' failed: ZeroDivisionError: no rows of mine"), ("nowhere", "'mine' cannot be loaded")],
)
def test_a_function_that_fails_is_told(path: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        found(tmp_path, log(), custom=(("mine", f"{__name__}:{path}"),))


def squeezed(share: float = 1.0, rows: int = 4000) -> pa.Table:
    """A log whose scores lie closer together than the reference's bins: of another calibration."""
    table = log(rows, seed=5)
    score = np.asarray(table["score"]) * np.where(np.arange(rows) < share * rows, 1e-6, 1.0) + 0.3
    return table.set_column(table.column_names.index("score"), "score", pa.array(score))


def reference(tmp_path: Path) -> str:
    training = open_log(str(write(log(3000, seed=9), tmp_path / "training" / "log.parquet")))
    columns = {"label": "label", "prediction": "prediction", "score": "score", "segments": ("region",)}
    path = tmp_path / "reference.npz"
    write_reference(path, capture_reference(training, MeasureSpec(id="id", time="time", **columns))[0], {})  # type: ignore[arg-type]
    return str(path)


@pytest.mark.parametrize("limit", [1_000_000, 1000], ids=["all rows", "a sample"])
def test_scores_that_fit_no_bin_are_ranked_by_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(performance, "MAX_ROWS", limit)
    monkeypatch.setattr(performance, "MIN_WINDOW_ROWS", limit // 2)
    table = squeezed()
    result = found(tmp_path, table, reference=reference(tmp_path), segments=("region",), metrics=("auc", "pr_auc"))
    assert any("AUC is computed from the rows" in note for note in result.notes)
    for day, row in enumerate(result.rows):
        part = table.slice(2000 * day, 2000)
        label, score, region = (np.asarray(part[name]) for name in ("label", "score", "region"))
        for key, places in (("eval", region != ""), ("eval/region=eu", region == "eu")):
            auc = peer.roc_auc_score(label[places] == "yes", score[places])
            known = row.scalars[f"{key}/auc"]
            assert known == pytest.approx(auc, abs=1e-12 if limit == 1_000_000 else 0.05)
            assert row.scalars[f"{key}/rarer_n"] == min((label[places] == "yes").sum(), (label[places] == "no").sum())
        if limit == 1_000_000:
            assert row.scalars["eval/score_n"] == 2000
            assert row.scalars["eval/pr_auc"] == pytest.approx(peer.average_precision_score(label == "yes", score))


def test_scores_that_fit_no_bin_have_no_area_where_their_rows_are_elsewhere(tmp_path: Path) -> None:
    known, metrics = reference(tmp_path), ("auc", "accuracy")
    elsewhere = found(tmp_path, squeezed(), reference=known, metrics=metrics)
    path = tmp_path / "part.npz"
    path.write_bytes(to_bytes(elsewhere.profile))
    spec = MeasureSpec(
        id="id", time="time", label="label", prediction="prediction", score="score", reference=known, metrics=metrics
    )
    result = measure(Model("churn", (), measure=spec), NOW, {}, RetryPolicy(), tmp_path, profiles=[path])
    assert all("eval/auc" not in row.scalars and "eval/accuracy" in row.scalars for row in result.rows)
    assert any("do not fit the scores of 2 windows or segments, which have no AUC" in note for note in result.notes)


def test_scores_like_those_of_the_reference_fit_its_bins(tmp_path: Path) -> None:
    result = found(tmp_path, log(), reference=reference(tmp_path), segments=("region",), metrics=("auc",))
    assert not any("bins" in note for note in result.notes)
    assert all("eval/region=eu/auc" in row.scalars for row in result.rows)


def test_equal_scores_are_no_misfit() -> None:
    same = NumericProfile.of(np.full(50, 0.5), np.array([0.0, 1.0]))
    assert binning_error(same, same) == 0
    wide = NumericProfile.of(np.linspace(0.1, 0.9, 50), np.array([0.0, 1.0]))
    assert binning_error(wide, wide) == 0.5
    fine = NumericProfile.of(np.linspace(0.1, 0.9, 50), np.linspace(0, 1, 101))
    assert binning_error(fine, fine) <= 0.01


def lists(queries: int, seed: int = 4) -> pa.Table:
    rng = np.random.default_rng(seed)
    rows = queries * 8
    relevance = rng.integers(0, 3, rows)
    score = relevance + rng.normal(0, 1.5, rows)
    query = [f"q{place}" for place in rng.permutation(np.repeat(np.arange(queries), 8))]
    return log(rows, days=1, query=query, label=relevance, score=score, prediction=relevance)


def ndcg(table: pa.Table, at: int) -> float:
    query = np.array(table["query"].to_pylist())
    gains, scores = table["label"].to_numpy(), table["score"].to_numpy()
    each = [
        peer.ndcg_score(gains[query == name][None], scores[query == name][None], k=at)
        for name in np.unique(query)
        if gains[query == name].any()
    ]
    return float(np.mean(each))


def test_a_ranking(tmp_path: Path) -> None:
    table = lists(60)
    row = found(tmp_path, table, ranking=RankingSpec("query", 5)).rows[0].scalars
    assert row["eval/ndcg"] == pytest.approx(ndcg(table, 5), abs=1e-12)
    assert row["eval/queries"] <= 60
    assert 0 < row["eval/hit_rate"] <= 1


@pytest.mark.parametrize("fields", [{}, {"features": ()}, {"features": ("score",)}])
def test_a_ranking_needs_no_inputs(fields: dict[str, Any], tmp_path: Path) -> None:
    table = lists(60).select(["query", "label", "score", "id", "version", "time"])
    result = found(tmp_path, table, prediction="", ranking=RankingSpec("query", 5), **fields)
    assert result.rows[0].scalars["eval/ndcg"] == pytest.approx(ndcg(table, 5), abs=1e-12)
    assert not any("cannot rank" in note for note in result.notes)


def test_large_windows_keep_whole_queries_and_say_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = lists(400)
    whole = found(tmp_path, table, ranking=RankingSpec("query")).rows[0].scalars
    monkeypatch.setattr(performance, "MIN_WINDOW_ROWS", 800)
    monkeypatch.setattr(performance, "MAX_ROWS", 800)
    mine = (("profit", f"{__name__}:share"),)
    few = found(tmp_path, table, ranking=RankingSpec("query"), custom=mine).rows[0].scalars
    assert 60 < few["eval/queries"] < 140
    assert few["eval/ndcg"] == pytest.approx(whole["eval/ndcg"], abs=0.05)
    assert 600 < few["eval/profit_n"] < 1000
    shuffled = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    again = found(tmp_path, shuffled, ranking=RankingSpec("query"), custom=mine).rows[0].scalars
    for key in ("eval/ndcg", "eval/queries", "eval/profit", "eval/profit_n"):
        assert again[key] == pytest.approx(few[key], abs=1e-12)


def share(labels: Any, predictions: Any) -> float:
    assert labels.dtype == predictions.dtype == np.float64
    return float(np.mean(labels > 0))


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    kinds = rng.choice(["a", "b", "c"], 2000)
    table = log(region=rng.choice([f"r{place}" for place in range(30)], 2000), kind=kinds, label=kinds)
    table = table.set_column(table.column_names.index("prediction"), "prediction", pa.array(kinds))
    spec = {"segments": ("region", "kind"), "crossings": (("kind", "region"),)}
    notes = found(tmp_path, table, **spec).notes
    assert "kind by region: 50 pairs are reported; 40 rarer ones are not." in notes
    assert any("fewer than 30 labels" in note for note in notes)
    assert any("one score cannot rank 3 classes" in note for note in notes)
