"""Since when a series is worse: not before the version that did it, and the same from one evaluation to the next."""

from __future__ import annotations

from array import array

import numpy as np

from modelwatch.evaluate.explanation.onset import Onset, find_onset
from modelwatch.model.series import Deployment, Series
from modelwatch.timeutil import HOUR

from ...alerts.making import at, pull, rule, track

DEPLOYED, POINTS = 100, 140
NOISE, DROP = 0.01, 0.012
"""A drop that is hardly larger than the noise of a point, so that the best start is off by hours."""


def onsets(seed: int, deployed: int = DEPLOYED) -> list[Onset]:
    """By each evaluation from 25 h after the drop on; a version was deployed at point ``deployed``."""
    rng = np.random.default_rng(seed)
    values = rng.normal(np.repeat([0.9, 0.9 - DROP], [DEPLOYED, POINTS - DEPLOYED]), NOISE)
    name = rule().metric.name
    series = Series(name, (), array("d", map(at, range(POINTS))), array("d", values), None)
    pulled = pull(series=(series,), deployments=(Deployment("v6", at(0)), Deployment("v7", at(deployed))))
    watched = track("w" * POINTS, rule(window=24 * HOUR), values=values.tolist())
    return [find_onset(watched, pulled, row) for row in range(DEPLOYED + 25, POINTS)]


def test_the_onset_stays_with_the_version_and_is_never_before_it() -> None:
    found = [onset for seed in range(8) for onset in onsets(seed) if onset.time is not None]
    assert len(found) > 60
    assert {onset.version for onset in found} == {"v7"}
    assert all(onset.time is not None and onset.time >= at(DEPLOYED) for onset in found)
    assert sum(onset.time == at(DEPLOYED) for onset in found) >= 0.85 * len(found), "noise moved it"
    for onset in found:
        assert onset.range is not None
        assert onset.time is not None
        assert onset.range[0] <= onset.time <= onset.range[1]


def test_a_version_that_came_much_later_did_not_do_it() -> None:
    found = [onset for onset in onsets(1, DEPLOYED + 24) if onset.time is not None]
    assert found
    assert any(onset.version == "" for onset in found)
    for onset in found:
        assert onset.version == "" or (onset.time is not None and onset.time >= at(DEPLOYED + 24))
