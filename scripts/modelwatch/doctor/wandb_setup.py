"""The inside of W&B: is what was made there as configured, and does a workflow listen to the automations?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from ..context import RunContext
from ..errors import SourceError, UserError
from ..model.setup_plan import SetupPlan, SetupVerb, WandbKind
from ..model.wandb_setup import EVENT_TYPE
from ..wandb_setup.desired_state import desired_state
from ..wandb_setup.lookup import Observer, observe
from ..wandb_setup.plan import make_plan
from .placeholders import is_placeholder
from .setup_check import SetupCheck, report_error, report_ok, report_warning
from .workflows import FOLDER

SUBJECT = "W&B setup"
_APPLY_HINT = "Make them: `modelwatch wandb apply`."


def check_wandb_setup(context: RunContext, root: Path, readable: Collection[str]) -> Iterator[SetupCheck]:
    """Of the models whose project can be read, by their names. Where nothing was ever made, that is only mentioned."""
    models = tuple(
        model
        for model in context.config.models
        if model.wandb is not None
        and model.wandb.project
        and model.name in readable
        and not is_placeholder(model.github.repository)
    )
    servers = dict.fromkeys(model.wandb_url(context.env) for model in models)
    for server in servers:
        own = tuple(model for model in models if model.wandb_url(context.env) == server)
        narrowed = replace(context.config, models=own)
        try:
            desired = desired_state(narrowed, context.env)
            plan = make_plan(desired, observe(desired, Observer(desired.server, context.wandb)))
        except (SourceError, UserError) as error:
            yield report_error(SUBJECT, error)
            continue
        yield from _judge(plan, root)


def _judge(plan: SetupPlan, root: Path) -> Iterator[SetupCheck]:
    made = [change for change in plan.changes if change.verb is not SetupVerb.CREATE]
    if not plan.same and not made:
        yield report_ok(SUBJECT, "no view, report or automation was made; `modelwatch wandb plan` shows what could be")
        return
    for refusal in plan.refusals:
        yield report_warning(SUBJECT, f"{refusal.kind} {refusal.name}: {refusal.reason}.", refusal.hint)
    if plan.changes:
        changes = "; ".join(f"{change.verb} {change.kind} {change.name}" for change in plan.changes)
        yield report_warning(SUBJECT, f"W&B is not as configured ({changes}).", _APPLY_HINT)
    if plan.same:
        yield report_ok(SUBJECT, f"{len(plan.same)} objects are as configured")
    automations = [name for kind, name in plan.same if kind is WandbKind.AUTOMATION]
    if automations:
        yield from _check_receiver(root)
        some = "1 automation starts" if len(automations) == 1 else f"{len(automations)} automations start"
        text = f"{some} evaluations with the GitHub token in the team's secrets of W&B"
        yield report_ok(SUBJECT, f"{text}: only GitHub knows its last day (within a year); renew it before")


def _check_receiver(root: Path) -> Iterator[SetupCheck]:
    folder = root / FOLDER
    if not folder.is_dir():
        return  # reported where workflows are checked
    texts = (path.read_text("utf-8", errors="replace") for path in folder.glob("*.y*ml") if path.is_file())
    if not any(EVENT_TYPE in text for text in texts):
        hint = f"Add `repository_dispatch: {{types: [{EVENT_TYPE}]}}` under `on:` of the one that runs every hour."
        yield report_warning(SUBJECT, f"no workflow in {FOLDER} listens to the event {EVENT_TYPE}.", hint)
