"""What holds for every input: symmetry, bounds, invariance, and that profiles of parts merge into that of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.drift import binned_statistics, cdf_statistics
from modelwatch.stats.drift.bins import coarse, count, fixed_edges, merged, quantile_edges
from modelwatch.stats.drift.methods import BINNED_STATISTICS, METHODS, of_bins, of_categories, of_samples
from modelwatch.stats.profile.numeric import NumericProfile

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
def test_statistics_of_samples_are_symmetric_and_bounded(a: list[float], b: list[float]) -> None:
    for method in ("ks", "wasserstein", "cramer_von_mises"):
        there, back = of_samples(method, a, b), of_samples(method, b, a)
        assert there.value == pytest.approx(back.value, rel=1e-9, abs=1e-9)
        assert there.value >= 0
        assert there.p_value is None or 0 <= there.p_value <= 1
    assert of_samples("ks", a, b).value <= 1
    assert of_samples("wasserstein", a, b).value <= max(a + b) - min(a + b) + 1e-6


@quick
@given(values, values, st.integers(-1000, 1000), st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_units_do_not_matter(a: list[float], b: list[float], shift: int, scale: float) -> None:
    """Rank statistics, and PSI over quantile bins, stay; Wasserstein scales. (Whole numbers: shifting is exact.)"""
    a, b = [float(round(x)) for x in a], [float(round(x)) for x in b]
    moved = [[x * scale + shift for x in side] for side in (a, b)]
    for method in METHODS:
        before, after = of_samples(method, a, b), of_samples(method, *moved)
        factor = scale if method == "wasserstein" else 1.0
        assert after.value == pytest.approx(before.value * factor, rel=1e-9, abs=1e-9)


@quick
@given(values)
def test_nothing_moved_between_a_sample_and_itself_however_often_it_is_repeated(a: list[float]) -> None:
    for method in METHODS:
        assert of_samples(method, a, a * 3).value == pytest.approx(0.0, abs=1e-7)


@quick
@given(values, values, values)
def test_profiles_of_parts_add_up_to_that_of_the_whole(a: list[float], b: list[float], reference: list[float]) -> None:
    edges = quantile_edges(np.sort(np.array(reference)), 20)
    base, left, right, whole = (NumericProfile.of(np.array(part), edges) for part in (reference, a, b, a + b))
    for method in METHODS:
        merged_way = of_bins(method, base, left.merge(right))
        assert merged_way.value == of_bins(method, base, whole).value
        assert merged_way.n_current == len(a) + len(b)


@quick
@given(values, values)
def test_kolmogorov_smirnov_of_a_profile_is_within_the_largest_bin_of_the_exact_one(
    a: list[float], b: list[float]
) -> None:
    edges = quantile_edges(np.sort(np.array(a)), 20)
    r, c = (NumericProfile.of(np.array(side), edges) for side in (a, b))
    error = r.counts.max() / r.n + c.counts.max() / c.n
    assert abs(of_bins("ks", r, c).value - of_samples("ks", a, b).value) <= error + 1e-9


@quick
@given(values)
def test_bins_are_right_closed_and_hold_every_value(a: list[float]) -> None:
    ordered_values = np.sort(np.array(a))
    for edges in (quantile_edges(ordered_values), fixed_edges(float(ordered_values[0]), float(ordered_values[-1]))):
        held = count(ordered_values, edges)
        assert held.sum() == len(a)
        assert (np.diff(edges) > 0).all()
        for place, edge in enumerate(edges):
            assert held[: place + 1].sum() == sum(value <= edge for value in a)


@quick
@given(bins)
def test_merging_bins_keeps_their_sum(sides: tuple[list[int], list[int]]) -> None:
    held = np.array(sides[0])
    profile = NumericProfile(np.arange(len(held) - 1.0), held, int(held.sum()), low=-1.0, high=float(len(held)))
    places = coarse(profile, 4)
    assert merged(held, places).sum() == held.sum()
    assert len(merged(held, places)) == len(places) + 1 <= 4 if len(held) > 1 else True


@quick
@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50), max_size=8))
def test_categories_are_what_their_lists_are(tally: dict[str, int]) -> None:
    listed = [name for name, times in tally.items() for _ in range(times)]
    other = {"a": 5, "zz": 7}
    for method in BINNED_STATISTICS:
        by_count, by_list = of_categories(method, other, tally), of_categories(method, other, listed)
        assert by_count.value == pytest.approx(by_list.value, nan_ok=True)
