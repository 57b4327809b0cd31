"""The user's own command: what it is told, and how it is run. Its exit code is the judgement."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ..model.release import Move, MoveVerb, Registry, ReleaseSpec

EXIT_NOT_STARTED = 127
_BASH_FLAGS = ("-euo", "pipefail", "-c")


def command_name(verb: MoveVerb) -> str:
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


def command_line(verb: MoveVerb, spec: ReleaseSpec) -> str:
    """That command; empty where there is none."""
    return {"deploy": spec.deploy, "degrade": spec.degrade, "train": spec.train}.get(command_name(verb), "")


def command_environment(move: Move, registry: Registry, window: tuple[float, float] | None = None) -> dict[str, str]:
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
        "WINDOW_START": _format_utc(window[0]) if window else "",
        "WINDOW_END": _format_utc(window[1]) if window else "",
    }
    return {f"MODELWATCH_{name}": value.replace("\0", "") for name, value in found.items()}


def run_command(
    line: str, variables: Mapping[str, str], workspace: Path, env: Mapping[str, str], echo: Callable[[str], None]
) -> int:
    """Run ``line`` by bash in ``workspace``; what it prints goes to ``tell`` line by line. Gives its exit code.

    Killed by a signal, the code is 128 and the signal's number, as in a shell.
    """
    try:
        process = subprocess.Popen(
            ["bash", *_BASH_FLAGS, line],
            cwd=workspace,
            env={**env, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        echo(f"the command could not be started: {error}")
        return EXIT_NOT_STARTED
    try:
        if process.stdout is not None:
            for text in process.stdout:
                echo(text.rstrip("\n"))
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return code if code >= 0 else 128 - code


def _format_utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
