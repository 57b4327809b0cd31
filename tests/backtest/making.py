"""Replays made by hand: hours count from ``BEGIN``."""

from __future__ import annotations

from modelwatch.backtest.result import ReplayedEffect, ReplayedEpisode, ReplayResult, Span
from modelwatch.model.alert import SeverityChange
from modelwatch.model.backtest import MarkedIncident
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Config, Model
from modelwatch.model.plan import ChangeKind
from modelwatch.model.rule import Rule
from modelwatch.model.severity import Severity

BEGIN = 1_793_491_200.0
"""2026-11-01 00:00 UTC."""
HOUR = 3600.0
DAYS = 28


def at(hour: float) -> float:
    return BEGIN + hour * HOUR


def span(days: float = DAYS) -> Span:
    return Span(BEGIN, at(24 * days), HOUR)


def rule(name: str = "accuracy", digest: str = "r1") -> Rule:
    return Rule(name, "accuracy-drop", KeyPattern("eval/accuracy"), (), digest=digest)


def config(*rules: Rule, model: str = "churn", digest: str = "c1") -> Config:
    return Config((Model(model, rules or (rule(),)),), digest)


def episode(
    fired: float,
    end: float | None,
    *,
    start: float | None = None,
    rule: str = "accuracy",
    model: str = "churn",
    steps: tuple[tuple[float, Severity | None], ...] = (),
    peak: Severity = Severity.ERROR,
) -> ReplayedEpisode:
    """Times are hours; it begins two hours before it fires."""
    return ReplayedEpisode(
        model,
        rule,
        "accuracy-drop",
        at(fired - 2 if start is None else start),
        at(fired),
        None if end is None else at(end),
        peak,
        tuple(SeverityChange(at(time), severity) for time, severity in steps),
    )


def effect(
    hour: float,
    kind: ChangeKind,
    *,
    rule: str = "accuracy",
    model: str = "churn",
    verb: str = "",
    notifies: bool = False,
) -> ReplayedEffect:
    return ReplayedEffect(at(hour), kind, model, rule, "because", Severity.ERROR, verb, notifies)


def page(hour: float, rule: str = "accuracy") -> ReplayedEffect:
    return effect(hour, ChangeKind.TRIGGER_INCIDENT, rule=rule, notifies=True)


def result(
    *episodes: ReplayedEpisode,
    effects: tuple[ReplayedEffect, ...] = (),
    digest: str = "c1",
    errors: tuple[tuple[str, str], ...] = (),
) -> ReplayResult:
    replayed = span()
    return ReplayResult(digest, replayed, len(replayed.times), episodes, effects, errors=errors)


def incident(start: float, end: float, *rules: str, name: str = "the drop", model: str = "churn") -> MarkedIncident:
    return MarkedIncident(model, at(start), at(end), name, rules)
