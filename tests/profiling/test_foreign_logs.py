"""Logs as other programs write them: read as they are meant, or refused in one sentence."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import Exit, SourceError, UserError
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec, OutcomesSpec
from modelwatch.profiling.measure import MeasureResult, measure
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import capture_reference, write_reference
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.numeric import NumericProfile

COUNT = 60
SPEC: dict[str, Any] = {"id": "id", "time": "time", "version": "version", "prediction": "prediction", "label": "label"}
Cell = Callable[[int], str]


def rows(**cells: Cell) -> dict[str, list[str]]:
    """Sixty rows of one day, half of them right; ``cells`` replace columns or add some."""
    usual: dict[str, Cell] = {
        "id": str,
        "time": lambda row: f"2026-11-20T{row % 24:02}:00:00Z",
        "version": lambda _: "v1",
        "prediction": lambda row: str(row % 2),
        "label": lambda row: str(row // 2 % 2),
        "age": lambda row: str(20 + row % 7),
    }
    return {name: [cell(row) for row in range(COUNT)] for name, cell in (usual | cells).items()}


def csv(columns: dict[str, list[str]], separator: str = ",") -> str:
    lines = [separator.join(columns), *(separator.join(row) for row in zip(*columns.values(), strict=True))]
    return "\n".join(lines) + "\n"


def measured(files: Path, **fields: Any) -> MeasureResult:
    spec = MeasureSpec(str(files), **{**SPEC, **fields})
    return measure(Model("churn", (), measure=spec), 1.8e9, {}, RetryPolicy(), files.parent)


def values(result: MeasureResult) -> dict[str, float]:
    (row,) = result.rows
    return dict(row.scalars)


@pytest.mark.parametrize(
    "text",
    [
        csv(rows()),
        "\ufeff" + csv(rows()),
        csv(rows(), ";"),
        csv(rows(), "\t"),
        csv(rows(price=lambda row: f"{row},5"), ";"),
        csv(rows(time=lambda row: ["2026-11-20T10:00:00+02:00", "2026-11-20 10:00:00 UTC", "1795168800"][row % 3])),
        csv(rows(price=lambda _: "", kind=lambda _: "x", **{"naïve ☃/x=1 *": str})),
    ],
    ids=["plain", "bom", "semicolons", "tabs", "decimal commas", "mixed times", "odd columns"],
)
def test_csv_of_other_programs(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.csv").write_text(text, "utf-8")
    found = values(measured(tmp_path / "log.csv"))
    assert (found["eval/accuracy"], found["eval/n"], found["quality/rows"]) == (0.5, COUNT, COUNT)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (csv(rows()).encode("utf-16"), r"log\.csv: this CSV file is in UTF-16\. Write it in UTF-8"),
        (csv(rows(age=lambda _: "Zürich")).encode("latin-1"), "invalid UTF8 data"),
        (csv(rows(time=lambda _: "11/20/2026")).encode(), "no row has a time that can be read in column 'time'"),
        (
            csv(rows(label=lambda row: "ny"[row % 2])).encode(),
            "no prediction is ever a label: '0', '1' in 'prediction'",
        ),
        (b"id,time,time\n1,2,3\n", "two columns are named 'time'"),
    ],
    ids=["utf-16", "latin-1", "times", "classes as letters", "two of one name"],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(SourceError, match=said):
        measured(tmp_path / "log.csv")


def test_what_may_be_meant_otherwise_is_told(tmp_path: Path) -> None:
    text = csv(rows(prediction=lambda row: f"0.{row + 10}", price=lambda row: f'"1.{row + 100},5"'))
    (tmp_path / "log.csv").write_text(text)
    notes = measured(tmp_path / "log.csv").notes
    assert "'price' is read as text: write numbers such as '1.100,5' with a decimal point." in notes
    assert any("'prediction' takes many values: judged as a regression" in note for note in notes)


@pytest.mark.parametrize(
    ("prediction", "label"),
    [
        (lambda row: f"{row % 2}.0", lambda row: str(row // 2 % 2)),
        (lambda row: str(row % 2), lambda row: str(row // 2 % 2 > 0)),
        (lambda row: f" {row % 2 > 0}", lambda row: f"{row // 2 % 2}.00"),
    ],
    ids=["floats", "words", "both"],
)
def test_one_class_in_two_spellings(tmp_path: Path, prediction: Cell, label: Cell) -> None:
    (tmp_path / "log.csv").write_text(csv(rows(prediction=prediction, label=label)))
    found = values(measured(tmp_path / "log.csv"))
    assert (found["eval/accuracy"], found["eval/f1"], found["eval/n"]) == (0.5, 0.5, COUNT)


WORDS: dict[str, Cell] = {
    "label": lambda row: ("legit", "fraud")[row // 2 % 2],
    "prediction": lambda row: ("legit", "fraud")[row // 2 % 2 if row % 10 else 0],
    "score": lambda row: f"0.{1 + 8 * (row // 2 % 2 if row % 10 else 0)}",
}
"""Of 30 frauds 27 are found, by the prediction and by the score."""


def test_which_of_two_classes_is_positive_is_never_guessed(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(csv(rows(**WORDS)))
    with pytest.raises(
        UserError, match=r"'fraud' and 'legit', and nothing says whose probability the score is\. Write"
    ):
        measured(tmp_path / "log.csv", score="score")
    with pytest.raises(UserError, match=r"no label is 'frod'"):
        measured(tmp_path / "log.csv", score="score", positive="frod")
    result = measured(tmp_path / "log.csv", score="score", positive="fraud")
    assert result.task == "two classes, 'fraud' is positive"
    assert not [note for note in result.notes if "AUC" in note]
    named = values(measured(tmp_path / "log.csv", scores=(("fraud", "score"),)))
    assert values(result)["eval/auc"] == named["eval/auc"] == 0.95
    assert values(result)["eval/log_loss"] == named["eval/log_loss"] < 0.4
    other = measured(tmp_path / "log.csv", score="score", positive="legit")
    assert values(other)["eval/auc"] == pytest.approx(0.05)
    assert any("AUC is 0.05: high scores go with the other class" in note for note in other.notes)


@pytest.mark.parametrize("is_confidence", [True, False])
def test_the_confidence_in_the_predicted_class_is_no_probability_of_the_positive_one(
    is_confidence: bool, tmp_path: Path
) -> None:
    sure = {"score": lambda row: f"0.{6 + row % 4}" if is_confidence or row // 2 % 2 else f"0.{1 + row % 4}"}
    (tmp_path / "log.csv").write_text(csv(rows(**{**WORDS, **sure})))
    result = measured(tmp_path / "log.csv", score="score", positive="fraud")
    found = [note for note in result.notes if "confidence in the predicted class" in note]
    assert bool(found) is is_confidence
    assert all("for the probability of 'fraud'" in note for note in found)


def test_stars_are_classes_unless_the_task_says_numbers(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        csv(rows(label=lambda row: str(1 + row % 5), prediction=lambda row: str(1 + row % 4)))
    )
    result = measured(tmp_path / "log.csv")
    assert result.task == "5 classes"
    assert any("the labels are 5 numbers, and count as classes" in note for note in result.notes)
    assert not any("count as classes" in note for note in measured(tmp_path / "log.csv", task="classes").notes)
    result = measured(tmp_path / "log.csv", task="numbers")
    assert result.task == "labels are numbers"
    assert values(result)["eval/mae"] == pytest.approx(sum(abs(row % 5 - row % 4) for row in range(COUNT)) / COUNT)
    (tmp_path / "log.csv").write_text(csv(rows(label=lambda row: "ab"[row % 2])))
    with pytest.raises(SourceError, match="no label is a number"):
        measured(tmp_path / "log.csv", task="numbers")


def test_words_for_a_label_that_is_not_there_are_no_class(tmp_path: Path) -> None:
    words = ("None", "nan", "NULL", "<NA>")
    text = csv(rows(label=lambda row: words[row % 4] if row >= 40 else str(row // 2 % 2)))
    (tmp_path / "log.csv").write_text(text)
    found = values(measured(tmp_path / "log.csv"))
    assert (found["eval/accuracy"], found["eval/n"], found["quality/rows"]) == (0.5, 40, COUNT)


def test_words_for_an_empty_cell_are_missing_in_every_column(tmp_path: Path) -> None:
    words = ("None", "#N/A", "n/a", " NA ", "NaT", "")
    text = csv(
        rows(
            plan=lambda row: words[row % 6] if row < 30 else "basic",
            age=lambda row: words[row % 6] if row < 30 else str(row),
            region=lambda row: ("NA", "EU", "LATAM", "APAC")[row % 4],
        )
    )
    (tmp_path / "log.csv").write_text(text)
    found = measured(tmp_path / "log.csv").profile.whole().columns
    assert (found["plan"].missing, found["age"].missing) == (30, 30)
    assert isinstance(found["age"], NumericProfile)
    assert isinstance(found["region"], CategoricalProfile)
    assert found["region"].named_counts["NA"] == 15  # North America


def test_such_a_word_is_a_class_where_it_is_predicted(tmp_path: Path) -> None:
    countries = ("US", "NA")
    text = csv(rows(label=lambda row: countries[row % 2], prediction=lambda row: countries[row // 2 % 2]))
    (tmp_path / "log.csv").write_text(text)
    found = values(measured(tmp_path / "log.csv", positive="US"))
    assert (found["eval/accuracy"], found["eval/n"]) == (0.5, COUNT)


def test_bookkeeping_beside_the_files_is_not_read(tmp_path: Path) -> None:
    for folder in ("", "_delta_log", ".ipynb_checkpoints", "day=1/_old"):
        (tmp_path / "logs" / folder).mkdir(parents=True)
        (tmp_path / "logs" / folder / "a.csv").write_text(csv(rows()))
    assert values(measured(tmp_path / "logs"))["quality/rows"] == COUNT


def test_a_broken_file_among_good_ones_is_reported_and_the_others_are_measured(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.csv").write_text(csv(rows()))
    pq.write_table(
        pa.table(rows(id=lambda row: f"b{row}", time=lambda row: f"2026-11-21T{row % 24:02}:00:00Z")),
        logs / "b.PARQUET",
    )
    whole = (logs / "b.PARQUET").read_bytes()
    (logs / "c.parquet").write_bytes(whole[: len(whole) // 2])
    (logs / "d.csv").write_bytes(csv(rows()).encode("utf-16"))
    (logs / "e.csv.gz").write_bytes(b"no archive")
    result = measured(logs)
    assert [row.scalars["quality/rows"] for row in result.rows] == [COUNT, COUNT]
    assert [row.scalars.get("quality/unreadable_files") for row in result.rows] == [3, 3]
    left_out = [note for note in result.notes if note.startswith("left out: ")]
    assert [Path(note.split(": ")[1]).name for note in left_out] == ["c.parquet", "d.csv", "e.csv.gz"]
    for path in ("c.parquet", "d.csv", "e.csv.gz"):
        (logs / path).unlink()
    assert measured(logs).rows[-1].scalars["quality/unreadable_files"] == 0


def test_a_file_that_breaks_off_counts_as_far_as_it_was_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv(rows()))
    whole = csv(rows(age=lambda _: "7" * 200_000))
    (tmp_path / "b.csv").write_text(f"{whole}one,cell\n" + "".join(whole.splitlines(keepends=True)[1:]))
    found = measured(tmp_path)
    problem = next(note for note in found.notes if note.startswith("left out: "))
    assert re.search(r"b\.csv: this is not a readable CSV file: .*Its first \d+ rows count\.$", problem)
    assert COUNT < found.profile.rows <= 2 * COUNT


def test_a_log_of_files_that_break_at_once_is_refused(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet"):
        pq.write_table(pa.table(rows()), tmp_path / name, compression="zstd")
        content = bytearray((tmp_path / name).read_bytes())
        content[4:2000] = b"\xff" * 1996
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match="this is not a readable Parquet file"):
        measured(tmp_path)


def test_a_log_of_broken_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet"):
        (tmp_path / name).write_bytes(b"PAR1 and nothing else")
    with pytest.raises(SourceError, match=r"parquet: this is not a readable Parquet file"):
        measured(tmp_path)


def test_a_training_set_is_whole_or_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv(rows()))
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(SourceError, match="not a readable Parquet file"):
        capture_reference(open_log(str(tmp_path)), MeasureSpec(prediction="prediction", label="label"))


@pytest.mark.parametrize("pattern", ["", "/*/*/*.parquet", "/**/*.parquet"])
def test_folders_that_are_columns(tmp_path: Path, pattern: str) -> None:
    for region in ("eu", "S%C3%A3o%20Paulo", "__HIVE_DEFAULT_PARTITION__"):
        folder = tmp_path / "x=1" / "logs" / "day=20" / f"region={region}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table(rows()), folder / "part.parquet")
    result = measured(tmp_path / "x=1" / f"logs{pattern}", segments=("region",))
    found = result.profile.whole()
    assert found.rows == 3 * COUNT
    assert "x" not in found.columns
    region_column = found.columns["region"]
    assert isinstance(region_column, CategoricalProfile)
    assert (region_column.named_counts, region_column.missing) == ({"eu": COUNT, "São Paulo": COUNT}, COUNT)
    assert {cell.segment for cell in result.profile.cells} >= {(), (("region", "eu"),), (("region", "São Paulo"),)}


@pytest.mark.parametrize(
    ("book", "query"),
    [("_delta_log/00000000000000000000.json", "delta_scan"), ("metadata/v1.metadata.json", "iceberg_scan")],
)
def test_table_formats_that_delete_rows_are_refused(tmp_path: Path, book: str, query: str) -> None:
    (tmp_path / "logs" / book).parent.mkdir(parents=True)
    (tmp_path / "logs" / book).write_text("{}")
    (tmp_path / "logs" / "part.csv").write_text(csv(rows()))
    with pytest.raises(SourceError, match=rf"whose files hold deleted rows, too\. Read it .*FROM {query}\("):
        measured(tmp_path / "logs")


def test_types_that_only_parquet_knows(tmp_path: Path) -> None:
    keys = pa.array([uuid.UUID(int=row % 3).bytes for row in range(COUNT)], pa.binary(16))
    table = pa.table(rows()).append_column("key", pa.ExtensionArray.from_storage(pa.uuid(), keys))
    table = table.append_column("__index_level_0__", pa.array(range(COUNT)))
    pq.write_table(table, tmp_path / "log.parquet")
    columns = measured(tmp_path / "log.parquet").profile.whole().columns
    assert set(columns) == {"age", "key", "label", "prediction"}
    assert columns["key"].n == COUNT


@pytest.mark.parametrize("with_outcomes", [False, True])
def test_files_of_one_log_may_differ(tmp_path: Path, with_outcomes: bool) -> None:
    """A column that is new, was empty before, or changed its type."""
    plain = {name: column for name, column in rows().items() if name != "label" or not with_outcomes}
    early = pa.table(plain).append_column("x", pa.array([[1.0]] * COUNT)).append_column("y", pa.nulls(COUNT))
    later = pa.table(plain | {"id": [f"b{row}" for row in range(COUNT)]})
    later = later.append_column("x", pa.array([1.0] * COUNT)).append_column("y", pa.array([7] * COUNT))
    (tmp_path / "logs").mkdir()
    pq.write_table(early, tmp_path / "logs/a.parquet")
    pq.write_table(later.append_column("z", pa.array(["new"] * COUNT)), tmp_path / "logs/b.parquet")
    fields: dict[str, Any] = {}
    if with_outcomes:
        (tmp_path / "labels").mkdir()
        labels = {"id": early["id"], "label": pa.nulls(COUNT)}
        pq.write_table(pa.table(labels), tmp_path / "labels/a.parquet")
        pq.write_table(pa.table({"id": later["id"], "label": rows()["label"]}), tmp_path / "labels/b.parquet")
        fields["outcomes"] = OutcomesSpec(str(tmp_path / "labels"), "id", "label")
    found = values(measured(tmp_path / "logs", **fields))
    assert (found["quality/rows"], found["eval/accuracy"]) == (2 * COUNT, 0.5)
    assert found["eval/n"] == (COUNT if with_outcomes else 2 * COUNT)


def test_what_a_file_lacks_is_missing_in_its_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table(rows(region=lambda _: "eu")), tmp_path / "a.parquet")
    lacking = pa.table(rows(label=lambda row: ["NULL", "1"][row % 2])).drop_columns(["prediction"])
    pq.write_table(lacking, tmp_path / "b.parquet")
    found = values(measured(tmp_path, segments=("region",)))
    assert (found["quality/region=eu/rows"], found["quality/region=(missing)/rows"]) == (COUNT, COUNT)
    assert (found["eval/accuracy"], found["eval/n"]) == (0.5, COUNT)


def test_views_of_texts_are_texts(tmp_path: Path) -> None:
    views = {name: pa.array(cells).cast(pa.string_view()) for name, cells in rows().items()}
    pq.write_table(pa.table(views), tmp_path / "log.parquet")
    assert values(measured(tmp_path))["eval/accuracy"] == 0.5


def test_a_training_set_without_rows_is_no_reference(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(",".join(rows()) + "\n")
    with pytest.raises(SourceError, match="the training set has no rows"):
        capture_reference(open_log(str(tmp_path / "train.csv")), MeasureSpec("x", **SPEC))


def labelled_as(word: str) -> Cell:
    """A third of the labels say that there is none."""
    return lambda row: word if row % 3 == 0 else str(row // 2 % 2)


@pytest.mark.parametrize("referenced", [False, True])
@pytest.mark.parametrize("word", ["pending", "Unknown", "?", "-", ".", "missing", "nil", "none", "not labelled", "TBD"])
def test_a_placeholder_for_a_label_is_no_class(tmp_path: Path, word: str, referenced: bool) -> None:
    fields: dict[str, Any] = {}
    (tmp_path / "log.csv").write_text(csv(rows(label=labelled_as(word))))
    if referenced:
        fields["reference"] = str(tmp_path / "reference.npz")
        spec = MeasureSpec(str(tmp_path / "log.csv"), **SPEC)
        profile, _ = capture_reference(open_log(spec.files), spec)
        write_reference(Path(fields["reference"]), profile, {})
    result = measured(tmp_path / "log.csv", **fields)
    right = [row % 2 == row // 2 % 2 for row in range(COUNT) if row % 3]
    found = values(result)
    assert (found["eval/accuracy"], found["eval/n"]) == (sum(right) / 40, 40)
    assert found["quality/label=label/missing_rate"] == pytest.approx(1 / 3)
    assert f"20 labels are {word!r}, which no prediction ever is: taken as missing." in result.notes
    assert result.task == "two classes, '1' is positive"


def test_a_placeholder_in_the_outcomes_is_no_class(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(csv(rows()))
    truth = rows(label=labelled_as("pending"))
    (tmp_path / "truth.csv").write_text(csv({"id": truth["id"], "truth": truth["label"]}))
    joined = OutcomesSpec(str(tmp_path / "truth.csv"), "id", "truth")
    result = measured(tmp_path / "log.csv", label="truth", outcomes=joined)
    assert values(result)["eval/n"] == 40
    assert "20 labels are 'pending', which no prediction ever is: taken as missing." in result.notes


def test_a_word_that_is_predicted_is_a_class(tmp_path: Path) -> None:
    cells: dict[str, Cell] = {
        "label": lambda row: ("known", "Unknown", "none")[row % 3],
        "prediction": lambda row: ("known", "Unknown")[row % 2],
    }
    (tmp_path / "log.csv").write_text(csv(rows(**cells)))
    result = measured(tmp_path / "log.csv", positive="known")
    assert values(result)["eval/n"] == 40
    assert [note for note in result.notes if "no prediction ever is" in note] == [
        "20 labels are 'none', which no prediction ever is: taken as missing."
    ]


def test_a_placeholder_is_a_class_where_nothing_is_predicted(tmp_path: Path) -> None:
    """In a training set: a model that learnt it can predict it."""
    (tmp_path / "training.csv").write_text(csv({"label": rows(label=labelled_as("unknown"))["label"]}))
    path = str(tmp_path / "training.csv")
    profile, _ = capture_reference(open_log(path), MeasureSpec(path, **SPEC))
    column = profile.whole().columns["label"]
    assert isinstance(column, CategoricalProfile)
    assert column.counts == {"unknown": 20, "0": 20, "1": 20}


@pytest.mark.parametrize("word", ["-1", "9", "late"])
def test_a_class_that_is_never_predicted_is_noted(tmp_path: Path, word: str) -> None:
    (tmp_path / "log.csv").write_text(csv(rows(label=labelled_as(word))))
    result = measured(tmp_path / "log.csv")
    assert values(result)["eval/n"] == COUNT
    note = f"20 labels are {word!r}, which no prediction ever is: they count as wrong predictions. If it stands"
    assert any(found.startswith(note) for found in result.notes)


def test_rows_with_one_id_are_noted(tmp_path: Path) -> None:
    """Not where two versions, or two days, have rows of one id."""
    log = rows()
    versions, days = rows(version=lambda _: "v2"), rows(time=lambda _: "2026-11-21T10:00:00Z")
    distinct = {name: log[name] + versions[name] + days[name] for name in log}
    (tmp_path / "log.csv").write_text(csv(distinct))
    assert not any("repeat" in note for note in measured(tmp_path / "log.csv").notes)
    (tmp_path / "log.csv").write_text(csv({name: cells + cells[:7] for name, cells in distinct.items()}))
    said = "7 rows repeat the 'id' of another row of the same window and version, and every row counts."
    assert said in measured(tmp_path / "log.csv").notes


@pytest.mark.parametrize(
    ("prediction", "label", "hint"),
    [
        (("no", "yes"), ("No", "Yes"), "They differ in capitals: write `ignore_case: true`."),
        (("1.3", "2.3", "4.5"), ("1", "2", "5"), "If they are numbers, write `task: numbers`"),
        (("0.3", "0.6"), ("0", "1"), "Write the classes of both columns alike; a probability belongs under `score`."),
    ],
    ids=["capitals", "stars", "probabilities"],
)
def test_classes_that_never_meet_name_the_setting_that_helps(
    tmp_path: Path, prediction: tuple[str, ...], label: tuple[str, ...], hint: str
) -> None:
    cells: dict[str, Cell] = {
        "prediction": lambda row: prediction[row % len(prediction)],
        "label": lambda row: label[row // 2 % len(label)],
    }
    (tmp_path / "log.csv").write_text(csv(rows(**cells)))
    with pytest.raises(SourceError) as caught:
        measured(tmp_path / "log.csv")
    assert caught.value.hint.startswith(hint)
    assert caught.value.exit_code is Exit.USAGE
