"""Forks, kills, servers with many workers, and senders that die: every row arrives once, or is counted."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from modelwatch.recorder.spool_files import SENDER_LOCK, held_lock

from .recorders import recorded_losses, recorded_profile, recorded_rows, recorder, run_script, send

MAKE = """
import os, sys, threading, time
from modelwatch.recorder import Recorder
base = sys.argv[1]
settings = {"flush_seconds": 0.05, "send_seconds": 3600, "memory_mb": 64}
made = Recorder("churn", folder=base + "/out", spool=base + "/spool", **settings)
"""


def test_children_begin_empty_and_write_files_of_their_own(tmp_path: Path) -> None:
    """Forked with rows in the buffer, while threads record and the writer writes."""
    script = (
        MAKE
        + """
stop = threading.Event()
def record():
    while not stop.is_set():
        made.record({"parent": 1})
        counts[0] += 1
        time.sleep(0.0001)
counts = [0]
thread = threading.Thread(target=record)
thread.start()
children = []
for child in range(8):
    time.sleep(0.02)
    pid = os.fork()
    if not pid:
        for row in range(100):
            made.record({"child": child}, id=f"{child}-{row}")
        assert made.close(0)
        os._exit(0)
    children.append(pid)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
thread.join()
assert made.close(60)
print(counts[0], made.stats().written, made.stats().lost)
"""
    )
    counted, written, lost = map(int, run_script(script, str(tmp_path)).split())
    assert (written, lost) == (counted, 0)
    rows = recorded_rows(tmp_path / "out")
    children = [row["id"] for row in rows if row["child"] is not None]
    assert len(children) == len({*children}) == 800
    assert len(rows) == len({row["id"] for row in rows}) == 800 + counted


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_multiprocessing_flush_when_they_end(tmp_path: Path, method: str) -> None:
    script = tmp_path / "pool.py"
    script.write_text(
        MAKE
        + f"""
import multiprocessing
def work(number):
    for row in range(50):
        made.record({{"worker": number}})
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    workers = [context.Process(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
"""
    )
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=120)
    send(tmp_path / "spool")
    assert recorded_profile(tmp_path / "out").rows == 150


def test_exact_counts_of_processes_and_threads(tmp_path: Path) -> None:
    """Four processes of four threads each; the bench has 8 x 4 x 1,000,000."""
    script = (
        MAKE
        + """
import numpy as np
value = np.ones(250)
def record():
    for _ in range(100):
        while made.stats().pending_bytes > 32 << 20:
            time.sleep(0.001)
        made.record_batch({"age": value})
        made.record({"age": 2.0})
for _ in range(3):
    if not os.fork():
        break
threads = [threading.Thread(target=record) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    )
    run_script(script, str(tmp_path))
    time.sleep(0.1)
    deadline = time.monotonic() + 30
    while True:
        send(tmp_path / "spool")
        rows = recorded_profile(tmp_path / "out").rows
        if rows == 4 * 4 * 100 * 251 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert rows == 4 * 4 * 100 * 251
    assert recorded_losses(tmp_path / "out") == {}
    assert len(recorded_rows(tmp_path / "out")) == rows


def test_a_killed_process_loses_at_most_a_flush_interval(tmp_path: Path) -> None:
    script = (
        MAKE
        + """
for number in range(10**9):
    made.record({}, id=str(number), time=time.time())
    if number % 10 == 0:
        print(number, time.time(), flush=True)
    time.sleep(0.0005)
"""
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(100)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    last_number, last_time = lines[-1].split()
    send(tmp_path / "spool")
    rows = recorded_rows(tmp_path / "out")
    assert [row["id"] for row in rows] == [str(number) for number in range(len(rows))], "no gap"
    assert int(last_number) >= 990
    assert rows[-1]["time"] > float(last_time) - 1.0, "flush_seconds is 0.05; the rest is for a slow machine"
    assert recorded_profile(tmp_path / "out").rows == len(rows)


KILLED_SENDER = """
import os, shutil, sys
from pathlib import Path
from modelwatch.clients.retry import RetryPolicy
from modelwatch.recorder.sender import send

left = int(sys.argv[2])
def dying(function):
    def call(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return function(*arguments, **named)
    return call
for name in ("mkdir", "rename", "replace", "unlink"):
    setattr(os, name, dying(getattr(os, name)))
    if hasattr(Path, name):
        setattr(Path, name, dying(getattr(Path, name)))
shutil.rmtree = dying(shutil.rmtree)
send(Path(sys.argv[1]), {}, RetryPolicy(), lambda: 1e9)
"""


def test_a_sender_that_is_killed_anywhere_counts_every_row_once(tmp_path: Path) -> None:
    """Before each step that changes a file in turn, until one gets through; then the rows of a second batch, too."""
    spool, folder = tmp_path / "spool", tmp_path / "out"
    for begin in (0, 100):
        made = recorder(spool, folder=folder, sample_rate=1.0)
        for number in range(begin, begin + 100):
            made.record({"age": 1.0}, id=str(number), time=1e9 + number % 2 * 86_400)
        made.close(0.0)
        for steps in range(60):
            done = subprocess.run([sys.executable, "-c", KILLED_SENDER, str(spool), str(steps)], check=False)
            if done.returncode == 0:
                break
            assert done.returncode == 9
        assert 8 < steps < 59
        assert recorded_profile(folder).rows == begin + 100
        assert sorted(int(row["id"]) for row in recorded_rows(folder)) == list(range(begin + 100))


def test_one_sender_at_a_time(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    made = recorder(spool, folder=tmp_path / "out")
    made.record({})
    made.close(0.0)
    with held_lock(spool / SENDER_LOCK) as is_free:
        assert is_free
        command = [sys.executable, "-m", "modelwatch", "recorder", "send", str(spool), "--wait", "0.2"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 3
        assert "another process is sending this spool" in done.stderr
        assert send(spool, wait=0)["is_busy"], "without waiting it leaves the spool to the other one"
    assert send(spool)["rows"] == 1


def test_the_budget_of_the_disk_holds(tmp_path: Path) -> None:
    """Nobody sends: the oldest rows go, and each is counted."""
    spool = tmp_path / "spool"
    made = recorder(spool, folder=tmp_path / "out", disk_mb=20, memory_mb=64)
    for number in range(100):
        made.record_batch({"age": np.full(100_000, float(number))}, time=1e9)
        while made.stats().pending_bytes:
            time.sleep(0.001)
    made.close(0.0)
    size = sum(path.stat().st_size for path in spool.rglob("*") if path.is_file())
    assert size < 21 << 20
    send(spool)
    rows, lost = recorded_profile(tmp_path / "out").rows, recorded_losses(tmp_path / "out")
    assert rows > 1_500_000
    assert rows + lost["disk"] == 10_000_000
    age = recorded_profile(tmp_path / "out").whole().columns["age"]
    assert getattr(age, "high", None) == 99.0, "the newest are there"


def test_a_folder_that_is_away_gets_everything_later(tmp_path: Path) -> None:
    spool, folder = tmp_path / "spool", tmp_path / "mount" / "out"
    (tmp_path / "mount").write_text("not mounted")
    for number in range(3):
        made = recorder(spool, folder=folder)
        made.record({}, id=str(number))
        assert not made.close(60.0)
    (tmp_path / "mount").unlink()
    assert send(spool)["files"] == 3
    assert [row["id"] for row in recorded_rows(folder)] == ["0", "1", "2"]
    assert recorded_profile(folder).rows == 3


APP = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from modelwatch.recorder import AsgiMiddleware, Recorder

recorder = Recorder("churn", folder={out!r}, spool={spool!r}, flush_seconds=0.05, send_seconds=3600)

async def predict(request):
    age = float(request.query_params["age"])
    recorder.record({{"age": age}}, "yes", 1 / age)
    return JSONResponse("yes")

app = AsgiMiddleware(Starlette(routes=[Route("/predict", predict)]), recorder, paths="/predict")
"""
WSGI_APP = """
from flask import Flask, request
from modelwatch.recorder import Recorder, WsgiMiddleware

recorder = Recorder("churn", folder={out!r}, spool={spool!r}, flush_seconds=0.05, send_seconds=3600)
app = Flask(__name__)
app.wsgi_app = WsgiMiddleware(app.wsgi_app, recorder, paths="/predict")

@app.get("/predict")
def predict():
    age = float(request.args["age"])
    recorder.record({{"age": age}}, "yes", 1 / age)
    return "yes"
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as found:
            if found.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


@contextmanager
def serving(command: list[str], folder: Path) -> Iterator[str]:
    """A server with two workers; its address."""
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                found = re.search(r"http://127\.0\.0\.1:\d+", line)
                if found:
                    wait_until_open(int(found.group().rpartition(":")[2]))
                    yield found.group()
                    break
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
    assert process.returncode in (0, -signal.SIGTERM)


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn", "gunicorn --preload"])
def test_servers_with_two_workers(tmp_path: Path, server: str) -> None:
    """Every request is a row with its latency, also those that fail; nothing is lost when the server is stopped."""
    out, spool = str(tmp_path / "out"), str(tmp_path / "spool")
    (tmp_path / "app.py").write_text((APP if server == "uvicorn" else WSGI_APP).format(out=out, spool=spool))
    program, *options = server.split()
    commands = {
        "uvicorn": ["--port", str(free_port()), "--workers", "2", "app:app"],
        "gunicorn": ["--bind", "127.0.0.1:0", "--workers", "2", "--threads", "2", *options, "app:app"],
    }
    with serving([sys.executable, "-m", program, *commands[program]], tmp_path) as address:
        for number in range(40):
            with urllib.request.urlopen(f"{address}/predict?age={number + 1}") as answer:
                assert answer.status == 200
        for query in ("age=0", ""):
            try:
                urllib.request.urlopen(f"{address}/predict?{query}")
            except urllib.error.HTTPError as error:
                failed = error.code
        assert failed >= 400
    send(tmp_path / "spool")
    rows = recorded_rows(tmp_path / "out")
    assert sum(row["error"] is None for row in rows) == 40
    assert {row["error"] for row in rows if row["error"]} <= {"ZeroDivisionError", "KeyError", "HTTP 500"}
    assert len(rows) >= 41
    assert all(row["latency"] > 0 for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    assert os.path.exists(tmp_path / "out" / "profiles")


def test_senders_that_overlap_are_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Sent far more often than a sender takes: each row arrives once, and nothing is reported as failed."""
    made = recorder(tmp_path / "spool", folder=tmp_path / "out", send_seconds=0.1, flush_seconds=0.02)
    for number in range(300):
        made.record({}, id=str(number), time=1e9)
        time.sleep(0.01)
    assert made.close(60.0)
    assert "sending failed" not in caplog.text
    assert sorted(int(row["id"]) for row in recorded_rows(tmp_path / "out")) == list(range(300))
    assert recorded_profile(tmp_path / "out").rows == 300
