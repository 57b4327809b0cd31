"""``modelwatch pagerduty``: who is on call, as the configuration says it, set up at PagerDuty."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Exit, UserError
from . import actions_env
from .options import config_option, format_option, models_option, read_config

if TYPE_CHECKING:
    from ..clients.pagerduty_admin import AdminClient
    from ..model.pagerduty_setup import SetupPlan
    from ..pagerduty_setup.apply import ApplyResult
    from ..pagerduty_setup.desired_state import DesiredService, DesiredState
    from ..pagerduty_setup.plan import ObservedState

WRITE_TOKEN_VARIABLE, READ_TOKEN_VARIABLE = "PAGERDUTY_WRITE_TOKEN", "PAGERDUTY_TOKEN"


@click.group("pagerduty")
def pagerduty() -> None:
    """Set up services, escalation policies, integrations, event rules and webhooks at PagerDuty.

    Only what bears the mark `managed by modelwatch: <repository>` is ever changed; nothing else is touched.
    """


@pagerduty.command("plan")
@config_option()
@models_option()
@format_option()
def plan(config_path: Path, models: tuple[str, ...], style: str) -> Exit:
    """What would be changed at PagerDuty, and why not. Changes nothing; a read-only token is enough."""
    wanted = _desired_state(config_path, models)
    made = _make_plan(_open_admin(wanted, reading=True), wanted)[1]
    if style == "json":
        click.echo(_to_json(made))
    else:
        _print_plan(made)
        if made.changes:
            click.echo(f"digest {made.digest}: `modelwatch pagerduty apply --digest {made.digest}` makes exactly this.")
    return Exit.PARTIAL if made.refusals else Exit.OK


@pagerduty.command("apply")
@config_option()
@models_option()
@click.option("--digest", metavar="HEX", help="What `plan` printed: refuse if anything else would be changed by now.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--secrets-to",
    "secrets_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A dotenv file, yours alone to read, for routing keys and signing secrets; `gh secret set -f` takes it.",
)
@click.option("--show-routing-key", is_flag=True, help="Print routing keys; to a terminal only.")
@format_option()
def apply(
    config_path: Path,
    models: tuple[str, ...],
    digest: str | None,
    yes: bool,
    secrets_path: Path | None,
    show_routing_key: bool,
    style: str,
) -> Exit:
    """Plan, show, and make PagerDuty so. Interrupted at any point, the same command goes on where it stopped."""
    from ..pagerduty_setup.apply import SecretsFile
    from ..pagerduty_setup.apply import apply as carry_out

    actions_env.require_default_branch()
    if show_routing_key and not sys.stdout.isatty():
        raise UserError("routing keys are shown on a terminal only.", hint="Use --secrets-to FILE.")
    wanted = _desired_state(config_path, models)
    admin = _open_admin(wanted)
    seen, made = _make_plan(admin, wanted)
    _require_consent(made, digest, yes, quiet=style == "json")
    file = SecretsFile(secrets_path) if secrets_path else None
    if file is not None:
        file.ensure_writable()
    applied = carry_out(admin, wanted, seen, made, file.store if file else None)
    if file is not None:
        for one in wanted.services:
            for name in _routing_key_names(one) if one.name in applied.routing_keys else ():
                file.store(name, applied.routing_keys[one.name])
    if style == "json":
        click.echo(_to_json(made, applied))
    elif made.changes:
        _print_plan(made, applied)
    _print_routing_keys(
        wanted, applied, secrets_path if file and file.remove_if_empty() else None, show=show_routing_key
    )
    bad = any(receipt.result.value in ("failed", "refused") for receipt in applied.receipts)
    return Exit.PARTIAL if bad or made.refusals else Exit.OK


def _desired_state(config_path: Path, models: tuple[str, ...]) -> DesiredState:
    from ..pagerduty_setup.desired_state import desired_state

    return desired_state(read_config(config_path, models, read_only=True), os.environ)


def _open_admin(wanted: DesiredState, *, reading: bool = False) -> AdminClient:
    from ..clients.pagerduty import pagerduty_retry_policy
    from ..clients.pagerduty_admin import AdminClient

    token = os.environ.get(WRITE_TOKEN_VARIABLE) or (os.environ.get(READ_TOKEN_VARIABLE) if reading else "")
    if not token:
        either = (
            f"{WRITE_TOKEN_VARIABLE} (or, to look only, {READ_TOKEN_VARIABLE})" if reading else WRITE_TOKEN_VARIABLE
        )
        hint = "It is a REST API token: at PagerDuty, Integrations → API Access Keys."
        raise UserError(f"{either} is not set.", hint=hint)
    return AdminClient(token, wanted.account, pagerduty_retry_policy(os.environ))


def _make_plan(admin: AdminClient, wanted: DesiredState) -> tuple[ObservedState, SetupPlan]:
    from ..pagerduty_setup.plan import make_plan, observe

    seen = observe(admin, wanted)
    return seen, make_plan(wanted, seen)


def _require_consent(made: SetupPlan, digest: str | None, yes: bool, *, quiet: bool) -> None:
    """UserError where the plan is another one than was agreed to."""
    if not made.changes:
        if not quiet:
            _print_plan(made)
        return
    if digest is not None and digest != made.digest:
        if not quiet:
            _print_plan(made)
        hint = f"Look at the plan above; --digest {made.digest} makes it."
        raise UserError("PagerDuty or the configuration changed since the plan, and nothing was done.", hint=hint)
    if digest is not None or yes:
        return
    if quiet or not sys.stdin.isatty():
        raise UserError("nobody agreed to the plan.", hint="Give --digest from `pagerduty plan`, or --yes.")
    _print_plan(made)
    click.confirm("Make PagerDuty so?", abort=True)


def _print_plan(made: SetupPlan, applied: ApplyResult | None = None) -> None:
    from ..report.console import open_console, show_pagerduty_plan

    show_pagerduty_plan(open_console(), made, applied.receipts if applied else ())


def _to_json(made: SetupPlan, applied: ApplyResult | None = None) -> str:
    import json

    shown: dict[str, Any] = {"digest": made.digest, **asdict(made)}
    shown["same"] = [{"kind": kind, "name": name} for kind, name in made.same]
    if applied is not None:
        shown["receipts"] = [asdict(receipt) for receipt in applied.receipts]
    return json.dumps(shown, indent=2, ensure_ascii=False)


def _routing_key_names(service: DesiredService) -> tuple[str, ...]:
    return service.key_names or ("PAGERDUTY_ROUTING_KEY",)


def _print_routing_keys(wanted: DesiredState, applied: ApplyResult, kept: Path | None, *, show: bool) -> None:
    """On standard error, where each routing key belongs; the key itself only where it was asked for."""
    for one in wanted.services:
        key = applied.routing_keys.get(one.name)
        if key is None:
            continue
        for name in _routing_key_names(one):
            if told := _routing_key_hint(one.name, name, key, os.environ, kept):
                click.echo(told, err=True)
        if show:
            click.echo(f"{_routing_key_names(one)[0]}={key}")
    if kept is not None:
        click.echo(f"{kept} holds secrets: `gh secret set -f {kept}`, then delete it.", err=True)


def _routing_key_hint(service: str, name: str, key: str, env: Mapping[str, str], kept: Path | None) -> str:
    held = env.get(name, "").strip()
    if held == key or kept is not None:
        return ""
    state = "holds another one" if held else "is not set here"
    return (
        f"The routing key of the service {service} belongs in {name}, which {state}: "
        f"`gh secret set {name}`, with the key from --secrets-to FILE or --show-routing-key."
    )
