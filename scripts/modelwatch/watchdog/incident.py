"""The page: one alert at PagerDuty for whatever is broken, resolved when every check is ok.

PagerDuty keeps the title and the urgency with which an alert began. So what nobody may sleep through has an alert of
its own, which takes over from that for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..clients.pagerduty import EventsApi, events_breaker, pagerduty_events_url, pagerduty_retry_policy
from ..timeutil import DAY
from .condition import ConditionResult, State
from .memory import Memory
from .texts import URGENT, headline, in_state, is_blinding, worst_state

PAGED_AGAIN_AFTER = DAY
"""An incident that a person resolved while something is broken is opened anew after this time (seconds)."""


def dedup_key(repository: str, *, urgent: bool) -> str:
    """The same for every page of this urgency about one repository, so that there is one incident."""
    return f"modelwatch-watchdog/{repository.lower()}{'' if urgent else '/warning'}"


@dataclass(frozen=True, slots=True)
class Pager:
    """Pages about one repository."""

    routing_key: str
    env: Mapping[str, str]
    repository: str
    now: float

    def send(
        self,
        results: Sequence[ConditionResult],
        links: Sequence[tuple[str, str]],
        memory: Memory | None,
        *,
        rests: bool = False,
    ) -> Memory | None:
        """Trigger the alert where something is broken, and resolve with proof; returns the memory of a page that was
        delivered, ``None`` where there was none, or nothing to remember it in.

        What a page within the last day names, or a person has put to rest (``rests``), is not paged again: a trigger
        would open anew what a person resolved. Without a ``memory`` nobody knows who was paged, nor what fails for the
        third time: then what cannot be checked is paged, too, as a warning. Raises UserError.
        """
        url = pagerduty_events_url(self.env)
        events = EventsApi(self.routing_key, url, pagerduty_retry_policy(self.env), events_breaker(self.env))
        urgent = is_blinding(results)
        broken = in_state(results, State.BROKEN)
        told = broken or (in_state(results, State.UNKNOWN) if memory is None else [])
        deciding = {result.name for result in broken if not urgent or result.name in URGENT}
        is_due = memory is None or self._is_due([memory[name].paged for name in deciding], rests)
        if told and is_due:
            events.trigger(
                dedup_key(self.repository, urgent=urgent),
                summary=f"modelwatch of {self.repository}{' may be blind' if urgent else ''}: {headline(results)}",
                source=f"modelwatch-watchdog/{self.repository}",
                severity="error" if urgent else "warning",
                timestamp=self.now,
                component="modelwatch",
                klass="watchdog",
                details={result.name: f"{result.what}. {result.todo}" for result in told},
                links=[(text, url) for text, url in links if url],
            )
        if all(result.state is State.OK for result in results if result.name in URGENT):
            events.resolve(dedup_key(self.repository, urgent=True))
        if worst_state(results) is State.OK or urgent:
            events.resolve(dedup_key(self.repository, urgent=False))
        if memory is None or not (told and is_due):
            return None
        return {name: replace(one, paged=self.now if name in deciding else 0.0) for name, one in memory.items()}

    def _is_due(self, paged: Sequence[float], rests: bool) -> bool:
        return not all(paged) or (not rests and self.now - min(paged, default=self.now) >= PAGED_AGAIN_AFTER)
