"""The escalation policies and services that the configuration defines; models can share one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ..clients.pagerduty import pagerduty_api_url
from ..errors import ConfigError, UserError
from ..model.monitored_model import Config, Model
from ..model.pagerduty_setup import EscalationPolicy, EventRule, Urgency, WebhookSpec


@dataclass(frozen=True, slots=True)
class DesiredService:
    name: str
    escalation: EscalationPolicy
    urgency: Urgency
    rules: tuple[EventRule, ...]
    webhook: WebhookSpec | None
    owner: str
    """The owner in the mark of its objects."""
    models: tuple[str, ...] = field(default=(), compare=False)
    key_names: tuple[str, ...] = field(default=(), compare=False)
    """The variables that should hold its routing key."""


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything in one account."""

    account: str
    services: tuple[DesiredService, ...]

    @property
    def policies(self) -> tuple[tuple[EscalationPolicy, str], ...]:
        """Each escalation policy with its owner."""
        policies = {service.escalation.policy: (service.escalation, service.owner) for service in self.services}
        return tuple(policies.values())

    def models_of(self, policy: str) -> tuple[str, ...]:
        return tuple(
            name for service in self.services if service.escalation.policy == policy for name in service.models
        )

    def rules(self) -> Iterator[EventRule]:
        for service in self.services:
            yield from service.rules


def desired_state(config: Config, env: Mapping[str, str]) -> DesiredState:
    """Raises UserError where there is nothing to set up, where the owner of the objects is not known, or where two
    models contradict each other. ``env`` can hold PAGERDUTY_API_URL."""
    models = [model for model in config.models if model.pagerduty.escalation is not None]
    if not models:
        hint = "Give `pagerduty: {service: ..., escalation: ...}`."
        raise UserError("no model names an escalation policy: there is nothing to set up at PagerDuty.", hint=hint)
    problems = (*_missing_owners(models), *find_conflicts(config))
    if problems:
        raise problems[0] if len(problems) == 1 else ConfigError(problems)
    accounts = {pagerduty_api_url(env, model.pagerduty.api_url): model.name for model in models}
    if len(accounts) > 1:
        listed = ", ".join(f"{name} at {url}" for url, name in sorted(accounts.items()))
        raise UserError(f"the models are in different accounts: {listed}.", hint="Choose one with `--model`.")
    return DesiredState(next(iter(accounts)), _merge_services(models))


def find_conflicts(config: Config) -> tuple[UserError, ...]:
    """Where models contradict each other."""
    models = [model for model in config.models if model.pagerduty.escalation is not None]
    return (*_description_conflicts(models), *_shared_secret_names(models))


def owner_of(model: Model) -> str:
    return model.pagerduty.managed_as or model.github.repository


def _missing_owners(models: list[Model]) -> Iterator[UserError]:
    for model in models:
        if not owner_of(model):
            hint = "Give `github: {repository: ...}` or `pagerduty: {managed_as: ...}`, or set GITHUB_REPOSITORY."
            text = f"there is no name to mark the objects of {model.name} with."
            yield UserError(text, hint=hint, where=model.where)


def _desired_service(model: Model) -> DesiredService:
    spec = model.pagerduty
    escalation = spec.escalation or EscalationPolicy("")
    return DesiredService(
        spec.service, escalation, spec.urgency, spec.event_rules, spec.webhook, owner_of(model), (model.name,)
    )


def _description_conflicts(models: list[Model]) -> Iterator[UserError]:
    """Models can share a service or an escalation policy, but must describe it alike."""

    def policy(model: Model) -> tuple[EscalationPolicy | None, str]:
        return model.pagerduty.escalation, owner_of(model)

    def policy_name(model: Model) -> str:
        return model.pagerduty.escalation.policy if model.pagerduty.escalation else ""

    yield from _differing_descriptions(models, "service", lambda model: model.pagerduty.service, _desired_service)
    yield from _differing_descriptions(models, "escalation policy", policy_name, policy)


def _differing_descriptions(
    models: list[Model], what: str, name: Callable[[Model], str], described: Callable[[Model], object]
) -> Iterator[UserError]:
    first: dict[str, Model] = {}
    for model in models:
        known = first.setdefault(name(model).casefold(), model)
        if described(known) != described(model):
            text = f"{model.name} and {known.name} describe the {what} {name(model)!r} differently."
            yield UserError(text, hint="Put it into `defaults: {pagerduty: ...}`.", where=model.where)


def _shared_secret_names(models: list[Model]) -> Iterator[UserError]:
    """Each service's webhook has its own signing secret, and each needs its own name."""
    first: dict[str, Model] = {}
    for model in models:
        webhook = model.pagerduty.webhook
        if webhook is None:
            continue
        known = first.setdefault(webhook.secret_name, model)
        if known.pagerduty.service != model.pagerduty.service:
            text = (
                f"the webhooks of the services {known.pagerduty.service!r} and {model.pagerduty.service!r} have two "
                f"signing secrets, and both would be stored as {webhook.secret_name}."
            )
            yield UserError(text, hint="Give each `webhook: {url: ..., secret_name: ...}`.", where=model.where)


def _merge_services(models: list[Model]) -> tuple[DesiredService, ...]:
    services: dict[str, DesiredService] = {}
    for model in models:
        service = _desired_service(model)
        known = services.get(service.name.casefold())
        names = tuple(dict.fromkeys((*(known.models if known else ()), model.name)))
        keys = (*(known.key_names if known else ()), *([model.pagerduty.key_name] if model.pagerduty.key_name else []))
        services[service.name.casefold()] = DesiredService(
            service.name, service.escalation, service.urgency, service.rules, service.webhook, service.owner, names,
            tuple(dict.fromkeys(keys)),
        )  # fmt: skip
    return tuple(services.values())
