"""``modelwatch pagerduty``: set up PagerDuty as the configuration says."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..clients.pagerduty import pagerduty_retry_policy
from ..clients.pagerduty_admin import AdminClient
from ..config.secrets import PAGERDUTY_READ_TOKEN, PAGERDUTY_WRITE_TOKEN
from ..errors import Exit, UserError
from ..pagerduty_setup.apply import ApplyResult, SecretsFile
from ..pagerduty_setup.apply import apply as carry_out
from ..pagerduty_setup.desired_state import DesiredState, desired_state
from ..pagerduty_setup.plan import make_plan, observe
from ..report.console import open_console
from ..report.plan_tables import show_setup_plan
from . import CommandGroup, actions_env
from .options import FILE, config_option, format_option, models_option, path_option, print_json, read_config

if TYPE_CHECKING:
    from ..model.setup_plan import SetupPlan

ROUTING_KEY_VARIABLE = "PAGERDUTY_ROUTING_KEY"


@click.group("pagerduty", cls=CommandGroup)
def pagerduty() -> None:
    """Set up services, escalation policies, integrations, event rules and webhooks at PagerDuty.

    Changes only objects with the mark `managed by modelwatch: <repository>`.
    """


@pagerduty.command("plan")
@config_option
@models_option
@format_option
def plan(config_path: Path, models: tuple[str, ...], style: str) -> Exit:
    """Show what would change at PagerDuty. Changes nothing; a read-only token is enough."""
    desired = desired_state(read_config(config_path, models, read_only=True), os.environ)
    setup_plan = make_plan(desired, observe(_open_admin(desired, reading=True), desired))
    if style == "json":
        print_json(_to_json(setup_plan))
    else:
        _print_plan(setup_plan)
        if setup_plan.changes:
            digest = setup_plan.digest
            click.echo(f"digest {digest}: `modelwatch pagerduty apply --digest {digest}` applies exactly this.")
    return Exit.PARTIAL if setup_plan.refusals else Exit.OK


@pagerduty.command("apply")
@config_option
@models_option
@click.option("--digest", metavar="HEX", help="The digest that `plan` printed; any other plan is refused.")
@click.option("--yes", is_flag=True, help="Apply without confirmation.")
@path_option(
    "--secrets-to",
    "secrets_path",
    type=FILE,
    help="Write routing keys and signing secrets to this private dotenv file, for `gh secret set -f`.",
)
@click.option("--show-routing-key", is_flag=True, help="Print routing keys, only to a terminal.")
@format_option
def apply(
    config_path: Path,
    models: tuple[str, ...],
    digest: str | None,
    yes: bool,
    secrets_path: Path | None,
    show_routing_key: bool,
    style: str,
) -> Exit:
    """Plan, show the plan and apply it. After an interruption, run the same command to continue."""
    actions_env.require_default_branch()
    if show_routing_key and not sys.stdout.isatty():
        raise UserError("routing keys are printed only to a terminal.", hint="Use --secrets-to FILE.")
    desired = desired_state(read_config(config_path, models, read_only=True), os.environ)
    admin = _open_admin(desired)
    observed = observe(admin, desired)
    setup_plan = make_plan(desired, observed)
    _require_consent(setup_plan, digest, yes, quiet=style == "json")
    file = SecretsFile(secrets_path) if secrets_path else None
    if file is not None:
        file.ensure_writable()
    applied = carry_out(admin, desired, observed, setup_plan, file.store if file else None)
    if file is not None:
        for service in desired.services:
            if service.name in applied.routing_keys:
                for name in service.key_names or (ROUTING_KEY_VARIABLE,):
                    file.store(name, applied.routing_keys[service.name])
    if style == "json":
        print_json(_to_json(setup_plan, applied))
    elif setup_plan.changes:
        _print_plan(setup_plan, applied)
    written = secrets_path if file and file.remove_if_empty() else None
    _print_routing_keys(desired, applied, written, show=show_routing_key)
    bad = any(receipt.result.value in ("failed", "refused") for receipt in applied.receipts)
    return Exit.PARTIAL if bad or setup_plan.refusals else Exit.OK


def _open_admin(desired: DesiredState, *, reading: bool = False) -> AdminClient:
    token = os.environ.get(PAGERDUTY_WRITE_TOKEN) or (os.environ.get(PAGERDUTY_READ_TOKEN) if reading else "")
    if not token:
        alternative = f" (or, to plan only, {PAGERDUTY_READ_TOKEN})" if reading else ""
        hint = "Create a REST API token at PagerDuty: Integrations → API Access Keys."
        raise UserError(f"{PAGERDUTY_WRITE_TOKEN}{alternative} is not set.", hint=hint)
    return AdminClient(token, desired.account, pagerduty_retry_policy(os.environ))


def _require_consent(setup_plan: SetupPlan, digest: str | None, yes: bool, *, quiet: bool) -> None:
    """UserError unless this plan was agreed to."""
    if not setup_plan.changes:
        if not quiet:
            _print_plan(setup_plan)
        return
    if digest is not None and digest != setup_plan.digest:
        if not quiet:
            _print_plan(setup_plan)
        hint = f"Review the plan above; --digest {setup_plan.digest} applies it."
        raise UserError("PagerDuty or the configuration changed since the plan; nothing was done.", hint=hint)
    if digest is not None or yes:
        return
    if quiet or not sys.stdin.isatty():
        raise UserError("the plan needs consent.", hint="Give --digest from `pagerduty plan`, or --yes.")
    _print_plan(setup_plan)
    click.confirm("Apply this plan?", abort=True)


def _print_plan(setup_plan: SetupPlan, applied: ApplyResult | None = None) -> None:
    show_setup_plan(open_console(), setup_plan, "PagerDuty", applied.receipts if applied else ())


def _to_json(setup_plan: SetupPlan, applied: ApplyResult | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"digest": setup_plan.digest, **asdict(setup_plan)}
    data["same"] = [{"kind": kind, "name": name} for kind, name in setup_plan.same]
    if applied is not None:
        data["receipts"] = [asdict(receipt) for receipt in applied.receipts]
    return data


def _print_routing_keys(desired: DesiredState, applied: ApplyResult, secrets_path: Path | None, *, show: bool) -> None:
    """Say on standard error where each routing key belongs; print the key itself only with ``show``."""
    for service in desired.services:
        key = applied.routing_keys.get(service.name)
        if key is None:
            continue
        names = service.key_names or (ROUTING_KEY_VARIABLE,)
        for name in names:
            current = os.environ.get(name, "").strip()
            if current != key and secrets_path is None:
                click.echo(
                    f"The routing key of the service {service.name} belongs in {name}, which "
                    f"{'holds another one' if current else 'is not set here'}: `gh secret set {name}`, "
                    "with the key from --secrets-to FILE or --show-routing-key.",
                    err=True,
                )
        if show:
            click.echo(f"{names[0]}={key}")
    if secrets_path is not None:
        click.echo(f"{secrets_path} holds secrets: `gh secret set -f {secrets_path}`, then delete it.", err=True)
