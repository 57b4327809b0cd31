"""The metrics of rows once their labels are known, and how far an estimate was off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..arrays import Bools, Floats, Ints
from ..performance.confusion import average_over_classes
from ..performance.estimate import Estimate
from .classification import BinaryRows, ClassRows
from .score_bins import area_under_curve

MIN_PROBABILITY = 1e-15


def realized_binary(rows: BinaryRows, is_positive: Bools) -> dict[str, float]:
    """What ``estimate_binary`` estimates, by name; metrics that are not defined are left out."""
    n, reported, actual = len(is_positive), int(rows.predicted.sum()), int(is_positive.sum())
    tp = int((rows.predicted & is_positive).sum())
    metrics = {
        "accuracy": _ratio(n - reported - actual + 2 * tp, n),
        "precision": _ratio(tp, reported),
        "recall": _ratio(tp, actual),
        "f1": _ratio(2 * tp, reported + actual),
        "auc": area_under_curve(rows.scores, is_positive),
    }
    if n and rows.scores.min() >= 0 and rows.scores.max() <= 1:
        bounded = np.clip(rows.scores, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
        metrics["log_loss"] = float(-np.where(is_positive, np.log(bounded), np.log1p(-bounded)).mean())
        metrics["brier"] = float(((rows.scores - is_positive) ** 2).mean())
    return _defined(metrics)


def realized_classes(rows: ClassRows, labels: Ints) -> dict[str, float]:
    """What ``estimate_classes`` estimates of all classes together."""
    classes, n = rows.scores.shape[1], len(labels)
    known = rows.predicted >= 0
    codes = labels[known] * classes + rows.predicted[known]
    table = np.bincount(codes, minlength=classes * classes).reshape(1, classes, classes).astype(np.float64)
    areas = [area_under_curve(rows.scores[:, place], labels == place) for place in range(classes)]
    areas = [area for area in areas if math.isfinite(area)]
    metrics = {
        "accuracy": _ratio(int((rows.predicted == labels).sum()), n),
        "auc_macro": math.fsum(areas) / len(areas) if areas else math.nan,
    }
    for metric in ("precision", "recall", "f1"):
        for how in ("macro", "weighted"):
            metrics[f"{metric}_{how}"] = float(average_over_classes(table, metric, how)[0])
    return _defined(metrics)


def realized_regression(errors: Floats) -> dict[str, float]:
    """MAE and RMSE from errors."""
    if not len(errors):
        return {}
    return {"mae": float(np.abs(errors).mean()), "rmse": math.sqrt(float((errors**2).mean()))}


def half_widths_off(estimates: Sequence[Estimate], realized: Mapping[str, float]) -> dict[str, float]:
    """By metric the distance between what was realized and its estimate, in half-widths of the estimate's interval on
    that side: above 1 it is outside. An interval counts as at least as wide as one row."""
    distances = {}
    for estimate in estimates:
        value = realized.get(estimate.name, math.nan)
        half = max(estimate.high - estimate.value if value > estimate.value else estimate.value - estimate.low, 0.0)
        if not estimate.label and math.isfinite(value) and math.isfinite(half) and estimate.n:
            distances[estimate.name] = abs(value - estimate.value) / max(half, 1 / estimate.n)
    return distances


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else math.nan


def _defined(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
