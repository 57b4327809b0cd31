"""What lies in a spool, and what of it its destinations lack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .day_profiles import DayProfile, day_name, read_days
from .journal import adopt_orphans, read_frames
from .sender import read_settings
from .set_aside import describe_aside
from .spool_files import (
    BATCH_PREFIX,
    OPEN,
    OUTBOX,
    SENDER_STATE,
    WHOLE,
    counts_of_journal,
    read_json,
    spool_bytes,
    spool_entries,
)


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """``recorded``: rows that no profile counts yet; ``sampled``: rows of Parquet files that wait for the folder."""

    recorded: int
    sampled: int
    bytes: int
    days: tuple[DayProfile, ...]
    unsent: frozenset[str]
    """The names of days whose profile a destination lacks."""
    aside: dict[str, Any]
    """See ``remember``."""
    spool: Path

    def lines(self) -> list[str]:
        """The status as text."""
        waiting = f"{self.recorded:,} {_rows(self.recorded)} wait to be sent"
        if self.sampled:
            waiting += f", and {self.sampled:,} sampled {_rows(self.sampled)} for the folder"
        lines = [f"{waiting}; the spool takes {self.bytes / 1e6:.1f} MB."]
        lines += [
            f"  {describe_day(day)}{', waits to be sent' if day.name in self.unsent else ''}" for day in self.days
        ]
        return [*lines, *filter(None, (describe_aside(self.spool, self.aside),))]

    def to_json(self) -> dict[str, Any]:
        """The status as plain values."""
        days = {
            day.name: {"rows": day.profile.rows, "lost": dict(day.lost), "sent": day.name not in self.unsent}
            for day in self.days
        }
        return {
            "waiting": self.recorded,
            "sampled_waiting": self.sampled,
            "bytes": self.bytes,
            "days": days,
            "set_aside": self.aside,
        }


def read_status(spool: Path) -> SpoolStatus:
    """Raises UserError for a folder that is no spool."""
    settings = read_settings(spool)
    adopt_orphans(spool)
    state, days = read_json(spool / SENDER_STATE), read_days(spool)
    counted = state.get("batch", 0)
    recorded = 0
    for path in spool_entries(spool):
        if path.name.endswith(WHOLE):
            recorded += counts_of_journal(path).rows
        elif path.name.endswith(OPEN):
            recorded += _rows_of_open(path)
        elif path.name.startswith(BATCH_PREFIX) and int(path.name.removeprefix(BATCH_PREFIX)) > counted:
            recorded += sum(counts_of_journal(journal).rows for journal in path.glob(f"*{WHOLE}"))
    sent_to = [name for name, is_on in (("folder", settings.folder), ("wandb", settings.wandb)) if is_on]
    unsent = {day.name for day in days if any(state.get(name, {}).get(day.name) != day.batch for name in sent_to)}
    aside = state.get("aside", {})
    return SpoolStatus(
        recorded, _count_sampled(spool), spool_bytes(spool), tuple(days), frozenset(unsent), aside, spool
    )


def describe_day(day: DayProfile) -> str:
    """One line about what a day has."""
    lost = sum(day.lost.values())
    rows = day.profile.rows + day.profile.undated
    return f"{day_name(day.day)}: {rows:,} {_rows(rows)}{f', {lost:,} lost' if lost else ''}"


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"


def _rows_of_open(path: Path) -> int:
    """Of a journal that a process is writing."""
    try:
        return sum(frame["n"] for frame in read_frames(path))
    except (OSError, ValueError, TypeError):
        return 0


def _count_sampled(spool: Path) -> int:
    paths = [*(spool / OUTBOX).rglob("*.parquet")]
    if not paths:
        return 0
    import pyarrow.parquet

    rows = 0
    for path in paths:
        try:
            rows += pyarrow.parquet.read_metadata(path).num_rows
        except (OSError, ValueError):  # sent at this moment
            continue
    return rows
