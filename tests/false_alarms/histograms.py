"""Drift rules over histograms in a history, as an evaluation judges them: rolling reference, common bins, correction
for the number of features.

Windows and references of one history share no histogram. A rule's limit is next to nothing here, so that a breach is
significance alone; power is counted at the least effect.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.drift import MIN_EFFECT
from modelwatch.model.finding import Outcome
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import Histograms, PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.stats.drift.methods import METHODS
from modelwatch.stats.drift.null_distribution import FALSE_ALARM_RATE
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.wandb_histogram import to_histogram
from modelwatch.timeutil import DAY

from ..evaluate.drift.comparing import compare_profiles
from .tally import Tally
from .worlds import Floats, Rng, Shares, World, values_of

DAYS = 7
"""Days of the reference; a window has one."""
STEP = 8 + DAYS
"""Days from window to window: nothing is used twice."""
NOW = 1400 * STEP * DAY
PORTION = 400
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
    reference: int = 0,
) -> dict[str, Tally]:
    """``features`` of one kind in one rule: an alarm is a window in which any of them is in breach (many of them have
    one histogram for the days of a reference, which adds up to the same in less time). ``size``: rows of a day;
    ``own``: 64 equal bins over each histogram's own range, as W&B makes them, not those of a reference; ``reference``:
    rows of the whole reference, by default those of seven days."""
    tallies = {method: Tally() for method in methods}
    parts = 1 if features > 1 else DAYS
    for start in range(0, windows, PORTION):
        drawing = Drawing(before, after, size, min(PORTION, windows - start), parts, reference or DAYS * size)
        some = [_history(drawing, rng, f"f{i}", own) for i in range(features)]
        for method in methods:
            alarm = _breaches(some, parts, method, TINY)
            power = alarm if before is after else _breaches(some, parts, method, MIN_EFFECT[method])
            tallies[method] += Tally.of(alarm, power)
    return tallies


def _breaches(some: list[Histograms], parts: int, method: str, limit: float) -> Floats:
    """Per window whether any feature is in breach."""
    rule = Rule(
        name="drift",
        kind="data-drift",
        metric=KeyPattern(f"features/*/{method}"),
        window=DAY,
        every=STEP * DAY,
        baseline=BaselineSpec(BaselineKind.ROLLING, length=DAYS * DAY),
        tiers=(Tier(Severity.WARNING, (Limit(LimitKind.ABOVE, limit),), ("issue",)),),
    )
    windows = len(some[0]) // (parts + 1)
    model = Model("m", (rule,), history=(windows - 0.5) * STEP * DAY)
    found = evaluate_model(model, PulledSeries("m", (), histograms=tuple(some)), NOW)
    outcomes = np.array([np.frombuffer(track.outcome, dtype=np.uint8) for track in found.tracks])
    if outcomes.shape != (len(some), windows):
        raise AssertionError(f"{outcomes.shape} findings of {len(some)} features in {windows} windows")
    return np.asarray((outcomes == Outcome.BREACH.code).any(axis=0))


@dataclass(frozen=True, slots=True)
class Drawing:
    before: World
    after: World
    size: int
    windows: int
    parts: int
    """Histograms of a reference."""
    reference: int
    """Its rows."""

    def __iter__(self) -> Iterator[tuple[World, int, int]]:
        """Per window the worlds, with the number of histograms and the rows of each."""
        for _ in range(self.windows):
            yield self.before, self.parts, -(-self.reference // self.parts)
            yield self.after, 1, self.size


def _history(drawing: Drawing, rng: Rng, name: str, own: bool) -> Histograms:
    """For every window the histograms of its reference's days, then its own."""
    last = NOW - np.arange(drawing.windows - 1, -1, -1) * STEP * DAY
    days = STEP - 1 - np.arange(drawing.parts)
    times = (last[:, None] - np.append(days, 0) * DAY).ravel()
    categorical = isinstance(drawing.before, Shares) and drawing.before.values is None
    if categorical:
        rows = list(_categories(drawing, rng))
    elif own:
        rows = list(_own(drawing, rng))
    else:
        rows = list(_fixed(drawing, rng))
    return Histograms(
        KeyPattern("features/*/categories" if categorical else "features/*").name,
        (("features", name),),
        array("d", times),
        tuple(array("d", edges) for edges, _ in rows),
        tuple(array("d", np.asarray(counts, dtype=np.float64)) for _, counts in rows),
        (),
        array("i", [-1] * len(times)),
    )


def _own(drawing: Drawing, rng: Rng) -> Iterator[tuple[Floats, Floats]]:
    for world, parts, size in drawing:
        for _ in range(parts):
            values, times = _drawn(world, rng, size)
            counts, edges = np.histogram(values, bins=64, weights=times)
            yield edges, counts


def _drawn(world: World, rng: Rng, size: int) -> tuple[Floats, Floats | None]:
    """Values of a day, or of few values how often each is there."""
    if not isinstance(world, Shares):
        return world(rng, (1, size))[0], None
    assert world.values is not None
    counts = world.counts(rng, (1, size))[0]
    there = counts > 0
    return world.values[there], counts[there].astype(np.float64)


def _fixed(drawing: Drawing, rng: Rng) -> Iterator[tuple[Floats, Floats]]:
    """Bins as ``modelwatch measure`` writes them: a few edges of a reference. Counts are drawn by their shares."""
    edges, was, now = _shares(drawing.before, drawing.after)
    for place, (_, parts, size) in enumerate(drawing):
        drawn = rng.multinomial(size, now if place % 2 else was, size=parts)
        yield from ((edges, one) for one in drawn.astype(np.float64))


@cache
def _shares(before: World, after: World) -> tuple[Floats, Floats, Floats]:
    """Edges, and both worlds' shares between them: those of a million values."""
    rng = np.random.default_rng(7)
    was = np.sort(values_of(before, rng, 1_000_000))
    now = was if before is after else np.sort(values_of(after, rng, 1_000_000))
    edges = choose_edges(was)
    reference, current = (NumericProfile.of(side, edges) for side in (was, now))
    histograms = to_histogram(reference), to_histogram(current, reference)
    assert histograms[0] is not None
    assert histograms[1] is not None
    ends = np.array(histograms[0][0])
    ends[0], ends[-1] = min(ends[0], histograms[1][0][0]), max(ends[-1], histograms[1][0][-1])
    return ends, histograms[0][1] / len(was), histograms[1][1] / len(now)


def captured_alarms(before: World, after: World, size: int, windows: int, rng: Rng, reference: int) -> dict[str, Tally]:
    """Windows judged by profiles against a captured one of ``reference`` rows; every window has one of its own, so that
    they do not share its luck."""
    alarms = np.zeros((2, windows, len(METHODS)), dtype=np.bool_)
    for window in range(windows):
        healthy = values_of(before, rng, reference)
        known = NumericProfile.of(healthy, choose_edges(healthy))
        current = NumericProfile.of(values_of(after, rng, size), known.edges)
        for place, method in enumerate(METHODS):
            drift = compare_profiles(method, known, current)
            alarms[:, window, place] = drift.p_value[0] <= FALSE_ALARM_RATE, drift.effect[0] >= MIN_EFFECT[method]
    return {method: Tally.of(alarms[0, :, place], alarms[1, :, place]) for place, method in enumerate(METHODS)}


def _categories(drawing: Drawing, rng: Rng) -> Iterator[tuple[Floats, Floats]]:
    for world, parts, size in drawing:
        assert isinstance(world, Shares)
        for row in world.counts(rng, (parts, size)):
            named = {f"category {place}": int(row[place]) for place in np.flatnonzero(row)}
            found = to_histogram(CategoricalProfile.of(named))
            assert found is not None
            yield found
