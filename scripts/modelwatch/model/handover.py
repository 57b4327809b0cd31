"""The handover: what the next on call has to know, on one page. Times are seconds (UTC)."""

from __future__ import annotations

from dataclasses import dataclass

from .severity import Severity


@dataclass(frozen=True, slots=True)
class HandoverAlert:
    """An alert that is under way."""

    model: str
    rule: str
    number: int
    url: str
    severity: Severity
    since: float
    held_by: str = ""
    """Who acknowledged it last; empty where nobody has."""
    tried: str = ""
    """The workflows of the episode and how they ended, in our words: ``retrain: success``."""
    muted: str = ""
    """Who muted it until when, in plain text; empty where nobody has."""
    fired: int = 1
    """How often it has fired; 2 and more: it flaps."""


@dataclass(frozen=True, slots=True)
class WaitingProposal:
    """A workflow that waits for a person."""

    model: str
    rule: str
    number: int
    url: str
    name: str
    """As a comment names it: ``rollback.1``."""
    target_version: str
    since: float


@dataclass(frozen=True, slots=True)
class HandoverChange:
    """Something that changed in the last week: a rule, or the version that serves."""

    at: float
    model: str
    what: str
    """In our words."""
    why: str = ""
    """Text from outside."""
    who: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class LearnedAlert:
    """An alert that ended in the last week."""

    model: str
    rule: str
    number: int
    url: str
    ended: float
    lasted: float
    """Seconds."""
    helped: str = ""
    """The workflow or the move after which it recovered; empty where none is on record."""
    false_reason: str = ""


@dataclass(frozen=True, slots=True)
class ConfiguredSilence:
    """A silence of the configuration that holds now, or recurs."""

    what: str
    """What it mutes, as text."""
    until: float
    owner: str
    reason: str


@dataclass(frozen=True, slots=True)
class Handover:
    at: float
    alerts: tuple[HandoverAlert, ...] = ()
    """Under way, the worst first."""
    proposals: tuple[WaitingProposal, ...] = ()
    silences: tuple[ConfiguredSilence, ...] = ()
    changes: tuple[HandoverChange, ...] = ()
    learned: tuple[LearnedAlert, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be read."""
