"""The reference profile of a training set: capture it from a table, and keep it in a file or a W&B artifact."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..clients.retry import RetryPolicy
from ..clients.wandb import WandbSessions
from ..clients.wandb_artifacts import download_profiles
from ..clients.wandb_runs import RunAddress, open_run
from ..errors import SourceError, SourceNameError
from ..model.drift import drift_spec
from ..model.keys import sibling_key
from ..model.monitored_model import Model
from ..model.prediction_log import PROFILE_ARTIFACT_TYPE, PROFILE_FILE, CalibrationSpec, MeasureSpec, is_artifact
from ..model.rule import BaselineEntry, Rule
from ..model.series import Labels
from ..regular_file import read_regular_file
from ..stats.profile.codec import MAX_FILE_BYTES, from_bytes, to_bytes
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import Profile, ProfileKey, TableProfile
from .column_groups import ColumnsOf, profile_table
from .label_join import without_missing_labels
from .performance import row_metrics
from .plan_inference import infer_and_profile
from .readers import PredictionLog, absent_role_notes
from .wandb_rows import metric_rows

MAX_COLUMNS_SHOWN = 60


def capture_reference(log: PredictionLog, spec: MeasureSpec) -> tuple[Profile, dict[str, str]]:
    """The profile of a whole table, without windows, versions and outcomes; and the columns that are no inputs, with
    the reason.

    Of score, prediction, label and value it uses those that the table has. Raises SourceError.
    """
    plain = _without_absent_roles(log, spec)
    plain = replace(plain, features=spec.feature_columns(log.names()), calibration=None)
    table, omitted = profile_table(log, plain, only_inputs=not spec.features)
    if not table.rows:
        hint = "Give the rows that the model was trained on, or tested with."
        raise SourceNameError(
            "the training set has no rows, so nothing can be compared with it.", hint=hint, where=log.where
        )
    return Profile({ProfileKey(): replace(table, ids=None)}), omitted


def table_scalars(log: PredictionLog, spec: MeasureSpec) -> dict[str, float]:
    """The keys and values that ``measure`` logs for a window of these rows, but for those of data quality; none of a
    role whose column the table lacks. Raises SourceError."""
    plain = _without_absent_roles(log, spec)
    roles = (plain.role_columns | {*plain.segments}) - {""}
    narrow = ColumnsOf(log, [name for name in log.names() if name in roles])
    plan, profile = infer_and_profile(without_missing_labels(narrow, plain), replace(plain, features=()))
    rows = metric_rows(profile, plain, None, math.inf, row_metrics(narrow, plan, profile))
    return {key: value for row in rows for key, value in row.scalars.items() if not key.startswith("quality/")}


def capture_metrics(log: PredictionLog, spec: MeasureSpec, rules: Sequence[Rule]) -> tuple[BaselineEntry, ...]:
    """What the metrics of ``rules`` are on a whole table, segment by segment, as ``measure`` logs them for a window of
    these rows. Raises SourceError.

    None of a rule whose columns the table lacks: a training set often has no predictions.
    """
    if all(drift_spec(rule.metric) is not None for rule in rules):
        return ()
    scalars = table_scalars(log, spec)
    entries: dict[tuple[str, Labels], BaselineEntry] = {}
    for rule in rules:
        if drift_spec(rule.metric) is not None:
            continue
        for pattern in (rule.metric, *rule.segments):
            for key, value in scalars.items():
                labels = pattern.match(key)
                if labels is not None and not _depends_on_length(key):
                    count = sibling_key(key, rule.weight.rpartition("/")[2]) if rule.weight else ""
                    entry = BaselineEntry(pattern.name, labels, value, n=scalars.get(count), points=1)
                    entries.setdefault((entry.name, labels), entry)
    return tuple(entries[key] for key in sorted(entries))


def _depends_on_length(key: str) -> bool:
    """Whether a value grows with the rows, so that a training set and a window cannot be compared."""
    last = key.rpartition("/")[2]
    return last in ("n", "sum", "queries", "confusion") or last.endswith("_n")


def _without_absent_roles(log: PredictionLog, spec: MeasureSpec) -> MeasureSpec:
    """``spec`` for a table without windows, versions and outcomes; of the other roles those that the table has."""
    names = log.names()
    roles: dict[str, Any] = {
        role: getattr(spec, role) if getattr(spec, role) in names else ""
        for role in ("id", "score", "prediction", "label", "label_time", "value")
    }
    calibration = CalibrationSpec() if spec.calibration else None
    plain = replace(spec, **roles, calibration=calibration, operations=None)
    return replace(plain, time="", version="", outcomes=None)


def describe_columns(table: TableProfile) -> Iterator[str]:
    """What each column was taken for."""
    for name, column in sorted(table.columns.items())[:MAX_COLUMNS_SHOWN]:
        missing = f", {column.missing} missing" if column.missing else ""
        if isinstance(column, NumericProfile):
            other = f", {column.other_types} cells are none" if column.other_types else ""
            yield f"{name}: numbers from {column.low:.6g} to {column.high:.6g}{other}{missing}"
        else:
            yield f"{name}: {column.cardinality:.0f} categories{missing}"
    if len(table.columns) > MAX_COLUMNS_SHOWN:
        yield f"and {len(table.columns) - MAX_COLUMNS_SHOWN} more columns"


def reference_notes(log: PredictionLog, spec: MeasureSpec) -> Iterator[str]:
    """Columns that the training set lacks; that it has no scores or predictions is usual."""
    names = log.names()
    yield from absent_role_notes(names, spec, ("label",), known=True)
    yield from absent_role_notes(names, spec, ("id", "score", "prediction", "value"), known=False)


def write_reference(path: Path, profile: Profile, metadata: Mapping[str, Any]) -> bytes:
    """Write the file. Returns its content, which is the same for the same profile."""
    content = to_bytes(profile, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


def read_reference(path: str) -> tuple[TableProfile, dict[str, Any]]:
    """The whole profile in a reference file, and the metadata of its origin. Raises SourceError."""
    hint = "Write it with `modelwatch baseline capture --from-table`."
    profile, metadata = read_profile(Path(path), "the reference profile", hint)
    return profile.whole(), metadata


def read_profile(path: Path, what: str = "the profile", hint: str = "") -> tuple[Profile, dict[str, Any]]:
    """The profile in a file, and the metadata of its origin. Raises SourceError."""
    try:
        return from_bytes(read_regular_file(path, MAX_FILE_BYTES))
    except OSError as error:
        raise SourceError(f"{what} cannot be read: {error.strerror}.", hint=hint, where=str(path)) from error
    except ValueError as error:
        raise SourceError(str(error), hint=hint, where=str(path)) from error


def upload_reference(
    artifact: str, content: bytes, model: Model, metadata: Mapping[str, Any], env: Mapping[str, str], retry: RetryPolicy
) -> str:
    """Log a new version of the W&B artifact ``entity/project/name``. Returns ``name:version``. Raises SourceError."""
    entity, project, name = artifact.split("/")
    url = model.wandb_url(env)
    address = RunAddress(entity, project, f"reference-{name}"[:120], url, job_type="reference")
    with open_run(address, {}, env.get("WANDB_API_KEY", ""), retry) as run:
        version = run.log_artifact(name, PROFILE_ARTIFACT_TYPE, {PROFILE_FILE: content}, metadata)
    return f"{artifact}:{version}"


def fetch_reference(reference: str, model: Model, env: Mapping[str, str]) -> str:
    """The path of a reference file; a W&B artifact is downloaded once for each content. Raises SourceError."""
    if not is_artifact(reference):
        return reference
    folder = download_profiles(WandbSessions(env), reference, PROFILE_ARTIFACT_TYPE, model.wandb_url(env))
    return str(folder / PROFILE_FILE)
