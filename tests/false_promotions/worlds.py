"""Two models on the same rows: equal ones, and candidates that are better by a named step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from modelwatch.model.monitored_model import GateSpec
from modelwatch.release.comparison import HOLDOUT, RECENT, Comparison
from modelwatch.stats.paired.paired_rows import PairedRows
from modelwatch.stats.segmentation import MISSING, OTHER, EncodedColumn

from ..stats.paired.making import of_classes, of_lists, of_numbers, of_scores

Draw = Callable[[np.random.Generator, int], PairedRows]


@dataclass(frozen=True, slots=True)
class World:
    """``draw`` makes the rows of one part; ``segments`` cuts them into so many guarded segments of equal size."""

    draw: Draw
    metric: str
    segments: int = 0
    holdout: bool = False

    @property
    def spec(self) -> GateSpec:
        return GateSpec(metric=self.metric, segments=("s",) if self.segments else ())

    def parts(self, rng: np.random.Generator, n: int) -> list[Comparison]:
        return [self._part(name, rng, n) for name in ((HOLDOUT, RECENT) if self.holdout else (RECENT,))]

    def _part(self, name: str, rng: np.random.Generator, n: int) -> Comparison:
        found = Comparison(name, self.draw(rng, n))
        if not self.segments:
            return found
        codes = (np.arange(n) % self.segments).astype(np.int16)
        names = tuple(f"s{place}" for place in range(self.segments))
        return replace(found, segments=(EncodedColumn("s", codes, (*names, OTHER, MISSING)),))


def two_classes(gained: float, lost: float, right: float = 0.85, positive: float = 0.3) -> Draw:
    """``gained``: share of the rows that the candidate alone gets right; ``right``: both."""

    def draw(rng: np.random.Generator, n: int) -> PairedRows:
        label = (rng.random(n) < positive).astype(np.int64)
        which = rng.choice(4, n, p=[right, gained, lost, 1 - right - gained - lost])
        ours, theirs = np.isin(which, (0, 2)), np.isin(which, (0, 1))
        return of_classes(("0", "1"), label, np.where(ours, label, 1 - label), np.where(theirs, label, 1 - label))

    return draw


def lopsided(rng: np.random.Generator, n: int) -> PairedRows:
    """Equally many errors of another kind: one misses the one class, one the other."""
    label = (rng.random(n) < 0.5).astype(np.int64)
    ours = np.where((label == 1) & (rng.random(n) < 0.2), 0, label)
    theirs = np.where((label == 0) & (rng.random(n) < 0.2), 1, label)
    return of_classes(("0", "1"), label, ours, theirs)


def four_classes(rng: np.random.Generator, n: int) -> PairedRows:
    label = rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])
    base = np.where(rng.random(n) < 0.8, label, rng.integers(0, 4, n))
    sides = [np.where(rng.random(n) < 0.9, base, rng.integers(0, 4, n)) for _ in range(2)]
    return of_classes(("a", "b", "c", "d"), label, *sides)


def probabilities(better: float = 0.0, shared: float = 0.8) -> Draw:
    """Probabilities of logistic models; the candidate sees ``better`` more of what decides."""

    def draw(rng: np.random.Generator, n: int) -> PairedRows:
        known, seen = rng.normal(0, 1, n), rng.normal(0, 1, n)
        label = rng.random(n) < 1 / (1 + np.exp(1 - 1.5 * known))
        sides = []
        for more in (0.0, better):
            noise = np.sqrt(shared) * seen + np.sqrt(1 - shared) * rng.normal(0, 1, n)
            sides.append(1 / (1 + np.exp(1 - 1.2 * known - (0.8 - more) * noise)))
        return of_scores(label, *sides)

    return draw


def numbers(better: float = 0.0) -> Draw:
    """A regression with skewed errors; those of the candidate are smaller by a share of ``better``."""

    def draw(rng: np.random.Generator, n: int) -> PairedRows:
        truth, common = rng.normal(0, 2, n), rng.lognormal(0, 1, n)
        sides = [truth + scale * (common + rng.lognormal(0, 1, n)) for scale in (1.0, 1.0 - better)]
        return of_numbers(truth, *sides)

    return draw


def lists(better: float = 0.0, size: int = 8) -> Draw:
    """Ranked lists of ``size`` rows, ``n`` lists; the noise in the candidate's scores is smaller by a share."""

    def draw(rng: np.random.Generator, n: int) -> PairedRows:
        relevance = rng.choice(4, (n, size), p=[0.7, 0.15, 0.1, 0.05])
        shared = rng.normal(0, 1, (n, size))
        ours, theirs = (relevance + scale * (shared + rng.normal(0, 1, (n, size))) for scale in (1.0, 1.0 - better))
        return of_lists(np.repeat(np.arange(n), size), relevance.ravel(), ours.ravel(), theirs.ravel(), 5)

    return draw


def worth(draw: Draw, spread: float = 1.0) -> Draw:
    """What rows are worth is lognormal."""
    return lambda rng, n: replace(draw(rng, n), worth=rng.lognormal(0, spread, n))


def uneven(rng: np.random.Generator, n: int) -> PairedRows:
    """Better by three points, but in every fifth row (one segment of five), where it is worse by the very margin."""
    places = np.arange(n)
    sides = [two_classes(0.06, 0.03)(rng, n), two_classes(0.05, 0.05 + GateSpec().margin)(rng, n)]
    label, ours, theirs = (
        np.where(places % 5, *columns) for columns in zip(*(one.codes() for one in sides), strict=True)
    )
    return of_classes(("0", "1"), label, ours, theirs)


EVEN = two_classes(0.05, 0.05)
UNFIT: dict[str, tuple[World, tuple[int, ...]]] = {
    "accuracy": (World(EVEN, "accuracy"), (100, 300, 1000, 10_000)),
    "accuracy, 1 in 50 differs": (World(two_classes(0.01, 0.01), "accuracy"), (100, 300, 1000)),
    "accuracy, other errors": (World(lopsided, "accuracy"), (300,)),
    "recall": (World(EVEN, "recall"), (300,)),
    "precision": (World(EVEN, "precision"), (300,)),
    "f1": (World(EVEN, "f1"), (300,)),
    "f1, 1 in 50 differs": (World(two_classes(0.01, 0.01), "f1"), (300,)),
    "f1_macro, 4 classes": (World(four_classes, "f1_macro"), (300,)),
    "auc": (World(probabilities(), "auc"), (100, 1000)),
    "pr_auc": (World(probabilities(), "pr_auc"), (200,)),
    "log_loss": (World(probabilities(), "log_loss"), (200,)),
    "mae, skewed errors": (World(numbers(), "mae"), (200,)),
    "accuracy_by_value": (World(worth(EVEN), "accuracy_by_value"), (300, 20_000)),
    "mae_by_value, skewed errors": (World(worth(numbers()), "mae_by_value"), (300,)),
    "ndcg": (World(lists(), "ndcg"), (200,)),
    "hit_rate": (World(lists(), "hit_rate"), (200,)),
    "accuracy, 2 parts, 5 segments": (World(EVEN, "accuracy", 5, True), (3000,)),
    "accuracy, a segment worse by the margin": (World(uneven, "accuracy", 5), (5000, 50_000)),
}
"""Candidates that are no better than the champion, or not everywhere, and the rows of each part to try it on."""

IMPROVED: dict[str, tuple[World, tuple[int, ...]]] = {
    "accuracy + 1 point": (World(two_classes(0.05, 0.04), "accuracy"), (1000, 10_000, 100_000)),
    "accuracy + 3 points": (World(two_classes(0.06, 0.03), "accuracy"), (300, 1000, 10_000)),
    "f1, accuracy + 3 points": (World(two_classes(0.06, 0.03), "f1"), (300, 1000, 10_000)),
    "auc + 0.02": (World(probabilities(0.25), "auc"), (300, 1000, 10_000)),
    "log_loss, likewise": (World(probabilities(0.25), "log_loss"), (300, 1000)),
    "mae - 5 %": (World(numbers(0.05), "mae"), (300, 1000, 10_000)),
    "ndcg, noise - 15 %": (World(lists(0.15), "ndcg"), (300, 1000, 10_000)),
    "accuracy + 3 points, 2 parts, 5 segments": (
        World(two_classes(0.06, 0.03), "accuracy", 5, True),
        (1000, 10_000, 50_000),
    ),
}
