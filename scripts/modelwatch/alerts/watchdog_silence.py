"""The silence of the watchdog workflow, as a group: no successful run of it for twice its period.

It belongs to the first model of the configuration, whose issues and labels it uses. Nothing has to be remembered: the
last successful run says since when, and a newer one proves that it is over.
"""

from __future__ import annotations

from dataclasses import replace

from ..model.alert import (
    WATCHDOG,
    WATCHDOG_SILENT,
    Alert,
    AlertState,
    Evidence,
    Group,
    HealthyStreak,
    Judgement,
    SeverityChange,
    fingerprint,
)
from ..model.finding import Cause, Finding, Outcome
from ..model.monitored_model import Config, Model
from ..model.self_monitoring import WatchdogRuns, WatchdogSpec
from ..model.severity import Severity
from ..timeutil import format_utc
from .muting import apply_mutes

DIGEST = f"built-in {WATCHDOG_SILENT}"
SEVERITY = Severity.WARNING


def watchdog_host(config: Config) -> Model | None:
    """The model whose issue says that the watchdog is silent; ``None`` where another evaluation has it: a shard looks
    only if it has the first model."""
    first = config.all_models[0] if config.all_models else ""
    return config.model(first) if config.watchdog is not None else None


def add_watchdog_silence(judgement: Judgement, config: Config, runs: WatchdogRuns | None, now: float) -> Judgement:
    """``judgement`` with the group of the silence. ``runs``: as GitHub lists them; where they cannot be read, nothing
    opens or closes."""
    host, spec = watchdog_host(config), config.watchdog
    if host is None or spec is None or runs is None or runs.error:
        return judgement
    return replace(judgement, groups=(*judgement.groups, _group(host, spec, runs, now)))


def _group(host: Model, spec: WatchdogSpec, runs: WatchdogRuns, now: float) -> Group:
    key = fingerprint(host.name, WATCHDOG_SILENT, ())
    due = now if runs.since is None else runs.since + 2 * spec.every
    quiet = Group(
        model=host.name,
        rule=WATCHDOG_SILENT,
        kind=WATCHDOG,
        state=AlertState.QUIET,
        severity=None,
        start=None,
        end=None,
        alerts=(),
        # There is one finding, the newest run; it counts twice, since a person who reopened the issue asks for two.
        clear=(HealthyStreak(key, (runs.succeeded,) * 2 if runs.succeeded is not None else ()),),
        hold=1,
        newest=now,
        config=DIGEST,
        runbook=host.runbook_address(WATCHDOG),
    )
    if runs.since is not None and now < due:
        return quiet
    alerts = tuple(apply_mutes(host, [_alert(host, due, now)], now))
    return replace(
        quiet,
        state=AlertState.FIRING,
        severity=SEVERITY,
        start=due,
        alerts=alerts,
        clear=(HealthyStreak(key, ()),),
        do=("issue",),
        mutes=alerts[0].mutes,
        evidence=Evidence(notes=(_note(spec, runs),)),
    )


def _note(spec: WatchdogSpec, runs: WatchdogRuns) -> str:
    if runs.since is None:
        return f"there is no workflow {spec.workflow} in {runs.repository}"
    if runs.succeeded is None:
        return f"{spec.workflow} in {runs.repository} has never succeeded since {format_utc(runs.since)}"
    return f"{spec.workflow} in {runs.repository} succeeded last at {format_utc(runs.succeeded)}"


def _alert(host: Model, since: float, now: float) -> Alert:
    finding = Finding(
        model=host.name,
        rule=WATCHDOG_SILENT,
        kind=WATCHDOG,
        labels=(),
        time=now,
        outcome=Outcome.BREACH,
        severity=SEVERITY,
        value=None,
        baseline=None,
        low=None,
        high=None,
        change=None,
        n=None,
        points=1,
        version="",
        improved=False,
        clear=False,
        cause=Cause.NONE,
    )
    return Alert(
        model=host.name,
        rule=WATCHDOG_SILENT,
        kind=WATCHDOG,
        labels=(),
        state=AlertState.FIRING,
        severity=SEVERITY,
        peak=SEVERITY,
        start=since,
        fired=since,
        end=None,
        steps=(SeverityChange(since, SEVERITY),),
        finding=finding,
        worst=finding,
    )
