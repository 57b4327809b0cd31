"""Amounts of money by day, from their keys: sums of what is earned at each point, means of rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...model.business import Amount, BusinessSpec
from ...model.expression import Expression, keys_of, required_keys
from ...model.expression_values import evaluate_columns
from ...model.keys import KeyPattern
from ...model.series import Labels, PulledSeries, Series
from ...stats.arrays import Floats, Ints
from ...stats.time_join import nearest_rows
from ...timeutil import DAY

FULL_DAY = 0.8
"""A day with fewer than this share of the usual points is incomplete: its sums are too small."""


@dataclass(frozen=True, slots=True, eq=False)
class JoinedKeys:
    """The values of some keys at the same times."""

    times: Floats
    columns: Mapping[str, list[float]]


@dataclass(frozen=True, slots=True)
class DailyAmounts:
    """By whole day (seconds, UTC, of its beginning) an amount of money."""

    amounts: Mapping[float, float]
    incomplete: tuple[float, ...] = ()
    """Days that are left out, as they have too few points."""


def find_series(pull: PulledSeries, key: str, labels: Labels = ()) -> Series | None:
    """The series of a key for a segment; a key that names a segment itself is read unchanged."""
    pattern = KeyPattern(key)
    wanted = (pattern.name, pattern.match(key) or ()) if "=" in key else (key, labels)
    return next((series for series in pull.series if (series.name, series.labels) == wanted), None)


def join_keys(pull: PulledSeries, expression: Expression, labels: Labels = (), without: str = "") -> JoinedKeys | None:
    """The keys of ``expression`` but ``without``, at the times of the one with the fewest points; ``None`` where one
    that cannot be missing has none."""
    found = {key: find_series(pull, key, labels) for key in keys_of(expression) if key != without}
    inputs = {key: series for key, series in found.items() if series is not None and len(series)}
    required = [key for key in required_keys(expression) if key != without]
    if not inputs or any(key not in inputs for key in required):
        return None
    anchor = min(required or list(inputs), key=lambda key: len(inputs[key]))
    times = np.asarray(inputs[anchor].times)
    columns = {}
    for key, series in inputs.items():
        values = np.append(np.asarray(series.values), np.nan)
        columns[key] = values[nearest_rows(times, np.asarray(series.times))].tolist()
    return JoinedKeys(times, columns)


def daily_amounts(
    amount: Amount, business: BusinessSpec, pull: PulledSeries, since: float, until: float, labels: Labels = ()
) -> DailyAmounts | None:
    """The amount of each whole day from ``since`` to ``until`` (seconds, UTC). A constant rate has one every day.
    ``None`` where a key has no points."""
    first, last = math.ceil(since / DAY), math.floor(until / DAY)
    if not keys_of(amount.expression):
        daily = constant_amount(amount, business)
        return DailyAmounts({day * DAY: daily for day in range(first, last)})
    joined = join_keys(pull, amount.expression, labels)
    if joined is None:
        return None
    values = np.asarray(evaluate_columns(amount.expression, joined.columns, business.unit_of, len(joined.times)).values)
    known = np.isfinite(values)
    days = np.floor(joined.times[known] / DAY).astype(np.int64)
    inside = (days >= first) & (days < last)
    return _by_day(days[inside], values[known][inside], is_rate=amount.is_rate)


def constant_amount(amount: Amount, business: BusinessSpec) -> float:
    """Of an amount without keys: money, or of a rate money a day."""
    value = evaluate_columns(amount.expression, {}, business.unit_of, 1).values[0]
    return value * DAY if amount.is_rate else value


def _by_day(days: Ints, values: Floats, *, is_rate: bool) -> DailyAmounts:
    """The first and the last day count only where they are as full as the others."""
    if not len(days):
        return DailyAmounts({})
    names, places, counts = np.unique(days, return_inverse=True, return_counts=True)
    totals = np.bincount(places, weights=values)
    usual = float(np.median(counts))
    full = counts >= FULL_DAY * usual
    amounts = totals / counts * DAY if is_rate else totals
    return DailyAmounts(
        {float(day) * DAY: float(amount) for day, amount, keep in zip(names, amounts, full, strict=True) if keep},
        tuple(float(day) * DAY for day, keep in zip(names, full, strict=True) if not keep),
    )
