"""How old what is judged is: labels that come late, and jobs that stopped logging, look like this."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.drift import drift_spec
from ..model.rule import Rule
from ..model.series import PulledSeries
from .escape import plain_line
from .words import duration


def describe_freshness(pull: PulledSeries, rules: Sequence[Rule], now: float, rule_name: str = "") -> str:
    """Of the rule whose points are furthest behind what it allows; where none is late, of the one ``asked`` about."""
    ages = {rule.name: _newest_age(pull, rule, now) for rule in rules}
    behind = {rule.name: age - rule.lag - rule.every for rule in rules if (age := ages[rule.name]) is not None}
    if not behind:
        return "no points at all in the history"
    worst = max(behind, key=lambda name: behind[name])
    told = rule_name if behind[worst] <= 0 and rule_name in behind else worst
    age = ages[told] or 0.0
    old = f"{duration(age)} old" if age >= 60 else "less than a minute old"
    allowed = age - behind[told]
    late = f", later than the {duration(allowed)} that rule {plain_line(told)} allows" if behind[told] > 0 else ""
    return f"the newest judged point is {old}{late}"


def _newest_age(pull: PulledSeries, rule: Rule, now: float) -> float | None:
    """Seconds since the newest point of the rule's metric."""
    scalars = {pattern.name for pattern in (rule.metric, *rule.segments)}
    asked = drift_spec(rule)
    bins = {pattern.name for pattern in asked.patterns} if asked else set()
    times = [one.times[-1] for one in pull.series if one.name in scalars and len(one)]
    times += [one.times[-1] for one in pull.histograms if one.name in bins and not one.source and len(one)]
    return max(now - max(times), 0.0) if times else None
