"""Tracks written as text, one character a finding.

``.`` clear, ``~`` decided but not clear, ``i w e c`` a breach of that severity, ``?`` undecided, ``_`` no data (no
points), ``+`` clear and improved.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from modelwatch.model.alert import Alert, AlertState
from modelwatch.model.finding import Cause, Grid, ModelFindings, Outcome, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Config, Model
from modelwatch.model.rule import Direction, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import Labels, PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.timeutil import HOUR

T0 = 20_000 * 24 * HOUR
"""A midnight (UTC): the first finding."""
NAN = float("nan")
_REACHED = "iwec"
_VALUE = {"i": 0.87, "w": 0.85, "e": 0.8, "c": 0.7, "~": 0.89}


def at(index: int) -> float:
    return T0 + index * HOUR


def tier(severity: str, do: tuple[str, ...] = ("issue",), for_: int | None = None) -> Tier:
    return Tier(Severity(severity), (Limit(LimitKind.DROP, 0.1),), do, for_)


def rule(name: str = "accuracy", **more: Any) -> Rule:
    given: dict[str, Any] = {
        "kind": "accuracy-drop",
        "metric": KeyPattern("eval/accuracy"),
        "tiers": tuple(tier(word) for word in ("info", "warning", "error", "critical")),
        "better": Direction.HIGHER,
        "window": HOUR,
        "digest": "d1",
    }
    return Rule(name, **(given | more))


def track(
    text: str,
    of: Rule | None = None,
    labels: Labels = (),
    *,
    model: str = "churn",
    values: Sequence[float] | None = None,
    versions: tuple[str, ...] = (),
    version: Sequence[int] | None = None,
    fresh: Sequence[bool] = (),
    overdue: str = "",
    **more: Any,
) -> Track:
    """``fresh``: which findings have new points; by default all of them. ``overdue``: the letters of findings that are
    overdue; by default no cadence is known."""
    outcome = {"?": Outcome.UNDECIDED, "_": Outcome.NO_DATA} | dict.fromkeys(_REACHED, Outcome.BREACH)
    causes = {"?": Cause.TOO_FEW_POINTS, "_": Cause.NO_POINTS}
    size = len(text)
    nans = array("d", [NAN] * size)
    return Track(
        model,
        of or rule(),
        labels,
        Grid(T0, HOUR, size),
        outcome=array("b", [outcome.get(c, Outcome.OK).code for c in text]),
        severity=array("b", [_REACHED.find(c) for c in text]),
        clear=array("b", [c in ".+" for c in text]),
        improved=array("b", [c == "+" for c in text]),
        cause=array("b", [causes.get(c, Cause.NONE).code for c in text]),
        value=array("d", values if values is not None else [NAN if c in "?_" else _VALUE.get(c, 0.9) for c in text]),
        baseline=array("d", [0.9] * size),
        low=nans,
        high=nans,
        n=nans,
        points=array("i", [0 if c == "_" else 1 for c in text]),
        version=array("i", version if version is not None else [0 if versions else -1] * size),
        versions=versions,
        fresh=array("b", fresh),
        overdue=array("b", [c in overdue for c in text] if overdue else []),
        **more,
    )


def alert(
    rule_name: str = "accuracy",
    kind: str = "accuracy-drop",
    labels: Labels = (),
    *,
    model: str = "churn",
    severity: str = "error",
    state: AlertState = AlertState.FIRING,
) -> Alert:
    finding = track("e", rule(rule_name, kind=kind), labels, model=model).finding(0)
    level = Severity(severity)
    return Alert(model, rule_name, kind, labels, state, level, level, at(0), at(0), None, (), finding, finding)


def config(*rules: Rule, **more: Any) -> Config:
    return Config((Model("churn", rules, **more),), "c1")


def unexplained(*_: object) -> None:
    """Explains nothing."""


def findings(*tracks: Track, notes: tuple[str, ...] = ()) -> ModelFindings:
    return ModelFindings(tracks, notes)


def pull(**more: Any) -> PulledSeries:
    return PulledSeries("churn", **({"series": ()} | more))
