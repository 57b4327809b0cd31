"""What holds for every input: symmetry, bounds, invariance, and that profiles of parts merge into that of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.drift import binned_statistics, cdf_statistics
from modelwatch.stats.drift.methods import BINNED_STATISTICS, METHODS
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.numeric import NumericProfile

from ...evaluate.drift.comparing import compare_profiles, compare_values

values = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=1, max_size=60)
bins = st.integers(1, 12).flatmap(
    lambda k: st.tuples(*[st.lists(st.integers(0, 1000), min_size=k, max_size=k).filter(any) for _ in range(2)])
)
BOUNDED = ("jensen_shannon", "hellinger", "total_variation")
quick = settings(max_examples=60, deadline=None)


@quick
@given(bins)
def test_statistics_of_bins_are_symmetric_and_bounded(sides: tuple[list[int], list[int]]) -> None:
    for method, measure in BINNED_STATISTICS.items():
        there, back = float(measure(*sides)), float(measure(*sides[::-1]))
        assert there == pytest.approx(back, rel=1e-9, abs=1e-9)
        assert there >= 0
        assert method not in BOUNDED or there <= 1
        assert float(measure(sides[0], sides[0])) == pytest.approx(0, abs=1e-7)


@quick
@given(bins, st.randoms())
def test_the_order_of_categories_does_not_matter(sides: tuple[list[int], list[int]], random: object) -> None:
    order = list(range(len(sides[0])))
    random.shuffle(order)  # type: ignore[attr-defined]
    for measure in BINNED_STATISTICS.values():
        mixed = measure([sides[0][i] for i in order], [sides[1][i] for i in order])
        assert float(mixed) == pytest.approx(float(measure(*sides)), rel=1e-9, abs=1e-9)


@quick
@given(bins)
def test_bins_empty_on_both_sides_do_not_matter(sides: tuple[list[int], list[int]]) -> None:
    for measure in (*BINNED_STATISTICS.values(), binned_statistics.degrees_of_freedom, cdf_statistics.cramer_von_mises):
        more = measure([*sides[0], 0, 0], [*sides[1], 0, 0])
        assert float(more) == pytest.approx(float(measure(*sides)), rel=1e-12, abs=1e-12)


@quick
@given(values, values)
def test_distances_are_bounded(a: list[float], b: list[float]) -> None:
    assert 0 <= compare_values("ks", a, b).effect[0] <= 1
    assert compare_values("ks", a, b).effect == pytest.approx(compare_values("ks", b, a).effect, abs=1e-9)
    assert 0 <= compare_values("cvm", a, b).effect[0] <= 1 / 3 + 1e-9
    assert compare_values("wasserstein", a, b).effect[0] >= 0


@quick
@given(values, values, st.integers(-1000, 1000), st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_units_do_not_matter(a: list[float], b: list[float], shift: int, scale: float) -> None:
    """(Whole numbers: shifting is exact.)"""
    a, b = [float(round(x)) for x in a], [float(round(x)) for x in b]
    left, right = ([x * scale + shift for x in side] for side in (a, b))
    for method in METHODS:
        before, after = compare_values(method, a, b), compare_values(method, left, right)
        if method != "wasserstein" or len(set(a)) > 1:  # of a constant the distance has no unit
            assert after.effect == pytest.approx(before.effect, rel=1e-7, abs=1e-9)


@quick
@given(values)
def test_nothing_moved_between_a_sample_and_itself_however_often_it_is_repeated(a: list[float]) -> None:
    for method in METHODS:
        assert compare_values(method, a, a * 3).effect[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.slow
@quick
@given(values, values, values)
def test_profiles_of_parts_add_up_to_that_of_the_whole(a: list[float], b: list[float], reference: list[float]) -> None:
    edges = choose_edges(np.array(reference))
    base, left, right, whole = (NumericProfile.of(np.array(part), edges) for part in (reference, a, b, a + b))
    for method in METHODS:
        parts, together = compare_profiles(method, base, left.merge(right)), compare_profiles(method, base, whole)
        assert np.array_equal(parts.effect, together.effect, equal_nan=True)
