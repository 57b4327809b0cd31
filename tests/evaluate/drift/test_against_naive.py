"""The sides of drift rules once more, one window, one histogram and one point at a time."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
import pytest

from modelwatch.evaluate.deployments import version_timeline
from modelwatch.evaluate.drift.rebinning import FINE_BINS, common_bin_ends
from modelwatch.evaluate.drift.references import FeatureWindows, ReferenceLookup, bin_sides
from modelwatch.model.drift import drift_spec
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import BaselineEntry, BaselineKind, BaselineSpec
from modelwatch.model.series import Deployment, Histograms
from modelwatch.stats.profile.wandb_histogram import OTHER_CATEGORIES_START, category_positions
from modelwatch.timeutil import DAY, HOUR

from ..making import NOW

EVERY = 6 * HOUR
COUNT = 90
LABELS = (("features", "age"),)
Made = tuple[list[float], list[float]]
ROLLING = BaselineSpec(BaselineKind.ROLLING, length=7 * DAY)
SEASONAL = BaselineSpec(BaselineKind.SEASONAL, length=14 * DAY)
VERSION = BaselineSpec(BaselineKind.VERSION, version="v1")
PLACES = category_positions(f"city {i}" for i in range(30))


def own(rng: np.random.Generator, i: int) -> Made:
    """As the W&B client makes them: 64 bins over the values' own range."""
    counts, edges = np.histogram(rng.lognormal(0.0, 0.7, 50 + 20 * (i % 7)), bins=64)
    return edges.tolist(), counts.astype(float).tolist()


def shared(rng: np.random.Generator, _: int) -> Made:
    edges = np.linspace(-3.0, 3.0, 41)
    return edges.tolist(), np.histogram(rng.normal(size=200), bins=edges)[0].astype(float).tolist()


def own_ends(rng: np.random.Generator, _: int) -> Made:
    """As ``measure`` makes them: the ends alone follow the extremes."""
    values = rng.normal(size=200)
    edges = np.array([values.min() - 3, *np.linspace(-3.0, 3.0, 33), values.max() + 3])
    return edges.tolist(), np.histogram(values, bins=edges)[0].astype(float).tolist()


def other_bins(rng: np.random.Generator, i: int) -> Made:
    counts, edges = np.histogram(rng.poisson(4.0, 300), bins=8 + i % 5)
    return edges.tolist(), counts.astype(float).tolist()


def uneven(rng: np.random.Generator, i: int) -> Made:
    """One histogram with a billion times as many values as the others."""
    edges, counts = own(rng, i)
    return edges, [count * (1e9 if i == 30 else 1.0) for count in counts]


def shares(rng: np.random.Generator, i: int) -> Made:
    """Densities in place of counts."""
    edges, counts = own(rng, i)
    return edges, (np.array(counts) / sum(counts)).tolist()


def enormous(rng: np.random.Generator, i: int) -> Made:
    edges, counts = own(rng, i)
    return [-1.7e308, *edges[1:-1], 1.7e308], counts


def cities(rng: np.random.Generator, i: int) -> Made:
    spots = sorted(rng.choice(list(PLACES.values()), size=10 + i % 9, replace=False).tolist())
    spots += [OTHER_CATEGORIES_START] if i % 3 else []
    edges: list[float] = []
    counts: list[float] = []
    for spot in spots:
        counts += [0.0] if edges and edges[-1] < spot else []
        edges += [spot, spot + 1] if not edges or edges[-1] < spot else [spot + 1]
        counts.append(float(rng.integers(1, 90)))
    return edges, counts


NUMBERS = {make.__name__: make for make in (own, shared, own_ends, other_bins, uneven, shares, enormous)}
MAKERS = {**NUMBERS, "cities": cities}


def history(kind: str) -> Histograms:
    rng = np.random.default_rng(len(kind))
    made = [MAKERS[kind](rng, i) for i in range(COUNT)]
    return Histograms(
        "features/categories" if kind == "cities" else "features",
        LABELS,
        array("d", [NOW - EVERY * (COUNT - 1 - i) for i in range(COUNT)]),
        tuple(array("d", edges) for edges, _ in made),
        tuple(array("d", counts) for _, counts in made),
    )


def captured(kind: str, one: Histograms) -> BaselineSpec:
    edges, counts = MAKERS[kind](np.random.default_rng(0), 5)
    parts = [count * 1.25 for count in counts]  # of merged histograms counts are not whole
    entry = BaselineEntry(one.name, LABELS, 0.0, n=1.0, edges=tuple(edges), counts=tuple(parts))
    return BaselineSpec(BaselineKind.FILE, path="b.json", entries=(entry,))


def below(edges: Sequence[float], counts: Sequence[float], point: float, kind: str) -> tuple[float, float, float]:
    """Values at or below a point: where they lie evenly, at least, at most. Categories stand where their bins begin."""
    even = least = most = 0.0
    # Evenly spaced bins hold their lower end, others their upper one; it matters where histograms' edges differ.
    holds_lower = kind not in ("shared", "cities") and np.ptp(np.diff(edges)) < 1e-6 * np.diff(edges).max()
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        if kind == "cities":
            right = left
        # Halves, as ends may be so far apart that the difference has no number.
        part = float(left <= point) if left == right else (point / 2 - left / 2) / (right / 2 - left / 2)
        even += min(max(part, 0.0), 1.0) * count
        least += count if right <= point else 0.0
        most += count if left < point or right <= point or (holds_lower and left == point) else 0.0
    return even, least, most


def stretches(spec: BaselineSpec, time: float, floor: float) -> list[tuple[float, float]]:
    """After which time, and up to which."""
    if spec.kind is BaselineKind.ROLLING:
        return [(time - 8 * DAY - spec.length, time - 8 * DAY)]
    if spec.kind is BaselineKind.SEASONAL:
        return [(time - week * 7 * DAY - DAY, time - week * 7 * DAY) for week in (1, 2)]
    return [(-np.inf, min(np.nextafter(floor, -np.inf), time - DAY))]


def added(one: Histograms, chosen: Sequence[int], points: Sequence[float], kind: str) -> np.ndarray:
    """Three rows a point, and the count of all."""
    total = np.zeros((len(points), 3))
    for row in chosen:
        for place, point in enumerate(points):
            total[place] += below(one.edges[row].tolist(), one.counts[row].tolist(), point, kind)
    return total


@pytest.mark.parametrize("against", ["rolling", "seasonal", "captured", "version"])
@pytest.mark.parametrize("kind", MAKERS)
def test_windows_and_references_are_what_adding_them_up_gives(kind: str, against: str) -> None:
    one = history(kind)
    file = captured(kind, one)
    spec = {"rolling": ROLLING, "seasonal": SEASONAL, "captured": file, "version": VERSION}[against]
    floor = NOW - 9 * DAY
    service = version_timeline([Deployment("v1", NOW - 30 * DAY), Deployment("v2", floor)])
    asked = drift_spec(KeyPattern("features/*/psi"))
    assert asked is not None
    at = np.asarray(one.times)
    times = np.array([NOW - EVERY * i for i in (41, 35, 34, 1)])
    place = FeatureWindows(one, range(COUNT), at, DAY, times, service)
    found = bin_sides(spec, place, ReferenceLookup(asked), "psi")
    for row, time in enumerate(times):
        began = floor if time >= floor else -np.inf
        window = [i for i in range(COUNT) if time - DAY < at[i] <= time and at[i] >= began]
        spans = stretches(spec, time, floor) if against != "captured" else []
        reference = [i for left, right in spans for i in range(COUNT) if left < at[i] <= right]
        same(added(one, window, found.bin_ends.tolist(), kind), found.current, row)
        if against == "captured":
            entry = file.entries[0]
            single = Histograms(
                one.name, LABELS, array("d", [0.0]), (array("d", entry.edges),), (array("d", entry.counts),)
            )
            same(added(single, [0], found.bin_ends.tolist(), kind), found.reference, row)
        else:
            same(added(one, reference, found.bin_ends.tolist(), kind), found.reference, row)


def same(wanted: np.ndarray, side: object, row: int) -> None:
    even, least, most, n = (getattr(side, name)[row] for name in ("estimate", "lower", "upper", "n"))
    total = wanted[-1, 0]
    assert n == pytest.approx(total, rel=1e-12)
    for column, found in enumerate((even, least, most)):
        assert np.abs(found - wanted[:, column]).max() <= 1e-12 * max(total, 1e-300)
    # Nothing is nothing: measures of ratios would take a rest of rounding for a share.
    empty = np.diff(wanted[:, 0]) == 0
    if (np.rint(wanted[:, 1]) == wanted[:, 1]).all():
        assert (np.diff(even)[empty] == 0).all()


@pytest.mark.parametrize("bins", [10, FINE_BINS])
@pytest.mark.parametrize("kind", NUMBERS)
def test_common_points_are_ends_of_bins_at_which_all_count_exactly_where_there_are_enough(kind: str, bins: int) -> None:
    one = history(kind)
    points = common_bin_ends(one, range(COUNT), bins)
    assert (np.diff(points) > 0).all()
    assert points[-1] == max(edges[-1] for edges in one.edges)
    assert set(points.tolist()) <= {edge for edges in one.edges for edge in edges}
    exact = all(
        point in edges or point <= edges[0] or point >= edges[-1] for point in points for edges in map(list, one.edges)
    )
    assert exact is (kind in ("shared", "own_ends"))


@pytest.mark.parametrize("kind", NUMBERS)
def test_distribution_functions_are_compared_at_every_shared_edge(kind: str) -> None:
    one = history(kind)
    points = common_bin_ends(one, range(COUNT), FINE_BINS, 1000)
    assert points[0] == min(edges[0] for edges in one.edges)
    assert points[-1] == max(edges[-1] for edges in one.edges)
    if kind == "shared":
        assert points.tolist() == one.edges[0].tolist()
    if kind == "own_ends":
        assert set(points[1:-1]) >= set(one.edges[0][1:-1])
