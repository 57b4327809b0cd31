"""Finds the firing groups that share a cause, so that people get one issue and one page for it.

Groups are collected around one of them, the anchor, and each has to be related to the anchor itself: relations are not
chained, so one long day does not become one cause. Severities only decide the order of the members, so the members of
a cause stay the same however severities change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..model.alert import BUSINESS_DIVERGENCE, MONITORING_SILENT, RELEASE_RULES, SEGMENT_GONE, AlertState, Group
from ..model.cause import CauseKind, SharedCause
from ..model.monitored_model import Config, Model
from ..model.prediction_log import SUSPICIOUS_SHARE
from ..model.severity import Severity
from ..timeutil import DAY, HOUR, format_utc
from .builtin_rules import source_labels

EXPLAINED_WITHIN = DAY
"""A data-quality alert, a deployment or an upstream model explains what begins at most this long (seconds) after it."""
MIN_EXPLAINED = 0.5
"""Segments that are gone lead a change of which they explain at least this share."""
MIN_TOLERANCE = HOUR
"""Onsets are not known more precisely than this (seconds)."""
DATA_KINDS = frozenset({"data-quality", "label-quality", "label-delay"})
SERVING_KINDS = frozenset({"latency", "error-rate"})
"""They depend on how a model is served, not on its data."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A group with the stretch of time (seconds, UTC) in which it began to get worse."""

    group: Group
    model: Model
    earliest: float
    latest: float

    @property
    def is_about_data(self) -> bool:
        """Whether everything that depends on data depends on what it checks. A segment that is gone is but a part of
        the rows: see ``_is_explained_by_loss``."""
        return self.group.kind in DATA_KINDS and not self.is_lost_segment and not self.is_suspicion

    @property
    def is_lost_segment(self) -> bool:
        return self.group.rule == SEGMENT_GONE

    @property
    def is_suspicion(self) -> bool:
        """Whether it is about labels that the scores contradict, of which a model that is wrong has more, too."""
        rule = next((rule for rule in self.model.rules if rule.name == self.group.rule), None)
        return rule is not None and rule.metric.name == SUSPICIOUS_SHARE

    def began_with(self, other: _Candidate) -> bool:
        """Whether both can have begun at the same time."""
        return self.earliest <= other.latest and other.earliest <= self.latest

    def began_after(self, other: _Candidate) -> bool:
        """Whether it can have begun together with ``other`` or within a day after it."""
        return self.latest >= other.earliest and self.earliest <= other.latest + EXPLAINED_WITHIN


def find_causes(config: Config, groups: Sequence[Group]) -> tuple[SharedCause, ...]:
    """The causes that at least two of ``groups`` (of all models) share; a group has at most one.

    Only groups that fire, have actions and are not muted take part: what is muted explains nothing away. Alerts about
    moves of a release stand alone, since each reports a new failure.
    """
    models = {model.name: model for model in config.models}
    ancestors = {name: upstream_models(models, name) for name in models}
    candidates = [
        _candidate(group, models[group.model])
        for group in groups
        if _can_share(group) and group.model in models and group.start is not None
    ]

    def causal_order(candidate: _Candidate) -> tuple[int, bool, bool, float, str, str]:
        group = candidate.group
        depth = len(ancestors[group.model])
        explains = any(_is_explained_by_loss(candidate, other) for other in candidates)
        merely_lost = candidate.is_lost_segment and not explains
        return (
            depth,
            merely_lost,
            not (candidate.is_about_data or explains),
            candidate.latest,
            group.model,
            group.rule,
        )

    left = sorted(candidates, key=causal_order)
    causes = []
    while left:
        anchor, *left = left
        related = [(other, kind) for other in left if (kind := _relation(anchor, other, ancestors)) is not None]
        if anchor.is_lost_segment:  # it leads what it explains, and nothing that merely began with it
            related = [(other, kind) for other, kind in related if kind is CauseKind.DATA] or related
        if related:
            left = [other for other in left if all(other is not member for member, _ in related)]
            causes.append(_cause(anchor, related, ancestors))
    return tuple(causes)


def unsettled_groups(config: Config, groups: Sequence[Group], leaders: Mapping[str, str]) -> frozenset[str]:
    """The keys of those of ``groups`` whose shared causes can depend on since when exactly they have got worse, and by
    which segments: on their explanations. ``leaders``: of groups that are led already the key of the one that leads.

    Groups that are led together stay so. If only the time of their onset can relate them, it changes nothing.
    """
    models = {model.name: model for model in config.models}
    ancestors = {name: upstream_models(models, name) for name in models}
    candidates = [
        _Candidate(group, models[group.model], group.start - _reach(group, models[group.model]), group.start)
        for group in groups
        if _can_share(group) and group.model in models and group.start is not None
    ]
    unsettled: set[str] = set()
    for place, one in enumerate(candidates):
        for other in candidates[place + 1 :]:
            keys = (one.group.key, other.group.key)
            is_settled = leaders.get(keys[0], keys[0]) == leaders.get(keys[1], keys[1])
            if _may_relate(one, other, ancestors) and not (is_settled and _only_onsets(one, other)):
                unsettled.update(keys)
    return frozenset(unsettled)


def _reach(group: Group, model: Model) -> float:
    """How long (seconds) before its first breach it can have begun to get worse."""
    names = _rule_names(group)
    return max([MIN_TOLERANCE, *(rule.window for rule in model.rules if rule.name in names)]) + MIN_TOLERANCE


def _may_relate(one: _Candidate, other: _Candidate, ancestors: Mapping[str, frozenset[str]]) -> bool:
    same_model = one.model.name == other.model.name
    if same_model and (one.is_lost_segment or other.is_lost_segment):
        return True
    names = (one.model.name, other.model.name)
    is_upstream = names[0] in ancestors[names[1]] or names[1] in ancestors[names[0]]
    if not same_model and not is_upstream and not share_source(one.model, other.model):
        return False
    latest = EXPLAINED_WITHIN + MIN_TOLERANCE
    return one.earliest <= other.latest + latest and other.earliest <= one.latest + latest


def _only_onsets(one: _Candidate, other: _Candidate) -> bool:
    """Whether only the time of their onset can relate two groups, or a deployment does anyway."""
    if one.model.name != other.model.name or BUSINESS_DIVERGENCE in (one.group.rule, other.group.rule):
        return False
    if any(candidate.is_about_data or candidate.is_lost_segment for candidate in (one, other)):
        return False
    return _deployed_version(one) == _deployed_version(other)


def upstream_models(models: Mapping[str, Model], name: str) -> frozenset[str]:
    """The models that ``name`` depends on, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        model = models.get(waiting.pop())
        for upstream in model.depends_on if model else ():
            if upstream not in found and upstream != name:
                found.add(upstream)
                waiting.append(upstream)
    return frozenset(found)


def related_models(config: Config, model: Model) -> tuple[Model, ...]:
    """``model``, and those whose alerts can share a cause with its alerts."""
    known = {each.name: each for each in config.models}
    ancestors = upstream_models(known, model.name)
    return tuple(
        each
        for each in config.models
        if each.name in {model.name, *ancestors}
        or model.name in upstream_models(known, each.name)
        or share_source(each, model)
    )


def _can_share(group: Group) -> bool:
    fires = group.state is AlertState.FIRING and not group.mutes and bool(group.do)
    return fires and group.rule not in RELEASE_RULES


def _candidate(group: Group, model: Model) -> _Candidate:
    """The metric changed within the first window that breached; a change point narrows that down."""
    start = group.start or 0.0
    names = _rule_names(group)
    windows = [rule.window for rule in model.rules if rule.name in names]
    window = max([MIN_TOLERANCE, *windows])
    why = group.evidence.why
    if why is not None and why.since is not None and start - window <= why.since <= start:
        return _Candidate(group, model, why.since - MIN_TOLERANCE, why.since + MIN_TOLERANCE)
    return _Candidate(group, model, start - window, start)


def _rule_names(group: Group) -> set[str]:
    """The configured rules that the group is about."""
    return {group.rule, *(dict(alert.labels).get("rule", "") for alert in group.alerts)}


def _relation(anchor: _Candidate, other: _Candidate, ancestors: Mapping[str, frozenset[str]]) -> CauseKind | None:
    """What relates ``other`` to ``anchor``, the most causal relation first."""
    same_model = anchor.model.name == other.model.name
    if same_model and _is_explained_by_data(anchor, other):
        return CauseKind.DATA
    is_upstream = anchor.model.name in ancestors[other.model.name]
    if is_upstream and not anchor.is_lost_segment and other.began_after(anchor):
        return CauseKind.UPSTREAM
    if same_model and (version := _deployed_version(anchor)) and version == _deployed_version(other):
        return CauseKind.DEPLOYMENT
    if same_model and other.group.rule == BUSINESS_DIVERGENCE and anchor.group.rule in _rule_names(other.group):
        return CauseKind.ONSET  # it is known later than the fall that it is about
    if not anchor.began_with(other):
        return None
    if same_model:
        return CauseKind.ONSET
    both = _depends_on_data(anchor) and _depends_on_data(other)
    return CauseKind.SOURCE if both and share_source(anchor.model, other.model) else None


def _is_explained_by_data(anchor: _Candidate, other: _Candidate) -> bool:
    if anchor.is_lost_segment:
        return _is_explained_by_loss(anchor, other)
    return anchor.is_about_data and _depends_on_data(other) and other.began_after(anchor)


def _is_explained_by_loss(lost: _Candidate, other: _Candidate) -> bool:
    """Whether at least half of a change of the whole follows from the segments that are gone. It began when they went,
    long before that could be called a loss."""
    why = other.group.evidence.why
    if not lost.is_lost_segment or lost.model.name != other.model.name or why is None or not why.total:
        return False
    gone = {source_labels(alert.labels) for alert in lost.group.alerts if alert.state is AlertState.FIRING}
    parts = [part for part in why.parts if part.labels in gone]
    return sum(why.share_of_total(part.total) for part in parts) >= MIN_EXPLAINED


def _depends_on_data(candidate: _Candidate) -> bool:
    return candidate.group.kind not in SERVING_KINDS


def _deployed_version(candidate: _Candidate) -> str:
    """The version that was deployed within a day before the group began; empty where none was."""
    evidence, start = candidate.group.evidence, candidate.group.start or 0.0
    if evidence.version_since is None or not 0 <= start - evidence.version_since <= EXPLAINED_WITHIN:
        return ""
    return evidence.version


def share_source(one: Model, other: Model) -> bool:
    """Whether both read the same W&B runs, the same table, or measure the same prediction log."""
    if one.wandb is not None and one.wandb == other.wandb:
        return True
    if one.table is not None and other.table is not None and one.table.path == other.table.path:
        return True
    return one.measure is not None and other.measure is not None and _log(one) == _log(other) != ""


def _log(model: Model) -> str:
    return model.measure.files if model.measure else ""


def _cause(
    anchor: _Candidate, related: Sequence[tuple[_Candidate, CauseKind]], ancestors: Mapping[str, frozenset[str]]
) -> SharedCause:
    kind = min((kind for _, kind in related), key=list(CauseKind).index)
    explains = anchor if anchor.is_lost_segment and kind is CauseKind.DATA else None
    members = sorted((anchor, *(other for other, _ in related)), key=_leading_order(kind, ancestors, explains))
    return SharedCause(kind, _describe(kind, anchor), tuple(member.group.key for member in members))


def _leading_order(
    kind: CauseKind, ancestors: Mapping[str, frozenset[str]], explains: _Candidate | None
) -> Callable[[_Candidate], tuple[int, bool, bool, int, float, str, str]]:
    """The most causal first, then the worst by its peak, then the earliest. ``explains``: the segments that are gone,
    where they explain the others.

    Of a deployment, a rule about the model leads: its advice is to roll back, which helps the data rules, too.
    """
    data_first = kind is not CauseKind.DEPLOYMENT

    def order(candidate: _Candidate) -> tuple[int, bool, bool, int, float, str, str]:
        group = candidate.group
        peak = max((_peak(group), group.severity or Severity.INFO))
        return (
            len(ancestors[group.model]),
            (candidate.is_about_data or candidate is explains) is not data_first,
            (group.rule in (MONITORING_SILENT, SEGMENT_GONE) or candidate.is_suspicion) and candidate is not explains,
            -peak.code,
            candidate.latest,
            group.model,
            group.rule,
        )

    return order


def _peak(group: Group) -> Severity:
    return max((alert.peak for alert in group.alerts if alert.state is AlertState.FIRING), default=Severity.INFO)


def _describe(kind: CauseKind, anchor: _Candidate) -> str:
    group, name = anchor.group, f"{anchor.group.model} {anchor.group.rule}"
    match kind:
        case CauseKind.DATA if anchor.is_lost_segment:
            return f"most of the change is that segments of {group.model} are gone"
        case CauseKind.DATA:
            return f"all depend on the data that {name} checks"
        case CauseKind.UPSTREAM:
            return f"the other models depend on {group.model}"
        case CauseKind.DEPLOYMENT:
            when = format_utc(group.evidence.version_since or 0.0)
            return f"all began within a day after {group.evidence.version} was deployed at {when}"
        case CauseKind.SOURCE:
            return f"the models read the same data as {group.model}, and got worse at the same time"
        case CauseKind.ONSET:
            return "they got worse at the same time"
