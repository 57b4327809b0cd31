"""The bounded buffer between the threads that serve and the one that writes.

``deque.append`` and ``popleft`` are atomic, so that a caller takes no lock and cannot wait. The length of the deque is
the memory it holds, in units of ``UNIT_BYTES``: an entry of several units is followed by fillers. So the bound is one
``len()``, and needs no counter that threads would have to share.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

UNIT_BYTES = 1024
"""Also the least that an entry counts."""


class RowBuffer:
    """Entries that wait to be written. Any thread may call any method."""

    def __init__(self, max_bytes: int) -> None:
        self._queue: deque[Any] = deque()
        self._max_units = max(1, max_bytes // UNIT_BYTES)
        self._losses = threading.RLock()  # a signal handler may record, too
        self._lost: dict[str, int] = {}

    def put(self, entry: Any, size: int, rows: int = 1) -> bool:
        """Append an entry of about ``size`` bytes. False, and its ``rows`` are counted as lost, if there is no room.

        Threads that append at the same time may pass the bound by an entry each.
        """
        queue = self._queue
        fillers = size // UNIT_BYTES
        if len(queue) + fillers >= self._max_units:
            self.count_loss("memory", rows)
            return False
        queue.append(entry)
        if fillers:
            queue.extend((None,) * fillers)
        return True

    def take(self, units: int) -> list[Any]:
        """The oldest entries, of so many units, or of as many as the first one has; none if the buffer is empty."""
        taken: list[Any] = []
        pop = self._queue.popleft
        try:
            while units > 0 or not taken:
                units -= 1
                entry = pop()
                if entry is not None:
                    taken.append(entry)
        except IndexError:
            pass
        return taken

    def count_loss(self, reason: str, rows: int = 1) -> None:
        """Count rows that are lost; ``reason``: ``memory``, ``disk`` or ``invalid``."""
        with self._losses:
            self._lost[reason] = self._lost.get(reason, 0) + rows

    def take_losses(self) -> dict[str, int]:
        """The losses since the last call, by reason."""
        with self._losses:
            lost, self._lost = self._lost, {}
        return lost

    @property
    def uncounted_losses(self) -> int:
        """Rows that were lost since ``take_losses``."""
        with self._losses:
            return sum(self._lost.values())

    @property
    def pending_bytes(self) -> int:
        return len(self._queue) * UNIT_BYTES

    @property
    def max_bytes(self) -> int:
        return self._max_units * UNIT_BYTES
