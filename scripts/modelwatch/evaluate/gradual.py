"""Whether a series got worse day by day, and how fast."""

from __future__ import annotations

import numpy as np

from ..model.finding import GradualChange
from ..model.rule import SamplingModel
from ..stats.gradual_change import GradualFit, fit_gradual_change
from ..timeutil import DAY, HOUR
from .calendars import point_exposure
from .local_time import local_times, utc_offsets
from .points import Points
from .samples import Samples

MIN_EXPOSURE = 0.25
"""Of the usual day: a day with less says too little."""
RECENT = (3 * HOUR, 12 * HOUR, DAY)
"""The newest points that must not lie far from the line: else something happened at once, too."""
FAR = 4.0
"""Standard deviations."""


def find_gradual_change(points: Points, samples: Samples, zone: str) -> GradualChange | None:
    """The change that is under way at the end of the series; ``None`` where there is none, or it came at once.

    Days are those of the clocks in ``zone``. Computed only while a tier holds.
    """
    clock = local_times(points.times, zone)
    day = (clock // DAY).astype(np.int64)
    exposure = np.maximum(point_exposure(points), 0.0)
    weight = np.bincount(day - day[0], exposure)
    moment = np.bincount(day - day[0], exposure * points.values)
    filled = np.flatnonzero(weight > 0)
    if not len(filled):
        return None
    usual = float(np.median(weight[filled]))
    days = filled[weight[filled] >= MIN_EXPOSURE * usual]
    fit = fit_gradual_change(days + day[0], moment[days] / weight[days])
    if fit is None or _has_jumped(fit, samples, usual, zone):
        return None
    began = np.array([fit.day * DAY])
    return GradualChange(
        since=float((began - utc_offsets(began, zone))[0]),
        a_day=float(f"{fit.a_day:.6g}"),
        is_share=samples.is_proportion,
        is_older=fit.day == int(days[0] + day[0]),
    )


def _has_jumped(fit: GradualFit, samples: Samples, usual: float, zone: str) -> bool:
    """Whether the newest points are further on than the gradual change says. ``usual``: exposure of a day."""
    effect = 0.0 if samples.model is SamplingModel.QUANTILE else samples.effect
    apart = samples.values - effect - fit.at(local_times(samples.times, zone) / DAY - 0.5)
    for length in RECENT:
        rows = slice(int(np.searchsorted(samples.times, samples.times[-1] - length, side="right")), None)
        exposure = samples.exposure[rows]
        total = float(exposure.sum())
        if not total > 0:
            continue
        further = float(exposure @ apart[rows]) / total * np.sign(fit.a_day)
        if further > FAR * fit.spread * max(usual / total, 1.0) ** 0.5:
            return True
    return False
