"""Requests: their rows wait for the end, when latency and error are known."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

MAX_ENTRIES = 10_000
MAX_BYTES = 8 << 20
"""Rows and batches that one request holds back, and what they take, about; further ones are recorded at once."""
Finish = Callable[[Any, int, float, Any], None]
"""Takes an entry (``None``: nothing was recorded), its size, the seconds of the request and its error."""


class RecordedRequest:
    """A context manager, whose rows get its latency and its error: those that name none.

    The error is the exception that leaves it, or ``error``, which may be set within. It counts for rows of other
    threads and tasks, too, which began within it; what they record after its end has neither.
    """

    def __init__(
        self, context: ContextVar[RecordedRequest | None], finish: Finish, records_failures: bool = False
    ) -> None:
        """``records_failures``: a failure before anything was recorded is a row, too."""
        self.error: Any = None
        self._context, self._finish, self._records_failures = context, finish, records_failures
        self._rows: deque[tuple[Any, int]] = deque()
        self._ended = threading.Event()
        self._count = self._bytes = 0
        self._has_recorded = False
        self._began = 0.0
        self._seconds: float | None = None
        self._token: Token[RecordedRequest | None] | None = None

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self._token = self._context.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self.error is None:
            self.error = error
        self.stop_clock()
        self._ended.set()
        if self._token is not None:
            try:
                self._context.reset(self._token)
            except ValueError:  # a generator may end in another context
                self._context.set(None)
        if not self._has_recorded and self._records_failures and self.error is not None:
            self._finish(None, 0, self._seconds or 0.0, self.error)
        self._release()

    def hold(self, entry: Any, size: int) -> bool:
        """Hold an entry until the end. False if it is to be recorded at once."""
        self._has_recorded = True
        if self._ended.is_set() or self._count >= MAX_ENTRIES or self._bytes + size > MAX_BYTES:
            return False
        self._count += 1
        self._bytes += size
        self._rows.append((entry, size))
        if self._ended.is_set():  # it ended meanwhile, in another thread
            self._release()
        return True

    def stop_clock(self) -> None:
        """The answer is complete; what is done after it is not part of the latency."""
        if self._seconds is None:
            self._seconds = time.perf_counter() - self._began

    def _release(self) -> None:
        with suppress(IndexError):
            while True:
                entry, size = self._rows.popleft()
                self._finish(entry, size, self._seconds or 0.0, self.error)
