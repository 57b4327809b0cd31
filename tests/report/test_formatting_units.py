"""Values with their units: as somebody reads them who does not know the metric's name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import FeatureAggregation, Limit, LimitKind, Rule, Tier
from modelwatch.model.severity import Severity
from modelwatch.model.unit import unit_of
from modelwatch.report import formatting
from modelwatch.report.alert_phrase import describe_alert

from .making import LATAM, alert, finding, group


def rule(metric: str, *limits: Limit, kind: str = "business-metric") -> Rule:
    return Rule("r", kind, KeyPattern(metric), (Tier(Severity.ERROR, limits, ("issue",)),))


ABOVE = Limit(LimitKind.ABOVE, 0.05)


@pytest.mark.parametrize(
    ("of", "unit"),
    [
        (rule("serve/latency_ms", Limit(LimitKind.ABOVE, 250)), "ms"),
        (rule("serve/latency_seconds", Limit(LimitKind.RISE, 0.5)), "s"),
        (rule("labels/age_hours", Limit(LimitKind.ABOVE, 48), kind="label-delay"), "h"),
        (rule("labels/delay_days/class=yes/p90", Limit(LimitKind.ABOVE, 21), kind="label-delay"), "d"),
        (rule("labels/maturity_days", Limit(LimitKind.ABOVE, 21), kind="label-delay"), "d"),
        (rule("serve/errors", ABOVE, kind="error-rate"), "%"),
        (rule("data/null_rate", ABOVE), "%"),
        (rule("quality/feature=*/missing_excess", ABOVE, kind="data-quality"), "%"),
        (rule("quality/freshness", Limit(LimitKind.ABOVE, 10_800), kind="data-quality"), "s"),
        (rule("data/null_rate", Limit(LimitKind.RISE, 0.5)), ""),
        (rule("business/orders_rate", Limit(LimitKind.BELOW, 1000)), ""),
        (rule("business/s", ABOVE), ""),
        (rule("eval/accuracy", Limit(LimitKind.DROP, 0.05)), ""),
        (rule("estimated/accuracy", Limit(LimitKind.DROP, 0.05)), "estimate"),
        (rule("estimate_check/accuracy", Limit(LimitKind.ABOVE, 1.0)), "margin"),
        (rule("features/*/psi", ABOVE), "psi"),
        (replace(rule("features/*/psi", ABOVE), across=FeatureAggregation.SHARE), "features"),
        (
            replace(rule("features/*/psi", ABOVE), across=FeatureAggregation.SHARE, importances=(("a", 1.0),)),
            "importance",
        ),
        (rule("agreement/candidate", Limit(LimitKind.BELOW, 0.95), kind="prediction-drift"), "%"),
    ],
)
def test_the_unit_follows_from_the_rule(of: Rule, unit: str) -> None:
    assert unit_of(of) == unit


@pytest.mark.parametrize(
    ("value", "unit", "said", "bare"),
    [
        (379.52, "ms", "379.5 ms", "379.5 ms"),
        (0.030074, "%", "3.01 %", "3.01 %"),
        (0.41, "psi", "PSI 0.41", "0.41"),
        (0.6, "features", "60 % of features drifted", "60 %"),
        (0.6, "importance", "60 % of feature importance drifted", "60 %"),
        (0.8412, "", "0.8412", "0.8412"),
        (-0.05, "%", "−5 %", "−5 %"),
        (None, "ms", "—", "—"),
        (0.8412, "estimate", "0.8412 (estimated)", "0.8412"),
        (2.31, "margin", "off by 2.31 times its margin", "2.31"),
    ],
)
def test_a_value_says_its_unit(value: float | None, unit: str, said: str, bare: str) -> None:
    assert formatting.quantity(value, unit) == said
    assert formatting.bare_value(value, unit) == bare


def test_a_share_of_features_is_a_sentence_of_its_own() -> None:
    of = group(
        alert(finding(value=0.6, change=None, baseline=None)), limits=(Limit(LimitKind.ABOVE, 0.5),), unit="features"
    )
    assert describe_alert(of).sentence == "accuracy: 60 % of features drifted, above its limit 50 %"


def test_a_plain_value_is() -> None:
    of = group(alert(finding(labels=LATAM)))
    assert describe_alert(of).sentence == "accuracy (region=latam) is 0.85, 7.6 % below its baseline 0.92"


def test_a_limit_reads_as_in_the_configuration() -> None:
    assert formatting.limit_text(Limit(LimitKind.DROP, 0.02)) == "drop 2 %"
    assert formatting.limit_text(Limit(LimitKind.RISE_POINTS, 0.5)) == "rise points 0.5"
    assert formatting.limit_text(Limit(LimitKind.ABOVE, 0.25)) == "above 0.25"
    assert formatting.limit_text(Limit(LimitKind.ABOVE, 250), "ms") == "above 250 ms"
    assert formatting.limit_text(Limit(LimitKind.SIGMA, 3), "%") == "sigma 3"
