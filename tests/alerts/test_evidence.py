from __future__ import annotations

from array import array
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.alerts.evidence import TREND_POINTS, collect_evidence, trend
from modelwatch.alerts.state_machine import latest_alert
from modelwatch.alerts.version_health import judge_versions
from modelwatch.model.alert import Evidence, UnconfirmedTier
from modelwatch.model.finding import Track
from modelwatch.model.rule import Limit, LimitKind, Tier
from modelwatch.model.series import Deployment, Labels, PulledSeries, Series
from modelwatch.model.severity import Severity

from .making import NAN, at, pull, rule, track

EU, US = (("region", "eu"),), (("region", "us"),)
VERSIONS = ("v1", "v2", "v3")
DEPLOYED = tuple(Deployment(name, at(3 * place)) for place, name in enumerate(VERSIONS))
SERVED = [0, 0, 0, 1, 1, 1, 2, 2, 2]


def served(text: str, name: str = "accuracy") -> Track:
    return track(text, rule(name), versions=VERSIONS, version=SERVED)


def evidence(*tracks: Track, of: PulledSeries | None = None, **more: Any) -> Evidence:
    alerts = [found for one in tracks if (found := latest_alert(one, at(len(one.outcome))))]
    alerts.sort(key=lambda alert: alert.severity, reverse=True)
    pulled = of or pull(**more)
    health = judge_versions(pulled.deployments, tracks)
    return collect_evidence(tracks, alerts, health, pulled, ("12 segments left out",))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 800), st.integers(0, 800))
def test_the_trend_has_at_most_60_points_and_the_newest(size: int, ago: int) -> None:
    one = track("." * size)
    found = trend(one, one.grid.last - ago * 3600)
    assert 1 <= len(found) <= TREND_POINTS
    assert found[-1].time == one.grid.last
    assert [point.time for point in found] == sorted({point.time for point in found})


def test_the_trend_is_of_the_series_that_the_headline_speaks_of() -> None:
    whole = evidence(track("..w", values=[0.5, 0.5, 0.5]), track("...", labels=EU))
    assert [point.value for point in whole.trend] == [0.5, 0.5, 0.5]
    segment = evidence(track("..."), track("..e", labels=EU, values=[0.9, 0.9, 0.6]))
    assert segment.trend[-1].value == 0.6, "the whole is healthy"
    worst = evidence(track("..w", labels=US), track("..e", labels=EU, values=[0.9, 0.9, 0.6]))
    assert worst.trend[-1].value == 0.6


def test_worst_segments_come_first_and_are_at_most_ten() -> None:
    segments = [track("..w", labels=(("region", f"r{i:02}"),), values=[0.9, 0.9, 0.8 - i / 100]) for i in range(12)]
    healthy = track("...", labels=EU)
    found = evidence(track("..."), healthy, *segments)
    assert found.segments_seen == 13
    assert [finding.labels[0][1] for finding in found.segments] == [f"r{i:02}" for i in range(11, 1, -1)]


def test_a_worse_tier_that_the_newest_window_passes_and_that_does_not_hold() -> None:
    tiers = tuple(
        Tier(severity, (Limit(LimitKind.DROP, drop),), ("issue",))
        for severity, drop in ((Severity.WARNING, 0.02), (Severity.CRITICAL, 0.1))
    )
    values = [0.9, 0.9, 0.8]
    found = evidence(track("..w", rule(tiers=tiers), values=values))
    assert found.unconfirmed == UnconfirmedTier(Severity.CRITICAL, Limit(LimitKind.DROP, 0.1))
    assert evidence(track("..c", rule(tiers=tiers), values=values)).unconfirmed is None


def test_version_and_when_it_was_first_seen() -> None:
    found = evidence(served("......eee"), deployments=DEPLOYED)
    assert (found.version, found.version_since) == ("v3", at(6))


def test_previous_versions_were_healthy_under_the_same_rules() -> None:
    """Neither is what just failed one, even where it is only a warning."""
    assert evidence(served("......eee"), deployments=DEPLOYED).previous == ("v2", "v1")
    assert evidence(served("......www"), deployments=DEPLOYED).previous == ("v2", "v1")
    assert evidence(served("...eeeeee"), deployments=DEPLOYED).previous == ("v1",)
    assert evidence(served("......eee")).previous == ()


def test_data_to_retrain_on_is_what_came_since_the_deployment() -> None:
    times = array("d", [at(i) for i in range(9)])
    values = array("d", [0.9] * 8 + [NAN])
    series = Series("eval/accuracy", (), times, values, array("d", [10.0] * 9))
    found = evidence(served("......eee"), deployments=DEPLOYED, series=(series,)).data
    assert found is not None
    assert (found.since, found.until, found.points, found.n) == (at(6), at(7), 2, 20.0)


def test_the_rows_of_an_episode_are_those_of_the_segment() -> None:
    def logged(labels: Labels, rows: float) -> Series:
        times, counts = array("d", [at(i) for i in range(9)]), array("d", [rows] * 9)
        return Series("eval/accuracy", labels, times, array("d", [0.9] * 9), counts)

    segment = track("......eee", rule(), EU)
    found = evidence(served("........."), segment, series=(logged((), 100.0), logged(EU, 30.0))).affected
    assert found is not None
    assert (found.since, found.n) == (at(6), 90.0)


def test_notes_tell_of_points_left_out() -> None:
    found = evidence(track("..e", bad_points=3, late_points=2), notes=("one key is missing",), links=(("r", "u"),))
    assert found.links == (("r", "u"),)
    assert found.notes == (
        "2 points lie more than 5 minutes in the future and were left out.",
        "3 points are NaN, infinite or beyond 1e100 and were left out.",
        "12 segments left out",
        "one key is missing",
    )
