"""Which version served when."""

from __future__ import annotations

from array import array
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from modelwatch.sources.deployment_starts import deployment_starts

HOUR = 3600.0


def served(*points: tuple[float, int]) -> list[tuple[float, int]]:
    return deployment_starts(
        array("d", [hour * HOUR for hour, _ in points]), array("i", [version for _, version in points])
    )


def hours(version: int, *of: float) -> list[tuple[float, int]]:
    return [(hour, version) for hour in of]


def test_nothing_seen_nothing_served() -> None:
    assert served() == []
    assert served((1, -1), (2, -1)) == []


def test_a_new_version_serves_from_its_first_point() -> None:
    assert served(*hours(0, 1, 2, 3), *hours(1, 4, 5)) == [(HOUR, 0), (4 * HOUR, 1)]


def test_a_rollback_brings_the_old_version_back() -> None:
    points = [*hours(0, *range(10)), *hours(1, *range(10, 14)), *hours(0, *range(14, 20))]
    assert served(*points) == [(0.0, 0), (10 * HOUR, 1), (14 * HOUR, 0)]


def test_a_version_rolled_out_again_after_a_rollback_stands_again() -> None:
    points = [*hours(0, *range(10)), *hours(1, *range(10, 20)), *hours(0, *range(20, 40)), *hours(1, *range(40, 50))]
    assert served(*points) == [(0.0, 0), (10 * HOUR, 1), (20 * HOUR, 0), (40 * HOUR, 1)]


def test_while_two_are_seen_the_newer_one_keeps_serving() -> None:
    both = [point for hour in range(10, 30) for point in ((float(hour), 0), (hour + 0.5, 1))]
    assert served(*hours(0, *range(10)), *both) == [(0.0, 0), (10.5 * HOUR, 1)]


def test_a_straggler_of_the_old_version_brings_nothing_back() -> None:
    points = [*hours(0, *range(10)), *hours(1, 10, 11, 12, 13), (12.5, 0)]
    assert served(*points) == [(0.0, 0), (10 * HOUR, 1)]


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(-1, 3)), max_size=60), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_no_version_stands_twice_in_a_row(
    points: list[tuple[int, int]], random: Random
) -> None:
    points = list({hour: (hour, version) for hour, version in points}.values())
    found = served(*points)
    shuffled = list(points)
    random.shuffle(shuffled)
    assert served(*shuffled) == found
    assert all(one[1] != two[1] and one[0] < two[0] for one, two in pairwise(found))
    assert {version for _, version in found} == {version for _, version in points if version >= 0}
