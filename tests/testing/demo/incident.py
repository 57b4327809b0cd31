"""The demo's churn incident, stopped while it burns: for whoever asks the command line about it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from modelwatch.config.loader import load_config
from modelwatch.model.monitored_model import Config
from modelwatch.testing.demo import churn
from modelwatch.testing.demo.environment import DemoEnvironment, start_environment
from modelwatch.testing.demo.story import Story
from tests.conftest import forget_wandb

START = 1_790_000_000.0 // 3600 * 3600
MODELWATCH = (sys.executable, "-m", "modelwatch")


@dataclass(slots=True)
class Incident:
    """The world at that moment, and the environment in which the real command line finds it."""

    world: DemoEnvironment
    env: Mapping[str, str]
    diagnosed_before: subprocess.CompletedProcess[str] | None = None
    """``diagnose`` three hours after the bad release, when nothing fires yet."""

    def words(self, *words: str) -> tuple[str, ...]:
        """A whole command line, as of the story's time."""
        now = str(int(self.world.clock.now))
        return (*MODELWATCH, *words, "--config", str(self.world.config_path), "--now", now)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = self.words(*words)
        return subprocess.run(command, capture_output=True, text=True, env=dict(self.env), check=False)


def critical(story: Story) -> bool:
    """The rollback is dispatched, and has not ended."""
    runs = story.environment.github.standin.state.repo(story.demo_model.repository).runs.items.values()
    return any("rollback" in run.title for run in runs)


def _read(world: DemoEnvironment) -> Config:
    return load_config(world.config_path, os.environ, require_baselines=False)


def _unheard(_at: float, _text: str, _style: str) -> None:
    """Nobody listens to the story."""


@contextmanager
def incident(folder: Path) -> Iterator[Incident]:
    """The story told up to the first stretch after which it is ``critical``."""
    before = dict(os.environ)
    with start_environment(folder / "repository", START, [churn.MODEL]) as world:
        env = {name: value for name, value in before.items() if not name.startswith(("WANDB_", "GITHUB_"))}
        os.environ.clear()
        os.environ.update(env | world.variables | {"COLUMNS": "80"})
        forget_wandb()
        found = Incident(world, dict(os.environ))

        def look(story: Story) -> bool:
            found.diagnosed_before = found.diagnosed_before or found.run("diagnose")
            return critical(story)

        try:
            churn.run_story(Story(world, churn.MODEL, partial(_read, world), _unheard, churn.RUN_SECONDS), START, look)
            found.env = dict(os.environ)
            yield found
        finally:
            forget_wandb()
            os.environ.clear()
            os.environ.update(before)
