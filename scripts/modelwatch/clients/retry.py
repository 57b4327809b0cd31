"""How long clients wait: the bounds of retries and time-outs, the clock, and the circuit breaker."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from ..errors import ServiceError

T = TypeVar("T")

WAIT_SCALE_VARIABLE = "MODELWATCH_WAIT_SCALE"
"""Environment variable that multiplies every wait (not the time-outs); tests shrink it, the default is 1."""
TIMEOUT_SCALE_VARIABLE = "MODELWATCH_TIMEOUT_SCALE"
"""Environment variable that multiplies every time-out: above 1 for a slow server of your own, below 1 in tests."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of one call: at most ``max_attempts`` requests with doubling waits between them. All times in seconds.

    With the defaults a call that never succeeds ends within about 60 s: three requests that time out after 15 s, and
    waits of 2 and 4 s; or, where the server names a time to wait, two waits of at most ``max_wait``.
    """

    max_attempts: int = 3
    """Requests in all, the first one included."""
    initial_wait: float = 2.0
    """The first wait; each further one is twice as long."""
    max_wait: float = 10.0
    """No single wait is longer, whatever the server requests."""
    timeout: float = 15.0
    """Of one request: to connect, and between two bytes of the answer."""
    call_timeout: float = math.inf
    """Of one call, all its requests included."""
    wait_scale: float = 1.0
    """Multiplies every wait."""

    def scale(self, env: Mapping[str, str]) -> RetryPolicy:
        """These bounds with the scales that ``env`` sets; a scale that is not a number >= 0 counts as 1."""
        scale = timeout_scale(env)
        call_timeout, timeout = self.call_timeout * scale, self.timeout * scale
        return replace(self, timeout=timeout, call_timeout=call_timeout, wait_scale=read_scale(env))

    @property
    def max_retries(self) -> int:
        """Requests after the first one."""
        return max(self.max_attempts - 1, 0)

    def backoff(self, attempt: int, retry_after: float | None = None) -> float:
        """Seconds before retry ``attempt`` (from 0), already scaled; ``retry_after`` is the server's header."""
        seconds = self.initial_wait * 2.0**attempt
        if retry_after is not None and math.isfinite(retry_after):
            seconds = max(retry_after, 0.0)
        return min(seconds, self.max_wait) * self.wait_scale

    def backoffs(self) -> Iterator[float]:
        """Every wait of a call that never succeeds, already scaled."""
        return (self.backoff(number) for number in range(self.max_retries))

    def deadline(self) -> float:
        """An upper bound of the seconds that one call can take where the server sets no wait of its own."""
        return min(self.max_attempts * self.timeout + sum(self.backoffs()), self.call_timeout)


class Clock:
    """The time that passes while a command runs; a test replaces it by a simulated one."""

    def __init__(self) -> None:
        self._started = self.monotonic()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def age(self) -> float:
        """Seconds since the command began."""
        return self.monotonic() - self._started


class CircuitBreaker:
    """Bounds how long one server can delay a run: otherwise the pages of a large plan would wait for the time-outs of
    every issue before them.

    What got no answer is not requested again for a while. A server that has cost ``limit`` seconds more than usual, or
    cannot be reached at all, gets no request any more. May be shared by threads.
    """

    OPEN_SECONDS = 120.0
    """Seconds, scaled like every wait."""
    EVERYTHING = ""
    """The action that stands for all."""

    def __init__(self, limit: float = 30.0) -> None:
        self.limit = limit
        self._usual = limit / 15
        """Seconds of a request that do not count."""
        self._lost = 0.0
        self._counted = 0.0
        self._failed: dict[str, tuple[float, str]] = {}
        self._started: dict[object, float] = {}
        self._lock = threading.Lock()

    @property
    def is_slow(self) -> bool:
        """Whether the server has cost much time already, or is left alone."""
        with self._lock:
            self._count()
            return self._lost > self.limit / 6 or self._failure(self.EVERYTHING) != ""

    def refusal(self, action: str) -> str:
        """Why ``action`` is not tried; empty where it is."""
        with self._lock:
            self._count()
            if self._lost >= self.limit:
                return f"it is slow, and has delayed this run by {self._lost:.0f} s already"
            return self._failure(self.EVERYTHING) or self._failure(action)

    def trip(self, action: str, error: ServiceError, retry: RetryPolicy) -> None:
        """Refuse ``action`` for a while, since ``error`` says that it got no answer."""
        until = time.monotonic() + self.OPEN_SECONDS * retry.wait_scale
        with self._lock:
            self._failed[action] = until, f"an earlier request got no answer: {error.message}"

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Around one request. Of several at the same time each second counts once."""
        key = object()
        with self._lock:
            self._count()
            self._started[key] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._count()
                del self._started[key]

    def _failure(self, action: str) -> str:
        until, reason = self._failed.get(action, (0.0, ""))
        return reason if time.monotonic() < until else ""

    def _count(self) -> None:
        """Add the time since the last call in which a request took longer than usual."""
        now = time.monotonic()
        if self._started:
            since = max(min(self._started.values()) + self._usual, self._counted)
            self._lost += max(now - since, 0.0)
        self._counted = now


def run_within(seconds: float, work: Callable[[], T]) -> T:
    """What ``work`` returns or raises. Raises TimeoutError after ``seconds``; what it does then is not waited for."""
    from concurrent.futures import Future

    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(seconds)


def timeout_scale(env: Mapping[str, str]) -> float:
    """What multiplies every time-out; never 0."""
    return read_scale(env, TIMEOUT_SCALE_VARIABLE) or 1.0


def read_scale(env: Mapping[str, str], variable: str = WAIT_SCALE_VARIABLE) -> float:
    """The scale that ``env`` sets; 1 where it sets none, or none that is a number >= 0."""
    try:
        scale = float(env.get(variable, "1") or "1")
    except ValueError:
        return 1.0
    return scale if math.isfinite(scale) and scale >= 0 else 1.0
