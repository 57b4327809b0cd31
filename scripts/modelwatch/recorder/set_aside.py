"""What no sender can count, kept in the spool for a look: a line of JSON for each call, in files of one batch each."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from .fitting_rows import UnfitUnit
from .spool_files import ASIDE, write_atomically

BUDGET_SHARE = 8
"""One part in so many of the spool's budget; the oldest files go first."""
MAX_COLUMNS = 50
"""Whose names are remembered."""


def set_aside(spool: Path, batch: int, unfit: Iterable[UnfitUnit], max_bytes: int) -> None:
    """Write what is unfit to a file of its batch. ``max_bytes``: of the spool. Raises OSError."""
    budget = max_bytes // BUDGET_SHARE
    lines: list[bytes] = []
    size = 0
    for one in unfit:
        about = {
            "problem": one.problem,
            "columns": one.columns,
            "process": one.unit.process,
            "content": one.unit.content,
        }
        line = json.dumps(_plain(about), ensure_ascii=True, default=repr).encode()
        size += len(line) + 1
        if size > budget:
            break
        lines.append(line)
    write_atomically(spool / ASIDE / f"{batch:09d}.jsonl", b"".join(line + b"\n" for line in lines))
    _shrink(spool / ASIDE, budget)


def set_aside_file(spool: Path, path: Path, max_bytes: int) -> None:
    """Keep a journal that cannot be read. Raises OSError."""
    (spool / ASIDE).mkdir(exist_ok=True)
    os.replace(path, spool / ASIDE / path.name)
    _shrink(spool / ASIDE, max_bytes // BUDGET_SHARE)


def remember(state: MutableMapping[str, Any], unfit: Iterable[UnfitUnit], more_rows: int = 0) -> int:
    """Add to the counts of the spool: rows that are lost, by problem, and by column the rows whose cell is. Returns the
    rows that are lost. ``more_rows``: of journals that cannot be read."""
    aside = state.setdefault("aside", {"rows": 0, "problems": {}, "columns": {}})
    lost = more_rows
    problems = {"unreadable journal": more_rows} if more_rows else {}
    for one in unfit:
        if one.is_whole:
            lost += one.unit.rows
        problems[one.problem] = problems.get(one.problem, 0) + one.unit.rows
        for name in one.columns:
            if name in aside["columns"] or len(aside["columns"]) < MAX_COLUMNS:
                aside["columns"][name] = aside["columns"].get(name, 0) + one.unit.rows
    for problem, rows in problems.items():
        aside["problems"][problem] = aside["problems"].get(problem, 0) + rows
    aside["rows"] += lost
    return lost


def describe_aside(spool: Path, aside: Mapping[str, Any]) -> str:
    """One line about what was set aside; empty if nothing was."""
    if not aside.get("problems"):
        return ""
    problems = ", ".join(f"{rows:,} by {problem}" for problem, rows in sorted(aside["problems"].items()))
    columns = ", ".join(f"{name} ({rows:,})" for name, rows in sorted(aside["columns"].items())[:10])
    rows = aside["rows"]
    return (
        f"{rows:,} rows could not be counted and are lost; set aside in {spool / ASIDE}: {problems}"
        f"{f'; columns that did not fit: {columns}' if columns else ''}."
    )


def _shrink(folder: Path, budget: int) -> None:
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    excess = sum(path.stat().st_size for path in files) - budget
    for path in files:
        if excess <= 0:
            return
        excess -= path.stat().st_size
        with contextlib.suppress(OSError):
            path.unlink()


def _plain(value: Any) -> Any:
    """With texts as names, and columns of bytes as lists of numbers."""
    if isinstance(value, Mapping):
        return {str(name): _plain(cell) for name, cell in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(cell) for cell in value]
    if isinstance(value, bytes):
        import numpy as np

        kind, _, content = value.partition(b" ")
        try:
            return np.frombuffer(content, np.dtype(kind.decode())).tolist()
        except (TypeError, ValueError):
            return repr(value)
    return value
