"""What can go wrong between a client and a stand-in, planned for single requests."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KINDS = ("status", "delay", "drop", "reset", "broken-json", "kill", "hang", "drip")
MOMENTS = ("before", "after")


@dataclass(slots=True)
class Fault:
    """A trouble for the next ``times`` requests that match ``method``, ``path`` and ``text``.

    ``when`` is ``before`` (the stand-in never sees the request) or ``after`` (it takes effect, and the answer is
    lost or replaced).
    """

    what: str
    """``status``, ``delay``, ``drop``, ``reset``, ``broken-json``, ``kill``, ``hang`` or ``drip``."""
    when: str = "before"
    method: str = ""
    """Empty: any."""
    path: str = ""
    """Regular expression, searched in the path."""
    status: int = 500
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    """``status``: the answer's body."""
    seconds: float = 0.0
    """``delay`` and ``hang``; ``drip``: between two bytes of the answer."""
    times: int = 1
    """-1: for ever."""
    skip: int = 0
    """This many matching requests pass first."""
    pid: int | Callable[[], int] | None = None
    """``kill``: this process gets SIGKILL, then the connection is dropped."""
    text: str = ""
    """Substring, searched in the body (the name of a GraphQL operation, say)."""
    match_count: int = field(default=0, init=False)
    """How many requests have matched so far."""
    strike_count: int = field(default=0, init=False)
    """How many of them were struck."""

    def __post_init__(self) -> None:
        if self.what not in KINDS:
            raise ValueError(f"a fault is one of {', '.join(KINDS)}, not {self.what!r}")
        if self.when not in MOMENTS:
            raise ValueError(f"a fault strikes 'before' or 'after', not {self.when!r}")
        if self.what == "kill" and self.pid is None:
            raise ValueError("a 'kill' fault needs the pid of the process to kill")
        re.compile(self.path)

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> Fault:
        """A fault from the JSON of a control request; ValueError where a field is unknown or wrong."""
        given = dict(fields)
        headers = given.pop("headers", ())
        pairs = headers.items() if isinstance(headers, dict) else headers
        try:
            return cls(**given, headers=tuple((str(name), str(value)) for name, value in pairs))
        except (TypeError, re.error) as error:
            raise ValueError(str(error)) from error

    def matches(self, method: str, path: str, body: bytes) -> bool:
        if self.method and self.method.upper() != method:
            return False
        if self.path and not re.search(self.path, path):
            return False
        return not self.text or self.text.encode() in body

    def target_pid(self) -> int:
        """The pid to kill."""
        pid = self.pid() if callable(self.pid) else self.pid
        if pid is None or pid <= 0:
            raise ValueError(f"no process to kill: {pid}")
        return pid


@dataclass(slots=True)
class FaultQueue:
    """The faults of one server; the first one that is due strikes."""

    pending: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def match(self, method: str, path: str, body: bytes) -> Fault | None:
        """The fault for this request, already counted; ``None`` for none."""
        with self._lock:
            for fault in self.pending:
                if fault.times == fault.strike_count or not fault.matches(method, path, body):
                    continue
                fault.match_count += 1
                if fault.match_count > fault.skip:
                    fault.strike_count += 1
                    return fault
        return None
