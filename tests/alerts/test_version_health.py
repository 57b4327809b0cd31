"""Which versions were healthy: each proof against one, and each excuse."""

from __future__ import annotations

from random import Random

import pytest

from modelwatch.alerts.version_health import judge_versions, recount_judgements
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.finding import Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, FalseAlarmBudget, Interval, LimitKind
from modelwatch.model.series import Deployment, PulledSeries
from modelwatch.timeutil import DAY, HOUR
from tests.evaluate.making import NOW, hourly, tier
from tests.evaluate.making import rule as evaluated_rule

from .making import at, rule, track

VERSIONS = ("v1", "v2", "v3")
LENGTH = 40
"""Findings of each version, one an hour."""
DEPLOYED = tuple(Deployment(name, at(LENGTH * place)) for place, name in enumerate(VERSIONS))
SERVED = [place for place in range(3) for _ in range(LENGTH)]


def served(second: str, name: str = "accuracy", kind: str = "accuracy-drop", last: str = "", **more: object) -> Track:
    """A track whose findings under v2 begin with ``second`` and are clear from there on; under v3 with ``last``."""
    text = "." * LENGTH + second.ljust(LENGTH, ".") + last.ljust(LENGTH, ".")
    return track(text, rule(name, kind=kind, **more), versions=VERSIONS, version=SERVED)


def healthy(*tracks: Track) -> list[str]:
    return [record.version for record in judge_versions(DEPLOYED, tracks) if record.healthy]


ALL = ["v3", "v2", "v1"]
NOT_V2 = ["v3", "v1"]


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        pytest.param([served("")], ALL, id="nothing happened"),
        pytest.param([served("." * 9 + "c")], ALL, id="a single finding"),
        pytest.param([served("." * 9 + "c", last="." * 9 + "c")], ALL, id="single findings"),
        pytest.param([served("." * 9 + "eeee")], NOT_V2, id="an alert that lasted"),
        pytest.param([served("." * 9 + "wwwwwwww")], ALL, id="a warning is no failure"),
        pytest.param([served("." * 9 + "ee", for_=3)], ALL, id="too short to fire"),
        pytest.param([served("." * 9 + "e" * 15, window=DAY)], ALL, id="one window, looked at often"),
        pytest.param([served("." * 36 + "cccc")], NOT_V2, id="in alert as it was replaced"),
        pytest.param([served("c" * LENGTH)], NOT_V2, id="bad as long as it served"),
        pytest.param([served("_" * LENGTH)], NOT_V2, id="never judged"),
        pytest.param([served(""), served("c" * 20, "psi", "data-drift")], ALL, id="drift is not about the model"),
        pytest.param(
            [served("." * 20 + "eeee"), served("." * 20 + "ee", "missing", "data-quality")],
            ALL,
            id="explained by missing data",
        ),
        pytest.param(
            [served("." * 9 + "eeee"), served("." * 20 + "ee", "missing", "data-quality")],
            NOT_V2,
            id="it began before the data were missing",
        ),
        pytest.param(
            [served("." * 20 + "e" * 16), served("." * 20 + "ee", "missing", "data-quality")],
            NOT_V2,
            id="it outlasted the missing data",
        ),
        pytest.param(
            [served("c" * LENGTH), served("c" * LENGTH, "missing", "data-quality")],
            NOT_V2,
            id="the data went bad with the version and came back with the next one",
        ),
    ],
)
def test_what_counts_against_a_version(tracks: list[Track], expected: list[str]) -> None:
    assert healthy(*tracks) == expected


def test_a_failure_names_rule_severity_and_time() -> None:
    (record,) = (record for record in judge_versions(DEPLOYED, [served("." * 9 + "eec" + "e")]) if record.failures)
    (failure,) = record.failures
    assert (record.version, record.since, record.until) == ("v2", at(LENGTH), at(2 * LENGTH))
    assert (failure.rule, str(failure.severity)) == ("accuracy", "critical")
    assert (failure.since, failure.until) == (at(LENGTH + 9), at(LENGTH + 12))


@pytest.mark.parametrize("bad", ["...wee", "...we", "..ee"])
def test_a_bad_version_that_is_replaced_at_once_is_not_healthy(bad: str) -> None:
    """Its windows reach three hours back: they fill before they show anything, and two of them prove nothing."""
    version = [0] * LENGTH + [1] * len(bad) + [2] * LENGTH
    text = "." * LENGTH + bad + "." * LENGTH
    deployed = (DEPLOYED[0], Deployment("v2", at(LENGTH)), Deployment("v3", at(LENGTH + len(bad))))
    records = judge_versions(deployed, [track(text, rule(window=3 * HOUR), versions=VERSIONS, version=version)])
    assert [record.version for record in records if record.healthy] == NOT_V2


def test_a_version_that_was_rolled_back_is_not_healthy() -> None:
    records = judge_versions(DEPLOYED, [served("")], (), [("v2", "too many complaints")])
    assert [record.version for record in records if record.healthy] == NOT_V2


def test_a_version_is_healthy_under_the_rule_that_judged_it() -> None:
    accuracy, latency = served("_" * LENGTH), served("", "latency", "latency")
    health = judge_versions(DEPLOYED, [accuracy, latency])
    assert [record.version for record in recount_judgements(health, [accuracy]) if record.healthy] == NOT_V2
    assert [record.version for record in recount_judgements(health, [latency]) if record.healthy] == ALL


def test_noise_that_reaches_a_tier_often_has_to_last_longer() -> None:
    """Pairs of windows among many that pass a limit by chance prove nothing; a run of eight does."""
    noise = "..c.c..cc...c.c..c..cc..c..c.cc..c...c."
    noisy = track(noise.ljust(LENGTH, ".") * 3, rule(), versions=VERSIONS, version=SERVED)
    assert healthy(noisy) == ALL
    text = "." * LENGTH + ("..c.c.." + "c" * 12 + "..c..c").ljust(LENGTH, ".") + noise.ljust(LENGTH, ".")
    assert healthy(track(text, rule(), versions=VERSIONS, version=SERVED)) == NOT_V2


def test_a_version_that_serves_again_keeps_what_counted_against_it() -> None:
    version = [0] * LENGTH + [1] * LENGTH + [0] * LENGTH
    text = ("." * 9 + "eeee").ljust(LENGTH, ".") + "." * 2 * LENGTH
    deployed = (*DEPLOYED[:2], Deployment("v1", at(2 * LENGTH)))
    records = judge_versions(deployed, [track(text, rule(), versions=VERSIONS, version=version)])
    assert [(record.version, record.since, record.healthy) for record in records] == [
        ("v1", at(2 * LENGTH), False),
        ("v2", at(LENGTH), True),
    ]
    assert records[1].until == records[0].since == at(LENGTH) + LENGTH * HOUR


@pytest.mark.parametrize("budget", [FalseAlarmBudget(), None], ids=["budget", "each window alone"])
@pytest.mark.parametrize("window", [HOUR, DAY], ids=["1h", "24h"])
def test_few_predictions_leave_a_perfect_version_healthy(window: float, budget: FalseAlarmBudget | None) -> None:
    """At 50 predictions an hour, in 60 worlds: the version that was right as often as ever is the one to go back to."""
    limits = zip(("warning", "error", "critical"), (0.02, 0.05, 0.10), strict=True)
    tiers = [tier(name, LimitKind.DROP, limit) for name, limit in limits]
    accuracy = evaluated_rule(
        *tiers,
        window=window,
        weight=KeyPattern("eval/n"),
        interval=Interval.WILSON,
        baseline=BaselineSpec(BaselineKind.CONSTANT, value=0.92, n=100_000.0),
    )
    for world in range(60):
        random = Random(world)
        rates = [0.92] * 19 * 24 + [0.7] * 24
        values = [sum(random.random() < rate for _ in range(50)) / 50 for rate in rates]
        points = hourly(values, weight=50, versions=("v6", "v7"), version_of=[rate < 0.9 for rate in rates])
        deployed = tuple(Deployment(name, points.times[row]) for name, row in (("v6", 0), ("v7", 19 * 24)))
        model = Model("churn", (accuracy,), history=20 * DAY, false_alarms=budget)
        tracks = evaluate_model(model, PulledSeries("churn", (points,), deployed), NOW).tracks
        records = judge_versions(deployed, tracks)
        assert [(record.version, record.healthy) for record in records] == [("v7", False), ("v6", True)], world
