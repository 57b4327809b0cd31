"""The rows that W&B gets: data quality, performance and histograms, from profiles alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.profiling.profile_plan import plan_from_reference
from modelwatch.profiling.profiler import profile_partition
from modelwatch.profiling.quality import count_outside, excess, vanished_categories, without_unknown_formats
from modelwatch.profiling.wandb_rows import MetricRow, metric_rows
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.table import Profile

from .logs import DAY, SPEC, START, log
from .test_profiler import TABLE, WHOLE

REFERENCE = WHOLE.whole()
NOW = START + 3 * DAY


def measured(table: pa.Table) -> list[MetricRow]:
    batches = table.combine_chunks().to_batches()
    profile = Profile()
    for batch in batches:
        profile = profile.merge(profile_partition(batch, plan_from_reference(REFERENCE, SPEC)))
    return list(metric_rows(profile, SPEC, REFERENCE, NOW))


def test_a_row_for_each_version_and_window_that_is_over() -> None:
    rows = list(metric_rows(WHOLE, SPEC, REFERENCE, NOW))
    assert [(row.time, row.version, row.window) for row in rows] == [
        (START + DAY, "v1", START),
        (START + 2 * DAY - 1, "v1", START + DAY),
        (START + 2 * DAY, "v2", START + DAY),
    ]
    assert [row.version for row in metric_rows(WHOLE, SPEC, REFERENCE, START + DAY)] == ["v1"]


def test_what_is_healthy_has_nothing_to_tell() -> None:
    for row in measured(TABLE):
        told = {key: value for key, value in row.scalars.items() if key.startswith("quality/") and "feature=" in key}
        assert {key for key, value in told.items() if value} == {
            key for key in told if key.endswith(("/n", "/cardinality"))
        }


def test_each_trouble_of_the_data_has_its_own_number() -> None:
    rows = 1000
    base = log(rows, days=1)
    ages = base["age"].to_pylist()
    broken = log(
        rows,
        days=1,
        id=[f"row-{row // 2}" for row in range(rows)],
        age=pa.array([None] * 100 + [1e6] * 50 + [float("-inf")] * 10 + ages[160:]),
        income=pa.array(["unknown"] * 200 + ["12.5"] * 800),
        plan=["gratis"] * 300 + ["free"] * 700,
        signed=["2 Jan 2026"] * 250 + ["2026-01-02"] * 750,
        time=START + np.linspace(0, DAY / 2, rows),
        version=["v1"] * rows,
    )
    found = measured(broken)[0].scalars
    whole = {key.removeprefix("quality/"): value for key, value in found.items() if key.startswith("quality/")}
    assert whole["rows"] == whole["n"] == rows
    assert whole["freshness"] == DAY / 2
    assert whole["duplicate_rate"] == 0.5
    assert whole["feature=age/missing_rate"] == pytest.approx(0.1)
    assert whole["feature=age/out_of_range_rate"] == pytest.approx(0.06)
    assert whole["feature=age/infinite_rate"] == pytest.approx(0.01)
    assert whole["feature=income/type_rate"] == pytest.approx(0.2)
    assert whole["feature=plan/new_rate"] == pytest.approx(0.3)
    assert whole["feature=plan/vanished"] == 2
    assert whole["feature=plan/cardinality"] == 2
    assert whole["feature=signed/format_rate"] == pytest.approx(0.25)
    assert whole["feature=signed/new_rate"] == pytest.approx(0.25)


def test_performance_is_that_of_the_rows() -> None:
    row = measured(log(4000, days=1, version=["v1"] * 4000))[0]
    table = log(4000, days=1)
    prediction, label = (np.array(table[name].to_pylist()) for name in ("prediction", "label"))
    region = np.array(table["region"].to_pylist())
    assert row.scalars["eval/accuracy"] == np.mean(prediction == label)
    assert row.scalars["eval/n"] == 4000
    in_eu = region == "eu"
    assert row.scalars["eval/region=eu/accuracy"] == np.mean((prediction == label)[in_eu])
    assert row.scalars["eval/region=eu/n"] == in_eu.sum() == row.scalars["quality/region=eu/rows"]


def test_what_is_out_of_range_is_counted_exactly() -> None:
    reference = np.random.default_rng(1).normal(size=5000)
    edges = choose_edges(reference)
    low, high = reference.min(), reference.max()
    values = np.array([low, high, np.nextafter(low, -np.inf), np.nextafter(high, np.inf), 0.0, np.inf, -1e300])
    assert count_outside(NumericProfile.of(values, edges), low, high) == 4


def test_histograms_have_the_edges_of_the_reference() -> None:
    first, second = measured(log(500, seed=2, days=1))[0], measured(log(900, seed=3, days=1))[0]
    for name in ("features/age", "predictions/score"):
        (counts, edges), (_, other_edges) = first.histograms[name], second.histograms[name]
        assert np.array_equal(edges[1:-1], other_edges[1:-1])
        assert len(edges) == len(counts) + 1 <= 512
        assert (np.diff(edges) > 0).all()
        assert counts.sum() == first.scalars["quality/rows"]


def test_categories_stand_at_their_own_places() -> None:
    first, second = measured(log(500, seed=2, days=1))[0], measured(log(900, seed=3, days=1))[0]
    for name in ("features/plan", "predictions/prediction", "labels/label"):
        assert name not in first.histograms
        (counts, edges), (_, other_edges) = (row.histograms[f"{name}/categories"] for row in (first, second))
        assert np.array_equal(edges, other_edges)
        assert counts.sum() == first.scalars["quality/rows"]


def test_an_excess_is_what_chance_does_not_explain() -> None:
    assert excess(30, 100, 300, 1000) == 0.0
    assert excess(40, 100, 300, 1000) == 0.0
    assert 0.05 < excess(4000, 10_000, 3000, 10_000) < 0.1
    assert excess(0, 50, 0, 1000) == 0.0
    assert excess(1, 50, 0, 1_000_000) < 0.01
    assert excess(50, 50, 0, 1000) > 0.7


def test_what_is_as_in_the_reference_has_no_excess() -> None:
    found = measured(TABLE)[0].scalars
    assert {found[key] for key in found if key.endswith(("_excess", "/vanished"))} == {0.0}
    missing = measured(log(1000, days=1, version=["v1"] * 1000, age=pa.array([None] * 200 + [40.0] * 800)))[0].scalars
    assert missing["quality/feature=age/missing_rate"] == 0.2
    assert 0.1 < missing["quality/feature=age/missing_excess"] < 0.2


def test_a_rare_category_that_is_absent_by_chance_has_not_vanished() -> None:
    known = CategoricalProfile.of({"a": 9900, "b": 100}, frozenset("ab"))
    assert vanished_categories(CategoricalProfile.of({"a": 1000}, frozenset("ab")), known) == []
    assert vanished_categories(CategoricalProfile.of({"a": 2000}, frozenset("ab")), known) == ["b"]
    assert vanished_categories(CategoricalProfile.of({}, frozenset("ab"), missing=9999), known) == []


def test_categories_of_an_unknown_format_are_in_no_histogram() -> None:
    formats = frozenset({"a"})
    column = CategoricalProfile.of({"free": 5, "gratis": 2, "2026-01-01": 3, "x9": 4}, frozenset({"free"}), bound=2)
    shown = without_unknown_formats(column, CategoricalProfile.of({"a": 7, "9-9-9": 3, "a9": 4}, formats))
    assert isinstance(shown, CategoricalProfile)
    assert (shown.n, shown.counts) == (7, {"free": 5})
    assert without_unknown_formats(column, None) is column


def test_volume_and_freshness_are_of_all_versions_together() -> None:
    rows = measured(TABLE)
    assert [row.scalars["quality/volume"] for row in rows] == [1000.0, 1000.0, 1000.0]
    assert [row.scalars["quality/rows"] for row in rows] == [1000.0, 500.0, 500.0]
    assert len({row.scalars["quality/freshness"] for row in rows[1:]}) == 1


def test_what_is_published_of_numbers_is_under_its_own_head() -> None:
    scalars = measured(TABLE)[0].scalars
    ages = np.array(TABLE["age"].to_pylist()[:1000])
    for name, share in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95)):
        assert scalars[f"features/age/{name}"] == pytest.approx(np.quantile(ages, share), abs=0.5)
        assert 0 <= scalars[f"predictions/score/{name}"] <= 1
    assert not [key for key in scalars if key.startswith(("features/score", "features/label", "quality/feature=label"))]
    assert scalars["quality/label=label/missing_rate"] == 0.0


def test_what_rows_are_worth_is_exact() -> None:
    spec = replace(SPEC, value="income")
    table = log(1000, days=1, version=["v1"] * 1000)
    profile = Profile()
    for part in (table.slice(0, 300), table.slice(300)):
        batch = part.combine_chunks().to_batches()[0]
        profile = profile.merge(profile_partition(batch, plan_from_reference(REFERENCE, spec)))
    (row,) = metric_rows(profile, spec, REFERENCE, NOW)
    exact = math.fsum(table["income"].to_pylist())
    assert row.scalars["value/sum"] == pytest.approx(exact, rel=1e-15)
    assert row.scalars["value/mean"] == pytest.approx(exact / 1000, rel=1e-15)
    assert row.scalars["value/n"] == 1000
    assert "value/income" in row.histograms
    assert not [key for key in row.scalars if key.startswith("features/income")]
