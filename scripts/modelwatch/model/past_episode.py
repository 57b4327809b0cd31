"""Past episodes of an alert: when it fired before, how each ended, and what they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..timeutil import DAY

LOOKBACK = 365 * DAY
"""How long (seconds) before an alert episodes are looked for."""
MAX_EPISODES = 3
"""Episodes that an issue shows."""


class Ending(StrEnum):
    """How an episode ended, as far as its ledger says."""

    ACTION = "action"
    """It recovered within a day after an action that succeeded, and nothing got worse in between."""
    UNEXPLAINED = "unexplained"
    """It recovered, and no action on record explains it."""
    FALSE_POSITIVE = "false-positive"
    BY_HAND = "by-hand"
    """A person closed the issue, and no recovery is on record."""


@dataclass(frozen=True, slots=True)
class PastEpisode:
    start: float
    ending: Ending
    end: float | None = None
    """When it had recovered; ``None`` where that is not on record."""
    action: str = ""
    """What helped: ``rollback to v5``; it names a version, which is text from outside."""
    action_at: float | None = None
    url: str = ""
    """Its issue."""
    rule: str = ""
    """The rule, where it is another one of the same kind."""


@dataclass(frozen=True, slots=True)
class PastEpisodes:
    """The episodes before an alert, as far as closed issues say."""

    count: int = 0
    since: float | None = None
    """When the first one began."""
    episodes: tuple[PastEpisode, ...] = ()
    """The newest, newest first, at most three."""
    patterns: tuple[str, ...] = ()
    """What chance hardly explains, in our words: ``fires every Saturday (the last 4)``."""
    complete: bool = True
    """Whether every closed issue of the last year was read."""
    problem: str = ""
    """Why they cannot be read."""

    @property
    def other_rules(self) -> bool:
        """Whether this rule never fired before, and others of its kind did."""
        return any(episode.rule for episode in self.episodes)
