"""Early against final labels: how many of the outcomes that came in a window are another one than the first of their
id."""

from __future__ import annotations

import numpy as np

from ..model.prediction_log import MeasureSpec
from ..stats.intervals import wilson_bounds
from ..stats.profile.table import Profile, ProfileKey
from .label_join import LabelChanges
from .wandb_rows import last_cells

CHANGED = "labels/changed_share"


def change_scalars(
    changes: LabelChanges | None, spec: MeasureSpec, profile: Profile
) -> dict[ProfileKey, dict[str, float]]:
    """The metrics of each window in which an outcome came, at the version that served last in it."""
    if changes is None:
        return {}
    begins, window_of = np.unique(np.floor(changes.times / spec.window) * spec.window, return_inverse=True)
    counts = np.bincount(window_of, minlength=len(begins))
    changed = np.bincount(window_of, changes.is_changed, minlength=len(begins))
    last = last_cells(profile)
    found: dict[ProfileKey, dict[str, float]] = {}
    for begin, n, k in zip(begins.tolist(), counts.tolist(), changed.tolist(), strict=True):
        if begin in last:
            low, high = wilson_bounds(k / n, n)
            found[last[begin]] = {
                CHANGED: k / n,
                f"{CHANGED}_n": float(n),
                f"{CHANGED}/low": low,
                f"{CHANGED}/high": high,
            }
    return found
