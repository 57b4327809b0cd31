"""One night of the tour in this process, with given lines instead of a keyboard."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelwatch.config.loader import load_config
from modelwatch.report.console import open_console
from modelwatch.testing.demo.command import invoke_command
from modelwatch.testing.demo.environment import DemoEnvironment, replace_environment, start_environment
from modelwatch.testing.demo.export import model_repository
from modelwatch.testing.demo.tour import setup
from modelwatch.testing.demo.tour.repl import LineReader, Repl
from modelwatch.testing.demo.tour.tour import night_variables, release_time, run_tour
from tests.conftest import forget_wandb

NOW = 1_790_000_000.0


@dataclass(frozen=True, slots=True)
class Night:
    """What is left in the morning."""

    desk: Repl
    world: DemoEnvironment
    out: str

    @property
    def incident(self) -> Any:
        *_, found = self.world.pagerduty.standin.state.incidents  # worse than what was paged: a page of its own
        return found

    @property
    def issue(self) -> Any:
        (found,) = self.repository.issues.items.values()
        return found

    @property
    def repository(self) -> Any:
        return model_repository(self.desk.shift.story)

    @property
    def held(self) -> dict[str, str]:
        """Who holds which alias at the W&B stand-in."""
        versions = self.world.wandb.standin.state.projects["acme", "churn-train"].collections["churn"].versions
        return {alias: f"v{one.version}" for one in versions for alias in one.aliases if not alias[0].isdigit()}

    def after(self, line: str) -> str:
        """What was shown for a typed line, up to the next prompt."""
        return self.out.split(f"on call> {line}\n", 1)[1].split("on call> ", 1)[0]


def spend(folder: Path, *lines: str, night: str = "release") -> Night:
    """The whole tour; the environment and the working directory are as before when it is over."""
    out = io.StringIO()
    released = release_time(NOW)
    script = io.StringIO("".join(f"{line}\n" for line in lines))
    with (
        _environment(),
        redirect_stdout(out),
        start_environment(folder / "repository", released - setup.HISTORY_SECONDS, [setup.MODEL]) as w,
    ):
        replace_environment(night_variables(w))

        def read() -> Any:
            return load_config(w.config_path, os.environ, require_baselines=False)

        with chdir(w.folder):
            desk = run_tour(
                w, read, released, invoke_command, LineReader(script), open_console(), folder / "churn", night
            )
    return Night(desk, w, out.getvalue())


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        forget_wandb()
        os.environ.clear()
        os.environ.update(before)
