"""What is inside W&B already, read once for each project and team."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..clients.retry import RetryPolicy
from ..clients.wandb import WandbSessions
from ..clients.wandb_automations import AutomationsClient, AutomationsUnavailableError, SavedAutomation, Webhook
from ..clients.wandb_views import SavedView, ViewsClient
from .desired_state import REPORT_ITEM, VIEW_ITEM, DesiredModel, DesiredState
from .ownership import Mark, read_mark, view_name

if TYPE_CHECKING:
    import wandb

WORKERS = 8
"""Models whose views are read at one time."""


@dataclass(frozen=True, slots=True)
class ObservedAutomations:
    """Of one team. ``refusal``: why there can be none, and what to do about it."""

    webhooks: tuple[Webhook, ...] = ()
    saved: tuple[SavedAutomation, ...] = ()
    has_zscore: bool = True
    refusal: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ObservedModel:
    views: tuple[SavedView, ...]
    reports: tuple[SavedView, ...]
    """Those with the mark of this model."""
    automations: ObservedAutomations


class Observer:
    """Reads what each model needs; lists are read once, and anew after ``forget``. Every call raises SourceError."""

    def __init__(self, server: str, sessions: WandbSessions) -> None:
        self._server, self._sessions = server, sessions
        self._reports: dict[tuple[str, str], tuple[SavedView, ...]] = {}
        self._automations: dict[str, ObservedAutomations] = {}

    @property
    def retry(self) -> RetryPolicy:
        return self._sessions.retry

    def forget(self) -> None:
        self._reports.clear()
        self._automations.clear()

    def views_client(self, model: DesiredModel) -> ViewsClient:
        return ViewsClient(self._session(model), model.entity, model.project, self.retry)

    def automations_client(self, model: DesiredModel) -> AutomationsClient:
        return AutomationsClient(self._session(model), model.entity, model.project)

    def observe(self, model: DesiredModel) -> ObservedModel:
        return ObservedModel(self.views(model), self.reports(model), self.automations(model))

    def views(self, model: DesiredModel) -> tuple[SavedView, ...]:
        if model.view is None:
            return ()
        return tuple(self.views_client(model).views(view_name(model.owner, model.item(VIEW_ITEM))))

    def reports(self, model: DesiredModel) -> tuple[SavedView, ...]:
        """The oldest first, as their ids tell where W&B lists the newest first."""
        if model.report is None:
            return ()
        place = (model.entity, model.project)
        if place not in self._reports:
            self._reports[place] = tuple(reversed(self.views_client(model).reports()))
        item = model.item(REPORT_ITEM)
        return tuple(found for found in self._reports[place] if is_mark_of(read_mark(found.description), model, item))

    def automations(self, model: DesiredModel) -> ObservedAutomations:
        if model.watches is None:
            return ObservedAutomations()
        if model.entity not in self._automations:
            self._automations[model.entity] = self._read_automations(self.automations_client(model))
        return self._automations[model.entity]

    def _read_automations(self, client: AutomationsClient) -> ObservedAutomations:
        try:
            return ObservedAutomations(tuple(client.webhooks()), tuple(client.automations()), client.supports_zscore())
        except AutomationsUnavailableError as error:
            return ObservedAutomations(refusal=(error.message, error.hint))

    def _session(self, model: DesiredModel) -> wandb.Api:
        return self._sessions.session(self._server, model.entity)


def is_mark_of(mark: Mark | None, model: DesiredModel, item: str) -> bool:
    return mark is not None and (mark.owner, mark.item) == (model.owner, item)


def observe(desired: DesiredState, observer: Observer) -> dict[str, ObservedModel]:
    """By the name of the model. Raises SourceError."""
    for model in desired.models:  # what models share, once
        observer.reports(model)
        observer.automations(model)
    with ThreadPoolExecutor(WORKERS) as executor:
        found = list(executor.map(observer.observe, desired.models))
    return {model.name: state for model, state in zip(desired.models, found, strict=True)}
