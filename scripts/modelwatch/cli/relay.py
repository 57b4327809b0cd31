"""``modelwatch relay``: the service between PagerDuty and GitHub, and the guard of the workflow that it starts."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..errors import Exit, UserError


@click.group("relay", invoke_without_command=True)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="MODELWATCH_RELAY_CONFIG",
    help="TOML file of services, repositories and events.",
)
@click.option("--host", default="127.0.0.1", show_default=True, envvar="HOST", help="0.0.0.0 in a container.")
@click.option("--port", default=8080, show_default=True, envvar="PORT", type=click.IntRange(0, 65535))
@click.pass_context
def relay(context: click.Context, config: Path | None, host: str, port: int) -> Exit:
    """Take PagerDuty's webhooks at /pagerduty and pass them on as repository_dispatch.

    Also serves /healthz, /readyz, /metrics and /openapi.json. SIGTERM finishes what was accepted.
    """
    if context.invoked_subcommand is not None:
        return Exit.OK
    import time

    try:
        from ..relay.app import make_app
        from ..relay.logs import log_to_stderr
        from ..relay.serving import make_server
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed.", hint="Install modelwatch[relay].") from error
    from ..relay.settings import read_settings

    settings = read_settings(os.environ, config)
    log_to_stderr()
    try:
        make_server(make_app(settings, time.time, close_connections=True), settings, host, port).run()
    except KeyboardInterrupt:
        return Exit.OK
    return Exit.OK


@relay.command("proceed")
@click.option("--id", "event", required=True, metavar="ID", help="`client_payload.id`.")
@click.option("--occurred-at", default="", metavar="TIME", help="`client_payload.occurred_at`; else 49 hours ago.")
@click.option("--repository", envvar="GITHUB_REPOSITORY", required=True, metavar="OWNER/NAME")
@click.option("--workflow", envvar="GITHUB_WORKFLOW_REF", required=True, metavar="FILE", help="This workflow's file.")
@click.option("--workflow-run", envvar="GITHUB_RUN_ID", required=True, type=int, help="This workflow run's id.")
@click.option(
    "--settle",
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="From when on GitHub's list is trusted to hold every earlier workflow run.",
)
def proceed(event: str, occurred_at: str, repository: str, workflow: str, workflow_run: int, settle: float) -> Exit:
    """Say whether this workflow run is the one for its event: the lowest that has not failed.

    Sets the output `proceed` to true or false, and `reason`. Where GitHub does not say, the step fails.
    """
    import time

    from ..clients.github import GitHubClient, github_api_url, github_retry_policy, github_token
    from ..relay.proceed import RunElection
    from .options import parse_time
    from .surroundings import write_outputs

    since = parse_time(occurred_at) if occurred_at else time.time() - 49 * 3600
    patience = github_retry_policy(os.environ)
    github = GitHubClient(github_api_url(os.environ), github_token(os.environ), patience)
    file = workflow.partition("@")[0].rpartition("/")[2]
    guard = RunElection(
        github, repository, file, time.time, settle * patience.wait_scale, max(3.0 * patience.wait_scale, 0.01)
    )
    decision = guard.decide(event, workflow_run, since)
    click.echo(f"{'proceeds' if decision.proceed else 'stands down'}: {decision.reason}")
    write_outputs({"proceed": "true" if decision.proceed else "false", "reason": decision.reason})
    return Exit.OK
