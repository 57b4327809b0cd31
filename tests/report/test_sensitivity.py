"""How it is said what a rule can see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import (
    Aggregate,
    AnomalySpec,
    BaselineKind,
    BaselineSpec,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from modelwatch.model.sensitivity import DetectionDelay, ModelSensitivity, Sensitivity, SeriesNoise, TierSensitivity
from modelwatch.model.severity import Severity
from modelwatch.report.sensitivity import (
    COLUMNS,
    advice_lines,
    blindness_note,
    delay_text,
    sensitivity_rows,
    unknown_reason,
    visible_changes,
)
from modelwatch.timeutil import DAY, HOUR

NOISE = SeriesNoise(HOUR, 0.9, 0.9, 0.001, 0.001, 0.03, 100.0, 90.0, None, is_proportion=True)
LATAM = (("region", "latam"),)


def tier(**fields: Any) -> TierSensitivity:
    limit = fields.pop("limit", Limit(LimitKind.DROP, 0.02))
    own = DetectionDelay(limit.value, fields.pop("own", 5 * HOUR))
    delays = (DetectionDelay(0.02, own.seconds), DetectionDelay(0.05, 2 * HOUR), DetectionDelay(0.1, HOUR))
    plain = TierSensitivity(Severity.WARNING, limit, 365 / 90, 0.02, 0.02, own, delays)
    return replace(plain, **fields)


def seen(*tiers: TierSensitivity, **fields: Any) -> Sensitivity:
    return replace(Sensitivity("accuracy", (), tiers or (tier(),), NOISE), **fields)


BLIND = tier(own=23 * DAY, within_day=0.0912, within_week=0.034)


class TestVisibleChanges:
    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({}, "its limit (drop 2 %) within 5 h"),
            ({"within_day": 0.0307, "own": 3 * DAY}, "drop 3.1 % within a day, drop 2 % within a week"),
            (
                {"within_day": None, "within_week": 0.0123456, "limit": Limit(LimitKind.DROP, 0.01)},
                "drop 1.3 % within a week",
            ),
            ({"within_day": None, "within_week": None, "own": None}, "no change within a week"),
        ],
    )
    def test_the_smallest_changes(self, fields: dict[str, Any], text: str) -> None:
        assert visible_changes(seen(tier(**fields))) == text

    def test_in_the_unit_of_the_metric(self) -> None:
        slow = tier(limit=Limit(LimitKind.RISE_POINTS, 20.0), within_day=31.4, within_week=20.0)
        assert visible_changes(seen(slow), "ms") == "rise points 32 ms within a day, rise points 20 ms within a week"


class TestBlindness:
    def test_how_long_it_takes_and_what_to_change(self) -> None:
        assert blindness_note(seen(BLIND), 1, 0) == (
            "accuracy cannot see its own limit, drop 2 % (warning), within a week: "
            "at 2,400 rows a day that takes 23 d. Raise the limit to drop 3.4 % or log 3.3 times as much."
        )

    def test_in_some_segments(self) -> None:
        note = blindness_note(seen(BLIND, labels=LATAM), 3, 5)
        assert "(warning), in 3 of 5 segments such as region=latam within a week" in note
        assert note.endswith("or have fewer, larger segments.")

    def test_a_little_too_late(self) -> None:
        note = blindness_note(seen(tier(own=8 * DAY, within_week=0.0215)), 1, 0)
        assert note.endswith("Raise the limit to drop 2.2 %, log 1.2 times as much or allow more false alarms.")

    def test_a_baseline_that_is_too_uncertain(self) -> None:
        vague = tier(own=None, within_week=0.07, is_baseline_vague=True)
        assert blindness_note(seen(vague), 1, 0) == (
            "accuracy cannot see its own limit, drop 2 % (warning): its baseline is too uncertain. "
            "Raise the limit to drop 7 % or compare with a longer baseline."
        )

    def test_never_for_want_of_points(self) -> None:
        points = replace(NOISE, is_proportion=False, gap=DAY)
        note = blindness_note(seen(tier(own=None, within_day=None, within_week=None), noise=points), 1, 0)
        assert note.endswith("within a week: at 1 point a day that takes over a year. Log much more.")


class TestRows:
    def test_the_whole_and_the_segment_that_sees_least(self) -> None:
        small = seen(BLIND, labels=LATAM)
        found = ModelSensitivity("churn", (seen(), seen(labels=(("region", "eu"),)), small), (("accuracy", ""),))
        rows = sensitivity_rows(found)
        assert all(len(row) == len(COLUMNS) for row in rows)
        assert rows == [
            ("churn", "accuracy", "warning", "drop 2 %", "2 %", "2 %", "4.1", "2 %: 5 h\n5 %: 2 h\n10 %: 1 h"),
            (
                "churn",
                "accuracy region=latam",
                "warning",
                "drop 2 %",
                "9.2 %",
                "3.4 %",
                "4.1",
                "2 %: 23 d\n5 %: 2 h\n10 %: 1 h",
            ),
        ]
        assert [line.partition(",")[0] for line in advice_lines(found)] == ["accuracy cannot see its own limit"]

    def test_nothing_is_advised_where_limits_are_seen(self) -> None:
        assert list(advice_lines(ModelSensitivity("churn", (seen(),), (("accuracy", ""),)))) == []

    @pytest.mark.parametrize(
        ("seconds", "text"), [(None, "over a year"), (3 * DAY + HOUR, "3 d 1 h"), (5.4 * DAY, "6 d")]
    )
    def test_delays(self, seconds: float | None, text: str) -> None:
        assert delay_text(DetectionDelay(0.02, seconds)) == text


TIER = Tier(Severity.ERROR, (Limit(LimitKind.DROP, 0.05),), ("issue",), false_alarms=90 * DAY)
SURE = Rule(
    "r", "latency", KeyPattern("m"), (TIER,), interval=Interval.WILSON, baseline=BaselineSpec(BaselineKind.CONSTANT)
)
FIXED = replace(TIER, limits=(Limit(LimitKind.BELOW, 9.0),))


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (SURE, "there is no baseline yet"),
        (replace(SURE, interval=Interval.NONE), "nothing says how sure its points are; `weight` or `interval: normal`"),
        (replace(SURE, tiers=(replace(TIER, false_alarms=None),)), "every window is decided alone"),
        (replace(SURE, tiers=(FIXED,), aggregate=Aggregate.SUM), "its limits are facts"),
        (replace(SURE, anomaly=AnomalySpec()), "it has no limit"),
        (replace(SURE, metric=KeyPattern("age/psi")), "what a rule about drift can see is not computed"),
        (replace(SURE, tiers=(replace(TIER, limits=()),)), "`modelwatch config check` says how soon"),
    ],
)
def test_one_reason_why_it_is_not_known_what_a_rule_can_see(rule: Rule, why: str) -> None:
    assert unknown_reason(rule, has_data=True).startswith(why)
    assert unknown_reason(rule, has_data=False) == "there is no data yet"
