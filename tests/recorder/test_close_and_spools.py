"""Rows that are lost at the end are counted, and a spool belongs to one model."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import numpy as np
import pytest

from modelwatch.errors import UserError
from modelwatch.recorder import Recorder

from .recorders import recorded_profile, recorder


def test_rows_that_are_lost_at_close_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "spool").write_text("a file where the spool should be")
    made = recorder(tmp_path / "spool", folder=tmp_path / "out")
    for _ in range(10):
        made.record({"age": 1.0})
    made.record_batch({"age": np.arange(5.0)})
    with caplog.at_level(logging.WARNING):
        made.close(0.0)
    assert (made.stats().written, made.stats().lost, made.stats().pending_bytes) == (0, 15, 0)
    assert "15 rows are lost, since the spool cannot be written." in caplog.text


def test_rows_that_were_set_aside_are_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = recorder(tmp_path / "spool", folder=tmp_path / "out")
    made.record({"age": 1.0})
    assert made.flush()
    state = json.loads((tmp_path / "spool" / "sender.json").read_text())
    aside = {"aside": {"rows": 2, "problems": {"TypeError": 2}, "columns": {}}}
    (tmp_path / "spool" / "sender.json").write_text(json.dumps(state | aside))
    made.record({"age": 1.0})
    made.close(60.0)
    assert "2 rows did not fit the others" in caplog.text


def test_two_models_do_not_share_a_spool(tmp_path: Path) -> None:
    first = recorder(tmp_path / "spool", folder=tmp_path / "out")
    with pytest.raises(UserError, match="this spool is that of the model 'churn'"):  # before anything is written
        Recorder("other", spool=tmp_path / "spool", folder=tmp_path / "b")
    first.record({"age": 1.0})
    first.close(60.0)
    del first
    with pytest.raises(UserError, match="this spool is that of the model 'churn'"):
        Recorder("other", spool=tmp_path / "spool", folder=tmp_path / "b")
    recorder(tmp_path / "spool", folder=tmp_path / "out").close()
    assert recorded_profile(tmp_path / "out").rows == 1


def test_closing_does_not_say_that_rows_arrived_which_a_sender_could_not_send(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where the folder should be")
    made = recorder(tmp_path / "spool", folder=tmp_path / "file" / "out", send_seconds=0.2)
    made.record({"age": 1.0})
    state = tmp_path / "spool" / "sender.json"
    end = time.monotonic() + 60.0
    while not (state.exists() and [*(tmp_path / "spool" / "outbox").rglob("*.parquet")]):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert not made.close(20.0), "the sender in the background has failed"
    assert not made.close(20.0), "and nothing has changed since"


def test_closing_waits_for_a_sender_that_is_at_work(tmp_path: Path) -> None:
    made = recorder(tmp_path / "spool", folder=tmp_path / "out", send_seconds=0.2)
    made.record({"age": 1.0})
    while not (tmp_path / "spool" / "sender.log").exists():
        time.sleep(0.01)
    assert made.close(60.0)
    assert recorded_profile(tmp_path / "out").rows == 1
