"""What was done is reported, or exit code 4 says that it could not be: full disks, closed pipes, no memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from .world import ERROR, HEALTHY, World

FULL = Path("/dev/full")
"""A device without room for a byte."""


@pytest.fixture
def firing(world: World) -> World:
    """An alert that opens an issue and pages."""
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    return world


def start(world: World, *arguments: str, out: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "modelwatch", *arguments, "--now", str(world.clock.now)]
    return subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, env=dict(os.environ))


def acted(world: World) -> bool:
    return (len(world.issues), [incident.status for incident in world.incidents]) == (1, ["triggered"])


def check(code: int, err: str, reason: str) -> None:
    told = " ".join(err.split())
    assert code == 4, err
    assert f"the result could not be written ({reason}" in told
    assert "Done: open-issue of churn http" in told
    assert "trigger-incident of churn" in told
    assert "Traceback" not in err


@pytest.mark.parametrize("variable", ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"])
def test_a_full_disk_after_acting(firing: World, variable: str) -> None:
    firing.setenv(variable, str(FULL))
    ran = firing.run("run")
    check(ran.code, ran.err, "[Errno 28] No space left on device")
    assert acted(firing)
    assert firing.load("modelwatch-out/receipts.json")["receipts"]


def test_files_that_cannot_be_written_after_acting(firing: World) -> None:
    for step in ("pull", "evaluate", "plan"):
        told = firing.run(step)
    digest = told.out.rsplit("digest ", 1)[1].strip()
    (firing.folder / "taken").mkdir()
    ran = firing.run("apply", "--digest", digest, "--out", "taken")
    check(ran.code, ran.err, "taken: the file cannot be written")
    assert acted(firing)


def test_no_memory_after_acting(firing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr("modelwatch.report.summary.job_summary", exhausted)
    ran = firing.run("run")
    check(ran.code, ran.err, "there is not enough memory")
    again = firing.run("run", "--dry-run")
    assert (again.code, "Traceback" in again.err) == (2, False), "nothing was applied"
    assert "there is not enough memory" in again.err


def test_closed_output_after_acting(firing: World) -> None:
    process = start(firing, "run")
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    check(process.returncode, err.decode(), "standard output cannot be written: it is closed")
    assert acted(firing)


def test_closed_messages_keep_nothing_from_being_done(firing: World) -> None:
    firing.delenv("PAGERDUTY_TOKEN")
    assert "PAGERDUTY_TOKEN" in firing.run("check").err
    process = start(firing, "check")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stderr.close()
    out = process.stdout.read()
    assert process.wait(timeout=60) == 0
    assert b"1 firing" in out


@pytest.mark.parametrize(("command", "code"), [("check", 2), ("run", 4)])
def test_output_without_room(firing: World, command: str, code: int) -> None:
    with FULL.open("wb") as full:
        process = start(firing, command, out=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"No space left on device" in err
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err
