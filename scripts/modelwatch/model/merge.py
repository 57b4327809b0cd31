"""The results of several shards of one fleet, put together."""

from __future__ import annotations

from collections.abc import Sequence

from .alert import Judgement
from .plan import Plan, Receipts


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
