"""The user's own command: what it is told, and how it is run. Its exit code is the judgement."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ..model.release import Move, MoveVerb, Registry, ReleaseSpec

COULD_NOT_START = 127
_FLAGS = ("-euo", "pipefail", "-c")


def name_of(verb: MoveVerb) -> str:
    """Which of the user's commands belongs to a verb: ``deploy``, ``degrade``, ``train`` or none."""
    match verb:
        case MoveVerb.PROMOTE | MoveVerb.ROLLBACK | MoveVerb.CANARY | MoveVerb.ABORT:
            return "deploy"
        case MoveVerb.DEGRADE | MoveVerb.RESTORE:
            return "degrade"
        case MoveVerb.RETRAIN:
            return "train"
        case MoveVerb.REGISTER:
            return ""


def line_of(verb: MoveVerb, spec: ReleaseSpec) -> str:
    """That command; empty where there is none."""
    return {"deploy": spec.deploy, "degrade": spec.degrade, "train": spec.train}.get(name_of(verb), "")


def variables(move: Move, registry: Registry, window: tuple[float, float] | None = None) -> dict[str, str]:
    """What the command finds in its environment, beside what is there already.

    ``MODELWATCH_VERSION`` is the version that serves when the command has done its work: of a canary, with
    ``MODELWATCH_PERCENT`` of the traffic; when one is taken back, the champion, with 0 % left for the canary.
    """
    serving = move.source if move.verb is MoveVerb.ABORT else move.target
    version = registry.version(serving) if serving else None
    percent = {MoveVerb.ABORT: 0.0, MoveVerb.CANARY: move.percent or 0.0}.get(move.verb, 100.0)
    found = {
        "MODEL": move.model,
        "VERB": str(move.verb),
        "VERSION": serving,
        "FROM_VERSION": move.source,
        "TARGET_VERSION": move.target,
        "NUMBER": version.number if version else "",
        "PERCENT": f"{percent:g}",
        "REASON": move.reason,
        "KEY": move.key,
        "ISSUE": move.issue,
        "WINDOW_START": _day(window[0]) if window else "",
        "WINDOW_END": _day(window[1]) if window else "",
    }
    return {f"MODELWATCH_{name}": value.replace("\0", "") for name, value in found.items()}


def execute(
    line: str, variables: Mapping[str, str], workspace: Path, env: Mapping[str, str], tell: Callable[[str], None]
) -> int:
    """Run ``line`` by bash in ``workspace``; what it prints goes to ``tell`` line by line. Gives its exit code.

    Killed by a signal, the code is 128 and the signal's number, as in a shell.
    """
    try:
        process = subprocess.Popen(
            ["bash", *_FLAGS, line],
            cwd=workspace,
            env={**env, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        tell(f"the command could not be started: {error}")
        return COULD_NOT_START
    try:
        if process.stdout is not None:
            for text in process.stdout:
                tell(text.rstrip("\n"))
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return code if code >= 0 else 128 - code


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
