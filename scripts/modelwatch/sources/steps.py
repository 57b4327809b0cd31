"""From which step on a long W&B run has to be read: W&B filters history by step only, and we want a time.

Steps and times are anchored at both ends; what lies between is interpolated, looked at and corrected. A guess that is
too late costs a second read of the part before it, one that is far too early costs a page; neither loses a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .cells import parse_number

PAGE_ROWS = 1000
"""Rows a call shall bring, on average."""
LARGEST_PAGE = 2**31 - 1
"""Page sizes are GraphQL integers."""
MAX_LOOKS = 8
"""After this many corrections the rest is read as it is."""

HistoryRow = dict[str, Any]
ReadHistory = Callable[[int, int], Iterator[HistoryRow]]
"""``read(min_step, page_size)``: rows from a step on, page by page."""


class StepAnchor(NamedTuple):
    """A step and the time at which it was logged."""

    step: int
    time: float


@dataclass(frozen=True, slots=True)
class HistoryExtent:
    """What the list of W&B runs says of one of them."""

    last_step: int
    rows: int
    begin: float
    """When the W&B run was created (seconds, UTC)."""
    end: float
    """When its newest row was logged, as far as is known."""

    @property
    def page_size(self) -> int:
        """Steps per call: steps may be far apart (some count seconds), and every call is a wait."""
        spread = -(-(self.last_step + 1) * PAGE_ROWS // max(self.rows, 1))
        return min(max(spread, PAGE_ROWS), LARGEST_PAGE)


def read_rows_since(read: ReadHistory, extent: HistoryExtent, since: float) -> list[HistoryRow]:
    """At least every row that was logged at ``since`` or later, by ascending step; older ones as the pages fall."""
    page = extent.page_size
    if extent.begin >= since or extent.rows <= 2 * PAGE_ROWS:
        return list(read(0, page))
    low, high = StepAnchor(0, extent.begin), StepAnchor(extent.last_step + 1, max(extent.end, since))
    stop, kept = extent.last_step + 1, list[HistoryRow]()
    margin = page // 2
    for look in range(MAX_LOOKS):
        start = 0 if look == MAX_LOOKS - 1 else max(_interpolate_step(low, high, since) - margin, low.step)
        rows = read(start, page)
        first = next(rows, None)
        here = _row_anchor(first) if first is not None else None
        if first is not None and here is None:
            return list(read(0, page))  # Rows that do not say when they were logged: no way to be clever.
        if first is None or here is None or here.step >= stop:
            high = StepAnchor(start, high.time)  # There is nothing from here to what has been read.
            margin *= 2
        elif here.time >= since and start > 0:
            kept = [first, *_rows_before(rows, stop), *kept]
            stop = here.step
            high, margin = here, margin * 2
        elif start and _interpolate_step(here, high, since) - here.step > 2 * page and look < MAX_LOOKS - 2:
            low = here
            continue
        else:
            return [first, *_rows_before(rows, stop), *kept]
        if start == 0:
            return kept
    return kept


def _interpolate_step(low: StepAnchor, high: StepAnchor, time: float) -> int:
    """The step at ``time`` on the straight line between two anchors."""
    if high.time <= low.time or high.step <= low.step:
        return low.step
    share = min(max((time - low.time) / (high.time - low.time), 0.0), 1.0)
    return low.step + int(share * (high.step - low.step))


def _row_anchor(row: HistoryRow) -> StepAnchor | None:
    step, time = parse_number(row.get("_step")), parse_number(row.get("_timestamp"))
    return None if step is None or time is None else StepAnchor(int(step), time)


def _rows_before(rows: Iterator[HistoryRow], stop: int) -> Iterator[HistoryRow]:
    for row in rows:
        step = parse_number(row.get("_step"))
        if step is not None and step >= stop:
            return
        yield row
