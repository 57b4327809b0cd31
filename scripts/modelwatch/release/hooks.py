"""The user's own command: what it is told, and how it is run. Its exit code is the judgement."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..clients.http import post_json
from ..clients.retry import RetryPolicy
from ..errors import UserError
from ..model.monitored_model import Model, ReleaseSpec
from ..model.release import ANNOUNCED_VERBS, CHANGE_EVENT, Move, MoveState, MoveVerb, Registry, Version
from ..timeutil import format_iso

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
        "WINDOW_START": format_iso(window[0]) if window else "",
        "WINDOW_END": format_iso(window[1]) if window else "",
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


WEBHOOK = "webhook"
VERB_PHRASES = {
    MoveVerb.PROMOTE: "promoted to",
    MoveVerb.ROLLBACK: "rolled back to",
    MoveVerb.DEGRADE: "degraded from",
    MoveVerb.RESTORE: "restored to",
}

Channel = Callable[[Move, Registry, Mapping[str, str], RetryPolicy], str]


def pending_channels(model: Model, move: Move) -> Iterator[tuple[str, Channel]]:
    """Who is still to be told; each gives its trouble, or nothing."""
    if move.verb not in ANNOUNCED_VERBS or move.state is not MoveState.DONE:
        return
    release = model.release
    if model.pagerduty.routing_key is not None and CHANGE_EVENT not in move.told:
        yield CHANGE_EVENT, lambda *given: _send_change_event(model, *given)
    if release is not None and release.webhook is not None and WEBHOOK not in move.told:
        yield WEBHOOK, lambda *given: _send_webhook(model, *given)


def move_summary(move: Move, registry: Registry) -> str:
    """``churn rolled back to 1.4.0 (v7) from 1.5.0 (v8): accuracy fell``, for people."""
    came = f" from {_version_title(registry, move.source)}" if move.source and move.source != move.target else ""
    why = f": {move.reason}" if move.reason else ""
    return f"{move.model} {VERB_PHRASES[move.verb]} {_version_title(registry, move.target)}{came}{why}"


def webhook_body(move: Move, registry: Registry) -> dict[str, Any]:
    """What the webhook gets."""
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


def _send_change_event(model: Model, move: Move, registry: Registry, env: Mapping[str, str], retry: RetryPolicy) -> str:
    from ..clients.pagerduty import ChangeEventsApi, pagerduty_events_url

    key = model.pagerduty.routing_key
    if key is None:
        return "there is no routing key"
    details = {name: value for name, value in webhook_body(move, registry).items() if value and name != "summary"}
    links = (("History in W&B", move.url), ("Workflow run", _workflow_run_url(env)), ("Issue", move.issue))
    try:
        session = ChangeEventsApi(key.reveal(), pagerduty_events_url(env, model.pagerduty.events_url), retry)
        session.submit(
            move_summary(move, registry),
            source=model.pagerduty.service or f"modelwatch/{model.name}",
            timestamp=move.ended or move.at,
            details=details,
            links=[(text, url) for text, url in links if url],
        )
    except UserError as error:
        return str(error)
    return ""


def _send_webhook(model: Model, move: Move, registry: Registry, env: Mapping[str, str], retry: RetryPolicy) -> str:
    del env
    hook = model.release.webhook if model.release else None
    if hook is None:
        return "there is no webhook"
    try:
        post_json(hook.reveal(), json.dumps(webhook_body(move, registry)).encode(), retry)
    except UserError as error:
        return str(error)
    return ""


def _workflow_run_url(env: Mapping[str, str]) -> str:
    """The page of the workflow run that makes the move; empty outside GitHub Actions."""
    if env.get("GITHUB_ACTIONS") != "true":
        return ""
    server = env.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{env.get('GITHUB_REPOSITORY', '')}/actions/runs/{env.get('GITHUB_RUN_ID', '')}"


def _version_title(registry: Registry, name: str) -> str:
    version = registry.version(name) if name else None
    return version.title if version else name or "nothing"


def _version_fields(registry: Registry, name: str) -> dict[str, str] | None:
    if not name:
        return None
    version = registry.version(name) or Version(name, (), "", 0.0)
    return {"name": version.name, "number": version.number}
