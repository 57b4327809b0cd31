"""What workers make of the parts of a log, in this process: to the bit what one process makes of the whole."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.errors import SourceError, UserError
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling import label_join, plan_inference
from modelwatch.profiling.engines.engine import open_engine
from modelwatch.profiling.engines.file_partitions import FilesEngine

from ..logs import DAY, START, log, write
from .measured import assert_same, measured, ranked, write_log


class Inline:
    """Calls at once, with everything pickled on its way, as between machines."""

    name = "Inline"

    def __init__(self) -> None:
        self.calls: list[str] = []

    def share(self, value: Any) -> bytes:
        return pickle.dumps(value)

    def submit(self, function: Callable[..., bytes], *arguments: Any) -> bytes:
        self.calls.append(function.__name__)
        task, *others = arguments
        received = [pickle.loads(pickle.dumps(other)) for other in others]  # noqa: S301 - what was just written
        return function(pickle.loads(task), *received)  # noqa: S301 - as above

    def collect(self, handles: Sequence[bytes]) -> list[bytes]:
        return list(handles)


def both(spec: MeasureSpec, folder: Path) -> Inline:
    pool = Inline()
    assert_same(measured(spec, folder), measured(spec, folder, FilesEngine(pool)))
    return pool


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_profiles_rows_and_notes_are_those_of_one_process(suffix: str, tmp_path: Path) -> None:
    both(write_log(tmp_path, suffix=suffix), tmp_path)


def test_profiles_are_merged_as_a_tree(tmp_path: Path) -> None:
    pool = both(write_log(tmp_path, files=40), tmp_path)
    assert pool.calls.count("run_file") == 40
    assert pool.calls.count("join_parts") == 3 + 1


def test_a_plan_without_a_reference_is_made_of_the_same_rows(tmp_path: Path) -> None:
    both(replace(write_log(tmp_path), reference=""), tmp_path)


def test_a_sample_of_each_part_is_enough_for_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_inference, "SAMPLE_ROWS", 400)
    result = measured(replace(write_log(tmp_path), reference="", maturity=0.0), tmp_path, FilesEngine(Inline()))
    assert result.profile.rows == 4000
    assert result.rows[0].scalars["eval/accuracy"] > 0.7


def test_metrics_that_need_rows(tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    both(ranked(replace(spec, score="score")), tmp_path)


def test_words_for_missing_labels_are_decided_by_the_whole(tmp_path: Path) -> None:
    """The first file alone has the placeholder, and the last one alone predicts it: there it is a class."""
    spec = write_log(tmp_path)
    table = log(300)
    for predicted in ("yes", "unknown"):
        labels = ["unknown", *table["label"].to_pylist()[1:]]
        outcomes = pa.table({"request": table["id"], "label": labels, "known_at": table["time"]})
        write(outcomes, tmp_path / "outcomes" / "labels.parquet")
        for part, name in enumerate(sorted((tmp_path / "log").iterdir())):
            rows = table.drop_columns(["label"]).slice(60 * part, 60)
            cells = [predicted, *rows["prediction"].to_pylist()[1:]] if part == 4 else rows["prediction"].to_pylist()
            write(rows.set_column(rows.column_names.index("prediction"), "prediction", pa.array(cells)), name)
        result = measured(spec, tmp_path, FilesEngine(Inline()))
        assert_same(measured(spec, tmp_path), result)
        assert any("taken as missing" in note for note in result.notes) == (predicted == "yes")


def test_labels_in_the_log_count_when_they_were_known(tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    table = log(2000).append_column("known_at", pa.array([START + 9e6 if row % 3 else START for row in range(2000)]))
    for part, name in enumerate(sorted((tmp_path / "log").iterdir())):
        write(table.slice(400 * part, 400), name)
    both(replace(spec, outcomes=None, label_time="known_at", timezone="Europe/Berlin"), tmp_path)


def test_delays_of_windows_that_are_not_measured_are_counted_by_workers_too(tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    pool = Inline()
    mine, other = (measured(spec, tmp_path, engine, START + DAY) for engine in (None, FilesEngine(pool)))
    assert_same(mine, other)
    assert any(key.startswith("labels/delay_days") for row in mine.rows for key in row.scalars)
    assert pool.calls.count("run_file") == 2 * 5, "the profile, and the older delays"


def test_agreement_noise_and_estimates(tmp_path: Path) -> None:
    spec = replace(write_log(tmp_path), label_noise=True, maturity=0.0)
    both(replace(spec, agreement=True), tmp_path)


def test_ids_that_do_not_meet_are_noted(tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    table = log(300)
    outcomes = pa.table(
        {"request": [f"x{row}" for row in range(300)], "label": table["label"], "known_at": table["time"]}
    )
    write(outcomes, tmp_path / "outcomes" / "labels.parquet")
    result = measured(spec, tmp_path, FilesEngine(Inline()))
    assert_same(measured(spec, tmp_path), result)
    assert any("none of the 300 outcome ids is in the log" in note for note in result.notes)


def test_broken_files_are_left_out_as_in_one_process(tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    parts = sorted((tmp_path / "log").iterdir())
    content = parts[1].read_bytes()
    parts[1].write_bytes(content[: len(content) // 2])
    pool = both(spec, tmp_path)
    assert pool.calls.count("run_file") % 4 == 0
    for part in parts:
        part.write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="not a readable Parquet file"):
        measured(spec, tmp_path, FilesEngine(Inline()))


def test_a_file_that_breaks_while_it_is_read_is_left_out_too(tmp_path: Path) -> None:
    spec = write_log(tmp_path)
    part = sorted((tmp_path / "log").iterdir())[2]
    metadata = pq.read_metadata(part).row_group(0)
    places = [metadata.column(place).data_page_offset for place in range(metadata.num_columns)]
    content = bytearray(part.read_bytes())
    for place in places:
        content[place : place + 40] = b"\xff" * 40
    part.write_bytes(bytes(content))
    result = measured(spec, tmp_path, FilesEngine(Inline()))
    assert_same(measured(spec, tmp_path), result)
    assert any("left out" in note for note in result.notes)


def test_more_outcomes_than_workers_get_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_log(tmp_path)
    monkeypatch.setattr(label_join, "MAX_SENT_IDS", 2999)
    assert measured(spec, tmp_path).profile.rows == 4000
    with pytest.raises(UserError, match=r"3,000 ids; at most 2,999 are sent to workers\. Join them in `query`"):
        measured(spec, tmp_path, FilesEngine(Inline()))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"files": "", "query": "FROM 'x.parquet'"}, r"measure: \{query\}: Inline has no SQL"),
        ({"files": "s3://bucket/log/*.parquet"}, "read files under a path, not a URL"),
        ({"files": "", "artifact": "acme/churn/log:latest"}, "Inline does not read W&B artifacts"),
    ],
)
def test_what_an_engine_does_not_read_is_refused(changed: dict[str, str], message: str, tmp_path: Path) -> None:
    spec = replace(write_log(tmp_path), **changed)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        measured(spec, tmp_path, FilesEngine(Inline()))


def test_an_engine_that_does_not_exist() -> None:
    with pytest.raises(UserError, match="there is no engine 'flink'"):
        open_engine("flink", {})


@pytest.mark.parametrize("name", ["spark", "dask", "ray"])
def test_an_engine_that_is_not_installed(name: str) -> None:
    with pytest.raises(UserError, match=rf"is not installed\. Install it with .*{name}"):
        open_engine(name, {})
