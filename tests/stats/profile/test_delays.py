"""Profiles of label delays as bytes, beside profiles that have none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelwatch.stats.profile.codec import from_bytes, to_bytes
from modelwatch.stats.profile.delays import BINS, DELAY_EDGES, DelayProfile, delay_bins
from modelwatch.stats.profile.table import Profile, ProfileKey, TableProfile

CELL = ProfileKey(86_400.0, "v1")


def _delays() -> DelayProfile:
    delays = np.array([0.0, 3600.0, 1e9, np.nan, np.nan])
    labelled = np.array([True, True, True, True, False])
    return DelayProfile.of(delays, np.full(5, 7200.0), np.array([0, 1, -1, 0, 0]), ("no", "yes"), labelled)


def test_bins_are_right_closed_and_hold_everything() -> None:
    places = delay_bins(np.array([-5.0, 0.0, 900.0, 900.1, DELAY_EDGES[-1], 1e12]))
    assert places.tolist() == [0, 0, 0, 1, BINS - 2, BINS - 1]


def test_delays_survive_being_written() -> None:
    table = TableProfile(5, delays=_delays())
    content = to_bytes(Profile({CELL: table}))
    read = from_bytes(content)[0].cells[CELL].delays
    assert read is not None
    assert (read.rows, read.untimed, read.waiting.sum()) == (4, 1, 1)
    assert {name: np.flatnonzero(counts).tolist() for name, counts in read.known.items()} == {
        name: np.flatnonzero(counts).tolist() for name, counts in _delays().known.items()
    }
    assert to_bytes(Profile({CELL: replace(table, delays=read)})) == content


def test_profiles_without_delays_have_the_bytes_that_they_had() -> None:
    """A member that is not there is not written."""
    content = to_bytes(Profile({CELL: TableProfile(5)}))
    assert b"waiting" not in content
    assert from_bytes(content)[0].cells[CELL].delays is None


def test_merging_with_a_part_that_knows_no_times() -> None:
    one, other = TableProfile(5, delays=_delays()), TableProfile(3)
    for merged in (one.merge(other), other.merge(one)):
        assert merged.delays is not None
        assert merged.delays.rows == 4


def test_labels_older_than_their_rows_are_counted_apart() -> None:
    delays = np.array([-3600.0, -60.0, 60.0, np.nan, -1e7])
    found = DelayProfile.of(delays, np.full(5, 7200.0), np.zeros(5, np.int64), ("no",), np.ones(5, np.bool_))
    assert (found.rows, found.early, found.untimed) == (2, 2, 1)
    assert (found.merge(found).early, found.merge(found).untimed) == (4, 2)
    read = from_bytes(to_bytes(Profile({CELL: TableProfile(5, delays=found)})))[0].cells[CELL].delays
    assert read is not None
    assert (read.early, read.untimed) == (2, 1)


def test_negative_counts_are_refused() -> None:
    forged = DelayProfile({"no": np.where(np.arange(BINS) == 1, -3, 0)})
    with pytest.raises(ValueError, match="negative"):
        from_bytes(to_bytes(Profile({CELL: TableProfile(1, delays=forged)})))
