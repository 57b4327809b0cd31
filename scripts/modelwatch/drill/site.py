"""Where a drill takes place: the stand-ins, or a staging project. The chain that is verified is the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from ..model.drill import Link
from ..model.monitored_model import Config, Model


class DrillSite(Protocol):
    """One place for one model. Event time can run ahead of the clock, so that nobody has to wait for a window."""

    name: str
    config: Config
    """The drilled model alone."""
    env: Mapping[str, str]
    folder: Path
    """For the files of the evaluations."""
    notes: tuple[str, ...]

    @property
    def borrowed(self) -> Mapping[Link, str]:
        """Links that rest on something of the drill's own, such as a rule; with what that is."""

    @property
    def has_webhook(self) -> bool:
        """Whether events of PagerDuty come back to GitHub."""

    @property
    def model(self) -> Model: ...

    @property
    def now(self) -> float:
        """Event time (seconds, UTC): that of the clock, or later."""

    def advance(self, until: float) -> None:
        """Let event time be at least ``until``."""

    def wait(self, is_done: Callable[[], bool], seconds: float) -> bool:
        """Let the services go on until ``is_done``, at most so long by their clock; whether it was in time."""

    def approve(self, issue: int, command: str) -> bool:
        """Let a person of the drill write ``command`` on the issue; False where only a real person can."""
