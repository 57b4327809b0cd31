"""Early against final labels, from outcomes that came several times; and what waits until labels have come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import OutcomesSpec
from modelwatch.profiling.measure import MeasureResult, measure

from .logs import DAY, SPEC, START, log, write

CHANGED = "labels/changed_share"
OUTCOMES = OutcomesSpec("", "id", "label", "known_at")


def measured(folder: Path, outcomes: dict[str, Any], **changed: Any) -> MeasureResult:
    table = log(1000)
    path = write(pa.table(outcomes), folder / "labels.parquet")
    files = str(write(table.drop_columns(["label"]), folder / "log.parquet"))
    spec = replace(SPEC, files=files, outcomes=replace(OUTCOMES, files=str(path)))
    return measure(Model("churn", (), measure=replace(spec, **changed)), START + 30 * DAY, {}, RetryPolicy(), folder)


def twice(share: float, after: float = 0.6 * DAY) -> dict[str, Any]:
    """An outcome of every row at once; and of the first 500 another one later, which a share of them changes."""
    table = log(1000)
    labels, ids, times = (table[name].to_pylist() for name in ("label", "id", "time"))
    second = [
        ("no" if label == "yes" else "yes") if place < share * 500 else label
        for place, label in enumerate(labels[:500])
    ]
    later = [time + after for time in times[:500]]
    return {"id": ids + ids[:500], "label": labels + second, "known_at": times + later}


def test_changed_labels_count_in_the_window_in_which_they_changed(tmp_path: Path) -> None:
    first, second, last = measured(tmp_path, twice(0.1), maturity=0.0).rows
    rows = 1000
    assert first.version == second.version == "v1"
    assert CHANGED not in second.scalars, "the window's metrics are at the version that served last in it"
    # The first day has its own 500 outcomes, and 0.4 of the second ones, which begin with the changed ones.
    assert first.scalars[f"{CHANGED}_n"] == 700
    assert first.scalars[CHANGED] == pytest.approx(50 / 700)
    assert last.scalars[CHANGED] == 0.0
    assert first.scalars[f"{CHANGED}_n"] + last.scalars[f"{CHANGED}_n"] == rows + 500
    assert first.scalars[f"{CHANGED}/low"] < 50 / 700 < first.scalars[f"{CHANGED}/high"]


def test_where_no_id_has_two_outcomes_none_of_them_changed(tmp_path: Path) -> None:
    table = log(1000)
    labels = table["label"].to_pylist()
    labels[-1] = None
    outcomes = {"id": table["id"], "label": labels, "known_at": table["time"]}
    rows = [row.scalars for row in measured(tmp_path, outcomes, maturity=0.0).rows if CHANGED in row.scalars]
    assert sum(row[f"{CHANGED}_n"] for row in rows) == 999
    assert all(row[CHANGED] == row[f"{CHANGED}/low"] == 0.0 < row[f"{CHANGED}/high"] for row in rows)


def test_without_times_nothing_says_which_is_first(tmp_path: Path) -> None:
    bare = {name: cells for name, cells in twice(0.1).items() if name != "known_at"}
    table = log(1000)
    path = write(pa.table(bare), tmp_path / "labels.parquet")
    files = str(write(table.drop_columns(["label"]), tmp_path / "log.parquet"))
    spec = replace(SPEC, files=files, outcomes=replace(OUTCOMES, files=str(path), label_time=""))
    result = measure(Model("churn", (), measure=spec), START + 3 * DAY, {}, RetryPolicy(), tmp_path)
    assert not any(CHANGED in row.scalars for row in result.rows)


def test_missing_labels_and_times_change_nothing(tmp_path: Path) -> None:
    outcomes = twice(0.0)
    outcomes["label"][-1] = None
    outcomes["known_at"][-2] = None
    rows = measured(tmp_path, outcomes, maturity=0.0).rows
    assert sum(row.scalars.get(f"{CHANGED}_n", 0) for row in rows) == 1498
    assert all(row.scalars.get(CHANGED, 0.0) == 0.0 for row in rows)


def test_a_correction_is_no_delay(tmp_path: Path) -> None:
    """A day later every label is corrected: it was there at once all the same."""
    rows = measured(tmp_path, twice(0.3, after=1.0 * DAY), maturity=0.0).rows
    delays = [row.scalars["labels/delay_days/p90"] for row in rows if "labels/delay_days/p90" in row.scalars]
    assert delays
    assert max(delays) < 0.1


def test_noise_of_windows_without_all_their_labels_is_set_apart(tmp_path: Path) -> None:
    table = log(1000)
    random = np.random.default_rng(1)
    delays = random.exponential(4 * DAY, 1000)
    outcomes = {"id": table["id"], "label": table["label"], "known_at": np.array(table["time"]) + delays}
    young = measured(tmp_path, outcomes, label_noise=True, maturity=40 * DAY).rows
    mature = measured(tmp_path, outcomes, label_noise=True, maturity=2 * DAY).rows
    for row in young:
        assert "young/suspicious_share" in row.scalars
        assert "labels/suspicious_share" not in row.scalars
    for row in mature:
        assert row.scalars["labels/suspicious_share"] > 0
