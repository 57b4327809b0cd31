"""Completing a model after it is read: paths, defaults from the environment, missing secrets."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from ..distribution import SLUG
from ..model.monitored_model import Model, ReleaseSpec
from ..model.prediction_log import MeasureSpec, is_artifact
from ..model.rule import Rule
from ..model.secret import Secret
from .secrets import PAGERDUTY_READ_TOKEN, Vault

OUR_RUNBOOKS = f"https://github.com/{SLUG}/blob/HEAD/runbooks"
"""Our pages, one for every built-in kind."""

_ARTIFACT = re.compile(r"[^/\s]+/[^/\s]+/[^/\s:]+:[^/\s:]+")
"""``entity/project/name:alias``."""


def resolve_model(model: Model, folder: Path, vault: Vault) -> Model:
    """Paths from ``folder`` on; repository, addresses, entity and PagerDuty's REST token from the environment; empty
    secrets are none; runbooks in the repository as links.

    Digests are taken before: they do not depend on where a checkout lies.
    """
    github = replace(
        model.github,
        repository=model.github.repository or vault.find("GITHUB_REPOSITORY") or "",
        api_url=model.github.api_url or (vault.find("GITHUB_API_URL") or "").rstrip("/"),
    )
    routing_key, token = _without_empty(model.pagerduty.routing_key), _without_empty(model.pagerduty.token)
    if token is None and routing_key is not None:
        token = vault.secret(PAGERDUTY_READ_TOKEN)
    pagerduty = replace(model.pagerduty, routing_key=routing_key, token=token)
    messages = replace(model.messages, to=tuple(address for address in model.messages.to if address.reveal()))
    wandb, table = model.wandb, model.table
    if wandb is not None:
        wandb = replace(
            wandb,
            entity=wandb.entity or ("" if wandb.offline else vault.find("WANDB_ENTITY") or ""),
            base_url=wandb.base_url or (vault.find("WANDB_BASE_URL") or "").rstrip("/"),
            offline=str(folder / wandb.offline) if wandb.offline else "",
        )
    if table is not None:
        table = replace(table, path=str(folder / table.path))
    measure = _resolve_measure(model.measure, folder)
    release = _resolve_release(model.release, folder)
    rules = tuple(_resolve_profiles(_with_runbook_link(rule, github.repository, vault), folder) for rule in model.rules)
    base = _runbook_link(model.runbook_base, github.repository, vault).rstrip("/") or OUR_RUNBOOKS
    model = replace(model, rules=rules, github=github, pagerduty=pagerduty, messages=messages, runbook_base=base)
    return replace(model, wandb=wandb, table=table, measure=measure, release=release)


def _resolve_measure(spec: MeasureSpec | None, folder: Path) -> MeasureSpec | None:
    """The paths of a prediction log; URLs stay."""
    if spec is None:
        return None
    outcomes = spec.outcomes
    if outcomes is not None:
        outcomes = replace(outcomes, files=_resolve_path(outcomes.files, folder))
    reference = spec.reference if is_artifact(spec.reference) else _resolve_path(spec.reference, folder)
    return replace(spec, files=_resolve_path(spec.files, folder), reference=reference, outcomes=outcomes)


def _resolve_release(spec: ReleaseSpec | None, folder: Path) -> ReleaseSpec | None:
    """The predictions that the gate reads: paths from ``folder`` on; URLs and W&B artifacts stay."""
    if spec is None:
        return None
    holdout, recent = (_resolve_predictions(name, folder) for name in (spec.gate.holdout, spec.gate.recent))
    return replace(spec, gate=replace(spec.gate, holdout=holdout, recent=recent), webhook=_without_empty(spec.webhook))


def _resolve_predictions(name: str, folder: Path) -> str:
    return name if _ARTIFACT.fullmatch(name) else _resolve_path(name, folder)


def _resolve_profiles(rule: Rule, folder: Path) -> Rule:
    """The paths of reference profiles, whose numbers are read during the pull."""
    specs = [
        replace(spec, place=str(folder / spec.path)) if spec.profile and spec.profile != spec.path else spec
        for spec in (rule.baseline, *rule.also)
    ]
    return replace(rule, baseline=specs[0], also=tuple(specs[1:])) if any(spec.profile for spec in specs) else rule


def _resolve_path(path: str, folder: Path) -> str:
    return path if not path or "://" in path else str(folder / path)


def _with_runbook_link(rule: Rule, repository: str, vault: Vault) -> Rule:
    return replace(rule, runbook=_runbook_link(rule.runbook, repository, vault)) if rule.runbook else rule


def _runbook_link(place: str, repository: str, vault: Vault) -> str:
    """A runbook given as a path becomes a link into the model's repository: it is read on a page, far from here."""
    if not place or place.startswith(("https://", "http://")) or not repository:
        return place
    server = (vault.find("GITHUB_SERVER_URL") or "https://github.com").rstrip("/")
    return f"{server}/{repository}/blob/HEAD/{quote(place.removeprefix('./').lstrip('/'))}"


def _without_empty(secret: Secret | None) -> Secret | None:
    return secret if secret is not None and secret.reveal() else None
