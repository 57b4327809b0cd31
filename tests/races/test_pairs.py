"""A sample of the pairs; `make races` tries 1,000."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .pairs import SCENARIOS, Place, bugs, place, try_pair

SAMPLE = 25


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as found:
        yield found


def test_of_two_evaluations_at_once_one_acts(here: Place) -> None:
    """0 doubled dispatches, 0 doubled incidents, and a doubled issue is closed by the evaluation that opened it."""
    tried = [try_pair(here, SCENARIOS[seed % len(SCENARIOS)], seed) for seed in range(SAMPLE)]
    assert [one for one in tried if not one.is_sound] == []
    assert sum(one.closed for one in tried) > 0, "some were opened twice"
    assert bugs(here) == []
