"""How many labels are probably wrong, by confident learning (Northcutt, Jiang and Chuang 2021, Journal of Artificial
Intelligence Research 70:1373-1411), and what wrong labels do to a measured accuracy.

A label is suspicious where the scores are confident of another class: as confident as they are on average of rows that
have that label. Scores have to come from a model that has not seen the label, as those of a serving log do.

The share is an estimate of noise where classes are far from each other. Where they overlap, honest labels differ from
the likelier class, too, and the share is too high. ``by_chance`` is the share that labels drawn from the scores would
give: what the model expects, with the noise of the labels that it was trained on. So compare the share with its own
past.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Floats, Ints
from ..intervals import wilson_bounds
from ..performance.estimate import Estimate, bootstrap_estimate, undefined_estimate

NAME = "suspicious_share"


@dataclass(frozen=True, slots=True, eq=False)
class LabelNoise:
    """What confident learning says of some labels."""

    share: Estimate
    """The share of wrong labels; ``n``: rows with a label and scores."""
    joint: Floats
    """``[given, true]``: the estimated share of rows with each given label and true class; sums to 1. NaN where a class
    has no row."""
    by_chance: float
    """The share of suspicious labels among those of confident rows, if labels were drawn from the scores."""
    suspicious: Ints
    """Places of the rows whose label is suspicious, the most suspicious first."""


def find_noise(labels: Ints, scores: Floats, *, intervals: bool = True) -> LabelNoise:
    """``labels``: the number of the class of each row; ``scores``: ``[rows, classes]``, the probability of each class.
    Rows with a score that is no number are left out. The interval resamples rows, with the same thresholds."""
    usable = np.flatnonzero(np.isfinite(scores).all(axis=1))
    given, p = labels[usable], scores[usable]
    size = scores.shape[1]
    counts = np.bincount(given, minlength=size).astype(np.float64)
    if not len(given) or np.count_nonzero(counts) < 2:
        empty = np.full((size, size), np.nan)
        return LabelNoise(undefined_estimate(NAME, float(len(given))), empty, math.nan, np.zeros(0, np.int64))
    own = p[np.arange(len(given)), given]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of a class without a row the threshold is infinite: nothing is counted as it.
        thresholds = np.where(counts > 0, np.bincount(given, own, minlength=size) / counts, np.inf)
    confident = np.where(p >= thresholds, p, -np.inf)
    highest = confident.max(axis=1)
    # Of equally likely classes the label is one, if it is among them: equal scores make nothing suspicious.
    likely = np.where(confident[np.arange(len(given)), given] == highest, given, confident.argmax(axis=1))
    likely = np.where(np.isfinite(highest), likely, size)
    table = np.zeros((size, size + 1))
    np.add.at(table, (given, likely), 1.0)
    share = bootstrap_estimate(NAME, float(len(given)), table.ravel(), _off_diagonal, intervals=intervals)
    if intervals and not table[:, :size][~np.eye(size, dtype=np.bool_)].any():
        # No sample of rows without a suspicious label has one: what so many rows leave open.
        share = replace(share, high=1.0 - wilson_bounds(1.0, max(float(table[:, :size].sum()), 1.0))[0])
    placed = likely < size
    surprise = np.where(placed, p[np.arange(len(given)), np.minimum(likely, size - 1)] - own, -np.inf)
    wrong = np.flatnonzero(placed & (likely != given))
    suspicious = usable[wrong[np.argsort(-surprise[wrong], kind="stable")]]
    return LabelNoise(share, _calibrate(table[None])[0], _share_by_chance(p, likely), suspicious)


def two_columns(scores: Floats) -> Floats:
    """``[rows, 2]`` from the probability of the positive class, which is the second one."""
    return np.stack([1.0 - scores, scores], axis=1)


def _calibrate(tables: Floats) -> Floats:
    """From ``[draws, given, likely or none]`` counts the joint shares: each given class keeps its frequency."""
    confident = tables[..., :-1]
    rows = confident.sum(axis=-1, keepdims=True)
    # Of a class of which no row is confident, nothing says that its labels are wrong.
    unknown = np.eye(confident.shape[-1]) * np.ones_like(confident)
    of_class = np.where(rows > 0, confident / np.where(rows > 0, rows, 1.0), unknown)
    totals = tables.sum(axis=-1, keepdims=True)
    return np.asarray(of_class * totals / totals.sum(axis=-2, keepdims=True))


def _off_diagonal(tables: Floats) -> Floats:
    size = math.isqrt(tables.shape[1])  # size * (size + 1) cells
    joint = _calibrate(tables.reshape(-1, size, size + 1))
    return np.asarray(1.0 - np.trace(joint, axis1=-2, axis2=-1))


def _share_by_chance(scores: Floats, likely: Ints) -> float:
    """The expected share of rows with a likely class whose label, drawn from their scores, is another one."""
    placed = likely < scores.shape[1]
    if not placed.any():
        return math.nan
    p = scores[placed]
    totals = p.sum(axis=1)
    return float(np.clip(1.0 - p[np.arange(len(p)), likely[placed]] / np.where(totals > 0, totals, 1.0), 0, 1).mean())


def accuracy_bounds(measured: float, noise: float) -> tuple[float, float]:
    """The least and the most that the accuracy against true labels can be, where a share ``noise`` of the labels is
    wrong: each wrong label changes at most one row, either way. No assumption about which rows these are."""
    return max(0.0, measured - noise), min(1.0, measured + noise)


def true_accuracy(confusion: Floats, joint: Floats) -> float:
    """The accuracy against true labels, from ``[given label, prediction]`` counts and the noise ``[given, true]``.

    Assumes that a wrong label depends on the true class alone, not on the prediction: the counts are then ``T @ true``
    with ``T[given, true]`` the probability of a given label, and are solved for ``true`` (with two classes and equal
    noise e: (measured - e) / (1 - 2e)). A model trained on labels that are wrong in the same way breaks this; so does
    noise where the model is unsure, which counts twice. NaN where ``T`` cannot be inverted, such as noise of a half.
    """
    total, true = confusion.sum(), joint.sum(axis=0)
    if not total > 0 or not (true > 0).all() or not np.isfinite(joint).all():
        return math.nan
    transition = joint / true
    if np.linalg.cond(transition) > 1e3:
        return math.nan
    value = float(np.trace(np.linalg.solve(transition, confusion)) / total)
    return min(1.0, max(0.0, value))


def accuracy_against_true_labels(confusion: Floats, noise: LabelNoise) -> Estimate:
    """``true_accuracy``, with the bounds that hold without its assumption at the upper end of the share's interval."""
    n = float(confusion.sum())
    value = true_accuracy(confusion, noise.joint)
    if not n > 0 or math.isnan(value):
        return undefined_estimate("accuracy", n)
    worst = noise.share.high if math.isfinite(noise.share.high) else noise.share.value
    low, high = accuracy_bounds(float(np.trace(confusion)) / n, worst)
    return replace(noise.share, name="accuracy", value=min(high, max(low, value)), low=low, high=high, n=n)
