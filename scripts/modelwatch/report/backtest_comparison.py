"""Two configurations over the same history: a sentence, one small table, and details to unfold.

The sentence comes first, since it is all that most readers of a pull request read: pages, then incidents that are found
or missed, sooner or later, then workflows; where neither pages nor incidents differ, alerts or issues. Rules that are
new or gone are named last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from ..model.backtest import (
    AlertShift,
    AlertVerdict,
    BacktestComparison,
    BacktestReport,
    IncidentChange,
    RuleChange,
    RuleScore,
    RuleStatus,
)
from .backtest import (
    NONE,
    alert_line,
    alert_list,
    computed_lines,
    day_text,
    fold,
    found_cell,
    incident_name,
    length_cell,
    outcome_sentences,
    plural,
    report_details,
    span_text,
    workflows_cell,
)
from .explanation import Quote
from .formatting import duration, short_number, utc_time
from .markdown import code, plain_line, table

MAX_CHARACTERS = 60_000
"""Of a comment; GitHub takes 65,536."""
TITLE = "What this change would have done"
MAX_SHIFTS = 10
MAX_PROBLEMS = 10
MAX_CHANGES = 30
_STATUS = {
    RuleStatus.SAME: "unchanged",
    RuleStatus.CHANGED: "changed",
    RuleStatus.ADDED: "new",
    RuleStatus.REMOVED: "removed",
}


def comparison_sentence(comparison: BacktestComparison, quote: Quote) -> str:
    """What this change would have done, as people say it. ``quote`` makes text from outside harmless."""
    before, after = comparison.before, comparison.after
    where = f"in {span_text(after)}"
    if before is None:
        return f"There is nothing to compare with: {quote(comparison.reason)}"
    if not comparison.rules:
        return f"Nothing could be compared {where}."
    if has_same_outcome(comparison):
        alerts = "alert" if len(after.alerts) == 1 else f"{len(after.alerts):,} alerts"
        pages = f"page {_times(after.pages)}" if after.pages else "page nobody"
        same = f"raise the same {alerts} and {pages}" if after.alerts else "raise no alert"
        return f"No difference: both configurations {same} {where}.{_silent_changes(comparison, quote)}"
    parts = [*_page_part(before, after), *_incident_parts(comparison, quote)]
    parts = [*parts, *_workflow_part(before, after)] if parts else [*_other_parts(comparison, quote)]
    return f"{where[0].upper()}{where[1:]}, this change would have {_join(parts)}.{_rule_sentence(comparison, quote)}"


def has_same_outcome(comparison: BacktestComparison) -> bool:
    """Whether alerts and all that is done about them are the same; rules that never fired can differ."""
    if comparison.only_before or comparison.only_after or comparison.shifts:
        return False
    return all(_figures(change.before) == _figures(change.after) for change in comparison.rules)


def _figures(score: RuleScore | None) -> tuple[object, ...]:
    """Of a rule that does not exist, as of one that never fires."""
    found = score or RuleScore("", "", "")
    return (
        found.alerts, found.median_duration, found.longest_duration, found.detected, found.median_delay,
        found.false_alarms, found.issues, found.pages, found.dispatches, found.proposals, found.messages,
    )  # fmt: skip


def _silent_changes(comparison: BacktestComparison, quote: Quote) -> str:
    """``Changed, and without an alert: `latency` (new).``"""
    changed = [change for change in comparison.rules if change.status is not RuleStatus.SAME]
    named = ", ".join(f"{quote(change.rule)} ({_STATUS[change.status]})" for change in changed[:3])
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f" Without an effect here: {named}{more}." if changed else ""


def _page_part(before: BacktestReport, after: BacktestReport) -> Iterator[str]:
    if (difference := after.pages - before.pages) == 0:
        return
    more = "more" if difference > 0 else "fewer"
    yield f"paged {plural(abs(difference), f'{more} time')} ({after.pages:,} instead of {before.pages:,})"


def _workflow_part(before: BacktestReport, after: BacktestReport) -> Iterator[str]:
    if (difference := after.workflows - before.workflows) != 0:
        more = "more workflow" if difference > 0 else "fewer workflow"
        yield f"started {plural(abs(difference), more)} ({after.workflows:,} instead of {before.workflows:,})"


def _rule_sentence(comparison: BacktestComparison, quote: Quote) -> str:
    """`` It adds `lat` and removes `latency`.``"""
    parts = []
    for verb, status in (("adds", RuleStatus.ADDED), ("removes", RuleStatus.REMOVED)):
        names = [quote(change.rule) for change in comparison.rules if change.status is status]
        if names:
            parts.append(f"{verb} {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}")
    return f" It {_join(parts)}." if parts else ""


def _incident_parts(comparison: BacktestComparison, quote: Quote) -> Iterator[str]:
    """Missed ones first, then those that are newly found, then the one whose detection moved most."""
    missed = [
        change for change in comparison.incidents if change.before.found is not None and change.after.found is None
    ]
    found = [
        change for change in comparison.incidents if change.before.found is None and change.after.found is not None
    ]
    if missed:
        yield f"missed {_names(missed, quote)}, which {quote(comparison.ref)} finds"
    if found:
        yield f"found {_names(found, quote)}, which {quote(comparison.ref)} misses"
    moved = [change for change in comparison.incidents if _earlier(change)]
    moved.sort(key=lambda change: -abs(_earlier(change)))
    if moved:
        shown = " and ".join(f"{_name(change, quote)} {_sooner(_earlier(change))}" for change in moved[:2])
        others = f" ({plural(len(moved) - 2, 'other incident')} at another time, too)" if len(moved) > 2 else ""
        yield f"found {shown}{others}"
    if comparison.before and (difference := _false_alarms(comparison.after) - _false_alarms(comparison.before)):
        more = "more" if difference > 0 else "fewer"
        yield f"raised {plural(abs(difference), f'{more} alert')} that people marked as false"


def _earlier(change: IncidentChange) -> float:
    """Seconds by which it is found earlier; 0 where one side does not find it."""
    if change.before.found is None or change.after.found is None:
        return 0.0
    return change.before.found - change.after.found


def _sooner(seconds: float) -> str:
    return f"{duration(abs(seconds))} {'earlier' if seconds > 0 else 'later'}"


def _name(change: IncidentChange, quote: Quote) -> str:
    incident = change.after.incident
    return quote(incident.name) if incident.name else incident_name(incident)


def _names(changes: list[IncidentChange], quote: Quote) -> str:
    names = [_name(change, quote) for change in changes[:2]]
    if len(changes) > 2:
        return f"{', '.join(names)} and {len(changes) - 2} more"
    return " and ".join(names)


def _other_parts(comparison: BacktestComparison, quote: Quote) -> Iterator[str]:
    """Where pages and marked incidents are the same: alerts, when they fire, and what else is done."""
    before, after = comparison.before, comparison.after
    assert before is not None  # noqa: S101 - the caller has looked
    yield f"paged as often ({_times(after.pages)})"
    for verb, name, old, new in (
        ("raised", "alert", len(before.alerts), len(after.alerts)),
        ("opened", "issue", before.issues, after.issues),
    ):
        if old != new:
            what = f"more {name}" if new > old else f"fewer {name}"
            yield f"{verb} {plural(abs(new - old), what)} ({new:,} instead of {old:,})"
            yield from _workflow_part(before, after)
            return
    if before.workflows != after.workflows:
        yield from _workflow_part(before, after)
        return
    if comparison.shifts:
        shift = max(comparison.shifts, key=lambda shift: abs(shift.earlier))
        yield f"raised {quote(shift.after.rule)} of {day_text(shift.before.fired)} {_sooner(shift.earlier)}"
        return
    yield "done something else about the same alerts"


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"


def summary_rows(before: BacktestReport, after: BacktestReport) -> list[tuple[str, str, str, str]]:
    """Figure, before, after, difference; rows that are 0 on both sides are left out."""
    rows = [
        _count_row("Pages", before.pages, after.pages),
        _count_row("Alerts", len(before.alerts), len(after.alerts)),
        _count_row("Issues", before.issues, after.issues),
        _count_row("Workflows started", before.workflows, after.workflows),
        _count_row("Workflows proposed", before.proposals, after.proposals),
        _count_row("Messages", before.messages, after.messages),
        _count_row("False alarms (marked)", *(_false_alarms(report) for report in (before, after))),
    ]
    if before.incidents or after.incidents:
        found = [[score.delay for score in report.incidents if score.delay is not None] for report in (before, after)]
        totals = [sum(score.is_counted for score in report.incidents) for report in (before, after)]
        cells = [f"{len(delays)} of {total}" for delays, total in zip(found, totals, strict=True)]
        rows.append(("Marked incidents found", *cells, _signed(len(found[1]) - len(found[0]))))  # type: ignore[arg-type]
        if found[0] and found[1]:
            delays = [median(part) for part in found]
            moved = _sooner(delays[0] - delays[1]) if delays[0] != delays[1] else ""
            rows.append(("Found after (median)", duration(delays[0]), duration(delays[1]), moved))
    return [row for row in rows if row[1:3] != ("0", "0")]


def _false_alarms(report: BacktestReport) -> int:
    return sum(alert.verdict is AlertVerdict.FALSE for alert in report.alerts)


def _count_row(name: str, old: int, new: int) -> tuple[str, str, str, str]:
    return name, f"{old:,}", f"{new:,}", _signed(new - old)


def _signed(difference: int) -> str:
    return "" if not difference else f"{'+' if difference > 0 else '−'}{abs(difference):,}"


def comparison_markdown(comparison: BacktestComparison) -> str:
    """For a pull request: headline, table, details; at most ``MAX_CHARACTERS``."""
    head = [f"### {TITLE}", f"**{comparison_sentence(comparison, code)}**"]
    before, after = comparison.before, comparison.after
    details: list[str] = []
    if before is None:
        head.append(f"This configuration alone, in {span_text(after)}: {' '.join(outcome_sentences(after))}")
        details += report_details(after)
    else:
        if not has_same_outcome(comparison):
            head.append(table(("", code(comparison.ref, 60), "this change", "difference"), summary_rows(before, after)))
        details += _comparison_details(comparison)
    head += [f"⚠️ {code(text, 300)}" for text in _warnings(comparison)]
    return limit_size([*head, *details])


def failure_markdown(problems: Sequence[object]) -> str:
    """Instead of a comparison, where this change could not be replayed; ``problems`` are errors that users see."""
    lines = [f"- {code(str(problem), 400)}" for problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        lines.append(f"- and {len(problems) - MAX_PROBLEMS} more")
    return f"### {TITLE}\n\n**This change could not be replayed.**\n\n" + "\n".join(lines) + "\n"


def _warnings(comparison: BacktestComparison) -> Iterator[str]:
    """What the figures do not cover."""
    errors = {*comparison.after.errors, *(comparison.before.errors if comparison.before else ())}
    for model, reason in sorted(errors)[:3]:
        yield f"{model} is not in these figures: {reason}"
    if len(errors) > 3:
        yield f"{len(errors) - 3} more models are not in these figures"


def _comparison_details(comparison: BacktestComparison) -> Iterator[str]:
    changed = [change for change in comparison.rules if _is_shown(change)]
    if changed:
        yield fold(f"By rule ({plural(len(changed), 'differs', 'differ')})", _rule_table(changed, comparison.ref))
    if comparison.incidents:
        yield fold(f"Marked incidents ({len(comparison.incidents)})", _incident_table(comparison))
    for title, alerts in (("New alerts", comparison.only_after), ("Alerts no longer raised", comparison.only_before)):
        if alerts:
            yield fold(f"{title} ({len(alerts):,})", alert_list(alerts))
    if comparison.shifts:
        yield fold(f"Alerts at another time ({len(comparison.shifts)})", _shift_list(comparison.shifts))
    yield fold("How this was computed", "\n".join(f"- {line}" for line in computed_lines(comparison.after)))


def _is_shown(change: RuleChange) -> bool:
    return change.status is not RuleStatus.SAME or _figures(change.before) != _figures(change.after)


def _rule_table(changes: list[RuleChange], ref: str) -> str:
    rows = []
    for change in changes[:MAX_CHANGES]:
        pairs = [(_cells(change.before)[place], _cells(change.after)[place]) for place in range(4)]
        rows.append((f"{code(change.model, 60)} {code(change.rule, 60)}", _STATUS[change.status], *map(_arrow, pairs)))
    more = f"\n\nand {len(changes) - MAX_CHANGES} more" if len(changes) > MAX_CHANGES else ""
    head = ("Rule", "", "Alerts a week", "Pages", "Median length", "Workflows")
    return f"{code(ref, 60)} → this change\n\n{table(head, rows)}{more}"


def _cells(score: RuleScore | None) -> tuple[str, str, str, str]:
    if score is None:
        return NONE, NONE, NONE, NONE
    workflows = workflows_cell(score)
    rate = short_number(score.per_week) if score.alerts else "0"
    return (
        rate,
        f"{score.pages:,}",
        length_cell(score.median_duration) or NONE,
        code(workflows, 80) if workflows else NONE,
    )


def _arrow(pair: tuple[str, str]) -> str:
    return pair[0] if pair[0] == pair[1] else f"{pair[0]} → {pair[1]}"


def _incident_table(comparison: BacktestComparison) -> str:
    rows = []
    for change in comparison.incidents[-MAX_CHANGES:]:
        sides = [
            found_cell(score) if score.found is not None else _not_found(score.firing_before)
            for score in (change.before, change.after)
        ]
        moved = _sooner(_earlier(change)) if _earlier(change) else ""
        name, began = code(incident_name(change.after.incident), 80), utc_time(change.after.incident.start)
        rows.append((name, code(change.after.incident.model, 60), began, *sides, moved))
    return table(("Incident", "Model", "Began", f"Found by {code(comparison.ref, 60)}", "By this change", ""), rows)


def _not_found(firing_before: tuple[str, ...]) -> str:
    return f"not found; {code(', '.join(firing_before), 80)} fired before" if firing_before else "not found"


def _shift_list(shifts: tuple[AlertShift, ...]) -> str:
    ordered = sorted(shifts, key=lambda shift: -abs(shift.earlier))
    lines = [f"- {code(alert_line(shift.after), 200)}: {_sooner(shift.earlier)}" for shift in ordered[:MAX_SHIFTS]]
    return "\n".join([*lines, *([f"- and {len(ordered) - MAX_SHIFTS} more"] if len(ordered) > MAX_SHIFTS else [])])


def limit_size(parts: list[str]) -> str:
    """The parts until they no longer fit, the first ones first; then that something is missing."""
    shown, size = [], 0
    for part in parts:
        size += len(part) + 2
        if size > MAX_CHARACTERS:
            shown.append("More does not fit here: the job summary and `--format json` have it.")
            break
        shown.append(part)
    return "\n\n".join(shown) + "\n"


def comparison_text(comparison: BacktestComparison) -> str:
    """For a terminal, without its tables."""
    lines = [comparison_sentence(comparison, plain_line), *_warnings(comparison)]
    if comparison.before is None:
        lines += outcome_sentences(comparison.after)
    return "\n".join(plain_line(line, 600) for line in lines)
