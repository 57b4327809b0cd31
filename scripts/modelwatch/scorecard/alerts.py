"""The times that count of one alert, from its register and its ledger; pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.backtest import Marks
from ..model.ledger import (
    MODELWATCH,
    PAGERDUTY,
    RECOVERED,
    UNKNOWN,
    WORKFLOW,
    EntryKind,
    LedgerEntry,
    find_setback,
    find_successes,
)
from ..model.register import DispatchRecord
from ..model.scorecard import AlertWorkflow, EpisodeRecord, LedgerAlert
from ..model.verdict import false_reason
from ..targets.past_episodes import EFFECT_WITHIN

NO_MARKS = Marks()
_NOBODY = (MODELWATCH, WORKFLOW, PAGERDUTY, UNKNOWN, "")
_ACTS = (EntryKind.COMMAND, EntryKind.ISSUE, EntryKind.PAGE, EntryKind.MOVE, EntryKind.DISPATCH)


def ledger_alerts(records: Sequence[EpisodeRecord], marks: Marks = NO_MARKS) -> tuple[LedgerAlert, ...]:
    """The alerts of all records, oldest first."""
    alerts = (ledger_alert(record, marks) for record in records)
    return tuple(sorted(alerts, key=lambda alert: (alert.began, alert.repository, alert.number)))


def ledger_alert(record: EpisodeRecord, marks: Marks = NO_MARKS) -> LedgerAlert:
    """The alert of one issue, with what people marked in files.

    * It *began* with the incident that people marked at that time, else with the first breach of the evaluation.
    * It was *detected* when the issue was opened or the on-call paged, whichever came first.
    * It was *acknowledged* by the first thing that a person did after that: an accepted command, closing or reopening
      the issue, acknowledging or resolving the incident, moving a version, running a workflow again.
    * It was *mitigated* at the end of the action that helped: the last workflow run or move that succeeded before it
      recovered, at most a day before, where nothing got worse and nobody was called in between.
    * It *recovered* when the last proof of recovery says so; not before modelwatch could close it.
    """
    register, entries = record.register, record.entries
    recovered = _recovery_time(record)
    marked = _marked_start(record, recovered, marks)
    pages = [entry.at for entry in entries if entry.kind is EntryKind.PAGE and "incident triggered" in entry.what]
    opened = [entry.at for entry in entries if entry.kind is EntryKind.ISSUE and entry.what.startswith("opened")]
    detected = min([*opened, *pages], default=register.start)
    acts = [entry.at for entry in entries if is_act_of_person(entry)]
    success = _find_success(record, recovered)
    workflows = tuple(_workflow(dispatch, success) for dispatch in register.dispatches)
    return LedgerAlert(
        model=register.model,
        rule=register.rule,
        repository=record.repository,
        number=record.number,
        url=record.url,
        peak=register.peak,
        began=register.start if marked is None else marked,
        is_marked=marked is not None,
        detected=detected,
        paged=min(pages, default=None),
        acknowledged=min((at for at in acts if at >= detected), default=None),
        mitigated=success.at if success else None,
        recovered=recovered,
        pages=len(pages),
        false_reason=_false_reason(record) or _false_mark(record, recovered, marks),
        is_open=recovered is None,
        answered_alone=recovered is not None
        and any(workflow.is_automatic for workflow in workflows)
        and not any(register.start <= at <= recovered for at in acts),
        followers=tuple((other.model, other.rule) for other in register.followers if not other.issue),
        workflows=workflows,
        gaps=_gaps(record),
    )


def is_act_of_person(entry: LedgerEntry) -> bool:
    """Whether a person did it; commands that were refused or not understood do not count."""
    if entry.kind not in _ACTS or entry.who in _NOBODY or entry.who.endswith("[bot]"):
        return False
    return entry.kind is not EntryKind.COMMAND or not entry.what.endswith((", refused", ", invalid"))


def _recovery_time(record: EpisodeRecord) -> float | None:
    if record.register.closed is None:
        return None
    times = [entry.at for entry in record.entries if entry.kind is EntryKind.RECOVERY and entry.what == RECOVERED]
    return times[-1] if times else record.register.closed


def _find_success(record: EpisodeRecord, recovered: float | None) -> LedgerEntry | None:
    """The action that helped; ``None`` where none is on record."""
    if recovered is None:
        return None
    success = next(reversed(find_successes(record.entries, recovered)), None)
    if success is None or success.at < record.register.start or recovered - success.at > EFFECT_WITHIN:
        return None
    return None if find_setback(record.entries, success, recovered) else success


def _workflow(record: DispatchRecord, success: LedgerEntry | None) -> AlertWorkflow:
    return AlertWorkflow(
        record.key,
        record.verb,
        record.state,
        record.at,
        record.by,
        record.conclusion,
        record.ended,
        success is not None and success.key == f"{record.run_name}.finished",
        record.url,
    )


def _false_reason(record: EpisodeRecord) -> str:
    closing = record.state_reason if record.state == "closed" else ""
    return false_reason(record.register, record.entries, record.labels, closing, closed_by_bot=record.closed_by_bot)


def _gaps(record: EpisodeRecord) -> str:
    lost = record.register.ledger.lost
    texts = [record.damage, f"{lost} entries had no room" if lost else ""]
    return "; ".join(filter(None, texts))


def _marked_start(record: EpisodeRecord, recovered: float | None, marks: Marks) -> float | None:
    """When the earliest marked incident of the rule began that overlaps the alert; ``None`` where none does."""
    register = record.register
    starts = (
        incident.start
        for incident in marks.incidents
        if incident.model == register.model
        and incident.is_about(register.rule)
        and _overlaps(incident.start, incident.end, register.start, recovered)
    )
    return min(starts, default=None)


def _false_mark(record: EpisodeRecord, recovered: float | None, marks: Marks) -> str:
    register = record.register
    is_marked = any(
        mark.model == register.model
        and mark.rule in ("", register.rule)
        and _overlaps(mark.start, mark.end, register.start, recovered)
        for mark in marks.false_marks
    )
    return "marked as false in a file" if is_marked else ""


def _overlaps(start: float, end: float, began: float, recovered: float | None) -> bool:
    return end >= began and (recovered is None or start <= recovered)
