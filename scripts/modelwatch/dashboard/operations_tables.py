"""Operations as tables: what was deployed, what fires, what was done about it, and who is called."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.alert import AlertState, Group
from ..model.plan import ObservedIssue
from ..model.register import DispatchRecord, DispatchState, Register
from ..model.release import Move, MoveState
from ..model.series import StartOrigin
from ..report.alert_phrase import describe_alert
from ..report.formatting import duration, utc_time
from ..report.markdown import plain_line, safe_url
from .page import Table
from .panel_ids import panel_id
from .sentences import MAX_NAME, since_text
from .snapshot import ModelSnapshot

MAX_ROWS = 25
_DISPATCH_STATES = {
    DispatchState.INTENDED: "about to start",
    DispatchState.SENT: "started",
    DispatchState.PROPOSED: "proposed: waits for approval",
    DispatchState.LOST: "lost: GitHub never started it",
    DispatchState.REJECTED: "rejected",
}


def deployments_table(snapshot: ModelSnapshot) -> Table | None:
    """Which version served from when to when, the newest first."""
    pull = snapshot.pull
    if not pull.deployments:
        return None
    reasons = dict(pull.rolled_back)
    ordered = sorted(pull.deployments, key=lambda one: one.since)
    ends = [*(one.since for one in ordered[1:]), None]
    rows = []
    for deployment, end in reversed(list(zip(ordered, ends, strict=True))):
        start = pull.start_of(deployment)
        origin = {
            StartOrigin.MOVE: "a move of the release",
            StartOrigin.POINT: "its first point",
            StartOrigin.EDGE: "before the history that is read",
        }[start.origin]
        version = snapshot.registry.version(deployment.version) if snapshot.registry else None
        why = f"rolled back: {reasons[deployment.version]}" if deployment.version in reasons else ""
        rows.append(
            (
                plain_line(version.title if version else deployment.version, MAX_NAME),
                utc_time(start.began),
                "serves" if end is None else utc_time(end),
                duration((snapshot.now if end is None else end) - start.began),
                origin,
                plain_line(why),
            )
        )
    first = rows[0]
    before = f"; before it {rows[1][0]}" if len(rows) > 1 else ""
    return Table(
        panel_id("deployments"),
        "Deployments",
        f"{first[0]} serves since {first[1]} ({first[3]}){before}.",
        ("Version", "Since", "Until", "For", "Known by", "Remark"),
        tuple(rows[:MAX_ROWS]),
        note=_newest_note(len(rows)),
    )


def alerts_table(snapshot: ModelSnapshot) -> Table | None:
    """What fires, is pending or ended lately, worst first; and closed issues of the model."""
    active = [group for group in snapshot.groups if group.state is not AlertState.QUIET]
    issues = [issue for issue in (snapshot.observation.issues if snapshot.observation else ()) if issue.trusted]
    urls = {issue.group: issue.url for issue in sorted(issues, key=lambda issue: issue.number)}
    active.sort(key=_alert_order)
    rows = [(_alert_row(group), urls.get(group.key, "")) for group in active]
    shown = {group.key for group in active}
    rows += [
        (_closed_row(issue, issue.register), issue.url)
        for issue in sorted(issues, key=lambda issue: -(issue.closed_at or 0.0))
        if issue.register is not None and issue.group not in shown and issue.state == "closed"
    ]
    if not rows:
        return None
    firing = [group for group in active if group.state is AlertState.FIRING]
    sentence = "No alert fires."
    if firing:
        worst = firing[0]
        since = f", {since_text(worst.start, snapshot.now)}" if worst.start is not None else ""
        count = "1 alert fires" if len(firing) == 1 else f"{len(firing)} alerts fire, the worst"
        sentence = f"{count}: {plain_line(describe_alert(worst).sentence)}{since}."
    return Table(
        panel_id("alerts"),
        "Alerts",
        sentence,
        ("Rule", "State", "Severity", "Since", "Until", "What"),
        tuple(row for row, _ in rows[:MAX_ROWS]),
        tuple(safe_url(url) for _, url in rows[:MAX_ROWS]),
        _newest_note(len(rows)),
    )


_STATE_ORDER = {AlertState.FIRING: 0, AlertState.PENDING: 1, AlertState.RESOLVED: 2, AlertState.QUIET: 3}


def _alert_order(group: Group) -> tuple[int, bool, int, str]:
    """What fires first, unless it is muted; then the worst."""
    severity = group.severity.code if group.severity is not None else -1
    return _STATE_ORDER[group.state], bool(group.mutes), -severity, group.rule


def _alert_row(group: Group) -> tuple[str, ...]:
    muted = f"muted: {group.mutes[0].reason}" if group.mutes else ""
    severity = group.severity or max((alert.severity for alert in group.alerts), default=None)
    return (
        plain_line(group.rule, MAX_NAME),
        " ".join(filter(None, (str(group.state.value), plain_line(f"({muted})" if muted else "")))),
        str(severity or "—"),
        utc_time(group.start),
        utc_time(group.end) if group.state is AlertState.RESOLVED else "—",
        plain_line(describe_alert(group).sentence),
    )


def _closed_row(issue: ObservedIssue, register: Register) -> tuple[str, ...]:
    end = register.closed if register.closed is not None else issue.closed_at
    return (
        plain_line(register.rule, MAX_NAME),
        "closed",
        str(register.peak),
        utc_time(register.start),
        utc_time(end),
        plain_line(register.title or "its issue is closed"),
    )


def automation_table(snapshot: ModelSnapshot) -> Table | None:
    """Workflows that were dispatched or proposed and moves of the release, with their outcome, the newest first."""
    rows = sorted([*_dispatch_rows(snapshot), *_move_rows(snapshot)], key=lambda row: -row[0])
    if not rows:
        return None
    waiting = [row for row in rows if row[1][2].startswith("proposed")]
    running = [row for row in rows if row[1][2].startswith(("started", "about to start"))]
    newest = rows[0][1]
    parts = [f"The newest: {newest[1]}, {newest[2]} ({newest[0]})"]
    if waiting:
        parts.append(f"{len(waiting)} {'waits' if len(waiting) == 1 else 'wait'} for approval")
    if running:
        parts.append(f"{len(running)} {'runs' if len(running) == 1 else 'run'}")
    return Table(
        panel_id("automation"),
        "Automation: workflows and moves",
        f"{'; '.join(parts)}.",
        ("Time", "What", "Outcome", "By", "Why"),
        tuple(cells for _, cells, _ in rows[:MAX_ROWS]),
        tuple(safe_url(url) for _, _, url in rows[:MAX_ROWS]),
        _newest_note(len(rows)),
    )


_Row = tuple[float, tuple[str, ...], str]
"""When, the cells, and an address."""


def _dispatch_rows(snapshot: ModelSnapshot) -> Iterator[_Row]:
    issues = snapshot.observation.issues if snapshot.observation else ()
    registers = [issue.register for issue in issues if issue.register is not None and issue.trusted]
    known = {register.group for register in registers}
    registers += [register for key, register in snapshot.registers.items() if key not in known]
    seen: set[str] = set()
    for register in registers:
        for record in register.dispatches:
            if record.key not in seen:
                seen.add(record.key)
                target = f" to {record.target_version}" if record.target_version else ""
                cells = (
                    utc_time(record.at),
                    plain_line(f"{record.verb}{target}", MAX_NAME),
                    plain_line(_outcome(record), MAX_NAME),
                    plain_line(record.by or "modelwatch", MAX_NAME),
                    plain_line(f"alert {register.rule}", MAX_NAME),
                )
                yield record.at, cells, record.url


def _outcome(record: DispatchRecord) -> str:
    if record.state is DispatchState.FINISHED:
        took = f" after {duration(record.ended - record.at)}" if record.ended is not None else ""
        settled = f"; {record.settled}" if record.settled else ""
        return f"{record.conclusion or 'ended'}{took}{settled}"
    return _DISPATCH_STATES[record.state]


def _move_rows(snapshot: ModelSnapshot) -> Iterator[_Row]:
    moves = snapshot.registry.moves if snapshot.registry else snapshot.pull.moves
    for move in moves:
        cells = (
            utc_time(move.at),
            plain_line(f"move: {move.verb} {_versions(move)}".strip(), MAX_NAME),
            plain_line(_move_outcome(move)),
            plain_line(move.by or "—", MAX_NAME),
            plain_line(move.reason or "—"),
        )
        yield move.at, cells, move.url or move.issue


def _versions(move: Move) -> str:
    if move.origin and move.destination and move.origin != move.destination:
        return f"{move.origin} → {move.destination}"
    return move.destination


def _move_outcome(move: Move) -> str:
    detail = f": {move.detail}" if move.detail else ""
    took = f" after {duration(move.ended - move.at)}" if move.ended is not None and move.state is MoveState.DONE else ""
    return f"{'started' if move.state is MoveState.INTENDED else move.state}{took}{detail}"


def escalation_table(snapshot: ModelSnapshot) -> Table | None:
    """Whom PagerDuty calls for this model, step by step, as configured; who holds a shift now only PagerDuty knows."""
    spec = snapshot.model.pagerduty
    policy = spec.escalation
    if policy is None:
        return None
    rows = []
    for level, step in enumerate(policy.steps, start=1):
        who = [
            *(user.partition("@")[0] for user in step.users),
            *(f"schedule {schedule}" for schedule in step.schedules),
        ]
        rows.append((str(level), plain_line(", ".join(who)), duration(step.wait)))
    named = plain_line(policy.policy, MAX_NAME)
    service = f" of the service {plain_line(spec.service, MAX_NAME)}" if spec.service else ""
    sentence = f"Pages{service} follow the escalation policy {named}, whose steps are kept at PagerDuty."
    if rows:
        sentence = f"Pages{service} go to {rows[0][1]} first, and on after {rows[0][2]} (escalation policy {named})."
    return Table(
        panel_id("on-call"),
        "Who is on call",
        sentence,
        ("Step", "Who", "Until the next step"),
        tuple(rows),
        note="As configured, people by their address without its domain. Only PagerDuty shows who holds a shift now.",
    )


def _newest_note(count: int) -> str:
    return f"The first {MAX_ROWS} of {count}." if count > MAX_ROWS else ""
