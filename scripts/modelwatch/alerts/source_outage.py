"""Sources that cannot be read, as groups: one for each source, however many models read it.

Nothing is judged then, and no evaluation remembers the one before. So the issue remembers: it is opened by the first
evaluation that fails, and its register says since when. Once that is ``outage.after`` ago, the tier that pages holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..model.alert import (
    SOURCE_OUTAGE,
    Alert,
    AlertState,
    Evidence,
    Group,
    HealthyStreak,
    Judgement,
    SeverityChange,
    SourceFailure,
    group_key,
)
from ..model.finding import Cause, Finding, Outcome
from ..model.monitored_model import Config, Model
from ..model.plan import ModelObservation
from ..model.register import Register
from ..model.rule import Mode
from ..model.series import FailureScope
from ..model.severity import Severity
from .muting import apply_mutes

KIND = "monitoring-silent"
DIGEST = f"built-in {SOURCE_OUTAGE}"
MAX_SHOWN = 10
"""Models whose errors are shown."""


@dataclass(frozen=True, slots=True)
class SourceOutage:
    """A source that cannot be read, and the model whose issue and page stand for it."""

    source: str
    host: Model
    failures: tuple[SourceFailure, ...]

    @property
    def is_misconfigured(self) -> bool:
        """Whether it is only that the configuration names what is not there: no outage, so it pages nobody."""
        return all(failure.scope is FailureScope.CONFIGURATION for failure in self.failures)


def add_source_outages(
    judgement: Judgement, config: Config, observed: Mapping[str, ModelObservation], now: float
) -> Judgement:
    """``judgement`` with a group that fires for each host of an outage, and a quiet one for each that is over.

    Where the issues of the host cannot be read, it is not known since when, and nothing pages before ``after``.
    """
    outages: dict[str, list[SourceOutage]] = {}
    for outage in find_outages(judgement.failures, config):
        outages.setdefault(outage.host.name, []).append(outage)
    failed = {failure.model for failure in judgement.failures}
    groups = []
    for model in config.models:
        register = _newest_register(model, observed.get(model.name))
        if model.name in outages:
            groups.append(_firing_group(model, outages[model.name], _down_since(register, now), now))
        elif register is not None and model.name not in failed:
            groups.append(_answered_group(model, register, now))
    return replace(judgement, groups=(*judgement.groups, *groups)) if groups else judgement


def find_outages(failures: Sequence[SourceFailure], config: Config) -> Iterator[SourceOutage]:
    """The sources that failed, unless only the evaluator lacks something.

    A failure of W&B's server counts as the server's where it hits two models or all that read it; a single one is that
    of the model's own data.
    """
    by_source: dict[tuple[str, ...], list[SourceFailure]] = {}
    for failure in failures:
        model = config.model(failure.model)
        if model is not None and failure.scope is not FailureScope.EVALUATOR:
            by_source.setdefault(_source_key(model, failure.scope), []).append(failure)
    readers: dict[tuple[str, ...], list[Model]] = {}
    for model in config.models if by_source else ():
        for key in {_server_key(model), _data_key(model)}:
            readers.setdefault(key, []).append(model)
    for key, own in _narrow_servers(by_source, readers).items():
        yield SourceOutage(_source_name(key), _choose_host(readers[key]), tuple(own))


def _narrow_servers(
    by_source: Mapping[tuple[str, ...], list[SourceFailure]], readers: Mapping[tuple[str, ...], list[Model]]
) -> dict[tuple[str, ...], list[SourceFailure]]:
    """``by_source`` with the failure of a server that hits one of its models only among those of its data."""
    narrowed: dict[tuple[str, ...], list[SourceFailure]] = {}
    for key, own in by_source.items():
        hit = next((model for model in readers[key] if model.name == own[0].model), None)
        is_alone = key[0] == "server" and len(own) == 1 < len(readers[key])
        narrowed.setdefault(_data_key(hit) if hit and is_alone else key, []).extend(own)
    return narrowed


def _source_key(model: Model, scope: FailureScope) -> tuple[str, ...]:
    return _server_key(model) if scope is FailureScope.SERVER else _data_key(model)


def _server_key(model: Model) -> tuple[str, ...]:
    spec = model.wandb
    return ("server", spec.base_url) if spec is not None and not spec.offline else _data_key(model)


def _data_key(model: Model) -> tuple[str, ...]:
    """Equal for models that read the same W&B project, the same runs on disk or the same table."""
    if model.table is not None:
        return "data", model.table.path
    spec = model.wandb
    if spec is None:
        return "data", model.name
    return ("data", spec.offline) if spec.offline else ("data", f"{spec.entity}/{spec.project}", spec.base_url)


def _source_name(key: tuple[str, ...]) -> str:
    if key[0] == "data":
        return key[1]
    return f"W&B at {key[1]}" if key[1] else "W&B"


def _choose_host(readers: Sequence[Model]) -> Model:
    """The first that opens issues and pages; the same whichever of them fail, so that the outage keeps its issue."""

    def lacks(model: Model) -> tuple[bool, bool]:
        opens = bool(model.github.repository) and model.issue_mode is Mode.ACT and bool(model.outage.do)
        key = model.pagerduty.routing_key is not None or bool(model.pagerduty.key_name)
        return not opens, not (key and model.page_mode is Mode.ACT and "page" in model.outage.do)

    return min(readers, key=lacks)


def _newest_register(model: Model, observation: ModelObservation | None) -> Register | None:
    """What the issue of the newest outage remembers."""
    key = group_key(model.name, SOURCE_OUTAGE)
    registers = (issue.register for issue in (observation.issues if observation else ()) if issue.trusted)
    own = (register for register in registers if register is not None and register.group == key)
    return max(own, key=lambda register: register.episode, default=None)


def _down_since(register: Register | None, now: float) -> float:
    """Since when every evaluation has failed, as far as is known (seconds, UTC)."""
    if register is None or register.closed is not None:
        return now
    if register.flap is None:
        return register.began
    return now if register.flap.quiet_until is not None else max(register.began, register.flap.last)


def _firing_group(host: Model, outages: Sequence[SourceOutage], since: float, now: float) -> Group:
    is_long = now - since >= host.outage.after and not all(outage.is_misconfigured for outage in outages)
    alerts = apply_mutes(host, [_alert(host, outage, since, now) for outage in outages], now)
    unmuted = [alert for alert in alerts if not alert.mutes] or alerts
    failures = [failure for outage in outages for failure in outage.failures]
    notes = [f"{failure.model}: {failure.error}" for failure in failures[:MAX_SHOWN]]
    if len(failures) > MAX_SHOWN:
        notes.append(f"and {len(failures) - MAX_SHOWN} more models")
    do = host.outage.do if is_long else tuple(action for action in host.outage.do if action == "issue")
    return Group(
        model=host.name,
        rule=SOURCE_OUTAGE,
        kind=KIND,
        state=AlertState.FIRING,
        severity=max(alert.severity for alert in unmuted),
        start=since,
        end=None,
        alerts=tuple(alerts),
        clear=tuple(HealthyStreak(alert.fingerprint, ()) for alert in alerts),
        hold=1,
        newest=now,
        config=DIGEST,
        do=do,
        mutes=tuple(dict.fromkeys(mute for alert in unmuted for mute in alert.mutes)),
        evidence=Evidence(notes=tuple(notes)),
        runbook=host.runbook_address(KIND),
    )


def _alert(host: Model, outage: SourceOutage, since: float, now: float) -> Alert:
    """The alert of an outage: at most a warning at first; one that lasts has the severity of the configuration."""
    spec = host.outage
    first, is_long = min(spec.severity, Severity.WARNING), not outage.is_misconfigured and now - since >= spec.after
    severity = spec.severity if is_long else first
    steps = [SeverityChange(since + spec.after, severity)] if is_long else []
    if spec.after > 0 or not is_long:
        steps.insert(0, SeverityChange(since, first))
    finding = Finding(
        model=host.name,
        rule=SOURCE_OUTAGE,
        kind=KIND,
        labels=(("source", outage.source),),
        time=now,
        outcome=Outcome.BREACH,
        severity=severity,
        value=None,
        baseline=None,
        low=None,
        high=None,
        change=None,
        n=None,
        points=len(outage.failures),
        version="",
        improved=False,
        clear=False,
        cause=Cause.UNKNOWN_SOURCE if outage.is_misconfigured else Cause.NONE,
    )
    return Alert(
        model=host.name,
        rule=SOURCE_OUTAGE,
        kind=KIND,
        labels=finding.labels,
        state=AlertState.FIRING,
        severity=severity,
        peak=severity,
        start=steps[0].time,
        fired=steps[0].time,
        end=None,
        steps=tuple(steps),
        finding=finding,
        worst=finding,
    )


def _answered_group(host: Model, register: Register, now: float) -> Group:
    """The host's own data are read again, and it stands for no outage any more: each alert of the episode is over.

    There is one finding, now; it counts twice, since a person who reopened the issue asks for two.
    """
    return Group(
        model=host.name,
        rule=SOURCE_OUTAGE,
        kind=KIND,
        state=AlertState.QUIET,
        severity=None,
        start=None,
        end=None,
        alerts=(),
        clear=tuple(HealthyStreak(alert, (now, now)) for alert in register.alerts),
        hold=1,
        newest=now,
        config=DIGEST,
        runbook=host.runbook_address(KIND),
    )
