"""The texts about a change that issues and messages share: title, comment and timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from ..model.acknowledgement import ACKNOWLEDGEMENT_LENGTH, can_get_worse, mute_text, person_mute
from ..model.alert import DELIVERY_FAILED, AlertState, Group
from ..model.ledger import MODELWATCH, PAGERDUTY, EntryKind, LedgerEntry
from ..model.monitored_model import FlappingSpec, Model
from ..model.plan import Note
from ..model.register import ACKNOWLEDGED, PAGE_TRIGGERED, DispatchRecord, DispatchState, PageRecord, Register
from ..model.release import RECOVERY_VERBS
from .affected_alerts import worse_follower
from .alert_phrase import describe_alert, describe_title, recovery_time
from .explanation import Quote
from .formatting import duration, local_time, utc_time
from .ledger_table import entry_count, ledger_table, plain_words
from .markdown import code, known_phrase, known_word, link, mention, plain_line, table
from .move_effect import recovery_deadline
from .next_steps import approval_instruction, is_muted, paging_sentence, target_clause


def issue_title(group: Group, register: Register) -> str:
    """``[error] churn: accuracy (region=eu alone) below its baseline (limit 5 %)``; one line, 200 characters.

    It changes with the severity alone: values are on the issue.
    """
    if group.state is AlertState.FIRING:
        return plain_line(f"[{register.severity}] {group.model}: {register.title or describe_title(group)}")
    state = "recovered" if register.closed is not None else "recovering"
    subject = f" {describe_alert(group).subject}" if group.built_in and group.alerts else ""
    if count := len({record.group for record in register.followers}):
        # The worst may have been one that it led.
        others = f" and {count} other {'alert' if count == 1 else 'alerts'}"
        return plain_line(f"[{state}] {group.model}: {group.rule}{subject}{others} (at worst {register.peak})")
    return plain_line(f"[{state}] {group.model}: {group.rule}{subject} (was {register.peak})")


def comment_text(
    note: Note,
    group: Group | None,
    register: Register,
    now: float,
    model: Model | None = None,
    entries: Sequence[LedgerEntry] = (),
) -> str:
    """The comment for ``note``; a topic without its own sentence shows the note's detail. ``entries``: the ledger."""
    detail = code(note.detail, 500) if note.detail else ""
    match note.topic:
        case "opened":
            return f"Opened at {utc_time(now)}: {_alert_state(group, register)}."
        case "worse":
            return f"**Worse: now {register.severity}.** {_alert_state(group, register)}."
        case "better":
            return f"Better: now {register.severity} (peak: {register.peak}). {_alert_state(group, register)}."
        case "recovered":
            return _recovery_comment(group, register, now, entries)
        case "reopened" | "expired":
            return f"{known_phrase(note.detail) or 'Firing again'}. {_alert_state(group, register)}."
        case "workflow":
            return f"{_run_outcome(note, group, register, now, model) or f'Workflow: {detail}'}{_mentions(note, model)}"
        case "escalated":
            return f"**Escalated.** {detail}{_mentions(note, model)}"
        case "stuck":
            return f"**Does not end.** {detail}{_mentions(note, model)}"
        case "lost":
            return f"**Never started.** {detail}{_mentions(note, model)}"
        case "proposal":
            return _proposal(note, register, detail, model)
        case "reminder":
            return f"**Still waiting for a decision.** {detail}{_mentions(note, model)}"
        case _:
            return f"{plain_line(note.topic, 40).capitalize()}: {detail}"


def undelivered_text(failure: str, model: Model | None) -> str:
    """The comment on a page, a dispatch or a message that failed: what failed, and who has to look."""
    base = model.runbook_base if model else ""
    runbook = f" What to do: {link(code(DELIVERY_FAILED), f'{base}/{DELIVERY_FAILED}.md')}." if base else ""
    owner = f"\n\ncc {mention(model.owner)}" if model and model.owner else ""
    return f"**Not delivered.** {code(failure, 400)}\n\nNotify the people who have to know of it.{runbook}{owner}"


def mute_sentence(group: Group | None, register: Register | None, now: float) -> str:
    """Who muted the group until when, as plain text: by the configuration, by another alert, or on the issue."""
    if group is not None and group.mutes:
        return mute_text(group.mutes[0])
    severity = group.severity if group else None
    said = person_mute(register, severity or register.severity, now) if register else None
    return mute_text(said) if said else ""


def next_page_sentence(register: Register | None, model: Model | None, now: float, quote: Quote = plain_line) -> str:
    """Until when the page waits, or an acknowledgement at PagerDuty holds; empty where neither is so."""
    if register is None or register.closed is not None:
        return ""
    if register.page_after is not None and now < register.page_after:
        opening = local_time(register.page_after, model.timezone if model else "")
        return f"The page waits until {opening}: it is not urgent, and working hours begin then."
    page = register.page
    if page is None or page.state != PAGE_TRIGGERED or page.status != ACKNOWLEDGED:
        return ""
    if person_mute(register, register.severity, now) is not None:  # whose end is shown instead
        return ""
    by = f" by {quote(page.status_person)}" if page.status_person else ""
    worse = ", or when it gets worse" if can_get_worse(page.severity) else ""
    until, condition = min(_next_pages(register, page, model, now))
    return f"Acknowledged at PagerDuty{by}: the on-call is paged again if {condition} at {utc_time(until)}{worse}."


def _next_pages(register: Register, page: PageRecord, model: Model | None, now: float) -> Iterator[tuple[float, str]]:
    """When an acknowledged page is followed by another one, and under which condition."""
    yield page.known_since + ACKNOWLEDGEMENT_LENGTH, "it still fires"
    settled = recovery_deadline(register, model, now)
    if settled is not None:
        yield settled, "it still fires"
    called = {call.key for call in register.calls}
    for record in register.dispatches:
        workflow = model.workflow(record.verb) if model else None
        if record.state is not DispatchState.PROPOSED or workflow is None or f"reminder.{record.name}" in called:
            continue
        if workflow.remind and now < record.at + workflow.remind:
            yield record.at + workflow.remind, f"the proposed {known_word(record.verb)} still waits"


def flap_sentence(register: Register, model: Model | None, now: float) -> str:
    """How often a flapping group has fired, and what becomes of its pages and of the issue; empty for others."""
    flap, spec = register.flap, model.flapping if model else FlappingSpec()
    if flap is None:
        return ""
    text = f"**Flapping**: fired {flap.fired} times since {utc_time(flap.since)}."
    if register.closed is not None:
        return text
    if register.page is not None and not is_muted(None, register, now):
        pages = "one page" if spec.pages == 1 else f"{spec.pages} pages"
        worse = "gets worse or " if can_get_worse(register.page.severity) else ""
        text += (
            f" Paged as {register.page.severity} before; it pages again when it {worse}fires for "
            f"{duration(spec.page_after)} without a pause, with at most {pages} in 24 h."
        )
    if flap.quiet_until is not None and flap.quiet_until >= now:
        text += f" Healthy evaluations count as recovery after {utc_time(flap.quiet_until)}."
    return text


def _recovery_comment(group: Group | None, register: Register, now: float, entries: Sequence[LedgerEntry]) -> str:
    end = recovery_time(group, register, now)
    lasted = duration(end - register.start)
    times = f"; fired {register.flap.fired} times" if register.flap else ""
    text = (
        f"**Recovered** after {lasted} ({utc_time(register.start)} to {utc_time(end)}; peak: {register.peak}{times})."
    )
    shown = [entry for entry in entries if entry.at <= end or entry.kind is not EntryKind.ISSUE]
    if not any(entry.kind in _WORTH_A_TIMELINE for entry in shown):
        return text
    left_out = len(shown) - MAX_TIMELINE
    more = f"\n\n{left_out} entries in between are in the record." if left_out > 0 else ""
    head, tail = shown[: MAX_TIMELINE // 2], shown[max(MAX_TIMELINE // 2, len(shown) - MAX_TIMELINE // 2) :]
    return f"{text}\n\n{ledger_table([*head, *tail])}{more}"


MAX_TIMELINE = 40
"""Rows of the timeline in a comment: the first and the last of the ledger."""
_WORTH_A_TIMELINE = frozenset({EntryKind.DISPATCH, EntryKind.PAGE, EntryKind.MOVE, EntryKind.COMMAND})


def _alert_state(group: Group | None, register: Register) -> str:
    if group is None or not group.alerts:
        return f"{code(register.model)} {code(register.rule)}"
    alert = describe_alert(group)
    where = f" in {place}" if (place := alert.place(code)) else ""
    overall = f"; overall {alert.overall}" if alert.overall else ""
    overall += f"; {worse}" if (worse := worse_follower(group, register, code)) else ""
    return f"{code(alert.rule)}{where}{alert.connector}{alert.phrase}{overall}"


def dispatch_name(note: Note) -> str:
    """``rollback.1``: the dispatch that the note is about; keys of both end in ``<verb>.<attempt>``."""
    return plain_line(".".join(note.key.split(".")[-2:]), 80)


def _mentions(note: Note, model: Model | None) -> str:
    """Mentions of owner and stakeholders where a release was moved."""
    if model is None or dispatch_name(note).partition(".")[0] not in RECOVERY_VERBS:
        return ""
    people = dict.fromkeys(filter(None, (model.owner, *(model.release.stakeholders if model.release else ()))))
    return f"\n\ncc {' '.join(map(mention, people))}" if people else ""


def attempts_text(register: Register) -> str:
    """``rollback.1 to v6 (success), retrain.1 (failure)``; empty where nothing was tried."""
    attempts = []
    for record in register.dispatches:
        if record.state in (DispatchState.SENT, DispatchState.FINISHED):
            to = f" to {record.target_version}" if record.target_version else ""
            attempts.append(f"{record.name}{to} ({record.conclusion or record.state.value})")
    return ", ".join(attempts)


def _find_dispatch(note: Note, register: Register) -> DispatchRecord | None:
    return next((record for record in reversed(register.dispatches) if record.name == dispatch_name(note)), None)


def _run_outcome(note: Note, group: Group | None, register: Register, now: float, model: Model | None) -> str:
    """How a workflow run ended, where to look, and what follows; empty where the register does not know it."""
    record = _find_dispatch(note, register)
    if record is None or not record.conclusion:
        return ""
    number = f"workflow run {record.run_id}" if record.run_id else "workflow run"
    where = f" ({link(number, record.url)})" if record.url else ""
    text = f"**{known_word(record.verb)}{target_clause(record, code)} ended: {known_word(record.conclusion)}**{where}."
    until = recovery_deadline(register, model, now) if record.verb in RECOVERY_VERBS else None
    return text if until is None else f"{text} {paging_sentence(until, muted=is_muted(group, register, now))}"


def _proposal(note: Note, register: Register, detail: str, model: Model | None) -> str:
    record, name = _find_dispatch(note, register), dispatch_name(note)
    to = target_clause(record, code) if record else ""
    approve, reject = code(f"/modelwatch approve {name}"), code(f"/modelwatch reject {name}")
    verb = known_word(name.partition(".")[0])
    comment = approval_instruction(model)
    text = (
        f"**Proposed: {verb}{to}.** {comment[0].upper()}{comment[1:]} {approve} to start it, or {reject} to reject it."
    )
    return f"{text}\n\nNeeds approval ({detail})."


_STATE_TEXT = {
    DispatchState.INTENDED: "about to be dispatched",
    DispatchState.SENT: "dispatched",
    DispatchState.PROPOSED: "proposed",
    DispatchState.REJECTED: "rejected",
    DispatchState.LOST: "dispatch lost: no workflow run with its key was found",
}


def actions_table(register: Register) -> str:
    """A row for the incident and for each dispatch, and where older pages are; open proposals are among the next steps
    instead."""
    records = [record for record in register.dispatches if record.state is not DispatchState.PROPOSED]
    rows = [row for record in records for row in _dispatch_rows(record)]
    shown, ledger = _timeline_table(rows + _incident_rows(register)), register.ledger
    if register.page is None or not ledger.archived:
        return shown
    where = link("a comment", ledger.url) if ledger.url else "a comment"
    return f"{shown}\n\nEarlier pages and acknowledgements: see the {entry_count(ledger.archived)} in {where}."


_TimelineRow = tuple[float, str, str]
"""When, what, and the address of its page."""


def _timeline_table(rows: list[_TimelineRow]) -> str:
    """Two columns, so that a time fits on one line of a phone."""
    cells = [
        (utc_time(at).removesuffix(" UTC"), f"{what} ({link('open', url)})" if url else what)
        for at, what, url in sorted(rows, key=lambda row: row[0])
    ]
    return table(("When (UTC)", "What"), cells) if cells else ""


def _incident_rows(register: Register) -> list[_TimelineRow]:
    """Every event of the incident that the record on the issue still has, else what the register says of it now."""
    page = register.page
    if page is None:
        return []
    entries = [one for one in register.ledger.recent if one.kind is EntryKind.PAGE and one.what.startswith("incident ")]
    rows = []
    for entry, url in zip(entries, _incident_urls(page, entries), strict=True):
        by = "" if entry.who in (MODELWATCH, PAGERDUTY) else f" by {code(entry.who, 60)}"
        rows.append((entry.at, f"{plain_words(f'I{entry.what[1:]}')}{by}", url))
    if any(entry.at == page.at for entry in entries):
        return rows
    count = f", {page.alerts} alerts" if page.alerts > 1 else ""
    rows.append((page.at, f"Incident {page.state}, {page.severity}{count}", page.url))
    if page.status and page.status_at is not None and all(entry.at != page.status_at for entry in entries):
        by = f" by {code(page.status_person)}" if page.status_person else ""
        rows.append((page.status_at, f"Incident {known_word(page.status)} at PagerDuty{by}", page.url))
    return rows


def _incident_urls(page: PageRecord, entries: Sequence[LedgerEntry]) -> list[str]:
    """The address of the incident that each entry is about, empty where it is not known: each page may open another,
    and the register knows that of the newest."""
    numbers = list(accumulate(entry.what.startswith(f"incident {PAGE_TRIGGERED}") for entry in entries))
    known = {number: entry.url for number, entry in zip(numbers, entries, strict=True) if entry.url}
    if any(entry.at >= page.at for entry in entries):  # else the newest page is not among them
        known |= {number: page.url for number in numbers[-1:] if page.url}
    return [known.get(number, "") for number in numbers]


def _dispatch_rows(record: DispatchRecord) -> list[_TimelineRow]:
    """Its start and, once it has ended, its end, each at its own time."""
    if record.state is not DispatchState.FINISHED or record.ended is None:
        return [(record.at, f"{code(record.verb)} {_dispatch_state(record)}", record.url)]
    return [
        (record.at, f"{code(record.verb)} dispatched{_requester_text(record)}", record.url),
        (record.ended, f"{code(record.verb)} finished: {known_word(record.conclusion)}", record.url),
    ]


def _dispatch_state(record: DispatchRecord) -> str:
    """``finished: success, to `v6`, requested by `ada` ``"""
    finished = f"finished: {known_word(record.conclusion)}"
    return _STATE_TEXT.get(record.state, finished) + _requester_text(record)


def _requester_text(record: DispatchRecord) -> str:
    to = f", to {code(record.target_version)}" if record.target_version else ""
    role = "by" if record.state is DispatchState.REJECTED else "requested by"
    return to + (f", {role} {code(record.by)}" if record.by else "")
