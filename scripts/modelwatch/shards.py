"""The results of several shards of one fleet, merged."""

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
    )


def merge_plans(parts: Sequence[Plan]) -> Plan:
    """All changes and non-changes."""
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
    """The results of many shards as one, and what is missing."""
    missing = [
        f"{folder}: no alerts.json; this shard judged nothing" for folder in folders if not _has_file(folder, "alerts")
    ]
    if expect is not None and len(folders) < expect:
        missing.append(f"only {len(folders)} of {expect} shards left results")
    judged = [folder for folder in folders if _has_file(folder, "alerts")]
    judgements = [read_file(folder / "alerts.json", Judgement) for folder in judged]
    plans = [read_file(folder / "plan.json", Plan) for folder in judged if _has_file(folder, "plan")]
    receipts = [read_file(folder / "receipts.json", Receipts) for folder in judged if _has_file(folder, "receipts")]
    return RunResult({}, merge_judgements(judgements), merge_plans(plans), "", merge_receipts(receipts)), tuple(missing)


def _has_file(folder: Path, name: str) -> bool:
    return (folder / f"{name}.json").is_file()
