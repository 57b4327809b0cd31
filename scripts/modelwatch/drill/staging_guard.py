"""Proof that a configuration is staging. It fails closed: what is not proved, or cannot be looked at, is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..clients.pagerduty import pagerduty_api_url, pagerduty_retry_policy
from ..clients.pagerduty_admin import AdminClient, Resource
from ..errors import ConfigError, ServiceError, UserError
from ..model.drill import DRILL_WORD, is_drill_name
from ..model.monitored_model import Config, Model, PagerDutySpec

Problem = tuple[str, str]
"""What is not provably staging, and what to do about it."""


@dataclass(frozen=True, slots=True)
class PagedService:
    """The service that a routing key really pages, by PagerDuty's own word."""

    id: str
    name: str
    keys: frozenset[str]
    """The keys of all its integrations."""


def require_staging(model: Model, staging: Config, production: Config | UserError, env: Mapping[str, str]) -> str:
    """The id of the drill's service at PagerDuty.

    ``model`` is compared with every other model of ``staging``, the configuration that it is in, and of ``production``,
    which may be the error that it could not be read with. Raises ConfigError with everything that is not provably
    staging, or PagerDuty's ServiceError if that alone is wrong.
    """
    paged: PagedService | None = None
    problems = list(_unmarked(model))
    unanswered: UserError | None = None
    try:
        paged = _find_service(model, env)
    except UserError as error:
        unanswered = error
    read: tuple[Model, ...] = ()
    if isinstance(production, Config):
        read = production.models
        if all(one.drill or _is_same(one, model) for one in read):
            problems.append(
                (
                    "`--config` has no model of production, so there is nothing to compare with.",
                    "Name the configuration of production.",
                )
            )
    others = {(one.name, _place(one)): one for one in (*staging.models, *read) if not _is_same(one, model)}
    for other in others.values():
        problems += _shared(model, other, paged)
    errors = [UserError(text, hint=hint, where=model.where) for text, hint in problems]
    if isinstance(production, UserError):
        errors += production.problems if isinstance(production, ConfigError) else (production,)
    if unanswered is not None:
        if not errors:
            raise unanswered
        errors.append(unanswered)
    if errors or paged is None:
        raise ConfigError(tuple(errors))
    return paged.id


def _place(model: Model) -> tuple[Path, str]:
    """The file of the model, however it is spelled, and the line and column in it."""
    file, line, column = model.where.rsplit(":", 2)
    return Path(file).resolve(), f"{line}:{column}"


def _is_same(one: Model, other: Model) -> bool:
    """Whether both are the same words of the same file."""
    return one.name == other.name and _place(one) == _place(other)


def _unmarked(model: Model) -> Iterator[Problem]:
    """What does not say itself that it exists for drills."""
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
    if model.release is not None and not is_drill_name(model.release.artifact):
        yield (
            f"the artifact {model.release.artifact!r} of `release` is not marked as a drill's.",
            _name_hint("acme/churn-drill/churn"),
        )
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


def _name_hint(example: str) -> str:
    return f"Its name must have the word `{DRILL_WORD}` in it, such as `{example}`."


def _shared(model: Model, other: Model, paged: PagedService | None) -> Iterator[Problem]:
    """What the drill shares with ``other``, or may share for all that is known.

    Addresses of servers are not compared: two of them can be one server, so the same name is the same thing. Capitals
    do not count, since GitHub and PagerDuty ignore them.
    """
    whose = f"that of {other.name} ({other.where})"
    if _is_project_shared(model, other):
        yield f"its W&B project is {whose}.", "Use a project of its own."
    if model.release and other.release and _is_equal(model.release.artifact, other.release.artifact):
        yield f"the artifact of its `release` is {whose}.", "Use an artifact of its own."
    for repository in sorted(_repositories(model) & _repositories(other)):
        yield f"the repository {repository} is {whose}.", "Use a repository of its own, with copies of the workflows."
    if not other.github.repository:
        yield (
            f"the repository of {other.name} ({other.where}) is not known, so it cannot be compared.",
            "Set `github.repository` there, or GITHUB_REPOSITORY.",
        )
    yield from _shared_pages(model.pagerduty, other, paged)


def _is_project_shared(model: Model, other: Model) -> bool:
    own, theirs = model.wandb, other.wandb
    if own is None or theirs is None or not own.project:
        return False
    return _is_equal(own.project, theirs.project) and _is_equal(own.entity, theirs.entity)


def _repositories(model: Model) -> set[str]:
    names = (model.github.repository, *(workflow.repository for workflow in model.workflows))
    return {name.casefold() for name in names if name}


def _shared_pages(own: PagerDutySpec, other: Model, paged: PagedService | None) -> Iterator[Problem]:
    theirs, whose = other.pagerduty, f"that of {other.name} ({other.where})"
    services = {name.casefold() for name in (own.service, paged.name if paged else "") if name}
    if theirs.service.casefold() in services:
        yield f"its PagerDuty service is {whose}: a drill would page for real.", "Use a service of its own."
    keys = {own.routing_key.reveal()} if own.routing_key else set()
    if paged:
        keys |= paged.keys
    known = theirs.routing_key.reveal() if theirs.routing_key else ""
    if known in keys or (own.key_name and _is_equal(own.key_name, theirs.key_name)):
        yield (
            f"its routing key is {whose}, or pages the same service: a drill would page for real.",
            "Give the drill a service and an integration of its own.",
        )
    elif theirs.key_name and not known and not (paged and theirs.service):
        # With both, PagerDuty's word is the proof: the service that is paged is the drill's, and theirs is another one.
        yield (
            f"{theirs.key_name}, the routing key of {other.name} ({other.where}), is not set here to be compared.",
            "Set it, as a line of MODELWATCH_SECRETS; or name `pagerduty.service` there, and give the drill a token.",
        )


def _is_equal(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _find_service(model: Model, env: Mapping[str, str]) -> PagedService | None:
    """What PagerDuty says; ``None`` where the key or the token to ask with is missing. Raises UserError unless it is
    the service that the configuration names, and is marked."""
    key, token = model.pagerduty.routing_key, model.pagerduty.token
    if key is None or token is None:
        return None
    url = pagerduty_api_url(env, model.pagerduty.api_url)
    client = AdminClient(token.reveal(), url, pagerduty_retry_policy(env))
    try:
        services = client.list_all("/services", "services", "list the services", **{"include[]": "integrations"})
    except ServiceError as error:
        if error.status in (401, 403):
            error.hint = "Is `pagerduty.token` a REST token of this account? A read-only one is enough."
        raise
    for service in services:
        name = str(service.get("name"))
        if not is_drill_name(name):
            continue
        keys = frozenset(_keys(client, service))
        if key.reveal() not in keys:
            continue
        if not _is_equal(name, model.pagerduty.service):
            raise UserError(
                f"the routing key pages the service {name!r}, not {model.pagerduty.service!r}, which is configured.",
                hint="Use the key of that service, or correct `pagerduty.service`.",
                where=model.where,
            )
        return PagedService(str(service["id"]), name, keys)
    hint = f"PagerDuty shows it for none of the services with `{DRILL_WORD}` in their name. Use its own key."
    raise UserError("the routing key does not page a drill's service.", hint=hint, where=model.where)


def _keys(client: AdminClient, service: Resource) -> Iterator[str]:
    for integration in service.get("integrations") or ():
        path = f"/services/{service['id']}/integrations/{integration['id']}"
        if key := client.get(path, "integration", "read an integration").get("integration_key"):
            yield str(key)
