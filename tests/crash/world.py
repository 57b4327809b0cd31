"""Where it all takes place: a repository, a PagerDuty service and a table of metrics, with a clock of their own."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelwatch.model.plan import Plan, Receipts
from modelwatch.step_files import read_file
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.stubs import workflows

from .process import Ended, Forge

REPOSITORY, ACCOUNT, PERSON = "acme/churn", "watcher", "alice"
HOUR = 3600.0
BEGIN = 1_790_000_400.0 // HOUR * HOUR
"""The hour before the first row of the table."""
LATE = 300.0
"""Seconds after the full hour at which evaluations take place."""
LAG = 3600.0
"""Seconds for which a change is missing from GitHub's lists."""

CONFIG = """\
version: 1
models:
  - name: churn
    owner: "@acme/growth-ml"
    SOURCE
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}", service: churn-model}
    github: {repository: acme/churn, labels: ["model:churn"], people: [alice]}
    runbooks: {base: "https://github.com/acme/churn/blob/main/runbooks"}
    workflows: {retrain: retrain.yml}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        better: higher
        window: 1h
        every: 1h
        for: 2
        hold: 2
        baseline: {value: 0.92, n: 100000}
        tiers:
          warning:  {drop: 2%,  do: [issue]}
          error:    {drop: 5%,  do: [issue, page]}
          critical: {drop: 10%, do: [issue, page, retrain]}
"""
TABLE = "table: {path: metrics.csv, time: time, version: version}"


def at(hour: float) -> float:
    """The time of the evaluation of ``hour`` (seconds, UTC)."""
    return BEGIN + hour * HOUR + LATE


@dataclass(slots=True)
class Clock:
    """The services' time: it begins where it is set, and goes on as real time does."""

    now: float = BEGIN
    since: float = field(default_factory=time.monotonic)

    def set(self, now: float) -> None:
        self.now, self.since = now, time.monotonic()

    def __call__(self) -> float:
        return self.now + time.monotonic() - self.since


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One evaluation: how it ended, and the files that it left (``None``: it was ended before)."""

    ended: Ended
    plan: Plan | None
    receipts: Receipts | None
    summary: str

    @property
    def code(self) -> int:
        return self.ended.code


@dataclass(slots=True)
class World:
    """The stand-ins, and the folder from which evaluations are started. ``renew`` before each use."""

    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    wandb: Server[WandbStandIn]
    folder: Path
    forge: Forge
    clock: Clock = field(default_factory=Clock)
    env: dict[str, str] = field(default_factory=dict)
    values: tuple[float, ...] = ()

    def renew(self, values: Sequence[float], *, rest: bool = True) -> None:
        """A new world in which the metric has ``values``, hour by hour; ``rest``: with a token for incidents."""
        self.clock = Clock()
        for server in (self.github, self.pagerduty):
            server.clear()
        self.github.standin = GitHubStandIn(self.clock)
        self.pagerduty.standin = PagerDutyStandIn(self.clock)
        files = workflows("retrain")
        state = self.github.standin.state
        state.add_repo(REPOSITORY, files=files, collaborators={ACCOUNT: "write", PERSON: "write"})
        pages = self.pagerduty.standin.state
        self.env = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "GITHUB_API_URL": self.github.url,
            "GITHUB_TOKEN": state.add_token(ACCOUNT, kind="user"),
            "PAGERDUTY_EVENTS_URL": self.pagerduty.url,
            "PAGERDUTY_API_URL": self.pagerduty.url,
            "PAGERDUTY_ROUTING_KEY": pages.add_service("churn-model").routing_key,
            "WANDB_BASE_URL": self.wandb.url,
            "WANDB_API_KEY": "k" * 40,
            "WANDB_ERROR_REPORTING": "false",
            "TMPDIR": str(self.folder),
            **({"PAGERDUTY_TOKEN": pages.add_token(read_only=True)} if rest else {}),
            "COLUMNS": "1000",
            "MODELWATCH_WAIT_SCALE": "0.001",
            "MODELWATCH_TIMEOUT_SCALE": "0.1",
        }
        self.configure(TABLE)
        for path, text in files.items():
            self.write(path, text)
        self.values = tuple(values)

    def configure(self, source: str) -> None:
        """The metric comes from ``source``, as the configuration has it."""
        self.write("modelwatch.yml", CONFIG.replace("SOURCE", source))

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def evaluate(self, now: float, *, fresh: bool = False) -> Evaluated:
        """``modelwatch run`` as of ``now``; ``fresh``: in a process that no other was forked into."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        self.clock.set(now)
        rows = [f"{BEGIN + hour * HOUR:.0f},{value},20000,v7" for hour, value in enumerate(self.values, 1)]
        past = rows[: int((now - BEGIN) / HOUR)]
        self.write("metrics.csv", "\n".join(["time,eval/accuracy,eval/n,version", *past]) + "\n")
        start = self.forge.start if fresh else self.forge.fork
        ended = start(["run", "--out", str(out), "--now", f"{now:.0f}"], self.env, self.folder)
        plan, receipts, summary = out / "plan.json", out / "receipts.json", out / "summary.md"
        return Evaluated(
            ended,
            read_file(plan, Plan) if plan.exists() else None,
            read_file(receipts, Receipts) if receipts.exists() else None,
            summary.read_text("utf-8") if summary.exists() else "",
        )

    def requests(self) -> list[str]:
        """What was asked of the targets since the last ``clear``, in order."""
        both = [*self.github.requests, *self.pagerduty.requests]
        return [f"{asked.method} {asked.path}" for asked in sorted(both, key=lambda asked: asked.at)]

    def bugs(self) -> list[str]:
        """Where a stand-in itself failed: then nothing is proved."""
        servers: tuple[Server[Any], ...] = (self.github, self.pagerduty, self.wandb)
        return [f"the stand-in {server.standin.name} has a bug: {told}" for server in servers for told in server.errors]


@contextmanager
def worlds() -> Iterator[World]:
    """A world for one thread; its evaluations are forked from a process of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="modelwatch-crash-")))
        github = stack.enter_context(Server(GitHubStandIn()))
        pagerduty = stack.enter_context(Server(PagerDutyStandIn()))
        wandb = stack.enter_context(Server(WandbStandIn()))
        yield World(github, pagerduty, wandb, folder, stack.enter_context(Forge()))
