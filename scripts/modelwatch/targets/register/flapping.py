"""Damps a group that fires again and again: one episode on one issue, and few pages."""

from __future__ import annotations

from dataclasses import replace

from ...model.register import FlapRecord
from ...report.formatting import utc_time
from ...timeutil import DAY, HOUR
from ..draft import GroupPlan


def start_flap(draft: GroupPlan) -> None:
    """Write into the draft that its group fires again soon after modelwatch had closed the issue.

    After a false positive it starts afresh: the verdict holds until recovery, and what follows pages as usual.
    """
    register = draft.register
    if register is None:
        return
    old, flap = register.flap, None
    if not register.verdict:
        flap = FlapRecord(old.fired + 1 if old else 2, old.since if old else register.start, draft.now)
    draft.update_register(flap=flap)


def sync_flap(draft: GroupPlan) -> None:
    """Write into the draft that a flapping group, whose issue is open, fires again or has stopped."""
    register = draft.register
    if register is None or register.flap is None or register.closed is not None:
        return
    flap = register.flap
    if draft.firing and flap.quiet_until is not None:
        flap = replace(flap, fired=flap.fired + 1, last=draft.now, quiet_until=None)
    elif not draft.firing and flap.quiet_until is None:
        # A window that shares data with the last breach, or with another healthy one, is no proof of its own.
        windows = [rule.window * rule.hold for rule in draft.model.rules if rule.name == draft.group.rule]
        flap = replace(flap, quiet_until=draft.now + max(draft.model.flapping.quiet, *windows, 0.0))
    draft.update_register(flap=flap)


def damping_reason(draft: GroupPlan) -> str:
    """Why a flapping group is not paged again; empty where it may be.

    It is where it is worse than it was paged as, or has fired for long without a pause.
    """
    flap, page, spec = draft.flap, draft.page, draft.model.flapping
    if flap is None or page is None or draft.due_calls or draft.severity > page.severity:
        return ""
    if draft.now - max(flap.last, page.at) >= spec.page_after:
        return ""
    return (
        f"it flaps (fired {flap.fired} times since {utc_time(flap.since)}), and was paged as {page.severity}: it pages "
        f"again when it gets worse, or fires for {spec.page_after / HOUR:g} h without a pause"
    )


def limit_reason(draft: GroupPlan) -> str:
    """Why a flapping group has been paged often enough in 24 h; empty where it has not. Calls are not held back."""
    page, limit = draft.page, draft.model.flapping.pages
    if draft.flap is None or page is None or draft.due_calls:
        return ""
    if sum(draft.now - time < DAY for time in page.page_times) < limit:
        return ""
    pages = "one page" if limit == 1 else f"{limit} pages"
    return f"a page was held back: it flaps, and {pages} in 24 h are the most (`flapping.pages`)"
