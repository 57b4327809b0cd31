"""GitHub's rate limits: headers on every answer, the hourly limit of a token, the limit on creating content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import GitHubApiError

PER_HOUR = {"app": 1000, "user": 5000}
CONTENT_PER_MINUTE = 80
CONTENT_PER_HOUR = 500
_HOUR = 3600.0
_MINUTE = 60.0


@dataclass(slots=True)
class _Window:
    start: float
    used: int = 0


@dataclass(slots=True)
class RateLimits:
    """Counts always; refuses only with ``enforce`` on, or after ``exhaust`` and ``block``."""

    clock: Callable[[], float]
    enforce: bool = False
    _windows: dict[str, _Window] = field(default_factory=dict)
    _content: dict[str, list[float]] = field(default_factory=dict)
    _exhausted_until: float = 0.0
    _exhausted_status: int = 403
    _blocked_until: float = 0.0

    def exhaust_primary(self, seconds: float = _HOUR, status: int = 403) -> None:
        """The primary limit of every token is used up for ``seconds``; ``status`` 403 or 429, as GitHub answers."""
        self._exhausted_until = self.clock() + seconds
        self._exhausted_status = status

    def block_content_creation(self, seconds: float = _MINUTE) -> None:
        """The secondary limit refuses requests that create content for ``seconds``."""
        self._blocked_until = self.clock() + seconds

    def reset(self) -> None:
        """Nothing is used up any more."""
        self._windows, self._content = {}, {}
        self._exhausted_until = self._blocked_until = 0.0

    def check(self, key: str, kind: str, *, content: bool) -> None:
        """Count one request of the token ``key``; raises ``Refusal`` where a limit is passed."""
        now = self.clock()
        window = self._windows.setdefault(key, _Window(now))
        if now - window.start >= _HOUR:
            window.start, window.used = now, 0
        window.used += 1
        if now < self._exhausted_until or (self.enforce and window.used > PER_HOUR[kind]):
            status = self._exhausted_status if now < self._exhausted_until else 403
            raise GitHubApiError(
                status, "API rate limit exceeded for installation ID 1.", headers=self.headers(key, kind)
            )
        if content:
            self._check_content(key, now)

    def _check_content(self, key: str, now: float) -> None:
        times = [at for at in self._content.get(key, []) if now - at < _HOUR]
        recent = [at for at in times if now - at < _MINUTE]
        wait = max(0.0, self._blocked_until - now)
        if self.enforce and len(recent) >= CONTENT_PER_MINUTE:
            wait = max(wait, recent[0] + _MINUTE - now)
        if self.enforce and len(times) >= CONTENT_PER_HOUR:
            wait = max(wait, times[0] + _HOUR - now)
        if wait > 0:
            raise GitHubApiError(
                403,
                "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. "
                "Please retry your request again later.",
                headers=(("retry-after", str(max(1, round(wait)))),),
            )
        self._content[key] = [*times, now]

    def headers(self, key: str, kind: str) -> tuple[tuple[str, str], ...]:
        """The ``x-ratelimit-*`` headers of an answer to the token ``key``."""
        now = self.clock()
        window = self._windows.get(key, _Window(now))
        limit = PER_HOUR[kind]
        empty = now < self._exhausted_until
        used = limit if empty else min(window.used, limit)
        reset = self._exhausted_until if empty else window.start + _HOUR
        return (
            ("x-ratelimit-limit", str(limit)),
            ("x-ratelimit-remaining", str(limit - used)),
            ("x-ratelimit-used", str(used)),
            ("x-ratelimit-reset", str(int(reset))),
            ("x-ratelimit-resource", "core"),
        )
