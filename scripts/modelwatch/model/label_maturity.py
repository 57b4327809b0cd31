"""Rules on metrics of labels wait until the labels have come: which rules these are, and for how long.

``modelwatch measure`` publishes such metrics of mature windows only, and beside them the age at which windows are
mature. A rule looks at the windows of that age, so that it follows the delay of the labels automatically.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Set
from dataclasses import replace

from ..timeutil import DAY
from .drift import drift_spec
from .keys import KeyPattern, escape_label
from .monitored_model import Model
from .prediction_log import AUTO_MATURITY, ESTIMATE_CHECK, ESTIMATED, LONGEST_WAIT, METRICS, MeasureSpec
from .rule import Rule
from .series import PulledSeries, Series

MATURITY_KEY = "labels/maturity_days"
"""The W&B key of the age at which windows are mature, as measured at the time of its row."""
YOUNG = "young"
"""The first part of the keys of metrics of windows that are not mature."""
_COUNTS = ("n", "score_n", "queries")
_LABEL_NAMES = ("coverage", "class_share", "rows", "n", "predictions", "suspicious_share")


def is_label_metric(metric: KeyPattern, spec: MeasureSpec) -> bool:
    """Whether ``measure`` publishes this metric of mature windows only."""
    head, _, rest = metric.name.partition("/")
    first, _, last = rest.partition("/")
    if head in ("weighted", "calibration", ESTIMATE_CHECK):
        return True
    if head == "eval":
        return first in METRICS or first in _COUNTS or first.endswith("_n") or first in dict(spec.custom)
    if head != "labels":
        return False
    return first in (*_LABEL_NAMES, escape_label(spec.label)) or (drift_spec(metric) is not None and not last)


def waits_for_labels(rule: Rule, spec: MeasureSpec | None) -> bool:
    """Whether the rule looks at mature windows only."""
    return spec is not None and bool(spec.label) and spec.waits_for_labels and is_label_metric(rule.metric, spec)


def longest_wait(model: Model) -> float:
    """Seconds that the windows of the model's rules can lie back because they wait for labels."""
    spec = model.measure
    if spec is None or not any(waits_for_labels(rule, spec) for rule in model.rules):
        return 0.0
    return LONGEST_WAIT if spec.maturity == AUTO_MATURITY else spec.maturity


def young_key(key: str) -> str:
    """The key of a metric where the window is not mature: ``young/accuracy`` for ``eval/accuracy``. Others than those
    of labels keep theirs; weighted ones and calibration are ``young/weighted/...``."""
    head, _, rest = key.partition("/")
    if head in ("weighted", "calibration"):
        return f"{YOUNG}/{key}"
    return f"{YOUNG}/{rest}" if head in ("eval", "labels") else key


def young_metric(rule: Rule) -> KeyPattern:
    """A key that W&B has where the rule's metric is missing, since no window is mature yet."""
    if rule.metric.text.startswith(f"{ESTIMATE_CHECK}/"):
        return KeyPattern(rule.metric.text.replace(ESTIMATE_CHECK, ESTIMATED, 1))
    is_drift = drift_spec(rule.metric) is not None
    return KeyPattern(f"{YOUNG}/coverage" if is_drift else young_key(rule.metric.text))


def follow_labels(model: Model, pull: PulledSeries) -> Model:
    """The model, whose rules on metrics of labels look as far back as the labels of the newest measurement took.

    Where no window is mature yet, such a rule has nothing to judge, which is no fault: it is optional. How long labels
    take may not be known then.
    """
    spec = model.measure
    if spec is None or not spec.label or not spec.waits_for_labels:
        return model
    age, names = _maturity_age(spec, pull.series), _names(pull)
    rules = tuple(_waiting_rule(rule, age, names) if waits_for_labels(rule, spec) else rule for rule in model.rules)
    return replace(model, rules=rules)


def waiting_notes(model: Model, pull: PulledSeries) -> Iterator[str]:
    """For each rule whose metric has no mature window yet, that it waits. ``model``: from ``follow_labels``."""
    names = _names(pull)
    for rule in model.rules:
        if waits_for_labels(rule, model.measure) and _is_young(rule, names):
            days = (rule.lag + rule.label_age) / DAY
            take = f"take {days:.3g} days or longer" if rule.label_age else "take nobody knows how long"
            yield f"{model.name} / {rule.name}: no window has its labels yet, which {take}; the rule waits"


def _waiting_rule(rule: Rule, age: float, names: Set[str]) -> Rule:
    return replace(rule, label_age=max(age - rule.lag, 0.0), optional=rule.optional or _is_young(rule, names))


def _is_young(rule: Rule, names: Set[str]) -> bool:
    """Whether W&B has the metric of young windows only; drift can be there as histograms."""
    drift = drift_spec(rule.metric)
    own = {rule.metric.name, *(drift.names if drift is not None else ())}
    return young_metric(rule).name in names and own.isdisjoint(names)


def _names(pull: PulledSeries) -> frozenset[str]:
    """Of all that was logged, histograms included: drift can be computed from them alone."""
    return frozenset({one.name for one in pull.series} | {one.name for one in pull.histograms})


def _maturity_age(spec: MeasureSpec, series: Iterable[Series]) -> float:
    """Seconds; 0 where it is not known."""
    if spec.maturity != AUTO_MATURITY:
        return spec.maturity
    published = next((one for one in series if one.name == MATURITY_KEY and not one.labels), None)
    pairs = zip(published.times, published.values, strict=True) if published else ()
    newest = max((pair for pair in pairs if math.isfinite(pair[1])), default=(0.0, 0.0))
    return min(max(newest[1], 0.0) * DAY, LONGEST_WAIT)
