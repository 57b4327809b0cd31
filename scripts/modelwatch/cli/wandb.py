"""``modelwatch wandb``: make views, reports and automations inside W&B as the configuration says."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..clients.wandb import WandbSessions
from ..errors import Exit, UserError
from ..report.console import open_console
from ..report.plan_tables import show_setup_plan
from ..wandb_setup.apply import ApplyResult
from ..wandb_setup.apply import apply as carry_out
from ..wandb_setup.desired_state import DesiredState, desired_state
from ..wandb_setup.lookup import Observer, observe
from ..wandb_setup.plan import make_plan
from . import CommandGroup, actions_env
from .options import config_option, format_option, models_option, print_json, read_config

if TYPE_CHECKING:
    from ..model.setup_plan import SetupPlan

SERVICE = "W&B"
force_option = click.option("--force", is_flag=True, help="Replace what somebody changed by hand, too.")


@click.group("wandb", cls=CommandGroup)
def wandb() -> None:
    """Make a view, a report and automations inside W&B, for each model.

    Touches only what it made itself: everything has the mark `managed by modelwatch: <repository>`.
    """


@wandb.command("plan")
@config_option
@models_option
@force_option
@format_option
def plan(config_path: Path, models: tuple[str, ...], force: bool, style: str) -> Exit:
    """Show what would change inside W&B. Changes nothing; a read-only key is enough."""
    desired = desired_state(read_config(config_path, models, read_only=True), os.environ)
    setup_plan = make_plan(desired, observe(desired, _open_observer(desired)), force=force)
    if style == "json":
        print_json(_to_json(setup_plan))
    else:
        show_setup_plan(open_console(), setup_plan, SERVICE)
        if setup_plan.changes:
            option = " --force" if force else ""
            digest = setup_plan.digest
            click.echo(f"digest {digest}: `modelwatch wandb apply{option} --digest {digest}` applies exactly this.")
    return Exit.PARTIAL if setup_plan.refusals else Exit.OK


@wandb.command("apply")
@config_option
@models_option
@force_option
@click.option("--digest", metavar="HEX", help="The digest that `plan` printed; any other plan is refused.")
@click.option("--yes", is_flag=True, help="Apply without confirmation.")
@format_option
def apply(config_path: Path, models: tuple[str, ...], force: bool, digest: str | None, yes: bool, style: str) -> Exit:
    """Plan, show the plan and apply it. After an interruption, run the same command to continue."""
    actions_env.require_default_branch()
    desired = desired_state(read_config(config_path, models, read_only=True), os.environ)
    observer = _open_observer(desired)
    setup_plan = make_plan(desired, observe(desired, observer), force=force)
    _require_consent(setup_plan, digest, yes, quiet=style == "json")
    applied = carry_out(desired, setup_plan, observer, os.environ.get("WANDB_API_KEY", ""), force=force)
    if style == "json":
        print_json(_to_json(setup_plan, applied))
    elif setup_plan.changes:
        show_setup_plan(open_console(), setup_plan, SERVICE, applied.receipts)
        for name, address in applied.addresses:
            click.echo(f"{name}: {address}")
    bad = any(receipt.result.value in ("failed", "refused") for receipt in applied.receipts)
    return Exit.PARTIAL if bad or setup_plan.refusals else Exit.OK


def _open_observer(desired: DesiredState) -> Observer:
    return Observer(desired.server, WandbSessions(os.environ))


def _require_consent(setup_plan: SetupPlan, digest: str | None, yes: bool, *, quiet: bool) -> None:
    """UserError unless this plan was agreed to."""
    if not quiet and (not setup_plan.changes or not yes):
        show_setup_plan(open_console(), setup_plan, SERVICE)
    if not setup_plan.changes:
        return
    if digest is not None and digest != setup_plan.digest:
        hint = f"Review the plan; --digest {setup_plan.digest} applies it."
        raise UserError("W&B or the configuration changed since the plan; nothing was done.", hint=hint)
    if digest is not None or yes:
        return
    if quiet or not sys.stdin.isatty():
        raise UserError("the plan needs consent.", hint="Give --digest from `wandb plan`, or --yes.")
    click.confirm("Apply this plan?", abort=True)


def _to_json(setup_plan: SetupPlan, applied: ApplyResult | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"digest": setup_plan.digest, **asdict(setup_plan)}
    data["same"] = [{"kind": kind, "name": name} for kind, name in setup_plan.same]
    if applied is not None:
        data["receipts"] = [asdict(receipt) for receipt in applied.receipts]
        data["addresses"] = dict(applied.addresses)
    return data
