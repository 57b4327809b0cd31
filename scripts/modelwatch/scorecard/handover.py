"""Makes the handover page from the records on the issues and the configuration; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..model.handover import (
    ConfiguredSilence,
    Handover,
    HandoverAlert,
    HandoverChange,
    LearnedAlert,
    WaitingProposal,
)
from ..model.ledger import EntryKind
from ..model.monitored_model import Config, Silence
from ..model.register import DispatchState, Register
from ..model.scorecard import EpisodeRecord, LedgerAlert
from ..report.comments import mute_sentence
from ..timeutil import WEEK
from .alerts import ledger_alert

MAX_CHANGES = 20


def make_handover(
    config: Config, records: Sequence[EpisodeRecord], now: float, problems: Sequence[str] = ()
) -> Handover:
    """What is under way, waits and is muted at ``now``; what changed and ended in the week before."""
    alerts = [(record, ledger_alert(record)) for record in records]
    is_open = [record for record, alert in alerts if alert.is_open]
    changes = sorted((change for record in records for change in _changes(record, now - WEEK)), key=lambda one: -one.at)
    return Handover(
        now,
        tuple(
            sorted((_open_alert(record, now) for record in is_open), key=lambda one: (-one.severity.code, one.since))
        ),
        tuple(proposal for record in is_open for proposal in _proposals(record)),
        tuple(_silence(silence) for model in config.models for silence in model.silences if silence.until > now),
        tuple(dict.fromkeys(changes))[:MAX_CHANGES],
        tuple(sorted((one for _, alert in alerts for one in _learned(alert, now)), key=lambda one: -one.ended)),
        tuple(problems),
    )


def _open_alert(record: EpisodeRecord, now: float) -> HandoverAlert:
    register = record.register
    tried = ", ".join(f"{flow.verb}: {flow.conclusion or flow.state}" for flow in register.dispatches)
    return HandoverAlert(
        register.model,
        register.rule,
        record.number,
        record.url,
        register.severity,
        register.start,
        _holder(register),
        tried,
        mute_sentence(None, register, now),
        register.flap.fired if register.flap else 1,
    )


def _holder(register: Register) -> str:
    """Who acknowledged it, on the issue or at PagerDuty."""
    if register.ack_until is not None and register.ack_by:
        return register.ack_by
    return register.page.status_person if register.page else ""


def _proposals(record: EpisodeRecord) -> Iterator[WaitingProposal]:
    register = record.register
    for flow in register.dispatches:
        if flow.state is DispatchState.PROPOSED:
            name = (register.model, register.rule, record.number, record.url)
            yield WaitingProposal(*name, flow.name, flow.target_version, flow.at)


def _silence(silence: Silence) -> ConfiguredSilence:
    match = silence.match
    labels = [f"{name}={value}" for name, value in match.labels]
    what = " ".join(filter(None, (match.model, match.rule, match.kind, *labels))) or "everything"
    return ConfiguredSilence(what, silence.until, silence.owner, silence.reason)


def _changes(record: EpisodeRecord, since: float) -> Iterator[HandoverChange]:
    model, rule = record.register.model, record.register.rule
    for entry in record.entries:
        if entry.at < since:
            continue
        if entry.kind is EntryKind.RULE:
            yield HandoverChange(entry.at, model, f"{entry.what}", rule, entry.who, record.url)
        elif entry.kind is EntryKind.MOVE:
            yield HandoverChange(entry.at, model, entry.what, entry.why, entry.who, entry.url)


def _learned(alert: LedgerAlert, now: float) -> Iterator[LearnedAlert]:
    if alert.recovered is None or not now - WEEK <= alert.recovered <= now:
        return
    helping = next((flow.verb for flow in alert.workflows if flow.helped), "")
    moved = "a move to another version" if alert.mitigated is not None else ""
    yield LearnedAlert(
        alert.model,
        alert.rule,
        alert.number,
        alert.url,
        alert.recovered,
        alert.recovered - alert.began,
        helping or moved,
        alert.false_reason,
    )
