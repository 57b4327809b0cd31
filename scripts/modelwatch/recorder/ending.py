"""How a process ends: the rows of all its recorders are written, and sent for up to ten seconds.

At the end of an interpreter by ``atexit``; by SIGTERM, where nobody else handles it; and where a server handles it,
with its ``lifespan.shutdown``: uvicorn ends by the signal itself afterwards, so that ``atexit`` never comes.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Protocol

END_SECONDS = 10.0
"""For all recorders of a process together."""


class Endable(Protocol):
    """A recorder."""

    def settle(self, timeout: float) -> bool: ...

    def close(self, timeout: float) -> bool: ...

    def begin_in_child(self) -> None: ...


_RECORDERS: weakref.WeakSet[Any] = weakref.WeakSet()


def attend(recorder: Endable) -> None:
    """Write and send its rows when the process ends. A handler of SIGTERM is installed if there is none, and the caller
    is the main thread, which alone may do so."""
    _RECORDERS.add(recorder)
    if threading.current_thread() is threading.main_thread():
        with contextlib.suppress(ValueError):  # a subinterpreter has no signals
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, _end_by_signal)


def attended_recorders() -> list[Any]:
    """Those of this process that are in use."""
    return list(_RECORDERS)


def settle_recorders() -> None:
    """Write and send what all recorders hold. They go on. Never raises."""
    _within(END_SECONDS, lambda recorder, seconds: recorder.settle(seconds))


def close_recorders() -> None:
    """The same, and they record nothing more."""
    _within(END_SECONDS, lambda recorder, seconds: recorder.close(seconds))


def _within(seconds: float, end: Callable[[Endable, float], bool]) -> None:
    """The first may take all of the time: the others start their senders anyway."""
    deadline = time.monotonic() + seconds
    for recorder in list(_RECORDERS):
        end(recorder, max(0.001, deadline - time.monotonic()))


def _end_by_signal(number: int, _frame: Any) -> None:
    """The process ends by the signal, as it would without a handler. The first process of a container is one that the
    kernel spares, and goes on."""
    signal.signal(number, signal.SIG_DFL)
    settle_recorders()
    os.kill(os.getpid(), number)
    signal.signal(number, _end_by_signal)


def _begin_in_child() -> None:
    for recorder in list(_RECORDERS):
        recorder.begin_in_child()


atexit.register(close_recorders)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
