"""What came of a workflow that should bring the metric back: under way, in time, and whether its version serves."""

from __future__ import annotations

from ..model.alert import ROLLBACK_FAILED, Group
from ..model.monitored_model import Model
from ..model.register import ESCALATED, DispatchRecord, Register
from ..model.release import RECOVERY_VERBS
from ..timeutil import HOUR

USUAL_LENGTH, USUAL_TRAINING = HOUR, 6 * HOUR
"""A workflow run that takes longer (seconds) counts as stuck: one that moves a release, and any other."""


def is_stuck(record: DispatchRecord, now: float) -> bool:
    """Whether the workflow run takes longer than usual, while it is under way."""
    return now - record.at > (USUAL_LENGTH if record.verb in RECOVERY_VERBS else USUAL_TRAINING)


def recovery_deadline(register: Register, model: Model | None, now: float) -> float | None:
    """By when the metric has to recover after the last workflow that should fix it; ``None`` where none did."""
    record = last_watched_dispatch(register)
    workflow = model.workflow(record.verb) if model and record else None
    if record is None or record.ended is None or record.settled or record.conclusion != "success" or workflow is None:
        return None
    until = record.ended + workflow.settle
    return until if now < until else None


def last_watched_dispatch(register: Register) -> DispatchRecord | None:
    """The newest workflow run to end of those after which the metric has to recover."""
    ended = [record for record in register.dispatches if record.verb in RECOVERY_VERBS and record.ended is not None]
    return max(ended, key=lambda record: record.ended or 0.0, default=None)


def unmoved_version(group: Group, record: DispatchRecord) -> str | None:
    """The version that serves instead of the target of a move that succeeded; empty where no point has come since, and
    ``None`` where the target serves, or nothing says what does."""
    evidence, target, ended = group.evidence, record.target_version, record.ended
    services = {service.version: service.since for service in evidence.health}  # newest service first
    serving = next(iter(services), evidence.version)
    if not target or ended is None or not serving or evidence.data is None:
        return None
    if serving == target:
        is_back = record.version != target and services.get(record.version, ended) > ended
        return record.version if is_back else None
    if serving != record.version and target not in services:
        return None  # the registry may call the version that serves by another name
    return serving if evidence.data.until > ended else ""


def runbook_url(group: Group, register: Register | None, model: Model | None) -> str:
    """The runbook to follow now: that of the rule, or after a rollback that did not take effect the one about it."""
    record = last_watched_dispatch(register) if register else None
    if record is None or model is None or (record.verb, record.settled) != ("rollback", ESCALATED):
        return group.runbook
    took_effect = record.conclusion != "success" or unmoved_version(group, record) is None
    return group.runbook if took_effect else model.runbook_address(ROLLBACK_FAILED) or group.runbook
