"""Completing a model after it is read: paths, defaults from the environment, missing secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from ..distribution import SLUG
from ..model.business import BusinessSpec
from ..model.drift import drift_spec
from ..model.monitored_model import Model, ReleaseSpec
from ..model.prediction_log import RECORDER_WANDB, MeasureSpec, is_artifact
from ..model.rule import Rule
from ..model.secret import Secret
from ..model.self_monitoring import WatchdogSpec
from .false_alarms import share_budget
from .secrets import PAGERDUTY_READ_TOKEN, Vault

OUR_RUNBOOKS = f"https://github.com/{SLUG}/blob/HEAD/runbooks"
"""Our pages, one for every built-in kind."""


def resolve_watchdog(spec: WatchdogSpec, vault: Vault) -> WatchdogSpec:
    """``spec`` with the repository from the environment."""
    return replace(spec, repository=spec.repository or vault.find("GITHUB_REPOSITORY") or "")


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
    business = _resolve_business(model.business, folder)
    rules = tuple(_resolve_rule(rule, folder, github.repository, vault) for rule in model.rules)
    base = _runbook_link(model.runbook_base, github.repository, vault).rstrip("/") or OUR_RUNBOOKS
    rules = tuple(
        replace(
            rule,
            timezone=rule.timezone or model.timezone,
            calendar=None if drift_spec(rule.metric) else rule.calendar or model.calendar,
        )
        for rule in share_budget(model, rules)
    )
    model = replace(model, rules=rules, github=github, pagerduty=pagerduty, runbook_base=base)
    return replace(model, wandb=wandb, table=table, measure=measure, release=release, business=business)


def _resolve_measure(spec: MeasureSpec | None, folder: Path) -> MeasureSpec | None:
    """The paths of a prediction log; URLs stay."""
    if spec is None:
        return None
    outcomes = spec.outcomes
    if outcomes is not None:
        outcomes = replace(outcomes, files=_resolve_path(outcomes.files, folder))
    files, reference = _resolve_path(spec.files, folder), _resolve_location(spec.reference, folder)
    holdout = spec.holdout
    if holdout is not None:
        holdout = replace(holdout, files=_resolve_path(holdout.files, folder))
    annotations = spec.annotations
    if annotations is not None:
        annotations = replace(annotations, files=_resolve_path(annotations.files, folder))
    recorder = spec.recorder if spec.recorder == RECORDER_WANDB else _resolve_path(spec.recorder, folder)
    return replace(
        spec,
        files=files,
        reference=reference,
        outcomes=outcomes,
        annotations=annotations,
        holdout=holdout,
        recorder=recorder,
    )


def _resolve_business(spec: BusinessSpec | None, folder: Path) -> BusinessSpec | None:
    """The path of the outcomes; URLs stay."""
    if spec is None or spec.outcomes is None:
        return spec
    return replace(spec, outcomes=replace(spec.outcomes, files=_resolve_path(spec.outcomes.files, folder)))


def _resolve_release(spec: ReleaseSpec | None, folder: Path) -> ReleaseSpec | None:
    """The predictions that the gate reads: paths from ``folder`` on; URLs and W&B artifacts stay."""
    if spec is None:
        return None
    holdout, recent = (_resolve_location(location, folder) for location in (spec.gate.holdout, spec.gate.recent))
    return replace(spec, gate=replace(spec.gate, holdout=holdout, recent=recent), webhook=_without_empty(spec.webhook))


def _resolve_location(location: str, folder: Path) -> str:
    return location if is_artifact(location) else _resolve_path(location, folder)


def _resolve_rule(rule: Rule, folder: Path, repository: str, vault: Vault) -> Rule:
    """The paths of reference profiles, whose numbers are read during the pull, and the link to the runbook."""
    specs = [
        replace(spec, place=str(folder / spec.path)) if spec.profile and spec.profile != spec.path else spec
        for spec in (rule.baseline, *rule.also)
    ]
    runbook = _runbook_link(rule.runbook, repository, vault)
    return replace(rule, baseline=specs[0], also=tuple(specs[1:]), runbook=runbook)


def _resolve_path(path: str, folder: Path) -> str:
    return path if not path or "://" in path else str(folder / path)


def _runbook_link(place: str, repository: str, vault: Vault) -> str:
    """A runbook given as a path becomes a link into the model's repository: it is read on a page, far from here."""
    if not place or place.startswith(("https://", "http://")) or not repository:
        return place
    server = (vault.find("GITHUB_SERVER_URL") or "https://github.com").rstrip("/")
    return f"{server}/{repository}/blob/HEAD/{quote(place.removeprefix('./').lstrip('/'))}"


def _without_empty(secret: Secret | None) -> Secret | None:
    return secret if secret is not None and secret.reveal() else None
