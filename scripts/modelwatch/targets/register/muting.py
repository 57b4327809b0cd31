"""Decides whether a group is muted: by the configuration, by another alert, or by a person."""

from __future__ import annotations

from ...model.acknowledgement import mute_text, person_mute
from ..draft import GroupPlan


def muted_reason(draft: GroupPlan) -> tuple[str, str]:
    """(guard, reason) of what mutes a firing group: no message, page or dispatch is sent; ("", "") if nothing does."""
    if draft.group.mutes:
        mute = draft.group.mutes[0]
        return mute.by, f"muted by {mute.by}: {mute.reason}"
    said = person_mute(draft.register, draft.severity, draft.now) if draft.register else None
    return (said.by, mute_text(said)) if said else ("", "")
