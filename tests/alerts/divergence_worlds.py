"""Simulated models with a business and a technical metric, for the finding ``business-divergence``.

``python -m tests.alerts.divergence_worlds`` counts in how many of many worlds it is raised, and after how many days.
Each day of the last week is judged on its own, as an evaluation would.
"""

from __future__ import annotations

import statistics
import sys
from array import array

import numpy as np

from modelwatch.alerts.divergence import BUSINESS_KIND
from modelwatch.alerts.grouping import judge_model
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.alert import BUSINESS_DIVERGENCE, AlertState
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, Interval, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

from .making import rule

HOURS = 63 * 24
"""Long enough for the history of the model, its baseline and the gap before that."""
NOW = 20_000 * DAY


def rules() -> tuple[Rule, Rule]:
    rolling = BaselineSpec(BaselineKind.ROLLING, length=28 * DAY)
    one = (Tier(Severity.WARNING, (Limit(LimitKind.DROP, 0.05),), ("issue",)),)
    return (
        rule(
            "margin",
            kind=BUSINESS_KIND,
            metric=KeyPattern("margin"),
            interval=Interval.NORMAL,
            tiers=one,
            window=DAY,
            baseline=rolling,
        ),
        rule(
            "accuracy",
            metric=KeyPattern("eval/accuracy"),
            weight="eval/n",
            interval=Interval.WILSON,
            tiers=one,
            window=DAY,
            baseline=rolling,
            improvement=0.03,
        ),
    )


def pulled(seed: int, margin: float, accuracy: float, since: int) -> PulledSeries:
    """Hourly values with a daily pattern and noise that resembles itself; from hour ``since`` on both change."""
    random = np.random.default_rng(seed)
    hours = np.arange(HOURS)
    times = NOW - (HOURS - 1 - hours) * HOUR
    noise = np.zeros(HOURS)
    for hour in range(1, HOURS):
        noise[hour] = 0.5 * noise[hour - 1] + random.normal(0, 0.04)
    later = hours >= since
    orders = random.poisson(400 * (1 + 0.5 * np.sin(hours * 2 * np.pi / 24)))
    margins = 2 * (1 + noise + 0.02 * np.sin(hours * 2 * np.pi / 24)) * np.where(later, 1 + margin, 1)
    shares = np.minimum(0.85 * np.where(later, 1 + accuracy, 1), 0.999)
    accuracies = random.binomial(1000, shares) / 1000
    return PulledSeries(
        "churn",
        (
            Series("margin", (), array("d", times), array("d", margins), array("d", orders.astype(float))),
            Series("eval/accuracy", (), array("d", times), array("d", accuracies), array("d", [1000.0] * HOURS)),
        ),
    )


def divergences(seed: int, *, margin: float = 0.0, accuracy: float = 0.0, since: int = 55 * 24) -> list[str]:
    """What the divergence says at the end of each of the last days, without what is quiet."""
    model = Model("churn", rules(), history=14 * DAY)
    said = []
    everything = pulled(seed, margin, accuracy, since)
    for day in range(7):
        now = NOW - (6 - day) * DAY
        findings = evaluate_model(model, everything, now)
        groups = judge_model(model, findings, everything, now, lambda *_: None)
        found = next(group for group in groups if group.rule == BUSINESS_DIVERGENCE)
        if found.state is AlertState.FIRING:
            said.append(found.alerts[0].finding.reason)
    return said


WORLDS = {
    "healthy": (0.0, 0.0),
    "the margin falls by 15 %, and nothing else": (-0.15, 0.0),
    "the margin falls by 15 %, accuracy rises by 8 %": (-0.15, 0.08),
    "both fall, by 15 % and 12 %": (-0.15, -0.12),
    "both fall a little, by 8 % and 6 %": (-0.08, -0.06),
    "accuracy falls by 12 %, and nothing else": (0.0, -0.12),
}
"""By name how margin and accuracy change, eight days before the end."""


def main(worlds: int) -> None:
    for name, (margin, accuracy) in WORLDS.items():
        found = [divergences(seed, margin=margin, accuracy=accuracy) for seed in range(1000, 1000 + worlds)]
        raised = [each for each in found if each]
        days = [9 - len(each) for each in raised]
        when = f", for the first time {statistics.median(days):g} days after the change (median)" if days else ""
        said = sorted({text for each in raised for text in each})
        print(f"{name}: raised in {len(raised)} of {worlds} worlds{when}; {'; '.join(said)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
