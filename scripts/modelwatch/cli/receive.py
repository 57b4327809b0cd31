"""``modelwatch receive``: do what PagerDuty told through a repository_dispatch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Exit, UserError
from . import ending, surroundings
from .options import config_option, now_option, read_config

if TYPE_CHECKING:
    from ..model.incoming import PagerDutyEvent

MAX_PAYLOAD_BYTES = 64 * 1024
"""Bytes of a payload; GitHub takes no more."""
MAX_PAYLOAD_PARTS = 50
"""Objects and lists in it; an event has three. Bounded before it is parsed, so that none is nested too deep."""


@click.command("receive")
@config_option()
@click.option(
    "--payload",
    envvar="MODELWATCH_PAYLOAD",
    metavar="JSON",
    help="`github.event.client_payload`; by default as GITHUB_EVENT_PATH has it.",
)
@click.option("--once/--again", default=True, help="In Actions: only in the first workflow run of this event.")
@click.option(
    "--settle",
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="From when on GitHub's list is trusted to hold every earlier workflow run.",
)
@now_option()
def receive(config_path: Path, payload: str | None, once: bool, settle: float, now: float) -> Exit:
    """Refresh the issue, assign it, ask for a reason, or take a button for a command on the issue.

    Buttons pass the same guards and approvals as comments. An incident that is not ours is ignored, with the reason.
    """
    surroundings.require_default_branch()
    from ..answering import handle_event
    from ..pipeline import RunContext
    from ..targets.payload import parse_payload

    incoming = parse_payload(_load_payload(payload))
    if once and os.environ.get("GITHUB_ACTIONS") == "true":
        reason = _duplicate_reason(incoming, settle)
        if reason:
            return _report("duplicate", reason, Exit.OK)
    config = read_config(config_path)
    found = handle_event(config, incoming, now, RunContext(surroundings.workflow_run_url()))
    code = Exit.OK
    if found.result is not None:
        surroundings.write_judgement_summary(found.result.judgement, found.result.plan, found.result.receipts)
        if found.result.receipts:
            code = ending.receipts_exit_code(found.result.plan, found.result.receipts)
        code = code or ending.judgement_exit_code(found.result.judgement, False)
    said = "; ".join(filter(None, (found.decision.reason, *found.messages)))
    return _report(str(found.decision.action), said, code, found.decision.model, found.issue)


def _load_payload(payload: str | None) -> Any:
    try:
        if payload:
            text = payload
        else:
            path = Path(os.environ.get("GITHUB_EVENT_PATH", ""))
            text = json.dumps(json.loads(path.read_text("utf-8"))["client_payload"])
        if len(text.encode("utf-8", "replace")) > MAX_PAYLOAD_BYTES:
            raise UserError("the payload is larger than GitHub takes")
        if text.count("[") + text.count("{") > MAX_PAYLOAD_PARTS:
            raise UserError("the payload has more parts than an event has")
        return json.loads(text)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        hint = "Give --payload, or run this in a workflow that `repository_dispatch` starts."
        raise UserError("there is no readable payload of an event", hint=hint) from error


def _duplicate_reason(incoming: PagerDutyEvent, settle: float) -> str:
    """Why another workflow run of the same event is the one; empty where this one is."""
    import time

    from ..clients.github import GitHubClient, github_api_url, github_retry_policy, github_token
    from ..relay.proceed import RunElection

    env = os.environ
    missing = [
        name for name in ("GITHUB_REPOSITORY", "GITHUB_WORKFLOW_REF", "GITHUB_RUN_ID") if not env.get(name)
    ]  # fmt: skip
    if missing:
        raise UserError(f"{', '.join(missing)} is not set", hint="Use --again outside of GitHub Actions.")
    patience = github_retry_policy(env)
    github = GitHubClient(github_api_url(env), github_token(env), patience)
    file = env["GITHUB_WORKFLOW_REF"].partition("@")[0].rpartition("/")[2]
    wait = max(3.0 * patience.wait_scale, 0.01)
    guard = RunElection(github, env["GITHUB_REPOSITORY"], file, time.time, settle * patience.wait_scale, wait)
    decision = guard.decide(incoming.id, int(env["GITHUB_RUN_ID"]), incoming.occurred)
    return "" if decision.proceed else decision.reason


def _report(done: str, reason: str, code: Exit, model: str = "", issue: str = "") -> Exit:
    from ..report.escape import plain_line

    click.echo(f"{done}: {plain_line(reason, 600)}")
    surroundings.write_outputs({"done": done, "reason": plain_line(reason, 600), "model": model, "issue": issue})
    return code
