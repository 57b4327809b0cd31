"""A canary against the champion in the same hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from modelwatch.evaluate.canary import judge_canary
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import CanarySpec, Model, ReleaseSpec
from modelwatch.model.release import CanaryDecision, CanaryPeriod, CanaryVerdict
from modelwatch.model.rule import BaselineKind, BaselineSpec, Interval, LimitKind, Mode, Rule
from modelwatch.model.series import Deployment, PulledSeries, Series
from modelwatch.timeutil import DAY, HOUR

from .making import NOW, hourly, rule, tier

SINCE = NOW - 24 * HOUR
TRIAL = CanaryPeriod("v8", ("v8", "1.5.0"), SINCE, percent=10.0)
RULE = rule(
    tier("warning", LimitKind.DROP, 0.02),
    tier("error", LimitKind.DROP, 0.05),
    weight="eval/n",
    interval=Interval.WILSON,
    baseline=BaselineSpec(BaselineKind.CONSTANT, value=0.5),
    better=None,
)
SPEC = ReleaseSpec("acme/churn/model", promote=Mode.ACT, canary=CanarySpec(length=DAY, least=1000))


def versioned(values: Sequence[float], version: str, weight: float = 4000.0, **more: object) -> Series:
    return hourly(values, weight=weight, versions=(version,), version_of=[0] * len(values), **more)  # type: ignore[arg-type]


def judged(
    canary: Sequence[float],
    champion: Sequence[float] = (0.9,) * 24,
    *,
    rules: tuple[Rule, ...] = (RULE,),
    spec: ReleaseSpec = SPEC,
    trial: CanaryPeriod = TRIAL,
    weight: float = 400.0,
    more: tuple[tuple[Series, Series], ...] = (),
) -> CanaryVerdict:
    pull = PulledSeries(
        "churn",
        (versioned(champion, "v7"), *(pair[0] for pair in more)),
        (Deployment("v7", NOW - 30 * DAY),),
        canary_periods=(trial,),
        canary_series=(versioned(canary, "v8", weight), *(pair[1] for pair in more)) if canary else (),
    )
    found = judge_canary(Model("churn", rules, release=spec), pull, NOW)
    assert found is not None
    return found


def test_as_good_as_the_champion_for_long_enough_is_promoted() -> None:
    verdict = judged([0.9] * 24)
    assert verdict.decision is CanaryDecision.PROMOTE
    (check,) = verdict.checks
    assert [check.canary, check.champion] == pytest.approx([0.9, 0.9])
    assert (check.n, check.champion_n) == (9600, 96_000)


def test_what_counts_is_the_champion_in_the_same_hours_and_no_baseline() -> None:
    """A bad day falls on both alike; the rule's own baseline says 0.5."""
    before, bad = [0.95] * 48, [0.8] * 24
    assert judged(bad, [*before, *bad]).decision is CanaryDecision.PROMOTE
    assert judged([0.75] * 24, [*before, *bad]).decision is CanaryDecision.ABORT


def test_a_tier_of_error_takes_it_back_however_young_it_is() -> None:
    verdict = judged([0.7] * 2, trial=replace(TRIAL, since=NOW - 2 * HOUR))
    assert verdict.decision is CanaryDecision.ABORT
    assert verdict.reasons == ("accuracy reaches error: 0.7 against 0.9",)


def test_chance_takes_nothing_back() -> None:
    """5 % worse, but of 20 predictions an hour."""
    verdict = judged([0.85] * 3, weight=20, trial=replace(TRIAL, since=NOW - 3 * HOUR))
    assert verdict.decision is CanaryDecision.CONTINUE
    assert any("undecided" in reason for reason in verdict.reasons)


def test_a_warning_promotes_nothing_and_takes_nothing_back() -> None:
    verdict = judged([0.87] * 24)
    assert verdict.decision is CanaryDecision.CONTINUE
    assert verdict.reasons == ("accuracy reaches warning: 0.87 against 0.9",)


@pytest.mark.parametrize(
    ("spec", "canary", "reason"),
    [
        (CanarySpec(length=2 * DAY, least=1), [0.9] * 24, "it has served 24.0 of 48 h"),
        (CanarySpec(length=HOUR, least=10_000), [0.9] * 24, "it has judged 9600 of at least 10000 predictions"),
        (CanarySpec(length=HOUR, least=1), [], "nothing can be compared yet"),
    ],
)
def test_what_is_missing_is_said(spec: CanarySpec, canary: list[float], reason: str) -> None:
    verdict = judged(canary, spec=replace(SPEC, canary=spec))
    assert verdict.decision is CanaryDecision.CONTINUE
    assert verdict.reasons[0].startswith(reason)


def test_no_rule_no_promotion() -> None:
    """SageMaker promotes where no alarm is configured; we do not."""
    verdict = judged([0.9] * 24, rules=())
    assert verdict.decision is CanaryDecision.CONTINUE
    assert "nothing can be compared" in verdict.reasons[0]


def test_what_the_canary_does_not_log_promotes_nothing() -> None:
    """Accuracy looks fine; of its errors nobody knows anything."""
    errors = replace(
        rule(tier("error", LimitKind.ABOVE, 0.05), metric=KeyPattern("serve/error_rate")),
        name="errors",
        kind="error-rate",
    )
    logged = versioned([0.01] * 24, "v7", name="serve/error_rate")
    elsewhere = versioned([0.01] * 24, "v6", name="other")
    verdict = judged([0.9] * 24, rules=(RULE, errors), more=((logged, elsewhere),))
    assert verdict.decision is CanaryDecision.CONTINUE
    assert verdict.reasons == ("errors has no data: the champion has logged it in these hours, and the canary has not",)
    before = versioned([0.01] * 24, "v7", name="serve/error_rate", until=NOW - 3 * DAY)
    assert judged([0.9] * 24, rules=(RULE, errors), more=((before, elsewhere),)).decision is CanaryDecision.PROMOTE
    nobody = hourly([0.01] * 24, name="serve/error_rate")
    assert judged([0.9] * 24, rules=(RULE, errors), more=((nobody, elsewhere),)).decision is CanaryDecision.PROMOTE


def test_no_champion_in_the_same_hours_no_promotion() -> None:
    pull = PulledSeries(
        "churn",
        (versioned([0.9] * 24, "v7", until=NOW - 3 * DAY),),
        (Deployment("v7", NOW - 30 * DAY),),
        canary_periods=(TRIAL,),
        canary_series=(versioned([0.9] * 24, "v8"),),
    )
    found = judge_canary(Model("churn", (RULE,), release=SPEC), pull, NOW)
    assert found is not None
    assert found.decision is CanaryDecision.CONTINUE
    assert found.checks[0].outcome == "undecided"


@pytest.mark.parametrize(
    ("mode", "step"), [(Mode.PROPOSE, CanaryDecision.PROPOSE), (Mode.OBSERVE, CanaryDecision.CONTINUE)]
)
def test_the_mode_decides_who_promotes(mode: Mode, step: CanaryDecision) -> None:
    assert judged([0.9] * 24, spec=replace(SPEC, promote=mode)).decision is step


def test_one_segment_that_breaks_takes_it_back() -> None:
    pattern = KeyPattern("eval/region=*/accuracy")
    labels = (("region", "eu"),)
    pair = (versioned([0.9] * 24, "v7", labels=labels), versioned([0.6] * 24, "v8", 400.0, labels=labels))
    verdict = judged([0.9] * 24, rules=(replace(RULE, segments=(pattern,)),), more=(pair,))
    assert verdict.decision is CanaryDecision.ABORT
    assert verdict.reasons == ("accuracy (region=eu) reaches error: 0.6 against 0.9",)


def test_a_static_limit_is_the_canarys_own() -> None:
    errors = replace(
        rule(tier("error", LimitKind.ABOVE, 0.05), metric=KeyPattern("serve/error_rate")),
        name="errors",
        kind="error-rate",
    )
    pair = (
        versioned([0.01] * 24, "v7", name="serve/error_rate"),
        versioned([0.2] * 24, "v8", name="serve/error_rate"),
    )
    verdict = judged([0.9] * 24, rules=(RULE, errors), more=(pair,))
    assert verdict.decision is CanaryDecision.ABORT
    assert verdict.reasons == ("errors reaches error: 0.2 against 0.01",)


def test_an_earlier_canary_does_not_count() -> None:
    """Its points stand in the same series."""
    values = [0.5] * 24 + [0.9] * 24
    both = hourly(values, weight=400.0, versions=("v6", "v8"), version_of=[0] * 24 + [1] * 24)
    earlier = CanaryPeriod("v6", ("v6",), NOW - 48 * HOUR, SINCE)
    pull = PulledSeries(
        "churn",
        (versioned([0.9] * 48, "v7"),),
        (Deployment("v7", NOW - 30 * DAY),),
        canary_periods=(earlier, TRIAL),
        canary_series=(both,),
    )
    found = judge_canary(Model("churn", (RULE,), release=SPEC), pull, NOW)
    assert found is not None
    assert (found.decision, found.version) == (CanaryDecision.PROMOTE, "v8")


@pytest.mark.parametrize("trials", [(), (replace(TRIAL, until=NOW - HOUR),)])
def test_nothing_to_judge(trials: tuple[CanaryPeriod, ...]) -> None:
    assert (
        judge_canary(Model("churn", (RULE,), release=SPEC), PulledSeries("churn", (), canary_periods=trials), NOW)
        is None
    )
