"""Carry out a plan inside W&B: what is there is compared with the plan just before the changes of a model are made."""

from __future__ import annotations

from dataclasses import dataclass

from ..clients.wandb_views import default_session
from ..errors import ServiceError, SourceError, UserError
from ..model.plan import ChangeResult
from ..model.setup_plan import SetupChange, SetupPlan, SetupReceipt, SetupRefusal, SetupVerb, WandbKind
from .desired_state import REPORT_ITEM, VIEW_ITEM, DesiredModel, DesiredState, Page, automation_name
from .lookup import Observer
from .ownership import Mark, view_name
from .pages import Draft, draft_report, draft_view, require_workspaces
from .plan import PlanItem, automation_spec, find_webhook, page_digest, plan_automations, plan_report, plan_view


@dataclass(frozen=True, slots=True)
class ApplyResult:
    receipts: tuple[SetupReceipt, ...]
    addresses: tuple[tuple[str, str], ...] = ()
    """What was written, and where it can be seen."""


def apply(desired: DesiredState, plan: SetupPlan, observer: Observer, key: str, *, force: bool = False) -> ApplyResult:
    """Carry out ``plan``, which ``force`` was given for. ``key``: W&B's API key. After the first failure that is W&B's
    own (down, key refused) nothing else is tried. Raises MissingExtraError before anything is done."""
    if any(change.kind is not WandbKind.AUTOMATION for change in plan.changes):
        require_workspaces()
    executor = _PlanExecutor(desired, observer, key, force)
    receipts: list[SetupReceipt] = []
    failure = ""
    for change in plan.changes:
        if failure:
            receipts.append(SetupReceipt(change, ChangeResult.FAILED, f"not tried: {failure}"))
            continue
        receipt, is_shared = executor.apply_change(change)
        receipts.append(receipt)
        failure = receipt.detail if is_shared else ""
    return ApplyResult(tuple(receipts), tuple(executor.addresses))


class _PlanExecutor:
    def __init__(self, desired: DesiredState, observer: Observer, key: str, force: bool) -> None:
        self._desired, self._observer, self._key, self._force = desired, observer, key, force
        self._model = ""
        """Whose changes are made."""
        self.addresses: list[tuple[str, str]] = []

    def apply_change(self, change: SetupChange) -> tuple[SetupReceipt, bool]:
        """The receipt, and whether every other change would fail as well."""
        try:
            refused = self._apply(change)
        except SourceError as error:
            return SetupReceipt(change, ChangeResult.FAILED, str(error)), error.is_shared
        except (ServiceError, UserError) as error:
            return SetupReceipt(change, ChangeResult.REFUSED, str(error)), False
        return refused or SetupReceipt(change, ChangeResult.DONE), False

    def _apply(self, change: SetupChange) -> SetupReceipt | None:
        model = self._model_of(change)
        if model is None:
            return _no_longer_needed(change)
        if model.name != self._model:  # its lists are read anew, once for all its changes
            self._model = model.name
            self._observer.forget()
        if change.kind is WandbKind.AUTOMATION:
            return self._apply_automation(model, change)
        return self._apply_page(model, change)

    def _model_of(self, change: SetupChange) -> DesiredModel | None:
        """By a name of its own, else by the mark of what is there."""
        if change.kind is not WandbKind.AUTOMATION:
            return next((model for model in self._desired.models if model.name == change.name), None)
        for model in self._desired.models:
            if any(automation_name(model, watch) == change.name for watch in model.watches or ()):
                return model
        return next((model for model in self._desired.models if change in self._current(model, change)), None)

    def _apply_page(self, model: DesiredModel, change: SetupChange) -> SetupReceipt | None:
        is_view = change.kind is WandbKind.VIEW
        page = model.view if is_view else model.report
        if page is None:
            return _no_longer_needed(change)
        current = self._plan_page(model, page, is_view)
        if receipt := _compare(change, current):
            return receipt
        if change.verb is SetupVerb.DELETE:
            self._observer.views_client(model).delete(change.id)
            return None
        item = model.item(VIEW_ITEM if is_view else REPORT_ITEM)
        with default_session(self._desired.server, self._key, f"{model.entity}/{model.project}"):
            draft = self._draft(model, page, change)
            saved = draft.save(Mark(model.owner, item, page.digest, draft.digest))
            stored = self._observer.views_client(model).read(saved.id)
            if stored is not None and (written := page_digest(stored)) != draft.digest:
                # The server keeps it in a form of its own, which shall not look like a change by hand.
                saved = draft.save(Mark(model.owner, item, page.digest, written))
        self.addresses.append((f"{change.kind} {model.name}", saved.address))
        return None

    def _draft(self, model: DesiredModel, page: Page, change: SetupChange) -> Draft:
        if change.kind is WandbKind.VIEW:
            return draft_view(model, page, view_name(model.owner, model.item(VIEW_ITEM)), change.id)
        return draft_report(model, page, change.id)

    def _plan_page(self, model: DesiredModel, page: Page, is_view: bool) -> list[PlanItem]:
        if is_view:
            return plan_view(model, page, self._observer.views(model), force=self._force)
        return plan_report(model, page, self._observer.reports(model), force=self._force)

    def _plan_automations(self, model: DesiredModel) -> list[tuple[WandbKind, str, list[PlanItem]]]:
        return list(plan_automations(model, self._observer.automations(model), force=self._force))

    def _current(self, model: DesiredModel, change: SetupChange) -> list[PlanItem]:
        """What the plan says of this automation now, or of all where there can be none."""
        parts = self._plan_automations(model)
        return [item for _, name, found in parts if name in (change.name, model.name) for item in found]

    def _apply_automation(self, model: DesiredModel, change: SetupChange) -> SetupReceipt | None:
        if receipt := _compare(change, self._current(model, change)):
            return receipt
        client = self._observer.automations_client(model)
        if change.verb is SetupVerb.DELETE:
            client.delete(change.id)
            return None
        watch = next(watch for watch in model.watches or () if automation_name(model, watch) == change.name)
        webhook = find_webhook(model, self._observer.automations(model).webhooks)
        if isinstance(webhook, SetupRefusal):
            return SetupReceipt(change, ChangeResult.REFUSED, webhook.reason)
        spec = automation_spec(model, watch, webhook)
        if change.verb is SetupVerb.UPDATE:
            client.update(change.id, spec)
            return None
        try:
            client.create(spec)
        except SourceError:
            # The client repeats a request whose answer was lost, and is then told that the name is taken.
            self._observer.forget()
            if _compare(change, self._current(model, change)) is None:
                raise
        return None


def _compare(change: SetupChange, current: list[PlanItem]) -> SetupReceipt | None:
    """Why the change is not made; ``None`` where W&B still is as it was when the plan was made."""
    if change in current:
        return None
    refusal = next((item for item in current if isinstance(item, SetupRefusal)), None)
    if refusal is not None:
        return SetupReceipt(change, ChangeResult.REFUSED, f"{refusal.reason}; plan again")
    if current:
        return SetupReceipt(change, ChangeResult.REFUSED, "it has changed since the plan was made; plan again")
    return _no_longer_needed(change)


def _no_longer_needed(change: SetupChange) -> SetupReceipt:
    return SetupReceipt(change, ChangeResult.ALREADY, "no change is needed any more")
