"""A staging project as the place of a drill: real services, marked as a drill's, and the clock on the wall."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..clients.retry import read_scale
from ..model.drill import Link
from ..model.monitored_model import Config, MessagesSpec, Model
from .drilled_rule import choose_rule, find_companions
from .folder import open_folder
from .scenarios import Scenario

BUDGET = 1000
"""Dispatches of a workflow that drills may make."""
POLL = 10.0
"""Seconds between two looks at a service."""


@dataclass(slots=True)
class StagingSite:
    """The services of one model; see ``DrillSite``. Event time runs ahead of the clock by what ``advance`` adds."""

    config: Config
    env: Mapping[str, str]
    folder: Path
    name: str
    start: float
    """The time (seconds, UTC) when the drill began."""
    notes: tuple[str, ...] = ()
    _began: float = field(default_factory=time.monotonic)
    _ahead: float = 0.0

    @property
    def model(self) -> Model:
        return self.config.models[0]

    @property
    def borrowed(self) -> Mapping[Link, str]:
        """Everything is the model's own."""
        return {}

    @property
    def has_webhook(self) -> bool:
        return self.model.pagerduty.webhook is not None

    @property
    def now(self) -> float:
        return self.start + time.monotonic() - self._began + self._ahead

    def advance(self, until: float) -> None:
        self._ahead += max(0.0, until - self.now)

    def wait(self, is_done: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        pause = POLL * read_scale(self.env)
        while not is_done():
            if time.monotonic() + pause > end:
                return False
            time.sleep(pause)
        return True

    def approve(self, issue: int, command: str) -> bool:
        """Only a real person approves."""
        del issue, command
        return False


@contextmanager
def open_staging(
    config: Config,
    model: Model,
    scenario: Scenario,
    env: Mapping[str, str],
    now: float,
    tier: str = "",
    *,
    keep: bool = False,
) -> Iterator[StagingSite]:
    """The site until the block ends, with the rules that ``scenario`` drills and no others, since nothing is logged for
    those. Its dispatches are not held back by those of the last drill. It sends no messages: no link is about them, and
    the section may be production's, copied with the rules."""
    rule, _ = choose_rule(model, scenario, tier)
    rules = (rule, *(one for one, _ in find_companions(model, rule, scenario)))
    workflows = tuple(replace(one, cooldown=0.0, budget=max(one.budget, BUDGET)) for one in model.workflows)
    drilled = replace(model, rules=rules, workflows=workflows, messages=MessagesSpec())
    place = f"staging, {model.wandb.entity}/{model.wandb.project}" if model.wandb else "staging"
    with open_folder(keep=keep) as folder:
        yield StagingSite(replace(config, models=(drilled,)), env, folder, place, now)
