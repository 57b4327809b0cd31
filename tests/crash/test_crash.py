"""A sample of the crash matrix; `make crash-matrix` is the whole of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from . import releases
from .cell import Cell, disturb
from .columns import COLUMNS
from .matrix import ALL, EVERY, Tried, rehearsals, rows_of, sample, try_cells
from .scenarios import OPENS
from .table import explain, render
from .world import World, worlds


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with worlds() as world:
        yield world


def test_a_sample_of_the_crash_matrix_has_no_red_cell(world: World) -> None:
    known = rehearsals(world, ALL, fresh=(OPENS, releases.PROMOTES))
    cells = sample(ALL, known)
    assert {cell.column for cell in cells} == set(COLUMNS), "every fault"
    asked = {(row.method, row.path) for one in EVERY for row in rows_of(known[one.name])}
    evaluated = [cell for cell in cells if cell.scenario in EVERY]
    assert {(cell.row.method, cell.row.path) for cell in evaluated} == asked, "every request"
    moved = {row.name for row in known[releases.PROMOTES.name].rows if row.path.startswith("mutation")}
    assert moved <= {cell.row.name for cell in cells if cell.scenario is releases.PROMOTES}, "every write of a move"
    tried: list[Tried] = []
    try_cells(cells, known, tried.append)
    assert len(tried) == len(cells)
    red = [explain(one) for one in tried if one.wrong]
    assert not red, "\n".join(red)


def test_a_cell_turns_red_where_something_is_lost_or_doubled(world: World) -> None:
    known = rehearsals(world, (OPENS,), fresh=())
    rehearsal = known[OPENS.name]
    (row,) = (row for row in rehearsal.rows if row.name.endswith("/dispatches"))
    (column,) = (column for column in COLUMNS if column.name == "reset+")
    strict = replace(OPENS, runs=("retrain", "retrain"))
    wrong = disturb(world, Cell(strict, row, column), rehearsal)
    assert wrong == ["runs: ('retrain',), not ('retrain', 'retrain')"]

    forgetful = replace(rehearsal, facts=replace(rehearsal.facts, notes=(("lost", 1),)))
    assert any("notes" in problem for problem in disturb(world, Cell(OPENS, row, column), forgetful))

    elsewhere = replace(row, path="/never/asked")
    missed = disturb(world, Cell(OPENS, elsewhere, column), rehearsal)
    assert any("not as rehearsed" in problem for problem in missed)


def test_a_release_turns_red_where_its_end_is_another(world: World) -> None:
    known = rehearsals(world, (releases.PROMOTES,), fresh=())[releases.PROMOTES.name]
    (row,) = (row for row in known.rows if row.name.endswith("mutation AddAliases"))
    (column,) = (column for column in COLUMNS if column.name == "kill+")
    cell = Cell(releases.PROMOTES, row, column)
    assert releases.disturb(world, cell, releases.unlike(known)) == ["runs: ('v2',), not ('v9',)"]
    elsewhere = replace(row, path="mutation Nothing")
    assert any("never came" in problem for problem in releases.disturb(world, replace(cell, row=elsewhere), known))


def test_the_table_shows_what_is_red(world: World) -> None:
    rehearsal = rehearsals(world, (OPENS,), fresh=())[OPENS.name]
    kill, other = COLUMNS[0], COLUMNS[2]
    cells = [Cell(OPENS, rehearsal.rows[0], kill), Cell(OPENS, rehearsal.rows[0], other)]
    shown = render("title", [Tried(cells[0], ()), Tried(cells[1], ("lost",))], (kill, COLUMNS[1], other))
    assert shown.splitlines()[1].split() == ["kill-", "kill+", "401-"]
    assert shown.splitlines()[2].split() == ["GET", "…/issues", "ok", "RED"]
    assert "lost" in explain(Tried(cells[1], ("lost",)))
