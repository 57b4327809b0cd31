"""``modelwatch relay``: the service between PagerDuty and GitHub, and the guard of the workflow that it starts."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..clients.github import GitHubClient, github_api_url, github_retry_policy, github_token
from ..errors import Exit, UserError, require_extra
from ..inbound.handle import handle_event
from ..inbound.payload import parse_payload
from ..relay.run_election import ElectionResult, RunElection
from ..relay.settings import read_settings
from ..report.markdown import plain_line
from ..timeutil import HOUR
from . import actions_env, exit_codes
from .options import config_option, now_option, parse_time, read_context

if TYPE_CHECKING:
    from ..model.pagerduty_event import PagerDutyEvent


@click.group("relay", invoke_without_command=True)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="MODELWATCH_RELAY_CONFIG",
    help="TOML file of services, repositories and events.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    envvar="HOST",
    help="Address to listen on; 0.0.0.0 in a container.",
)
@click.option(
    "--port", default=8080, show_default=True, envvar="PORT", type=click.IntRange(0, 65535), help="Port to listen on."
)
@click.pass_context
def relay(context: click.Context, config: Path | None, host: str, port: int) -> Exit:
    """Receive PagerDuty's webhooks at /pagerduty and forward them as repository_dispatch.

    Also serves /healthz, /readyz, /metrics and /openapi.json. On SIGTERM it finishes the accepted events.
    """
    if context.invoked_subcommand is not None:
        return Exit.OK

    with require_extra("relay"):
        from ..relay.app import make_app
        from ..relay.telemetry import log_to_stderr
        from ..relay.uvicorn_server import make_server

    settings = read_settings(os.environ, config)
    log_to_stderr()
    try:
        make_server(make_app(settings, time.time, close_connections=True), settings, host, port).run()
    except KeyboardInterrupt:
        return Exit.OK
    return Exit.OK


_settle_option = click.option(
    "--settle",
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long GitHub's list of workflow runs can lag behind.",
)
LOOK_BACK = 49 * HOUR
"""How far back earlier workflow runs of an event are looked for; PagerDuty sends an event for at most 48 hours."""


@relay.command("proceed")
@click.option("--id", "event", required=True, metavar="ID", help="`client_payload.id`.")
@click.option("--occurred-at", default="", metavar="TIME", help="`client_payload.occurred_at`; else 49 hours ago.")
@click.option("--repository", envvar="GITHUB_REPOSITORY", required=True, metavar="OWNER/NAME")
@click.option("--workflow", envvar="GITHUB_WORKFLOW_REF", required=True, metavar="FILE", help="This workflow's file.")
@click.option("--workflow-run", envvar="GITHUB_RUN_ID", required=True, type=int, help="This workflow run's id.")
@_settle_option
def proceed(event: str, occurred_at: str, repository: str, workflow: str, workflow_run: int, settle: float) -> Exit:
    """Decide whether this workflow run handles its event: the run with the lowest id that has not failed does.

    Sets the output `proceed` to true or false, and `reason`. If GitHub cannot be read, the step fails.
    """
    since = parse_time(occurred_at) if occurred_at else time.time() - LOOK_BACK
    decision = _decide(repository, workflow, settle, event, workflow_run, since)
    click.echo(f"{'proceeds' if decision.proceed else 'stands down'}: {decision.reason}")
    actions_env.write_outputs({"proceed": "true" if decision.proceed else "false", "reason": decision.reason})
    return Exit.OK


def _decide(repository: str, workflow: str, settle: float, event: str, run: int, since: float) -> ElectionResult:
    """Whether the workflow run ``run`` is the one that handles ``event``. ``workflow``: as in GITHUB_WORKFLOW_REF."""
    policy = github_retry_policy(os.environ)
    github = GitHubClient(github_api_url(os.environ), github_token(os.environ), policy)
    file = workflow.partition("@")[0].rpartition("/")[2]
    pause = max(3.0 * policy.wait_scale, 0.01)
    return RunElection(github, repository, file, time.time, settle * policy.wait_scale, pause).decide(event, run, since)


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
@_settle_option
@now_option()
def receive(config_path: Path, payload: str | None, once: bool, settle: float, now: float) -> Exit:
    """Handle a PagerDuty event: refresh or assign the issue, request a reason, or run the command of a button.

    Buttons pass the same guards and approvals as comments. Incidents that modelwatch did not trigger are ignored.
    """
    actions_env.require_default_branch()
    incoming = parse_payload(_load_payload(payload))
    if once and os.environ.get("GITHUB_ACTIONS") == "true":
        reason = _duplicate_reason(incoming, settle)
        if reason:
            return _report("duplicate", reason, Exit.OK)
    event_result = handle_event(read_context(config_path, now), incoming)
    code = Exit.OK
    if event_result.result is not None:
        actions_env.write_judgement_summary(
            event_result.result.judgement, event_result.result.plan, event_result.result.receipts
        )
        if event_result.result.receipts:
            code = exit_codes.receipts_exit_code(event_result.result.plan, event_result.result.receipts)
        code = code or exit_codes.judgement_exit_code(event_result.result.judgement, False)
    reasons = "; ".join(filter(None, (event_result.decision.reason, *event_result.messages)))
    return _report(str(event_result.decision.action), reasons, code, event_result.decision.model, event_result.issue)


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
    names = ("GITHUB_REPOSITORY", "GITHUB_WORKFLOW_REF", "GITHUB_RUN_ID")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise UserError(f"{', '.join(missing)} is not set", hint="Use --again outside of GitHub Actions.")
    repository, workflow, run = (os.environ[name] for name in names)
    decision = _decide(repository, workflow, settle, incoming.id, int(run), incoming.occurred)
    return "" if decision.proceed else decision.reason


def _report(done: str, reason: str, code: Exit, model: str = "", issue: str = "") -> Exit:
    click.echo(f"{done}: {plain_line(reason, 600)}")
    actions_env.write_outputs({"done": done, "reason": plain_line(reason, 600), "model": model, "issue": issue})
    return code
