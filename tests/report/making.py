"""Findings, alerts, groups and registers with sensible contents, changed by keyword."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modelwatch.model.alert import Alert, AlertState, Evidence, Group, HealthyStreak, Judgement
from modelwatch.model.finding import Cause, Finding, Outcome
from modelwatch.model.monitored_model import GitHubSpec, Model, WorkflowSpec
from modelwatch.model.plan import Change, ChangeKind, Plan
from modelwatch.model.register import DispatchRecord, DispatchState, Register
from modelwatch.model.rule import Limit, LimitKind
from modelwatch.model.severity import Severity

HOUR = 3600.0
NOW = 1_795_176_300.0
"""2026-11-20 12:05 UTC."""
NEWEST = NOW - 300
LATAM = (("region", "latam"),)
DROP = (Limit(LimitKind.DROP, 0.05),)


def finding(**fields: Any) -> Finding:
    plain = Finding(
        model="churn",
        rule="accuracy",
        kind="accuracy-drop",
        labels=(),
        time=NEWEST,
        outcome=Outcome.BREACH,
        severity=Severity.ERROR,
        value=0.85,
        baseline=0.92,
        low=0.84,
        high=0.86,
        change=-0.0761,
        n=12000.0,
        points=24,
        version="v7",
        improved=False,
        clear=False,
        cause=Cause.NONE,
    )
    return replace(plain, **fields)


def alert(newest: Finding | None = None, **fields: Any) -> Alert:
    newest = newest or finding()
    plain = Alert(
        model="churn",
        rule="accuracy",
        kind="accuracy-drop",
        labels=newest.labels,
        state=AlertState.FIRING,
        severity=Severity.ERROR,
        peak=Severity.ERROR,
        start=NEWEST - 10 * HOUR,
        fired=NEWEST - 9 * HOUR,
        end=None,
        steps=(),
        finding=newest,
        worst=newest,
    )
    return replace(plain, **fields)


def group(*alerts: Alert, **fields: Any) -> Group:
    plain = Group(
        model="churn",
        rule="accuracy",
        kind="accuracy-drop",
        state=AlertState.FIRING,
        severity=Severity.ERROR,
        start=NEWEST - 10 * HOUR,
        end=None,
        alerts=alerts or (alert(),),
        clear=(),
        hold=3,
        newest=NEWEST,
        config="digest",
        do=("issue", "page"),
        evidence=Evidence(),
        runbook="https://example.org/runbooks/accuracy-drop.md",
        limits=DROP,
    )
    return replace(plain, **fields)


def clear(of: Alert, times: int) -> HealthyStreak:
    return HealthyStreak(of.fingerprint, tuple(NEWEST - place * HOUR for place in range(times)))


def register(**fields: Any) -> Register:
    plain = Register(
        group=group().key,
        model="churn",
        rule="accuracy",
        episode=1,
        start=NEWEST - 10 * HOUR,
        severity=Severity.ERROR,
        peak=Severity.ERROR,
        config="digest",
        config_since=NEWEST - 10 * HOUR,
    )
    return replace(plain, **fields)


def record(**fields: Any) -> DispatchRecord:
    plain = DispatchRecord(f"{group().key}.1.rollback.1", "rollback", DispatchState.PROPOSED, NOW, version="v7")
    return replace(plain, **fields)


def model(**fields: Any) -> Model:
    workflows = (WorkflowSpec("retrain", "retrain.yml"), WorkflowSpec("rollback", "rollback.yml"))
    plain = Model("churn", (), owner="@acme/ml", github=GitHubSpec(repository="acme/churn-model"), workflows=workflows)
    return replace(plain, **fields)


def judgement(*groups: Group, **fields: Any) -> Judgement:
    return replace(Judgement(NOW, "digest", groups), **fields)


def change(kind: ChangeKind = ChangeKind.OPEN_ISSUE, **fields: Any) -> Change:
    return replace(Change(kind, "churn", group().key, "accuracy is error", Severity.ERROR), **fields)


def plan(*changes: Change, **fields: Any) -> Plan:
    return replace(Plan(NOW, "digest", changes, (), (group(),)), **fields)
