"""What the shards of a fleet found, put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .pipeline import RunResult


def merge_shards(folders: Sequence[Path], expect: int | None) -> tuple[RunResult, tuple[str, ...]]:
    """The results of many shards as one, and what is missing."""
    from .files import read_judgement, read_plan, read_receipts
    from .model.merge import merge_judgements, merge_plans, merge_receipts

    missing = [
        f"{folder}: no alerts.json; this shard judged nothing" for folder in folders if not _has_file(folder, "alerts")
    ]
    if expect is not None and len(folders) < expect:
        missing.append(f"only {len(folders)} of {expect} shards left results")
    there = [folder for folder in folders if _has_file(folder, "alerts")]
    judgements = [read_judgement(folder / "alerts.json") for folder in there]
    plans = [read_plan(folder / "plan.json") for folder in there if _has_file(folder, "plan")]
    proofs = [read_receipts(folder / "receipts.json") for folder in there if _has_file(folder, "receipts")]
    return RunResult({}, merge_judgements(judgements), merge_plans(plans), "", merge_receipts(proofs)), tuple(missing)


def _has_file(folder: Path, name: str) -> bool:
    return (folder / f"{name}.json").is_file()
