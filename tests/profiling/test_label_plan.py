"""A labelling plan of a log: what it chooses, what it says, and that its weights give the accuracy of all rows."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import SourceError, UserError
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import OutcomesSpec
from modelwatch.profiling import label_plan
from modelwatch.profiling.label_plan import REPRESENTATIVE, UNCERTAIN, LabellingPlan, plan_labels
from modelwatch.stats.labels.coverage import deciles

from .logs import DAY, SPEC, START, log, write

ROWS = 2000
FILES = {"labels": "labels.parquet"}


def planned(
    folder: Path, budget: int = 100, strategy: str = REPRESENTATIVE, known: int = 600, table: pa.Table | None = None,
    since: float = -math.inf, until: float = math.inf, **changed: Any,
) -> LabellingPlan:  # fmt: skip
    """A plan for a log of which the first rows have an outcome."""
    whole = log(ROWS) if table is None else table
    outcomes = pa.table({"id": whole["id"], "label": whole["label"]}).slice(0, known)
    write(outcomes, folder / "labels.parquet")
    files = str(write(whole.drop_columns(["label"]), folder / "log.parquet"))
    spec = replace(SPEC, files=files, outcomes=OutcomesSpec(str(folder / "labels.parquet"), "id", "label"))
    model = Model("churn", (), measure=replace(spec, **changed))
    return plan_labels(model, budget, strategy, since, until, START + 3 * DAY, {}, RetryPolicy(), folder)


@pytest.mark.parametrize("strategy", [REPRESENTATIVE, UNCERTAIN])
def test_only_rows_without_a_label_are_chosen_as_many_as_can_be_labelled(strategy: str, tmp_path: Path) -> None:
    found = planned(tmp_path, 150, strategy)
    ids = [row.id for row in found.rows]
    assert len(set(ids)) == len(ids) == 150
    assert set(ids) <= {f"row-1-{row}" for row in range(600, ROWS)}
    assert found.unlabelled == 1400
    assert sum(stratum.drawn for stratum in found.strata) == 150
    assert sum(stratum.unlabelled for stratum in found.strata) == 1400
    assert sum(stratum.labelled for stratum in found.strata) == 600
    assert sum(1 / row.probability for row in found.rows) == pytest.approx(1400)


def test_every_tenth_of_the_score_in_every_segment_is_represented(tmp_path: Path) -> None:
    found = planned(tmp_path, segments=("region", "plan"), budget=200)
    drawn = Counter((*row.segments, min(int(row.score * 10), 9)) for row in found.rows)
    assert {(region, plan) for region, plan, _ in drawn} == {
        (a, b) for a in ("eu", "na") for b in ("free", "pro", "team")
    }
    assert len(found.strata) == 60
    assert min(stratum.drawn for stratum in found.strata) >= 1
    assert "region=eu, plan=free, score from" in " ".join(stratum.name for stratum in found.strata)


def test_the_weights_give_the_accuracy_of_all_rows(tmp_path: Path) -> None:
    table = log(6000, seed=3)
    right = dict(zip(table["id"].to_pylist(), np.array(table["prediction"]) == np.array(table["label"]), strict=True))
    errors: dict[str, list[float]] = {}
    for strategy in (REPRESENTATIVE, UNCERTAIN):
        rows = planned(tmp_path, 600, strategy, known=0, table=table).rows
        weights = np.array([1 / row.probability for row in rows])
        hits = np.array([right[row.id] for row in rows])
        errors[strategy] = [float((hits * weights).sum() / weights.sum()) - float(np.mean(list(right.values())))]
        assert abs(errors[strategy][0]) < 0.045
    plain = np.mean([right[row.id] for row in planned(tmp_path, 600, UNCERTAIN, known=0, table=table).rows])
    assert plain < np.mean(list(right.values())), "rows of which the model is unsure are chosen more often"


def test_labels_that_came_early_say_little_of_rows_that_wait(tmp_path: Path) -> None:
    """Negatives are known at once, positives later: the labels are of other rows than those to be labelled."""
    errors = []
    for seed in range(6):
        table = log(6000, seed=seed)
        label = np.array(table["label"])
        early = (np.random.default_rng(seed).random(6000) < np.where(label == "no", 0.9, 0.2)).astype(bool)
        table = table.take(pa.array(np.argsort(~early, kind="stable")))
        right = (np.array(table["prediction"]) == np.array(table["label"]))[early.sum() :]
        by_id = dict(zip(table["id"].to_pylist()[early.sum() :], right.tolist(), strict=True))
        found = planned(tmp_path, 400, UNCERTAIN, known=int(early.sum()), table=table, segments=("region",))
        weights = np.array([1 / row.probability for row in found.rows])
        assert found.effective == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
        assert found.effective > 200
        hits = np.array([by_id[row.id] for row in found.rows])
        errors.append(float((hits * weights).sum() / weights.sum() - right.mean()))
    assert float(np.sqrt(np.mean(np.square(errors)))) < 0.035
    assert " labels so far" in " ".join(row.reason for row in found.rows)


def test_strata_are_the_tenths_of_all_rows_that_weights_have(tmp_path: Path) -> None:
    """Low scores are labelled already: what is left is in the upper tenths of all, and not in ten tenths of its own."""
    table = log(ROWS, seed=4)
    scores = np.array(table["score"])
    table = table.take(pa.array(np.argsort(scores)))
    found = planned(tmp_path, 100, known=round(0.72 * ROWS), table=table, segments=())
    tenth_of = dict(zip(table["id"].to_pylist(), deciles(np.array(table["score"])).tolist(), strict=True))
    tenths = {stratum: {tenth_of[row.id] for row in found.rows if row.stratum == stratum} for stratum in
              {row.stratum for row in found.rows}}  # fmt: skip
    assert sorted(tenths.values(), key=min) == [{7}, {8}, {9}]
    assert [stratum.labelled > 0 for stratum in found.strata] == [True, False, False]


def test_the_same_log_gives_the_same_plan_in_any_order(tmp_path: Path) -> None:
    table = log(ROWS)
    shuffled = table.take(pa.array(np.random.default_rng(1).permutation(ROWS)))
    assert planned(tmp_path, known=0, table=table) == planned(tmp_path, known=0, table=shuffled)


def test_more_groups_than_rows(tmp_path: Path) -> None:
    found = planned(tmp_path, 12, segments=("region", "plan"))
    assert len(found.rows) == 12
    assert {row.probability for row in found.rows} == {12 / 1400}
    assert found.notes == ("60 strata are more than 12 rows: every 117th was drawn along them.",)


def test_a_budget_for_all(tmp_path: Path) -> None:
    found = planned(tmp_path, 10_000)
    assert (len(found.rows), {row.probability for row in found.rows}) == (1400, {1.0})


def test_a_period(tmp_path: Path) -> None:
    found = planned(tmp_path, 50, since=START + DAY, until=START + 1.5 * DAY)
    assert all(START + DAY <= row.time < START + 1.5 * DAY for row in found.rows)
    assert found.unlabelled == 500


def test_nothing_to_label(tmp_path: Path) -> None:
    found = planned(tmp_path, known=ROWS)
    assert found.rows == ()
    assert found.notes == ("there is nothing to label: every row of that time has one.",)
    assert found.to_csv().count("\n") == 1
    assert planned(tmp_path, since=START + 50 * DAY).rows == ()


def test_repeated_ids_count_once(tmp_path: Path) -> None:
    table = log(500)
    found = planned(tmp_path, 10_000, known=0, table=pa.concat_tables([table, table]))
    assert (len(found.rows), found.unlabelled) == (500, 500)


def test_a_log_that_does_not_fit_is_drawn_before_it_is_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_plan, "MAX_ROWS", 500)
    found = planned(tmp_path, 100, known=0)
    assert len(found.rows) == 100
    assert found.unlabelled == ROWS
    assert sum(1 / row.probability for row in found.rows) == pytest.approx(ROWS, rel=0.01)
    assert "were planned with" in found.notes[0]
    known = planned(tmp_path, 100, known=1000)
    assert sum(stratum.labelled for stratum in known.strata) == pytest.approx(1000, rel=0.15)


def test_without_scores_predictions_are_the_groups(tmp_path: Path) -> None:
    found = planned(tmp_path, score="")
    assert [stratum.name for stratum in found.strata] == [
        f"region={region}, prediction {word}" for region in ("eu", "na") for word in ("no", "yes")
    ]


@pytest.mark.parametrize("strategy", [REPRESENTATIVE, UNCERTAIN])
def test_a_regression(strategy: str, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    predicted = random.normal(100, 20, ROWS)
    actual = predicted + random.normal(0, 1, ROWS) * np.where(predicted > 110, 30, 1)
    table = log(ROWS, prediction=predicted, label=actual)
    found = planned(tmp_path, 200, strategy, table=table, score="", task="numbers", segments=())
    assert len(found.strata) == 10
    high = sum(row.score > 110 for row in found.rows) / 200
    assert high > 0.6 if strategy == UNCERTAIN else high < 0.4


def test_the_csv_file_can_be_read_back(tmp_path: Path) -> None:
    table = log(100, id=['a"b,c'] + ["NA"] + [f"=1+{row}" for row in range(98)])
    found = planned(tmp_path, 100, known=0, table=table)
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert {row["id"] for row in rows} == set(table["id"].to_pylist())
    assert list(rows[0]) == [
        *("id", "time", "version", "region", "score", "prediction", "stratum", "reason", "probability", "weight")
    ]
    assert all(float(row["weight"]) == pytest.approx(1 / float(row["probability"])) for row in rows)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the log of 'churn' has no id"):
        planned(tmp_path, id="", outcomes=None, label="")
    with pytest.raises(SourceError, match=r"no column 'regoin'\. Did you mean"):
        planned(tmp_path, segments=("regoin",))
