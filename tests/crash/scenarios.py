"""The evaluations that are disturbed, each with what must be true in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .columns import COLUMNS, KILLS, LASTING, LOST, Column
from .facts import Facts, finish_runs, interfere
from .world import World, at

GOOD, MILD, BAD, WORST = 0.92, 0.895, 0.86, 0.80
_SOUND = (GOOD,) * 30
_BLIND = (*KILLS, *LOST, *(column for column in LASTING if column.name in ("503-", "reset-")))
"""Where PagerDuty is not asked, all that we know is what we wrote: losing answers is what matters."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """``values``: the metric, hour by hour. ``before``: what happens before the disturbed evaluation at ``hour``."""

    name: str
    values: tuple[float, ...]
    before: Callable[[World], None]
    hour: float
    issues: tuple[tuple[str, str], ...]
    incidents: tuple[tuple[str, str], ...]
    runs: tuple[str, ...]
    pages: bool = True
    """The evaluation has to page, whatever becomes of GitHub."""
    rest: bool = True
    """There is a token to look at incidents."""
    columns: tuple[Column, ...] = COLUMNS

    def wrong(self, found: Facts) -> list[str]:
        """What is not as it must be in the end: counted here, not compared with any other evaluation."""
        wrong = [
            f"{name}: {getattr(found, name)}, not {getattr(self, name)}"
            for name in ("issues", "incidents", "runs")
            if getattr(found, name) != getattr(self, name)
        ]
        wrong += [f"the note {key} stands {count} times" for key, count in found.notes if count != 1]
        return wrong


def _nothing(_world: World) -> None:
    """The world is new."""


def _opened(world: World) -> None:
    _evaluate(world, 32)
    interfere(world)
    finish_runs(world)


def _closed(world: World) -> None:
    _opened(world)
    _evaluate(world, 36)


def _evaluate(world: World, hour: float) -> None:
    done = world.evaluate(at(hour))
    if done.code != 0:
        raise AssertionError(f"the story before went wrong (exit code {done.code}):\n{done.ended.told}")


PAGED, RESOLVED = ("triggered", "critical"), ("resolved", "critical")
OPENS = Scenario(
    "opens, pages and dispatches", (*_SOUND, *(WORST,) * 12), _nothing, 32, (("open", ""),), (PAGED,), ("retrain",)
)
CLOSES = Scenario(
    "recovers: resolves, comments and closes",
    (*_SOUND, *(WORST,) * 4, *(GOOD,) * 20),
    _opened,
    36,
    (("closed", "completed"),),
    (RESOLVED,),
    ("retrain",),
    pages=False,
)
WORSENS = Scenario(
    "gets worse: comments and pages",
    (*_SOUND, *(MILD,) * 4, *(BAD,) * 12),
    _opened,
    36,
    (("open", ""),),
    (("triggered", "error"),),
    (),
)
REFIRES = Scenario(
    "fires again within 24 h, and worse: reopens and pages",
    (*_SOUND, *(MILD,) * 4, *(GOOD,) * 4, *(BAD,) * 12),
    _closed,
    40,
    (("open", "reopened"),),
    (("triggered", "error"),),
    (),
)
BLIND_OPENS = Scenario(
    "opens, without a token to see incidents",
    OPENS.values, OPENS.before, OPENS.hour, OPENS.issues, OPENS.incidents, OPENS.runs, rest=False, columns=_BLIND,
)  # fmt: skip
BLIND_CLOSES = Scenario(
    "recovers, without a token to see incidents",
    CLOSES.values, CLOSES.before, CLOSES.hour, CLOSES.issues, CLOSES.incidents, CLOSES.runs,
    pages=False, rest=False, columns=_BLIND,
)  # fmt: skip
SCENARIOS = (OPENS, CLOSES, WORSENS, REFIRES, BLIND_OPENS, BLIND_CLOSES)
