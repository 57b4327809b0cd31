"""A reference profile in which the columns of one rule are those of the log, of a period: a new baseline for what has
changed for good, while everything else stays what it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..clients.retry import RetryPolicy
from ..errors import UserError
from ..model.drift import CATEGORIES_PART, HISTOGRAM_PART, DriftSpec
from ..model.monitored_model import Model
from ..stats.profile.codec import to_bytes
from ..stats.profile.table import Profile, ProfileKey, TableProfile
from .model_log import open_model_log, require_measure_spec
from .profile_plan import plan_from_reference
from .profiler import profile_log
from .reference_store import read_profile
from .window_selection import FilteredLog, WindowSelection


def renew_reference(
    model: Model,
    drift: DriftSpec,
    path: Path,
    period: tuple[float, float],
    env: Mapping[str, str],
    retry: RetryPolicy,
    scratch: Path,
    now: float,
) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """The file's new content, and by column that was renewed its cells before and now.

    ``period``: from when until when (seconds, UTC); windows that begin in it count. Raises SourceError for what cannot
    be read, UserError where the log has no row of the period.
    """
    spec = require_measure_spec(model)
    profile, about = read_profile(path, "the reference profile")
    reference = profile.whole()
    log = open_model_log(spec, model, env, retry, scratch, now, reference=reference)
    selection = WindowSelection(period[0], period[1])
    plan = replace(plan_from_reference(reference, spec), segments=(), crossings=())
    found = profile_log(FilteredLog(log, selection, spec), plan).whole()
    names = [name for name in reference.columns if _is_read(drift, spec.key_of_column(name))]
    if not names:
        raise UserError(f"the reference {path} has no column that this rule looks at.")
    if not found.rows or not any(found.columns[name].n for name in names):
        hint = "Give a longer period with --since, or check `measure: {files}`."
        raise UserError("the log has no cell of these columns in the period.", hint=hint, where=log.where)
    renewed = _with_columns(reference, found, names)
    counts = {name: (reference.columns[name].n, found.columns[name].n) for name in names}
    entries: dict[str, Any] = {**about, "renewed": sorted({*about.get("renewed", ()), *names}), "captured": now}
    return to_bytes(Profile({ProfileKey(): renewed}), entries), counts


def _is_read(drift: DriftSpec, key: str) -> bool:
    """Whether the rule judges the histograms of the column with this key."""
    keys = (key, f"{key}/{CATEGORIES_PART}", f"{key}/{HISTOGRAM_PART}")
    return any(pattern.match(one) is not None for pattern in drift.patterns for one in keys)


def _with_columns(reference: TableProfile, found: TableProfile, names: list[str]) -> TableProfile:
    columns = {name: found.columns[name] if name in names else column for name, column in reference.columns.items()}
    formats = {name: shapes for name, shapes in found.formats.items() if name in names and name in reference.formats}
    return replace(reference, columns=columns, formats={**reference.formats, **formats})
