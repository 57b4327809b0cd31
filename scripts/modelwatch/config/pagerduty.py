"""The ``pagerduty`` section, where pages go and who is on call: its keys, and reading it into a ``PagerDutySpec``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..model.monitored_model import PagerDutySpec
from ..model.pagerduty_setup import MAX_TARGETS, EscalationPolicy, EscalationStep, EventRule, Urgency, WebhookSpec
from . import vocabulary
from .field_types import AnyOf, Count, Enumeration, ListOf, MapOf, SecretText, Text, duration, one_or_more
from .reader import shorten
from .sections import Field, ParsedSection, Section
from .vocabulary import KIND, SEVERITY, TEXT, URL, WEB_ADDRESS

EVENTS_API_URLS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
REST_API_URLS = {"us": "https://api.pagerduty.com", "eu": "https://api.eu.pagerduty.com"}
MAX_STEPS = 20
LOOPBACK_URL = r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?:[:/].*)?"

_name = Text("a name", max_length=255)
_url = Text("a URL (https://...)", WEB_ADDRESS)
_address = Text("an e-mail address", r"[^@\s]+@[^@\s]+", max_length=100)
_login = Text("a login at GitHub", r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")

STEP = Section(
    "an escalation step",
    {
        "users": Field(one_or_more(_address), "Users by their e-mail address at PagerDuty."),
        "schedules": Field(one_or_more(_name), "Schedules by name: the on-call of each is notified."),
        "wait": Field(duration(60.0), "How long until the next step."),
    },
    dataclass=EscalationStep,
)
ESCALATION = Section(
    "the escalation",
    {
        "policy": Field(_name, "The name of the escalation policy; models can share one.", required=True),
        "steps": Field(ListOf(STEP, min_items=1), "Who is notified, step by step.", required=True),
        "repeat": Field(Count(low=0, high=9), "How often all steps are repeated."),
    },
    "An escalation policy that `modelwatch pagerduty apply` creates.",
    dataclass=EscalationPolicy,
)
EVENT_RULE = Section(
    "an event rule",
    {
        "name": Field(Text("a name", r"[^()]+", max_length=100), "The name.", required=True),
        "severity": Field(
            one_or_more(SEVERITY), "For events of these severities; of any by default.", attribute="severities"
        ),
        "kind": Field(one_or_more(KIND), "For alerts of these kinds.", attribute="kinds"),
        "condition": Field(
            Text(max_length=2000), "A condition in PagerDuty's language, instead of `severity` and `kind`."
        ),
        "suppress": Field(Enumeration("`on` or `off`", vocabulary.SWITCH), "Notify nobody, and keep the alert."),
        "pause": Field(
            duration(1.0), "Wait this long before notifying; an alert that recovers earlier becomes no incident."
        ),
        "becomes": Field(SEVERITY, "Change the severity, and with it the urgency."),
        "priority": Field(_name, "The name of one of the account's priorities."),
        "escalation": Field(_name, "The name of another escalation policy."),
        "note": Field(TEXT, "A note on the incident."),
    },
    "What PagerDuty does with some of the events before it notifies anyone.",
    dataclass=EventRule,
)
WEBHOOK = Section(
    "the webhook",
    {
        "url": Field(_url, "The address of the relay.", required=True),
        "secret_name": Field(
            Text("the name of a variable", r"[A-Za-z_][A-Za-z0-9_]*"),
            "The name under which the signing secret is stored.",
        ),
        "events": Field(
            one_or_more(Text("an event type such as incident.resolved", r"[a-z_]+(?:\.[a-z_]+)+"), min_items=1),
            "The events that are sent.",
        ),
    },
    "Where PagerDuty sends the service's incidents.",
    dataclass=WebhookSpec,
)
PAGERDUTY = Section(
    "the PagerDuty section",
    {
        "routing_key": Field(SecretText(), "The integration key of the owner's service, as `${NAME}`."),
        "token": Field(
            SecretText(), "A read-only REST token, as `${NAME}`, to look up incidents; by default PAGERDUTY_TOKEN."
        ),
        "service": Field(_name, "The service: the component of the incident. With `escalation` it is created."),
        "region": Field(Enumeration("a region", ("us", "eu")), "The service region of the account.", default="us"),
        "events_url": Field(URL, "Another address of the Events API."),
        "api_url": Field(URL, "Another address of the REST API."),
        "escalation": Field(
            AnyOf(scalar=_name, mapping=ESCALATION),
            "Who is notified. With it, `modelwatch pagerduty apply` creates the service: the name of an existing "
            "escalation policy, or a mapping that describes one.",
        ),
        "urgency": Field(
            Enumeration("an urgency", Urgency),
            "`severity`: critical and error are high, warning and info low; or always `high` or `low`.",
        ),
        "event_rules": Field(
            ListOf(EVENT_RULE), "What happens to some of the events; the first rule that matches applies."
        ),
        "webhook": Field(
            AnyOf(scalar=_url, mapping=WEBHOOK), "The address of the relay, or a mapping with further keys."
        ),
        "managed_as": Field(
            Text("an owner such as acme/churn-model (no spaces or brackets)", r"[^\s()]+", max_length=200),
            "The owner in the mark of our objects (`managed by modelwatch: <owner>`); by default the repository.",
        ),
        "people": Field(
            MapOf(_login, r"[^@\s]+@[^@\s]+|[A-Za-z0-9]+", "an e-mail address or the id of a user", max_key_length=100),
            "GitHub logins of PagerDuty's users, by e-mail address (looked up with `token`) or user id.",
        ),
    },
    "Where pages go, and who is on call.",
    dataclass=PagerDutySpec,
)


def read_pagerduty(section: ParsedSection | None) -> PagerDutySpec:
    if section is None:
        return PagerDutySpec()
    region, key = section.get("region", ""), section.get("routing_key")
    addresses = {"events_url": EVENTS_API_URLS, "api_url": REST_API_URLS} if region else {}
    spec: PagerDutySpec = section.build(
        **{name: section.get(name, by_region[region]) for name, by_region in addresses.items()},
        key_name=key.name if key is not None else "",
        escalation=_read_escalation(section.get("escalation")),
        event_rules=_read_event_rules(section.get("event_rules", ())),
        webhook=_read_webhook(section),
        people=tuple((name, login) for name, (_, login) in section.get("people", {}).items()),
    )
    _check_service(section)
    return spec


def _check_service(section: ParsedSection) -> None:
    """All of it belongs to a service, and a service needs somebody to tell."""
    if "escalation" in section and "service" not in section:
        section.add_problem("`escalation` needs `service`: the name of the service that it is for.", key="escalation")
    for name in ("urgency", "event_rules", "webhook", "managed_as"):
        if name in section and "escalation" not in section:
            hint = "Give `escalation`: the name of an escalation policy, or one with `policy` and `steps`."
            section.add_problem(f"`{name}` does nothing without `escalation`.", hint, key=name)


def _read_escalation(section: Any) -> EscalationPolicy | None:
    if section is None or isinstance(section, str):
        return EscalationPolicy(section) if section else None
    steps = tuple(_read_step(step) for step in section.get("steps", ()))
    if len(steps) > MAX_STEPS:
        section.add_problem(f"an escalation policy has at most {MAX_STEPS} steps.", key="steps")
    policy: EscalationPolicy = section.build(steps=steps)
    return policy


def _read_step(section: ParsedSection) -> EscalationStep:
    step: EscalationStep = section.build()
    if "users" not in section and "schedules" not in section:
        hint = "For example `{schedules: ML primary, wait: 15m}` or `{users: lead@acme.com}`."
        section.add_problem("the step notifies nobody: give `users` or `schedules`.", hint)
    elif len(step.users) + len(step.schedules) > MAX_TARGETS:
        section.add_problem(f"a step notifies at most {MAX_TARGETS} users and schedules.")
    if step.wait % 60:
        section.add_problem("`wait` must be whole minutes.", key="wait")
    return step


def _read_event_rules(sections: Iterable[ParsedSection]) -> tuple[EventRule, ...]:
    rules: dict[str, EventRule] = {}
    for rule in sections:
        name = rule.get("name", "")
        if name in rules:
            rule.add_problem(f"there is an event rule `{shorten(name)}` already.", "Names are unique.", value="name")
        rules[name] = _read_event_rule(rule)
    return tuple(rules.values())


def _read_event_rule(section: ParsedSection) -> EventRule:
    if "condition" in section and ("severity" in section or "kind" in section):
        section.add_problem("give either `condition`, or `severity` and `kind`.", key="condition")
    actions = ("suppress", "pause", "becomes", "priority", "escalation", "note")
    if not any(name in section for name in actions):
        listed = ", ".join(f"`{name}`" for name in actions)
        section.add_problem("the event rule does nothing.", f"Give one of {listed}.")
    rule: EventRule = section.build(severities=tuple(sorted(set(section.get("severity", ())))))
    return rule


def _read_webhook(section: ParsedSection) -> WebhookSpec | None:
    webhook = section.get("webhook")
    if webhook is None:
        return None
    spec: WebhookSpec = WebhookSpec(webhook) if isinstance(webhook, str) else webhook.build()
    if spec.url and not spec.url.startswith("https://") and not re.fullmatch(LOOPBACK_URL, spec.url):
        section.add_problem("PagerDuty's webhooks go to an https:// address.", value="webhook")
    return spec
