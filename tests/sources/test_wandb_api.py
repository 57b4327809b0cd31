"""Pulling from W&B: the real client against the stand-in, over HTTP."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelwatch.clients.wandb import MAX_FAILURES
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.finding import Outcome
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import WandbSpec
from modelwatch.model.prediction_log import MEASURED_TIME
from modelwatch.model.rule import BaselineKind, BaselineSpec, Interval, Limit, LimitKind, Tier
from modelwatch.model.series import Deployment, FailureScope
from modelwatch.model.severity import Severity
from modelwatch.sources.pull import pull_all, pull_period, pull_shown
from modelwatch.sources.wandb_api import plan_reads, run_filters
from modelwatch.testing.standins.faults import Fault
from modelwatch.timeutil import DAY, HOUR, format_utc

from .builders import NOW, Wandb, counts, hourly, model, operations, points, pull, rule, series_of, sessions, versions

CLIENT = """
import sys
import wandb
for day, version in enumerate(("v1", "v2")):
    with wandb.init(entity="acme", project="churn", id=f"day-{day}", resume="allow", tags=["production"],
                    config={"model": {"version": version}}) as run:
        for hour in range(5):
            end = float(sys.argv[1]) + (day * 5 + hour) * 3600
            run.log({"window_end": end, "eval": {"accuracy": 0.9, "n": 100 + hour, "region=eu": {"accuracy": 0.8}},
                     "scores": wandb.Histogram([1, 2, 3])})
            run.log({"window_end": end, "latency/p95": float("nan") if hour == 4 else 120})
"""


def add(server: Wandb, id: str, rows: list[dict[str, Any]], **about: Any) -> None:
    about.setdefault("created_at", rows[0]["_timestamp"] if rows else NOW - DAY)
    server.standin.state.add_run("acme", about.pop("project", "churn"), id, history=rows, **about)


def test_what_the_client_logs_is_what_is_pulled(wandb_server: Wandb, tmp_path: Path) -> None:
    begin = time.time() // HOUR * HOUR - 10 * HOUR
    command = [sys.executable, "-c", textwrap.dedent(CLIENT), str(begin)]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=120)
    watched = model(
        rule(weight="eval/n", segments=(KeyPattern("eval/region=*/accuracy"),)),
        rule("latency/p95", name="latency"),
        tags=("production",),
        version="model.version",
        time="window_end",
    )
    found = pull(watched, time.time())
    whole = series_of(found)
    assert list(whole.times) == [begin + i * HOUR for i in range(10)]
    assert list(whole.weights or ()) == [100.0, 101.0, 102.0, 103.0, 104.0] * 2
    assert versions(whole) == ["v1"] * 5 + ["v2"] * 5
    assert len(series_of(found, region="eu")) == 10
    latency = series_of(found, "latency/p95")
    assert list(latency.values[:4]) == [120.0] * 4
    assert math.isnan(latency.values[4])
    assert [deployment.version for deployment in found.deployments] == ["v1", "v2"]
    assert found.links[0][1] == f"{wandb_server.url}/acme/churn/runs/day-1"
    replayed = pull(watched, begin + 10 * HOUR - 600)
    assert (replayed.series, replayed.notes[0]) == ((), "20 rows left out: they were logged later")


COUNTS = """
import math, time
import wandb
def log(project, *calls):
    with wandb.init(entity="acme", project=project) as run:
        for value in range(10):
            for call in calls:
                run.log(call(value))
                time.sleep(0.02)
            time.sleep(0.2)
value, count, lost = {"eval/accuracy": 0.8}, {"eval/n": 2}, {"eval/n": math.nan}
log("together", lambda _: value | count)
log("apart", lambda _: dict(value), lambda _: dict(count))
log("before", lambda _: dict(count), lambda _: dict(value))
log("corrected", lambda _: value | lost, lambda _: dict(count))
log("half", lambda place: value | count if place % 2 else value | lost)
log("never", lambda _: value | lost)
"""
"""The same values and counts, as different jobs log them."""


def test_a_count_counts_however_the_client_logs_it(wandb_server: Wandb, tmp_path: Path) -> None:
    """In the call of its value, in one before or after it, or as a correction of NaN: by the time of both."""
    begin = time.time()
    subprocess.run([sys.executable, "-c", textwrap.dedent(COUNTS)], check=True, cwd=tmp_path, timeout=120)
    now = (time.time() // HOUR + 1) * HOUR
    limits = (Tier(Severity.CRITICAL, (Limit(LimitKind.DROP, 0.1),), ("issue",)),)
    constant = BaselineSpec(BaselineKind.CONSTANT, value=0.9, n=100_000.0)
    judged: dict[str, Any] = {}
    for project in ("together", "apart", "before", "corrected", "half", "never"):
        accuracy = replace(
            rule(weight="eval/n", baseline=constant), tiers=limits, window=now - begin + HOUR, interval=Interval.WILSON
        )
        watched = model(accuracy, project=project)
        found = pull(watched, now)
        newest = evaluate_model(watched, found, now).tracks[0].finding(-1)
        judged[project] = (newest.outcome, newest.n, [note for note in found.notes if "count" in note])
    assert judged["together"] == (Outcome.UNDECIDED, 20.0, []), "twenty predictions prove little"
    assert judged["apart"] == judged["before"] == judged["corrected"] == judged["together"]
    assert judged["half"][1:] == (10.0, ["eval/accuracy: no count stands beside 5 of 10 points"])
    assert judged["never"][1:] == (None, ["eval/accuracy: no count stands beside 10 of 10 points"]), "no interval"


EVENTS = [
    {"_timestamp": NOW - 50 * HOUR, "end": NOW - 50 * HOUR, "eval/accuracy": 0.9},
    {"_timestamp": NOW - 49 * HOUR, "end": NOW - 49 * HOUR, "eval/accuracy": 0.8},
    {"_timestamp": NOW - 20 * HOUR, "end": NOW - 49 * HOUR, "eval/accuracy": 0.7},
    {"_timestamp": NOW - 19 * HOUR, "end": NOW - 48 * HOUR, "eval/accuracy": 0.6},
]
"""The third corrects the second; it and the fourth were logged a day late."""


@pytest.mark.parametrize("key", ["end", ""])
def test_a_replay_reads_what_was_logged_by_then(wandb_server: Wandb, key: str) -> None:
    """With an event time of its own, and by the log time, which evaluation looks at."""
    add(wandb_server, "late", EVENTS)
    watched = model(time=key)
    after = pull(watched, NOW)
    then = pull(watched, NOW - 40 * HOUR)
    if key:
        assert points(series_of(after)) == {NOW - 50 * HOUR: 0.9, NOW - 49 * HOUR: 0.7, NOW - 48 * HOUR: 0.6}
        assert points(series_of(then)) == {NOW - 50 * HOUR: 0.9, NOW - 49 * HOUR: 0.8}
        assert then.notes == ("2 rows left out: they were logged later",)
        assert "left out" not in " ".join(after.notes)
    else:
        track = evaluate_model(watched, then, NOW - 40 * HOUR).tracks[0]
        assert (track.late_points, track.finding(-1).time) == (2, NOW // HOUR * HOUR - 40 * HOUR)


def test_clocks_may_differ_by_five_minutes(wandb_server: Wandb) -> None:
    add(wandb_server, "late", EVENTS)
    assert len(series_of(pull(model(time="end"), NOW - 19 * HOUR - 299))) == 3
    assert len(series_of(pull(model(time="end"), NOW - 19 * HOUR - 301))) == 2


def test_a_baseline_captured_in_a_replay_knows_no_later_rows(wandb_server: Wandb) -> None:
    add(wandb_server, "late", EVENTS)
    period = (NOW - 3 * DAY, NOW - 40 * HOUR)
    assert len(series_of(pull_period(model(time="end"), *period, sessions()))) == 3
    assert len(series_of(pull_period(model(time="end"), *period, sessions(), now=NOW - 40 * HOUR))) == 2


def test_a_window_measured_again_counts_as_it_was_measured_by_then(wandb_server: Wandb) -> None:
    """One that was measured only later, since the log was there before modelwatch, counts as it was measured last."""
    measured = [{MEASURED_TIME: row["end"], **row} for row in EVENTS]
    measured.append({**measured[3], "_timestamp": NOW - 18 * HOUR, "eval/accuracy": 0.5})
    add(wandb_server, "measured", measured)
    after, then = pull(model(), NOW), pull(model(), NOW - 40 * HOUR)
    assert points(series_of(after)) == {NOW - 50 * HOUR: 0.9, NOW - 49 * HOUR: 0.7, NOW - 48 * HOUR: 0.5}
    assert points(series_of(then)) == {NOW - 50 * HOUR: 0.9, NOW - 49 * HOUR: 0.8, NOW - 48 * HOUR: 0.5}
    assert then.notes == ()


def test_a_pull_of_one_run_makes_five_calls_and_writes_nothing(
    wandb_server: Wandb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    add(wandb_server, "r", hourly(NOW - 30 * DAY, 700))
    assert len(series_of(pull(model(), NOW))) == 700
    names = [name for name, _ in operations(wandb_server)]
    assert names == ["RedirectCheck", "Viewer", "Runs", "RunParquetHistory", "HistoryPage"]
    assert list((tmp_path / "here").iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_daily_runs_join_into_one_series(wandb_server: Wandb) -> None:
    for day in range(10):
        begin = NOW - (10 - day) * DAY
        add(wandb_server, f"d{day}", hourly(begin, 24), config={"model_version": f"v{day // 5}"})
    found = pull(model(version="model_version"), NOW)
    series = series_of(found)
    assert list(series.times) == [NOW - 10 * DAY + hour * HOUR for hour in range(240)]
    assert found.deployments == (Deployment("v0", NOW - 10 * DAY), Deployment("v1", NOW - 5 * DAY))
    assert [text for text, _ in found.links] == ["d9", "d8", "d7"]
    assert counts(wandb_server)["HistoryPage"] == 10


def test_runs_that_ended_before_the_history_are_not_read(wandb_server: Wandb) -> None:
    add(wandb_server, "old", hourly(NOW - 90 * DAY, 24))
    add(wandb_server, "new", hourly(NOW - 2 * DAY, 24))
    assert len(series_of(pull(model(), NOW))) == 24
    assert [variables["run"] for name, variables in operations(wandb_server) if name == "HistoryPage"] == ["new"]


def test_a_baseline_far_back_has_its_runs_read(wandb_server: Wandb) -> None:
    add(wandb_server, "old", hourly(NOW - 60 * DAY, 24))
    seasonal = rule(baseline=BaselineSpec(BaselineKind.SEASONAL, length=56 * DAY))
    assert len(series_of(pull(model(seasonal), NOW))) == 24


def test_many_runs_are_listed_page_by_page(wandb_server: Wandb) -> None:
    for number in range(130):
        add(wandb_server, f"r{number:03}", hourly(NOW - 20 * DAY + number * HOUR, 1), project="many")
    assert len(series_of(pull(model(project="many"), NOW))) == 130
    assert counts(wandb_server)["Runs"] == 2


def test_listing_ends_where_the_runs_get_too_old(wandb_server: Wandb) -> None:
    for number in range(250):
        add(wandb_server, f"r{number:03}", hourly(NOW - (number + 1) * DAY, 1), project="many")
    watched = model(project="many", history=9 * DAY)
    assert len(series_of(pull(watched, NOW))) == 10
    assert counts(wandb_server)["Runs"] == 1


def test_a_long_lived_run_is_read_from_about_the_right_step(wandb_server: Wandb) -> None:
    add(wandb_server, "forever", hourly(NOW - 12_000 * HOUR, 12_000), state="crashed")
    series = series_of(pull(model(history=10 * DAY), NOW))
    assert list(series.times) == [NOW - hour * HOUR for hour in range(265, 0, -1)]
    pages = [variables["minStep"] for name, variables in operations(wandb_server) if name == "HistoryPage"]
    assert min(pages) > 10_000
    assert len(pages) <= 2
    assert counts(wandb_server)["RunParquetHistory"] == 1


def test_steps_that_count_seconds_cost_no_call_each(wandb_server: Wandb) -> None:
    rows = [{**row, "_step": int(row["_timestamp"])} for row in hourly(NOW - 100 * HOUR, 100)]
    add(wandb_server, "seconds", rows)
    assert len(series_of(pull(model(), NOW))) == 100
    assert counts(wandb_server)["HistoryPage"] == 1


def test_sparse_keys_are_joined_and_none_loses_rows(wandb_server: Wandb) -> None:
    rows = hourly(NOW - 2 * DAY, 24)
    rows += [{"_timestamp": NOW - DAY + i * HOUR, "other/metric": i} for i in range(12)]
    add(wandb_server, "sparse", rows)
    found = pull(model(rule(), rule("other/metric", name="other")), NOW)
    assert len(series_of(found)) == 24
    assert len(series_of(found, "other/metric")) == 12


def test_wide_runs_are_read_key_by_key(wandb_server: Wandb) -> None:
    noise = {f"noise/{i}": i for i in range(400)}
    rows = hourly(NOW - 20 * DAY, 400, **noise) + [
        {"_timestamp": NOW - 2 * DAY + i, "eval/n": i, "other/metric": i} for i in range(10)
    ]
    add(wandb_server, "wide", rows)
    found = pull(model(rule(weight="eval/n"), rule("other/metric", name="other")), NOW)
    assert len(series_of(found)) == 400
    assert len(series_of(found, "other/metric")) == 10
    asked = [json.loads(v["spec"])["keys"][0] for name, v in operations(wandb_server) if name == "SampledHistoryPage"]
    assert set(asked) == {"eval/accuracy", "eval/n", "other/metric"}
    assert "HistoryPage" not in counts(wandb_server)


def test_runs_that_log_nothing_wanted_are_not_read(wandb_server: Wandb) -> None:
    add(wandb_server, "training", [{"_timestamp": NOW - DAY, "train/loss": 1.0}])
    add(wandb_server, "empty", [])
    found = pull(model(), NOW)
    assert (found.error, found.series) == ("", ())
    assert any("none of the 2 W&B runs of acme/churn" in note for note in found.notes)
    assert "RunParquetHistory" not in counts(wandb_server)


def test_a_run_written_again_wins_over_the_earlier_one(wandb_server: Wandb) -> None:
    first = [{"_timestamp": NOW - DAY, "end": NOW - 2 * DAY, "eval/accuracy": 0.5}]
    second = [{"_timestamp": NOW - HOUR, "end": NOW - 2 * DAY, "eval/accuracy": 0.7}]
    add(wandb_server, "b-first", first)
    add(wandb_server, "a-again", second)
    assert points(series_of(pull(model(time="end"), NOW))) == {NOW - 2 * DAY: 0.7}


def test_a_step_that_is_there_twice_counts_once(wandb_server: Wandb) -> None:
    rows = [*hourly(NOW - DAY, 3), {"_step": 1, "_timestamp": NOW - DAY + 1.5 * HOUR, "eval/accuracy": 0.77}]
    add(wandb_server, "resumed", rows)
    assert list(series_of(pull(model(), NOW)).values) == [0.0, 0.77, 0.002]


def test_filters_choose_the_runs(wandb_server: Wandb) -> None:
    for id, about in {
        "right": {"tags": ["production", "eu"], "job_type": "serve", "group": "g", "config": {"lane": "a"}},
        "no-tag": {"tags": ["production"], "job_type": "serve", "group": "g", "config": {"lane": "a"}},
        "no-job": {"tags": ["production", "eu"], "job_type": "train", "group": "g", "config": {"lane": "a"}},
        "no-group": {"tags": ["production", "eu"], "job_type": "serve", "config": {"lane": "a"}},
        "no-lane": {"tags": ["production", "eu"], "job_type": "serve", "group": "g", "config": {"lane": "b"}},
    }.items():
        add(wandb_server, id, hourly(NOW - DAY, 2), **about)
    chosen = model(tags=("production", "eu"), job_type="serve", group="g", filters='{"config.lane": "a"}')
    assert [text for text, _ in pull(chosen, NOW).links] == ["right"]
    assert len(pull(model(), NOW).links) == 3


def test_filters_are_as_small_as_they_can_be() -> None:
    assert run_filters(WandbSpec()) == {}
    assert run_filters(WandbSpec(group="g")) == {"group": "g"}
    assert run_filters(WandbSpec(group="g", job_type="j")) == {"$and": [{"jobType": "j"}, {"group": "g"}]}


def test_keys_are_read_one_at_a_time_only_where_that_pays() -> None:
    wanted = (KeyPattern("eval/accuracy"),)
    there = ["eval/accuracy", *(f"noise/{i}" for i in range(1000))]
    assert plan_reads(there, 1000, wanted, WandbSpec(time="end")) == [["eval/accuracy", "end", "_step", "_timestamp"]]
    measured = plan_reads([*there, "measured/time"], 1000, wanted, WandbSpec(time="end"))
    assert measured == [["eval/accuracy", "measured/time", "_step", "_timestamp"]]
    assert plan_reads(there, 10, wanted, WandbSpec()) == [None]
    assert plan_reads(["eval.accuracy", *there[1:]], 1000, wanted, WandbSpec()) == [None]
    assert plan_reads([*there, "version"], 1000, wanted, WandbSpec(version="version")) == [None]
    assert plan_reads([], 1000, wanted, WandbSpec()) == [None]


def test_one_run_of_a_period_for_a_baseline(wandb_server: Wandb) -> None:
    add(wandb_server, "a", hourly(NOW - 5 * DAY, 24))
    add(wandb_server, "b", hourly(NOW - 3 * DAY, 24))
    whole = series_of(pull_period(model(), 0.0, NOW, sessions(), wandb_run="a"))
    assert (whole.times[0], len(whole)) == (NOW - 5 * DAY, 24)
    half = pull_period(model(), NOW - 5 * DAY, NOW - 5 * DAY + 11 * HOUR, sessions())
    assert len(series_of(half)) == 12
    assert "there is no W&B run 'c'" in pull_period(model(), 0.0, NOW, sessions(), wandb_run="c").error


def test_a_run_that_was_synced_after_a_period_still_tells_of_it(wandb_server: Wandb) -> None:
    """Logged offline, and uploaded only when the period was long over."""
    add(wandb_server, "late", hourly(NOW - 5 * DAY, 24), created_at=NOW - HOUR)
    found = pull_period(model(), NOW - 5 * DAY, NOW - 4 * DAY, sessions())
    assert len(series_of(found)) == 24


def test_an_empty_project_gives_no_series_and_says_so(wandb_server: Wandb) -> None:
    wandb_server.standin.state.add_project("acme", "churn")
    found = pull(model(), NOW)
    assert (found.error, found.series) == ("", ())
    assert found.notes[0].startswith("acme/churn has no run yet. Let the job that serves the model log: `wandb.init(")


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"tags": ("prodction",)}, "has the tag 'prodction'. Did you mean `production`?"),
        (
            {"tags": ("production", "live")},
            "has the tag 'live'. Tags: batch, eu, production. Start runs with `wandb.init(tags=['live'])`, or change",
        ),
        ({"tags": ("eu", "batch")}, "that matches was alive in this period. Check `runs: {tags, job_type, group, fil"),
        ({"job_type": "srve"}, "has the job_type 'srve'. Did you mean `serve`?"),
        ({"job_type": "other"}, "has the job_type 'other'. There are serve."),
        ({"group": "europa"}, "has the group 'europa'. Did you mean `europe`?"),
        (
            {"filters": '{"state": "failed"}'},
            "that matches was alive in this period. Check `runs: {tags,",
        ),
    ],
)
def test_what_selects_no_run_is_named_with_what_there_is(
    wandb_server: Wandb, fields: dict[str, Any], note: str
) -> None:
    add(wandb_server, "a", hourly(NOW - 9 * HOUR, 5), tags=["production", "eu"], job_type="serve", group="europe")
    add(wandb_server, "b", hourly(NOW - 9 * HOUR, 5), tags=["batch"])
    found = pull(model(**fields), NOW)
    assert (found.error, found.series) == ("", ())
    assert found.notes[0].startswith(f"no W&B run of acme/churn {note}")
    assert counts(wandb_server)["Runs"] == 2, "the second time without filters"


def test_runs_that_ended_before_the_period_are_not_misnamed(wandb_server: Wandb) -> None:
    add(wandb_server, "old", hourly(NOW - 90 * DAY, 24), tags=["production"])
    found = pull(model(tags=("production",)), NOW)
    assert found.notes[0] == (
        "no W&B run of acme/churn that matches was alive in this period: the newest ended at "
        f"{format_utc(NOW - 89 * DAY - HOUR)}. Does the job that logs still run?"
    )


def test_a_key_that_no_run_logs_is_named_with_those_they_log(wandb_server: Wandb) -> None:
    cells = {f"k{number:02}": 1.0 for number in range(20)}
    add(wandb_server, "a", [row | cells for row in hourly(NOW - 9 * HOUR, 5)])
    near, far = (pull(model(rule(key)), NOW).notes for key in ("eval/acuracy", "zzz"))
    assert near == ("no points under eval/acuracy. Did you mean `eval/accuracy`?",)
    listed = ", ".join(["eval/accuracy", *sorted(cells)[:9]])
    assert far == (
        "none of the 1 W&B runs of acme/churn that match logs any of the rules' keys",
        f"no points under zzz. Logged are {listed} and 11 more.",
    )


def test_data_that_stopped_is_told_with_its_age(wandb_server: Wandb) -> None:
    add(wandb_server, "stopped", hourly(NOW - 5 * DAY, 1), state="running", heartbeat_at=NOW)
    assert "the newest point is 5.0 days old" in pull(model(), NOW).notes


# What goes wrong


def test_a_missing_project_is_an_error(wandb_server: Wandb) -> None:
    wandb_server.standin.state.add_project("acme", "churn")
    found = pull(model(project="chrun"), NOW)
    text = "there is no project acme/chrun, or the API key may not see it. Did you mean `churn`?"
    assert (found.error, found.scope) == (text, FailureScope.CONFIGURATION)
    assert pull(model(entity="acm"), NOW).error.endswith("Check `wandb: {entity, project}`.")


def test_a_wrong_key_is_an_error(wandb_server: Wandb, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb_server.standin.state.keys = frozenset({"x" * 40})
    found = pull(model(), NOW)
    error, scope = found.error, found.scope
    assert scope is FailureScope.SERVER, "every model is read with this key"
    assert "refuses the API key (HTTP 401)" in error
    assert "WANDB_API_KEY" in error
    assert "k" * 40 not in error


@pytest.mark.parametrize(("key", "said"), [("", "no W&B API key"), ("short", "has 5 characters")])
def test_a_key_that_cannot_be_one_asks_nobody(wandb_server: Wandb, key: str, said: str) -> None:
    env = {**os.environ, "WANDB_API_KEY": key}
    found = pull(model(), NOW, env=env)
    assert said in found.error
    assert found.scope is FailureScope.EVALUATOR, "W&B can be fine"
    assert wandb_server.requests == []


def test_a_server_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"WANDB_API_KEY": "k" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9", "MODELWATCH_WAIT_SCALE": "0"}
    found = pull(model(), NOW, env=env)
    assert "W&B cannot be read" in found.error
    assert found.scope is FailureScope.SERVER


@pytest.mark.parametrize("operation", ["Viewer", "Runs", "RunParquetHistory", "HistoryPage"])
def test_502_forever_ends_in_an_error(wandb_server: Wandb, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    monkeypatch.setenv("MODELWATCH_WAIT_SCALE", "0")
    add(wandb_server, "r", hourly(NOW - DAY, 24))
    wandb_server.inject(Fault("status", status=502, text=operation, times=-1))
    found = pull(model(), NOW)
    assert "W&B is down (HTTP 502)" in found.error
    assert found.series == ()
    assert counts(wandb_server)[operation] == 3


def test_a_short_trouble_is_survived(wandb_server: Wandb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWATCH_WAIT_SCALE", "0")
    add(wandb_server, "r", hourly(NOW - DAY, 24))
    for what in (
        Fault("status", status=503, text="Runs"),
        Fault("status", status=429, text="HistoryPage", headers=(("Retry-After", "1"),)),
        Fault("drop", text="RunParquetHistory"),
    ):
        wandb_server.inject(what)
    assert len(series_of(pull(model(), NOW))) == 24


def test_429_forever_says_that_it_is_the_rate(wandb_server: Wandb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWATCH_WAIT_SCALE", "0")
    add(wandb_server, "r", hourly(NOW - DAY, 24))
    wandb_server.inject(Fault("status", status=429, text="Runs", times=-1))
    assert "limits the rate of requests (HTTP 429)" in pull(model(), NOW).error


@pytest.mark.parametrize("operation", ["Runs", "HistoryPage"])
def test_broken_json_is_an_error(wandb_server: Wandb, operation: str) -> None:
    add(wandb_server, "r", hourly(NOW - DAY, 24))
    wandb_server.inject(Fault("broken-json", text=operation, when="after", times=-1))
    found = pull(model(), NOW)
    assert "W&B cannot be read" in found.error
    assert found.series == ()


def test_one_models_failure_hides_no_other(wandb_server: Wandb) -> None:
    add(wandb_server, "r", hourly(NOW - DAY, 24))
    good, bad = model(), replace(model(project="nowhere"), name="bad")
    seen: list[tuple[str, int, int]] = []
    found = pull_all([bad, good], NOW, sessions(), progress=lambda *step: seen.append(step))
    assert list(found) == ["bad", "churn"]
    assert found["bad"].error
    assert len(series_of(found["churn"])) == 24
    assert sorted(name for name, _, _ in seen) == ["bad", "churn"]
    assert [step for _, *step in seen] == [[1, 2], [2, 2]]


def test_a_model_that_is_slow_without_end_is_given_up_and_hides_no_other(wandb_server: Wandb) -> None:
    for day in range(20):
        add(wandb_server, f"slow{day}", hourly(NOW - DAY, 24), project="slow")
    add(wandb_server, "r", hourly(NOW - DAY, 24))
    wandb_server.inject(Fault("delay", text="slow", seconds=1.0, times=-1))
    slow = replace(model(project="slow"), name="slow")
    found = pull_all([slow, model()], NOW, sessions(), workers=4, seconds=4.0)
    assert "the model could not be read in time" in found["slow"].error
    assert len(series_of(found["churn"])) == 24
    assert sum(b"slow" in request.body for request in wandb_server.requests) < 20


def test_models_that_share_a_project_do_not_take_each_others_runs(wandb_server: Wandb) -> None:
    for day in range(5):
        add(wandb_server, f"d{day}", hourly(NOW - (day + 1) * DAY, 24))
    models = [replace(model(), name=f"m{i}") for i in range(12)]
    found = pull_all(models, NOW, sessions())
    assert [len(series_of(each)) for each in found.values()] == [120] * 12
    assert counts(wandb_server)["Viewer"] == 1


def test_what_is_new_is_seen_by_the_next_pull(wandb_server: Wandb) -> None:
    add(wandb_server, "a", hourly(NOW - 2 * DAY, 24))
    assert len(series_of(pull(model(), NOW))) == 24
    add(wandb_server, "b", hourly(NOW - DAY, 12))
    assert len(series_of(pull(model(), NOW))) == 36


def test_a_server_in_trouble_is_not_asked_for_every_model(wandb_server: Wandb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWATCH_WAIT_SCALE", "0")
    wandb_server.inject(Fault("status", status=500, text="Runs", times=-1))
    found = pull_all([replace(model(), name=f"m{i}") for i in range(8)], NOW, sessions(), workers=1)
    assert all("W&B is down (HTTP 500)" in each.error for each in found.values())
    assert counts(wandb_server)["Runs"] == 3 * MAX_FAILURES


def test_a_model_without_a_source_says_so() -> None:
    assert "the model has no source" in pull(replace(model(), wandb=None), NOW, env={}).error


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        (
            {"version": "model.vers"},
            "no W&B run has 'model.vers' (`wandb: {version}`) in its config or history. Did you mean `model.version`?",
        ),
        (
            {"version": "zzz"},
            "no W&B run has 'zzz' (`wandb: {version}`) in its config or history. There are eval/accuracy, model.vers",
        ),
        (
            {"time": "window_ends"},
            "no W&B run logs 'window_ends' (`wandb: {time}`), so no row counts. Did you mean `window_end`?",
        ),
        ({"version": "model.version", "time": "window_end"}, ""),
    ],
)
def test_keys_of_the_configuration_that_no_run_has(wandb_server: Wandb, fields: dict[str, Any], note: str) -> None:
    rows = [row | {"window_end": row["_timestamp"]} for row in hourly(NOW - 9 * HOUR, 5)]
    add(wandb_server, "a", rows, config={"model": {"version": "v1"}})
    found = pull(model(rule(), **fields), NOW).notes
    assert [text[: len(note)] for text in found if "W&B run" in text] == ([note] if note else [])


def test_what_is_shown_beside_the_rules_is_read_on_its_own(wandb_server: Wandb) -> None:
    rows = [
        {
            "_step": step,
            "_timestamp": NOW - (5 - step) * HOUR,
            "eval": {"accuracy": 0.9},
            "errors": {"rate": 0.01, "n": 50.0},
            "latency": {"p95": 120.0 + step},
            "system": {"cpu": 0.5},
            "other": 1.0,
        }
        for step in range(6)
    ]
    add(wandb_server, "a", rows)
    shown = pull_shown([model()], NOW, sessions())["churn"]
    assert not shown.error
    assert {series.name for series in shown.series} == {"errors/rate", "latency/p95", "system"}
    errors = next(series for series in shown.series if series.name == "errors/rate")
    assert list(errors.weights or ()) == [50.0] * 6
    assert {series.name for series in pull(model(), NOW).series} == {"eval/accuracy"}


def test_what_is_shown_fails_for_one_model_alone(wandb_server: Wandb) -> None:
    add(wandb_server, "a", [{"_step": 0, "_timestamp": NOW - HOUR, "errors/rate": 0.5}])
    found = pull_shown([model(), model(name="other", project="missing")], NOW, sessions())
    assert [series.name for series in found["churn"].series] == ["errors/rate"]
    assert found["other"].error


def test_a_history_without_anything_to_show_is_not_read_again(wandb_server: Wandb) -> None:
    rows = [{"_step": step, "_timestamp": NOW - step * HOUR, "serve/p95": 1.0, "eval/accuracy": 0.9} for step in (2, 1)]
    add(wandb_server, "a", rows[::-1])
    assert pull_shown([model(rule("serve/p95"))], NOW, sessions())["churn"].series == ()
    asked = counts(wandb_server)
    assert "Runs" in asked
    assert "HistoryPage" not in asked


def test_histograms_alone_are_shown(wandb_server: Wandb) -> None:
    histogram = {"_type": "histogram", "bins": [0.0, 1.0, 2.0], "values": [3, 4]}
    add(wandb_server, "a", [{"_step": 0, "_timestamp": NOW - HOUR, "features/age": histogram}])
    found = pull_shown([model()], NOW, sessions())["churn"]
    assert [(one.name, one.labels) for one in found.histograms] == [("features", (("features", "age"),))]
