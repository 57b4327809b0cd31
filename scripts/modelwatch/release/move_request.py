"""What somebody asks of the releases of a model, and what can stop it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Exit, TargetError
from ..model.release import MoveVerb


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """One wish. ``target``: ``v7``, ``1.4.0`` or an alias; where the verb needs none it may be empty."""

    verb: MoveVerb
    target: str = ""
    key: str = ""
    """The same key is the same move, whoever asks and however often; empty: one is made up."""
    reason: str = ""
    by: str = ""
    issue: str = ""
    percent: float | None = None
    """Of the traffic, for a canary."""
    bump: str = ""
    """For `register`: ``major``, ``minor`` or ``patch``."""
    window: tuple[float, float] | None = None
    """For `retrain`: begin and end of the data (seconds, UTC)."""
    expected_champion: str = ""
    """Refuse where it is known, and another version is in production by now; metrics may call it as they like."""
    take_over: bool = False
    """Whatever is open counts as abandoned, however lately it gave a sign of life."""


class MoveInProgressError(TargetError):
    """Another move is at work, or came first."""

    exit_code = Exit.PARTIAL


class MoveInterruptedError(TargetError):
    """A move that was begun could not be brought to its end; the same key, or the next move, goes on with it."""

    exit_code = Exit.PARTIAL
