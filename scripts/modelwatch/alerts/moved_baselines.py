"""Alerts that outlast the history that is read: their baseline has moved into the incident, and shows no change.

The issue remembers the baseline of when the alert fired. As long as the metric is as far from it as a limit allows, the
alert keeps firing, however today's baseline looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..model.alert import Alert, AlertState, Evidence, Group, Judgement, NewestLevel, SeverityChange
from ..model.finding import Cause, Finding, Outcome
from ..model.monitored_model import Config
from ..model.plan import ModelObservation
from ..model.register import Impact, Register
from ..model.rule import FALL_LIMITS, STATIC_LIMITS, BaselineKind, Limit, Rule, Tier
from .muting import apply_mutes

MIN_MOVE = 0.1
"""The part of the change by which a baseline has to have moved towards it; less is no move."""
RECOVERED = 0.5
"""The metric has recovered within this part of the mildest limit, counted from the baseline of when the alert fired."""
ROUNDING = 1e-9


def keep_firing(
    judgement: Judgement, config: Config, observed: Mapping[str, ModelObservation], now: float
) -> Judgement:
    """``judgement`` in which groups fire whose open issue says from where the metric has changed, and by how much."""
    groups = tuple(_keep_group(group, judgement, config, observed, now) for group in judgement.groups)
    return replace(judgement, groups=groups)


def _keep_group(
    group: Group, judgement: Judgement, config: Config, observed: Mapping[str, ModelObservation], now: float
) -> Group:
    model = config.model(group.model)
    rule = next((rule for rule in model.rules if rule.name == group.rule), None) if model else None
    register = _open_register(group, observed.get(group.model))
    if model is None or rule is None or register is None or not _remembers_level(rule, group, register):
        return group
    impact = register.impact
    series = next((clear for clear in group.clear if impact and clear.fingerprint == impact.alert), None)
    level = series.newest_level if series else None
    if impact is None or level is None or not _has_moved(impact, level.baseline):
        return group
    tier = _reached_tier(rule, group, impact, level.value, register)
    if tier is None or (group.severity is not None and group.severity >= tier.severity):
        return group
    alert = _alert(group, register, impact, level, tier)
    others = (other for one in judgement.groups if one.model == group.model for other in one.alerts)
    (alert, *_) = apply_mutes(model, [alert, *others], now)
    if alert.mutes and group.state is AlertState.FIRING:
        return group
    return _firing_group(group, alert, tier, level, register)


def _open_register(group: Group, observation: ModelObservation | None) -> Register | None:
    issues = observation.issues if observation else ()
    registers = [
        issue.register
        for issue in issues
        if issue.group == group.key and issue.trusted and issue.state == "open" and not issue.register_error
    ]
    known = [register for register in registers if register is not None and register.closed is None]
    return max(known, key=lambda register: register.episode, default=None)


def _remembers_level(rule: Rule, group: Group, register: Register) -> bool:
    """Whether the baseline that the register holds can be compared with: of a rule that has not changed since, and that
    compares all windows with one level."""
    is_steady = rule.baseline.kind is BaselineKind.ROLLING and rule.has_steady_baseline
    return is_steady and register.config == group.config and register.config_since <= register.start


def _has_moved(impact: Impact, baseline: float | None) -> bool:
    if not impact.baseline or impact.value == impact.baseline:
        return False
    if baseline is None:
        return True
    return (baseline - impact.baseline) / (impact.value - impact.baseline) >= MIN_MOVE


def _reached_tier(rule: Rule, group: Group, impact: Impact, level: float, register: Register) -> Tier | None:
    """The tier that the metric reaches, counted from the baseline of when the alert fired; at most that of the issue,
    and the mildest one until the metric has recovered."""
    version = group.latest.version if group.latest else ""
    tiers = sorted(rule.tiers_for(version), key=lambda tier: tier.severity.code)
    tiers = [tier for tier in tiers if tier.severity <= register.severity]
    reached = [tier for tier in tiers if any(part >= 1 - ROUNDING for part in _passed_parts(tier, impact, level))]
    held = [tier for tier in tiers if any(part >= RECOVERED for part in _passed_parts(tier, impact, level))]
    return reached[-1] if reached else held[0] if held else None


def _passed_parts(tier: Tier, impact: Impact, level: float) -> Iterator[float]:
    """How much worse the level is, in parts of each limit that compares with the baseline in the direction of the
    alert."""
    base = impact.baseline or 0.0
    for limit in tier.limits:
        distance = _distance(limit, base)
        if distance and (distance < 0) == (impact.value < base):
            yield (level - base) / distance


def _distance(limit: Limit, base: float) -> float | None:
    boundary = None if limit.form in STATIC_LIMITS else limit.boundary(base)
    if boundary is None:
        return None
    return -abs(boundary - base) if limit.form in FALL_LIMITS else abs(boundary - base)


def _alert(group: Group, register: Register, impact: Impact, level: NewestLevel, tier: Tier) -> Alert:
    base = impact.baseline or 0.0
    latest = group.latest if group.latest and group.latest.labels == level.labels else None
    finding = Finding(
        model=group.model,
        rule=group.rule,
        kind=group.kind,
        labels=level.labels,
        time=group.newest,
        outcome=Outcome.BREACH,
        severity=tier.severity,
        value=level.value,
        baseline=base,
        low=None,
        high=None,
        change=(level.value - base) / abs(base),
        n=latest.n if latest else None,
        points=latest.points if latest else 0,
        version=latest.version if latest else "",
        improved=False,
        clear=False,
        cause=Cause.MOVED_BASELINE,
    )
    worst = replace(finding, value=impact.value, change=impact.change, severity=register.peak)
    return Alert(
        model=group.model,
        rule=group.rule,
        kind=group.kind,
        labels=level.labels,
        state=AlertState.FIRING,
        severity=tier.severity,
        peak=register.peak,
        start=register.start,
        fired=register.start,
        end=None,
        steps=(SeverityChange(register.start, tier.severity),),
        finding=finding,
        worst=worst,
    )


def _firing_group(group: Group, alert: Alert, tier: Tier, level: NewestLevel, register: Register) -> Group:
    others = tuple(one for one in group.alerts if one.labels != alert.labels)
    evidence = group.evidence if group.state is AlertState.FIRING else Evidence(version=alert.finding.version)
    today = "unknown" if level.baseline is None else f"{level.baseline:.4g}"
    note = (
        f"It lasts for longer than the history that is read. Today's baseline, {today}, lies within it, so the metric "
        f"is compared with {alert.finding.baseline:.4g}, its baseline when the alert fired. Close the issue if this "
        "level is to stay."
    )
    return replace(
        group,
        state=AlertState.FIRING,
        severity=tier.severity,
        start=register.start,
        end=None,
        alerts=(alert, *others),
        clear=tuple(replace(one, times=()) if one.fingerprint == alert.fingerprint else one for one in group.clear),
        do=tuple(dict.fromkeys(("issue", *tier.do))) if tier.do else (),
        limits=tier.limits,
        mutes=alert.mutes,
        evidence=replace(evidence, notes=(*evidence.notes, note)),
    )
