"""What the change that an alert measured is worth, as money a day."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...model.alert import IMPLAUSIBLE_METRIC, MONITORING_SILENT, SEGMENT_GONE, SOURCE_OUTAGE, WATCHDOG_SILENT, Group
from ...model.alert_scope import find_scope
from ...model.business import Amount, BusinessSpec
from ...model.cadence import usual_gap
from ...model.expression import format_expression, keys_of
from ...model.expression_values import evaluate_columns
from ...model.finding import Finding
from ...model.measurement_unit import TIME, MeasurementUnit
from ...model.money import MoneyImpact
from ...model.monitored_model import Model
from ...model.rule import Aggregate, Rule
from ...model.series import PulledSeries
from ...timeutil import DAY, WEEK
from .daily_amounts import join_keys

_ABOUT_MONITORING = frozenset({MONITORING_SILENT, SOURCE_OUTAGE, SEGMENT_GONE, IMPLAUSIBLE_METRIC, WATCHDOG_SILENT})
"""Rules that say nothing about how good the model is."""
STEPS = 16
"""Into so many parts a metric's interval is divided, to find the least and the most that it is worth."""

Worth = Callable[[float], float]
"""From a value of the metric to money a day; only differences have a meaning."""


def measure_money(model: Model, group: Group, pull: PulledSeries) -> MoneyImpact | None:
    """The money of the change that the group's headline is about, against its baseline.

    ``None`` where no worth is stated and the metric is no money itself, and where nothing says what share of the rows a
    segment has. The interval is that of the metric's value: the baseline counts as exact.
    """
    business, alert = model.business, find_scope(group).alert
    if business is None or alert is None or group.rule in _ABOUT_MONITORING:
        return None
    name = dict(alert.labels).get("rule", group.rule) if group.built_in else group.rule
    rule = next((rule for rule in model.rules if rule.name == name), None)
    if rule is None:
        return None
    finding, share, stated = alert.finding, 1.0, _stated_amount(business, rule)
    if stated is None:
        worth = _money_of_itself(business, rule, finding, _points_a_day(pull, rule, finding))
    else:
        worth = _stated_worth(business, stated, rule, pull, finding.time)
        segment = tuple(pair for pair in alert.labels if pair != ("rule", name))
        share = _share_of_rows(group, finding) if segment else 1.0
    if worth is None or not share > 0:
        return None
    text = format_expression(stated.expression) if stated else ""
    return _impact(finding, worth, share, business.currency, text)


def _stated_amount(business: BusinessSpec, rule: Rule) -> Amount | None:
    stated = dict(business.worth)
    return stated.get(rule.metric.text) or stated.get(rule.metric.name)


def _share_of_rows(group: Group, finding: Finding) -> float:
    """Of the segment in the whole, by the counts of both windows; NaN where they are not known."""
    whole = group.latest
    if whole is None or whole.labels or not whole.n or not finding.n:
        return math.nan
    return min(finding.n / whole.n, 1.0)


def _impact(finding: Finding, worth: Worth, share: float, currency: str, text: str) -> MoneyImpact | None:
    if finding.value is None or finding.baseline is None:
        return None
    before = worth(finding.baseline)
    amount = (worth(finding.value) - before) * share
    if not math.isfinite(amount):
        return None
    low = high = None
    if finding.low is not None and finding.high is not None:
        inside = [*np.linspace(finding.low, finding.high, STEPS + 1).tolist(), finding.value]
        amounts = [(worth(value) - before) * share for value in inside]
        if all(map(math.isfinite, amounts)):
            low, high = min(amounts), max(amounts)
    return MoneyImpact(amount, currency, low, high, text, share)


def _stated_worth(business: BusinessSpec, amount: Amount, rule: Rule, pull: PulledSeries, end: float) -> Worth | None:
    """By the amount that is stated; other keys in it, such as the volume, are those of the week before ``end``."""
    metric = next(key for key in keys_of(amount.expression) if key in (rule.metric.text, rule.metric.name))
    others: dict[str, list[float]] = {}
    size, days = 1, 1.0
    if len(keys_of(amount.expression)) > 1:
        joined = join_keys(pull, amount.expression, without=metric)
        if joined is None:
            return None
        recent = (joined.times > end - WEEK) & (joined.times <= end)
        size = int(recent.sum())
        if size < 2:
            return None
        times = joined.times[recent]
        # The newest point, too, stands for the time since the one before.
        days = float(times[-1] - times[0]) / DAY * size / (size - 1)
        others = {key: np.asarray(column)[recent].tolist() for key, column in joined.columns.items()}

    def worth(value: float) -> float:
        columns = {**others, metric: [value] * size}
        values = np.asarray(evaluate_columns(amount.expression, columns, business.unit_of, size).values)
        known = values[np.isfinite(values)]
        if not len(known):
            return math.nan
        return float(np.mean(known)) * DAY if amount.is_rate else float(np.sum(known)) / days

    return worth


def _is_money_of_each(unit: MeasurementUnit) -> bool:
    """Whether it is money for each of something that is counted, such as ``EUR/order``."""
    others = [(name, power) for name, power in unit.powers if name != unit.currency]
    return (unit.currency, 1) in unit.powers and len(others) == 1 and others[0][1] == -1 and others[0][0] != TIME


def _points_a_day(pull: PulledSeries, rule: Rule, finding: Finding) -> float:
    """By the usual gap of the week before; by the points in the window where there are too few. A point that is late or
    lost makes no day cheaper."""
    own = (series for series in pull.series if series.name == rule.metric.name and series.labels == finding.labels)
    series = next(own, None)
    recent = [time for time in series.times if finding.time - WEEK < time <= finding.time] if series else []
    gap = usual_gap(recent)
    return DAY / gap if len(recent) > 2 and gap > 0 else finding.points * DAY / rule.window


def _money_of_itself(business: BusinessSpec, rule: Rule, finding: Finding, points_a_day: float) -> Worth | None:
    """Of a metric whose unit is money, in a time or for each of what its count counts."""
    unit = business.unit_of(rule.metric.name)
    if unit is None or not unit.currency:
        return None
    windows = DAY / rule.window
    if unit.is_money_rate:
        factor = DAY
    elif unit.is_money and rule.aggregate is Aggregate.SUM:
        factor = windows
    elif unit.is_money and rule.aggregate is Aggregate.MEAN:
        factor = points_a_day
    elif _is_money_of_each(unit) and finding.n and finding.points:
        factor = finding.n / finding.points * points_a_day
    else:
        return None
    return lambda value: value * unit.scale * factor
