"""History that W&B has exported to Parquet, read over HTTP by the client: the same series as before the export."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.series import PulledSeries
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.wandb import RunRecord
from modelwatch.timeutil import DAY, HOUR

from .builders import NOW, Wandb, hourly, model, pull, rule, series_of

AGES = {"_type": "histogram", "bins": [0.0, 20.0, 40.0, 60.0], "values": [1, 2, 3]}


def export(server: Wandb, run: RunRecord, count: int) -> None:
    """The first ``count`` rows as W&B exports them: a column a key, empty where a row has no such key."""
    rows = run.history.rows[:count]
    keys = dict.fromkeys(key for row in rows for key in row)
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{key: row.get(key) for key in keys} for row in rows]), sink)
    server.standin.state.set_parquet_export(run, count, sink.getvalue())


def add(server: Wandb, rows: list[dict[str, Any]], id: str = "long") -> RunRecord:
    began = rows[0]["_timestamp"]
    return server.standin.state.add_run("acme", "churn", id, history=rows, created_at=began)


def sparse(count: int) -> list[dict[str, Any]]:
    """Keys that come and go, whole floats, a version that changes, and segments."""
    rows = hourly(NOW - count * HOUR, count)
    for place, row in enumerate(rows):
        row["version"] = "v1" if place < count // 2 else "v2"
        if place % 2:
            row |= {"eval/n": 100.0, "eval/region=eu/accuracy": 0.5}
        if place % 3 == 0:
            del row["eval/accuracy"]
    return rows


def watched() -> Model:
    return model(rule(weight="eval/n", segments=(KeyPattern("eval/region=*/accuracy"),)), version="version")


def parquets(server: Wandb) -> int:
    return sum(asked.path.endswith(".parquet") for asked in server.requests)


def told(found: PulledSeries) -> str:
    """Everything, as text: of two counts that are missing (NaN) no comparison says that they are equal."""
    assert found.error == ""
    return repr(found)


@pytest.mark.parametrize("count", [1, 20, 47, 48])
def test_an_export_changes_nothing_of_what_is_read(wandb_server: Wandb, count: int) -> None:
    run = add(wandb_server, sparse(48))
    live = pull(watched(), NOW)
    assert len(series_of(live)) == 32
    export(wandb_server, run, count)
    assert told(pull(watched(), NOW)) == told(live)
    assert parquets(wandb_server) > 0


def test_histograms_survive_an_export(wandb_server: Wandb) -> None:
    drift = model(rule("features/*/psi", name="drift"))
    run = add(wandb_server, [row | {"features/age": AGES} for row in hourly(NOW - 48 * HOUR, 48)])
    live = pull(drift, NOW)
    assert [len(one.times) for one in live.histograms] == [48]
    export(wandb_server, run, 30)
    assert told(pull(drift, NOW)) == told(live)


def test_a_row_is_never_lost_between_export_and_page(wandb_server: Wandb) -> None:
    """A long W&B run of which only the end is wanted: the cut lies within the export, behind it, or at its end."""
    run = add(wandb_server, hourly(NOW - 6000 * HOUR, 6000))
    week = model(history=7 * DAY)
    live = pull(week, NOW)
    assert len(series_of(live)) >= 7 * 24
    for count in (3000, 5900, 6000):
        export(wandb_server, run, count)
        assert told(pull(week, NOW)) == told(live)


def test_what_is_exported_anew_is_read_anew(wandb_server: Wandb) -> None:
    """The client's own cache would keep the first export, and lose what came later."""
    rows = hourly(NOW - 48 * HOUR, 48)
    run = add(wandb_server, rows[:20])
    export(wandb_server, run, 20)
    assert len(series_of(pull(model(), NOW))) == 20
    wandb_server.standin.state.append_history(run, rows[20:])
    export(wandb_server, run, 40)
    assert len(series_of(pull(model(), NOW))) == 48


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=403, path=r"\.parquet$", times=-1),
        Fault("status", status=404, path=r"\.parquet$", times=-1),
        Fault("status", status=503, path=r"\.parquet$", times=-1),
        Fault("reset", path=r"\.parquet$", times=-1),
        Fault("broken-json", path=r"\.parquet$", when="after", times=-1),
    ],
    ids=["403", "404", "503", "reset", "broken"],
)
def test_an_export_that_cannot_be_read_is_an_error_and_no_gap(
    wandb_server: Wandb, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """The newest rows alone would look like data that has begun only now."""
    monkeypatch.setenv("MODELWATCH_WAIT_SCALE", "0")
    export(wandb_server, add(wandb_server, hourly(NOW - 48 * HOUR, 48)), 30)
    wandb_server.inject(fault)
    found = pull(model(), NOW)
    assert found.error
    assert found.series == ()


AZURE = "AuthenticationFailed: Signature not valid in the specified time frame"
S3 = "AccessDenied: Request has expired"


@pytest.mark.parametrize("words", [AZURE, S3], ids=["Azure", "S3"])
def test_an_address_that_has_expired_is_told_as_such(
    wandb_server: Wandb, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv("MODELWATCH_WAIT_SCALE", "0")
    export(wandb_server, add(wandb_server, hourly(NOW - 48 * HOUR, 48)), 30)
    body = f'<?xml version="1.0"?><Error><Message>{words}</Message></Error>'
    wandb_server.inject(Fault("status", status=403, body=body, path=r"\.parquet$", times=-1))
    error = pull(model(), NOW).error
    assert "expired" in error
    assert "next evaluation" in error
    assert "footer" not in error.lower()
