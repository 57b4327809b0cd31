"""History of one W&B run: lines as they come in, rows as the service gives them back."""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Row = dict[str, Any]
T = TypeVar("T")


def to_stored_value(value: Any) -> Any:
    """A value as the service stores it: whole floats as ints; NaN and infinities as the words it gives back."""
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, dict):
        return {key: to_stored_value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [to_stored_value(inner) for inner in value]
    return value


def flatten(row: Mapping[str, Any], prefix: str = "") -> Row:
    """Nested keys joined by dots, as the service gives them back; typed values (a histogram, say) stay whole."""
    result: Row = {}
    for key, value in row.items():
        if isinstance(value, dict) and "_type" not in value:
            result.update(flatten(value, f"{prefix}{key}."))
        else:
            result[prefix + key] = to_stored_value(value)
    return result


@dataclass(slots=True)
class History:
    """Rows by their place in the stream: sending the same lines twice changes nothing."""

    rows: list[Row] = field(default_factory=list)
    _order: tuple[list[int], list[Row], list[str]] | None = None
    _keys: dict[str, Any] | None = None

    def put(self, offset: int, lines: Iterable[Mapping[str, Any]]) -> None:
        """Rows from ``offset`` on; an offset beyond the end continues at the end."""
        offset = min(offset, len(self.rows))
        new = [flatten(line) for line in lines]
        for place, row in enumerate(new, offset):
            row.setdefault("_step", place)
        self.rows[offset : offset + len(new)] = new
        self._order = self._keys = None

    def extend(self, lines: Iterable[Mapping[str, Any]]) -> None:
        self.put(len(self.rows), lines)

    def _by_step(self) -> tuple[list[int], list[Row], list[str]]:
        """Steps, rows and their JSON, by step."""
        if self._order is None:
            rows = sorted(self.rows, key=_step)
            self._order = [_step(row) for row in rows], rows, [json.dumps(row, allow_nan=False) for row in rows]
        return self._order

    @property
    def last_step(self) -> int:
        steps = self._by_step()[0]
        return steps[-1] if steps else -1

    def step_at(self, place: int) -> int:
        """The step of the row at ``place``; beyond the last one where there is none."""
        steps = self._by_step()[0]
        return steps[place] if place < len(steps) else self.last_step + 1

    def page(self, min_step: int = 0, max_step: int | None = None, samples: int | None = None) -> list[str]:
        """JSON of the rows with ``min_step`` <= step < ``max_step``, evenly sampled where there are too many."""
        steps, _, texts = self._by_step()
        start = bisect_left(steps, min_step)
        stop = len(steps) if max_step is None else bisect_left(steps, max_step)
        return _sample_evenly(texts[start:stop], samples)

    def sample(self, spec: Mapping[str, Any]) -> list[Row]:
        """Rows that have all of the keys, and those keys only; here ``maxStep`` is inclusive."""
        steps, rows, _ = self._by_step()
        start = bisect_left(steps, int(spec.get("minStep") or 0))
        limit = spec.get("maxStep")
        stop = len(steps) if limit is None else bisect_right(steps, int(limit))
        keys: list[str] = spec.get("keys") or []
        found = [{key: row[key] for key in keys} for row in rows[start:stop] if all(key in row for key in keys)]
        return _sample_evenly(found, spec.get("samples"))

    def keys(self) -> dict[str, Any]:
        """The ``historyKeys`` of a run."""
        if self._keys is None:
            counts: dict[str, dict[str, int]] = {}
            for row in self.rows:
                for key, value in row.items():
                    kinds = counts.setdefault(key, {})
                    kind = _type_name(value)
                    kinds[kind] = kinds.get(kind, 0) + 1
            self._keys = {
                "sets": [],
                "keys": {
                    key: {"typeCounts": [{"type": kind, "count": count} for kind, count in kinds.items()]}
                    for key, kinds in counts.items()
                },
                "lastStep": self.last_step,
            }
        return self._keys


def _step(row: Row) -> int:
    return int(row["_step"])


def _type_name(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["_type"])
    return "string" if isinstance(value, str) and value not in ("NaN", "Infinity", "-Infinity") else "number"


def _sample_evenly(rows: list[T], samples: int | None) -> list[T]:
    if samples is None or len(rows) <= samples:
        return rows
    if samples < 2:
        return rows[:samples]
    pace = (len(rows) - 1) / (samples - 1)
    return [rows[round(place * pace)] for place in range(samples)]
