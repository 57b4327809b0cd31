"""What goes wrong in one evaluation, at random: faults of every kind, at either service, for a while or for good."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from modelwatch.testing.standins.faults import Fault

from ..crash.columns import SAID, STALL

GITHUB, PAGERDUTY, WANDB = "github", "pagerduty", "wandb"
_PATHS = ("", "", "", "/issues$", r"/issues/\d+$", "/comments", "/dispatches$", "/runs")
_DRIPS = (0.005, 0.05, 0.4)
"""Seconds between two bytes: all are shorter than any time-out."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One fault, and the service that it is injected into. ``name`` is its row in the table."""

    name: str
    service: str
    fault: Fault


def draw_troubles(random: Random, services: tuple[str, ...], victim: Callable[[], int], *, due: bool) -> list[Trouble]:
    """None to three. ``due``: a page is due, so one of them is a GitHub that does not recover."""
    troubles = [_draw(random, services, victim) for _ in range(random.choice((0, 1, 1, 2, 3)))]
    if due:
        what = random.choice(("status", "hang", "reset", "drop", "broken-json", "drip", "delay"))
        troubles.append(_trouble(random, what, GITHUB, "before", times=-1, skip=random.choice((0, 0, 1, 3))))
    return troubles


def _draw(random: Random, services: tuple[str, ...], victim: Callable[[], int]) -> Trouble:
    what = random.choice(("status", "status", "hang", "reset", "drop", "broken-json", "kill", "drip", "drip", "delay"))
    service, when = random.choice(services), random.choice(("before", "after"))
    times = 1 if what == "kill" else random.choice((1, 2, -1, -1))
    path = random.choice(_PATHS) if service == GITHUB else ""
    return _trouble(
        random, what, service, when, times=times, skip=random.choice((0, 0, 0, 1, 2, 5)), path=path, victim=victim
    )


def _trouble(
    random: Random,
    what: str,
    service: str,
    when: str,
    *,
    times: int,
    skip: int,
    path: str = "",
    victim: Callable[[], int] | None = None,
) -> Trouble:
    status = random.choice(tuple(SAID))
    kind = ("content-type", "application/json; charset=utf-8")
    fault = Fault(
        what,
        when=when,
        path=path,
        status=status,
        headers=(kind, ("retry-after", "1")) if status == 429 else (kind,),
        body=json.dumps({"message": SAID[status]}),
        seconds=random.choice(_DRIPS) if what == "drip" else STALL if what == "hang" else 0.5,
        times=times,
        skip=skip,
        pid=victim,
    )
    return Trouble(f"{status} of {service}" if what == "status" else f"{what} of {service}", service, fault)
