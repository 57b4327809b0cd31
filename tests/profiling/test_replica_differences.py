"""A column of two kinds costs no replica, and settings that differ are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling.measure import MeasureResult, measure
from modelwatch.recorder import Recorder
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.numeric import NumericProfile

from ..recorder.recorders import DAY, START


def measured(folder: Path, **settings: Any) -> MeasureResult:
    spec = MeasureSpec(recorder=str(folder), id="id", time="time", version="version", score="score", **settings)
    model = Model("dia", (), measure=spec)
    return measure(model, START + 3 * DAY, {}, RetryPolicy(), folder / "scratch")


def record(folder: Path, replica: str, ages: list[Any], **settings: Any) -> None:
    with Recorder("dia", folder=folder, spool=folder.parent / replica, send_seconds=3600.0, **settings) as recorder:
        for place, age in enumerate(ages):
            row = {"age": age, "weight": float(place), "region": "eu"}
            recorder.record(row, "yes", 0.5, latency=0.25, error="E" if place == 0 else None, time=START + place)


def test_a_column_of_another_kind_does_not_cost_its_replica(tmp_path: Path) -> None:
    record(tmp_path / "out", "a", [float(age) for age in range(40)])
    record(tmp_path / "out", "b", [f"{age} years" for age in range(60)])
    result = measured(tmp_path / "out")
    whole = result.profile.whole()
    assert (result.profile.rows, whole.columns["weight"].rows, whole.distributions["latency"].n) == (100, 100, 100)
    assert result.rows[0].scalars["errors/rate"] == 0.02
    age = whole.columns["age"]
    assert isinstance(age, CategoricalProfile), "as most cells are"
    assert (age.rows, age.missing, sum(age.named_counts.values()), age.other) == (100, 0, 60, 40)
    (note,) = (note for note in result.notes if "holds" in note)
    assert note.startswith("'age' holds numbers in some replicas and texts in others, and counts as texts")
    assert note.endswith(": 40 % are numbers, without a name.")


def test_a_few_texts_are_other_types_of_a_column_of_numbers(tmp_path: Path) -> None:
    record(tmp_path / "out", "a", [float(age) for age in range(40)])
    record(tmp_path / "out", "b", [f"{age} years" for age in range(6)])
    result = measured(tmp_path / "out")
    age = result.profile.whole().columns["age"]
    assert isinstance(age, NumericProfile)
    assert (age.n, age.other_types, age.missing) == (40, 6, 0)
    assert any(note.endswith(": 13 % are texts that are none.") for note in result.notes)


def test_numbers_that_one_replica_writes_as_texts_need_no_note(tmp_path: Path) -> None:
    record(tmp_path / "out", "a", [float(age) for age in range(40)])
    record(tmp_path / "out", "b", [f"{age}.5" for age in range(6)])
    result = measured(tmp_path / "out")
    assert result.profile.whole().columns["age"].rows == 46
    assert not [note for note in result.notes if "holds" in note]


def test_replicas_that_agree_need_no_note(tmp_path: Path) -> None:
    for replica in ("a", "b"):
        record(tmp_path / "out", replica, [1.0, 2.0], segments=["region"])
    result = measured(tmp_path / "out", segments=("region",))
    assert not [note for note in result.notes if "recorders" in note or "holds" in note]


@pytest.mark.parametrize(
    ("recorder", "spec", "told"),
    [
        ({}, {"window": 3600.0}, "windows that are longer than `window` here: give them `window=3600`"),
        ({"window": 3600.0}, {}, "windows that are shorter than `window` here: give them `window=86400`"),
        (
            {"segments": ["region"]},
            {"segments": ("boom",)},
            "do not count the segments of 'boom': give them",
        ),
        ({"segments": ["region"]}, {"segments": ("boom",)}, "that `measure:` does not name: region."),
        ({}, {"segments": ("region",)}, "`segments=['region']`"),
    ],
)
def test_other_settings_than_those_of_measure_are_named(
    tmp_path: Path, recorder: dict[str, Any], spec: dict[str, Any], told: str
) -> None:
    record(tmp_path / "out", "a", [1.0] * 4000, **recorder)
    assert [note for note in measured(tmp_path / "out", **spec).notes if told in note]
