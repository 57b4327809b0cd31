"""What a recorder costs the process that serves: time and memory in it, waits while rows are sent, and what is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelwatch.stats.profile.codec import from_bytes

from .measure import Row, best, python

FEATURES = 25
MICROSECONDS_BATCH, MICROSECONDS_ROW = 2.0, 20.0
"""The aims, a prediction."""
WAIT_MS, MEMORY_MB = 2.0, 50.0
PROCESSES, THREADS, ROWS = 8, 4, 1_000_000
BATCH = 1000
KILLS = 10
FLUSH_SECONDS = 2.0

SET_UP = f"""
import gc, json, os, random, resource, sys, threading, time
import numpy as np
from modelwatch.recorder import Recorder

def make(**settings):
    return Recorder("churn", folder=sys.argv[1] + "/out", spool=sys.argv[1] + "/spool", sample_rate=0.01,
                    serving_version="v1", **settings)

rng = np.random.default_rng(1)
row = {{f"f{{i}}": float(rng.normal()) for i in range({FEATURES - 5})}}
row |= {{f"c{{i}}": str(rng.choice(list("abcd"))) for i in range(5)}}
batch = {{f"f{{i}}": rng.normal(size=100) for i in range({FEATURES})}} | {{"score": rng.random(100)}}
"""
COSTS = (
    SET_UP
    + """
import wandb
def cost(function, calls):
    best = float("inf")
    for _ in range(5):
        gc.collect()
        began = time.thread_time()
        for _ in range(calls):
            function()
        best = min(best, (time.thread_time() - began) / calls)
        time.sleep(0.5)
    return best * 1e6
run = wandb.init(project="bench", mode="offline", dir=sys.argv[1], settings=wandb.Settings(silent=True, console="off"))
logged = cost(lambda: run.log(row), 300)
run.finish()
made = make(send_seconds=3600)
single = cost(lambda: made.record(row, "yes", 0.3, latency=0.01), 4000)
columns = cost(lambda: made.record_batch(batch), 300) / 100
made.close(0)
print(json.dumps([logged, single, columns]))
"""
)
WAITS = (
    SET_UP
    + """
kind, seconds = sys.argv[2], 20.0
if kind == "none":
    def call():
        end = time.perf_counter() + 10e-6
        while time.perf_counter() < end:
            pass
else:
    made = make(send_seconds=1.0, flush_seconds=0.2)
    call = (lambda: made.record(row, "yes", 0.3)) if kind == "rows" else (lambda: made.record_batch(batch))
pace = 0.002 if kind == "columns" else 0.0005
call()
waits = []
end = time.perf_counter() + seconds
while time.perf_counter() < end:
    began = time.perf_counter()
    call()
    waits.append(time.perf_counter() - began)
    time.sleep(pace)
p999 = float(np.quantile(waits, 0.999)) * 1e3
lost = 0 if kind == "none" else made.stats().lost
if kind != "none":
    made.close(60)
print(json.dumps([p999, len(waits), lost]))
"""
)
MEMORY = (
    SET_UP
    + """
def status(name):
    line = next(line for line in open("/proc/self/status") if line.startswith(name))
    return int(line.split()[1]) / 1000
open(sys.argv[1] + "/spool", "w").close()  # where the spool should be: nothing leaves the buffer
before = status("VmHWM")
made = make(flush_seconds=0.2)
for _ in range(200_000):
    made.record(row, "yes", 0.3)
for _ in range(2000):
    made.record_batch(batch)
more = status("VmHWM") - before
os.unlink(sys.argv[1] + "/spool")
while made.stats().pending_bytes:
    time.sleep(0.01)
made.close(0)
print(json.dumps([more, made.stats().written, made.stats().lost]))
"""
)
COUNTS = (
    SET_UP
    + f"""
value, region = rng.normal(size={BATCH}), np.arange({BATCH}) % 4
made = make(send_seconds=5.0, memory_mb=64, disk_mb=8192)
def work():
    for _ in range({ROWS // BATCH}):
        while made.stats().pending_bytes > 32 << 20:
            time.sleep(0.002)
        made.record_batch({{"value": value, "region": region}})
for _ in range({PROCESSES} - 1):
    if not os.fork():
        break
threads = [threading.Thread(target=work) for _ in range({THREADS})]
for thread in threads: thread.start()
for thread in threads: thread.join()
made.close(0)
print(json.dumps([made.stats().written, made.stats().lost]), flush=True)
"""
)
KILLED = (
    SET_UP
    + f"""
made = make(send_seconds=3600, flush_seconds={FLUSH_SECONDS})
began = time.time()
while True:
    made.record({{"sent": time.time()}})
    print(time.time(), flush=True)
    time.sleep(0.001)
"""
)


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield _import_time()
        yield from _costs(folder / "costs")
        yield from _waits(folder)
        yield _memory(folder / "memory")
        yield _kills(folder)
        yield _counts(folder / "counts")


def _import_time() -> Row:
    base, ours = best(
        10, lambda: python("import inspect, logging, subprocess, json"), lambda: python("import modelwatch.recorder")
    )
    reference = f"import inspect, logging, subprocess, json, {base.seconds * 1000:.0f} ms"
    return Row(
        "import modelwatch.recorder", f"{ours.seconds * 1000:.0f} ms", reference, ours.seconds / base.seconds, 2.0
    )


def _costs(folder: Path) -> Iterator[Row]:
    logged, single, columns = _script(COSTS, folder)
    reference = f"wandb.log of {FEATURES} keys, offline, {logged:.0f} us of processor"
    for figure, taken, aim in (
        ("recorder: a row as a dict", single, MICROSECONDS_ROW),
        ("recorder: a row in columns of 100", columns, MICROSECONDS_BATCH),
    ):
        yield Row(figure, f"{taken:.2f} us", f"{reference}; at most {aim:g} us", taken / logged, aim / logged)


def _waits(folder: Path) -> Iterator[Row]:
    alone, _, _ = _script(WAITS, folder / "none", "none")
    for kind, figure in (("rows", "row"), ("columns", "columns of 100")):
        wait, calls, lost = _script(WAITS, folder / kind, kind)
        reference = f"{WAIT_MS:g} ms; a loop without a recorder, {alone:.2f} ms"
        measured = f"{wait:.2f} ms" if not lost else f"{lost} lost"
        yield Row(f"recorder: p99.9 of {calls:,} calls, {figure}", measured, reference, wait / WAIT_MS, 1.0)


def _memory(folder: Path) -> Row:
    """With a buffer that is full, because the spool cannot be written."""
    more, written, lost = _script(MEMORY, folder)
    assert written > 0
    assert written + lost == 400_000
    reference = f"{MEMORY_MB:g} MB; {written:,} of 400,000 rows fit"
    return Row("recorder: memory, a full buffer", f"{more:.0f} MB", reference, more / MEMORY_MB, 1.0)


def _kills(folder: Path) -> Row:
    """The age of the oldest row that is lost when the process is killed at some moment."""
    worst = 0.0
    for number in range(KILLS):
        own = folder / f"kill-{number}"
        own.mkdir()
        command = [sys.executable, "-c", KILLED, str(own)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3000 + 397 * number)]
            process.send_signal(signal.SIGKILL)
            lines += [line for line in process.stdout if line.endswith("\n")]
            last = float(lines[-1])
        _send(own)
        sent = _profile_column(own, "sent")
        worst = max(worst, last - sent)
    reference = f"flush_seconds, {FLUSH_SECONDS:g} s; {KILLS} kills"
    return Row("recorder: lost by kill -9, at most", f"{worst:.2f} s", reference, worst / FLUSH_SECONDS, 1.05)


def _counts(folder: Path) -> Row:
    folder.mkdir()
    expected = PROCESSES * THREADS * ROWS
    # Children print on the same pipe, so that reading it to its end waits for all of them.
    told = subprocess.run([sys.executable, "-c", COUNTS, str(folder)], stdout=subprocess.PIPE, check=True, text=True)
    counts = [json.loads(line) for line in told.stdout.splitlines()]
    assert len(counts) == PROCESSES
    _send(folder)
    profiled = sum(from_bytes(path.read_bytes())[0].rows for path in (folder / "out" / "profiles").glob("*.npz"))
    written, lost = (sum(count[place] for count in counts) for place in (0, 1))
    wrong = abs(expected - written - lost) + abs(written - profiled)
    figure = f"recorder: {PROCESSES} processes x {THREADS} threads x {ROWS / 1e6:g}M"
    return Row(figure, f"{profiled:,}", f"rows recorded, {expected:,}; {lost:,} dropped", float(wrong), 0.0)


def _profile_column(folder: Path, name: str) -> float:
    """The greatest value of a column."""
    profiles = (from_bytes(path.read_bytes())[0] for path in (folder / "out" / "profiles").glob("*.npz"))
    columns: list[Any] = [profile.whole().columns[name] for profile in profiles]
    return max(float(column.high) for column in columns)


def _send(folder: Path) -> None:
    command = [sys.executable, "-m", "modelwatch", "recorder", "send", str(folder / "spool"), "--wait", "300"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _script(code: str, folder: Path, *arguments: str) -> tuple[float, float, float]:
    folder.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ) | {"WANDB_SILENT": "true", "WANDB_MODE": "offline"}
    command = [sys.executable, "-c", code, str(folder), *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
    first, second, third = json.loads(done.stdout.splitlines()[-1])
    return first, second, third
