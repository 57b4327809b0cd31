"""Rules that ``modelwatch init`` proposes from the keys that W&B runs log. It decides by names alone, and says what it
took and why."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from ..model.drift import MIN_EFFECT
from ..model.keys import KeyPattern, sibling_key
from ..model.label_maturity import YOUNG
from ..model.prediction_log import ESTIMATE_CHECK, MEASURED_TIME

MAX_RULES = 4
MAX_NAMES = 8
MAX_RULE_NAME = 64
"""Characters."""
PRODUCTION_TAGS = ("production", "prod", "serving", "live", "online", "monitoring")
VERSION_KEYS = ("model_version", "model.version", "version", "model_tag", "model_id", "release")
TIME_NAMES = ("event_time", "time", "window_end", "window_start", "timestamp")
COUNT_NAMES = ("n", "count", "rows", "n_rows", "num_rows", "samples", "n_samples", "num_samples", "predictions")
TRAINING = re.compile(r"(?:train|training|val|valid|validation|dev|holdout)(?:[/_.].*)?", re.IGNORECASE)
MEASURED_COLUMNS = ("features", "predictions", "labels", "value")
"""Groups of keys under which ``measure`` logs quantiles of columns, which are no latencies."""
_PHASE = re.compile(r"^(?:eval|prod|production|live|serving|online)[_.]")
_TAG_SEGMENT = re.compile(r"([A-Za-z_]+)[=:](.+)")
_MAX_SECONDS = 1e10
"""Seconds since 1970 in the year 2286; milliseconds and microseconds are larger numbers."""


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """Metrics that are judged alike."""

    kind: str
    names: re.Pattern[str]
    """Of the last part of a key, in lower case, with underscores."""
    limit: str
    limits: tuple[float, ...]
    """Relative to the baseline: of a warning, an error and a critical alert."""
    is_share: bool = False
    """Whether the metric is a share of rows, so that their count gives its interval."""
    retrains: bool = True
    """Whether training again can help."""


def _names(*names: str) -> re.Pattern[str]:
    return re.compile("|".join(names))


USUAL_DROPS = (0.02, 0.05, 0.10)
USUAL_CHANGES = (0.05, 0.10, 0.20)
FAMILIES = (
    MetricFamily(
        "accuracy-drop", _names("acc(?:uracy)?", r"top_?\d+", "(?:hit_rate|exact_match)"), "drop", USUAL_DROPS, True
    ),
    MetricFamily(
        "accuracy-drop", _names("f1(?:_.*)?", "(?:roc_?|pr_)?auc(?:_macro)?", "au(?:roc|prc)"), "drop", USUAL_DROPS
    ),
    MetricFamily("accuracy-drop", _names("average_precision", "balanced_accuracy", "mcc", "r2"), "drop", USUAL_DROPS),
    MetricFamily(
        "accuracy-drop",
        _names("(?:precision|recall)(?:_macro|_weighted)?", "ndcg.*", "mrr", "map"),
        "drop",
        USUAL_DROPS,
    ),
    MetricFamily("accuracy-drop", _names("mae", "rmse", "mse", "[sw]?mape", "wape", "[wc]er"), "rise", USUAL_CHANGES),
    MetricFamily("calibration", _names("log_?loss", "brier(?:_score)?", "nll"), "rise", USUAL_CHANGES),
    # An error that is corrected for chance is around 0: no share of it means anything.
    MetricFamily("calibration", _names("ece"), "above", (0.05, 0.10, 0.15)),
    MetricFamily(
        "business-metric",
        _names("conversion(?:_rate)?", "ctr", "click_through_rate"),
        "drop",
        USUAL_CHANGES,
        True,
        False,
    ),
    MetricFamily("error-rate", _names("(?:error|failure|timeout)s?_rate"), "rise", (0.5, 1.0, 2.0), True, False),
    MetricFamily(
        "latency", _names("(?:.*_)?latency(?:_.*)?", r"p(?:50|9\d)(?:_m?s)?"), "rise", (0.2, 0.5, 1.0), False, False
    ),
)
"""By preference: where more metrics are logged than rules are proposed, the first ones are taken."""


@dataclass(frozen=True, slots=True)
class LoggedKeys:
    """What the W&B runs of a project have."""

    keys: frozenset[str]
    """Of the history, without W&B's own."""
    config: frozenset[str]
    summary: Mapping[str, Any] = field(default_factory=dict)
    """The last value of each key."""
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ProposedRule:
    name: str
    family: MetricFamily
    metric: str
    weight: str = ""
    interval: str = ""
    """Empty for the default."""
    segments: tuple[str, ...] = ()
    drift: str = ""
    """The pattern of a rule about drift, instead of a metric."""
    method: str = ""
    own_limits: tuple[float, ...] = ()
    """Instead of those of the family."""

    @property
    def limits(self) -> tuple[float, ...]:
        return self.own_limits or self.family.limits


@dataclass(frozen=True, slots=True)
class Proposal:
    """What goes into ``modelwatch.yml``, with a line for each choice."""

    rules: tuple[ProposedRule, ...]
    tag: str = ""
    version: str = ""
    time: str = ""
    reasons: tuple[str, ...] = ()


EXAMPLE = Proposal(
    (ProposedRule("accuracy", FAMILIES[0], "eval/accuracy", "eval/n", "", ("eval/region=*/accuracy",)),),
    tag="production",
    version="model_version",
)
"""Where W&B is not asked, or logs nothing that is known here: the example of our documents."""


def choose_tag(tags: Collection[str]) -> str:
    """The tag that marks runs of production; empty where no tag says so."""
    by_name = {tag.lower(): tag for tag in sorted(tags)}
    return next((by_name[name] for name in PRODUCTION_TAGS if name in by_name), "")


def propose(logged: LoggedKeys, tag: str = "") -> Proposal:
    """Rules for the metrics among ``logged``; none where no key is known here. ``tag``: of the runs that were read."""
    reasons: list[str] = []
    version = _choose_version(logged, reasons)
    time = _choose_time(logged, reasons)
    keys = sorted(key for key in logged.keys if key not in (time, MEASURED_TIME) and "*" not in key)
    plain = sorted({mature for key in keys if (mature := _mature_key(key))})
    serving = [key for key in plain if not TRAINING.fullmatch(key)]
    rules = [*_metric_rules(serving, reasons), *_drift_rules(serving, logged.summary, reasons)]
    training = [key for key in plain if TRAINING.fullmatch(key)]
    if training:
        reasons.append(f"left out: {_listed(training)}, by name from training or validation")
    used = {key for rule in rules for key in _used_keys(rule, plain)}
    if others := [key for key in serving if key not in used]:
        reasons.append(f"not watched: {_listed(others)}")
    if segment := next(filter(None, map(_TAG_SEGMENT.fullmatch, sorted(logged.tags))), None):
        reasons.append(
            f"the tag {segment[0]} looks like a segment: segments are read from keys, such as "
            f"eval/{segment[1]}={segment[2]}/accuracy"
        )
    return Proposal(tuple(rules), tag, version, time, tuple(reasons))


def _mature_key(key: str) -> str:
    """What a metric of windows that wait for their labels is called once they have them; empty for what no rule is
    proposed for: weighted metrics beside plain ones, and labels against predictions."""
    head, _, rest = key.partition("/")
    first = rest.partition("/")[0]
    if head == YOUNG:
        is_own = first.startswith(("class=", "decile=")) or first in ("weighted", "coverage", "rows", "predictions")
        return "" if is_own else rest if first == "calibration" else f"eval/{rest}"
    return "" if head == "weighted" or key.startswith("labels/predictions/") else key


def _choose_version(logged: LoggedKeys, reasons: list[str]) -> str:
    for place, known in (("config", logged.config), ("history", logged.keys)):
        by_name = {key.lower().replace("-", "_"): key for key in sorted(known)}
        for name in VERSION_KEYS:
            if name in by_name:
                reasons.append(f"version: {by_name[name]}, from the {place} of the W&B runs")
                return by_name[name]
    reasons.append(f"version: none, since no W&B run has one of {', '.join(VERSION_KEYS)}: no rollback finds a target")
    return ""


def _choose_time(logged: LoggedKeys, reasons: list[str]) -> str:
    """The key of the event time, where its last value is a time in seconds; without one the log time counts."""
    for name in TIME_NAMES:
        for key in sorted(logged.keys):
            value = logged.summary.get(key)
            is_seconds = isinstance(value, int | float) and 1e9 < value < _MAX_SECONDS
            if _last_part(key) == name and key != MEASURED_TIME and is_seconds:
                reasons.append(f"time: {key}, whose last value is a time in seconds")
                return key
    return ""


def _metric_rules(keys: Sequence[str], reasons: list[str]) -> Iterator[ProposedRule]:
    wholes = [key for key in keys if "=" not in key]
    found = [
        (family, key)
        for family in FAMILIES
        for key in wholes
        if family.names.fullmatch(_last_part(key)) and not _is_bare_segment(key, wholes)
        if family.kind != "latency" or key.partition("/")[0] not in MEASURED_COLUMNS
        if key.partition("/")[0] != ESTIMATE_CHECK  # how far an estimate was off, and no metric of the model
    ]
    names: set[str] = set()
    for family, key in found[:MAX_RULES]:
        name = _unused_name((_rule_name(_last_part(key)), _rule_name(key)), names)
        names.add(name)
        rule = _metric_rule(name, family, key, keys)
        parts = [f"rule {rule.name}: {key} by its name ({family.kind})"]
        parts.append(f"counted by {rule.weight}" if rule.weight else "without a count beside it")
        parts += [f"segments {text} ({_segment_values(text, keys)})" for text in rule.segments]
        usual = ", ".join(f"{limit:.0%}" for limit in family.limits)
        reasons.append(f"{', '.join(parts)}; {family.limit} of {usual}")
        yield rule
    if more := [key for _, key in found[MAX_RULES:]]:
        reasons.append(f"{MAX_RULES} rules are enough to begin with; {_listed(more)} could be watched, too")


def _rule_name(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:MAX_RULE_NAME]


def _unused_name(names: tuple[str, str], taken: Collection[str]) -> str:
    numbered = (f"{names[0]}-{number}" for number in count(2))
    return next(name for name in chain(names, numbered) if name not in taken)


def _metric_rule(name: str, family: MetricFamily, key: str, keys: Collection[str]) -> ProposedRule:
    last = key.rpartition("/")[2]
    if "auc" in name and (rarer := sibling_key(key, "rarer_n")) in keys:
        return ProposedRule(name, family, key, rarer, "auc", _segments(key, keys))
    candidates = (sibling_key(key, counter) for counter in (f"{last}_n", *COUNT_NAMES))
    weight = next((found for found in candidates if found in keys), "")
    interval = "" if weight and family.is_share else "normal"
    return ProposedRule(name, family, key, weight, interval, _segments(key, keys))


def _segments(key: str, keys: Collection[str]) -> tuple[str, ...]:
    """Patterns of ``eval/region=eu/accuracy``, and of ``eval/eu/accuracy`` where there are several of these."""
    head, _, last = key.rpartition("/")
    labelled = {
        "/".join(f"{part.partition('=')[0]}=*" if "=" in part else part for part in other.split("/"))
        for other in keys
        if "=" in other and other.endswith(f"/{last}") and KeyPattern(other).name == key
    }
    bare = [other for other in keys if head and re.fullmatch(rf"{re.escape(head)}/[^/=]+/{re.escape(last)}", other)]
    return (*sorted(labelled), *([f"{head}/*/{last}"] if len(bare) > 1 else []))


def _segment_values(text: str, keys: Collection[str]) -> str:
    pattern = KeyPattern(text)
    values = sorted({" ".join(value for _, value in labels) for labels in map(pattern.match, keys) if labels})
    return _listed(values)


def _is_bare_segment(key: str, keys: Collection[str]) -> bool:
    """Whether ``key`` is ``eval/eu/accuracy`` beside ``eval/accuracy``."""
    head, _, last = key.rpartition("/")
    above = head.rpartition("/")[0]
    return bool(above) and f"{above}/{last}" in keys


def _drift_rules(keys: Sequence[str], summary: Mapping[str, Any], reasons: list[str]) -> Iterator[ProposedRule]:
    """One rule for each group of features, whose drift is logged as a number or that has histograms."""
    groups: dict[tuple[str, str], int] = {}
    for key in keys:
        head, _, last = key.rpartition("/")
        value = summary.get(key)
        if last in MIN_EFFECT and "/" in head and "=" not in head:
            group = (head.rpartition("/")[0], last)
        elif head and isinstance(value, Mapping) and value.get("_type") == "histogram" and "=" not in key:
            group = (head.rpartition("/")[0] if last in ("histogram", "categories") else head, "psi")
        else:
            continue
        groups[group] = groups.get(group, 0) + 1
    for place, ((prefix, method), features) in enumerate(sorted(groups.items())):
        name = "feature-drift" if place == 0 else f"feature-drift-{place + 1}"
        reasons.append(f"rule {name}: {prefix}/*, {features} features with {method} or histograms; the usual limits")
        yield ProposedRule(name, DRIFT, "", drift=f"{prefix}/*", method=method)


DRIFT = MetricFamily("data-drift", re.compile(""), "above", ())


def _used_keys(rule: ProposedRule, keys: Sequence[str]) -> Iterator[str]:
    """The keys that the rule reads, and the counts of its segments."""
    if rule.drift:
        head = rule.drift.removesuffix("*")
        yield from (key for key in keys if key.startswith(head))
        return
    yield rule.metric
    yield rule.weight
    for text in rule.segments:
        counts = [sibling_key(text, rule.weight.rpartition("/")[2])] if rule.weight else []
        patterns = [KeyPattern(pattern) for pattern in (text, *counts)]
        yield from (key for key in keys if any(pattern.match(key) for pattern in patterns))


def _last_part(key: str) -> str:
    head, _, last = key.rpartition("/")
    if last == "rate":  # of ``errors/rate``
        last = f"{head.rpartition('/')[2]}_{last}"
    last = re.sub(r"[-. ]", "_", last.lower())
    return _PHASE.sub("", last)


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - MAX_NAMES} more" if len(keys) > MAX_NAMES else ""
    return f"{', '.join(keys[:MAX_NAMES])}{more}"
