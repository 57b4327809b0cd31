"""What a spool has counted: a profile for each UTC day, in files that grow, each batch of rows in them exactly once.

A file belongs to one *part*: a name that no other spool has. Parts of one day add up. A day begins
another part when its profile cannot be added to, as after a new reference, and when its file is gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import SourceError
from ..profiling.reference_store import read_profile
from ..stats.profile.codec import to_bytes
from ..stats.profile.numeric import ProfileMismatchError
from ..stats.profile.table import Profile
from ..timeutil import DAY
from .spool_files import DAYS, write_atomically

SUFFIX = ".npz"


@dataclass(frozen=True, slots=True)
class DayProfile:
    """One file. ``batch``: the last one that is in it."""

    model: str
    day: float
    """Its beginning, seconds (UTC)."""
    part: str
    batch: int
    profile: Profile
    lost: Mapping[str, int]
    """Rows by reason."""
    counted: float = 0.0
    """When the rows of the last batch were recorded, seconds (UTC): of parts that cannot be added, the newest count."""

    @property
    def name(self) -> str:
        """`YYYYMMDD-PART`, the name of the file without its suffix."""
        return f"{day_name(self.day)}-{self.part}"

    def to_bytes(self) -> bytes:
        """The content of the file."""
        about = {
            "model": self.model,
            "day": day_name(self.day),
            "part": self.part,
            "batch": self.batch,
            "counted": self.counted,
            "lost": dict(sorted(self.lost.items())),
        }
        return to_bytes(self.profile, about)

    @classmethod
    def read(cls, path: Path) -> DayProfile:
        """Raises SourceError for a file that is none."""
        profile, about = read_profile(path)
        try:
            day = datetime.strptime(about["day"], "%Y%m%d").replace(tzinfo=UTC).timestamp()
            counted = float(about["counted"])
            return cls(about["model"], day, about["part"], int(about["batch"]), profile, about["lost"], counted)
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError("this profile was not recorded.", where=str(path)) from error


def day_name(day: float) -> str:
    """A UTC day (its beginning, seconds) as `YYYYMMDD`."""
    return f"{datetime.fromtimestamp(day, UTC):%Y%m%d}"


def read_days(spool: Path) -> list[DayProfile]:
    """All days of a spool. A file that cannot be read is put aside: destinations have it as it was last sent."""
    days = []
    for path in sorted((spool / DAYS).glob(f"[0-9]*{SUFFIX}")):
        try:
            days.append(DayProfile.read(path))
        except SourceError:
            path.rename(path.with_suffix(".broken"))
    return days


def add_batch(
    spool: Path,
    days: Iterable[DayProfile],
    model: str,
    batch: int,
    profile: Profile,
    lost: Mapping[str, int],
    now: float,
) -> list[DayProfile]:
    """Add the rows of a batch to the files of its days. Returns all days. Repeating a batch changes nothing.

    ``now``: seconds (UTC); losses, and rows without a time, count for that day. Raises OSError.
    """
    known = list(days)
    today = now // DAY * DAY
    parts: dict[float, dict[Any, Any]] = {today: {}} if lost or profile.undated else {}
    for key, table in profile.cells.items():
        parts.setdefault(key.window // DAY * DAY, {})[key] = table
    for day, cells in sorted(parts.items()):
        if any(file.day == day and file.batch >= batch for file in known):
            continue
        own = Profile(cells, profile.undated if day == today else 0)
        own_losses = lost if day == today else {}
        file = _extend(known, DayProfile(model, day, secrets.token_hex(6), batch, own, own_losses, now))
        write_atomically(spool / DAYS / f"{file.name}{SUFFIX}", file.to_bytes())
        known = [other for other in known if other.name != file.name] + [file]
    return known


def _extend(known: list[DayProfile], new: DayProfile) -> DayProfile:
    """The newest part of the day with what is new; another part if the two cannot be added."""
    for file in sorted((file for file in known if file.day == new.day), key=lambda file: file.batch, reverse=True):
        try:
            profile = file.profile.merge(new.profile)
        except ProfileMismatchError:
            continue
        lost = {reason: file.lost.get(reason, 0) + new.lost.get(reason, 0) for reason in {*file.lost, *new.lost}}
        return replace(file, batch=new.batch, profile=profile, lost=lost, counted=new.counted)
    return new


def day_age(spool: Path, day: DayProfile, now: float) -> float:
    """Seconds since rows were added to the file; 0 if it cannot be seen."""
    try:
        return now - (spool / DAYS / f"{day.name}{SUFFIX}").stat().st_mtime
    except OSError:
        return 0.0


def remove_day(spool: Path, day: DayProfile) -> None:
    """Raises OSError."""
    (spool / DAYS / f"{day.name}{SUFFIX}").unlink(missing_ok=True)
