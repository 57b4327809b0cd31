"""The same for reads: a W&B that fails or falls silent changes nothing at GitHub and PagerDuty, and closes nothing.

The issue that remembers the failure itself is turned off here; the timelines have it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from modelwatch.model.plan import ChangeResult
from modelwatch.testing.standins.wandb import WandbStandIn

from .cell import KILLED, Cell, Rehearsal, Row, prepare, unsettled
from .columns import KILLS, LASTING, LOST, ONCE
from .facts import difference, observe
from .scenarios import CLOSES
from .world import BEGIN, HOUR, Evaluated, World, at

WANDB = "wandb"
DAYS = ((0, 24), (24, 48))
"""Hours that each W&B run covers; the disturbed evaluation needs both."""
SOURCE = """\
wandb: {entity: acme, project: churn, runs: {tags: production}, version: release, time: time}
    outage: {do: []}"""
_FURTHER = tuple(column for column in (*LOST, *ONCE) if column.name in ("json+", "503 once"))
READS = replace(CLOSES, name="recovers, as W&B tells it", columns=(*KILLS, *LASTING, *_FURTHER))
_QUERY = re.compile(rb"query (\w+)")


def rehearse(world: World, *, fresh: bool) -> Rehearsal:
    """Undisturbed."""
    _prepare(world)
    done = world.evaluate(at(READS.hour), fresh=fresh)
    rows = rows_of(world)
    problems = unsettled(world, READS) + READS.wrong(observe(world))
    if done.code != 0 or problems or not rows:
        raise AssertionError(f"undisturbed, {READS.name}: {done.code} {problems}\n{done.ended.told}")
    return Rehearsal(rows, observe(world))


def rows_of(world: World) -> tuple[Row, ...]:
    """The requests that W&B got, by the name of the query; two W&B runs are read at the same time."""
    rows: list[Row] = []
    for asked in sorted(world.wandb.requests, key=lambda asked: asked.number):
        found = _QUERY.search(asked.body)
        name = found[1].decode() if found else asked.path
        skip = sum(row.path == name for row in rows)
        rows.append(Row(WANDB, asked.method, name, skip, len(rows)))
    return tuple(rows)


def disturb(world: World, cell: Cell, rehearsal: Rehearsal) -> list[str]:
    """What went wrong in this cell; nothing, as a rule."""
    row, column = cell.row, cell.column
    _prepare(world)
    before = observe(world)
    fault = column.fault(row.method, "", row.skip, world.forge.victim)
    fault.text = "" if row.whole else f"query {row.path}"
    world.wandb.inject(fault)
    done = world.evaluate(at(READS.hour))
    wrong = [] if fault.strike_count else [f"the request never came: {[found.name for found in rows_of(world)]}"]
    now = observe(world)
    if column.kills:
        wrong += [] if done.code == KILLED else [f"exit code {done.code} of a process that was to be killed"]
        wrong += [f"changed by a killed read: {problem}" for problem in difference(before, now)]
    elif done.code == 0:
        wrong += [f"it says 0, but {problem}" for problem in difference(rehearsal.facts, now)]
    else:
        wrong += [f"changed although W&B failed: {problem}" for problem in difference(before, now)]
        wrong += _untold(done, column.status) + _written(world)
    world.wandb.faults.clear()
    wrong += unsettled(world, READS)
    found = observe(world)
    return wrong + (READS.wrong(found) or difference(rehearsal.facts, found)) + world.bugs()


def _prepare(world: World) -> None:
    """An open issue and incident, and a W&B that says that all is well again."""
    prepare(world, READS)
    log_to_wandb(world, READS.values)


def log_to_wandb(world: World, values: Sequence[float]) -> None:
    """The metric comes from W&B, and has ``values`` there, hour by hour."""
    world.configure(SOURCE)
    world.wandb.clear()
    world.wandb.standin = WandbStandIn()
    rows = [
        {"_step": hour, "_timestamp": time, "time": time, "eval/accuracy": value, "eval/n": 20_000}
        for hour, value in enumerate(values, 1)
        for time in (BEGIN + hour * HOUR,)
    ]
    for begin, end in DAYS:
        world.wandb.standin.state.add_run(
            "acme",
            "churn",
            f"hours-{begin}-to-{end}",
            {"release": "v7"},
            ["production"],
            rows[begin:end],
            BEGIN + begin * HOUR,
        )


def _untold(done: Evaluated, status: int) -> list[str]:
    """Exit code 3, or 2 for a project that W&B says is not there, with a reason everywhere."""
    if done.code not in ((2, 3) if status == 404 else (3,)) or done.plan is None or done.receipts is None:
        return [f"exit code {done.code}: {done.ended.told[-600:]}"]
    known: Sequence[str] = (str(status), "W&B has no such project") if status else ("W&B",)
    texts = {"summary": done.summary, "output": done.ended.told}
    wrong = [f"the {place} does not name the failure" for place, text in texts.items() if not _any(known, text)]
    made = [receipt.change for receipt in done.receipts.receipts if receipt.result is ChangeResult.DONE]
    return wrong + [f"done although W&B failed: {change}" for change in made]


def _any(words: Sequence[str], text: str) -> bool:
    return any(word in text for word in words)


def _written(world: World) -> list[str]:
    """Whether anything but questions was sent to the targets."""
    return [f"sent although W&B failed: {asked}" for asked in world.requests() if not asked.startswith("GET ")]
