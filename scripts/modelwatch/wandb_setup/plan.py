"""Plan the changes that make the inside of W&B match the configuration. Pure: changes nothing, sends nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..clients.wandb_automations import (
    AutomationSpec,
    MetricZScore,
    SavedAutomation,
    Webhook,
    spec_facts,
)
from ..clients.wandb_views import SavedView
from ..model.setup_plan import FieldChange, SetupChange, SetupPlan, SetupRefusal, SetupVerb, WandbKind
from ..model.wandb_setup import EVENT_TYPE
from .desired_state import (
    REPORT_ITEM,
    VIEW_ITEM,
    DesiredModel,
    DesiredState,
    Page,
    automation_name,
    facts_text,
)
from .events import Watch
from .lookup import ObservedAutomations, ObservedModel, is_mark_of
from .ownership import Mark, content_digest, digest, read_mark

PlanItem = SetupChange | SetupRefusal
PAYLOAD = (("event_type", EVENT_TYPE),)
"""Nothing else: the evaluation that it starts reads everything itself."""
BY_HAND = "somebody changed it in W&B"
_FORCE_HINT = "`--force` replaces it by what the configuration says."


def make_plan(desired: DesiredState, observed: Mapping[str, ObservedModel], *, force: bool = False) -> SetupPlan:
    """``force``: what was changed by hand is replaced, too."""
    items: list[PlanItem] = []
    same: list[tuple[WandbKind, str]] = []
    for model in desired.models:
        state = observed[model.name]
        parts: list[tuple[WandbKind, str, list[PlanItem]]] = []
        if model.view is not None:
            parts.append((WandbKind.VIEW, model.name, plan_view(model, model.view, state.views, force=force)))
        if model.report is not None:
            parts.append((WandbKind.REPORT, model.name, plan_report(model, model.report, state.reports, force=force)))
        parts += plan_automations(model, state.automations, force=force)
        for kind, name, found in parts:
            items += found
            if not found:
                same.append((kind, name))
    return SetupPlan(
        desired.server,
        tuple(item for item in items if isinstance(item, SetupChange)),
        tuple(item for item in items if isinstance(item, SetupRefusal)),
        tuple(same),
    )


def plan_view(model: DesiredModel, page: Page, saved: tuple[SavedView, ...], *, force: bool) -> list[PlanItem]:
    """Its mark is in its text: W&B gives views no description."""
    marks = [read_mark(_first_text_with_mark(view.spec)) for view in saved]
    return _plan_page(WandbKind.VIEW, model, VIEW_ITEM, page, saved, marks, force)


def plan_report(model: DesiredModel, page: Page, saved: tuple[SavedView, ...], *, force: bool) -> list[PlanItem]:
    marks = [read_mark(report.description) for report in saved]
    return _plan_page(WandbKind.REPORT, model, REPORT_ITEM, page, saved, marks, force)


def page_digest(view: SavedView) -> str:
    """What is compared with the mark's ``written``."""
    return content_digest(view.title, view.description, view.spec)


def _plan_page(
    kind: WandbKind,
    model: DesiredModel,
    item: str,
    page: Page,
    saved: tuple[SavedView, ...],
    marks: list[Mark | None],
    force: bool,
) -> list[PlanItem]:
    if not saved:
        titles = [chart.title for section in page.sections for chart in section.charts]
        fields = (FieldChange("in", "", f"{model.entity}/{model.project}"), FieldChange("charts", "", _listed(titles)))
        return [SetupChange(SetupVerb.CREATE, kind, model.name, fields)]
    view, mark = saved[0], marks[0]
    found: list[PlanItem] = []
    for other, other_mark in zip(saved[1:], marks[1:], strict=True):
        found.append(_delete_or_refuse(kind, model, other, other_mark, force))
    if mark is None or not is_mark_of(mark, model, model.item(item)):
        by_hand = "its mark is gone: somebody edited it in W&B"
    elif page_digest(view) != mark.written:
        by_hand = BY_HAND
    else:
        by_hand = ""
    if by_hand and not force:
        return [*found, SetupRefusal(kind, model.name, by_hand, _FORCE_HINT)]
    if by_hand or mark is None or mark.wanted != page.digest:
        changed = tuple(_page_fields(view, page)) or (FieldChange("text", "", "as the configuration says"),)
        found.append(SetupChange(SetupVerb.UPDATE, kind, model.name, changed, view.id, by_hand))
    return found


def _delete_or_refuse(
    kind: WandbKind, model: DesiredModel, view: SavedView, mark: Mark | None, force: bool
) -> PlanItem:
    """A second one, which a request that was sent twice made."""
    unchanged = mark is not None and page_digest(view) == mark.written
    if unchanged or force:
        fields = (FieldChange("title", view.title, ""),)
        return SetupChange(SetupVerb.DELETE, kind, model.name, fields, view.id, "it is a duplicate")
    return SetupRefusal(kind, model.name, f"a second one ({view.id}) was changed by hand", "Delete one in W&B.")


def _page_fields(view: SavedView, page: Page) -> Iterator[FieldChange]:
    """How charts and title differ; the rest of a specification is not for people."""
    if view.title != page.title:
        yield FieldChange("title", view.title, page.title)
    before = list(dict.fromkeys(re.findall(r'"chartTitle": ?("(?:[^"\\]|\\.)*")', view.spec)))
    old = [str(json.loads(text)) for text in before]
    new = [chart.title for section in page.sections for chart in section.charts]
    if added := [title for title in new if title not in old]:
        yield FieldChange("charts added", "", _listed(added))
    if removed := [title for title in old if title not in new]:
        yield FieldChange("charts removed", _listed(removed), "")


def _listed(titles: Iterable[str]) -> str:
    return "; ".join(titles)


def _first_text_with_mark(spec: str) -> str:
    """The text in a specification that has a mark; empty for none."""
    try:
        found = _search(json.loads(spec))
    except ValueError:
        return ""
    return next(found, "")


def _search(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _search(part)
    elif isinstance(value, list):
        for part in value:
            yield from _search(part)
    elif isinstance(value, str) and read_mark(value) is not None:
        yield value


def plan_automations(
    model: DesiredModel, observed: ObservedAutomations, *, force: bool
) -> Iterator[tuple[WandbKind, str, list[PlanItem]]]:
    """For each automation its changes, and one refusal for all where there can be none."""
    if not model.watches:
        if model.watches is not None and observed.refusal is None:
            yield from _plan_obsolete(model, observed, (), force)
        return
    if observed.refusal is not None:
        reason, hint = observed.refusal
        refusal = SetupRefusal(WandbKind.AUTOMATION, model.name, reason.rstrip("."), hint)
        yield WandbKind.AUTOMATION, model.name, [refusal]
        return
    webhook = find_webhook(model, observed.webhooks)
    if isinstance(webhook, SetupRefusal):
        yield WandbKind.AUTOMATION, model.name, [webhook]
        return
    for watch in model.watches:
        found = plan_automation(model, watch, webhook, observed, force)
        yield WandbKind.AUTOMATION, automation_name(model, watch), found
    yield from _plan_obsolete(model, observed, model.watches, force)


def find_webhook(model: DesiredModel, webhooks: tuple[Webhook, ...]) -> Webhook | SetupRefusal:
    """The team's webhook that starts workflows of the model's repository."""
    if model.webhook:
        named = next((hook for hook in webhooks if hook.name == model.webhook), None)
        if named is not None and _same_address(named.url, model.dispatches):
            return named
        reason = f"the team {model.entity} has no webhook {model.webhook!r}"
        if named is not None:
            reason = f"the webhook {model.webhook!r} sends to {named.url}"
        return SetupRefusal(WandbKind.AUTOMATION, model.name, reason, _webhook_hint(model))
    found = next((hook for hook in webhooks if _same_address(hook.url, model.dispatches)), None)
    reason = f"the team {model.entity} has no webhook that sends to {model.dispatches or 'a repository'}"
    return found or SetupRefusal(WandbKind.AUTOMATION, model.name, reason, _webhook_hint(model))


def _same_address(first: str, second: str) -> bool:
    return first.rstrip("/").casefold() == second.rstrip("/").casefold() != ""


def _webhook_hint(model: DesiredModel) -> str:
    if not model.repository:
        return "Give `github: {repository: ...}`: that is where evaluations run."
    return (
        f"An administrator makes it in W&B: Team Settings → Webhooks, with the address {model.dispatches} and, as "
        "access token, a team secret that holds a GitHub token with `contents: write` for this repository alone. The "
        "schedule starts every evaluation until then; `wandb_setup: {automations: off}` says that this is intended."
    )


def automation_spec(model: DesiredModel, watch: Watch, webhook: Webhook) -> AutomationSpec:
    """What is written, with its mark."""
    plain = AutomationSpec(automation_name(model, watch), "", watch.event, webhook.id, PAYLOAD)
    facts = digest([plain.name, spec_facts(plain, model.project)])
    mark = Mark(model.owner, model.item(watch.item), facts, facts)
    return AutomationSpec(plain.name, f"{watch.purpose} {mark}", watch.event, webhook.id, PAYLOAD)


def plan_automation(
    model: DesiredModel, watch: Watch, webhook: Webhook, observed: ObservedAutomations, force: bool
) -> list[PlanItem]:
    spec = automation_spec(model, watch, webhook)
    kind, facts = WandbKind.AUTOMATION, spec_facts(spec, model.project)
    if isinstance(watch.event, MetricZScore) and not observed.has_zscore:
        reason = "this W&B server has no automations about z-scores"
        return [SetupRefusal(kind, spec.name, reason, "The schedule evaluates the rule.")]
    item = model.item(watch.item)
    saved = next((found for found in observed.saved if is_mark_of(read_mark(found.description), model, item)), None)
    if saved is None:
        namesake = next((found for found in observed.saved if found.name == spec.name), None)
        if namesake is not None:
            other = read_mark(namesake.description)
            reason = f"{other.owner} manages" if other else "modelwatch did not make"
            hint = "Rename or delete it in W&B, or give the model another name."
            return [SetupRefusal(kind, spec.name, f"{reason} the automation with this name", hint)]
        return [SetupChange(SetupVerb.CREATE, kind, spec.name, (FieldChange("when", "", facts_text(facts)),))]
    by_hand = BY_HAND if _is_changed_by_hand(saved) else ""
    fields = tuple(_automation_fields(saved, spec, facts))
    if by_hand and not force:
        return [SetupRefusal(kind, spec.name, f"{by_hand} ({_now(saved)})", _FORCE_HINT)]
    return [SetupChange(SetupVerb.UPDATE, kind, spec.name, fields, saved.id, by_hand)] if fields else []


def _is_changed_by_hand(saved: SavedAutomation) -> bool:
    mark = read_mark(saved.description)
    return mark is None or digest([saved.name, saved.facts]) != mark.written


def _now(saved: SavedAutomation) -> str:
    return f"now {saved.name!r}: {facts_text(saved.facts)}"


def _automation_fields(saved: SavedAutomation, spec: AutomationSpec, facts: Mapping[str, Any]) -> Iterator[FieldChange]:
    if saved.name != spec.name:
        yield FieldChange("name", saved.name, spec.name)
    before, after = facts_text(saved.facts), facts_text(facts)
    if before != after:
        yield FieldChange("when", before, after)
    for name in ("scope", "webhook", "payload"):
        if saved.facts.get(name) != facts[name]:
            yield FieldChange(name, _value_text(saved.facts.get(name)), _value_text(facts[name]))


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _plan_obsolete(
    model: DesiredModel, observed: ObservedAutomations, watches: tuple[Watch, ...], force: bool
) -> Iterator[tuple[WandbKind, str, list[PlanItem]]]:
    """Ours, of rules that are gone."""
    wanted = {model.item(watch.item) for watch in watches}
    kind = WandbKind.AUTOMATION
    for saved in observed.saved:
        mark = read_mark(saved.description)
        if mark is None or mark.owner != model.owner or mark.item in wanted:
            continue
        if mark.item.rpartition("/")[0] != model.name:
            continue
        if _is_changed_by_hand(saved) and not force:
            reason = f"its rule is gone, and {BY_HAND}"
            yield kind, saved.name, [SetupRefusal(kind, saved.name, reason, "Delete it in W&B, or give `--force`.")]
            continue
        fields = (FieldChange("when", facts_text(saved.facts), ""),)
        why = "the configuration has nothing for it any more"
        yield kind, saved.name, [SetupChange(SetupVerb.DELETE, kind, saved.name, fields, saved.id, why)]
