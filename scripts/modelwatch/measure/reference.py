"""The reference profile of a training set: captured once, kept in a file, never read from the rows again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import SourceError
from ..model.measured import MeasureSpec
from ..stats.profile.codec import from_bytes, to_bytes
from ..stats.profile.table import Profile, ProfileKey, TableProfile
from .capture import infer_and_profile
from .reading import PredictionLog


def capture_reference(log: PredictionLog, spec: MeasureSpec) -> Profile:
    """The profile of a whole table, without windows, versions and outcomes.

    Of score, prediction, label and value only those count that the table has. Raises SourceError.
    """
    there = set(log.names())
    present: dict[str, Any] = {
        name: getattr(spec, name) if getattr(spec, name) in there else ""
        for name in ("id", "score", "prediction", "label", "label_time", "value")
    }
    features = spec.features or tuple(name for name in log.names() if name not in spec.role_columns)
    plain = replace(replace(spec, **present), time="", version="", outcomes=None, features=features)
    _, profile = infer_and_profile(log, plain)
    whole = replace(profile.whole(), ids=None)
    return Profile({ProfileKey(): whole})


def write_reference(path: Path, profile: Profile, metadata: Mapping[str, Any]) -> bytes:
    """Writes the file; gives its content, which is the same for the same profile."""
    content = to_bytes(profile, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


def read_reference(path: str) -> tuple[TableProfile, dict[str, Any]]:
    """The whole profile in a reference file, and what is known of its origin. Raises SourceError."""
    hint = "Write it with `modelwatch baseline capture --from-table`."
    try:
        profile, about = from_bytes(Path(path).read_bytes())
    except OSError as error:
        raise SourceError(f"the reference profile cannot be read: {error.strerror}.", hint=hint, where=path) from error
    except ValueError as error:
        raise SourceError(str(error), hint=hint, where=path) from error
    return profile.whole(), about
