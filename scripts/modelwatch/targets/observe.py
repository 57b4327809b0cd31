"""Everything that exists at the targets of the configured models."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ..errors import unforeseen
from ..model.alert import Judgement
from ..model.monitored_model import Model
from ..model.plan import ModelObservation
from .base import ObservationBuilder
from .order import TARGETS
from .sessions import TargetSessions

WORKERS = 8
"""Repositories observed side by side; requests to one repository go one after another."""


def observe_models(
    sessions: TargetSessions, models: Sequence[Model], judgement: Judgement | None, now: float | None
) -> dict[str, ModelObservation]:
    """What exists for each model; what cannot be observed is an ObservationError of the models concerned.

    With a ``judgement`` workflow runs and incidents are looked for only where it, or a register, calls for them;
    without one, everywhere.
    """
    groups = judgement.groups if judgement else ()
    shared: dict[tuple[str, str], list[ObservationBuilder]] = {}
    for model in models:
        own = tuple(group for group in groups if group.model == model.name)
        builder = ObservationBuilder(model, own, judged=judgement is not None)
        shared.setdefault(sessions.repository_key(model.github), []).append(builder)
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        list(pool.map(lambda builders: _observe_repository(sessions, builders, now), shared.values()))
    built = {builder.model.name: builder.build() for builders in shared.values() for builder in builders}
    return {model.name: built[model.name] for model in models}


def _observe_repository(sessions: TargetSessions, builders: Sequence[ObservationBuilder], now: float | None) -> None:
    for target in TARGETS:
        try:
            target.observe(sessions, builders, now)
        except Exception as error:  # noqa: BLE001 - of one repository; no other one is hurt
            for builder in builders:
                builder.add_error(unforeseen("observing", error), target.name)
