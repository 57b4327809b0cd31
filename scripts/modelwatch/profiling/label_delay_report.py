"""How long labels take: the delays of a whole log, recently and in the past, for a person to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..clients.retry import RetryPolicy
from ..errors import SourceNameError, UserError
from ..model.monitored_model import Model
from ..stats.labels.delay import DelayCurve, Quantile
from ..timeutil import DAY
from .label_join import label_notes
from .label_timing import AGES, QUANTILES, LabelTiming, delay_plan
from .model_log import open_model_log, require_measure_spec
from .plan_inference import infer_plan
from .profile_plan import MAX_CLASSES, plan_from_reference
from .profiler import profile_log
from .reference_store import fetch_reference, read_reference


@dataclass(frozen=True, slots=True)
class DelayQuantile:
    """By when a share of the labels that come had come: recently, and in all of the history."""

    name: str
    recent: Quantile
    usual: Quantile
    by_class: tuple[tuple[str, float], ...]
    """Seconds, in all of the history; empty for one class, and for more than ``MAX_CLASSES``."""


@dataclass(frozen=True, slots=True)
class DelayReport:
    """What is known of the delays of labels at a time."""

    rows: float
    coverage: float
    """The share of rows whose label comes, as far as was observed."""
    observed: float
    """The age (seconds) of the oldest rows that were observed."""
    quantiles: tuple[DelayQuantile, ...]
    missing: tuple[tuple[int, float, float], ...]
    """Age in days, and the share of rows without a label at it, recently and in all of the history; NaN where no row
    is that old."""
    maturity: float
    """Seconds after which windows have their labels; infinite where that is not known yet."""
    frontier: float
    """Windows that end by this time (seconds, UTC) are mature; minus infinity: none."""
    why_unknown: str
    """Of how many days a log must be for the age of maturity to be known, as text; empty where it is."""
    needed: float
    """The same in seconds; NaN where it is known already, or too few rows or labels are there to say."""


def report_delays(
    model: Model, now: float, env: Mapping[str, str], retry: RetryPolicy, scratch: Path
) -> DelayReport | None:
    """The delays of the labels of a model's log; ``None`` where fewer than 30 rows are of windows that are over.

    Raises UserError where nothing says when labels came, SourceError for a log that cannot be read, or whose labels
    have no time that can be.
    """
    spec = require_measure_spec(model)
    if not spec.label or not spec.label_time_column:
        hint = "Give `label_time`, the column of the time at which a label was known: in `outcomes`, or beside `label`."
        raise UserError(f"nothing says when the labels of {model.name!r} came.", hint=hint, where=model.where)
    log = open_model_log(spec, model, env, retry, scratch, now)
    if spec.reference:
        plan = plan_from_reference(read_reference(fetch_reference(spec.reference, model, env))[0], spec)
    else:
        plan = infer_plan(log, replace(spec, features=(spec.label,)))
    profile = profile_log(log, delay_plan(replace(plan, now=now)))
    timing = LabelTiming.of((profile,), spec, now)
    if timing.history is None:
        return None
    if not timing.history.timed and (timing.history.untimed or timing.history.early):
        notes = (*label_notes(log), *timing.time_notes())
        raise SourceNameError(f"no delay is known: {' '.join(notes)}", where=log.where)
    recent, usual = timing.history.newest_curve(now), timing.history.curve(now)
    delays = timing.history.newest_delays(now)
    if not usual.bins:
        return None
    maturity = timing.maturity
    known = maturity is not None and (maturity.is_known or spec.maturity > 0)
    return DelayReport(
        usual.rows,
        usual.coverage,
        usual.span,
        tuple(
            DelayQuantile(
                name,
                delays.quantile(share, usual.coverage),
                usual.quantile(share),
                tuple(_class_ages(usual, timing.history.classes, share)),
            )
            for name, share in QUANTILES.items()
        )
        if usual.coverage > 0
        else (),
        tuple((days, recent.missing_at(days * DAY), usual.missing_at(days * DAY)) for days in AGES),
        maturity.age if maturity is not None and known else np.inf,
        maturity.frontier if maturity is not None else -np.inf,
        "" if known or maturity is None else timing.why_unknown(),
        np.nan if known or maturity is None else timing.history.evidence(now).needed,
    )


def _class_ages(curve: DelayCurve, classes: tuple[str, ...], share: float) -> list[tuple[str, float]]:
    if not 1 < len(classes) <= MAX_CLASSES:
        return []
    places = [place for place in range(len(classes)) if curve.by_class[place, curve.bins - 1] > 0]
    return [(classes[place], curve.class_age(place, share)) for place in places]
