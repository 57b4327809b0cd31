"""The calibration error of models whose truth is known: its mean without error, and how often its interval covers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from modelwatch.stats.performance.calibration import (
    ScoreCounts,
    calibration_error,
    reliability_curve,
)

from ..stats.performance.score_rows import counts_of_rows
from .measure import Row

WORLDS = 1000
SIZES = (100, 300, 1000, 5000)
BIAS_BAR, COVERAGE = 0.1, 0.93


def world(rng: np.random.Generator, rows: int, stretch: float = 1.0, shift: float = 0.0) -> tuple[ScoreCounts, float]:
    """Rows whose log odds are ``stretch`` times those of their scores plus ``shift``, and the true mean distance."""
    scores = rng.beta(2, 3, rows)
    logits = np.log(scores / (1 - scores))
    truth = 1 / (1 + np.exp(-(stretch * logits + shift)))
    counts = counts_of_rows(rng.random(rows) < truth, scores)
    assert counts is not None
    return counts, float(np.abs(truth - scores).mean())


def uncorrected(counts: ScoreCounts) -> tuple[float, float]:
    """The plain error over the same bins, and the one by Kumar, Liang and Ma's correction (2019): twice the error, less
    its mean when every bin is drawn again around what was observed."""
    bins = reliability_curve(counts)
    weights = np.array([part.n for part in bins]) / counts.n
    distance = np.array([abs(part.predicted - part.observed) for part in bins])
    spread = np.sqrt([max(part.observed * (1 - part.observed), 1e-12) / part.n for part in bins])
    again = [_folded_mean(mean, error) for mean, error in zip(distance.tolist(), spread.tolist(), strict=True)]
    plain = float(weights @ distance)
    return plain, 2 * plain - float(weights @ np.array(again))


def _folded_mean(mean: float, error: float) -> float:
    """The mean of the absolute value of a normal number."""
    x = mean / error
    return error * math.sqrt(2 / math.pi) * math.exp(-(x**2) / 2) + mean * math.erf(x / math.sqrt(2))


def means(values: Sequence[tuple[float, ...]]) -> NDArray[np.float64]:
    return np.asarray(np.array(values).mean(axis=0), dtype=np.float64)


def rows() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    for size in SIZES:
        drawn = [world(rng, size)[0] for _ in range(WORLDS)]
        ours, plain, kumar = means([(calibration_error(counts).value, *uncorrected(counts)) for counts in drawn])
        reference = f"{plain:.4f} without correction, {kumar:.4f} by Kumar et al."
        yield Row(f"error of a calibrated model, {size:,} rows", f"{ours:.4f}", reference, abs(ours) / plain, BIAS_BAR)
    for size, stretch, shift in product(SIZES[1:], (1.0, 1.5), (0.2, 0.5)):
        found = []
        for _ in range(WORLDS):
            counts, truth = world(rng, size, stretch, shift)
            error = calibration_error(counts, intervals=True)
            found.append((float(error.low <= truth <= error.high), error.value, truth))
        covered, mean, truth = means(found)
        reference = f"at least {COVERAGE:.0%}; the mean estimate is {mean:.3f}"
        yield Row(
            f"intervals that cover, {size:,} rows, off by {truth:.3f}",
            f"{covered:.1%}",
            reference,
            COVERAGE / covered,
            1.0,
        )
