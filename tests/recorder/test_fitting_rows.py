"""No content of a row stops the sender: everything recorded is counted, or counted as lost."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelwatch.clients.retry import RetryPolicy
from modelwatch.profiling import profiler
from modelwatch.recorder import fitting_rows
from modelwatch.recorder import sender as sender_module
from modelwatch.recorder.sender import send

from .recorders import START, recorded_losses, recorded_profile, recorded_rows, recorder

COLUMNS = ["c", "region", "score", "prediction", "id", "time", "version", "latency", "error"]
CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), st.binary(max_size=5),
    st.datetimes(), st.complex_numbers(), st.lists(st.floats(), max_size=3),
    st.dictionaries(st.text(max_size=2), st.none()),
)  # fmt: skip
NAMES = st.one_of(st.sampled_from(COLUMNS), st.sampled_from([1, "1", None, "None", b"c", ("c",)]), st.text(max_size=4))
ROWS = st.dictionaries(NAMES, CELLS, max_size=4)
ARRAYS = st.sampled_from(
    [
        np.arange(2.0), np.ones((2, 2)), np.zeros((2, 0)), np.array([True, False]), np.array([2**64 - 1, 0], np.uint64),
        np.array(["x", "y"]), np.array([1 + 2j, 0]), np.array(["2026-11-20", "NaT"], "M8[D]"),
        np.array([{"a": 1}, None], object), np.array([b"a", "b"], object), np.array([1, 2], "m8[s]"),
    ]
)  # fmt: skip
BATCHES = st.dictionaries(NAMES, st.one_of(ARRAYS, st.lists(CELLS, min_size=2, max_size=2)), min_size=1, max_size=3)


def deliver(spool: Path) -> Any:
    report = send(spool, {}, RetryPolicy(), lambda: START + 60.0, 30.0)
    assert report.problems == []
    assert not list(spool.glob("batch-*")) + list(spool.glob("*.rec"))
    return report


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(ROWS, st.tuples(BATCHES)), max_size=5), st.lists(ROWS, max_size=2))
def test_everything_recorded_is_sent_or_counted_as_lost(calls: list[Any], later: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        spool, folder = Path(name) / "spool", Path(name) / "out"
        calls_made = 0
        for part in (calls, [*later, {"c": 1.0}]):
            made = recorder(spool, folder=folder)
            for call in part:
                if isinstance(call, tuple):
                    calls_made += 2
                    made.record_batch(call[0], time=START)
                else:
                    calls_made += 1
                    made.record(call, time=START)
            made.close(0.0)
            deliver(spool)
        profile = recorded_profile(folder)
        assert profile.rows + profile.undated + sum(recorded_losses(folder).values()) == calls_made
        assert profile.rows + profile.undated == len(recorded_rows(folder))


@pytest.mark.parametrize(
    "odd",
    [np.ones((3, 2)), ["a", "b", "c"], np.array([True, False, True]), [{"a": 1}] * 3, np.full(3, 2**64 - 1, np.uint64)],
    ids=["lists", "texts", "booleans", "mappings", "large"],
)
def test_a_column_of_another_type_is_sent_with_the_others(tmp_path: Path, odd: Any) -> None:
    with recorder(tmp_path / "spool", folder=tmp_path / "out") as made:
        made.record_batch({"area": np.arange(100.0)}, time=START)
        made.record_batch({"area": odd}, time=START)
    assert recorded_profile(tmp_path / "out").rows == len(recorded_rows(tmp_path / "out")) == 103
    assert recorded_losses(tmp_path / "out") == {}


def break_rows(monkeypatch: pytest.MonkeyPatch, name: str, error: type[BaseException]) -> None:
    """Rows whose column holds ``bad`` cannot be profiled."""
    profile = profiler.profile_partition

    def fail(batch: Any, plan: Any) -> Any:
        if name in batch.schema.names and "bad" in batch.column(name).to_pylist():
            raise error("a secret cell")
        return profile(batch, plan)

    monkeypatch.setattr(fitting_rows, "profile_partition", fail)


def test_rows_that_do_not_fit_are_set_aside_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, folder = tmp_path / "spool", tmp_path / "out"
    break_rows(monkeypatch, "prediction", TypeError)
    made = recorder(spool, folder=folder)
    for row in range(200):
        made.record({"age": float(row)}, "bad" if row in (3, 150) else "good", time=START)
    made.close(0.0)
    report = deliver(spool)
    assert report.lost == {"unfit": 2}
    assert "2 rows, of which 2 are lost" in report.set_aside[0]
    assert "secret" not in report.set_aside[0]
    assert recorded_profile(folder).rows == len(recorded_rows(folder)) == 198
    assert recorded_losses(folder) == {"unfit": 2}
    (file,) = (spool / "aside").iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["content"][7] for line in lines] == [{"age": 3.0}, {"age": 150.0}]
    assert json.loads((spool / "sender.json").read_text())["aside"]["problems"] == {"TypeError": 2}


def test_of_a_row_only_the_column_that_does_not_fit_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, folder = tmp_path / "spool", tmp_path / "out"
    break_rows(monkeypatch, "plan", KeyError)
    made = recorder(spool, folder=folder)
    made.record({"age": 1.0, "plan": "bad"}, time=START)
    made.record({"age": 2.0, "plan": "pro"}, time=START)
    made.record_batch({"age": np.arange(3.0), "plan": ["a", "bad", "b"]}, time=START)
    made.close(0.0)
    report = deliver(spool)
    assert report.lost == {}
    assert "for their columns plan" in report.set_aside[0]
    assert [(row["age"], row["plan"]) for row in recorded_rows(folder)].count((2.0, "pro")) == 1
    profile = recorded_profile(folder)
    assert (profile.rows, profile.whole().columns["age"].rows) == (5, 5)


def test_a_batch_that_ends_its_process_is_set_aside_at_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, folder = tmp_path / "spool", tmp_path / "out"
    break_rows(monkeypatch, "prediction", KeyboardInterrupt)
    for prediction in ("bad", "good"):
        made = recorder(spool, folder=folder)
        made.record({}, prediction, time=START)
        made.close(0.0)
        for _ in range(sender_module.MAX_CRASHES if prediction == "bad" else 0):
            with pytest.raises(KeyboardInterrupt):
                deliver(spool)
    assert deliver(spool).lost == {"unfit": 1}
    assert recorded_profile(folder).rows == 1


def test_a_journal_that_nothing_of_ours_wrote_blocks_no_other(tmp_path: Path) -> None:
    import struct
    import zlib

    spool, folder = tmp_path / "spool", tmp_path / "out"
    made = recorder(spool, folder=folder)
    made.record({}, "yes", time=START)
    made.close(0.0)
    frame = b"\xc1\xc1"
    (spool / "00000000000001-x-000001.7-0.rec").write_bytes(struct.pack("<II", 2, zlib.crc32(frame)) + frame)
    assert deliver(spool).lost == {"unfit": 7}
    assert recorded_profile(folder).rows == 1


def test_what_is_set_aside_stays_within_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = tmp_path / "spool"
    break_rows(monkeypatch, "prediction", TypeError)
    for _ in range(4):
        made = recorder(spool, folder=tmp_path / "out", disk_mb=1)
        made.record({f"text{number}": "x" * 3000 for number in range(20)}, "bad", time=START)
        made.close(0.0)
        deliver(spool)
    files = list((spool / "aside").iterdir())
    assert 0 < sum(path.stat().st_size for path in files) <= (1 << 20) // 8
    assert json.loads((spool / "sender.json").read_text())["aside"]["rows"] == 4
