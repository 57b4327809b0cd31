"""Where pages go and who is on call: how it is declared, and what the keys gave -> ``PagerDutySpec``."""

from __future__ import annotations

import re
from typing import Any

from ..model.oncall import (
    MAX_TARGETS,
    WEBHOOK_EVENTS,
    WEBHOOK_SECRET,
    EscalationPolicy,
    EscalationStep,
    EventRule,
    Urgency,
    WebhookSpec,
)
from ..model.watched import PagerDutySpec
from . import words
from .reader import Reader, show
from .scalars import Choice, Count, SecretText, Text, duration
from .shapes import ByForm, Field, Given, ListOf, MapOf, Record

EVENTS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
REST = {"us": "https://api.pagerduty.com", "eu": "https://api.eu.pagerduty.com"}
MOST_STEPS = 20
ON = {"on": True, "off": False, "true": True, "false": False}
LOOPBACK = r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?:[:/].*)?"

_text = Text()
_name = Text("a name", longest=255)
_url = Text("a URL (https://...)", r"https?://\S+")
_address = Text("an e-mail address", r"[^@\s]+@[^@\s]+", longest=100)
_login = Text("a login at GitHub", r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
_severity = Choice("a severity", words.SEVERITIES)

STEP = Record(
    "an escalation step",
    {
        "users": Field(ListOf(_address, single=True), "Users by their e-mail address at PagerDuty."),
        "schedules": Field(ListOf(_name, single=True), "Schedules by name: whoever is on call there."),
        "wait": Field(duration(60.0), "How long until the next step.", default="30m"),
    },
)
ESCALATION = Record(
    "the escalation",
    {
        "policy": Field(_name, "The name of the escalation policy; models may share one.", required=True),
        "steps": Field(ListOf(STEP, least=1), "Who is told, step by step.", required=True),
        "repeat": Field(Count(low=0, high=9), "How often all steps are gone through again.", default=0),
    },
    "An escalation policy that `modelwatch pagerduty apply` makes.",
)
EVENT_RULE = Record(
    "an event rule",
    {
        "name": Field(Text("a name", r"[^()]+", longest=100), "Its name.", required=True),
        "severity": Field(ListOf(_severity, single=True), "For events of these severities; of any by default."),
        "kind": Field(ListOf(Text("a kind", r"[a-z][a-z0-9-]*"), single=True), "For alerts of these kinds."),
        "condition": Field(Text(longest=2000), "Instead of `severity` and `kind`: PagerDuty's condition language."),
        "suppress": Field(Choice("`on` or `off`", ON), "Nobody is told; the alert is kept."),
        "pause": Field(duration(1.0), "Nobody is told before this; what recovers until then is no incident."),
        "becomes": Field(_severity, "Another severity, and with it another urgency."),
        "priority": Field(_name, "The name of one of the account's priorities."),
        "escalation": Field(_name, "The name of another escalation policy."),
        "note": Field(_text, "A note on the incident."),
    },
    "What PagerDuty does with some of the events before anybody is told.",
)
WEBHOOK = Record(
    "the webhook",
    {
        "url": Field(_url, "The address of the relay.", required=True),
        "secret_name": Field(
            Text("the name of a variable", r"[A-Za-z_][A-Za-z0-9_]*"),
            "Under this name the signing secret is stored.",
            default=WEBHOOK_SECRET,
        ),
        "events": Field(
            ListOf(Text("an event type such as incident.resolved", r"[a-z_]+(?:\.[a-z_]+)+"), single=True, least=1),
            "What is told.",
            default=list(WEBHOOK_EVENTS),
        ),
    },
    "Where PagerDuty tells of the service's incidents.",
)
PAGERDUTY = Record(
    "the PagerDuty section",
    {
        "routing_key": Field(SecretText(), "The integration key of the owner's service, as `${NAME}`."),
        "token": Field(
            SecretText(),
            "A read-only REST token, as `${NAME}`: incidents are then looked up. By default PAGERDUTY_TOKEN.",
        ),
        "service": Field(_name, "The service: shown as the component of the incident, and made with `escalation`."),
        "region": Field(
            Choice("a region", {"us": "us", "eu": "eu"}), "The service region of the account.", default="us"
        ),
        "events_url": Field(_url, "Another address of the Events API."),
        "api_url": Field(_url, "Another address of the REST API."),
        "escalation": Field(
            ByForm(single=_name, mapped=ESCALATION),
            "Who is told. With it, `modelwatch pagerduty apply` makes the service: the name of an escalation policy "
            "that exists, or a mapping that describes one.",
        ),
        "urgency": Field(
            Choice("an urgency", {str(one): one for one in Urgency}),
            "`severity`: critical and error are high, warning and info low; or always `high` or `low`.",
            default="severity",
        ),
        "event_rules": Field(ListOf(EVENT_RULE), "What happens to some of the events; the first that matches holds."),
        "webhook": Field(ByForm(single=_url, mapped=WEBHOOK), "The address of the relay, or a mapping with more."),
        "managed_as": Field(
            Text("an owner such as acme/churn-model (no spaces or brackets)", r"[^\s()]+", longest=200),
            "The owner in the mark of all that is made (`managed by modelwatch: <owner>`); by default the repository.",
        ),
        "people": Field(
            MapOf(_login, r"[^@\s]+@[^@\s]+|[A-Za-z0-9]+", "an e-mail address or the id of a user", longest=100),
            "Who at PagerDuty is who at GitHub, by e-mail address (looked up with `token`) or id of the user.",
        ),
    },
    "Where pages go, and who is on call.",
)


def read_pagerduty(given: Given | None, reader: Reader) -> PagerDutySpec:
    if given is None:
        return PagerDutySpec()
    region, key = given.get("region", ""), given.get("routing_key")
    spec = PagerDutySpec(
        routing_key=key,
        token=given.get("token"),
        service=given.get("service", ""),
        events_url=given.get("events_url", EVENTS.get(region, "")).rstrip("/"),
        api_url=given.get("api_url", REST.get(region, "")).rstrip("/"),
        key_name=key.name if key is not None else "",
        escalation=_escalation(given.get("escalation"), reader),
        urgency=given.get("urgency", Urgency.SEVERITY),
        event_rules=_event_rules(given.get("event_rules", ()), reader),
        webhook=_webhook(given, reader),
        managed_as=given.get("managed_as", ""),
        people=tuple((name, login) for name, (_, login) in given.get("people", {}).items()),
    )
    _check_service(given, reader)
    return spec


def _check_service(given: Given, reader: Reader) -> None:
    """All of it belongs to a service, and a service needs somebody to tell."""
    if "escalation" in given and "service" not in given:
        reader.problem(given.at("escalation"), "`escalation` needs `service`: the name of the service that it is for.")
    for name in ("urgency", "event_rules", "webhook", "managed_as"):
        if name in given and "escalation" not in given:
            hint = "Give `escalation`: the name of an escalation policy, or one with `policy` and `steps`."
            reader.problem(given.at(name), f"`{name}` does nothing without `escalation`.", hint)


def _escalation(given: Any, reader: Reader) -> EscalationPolicy | None:
    if given is None or isinstance(given, str):
        return EscalationPolicy(given) if given else None
    steps = tuple(_step(one, reader) for one in given.get("steps", ()))
    if len(steps) > MOST_STEPS:
        reader.problem(given.at("steps"), f"an escalation policy has at most {MOST_STEPS} steps.")
    return EscalationPolicy(given.get("policy", ""), steps, given.get("repeat", 0))


def _step(given: Given, reader: Reader) -> EscalationStep:
    users = tuple(dict.fromkeys(given.get("users", ())))
    schedules = tuple(dict.fromkeys(given.get("schedules", ())))
    wait = given.get("wait", 1800.0)
    if "users" not in given and "schedules" not in given:
        hint = "For example `{schedules: ML primary, wait: 15m}` or `{users: lead@acme.com}`."
        reader.problem(given.node, "a step tells somebody: give `users` or `schedules`.", hint)
    elif len(users) + len(schedules) > MAX_TARGETS:
        reader.problem(given.node, f"a step tells at most {MAX_TARGETS} users and schedules.")
    if wait % 60:
        reader.problem(given.at("wait"), "PagerDuty waits whole minutes.")
    return EscalationStep(users, schedules, wait)


def _event_rules(given: Any, reader: Reader) -> tuple[EventRule, ...]:
    rules: dict[str, EventRule] = {}
    for one in given:
        name = one.get("name", "")
        if name in rules:
            reader.problem(one.value_at("name"), f"there is an event rule `{show(name)}` already.", "Names are unique.")
        rules[name] = _event_rule(one, reader)
    return tuple(rules.values())


def _event_rule(given: Given, reader: Reader) -> EventRule:
    if "condition" in given and ("severity" in given or "kind" in given):
        reader.problem(given.at("condition"), "give either `condition`, or `severity` and `kind`.")
    actions = ("suppress", "pause", "becomes", "priority", "escalation", "note")
    if not any(name in given for name in actions):
        listed = ", ".join(f"`{name}`" for name in actions)
        reader.problem(given.node, "the event rule does nothing.", f"Give one of {listed}.")
    return EventRule(
        name=given.get("name", ""),
        severities=tuple(sorted(set(given.get("severity", ())))),
        kinds=tuple(dict.fromkeys(given.get("kind", ()))),
        condition=given.get("condition", ""),
        suppress=given.get("suppress", False),
        pause=given.get("pause", 0.0),
        becomes=given.get("becomes"),
        priority=given.get("priority", ""),
        escalation=given.get("escalation", ""),
        note=given.get("note", ""),
    )


def _webhook(section: Given, reader: Reader) -> WebhookSpec | None:
    given = section.get("webhook")
    if given is None:
        return None
    url, more = (given, None) if isinstance(given, str) else (given.get("url", ""), given)
    if url and not url.startswith("https://") and not re.fullmatch(LOOPBACK, url):
        reader.problem(section.value_at("webhook"), "PagerDuty's webhooks go to an https:// address.")
    if more is None:
        return WebhookSpec(url)
    events = tuple(dict.fromkeys(more.get("events", WEBHOOK_EVENTS)))
    return WebhookSpec(url, more.get("secret_name", WEBHOOK_SECRET), events)
