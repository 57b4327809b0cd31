"""Pairing two tables: matched rows, and reports of rows that are left out."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.errors import SourceError, UserError
from modelwatch.model.gate import GateDecision
from modelwatch.model.monitored_model import GateSpec
from modelwatch.model.prediction_log import MeasureSpec, RankingSpec
from modelwatch.profiling.readers import PredictionLog, open_log
from modelwatch.release.comparison import Comparison
from modelwatch.release.gate import GateSubject, judge_candidate
from modelwatch.release.pairing import read_comparison

from .tables import MEASURE, SPEC, part, table

ABOUT = GateSubject("churn", "v7", "v8", 0.0)


def said(found: Comparison) -> str:
    return " ".join(trouble.words for trouble in found.problems)


def held(found: Comparison, spec: GateSpec = SPEC) -> bool:
    return judge_candidate([found], spec, ABOUT).decision is GateDecision.HOLD


def test_rows_are_laid_side_by_side_whatever_their_order(tmp_path: Path) -> None:
    champion, candidate = table(seed=1), table(seed=2)
    order = np.random.default_rng(3).permutation(400)
    shuffled = {name: np.asarray(column)[order] for name, column in candidate.items()}
    one, other = part(tmp_path, champion, candidate), part(tmp_path, champion, shuffled)
    assert one.pairs.n == other.pairs.n == 400
    assert not one.problems
    for found in (one, other):
        label, ours, theirs = found.pairs.codes()
        assert (ours == label).mean() == (champion["prediction"] == champion["label"]).mean()
        assert (theirs == label).mean() == (candidate["prediction"] == candidate["label"]).mean()
    assert judge_candidate([one], SPEC, ABOUT) == judge_candidate([other], SPEC, ABOUT)


def test_numbers_and_texts_of_one_id_are_the_same_id(tmp_path: Path) -> None:
    numbers = np.arange(400)
    found = part(tmp_path, table(id=numbers), table(id=[str(number) for number in numbers]))
    assert found.pairs.n == 400
    assert not found.problems


def without(rows: dict[str, Any], gone: int) -> dict[str, Any]:
    return {name: np.asarray(column)[gone:] for name, column in rows.items()}


def test_rows_that_are_missing_on_one_side_hold(tmp_path: Path) -> None:
    """What the candidate did not score may be what it could not."""
    found = part(tmp_path, table(right=0.6), without(table(seed=2, right=0.99), 7))
    assert found.pairs.n == 393
    assert "7 rows of the champion's table are missing in the candidate's" in said(found)
    assert held(found)
    found = part(tmp_path, without(table(), 3), table(seed=2))
    assert "3 rows of the candidate's table are missing in the champion's" in said(found)


def test_ids_that_stand_twice_hold(tmp_path: Path) -> None:
    rows = table(seed=2)
    twice = {name: np.append(np.asarray(column), np.asarray(column)[:5]) for name, column in rows.items()}
    found = part(tmp_path, table(), twice)
    assert found.pairs.n == 395
    assert said(found) == "5 ids occur more than once in the candidate's table, in 10 rows."
    assert held(found)


def test_rows_without_an_id_hold(tmp_path: Path) -> None:
    ids = [None if place < 4 else f"row-{place}" for place in range(400)]
    found = part(tmp_path, table(id=ids), table(id=ids, seed=2))
    assert found.pairs.n == 396
    assert "4 rows of the champion's table have no id." in said(found)
    assert held(found)


def test_labels_that_differ_hold(tmp_path: Path) -> None:
    rows = table()
    label = rows["label"].copy()
    label[:9] = 1 - label[:9]
    found = part(tmp_path, rows, table(seed=2, label=label))
    assert found.pairs.n == 391
    assert "the two tables differ in the label of 9 rows." in said(found)
    assert held(found)


def test_a_label_on_either_side_is_enough(tmp_path: Path) -> None:
    found = part(tmp_path, table(), table(seed=2, label=None))
    assert found.pairs.n == 400
    assert not found.problems
    with pytest.raises(SourceError, match="neither table has the label 'label'"):
        part(tmp_path, table(label=None), table(seed=2, label=None))


def test_labels_that_are_not_known_yet_are_left_out_and_told(tmp_path: Path) -> None:
    label = [None if place < 50 else int(one) for place, one in enumerate(table()["label"])]
    found = part(tmp_path, table(label=label), table(seed=2, label=label))
    assert found.pairs.n == 350
    assert not found.problems
    assert "50 rows have no label yet" in found.notes[0]


def test_answers_that_one_side_lacks_hold(tmp_path: Path) -> None:
    rows = table(seed=2)
    prediction = [None if place < 6 else int(one) for place, one in enumerate(rows["prediction"])]
    found = part(tmp_path, table(), table(seed=2, prediction=prediction))
    assert found.pairs.n == 394
    assert "the candidate has no prediction for 6 rows." in said(found)
    assert held(found)
    found = part(tmp_path, table(prediction=prediction), table(seed=2, prediction=prediction))
    assert not found.problems
    assert "neither version has a prediction for 6 rows" in found.notes[0]


@pytest.mark.parametrize("empty", [("champion",), ("candidate",), ("champion", "candidate")])
def test_empty_tables_hold(tmp_path: Path, empty: tuple[str, ...]) -> None:
    champion, candidate = (table(0) if who in empty else table() for who in ("champion", "candidate"))
    found = part(tmp_path, champion, candidate)
    assert found.pairs.n == 0
    assert "the two tables have no row in common" in said(found)
    assert held(found)


def test_tables_without_a_common_row_hold(tmp_path: Path) -> None:
    found = part(tmp_path, table(), table(id=[f"other-{place}" for place in range(400)]))
    assert found.pairs.n == 0
    assert held(found)


def test_one_label_alone_holds(tmp_path: Path) -> None:
    same = np.ones(400, dtype=int)
    found = part(tmp_path, table(label=same, right=0.5), table(label=same, prediction=same))
    assert "every row has the same label" in said(found)
    assert held(found)


def test_predictions_that_are_never_a_label_hold(tmp_path: Path) -> None:
    rows = table(seed=2)
    found = part(tmp_path, table(), table(seed=2, prediction=np.where(rows["prediction"], "yes", "no")))
    assert "no prediction of the candidate is ever a label" in said(found)
    assert held(found)


@pytest.mark.parametrize("spelling", ["float", "bool", "decimal", "spaces", "True and False"])
def test_one_class_has_one_name_however_it_is_spelled(tmp_path: Path, spelling: str) -> None:
    cells = table(seed=2)["prediction"]
    spelled: dict[str, Any] = {
        "float": cells.astype(float),
        "bool": cells.astype(bool),
        "decimal": pa.array([Decimal(f"{cell}.00") for cell in cells.tolist()]),
        "spaces": np.char.add(np.char.add(" ", cells.astype(str)), " "),
        "True and False": cells.astype(bool).astype(str),
    }
    plain, found = (part(tmp_path, table(), table(seed=2, prediction=column)) for column in (cells, spelled[spelling]))
    assert found.pairs.classes == ("0", "1")
    assert not found.problems
    assert np.array_equal(found.pairs.codes(), plain.pairs.codes())


def test_which_of_two_classes_is_positive_is_never_guessed(tmp_path: Path) -> None:
    rows = table()
    words: dict[str, Any] = {name: np.where(rows[name] == 1, "fraud", "legit") for name in ("label", "prediction")}
    with pytest.raises(UserError, match="the labels are 'fraud' and 'legit', and nothing says whose probability"):
        part(tmp_path, table(**words), table(**words))
    plain = part(tmp_path, table(), table())
    found = part(tmp_path, table(**words), table(**words), replace(MEASURE, positive="fraud"))
    assert found.pairs.classes == ("legit", "fraud")
    assert np.array_equal(np.asarray(found.pairs.positive), np.asarray(plain.pairs.positive))
    assert np.array_equal(found.pairs.codes(), plain.pairs.codes())


def test_segments_that_differ_are_told_and_the_champions_count(tmp_path: Path) -> None:
    region = table()["region"].copy()
    region[:8] = "mars"
    found = part(tmp_path, table(), table(seed=2, region=region))
    assert "region differs in 8 rows; the champion's table counts." in found.notes[0]
    assert "mars" not in [found.segments[0].values[code] for code in np.unique(found.segments[0].codes)]


def test_what_is_missing_of_a_segment_is_a_segment(tmp_path: Path) -> None:
    region = [None if place < 150 else "eu" for place in range(400)]
    found = part(tmp_path, table(region=region), table(seed=2, region=region))
    gate = judge_candidate([found], SPEC, ABOUT)
    assert {row.segment for row in gate.rows if row.segment} == {"region=eu", "region=(missing)"}


def test_rare_values_are_judged_together(tmp_path: Path) -> None:
    region = np.array([f"r{place % 80:02}" for place in range(4000)])
    found = part(tmp_path, table(4000, region=region), table(4000, seed=2, region=region))
    gate = judge_candidate([found], replace(SPEC, least=50), ABOUT)
    assert {row.segment for row in gate.rows if "(other)" in row.segment} == {"region=(other)"}
    assert sum(row.segment.startswith("region=") for row in gate.rows) == 51


def test_columns_that_are_missing_are_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no column 'prediction'"):
        part(tmp_path, table(), table(prediction=None))
    with pytest.raises(SourceError, match="neither table has the segment column 'region'"):
        part(tmp_path, table(region=None), table(region=None))
    with pytest.raises(UserError, match="requires id and label"):
        part(tmp_path, table(), table(), MeasureSpec(prediction="prediction"))
    with pytest.raises(UserError, match="requires score"):
        part(tmp_path, table(), table(), replace(MEASURE, score=""), GateSpec(metric="auc"))
    with pytest.raises(UserError, match="'aucc' is no metric"):
        part(tmp_path, table(), table(), gate=GateSpec(metric="aucc"))
    with pytest.raises(UserError, match="the module 'json' has no function 'profit'"):
        part(tmp_path, table(), table(), gate=GateSpec(metric="json.profit"))


def test_what_rows_are_worth_can_be_what_counts(tmp_path: Path) -> None:
    """Right where it is worth something, wrong where it is not."""
    spec = GateSpec(metric="accuracy_by_value")
    rows, worth = table(seed=1, right=0.9), np.where(np.arange(400) < 200, 10.0, 0.1)
    label = rows["label"]
    other = table(seed=2, prediction=np.where((np.arange(400) < 250), label, 1 - label), value=worth)
    found = part(tmp_path, rows | {"value": worth}, other, gate=spec)
    gate = judge_candidate([found], spec, ABOUT)
    assert gate.decision is GateDecision.PROMOTE
    assert judge_candidate([part(tmp_path, rows, other)], SPEC, ABOUT).decision is GateDecision.REJECT
    with pytest.raises(UserError, match="comparing two versions by accuracy_by_value requires value"):
        part(tmp_path, rows, other, replace(MEASURE, value=""), spec)
    with pytest.raises(SourceError, match="neither table has the value 'value'"):
        part(tmp_path, rows | {"value": None}, other | {"value": None}, gate=spec)


def test_a_score_is_of_two_classes(tmp_path: Path) -> None:
    label = np.arange(400) % 3
    with pytest.raises(UserError, match="the tables hold 3: 0, 1, 2"):
        part(tmp_path, table(label=label), table(label=label), gate=GateSpec(metric="auc"))
    with pytest.raises(UserError, match=r"the tables hold 3: 0, 1, 2. Choose .* such as f1_macro"):
        part(tmp_path, table(label=label), table(label=label), gate=GateSpec(metric="f1"))


def test_scores_need_no_predictions(tmp_path: Path) -> None:
    gate = GateSpec(metric="auc")
    found = part(tmp_path, table(prediction=None), table(seed=2, prediction=None), gate=gate)
    assert found.pairs.positive is not None
    assert (found.pairs.positive.mean()) == table()["label"].mean()
    scores = [None if place < 6 else float(one) for place, one in enumerate(table()["score"])]
    found = part(tmp_path, table(), table(seed=2, score=scores), gate=gate)
    assert "the candidate has no score for 6 rows." in said(found)
    assert held(found, gate)


def test_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 1, 400)
    spec = GateSpec(metric="mae")
    champion, candidate = (table(label=truth, prediction=truth + rng.normal(0, spread, 400)) for spread in (1, 0.5))
    found = part(tmp_path, champion, candidate, gate=spec)
    assert judge_candidate([found], spec, ABOUT).decision is GateDecision.PROMOTE
    candidate["prediction"][:3] = np.nan
    found = part(tmp_path, champion, candidate, gate=spec)
    assert "the candidate has no prediction for 3 rows." in said(found)


RANKING = replace(MEASURE, prediction="", ranking=RankingSpec("query", 3))


def lists(seed: int, noise: float, queries: int = 150, **columns: Any) -> dict[str, Any]:
    """Eight rows a query, of which two are relevant; the better a model, the less noise is in its scores."""
    relevance = np.tile([2, 1, 0, 0, 0, 0, 0, 0], queries)
    query = np.repeat([f"q{place}" for place in range(queries)], 8)
    score = relevance + np.random.default_rng(seed).normal(0, noise, len(query))
    region = np.where(np.arange(len(query)) // 8 % 3, "eu", "us")
    return table(len(query), label=relevance, score=score, query=query, region=region, prediction=None) | columns


def test_rankings_are_compared_by_query(tmp_path: Path) -> None:
    spec = GateSpec(metric="ndcg", segments=("region",), least=50)
    found = part(tmp_path, lists(1, 3.0), lists(2, 1.0), RANKING, spec)
    assert (found.pairs.n, found.pairs.units, found.problems) == (1200, 150, ())
    gate = judge_candidate([found], spec, ABOUT)
    assert gate.decision is GateDecision.PROMOTE, gate.reasons
    whole, *guarded = (row for row in gate.rows if row.what == "ndcg")
    assert whole.n == 150
    assert [(row.segment, row.n) for row in guarded] == [("region=eu", 100), ("region=us", 50)]
    assert [row.n for row in gate.rows if row.what == "hit_rate"] == [150]


def test_segments_of_rankings_are_guarded_by_their_queries(tmp_path: Path) -> None:
    """400 rows of 50 queries are 50 things that stand for themselves."""
    spec = GateSpec(metric="hit_rate", segments=("region",), least=60)
    gate = judge_candidate([part(tmp_path, lists(1, 3.0), lists(2, 1.0), RANKING, spec)], spec, ABOUT)
    words = {row.segment: row.words for row in gate.rows if row.segment}
    assert words["region: others"] == "1 value has fewer than 60 queries; not guarded."
    few = judge_candidate([part(tmp_path, lists(1, 3.0, 20), lists(2, 1.0, 20), RANKING, spec)], spec, ABOUT)
    assert few.decision is GateDecision.HOLD
    assert "20 queries are fewer than the 60 that a decision needs." in few.reasons[0]


def test_what_is_wrong_with_a_ranking_is_told(tmp_path: Path) -> None:
    spec = GateSpec(metric="ndcg")
    other = lists(2, 1.0)
    other["query"][:8] = "q1"
    found = part(tmp_path, lists(1, 3.0), other, RANKING, spec)
    assert said(found) == "the two tables differ in the query of 8 rows."
    assert held(found, spec)
    with pytest.raises(UserError, match="comparing two versions by ndcg requires ranking"):
        part(tmp_path, lists(1, 3.0), lists(2, 1.0), gate=spec)
    with pytest.raises(SourceError, match="neither table has the query 'query'"):
        part(tmp_path, lists(1, 3.0, query=None), lists(2, 1.0, query=None), RANKING, spec)
    negative = -lists(1, 1.0)["label"]
    with pytest.raises(SourceError, match="'label' is negative in some rows, so it is not a relevance"):
        part(tmp_path, lists(1, 3.0, label=negative), lists(2, 1.0, label=negative), RANKING, spec)


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    champion, candidate = table(seed=1), table(seed=2)
    expected = judge_candidate([part(tmp_path, champion, candidate)], SPEC, ABOUT)

    def as_csv(name: str, rows: dict[str, Any]) -> PredictionLog:
        lines = [",".join(rows), *(",".join(map(str, row)) for row in zip(*rows.values(), strict=True))]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return open_log(str(tmp_path / name))

    found = read_comparison("recent", as_csv("1.csv", champion), as_csv("2.csv", candidate), MEASURE, SPEC)
    assert judge_candidate([found], SPEC, ABOUT) == expected


def labelled(seed: int, word: str, every: int) -> dict[str, Any]:
    rows = table(seed=seed, right=0.8 if seed == 1 else 0.95)
    places = np.arange(400) % every == 0
    label = np.where(places, word, rows["label"].astype(str))
    return rows | {"label": label, "prediction": rows["prediction"].astype(str)}


def test_a_placeholder_for_a_label_is_no_class(tmp_path: Path) -> None:
    found = part(tmp_path, labelled(1, "pending", 4), labelled(2, "pending", 4))
    assert found.pairs.n == 300
    assert "recent: 100 labels are 'pending', which no prediction ever is: taken as missing." in found.notes
    assert not found.problems


def test_a_placeholder_that_one_version_predicts_is_a_class(tmp_path: Path) -> None:
    ours, theirs = labelled(1, "pending", 4), labelled(2, "pending", 4)
    ours["prediction"] = np.where(np.arange(400) == 0, "pending", ours["prediction"])
    found = part(tmp_path, ours, theirs)
    assert found.pairs.n == 400
    assert not any("taken as missing" in note for note in found.notes)


@pytest.mark.parametrize(("every", "holds"), [(4, True), (50, False)])
def test_many_labels_that_neither_version_predicts_hold(every: int, holds: bool, tmp_path: Path) -> None:
    found = part(tmp_path, labelled(1, "9", every), labelled(2, "9", every))
    words = f"{400 // every} labels are '9', which no prediction ever is: they count as wrong predictions."
    assert found.pairs.n == 400
    assert (words in said(found)) is holds
    assert held(found) is holds
    assert any(words in note for note in found.notes) is not holds
