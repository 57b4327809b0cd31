"""Labels of a second table, joined by id."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pyarrow as pa
import pytest

from modelwatch.errors import SourceError
from modelwatch.model.prediction_log import MeasureSpec, OutcomesSpec
from modelwatch.profiling.label_join import JoinedLog, join_outcomes, label_notes
from modelwatch.profiling.readers import open_log

from .logs import write

SPEC = OutcomesSpec("outcomes", "key", "truth", "known")


def joined(
    folder: Path, outcomes: pa.Table, ids: list[Any], name: str = "log.parquet", now: float = math.inf
) -> dict[Any, Any]:
    log = pa.table({"id": pa.array(ids), "x": list(range(len(ids)))})
    path = write(log, folder / name)
    other = write(outcomes, folder / "outcomes.parquet")
    both = JoinedLog(open_log(str(path)), open_log(str(other)), "id", SPEC, now)
    assert both.names() == ("id", "x", "truth")
    table = pa.Table.from_batches(list(both.batches(["x", "truth"])))
    assert list(map(int, table["x"].to_pylist())) == list(range(len(ids)))
    return dict(zip(table["x"].to_pylist(), table["truth"].to_pylist(), strict=True))


def outcomes(keys: list[Any], truth: list[Any], known: list[Any]) -> pa.Table:
    return pa.table({"key": keys, "truth": truth, "known": known})


def test_the_outcome_known_last_counts(tmp_path: Path) -> None:
    found = joined(
        tmp_path,
        outcomes(["a", "b", "a", "zz", None], ["no", "yes", "yes", "x", "x"], [2, 1, 1, 0, 9]),
        ["a", "b", "c", None, "a"],
    )
    assert found == {0: "no", 1: "yes", 2: None, 3: None, 4: "no"}


@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_ids_are_joined_by_their_text(name: str, tmp_path: Path) -> None:
    found = joined(tmp_path, outcomes(["7", "8"], [1.5, 2.5], ["2026-01-01", "2026-01-02"]), [7, 9], name)
    assert {float(row): truth for row, truth in found.items()} == {0.0: 1.5, 1.0: None}


@pytest.mark.parametrize(
    "keys",
    [
        pa.array([7.0, 2.0**53 - 1]),
        pa.array([Decimal("7.00"), Decimal(2**53 - 1)]),
        pa.array([7, 2**53 - 1], pa.uint64()),
        pa.array(["7", f"{2**53 - 1}"]).dictionary_encode(),
    ],
)
def test_ids_of_any_type_are_whole_numbers(keys: pa.Array, tmp_path: Path) -> None:
    outcomes = pa.table({"key": keys, "truth": [1, 0], "known": [0, 0]})
    assert joined(tmp_path, outcomes, [7, 2**53 - 1, 8]) == {0: 1, 1: 0, 2: None}


KEYS = [UUID("6f2b5c1e-8a4d-4b7e-9c3a-d1e2f3a4b5c6"), UUID("0190163d-8694-7000-8000-0000000000ff")]


@pytest.mark.parametrize("kind", [pa.binary(), pa.binary(16), pa.large_binary()])
@pytest.mark.parametrize("binary_sides", ["both", "log", "outcomes"])
def test_ids_of_bytes_are_joined_by_their_bytes_and_uuids_by_their_text(
    kind: pa.DataType, binary_sides: str, tmp_path: Path
) -> None:
    texts, binary = [str(key) for key in KEYS], pa.array([key.bytes for key in KEYS], kind)
    known = pa.table({"key": texts if binary_sides == "log" else binary, "truth": [1, 0], "known": [0, 0]})
    own: Any = texts if binary_sides == "outcomes" else binary
    assert joined(tmp_path, known, own) == {0: 1, 1: 0}


def test_bytes_that_are_text_are_that_text(tmp_path: Path) -> None:
    keys = pa.array([b"0123456789abcdef", b"7", b"\xff\x00"])
    known = pa.table({"key": keys, "truth": [1, 0, 1], "known": [0, 0, 0]})
    assert joined(tmp_path, known, ["0123456789abcdef", "7", None]) == {0: 1, 1: 0, 2: None}


def test_columns_of_outcomes_that_differ_from_file_to_file_keep_their_cells(tmp_path: Path) -> None:
    large = 2**62 + 1
    for number, columns in enumerate(
        (
            {"key": pa.array([large]), "truth": [1], "known": [1_795_132_800]},
            {"key": pa.array([1.0]), "truth": [Decimal("0.0")], "known": [Decimal("1795132800.5")]},
            {"key": pa.array([2], pa.uint64()), "truth": [True], "known": ["2026-11-20 00:00:00 UTC"]},
        )
    ):
        write(pa.table(columns), tmp_path / f"outcomes/{number}.parquet")
    log = open_log(str(write(pa.table({"id": [large, large - 1, 1, 2]}), tmp_path / "log.parquet")))
    both = JoinedLog(log, open_log(str(tmp_path / "outcomes")), "id", SPEC, 1.8e9)
    assert pa.Table.from_batches(both.batches(["truth"]))["truth"].to_pylist() == ["1", None, "0", "true"]


def test_many_rows_are_joined_in_the_order_of_the_log(tmp_path: Path) -> None:
    ids = [f"id-{number}" for number in range(20_000)]
    found = joined(tmp_path, outcomes(ids[::2], list(range(0, 20_000, 2)), [0] * 10_000), ids)
    assert all(found[number] == (None if number % 2 else number) for number in range(20_000))


def test_no_outcomes_at_all(tmp_path: Path) -> None:
    empty = pa.table(
        {"key": pa.array([], pa.string()), "truth": pa.array([], pa.string()), "known": pa.array([], pa.int64())}
    )
    assert joined(tmp_path, empty, ["a"]) == {0: None}


def test_a_missing_column_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no column 'known'"):
        joined(tmp_path, pa.table({"key": ["a"], "truth": ["x"]}), ["a"])


@pytest.mark.parametrize(
    ("now", "known"),
    [(0.5, {0: None, 1: None, 2: "x"}), (1, {0: "no", 1: None, 2: "x"}), (2, {0: "yes", 1: None, 2: "x"})],
)
@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_outcomes_of_later_are_not_known_yet(
    name: str, now: float, known: dict[int, str | None], tmp_path: Path
) -> None:
    """One without a time was always known."""
    later = outcomes(["a", "a", "b", "c"], ["no", "yes", "yes", "x"], [1, 2, 3, None])
    values = joined(tmp_path, later, ["a", "b", "c"], name, now)
    assert {int(row): value for row, value in values.items()} == known


LABELS = {"id": [1, 2, 3, 4], "truth": ["no", "yes", "yes", None], "known": [1.0, 2.0, None, 4.0]}


@pytest.mark.parametrize("encoded", [False, True])
def test_labels_in_the_log_itself_are_known_from_their_time_on(encoded: bool, tmp_path: Path) -> None:
    table = pa.table(LABELS)
    if encoded:
        table = table.set_column(1, "truth", table["truth"].dictionary_encode())
    log = open_log(str(write(table, tmp_path / "log.parquet")))
    spec = MeasureSpec(label="truth", label_time="known")

    def cells(columns: list[str], now: float) -> dict[str, list[Any]]:
        table = pa.Table.from_batches(list(join_outcomes(log, spec, now).batches(columns)))
        return cast(dict[str, list[Any]], table.to_pydict())

    assert cells(["truth"], 1.0) == {"truth": ["no", None, "yes", None]}
    assert cells(["known", "truth"], 2.0) == {"known": LABELS["known"], "truth": ["no", "yes", "yes", None]}
    assert cells(["id"], 0.0) == {"id": [1, 2, 3, 4]}


def test_a_log_without_its_label_or_its_time_is_read_as_it_is(tmp_path: Path) -> None:
    log = open_log(str(write(pa.table(LABELS), tmp_path / "log.parquet")))
    for spec in (MeasureSpec(label="truth", label_time="booked"), MeasureSpec(label="truth")):
        assert list(join_outcomes(log, spec, 0.0).batches(["truth"])) == list(log.batches(["truth"]))


def notes_of(folder: Path, truths: list[pa.Table], ids: list[Any], spec: OutcomesSpec) -> str:
    for number, truth in enumerate(truths):
        write(truth, folder / f"outcomes/{number}.parquet")
    log = open_log(str(write(pa.table({"id": ids, "prediction": ["yes"] * len(ids)}), folder / "log.parquet")))
    outcomes = replace(spec, files=str(folder / "outcomes"))
    both = join_outcomes(log, MeasureSpec(id="id", label="truth", prediction="prediction", outcomes=outcomes))
    assert not label_notes(both)
    for _ in range(2):  # reading twice counts nothing twice
        assert sum(batch.num_rows for batch in both.batches(["truth"])) == len(ids)
    return " ".join(label_notes(both))


UNDATED = replace(SPEC, label_time="")
TWICE = [
    outcomes(["a", "b", "c"], ["no", "yes", None], [1, 1, 1]),
    outcomes(["a", "b", "c"], ["yes", "yes", "no"], [2] * 3),
]


def test_outcomes_that_contradict_each_other_are_noted(tmp_path: Path) -> None:
    """An id that got its first label later, or the same one again, has one outcome."""
    assert notes_of(tmp_path, TWICE, ["a", "b", "c"], UNDATED) == (
        "1 id has different outcomes, and the one that was read last counts: name `label_time`, the column that says "
        "when each became known."
    )
    assert not notes_of(tmp_path, TWICE, ["a", "b", "c"], SPEC)


def test_outcomes_of_one_time_that_contradict_each_other_are_noted(tmp_path: Path) -> None:
    ids = [f"row-{number}" for number in range(2000)]
    truths = [outcomes(ids, [truth] * 2000, [1] * 2000) for truth in ("no", "yes")]
    assert notes_of(tmp_path, truths, ids, SPEC) == (
        "2,000 ids have different outcomes at one time, and the one that was read last counts: `known` does not say "
        "which is later."
    )


@pytest.mark.parametrize(
    "other",
    [str.upper, lambda text: text.replace("-", ""), lambda text: f"x{text}"],
    ids=["capitals", "dashes", "other"],
)
def test_ids_that_never_meet_are_noted(tmp_path: Path, other: Callable[[str], str]) -> None:
    ids = [f"00-ab-{number}" for number in range(300)]
    found = notes_of(tmp_path, [outcomes(list(map(other, ids)), ["yes"] * 300, [1] * 300)], ids, UNDATED)
    assert found == (
        "none of the 300 outcome ids is in the log: its ids are such as '00-ab-0', those of the outcomes such as "
        f"{other('00-ab-0')!r}."
    )


@pytest.mark.parametrize(
    ("own", "others", "share"), [(2, 400, "only 2 (0.5 %) of the 400 outcome ids are"), (2, 100, ""), (400, 40_000, "")]
)
def test_few_ids_that_meet_are_noted(own: int, others: int, share: str, tmp_path: Path) -> None:
    """Not where the outcomes are those of a longer time than the log."""
    ids = [f"id-{number}" for number in range(400)]
    keys = [*ids[:own], *(f"else-{number}" for number in range(others - own))]
    found = notes_of(tmp_path, [outcomes(keys, ["yes"] * others, [1] * others)], ids, UNDATED)
    assert found.startswith(share)
    assert bool(found) is bool(share)
