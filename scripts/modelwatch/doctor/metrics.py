"""The keys of every rule: is the metric logged, with its count, and are there segments?"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..evaluate.aggregation import is_no_proportion
from ..model.drift import drift_spec
from ..model.keys import KeyPattern
from ..model.label_maturity import follow_labels
from ..model.monitored_model import Model
from ..model.prediction_log import MeasureSpec
from ..model.rule import Rule, SamplingModel
from ..model.series import PulledSeries, Series
from ..sources.requirements import KeyRequest, KeyResolver
from ..sources.similar_keys import similar_keys_hint
from .setup_check import SetupCheck, report_ok, report_problem, report_warning

MAX_SEGMENTS = 5
"""That are named."""
MEASURED = "quality/"
"""Keys that only `modelwatch measure` logs."""
SCORED = ("holdout/", "agreement/candidate", "agreement/previous")
"""Those of `modelwatch score`."""
SUBJECT = "metric"
MAX_UNKNOWN_SHARE = 0.05
"""Of points without a count, before it is a warning."""


@dataclass(frozen=True, slots=True)
class _RuleData:
    rule: Rule
    whole: tuple[Series, ...]
    """What the rule's metric names: more than one where it is a pattern."""
    segments: tuple[Series, ...]


def check_metrics(model: Model, pulled: PulledSeries, keys: Collection[str]) -> dict[str, list[SetupCheck]]:
    """By rule one check, or one for each key that it lacks; what several rules lack is reported once. ``keys``: every
    key that is logged, where known."""
    followed = zip(model.rules, follow_labels(model, pulled).rules, strict=True)
    return {
        rule.name: [_waits(model, rule)] if waiting.optional else list(_check_rule(model, rule, pulled, keys))
        for rule, waiting in followed
        if not rule.optional
    }


def _waits(model: Model, rule: Rule) -> SetupCheck:
    text = f"{rule.name}: no window has its labels yet, so {rule.metric.text} is not logged; the rule waits."
    return report_ok(SUBJECT, text, model=model.name)


def _check_rule(model: Model, rule: Rule, pulled: PulledSeries, keys: Collection[str]) -> Iterator[SetupCheck]:
    data = _RuleData(rule, _series(pulled, rule.metric), tuple(_segments(rule, pulled)))
    if not data.whole and not _histograms(rule, pulled):
        yield _missing(model, rule.metric, f"the metric of {rule.name}", keys)
        return
    missing = [
        _missing(model, pattern, f"a segment of {rule.name}", keys)
        for pattern in rule.segments
        if not any(pattern.allows(series.labels) for series in data.segments)
    ]
    if rule.denominator is not None and not _series(pulled, rule.denominator):
        missing.append(_missing(model, rule.denominator, f"the denominator of {rule.name}", keys))
    if rule.weight and drift_spec(rule.metric) is None and (lack := _check_weight(model, data, pulled, keys)):
        missing.append(lack)
    missing += _check_values(model, data)
    yield from missing
    if not missing:
        yield report_ok(SUBJECT, _summary(data), model=model.name)


def _check_weight(model: Model, data: _RuleData, pulled: PulledSeries, keys: Collection[str]) -> SetupCheck | None:
    rule, series = data.rule, (*data.whole, *data.segments)
    request = KeyRequest(rule.metric, rule.weight or "")
    pattern = request.weight_pattern or rule.metric
    if all(found.weights is None for found in series):
        return _missing(model, pattern, f"the count of {rule.name}", keys)
    without = [found for found in series if found.weights is None or all(map(math.isnan, found.weights))]
    points = sum(map(len, series))
    unknown = sum(len(found) if found.weights is None else sum(map(math.isnan, found.weights)) for found in series)
    if without:
        text = f"{pattern.text}, the count of {rule.name}, is never logged at the time of {rule.metric.text}."
    elif unknown > MAX_UNKNOWN_SHARE * points and not any(pattern.text in note for note in pulled.notes):
        text = f"{unknown:,} of {points:,} points of {rule.metric.text} lack a count, {pattern.text}."
        return report_warning(SUBJECT, text, "Log both together, the count as a number.", model=model.name)
    else:
        return None
    return report_warning(SUBJECT, text, "Log both in one call of `run.log`.", model=model.name)


def _check_values(model: Model, data: _RuleData) -> Iterator[SetupCheck]:
    """Values of proportions that are none: a window of them is not judged."""
    import numpy as np

    rule = data.rule
    if rule.sampling_model is not SamplingModel.PROPORTION or rule.denominator is not None:
        return
    values = np.concatenate([np.asarray(found.values) for found in (*data.whole, *data.segments)] or [np.zeros(0)])
    outside = values[np.isfinite(values) & is_no_proportion(values)]
    if not len(outside):
        return
    text = (
        f"{len(outside):,} of {len(values):,} points of {rule.metric.text} ({rule.name}) are outside [0, 1], such as "
        f"{outside[-1]:g}: they have no Wilson interval, so such a window is not judged."
    )
    report = report_problem if len(outside) > len(values) / 2 else report_warning
    yield report(SUBJECT, text, "Log shares instead of percentages, or set `interval: normal`.", model=model.name)


def _missing(model: Model, pattern: KeyPattern, what: str, keys: Collection[str]) -> SetupCheck:
    if model.business is not None and model.business.derived_metric(pattern.name) is not None:
        inputs = ", ".join(model.business.inputs_of(pattern.name))
        text = f"{pattern.text}, {what}, has no point: it is computed from {inputs}."
        hint = "Log all of them in one call, for a segment each with its labels."
        return report_problem(SUBJECT, text, hint, model=model.name)
    resolver = KeyResolver([pattern])
    if any(resolver.resolve(key) is not None for key in keys):
        text = f"{pattern.text}, {what}, is logged, and has no number in the history that is read."
        return report_warning(SUBJECT, text, "Is it logged as a number, and still logged?", model=model.name)
    if model.measure is not None and pattern.text.startswith(MEASURED):
        text = "nothing logs what `quality` checks: no log was measured yet, or not in these runs."
        return report_problem(SUBJECT, text, "Run `modelwatch measure` before each evaluation.", model=model.name)
    if model.measure is not None and pattern.text.startswith(SCORED):
        hint = "Run `modelwatch score` once a day." if model.measure.holdout else "Give `measure: {holdout: ...}`."
        text = f"nothing logs {pattern.text}, {what}: no holdout was scored yet, or not in these runs."
        return report_problem(SUBJECT, text, hint, model=model.name)
    if model.measure is not None and (switch := _switch_of(model.measure, pattern)):
        text = f"nothing logs {pattern.text}, {what}."
        return report_problem(SUBJECT, text, f"`modelwatch measure` logs it with `{switch}`.", model=model.name)
    hint = similar_keys_hint(pattern, keys, is_measured=model.measure is not None) or "Log it, or correct the key."
    return report_problem(SUBJECT, f"nothing logs {pattern.text}, {what}.", hint, model=model.name)


def _switch_of(measure: MeasureSpec, pattern: KeyPattern) -> str:
    """What to write under ``measure`` for keys of operations and calibration; empty where that is not the reason."""
    if pattern.text.startswith(("latency/", "errors/", "cost/", "throughput")) and measure.operations is None:
        return "measure: {operations: {latency: COLUMN, error: COLUMN, cost: COLUMN}}"
    if pattern.text.startswith(("calibration/", "predictions/")) and measure.calibration is None:
        return "measure: {calibration: on}"
    return ""


def _series(pulled: PulledSeries, pattern: KeyPattern) -> tuple[Series, ...]:
    return tuple(
        series
        for series in pulled.series
        if series.name == pattern.name and pattern.allows(series.labels) and len(series)
    )


def _segments(rule: Rule, pulled: PulledSeries) -> Iterator[Series]:
    for pattern in rule.segments:
        yield from _series(pulled, pattern)


def _histograms(rule: Rule, pulled: PulledSeries) -> bool:
    spec = drift_spec(rule.metric)
    patterns = spec.patterns if spec is not None else ()
    return any(pattern.name == found.name for pattern in patterns for found in pulled.histograms)


def _summary(data: _RuleData) -> str:
    rule = data.rule
    points = sum(map(len, data.whole))
    parts = [f"{rule.metric.text} ({rule.name}): {points} points" if points else f"{rule.metric.text} ({rule.name})"]
    if rule.weight and drift_spec(rule.metric) is None:
        parts.append(f"count {rule.weight}")
    if data.segments:
        names = [" ".join("=".join(label) for label in series.labels) for series in data.segments]
        more = ", …" if len(names) > MAX_SEGMENTS else ""
        listed = f"{', '.join(names[:MAX_SEGMENTS])}{more}"
        parts.append(f"{len(names)} segment{'' if len(names) == 1 else 's'} ({listed})")
    return ", ".join(parts)
