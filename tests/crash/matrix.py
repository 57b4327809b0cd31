"""Which cells there are, and who works on them: a thread for each world, each with a process to fork from."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .cell import GITHUB, PAGERDUTY, Cell, Rehearsal, Row, disturb, rehearse
from .columns import LASTING, Column
from .scenarios import Scenario
from .world import World, worlds

WHOLE = (Row(GITHUB, "", ""), Row(PAGERDUTY, "", ""))


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a cell; green where nothing is wrong."""

    cell: Cell
    wrong: tuple[str, ...]


def rehearsals(world: World, scenarios: Iterable[Scenario]) -> dict[str, Rehearsal]:
    return {scenario.name: rehearse(world, scenario) for scenario in scenarios}


def rows_of(rehearsal: Rehearsal) -> tuple[Row, ...]:
    return (*rehearsal.rows, *WHOLE)


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
    """One cell a request, by turns with every fault: each request and each fault at least once."""
    cells: list[Cell] = []
    for scenario in scenarios:
        for row in rows_of(known[scenario.name]):
            columns = columns_of(scenario, row)
            used = [cell.column for cell in cells]
            cells.append(Cell(scenario, row, min(columns, key=used.count)))
    return cells


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
                    wrong = tuple(disturb(world, cell, known[cell.scenario.name]))
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
