"""Fewer points of a line that look like all of them.

Of each of equal stretches the first, the last, the lowest and the highest value stay, so that a line drawn as wide as
there are stretches has the same pixels (M4: Jugel, Jerzak, Hackenbroich and Markl, VLDB 2014): no spike, step or gap
is lost, only what lies between them within the width of a pixel or two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

MAX_ROWS = 480
"""Times of a chart."""
MAX_NUMBERS = 4_000
"""Numbers of a chart, times included."""


def kept_rows(lines: Sequence[Sequence[float]], count: int, columns: int, always: Sequence[int] = ()) -> list[int]:
    """Which of ``count`` rows to draw, ascending: all of them, if a chart of ``columns`` numbers a row has room.

    ``lines``: those whose extremes stay, NaN in gaps. ``always``: rows that stay besides, such as where a decision
    changed; the newest of them, if they are many.
    """
    room = max(min(MAX_ROWS, MAX_NUMBERS // max(columns, 1)), 8)
    if count <= room:
        return list(range(count))
    kept = set(always[-(room // 4) :])
    stretches = max((room - len(kept)) // (2 + 2 * len(lines)), 1)
    for stretch in range(stretches):
        begin, end = stretch * count // stretches, (stretch + 1) * count // stretches
        kept |= {begin, end - 1}
        for line in lines:
            known = [row for row in range(begin, end) if math.isfinite(line[row])]
            if known:
                kept |= {min(known, key=line.__getitem__), max(known, key=line.__getitem__)}
            if 0 < len(known) < end - begin:
                kept.add(next(row for row in range(begin, end) if not math.isfinite(line[row])))
    return sorted(kept)


def thinning_note(kept: int, count: int, what: str) -> str:
    """What a reader should know of it; empty where nothing was left out."""
    if kept >= count:
        return ""
    return f"Drawn are {kept:,} of {count:,} {what}, every peak and gap among them."


def finite(value: float) -> float | None:
    """To six significant digits, more than a screen can show; ``None`` for NaN and infinities."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
