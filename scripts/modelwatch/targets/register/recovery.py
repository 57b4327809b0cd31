"""Decides whether a group has recovered, and what proof is missing if not."""

from __future__ import annotations

from ...model.alert import AlertState, Group, HealthyStreak
from ...model.alert import fingerprint as identity
from ...model.register import FollowerRecord, Register
from ...model.series import format_labels
from ...report.formatting import number, percent, utc_time

MAX_SHOWN = 3


def missing_proof(group: Group, register: Register) -> str:
    """What is missing, as text; the empty string if recovery is confirmed.

    Every alert that fired in the episode, is pending or was resolved recently needs ``hold`` clear findings in a row,
    whose windows share no data where points alone prove nothing. All are later than the start of the episode and the
    last change of the rule. Where a person reopened an issue that modelwatch had closed, it needs twice as many, all
    later than that. Where the group flaps, they are later than its quiet time. Missing data proves nothing.
    """
    if group.state is AlertState.FIRING:
        return "it is still firing"
    if register.config != group.config:
        return "the rule or its baseline was changed since: recovery has to be confirmed anew"
    need = group.hold if register.reopened is None else 2 * group.hold
    quiet_until = register.flap.quiet_until if register.flap else None
    if quiet_until is not None and group.newest <= quiet_until:
        return f"it flaps, and healthy evaluations count after {utc_time(quiet_until)}"
    after = max(register.proof_since, quiet_until or 0.0)
    fingerprints = {*register.alerts, *(alert.fingerprint for alert in group.alerts)}
    return unproven_alerts(group, tuple(sorted(fingerprints)), after, need) or _moved_baseline(group, register)


def _moved_baseline(group: Group, register: Register) -> str:
    """Why a clear series has not recovered: it is still as bad, and its baseline has moved into the incident.

    A rolling baseline does that once the history no longer reaches back to the onset. Halfway back to the baseline that
    the worst finding was compared with is enough; a person who accepts the level closes the issue.
    """
    impact = register.impact
    if impact is None or not impact.baseline or register.config_since > register.start:
        return ""
    values = [clear.newest_value for clear in group.clear if clear.fingerprint == impact.alert]
    if not values or values[0] is None:
        return ""
    now, worst = values[0] - impact.baseline, impact.value - impact.baseline
    if worst == 0.0 or now / worst < 0.5:
        return ""
    return (
        f"{impact.where or 'the whole'} still lies {percent(now / abs(impact.baseline))} from the baseline of when it "
        f"fired, {number(impact.baseline)}; today's baseline lies within the incident. Close the issue if this level "
        "is to stay"
    )


def missing_follower_proof(record: FollowerRecord, group: Group | None, register: Register) -> str:
    """What is missing of a group that the one of ``register`` led; the empty string if its recovery is confirmed."""
    if group is None:
        return "it was not judged, which proves nothing"
    if group.state is AlertState.FIRING:
        return "it is still firing"
    need = group.hold if register.reopened is None else 2 * group.hold
    fingerprints = {*record.alerts, *(alert.fingerprint for alert in group.alerts)}
    after = max(record.start, register.reopened or record.start)
    return unproven_alerts(group, tuple(sorted(fingerprints)), after, need)


def unproven_alerts(group: Group, fingerprints: tuple[str, ...], after: float, need: int) -> str:
    """Which of ``fingerprints`` lack ``need`` clear findings later than ``after``."""
    clears = {clear.fingerprint: clear for clear in group.clear}
    known = ((), *(finding.labels for finding in group.evidence.segments), *(alert.labels for alert in group.alerts))
    names = {identity(group.model, group.rule, labels): format_labels(labels) or "the whole" for labels in known}
    gone = {alert.fingerprint for alert in group.alerts if alert.gone}
    missing = []
    for fingerprint in fingerprints:
        name = names.get(fingerprint, "an alert of this episode")
        reason = _missing_streak(clears.get(fingerprint), after, need)
        if reason:
            missing.append(f"{name}: {'gone, ' if fingerprint in gone else ''}{reason}")
    if not fingerprints:
        return "no alert of the group is known: nothing proves that it recovered"
    more = f" (and {len(missing) - MAX_SHOWN} more)" if len(missing) > MAX_SHOWN else ""
    return "; ".join(missing[:MAX_SHOWN]) + more


def _missing_streak(clear: HealthyStreak | None, after: float, need: int) -> str:
    if clear is None:
        return "its series is missing, which proves nothing"
    later = sum(time > after for time in clear.times)
    if later >= need:
        return ""
    return f"{later} of {need} healthy {'windows that share no data' if clear.apart else 'evaluations in a row'}"
