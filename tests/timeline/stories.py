"""The stories that ``python -m tests.timeline`` counts: each is one night or one week on call, and has true causes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .timeline import CRITICAL, ERROR, HEALTHY, Timeline, model_config


@dataclass(frozen=True, slots=True)
class Story:
    """``causes``: how many things truly went wrong. ``awaits``: what the software lacks so that it comes out well."""

    name: str
    play: Callable[[Timeline], None]
    causes: int = 1
    awaits: str = ""


STORIES: list[Story] = []


def story(causes: int = 1, awaits: str = "") -> Callable[[Callable[[Timeline], None]], Callable[[Timeline], None]]:
    """Add a story, which is told by its docstring, to ``STORIES``."""

    def add(play: Callable[[Timeline], None]) -> Callable[[Timeline], None]:
        STORIES.append(Story((play.__doc__ or play.__name__).strip().rstrip("."), play, causes, awaits))
        return play

    return add


@story()
def one_broken_hour(time: Timeline) -> None:
    """One error: one page, one issue, closed by itself."""
    time.configure(model_config())
    time.until(2)
    time.expect(woken=0, verdict="HEALTHY")
    time.data(accuracy=ERROR)
    time.until(5)
    time.expect(woken=1, page="^error churn accuracy", urgency="high", issues=1, title=r"^\[error\] churn: accuracy")
    time.expect(verdict="^ERROR", dispatched=())
    time.acknowledge()
    time.data(accuracy=HEALTHY)
    time.until(10)
    time.expect(woken=0, issues=0, title="recovered", says="Recovered", verdict="HEALTHY")


@story(awaits="what needs a person anew opens a new alert")
def acknowledged_then_worse(time: Timeline) -> None:
    """Critical after an acknowledged error wakes somebody again."""
    time.configure(model_config())
    time.data(accuracy=ERROR)
    time.until(3)
    time.expect(woken=1)
    time.acknowledge()
    time.data(accuracy=CRITICAL)
    time.until(6)
    time.expect(woken=1, page="^critical", urgency="high", issues=1, title=r"^\[critical\]", verdict="^CRITICAL")
