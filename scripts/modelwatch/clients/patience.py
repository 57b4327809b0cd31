"""How long a client waits: the bounds of every retry and time-out in one place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SCALE_VARIABLE = "MODELWATCH_WAIT_SCALE"
"""Environment variable that multiplies every wait (not the time-outs); tests shrink it, the default is 1."""
TIMEOUT_VARIABLE = "MODELWATCH_TIMEOUT_SCALE"
"""Environment variable that multiplies every time-out: above 1 for a slow server of your own, below 1 in tests."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounds of one call: at most ``tries`` requests with doubling waits between them. All times in seconds.

    With the defaults a call that never succeeds ends within about 60 s: three requests that time out after 15 s, and
    waits of 2 and 4 s; or, where the server names a time to wait, two waits of at most ``longest``.
    """

    tries: int = 3
    """Requests in all, the first one included."""
    wait: float = 2.0
    """The first wait; each further one is twice as long."""
    longest: float = 10.0
    """No single wait is longer, whatever the server asks for."""
    timeout: float = 15.0
    """Of one request: to connect, and between two bytes of the answer."""
    scale: float = 1.0
    """Multiplies every wait."""

    @classmethod
    def from_env(
        cls,
        env: Mapping[str, str],
        *,
        tries: int = 3,
        wait: float = 2.0,
        longest: float = 10.0,
        timeout: float = 15.0,
    ) -> Patience:
        """These bounds with the scales that ``env`` asks for; a scale that is not a number >= 0 counts as 1."""
        bound = timeout * (scale_of(env, TIMEOUT_VARIABLE) or 1.0)
        return cls(tries=tries, wait=wait, longest=longest, timeout=bound, scale=scale_of(env))

    @property
    def retries(self) -> int:
        """Requests after the first one."""
        return max(self.tries - 1, 0)

    def pause(self, number: int, asked: float | None = None) -> float:
        """Seconds before retry ``number`` (from 0), already scaled; ``asked`` is the server's ``Retry-After``."""
        wanted = self.wait * 2.0**number if asked is None or not math.isfinite(asked) else max(asked, 0.0)
        return min(wanted, self.longest) * self.scale

    def pauses(self) -> Iterator[float]:
        """Every pause of a call that never succeeds, already scaled."""
        return (self.pause(number) for number in range(self.retries))

    def worst(self) -> float:
        """An upper bound of the seconds one call can take where the server asks for nothing special."""
        return self.tries * self.timeout + sum(self.pauses())


def scale_of(env: Mapping[str, str], variable: str = SCALE_VARIABLE) -> float:
    """The scale that ``env`` asks for; 1 where it asks for none, or for nonsense."""
    try:
        scale = float(env.get(variable, "1") or "1")
    except ValueError:
        return 1.0
    return scale if math.isfinite(scale) and scale >= 0 else 1.0
