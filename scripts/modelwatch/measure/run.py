"""Measuring one model: its log, counted by the plan of its reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..clients.patience import Patience
from ..errors import UserError
from ..model.measured import MeasureSpec
from ..model.watched import Model
from ..stats.profile.table import Profile
from .artifact import fetch_artifact
from .capture import plan_of
from .local import profile_batches
from .outcomes import JoinedLog
from .performance import judged
from .plan import Plan, plan_from
from .reading import Log, QueryLog, demand, open_log
from .reference import read_reference
from .rows import Row, rows_of
from .rowwise import row_metrics


@dataclass(frozen=True, slots=True)
class Measured:
    """``rows``: one a version and window that is over; ``notes``: what a reader should know."""

    profile: Profile
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def measure(model: Model, now: float, env: Mapping[str, str], patience: Patience, scratch: Path) -> Measured:
    """Reads the model's log once, once more without a reference, and once more for metrics that need rows;
    ``scratch`` takes what has to be downloaded.

    Raises UserError for a model without ``measure:``, SourceError for what cannot be read.
    """
    spec = spec_of(model)
    log = log_of(spec, model, env, patience, scratch)
    notes: list[str] = []
    reference = None
    if spec.reference:
        reference, _ = read_reference(spec.reference)
        plan = plan_from(reference, spec)
        demand(log, [name for name in (spec.id, spec.time, spec.version) if name])
    else:
        notes.append("no reference: bins were chosen from this log alone, and those of another log may differ.")
        plan = plan_of(log, spec)
    profile = profile_batches(log.batches(plan.needed), plan)
    rows = tuple(rows_of(profile, spec, reference, now, row_metrics(log, plan, profile)))
    left = sum(not cell.segment for cell in profile.cells) - len(rows)
    if left:
        notes.append(f"{left} windows are not over yet and are left for later.")
    if profile.undated:
        notes.append(f"{profile.undated} rows have no time and are in no window.")
    return Measured(profile, rows, (*notes, *_left_out(profile, plan)))


def _left_out(profile: Profile, plan: Plan) -> Iterator[str]:
    """What is asked for, and is not published."""
    spec = plan.spec
    for crossing in plan.crossings:
        if crossing.left_out:
            told = f"{len(crossing.values)} crossings are told apart and {crossing.left_out} rarer ones are not."
            yield f"{crossing.columns[0]} by {crossing.columns[1]}: {told}"
    small = {cell.segment for cell, table in profile.cells.items() if cell.segment and judged(table) < spec.min_rows}
    if small and spec.label:
        yield f"{len(small)} segments have windows with fewer than {spec.min_rows} labels, which are not published."
    if spec.score and not spec.scores and len(plan.classes) > 2:
        yield f"one score says nothing of {len(plan.classes)} classes: name a column for each under `scores`."


def spec_of(model: Model) -> MeasureSpec:
    """Raises UserError where the model names no log, or no time in it."""
    if model.measure is None:
        hint = "Give `measure: {files: ..., time: ...}`."
        raise UserError(f"the model {model.name!r} names no prediction log.", hint=hint, where=model.where)
    if not model.measure.time:
        hint = "Give `measure: {time: ...}`, the column of the time."
        raise UserError(f"the log of {model.name!r} has no time.", hint=hint, where=model.where)
    return model.measure


def log_of(spec: MeasureSpec, model: Model, env: Mapping[str, str], patience: Patience, scratch: Path) -> Log:
    """The log with its outcomes."""
    if spec.query:
        log: Log = QueryLog(spec.query)
    elif spec.artifact:
        base_url = model.wandb.base_url if model.wandb else ""
        log = open_log(fetch_artifact(spec.artifact, base_url, env.get("WANDB_API_KEY", ""), patience, scratch))
    else:
        log = open_log(spec.files)
    if spec.outcomes is None:
        return log
    return JoinedLog(log, open_log(spec.outcomes.files), spec.id, spec.outcomes)
