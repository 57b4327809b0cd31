"""Writes the ledger: what a plan changes in a register, and what was done, each as one entry.

An entry travels in the same request as the state that it reports, so that neither can exist without the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...model.alert import AlertState, Group
from ...model.ledger import (
    FOLLOWER_PREFIX,
    MAX_KEY,
    MAX_URL,
    MAX_WHAT,
    MAX_WHY,
    MODELWATCH,
    PAGERDUTY,
    PERSON,
    RECOVERED,
    UNKNOWN,
    WORKFLOW,
    EntryKind,
    LedgerEntry,
    merge_entries,
)
from ...model.plan import ChangeKind, Command
from ...model.register import (
    PAGE_RESOLVED,
    PAGE_TRIGGERED,
    CallRecord,
    DispatchRecord,
    DispatchState,
    FollowerRecord,
    Impact,
    PageRecord,
    Register,
)
from ...model.rule import BaselineKind, Direction, Rule
from ...report.affected_alerts import worse_follower
from ...report.alert_phrase import describe_alert, recovery_time, worst_alert
from ...report.formatting import labels_text
from ...report.markdown import plain_line, safe_url
from ...timeutil import format_utc
from ..draft import INVALID_PREFIX, REFUSED_PREFIX, GroupPlan

MAX_MOVES = 10
FIRING_KEY = "firing"
"""Of an episode's first entry."""
_DISPATCH_WORDS = {
    DispatchState.PROPOSED: "proposed",
    DispatchState.REJECTED: "rejected",
    DispatchState.LOST: "lost: no workflow run with its key was found",
}
_CALL_WORDS = {
    "escalated": "escalated to the on-call",
    "stuck": "the on-call is called about a workflow run that does not end",
    "reminder": "the on-call is reminded",
    "expired": "a mute expired, the on-call is notified",
    "repeated": "the on-call is notified again",
    "unmuted": "no longer muted, the on-call is notified",
    "withdrawn": "a false positive was withdrawn, the on-call is notified",
}


def make_entry(
    key: str, at: float, kind: EntryKind, what: str, *, who: str = MODELWATCH, why: str = "", url: str = ""
) -> LedgerEntry:
    """An entry whose texts fit on a line each."""
    return LedgerEntry(
        plain_line(key, MAX_KEY),
        at,
        kind,
        plain_line(who or UNKNOWN, MAX_KEY),
        plain_line(what, MAX_WHAT),
        plain_line(why, MAX_WHY),
        url if safe_url(url) and len(url) <= MAX_URL else "",
    )


def add_entries(register: Register, *entries: LedgerEntry) -> Register:
    return replace(register, ledger=register.ledger.add(*entries))


def command_entry(draft: GroupPlan, command: Command, answer: str) -> LedgerEntry:
    """A command, with its answer."""
    prefix = next((prefix for prefix in (REFUSED_PREFIX, INVALID_PREFIX) if answer.startswith(prefix)), "")
    outcome = f", {prefix.removesuffix(': ')}" if prefix else ""
    issue = draft.issue.url if draft.issue else ""
    return make_entry(
        f"command.{command.comment}",
        command.at,
        EntryKind.COMMAND,
        f"command {command.verb}{outcome}",
        who=command.author,
        why=answer.removeprefix(prefix),
        url=f"{issue}#issuecomment-{command.comment}" if issue and command.comment > 0 else issue,
    )


def page_entry(before: PageRecord | None, page: PageRecord, why: str, who: str = MODELWATCH) -> LedgerEntry:
    """An event that PagerDuty got; two evaluations that send the same one write the same entry."""
    key = f"page.{page.state}.{page.severity}.{int(before.at) if before else 0}"
    return make_entry(key, page.at, EntryKind.PAGE, f"incident {page.state}, {page.severity}", who=who, why=why)


def page_status_entry(page: PageRecord, sent_by: str = "", why: str = "") -> LedgerEntry:
    """What became of the incident at PagerDuty. ``sent_by``: who sent that there, for ``why``: a person's words."""
    at = page.at if page.status_at is None else page.status_at
    what, key = f"incident {page.status} at PagerDuty", page_status_key(page.status, at)
    return make_entry(key, at, EntryKind.PAGE, what, who=sent_by or page.status_by or PERSON, why=why, url=page.url)


def page_status_key(status: str, at: float) -> str:
    """The same for what PagerDuty's API and its webhooks report."""
    return f"page.status.{status}.{int(at)}"


def record_changes(draft: GroupPlan) -> None:
    """Add to the draft's ledger what differs from the register on the issue."""
    before, register = draft.previous_register, draft.register
    if register is None:
        return
    found = [*_opening(draft, register)] if before is None else [*_changes(draft, before, register)]
    found += [*_moves(draft, register), *draft.entries]
    register = add_entries(register, *sorted(found, key=lambda entry: entry.at))
    moves = [entry.at for entry in found if entry.kind is EntryKind.MOVE]
    ledger = replace(register.ledger, moves_until=max([register.ledger.moves_until, *moves]))
    impact = worst_impact(draft.group, register.impact, draft.rule)
    draft.register = replace(register, ledger=ledger, impact=impact)


def worst_impact(group: Group, before: Impact | None, rule: Rule | None) -> Impact | None:
    """The worst of the episode so far, with all rows of its series since it began.

    What is known of a series is compared by the baseline of when it fired: today's may have followed the metric.
    """
    alert = worst_alert(group)
    finding = alert.worst if alert else None
    if alert is None or finding is None or finding.value is None or group.built_in or group.state is AlertState.PENDING:
        return before
    where = labels_text(finding.labels)
    rows = group.evidence.affected.n if group.evidence.affected else None
    if before is not None and before.where == where:
        rows = max((count for count in (before.rows, rows) if count is not None), default=None)
    baseline, change = finding.baseline, finding.change
    if (
        before is not None
        and before.alert == alert.fingerprint
        and before.baseline
        and rule
        and rule.has_steady_baseline
    ):
        baseline, change = before.baseline, (finding.value - before.baseline) / abs(before.baseline)
    found = Impact(where, finding.value, baseline, change, group.unit, rows, alert.fingerprint)
    if before is None or _is_worse(found, before, rule):
        return found
    return replace(before, rows=rows) if before.where == where else before


def _is_worse(found: Impact, before: Impact, rule: Rule | None) -> bool:
    if found.change is not None or before.change is not None:
        return abs(found.change or 0.0) > abs(before.change or 0.0)
    if rule is None or rule.better is None:  # a limit without a baseline, such as PSI above 0.1
        return abs(found.value) > abs(before.value)
    return found.value < before.value if rule.better is Direction.HIGHER else found.value > before.value


def _opening(draft: GroupPlan, register: Register) -> Iterator[LedgerEntry]:
    yield make_entry(FIRING_KEY, register.start, EntryKind.FINDING, "started firing")
    sentence = _finding_text(draft, register)
    yield make_entry("opened", draft.now, EntryKind.ISSUE, f"opened the issue, {register.severity}", why=sentence)
    yield from _page_waits(draft, None, register.page_after)
    for record in register.dispatches:
        yield from _dispatch_changes(draft, (), record)
    yield from _follower_changes((), register.followers)


def _finding_text(draft: GroupPlan, register: Register) -> str:
    """What is found, with the alert of the cause that is worse, where there is one."""
    worse = worse_follower(draft.group, register)
    return describe_alert(draft.group).sentence + (f"; {worse}" if worse else "")


def _follower_changes(before: Sequence[FollowerRecord], records: Sequence[FollowerRecord]) -> Iterator[LedgerEntry]:
    """The other alerts of the same cause: since when, and how long."""
    known = {(record.group, record.start): record for record in before}
    for record in records:
        old, name = known.get((record.group, record.start)), f"{record.model} {record.rule}"
        key = f"{record.group}.{int(record.start)}"
        if old is None:
            what = f"{name} shares the cause, {record.severity}"
            yield make_entry(f"{FOLLOWER_PREFIX}{key}", record.start, EntryKind.FINDING, what)
        if record.ended is not None and (old is None or old.ended is None):
            yield make_entry(f"follower-ended.{key}", record.ended, EntryKind.RECOVERY, f"{name} recovered")


def _changes(draft: GroupPlan, before: Register, register: Register) -> Iterator[LedgerEntry]:
    reopening = draft.issue_change is ChangeKind.REOPEN_ISSUE
    if before.severity is not register.severity and not reopening:
        word = "worse" if register.severity > before.severity else "better"
        key = f"severity.{before.severity}.{register.severity}.{int(draft.severity_since)}"
        sentence = _finding_text(draft, register)
        yield make_entry(key, draft.severity_since, EntryKind.FINDING, f"{word}: now {register.severity}", why=sentence)
    yield from _issue_changes(draft, before, register, reopening=reopening)
    yield from _expiries(draft, before, register)
    for record in register.dispatches:
        yield from _dispatch_changes(draft, before.dispatches, record)
    yield from _follower_changes(before.followers, register.followers)
    if before.page and register.page:
        yield from _page_changes(draft, before.page, register.page)
    yield from _page_waits(draft, before.page_after, register.page_after)
    known = {call.key for call in before.calls}
    yield from (_call_entry(call) for call in register.calls if call.key not in known)
    if before.config != register.config:
        key, why = f"rule.{register.config}.{int(draft.now)}", "recovery has to be confirmed anew"
        yield make_entry(key, draft.now, EntryKind.RULE, _rule_change(draft, before, register), who=UNKNOWN, why=why)


def _rule_change(draft: GroupPlan, before: Register, register: Register) -> str:
    """Whether somebody changed the rule, or a file that it names, such as its baseline, has other contents."""
    rule = draft.rule
    if rule is None or not register.settings or (before.settings and before.settings != register.settings):
        return "the rule was changed"
    files = ["baseline"] if any(spec.kind is BaselineKind.FILE for spec in (rule.baseline, *rule.also)) else []
    files += ["calendar"] if rule.calendar is not None and rule.calendar.file else []
    names = " or ".join(files)
    if not before.settings:  # written before registers had it
        return f"the rule or its {names} was changed"
    return f"the {names} of the rule was replaced"


def _call_entry(call: CallRecord) -> LedgerEntry:
    what = _CALL_WORDS.get(call.key.partition(".")[0], "the on-call is to be notified")
    return make_entry(call.key, call.at, EntryKind.FINDING, what, why=call.reason)


def _page_changes(draft: GroupPlan, before: PageRecord, page: PageRecord) -> Iterator[LedgerEntry]:
    if page.status and page.status != before.status:
        yield page_status_entry(page)
    elif before.state == PAGE_TRIGGERED and page.state == PAGE_RESOLVED:
        by_person = draft.incident is not None and draft.incident.by_person
        yield page_entry(before, page, "resolved at PagerDuty", PERSON if by_person else PAGERDUTY)


def _page_waits(draft: GroupPlan, before: float | None, until: float | None) -> Iterator[LedgerEntry]:
    """The entry where the page begins to wait for working hours."""
    if until is not None and until != before:
        why = f"until {format_utc(until)}: {draft.severity} is not urgent"
        yield make_entry(
            f"page.waits.{int(until)}", draft.now, EntryKind.PAGE, "the page waits for working hours", why=why
        )


def _issue_changes(draft: GroupPlan, before: Register, register: Register, *, reopening: bool) -> Iterator[LedgerEntry]:
    """Opened, reopened and closed, by us or by a person."""
    acted_on_closing = register.muted_until_recovery and not before.muted_until_recovery
    recovered = before.closed is None and register.closed is not None
    if draft.issue and draft.closed_elsewhere and (acted_on_closing or recovered or reopening):
        yield closing_entry(draft.issue.closed_at or draft.now, draft.issue.state_reason, draft.issue.closed_by)
    if recovered:
        end = recovery_time(draft.group, register, draft.now)
        key = f"{int(register.began)}"
        yield make_entry(f"recovered.{key}", end, EntryKind.RECOVERY, RECOVERED, why=f"peak: {register.peak}")
        if not draft.closed_by_person:
            why = "recovery is confirmed for every alert of the episode"
            yield make_entry(f"closed.{key}", draft.now, EntryKind.ISSUE, "closed the issue", why=why)
    elif reopening:
        what = f"reopened the issue, {register.severity}"
        key = f"reopened.{int(before.closed or (draft.issue.closed_at if draft.issue else None) or 0)}"
        yield make_entry(key, draft.now, EntryKind.ISSUE, what, why=draft.issue_reason)
    elif before.closed is not None and register.closed is None:
        key = f"reopened.{int(before.closed)}"
        yield make_entry(key, register.reopened or draft.now, EntryKind.ISSUE, "reopened the issue", who=PERSON)


def closing_entry(at: float, reason: str, who: str = "") -> LedgerEntry:
    """The entry where somebody else than modelwatch closed the issue: a person, unless ``who`` says otherwise."""
    what = f"closed the issue as {(reason or 'completed').replace('_', ' ')}"
    return make_entry(f"closed-by-hand.{int(at)}", at, EntryKind.ISSUE, what, who=who or PERSON)


def _expiries(draft: GroupPlan, before: Register, register: Register) -> Iterator[LedgerEntry]:
    until = before.silence_until
    if until is not None and register.silence_until is None and until <= draft.now:
        why = f"silenced by {before.silence_by}: {before.silence_reason}"
        yield make_entry(f"silence-expired.{int(until)}", until, EntryKind.EXPIRY, "the silence expired", why=why)
    until = before.ack_until
    if until is None or register.ack_until is not None or register.closed is not None:
        return
    if until <= draft.now:
        yield make_entry(f"ack-expired.{int(until)}", until, EntryKind.EXPIRY, "the acknowledgement expired")
    elif draft.severity > before.known_severity:
        what = "the acknowledgement ended: it got worse"
        yield make_entry(f"ack-expired.{int(until)}", draft.now, EntryKind.EXPIRY, what)


def _dispatch_changes(
    draft: GroupPlan, before: Sequence[DispatchRecord], record: DispatchRecord
) -> Iterator[LedgerEntry]:
    old = next((old for old in before if old.key == record.key), None)
    if old is None or (old.state, old.run_attempt) != (record.state, record.run_attempt):
        dispatched = record.state in (DispatchState.SENT, DispatchState.FINISHED)
        if dispatched and (old is None or old.state is not DispatchState.SENT):
            yield dispatch_entry(record)
        yield from _state_entries(record, draft.now)


def dispatch_entry(record: DispatchRecord) -> LedgerEntry:
    """The entry of a dispatch."""
    key, who, why = f"{record.run_name}.sent", record.by or MODELWATCH, _target_text(record)
    what = f"{record.verb} dispatched"
    if record.run_attempt > 1:
        who, what = PERSON, f"{record.verb} run again"
    return make_entry(key, record.at, EntryKind.DISPATCH, what, who=who, why=why, url=record.url)


def _state_entries(record: DispatchRecord, now: float) -> Iterator[LedgerEntry]:
    """The outcome of a dispatch, noticed at ``now``, or what happened instead of one."""
    why = _target_text(record)
    if record.state is DispatchState.FINISHED:
        key, what = f"{record.run_name}.finished", f"{record.verb} finished: {record.conclusion or 'no conclusion'}"
        ended = now if record.ended is None else record.ended
        yield make_entry(key, ended, EntryKind.DISPATCH, what, who=WORKFLOW, why=why, url=record.url)
    elif word := _DISPATCH_WORDS.get(record.state):
        key = f"{record.name}.{record.state}.{int(record.at)}"
        at = record.at if record.state in (DispatchState.PROPOSED, DispatchState.REJECTED) else now
        yield make_entry(key, at, EntryKind.DISPATCH, f"{record.verb} {word}", who=record.by or MODELWATCH, why=why)


def _target_text(record: DispatchRecord) -> str:
    return f"to {record.target_version}" if record.target_version else ""


def register_entries(register: Register) -> Iterator[LedgerEntry]:
    """What a register without a ledger says: the newest page, and each dispatch once."""
    yield make_entry(FIRING_KEY, register.start, EntryKind.FINDING, "started firing", why=f"peak: {register.peak}")
    for record in register.dispatches:
        if record.state.is_dispatched:
            yield dispatch_entry(record)
        yield from _state_entries(record, record.at)
    if register.page:
        yield page_entry(None, register.page, "")
        if register.page.status:
            yield page_status_entry(register.page)
    yield from map(_call_entry, register.calls)
    if register.silence_until is not None:
        why = f"until {format_utc(register.silence_until)}: {register.silence_reason}"
        at = register.told if register.told is not None else register.start
        yield make_entry("silence", at, EntryKind.COMMAND, "silenced", who=register.silence_by, why=why)
    if register.closed is not None:
        key = f"closed.{int(register.began)}"
        yield make_entry(key, register.closed, EntryKind.ISSUE, "recovered, and the issue was closed")


def _moves(draft: GroupPlan, register: Register) -> Iterator[LedgerEntry]:
    """Moves of the release that ended since the episode began, of people too."""
    registry, since = draft.observed.registry, max(register.start, register.ledger.moves_until)
    ended = [(move.ended or move.at, move) for move in registry.moves if move.state.ended] if registry else []
    for at, move in sorted(((at, move) for at, move in ended if at > since), key=lambda pair: pair[0])[-MAX_MOVES:]:
        why = ": ".join(filter(None, (f"to {move.destination}" if move.destination else "", move.reason, move.detail)))
        what = f"move {move.verb}: {move.state}"
        yield make_entry(f"move.{move.key}", at, EntryKind.MOVE, what, who=move.by, why=why, url=move.url)


def complete_entries(
    entries: tuple[LedgerEntry, ...],
    register: Register,
    created_at: float,
    closed_at: float | None,
    reason: str,
    closed_by: str = "",
) -> tuple[LedgerEntry, ...]:
    """``entries`` with what only the issue itself shows: an opening before there were ledgers, a closing by hand."""
    shown = []
    if not any(entry.kind is EntryKind.ISSUE and entry.key == "opened" for entry in entries):
        # modelwatch stamps what it did with the beginning of its evaluation; GitHub's clock came to the issue later.
        acts = [entry.at for entry in entries if entry.kind in (EntryKind.DISPATCH, EntryKind.PAGE)]
        shown.append(make_entry("opened", min([created_at, *acts]), EntryKind.ISSUE, "opened the issue"))
    if closed_at is not None and register.closed is None:
        shown.append(closing_entry(closed_at, reason, closed_by))
    return merge_entries(tuple(shown), entries)
