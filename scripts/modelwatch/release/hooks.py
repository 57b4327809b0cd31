"""What a move calls outside W&B: the user's command, PagerDuty's change event and the user's webhook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Timer
from typing import Any

from ..clients.environment import workflow_run_url
from ..clients.http import post_json
from ..clients.pagerduty import EventsApi, pagerduty_events_url
from ..clients.retry import RetryPolicy
from ..model.monitored_model import Model, ReleaseSpec
from ..model.release import ANNOUNCED_VERBS, CHANGE_EVENT, Move, MoveState, MoveVerb, Registry, Version
from ..model.secret import Secret
from .command_variables import command_variables

EXIT_NOT_STARTED = 127
EXIT_TIMED_OUT = 124
"""As of the command `timeout`."""
GRACE_SECONDS = 4.0
"""Given to a command to end, after an interruption. GitHub's runner kills us 10 s after it cancels a job."""
MAX_LAST_LINE = 200
"""Characters of a check's last line of output that go into the reason."""
_BASH_FLAGS = ("-euo", "pipefail", "-c")
WEBHOOK = "webhook"
VERB_PHRASES = {
    MoveVerb.PROMOTE: "promoted to",
    MoveVerb.ROLLBACK: "rolled back to",
    MoveVerb.DEGRADE: "degraded from",
    MoveVerb.RESTORE: "restored to",
}
COMMAND_NAMES = {
    MoveVerb.PROMOTE: "deploy",
    MoveVerb.ROLLBACK: "deploy",
    MoveVerb.CANARY: "deploy",
    MoveVerb.ABORT: "deploy",
    MoveVerb.DEGRADE: "degrade",
    MoveVerb.RESTORE: "degrade",
    MoveVerb.RETRAIN: "train",
}
"""The field of ``ReleaseSpec`` that holds the user's command for a verb."""
Channel = Callable[[Move, Registry, Mapping[str, str], RetryPolicy], None]
"""Sends one announcement. Raises UserError."""


def run_command(
    line: str,
    variables: Mapping[str, str],
    workspace: Path,
    env: Mapping[str, str],
    echo: Callable[[str], None],
    timeout: float | None = None,
) -> int:
    """Run ``line`` with bash in ``workspace`` and pass its output to ``echo`` line by line. Returns its exit code.

    After a signal the code is 128 plus the signal's number, as in a shell. After ``timeout`` seconds it is killed, with
    every process that it started, and the code is ``EXIT_TIMED_OUT``. When this process is interrupted they are ended.
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
            start_new_session=True,
        )
    except OSError as error:
        echo(f"the command could not be started: {error}")
        return EXIT_NOT_STARTED
    timed_out = Event()
    timer = Timer(timeout or 0.0, _kill_late, (process.pid, timed_out))
    try:
        if timeout is not None:
            timer.daemon = True
            timer.start()
        if process.stdout is not None:
            for text in process.stdout:
                echo(text.rstrip("\n"))
        code = process.wait()
    except BaseException:
        echo("interrupted: the command is ended, with everything that it started; it may be half done")
        _end_group(process)
        raise
    finally:
        timer.cancel()
    if timed_out.is_set():
        return EXIT_TIMED_OUT
    return code if code >= 0 else 128 - code


def _kill_late(leader: int, timed_out: Event) -> None:
    timed_out.set()
    _signal_group(leader, signal.SIGKILL)


def _end_group(process: subprocess.Popen[str]) -> None:
    """SIGTERM to the process and everything that it started, and SIGKILL to what is left after a few seconds."""
    _signal_group(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, number)


def check_version(
    spec: ReleaseSpec,
    move: Move,
    registry: Registry,
    workspace: Path,
    env: Mapping[str, str],
    echo: Callable[[str], None],
) -> str:
    """Run the user's check of the version that ``move`` would put into production. Returns why it is refused, with the
    last line of the output, which is text from outside; empty where it passed, or there is no check."""
    if not spec.check:
        return ""
    last_line = ""

    def pass_on(text: str) -> None:
        nonlocal last_line
        last_line = text.strip() or last_line
        echo(text)

    variables = command_variables(move, registry, spec.canary.percent)
    code = run_command(spec.check, variables, workspace, env, pass_on, spec.check_timeout)
    if code == 0:
        return ""
    ending = f"exit code {code}"
    if code == EXIT_TIMED_OUT:
        ending = f"no result within {spec.check_timeout:g} s"
    return f"failed its check ({ending})" + (f": {last_line[:MAX_LAST_LINE]}" if last_line else "")


def pending_channels(model: Model, move: Move) -> Iterator[tuple[str, Channel]]:
    """The channels that a finished move has not been sent to yet."""
    if move.verb not in ANNOUNCED_VERBS or move.state is not MoveState.DONE:
        return
    key, webhook = model.pagerduty.routing_key, model.release.webhook if model.release else None
    if key is not None and CHANGE_EVENT not in move.told:
        yield CHANGE_EVENT, partial(_send_change_event, model, key)
    if webhook is not None and WEBHOOK not in move.told:
        yield WEBHOOK, partial(_send_webhook, webhook)


def move_summary(move: Move, registry: Registry) -> str:
    """One line for people: ``churn rolled back to 1.4.0 (v7) from 1.5.0 (v8): accuracy fell``."""
    origin = f" from {_version_title(registry, move.source)}" if move.source and move.source != move.target else ""
    reason = f": {move.reason}" if move.reason else ""
    return f"{move.model} {VERB_PHRASES[move.verb]} {_version_title(registry, move.target)}{origin}{reason}"


def webhook_body(move: Move, registry: Registry) -> dict[str, Any]:
    """The JSON that the webhook receives."""
    return {
        "model": move.model,
        "verb": str(move.verb),
        "summary": move_summary(move, registry),
        "version": _version_fields(registry, move.target),
        "from": _version_fields(registry, move.source),
        "reason": move.reason,
        "by": move.by,
        "at": move.at,
        "key": move.key,
        "issue": move.issue,
        "history": move.url,
    }


def _send_change_event(
    model: Model, key: Secret, move: Move, registry: Registry, env: Mapping[str, str], retry: RetryPolicy
) -> None:
    details = {name: value for name, value in webhook_body(move, registry).items() if value and name != "summary"}
    links = (("History in W&B", move.url), ("Workflow run", workflow_run_url(env)), ("Issue", move.issue))
    session = EventsApi(key.reveal(), pagerduty_events_url(env, model.pagerduty.events_url), retry)
    session.submit_change(
        move_summary(move, registry),
        source=model.pagerduty.service or f"modelwatch/{model.name}",
        timestamp=move.ended or move.at,
        details=details,
        links=[(text, url) for text, url in links if url],
    )


def _send_webhook(webhook: Secret, move: Move, registry: Registry, _env: Mapping[str, str], retry: RetryPolicy) -> None:
    post_json(webhook.reveal(), json.dumps(webhook_body(move, registry)).encode(), retry)


def _version_title(registry: Registry, name: str) -> str:
    version = registry.version(name) if name else None
    return version.title if version else name or "nothing"


def _version_fields(registry: Registry, name: str) -> dict[str, str] | None:
    if not name:
        return None
    version = registry.version(name) or Version(name, (), "", 0.0)
    return {"name": version.name, "number": version.number}
