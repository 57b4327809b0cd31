"""A labelling plan represents every stratum, spends its budget, and its weights give unbiased estimates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.stats.labels.plan import (
    allocate_by_uncertainty,
    allocate_evenly,
    draw_from_strata,
    draw_systematically,
    effective_rows,
)

SIZES = st.lists(st.integers(1, 5000), min_size=1, max_size=30)


@given(SIZES, st.integers(1, 20_000), st.data())
def test_the_budget_is_spent_and_every_stratum_has_its_rows(sizes: list[int], budget: int, data: st.DataObject) -> None:
    strata = np.array(sizes)
    deviations = np.array(data.draw(st.lists(st.floats(0, 0.5), min_size=len(sizes), max_size=len(sizes))))
    if budget < len(sizes):
        with pytest.raises(ValueError, match="fewer than"):
            allocate_evenly(strata, min(budget, len(sizes) - 1))
        return
    even = allocate_evenly(strata, budget)
    uncertain = allocate_by_uncertainty(strata, deviations, budget)
    for takes in (even, uncertain):
        assert takes.sum() == min(budget, strata.sum())
        assert (takes <= strata).all()
        assert (takes >= 1).all(), "the weights add up to all rows"


def test_rows_go_by_size_to_the_rest() -> None:
    assert allocate_evenly(np.array([9000, 900, 90, 2]), 100).tolist() == [87, 9, 2, 2]
    assert allocate_evenly(np.array([5, 5]), 100).tolist() == [5, 5]


def test_uncertain_strata_get_more() -> None:
    sizes = np.array([1000, 1000, 1000])
    assert allocate_by_uncertainty(sizes, np.array([0.1, 0.2, 0.3]), 60).tolist() == [10, 20, 30]
    assert allocate_by_uncertainty(sizes, np.array([0.02, 0.02, 0.5]), 60).tolist() == [10, 10, 40]
    assert allocate_by_uncertainty(sizes, np.zeros(3), 60).tolist() == [20, 20, 20]


@given(SIZES, st.data())
def test_weighted_rows_are_worth_half_of_them(sizes: list[int], data: st.DataObject) -> None:
    strata = np.array(sizes)
    deviations = np.array(data.draw(st.lists(st.floats(0, 0.5), min_size=len(sizes), max_size=len(sizes))))
    takes = allocate_by_uncertainty(strata, deviations, 500)
    enough = strata * takes.sum() / strata.sum() >= 8  # Of fewer rows, whole ones are far from their share.
    if enough.all():
        assert effective_rows(np.repeat(strata / takes, takes)) >= 0.48 * takes.sum()


def world(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes, strata of very different accuracy, and whether each row is right."""
    random = np.random.default_rng(seed)
    strata = np.sort(random.choice(4, 6000, p=[0.7, 0.15, 0.1, 0.05]))
    right = random.random(6000) < np.array([0.99, 0.8, 0.6, 0.5])[strata]
    return random.integers(0, 2**64, 6000, dtype=np.uint64), strata, right


def test_weighted_estimates_are_unbiased_and_the_uncertain_plan_is_the_more_precise_one() -> None:
    errors: dict[str, list[float]] = {"even": [], "uncertain": [], "systematic": [], "unweighted": []}
    deviations = np.sqrt(np.array([0.99 * 0.01, 0.16, 0.24, 0.25]))
    for seed in range(300):
        hashes, strata, right = world(seed)
        sizes = np.bincount(strata)
        plans = {
            "even": allocate_evenly(sizes, 200),
            "uncertain": allocate_by_uncertainty(sizes, deviations, 200),
        }
        for name, takes in plans.items():
            drawn = draw_from_strata(hashes, strata, takes)
            weights = (sizes / takes)[strata[drawn]]
            errors[name].append(float((right[drawn] * weights).sum() / 6000 - right.mean()))
        errors["unweighted"].append(float(right[drawn].mean() - right.mean()))
        errors["systematic"].append(float(right[draw_systematically(hashes, strata, 200)].mean() - right.mean()))
    spread = {name: float(np.std(found)) for name, found in errors.items()}
    for name in ("even", "uncertain", "systematic"):
        assert abs(np.mean(errors[name])) < 4 * spread[name] / 300**0.5, name
    assert abs(np.mean(errors["unweighted"])) > 0.1, "without the weights the uncertain plan misleads"
    assert spread["uncertain"] < 0.85 * spread["even"]


def test_the_same_rows_are_drawn_in_every_order() -> None:
    hashes, strata, _ = world(1)
    takes = allocate_evenly(np.bincount(strata), 100)
    shuffled = np.random.default_rng(2).permutation(len(hashes))
    first = set(hashes[draw_from_strata(hashes, strata, takes)].tolist())
    assert first == set(hashes[shuffled][draw_from_strata(hashes[shuffled], strata[shuffled], takes)].tolist())
    many = np.arange(len(hashes)) // 3
    again = set(hashes[draw_systematically(hashes, many, 100)].tolist())
    other = set(hashes[shuffled][draw_systematically(hashes[shuffled], many[shuffled], 100)].tolist())
    assert again == other
    assert len(again) == 100
    assert len(draw_systematically(hashes, many, 10**6)) == len(hashes)
