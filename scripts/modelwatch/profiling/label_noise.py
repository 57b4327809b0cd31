"""The share of labels that are probably wrong, from the scores of a log, window by window and version by version."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..model.prediction_log import SUSPICIOUS_SHARE
from ..stats.arrays import Floats
from ..stats.labels.noise import find_noise, two_columns
from ..stats.performance.estimate import equally_certain_rows
from ..stats.profile.table import Profile, ProfileKey
from .label_comparison import scored_class_names
from .performance import read_scores, row_shares, sample_rows
from .profile_plan import ProfilePlan, score_columns
from .readers import PredictionLog
from .wandb_rows import estimate_scalars


def noise_scalars(
    log: PredictionLog, plan: ProfilePlan, profile: Profile
) -> tuple[dict[ProfileKey, dict[str, float]], list[str]]:
    """The metrics of each window and version with at least ``min_rows`` labelled rows, from a sample of these; and why
    there are none. ``profile``: of the same log."""
    if problem := _problem(plan, profile):
        return {}, [f"there is no {SUSPICIOUS_SHARE}: {problem}"]
    found: dict[ProfileKey, dict[str, float]] = {}
    rows = sample_rows(log, plan, row_shares(profile), read_scores, score_columns(plan.spec))
    beyond = False
    for cell, (classes, scores, *_) in rows.items():
        known = scores[np.isfinite(scores).all(axis=1)]
        if len(known) and not ((known >= 0.0) & (known <= 1.0)).all():
            beyond = True
        elif len(known) >= plan.spec.min_rows:
            share = find_noise(classes, _by_class(scores, plan)).share
            # The thresholds are of the same rows, so the share is less certain than that of as many single rows.
            found[cell] = dict(estimate_scalars(SUSPICIOUS_SHARE, replace(share, n=equally_certain_rows(share))))
    notes = [f"there is no {SUSPICIOUS_SHARE}: scores below 0 or above 1 are no probabilities."] if beyond else []
    return found, notes


def _problem(plan: ProfilePlan, profile: Profile) -> str:
    """Why labels cannot be doubted; empty if they can."""
    column = profile.whole().columns.get(plan.spec.label)
    if column is None or not column.n:
        return "no row has a label."
    if not plan.classes:
        return "labels are not a few classes."
    if len(plan.classes) < 2:
        return "every label is one class."
    if not score_columns(plan.spec):
        return "name the column of the scores under `score`, or those of all classes under `scores`."
    if not plan.binary_score and set(scored_class_names(plan)) != set(plan.classes):
        return "scores have to be known of every class."
    return ""


def _by_class(scores: Floats, plan: ProfilePlan) -> Floats:
    """``[rows, classes]`` in the order of the plan's classes, from the columns in which the scores are."""
    if plan.binary_score:
        both = two_columns(scores[:, 0])
        return both if plan.classes[1] == plan.positive else both[:, ::-1]
    names = scored_class_names(plan)
    return scores[:, [names.index(name) for name in plan.classes]]
