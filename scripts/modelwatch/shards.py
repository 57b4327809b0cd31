"""Merges the results of the shards of one fleet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .model.alert import Judgement
from .model.plan import Plan, Receipts
from .pipeline import RunResult
from .step_files import read_file


def merge_judgements(parts: Sequence[Judgement]) -> Judgement:
    """All groups, failures and notes; the time is that of the oldest part."""
    return Judgement(
        at=min((part.at for part in parts), default=0.0),
        config=parts[0].config if parts else "",
        groups=tuple(group for part in parts for group in part.groups),
        failures=tuple(failure for part in parts for failure in part.failures),
        notes=tuple(note for part in parts for note in part.notes),
        causes=tuple(cause for part in parts for cause in part.causes),
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
