"""Histograms out of rows of history: both forms that W&B logs, which are wanted, and what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.sources.cell_parsing import parse_histogram
from modelwatch.sources.requirements import ReadRequest, histogram_patterns, key_requests, plan_read
from modelwatch.sources.series_builder import SeriesBuilder
from modelwatch.timeutil import HOUR

from .builders import NOW, Wandb, model, pull, rule

PSI = rule("features/*/psi", name="drift")


def cell(*values: float, low: float = 0.0) -> dict[str, Any]:
    return {"_type": "histogram", "bins": [low + i for i in range(len(values) + 1)], "values": list(values)}


def assembler() -> SeriesBuilder:
    wants, notes = key_requests([PSI])
    return SeriesBuilder(ReadRequest(wants, 0.0, None, notes, histogram_patterns([PSI])))


def test_packed_bins_are_equally_wide() -> None:
    found = parse_histogram(
        {"_type": "histogram", "packedBins": {"min": -1, "size": 0.5, "count": 3}, "values": [1, 0, 2]}
    )
    assert found is not None
    assert (list(found[0]), list(found[1])) == ([-1.0, -0.5, 0.0, 0.5], [1.0, 0.0, 2.0])


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"bins": [0, 1], "values": []},
        {"bins": [0, 1], "values": [1, 2]},
        {"bins": [0, 0], "values": [1]},
        {"bins": [1, 0], "values": [1]},
        {"bins": [0, 1], "values": [-1]},
        {"bins": [0, "NaN"], "values": [1]},
        {"bins": [0, float("inf")], "values": [1]},
        {"bins": None, "values": 3},
        {"packedBins": {"min": 0, "size": 0, "count": 1}, "values": [1]},
        {"packedBins": {"min": 0, "count": 1}, "values": [1]},
        {"packedBins": {"min": 0, "size": 1, "count": 1e9}, "values": [1]},
    ],
)
def test_what_is_no_whole_histogram_is_none(broken: dict[str, Any]) -> None:
    assert parse_histogram({"_type": "histogram", **broken}) is None


def test_histograms_are_taken_from_the_feature_s_key_or_beside_it_nested_or_not() -> None:
    one = assembler()
    one.add_row({"_timestamp": 10, "features/age": cell(1, 2), "other": cell(5)}, "v1")
    one.add_row({"_timestamp": 20, "features": {"age": cell(3, 4)}, "features/tenure/histogram": cell(1)}, "v2")
    one.add_row({"_timestamp": 30, "features.age": cell(5, 6)}, "")
    got = {(found.name, found.labels): found for found in one.histograms()}
    age, tenure = got["features", (("features", "age"),)], got["features/histogram", (("features", "tenure"),)]
    assert len(got) == 2
    assert list(age.times) == [10, 20, 30]
    assert [list(counts) for counts in age.counts] == [[1, 2], [3, 4], [5, 6]]
    assert [age.versions[place] if place >= 0 else "" for place in age.version_of] == ["v1", "v2", ""]
    assert list(tenure.edges[0]) == [0, 1]
    assert one.series() == ()
    assert one.notes() == ()


def test_numbers_may_reach_back_further_than_histograms() -> None:
    wants, _ = key_requests([PSI])
    one = SeriesBuilder(ReadRequest(wants, 0.0, histograms=histogram_patterns([PSI]), histograms_since=20.0))
    for time in (10, 20, 30):
        one.add_row({"_timestamp": time, "features/age": cell(1, 2), "features/age/psi": 0.1}, "v1")
    assert [list(found.times) for found in one.histograms()] == [[20, 30]]
    assert [list(found.times) for found in one.series()] == [[10, 20, 30]]


def test_of_two_histograms_for_one_time_the_newest_write_wins() -> None:
    wants, _ = key_requests([PSI])
    one = SeriesBuilder(ReadRequest(wants, 0.0, histograms=histogram_patterns([PSI])), time_key="when")
    for logged, count in ((100, 1), (300, 3), (200, 2)):
        one.add_row({"_timestamp": logged, "when": 50, "features/age": cell(count)}, "")
    assert [list(counts) for counts in one.histograms()[0].counts] == [[3]]


def test_a_broken_histogram_is_left_out_and_told() -> None:
    one = assembler()
    assert not one.add_row({"_timestamp": 10, "features/age": {"_type": "histogram", "bins": [0], "values": [1]}}, "")
    assert one.histograms() == ()
    assert any("features/age: 1 values left out" in note for note in one.notes())


def test_nobody_reads_histograms_for_other_metrics() -> None:
    assert histogram_patterns([rule("eval/accuracy")]) == ()
    wanted = (KeyPattern("features/*"), KeyPattern("features/*/histogram"), KeyPattern("features/*/categories"))
    assert plan_read(model(PSI), NOW).histograms == wanted
    assert histogram_patterns([rule("features/*/classifier_auc")]) == ()


def test_scalars_are_still_found_beside_histograms() -> None:
    one = assembler()
    one.add_row({"_timestamp": 10, "features/age/psi": 0.2, "features/age": cell(1)}, "")
    one.add_row({"_timestamp": 20, "features": {"age": {"psi": 0.3}}}, "")
    (psi,) = one.series()
    assert (psi.name, psi.labels, list(psi.values)) == ("features/psi", (("features", "age"),), [0.2, 0.3])


def test_histograms_come_through_the_client(wandb_server: Wandb) -> None:
    rows = [{"_timestamp": NOW - 5 * HOUR + i * HOUR, "features/age": cell(i, 1)} for i in range(5)]
    wandb_server.standin.state.add_run("acme", "churn", "day", history=rows, created_at=NOW - 6 * HOUR)
    found = pull(model(PSI), NOW)
    assert found.error == ""
    (age,) = found.histograms
    assert [list(counts) for counts in age.counts] == [[float(i), 1.0] for i in range(5)]
    assert not any("features/*/psi" in note for note in found.notes)
