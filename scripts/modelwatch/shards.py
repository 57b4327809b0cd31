"""Splits a fleet of models into shards, each for a job of its own, and merges their results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from .alerts.causes import share_source, upstream_models
from .model.alert import Judgement
from .model.monitored_model import Model
from .model.plan import Plan, Receipts
from .pipeline import RunResult
from .step_files import read_file

MAX_SAME_DATA = 100
"""Models that read the same data stay in one shard up to this number, which a job judges in about ten seconds."""


def split_models(models: Sequence[Model], max_shards: int) -> list[list[str]]:
    """Names of models by shard. A model can share a cause only with those of its shard, so these stay together."""
    fair = math.ceil(len(models) / max_shards)
    known = {model.name: model for model in models}
    families = [[model] for model in models]
    for model in models:
        related = upstream_models(known, model.name) | {model.name}
        families = _join(families, [family for family in families if any(member.name in related for member in family)])
    for model in models:
        alike = [family for family in families if any(share_source(member, model) for member in family)]
        if sum(map(len, alike)) <= max(fair, MAX_SAME_DATA):
            families = _join(families, alike)
    shards: list[list[str]] = [[] for _ in range(min(max_shards, len(families)))]
    for family in sorted(families, key=len, reverse=True):
        min(shards, key=len).extend(model.name for model in family)
    return shards


def _join(families: list[list[Model]], parts: list[list[Model]]) -> list[list[Model]]:
    """``families`` with ``parts``, which are some of them, as one, where the first of those was."""
    if len(parts) < 2:
        return families
    whole = [model for family in parts for model in family]
    return [whole if family is parts[0] else family for family in families if family not in parts[1:]]


def merge_judgements(parts: Sequence[Judgement]) -> Judgement:
    """All groups, failures and notes; the time is that of the oldest part."""
    return Judgement(
        at=min((part.at for part in parts), default=0.0),
        config=parts[0].config if parts else "",
        groups=tuple(group for part in parts for group in part.groups),
        failures=tuple(failure for part in parts for failure in part.failures),
        notes=tuple(note for part in parts for note in part.notes),
        causes=tuple(cause for part in parts for cause in part.causes),
        watchdog=next((part.watchdog for part in parts if part.watchdog), None),
    )


def merge_plans(parts: Sequence[Plan]) -> Plan:
    """All changes, skips, groups and troubles."""
    return Plan(
        at=min((part.at for part in parts), default=0.0),
        config=parts[0].config if parts else "",
        changes=tuple(change for part in parts for change in part.changes),
        skips=tuple(skip for part in parts for skip in part.skips),
        groups=tuple(group for part in parts for group in part.groups),
        troubles=tuple(trouble for part in parts for trouble in part.troubles),
        heartbeat=parts[0].heartbeat if parts and all(part.heartbeat for part in parts) else None,
    )


def merge_receipts(parts: Sequence[Receipts]) -> Receipts | None:
    """All receipts; ``None`` where no shard applied anything."""
    if not parts:
        return None
    return Receipts(
        at=min(part.at for part in parts),
        plan="",
        receipts=tuple(receipt for part in parts for receipt in part.receipts),
    )


def merge_shards(folders: Sequence[Path], expect: int | None) -> tuple[RunResult, tuple[str, ...]]:
    """The results of all shards as one, and a message for each that is missing."""
    complete = [folder for folder in folders if (folder / "alerts.json").is_file()]
    missing = [f"{folder}: no alerts.json; this shard judged nothing" for folder in folders if folder not in complete]
    if expect is not None and len(folders) < expect:
        missing.append(f"only {len(folders)} of {expect} shards left results")
    judgements = [read_file(folder / "alerts.json", Judgement) for folder in complete]
    plans = [read_file(path, Plan) for folder in complete if (path := folder / "plan.json").is_file()]
    receipts = [read_file(path, Receipts) for folder in complete if (path := folder / "receipts.json").is_file()]
    return RunResult({}, merge_judgements(judgements), merge_plans(plans), "", merge_receipts(receipts)), tuple(missing)
