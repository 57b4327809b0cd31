"""A service that cannot be reached, for one evaluation: its address is replaced, the service itself is left alone."""

from __future__ import annotations

from dataclasses import replace

from ..model.monitored_model import Config, Model
from .scenarios import Service

NOWHERE = "http://127.0.0.1:9"
"""The discard port, where nothing listens."""


def without(config: Config, service: Service | None) -> Config:
    """``config`` with an address for ``service`` at which nothing answers."""
    return config if service is None else replace(config, models=tuple(_lose(one, service) for one in config.models))


def _lose(model: Model, service: Service) -> Model:
    if service is Service.GITHUB:
        return replace(model, github=replace(model.github, api_url=NOWHERE))
    if service is Service.PAGERDUTY:
        return replace(model, pagerduty=replace(model.pagerduty, events_url=NOWHERE, api_url=NOWHERE))
    return replace(model, wandb=replace(model.wandb, base_url=NOWHERE) if model.wandb else None)
