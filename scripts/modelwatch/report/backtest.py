"""A backtest for people: what one configuration would have found and done, for a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from statistics import median

from ..model.alert import BUILT_IN_RULES
from ..model.backtest import AlertVerdict, BacktestReport, IncidentScore, MarkedIncident, RuleScore, ScoredAlert
from ..timeutil import DAY, HOUR, MINUTE, format_utc
from .formatting import duration, short_number
from .markdown import code, plain_line, table

MAX_ALERTS = 40
"""Alerts that are listed, the newest."""
MAX_INCIDENTS = 20
MAX_RULES = 60
MAX_NOTES = 20
NONE = "—"
VERDICTS = {
    AlertVerdict.INCIDENT: "a marked incident",
    AlertVerdict.FALSE: "false",
    AlertVerdict.UNMARKED: "not marked",
}
RULE_COLUMNS = (
    "Model",
    "Rule",
    "Alerts",
    "A week",
    "Lasted",
    "Found",
    "False",
    "Not marked",
    "Issues",
    "Pages",
    "Workflows",
)
INCIDENT_COLUMNS = ("Incident", "Model", "Began", "Found after", "By", "Paged after")


def plural(number: int, word: str, words: str = "") -> str:
    """``1 page``, ``12 pages``"""
    return f"{number:,} {word if number == 1 else words or f'{word}s'}"


def span_text(report: BacktestReport) -> str:
    """``the 90 days until 2026-11-30``"""
    return f"the {length_text(report)} until {format_utc(report.until)[:10]}"


def length_text(report: BacktestReport) -> str:
    """``90 days``; ``36 h``"""
    seconds = report.until - report.since
    return plural(round(seconds / DAY), "day") if seconds >= 2 * DAY else duration(seconds)


def day_text(time: float) -> str:
    """``5 November``"""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment.day} {moment:%B}"


def incident_name(incident: MarkedIncident) -> str:
    """What people call it; else by its first day. Plain text from outside."""
    return incident.name or f"the incident of {day_text(incident.start)}"


def outcome_sentences(report: BacktestReport) -> Iterator[str]:
    """What happened in all, in one or two sentences of our own words."""
    alerts = len(report.alerts)
    rate = f" ({short_number(alerts / report.weeks)} a week)" if alerts and report.weeks >= 1 else ""
    done = [plural(report.issues, "issue"), plural(report.pages, "page")]
    done += [f"{plural(report.workflows, 'workflow')} started"] if report.workflows else []
    done += [f"{plural(report.proposals, 'workflow')} proposed"] if report.proposals else []
    done += [plural(report.messages, "message")] if report.messages else []
    yield f"{plural(alerts, 'alert')}{rate}: {', '.join(done)}."
    if counted := [score for score in report.incidents if score.is_counted]:
        delays = [score.delay for score in counted if score.delay is not None]
        text = f"It finds {len(delays)} of {plural(len(counted), 'marked incident')}"
        yield f"{text}{f', after {duration(median(delays))} (median)' if delays else ''}."
    false = sum(alert.verdict is AlertVerdict.FALSE for alert in report.alerts)
    unmarked = sum(alert.verdict is AlertVerdict.UNMARKED for alert in report.alerts)
    if alerts and (report.marks.incidents or report.marks.false_marks):
        called = (
            f"{plural(false, 'alert is', 'alerts are')} marked as false" if false else "No alert is marked as false"
        )
        yield f"{called}, {unmarked:,} not marked at all."


def replay_sentence(report: BacktestReport) -> str:
    """How it was computed."""
    every = "hour" if report.every == HOUR else duration(report.every)
    models = plural(len(report.models) - len({model for model, _ in report.errors}), "model")
    period = f"{format_utc(report.since)} to {format_utc(report.until)}"
    evaluations = f"one evaluation every {every} ({report.evaluations:,})"
    return f"{models} replayed, {period}, {evaluations}, each with only what was logged by then."


def marks_lines(report: BacktestReport) -> Iterator[str]:
    """Where marks come from, and what is not known. Plain text from outside."""
    marks = report.marks
    yield from (f"Marks: {source}." for source in marks.sources)
    if not marks.sources and not marks.problems:
        yield "Nothing is marked, so no alert is called right or wrong: see `--incidents`."
    yield from (f"Marks that cannot be read: {problem}" for problem in marks.problems)
    yield from (f"Not replayed: {model}: {reason}" for model, reason in report.errors)
    yield from report.notes


def rule_cells(score: RuleScore) -> tuple[str, ...]:
    """As ``RULE_COLUMNS``; names are text from outside."""
    return (
        score.model,
        score.rule,
        f"{score.alerts:,}",
        short_number(score.per_week) if score.alerts else "",
        lasted_cell(score),
        detection_cell(score),
        *(f"{count:,}" if count else "" for count in (score.false_alarms, score.unmarked, score.issues, score.pages)),
        workflows_cell(score),
    )


def lasted_cell(score: RuleScore) -> str:
    """``6 h``; ``6 h, at most 2 d``; the median of several."""
    if score.median_duration is None or score.longest_duration is None:
        return ""
    longest = f", at most {duration(score.longest_duration)}" if score.longest_duration > score.median_duration else ""
    return f"{duration(score.median_duration)}{longest}{' so far' if score.still_firing else ''}"


def detection_cell(score: RuleScore) -> str:
    """``3, after 6 h; 1 missed``"""
    after = "" if score.median_delay is None else f", after {duration(score.median_delay)}"
    parts = [f"{score.detected:,}{after}"] if score.detected else []
    return "; ".join([*parts, *([f"{score.missed:,} missed"] if score.missed else [])])


def workflows_cell(score: RuleScore) -> str:
    """``retrain 2, rollback 1, 1 proposed``"""
    parts = [f"{verb} {count:,}" for verb, count in score.dispatches]
    return ", ".join([*parts, *([f"{score.proposals:,} proposed"] if score.proposals else [])])


def length_cell(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def incident_cells(score: IncidentScore) -> tuple[str, ...]:
    """As ``INCIDENT_COLUMNS``; names are text from outside."""
    return (
        incident_name(score.incident),
        score.incident.model,
        format_utc(score.incident.start),
        found_cell(score),
        ", ".join(rule for rule, _ in score.by_rule),
        NONE if score.page_delay is None else _delay(score.page_delay),
    )


def found_cell(score: IncidentScore) -> str:
    """``7 h``; ``not found``, with the rules that fired before it began."""
    if score.delay is not None:
        return _delay(score.delay)
    before = f" ({', '.join(score.firing_before)} fired before it began)" if score.firing_before else ""
    return f"not found{' yet' if score.under_way else ''}{before}"


def _delay(seconds: float) -> str:
    return duration(seconds) if seconds >= MINUTE else "at once"


def alert_line(alert: ScoredAlert) -> str:
    """``2026-11-05 03:00 UTC  churn accuracy: error, 7 h, not marked``; plain text from outside."""
    lasted = "still firing" if alert.end is None else duration(alert.end - alert.fired)
    return f"{format_utc(alert.fired)}  {alert.model} {alert.rule}: {alert.peak}, {lasted}, {VERDICTS[alert.verdict]}"


def shown_columns(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The table without its empty columns."""
    shown = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    return [columns[place] for place in shown], [[row[place] for place in shown] for row in rows]


def listed_rules(rules: Iterable[RuleScore]) -> list[RuleScore]:
    """Those that paged, opened issues and fired most first, those of the configuration before built-in ones."""

    def order(score: RuleScore) -> tuple[object, ...]:
        return -score.pages, -score.issues, score.rule in BUILT_IN_RULES, -score.alerts, score.model, score.rule

    return sorted(rules, key=order)


def backtest_text(report: BacktestReport) -> str:
    """For a terminal, without its tables."""
    lines = [replay_sentence(report), *outcome_sentences(report), *list(marks_lines(report))[:MAX_NOTES]]
    return "\n".join(plain_line(line, 600) for line in lines)


def backtest_markdown(report: BacktestReport, title: str = "Backtest") -> str:
    """For a job summary or a page."""
    parts = [f"## {title}", f"**In {span_text(report)}: {' '.join(outcome_sentences(report))}**"]
    parts += report_details(report)
    return "\n\n".join(parts) + "\n"


def report_details(report: BacktestReport) -> Iterator[str]:
    """The tables of a report, and how it was computed, in Markdown."""
    yield rules_table(report)
    if report.incidents:
        yield incidents_table(report)
    if report.alerts:
        yield fold(f"Alerts ({len(report.alerts):,})", alert_list(report.alerts))
    yield fold("How this was computed", "\n".join(f"- {line}" for line in computed_lines(report)))


def computed_lines(report: BacktestReport) -> Iterator[str]:
    yield replay_sentence(report)
    lines = list(marks_lines(report))
    yield from (code(line, 300) for line in lines[:MAX_NOTES])
    if len(lines) > MAX_NOTES:
        yield f"and {len(lines) - MAX_NOTES} more notes"


def rule_rows(report: BacktestReport) -> list[list[str]]:
    """Plain text from outside; without the model's name where there is only one."""
    rows = [list(rule_cells(score)) for score in listed_rules(report.rules)]
    return rows if len(report.models) > 1 else [["", *row[1:]] for row in rows]


def rules_table(report: BacktestReport) -> str:
    rules = rule_rows(report)
    rows = [[_outside(place, cell) for place, cell in enumerate(row)] for row in rules[:MAX_RULES]]
    more = f"\n\nand {plural(len(rules) - MAX_RULES, 'more rule')}" if len(rules) > MAX_RULES else ""
    return table(*shown_columns(RULE_COLUMNS, rows)) + more if rows else "No rule was replayed."


def _outside(place: int, cell: str) -> str:
    """Names, and verbs of workflows, are the user's."""
    return code(cell, 80) if cell and RULE_COLUMNS[place] in ("Model", "Rule", "Workflows") else cell


def incidents_table(report: BacktestReport) -> str:
    scores = report.incidents[-MAX_INCIDENTS:]
    rows = []
    for score in scores:
        name, model, began, found, by, paged = incident_cells(score)
        found = code(found, 120) if score.found is None and score.firing_before else found
        rows.append((code(name, 80), code(model, 80), began, found, code(by, 120) if by else NONE, paged))
    left = len(report.incidents) - len(scores)
    return table(INCIDENT_COLUMNS, rows) + (f"\n\nand {left} before them" if left else "")


def alert_list(alerts: Sequence[ScoredAlert]) -> str:
    lines = [f"- {code(alert_line(alert), 200)}" for alert in alerts[-MAX_ALERTS:]]
    left = len(alerts) - len(lines)
    return "\n".join([f"- {plural(left, 'alert')} before these", *lines] if left else lines)


def fold(title: str, text: str) -> str:
    """``title`` in our own words; ``text`` is Markdown."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
