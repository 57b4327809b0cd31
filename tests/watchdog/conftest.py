"""A repository with the workflows of modelwatch, in which everything is in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwatch.distribution import SLUG
from modelwatch.testing.standins.github.run_lifecycle import run_schedule
from modelwatch.testing.standins.http import Request, Response, Server
from tests.cli.conftest import make_world
from tests.cli.world import REPOSITORY, World

HOUR, DAY = 3600.0, 86_400.0
ACTIONS = SLUG
MAIN, WATCHDOG, DRILL = "modelwatch.yml", "watchdog.yml", "drill.yml"


def scheduled(name: str, uses: str = "") -> str:
    step = f"uses: {uses}" if uses else "run: echo one"
    return f"""\
name: {name}
on:
  schedule:
    - cron: "17 * * * *"
permissions: {{}}
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - {step}
"""


class Site:
    """The published dashboard."""

    name = "site"

    def __init__(self) -> None:
        self.built: float | None = None

    def handle(self, request: Request) -> Response:
        if request.path != "/assets/built.js" or self.built is None:
            return Response(404, b"no such page")
        return Response(200, f"window.modelwatchBuilt = {self.built:.0f};\n".encode())


class Watched:
    """The world, and what makes it go on or stop."""

    def __init__(self, world: World, site: Server[Site]) -> None:
        self.world, self.site = world, site
        self.state = world.github.standin.state
        self.repo = self.state.repo(REPOSITORY)

    def run(self, workflow: str, conclusion: str = "success", *, exit_code: int = 1, event: str = "schedule") -> None:
        """GitHub starts ``workflow`` now, and it ends at once."""
        run = run_schedule(self.state, self.repo, workflow, event)
        self.state.finish_run(run.id, conclusion, exit_code=exit_code)

    def watch(self, *arguments: str, code: int, **conditions: str) -> str:
        """The output of the command; ``conditions``: the states that it must find, with ``_`` for ``-``."""
        ran = self.world.run("watchdog", "--repository", REPOSITORY, "--format", "json", *arguments)
        assert ran.code == code, ran.out + ran.err
        found = {row["name"].replace("-", "_"): row["state"] for row in ran.json["conditions"]}
        assert {name: found.get(name) for name in conditions} == conditions, ran.out
        return ran.out + ran.err

    def what(self, condition: str, *arguments: str) -> str:
        ran = self.world.run("watchdog", "--repository", REPOSITORY, "--format", "json", "--dry-run", *arguments)
        return next(str(row["what"]) for row in ran.json["conditions"] if row["name"] == condition)

    def wait(self, seconds: float) -> None:
        self.world.clock.now += seconds


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with make_world(tmp_path) as world, Server(Site()) as site:
        state = world.github.standin.state
        library = state.add_repo(ACTIONS, private=False)
        state.add_file(library, "setup", "one")
        pin = library.git.branches["main"]
        state.add_file(library, "pin", "one")
        state.add_release(library, "v1.0.0")
        found = Watched(world, site)
        for name in (WATCHDOG, DRILL):
            state.add_file(found.repo, f".github/workflows/{name}", scheduled(name))
        state.add_file(found.repo, f".github/workflows/{MAIN}", scheduled(MAIN, f"{ACTIONS}/actions/monitor@{pin}"))
        found.run(MAIN)
        site.standin.built = world.clock.now
        yield found
