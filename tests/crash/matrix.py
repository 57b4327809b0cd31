"""Which cells there are, and who works on them: a thread for each world, each with a process to fork from."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from . import reads, releases
from .cell import GITHUB, PAGERDUTY, Cell, Rehearsal, Row, disturb, rehearse
from .columns import LASTING, Column
from .scenarios import SCENARIOS, Scenario
from .world import World, worlds

WORKERS = (os.cpu_count() or 2) + 1
"""One more than there are processors: the cells that stall wait most of the time."""
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


def work_off(cells: Sequence[Cell], known: dict[str, Rehearsal], workers: int, tell: Callable[[Tried], None]) -> None:
    """Try every cell; ``tell`` hears of each, one at a time. Raises what a worker raised."""
    waiting: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell in cells:
        waiting.put(cell)
    lock, broken = threading.Lock(), list[BaseException]()

    def work() -> None:
        try:
            with worlds() as world:
                while not broken:
                    cell = waiting.get_nowait()
                    wrong = tuple(_attempt(cell.scenario)(world, cell, known[cell.scenario.name]))
                    with lock:
                        tell(Tried(cell, wrong))
        except queue.Empty:
            return
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            broken.append(error)

    threads = [threading.Thread(target=work, name=f"crash-{number}") for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
