"""Samples of embeddings and texts do not depend on the order of rows; their drift is measured."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.errors import UserError
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling.plan_inference import infer_and_profile
from modelwatch.profiling.profile_plan import plan_from_reference
from modelwatch.profiling.profiler import profile_partition
from modelwatch.profiling.wandb_rows import MetricRow, metric_rows
from modelwatch.stats.profile.bottom_k_sketches import MAX_ROWS, max_rows_for
from modelwatch.stats.profile.codec import from_bytes, to_bytes
from modelwatch.stats.profile.table import Profile, TableProfile, merge_profiles

from .logs import DAY, START

SPEC = MeasureSpec(files="log", id="id", time="time", embeddings=("vector",), texts=("message",))
WIDTH = 12
WORDS = ["invoice", "refund", "delivery", "late", "broken", "thanks", "where", "order"]
OTHER = ["crypto", "wallet", "airdrop", "token", "mint", "chain", "stake", "yield"]


class Table:
    """A log that is in memory."""

    where = "memory"

    def __init__(self, table: pa.Table, rows: int = 700) -> None:
        self.table, self.size = table, rows

    def names(self) -> tuple[str, ...]:
        return tuple(self.table.column_names)

    def rows(self) -> int | None:
        return int(self.table.num_rows)

    def batches(self, columns: object) -> object:
        names = [name for name in columns if name in self.table.column_names]  # type: ignore[attr-defined]
        return iter(self.table.select(names).combine_chunks().to_batches(max_chunksize=self.size))


def log(rows: int, seed: int, shift: float = 0.0, words: list[str] | None = None) -> pa.Table:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(shift, 1, (rows, WIDTH)).astype(np.float32)
    texts = [" ".join(rng.choice(words or WORDS, 4)) for _ in range(rows)]
    return pa.table(
        {
            "id": [f"{seed}-{row}" for row in range(rows)],
            "time": START + np.linspace(0, DAY - 1, rows),
            "vector": pa.array(list(vectors), pa.list_(pa.float32())),
            "message": texts,
        }
    )


def reference() -> TableProfile:
    _, profile = infer_and_profile(Table(log(3000, 1)), replace(SPEC, time=""))  # type: ignore[arg-type]
    return from_bytes(to_bytes(profile))[0].whole()


def counted(table: pa.Table, size: int = 700) -> Profile:
    plan = plan_from_reference(KNOWN, SPEC)
    return merge_profiles(
        profile_partition(batch, plan) for batch in table.combine_chunks().to_batches(max_chunksize=size)
    )


KNOWN = reference()


def measured(table: pa.Table) -> MetricRow:
    (row,) = metric_rows(counted(table), SPEC, KNOWN, START + DAY)
    return row


def test_the_reference_keeps_a_bounded_sample() -> None:
    vectors, texts = KNOWN.samples["vector"], KNOWN.samples["message"]
    assert (len(vectors.hashes), len(texts.texts), vectors.width, vectors.n) == (MAX_ROWS, MAX_ROWS, WIDTH, 3000)
    assert not {"vector", "message"} & set(KNOWN.columns)
    assert max_rows_for(768) < 700 < max_rows_for(0) == MAX_ROWS


@pytest.mark.parametrize("size", [100, 1000, 5000])
def test_partitions_in_any_order_keep_the_same_rows(size: int) -> None:
    table = log(5000, 2)
    shuffled = table.take(pa.array(np.random.default_rng(size).permutation(5000)))
    assert to_bytes(counted(shuffled, size)) == to_bytes(counted(table))


def test_what_did_not_move_is_told_from_nothing() -> None:
    scalars = measured(log(1500, 3)).scalars
    for name in ("vector", "message"):
        assert scalars[f"features/{name}/classifier_auc"] == pytest.approx(0.5, abs=0.05)
        assert scalars[f"features/{name}/mmd"] == pytest.approx(0.0, abs=0.01)
        assert scalars[f"features/{name}/n"] == 1500
        assert scalars[f"quality/feature={name}/missing_excess"] == 0.0


def test_what_moved_is_told() -> None:
    scalars = measured(log(1500, 4, shift=0.5, words=OTHER)).scalars
    assert scalars["features/vector/classifier_auc"] > 0.8
    assert scalars["features/message/classifier_auc"] > 0.99
    assert scalars["features/vector/mmd"] > 0.02
    assert scalars["features/message/mmd"] > 0.1


def test_what_is_no_embedding_is_bad_data_and_no_drift() -> None:
    table = log(1000, 5)
    vectors = table["vector"].to_pylist()
    broken = [None] * 100 + [[1.0, 2.0]] * 50 + [[float("nan")] * WIDTH] * 50 + vectors[200:]
    texts = [None] * 100 + [""] * 100 + table["message"].to_pylist()[200:]
    row = measured(
        table.set_column(2, "vector", pa.array(broken, pa.list_(pa.float64()))).set_column(
            3, "message", pa.array(texts)
        )
    )
    assert row.scalars["quality/feature=vector/missing_rate"] == 0.1
    assert row.scalars["quality/feature=vector/type_rate"] == 0.1
    assert row.scalars["quality/feature=message/missing_rate"] == 0.2
    assert row.scalars["quality/feature=message/missing_excess"] > 0.1
    assert row.scalars["features/vector/n"] == 800
    assert row.scalars["features/vector/classifier_auc"] == pytest.approx(0.5, abs=0.06)
    gone = measured(table.drop_columns(["vector"])).scalars
    assert gone["quality/feature=vector/missing_rate"] == 1.0
    assert "features/vector/mmd" not in gone


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(UserError, match="sklearn is not installed") as caught:
        measured(log(500, 6))
    assert "modelwatch[profiling]" in caught.value.hint
