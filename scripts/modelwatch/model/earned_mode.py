"""What the record of an automation says about its mode: whether it has earned the next one, or should step back.

A mode is only ever proposed here; people change it in the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..timeutil import DAY
from .rule import Mode


class AttemptOutcome(StrEnum):
    """What became of one attempt of an automation, or, in mode ``observe``, of one time when it would have acted."""

    HELPED = "helped"
    """The alert recovered within a day after it, and nothing got worse in between. The order is no proof."""
    WITHOUT_EFFECT = "without-effect"
    """It did not recover in time, or something else helped, or the alert was a false one."""
    FAILED = "failed"
    """Its workflow run failed, was cancelled, or never came."""
    HARMFUL = "harmful"
    """The alert got worse after it."""
    REJECTED = "rejected"
    """A person rejected the proposal."""
    UNANSWERED = "unanswered"
    """Nobody answered the proposal before the alert ended."""
    AGREED = "agreed"
    """A person did the same."""
    DISAGREED = "disagreed"
    """People did something else, or nothing."""
    OPEN = "open"
    """Nobody knows yet."""


@dataclass(frozen=True, slots=True)
class AutomationAttempt:
    """One attempt, or one time when it would have acted."""

    at: float
    """When it was started or proposed (seconds, UTC); in mode ``observe`` when the alert began."""
    rule: str
    outcome: AttemptOutcome
    by: str = ""
    """The person who requested, approved or rejected it; empty where a tier started it."""
    url: str = ""
    """The workflow run, or the issue."""


@dataclass(frozen=True, slots=True)
class EarnedModeRule:
    """When an automation has earned the next mode, and when it should step back."""

    attempts: int = 10
    """From ``propose`` to ``act``: at least so many attempts whose outcome is known,"""
    helped: float = 0.6
    """of which at least this share helped: the lower bound of the share, not the share itself;"""
    harmless: int = 10
    """and none of the newest so many was harmful."""
    observed: int = 5
    """From ``observe`` to ``propose``: at least so many times when it would have acted,"""
    agreed: float = 0.4
    """in which people did the same, by the lower bound."""
    harmful: int = 2
    """From ``act`` back to ``propose``: so many harmful attempts among the newest ``harmless``,"""
    recent: int = 20
    """or of the newest so many attempts even the upper bound is below ``helped``; from ``propose`` back to ``observe``:
    below ``agreed``."""
    confidence: float = 0.95
    """Of each bound (one-sided, Clopper and Pearson)."""
    memory: float = 365 * DAY
    """Attempts that are older (seconds) do not count."""


@dataclass(frozen=True, slots=True)
class EarnedMode:
    """One automation of one model, and what its own record says."""

    model: str
    verb: str
    mode: Mode
    """As the configuration has it."""
    next_mode: Mode | None
    """``None`` where there is no further one."""
    earned: bool
    """Whether the next mode is proposed."""
    counted: int
    """Attempts whose outcome is known; in mode ``observe`` times when it would have acted."""
    good: int
    """Those that helped; in mode ``observe`` those in which people did the same."""
    low: float
    """The bounds of the share of good ones; 0 and 1 where nothing is counted."""
    high: float
    harmful: int
    """Among the newest ``harmless``."""
    missing: int = 0
    """How many further good ones in a row would earn the next mode; 0 where it is earned, or there is none."""
    reasons: tuple[str, ...] = ()
    """Why the next mode is not earned yet, in plain words."""
    step_back: Mode | None = None
    """The mode that is proposed instead, because the record has become bad."""
    step_back_reason: str = ""
    outcomes: tuple[tuple[AttemptOutcome, int], ...] = ()
    """How often each outcome occurred."""
    refused: int = 0
    """Requests of people that a guard refused."""
    attempts: tuple[AutomationAttempt, ...] = ()
    """Oldest first."""

    @property
    def proposed_mode(self) -> Mode:
        """The mode that the record speaks for: its own where nothing is proposed."""
        if self.step_back is not None:
            return self.step_back
        return self.next_mode if self.earned and self.next_mode is not None else self.mode
