"""Proof that a configuration is staging. It fails closed: what is not proved, or cannot be looked at, is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..clients.pagerduty import pagerduty_api_url, pagerduty_retry_policy
from ..clients.pagerduty_admin import AdminClient
from ..errors import ConfigError, UserError
from ..model.drill import DRILL_WORD, is_drill_name
from ..model.monitored_model import Config, Model


def require_staging(model: Model, production: Config | None, env: Mapping[str, str]) -> str:
    """The id of the drill's service at PagerDuty. Raises ConfigError with everything that is not provably staging."""
    problems = [UserError(text, hint=hint, where=model.where) for text, hint in _problems(model, production)]
    if problems:
        raise ConfigError(tuple(problems))
    return _find_service(model, env)


def _problems(model: Model, production: Config | None) -> Iterator[tuple[str, str]]:
    spec = model.wandb
    if not model.drill:
        yield (
            f"{model.name} is not marked as a drill's model.",
            "Set `drill: true` on the model that exists for drills.",
        )
    if spec is None or spec.offline or model.table is not None:
        yield f"{model.name} reads no W&B project, so there is nowhere to log rows.", "Give `wandb: {entity, project}`."
    elif not is_drill_name(spec.project):
        yield f"the W&B project {spec.project!r} is not marked as a drill's.", _name_hint("churn-drill")
    repository = model.github.repository
    if not is_drill_name(repository.rpartition("/")[2]):
        yield f"the repository {repository!r} is not marked as a drill's.", _name_hint("acme/churn-drill")
    for workflow in model.workflows:
        if workflow.repository and not is_drill_name(workflow.repository.rpartition("/")[2]):
            yield f"{workflow.name} is dispatched to {workflow.repository!r}, which is not a drill's.", "Use a copy."
    pagerduty = model.pagerduty
    if not is_drill_name(pagerduty.service):
        yield f"the PagerDuty service {pagerduty.service!r} is not marked as a drill's.", _name_hint("churn-drill")
    if pagerduty.routing_key is None:
        yield "the drill's service has no routing key.", pagerduty.missing_key_reason or "Set `pagerduty.routing_key`."
    if pagerduty.token is None:
        yield (
            "without `pagerduty.token` it is unknown whose service the routing key pages.",
            "Give a REST token; a read-only one is enough.",
        )
    yield from _shared_with(model, production)


def _name_hint(example: str) -> str:
    return f"Its name must have the word `{DRILL_WORD}` in it, such as `{example}`."


def _shared_with(model: Model, production: Config | None) -> Iterator[tuple[str, str]]:
    """What the drill would share with a model of production."""
    own = model.pagerduty.routing_key
    for other in production.models if production else ():
        if other.drill:
            continue
        theirs = other.pagerduty.routing_key
        same_name = model.pagerduty.key_name and model.pagerduty.key_name == other.pagerduty.key_name
        if same_name or (own is not None and theirs is not None and own.reveal() == theirs.reveal()):
            yield (
                f"its routing key is that of {other.name}, a model in production: a drill would page for real.",
                "Give the drill's service an integration of its own.",
            )
        if model.wandb and other.wandb and _project(model) == _project(other):
            yield f"its W&B project is that of {other.name}, a model in production.", "Use a project of its own."


def _project(model: Model) -> tuple[str, str]:
    return (model.wandb.entity, model.wandb.project) if model.wandb else ("", "")


def _find_service(model: Model, env: Mapping[str, str]) -> str:
    """The service that the routing key really pages, by PagerDuty's own word. Raises UserError unless it is marked."""
    key, token = model.pagerduty.routing_key, model.pagerduty.token
    if key is None or token is None:
        raise UserError("the routing key and the REST token of the drill are missing.", where=model.where)
    url = pagerduty_api_url(env, model.pagerduty.api_url)
    client = AdminClient(token.reveal(), url, pagerduty_retry_policy(env))
    services = client.list_all("/services", "services", "list the services", **{"include[]": "integrations"})
    marked = [service for service in services if is_drill_name(str(service.get("name")))]
    owner = next((service for service in marked if key.reveal() in _keys(client, service)), None)
    if owner is None:
        hint = f"PagerDuty shows it for none of the services with `{DRILL_WORD}` in their name. Use its own key."
        raise UserError("the routing key does not page a drill's service.", hint=hint, where=model.where)
    return str(owner["id"])


def _keys(client: AdminClient, service: Mapping[str, Any]) -> Iterator[str]:
    for integration in service.get("integrations") or ():
        path = f"/services/{service['id']}/integrations/{integration['id']}"
        yield str(client.get(path, "integration", "read an integration").get("integration_key"))
