"""PagerDuty: does the routing key work, may the REST token read, and is what the configuration describes set up?"""

from __future__ import annotations

from collections.abc import Iterator

from ..clients.pagerduty import pagerduty_api_url, pagerduty_retry_policy
from ..clients.pagerduty_admin import AdminClient
from ..config.lint import ROUTING_KEY_LENGTH
from ..config.secrets import PAGERDUTY_READ_TOKEN, PAGERDUTY_WRITE_TOKEN
from ..context import RunContext
from ..errors import ServiceError, UserError
from ..model.monitored_model import Model
from ..model.setup_plan import SetupKind
from ..pagerduty_setup.desired_state import desired_state
from ..pagerduty_setup.plan import make_plan, observe
from .setup_check import SetupCheck, is_outage, report_error, report_ok, report_problem, report_warning

CHECK_KEY = "modelwatch-doctor"
"""Of an alert that does not exist: resolving it has no effect, and PagerDuty checks the routing key first."""
SUBJECT = "PagerDuty"


def check_pagerduty(context: RunContext) -> Iterator[SetupCheck]:
    """Every key and token once. After the first outage PagerDuty is not asked again."""
    for check in _checks(context):
        yield check
        if check.exit_code:
            return


def _checks(context: RunContext) -> Iterator[SetupCheck]:
    keys, tokens = set[str](), set[tuple[str, str]]()
    for model in context.config.models:
        key = model.pagerduty.routing_key
        if key is not None and len(key.reveal()) == ROUTING_KEY_LENGTH and key.reveal() not in keys:
            keys.add(key.reveal())
            yield _check_routing_key(context, model, key.name)
        token = model.pagerduty.token
        url = pagerduty_api_url(context.env, model.pagerduty.api_url)
        if token is not None and (token.reveal(), url) not in tokens:
            tokens.add((token.reveal(), url))
            yield _check_token(context, model, token.name)
    if any(model.pagerduty.escalation is not None for model in context.config.models):
        yield from _check_setup(context)


def _check_routing_key(context: RunContext, model: Model, name: str) -> SetupCheck:
    try:
        context.sessions.events(model.name).resolve(CHECK_KEY)
    except UserError as error:
        if is_outage(error):
            return report_error(SUBJECT, error)
        hint = "Copy the integration key of an Events API v2 integration of the service."
        return report_problem(SUBJECT, f"PagerDuty refuses {name}, the routing key: {error.message}.", hint)
    return report_ok(SUBJECT, f"{name} is a routing key that PagerDuty accepts")


def _check_token(context: RunContext, model: Model, name: str) -> SetupCheck:
    api = context.sessions.incidents(model)
    try:
        if api is not None:
            api.latest_incident(CHECK_KEY)
    except ServiceError as error:
        if is_outage(error):
            return report_error(SUBJECT, error)
        hint = "Create a read-only REST API key at PagerDuty: Integrations → API Access Keys."
        return report_problem(SUBJECT, f"{name} may not read incidents: {error.message}.", hint)
    return report_ok(SUBJECT, f"{name} may read incidents")


def _check_setup(context: RunContext) -> Iterator[SetupCheck]:
    """What `pagerduty apply` would change, and what it would refuse."""
    token = context.env.get(PAGERDUTY_WRITE_TOKEN) or context.env.get(PAGERDUTY_READ_TOKEN)
    if not token:
        text = "it is not known whether services and escalation policies are set up."
        yield report_warning(SUBJECT, text, f"Set {PAGERDUTY_READ_TOKEN} to a REST API key.")
        return
    try:
        desired = desired_state(context.config, context.env)
        plan = make_plan(
            desired, observe(AdminClient(token, desired.account, pagerduty_retry_policy(context.env)), desired)
        )
    except UserError as error:
        yield report_error(SUBJECT, error)
        return
    refused = {refusal.name for refusal in plan.refusals if refusal.kind is SetupKind.POLICY}
    follow = {service.name for service in desired.services if service.escalation.policy in refused}
    for refusal in plan.refusals:
        if refusal.kind is SetupKind.SERVICE and refusal.name in follow:
            continue  # it only waits for its policy
        yield report_problem(SUBJECT, f"{refusal.kind} {refusal.name}: {refusal.reason}.", refusal.hint)
    if plan.changes:
        changes = "; ".join(f"{change.verb} {change.kind} {change.name}" for change in plan.changes)
        text = f"PagerDuty is not as configured ({changes})."
        yield report_warning(SUBJECT, text, "Set it up: `modelwatch pagerduty apply`.")
    if not plan.changes and not plan.refusals:
        yield report_ok(SUBJECT, f"{len(plan.same)} objects are as configured")
