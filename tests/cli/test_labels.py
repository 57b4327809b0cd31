"""``modelwatch labels``: the commands, and the page that shows them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt

from modelwatch.cli import group
from modelwatch.runbooks.check import command_problem, split_commands
from tests.profiling.logs import log, write

PAGE = (Path(__file__).resolve().parents[2] / ".github/LABELS.md").read_text("utf-8")
BLOCKS = [(token.info, token.content) for token in MarkdownIt().parse(PAGE) if token.type == "fence"]
NOW = "2026-11-23"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's configuration, with a log, outcomes of its first half, and what three annotators said of them."""
    table = log(1200).rename_columns(
        ["request_id", "time", "version", "age", "income", "plan", "signed", "region", "score", "predicted", "churned"]
    )
    outcomes = table.select(["request_id", "churned"]).append_column("known_at", table["time"]).slice(0, 600)
    write(outcomes, tmp_path / "labels" / "part.parquet")
    write(table.drop_columns(["churned"]), tmp_path / "logs" / "part.parquet")
    random = np.random.default_rng(2)
    columns: dict[str, list[object]] = {name: [] for name in ("request_id", "annotator", "label", "judged_at")}
    for row in outcomes.to_pylist():
        for who in ("ada", "bob", "cy"):
            is_late = row["known_at"] > outcomes["known_at"][300].as_py()
            guess = random.random() < (0.9 if who == "cy" and is_late else 0.1)
            said = str(random.choice(["yes", "no"])) if guess else row["churned"]
            for name, cell in zip(columns, (row["request_id"], who, said, row["known_at"]), strict=True):
                columns[name].append(cell)
    write(pa.table(columns), tmp_path / "annotations" / "part.parquet")
    (tmp_path / "modelwatch.yml").write_text(next(text for info, text in BLOCKS if text.startswith("version: 1")))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["labels", *arguments, "--now", NOW])


def test_a_plan_is_written_and_shown(folder: Path) -> None:
    done = call("plan", "churn", "--budget", "50", "--out", "plan.csv")
    assert done.exit_code == 0, done.output
    assert "50 of 600 rows without a label, weighed by `weight` worth 49 drawn evenly." in done.output
    assert "region=eu, score below 0." in done.output
    assert "Written to plan.csv." in done.output
    rows = list(csv.DictReader((folder / "plan.csv").open()))
    assert len(rows) == 50
    assert sum(float(row["weight"]) for row in rows) == pytest.approx(600, rel=1e-4)
    assert (
        call("plan", "churn", "--budget", "50", "--out", "-")
        .stdout.splitlines()[0]
        .startswith("id,time,version,region")
    )


def test_a_plan_for_scripts(folder: Path) -> None:
    done = call("plan", "churn", "--budget", "20", "--strategy", "uncertain", "--format", "json")
    found = json.loads(done.stdout)
    assert (found["model"], found["strategy"], found["unlabelled"], len(found["rows"])) == (
        "churn",
        "uncertain",
        600,
        20,
    )
    assert set(found["rows"][0]) >= {"id", "segments", "reason", "probability", "stratum"}
    assert found["rows"][0]["segments"].keys() == {"region"}


def test_agreement_is_shown_and_who_drifted(folder: Path) -> None:
    done = call("agreement", "churn")
    assert done.exit_code == 0, done.output
    assert "Krippendorff's alpha (nominal): 0." in done.output
    assert "Fleiss' kappa: 0." in done.output
    (fell,) = (line for line in done.output.splitlines() if line.endswith("FELL") and line.startswith("  cy"))
    assert "earlier 0.8" in fell
    assert "  ada, bob: 0.8" in done.output
    found = json.loads(call("agreement", "churn", "--format", "json").stdout)
    assert {pair["annotators"][0] + pair["annotators"][1] for pair in found["pairs"]} == {"adabob", "adacy", "bobcy"}
    later = {one["annotator"]: one["later"]["value"] for one in found["annotators"]}
    assert later["cy"] < 0.2 < 0.4 < later["ada"]
    assert found["krippendorff_alpha"]["items"] == 600
    assert found["annotator_error"]["low"] < found["annotator_error"]["value"] < (1 - found["agreement_share"]["value"])
    assert "Judgements that are wrong, if annotators err independently and alike: 0." in done.output


def test_a_time_in_which_nobody_judged(folder: Path) -> None:
    done = call("agreement", "churn", "--since", "2027-01-01")
    assert done.exit_code == 0, done.output
    assert "not defined (0 items)" in done.output
    assert (
        json.loads(call("agreement", "churn", "--since", "2027-01-01", "--format", "json").stdout)["annotators"] == []
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "churm", "--budget", "5"), "there is no model 'churm'. Did you mean `churn`?"),
        (("plan", "churn"), "Missing option '--budget'"),
        (("plan", "churn", "--budget", "0"), "0 is not in the range"),
        (("plan", "churn", "--budget", "5", "--strategy", "random"), "'random' is none of representative, uncertain"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, folder: Path) -> None:
    done = call(*arguments)
    assert done.exit_code != 0
    assert message in done.output + str(done.exception)


def test_a_model_without_annotations(folder: Path) -> None:
    text = (folder / "modelwatch.yml").read_text()
    lines = [line for line in text.splitlines() if "annotations:" not in line]
    (folder / "modelwatch.yml").write_text("\n".join(lines))
    done = call("agreement", "churn")
    assert "the model 'churn' names no annotations. Give `measure: {annotations:" in str(done.exception)


@pytest.mark.parametrize(
    "arguments", [("agreement", "churn"), ("plan", "churn", "--budget", "5"), ("measure", "--no-publish")]
)
def test_a_baseline_that_is_not_captured_yet_stops_nothing_that_judges_nothing(
    arguments: tuple[str, ...], folder: Path
) -> None:
    rule = "{name: a, kind: accuracy-drop, metric: eval/accuracy, baseline: {file: a.json}, tiers: {error: {drop: 5%}}}"
    path = folder / "modelwatch.yml"
    before, _, _ = path.read_text().partition("    rules:")
    path.write_text(f"{before}    rules:\n      - {rule}\n")
    words = arguments if arguments[0] == "measure" else ("labels", *arguments)
    done = CliRunner().invoke(group, [*words, "--config", str(path)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "warning: " in done.output
    assert "the baseline file a.json" in done.output


def test_every_command_of_the_page_parses() -> None:
    found = [line for info, text in BLOCKS for line in text.splitlines() if line.startswith("modelwatch ")]
    assert len(found) >= 3
    for line in found:
        assert [command_problem(argv, group) for argv in split_commands(line.partition("#")[0].strip())] == [""]


def late_labels(folder: Path, recent: float) -> None:
    """60 days of rows, a tenth of which never get a label; it takes 4 days on average, ``recent`` for the last 15."""
    table = log(6000, days=60).rename_columns(
        ["request_id", "time", "version", "age", "income", "plan", "signed", "region", "score", "predicted", "churned"]
    )
    times = np.array(table["time"])
    random = np.random.default_rng(1)
    delays = random.exponential(1.0, 6000) * np.where(times > times[-1] - 15 * 86_400, recent, 4.0) * 86_400
    kept = random.random(6000) < 0.9
    outcomes = table.select(["request_id", "churned"]).append_column("known_at", pa.array(times + delays))
    write(outcomes.filter(pa.array(kept)), folder / "labels" / "part.parquet")
    write(table.drop_columns(["churned"]), folder / "logs" / "part.parquet")


def test_delays_are_shown_with_those_that_wait(folder: Path) -> None:
    late_labels(folder, 4.0)
    done = CliRunner().invoke(group, ["labels", "delay", "churn", "--now", "2027-01-19"])
    assert done.exit_code == 0, done.output
    assert "% get a label." in done.output
    assert "50 % of the labels are there after 2." in done.output
    assert "CHANGED" not in done.output
    assert "Windows are mature after 1" in done.output
    command = ["labels", "delay", "churn", "--format", "json", "--now", "2027-01-19"]
    found = json.loads(CliRunner().invoke(group, command).stdout)
    delays = found["delays"]
    assert delays["coverage"] == pytest.approx(0.9, abs=0.02)
    assert delays["quantiles"]["p50"]["usual"]["value"] == pytest.approx(4 * np.log(2), rel=0.1)
    assert delays["quantiles"]["p90"]["usual"]["value"] == pytest.approx(4 * np.log(10), rel=0.1)
    assert set(delays["quantiles"]["p90"]["classes"]) == {"yes", "no"}
    (week,) = (row for row in delays["missing_share"] if row["days"] == 7)
    assert week["usual"] == pytest.approx(0.1 + 0.9 * np.exp(-7 / 4), abs=0.02)


def test_slower_labels_are_seen_before_they_are_there(folder: Path) -> None:
    late_labels(folder, 12.0)
    done = CliRunner().invoke(group, ["labels", "delay", "churn", "--now", "2027-01-19"])
    assert done.exit_code == 0, done.output
    assert any(line.endswith("CHANGED") for line in done.output.splitlines())


def test_without_a_time_of_labels_and_before_the_first_window(folder: Path) -> None:
    assert "Nothing is known of delays yet: it takes 30 rows" in CliRunner().invoke(
        group, ["labels", "delay", "churn", "--now", "2026-11-20T00:00:01Z"]
    ).output  # fmt: skip
    text = (folder / "modelwatch.yml").read_text().replace(", label_time: known_at", "")
    (folder / "modelwatch.yml").write_text(text)
    assert "nothing says when the labels of 'churn' came. Give `label_time`" in str(call("delay", "churn").exception)


@pytest.mark.parametrize(
    ("day", "labelled", "expected"),
    [
        (
            14,
            0.9,
            "have no label, which may be late or never come. The log reaches back 14 days, and must reach back ",
        ),
        (25, 0.9, "The log reaches back 25 days, and must reach back 29, or until fewer than 2 % have none."),
        (14, 0.004, "it takes 30 labels of one class, and there are "),
        (14, 0.0, "rows has a label with a time."),
    ],
)
def test_a_short_log_says_how_long_is_long_enough(folder: Path, day: int, labelled: float, expected: str) -> None:
    late_labels(folder, 4.0)
    table = pq.read_table(folder / "labels" / "part.parquet")
    write(table.slice(0, round(labelled * len(table))) if labelled < 0.5 else table, folder / "labels" / "part.parquet")
    now = str(1_763_596_800 + (day + 365) * 86_400)
    done = CliRunner().invoke(group, ["labels", "delay", "churn", "--now", now])
    assert done.exit_code == 0, done.output
    assert "When windows have their labels is not known yet: " in done.output
    assert expected in done.output
    found = json.loads(CliRunner().invoke(group, ["labels", "delay", "churn", "--format", "json", "--now", now]).stdout)
    assert expected in found["delays"]["why_unknown"]
