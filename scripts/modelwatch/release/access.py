"""The way to one model's releases in W&B: its collection, and the project that keeps the history of moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..clients.patience import RetryPolicy
from ..clients.wandb import open_api
from ..clients.wandb_registry import RegistrySession
from ..errors import UserError
from ..model.release import ReleaseSpec
from ..model.watched import Model

REGISTRY_PREFIX = "wandb-registry-"
"""What the projects of W&B's registries are called; they hold no W&B runs."""


@dataclass(frozen=True, slots=True)
class ReleaseAccess:
    model: Model
    spec: ReleaseSpec
    session: RegistrySession
    runs_project: tuple[str, str]
    """Entity and project of the W&B runs that are the moves."""


def require_release_spec(model: Model) -> ReleaseSpec:
    """Raises UserError where the model has none."""
    if model.release is None:
        raise UserError(
            f"the model {model.name!r} has no `release:` in the configuration.",
            hint="For example `release: {artifact: acme/churn-train/churn, deploy: ./deploy.sh}`.",
            where=model.where,
        )
    return model.release


def open_access(model: Model, env: Mapping[str, str], retry: RetryPolicy) -> ReleaseAccess:
    """Raises UserError where the model has no releases, SourceError where W&B cannot be reached."""
    spec = require_release_spec(model)
    home = runs_project_of(model, spec)
    base_url = (model.wandb.base_url if model.wandb else "") or env.get("WANDB_BASE_URL", "")
    api = open_api(base_url, env.get("WANDB_API_KEY", ""), retry, home[0])
    return ReleaseAccess(model, spec, RegistrySession(api, spec.artifact, spec.type, retry), home)


def runs_project_of(model: Model, spec: ReleaseSpec) -> tuple[str, str]:
    """The artifact's own project; for a registry, which holds no W&B runs, that of the model's metrics."""
    entity, project, _ = spec.artifact.split("/", 2)
    if not project.startswith(REGISTRY_PREFIX):
        return entity, project
    if model.wandb is None or not model.wandb.project:
        raise UserError(
            "a registry holds no W&B runs, and the model names no project for the history of its releases.",
            hint="Give `wandb: {entity, project}`, or name the artifact by the project that logs it.",
            where=model.where,
        )
    return model.wandb.entity, model.wandb.project
