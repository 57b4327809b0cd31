"""Carrying out a plan: every change ends in a receipt, and one target's failure never stops another."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from ..model.plan import Change, Plan, Receipt, Receipts, Target
from .apply_group import GroupApplier
from .connect import TargetSessions
from .writer import TextWriter

OnReceipt = Callable[[Receipt], None]


def apply_plan(
    plan: Plan,
    digest: str,
    sessions: TargetSessions,
    writer: TextWriter,
    only: AbstractSet[Target],
    now: float,
    on_receipt: OnReceipt | None = None,
) -> Receipts:
    """Apply the changes of ``plan`` whose target is in ``only``; the others get the receipt ``not-asked``.

    ``digest`` is the plan's, for the receipts. ``on_receipt`` hears of a group's receipts as soon as it is done.
    Never raises for what a target does. The parts of a plan may be applied by several processes, one after another.
    """
    groups = {group.key: group for group in plan.groups}
    changes: dict[tuple[str, str], list[Change]] = {}
    for change in plan.changes:
        changes.setdefault((change.model, change.group), []).append(change)
    receipts: list[Receipt] = []

    def keep(receipt: Receipt) -> None:
        receipts.append(receipt)
        if on_receipt is not None:
            on_receipt(receipt)

    for (_, key), together in changes.items():
        GroupApplier(plan, tuple(together), groups.get(key), sessions, writer, frozenset(only), now).apply(keep)
    return Receipts(at=now, plan=digest, receipts=tuple(receipts))
