"""The data that a model's rules need: which keys, and how far back."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from ..model.business import BusinessSpec
from ..model.calibration import BIN_KEYS, CONFIDENCE, CONFIDENCE_COUNT, ERROR, ERROR_COUNT, is_about_scores
from ..model.drift import drift_spec
from ..model.expression import keys_of
from ..model.keys import KeyPattern, sibling_key
from ..model.label_maturity import MATURITY_KEY, longest_wait, waits_for_labels, young_metric
from ..model.monitored_model import Model
from ..model.release import CanaryPeriod
from ..model.rule import MEMORY_STEP, MIN_HISTORY, BaselineKind, BaselineSpec, Rule, rolling_gap, yearly_reach

CLOCK_SKEW = 300.0
"""Seconds by which the clocks of W&B and of those who log may differ."""
RUN_ID_HINT = "Name its id, the last part of its address, not its display name."


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """One pattern of keys, and the key of the count that weighs it."""

    pattern: KeyPattern
    weight: str = ""
    """Key of the count; for a pattern with labels its last part, looked for beside every key that matches."""
    optional: bool = False
    """Where there is none, nothing is reported."""

    @property
    def weight_pattern(self) -> KeyPattern | None:
        return KeyPattern(self.weight_of(self.pattern.text)) if self.weight else None

    def weight_of(self, key: str) -> str:
        """The key of the count that weighs ``key``."""
        is_whole = self.pattern.is_plain and self.pattern.name == self.pattern.text
        return self.weight if is_whole else sibling_key(key, self.weight.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What to read: ``keys`` in the order of the rules, nothing older than ``since`` (seconds, UTC)."""

    keys: tuple[KeyRequest, ...]
    since: float
    until: float | None = None
    """Nothing newer, where given."""
    notes: tuple[str, ...] = ()
    histograms: tuple[KeyPattern, ...] = ()
    """Keys of histograms, from which drift is computed where no number was logged."""
    canary_periods: tuple[CanaryPeriod, ...] = ()
    """Canaries: what they logged beside the champion goes into series of its own."""
    logged_until: float = math.inf
    """Rows with an event time that were logged later (seconds, UTC) were not known yet."""
    wandb_run: str = ""
    """Id of the only W&B run to read; empty: every run that matches. Tables ignore it."""
    histograms_since: float = -math.inf
    """No histogram is kept that is older (seconds, UTC), even where numbers are."""
    is_extra: bool = False
    """Nothing is missed where there is none of it: a W&B run is read only if the name of a key says that there is."""
    is_measured: bool = False
    """Whether ``modelwatch measure`` logs for the model."""
    keeps_log_times: bool = False
    """Whether what was known at an earlier time can be found out afterwards: ``SeriesBuilder.as_of``."""

    @property
    def patterns(self) -> tuple[KeyPattern, ...]:
        """Every pattern of a key that is read, counts included."""
        return tuple(dict.fromkeys([*self.scalars, *self.histograms]))

    @property
    def scalars(self) -> tuple[KeyPattern, ...]:
        """Every pattern of a key that holds numbers."""
        both = (pattern for request in self.keys for pattern in (request.pattern, request.weight_pattern))
        return tuple(dict.fromkeys(pattern for pattern in both if pattern is not None))


def plan_read(model: Model, now: float) -> ReadRequest:
    """What the evaluation of ``model`` at ``now`` needs."""
    requests, notes = key_requests(model.rules, model.business)
    waiting = [rule for rule in model.rules if waits_for_labels(rule, model.measure)]
    known = {request.pattern.text for request in requests}
    more = [KeyPattern(MATURITY_KEY), *map(young_metric, waiting)] if waiting else []
    own = [KeyRequest(pattern, optional=True) for pattern in dict.fromkeys(more) if pattern.text not in known]
    request = ReadRequest(
        (*requests, *own),
        -math.inf,
        None,
        notes,
        histogram_patterns(model.rules),
        is_measured=model.measure is not None,
    )
    return read_lengths(model).request_at(request, now, model.history)


@dataclass(frozen=True, slots=True)
class ReadLengths:
    """How far back the rules of a model read, in seconds."""

    before_history: float
    """Behind the beginning of its history."""
    before_now: float
    """Behind the evaluation, at least."""
    histograms: float
    """Of histograms behind the beginning of its history."""
    wait: float
    """So much more, since rules wait for labels."""

    def request_at(self, request: ReadRequest, now: float, history: float) -> ReadRequest:
        """``request`` as an evaluation at ``now`` (seconds, UTC) reads it; ``history``: of the model (seconds)."""
        return replace(
            request,
            since=now - max(history + self.before_history, self.before_now) - self.wait,
            logged_until=now + CLOCK_SKEW,
            histograms_since=now - history - self.histograms - self.wait,
        )


def read_lengths(model: Model) -> ReadLengths:
    """How far back the rules of ``model`` read."""
    # Calendars and the memory of anomaly rules are about numbers: histograms of so long a time would be too many.
    short = max((history_reach(replace(rule, calendar=None, anomaly=None)) for rule in model.rules), default=0.0)
    back, least = (max(map(reach, model.rules), default=0.0) for reach in (history_reach, _noise_reach))
    return ReadLengths(back, least, short, longest_wait(model))


def only_rules(request: ReadRequest, rules: Collection[Rule], model: Model) -> ReadRequest:
    """``request``, which is for all rules of ``model``, without the keys that only rules other than these read."""
    needed = {key.pattern.text for key in key_requests(rules, model.business)[0]}
    every = {key.pattern.text for key in key_requests(model.rules, model.business)[0]}
    keys = tuple(key for key in request.keys if key.pattern.text in needed or key.pattern.text not in every)
    return replace(request, keys=keys, histograms=histogram_patterns(rules))


def history_reach(rule: Rule) -> float:
    """Seconds of history that the oldest evaluation of ``rule`` looks back on, its window included."""
    specs = [rule.baseline, *rule.also]
    before = max(_baseline_reach(spec, rule.window) for spec in specs)
    if rule.anomaly is not None:
        before = rule.anomaly.memory + MEMORY_STEP
    if rule.calendar is not None and not rule.calendar.is_empty and rule.compares:
        before = max(before, rule.calendar.history)
    return rule.lag + rule.every + rule.window + before


def _noise_reach(rule: Rule) -> float:
    """Seconds of history behind the newest evaluation that hold ``MIN_HISTORY`` points, if there is one a window."""
    return rule.lag + rule.every + (MIN_HISTORY + 1) * rule.window if rule.sampling_model else 0.0


def _baseline_reach(spec: BaselineSpec, window: float) -> float:
    """Before the window's own beginning. Another version's points are searched as far as the history goes."""
    match spec.kind:
        case BaselineKind.ROLLING:
            return rolling_gap(window) + spec.length
        case BaselineKind.SEASONAL:
            return spec.length + window + (yearly_reach(window) if spec.is_yearly else 0.0)
        case _:
            return 0.0


def key_requests(
    rules: Iterable[Rule], business: BusinessSpec | None = None
) -> tuple[tuple[KeyRequest, ...], tuple[str, ...]]:
    """Every key that the rules and the business section name, once, and notes about conflicts; for a derived metric
    the keys that it is computed from.

    A series has one count. Where two rules weigh one metric by different counts, the first rule's is taken, and noted.
    """
    requests: dict[str, KeyRequest] = {}
    notes: list[str] = []
    for rule in rules:
        for request in (logged for stated in _rule_keys(rule) for logged in _logged_keys(stated, business)):
            known = requests.setdefault(request.pattern.text, request)
            merged = replace(known, weight=known.weight or request.weight, optional=known.optional and request.optional)
            requests[request.pattern.text] = merged
            if request.weight and request.weight != merged.weight:
                notes.append(
                    f"rule {rule.name}: {request.pattern.text} is weighed by {known.weight}, as an earlier rule asks, "
                    f"and not by {request.weight}"
                )
    for request in _business_keys(business) if business else ():
        requests.setdefault(request.pattern.text, request)
    return tuple(requests.values()), tuple(notes)


def _logged_keys(request: KeyRequest, business: BusinessSpec | None) -> Iterator[KeyRequest]:
    """The request itself, or those of the keys from which its derived metric is computed and weighed."""
    if business is None or business.derived_metric(request.pattern.name) is None:
        yield request
        return
    names = [request.pattern.name, request.weight] if request.weight else [request.pattern.name]
    labels = [part for part in request.pattern.text.split("/") if "=" in part or part == "*"]
    for key in dict.fromkeys(key for name in names for key in business.inputs_of(name)):
        yield KeyRequest(_with_labels(key, labels), optional=request.optional)


def _business_keys(business: BusinessSpec) -> Iterator[KeyRequest]:
    """Those of value, costs and worth; of a holdout its arm, too."""
    own = [key for amount in business.amounts for key in keys_of(amount.expression)]
    arm = [f"{label}={value}" for label, value in business.before.holdout] if business.before else []
    compared = [*(keys_of(business.value.expression) if business.value else ()), business.predictions]
    worth = [key for _, amount in business.worth for key in keys_of(amount.expression)]
    for key in (key for name in (business.predictions, *own, *worth) if name for key in business.inputs_of(name)):
        yield KeyRequest(KeyPattern(key))
    for key in (key for name in compared if arm and name for key in business.inputs_of(name)):
        yield KeyRequest(_with_labels(key, arm))


def _with_labels(key: str, labels: list[str]) -> KeyPattern:
    """The key of a segment: labels before its last part; one that names a segment itself stays."""
    if not labels or "=" in key:
        return KeyPattern(key)
    *groups, last = key.split("/")
    return KeyPattern("/".join([*groups, *labels, last]))


def histogram_patterns(rules: Iterable[Rule]) -> tuple[KeyPattern, ...]:
    """The histograms that drift rules can be judged by."""
    specs = (drift_spec(rule.metric) for rule in rules)
    return tuple(dict.fromkeys(pattern for spec in specs if spec for pattern in spec.patterns))


def _rule_keys(rule: Rule) -> Iterator[KeyRequest]:
    weight = rule.weight or ""
    patterns = [rule.metric, *rule.segments]
    for pattern in patterns:
        yield KeyRequest(pattern, weight, rule.optional)
        if rule.denominator:
            yield KeyRequest(_denominator_beside(pattern, rule.denominator), optional=rule.optional)
    if is_about_scores(rule):
        yield from _score_keys()


def _score_keys() -> Iterator[KeyRequest]:
    """What is read beside the metric of a rule about scores, if it is logged."""
    yield KeyRequest(KeyPattern(CONFIDENCE), CONFIDENCE_COUNT, optional=True)
    yield KeyRequest(KeyPattern(ERROR), ERROR_COUNT, optional=True)
    for key in BIN_KEYS.values():
        yield KeyRequest(KeyPattern(key), "n", optional=True)


def _denominator_beside(pattern: KeyPattern, denominator: KeyPattern) -> KeyPattern:
    """The denominator with the labels of ``pattern``, under the denominator's own name."""
    labels = [part for part in pattern.text.split("/") if "=" in part or part == "*"]
    if not labels or "=" in denominator.text or "*" in denominator.text:
        return denominator
    near = KeyPattern(sibling_key(pattern.text, denominator.text.rpartition("/")[2]))
    if near.name == denominator.name:
        return near
    return _with_labels(denominator.text, labels)


_SEPARATOR = re.compile(r"[/.]")


class KeyResolver:
    """Resolves a source's keys against patterns, each key once."""

    def __init__(self, patterns: Iterable[KeyPattern]) -> None:
        self._patterns = tuple(patterns)
        self._loose = tuple((_separator_insensitive(pattern), pattern.text) for pattern in self._patterns)
        self._heads = {_SEPARATOR.split(pattern.text, maxsplit=1)[0] for pattern in self._patterns}
        self._open = any("*" in head for head in self._heads)
        self._known: dict[str, str | None] = {}

    def resolve(self, key: str) -> str | None:
        """The wanted key that ``key`` is, separated by ``/``; ``None`` where no pattern matches."""
        if key not in self._known:
            self._known[key] = self._resolve(key)
        return self._known[key]

    def may_contain(self, key: str) -> bool:
        """Whether ``key`` is wanted, or may be a dictionary with something wanted in it."""
        return self._open or _SEPARATOR.split(key, maxsplit=1)[0] in self._heads

    def unmatched_keys(self) -> list[str]:
        """Every key so far that no pattern matches."""
        return [key for key, name in self._known.items() if name is None]

    def has_seen(self, pattern: KeyPattern) -> bool:
        """Whether some key so far matches ``pattern``, whatever its rows held."""
        return any(name is not None and pattern.match(name) is not None for name in self._known.values())

    def _resolve(self, key: str) -> str | None:
        if any(pattern.match(key) is not None for pattern in self._patterns):
            return key
        for loose, text in self._loose:
            matched = loose.fullmatch(key)
            if matched:
                captured = iter(matched.groups())
                return "".join(next(captured) if piece == "*" else piece for piece in re.split(r"(\*)", text))
        return None


def _separator_insensitive(pattern: KeyPattern) -> re.Pattern[str]:
    """``pattern`` with every separator, be it ``/`` or ``.``, standing for both."""
    pieces = re.split(r"([*/.])", pattern.text)
    return re.compile("".join("([^/]*)" if p == "*" else "[/.]" if p in ("/", ".") else re.escape(p) for p in pieces))
