"""Limits in all their forms, the most severe tier, breaches that are real, recovery and improvement."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from modelwatch.model.finding import Cause, Finding, Outcome
from modelwatch.model.rule import (
    BaselineEntry,
    BaselineKind,
    BaselineSpec,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Tier,
    VersionOverride,
)
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY

from .making import NAME, NOW, hourly, newest, rows, rule, tier, track


def judged(value: float, *tiers: Tier, base: float | None = 0.9, sd: float | None = 0.01, **more: Any) -> Finding:
    weight, points, deployed = more.pop("weight", None), more.pop("points", 1), more.pop("deployed", ())
    if base is not None:
        entry = BaselineEntry(NAME, (), base, sd=sd, n=more.pop("n", None))
        more["baseline"] = BaselineSpec(BaselineKind.FILE, entries=(entry,))
    return newest(rule(*tiers, **more), hourly([value] * points, weight=weight), deployed=deployed)


@pytest.mark.parametrize(
    ("form", "limit", "at", "short", "other_side"),
    [
        # A change as large as the limit passes it, even where rounding makes it look a little smaller.
        (LimitKind.DROP, 0.02, 0.882, 0.8821, 1.8),
        (LimitKind.RISE, 0.1, 0.99, 0.9899, 0.1),
        (LimitKind.DROP_POINTS, 0.3, 0.6, 0.6001, 1.8),
        (LimitKind.RISE_POINTS, 0.3, 1.2, 1.1999, 0.1),
        (LimitKind.SIGMA, 3.0, 0.87, 0.8701, None),
        (LimitKind.SIGMA, 3.0, 0.93, 0.9299, None),
        # Static limits have to be exceeded.
        (LimitKind.ABOVE, 0.95, 0.9500001, 0.95, 0.1),
        (LimitKind.BELOW, 0.85, 0.8499999, 0.85, 1.8),
    ],
)
def test_forms(form: LimitKind, limit: float, at: float, short: float, other_side: float | None) -> None:
    """DESIGN: `drop`/`rise` (relative), `drop_points`/`rise_points` (absolute), `above`/`below` (static), `sigma`."""
    assert judged(at, tier("error", form, limit)).severity is Severity.ERROR
    assert judged(short, tier("error", form, limit)).outcome is Outcome.OK
    if other_side is not None:
        assert judged(other_side, tier("error", form, limit)).outcome is Outcome.OK


def test_relative_to_a_negative_baseline_is_relative_to_its_size() -> None:
    assert judged(-1.1, tier("error", LimitKind.DROP, 0.1), base=-1.0).outcome is Outcome.BREACH
    assert judged(-0.9, tier("error", LimitKind.DROP, 0.1), base=-1.0).outcome is Outcome.OK


def test_sigma_looks_in_the_direction_that_is_worse() -> None:
    limit = tier("error", LimitKind.SIGMA, 3.0)
    assert judged(0.95, limit, better=Direction.HIGHER).outcome is Outcome.OK
    assert judged(0.85, limit, better=Direction.HIGHER).outcome is Outcome.BREACH
    assert judged(0.95, limit, better=Direction.LOWER).outcome is Outcome.BREACH
    assert judged(0.85, limit, better=Direction.LOWER).outcome is Outcome.OK


def test_no_change_passes_no_limit() -> None:
    assert (
        judged(0.9, tier("error", LimitKind.DROP, 0.0), tier("error", LimitKind.SIGMA, 3.0), sd=0.0).outcome
        is Outcome.OK
    )


@pytest.mark.parametrize("value", [0.8999999999999999, 0.9000000000000001])
def test_rounding_is_no_change(value: float) -> None:
    """A constant metric spreads by nothing: what rounding adds must not lie sigmas away."""
    assert judged(value, tier("error", LimitKind.SIGMA, 3.0), sd=0.0).outcome is Outcome.OK
    assert judged(value, tier("error", LimitKind.DROP, 0.0), tier("error", LimitKind.RISE, 0.0)).outcome is Outcome.OK
    assert not judged(value, tier("error", LimitKind.DROP, 0.1), improvement=0.0).improved


def test_the_most_severe_tier_wins_whatever_the_order() -> None:
    """DESIGN: the most severe tier reached wins, whatever the order in the file."""
    ladder = (
        tier("warning", LimitKind.DROP, 0.02),
        tier("error", LimitKind.BELOW, 0.85),
        tier("critical", LimitKind.DROP_POINTS, 0.2),
        tier("info", LimitKind.DROP, 0.01),
    )
    for order in permutations(ladder):
        found = [judged(value, *order).severity for value in (0.899, 0.89, 0.88, 0.84, 0.7)]
        assert found == [None, Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.CRITICAL]


def test_a_tier_is_reached_by_any_of_its_limits() -> None:
    both = Tier(Severity.ERROR, (Limit(LimitKind.DROP, 0.5), Limit(LimitKind.BELOW, 0.8)), ("issue",))
    assert judged(0.79, both).outcome is Outcome.BREACH


def test_a_derived_warning_is_a_tier_like_any_other() -> None:
    """DESIGN: a warning exists by default at 90 % of the way."""
    ladder = (replace(tier("warning", LimitKind.DROP, 0.09), derived=True), tier("critical", LimitKind.DROP, 0.1))
    assert [judged(0.9 * share, *ladder).severity for share in (0.92, 0.905, 0.89)] == [
        None,
        Severity.WARNING,
        Severity.CRITICAL,
    ]


def test_a_version_may_have_tiers_of_its_own() -> None:
    strict, loose = tier("critical", LimitKind.DROP, 0.01), tier("info", LimitKind.DROP, 0.5)
    overrides = (VersionOverride("a", (strict,)), VersionOverride("b", (loose,)))
    for version, severity in (("a", Severity.CRITICAL), ("b", None), ("c", Severity.WARNING)):
        last = judged(0.8, tier("warning", LimitKind.DROP, 0.1), overrides=overrides, deployed=[(version, 0.0)])
        assert last.severity is severity, version


class TestReal:
    """DESIGN: a breach must be real: where the count is known, the interval has to clear the baseline."""

    LADDER = (tier("warning", LimitKind.DROP, 0.05), tier("critical", LimitKind.DROP, 0.1))

    def test_a_small_count_does_not_clear(self) -> None:
        """DESIGN: a limit passed but not cleared is `undecided`."""
        few = judged(0.8, *self.LADDER, weight=20.0, interval=Interval.WILSON)
        assert (few.outcome, few.severity, few.cause) == (Outcome.UNDECIDED, None, Cause.NOT_CLEARED)
        assert not few.clear
        assert few.reason == "a limit is passed, but the interval does not clear the baseline"

    def test_a_large_one_does_and_reaches_the_tier_of_its_value(self) -> None:
        """The interval has to exclude the baseline, not to lie beyond the limit."""
        many = judged(0.805, *self.LADDER, weight=200.0, interval=Interval.WILSON)
        assert many.severity is Severity.CRITICAL
        assert many.high is not None
        assert many.high > 0.9 * 0.9

    def test_a_limit_that_is_not_passed_needs_no_certainty(self) -> None:
        fine = judged(0.88, *self.LADDER, weight=3.0, interval=Interval.WILSON)
        assert (fine.outcome, fine.clear) == (Outcome.OK, True)

    def test_an_unknown_count_is_taken_as_it_is(self) -> None:
        assert judged(0.8, *self.LADDER, interval=Interval.WILSON).severity is Severity.CRITICAL

    def test_overlapping_intervals_may_still_differ(self) -> None:
        """80 % and 90 %, of 120 each: [0.719, 0.862] and [0.833, 0.942] overlap; that of the difference excludes 0."""
        both = judged(0.8, tier("error", LimitKind.DROP, 0.1), weight=120.0, n=120.0, interval=Interval.WILSON)
        assert both.high is not None
        assert both.high > 0.85
        assert both.outcome is Outcome.BREACH

    def test_a_static_limit_is_cleared_by_the_value_alone(self) -> None:
        ladder = (tier("warning", LimitKind.BELOW, 0.9), tier("critical", LimitKind.BELOW, 0.82))
        found = [
            judged(0.8, *ladder, base=None, weight=weight, interval=Interval.WILSON) for weight in (10.0, 200.0, 2000.0)
        ]
        assert [(one.outcome, one.severity) for one in found] == [
            (Outcome.UNDECIDED, None),
            (Outcome.BREACH, Severity.WARNING),
            (Outcome.BREACH, Severity.CRITICAL),
        ]

    def test_above_needs_the_lower_bound(self) -> None:
        limit = tier("error", LimitKind.ABOVE, 0.1)
        assert judged(0.2, limit, base=None, weight=20.0, interval=Interval.WILSON).cause is Cause.NOT_CLEARED
        assert judged(0.2, limit, base=None, weight=200.0, interval=Interval.WILSON).outcome is Outcome.BREACH

    def test_a_known_breach_outweighs_a_limit_without_baseline(self) -> None:
        ladder = (tier("warning", LimitKind.BELOW, 0.85), tier("critical", LimitKind.DROP, 0.1))
        assert judged(0.8, *ladder, base=None).severity is Severity.WARNING
        assert judged(0.9, *ladder, base=None).cause is Cause.NO_BASELINE


class TestUndecided:
    """DESIGN: too few points is `undecided`."""

    LIMIT = tier("error", LimitKind.BELOW, 0.9)

    def test_too_few_points(self) -> None:
        few, enough = (judged(0.5, self.LIMIT, points=points, min_points=3) for points in (2, 3))
        assert (few.outcome, few.cause, few.value) == (Outcome.UNDECIDED, Cause.TOO_FEW_POINTS, 0.5)
        assert enough.outcome is Outcome.BREACH

    def test_too_small_a_count(self) -> None:
        few, enough = (judged(0.5, self.LIMIT, weight=weight, min_weight=30.0) for weight in (29.0, 30.0))
        assert (few.outcome, few.cause) == (Outcome.UNDECIDED, Cause.TOO_SMALL_COUNT)
        assert enough.outcome is Outcome.BREACH
        assert judged(0.5, self.LIMIT, min_weight=30.0).cause is Cause.TOO_SMALL_COUNT

    @pytest.mark.parametrize("value", [-0.1, 1.1, 40.0])
    def test_no_proportion(self, value: float) -> None:
        last = judged(value, self.LIMIT, weight=50.0, interval=Interval.WILSON)
        assert (last.outcome, last.cause, last.low) == (Outcome.UNDECIDED, Cause.NOT_A_PROPORTION, None)
        assert "interval: normal" in last.reason


class TestClear:
    LIMIT = tier("error", LimitKind.DROP, 0.1)

    def test_by_default_reaching_no_tier_is_clear(self) -> None:
        assert [judged(value, self.LIMIT).clear for value in (0.9, 0.82, 0.8)] == [True, True, False]

    def test_recover_asks_for_more(self) -> None:
        recover = Limit(LimitKind.DROP, 0.03)
        found = [judged(value, self.LIMIT, recover=recover) for value in (0.9, 0.88, 0.86, 0.8)]
        assert [one.clear for one in found] == [True, True, False, False]
        assert found[2].outcome is Outcome.OK

    def test_a_static_recover(self) -> None:
        limit, recover = tier("error", LimitKind.ABOVE, 0.5), Limit(LimitKind.ABOVE, 0.3)
        assert [judged(value, limit, recover=recover).clear for value in (0.3, 0.4)] == [True, False]

    def test_recovery_that_cannot_be_known_is_none(self) -> None:
        limit = tier("error", LimitKind.ABOVE, 0.95)
        assert not judged(0.9, limit, base=None, recover=Limit(LimitKind.RISE, 0.1)).clear

    def test_a_rule_that_recovers_beyond_its_own_tier_is_not_clear_while_it_is_reached(self) -> None:
        assert not judged(0.8, self.LIMIT, recover=Limit(LimitKind.DROP, 0.5)).clear


class TestImproved:
    """DESIGN: a sudden improvement is a finding of its own."""

    LADDER = (tier("warning", LimitKind.DROP, 0.02), tier("critical", LimitKind.DROP, 0.05))

    def test_as_far_as_the_severest_tier(self) -> None:
        found = [judged(value, *self.LADDER) for value in (0.93, 0.945, 0.99, 0.8)]
        assert [one.improved for one in found] == [False, True, True, False]
        assert found[1].outcome is Outcome.OK

    def test_or_by_the_rules_own_fraction(self) -> None:
        assert judged(0.92, *self.LADDER, improvement=0.02).improved
        assert not judged(0.96, *self.LADDER, improvement=0.1).improved

    def test_lower_may_be_better(self) -> None:
        ladder = (tier("error", LimitKind.RISE, 0.1),)
        assert judged(0.8, *ladder).improved
        assert not judged(0.99, *ladder).improved
        assert not judged(0.85, *ladder).improved

    def test_in_points_and_in_sigmas(self) -> None:
        assert judged(0.96, tier("error", LimitKind.DROP_POINTS, 0.05)).improved
        assert judged(0.93, tier("error", LimitKind.SIGMA, 3.0), better=Direction.HIGHER).improved
        assert not judged(0.92, tier("error", LimitKind.SIGMA, 3.0), better=Direction.HIGHER).improved

    def test_it_must_be_real(self) -> None:
        assert not judged(0.96, *self.LADDER, weight=20.0, interval=Interval.WILSON).improved
        assert judged(0.96, *self.LADDER, weight=2000.0, interval=Interval.WILSON).improved

    def test_static_limits_know_no_improvement(self) -> None:
        assert not judged(0.99, tier("error", LimitKind.BELOW, 0.5)).improved
        assert not judged(0.99, tier("error", LimitKind.BELOW, 0.5), base=None).improved

    def test_without_a_good_direction_there_is_none(self) -> None:
        both = (tier("error", LimitKind.DROP, 0.1), tier("error", LimitKind.RISE, 0.1))
        assert not judged(0.98, *both, improvement=0.01).improved
        assert not judged(0.98, tier("error", LimitKind.SIGMA, 30.0), improvement=0.01).improved

    def test_an_undecided_window_is_no_improvement(self) -> None:
        assert not judged(0.99, *self.LADDER, min_points=2).improved


def test_every_time_has_a_finding() -> None:
    """Always emitted, whatever the data."""
    found = rows(
        track(rule(tier("error", LimitKind.BELOW, 0.5)), hourly([0.9], until=NOW - 30 * 3600.0), history=3 * DAY)
    )
    assert len(found) == 3 * 24 + 1
    assert {row.outcome for row in found} == {Outcome.OK, Outcome.NO_DATA}
