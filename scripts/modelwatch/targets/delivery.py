"""Reports what could not be delivered through the channel that works: by a comment on the issue, or by an incident.

A page, a dispatch or a message that failed is one comment on the issue, and not another until it was delivered. Issues
that could not be written are one incident of the model, of kind ``delivery-failed``, resolved as soon as an issue of
the model can be written. An alert that pages needs none: its own page says that GitHub could not be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ..errors import UserError, shorten
from ..model.alert import DELIVERY_FAILED, Group, group_key
from ..model.ledger import EntryKind
from ..model.monitored_model import Model
from ..model.plan import UNOBSERVABLE, ChangeKind, ChangeResult, Plan, Receipt
from ..model.register import DeliveryFailure, Register
from ..model.rule import Mode
from ..model.severity import Severity
from ..model.target import Target
from ..report.comments import undelivered_text
from ..report.drill import mark_drill
from ..report.markdown import plain_line
from .base import GroupRun
from .register.authorization import trusted_authors
from .register.client import IssueClient
from .register.ledger import add_entries, make_entry
from .sessions import TargetSessions

SEVERITY = Severity.WARNING
"""Of the incident: the alerts that could not be written page nobody."""
REPORTED_KINDS = (ChangeKind.TRIGGER_INCIDENT, ChangeKind.DISPATCH_WORKFLOW, ChangeKind.SEND_MESSAGE)
"""What somebody has to know about, if it fails. The others are repeated, and nobody waits for them."""
MAX_NAMED = 5
_ISSUE_KINDS = (ChangeKind.OPEN_ISSUE, ChangeKind.UPDATE_ISSUE, ChangeKind.REOPEN_ISSUE)


def comment_on_failures(run: GroupRun, client: IssueClient, failures: Mapping[str, str]) -> None:
    """Comment once on each effect that failed, and note in the register what is not delivered. Raises UserError.

    ``failures``: effect -> what failed, empty where it was delivered.
    """
    issue, register = run.issue, run.register
    if issue is None or register is None or not failures:
        return
    known = {failure.what for failure in register.undelivered}
    model, spec = run.model(register.model), run.sessions.github_spec(register.model)
    for what, text in failures.items():
        if text and what not in known:
            # The same until the next page: a crash after the comment does not repeat it.
            since = int(register.page.at) if register.page else 0
            key = f"{register.group}.{register.episode}.{DELIVERY_FAILED}.{what}.{since}"
            comment = run.redact(undelivered_text(text, model))
            client.comment_once(issue.number, key, comment, trusted_authors(client, spec))
    run.updates.append(lambda register: _note_failures(register, failures, run.now))


def _note_failures(register: Register, failures: Mapping[str, str], now: float) -> Register:
    known = {failure.what: failure for failure in register.undelivered}
    entries = []
    for what, text in failures.items():
        if text and what not in known:
            known[what] = DeliveryFailure(what, now)
            key = f"undelivered.{what}.{int(now)}"
            entries.append(make_entry(key, now, EntryKind.DELIVERY, f"{what} failed", why=text))
        elif not text and what in known:
            key = f"delivered.{what}.{int(known.pop(what).since)}"
            entries.append(make_entry(key, now, EntryKind.DELIVERY, f"{what} works again"))
    return add_entries(replace(register, undelivered=tuple(known.values())), *entries)


def report_unwritten_issues(
    plan: Plan, receipts: Sequence[Receipt], sessions: TargetSessions, now: float, run_url: str
) -> list[Receipt]:
    """Trigger an incident for each model with alerts that page nobody and whose issue could not be written; resolve it
    for the models whose issues were written. Never raises."""
    problems = _unwritten(plan, receipts)
    for name in sorted(_written(plan, receipts) - problems.keys()):
        model = sessions.config.model(name)
        if model is not None and _has_both_channels(model):
            with suppress(UserError):  # the next change of an issue tries again
                _resolve(sessions, model)
    sent = []
    for name in sorted(problems)[: sessions.config.blast_radius.pages]:
        model = sessions.config.model(name)
        if model is None or not _has_both_channels(model):
            continue
        result, detail, key = ChangeResult.DONE, "", group_key(name, DELIVERY_FAILED)
        try:
            _trigger(sessions, model, key, problems[name], now, run_url)
        except UserError as error:
            result, detail = ChangeResult.FAILED, shorten(error)
        change, kind = f"{DELIVERY_FAILED}:{name}", ChangeKind.TRIGGER_INCIDENT
        sent.append(Receipt(change, kind, name, key, result, now, detail))
    return sent


def _has_both_channels(model: Model) -> bool:
    pages = model.page_mode is Mode.ACT and not model.pagerduty.missing_key_reason
    return pages and bool(model.github.repository)


def _unwritten(plan: Plan, receipts: Sequence[Receipt]) -> dict[str, list[tuple[Group, str]]]:
    """The groups of each model that page nobody, with why their issues could not be written."""
    reasons = {
        skip.group: skip.reason
        for skip in plan.skips
        if skip.guard == UNOBSERVABLE and skip.what == ChangeKind.OPEN_ISSUE
    }
    reasons |= {
        receipt.group: receipt.detail
        for receipt in receipts
        if receipt.result is ChangeResult.FAILED and receipt.kind in _ISSUE_KINDS
    }
    found: dict[str, list[tuple[Group, str]]] = {}
    for group in plan.groups:
        if group.key in reasons and group.do and not group.mutes and "page" not in group.do:
            found.setdefault(group.model, []).append((group, reasons[group.key]))
    return found


def _written(plan: Plan, receipts: Sequence[Receipt]) -> set[str]:
    """Models with an issue that was written, of an alert that has paged nobody."""
    done = {receipt.change for receipt in receipts if receipt.result is ChangeResult.DONE}
    paging = {group.key for group in plan.groups if "page" in group.do}
    written = (change for change in plan.changes if change.kind.target is Target.ISSUE and change.id in done)
    return {
        change.model
        for change in written
        if change.group not in paging and change.register is not None and change.register.page is None
    }


def _resolve(sessions: TargetSessions, model: Model) -> None:
    """Resolve the incident, where one can be open: PagerDuty drops a resolve that is not needed."""
    incidents, key = sessions.incidents(model), group_key(model.name, DELIVERY_FAILED)
    newest = incidents.latest_incident(key) if incidents else {}
    if newest is not None and newest.get("status") != "resolved":
        sessions.events(model.name).resolve(key)


def _trigger(
    sessions: TargetSessions, model: Model, key: str, problems: Sequence[tuple[Group, str]], now: float, run_url: str
) -> None:
    names = ", ".join(f"{group.rule} ({group.severity})" for group, _ in problems[:MAX_NAMED])
    more = f" and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
    reason = problems[0][1]
    runbook = f"{model.runbook_base}/{DELIVERY_FAILED}.md" if model.runbook_base else ""
    details = {
        "next": "Look at these alerts yourself (modelwatch check), then find out why GitHub cannot be written.",
        "alerts": plain_line(names + more, 500),
        "problem": plain_line(reason, 500),
        "resolved": "automatically, when an issue of this model is written again",
    }
    summary = plain_line(f"{model.name}: no issue could be written for {names}{more}: {reason}", 1000)
    redact = sessions.redactor.redact
    sessions.events(model.name).trigger(
        key,
        summary=redact(mark_drill(summary, model)),
        source=f"modelwatch/{model.name}",
        severity=str(SEVERITY),
        timestamp=now,
        component=model.pagerduty.service,
        group=model.name,
        klass=DELIVERY_FAILED,
        details=redact(details),
        links=[(text, url) for text, url in (("Runbook", runbook), ("Workflow run", run_url)) if url],
    )
