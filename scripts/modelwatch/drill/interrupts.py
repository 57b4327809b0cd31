"""Ctrl-C in a drill: the first ends the chain and lets it clean up, the next leaves the rest, and no other is heard."""

from __future__ import annotations

import signal
from collections.abc import Callable
from enum import Enum, auto
from types import FrameType
from typing import Any, Self

FURTHER = "A further Ctrl-C leaves the rest to the next drill of this model."


class _Phase(Enum):
    RUNNING = auto()
    ENDING = auto()
    """Interrupted, and not yet cleaning up: a key pressed twice is one wish."""
    CLEANING = auto()
    LOOKING = auto()
    """What is left is looked for."""
    OVER = auto()


class Interrupts:
    """Takes SIGINT and SIGTERM until the block ends; once interrupted, the process ignores them until its end.

    GitHub cancels a job by SIGINT and, seconds later, SIGTERM: the second one of these is no further wish.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.received = False
        self._tell = tell
        self._phase = _Phase.RUNNING
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        self._phase = _Phase.OVER
        if not self.received:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def begin_cleanup(self) -> None:
        """From now on a Ctrl-C, if it is not the first, leaves what is not cleaned up yet."""
        self._phase = _Phase.CLEANING

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        is_first, self.received = not self.received, True
        if self._phase in (_Phase.ENDING, _Phase.OVER) or (number == signal.SIGTERM and not is_first):
            return
        if self._phase is _Phase.CLEANING and is_first:
            self._tell(f"The drill is cleaning up. {FURTHER}")
            return
        following = {_Phase.RUNNING: _Phase.ENDING, _Phase.CLEANING: _Phase.LOOKING}
        self._phase = following.get(self._phase, _Phase.OVER)
        raise KeyboardInterrupt
