"""What pages show beside what rules read: the keys that ``modelwatch measure`` publishes, and a few that others log.

Nothing is judged by them. They are read on their own, so that what rules read stays the same whether or not anything is
shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..model.calibration import BIN_KEYS, CONFIDENCE, CONFIDENCE_COUNT, ERROR, ERROR_COUNT
from ..model.drift import CATEGORIES_PART
from ..model.experiment import published_keys
from ..model.keys import KeyPattern, escape_label
from ..model.label_maturity import MATURITY_KEY, YOUNG
from ..model.monitored_model import Model
from ..model.prediction_log import DEFAULT_METRICS, ESTIMATE_CHECK, ESTIMATED, SUSPICIOUS_SHARE, MeasureSpec
from ..timeutil import WEEK
from .requirements import CLOCK_SKEW, KeyRequest, ReadRequest, histogram_patterns, key_requests

HISTORY = 6 * WEEK
"""Seconds of history in which gradual change shows week by week."""
DECILES = tuple(f"p{10 * tenth}" for tenth in range(1, 10))
QUANTILES = ("p50", "p95", "p99")
DEFECTS = ("missing", "type", "format", "infinite", "out_of_range", "new")
"""Names of defects of cells, in the keys of their shares."""
DELAY_AGES = "labels/days=*/missing_share"
_BOUNDS = ("low", "high")
_QUANTILE = re.compile(r"(.*?)p(?:50|90|95|99)(.*)")
"""A key with a quantile in it: ``latency/p95``, ``serve/latency_p95``."""


def shown_request(model: Model, now: float) -> ReadRequest:
    """What to read of ``model`` for its pages as of ``now``, without what its rules read."""
    known = {request.pattern.text for request in key_requests(model.rules)[0]}
    keys = {request.pattern.text: request for request in _shown_keys(model) if request.pattern.text not in known}
    drift = frozenset(histogram_patterns(model.rules))
    histograms = tuple(pattern for pattern in _histograms(model.measure) if pattern not in drift)
    since = now - max(model.history, HISTORY)
    until = now + CLOCK_SKEW
    return ReadRequest(tuple(keys.values()), since, until, histograms=histograms, logged_until=until, is_extra=True)


def quantile_siblings(key: str) -> tuple[str, ...]:
    """The same key with each of ``QUANTILES``; none where it has no quantile in it."""
    found = _QUANTILE.fullmatch(key)
    return tuple(f"{found[1]}{quantile}{found[2]}" for quantile in QUANTILES) if found else ()


def _shown_keys(model: Model) -> Iterator[KeyRequest]:
    for rule in model.rules:
        yield from _requests(quantile_siblings(rule.metric.text) if rule.metric.is_plain else ())
    yield from _requests(
        ("system/*", "resources/*", "throughput", "uptime", *(f"latency/{name}" for name in QUANTILES))
    )
    yield from _counted(("errors/rate",), "errors/n")
    yield from _counted(("cost/mean", "cost/sum"), "cost/n")
    if model.measure is not None:
        yield from _prediction_keys(model.measure)
        yield from _label_keys(model.measure)
        yield from _quality_keys()
    if model.business is not None:
        yield from _requests(published_keys(model.business.experiments, model.business.cohorts))


def _prediction_keys(spec: MeasureSpec) -> Iterator[KeyRequest]:
    yield from _counted((CONFIDENCE, "predictions/entropy"), CONFIDENCE_COUNT)
    yield from _counted(("predictions/positive_rate",), "predictions/positive_rate_n")
    if spec.score:
        yield from _requests(f"{spec.key_of_column(spec.score)}/{name}" for name in DECILES)
    yield from _counted((ERROR, "calibration/slope", "calibration/intercept", "calibration/brier"), ERROR_COUNT)
    yield from _counted(BIN_KEYS.values(), "n")
    metrics = spec.metrics or DEFAULT_METRICS
    for metric in metrics:
        yield from _with_bounds(f"eval/{metric}", "eval/n")
        yield from _with_bounds(f"{ESTIMATED}/{metric}", f"{ESTIMATED}/n")
        yield from _requests((f"{ESTIMATE_CHECK}/{metric}",))
        yield from _counted((f"holdout/{metric}", f"{YOUNG}/{metric}"), "n")
        yield from _counted((f"eval/{escape_label(name)}=*/{metric}" for name in spec.segments), "n")
    for version in ("champion", "candidate", "previous"):
        yield from _counted((f"agreement/{version}",), f"agreement/{version}_n")


def _label_keys(spec: MeasureSpec) -> Iterator[KeyRequest]:
    yield from _counted(("labels/coverage", f"{YOUNG}/coverage"), "labels/rows")
    yield from _counted((f"labels/{escape_label(name)}=*/coverage" for name in (*spec.segments, "decile")), "rows")
    yield from _counted(("labels/class=*/class_share",), "n")
    yield from _requests(("labels/delay_days/p50", "labels/delay_days/p90", DELAY_AGES, MATURITY_KEY))
    yield from _with_bounds("labels/agreement", "labels/agreement_n")
    yield from _counted(("labels/annotator=*/agreement",), "agreement_n")
    for name in ("labels/annotator_error", SUSPICIOUS_SHARE, "labels/changed_share"):
        yield from _with_bounds(name, f"{name}_n")
    yield from _requests(("labels/predictions/psi", "weighted/uncovered_share"))


def _quality_keys() -> Iterator[KeyRequest]:
    yield from _requests(("quality/volume", "quality/freshness", "quality/unreadable_files"))
    yield from _counted(("quality/duplicate_rate",), "quality/n")
    yield from _counted((f"quality/feature=*/{defect}_rate" for defect in DEFECTS), "n")


def _requests(keys: Iterable[str]) -> Iterator[KeyRequest]:
    return (KeyRequest(KeyPattern(key), optional=True) for key in keys)


def _counted(keys: Iterable[str], count: str) -> Iterator[KeyRequest]:
    return (KeyRequest(KeyPattern(key), count, optional=True) for key in keys)


def _with_bounds(key: str, count: str) -> Iterator[KeyRequest]:
    yield from _counted((key,), count)
    yield from _requests(f"{key}/{bound}" for bound in _BOUNDS)


def _histograms(spec: MeasureSpec | None) -> Iterator[KeyPattern]:
    names = ["features/*"]
    if spec is not None:
        columns = (spec.score, spec.prediction, spec.label)
        names += [spec.key_of_column(column) for column in dict.fromkeys(filter(None, columns))]
    for name in names:
        yield KeyPattern(name)
        yield KeyPattern(f"{name}/{CATEGORIES_PART}")
