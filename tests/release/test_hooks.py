"""The user's command is ended with us, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys
from pathlib import Path
from modelwatch.release.hooks import run_command
signal.signal(signal.SIGTERM, signal.default_int_handler)
run_command(sys.argv[1], {}, Path(sys.argv[2]), os.environ, lambda text: print(text, flush=True))
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "line",
    ["sleep 600 & echo $! > child; echo ready; wait", "trap '' TERM; sleep 600 & echo $! > child; echo ready; wait"],
)
def test_an_interrupted_move_ends_its_command_and_says_so(tmp_path: Path, line: str, number: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM, f"{line}; sleep 600", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    told, _ = process.communicate(timeout=60)
    assert "interrupted: the command is ended" in told
    assert not is_running(int((tmp_path / "child").read_text()))
