"""Metrics of `measure` are scikit-learn's: random logs, classes in every spelling, whole and segment by segment."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as peer

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import METRICS, MeasureSpec
from modelwatch.profiling.measure import measure

from .logs import DAY, START, write

LOGS = int(os.environ.get("FUZZ_LOGS", "40"))
"""Random logs; `make fuzz` tries 1,000."""
FEW_SCORES = 110
"""With so many different scores or fewer, areas under curves are exact in segments, too."""
CURVE_ERROR = 0.01
PAIRS: tuple[tuple[Any, Any], ...] = (
    (("0", "0.0", " 0", "false"), ("1", "1.0", "1 ", "true")),
    (("False", "0", "FALSE"), ("True", "1", "TRUE")),
    (("no", " no"), ("yes", "yes ")),
    (("No",), ("Yes",)),
    (("legit", "legit "), ("fraud", " fraud")),
    (("2", "2.0", "2.00"), ("1", "1.0", "1.00")),
    (("a b", "a b "), ("ä/=", " ä/=")),
)
"""Negative and positive, each in spellings that name one class."""
TYPED: tuple[Any, ...] = (bool, int, float, Decimal, str)


class RandomLog:
    """A log of one kind of task, made from a seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = np.random.default_rng(seed)
        self.rows = int(self.random.choice([40, 150, 250, 3000], p=[0.3, 0.3, 0.3, 0.1]))
        self.regions = self.random.choice(["eu", "na", "latam"][: self.random.integers(1, 4)], self.rows)
        self.missing = float(self.random.choice([0.0, 0.1]))
        self.path = folder / ("log.csv" if self.random.random() < 0.4 else "log.parquet")

    def scalars(self, columns: dict[str, Any], **spec: Any) -> dict[str, float]:
        """What `measure` publishes of one window."""
        columns = {"time": START + np.sort(self.random.random(self.rows)) * (DAY - 1), "region": self.regions} | columns
        write(pa.table(columns), self.path)
        given = MeasureSpec(
            files=str(self.path), time="time", label="label", segments=("region",), min_rows=1, metrics=METRICS, **spec
        )
        found = measure(Model("churn", (), measure=given), START + 2 * DAY, {}, RetryPolicy(), self.path.parent)
        (row,) = found.rows
        return dict(row.scalars)

    def spell(self, codes: NDArray[Any], spellings: tuple[tuple[str, ...], ...]) -> Any:
        """Classes as cells; -1 is an empty one. Each column has one spelling of each class, or all of them."""
        mixed = self.random.random() < 0.3
        first = self.random.integers(0, 10)
        cells = [
            None
            if code < 0
            else spellings[code][(self.random.integers(0, 10) if mixed else first) % len(spellings[code])]
            for code in codes.tolist()
        ]
        return pa.array(cells, pa.string())

    def drop(self, codes: NDArray[Any]) -> NDArray[Any]:
        """The same without some."""
        return np.where(self.random.random(self.rows) < self.missing, -1, codes)

    def scores(self, shape: Any = None) -> NDArray[Any]:
        scores: NDArray[Any] = self.random.random(shape or self.rows) ** self.random.choice([1, 1, 4, 12])
        return scores.round(2) if self.random.random() < 0.5 else scores

    def parts(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """The prefix of the keys and the rows of the whole and of each segment."""
        yield "eval/", np.ones(self.rows, np.bool_)
        for region in np.unique(self.regions).tolist():
            yield f"eval/region={region}/", self.regions == region


def assert_same(found: dict[str, float], prefix: str, expected: dict[str, float], within: float = 1e-9) -> None:
    for name, value in expected.items():
        if math.isnan(value):
            assert prefix + name not in found, f"{prefix}{name} is not defined"
        else:
            assert found[prefix + name] == pytest.approx(value, abs=within, rel=1e-9), prefix + name


seeds = given(st.integers(0, 2**32))


@settings(max_examples=LOGS)
@seeds
def test_two_classes(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    log = RandomLog(seed, tmp_path_factory.mktemp("log"))
    score = log.scores()
    label = log.drop((log.random.random(log.rows) < score).astype(np.int64))
    label[:2] = 0, 1
    prediction = log.drop((score > log.random.random()).astype(np.int64))
    prediction[0] = 0
    number = int(log.random.integers(0, len(PAIRS) + 1))
    if number == len(PAIRS):
        kinds = log.random.choice(len(TYPED), 2)
        cells = [
            [None if code < 0 else TYPED[kind](code) for code in codes.tolist()]
            for kind, codes in zip(kinds.tolist(), (label, prediction), strict=True)
        ]
        positive = ""
    else:
        cells = [log.spell(codes, PAIRS[number]) for codes in (label, prediction)]
        positive = PAIRS[number][1][0].strip()
    gap = log.random.random(log.rows) < log.missing
    found = log.scalars(
        {"label": cells[0], "prediction": cells[1], "score": pa.array(np.where(gap, np.nan, score))},
        prediction="prediction", score="score", positive=positive,
    )  # fmt: skip
    is_exact = len(np.unique(score[~gap])) <= FEW_SCORES
    for prefix, rows in log.parts():
        both = rows & (label >= 0) & (prediction >= 0)
        y, p = label[both], prediction[both]
        if len(y):
            precision, recall, f1, _ = peer.precision_recall_fscore_support(
                y, p, labels=[1], average=None, zero_division=np.nan
            )
            expected = {"accuracy": peer.accuracy_score(y, p), "n": float(len(y))}
            expected |= {"precision": precision[0], "recall": recall[0], "f1": f1[0]}
            assert_same(found, prefix, expected)
        both = rows & (label >= 0) & ~gap
        y, s = label[both], score[both]
        if len(y):
            brier = peer.brier_score_loss(y, s, pos_label=1) if len(set(y.tolist())) == 2 else np.mean((y - s) ** 2)
            assert_same(found, prefix, {"log_loss": peer.log_loss(y, s, labels=[0, 1]), "brier": float(brier)})
        if len(set(y.tolist())) == 2:
            curves = {"auc": peer.roc_auc_score(y, s), "pr_auc": peer.average_precision_score(y, s)}
            assert_same(found, prefix, curves, 1e-9 if is_exact else CURVE_ERROR)


@settings(max_examples=LOGS)
@seeds
def test_several_classes(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    log = RandomLog(seed, tmp_path_factory.mktemp("log"))
    spellings: tuple[tuple[str, ...], ...] = (("0", "0.0", " 0"), ("1", "1.0"), ("2", "2.00 "), ("3",))
    if log.random.random() < 0.5:
        spellings = (("cat", " cat"), ("dog", "dog "), ("a=b", "a=b"), ("Ünï", "Ünï "))
    shares = log.scores((log.rows, 4))
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
    label, prediction = (log.drop(log.random.integers(0, 4, log.rows)) for _ in range(2))
    label[:4] = prediction[:4] = range(4)
    names = [spelling[0] for spelling in spellings]
    found = log.scalars(
        {"label": log.spell(label, spellings), "prediction": log.spell(prediction, spellings)}
        | {f"p{place}": shares[:, place] for place in range(4)},
        prediction="prediction", scores=tuple((name, f"p{place}") for place, name in enumerate(names)),
    )  # fmt: skip
    for prefix, rows in log.parts():
        both = rows & (label >= 0) & (prediction >= 0)
        y, p = label[both], prediction[both]
        if len(y):
            assert_same(found, prefix, {"accuracy": peer.accuracy_score(y, p), "n": float(len(y))})
            f1 = peer.f1_score(y, p, labels=range(4), average=None, zero_division=np.nan)
            assert_same(found, prefix, {"f1_macro": float(np.nanmean(f1))})
        y, s = label[rows & (label >= 0)], shares[rows & (label >= 0)]
        if len(y):
            assert_same(
                found,
                prefix,
                {"log_loss": -float(np.mean(np.log(np.clip(s, 2**-52, 1 - 2**-52)[np.arange(len(y)), y])))},
            )
            assert_same(found, prefix, {"brier": float(np.mean(((np.eye(4)[y] - s) ** 2).sum(axis=1)))})
        if set(y.tolist()) == set(range(4)):
            areas = [peer.roc_auc_score(y == place, s[:, place]) for place in range(4)]
            is_exact = log.rows <= FEW_SCORES
            assert_same(found, prefix, {"auc_macro": float(np.mean(areas))}, 1e-9 if is_exact else CURVE_ERROR)


@settings(max_examples=LOGS)
@seeds
def test_numbers(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    log = RandomLog(seed, tmp_path_factory.mktemp("log"))
    label = log.random.normal(0, 10.0 ** float(log.random.integers(-3, 7)), log.rows)
    prediction = label + log.random.normal(0, 1, log.rows)
    gaps = log.random.random((2, log.rows)) < log.missing
    label, prediction = (np.where(gap, np.nan, cells) for gap, cells in zip(gaps, (label, prediction), strict=True))
    spelled: list[Any] = [pa.array(label), pa.array(prediction)]
    if log.random.random() < 0.5:
        spelled[0] = pa.array([None if cell != cell else f" {cell!r}" for cell in label.tolist()])
    found = log.scalars({"label": spelled[0], "prediction": spelled[1]}, prediction="prediction", task="numbers")
    for prefix, rows in log.parts():
        both = rows & ~gaps.any(axis=0)
        y, p = label[both], prediction[both]
        if len(y):
            expected = {"mae": peer.mean_absolute_error(y, p), "rmse": peer.root_mean_squared_error(y, p)}
            assert_same(found, prefix, expected | {"bias": float(np.mean(p - y)), "n": float(len(y))})
