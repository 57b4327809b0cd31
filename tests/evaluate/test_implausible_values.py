"""A metric that cannot be true by its own past is found within hours, and one that rests by nature is left alone."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.evaluate.implausible_values import implausible_points
from modelwatch.evaluate.points import Points
from modelwatch.model.finding import Cause
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Aggregate, AnomalySpec, Direction, Rule
from modelwatch.model.series import PulledSeries, Series, labels_of
from modelwatch.timeutil import HOUR

from .implausible_worlds import BROKEN, HEALTHY, alarms, delay

PAST = [0.92 + 0.001 * (hour * 7 % 11) for hour in range(26)]


def causes(values: list[float], *, better: Direction | None = Direction.HIGHER, kind: str = "accuracy-drop") -> str:
    """One letter a point: the first of the cause, ``.`` where there is none."""
    times = np.arange(len(values)) * np.float64(HOUR)
    rule = Rule("m", kind, KeyPattern("m"), (), better=better)
    found = implausible_points(rule, Points(times, np.array(values), None, np.zeros(0)))
    if found is None:
        return ""
    return "".join("." if not code else Cause.from_code(int(code)).value[0] for code in found)


@pytest.mark.parametrize("name", list(HEALTHY))
def test_a_healthy_year_has_no_alarm(name: str) -> None:
    assert alarms(HEALTHY[name], 7) == 0


FOUND_WITHIN = {
    "exactly 1 from 0.92": 8,
    "exactly 1 from 0.92, 50 rows": 12,
    "exactly 1 from 0.98, 50 rows": 36,
    "repeats its last value": 8,
    "repeats, rounded to 2 digits": 36,
    "0.99 from 0.92, noisy": 12,
    "0.985 from 0.92, noisy": None,
    "loss 0 from 0.3": 8,
}


@pytest.mark.parametrize("name", list(FOUND_WITHIN))
def test_what_cannot_be_true_is_found_within_hours(name: str) -> None:
    """Three times nearer to perfect than usual is not enough."""
    found, most = delay(BROKEN[name], 7), FOUND_WITHIN[name]
    assert (found is None) if most is None else (found is not None and found <= most), found


def test_it_began_with_the_first_point_of_the_run() -> None:
    assert causes([*PAST, *[1.0] * 7]) == ""
    assert causes([*PAST, *[1.0] * 8]) == "." * 26 + "p" * 8
    assert causes([*PAST, *[1.0] * 8, 0.93]) == "." * 26 + "p" * 8 + "."


def test_a_perfect_run_needs_a_day_of_past_and_any_other_a_week() -> None:
    assert causes([*PAST[:24], *[1.0] * 9]) == "", "24 points span 23 hours"
    assert causes([*PAST, *[0.9] * 48]) == ""
    assert causes([*PAST * 7, *[0.9] * 48]) == "." * 182 + "c" * 48


@pytest.mark.parametrize(
    ("better", "kind", "value", "found"),
    [
        (Direction.LOWER, "accuracy-drop", 0.0, True),
        (Direction.LOWER, "error-rate", 0.0, False),
        (Direction.HIGHER, "data-quality", 1.0, False),
        (Direction.LOWER, "data-quality", 0.5, True),
        (None, "business-metric", 0.5, True),
    ],
)
def test_nothing_missing_and_no_errors_are_no_leak(
    better: Direction | None, kind: str, value: float, *, found: bool
) -> None:
    assert bool(causes([*PAST * 7, *[value] * 30], better=better, kind=kind)) == found


TIMES = [497_000 * HOUR + hour * HOUR for hour in range(40)]
LEAKED = [*PAST, *[1.0] * 14]


def series(name: str, values: list[float], **labels: str) -> Series:
    return Series(name, labels_of(labels), array("d", TIMES), array("d", values), None)


def rule(**more: Any) -> Rule:
    return Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), (), better=Direction.HIGHER, **more)


SEGMENTED = {"segments": (KeyPattern("eval/region=*/accuracy"),)}
RATIO = {"aggregate": Aggregate.RATIO, "denominator": KeyPattern("eval/n")}


@pytest.mark.parametrize(
    ("of", "logged", "found"),
    [
        (rule(), [series("eval/accuracy", LEAKED)], True),
        (rule(anomaly=AnomalySpec()), [series("eval/accuracy", LEAKED)], True),
        (rule(**SEGMENTED), [series("eval/accuracy", LEAKED[:26] + PAST[:14])], False),
        (
            rule(**SEGMENTED),
            [series("eval/accuracy", LEAKED[:26] + PAST[:14]), series("eval/accuracy", LEAKED, region="eu")],
            False,
        ),
        (
            rule(**RATIO),
            [series("eval/accuracy", [value * 1000 for value in LEAKED]), series("eval/n", [1000.0] * 40)],
            True,
        ),
    ],
    ids=["a rate", "an anomaly rule", "healthy", "one segment", "a ratio"],
)
def test_the_whole_of_a_rule_is_judged(of: Rule, logged: list[Series], *, found: bool) -> None:
    tracks = evaluate_model(Model("churn", (of,)), PulledSeries("churn", tuple(logged)), TIMES[-1] + 60).tracks
    codes = [set(track.implausible) - {0} for track in tracks]
    assert any(codes) == found
    if found:
        assert codes == [{Cause.PERFECT.code}]
