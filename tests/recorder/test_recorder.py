"""What a caller sees: nothing raises, nothing waits, everything arrives or is counted."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwatch.errors import UserError
from modelwatch.recorder import Recorder
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.numeric import NumericProfile

from .recorders import DAY, START, recorded_losses, recorded_profile, recorded_rows, recorder, run_script, send


class Hostile(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    return {"spool": tmp_path / "spool", "folder": tmp_path / "out"}


def test_rows_and_batches_arrive(folders: dict[str, Path]) -> None:
    with recorder(**folders) as made:
        first = made.record({"age": 40, "plan": "pro"}, "yes", 0.75, latency=0.25, time=START)
        assert made.record({"age": 41.5}, "no", 0.25, error=ValueError("secret"), id=7, version=2, time=START) == "7"
        batch = {"age": np.arange(3), "plan": ["free", None, "pro"], "score": np.array([0.1, 0.2, 0.3], "f4")}
        assert made.record_batch(batch, time=START + DAY, latency=0.5) == 3
    rows = recorded_rows(folders["folder"])
    assert len(rows) == len({row["id"] for row in rows}) == 5
    by_id = {row["id"]: row for row in rows}
    expected = {
        "age": 40.0,
        "plan": "pro",
        "prediction": "yes",
        "score": 0.75,
        "latency": 0.25,
        "error": None,
        "region": None,
    }
    assert {**by_id[first or ""]} == {**expected, "id": first, "time": START, "version": "v1"}
    assert (by_id["7"]["error"], by_id["7"]["version"], by_id["7"]["plan"]) == ("ValueError", "2", None)
    assert {row["latency"] for row in rows if row["time"] > START} == {0.5}
    profile = recorded_profile(folders["folder"])
    assert {(key.window, key.version): table.rows for key, table in profile.cells.items() if not key.segment} == {
        (START, "v1"): 1,
        (START, "2"): 1,
        (START + DAY, "v1"): 3,
    }
    whole = profile.whole()
    age, plan = whole.columns["age"], whole.columns["plan"]
    assert isinstance(age, NumericProfile)
    assert isinstance(plan, CategoricalProfile)
    assert (age.n, age.low, age.high) == (5, 0, 41.5)
    assert (plan.named_counts, plan.missing) == ({"pro": 2, "free": 1}, 2)


def test_nothing_raises_and_every_loss_is_counted(folders: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    made = recorder(**folders)
    assert made.record(Hostile(age=1)) is None
    assert made.record({}, latency="fast") is None  # type: ignore[arg-type]
    assert made.record(7) is None  # type: ignore[arg-type]
    assert made.record_batch({"a": [1, 2], "b": [1]}) == 0
    assert made.record_batch({"a": np.zeros(30 << 20)}) == 0, "larger than the buffer"
    assert made.record_batch({}) == 0
    assert made.record_batch(None) == 0
    odd = {1: 2**80, ("a",): Decimal("NaN"), "nan": float("nan"), "inf": float("inf"), "bad": "\udcff", "none": None}
    assert made.record(odd, prediction=object, score=np.float16(0.5)) is not None  # type: ignore[arg-type]
    assert made.close(60.0)
    assert made.record({"late": 1}) is None
    assert made.stats().written == 1
    assert recorded_losses(folders["folder"]) == {"invalid": 6, "memory": 30 << 20}
    assert made.stats().lost == 6 + (30 << 20) + 1
    assert "`memory_mb`" in caplog.text
    assert recorded_profile(folders["folder"]).rows == 1


def test_what_is_recorded_can_change_afterwards(folders: dict[str, Path]) -> None:
    row, column, names = {"age": 1.0}, np.ones(3), ["a", "b", "c"]
    with recorder(**folders) as made:
        made.record(row)
        made.record_batch({"age": column, "plan": names})
        row["age"], column[:], names[:] = 9.0, 9.0, "xyz"
    assert [row["age"] for row in recorded_rows(folders["folder"])] == [1.0] * 4


def test_times_that_are_none_count_in_no_window(folders: dict[str, Path]) -> None:
    """As of a clock that was never set. Rows of yesterday and tomorrow count there."""
    with recorder(**folders) as made:
        for moment in (-5.0, float("nan"), 1e300, START - DAY, START + DAY):
            assert made.record({}, time=moment) is not None
    profile = recorded_profile(folders["folder"])
    assert (profile.rows, profile.undated) == (2, 3)
    assert {key.window for key in profile.cells} == {START - DAY, START + DAY}


def test_a_full_buffer_drops_and_counts(folders: dict[str, Path]) -> None:
    """The disk cannot be written, so that nothing leaves the buffer, until it can."""
    folders["spool"].write_text("a file where the spool should be")
    made = recorder(**folders, memory_mb=1, flush_seconds=0.01)
    taken = sum(made.record({"age": 1.0}) is not None for _ in range(5000))
    assert taken < 1100
    assert made.stats().pending_bytes <= 1 << 20
    folders["spool"].unlink()
    assert made.close(60.0)
    assert recorded_profile(folders["folder"]).rows == taken
    assert recorded_losses(folders["folder"]) == {"memory": 5000 - taken}


def test_a_closed_recorder_that_could_write_nothing_says_so(
    folders: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    folders["spool"].write_text("")
    made = recorder(**folders)
    made.record({"age": 1.0})
    assert not made.close(1.0)
    assert "rows are lost" in caplog.text


def test_the_same_rows_are_drawn_everywhere(tmp_path: Path) -> None:
    drawn = []
    for replica, rate in ((1, 0.2), (2, 0.2), (3, 0.4)):
        folder = tmp_path / f"out-{replica}"
        made = recorder(tmp_path / f"spool-{replica}", folder=folder, sample_rate=rate, serving_version=f"v{replica}")
        for number in range(1000):
            made.record({}, "yes", id=f"order-{number}")
        made.record_batch({"id": [f"batch-{number}" for number in range(1000)], "age": np.ones(1000)})
        assert made.close(60.0)
        drawn.append({row["id"] for row in recorded_rows(folder)})
        assert recorded_profile(folder).rows == 2000
    assert drawn[0] == drawn[1] < drawn[2]
    assert 330 < len(drawn[0]) < 470


def test_rules_keep_rows_beside_the_sample(folders: dict[str, Path]) -> None:
    with recorder(**folders, sample_rate=0.0, keep_confidence_below=0.6) as made:
        made.record({}, score=0.99, id="sure")
        made.record({}, score=0.55, id="unsure")
        made.record({}, score=0.42, id="unsure too")
        made.record({}, score=0.01, id="failed", error="Timeout")
    assert {row["id"] for row in recorded_rows(folders["folder"], "kept")} == {"unsure", "unsure too", "failed"}
    assert recorded_rows(folders["folder"]) == []


def test_masked_columns_reach_no_file(folders: dict[str, Path], tmp_path: Path) -> None:
    made = recorder(**folders, mask="name", hash=["mail", "id"], hash_key="k", send_seconds=0.2)
    made.record({"name": "Ada Lovelace", "mail": "ada@acme.example"}, id="customer-17")
    made.record_batch({"name": ["Ada Lovelace"] * 2, "mail": np.array(["ada@acme.example"] * 2), "id": ["a", "b"]})
    made.close(0.0)
    content = b"".join(path.read_bytes() for path in folders["spool"].rglob("*") if path.is_file())
    send(folders["spool"])
    content += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"ada@acme" not in content
    assert b"Lovelace" not in content
    assert b"customer-17" not in content
    assert b'"k"' not in content
    rows = recorded_rows(folders["folder"])
    assert {row["name"] for row in rows} == {"masked"}
    assert len({row["mail"] for row in rows}) == 1
    assert len({row["id"] for row in rows}) == 3


def test_columns_that_come_later_and_change_their_type(folders: dict[str, Path]) -> None:
    for features in ({"a": 1}, {"a": 2.5, "b": "x"}, {"a": "text", "b": 3}, {"b": None, "c": [1, 2]}):
        made = recorder(**folders)
        made.record(features, time=START)
        assert made.close(60.0)
    whole = recorded_profile(folders["folder"]).whole()
    a, b = whole.columns["a"], whole.columns["b"]
    assert isinstance(a, NumericProfile)
    assert isinstance(b, CategoricalProfile)
    assert (a.n, a.other_types, a.missing) == (2, 1, 1)
    assert (b.named_counts, b.missing) == ({"x": 1, "3": 1}, 1)
    assert [row.get("c") for row in recorded_rows(folders["folder"])][-1] == [1, 2]


def test_many_categories_and_long_texts_stay_small(folders: dict[str, Path]) -> None:
    with recorder(**folders, memory_mb=64) as made:
        for number in range(10_000):
            made.record({"city": f"city-{number}"}, time=START)
        for number in range(20):
            made.record({"text": f"{number}" * 1_000_000}, time=START)
    (path,) = (folders["folder"] / "profiles").glob("*.npz")
    assert path.stat().st_size < 100_000
    city = recorded_profile(folders["folder"]).whole().columns["city"]
    assert isinstance(city, CategoricalProfile)
    assert (city.n, city.missing) == (10_000, 20)
    assert 7_000 < city.cardinality < 13_000


def test_threads_and_tasks(folders: dict[str, Path]) -> None:
    made = recorder(**folders, memory_mb=64)

    def work(number: int) -> None:
        for row in range(500):
            made.record({"thread": number}, id=f"{number}-{row}")

    async def serve() -> None:
        async def request(number: int) -> None:
            with made.request():
                await asyncio.sleep(0)
                made.record({"task": number}, id=f"task-{number}")

        await asyncio.gather(*(request(number) for number in range(500)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    asyncio.run(serve())
    for thread in threads:
        thread.join()
    assert made.close(60.0)
    rows = recorded_rows(folders["folder"])
    assert len({row["id"] for row in rows}) == len(rows) == 4500
    assert all((row["latency"] is not None) == (row["task"] is not None) for row in rows)


def test_requests_give_latency_and_error_to_their_rows(folders: dict[str, Path]) -> None:
    made = recorder(**folders)
    with made.request(records_failures=True):
        made.record({}, id="quick", latency=0.001)
        made.record({}, id="slow")
        time.sleep(0.05)

    def fail() -> None:
        with made.request(records_failures=True):
            made.record({}, id="failed")
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(ZeroDivisionError), made.request(records_failures=True):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), made.request():
        raise ZeroDivisionError
    with made.request(records_failures=True):
        pass
    assert made.close(60.0)
    rows = {row["id"]: (row["latency"], row["error"]) for row in recorded_rows(folders["folder"])}
    assert rows.pop("quick") == (0.001, None)
    assert rows["slow"][0] >= 0.05
    assert rows.pop("slow")[1] is None
    assert sorted(error for _, error in rows.values()) == ["KeyError", "ZeroDivisionError"]


def test_batches_of_a_request_have_its_latency_and_its_error(folders: dict[str, Path]) -> None:
    """A failed request in which a batch was recorded adds no row, also where the batch is too large to be held."""
    made = recorder(**folders)

    def fail(**batch: Any) -> None:
        with made.request(records_failures=True):
            assert made.record_batch(batch, time=START)
            time.sleep(0.02)
            raise KeyError("x")

    for batch in (
        {"id": ["a", "b"], "x": np.ones(2)},
        {"id": ["c", "d"], "latency": [0.001, 0.002], "error": [None, "Timeout"]},
        {"x": np.zeros((9 << 20) // 8)},
    ):
        with pytest.raises(KeyError):
            fail(**batch)
    with made.request() as request:
        assert made.record_batch({"id": ["e"]}, latency=0.5, error="own", time=START) == 1
        assert made.record_batch({"id": ["f"]}, time=START) == 1
        request.error = "HTTP 503"
    assert made.close(60.0)
    assert recorded_profile(folders["folder"]).rows == 6 + (9 << 20) // 8
    rows = {row["id"]: row for row in recorded_rows(folders["folder"])}
    assert {name: rows[name]["error"] for name in "abcdef"} == {
        "a": "KeyError",
        "b": "KeyError",
        "c": None,
        "d": "Timeout",
        "e": "own",
        "f": "HTTP 503",
    }
    assert min(rows["a"]["latency"], rows["b"]["latency"]) >= 0.02
    assert [rows[name]["latency"] for name in "cde"] == [0.001, 0.002, 0.5]


def test_rows_of_a_request_that_has_ended_are_not_lost(folders: dict[str, Path]) -> None:
    made = recorder(**folders)

    async def serve() -> None:
        async def later() -> None:
            await asyncio.sleep(0.05)
            made.record({}, id="later")

        with made.request():
            task = asyncio.create_task(later())
        await task

    asyncio.run(serve())
    assert made.close(60.0)
    assert [row["id"] for row in recorded_rows(folders["folder"])] == ["later"]


def test_decorated_functions(folders: dict[str, Path]) -> None:
    made = recorder(**folders)

    @made.observe
    def predict(features: dict[str, float]) -> dict[str, Any]:
        return {"prediction": "yes", "score": features["age"] / 100}

    async def divide(age: float, income: float = 1.0) -> float:
        return age / income

    score = made.observe(prediction=lambda result: result > 0, id=lambda age, **_: f"id-{age}")(divide)

    assert predict({"age": 40.0})["score"] == 0.4
    with pytest.raises(KeyError):
        predict({"income": 1.0})
    assert asyncio.run(score(3, income=2)) == 1.5
    with pytest.raises(ZeroDivisionError):
        asyncio.run(score(3, income=0))
    assert (predict.__name__, score.__name__) == ("predict", "divide")
    assert made.close(60.0)
    rows = recorded_rows(folders["folder"])
    found = [(row["age"], row["income"], row["prediction"], row["score"], row["error"]) for row in rows]
    assert found == [
        (40.0, None, "yes", 0.4, None),
        (None, 1.0, None, None, "KeyError"),
        (3.0, 2.0, "true", None, None),
        (3.0, 0.0, None, None, "ZeroDivisionError"),
    ]
    assert [row["id"] for row in rows[2:]] == ["id-3", "id-3"]
    assert all(row["latency"] >= 0 for row in rows)


def test_importing_and_recording_load_no_heavy_library(tmp_path: Path) -> None:
    script = """
import sys
from modelwatch.recorder import Recorder
loaded = {"numpy", "pandas", "scipy", "wandb", "pyarrow", "yaml", "msgspec", "click"} & {*sys.modules}
assert not loaded, loaded
made = Recorder("churn", folder=sys.argv[1] + "/out", spool=sys.argv[1] + "/spool", flush_seconds=0.01)
made.record({"age": 1.0}, "yes", 0.5)
assert made.flush(60)
made.record_batch({"age": [1.0, 2.0]})
assert made.close(60)
loaded = {"numpy", "pandas", "scipy", "wandb", "pyarrow"} & {*sys.modules}
assert not loaded, loaded
print(made.stats().written)
"""
    assert run_script(script, str(tmp_path)) == "3\n"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no destination"),
        ({"folder": "out", "sample_rate": 2}, "`sample_rate` is 2"),
        ({"folder": "out", "memory_mb": float("nan")}, "`memory_mb` is nan"),
        ({"wandb": "churn"}, "Write entity/project"),
        ({"folder": "out", "mask": "time"}, "neither masked nor hashed"),
        ({"folder": "out", "score": "id"}, "one column"),
        ({"folder": "out", "window": "1 hour"}, "`window` is '1 hour', and no duration"),
        ({"folder": "out", "window": "7h"}, "does not divide a day"),
        ({"folder": "out", "window": None}, "`window` is None"),
        ({"folder": "out", "flush_seconds": True}, "`flush_seconds` is True"),
        ({"folder": "out", "send_seconds": "2d"}, "`send_seconds` is 172800"),
        ({"folder": "out", "scores": ["a"]}, "`scores` is"),
        ({"folder": "out", "segments": 5}, "`segments` is 5"),
        ({"folder": "out", "mask": [1]}, "`mask` is"),
        ({"folder": "out", "id": None}, "`id` is None"),
        ({"folder": "out", "latency": 5}, "`latency` is 5"),
        ({"folder": 5}, "`folder` is 5"),
        ({"folder": "out", "spool": ["x"]}, "`spool` is"),
        ({"folder": "out", "hash_key": 5}, "`hash_key` is neither"),
        ({"folder": "out", "measure": ["x"]}, "`measure` is"),
        ({"wandb": 5}, "`wandb` is 5"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Recorder("churn", **settings)


def test_durations_as_in_the_configuration() -> None:
    made = Recorder("churn", folder="out", window="1h", flush_seconds="1s", send_seconds="5m", scores={"1": "p1"})
    settings = made.settings
    assert (settings.measure["window"], settings.flush_seconds, settings.send_seconds) == (3600.0, 1.0, 300.0)
    assert settings.scores == {"1": "p1"}


def test_a_spool_of_another_user_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").mkdir()
    made = recorder(tmp_path / "spool", folder=tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: 12345)
        made.record({})
        with caplog.at_level(logging.WARNING):
            assert not made.close(0.0)
        assert "belongs to another user" in caplog.text
        assert list((tmp_path / "spool").iterdir()) == []


def test_what_the_settings_file_holds(folders: dict[str, Path]) -> None:
    """Everything that the sender needs, and no secret."""
    recorder(**folders, hash="mail", hash_key="top-secret").close(5.0)
    made = recorder(**folders, hash="mail", hash_key="top-secret")
    made.record({"mail": "x"})
    made.close(0.0)
    content = (folders["spool"] / "settings.json").read_text()
    assert "top-secret" not in content
    assert json.loads(content)["model"] == "churn"
