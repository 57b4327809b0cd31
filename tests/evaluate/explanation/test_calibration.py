"""Less confident is told apart from worse, by what the windows before an alert were like."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.evaluate.explanation.calibration import describe_calibration
from modelwatch.model.calibration import CalibrationChange, CalibrationVerdict
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import LimitKind, Rule
from modelwatch.model.series import PulledSeries, Series
from modelwatch.report.calibration import calibration_section, calibration_sentence
from modelwatch.sources.requirements import key_requests
from modelwatch.timeutil import DAY

from ..making import NOW, rule, series, tier

RULE = replace(
    rule(tier("warning", LimitKind.ABOVE, 0.05), metric=KeyPattern("calibration/ece"), window=DAY), kind="calibration"
)
START = NOW - DAY


def daily(name: str, before: float, now: float, *, days: int = 12, weight: float = 1000.0) -> Series:
    """One point a day, alike up to a little noise, and another level on the newest."""
    noise = [0.002 * (-1) ** day for day in range(days)]
    values = [*(before + part for part in noise), now]
    return series([(NOW - (days - place) * DAY, value, weight) for place, value in enumerate(values)], name=name)


def described(*found: Series, of: Rule = RULE, start: float = START) -> CalibrationChange | None:
    return describe_calibration(of, start, NOW, PulledSeries("churn", found))


@pytest.mark.parametrize(
    ("confidence", "error", "verdict", "words"),
    [
        (0.70, 0.010, CalibrationVerdict.LESS_CONFIDENT, "less confident (0.800 → 0.700), and right to be"),
        (0.80, 0.120, CalibrationVerdict.WORSE, "as confident as before (0.800 → 0.800), but its probabilities"),
        (0.70, 0.120, CalibrationVerdict.LESS_CONFIDENT_AND_WORSE, "less confident (0.800 → 0.700), and its"),
        (0.90, 0.120, CalibrationVerdict.OVERCONFIDENT, "more confident (0.800 → 0.900), and not right to be"),
        (0.90, 0.010, CalibrationVerdict.MORE_CONFIDENT, "more confident (0.800 → 0.900), and its probabilities still"),
        (0.805, 0.012, CalibrationVerdict.UNCHANGED, "are as before"),
    ],
)  # fmt: skip
def test_each_case_has_its_sentence(confidence: float, error: float, verdict: CalibrationVerdict, words: str) -> None:
    change = described(daily("predictions/confidence", 0.8, confidence), daily("calibration/ece", 0.01, error))
    assert change is not None
    assert change.verdict is verdict
    assert words in calibration_sentence(change)
    assert f"(calibration error 0.010 → {error:.3f})" in calibration_sentence(change)


def test_without_labels_it_is_not_known_whether_probabilities_hold() -> None:
    change = described(daily("predictions/confidence", 0.8, 0.7))
    assert change is not None
    assert change.verdict is CalibrationVerdict.UNKNOWN
    assert "not known before labels arrive" in calibration_sentence(change)


def test_without_a_history_nothing_is_claimed() -> None:
    change = described(daily("predictions/confidence", 0.8, 0.7, days=1), daily("calibration/ece", 0.0, 0.2, days=1))
    assert change is not None
    assert change.verdict is CalibrationVerdict.UNKNOWN
    assert calibration_sentence(change) == "No earlier windows to compare (calibration error 0.200)."


def test_other_rules_and_empty_data_have_none() -> None:
    accuracy = rule(tier("warning", LimitKind.BELOW, 0.5))
    assert described(daily("predictions/confidence", 0.8, 0.7), of=accuracy) is None
    assert described() is None
    assert calibration_section(None) == calibration_sentence(None) == ""


def test_the_reliability_curve_is_a_short_table() -> None:
    bins = [
        series([(NOW, value, 100.0)], name=f"calibration/{name}", labels=(("bin", str(place)),))
        for place in range(1, 11)
        for name, value in (("predicted", place / 10 - 0.05), ("observed", place / 10 - (0.05 if place < 9 else 0.4)))
    ]
    change = described(*bins)
    assert change is not None
    assert [round(part.predicted, 2) for part in change.bins] == [0.1, 0.3, 0.5, 0.7, 0.9]
    lines = calibration_section(change).splitlines()
    assert lines[0] == "| Predicted | Happened (95 %) | Rows |"
    assert lines[2] == "| 10 % | 10 % (7 % to 15 %) | 200 |"
    assert lines[-1] == "| 90 % | **55 %** (48 % to 62 %) | 200 |"


def test_only_rules_about_scores_read_the_keys() -> None:
    texts = {request.pattern.text for request in key_requests([RULE])[0]}
    assert {"predictions/confidence", "calibration/bin=*/observed", "calibration/bin=*/predicted"} < texts
    accuracy = rule(tier("warning", LimitKind.BELOW, 0.5))
    own = replace(RULE, metric=KeyPattern("eval/brier"))
    assert not any("confidence" in request.pattern.text for request in key_requests([accuracy, own])[0])
