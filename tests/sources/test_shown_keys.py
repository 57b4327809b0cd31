"""What pages show beside what rules read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.sources.requirements import plan_read
from modelwatch.sources.shown_keys import quantile_siblings, shown_request
from modelwatch.timeutil import DAY

from .builders import NOW, model, rule

SPEC = MeasureSpec(files="log", score="score", prediction="predicted", label="label", segments=("region",))


def test_every_key_is_optional_so_that_nothing_is_missed() -> None:
    request = shown_request(replace(model(rule()), measure=SPEC), NOW)
    assert request.keys
    assert all(key.optional for key in request.keys)


def test_what_rules_read_is_not_read_twice_and_stays_as_it_is() -> None:
    watched = replace(model(rule("eval/accuracy")), measure=SPEC)
    shown = {key.pattern.text for key in shown_request(watched, NOW).keys}
    read = {key.pattern.text for key in plan_read(watched, NOW).keys}
    assert "eval/accuracy" in read
    assert not shown & read
    assert read == {key.pattern.text for key in plan_read(model(rule("eval/accuracy")), NOW).keys}


def test_keys_of_measure_are_shown_where_it_is_configured() -> None:
    bare = {key.pattern.text for key in shown_request(model(rule()), NOW).keys}
    full = {key.pattern.text for key in shown_request(replace(model(rule()), measure=SPEC), NOW).keys}
    assert {"latency/p95", "errors/rate", "system/*"} <= bare
    assert not any(key.startswith(("labels/", "calibration/")) for key in bare)
    assert {
        "labels/coverage",
        "labels/region=*/coverage",
        "eval/region=*/accuracy",
        "predictions/score/p50",
        "calibration/bin=*/observed",
        "quality/feature=*/missing_rate",
    } <= full


def test_histograms_that_drift_rules_read_are_left_to_them() -> None:
    drift = rule("features/*/psi")
    shown = {pattern.text for pattern in shown_request(replace(model(drift), measure=SPEC), NOW).histograms}
    assert shown == {
        f"{name}{part}"
        for name in ("predictions/score", "predictions/predicted", "labels/label")
        for part in ("", "/categories")
    }
    assert KeyPattern("features/*") in shown_request(model(rule()), NOW).histograms


def test_history_is_that_of_the_model_and_long_enough_for_weeks() -> None:
    assert shown_request(model(rule(), history=10 * DAY), NOW).since == NOW - 42 * DAY
    assert shown_request(model(rule(), history=90 * DAY), NOW).since == NOW - 90 * DAY


@pytest.mark.parametrize(
    ("key", "siblings"),
    [
        ("latency/p95", ("latency/p50", "latency/p95", "latency/p99")),
        ("serve/latency_p99_ms", ("serve/latency_p50_ms", "serve/latency_p95_ms", "serve/latency_p99_ms")),
        ("eval/accuracy", ()),
    ],
)
def test_quantiles_have_siblings(key: str, siblings: tuple[str, ...]) -> None:
    assert quantile_siblings(key) == siblings
