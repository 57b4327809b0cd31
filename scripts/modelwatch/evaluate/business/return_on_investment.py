"""The return on the investment in a model: value against the model before, the promise and the costs, by month, in all.

Everything is by whole day (UTC). Intervals say how far the mean of the days could be off: Newey and West's standard
errors over a week, so that weekdays and streaks do not make the result look surer than it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ...model.business import Amount, BeforeSpec, BusinessSpec
from ...model.expression import KeyReference, format_expression, keys_of
from ...model.measurement_unit import MeasurementUnit
from ...model.money import DailyValue, Estimate, ReturnOnInvestment, ReturnPeriod
from ...model.monitored_model import Model
from ...model.series import Labels, PulledSeries
from ...stats.daily_mean import DailyMean, daily_mean, difference_of_means, t_interval, widen
from ...timeutil import DAY, format_utc
from .daily_amounts import DailyAmounts, constant_amount, daily_amounts

FIRST_READ = 180 * DAY
"""How much history (seconds) is read where no day is stated from which the model earns."""
MIN_DAYS = 7
"""Fewer days have no interval: not even every weekday is among them."""


def roi_history_start(model: Model, now: float) -> float:
    """From when on (seconds, UTC) the history has to be read."""
    business = model.business
    since = (business.since if business else None) or now - FIRST_READ
    before = business.before.since if business and business.before else None
    return min(since, before) if before is not None else since


def compute_roi(
    model: Model, pull: PulledSeries, retrainings: Sequence[float] | None, now: float
) -> ReturnOnInvestment:
    """``pull``: the history from ``roi_history_start`` on; ``retrainings``: their times (seconds, UTC), ``None`` where
    nobody knows them. A model without ``business.value`` has no total."""
    business = model.business or BusinessSpec()
    return _Accounts(business, pull, retrainings, now).result(model.name)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What the model before would have earned: on each day, or on average in a period of its own."""

    days: Mapping[float, float] | None = None
    mean: DailyMean | None = None


class _Accounts:
    """The daily amounts of one model."""

    def __init__(
        self, business: BusinessSpec, pull: PulledSeries, retrainings: Sequence[float] | None, now: float
    ) -> None:
        self._business, self._pull, self._now = business, pull, now
        self._assumptions: list[str] = []
        self._missing: list[str] = []
        self._value = self._read_value()
        since = business.since
        first = min(self._value, default=math.floor(now / DAY) * DAY)
        self.since = max(since, first) if since is not None else first
        self.until = max(self._value, default=self.since) + DAY
        self._comparison = self._read_comparison(business.before)
        costs = business.costs
        self._serving = self._read_cost("serving", costs.serving)
        self._labelling = self._read_cost("labelling", costs.labelling)
        self._retrainings = self._read_retrainings(costs.retraining, retrainings)
        self._retraining = self._read_cost("retraining", costs.retraining) if self._retrainings is None else None

    def result(self, model: str) -> ReturnOnInvestment:
        days = [day for day in sorted(self._value) if self.since <= day]
        months: dict[str, list[float]] = {}
        for day in days:
            months.setdefault(f"{datetime.fromtimestamp(day, UTC):%Y-%m}", []).append(day)
        total = self._row(f"since {format_utc(self.since)[:10]}", days) if days else None
        if self._business.predicted is None:
            self._missing.append("`predicted`: no impact was promised, so there is nothing to compare with")
        return ReturnOnInvestment(
            model=model,
            currency=self._business.currency,
            since=self.since,
            until=self.until,
            total=total,
            months=tuple(self._row(name, own) for name, own in months.items()),
            days=tuple(self._daily_value(day) for day in days),
            assumptions=tuple(self._assumptions),
            missing=tuple(self._missing),
        )

    # --- what is read

    def _read_value(self) -> Mapping[float, float]:
        """By day, from the beginning of the history."""
        amount = self._business.value
        if amount is None:
            self._missing.append("`value`: what the model earns is not stated")
            return {}
        found = self._daily(amount, 0.0, self._now)
        if found is None or not found.amounts:
            keys = ", ".join(keys_of(amount.expression))
            self._missing.append(f"the value has no points: {keys}" if keys else "the value has no days")
            return {}
        if found.incomplete:
            self._assumptions.append(
                f"{len(found.incomplete)} days with fewer than 80 % of the usual points are left out"
            )
        self._assumptions.append(f"value: `{format_expression(amount.expression)}`")
        return found.amounts

    def _daily(self, amount: Amount, since: float, until: float, labels: Labels = ()) -> DailyAmounts | None:
        if not keys_of(amount.expression):
            first = min((series.times[0] for series in self._pull.series if len(series)), default=until)
            since = max(since, math.floor(first / DAY) * DAY)
        return daily_amounts(amount, self._business, self._pull, since, until, labels)

    def _read_comparison(self, before: BeforeSpec | None) -> _Comparison | None:
        if before is None:
            self._missing.append("`before`: the value without this model is not stated, so no gain is known")
            return None
        if before.holdout:
            return self._compare_with_holdout(before.holdout)
        if before.amount is not None:
            return self._compare_with_amount(before.amount)
        since, until = before.since or 0.0, before.until or 0.0
        own = [self._value[day] for day in sorted(self._value) if since <= day < until]
        period = f"{format_utc(since)[:10]} to {format_utc(until - DAY)[:10]}"
        if not own:
            self._missing.append(f"the value of the period before ({period}) has no points in what was read")
            return None
        self._assumptions.append(f"before: the mean of {len(own)} days from {period}; nothing else changed since")
        return _Comparison(mean=daily_mean(np.array(own)))

    def _compare_with_amount(self, amount: Amount) -> _Comparison | None:
        text = format_expression(amount.expression)
        self._assumptions.append(f"before: `{text}`, taken as exact")
        if not keys_of(amount.expression):
            constant = constant_amount(amount, self._business)
            return _Comparison(dict.fromkeys(self._value, constant))
        found = self._daily(amount, 0.0, self._now)
        if found is None or not found.amounts:
            self._missing.append(f"the value before has no points: {', '.join(keys_of(amount.expression))}")
            return None
        return _Comparison(found.amounts)

    def _compare_with_holdout(self, arm: Labels) -> _Comparison | None:
        """The arm's value per prediction, for as many predictions as there were in all."""
        name = ", ".join(f"{label}={value}" for label, value in arm)
        value, business = self._business.value, self._business
        counted = Amount(KeyReference(business.predictions), MeasurementUnit())
        own, all_of_it = (self._daily(counted, 0.0, self._now, labels) for labels in (arm, ()))
        earned = self._daily(value, 0.0, self._now, arm) if value else None
        if own is None or all_of_it is None or earned is None:
            self._missing.append(f"the holdout {name} has no value or no predictions")
            return None
        self._assumptions.append(
            f"before: the value per prediction of the holdout {name}, times all predictions; both arms get the same "
            "traffic"
        )
        days = {
            day: earned.amounts[day] / own.amounts[day] * count
            for day, count in all_of_it.amounts.items()
            if own.amounts.get(day, 0.0) > 0 and day in earned.amounts
        }
        return _Comparison(days)

    def _read_cost(self, name: str, amount: Amount | None) -> Mapping[float, float] | None:
        if amount is None:
            self._missing.append(f"`costs: {name}`: not stated, so it counts as nothing")
            return None
        found = self._daily(amount, self.since, self.until)
        if found is None or not found.amounts:
            self._missing.append(f"the cost of {name} has no points: {', '.join(keys_of(amount.expression))}")
            return None
        return found.amounts

    def _read_retrainings(self, amount: Amount | None, times: Sequence[float] | None) -> Mapping[float, float] | None:
        """By time the cost of each; ``None`` where the cost is by key or in a time."""
        if amount is None or amount.is_rate or keys_of(amount.expression):
            return None
        if times is None:
            self._missing.append("retrainings cannot be counted: the model has no `release`")
            return {}
        self._assumptions.append("each version of the model in W&B is one retraining")
        return dict.fromkeys(times, constant_amount(amount, self._business))

    # --- what comes of it

    def _daily_value(self, day: float) -> DailyValue:
        costs = [own[day] for own in (self._serving, self._labelling, self._retraining) if own and day in own]
        return DailyValue(day, self._value[day], self._before_on(day), math.fsum(costs) if costs else None)

    def _before_on(self, day: float) -> float | None:
        comparison = self._comparison
        if comparison is None:
            return None
        return comparison.mean.mean if comparison.mean else (comparison.days or {}).get(day)

    def _row(self, name: str, days: Sequence[float]) -> ReturnPeriod:
        since, until = days[0], days[-1] + DAY
        gained = self._gained(days)
        promised = [day for day in days if self._business.predicted and day >= self._business.predicted.since]
        predicted = self._business.predicted
        rate = constant_amount(predicted.amount, self._business) if predicted else 0.0
        retrainings = self._retrainings
        own = None if retrainings is None else [cost for at, cost in retrainings.items() if since <= at < until]
        retraining = _total(self._retraining, days) if own is None else math.fsum(own)
        if own is not None and not retrainings and "no `release`" in " ".join(self._missing):
            retraining = None
        serving, labelling = (_total(daily, days) for daily in (self._serving, self._labelling))
        known = [cost for cost in (serving, retraining, labelling) if cost is not None]
        cost = math.fsum(known) if known else None
        net = _shift(gained, cost) if gained and cost is not None else None
        before = [value for day in days if (value := self._before_on(day)) is not None]
        return ReturnPeriod(
            name=name,
            since=since,
            until=until,
            days=len(days),
            value=math.fsum(self._value[day] for day in days),
            before=math.fsum(before) if before else None,
            gained=gained,
            predicted=rate * len(promised) if predicted and promised else None,
            promised_days=len(promised),
            predicted_gained=self._gained(promised) if promised else None,
            serving=serving,
            retraining=retraining,
            retrainings=len(own) if own is not None and retraining is not None else None,
            labelling=labelling,
            net=net,
            roi=_divide(net, cost) if net and cost else None,
        )

    def _gained(self, days: Sequence[float]) -> Estimate | None:
        """Value less that of the model before, of the days on which both are known."""
        comparison = self._comparison
        if comparison is None:
            return None
        if comparison.mean is not None:
            own = daily_mean(np.array([self._value[day] for day in days]))
            mean, se, _ = difference_of_means(widen(own), widen(comparison.mean))
            enough = min(own.days, comparison.mean.days) >= MIN_DAYS
            return _estimate(mean, se, len(days), is_sure=enough)
        known = comparison.days or {}
        both = [self._value[day] - known[day] for day in days if day in known]
        if not both:
            return None
        differences = widen(daily_mean(np.array(both)))
        return _estimate(differences.mean, differences.se, len(both), is_sure=len(both) >= MIN_DAYS)


def _estimate(mean: float, se: float, days: int, *, is_sure: bool) -> Estimate:
    """Of the total of ``days``."""
    low, high = t_interval(mean, se, math.inf)
    if not is_sure or math.isnan(low):
        return Estimate(mean * days)
    return Estimate(mean * days, low * days, high * days)


def _shift(estimate: Estimate, cost: float) -> Estimate:
    ends = [None if end is None else end - cost for end in (estimate.low, estimate.high)]
    return Estimate(estimate.value - cost, *ends)


def _divide(estimate: Estimate, cost: float) -> Estimate:
    ends = [None if end is None else end / cost for end in (estimate.low, estimate.high)]
    return Estimate(estimate.value / cost, *ends)


def _total(daily: Mapping[float, float] | None, days: Sequence[float]) -> float | None:
    """Of the days whose value is known: gain and cost are of the same days."""
    return None if daily is None else math.fsum(daily.get(day, 0.0) for day in days)
