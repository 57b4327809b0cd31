"""Groups the alerts of one evaluation into the judgement: one group for each rule of each model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..errors import unforeseen
from ..model.alert import (
    BUILT_IN_RULES,
    RELEASE_RULES,
    SEGMENT_GONE,
    WATCHDOG,
    Alert,
    AlertState,
    Group,
    Judgement,
    SourceFailure,
)
from ..model.explanation import Explanation
from ..model.finding import ModelFindings, Track
from ..model.monitored_model import Config, Model
from ..model.release import recovery_move
from ..model.rule import Direction, Rule, Tier
from ..model.series import FailureScope, PulledSeries
from ..model.unit import unit_of
from .builtin_rules import derive_health_tracks, derive_release_tracks, describe_moves, source_labels, source_rule_name
from .causes import find_causes
from .divergence import derive_divergence_tracks
from .evidence import add_serving_versions, collect_evidence
from .muting import apply_mutes
from .state_machine import healthy_streak, latest_alert
from .version_health import judge_versions
from .watchdog import watchdog_track

_STATE_ORDER = (AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED)


Explain = Callable[[Sequence[Track], Sequence[Alert], Sequence[Track], PulledSeries], Explanation | None]
"""Explains why a group got worse, from its tracks, its alerts, all tracks of the model, and what was pulled. Called
only for groups that are not quiet, so that a healthy check does not pay for it."""


def judge_models(
    config: Config,
    findings: Mapping[str, ModelFindings],
    pulls: Mapping[str, PulledSeries],
    now: float,
    explain: Explain,
) -> Judgement:
    """A group for every rule of every model that could be read, quiet ones included, and for each built-in rule that
    has something to report. A model whose source failed, or that cannot be judged, has a failure instead: nothing is
    known about its rules.

    ``findings`` and ``pulls`` are by model name.
    """
    groups: list[Group] = []
    failures: list[SourceFailure] = []
    notes: list[str] = []
    for model in config.models:
        pull = pulls[model.name]
        if pull.error:
            failures.append(SourceFailure(model.name, pull.error, pull.scope))
            continue
        own = findings[model.name]
        try:
            groups.extend(judge_model(model, own, pull, now, explain))
        except Exception as error:  # noqa: BLE001 - the barrier between models
            failures.append(SourceFailure(model.name, unforeseen("judging", error), FailureScope.DATA))
            continue
        with_series = {track.rule.name for track in own.tracks}
        unmatched = (
            f"rule {rule.name} found no series that matches {rule.metric.text}"
            for rule in model.rules
            if rule.name not in with_series and not rule.optional
        )
        own_notes = (*pull.notes, *own.notes, *unmatched, *_left_out_notes(own.tracks))
        notes.extend(f"{model.name}: {note}" for note in own_notes)
    causes = find_causes(config, groups)
    watchdog = None
    if config.heartbeat and config.models:
        try:
            watchdog = judge_watchdog(config.models[0], now)
        except Exception as error:  # noqa: BLE001 - without it there is no heartbeat; the alerts of people go on
            notes.append(unforeseen("judging the watchdog", error))
    return Judgement(now, config.digest, tuple(groups), tuple(failures), tuple(notes), causes, watchdog)


def _left_out_notes(tracks: Sequence[Track]) -> Iterator[str]:
    """How many points of each metric are no numbers; beside an alert each series has a note of its own."""
    bad = {(track.rule.metric.text, track.labels): track.bad_points for track in tracks if track.bad_points}
    for metric in dict.fromkeys(metric for metric, _ in bad):
        points = sum(own for (name, _), own in bad.items() if name == metric)
        yield f"{metric}: {points:,} point{'' if points == 1 else 's'} left out: NaN, infinite or beyond 1e100"


def judge_model(
    model: Model,
    findings: ModelFindings,
    pull: PulledSeries,
    now: float,
    explain: Explain,
    judged: Sequence[Track] | None = None,
    *,
    is_shown: bool = True,
) -> list[Group]:
    """The groups of one model: its rules in their order, then the built-in ones. Optional rules without a series have
    none. ``judged``: the tracks by which versions were healthy; by default those of ``findings``. ``is_shown``: see
    ``collect_evidence``."""
    derived, healthy = derive_health_tracks(model, findings.tracks)
    by_rule: dict[str, list[Track]] = {rule.name: [] for rule in model.rules}
    for track in findings.tracks:
        by_rule.setdefault(track.rule.name, []).append(track)
    for rule in model.rules:
        if rule.optional and not by_rule[rule.name]:
            del by_rule[rule.name]
    built_in: dict[str, list[Track]] = {name: [] for name in healthy}
    diverging = derive_divergence_tracks(model, findings.tracks)
    everything = by_rule | built_in | derived | diverging | derive_release_tracks(model, pull.moves, now)
    alerts = _alerts(model, [track for tracks in everything.values() for track in tracks], now)
    rules = {rule.name: rule for rule in model.rules}
    noisy = any(alert.state is not AlertState.QUIET for own in alerts.values() for alert in own)
    judged = findings.tracks if judged is None else judged
    health = judge_versions(pull.deployments, judged, pull.starts, pull.rolled_back) if noisy else ()
    groups = []
    for name, tracks in everything.items():
        healthy_rule = healthy.get(name)
        rule = rules.get(name) or (tracks[0].rule if tracks or healthy_rule is None else healthy_rule.rule)
        group = _group(model, rule, tracks, alerts.get(name, ()), now)
        if healthy_rule is not None:
            group = replace(group, clear=(*group.clear, *healthy_rule.clear))
        if group.state is not AlertState.QUIET:
            group_notes = [
                *describe_moves(name, pull.moves, group.start),
                *(note for note in findings.notes if name in note),
            ]
            why = explain(tracks, group.alerts, findings.tracks, pull)
            evidence = collect_evidence(tracks, group.alerts, health, pull, group_notes, why, is_shown=is_shown)
            if name in RELEASE_RULES:  # their own tracks know no versions
                evidence = add_serving_versions(evidence, health, pull)
            group = replace(group, evidence=replace(evidence, move=recovery_move(pull.moves, group.start)))
        groups.append(group)
    return groups


def judge_watchdog(host: Model, now: float) -> Group:
    """The group of the watchdog, which stands for the whole evaluation and belongs to ``host`` in name only."""
    track = watchdog_track(host.name, now)
    return _group(host, track.rule, [track], _alerts(host, [track], now).get(WATCHDOG, ()), now)


def _alerts(model: Model, tracks: Sequence[Track], now: float) -> dict[str, list[Alert]]:
    """The alerts of each rule by its name, with what mutes them; those of a series that is gone are marked."""
    folded = [(track, latest_alert(track, now)) for track in tracks]
    absent_series = {
        (source_rule_name(track.labels), source_labels(track.labels))
        for track, alert in folded
        if track.rule.name == SEGMENT_GONE and alert is not None and alert.state is AlertState.FIRING
    }
    alerts = [
        replace(alert, gone=True) if (track.rule.name, track.labels) in absent_series else alert
        for track, alert in folded
        if alert is not None
    ]
    by_rule: dict[str, list[Alert]] = {}
    for alert in apply_mutes(model, alerts, now):
        by_rule.setdefault(alert.rule, []).append(alert)
    return by_rule


def _group(model: Model, rule: Rule, tracks: Sequence[Track], alerts: Sequence[Alert], now: float) -> Group:
    ordered = sorted(
        alerts, key=lambda a: (_STATE_ORDER.index(a.state), -a.severity.code, a.start, -_distance(rule, a), a.labels)
    )
    state = ordered[0].state if ordered else AlertState.QUIET
    firing = [alert for alert in ordered if alert.state is AlertState.FIRING]
    # A muted alert sends nothing, so it decides about severity and `do` only where all are muted.
    unmuted = [alert for alert in firing if not alert.mutes] or firing
    same_state = [alert for alert in ordered if alert.state is state]
    ends = [alert.end for alert in ordered if alert.end is not None]
    tier = holding_tier(rule, unmuted[0]) if unmuted else None
    return Group(
        model=model.name,
        rule=rule.name,
        kind=rule.kind,
        state=state,
        severity=unmuted[0].severity if unmuted else None,
        start=min((alert.start for alert in same_state), default=None)
        if state is not AlertState.RESOLVED
        else max(alert.start for alert in same_state),
        end=max(ends, default=None) if state is AlertState.RESOLVED else None,
        alerts=tuple(ordered),
        clear=tuple(healthy_streak(track) for track in tracks),
        hold=rule.hold,
        newest=max((track.grid.last for track in tracks if track.grid.count), default=now - rule.total_lag),
        config=rule.digest,
        # Every `do` implies `issue`.
        do=tuple(dict.fromkeys(("issue", *tier.do))) if tier and tier.do else (),
        limits=tier.limits if tier else (),
        latest=tracks[0].finding(-1) if tracks and tracks[0].grid.count else None,
        mutes=tuple(dict.fromkeys(mute for alert in unmuted for mute in alert.mutes)),
        runbook=rule.runbook or model.runbook_address(rule.kind),
        unit="" if rule.name in BUILT_IN_RULES else unit_of(rule),
    )


def _distance(rule: Rule, alert: Alert) -> float:
    """How far the newest finding is on the worse side; comparable within one rule and severity."""
    finding = alert.finding
    if finding.change is not None:
        return abs(finding.change)
    value = finding.value or 0.0
    return -value if rule.better is Direction.HIGHER else value


def holding_tier(rule: Rule, alert: Alert) -> Tier | None:
    """The tier that holds, for the version in production.

    Where another version reached the tier and this one does not have it, the rule's own tier counts, then the next
    milder one.
    """
    tiers = rule.tiers_for(alert.finding.version)
    tier = _find_tier(tiers, alert) or _find_tier(rule.tiers, alert)
    if tier is not None:
        return tier
    milder = [tier for tier in tiers if tier.severity < alert.severity]
    return max(milder, key=lambda tier: tier.severity.code, default=None)


def _find_tier(tiers: Sequence[Tier], alert: Alert) -> Tier | None:
    return next((tier for tier in tiers if tier.severity is alert.severity), None)
