"""The reading path of the real client over a W&B that was filled in process."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn, WandbState

NOW = 1_790_000_000.0
DAY = 86400.0


def fill(state: WandbState) -> None:
    """Ten days, one W&B run a day with hourly points."""
    for day in range(10):
        start = NOW - (10 - day) * DAY
        state.add_run(
            "acme",
            "churn",
            f"day-{day}",
            config={"model_version": f"v{day // 5}", "serving": {"region": "eu" if day % 2 else "us"}},
            tags=["production"] if day != 3 else ["staging"],
            history=[
                {"eval/accuracy": 0.9 + hour / 1000, "eval/n": 100.0, "_timestamp": start + hour * 3600}
                for hour in range(24)
            ],
            created_at=start,
            display_name=f"Day {day}",
            job_type="serve",
            group="g",
            state="running" if day == 9 else "finished",
        )


@pytest.fixture(scope="module")
def module_server(wandb_loopback: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server[WandbStandIn]]:
    standin = WandbStandIn(WandbState(keys=["k" * 40]))
    fill(standin.state)
    with wandb_loopback(tmp_path_factory.mktemp("wandb"), standin) as server:
        yield server


@pytest.fixture
def server(module_server: Server[WandbStandIn]) -> Server[WandbStandIn]:
    module_server.clear()
    return module_server


@pytest.fixture
def api(server: Server[WandbStandIn]) -> Any:
    import wandb

    return wandb.Api()


def names(runs: Any) -> list[str]:
    return [run.id for run in runs]


def asked(server: Server[WandbStandIn], text: str) -> list[dict[str, Any]]:
    """Variables of the queries that hold ``text``."""
    queries = [one.json() for one in server.requests if one.path == "/graphql"]
    return [query["variables"] for query in queries if text in query["query"]]


@pytest.mark.parametrize(
    ("filters", "days"),
    [
        ({"tags": "production"}, [0, 1, 2, 4, 5, 6, 7, 8, 9]),
        ({"tags": {"$in": ["staging", "other"]}}, [3]),
        ({"tags": {"$nin": ["production"]}}, [3]),
        ({"tags": {"$ne": "production"}}, [3]),
        ({"config.model_version": "v1"}, [5, 6, 7, 8, 9]),
        ({"config.model_version.value": {"$regex": "^v0$"}}, [0, 1, 2, 3, 4]),
        ({"config.serving.region": "eu", "state": "finished"}, [1, 3, 5, 7]),
        ({"config.absent": {"$exists": False}, "display_name": "Day 4"}, [4]),
        ({"state": "running"}, [9]),
        ({"state": {"$ne": "finished"}}, [9]),
        ({"$or": [{"name": "day-1"}, {"displayName": "Day 2"}]}, [1, 2]),
        ({"$and": [{"jobType": "serve"}, {"group": "g"}, {"name": {"$regex": "[01]$"}}]}, [0, 1]),
        ({"createdAt": {"$gte": "2026-09-19T14:13:20", "$lt": "2026-09-21T00:00:00Z"}}, [8, 9]),
        ({"created_at": {"$lte": "2026-09-13T00:00:00+02:00"}}, [0, 1]),
        ({"heartbeatAt": {"$gt": "2026-09-21T00:00:00"}}, [9]),
        ({"summary_metrics.eval/accuracy": {"$gt": 0.95}}, []),
        ({"summary_metrics.eval/n": 100, "tags": "staging"}, [3]),
    ],
)
def test_filters(api: Any, filters: dict[str, Any], days: list[int]) -> None:
    runs = api.runs("acme/churn", filters=filters, order="+created_at")
    assert names(runs) == [f"day-{day}" for day in days]
    assert len(runs) == len(days)


@pytest.mark.parametrize("filters", [{"$where": "1"}, {"colour": "red"}, {"state": {"$near": 1}}])
def test_a_filter_that_is_not_understood_is_an_error(api: Any, filters: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="invalid filter"):
        names(api.runs("acme/churn", filters=filters))


def test_runs_come_in_pages_and_in_order(api: Any, server: Server[WandbStandIn]) -> None:
    runs = api.runs("acme/churn", order="-created_at", per_page=4)
    assert names(runs) == [f"day-{day}" for day in range(9, -1, -1)]
    pages = asked(server, "query Runs(")
    assert len(pages) == 3
    assert [page["perPage"] for page in pages] == [4, 4, 4]
    assert len({page["cursor"] for page in pages}) == 3
    assert names(api.runs("acme/churn", order="-config.model_version"))[:5] == [f"day-{day}" for day in range(5, 10)]


def test_a_run_that_starts_between_two_pages_repeats_nothing(api: Any, server: Server[WandbStandIn]) -> None:
    runs = api.runs("acme/churn", order="-created_at", per_page=5)
    seen = [runs.next().id for _ in range(5)]
    server.standin.state.add_run("acme", "churn", "late", created_at=NOW)
    try:
        seen += [runs.next().id for _ in range(5)]
        assert seen == [f"day-{day}" for day in range(9, -1, -1)]
    finally:
        del server.standin.state.projects["acme", "churn"].runs["late"]


def test_seeded_runs_look_like_written_ones(api: Any) -> None:
    (run,) = api.runs("acme/churn", filters={"name": "day-2"}, lazy=False)
    assert run.config == {"model_version": "v0", "serving": {"region": "us"}}
    assert datetime.fromisoformat(run.created_at).timestamp() == NOW - 8 * DAY
    assert datetime.fromisoformat(run.heartbeat_at).timestamp() == NOW - 8 * DAY + 23 * 3600
    assert run.summary["eval/accuracy"] == pytest.approx(0.923)
    rows = list(run.scan_history(use_cache=False))
    assert len(rows) == 24
    assert rows[5] == {
        "_step": 5,
        "_timestamp": NOW - 8 * DAY + 5 * 3600,
        "eval/accuracy": pytest.approx(0.905),
        "eval/n": 100,
    }


def test_history_comes_in_pages(api: Any, server: Server[WandbStandIn]) -> None:
    run = api.run("acme/churn/day-1")
    steps = [row["_step"] for row in run.scan_history(page_size=10, use_cache=False)]
    assert steps == list(range(24))
    pages = asked(server, "query HistoryPage")
    assert [(page["minStep"], page["maxStep"]) for page in pages] == [(0, 10), (10, 20), (20, 24)]
    server.clear()
    keyed = list(run.scan_history(keys=["eval/n"], page_size=10, min_step=15, use_cache=False))
    assert [row["_step"] for row in keyed] == list(range(15, 24))
    assert len(asked(server, "query SampledHistoryPage")) == 1


def test_rows_added_later_are_seen(api: Any, server: Server[WandbStandIn]) -> None:
    state = server.standin.state
    run = state.add_run("acme", "growing", "now", history=[{"a": 1}], created_at=NOW)
    before = run.heartbeat_at
    state.append_history(run, [{"a": 2, "_timestamp": NOW + 60}])
    rows = list(api.run("acme/growing/now").scan_history(use_cache=False))
    assert [(row["_step"], row["a"]) for row in rows] == [(0, 1), (1, 2)]
    assert run.heartbeat_at == NOW + 60 > before
    state.backdate(run, NOW - DAY, NOW - DAY + 5)
    api.flush()
    assert api.run("acme/growing/now").heartbeat_at < api.run("acme/churn/day-9").heartbeat_at


def test_exported_history_comes_back_whole(api: Any, server: Server[WandbStandIn]) -> None:
    """A service that has exported the older rows gives them as Parquet, and the newest ones live.

    The client then asks for live rows by whole pages, and sees rows of the page in the middle twice.
    """
    state = server.standin.state
    history = [{"a": step, **({"b": step / 8} if step % 2 else {})} for step in range(30)]
    run = state.add_run("acme", "exported", "one", history=history, created_at=NOW)
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{"a": None, "b": None} | row for row in run.history.rows[:20]]), sink)
    state.set_parquet_export(run, 20, sink.getvalue())
    read = api.run("acme/exported/one")
    found = list(read.scan_history(page_size=12, use_cache=False))
    rows = {row["_step"]: row for row in found}
    assert len(found) > len(rows)
    assert [rows[step]["a"] for step in range(30)] == list(range(30))
    assert [rows[step]["b"] for step in range(1, 30, 2)] == [step / 8 for step in range(1, 30, 2)]
    either = list(read.scan_history(keys=["a", "b"], max_step=12, use_cache=False))
    assert len(either) == 12, "exported rows need any of the keys, live ones all of them"
    assert any(one.path.endswith(".parquet") for one in server.requests)


def test_what_is_missing(api: Any) -> None:
    import wandb

    with pytest.raises(ValueError, match="Could not find project"):
        names(api.runs("acme/nothing"))
    with pytest.raises(ValueError, match="Could not find project"):
        names(api.runs("nobody/churn"))
    with pytest.raises(wandb.Error, match="Could not find run"):
        api.run("acme/churn/nothing")


def test_a_wrong_key_is_refused(server: Server[WandbStandIn]) -> None:
    import wandb

    with pytest.raises(wandb.errors.AuthenticationError, match="user is not logged in"):
        names(wandb.Api(api_key="x" * 40).runs("acme/churn"))
    assert {one.status for one in server.requests} == {401}


@pytest.mark.parametrize("authorization", ["", "Basic !", "Bearer " + "k" * 39, "Basic YXBpOmtra2s="])
def test_short_or_broken_keys_are_refused(server: Server[WandbStandIn], authorization: str) -> None:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(
        f"{server.url}/graphql", json.dumps({"query": "{viewer{id}}"}).encode(), {"Authorization": authorization}
    )
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request)
    assert error.value.code == 401


FAULTS = [
    Fault("status", status=500, text="HistoryPage"),
    Fault("status", status=502, text="HistoryPage", body="<html>Bad Gateway</html>"),
    Fault("status", "after", status=503, text="HistoryPage"),
    Fault("drop", text="HistoryPage"),
    Fault("reset", "after", text="HistoryPage"),
    Fault("delay", seconds=0.2, text="HistoryPage"),
    Fault("hang", seconds=30, text="HistoryPage"),
    Fault(
        "status",
        status=429,
        text="HistoryPage",
        headers=(("RateLimit-Remaining", "0"), ("RateLimit-Reset", "1"), ("Retry-After", "0")),
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.what}-{fault.when}-{fault.status}")
def test_one_trouble_is_outlived(api: Any, server: Server[WandbStandIn], fault: Fault) -> None:
    run = api.run("acme/churn/day-1")
    server.inject(fault)
    assert len(list(run.scan_history(use_cache=False))) == 24
    assert fault.strike_count == 1


def test_lasting_trouble_ends_as_an_error_after_bounded_tries(api: Any, server: Server[WandbStandIn]) -> None:
    run = api.run("acme/churn/day-1")
    fault = server.inject(Fault("status", status=502, text="HistoryPage", times=-1))
    with pytest.raises(Exception, match=r"502|giving up"):
        list(run.scan_history(use_cache=False))
    assert fault.strike_count == 3


def test_a_broken_answer_is_an_error(api: Any, server: Server[WandbStandIn]) -> None:
    run = api.run("acme/churn/day-1")
    server.inject(Fault("broken-json", "after", text="HistoryPage", times=-1))
    with pytest.raises(Exception, match=r"(?i)json|EOF|decode"):
        list(run.scan_history(use_cache=False))


def test_each_answer_waits_for_the_delay(server: Server[WandbStandIn], api: Any) -> None:
    run = api.run("acme/churn/day-1")
    server.delay = 0.15
    try:
        start = time.monotonic()
        list(run.scan_history(use_cache=False))
        assert time.monotonic() - start >= 3 * 0.15
    finally:
        server.delay = 0.0
