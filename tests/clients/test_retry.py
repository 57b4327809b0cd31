"""Every wait is bounded and scaled."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from modelwatch.clients.github import github_breaker, github_retry_policy
from modelwatch.clients.pagerduty import (
    events_breaker,
    incidents_breaker,
    incidents_retry_policy,
    pagerduty_retry_policy,
)
from modelwatch.clients.retry import CircuitBreaker, RetryPolicy, read_scale


def test_waits_double_up_to_the_longest() -> None:
    assert list(RetryPolicy(max_attempts=5, initial_wait=2, max_wait=10).backoffs()) == [2, 4, 8, 10]


def test_what_the_server_asks_for_is_followed_up_to_the_longest() -> None:
    patience = RetryPolicy(max_wait=10, wait_scale=0.5)
    assert [patience.backoff(0, asked) for asked in (3.0, 3600.0, -1.0, float("inf"))] == [1.5, 5.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "scale"), [("0.01", 0.01), ("0", 0), ("", 1), ("fast", 1), ("-1", 1), ("nan", 1), ("inf", 1)]
)
def test_the_scale_comes_from_the_environment(text: str, scale: float) -> None:
    assert read_scale({"MODELWATCH_WAIT_SCALE": text}) == scale
    assert read_scale({}) == 1


@pytest.mark.parametrize(("text", "timeout"), [("0.1", 1.2), ("3", 36), ("0", 12), ("", 12), ("soon", 12), ("-1", 12)])
def test_time_outs_have_a_scale_of_their_own_and_are_never_none(text: str, timeout: float) -> None:
    patience = github_retry_policy({"MODELWATCH_TIMEOUT_SCALE": text, "MODELWATCH_WAIT_SCALE": "0"})
    assert patience.timeout == pytest.approx(timeout)
    assert patience.wait_scale == 0


def test_one_call_ends_within_about_a_minute() -> None:
    assert RetryPolicy().deadline() <= 60
    assert github_retry_policy({}).deadline() <= 60


def test_a_call_of_pagerduty_and_all_of_them_together_are_bounded() -> None:
    for scale in (1.0, 2.0):
        env = {"MODELWATCH_TIMEOUT_SCALE": str(scale)}
        assert pagerduty_retry_policy(env).deadline() == 40.0 * scale
        assert events_breaker(env).limit + pagerduty_retry_policy(env).deadline() == 100.0 * scale
        assert incidents_breaker(env).limit + incidents_retry_policy(env).deadline() == 55.0 * scale


def test_a_server_has_a_bounded_time_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("modelwatch.clients.retry.time", SimpleNamespace(monotonic=lambda: now[0]))
    breaker = CircuitBreaker(30.0)

    def spend(seconds: float, at_once: int = 1) -> None:
        with ExitStack() as stack:
            for _ in range(at_once):
                stack.enter_context(breaker.measure())
            now[0] += seconds

    for _ in range(100):
        spend(2.0)
    usual = breaker.is_slow
    assert not usual
    spend(20.0, at_once=8)
    assert breaker.is_slow
    assert breaker.refusal("anything") == ""
    now[0] += 1_000.0
    assert breaker.refusal("anything") == "", "only requests count"
    spend(14.0)
    assert breaker.refusal("anything") == "it is slow, and has delayed this run by 30 s already"


def test_a_call_of_github_and_all_of_them_together_are_bounded() -> None:
    for scale in (1.0, 2.0):
        env = {"MODELWATCH_TIMEOUT_SCALE": str(scale)}
        assert github_retry_policy(env).deadline() == 25.0 * scale
        assert github_breaker(env).limit + github_retry_policy(env).deadline() == 55.0 * scale
