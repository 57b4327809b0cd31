"""Really run what was dispatched: the workflow file under ``act``, on this machine, without containers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from .state import RunControl

_POLL = 0.05


class ActExecutor:
    """``state.executor = ActExecutor(worktree, act)``: each dispatched workflow run becomes one process of ``act``.

    ``worktree`` holds the workflow files; ``env`` reaches every step (``GITHUB_API_URL`` leads its clients to the
    stand-in), ``secrets`` the ``secrets`` context; ``arguments`` go to act as they are (``--local-repository ...``).
    A workflow run that takes more than ``timeout`` seconds ends as ``timed_out``. ``close`` ends all that still run.
    """

    def __init__(
        self,
        worktree: Path,
        act: str | Path,
        env: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        *,
        arguments: Sequence[str] = (),
        timeout: float = 300.0,
    ) -> None:
        self.worktree = worktree
        self.act = str(act)
        self.env = dict(env or {})
        self.secrets = dict(secrets or {})
        self.arguments = tuple(arguments)
        self.timeout = timeout
        self._closing = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def __call__(self, control: RunControl) -> None:
        """Run one workflow run to its end; called in a thread of its own."""
        control.start()
        scratch = Path(tempfile.mkdtemp(prefix="standin-act-"))
        try:
            conclusion, log = self._run(control, scratch)
        except OSError as error:
            conclusion, log = "startup_failure", str(error)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if control.run.status != "completed":
            control.finish(conclusion, log)

    def close(self) -> None:
        """End every process; returns when they are gone."""
        self._closing.set()
        with self._lock:
            running = list(self._running)
        for process in running:
            _kill(process)

    def command(self, control: RunControl, event: Path, secrets: Path) -> list[str]:
        """The command line; secrets go by a file, so that their values show in no process list, and reach no step that
        is not given them."""
        run = control.run
        own = {
            "GITHUB_REPOSITORY": control.repository,
            "GITHUB_RUN_ID": str(run.id),
            "GITHUB_RUN_NUMBER": str(run.number),
        }
        words = [self.act, run.event, "-W", run.path, "-P", "ubuntu-latest=-self-hosted"]
        words += ["--eventpath", str(event), "--actor", run.actor]
        for name, value in (own | self.env).items():
            words += ["--env", f"{name}={value}"]
        return [*words, "--secret-file", str(secrets), *self.arguments]

    def _run(self, control: RunControl, scratch: Path) -> tuple[str, str]:
        """Conclusion and log."""
        event = scratch / "event.json"
        event.write_text(json.dumps(dict(control.run.payload)))
        secrets = scratch / "secrets.yml"  # JSON is YAML
        secrets.touch(0o600)
        secrets.write_text(json.dumps({name: value for name, value in self.secrets.items() if value}))
        # A home of its own: parallel workflow runs would share act's cache, and nobody's settings shall matter.
        home = {"HOME": str(scratch), "XDG_CACHE_HOME": str(scratch / "cache"), "PATH": os.environ.get("PATH", "")}
        with (scratch / "log").open("w+b") as log:
            process = subprocess.Popen(
                self.command(control, event, secrets),
                cwd=self.worktree,
                env=home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            with self._lock:
                self._running.add(process)
            try:
                conclusion = self._wait_for_end(control, process)
            finally:
                _kill(process)
                with self._lock:
                    self._running.discard(process)
            return conclusion, _read_log(log)

    def _wait_for_end(self, control: RunControl, process: subprocess.Popen[bytes]) -> str:
        """Wait for the process, a cancellation, or the end of patience."""
        until = time.monotonic() + self.timeout
        while process.poll() is None:
            if self._closing.is_set() or control.run.status == "completed":
                return "cancelled"
            if time.monotonic() > until:
                return "timed_out"
            time.sleep(_POLL)
        return "success" if process.returncode == 0 else "failure"


def _read_log(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and those it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
