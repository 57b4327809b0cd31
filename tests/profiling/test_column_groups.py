"""A table whose columns are held group by group has the profile of one that is read twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.errors import SourceError
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling import column_groups
from modelwatch.profiling.column_groups import profile_table
from modelwatch.profiling.log_files import FilesLog
from modelwatch.profiling.plan_inference import infer_and_profile
from modelwatch.stats.profile.codec import to_bytes
from modelwatch.stats.profile.table import Profile, ProfileKey, TableProfile

from .logs import write

ROWS = 3000
SPECS = {
    "features alone": MeasureSpec(),
    "named features": MeasureSpec(features=("city", "amount")),
    "a classification": MeasureSpec(id="id", score="score", prediction="kind", label="flag", segments=("city",)),
    "a regression": MeasureSpec(prediction="amount", label="count", value="score", crossings=()),
    "texts are sampled": MeasureSpec(texts=("id",), label="flag"),
    "a feature that is the label, too": MeasureSpec(features=("amount", "count", "flag"), label="flag"),
}


class CountingLog(FilesLog):
    """Counts how often each column is read."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(paths)
        self.reads: dict[str, int] = {}

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        for name in columns:
            self.reads[name] = self.reads.get(name, 0) + 1
        yield from super().batches(columns)


def table(seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    amounts = random.lognormal(0, 1, ROWS)
    amounts[::7], amounts[1::50] = np.nan, np.inf
    return pa.table(
        {
            "amount": amounts,
            "count": pa.array(random.integers(0, 900, ROWS), pa.int32(), mask=random.random(ROWS) < 0.1),
            "score": random.random(ROWS),
            "city": random.choice(["Rome", "Oslo", "", "São Paulo"], ROWS),
            "kind": pa.array(random.choice(["a", "b"], ROWS)).dictionary_encode(),
            "flag": random.random(ROWS) < 0.3,
            "id": [f"customer {seed}-{row}" for row in range(ROWS)],
        }
    )


def log_of(tmp_path: Path, *tables: pa.Table) -> CountingLog:
    paths = [tmp_path / f"{place}.parquet" for place in range(len(tables))]
    for path, one in zip(paths, tables, strict=True):
        write(one, path)
    return CountingLog([str(path) for path in paths])


def content(profile: TableProfile) -> bytes:
    return to_bytes(Profile({ProfileKey(): profile}))


@pytest.mark.parametrize("name", SPECS)
def test_one_reading_says_what_two_say(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_groups, "GROUP_BYTES", 2 * 2 * ROWS * 8)
    log = log_of(tmp_path, table(1), table(2).drop_columns(["count"]).append_column("new", pa.nulls(ROWS, pa.int8())))
    one, _ = profile_table(log, SPECS[name])
    once = {column for column, reads in log.reads.items() if reads == 1}
    two = infer_and_profile(log, SPECS[name])[1].whole()
    assert once
    assert content(one) == content(two)


def test_columns_that_take_much_memory_or_depend_on_others_are_not_held(tmp_path: Path) -> None:
    log = log_of(tmp_path, table(3))
    profile_table(log, replace(SPECS["a classification"], id=""), only_inputs=False)
    held = {column for column, reads in log.reads.items() if reads == 1}
    assert held == {"amount", "count"}


def test_a_missing_column_is_named_beside_all_that_exist(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="amount"):
        profile_table(log_of(tmp_path, table(4)), MeasureSpec(segments=("amoumt",)))
