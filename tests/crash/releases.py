"""The same for releases: every request of a promotion and a rollback killed and failed, then asked for again.

Whatever happens, exactly one version is in production; the history says what happened; asking again finishes the job.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from modelwatch.testing.standins.wandb import WandbStandIn

from .cell import KILLED, PAGERDUTY, Cell, Rehearsal, Row
from .columns import KILLS, LASTING, LOST, ONCE
from .facts import Facts, difference
from .process import Ended
from .reads import WANDB
from .scenarios import Scenario
from .world import BEGIN, World

_QUERY = re.compile(rb"(?:query|mutation) \w+")
_TROUBLES = ("403-", "503-", "stall-", "reset-", "503 once")
_COLUMNS = (*KILLS, *LOST, *(column for column in (*LASTING, *ONCE) if column.name in _TROUBLES))
CONFIG = """\
version: 1
models:
  - name: churn
    table: {path: metrics.csv}
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}"}
    release: {artifact: acme/train/churn, deploy: 'echo "$MODELWATCH_VERSION" >> deployed.txt'}
    rules: [{name: rows, kind: data-quality, metric: rows, window: 1h, tiers: {critical: {below: 1}}}]
"""


@dataclass(frozen=True, slots=True)
class Story:
    """``asked``: the disturbed command. ``again``: what comes after it; the same, or what others do about it."""

    asked: tuple[str, ...]
    again: tuple[str, ...]
    final: tuple[dict[str, str], ...]
    """Who may hold what in the end."""


def _nothing(_world: World) -> None:
    """The world is new."""


def _scenario(name: str, columns: Any) -> Scenario:
    return Scenario(name, (), _nothing, 0, (), (), (), pages=False, columns=columns)


BEFORE = {"production": "v1", "previous": "v0", "candidate": "v2", "latest": "v2"}
PROMOTED = {"production": "v2", "previous": "v1", "latest": "v2"}
BACK = {"production": "v0", "previous": "v1", "candidate": "v2", "latest": "v2"}
_PROMOTE = ("promote", "candidate", "--key", "k1", "--reason", "it won")
_ROLLBACK = ("rollback", "previous", "--key", "k1", "--reason", "it fell")
PROMOTES = _scenario("promotes, and is asked again", _COLUMNS)
ROLLS_BACK = _scenario("rolls back, and is asked again", _COLUMNS)
ABANDONED = _scenario("promotes and dies, and others finish it", KILLS)
OVERTAKEN = _scenario("promotes and dies, and a rollback follows", KILLS)
STORIES = {
    PROMOTES.name: Story(_PROMOTE, _PROMOTE, (PROMOTED,)),
    ROLLS_BACK.name: Story(_ROLLBACK, _ROLLBACK, (BACK,)),
    ABANDONED.name: Story(_PROMOTE, ("finish",), (BEFORE, PROMOTED)),
    OVERTAKEN.name: Story(
        _PROMOTE, ("rollback", "v0", "--key", "k2"), (BACK, {**BACK, "previous": "v2"} | {"candidate": ""})
    ),
}
RELEASES = (PROMOTES, ROLLS_BACK, ABANDONED, OVERTAKEN)


def rehearse(world: World, scenario: Scenario, *, fresh: bool) -> Rehearsal:
    """Undisturbed."""
    story = STORIES[scenario.name]
    prepare(world)
    done = ask(world, story.asked, 0, fresh=fresh)
    rows, facts = rows_of(world), observe(world)
    if done.code != 0 or not rows or aliases(world) not in (PROMOTED, BACK) or _wrong(world):
        raise AssertionError(f"undisturbed, {scenario.name}: {done.code} {_wrong(world)}\n{done.told}")
    return Rehearsal(rows, facts)


def rows_of(world: World) -> tuple[Row, ...]:
    """The requests that W&B got, by the name of the operation, and those that PagerDuty got."""
    asked = [(WANDB, found) for found in world.wandb.requests]
    asked += [(PAGERDUTY, found) for found in world.pagerduty.requests]
    rows: list[Row] = []
    for service, found in sorted(asked, key=lambda pair: pair[1].at):
        name = _QUERY.search(found.body) if service == WANDB else None
        path = name[0].decode() if name else found.path
        rows.append(Row(service, found.method, path, sum(row.path == path for row in rows), len(rows)))
    return tuple(rows)


def disturb(world: World, cell: Cell, rehearsal: Rehearsal) -> list[str]:
    """What went wrong in this cell; nothing, as a rule."""
    story, row, column = STORIES[cell.scenario.name], cell.row, cell.column
    prepare(world)
    before = observe(world)
    query = row.service == WANDB and not row.path.startswith("/")
    fault = column.fault(row.method, "" if query or row.whole else row.path, row.skip, world.forge.victim)
    fault.text = row.path if query else ""
    server: Any = world.wandb if row.service == WANDB else world.pagerduty
    server.inject(fault)
    done = ask(world, story.asked, 0)
    wrong = [] if fault.strike_count else [f"the request never came: {[found.name for found in rows_of(world)]}"]
    wrong += _one_serves(world)
    if column.kills:
        wrong += [] if done.code == KILLED else [f"exit code {done.code} of a process that was to be killed"]
    else:
        wrong += _told(done, before, observe(world), rehearsal.facts)
    server.faults.clear()
    then = ask(world, story.again, 600)
    if then.code != 0:
        wrong.append(f"asked again, exit code {then.code}: {then.told[-600:]}")
    if aliases(world) not in [_cut(final) for final in story.final]:
        wrong.append(f"in the end: {aliases(world)}")
    if story.again == story.asked:
        wrong += difference(rehearsal.facts, observe(world))
    if story.again != story.asked or PAGERDUTY not in {found.service for found in rehearsal.rows}:
        return wrong + _wrong(world) + world.bugs()
    told = len(world.pagerduty.standin.state.change_events)
    return wrong + ([] if told else ["nobody was told"]) + _wrong(world) + world.bugs()


def observe(world: World) -> Facts:
    """Who holds what, which moves there were and how they ended, what was deployed last."""
    moves = tuple(
        (config["key"]["value"], config["verb"]["value"], run.summary.get("state"), config["target"]["value"])
        for run in world.wandb.standin.state.projects["acme", "train"].runs.values()
        if run.job_type == "modelwatch-release"
        for config in (run.config,)
    )
    log = world.folder / "deployed.txt"
    deployed = log.read_text("utf-8").split()[-1:] if log.exists() else []
    held = json.dumps(aliases(world), sort_keys=True)
    return Facts((), (), tuple(deployed), (), (held, *sorted(moves)), (True, True), ())


def aliases(world: World) -> dict[str, str]:
    collection = world.wandb.standin.state.projects["acme", "train"].collections["churn"]
    return {alias: f"v{version.version}" for version in collection.versions for alias in version.aliases}


def prepare(world: World) -> None:
    world.renew(())
    world.write("modelwatch.yml", CONFIG)
    world.write("metrics.csv", f"time,rows\n{BEGIN:.0f},1\n")
    (world.folder / "deployed.txt").unlink(missing_ok=True)
    world.wandb.clear()
    world.wandb.standin = WandbStandIn()
    held: dict[str, list[str]] = {}
    for alias, version in BEFORE.items():
        held.setdefault(version, []).append(alias)
    for number in range(3):
        files = {"model.bin": f"weights {number}".encode()}
        about = {"data_version": f"2026-{number}"}
        mine = [alias for alias in held.get(f"v{number}", ()) if alias != "latest"]
        world.wandb.standin.state.add_artifact("acme", "train", "churn", files, aliases=mine, metadata=about)


def ask(world: World, arguments: tuple[str, ...], after: float, *, fresh: bool = False) -> Ended:
    start = world.forge.start if fresh else world.forge.fork
    return start(["release", *arguments, "--now", f"{BEGIN + after:.0f}"], world.env, world.folder)


def _one_serves(world: World) -> list[str]:
    collection = world.wandb.standin.state.projects["acme", "train"].collections["churn"]
    serving = [version.version for version in collection.versions if "production" in version.aliases]
    return [] if len(serving) == 1 else [f"in production: {serving}"]


def _wrong(world: World) -> list[str]:
    """What must be true of every end: one version serves, no move is open, what was deployed is what serves, and
    nothing but aliases was changed."""
    wrong = _one_serves(world)
    found = observe(world)
    moves = [move for move in found.register[1:] if isinstance(move, tuple)]
    wrong += [f"still open: {move}" for move in moves if move[2] not in ("done", "failed", "undone")]
    done = [move[3] for move in moves if move[2] == "done"]
    if done and found.runs != (aliases(world)["production"],):
        wrong.append(f"deployed: {found.runs}, in production: {aliases(world)['production']}")
    collection = world.wandb.standin.state.projects["acme", "train"].collections["churn"]
    wrong += [
        f"the metadata of v{version.version} was changed"
        for number, version in enumerate(collection.versions)
        if version.metadata != {"data_version": f"2026-{number}"} or version.updated_at
    ]
    return wrong + [f"not understood: {told}" for told in world.wandb.standin.unknown_requests]


def _told(done: Ended, before: Facts, now: Facts, wanted: Facts) -> list[str]:
    """An exit code says what is: 0 all is done, 3 nothing was begun, 4 it was begun; each with its reason."""
    if "bug in modelwatch" in done.told or "Traceback" in done.told:
        return [f"a bug: {done.told[-600:]}"]
    if done.code == 0:
        return [f"it says 0, but {problem}" for problem in difference(wanted, now)]
    if done.code not in (3, 4) or "W&B" not in done.told:
        return [f"exit code {done.code}: {done.told[-600:]}"]
    return difference(before, now) if done.code == 3 else []


def _cut(final: dict[str, str]) -> dict[str, str]:
    return {alias: version for alias, version in final.items() if version}


def sample(known: dict[str, Rehearsal]) -> list[Cell]:
    """Each write of a promotion killed, by turns before and after; then one cell of each other trouble and story."""
    writes = [row for row in known[PROMOTES.name].rows if row.path.startswith("mutation") or row.service == PAGERDUTY]
    cells = [Cell(PROMOTES, row, KILLS[place % 2]) for place, row in enumerate(writes)]
    (second,) = (row for row in writes if row.path.endswith("AddAliases") and row.skip == 1)
    rest = [column for column in _COLUMNS if not column.kills]
    cells += [Cell(ROLLS_BACK, second, column) for column in rest if column.name in ("503-", "500+")]
    return [*cells, Cell(ABANDONED, second, KILLS[1]), Cell(OVERTAKEN, second, KILLS[1])]


def unlike(rehearsal: Rehearsal) -> Rehearsal:
    """A rehearsal whose end no cell reaches: to see that the matrix can turn red."""
    return replace(rehearsal, facts=replace(rehearsal.facts, runs=("v9",)))
