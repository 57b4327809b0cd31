"""Shared causes: firing groups that have one cause, and the order in which they would lead it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CauseKind(StrEnum):
    """What relates the groups, the most causal first."""

    DATA = "data"
    """A data-quality alert, and what depends on the same data."""
    UPSTREAM = "upstream"
    """A model, and models that depend on it (``depends_on``)."""
    DEPLOYMENT = "deployment"
    """All began soon after the same version was deployed."""
    SOURCE = "source"
    """Models that read the same W&B runs, table or prediction log, and got worse at the same time."""
    ONSET = "onset"
    """Rules of one model that got worse at the same time."""


@dataclass(frozen=True, slots=True)
class SharedCause:
    """The cause of several firing groups."""

    kind: CauseKind
    text: str
    """A clause for people: ``the others depend on the data of fraud quality-missing``."""
    members: tuple[str, ...]
    """Keys of at least two groups; the first leads unless another one already has an issue."""
