"""``modelwatch relay``: the service between PagerDuty and GitHub, and the guard of the workflow that it starts."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from ..clients.github import GitHubClient, github_api_url, github_retry_policy, github_token
from ..errors import Exit, require_extra
from ..relay.run_election import ElectionResult, RunElection
from ..relay.settings import read_settings
from ..timeutil import HOUR
from . import CommandGroup, actions_env


@click.group("relay", cls=CommandGroup, invoke_without_command=True)
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


settle_option = click.option(
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
@settle_option
def proceed(event: str, occurred_at: str, repository: str, workflow: str, workflow_run: int, settle: float) -> Exit:
    """Decide whether this workflow run handles its event: the run with the lowest id that has not failed does.

    Sets the output `proceed` to true or false, and `reason`. If GitHub cannot be read, the step fails.
    """
    from .options import parse_time  # its imports are not in the relay's image

    since = parse_time(occurred_at) if occurred_at else time.time() - LOOK_BACK
    decision = elect_run(repository, workflow, settle, event, workflow_run, since)
    click.echo(f"{'proceeds' if decision.proceed else 'stands down'}: {decision.reason}")
    actions_env.write_outputs({"proceed": "true" if decision.proceed else "false", "reason": decision.reason})
    return Exit.OK


def elect_run(repository: str, workflow: str, settle: float, event: str, run: int, since: float) -> ElectionResult:
    """Whether the workflow run ``run`` is the one that handles ``event``. ``workflow``: as in GITHUB_WORKFLOW_REF."""
    policy = github_retry_policy(os.environ)
    github = GitHubClient(github_api_url(os.environ), github_token(os.environ), policy)
    file = workflow.partition("@")[0].rpartition("/")[2]
    pause = max(3.0 * policy.wait_scale, 0.01)
    return RunElection(github, repository, file, time.time, settle * policy.wait_scale, pause).decide(event, run, since)
