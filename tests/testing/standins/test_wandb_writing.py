"""What the real client writes is what it reads back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

LONG_AGO = 1_700_000_000.0
HOUR = 3600.0


@pytest.fixture(scope="module")
def server(wandb_loopback: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server[WandbStandIn]]:
    with wandb_loopback(tmp_path_factory.mktemp("wandb")) as server:
        yield server


@pytest.fixture(scope="module")
def written(server: Server[WandbStandIn]) -> Any:
    """One W&B run with everything in it, as the public API sees it."""
    import wandb

    with wandb.init(
        entity="acme",
        project="churn",
        id="day-1",
        resume="allow",
        config={"model_version": "v3", "nested": {"depth": 2}},
        tags=["production", "eu"],
        job_type="serve",
        group="churn",
    ) as run:
        for hour in range(5):
            run.log(
                {
                    "eval/accuracy": 0.9 + hour / 100,
                    "whole": float(hour),
                    "deep": {"down": {"here": hour}},
                    "bad": float("nan"),
                    "far": float("-inf"),
                    "scores": wandb.Histogram(np_histogram=(np.array([1, 2]), np.array([0.0, 0.5, 1.0]))),
                    "_timestamp": LONG_AGO + hour * HOUR,
                }
            )
        run.summary["best"] = 1.0
    return wandb.Api().run("acme/churn/day-1")


def test_attributes_come_back(written: Any) -> None:
    assert written.config == {"model_version": "v3", "nested": {"depth": 2}}
    assert written.tags == ["production", "eu"]
    assert (written.job_type, written.group, written.state) == ("serve", "churn", "finished")
    started = datetime.fromisoformat(written.created_at).timestamp()
    assert abs(started - time.time()) < 600
    assert datetime.fromisoformat(written.heartbeat_at).tzinfo is UTC or written.heartbeat_at.endswith("Z")


def test_history_comes_back_as_the_service_gives_it(written: Any) -> None:
    rows = list(written.scan_history(use_cache=False))
    assert [row["_step"] for row in rows] == [0, 1, 2, 3, 4]
    row = rows[3]
    assert row["eval/accuracy"] == pytest.approx(0.93)
    assert (row["whole"], type(row["whole"])) == (3, int)
    assert row["deep.down.here"] == 3
    assert (row["bad"], row["far"]) == ("NaN", "-Infinity")
    assert row["scores"] == {"_type": "histogram", "values": [1, 2], "bins": [0, 0.5, 1]}


def test_rows_may_be_backdated(written: Any) -> None:
    times = [row["_timestamp"] for row in written.scan_history(use_cache=False)]
    assert times == [LONG_AGO + hour * HOUR for hour in range(5)]


def test_summary_comes_back(written: Any) -> None:
    assert written.summary["best"] == 1
    assert written.summary["eval/accuracy"] == pytest.approx(0.94)


def test_scans_by_key_and_step(written: Any) -> None:
    assert list(written.scan_history(keys=["whole"], min_step=1, max_step=3, use_cache=False)) == [
        {"_step": 1, "whole": 1},
        {"_step": 2, "whole": 2},
    ]
    assert [row["_step"] for row in written.scan_history(min_step=3, use_cache=False)] == [3, 4]
    assert list(written.scan_history(keys=["whole", "absent"], use_cache=False)) == []
    assert [row["whole"] for row in written.history(keys=["whole"], pandas=False, samples=3)] == [0, 2, 4]


def test_resuming_continues_the_same_run(server: Server[WandbStandIn]) -> None:
    import wandb

    for turn in range(2):
        with wandb.init(entity="acme", project="resumed", id="day", resume="allow", config={f"k{turn}": turn}) as run:
            assert run.resumed is bool(turn)
            assert run.starting_step == 2 * turn
            for _ in range(2):
                run.log({"turn": turn})
    again = wandb.Api().run("acme/resumed/day")
    assert [(row["_step"], row["turn"]) for row in again.scan_history(use_cache=False)] == [
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 1),
    ]
    assert again.config == {"k0": 0, "k1": 1}
    assert len(wandb.Api().runs("acme/resumed")) == 1


@pytest.mark.parametrize("what", ["status", "drop"])
def test_lines_sent_twice_are_kept_once(server: Server[WandbStandIn], what: str) -> None:
    """The stream's answer is lost after it took effect: the client sends the same lines again."""
    import wandb

    fault = server.inject(Fault(what, "after", status=503, path="file_stream$", text="wandb-history"))
    with wandb.init(entity="acme", project="twice", id=what) as run:
        for number in range(3):
            run.log({"number": number})
    assert fault.strike_count == 1
    sent = [one for one in server.requests if one.path.endswith(f"{what}/file_stream") and b"wandb-history" in one.body]
    assert len(sent) >= 2
    stored = server.standin.state.run("acme", "twice", what)
    assert stored is not None
    assert [row["number"] for row in stored.history.rows] == [0, 1, 2]


def test_an_unknown_entity_is_refused(server: Server[WandbStandIn]) -> None:
    import wandb

    with pytest.raises(wandb.Error, match="entity nobody not found"):
        wandb.init(entity="nobody", project="churn")


def test_a_failed_process_leaves_a_failed_run(server: Server[WandbStandIn]) -> None:
    import wandb

    run = wandb.init(entity="acme", project="ends", id="bad")
    run.log({"x": 1})
    run.finish(exit_code=3)
    assert wandb.Api().run("acme/ends/bad").state == "failed"


def test_files_of_a_run(server: Server[WandbStandIn], tmp_path: Path) -> None:
    import wandb

    with wandb.init(entity="acme", project="files", id="one", dir=tmp_path) as run:
        (Path(run.dir) / "note.txt").write_text("hello")
        run.save(str(Path(run.dir) / "note.txt"), base_path=run.dir)
    files = {file.name: file for file in wandb.Api().run("acme/files/one").files()}
    with files["note.txt"].download(root=str(tmp_path / "down")) as file:
        assert file.read() == "hello"


def test_nothing_was_asked_that_the_stand_in_does_not_know(written: Any, server: Server[WandbStandIn]) -> None:
    assert written.id
    assert server.standin.unknown_requests == []
