"""Which windows of a log have their labels, and the metrics of how labels come."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce

from ..model.keys import key_of
from ..model.label_maturity import MATURITY_KEY, young_key
from ..model.prediction_log import AUTO_MATURITY, LONGEST_WAIT, MeasureSpec
from ..stats.labels.delay import (
    HISTORY,
    MIN_CLASS_LABELS,
    MIN_ROWS,
    NEVER,
    Cohort,
    DelayCurve,
    DelayHistory,
    Maturity,
    Quantile,
)
from ..stats.profile.delays import DelayProfile
from ..stats.profile.table import Profile, ProfileKey
from ..timeutil import DAY
from .profile_plan import MAX_CLASSES, ProfilePlan

QUANTILES = {"p50": 0.5, "p90": 0.9}
AGES = (1, 3, 7, 14, 30, 60, 90)
"""Days at which the share without a label is published."""

MAX_UNTIMED = 0.01
"""A note says how many labels have no time where a larger share has none."""


def delay_plan(plan: ProfilePlan) -> ProfilePlan:
    """A plan that counts the delays of labels, and nothing else."""
    spec = plan.spec
    own = MeasureSpec(
        id=spec.id,
        time=spec.time,
        label=spec.label,
        label_time=spec.label_time,
        outcomes=spec.outcomes,
        ignore_case=spec.ignore_case,
        positive=spec.positive,
        window=spec.window,
    )
    return ProfilePlan(own, (), classes=plan.classes, typical_label=plan.typical_label, now=plan.now)


def delay_history(profiles: Iterable[Profile], window: float, now: float) -> DelayHistory | None:
    """The delays of all windows that are over, by UTC day; ``None`` where the log has none. ``window``: seconds."""
    parts: dict[float, list[tuple[float, DelayProfile]]] = {}
    for profile in profiles:
        for cell, table in profile.cells.items():
            if table.delays is not None and not cell.segment and cell.window + window <= now:
                parts.setdefault(cell.window // DAY * DAY, []).append((cell.window, table.delays))
    if not parts:
        return None
    return DelayHistory(
        [
            Cohort(
                min(begin for begin, _ in of_day),
                max(begin for begin, _ in of_day) + window,
                reduce(DelayProfile.merge, (delays for _, delays in of_day)),
            )
            for of_day in parts.values()
        ]
    )


@dataclass(frozen=True, slots=True, eq=False)
class LabelTiming:
    """When the labels of a log come, as known when it was measured."""

    spec: MeasureSpec
    now: float
    history: DelayHistory | None = None
    """``None`` where the time of labels is not known."""
    maturity: Maturity | None = None
    """``None`` where no cohort waits for its labels."""
    _by_time: dict[float, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, profiles: Iterable[Profile], spec: MeasureSpec, now: float) -> LabelTiming:
        """``profiles``: of the same log and distinct rows."""
        history = delay_history(profiles, spec.window, now) if math.isfinite(now) else None
        return cls(spec, now, history, _maturity(history, spec, now))

    def is_mature(self, end: float) -> bool:
        """Whether the windows that end at a time (seconds, UTC) have their labels."""
        return self.maturity is None or end <= self.maturity.frontier

    def is_due(self, end: float) -> bool:
        """The same; where nothing says when labels come, they are there after `late`."""
        return self.is_mature(end) if self.maturity is not None else end + self.spec.late <= self.now

    def due_age(self, at: float) -> float:
        """How old windows were, at a time, when their labels were due, in seconds: as the log said by then, or the
        configuration; without either after `late`."""
        if self.spec.maturity not in (AUTO_MATURITY, 0.0):
            return self.spec.maturity
        age, is_known = self.history.usual_age(at) if self.history is not None else (0.0, False)
        return max(age, 0.0) if is_known and self.maturity is not None else self.spec.late

    def scalars(self, end: float, newest: float) -> dict[str, float]:
        """The metrics of how labels came until ``end`` (seconds, UTC), where a window ends; ``newest``: the last end.

        Windows of a day share them: they are of whole days.
        """
        at = end if self.spec.window >= DAY else end // DAY * DAY
        if at not in self._by_time:
            self._by_time[at] = dict(self._delay_scalars(at)) if self.history is not None else {}
        scalars = dict(self._by_time[at])
        waited = self._waiting_time(at, end, newest) / DAY if self.maturity is not None else math.nan
        if not math.isnan(waited):
            scalars[MATURITY_KEY] = waited
        return scalars

    def set_young_apart(
        self, scalars: Mapping[ProfileKey, Mapping[str, float]]
    ) -> dict[ProfileKey, Mapping[str, float]]:
        """Metrics of labels, those of windows without all their labels under keys of their own."""
        return {
            cell: of_cell
            if self.is_mature(cell.window + self.spec.window)
            else {young_key(key): value for key, value in of_cell.items()}
            for cell, of_cell in scalars.items()
        }

    def notes(self) -> Iterator[str]:
        """What a person has to know of what is published apart."""
        yield from self.time_notes()
        if self.maturity is None or self.history is None or not len(self.history.ends):
            return
        if self.spec.maturity == AUTO_MATURITY and not self.maturity.is_known:
            yield (
                f"when windows have their labels is not known yet: {self.why_unknown()} Until then, or for "
                f"{LONGEST_WAIT / DAY:.0f} days, metrics of labels are under `young/`, and `{MATURITY_KEY}` is not "
                "published. Or state it: `measure: {maturity: 14d}`."
            )
        elif self.spec.maturity == AUTO_MATURITY:
            days = self.maturity.age / DAY
            yield f"95 % of the labels that come are there after {days:.3g} days; younger windows are under `young/`."

    def why_unknown(self) -> str:
        """Sentences: of how many days a log must be, or which number is missing, before windows can be mature."""
        assert self.history is not None  # noqa: S101
        evidence = self.history.evidence(self.now)
        if not evidence.labels:
            few = f"it takes {MIN_ROWS} rows of windows that are over"
            if evidence.rows < MIN_ROWS:
                return f"{few}, and there are {evidence.rows:.0f}."
            return f"none of {evidence.rows:,.0f} rows has a label with a time."
        if math.isnan(evidence.needed):
            return (
                f"it takes {MIN_CLASS_LABELS} labels of one class, and there are {evidence.labels:.0f}. How many days "
                "that takes cannot be said."
            )
        reach, needed = evidence.reach / DAY, math.ceil(evidence.needed / DAY)
        if evidence.needed > HISTORY:
            return (
                f"labels take {evidence.age / DAY:.3g} days or longer, for which a log must reach back {needed} days, "
                f"and no more than {HISTORY / DAY:.0f} are looked at."
            )
        back = f"The log reaches back {reach:.3g} days, and must reach back"
        if evidence.missing > 0:
            return (
                f"{100 * evidence.missing:.2g} % of the oldest rows have no label, which may be late or never come. "
                f"{back} {needed}, or until fewer than {100 * NEVER:.0f} % have none."
            )
        return f"so far 95 % of the labels came within {evidence.age / DAY:.3g} days. {back} at least {needed}."

    def _waiting_time(self, at: float, end: float, newest: float) -> float:
        """Seconds after which the windows of that time were mature: of the newest one those until its newest cohort
        that is mature. NaN while that was not known."""
        maturity = self.maturity
        assert maturity is not None  # noqa: S101
        if self.spec.maturity != AUTO_MATURITY:
            return self.spec.maturity
        assert self.history is not None  # noqa: S101
        # Nothing waits longer than that, known or not.
        is_old = len(self.history.ends) > 0 and float(self.history.ends[0]) <= at - LONGEST_WAIT
        if end == newest:
            return max(end - maturity.frontier, 0.0) if maturity.is_known or is_old else math.nan
        age, is_known = self.history.usual_age(at)
        if not is_known:
            return LONGEST_WAIT if is_old else math.nan
        return min(max(math.ceil(age / self.spec.window) * self.spec.window, self.spec.window), LONGEST_WAIT)

    def time_notes(self) -> Iterator[str]:
        """Times of labels that cannot be read, or cannot be."""
        untimed, timed = (self.history.untimed, self.history.timed) if self.history is not None else (0, 0)
        column = self.spec.outcomes.label_time if self.spec.outcomes is not None else self.spec.label_time
        if untimed and not timed:
            yield f"no label has a time that can be read in {column!r}: no window waits for its labels."
        elif untimed > MAX_UNTIMED * (untimed + timed):
            share = 100 * untimed / (untimed + timed)
            yield f"{share:.2g} % of the labels have no time that can be read in {column!r}, and count in no delay."
        if early := self.history.early if self.history is not None else 0:
            labels = "1 label is" if early == 1 else f"{early:,} labels are"
            yield (
                f"{labels} older than the prediction by {column!r}, and {'count' if early > 1 else 'counts'} in no "
                "delay: another time zone, another prediction of the same id, or labels that leak."
            )

    def _delay_scalars(self, at: float) -> Iterator[tuple[str, float]]:
        assert self.history is not None  # noqa: S101
        curve, usual = self.history.newest_curve(at), self.history.curve(at)
        delays = self.history.newest_delays(at)
        if not curve.bins or not usual.bins:
            return
        yield "labels/delay_days/n", curve.rows
        if usual.coverage > 0:
            for name, share in QUANTILES.items():
                quantile = delays.quantile(share, usual.coverage)
                yield from self._quantile_scalars(f"labels/delay_days/{name}", quantile)
            yield from self._class_scalars(delays, usual)
        for days in AGES:
            yield key_of("labels/missing_share", (("days", str(days)),)), curve.missing_at(days * DAY)
        if self.maturity is not None:
            yield "labels/missing_share", curve.missing_at(min(self.history.usual_age(at)[0], curve.span))

    def _quantile_scalars(self, key: str, quantile: Quantile) -> Iterator[tuple[str, float]]:
        yield key, quantile.value / DAY
        if self.spec.intervals:
            yield f"{key}/low", quantile.low / DAY
            yield f"{key}/high", quantile.high / DAY

    def _class_scalars(self, curve: DelayCurve, usual: DelayCurve) -> Iterator[tuple[str, float]]:
        assert self.history is not None  # noqa: S101
        names = self.history.classes
        for place, name in enumerate(names if 1 < len(names) <= MAX_CLASSES else ()):
            for quantile, share in QUANTILES.items() if usual.by_class[place, usual.bins - 1] > 0 else ():
                age = curve.class_age(place, share, float(usual.by_class[place, usual.bins - 1]))
                yield key_of(f"labels/delay_days/{quantile}", (("class", name),)), age / DAY


def _maturity(history: DelayHistory | None, spec: MeasureSpec, now: float) -> Maturity | None:
    if not spec.label or not spec.waits_for_labels or not math.isfinite(now):
        return None
    if spec.maturity != AUTO_MATURITY:
        return Maturity(spec.maturity, True, now - spec.maturity)
    if history is None or ((history.untimed or history.early) and not history.timed):
        return None
    found = history.maturity(now)
    return Maturity(found.age, found.is_known, max(found.frontier, now - LONGEST_WAIT))
