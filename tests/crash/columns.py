"""The columns of the matrix: what can happen to one request."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from modelwatch.testing.standins.faults import Fault

STALL = 3.0
"""Seconds for which a stalled request gets no answer: longer than any (scaled) time-out."""
SAID = {
    401: "Bad credentials",
    403: "Resource not accessible by integration",
    404: "Not Found",
    422: "Validation Failed",
    429: "You have exceeded a secondary rate limit",
    500: "Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One trouble. ``before``: the service never sees the request; ``after``: it takes effect, its answer is lost."""

    name: str
    what: str
    when: str = "before"
    status: int = 0
    lasting: bool = True
    """Strikes every repetition of the request as well, until the evaluation is over."""

    @property
    def kills(self) -> bool:
        return self.what == "kill"

    def fault(self, method: str, path: str, skip: int, victim: Callable[[], int]) -> Fault:
        """Of the ``skip`` + 1st request of ``method`` to a path that matches ``path``."""
        headers = (("content-type", "application/json; charset=utf-8"),)
        return Fault(
            self.what,
            when=self.when,
            method=method,
            path=path,
            status=self.status or 500,
            headers=(*headers, ("retry-after", "1")) if self.status == 429 else headers,
            body=json.dumps({"message": SAID.get(self.status, "")}),
            seconds=STALL,
            times=-1 if self.lasting and not self.kills else 1,
            skip=skip,
            pid=victim if self.kills else None,
        )


KILLS = (Column("kill-", "kill"), Column("kill+", "kill", "after"))
LASTING = (
    *(Column(f"{status}-", "status", status=status) for status in SAID),
    Column("stall-", "hang"),
    Column("reset-", "reset"),
    Column("json-", "broken-json"),
)
LOST = (
    Column("500+", "status", "after", 500, lasting=False),
    Column("stall+", "hang", "after", lasting=False),
    Column("reset+", "reset", "after", lasting=False),
    Column("json+", "broken-json", "after", lasting=False),
)
ONCE = (
    Column("429 once", "status", status=429, lasting=False),
    Column("503 once", "status", status=503, lasting=False),
    Column("reset once", "reset", lasting=False),
)
COLUMNS = (*KILLS, *LASTING, *LOST, *ONCE)
LEGEND = (
    "- before the service sees the request; + after it took effect, the answer is lost;"
    " numbers: HTTP status; stall: no answer in time; json: cut in the middle; all that is not +, kill or once lasts"
    " until the evaluation is over"
)
