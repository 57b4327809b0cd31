"""``modelwatch receive``: handle a PagerDuty event that arrived as a repository_dispatch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from ..errors import Exit, UserError
from ..inbound.handle import handle_event
from ..inbound.payload import parse_payload
from ..model.pagerduty_event import PagerDutyEvent
from ..report.markdown import plain_line
from . import actions_env, exit_codes
from .options import config_option, format_option, now_option, print_json, read_context
from .relay import elect_run, settle_option
from .runner import reporting

MAX_PAYLOAD_BYTES = 64 * 1024
"""Bytes of a payload; GitHub takes no more."""
MAX_PAYLOAD_PARTS = 50
"""Objects and lists in it; an event has three. Bounded before it is parsed, so that none is nested too deep."""


@click.command("receive")
@config_option
@click.option(
    "--payload",
    envvar="MODELWATCH_PAYLOAD",
    metavar="JSON",
    help="`github.event.client_payload`; by default as GITHUB_EVENT_PATH has it.",
)
@click.option("--once/--again", default=True, help="In Actions: only in the first workflow run of this event.")
@settle_option
@format_option
@now_option
def receive(config_path: Path, payload: str | None, once: bool, settle: float, style: str, now: float) -> Exit:
    """Handle a PagerDuty event: refresh or assign the issue, request a reason, or run the command of a button.

    Buttons pass the same guards and approvals as comments. Incidents that modelwatch did not trigger are ignored.
    """
    actions_env.require_default_branch()
    incoming = parse_payload(_load_payload(payload))
    if once and os.environ.get("GITHUB_ACTIONS") == "true":
        reason = _duplicate_reason(incoming, settle)
        if reason:
            return _report(style, "duplicate", reason, Exit.OK)
    event_result = handle_event(read_context(config_path, now), incoming)
    decision, result, code = event_result.decision, event_result.result, Exit.OK
    with reporting(exit_codes.list_done(result.receipts) if result else None):
        if result is not None:
            actions_env.write_judgement_summary(result.judgement, result.plan, result.receipts)
            code = exit_codes.result_exit_code(result)
        reasons = "; ".join(filter(None, (decision.reason, *event_result.messages)))
        return _report(style, str(decision.action), reasons, code, decision.model, event_result.issue)


def _load_payload(payload: str | None) -> Any:
    try:
        if not payload:
            event = Path(os.environ.get("GITHUB_EVENT_PATH", "")).read_text("utf-8")
            payload = json.dumps(json.loads(event)["client_payload"])
        if len(payload.encode("utf-8", "replace")) > MAX_PAYLOAD_BYTES:
            raise UserError("the payload is larger than GitHub takes")
        if payload.count("[") + payload.count("{") > MAX_PAYLOAD_PARTS:
            raise UserError("the payload has more parts than an event has")
        return json.loads(payload)
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
    decision = elect_run(repository, workflow, settle, incoming.id, int(run), incoming.occurred)
    return "" if decision.proceed else decision.reason


def _report(style: str, done: str, reason: str, code: Exit, model: str = "", issue: str = "") -> Exit:
    result = {"done": done, "reason": plain_line(reason, 600), "model": model, "issue": issue}
    if style == "json":
        print_json(result)
    else:
        click.echo(f"{done}: {result['reason']}")
    actions_env.write_outputs(result)
    return code
