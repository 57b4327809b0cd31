"""SIGTERM, as servers and plain processes get it: every row is written and sent before the process is gone."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from modelwatch.recorder import AsgiMiddleware

from .recorders import recorded_rows, recorder
from .test_processes import free_port, wait_until_open

HEAD = """
import os, signal, sys, time
from modelwatch.recorder import AsgiMiddleware, Recorder
recorder = Recorder("churn", folder="out", spool="spool", flush_seconds=3600, send_seconds=3600)
"""
FASTAPI = """
from fastapi import FastAPI
app = FastAPI()
@app.get("/predict")
def predict(age: float) -> str:
    recorder.record({"age": age}, "yes", 0.5)
    return "yes"
"""
MIDDLEWARE = "app.add_middleware(AsgiMiddleware, recorder=recorder, paths='/predict')\n"
BARE = """
async def bare(scope, receive, send):
    if scope["type"] != "http":
        {other}
    recorder.record({{"age": 1.0}}, "yes", 0.5)
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"yes"}})
app = AsgiMiddleware(bare, recorder)
"""
RUN = """
if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""
UVICORN = ["-m", "uvicorn", "app:app", "--log-level", "warning", "--port"]


@contextmanager
def running(folder: Path, script: str, options: list[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """``app.py`` in a process, and the port that its last argument names; SIGTERM ends it."""
    (folder / "app.py").write_text(script)
    port = free_port()
    with subprocess.Popen([sys.executable, *options, str(port)], cwd=folder, text=True, stdout=-1) as process:
        try:
            yield process, port
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            finally:
                process.kill()


@pytest.mark.parametrize(
    ("script", "options"),
    [
        (HEAD + FASTAPI + MIDDLEWARE, UVICORN),
        (HEAD + FASTAPI + MIDDLEWARE, [*UVICORN[:-1], "--workers", "2", "--port"]),
        (HEAD + BARE.format(other="raise ValueError(scope['type'])"), UVICORN),
        (HEAD + BARE.format(other="return"), UVICORN),
        (HEAD + FASTAPI + RUN, ["app.py"]),
    ],
    ids=["fastapi", "two workers", "no lifespan", "silent lifespan", "uvicorn.run without middleware"],
)
def test_uvicorn_loses_nothing_by_sigterm(tmp_path: Path, script: str, options: list[str]) -> None:
    with running(tmp_path, script, options) as (process, port):
        wait_until_open(port)
        for number in range(20):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/predict?age={number}") as answer:
                assert answer.status == 200
    assert process.returncode == (0 if "--workers" in options else -signal.SIGTERM)
    assert len(recorded_rows(tmp_path / "out")) == 20
    assert not [*(tmp_path / "spool").glob("*.open")]


PLAIN = """
recorder.record({"age": 1.0}, "yes", 0.5)
other = Recorder("fraud", folder="out2", spool="spool2", flush_seconds=3600, send_seconds=3600)
other.record({"age": 2.0}, "no", 0.5)
print("ready", flush=True)
time.sleep(60)
"""
OWN_HANDLER = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"


@pytest.mark.parametrize(("before", "status"), [("", -signal.SIGTERM), (OWN_HANDLER, 7)])
def test_a_plain_process_loses_nothing_by_sigterm(tmp_path: Path, before: str, status: int) -> None:
    """A handler that is there stays; ``atexit`` sends where it ends the interpreter."""
    with running(tmp_path, before.join(("import signal, sys\n", HEAD + PLAIN)), ["app.py"]) as (process, _):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    assert process.returncode == status
    assert [row["age"] for folder in ("out", "out2") for row in recorded_rows(tmp_path / folder)] == [1.0, 2.0]


def test_a_startup_that_fails_stays_a_failure(tmp_path: Path) -> None:
    async def fail(scope: Any, receive: Any, _send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        raise RuntimeError("no model")

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    sent: list[str] = []
    made = recorder(tmp_path / "spool", folder=tmp_path / "out")
    with pytest.raises(RuntimeError, match="no model"):
        asyncio.run(AsgiMiddleware(fail, made)({"type": "lifespan"}, receive, send))
    assert sent == []


def test_a_recorder_goes_on_after_a_lifespan(tmp_path: Path) -> None:
    """As in the tests of a service, which start it many times."""

    async def serve(*_: Any) -> None:
        return

    async def live() -> list[str]:
        messages = iter(["lifespan.startup", "lifespan.shutdown"])
        sent: list[str] = []

        async def receive() -> dict[str, Any]:
            return {"type": next(messages)}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await AsgiMiddleware(serve, made)({"type": "lifespan"}, receive, send)
        return sent

    made = recorder(tmp_path / "spool", folder=tmp_path / "out")
    for number in range(2):
        assert made.record({}, id=str(number)) is not None
        assert asyncio.run(live()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert len(recorded_rows(tmp_path / "out")) == number + 1
    assert made.close(60.0)
