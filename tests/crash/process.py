"""Evaluations as processes of their own, started afresh or forked from a warm one, and whom a fault may kill."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 120.0
"""Seconds; an evaluation that takes longer hangs."""


@dataclass(frozen=True, slots=True)
class Ended:
    """``code`` is negative where a signal ended it, as in ``subprocess``; ``told`` is all that it printed."""

    code: int
    told: str


@dataclass(slots=True)
class Forge:
    """Starts one evaluation at a time. ``pid`` is that of the present one."""

    pid: int = 0
    _zygote: subprocess.Popen[str] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        if self._zygote is not None and self._zygote.stdin is not None:
            self._zygote.stdin.close()
            self._zygote.wait(LONGEST)
            if self._zygote.stdout is not None:
                self._zygote.stdout.close()

    def fork(self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path) -> Ended:
        """``modelwatch <arguments>`` in a child of the warm process."""
        zygote, output = self._zygote, cwd / "output.txt"
        if zygote is None or zygote.stdin is None:
            raise RuntimeError("the forge is not open")
        asked = {"arguments": list(arguments), "env": dict(env), "cwd": str(cwd), "output": str(output)}
        zygote.stdin.write(json.dumps(asked) + "\n")
        zygote.stdin.flush()
        self.pid = int(self._answer()["pid"])
        code = int(self._answer()["code"])
        self.pid = 0
        return Ended(code, output.read_text("utf-8", errors="replace"))

    def start(self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path) -> Ended:
        """``modelwatch <arguments>`` as a shell starts it."""
        child = subprocess.Popen(
            [sys.executable, "-m", "modelwatch", *arguments],
            env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.pid = child.pid
        told, _ = child.communicate(timeout=LONGEST)
        self.pid = 0
        return Ended(child.returncode, told.decode("utf-8", errors="replace"))

    def victim(self) -> int:
        """For a fault that kills: the evaluation that is being made."""
        return self.pid

    def _answer(self) -> dict[str, Any]:
        if self._zygote is None or self._zygote.stdout is None:
            raise RuntimeError("the forge is not open")
        line = self._zygote.stdout.readline()
        if not line:
            raise RuntimeError("the warm process has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer
