"""Models that score two cohorts: one whose labels are known, and a later one whose labels are kept for the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelwatch.stats.arrays import Bools, Floats, Ints

KINDS = ("none", "covariate shift", "miscalibrated", "small")
"""What distinguishes a world; ``small``: few rows, and one of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    inputs: Floats
    """Five numbers and a code from 0 to 4, ``[rows, 6]``."""
    scores: Floats
    """Of two classes that of the positive one; else ``[rows, classes]``; of a regression the prediction."""
    predicted: Ints
    labels: Any
    """Classes, or numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    kind: str
    labelled: Cohort
    rows: Cohort


CATEGORICAL: Bools = np.array([False] * 5 + [True])


def make_world(
    seed: int,
    kind: str = "",
    classes: int = 2,
    *,
    concept: float = 0.0,
    labels: float = 0.0,
    sizes: tuple[int, int] | None = None,
) -> World:
    """``concept``: the share of later rows whose relation between inputs and labels is another one; ``labels``: how
    much more often, in logits, the last class occurs later though inputs of a class have not changed; ``sizes``: rows
    with labels, and later ones."""
    random = np.random.default_rng([seed, classes])
    kind = kind or KINDS[seed % len(KINDS)]
    truth = _Truth(random, classes)
    drawn = np.exp(random.uniform(np.log([1500, 500]), np.log([20_000, 10_000])))
    shift = 0.0
    if kind == "small":
        drawn = random.integers([250, 100], [600, 400])
        shift = 0.4 * float(random.integers(0, 2))
    if kind == "covariate shift":
        shift = float(random.uniform(0.3, 1.0))
    model = _Model(truth, random, distorted=kind == "miscalibrated" or (kind == "small" and seed % 8 == 3))
    counts = sizes or (int(drawn[0]), int(drawn[1]))
    place, spread = random.normal(size=5), float(np.exp(shift * random.uniform(-0.3, 0.3)))
    move = shift * place / np.linalg.norm(place)
    first = truth.draw_inputs(counts[0], random)
    later = truth.draw_inputs(counts[1], random, move, spread, shift)
    other = _Truth(np.random.default_rng([seed, classes, 1]), classes) if concept else truth
    known, later_labels = truth.draw_labels(first, random), truth.draw_labels(later, random)
    if concept:
        is_other = random.random(len(later)) < concept
        later_labels = np.where(is_other, other.draw_labels(later, random), later_labels)
    if labels:
        pool = truth.draw_inputs(10 * counts[1], random)
        pool_labels = truth.draw_labels(pool, random)
        odds = np.exp(labels * (pool_labels == classes - 1))
        chosen = random.choice(len(pool), counts[1], replace=False, p=odds / odds.sum())
        later, later_labels = pool[chosen], pool_labels[chosen]
    return World(kind, model.cohort(first, known), model.cohort(later, later_labels))


class _Truth:
    """A relation between inputs and labels that no linear model learns whole."""

    def __init__(self, random: np.random.Generator, classes: int) -> None:
        self.classes = classes
        width = max(classes - 1, 1)
        strength = float(random.uniform(0.7, 1.6))
        self.lines = random.normal(0, strength / np.sqrt(2), (5, width))
        self.bends = random.normal(0, 0.35, (5, width))
        self.pair = random.normal(0, 0.5, width)
        self.steps = random.normal(0, 0.6, (5, width))
        self.level = random.uniform(-2.0, 0.5, width)

    def draw_inputs(
        self,
        rows: int,
        random: np.random.Generator,
        move: Floats | float = 0.0,
        spread: float = 1.0,
        shift: float = 0.0,
    ) -> Floats:
        numbers = random.normal(0, spread, (rows, 5)) + move
        shares = np.exp(shift * np.arange(5) * 0.3)
        return np.column_stack([numbers, random.choice(5, rows, p=shares / shares.sum())])

    def logits(self, inputs: Floats) -> Floats:
        numbers, codes = inputs[:, :5], inputs[:, 5].astype(np.int64)
        bent = np.tanh(numbers) ** 2
        pair = np.outer(np.tanh(numbers[:, 0] * numbers[:, 1]), self.pair)
        return np.asarray(self.level + numbers @ self.lines + bent @ self.bends + pair + self.steps[codes])

    def probabilities(self, inputs: Floats) -> Floats:
        logits = np.column_stack([np.zeros(len(inputs)), self.logits(inputs)])
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def draw_labels(self, inputs: Floats, random: np.random.Generator) -> Any:
        if self.classes == 1:
            logits = self.logits(inputs)[:, 0]
            noise = random.standard_t(5, len(inputs)) * (0.5 + 0.5 * np.abs(np.tanh(inputs[:, 2])))
            return 10 + 3 * logits + 2 * noise
        cumulated = np.cumsum(self.probabilities(inputs), axis=1)
        return (random.random((len(inputs), 1)) > cumulated[:, :-1]).sum(axis=1)


class _Model:
    """A linear model, fitted on rows of its own."""

    def __init__(self, truth: _Truth, random: np.random.Generator, *, distorted: bool) -> None:
        from sklearn.linear_model import LinearRegression, LogisticRegression

        inputs = truth.draw_inputs(int(random.integers(400, 5000)), random)
        labels = truth.draw_labels(inputs, random)
        self.is_regression = truth.classes == 1
        self.model = LinearRegression() if self.is_regression else LogisticRegression(max_iter=500)
        self.model.fit(inputs, labels)
        self.sharpness = float(np.exp(random.uniform(0.4, 1.2) * random.choice([-1, 1]))) if distorted else 1.0
        self.tilt = float(random.normal(0, 0.7)) if distorted else 0.0
        self.threshold = float(random.choice([0.5, 0.5, 0.3]))

    def cohort(self, inputs: Floats, labels: Any) -> Cohort:
        if self.is_regression:
            return Cohort(inputs, self.model.predict(inputs), np.zeros(len(inputs), np.int64), labels)
        odds = self.model.predict_proba(inputs) ** self.sharpness
        odds[:, -1] *= np.exp(self.tilt)
        scores = odds / odds.sum(axis=1, keepdims=True)
        if scores.shape[1] == 2:
            predicted = (scores[:, 1] >= self.threshold).astype(np.int64)
            return Cohort(inputs, scores[:, 1], predicted, labels)
        return Cohort(inputs, scores, scores.argmax(axis=1), labels)
