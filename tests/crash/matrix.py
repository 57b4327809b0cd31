"""Which cells there are, and who works on them: a thread for each world, each with a process to fork from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..workers import work_off
from . import reads, releases
from .cell import GITHUB, PAGERDUTY, Cell, Rehearsal, Row, disturb, rehearse
from .columns import LASTING, Column
from .scenarios import SCENARIOS, Scenario
from .world import World, worlds

WHOLE = (Row(GITHUB, "", ""), Row(PAGERDUTY, "", ""), Row(reads.WANDB, "", ""))
EVERY = (*SCENARIOS, reads.READS)
ALL = (*EVERY, *releases.RELEASES)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a cell; green where nothing is wrong."""

    cell: Cell
    wrong: tuple[str, ...]


def rehearsals(world: World, scenarios: Iterable[Scenario], fresh: Sequence[Scenario]) -> dict[str, Rehearsal]:
    """Each scenario undisturbed; those of ``fresh`` in a process that was not forked."""
    known = {}
    for scenario in scenarios:
        if scenario is reads.READS:
            known[scenario.name] = reads.rehearse(world, fresh=scenario in fresh)
        elif scenario in releases.RELEASES:
            known[scenario.name] = releases.rehearse(world, scenario, fresh=scenario in fresh)
        else:
            known[scenario.name] = rehearse(world, scenario, fresh=scenario in fresh)
    return known


def rows_of(rehearsal: Rehearsal) -> tuple[Row, ...]:
    services = {row.service for row in rehearsal.rows}
    return (*rehearsal.rows, *(row for row in WHOLE if row.service in services))


def columns_of(scenario: Scenario, row: Row) -> tuple[Column, ...]:
    """A service as a whole is down for good, or not at all."""
    return tuple(column for column in scenario.columns if not row.whole or column in LASTING)


def all_cells(scenarios: Sequence[Scenario], known: dict[str, Rehearsal]) -> list[Cell]:
    return [
        Cell(scenario, row, column)
        for scenario in scenarios
        for row in rows_of(known[scenario.name])
        for column in columns_of(scenario, row)
    ]


def sample(scenarios: Sequence[Scenario], known: dict[str, Rehearsal]) -> list[Cell]:
    """A cell for each write of each scenario and for each read once, by turns with every fault.

    The W&B client takes seconds for a cell: of requests that differ in nothing but the W&B run, the first is enough.
    """
    cells: list[Cell] = []
    if set(releases.RELEASES) <= set(scenarios):
        cells += releases.sample(known)
    for scenario in scenarios:
        if scenario in releases.RELEASES:
            continue
        for row in rows_of(known[scenario.name]):
            if row.method in ("GET", "") and row.name in {cell.row.name for cell in cells if cell.scenario in EVERY}:
                continue
            if row.service == reads.WANDB and (row.skip or row.whole):
                continue
            columns = columns_of(scenario, row)
            used = [cell.column for cell in cells]
            cells.append(Cell(scenario, row, min(columns, key=used.count)))
    return cells


def _attempt(scenario: Scenario) -> Callable[[World, Cell, Rehearsal], list[str]]:
    if scenario in releases.RELEASES:
        return releases.disturb
    return reads.disturb if scenario is reads.READS else disturb


def try_cells(cells: Sequence[Cell], known: Mapping[str, Rehearsal], tell: Callable[[Tried], None]) -> None:
    """Try every cell, several at a time; ``tell`` hears of each, one at a time."""

    def attempt(world: World, cell: Cell) -> Tried:
        return Tried(cell, tuple(_attempt(cell.scenario)(world, cell, known[cell.scenario.name])))

    work_off(cells, worlds, attempt, tell)
