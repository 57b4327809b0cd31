"""Labels that come late, without a change in truth: ``python -m tests.false_alarms.late_labels [months] [first seed]``.

Negatives are known after hours and positives after two weeks, which the model gets right more often: the newest days
hold fast negatives alone, and look like a drop and like another mix of labels. Each model has 100 days of history, is
measured every day of a month as ``measure`` does it, and judged after each measurement. Printed are the models that
had an alert about accuracy, about the mix of labels, and about silence: with maturity, and a tenth as many without.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from modelwatch.alerts.builtin_rules import derive_health_tracks
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.alert import MONITORING_SILENT
from modelwatch.model.finding import ModelFindings, Outcome
from modelwatch.model.keys import KeyPattern
from modelwatch.model.label_maturity import MATURITY_KEY
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import AUTO_MATURITY, MeasureSpec
from modelwatch.model.rule import (
    BaselineKind,
    BaselineSpec,
    Direction,
    FalseAlarmBudget,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from modelwatch.model.series import Histograms, PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.profiling.label_timing import LabelTiming
from modelwatch.stats.arrays import Bools, Floats
from modelwatch.stats.profile.delays import BINS, DelayProfile, delay_bins
from modelwatch.stats.profile.table import Profile, ProfileKey, TableProfile
from modelwatch.timeutil import DAY

HISTORY, MONTH = 100, 30
"""Days before the first measurement that is judged, and days that are."""
ROWS = 2000
POSITIVE = 0.2
RIGHT = (0.85, 0.99)
"""Of negatives and positives."""
DELAYS = (0.5, 14.0)
"""Medians in days; the logarithm has a standard deviation of 0.5."""
LATE = 60 * DAY
"""Without maturity, how long windows are measured again: in favour of doing without."""
EDGES = np.array([-0.5, 0.5, 1.5])
_ACCURACY, _MIX = "accuracy", "label-drift"

SPEC = MeasureSpec(files="log", time="time", prediction="prediction", label="label", label_time="known")


def rules() -> tuple[Rule, ...]:
    warning = Tier(Severity.WARNING, (Limit(LimitKind.DROP, 0.02),), ("issue",), false_alarms=90 * DAY)
    drifted = Tier(Severity.WARNING, (Limit(LimitKind.ABOVE, 0.1),), ("issue",), false_alarms=90 * DAY)
    rolling = BaselineSpec(BaselineKind.ROLLING, length=28 * DAY)
    accuracy = Rule(
        _ACCURACY,
        "accuracy-drop",
        KeyPattern("eval/accuracy"),
        (warning,),
        better=Direction.HIGHER,
        weight="eval/n",
        interval=Interval.WILSON,
        every=DAY,
        baseline=rolling,
        budget=FalseAlarmBudget(),
    )
    mix = Rule(_MIX, "label-drift", KeyPattern("labels/label/psi"), (drifted,), every=DAY, baseline=rolling)
    return accuracy, mix


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of one model, by time."""

    times: Floats
    positive: Bools
    right: Bools
    known_at: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, worse_from: float = np.inf) -> Rows:
        """``worse_from``: since this day the model is right in a tenth fewer of the cases."""
        count = (HISTORY + MONTH) * ROWS
        times = np.sort(rng.random(count)) * (HISTORY + MONTH) * DAY
        positive = rng.random(count) < POSITIVE
        right = rng.random(count) < np.where(positive, RIGHT[1], RIGHT[0]) - 0.1 * (times >= worse_from * DAY)
        delays = np.where(positive, DELAYS[1], DELAYS[0]) * DAY * np.exp(rng.normal(0, 0.5, count))
        return cls(times, positive, right, times + delays)


class Published:
    """What W&B holds of one model: per day the newest measurement that counts."""

    def __init__(self, rows: Rows, spec: MeasureSpec) -> None:
        self._rows, self._spec = rows, spec
        self._days = (rows.times // DAY).astype(np.int64)
        self._bins = delay_bins(rows.known_at - rows.times)
        size = HISTORY + MONTH
        self.right, self.labels, self.positive = (np.full(size, np.nan) for _ in range(3))
        self.maturity_days = np.full(size, np.nan)
        self._mature_until = -np.inf

    def measure(self, day: int) -> None:
        """Measure at the end of so many days."""
        now, size = day * DAY, len(self.right)
        rows, days = self._rows, self._days
        seen = days < day
        known = seen & (rows.known_at <= now)
        timing = LabelTiming.of([self._profile(day, known)], self._spec, now)
        ends = np.arange(1, size + 1) * DAY
        mature = np.array([timing.is_mature(end) for end in ends.tolist()]) & (ends <= now)
        again = mature & (ends > min(now - 7 * DAY, self._mature_until))
        if timing.maturity is None:
            again = (ends <= now) & ((ends > now - LATE) | (day == HISTORY))
        labels, right, positive = (
            np.bincount(days[known & which], minlength=size)[:size].astype(np.float64)
            for which in (known, rows.right, rows.positive)
        )
        self.labels[again], self.right[again], self.positive[again] = labels[again], right[again], positive[again]
        if timing.maturity is not None:
            waited = timing.scalars(now, now)[MATURITY_KEY]
            self.maturity_days[day - 1] = waited
            self._mature_until = now - waited * DAY

    def _profile(self, day: int, known: Bools) -> Profile:
        """The delays that ``measure`` counts."""
        rows, days = self._rows, self._days
        codes = (days[known] * 2 + rows.positive[known]) * BINS + self._bins[known]
        labelled = np.bincount(codes, minlength=day * 2 * BINS)[: day * 2 * BINS].reshape(day, 2, BINS)
        waits = ~known & (days < day)
        ages = days[waits] * BINS + delay_bins(day * DAY - rows.times[waits])
        waiting = np.bincount(ages, minlength=day * BINS).reshape(day, BINS)
        cells = {
            ProfileKey(place * DAY): TableProfile(
                delays=DelayProfile({"no": labelled[place, 0], "yes": labelled[place, 1]}, waiting[place])
            )
            for place in range(day)
        }
        return Profile(cells)

    def pull(self) -> PulledSeries:
        times = np.arange(1, len(self.right) + 1) * DAY
        has = self.labels > 0
        counts, at = self.labels[has], array("d", times[has])
        accuracy = Series("eval/accuracy", (), at, array("d", self.right[has] / counts), array("d", counts))
        waited = np.isfinite(self.maturity_days)
        maturity = Series(MATURITY_KEY, (), array("d", times[waited]), array("d", self.maturity_days[waited]), None)
        bins = tuple(array("d", pair) for pair in zip(counts - self.positive[has], self.positive[has], strict=True))
        mix = Histograms(
            "labels/label/categories",
            (),
            at,
            tuple(array("d", EDGES) for _ in at),
            bins,
            version_of=array("i", [-1] * len(at)),
        )
        return PulledSeries("m", (accuracy, maturity) if waited.any() else (accuracy,), histograms=(mix,))


def alarms(seed: int, maturity: float, worse_from: float = np.inf) -> frozenset[str]:
    """What alarmed for one model in its month; ``worse_from``: a day since which it really is worse."""
    spec = replace(SPEC, maturity=maturity)
    published = Published(Rows.draw(np.random.default_rng(seed), worse_from), spec)
    model = Model("m", rules(), measure=spec, history=6 * DAY)
    found: set[str] = set()
    for day in range(HISTORY, HISTORY + MONTH):
        published.measure(day)
        found |= set(_alarming(model, evaluate_model(model, published.pull(), day * DAY + 3600.0)))
    return frozenset(found)


def _alarming(model: Model, findings: ModelFindings) -> Iterator[str]:
    for track in findings.tracks:
        if track.severity[-1] >= 0:
            yield track.rule.name
    derived, _ = derive_health_tracks(model, findings.tracks)
    for track in derived.get(MONITORING_SILENT, ()):
        if track.outcome[-1] == Outcome.BREACH.code:
            yield MONITORING_SILENT


def main() -> None:
    months = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print("Of models-months with labels that come late, and no change in truth, those with an alert")
    for title, maturity, many in (("maturity: auto", AUTO_MATURITY, months), ("maturity: off", 0.0, months // 10)):
        count: Counter[str] = Counter()
        for seed in range(first, first + many):
            count.update(alarms(seed, maturity))
        shown = ", ".join(f"{name} {count[name]}" for name in (_ACCURACY, _MIX, MONITORING_SILENT))
        print(f"{title}, {many} of them: {shown}", flush=True)


if __name__ == "__main__":
    main()
