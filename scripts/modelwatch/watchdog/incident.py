"""The page: one alert at PagerDuty for whatever is broken, resolved when every check is ok."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..clients.pagerduty import EventsApi, events_breaker, pagerduty_events_url, pagerduty_retry_policy
from .condition import ConditionResult, State
from .texts import headline, in_state, is_blinding, worst_state


def dedup_key(repository: str) -> str:
    """The same for every page about one repository, so that there is one incident."""
    return f"modelwatch-watchdog/{repository.lower()}"


def send_page(
    routing_key: str,
    env: Mapping[str, str],
    repository: str,
    results: Sequence[ConditionResult],
    now: float,
    links: Sequence[tuple[str, str]],
) -> None:
    """Trigger the alert where something is broken, and resolve it where all is ok; PagerDuty merges a repeated trigger,
    and drops a resolve that is not needed. What cannot be checked yet does neither. Raises UserError."""
    state = worst_state(results)
    if state is State.UNKNOWN:
        return
    events = EventsApi(routing_key, pagerduty_events_url(env), pagerduty_retry_policy(env), events_breaker(env))
    if state is State.OK:
        events.resolve(dedup_key(repository))
        return
    details = {result.name: f"{result.what}. {result.todo}" for result in in_state(results, State.BROKEN)}
    events.trigger(
        dedup_key(repository),
        summary=f"modelwatch of {repository}{' may be blind' if is_blinding(results) else ''}: {headline(results)}",
        source=f"modelwatch-watchdog/{repository}",
        severity="error" if is_blinding(results) else "warning",
        timestamp=now,
        component="modelwatch",
        klass="watchdog",
        details=details,
        links=[(text, url) for text, url in links if url],
    )
