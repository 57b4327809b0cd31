"""What the versions' predictions on the holdout come to: metrics, agreement, and the W&B run that keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..clients.retry import RetryPolicy
from ..clients.wandb import find_runs, open_api
from ..clients.wandb_runs import open_run
from ..errors import SourceError, UserError
from ..model.monitored_model import Model
from ..model.prediction_log import MEASURED_TIME, MeasureSpec, holdout_run_id, holdout_run_prefix
from ..profiling.arrow_columns import texts_by_row
from ..profiling.reference_store import table_scalars
from ..profiling.version_agreement import (
    agreement_scalars,
    are_numbers,
    compare_outputs,
    output_column,
    read_output,
    segment_agreement,
)
from ..profiling.wandb_profiles import require_wandb_project, run_address, version_config
from ..timeutil import DAY, format_utc
from .holdout import Holdout, MemoryLog, ScoringVersion

CONFIG_KEY = "modelwatch_holdout"
"""In the configuration of the W&B run: digest and name of the holdout."""
Scored = Sequence[tuple[ScoringVersion, MemoryLog]]
"""The version that serves first."""


def holdout_scalars(holdout: Holdout, measure: MeasureSpec, scored: Scored) -> dict[str, float]:
    """The keys and values to log: metrics of the version that serves, overall and by segment; overall those of the
    others; and how far these agree with it."""
    name = measure.holdout.name if measure.holdout else ""
    scalars: dict[str, float] = {}
    for version, outputs in scored:
        prefix = "/".join(filter(None, ("holdout", name, version.role)))
        for key, value in _metrics(holdout, measure, outputs, whole_only=bool(version.role)).items():
            scalars[key.replace("eval/", f"{prefix}/", 1)] = value
    prefix = "/".join(filter(None, ("agreement", name)))
    _, serving = scored[0]
    for version, outputs in scored[1:]:
        scalars |= dict(_agreement(holdout, measure, serving, outputs, version.role or version.name, prefix))
    return scalars


def _metrics(holdout: Holdout, measure: MeasureSpec, outputs: MemoryLog, *, whole_only: bool) -> dict[str, float]:
    names = set(holdout.table.names())
    if measure.label not in names:
        return {}
    segments = () if whole_only else tuple(name for name in measure.segments if name in names)
    kept = (measure.id, measure.label, measure.value, measure.ranking.query if measure.ranking else "", *segments)
    columns = {name: holdout.table.column(name) for name in dict.fromkeys(kept) if name in names}
    columns |= {name: outputs.column(name) for name in outputs.names()}
    scores = tuple((name, column) for name, column in measure.scores if column in columns)
    spec = replace(
        measure, segments=segments, scores=scores, crossings=(), features=(), calibration=None, intervals=True
    )
    found = table_scalars(MemoryLog(columns, holdout.table.where), spec)
    return {key: value for key, value in found.items() if key.startswith("eval/")}


def _agreement(
    holdout: Holdout, measure: MeasureSpec, serving: MemoryLog, other: MemoryLog, role: str, prefix: str
) -> Iterator[tuple[str, float]]:
    name = output_column(tuple(set(serving.names()) & set(other.names())), measure)
    if not name:
        return
    texts = {text for log in (serving, other) for text in texts_by_row(log.column(name), "").tolist()} - {""}
    numbers = are_numbers(name, measure, texts)
    left, right = (read_output(log.column(name), measure, (), numbers=numbers) for log in (serving, other))
    yield from agreement_scalars(compare_outputs(left, right, role), (), prefix)
    for segment in measure.segments:
        if segment in holdout.table.names():
            values = texts_by_row(holdout.table.column(segment), "(missing)")
            yield from segment_agreement(left, right, segment, values, measure.min_rows, role, prefix)


@dataclass(frozen=True, slots=True)
class HoldoutHistory:
    """What W&B has of a holdout."""

    digest: str = ""
    """Of the newest scores; empty: there are none."""
    since: str = ""
    """The newest W&B run."""
    done: bool = False
    """Whether the same versions were scored on the same day."""


def scored_run_id(model: Model, measure: MeasureSpec, versions: Sequence[ScoringVersion], now: float) -> str:
    """The W&B run of a day and of these versions."""
    name = measure.holdout.name if measure.holdout else ""
    return holdout_run_id(model.name, now // DAY * DAY, name, "-".join(version.name for version in versions))


def read_history(
    model: Model,
    measure: MeasureSpec,
    versions: Sequence[ScoringVersion],
    env: Mapping[str, str],
    retry: RetryPolicy,
    now: float,
) -> HoldoutHistory:
    """Raises SourceError."""
    spec = require_wandb_project(model)
    api = open_api(spec.base_url, env.get("WANDB_API_KEY", ""), retry, spec.entity)
    filters = {"name": {"$regex": f"^{re.escape(holdout_run_prefix(model.name))}"}}
    try:
        runs = find_runs(api, f"{spec.entity}/{spec.project}", filters, lambda _: False)
    except SourceError as error:
        if "no such project" in error.message:  # the first scores create it
            return HoldoutHistory()
        raise
    name = measure.holdout.name if measure.holdout else ""
    own = [(str(run.id), run.config.get(CONFIG_KEY), run.summary) for run in runs]
    known = [
        (run_id, about, summary)
        for run_id, about, summary in own
        if isinstance(about, Mapping) and about.get("name") == name and summary.get(MEASURED_TIME) is not None
    ]
    if not known:
        return HoldoutHistory()
    newest = max(known, key=lambda run: float(run[2].get(MEASURED_TIME)))
    run_id = scored_run_id(model, measure, versions, now)
    done = any(known_id == run_id for known_id, _, _ in known)
    return HoldoutHistory(str(newest[1].get("digest", "")), newest[0], done)


def require_same_holdout(holdout: Holdout, history: HoldoutHistory, measure: MeasureSpec, where: str) -> None:
    """Raises UserError if the rows are other ones than those that were scored before under the same name."""
    if not history.digest or history.digest == holdout.digest:
        return
    name = measure.holdout.name if measure.holdout else ""
    old = f"`{name}`" if name else "without a name"
    raise UserError(
        f"the holdout {old} changed: its file has the SHA-256 {holdout.digest[:12]}..., and had "
        f"{history.digest[:12]}... in {history.since}. Scores of other rows cannot be compared with those before.",
        hint="Restore the file, or start a new series with `holdout: {name: ...}` and rules on its keys.",
        where=where,
    )


def publish_scores(
    model: Model,
    measure: MeasureSpec,
    holdout: Holdout,
    versions: Sequence[ScoringVersion],
    scalars: Mapping[str, float],
    env: Mapping[str, str],
    retry: RetryPolicy,
    now: float,
) -> str:
    """Log the values at the beginning of the UTC day, so that a day has one point however often it is scored. Returns
    the path of the W&B run. Raises SourceError."""
    spec = require_wandb_project(model)
    day, serving = now // DAY * DAY, versions[0].name
    name = measure.holdout.name if measure.holdout else ""
    id = scored_run_id(model, measure, versions, now)
    address = replace(run_address(model.name, spec, day, serving), id=id)
    about = {"digest": holdout.digest, "name": name, "rows": holdout.rows, "scored": format_utc(now)}
    config = {**version_config(spec, serving), CONFIG_KEY: about}
    with open_run(address, config, env.get("WANDB_API_KEY", ""), retry) as run:
        run.log({MEASURED_TIME: day, **scalars}, {})
    return address.path
