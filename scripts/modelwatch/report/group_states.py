"""The states of alert groups as text, and the line that counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..model.alert import MONITORING_SILENT, AlertState, Group, Judgement
from ..model.finding import Cause, Outcome
from ..model.series import FailureScope, is_about_name
from ..model.severity import Severity

_QUIET_STATES = {"pending": "pending", "healthy": "healthy", "undecided": "undecided", "no data": "without data"}
"""State of a group -> as the summary counts it."""
_STATE_ORDER = {AlertState.FIRING: 0, AlertState.PENDING: 1, AlertState.RESOLVED: 2, AlertState.QUIET: 3}


def summary_line(judgement: Judgement) -> str:
    """``2 firing (1 critical, 1 warning), 7 healthy, 1 without data, 1 source down``; counts rules."""
    groups = listed_groups(judgement)
    firing = [group for group in groups if group.state is AlertState.FIRING]
    parts = [f"{len(firing)} firing ({_severity_counts(firing)})"] if firing else []
    counts = Counter(_quiet_state(group) for group in groups if group.state is not AlertState.FIRING)
    parts += [f"{counts[state]} {word}" for state, word in _QUIET_STATES.items() if counts[state]]
    for title, failed in Counter(failure_title(failure.scope) for failure in judgement.failures).items():
        parts.append(f"{failed} {title if failed == 1 else title.replace('source', 'sources')}")
    return ", ".join(parts) or "nothing to judge"


def failure_title(scope: FailureScope) -> str:
    """How a source failed."""
    return "source not found" if scope.is_name else "source down"


def _quiet_state(group: Group) -> str:
    if group.state is AlertState.PENDING:
        return "pending"
    outcome = group.latest.outcome if group.latest else Outcome.OK
    return {Outcome.UNDECIDED: "undecided", Outcome.NO_DATA: "no data"}.get(outcome, "healthy")


def _severity_counts(firing: Sequence[Group]) -> str:
    counts = Counter(group.severity for group in firing if group.severity)
    muted = sum(bool(group.mutes) for group in firing)
    parts = [f"{counts[severity]} {severity}" for severity in reversed(Severity) if counts[severity]]
    parts = [str(firing[0].severity)] if len(firing) == 1 else parts
    return ", ".join(parts + ([f"{muted} muted" if len(firing) > 1 else "muted"] if muted else []))


def listed_groups(judgement: Judgement) -> list[Group]:
    """Every group but the quiet built-in ones, the most severe first."""
    groups = [group for group in judgement.groups if not (group.built_in and group.state is AlertState.QUIET)]
    return sorted(
        groups, key=lambda group: (_STATE_ORDER[group.state], _severity_order(group), group.model, group.rule)
    )


def _severity_order(group: Group) -> int:
    return -group.severity.code if group.severity else 0


def group_state(group: Group) -> str:
    """``error``, ``error (muted)``, ``pending``, ``recovered``, ``healthy``, ``no data``, ``undecided``."""
    if group.state is AlertState.FIRING:
        return f"{group.severity}{' (muted)' if group.mutes else ''}"
    return "recovered" if group.state is AlertState.RESOLVED else _quiet_state(group)


def wrong_name(group: Group) -> str:
    """The note about a name in the configuration that can be why a metric was never logged; empty where there is none,
    and for every other alert."""
    alert = group.alerts[0] if group.alerts else None
    if group.rule != MONITORING_SILENT or alert is None or alert.finding.cause is not Cause.NO_DATA_YET:
        return ""
    return next(filter(is_about_name, group.evidence.notes), "")
