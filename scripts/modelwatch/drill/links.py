"""The record of a chain: what was expected of each link, what was found, and where to look if it is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..errors import UserError, shorten
from ..model.drill import Link, LinkResult, LinkState
from .scenarios import Scenario

LOOK_AT: Mapping[Link, str] = {
    Link.LOGGED: "the W&B key (may it write?), W&B's status, and the log of the W&B client (wandb/debug-internal.log)",
    Link.PULLED: "`modelwatch doctor`: the project, `runs` (tags, job type), `time`, and what W&B answers",
    Link.FOUND: "`modelwatch check`: the rule's baseline, count (`weight`), `min_points` and limits",
    Link.FIRED: "the tier's `for`, silences and inhibitions, and `modelwatch sensitivity`: what the rule can see",
    Link.ISSUE: "GITHUB_TOKEN (`issues: write`), whether the repository has issues, and `modes`",
    Link.INCIDENT: "the routing key, `page` in the tier's `do`, `modes`, and event rules that suppress or pause",
    Link.NOTIFIED: "the escalation policy: who is on call, and the notification rules of that user",
    Link.RECEIVED: "PagerDuty's webhook subscription, the relay's log, its secret and token, and on-pagerduty.yml",
    Link.DISPATCHED: "GITHUB_TOKEN (`actions: write`), the workflow's file and inputs, its `mode` and guards",
    Link.ENDED: "the log of the workflow run: runners, approvals of environments, and the command itself",
    Link.RECOVERED: "the rule's `recover` and `hold`, and whether the serving job logs again",
    Link.CLOSED: "the issue's register, GITHUB_TOKEN, and the routing key",
}


class BrokenLinkError(Exception):
    """A link is broken: nothing after it can be verified."""


@dataclass(frozen=True, slots=True)
class LinkObservation:
    """What was found of a link. ``took`` in seconds, where it is measured."""

    ok: bool
    text: str
    took: float | None = None
    look_at: str = ""
    """Where to look instead of the usual."""


@dataclass(slots=True)
class LinkRecord:
    """The results of one chain while it is verified."""

    scenario: Scenario
    not_part: Mapping[Link, str]
    """Links that this configuration, or the scenario, does not have; with the reason."""
    borrowed: Mapping[Link, str] = field(default_factory=dict)
    """Links that rest on something of the drill's own, which the model does not have; with what that is."""
    results: dict[Link, LinkResult] = field(default_factory=dict)

    def is_part(self, link: Link) -> bool:
        return link in self.scenario.chain and link not in self.not_part

    def verify(
        self,
        link: Link,
        expected: str,
        look: Callable[[], LinkObservation],
        *,
        promised: float | None = None,
        is_event_time: bool = False,
    ) -> None:
        """Raises BrokenLinkError where ``look`` finds something else than ``expected``, or too late. What a service
        refuses while it is looked at breaks the link, too."""
        if not self.is_part(link):
            return
        try:
            seen = look()
        except UserError as error:
            seen = LinkObservation(ok=False, text=f"it cannot be looked at: {error}")
        late = seen.took is not None and promised is not None and seen.took > promised
        state = LinkState.PASSED if seen.ok and not late else LinkState.FAILED
        text = shorten(f"{seen.text}, which is too late" if seen.ok and late else seen.text, 600)
        if link in self.borrowed:
            text = f"{text} ({self.borrowed[link]})"
        look_at = (seen.look_at or LOOK_AT[link]) if state is LinkState.FAILED else ""
        self.results[link] = LinkResult(link, state, expected, text, look_at, seen.took, promised, is_event_time)
        if state is LinkState.FAILED:
            raise BrokenLinkError(link)

    def verify_absent(
        self, link: Link, look: Callable[[], str], reason: str, absence: str = "it did not happen"
    ) -> None:
        """A link that must not be seen: ``look`` says what was seen of it, empty for nothing; ``absence`` why nothing
        was. Raises BrokenLinkError."""

        def observe() -> LinkObservation:
            seen = look()
            where = "the guards of workflows (`.github/HOW-IT-DECIDES.md`), `do` and the rule's kind"
            return LinkObservation(not seen, seen or f"none, as it should be: {absence}", look_at=where)

        self.verify(link, f"must not happen: {reason}", observe)

    def finish(self) -> tuple[LinkResult, ...]:
        """Every link, in the order of the chain."""
        order = (*self.scenario.chain, *(link for link in Link if link not in self.scenario.chain))
        results = []
        for link in order:
            if link in self.results:
                results.append(self.results[link])
            elif self.is_part(link):
                results.append(LinkResult(link, LinkState.NOT_REACHED, ""))
            else:
                results.append(LinkResult(link, LinkState.NOT_PART, self.not_part.get(link, "")))
        return tuple(results)
