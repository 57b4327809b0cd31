"""Drift rules over histograms in a history, as an evaluation judges them: rolling reference, common bins, correction
for the number of features.

Windows and references of one history share no histogram. A rule's limit is next to nothing here, so that a breach is
significance alone; power is counted at the least effect.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from modelwatch.evaluate.tracks import evaluate_rule
from modelwatch.model.drift import LEAST_EFFECT
from modelwatch.model.finding import Outcome
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import DAY, BaselineKind, BaselineSpec, Form, Limit, Rule, Tier
from modelwatch.model.series import Histograms, Pull
from modelwatch.model.severity import Severity
from modelwatch.model.watched import Model
from modelwatch.stats.drift.bins import count
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.edges import coarse_edges, edges_from
from modelwatch.stats.profile.histogram import histogram_of
from modelwatch.stats.profile.numeric import NumericProfile

from .tally import Tally
from .worlds import Floats, Rng, Shares, World

DAYS = 7
"""Days of the reference; a window has one."""
STEP = 8 + DAYS
"""Days from window to window: nothing is used twice."""
NOW = 1400 * STEP * DAY
PORTION = 200
"""Windows of one history."""
TINY = 1e-9


def alarms(
    before: World,
    after: World,
    size: int,
    windows: int,
    rng: Rng,
    methods: tuple[str, ...],
    features: int = 1,
    own: bool = False,
) -> dict[str, Tally]:
    """``features`` of one kind in one rule: an alarm is a window in which any of them is in breach. ``size``: rows of
    a day; ``own``: 64 equal bins over each histogram's own range, as W&B makes them, not those of a reference."""
    tallies = {method: Tally() for method in methods}
    for start in range(0, windows, PORTION):
        some = [
            _history(before, after, size, min(PORTION, windows - start), rng, f"f{i}", own) for i in range(features)
        ]
        for method in methods:
            alarm = _breaches(some, method, TINY)
            power = alarm if before is after else _breaches(some, method, LEAST_EFFECT[method])
            tallies[method] += Tally.of(alarm, power)
    return tallies


def _breaches(some: list[Histograms], method: str, limit: float) -> Floats:
    """Per window whether any feature is in breach."""
    rule = Rule(
        name="drift",
        kind="data-drift",
        metric=KeyPattern(f"features/*/{method}"),
        window=DAY,
        every=STEP * DAY,
        baseline=BaselineSpec(BaselineKind.ROLLING, length=DAYS * DAY),
        tiers=(Tier(Severity.WARNING, (Limit(Form.ABOVE, limit),), ("issue",)),),
    )
    windows = len(some[0]) // (DAYS + 1)
    model = Model("m", (rule,), history=(windows - 0.5) * STEP * DAY)
    found = evaluate_rule(model, rule, Pull("m", (), histograms=tuple(some)), NOW)
    outcomes = np.array([np.frombuffer(track.outcome, dtype=np.uint8) for track in found.tracks])
    if outcomes.shape != (len(some), windows):
        raise AssertionError(f"{outcomes.shape} findings of {len(some)} features in {windows} windows")
    return np.asarray((outcomes == Outcome.BREACH.code).any(axis=0))


def _history(before: World, after: World, size: int, windows: int, rng: Rng, name: str, own: bool) -> Histograms:
    """For every window the histograms of its reference's days, then its own."""
    last = NOW - np.arange(windows - 1, -1, -1) * STEP * DAY
    times = (last[:, None] - np.append(np.arange(STEP - 1, STEP - 1 - DAYS, -1), 0) * DAY).ravel()
    categorical = isinstance(before, Shares) and before.values is None
    if categorical:
        rows = list(_categories(before, after, size, windows, rng))
    elif own:
        rows = [np.histogram(values, bins=64)[::-1] for values in _days(before, after, size, windows, rng)]
    else:
        rows = list(_fixed(before, after, size, windows, rng))
    return Histograms(
        KeyPattern("features/*/categories" if categorical else "features/*").name,
        (("features", name),),
        array("d", times),
        tuple(array("d", edges) for edges, _ in rows),
        tuple(array("d", np.asarray(counts, dtype=np.float64)) for _, counts in rows),
        (),
        array("i", [-1] * len(times)),
    )


def _days(before: World, after: World, size: int, windows: int, rng: Rng) -> Iterator[Floats]:
    for _ in range(windows):
        for world, days in ((before, DAYS), (after, 1)):
            yield from _values(world, rng, (days, size))


def _values(world: World, rng: Rng, size: tuple[int, int]) -> Floats:
    if not isinstance(world, Shares):
        return world(rng, size)
    assert world.values is not None
    return rng.choice(world.values, size, p=world.shares / world.shares.sum())


def _fixed(before: World, after: World, size: int, windows: int, rng: Rng) -> Iterator[tuple[Floats, Floats]]:
    """Bins as ``modelwatch measure`` writes them: a few edges of a reference. Counts are drawn by the shares of these
    bins, which are those of a million values."""
    was, now = (np.sort(_values(world, rng, (1, 1_000_000))[0]) for world in (before, after))
    inner = coarse_edges(NumericProfile.of(was, edges_from(was)))
    low, high = min(was[0], now[0], inner[0]), max(was[-1], now[-1], inner[-1])
    edges = np.concatenate([[np.nextafter(low, -np.inf)], inner, [np.nextafter(high, np.inf)]])
    shares = [count(side, inner) / len(side) for side in ((was, was) if before is after else (was, now))]
    for _ in range(windows):
        for share, days in zip(shares, (DAYS, 1), strict=True):
            yield from ((edges, one.astype(np.float64)) for one in rng.multinomial(size, share, size=days))


def _categories(before: World, after: World, size: int, windows: int, rng: Rng) -> Iterator[tuple[Floats, Floats]]:
    for _ in range(windows):
        for world, days in ((before, DAYS), (after, 1)):
            assert isinstance(world, Shares)
            for row in world.counts(rng, (days, size)):
                named = {f"category {place}": int(row[place]) for place in np.flatnonzero(row)}
                found = histogram_of(CategoricalProfile.of(named))
                assert found is not None
                yield found
