"""The verdicts on a candidate and on a canary: Markdown, JSON, and a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..model.gate import GateCheck, GateDecision, GateReport, GateRow, GateVerdict
from ..model.release import CanaryDecision, CanaryVerdict
from ..model.series import format_labels
from ..model.unit import MINUS
from ..timeutil import format_iso
from .console import make_table, make_text
from .explanation import Quote
from .formatting import count, duration, number, utc_time
from .markdown import bullet_list, code, plain_line, table

if TYPE_CHECKING:
    from rich.console import Console


DECISION_STYLE = {GateDecision.PROMOTE: "bold green", GateDecision.HOLD: "bold yellow", GateDecision.REJECT: "bold red"}
VERDICT_STYLE = {
    GateVerdict.SUPERIOR: "green",
    GateVerdict.NON_INFERIOR: "green",
    GateVerdict.UNDECIDED: "yellow",
    GateVerdict.WORSE: "red",
    GateVerdict.INFERIOR: "red",
    GateVerdict.BLOCKS: "red",
    GateVerdict.REPORTED: "dim",
}
GATE_COLUMNS = ("Check", "Champion → candidate", "Difference", "Verdict")
"""Few columns, so that they fit a phone."""
MAX_GATE_ROWS = 300
"""Of one table in Markdown."""
PASSING_VERDICTS = (GateVerdict.SUPERIOR, GateVerdict.NON_INFERIOR)
_DECISION_MEANING = {
    GateDecision.PROMOTE: "The candidate may be promoted.",
    GateDecision.HOLD: "The candidate is not proven better, so it stops here. Promote it by hand if you disagree.",
    GateDecision.REJECT: "The candidate is worse, so it stops here.",
}
CHECK_SECTIONS = {
    "Judged": (GateCheck.TABLES, GateCheck.PRIMARY, GateCheck.LATENCY, GateCheck.SEGMENT),
    "For information": (GateCheck.METRIC, GateCheck.AGREEMENT, GateCheck.CALIBRATION),
}


def gate_markdown(gate: GateReport) -> str:
    """The whole page: the decision, its reasons, every row."""
    level = f"{100 * (1 - gate.alpha):.4g} % intervals; margin {number(gate.margin)}"
    parts = [
        f"## {_gate_title(gate)}",
        (
            f"{_DECISION_MEANING[gate.decision]} By {code(gate.metric)}, {gate.better} is better; {level}; "
            f"at {utc_time(gate.at)}."
        ),
        bullet_list(gate.reasons),
    ]
    for title, checks in CHECK_SECTIONS.items():
        rows = [row for row in gate.rows if row.check in checks]
        if rows:
            cells = [tuple(_markdown_cells(row)) for row in rows[:MAX_GATE_ROWS]]
            more = f"\n\n{len(rows) - MAX_GATE_ROWS} more rows are not shown." if len(rows) > MAX_GATE_ROWS else ""
            parts.append(f"### {title}\n\n{table(GATE_COLUMNS, cells)}{more}")
    if gate.notes:
        parts.append("### Notes\n\n" + bullet_list(gate.notes))
    return "\n\n".join(parts) + "\n"


def _markdown_cells(row: GateRow) -> Iterator[str]:
    part, what, champion, candidate, difference, bounds, n, verdict, reason = _cells(row)
    yield code(f"{part}: {what}" if part else what, 400)
    yield f"{champion} → {candidate}" if row.champion is not None else candidate
    change = f"{difference} ({bounds})" if difference and bounds else difference or bounds
    yield ", ".join(filter(None, (change, f"{n} {row.unit}" if row.n is not None else "")))
    yield f"{verdict}: {code(reason, 400)}" if reason else verdict


def gate_comment(gate: GateReport) -> str:
    """The comment on an issue: the decision and its reasons; the table is in the summary of the workflow run."""
    return f"**{_gate_title(gate)}.** {_DECISION_MEANING[gate.decision]}\n\n{bullet_list(gate.reasons)}"


def _gate_title(gate: GateReport) -> str:
    decision = gate.decision.value.capitalize()
    return f"{decision}: {code(gate.model)} {code(gate.candidate)} against {code(gate.champion)}"


def show_gate(console: Console, gate: GateReport) -> None:
    """The decision, its reasons, what was judged, what is for information."""
    who = f"{plain_line(gate.model)}: {plain_line(gate.candidate)} against {plain_line(gate.champion)}"
    console.print(
        make_text(gate.decision.value, DECISION_STYLE[gate.decision]),
        f"{who}, by {plain_line(gate.metric)}",
        markup=False,
    )
    for reason in gate.reasons:
        console.print(make_text(f"  {plain_line(reason, 400)}"))
    for checks in CHECK_SECTIONS.values():
        _show_rows(console, [row for row in gate.rows if row.check in checks])
    for note in gate.notes:
        console.print(make_text(f"note: {plain_line(note, 400)}", "dim"))


def _show_rows(console: Console, rows: Sequence[GateRow]) -> None:
    """Rows, without the segments that passed: the JSON and the Markdown have them all."""
    passed = [row for row in rows if row.check is GateCheck.SEGMENT and row.verdict in PASSING_VERDICTS]
    shown = [row for row in rows if row not in passed]
    if shown:
        cells = []
        for row in shown:
            part, what, champion, candidate, _, bounds, n, verdict, reason = _cells(row)
            is_bare = row.check is GateCheck.TABLES or (row.segment and row.candidate is None)
            check = plain_line(reason if is_bare else row.segment or what, 300)
            cells.append((part, check, make_text(verdict, VERDICT_STYLE[row.verdict]), champion, candidate, bounds, n))
        console.print()
        columns = ("part", "check", "verdict", "champion", "candidate", "difference", "n")
        console.print(make_table(columns, cells))
    if passed:
        console.print(make_text(f"{len(passed)} comparisons of segments passed.", "dim"))


def _cells(row: GateRow) -> tuple[str, ...]:
    is_ratio = row.check is GateCheck.LATENCY
    what = (row.segment or row.what) + row.worth_text
    return (
        row.part,
        what,
        number(row.champion),
        number(row.candidate),
        signed_number(row.difference, is_ratio),
        difference_interval(row),
        count(row.n),
        row.verdict.value,
        row.words,
    )


def difference_interval(row: GateRow) -> str:
    """The interval of the difference, signed; of agreement, which is no difference, without a sign."""
    if row.low is None or row.high is None:
        return ""
    if row.check is GateCheck.AGREEMENT:
        return f"{number(row.low)} to {number(row.high)}"
    is_ratio = row.check is GateCheck.LATENCY
    return f"{signed_number(row.low, is_ratio)} to {signed_number(row.high, is_ratio)}"


def signed_number(value: float | None, is_ratio: bool = False) -> str:
    if value is None:
        return ""
    sign, size = MINUS if value < 0 else "+", abs(value) * (100 if is_ratio else 1)
    # Three digits are more than an interval is worth.
    return f"{sign}{number(float(f'{size:.3g}'))}{' %' if is_ratio else ''}"


CANARY_COLUMNS = ("Rule", "Canary", "Champion", "n", "Verdict")
_DECISION_TEXT = {
    CanaryDecision.CONTINUE: "keeps running",
    CanaryDecision.ABORT: "is worse and is withdrawn",
    CanaryDecision.PROPOSE: "can be promoted",
    CanaryDecision.PROMOTE: "is promoted",
}


def canary_headline(verdict: CanaryVerdict, quote: Quote = plain_line) -> str:
    """One line."""
    served = duration(verdict.until - verdict.since)
    return f"Canary {quote(verdict.version)} {_DECISION_TEXT[verdict.decision]} after {served} beside the champion."


def canary_rows(verdict: CanaryVerdict) -> list[tuple[str, ...]]:
    """Plain cells, worst first."""
    rows: list[tuple[str, ...]] = []
    for check in sorted(verdict.checks, key=lambda check: (check.severity == "", check.labels, check.rule)):
        name = f"{check.rule} ({format_labels(check.labels)})" if check.labels else check.rule
        outcome = check.severity or (f"{check.outcome}: {check.reason}" if check.reason else check.outcome)
        rows.append((name, number(check.canary), number(check.champion), count(check.n), outcome))
    return rows


def canary_markdown(verdict: CanaryVerdict, model: str) -> str:
    """The decision, its reasons, and the next step."""
    parts = [f"**{code(model)}: {canary_headline(verdict, code)}**", bullet_list(verdict.reasons)]
    if verdict.decision is CanaryDecision.PROPOSE:
        parts.append(
            f"To promote it, comment {code(f'/modelwatch promote {verdict.version}')} or start the workflow `promote`."
        )
    if verdict.checks:
        cells = [
            (code(rule), f"{champion} → {canary}, {n} rows", code(outcome))
            for rule, canary, champion, n, outcome in canary_rows(verdict)
        ]
        parts.append(table(("Rule", "Champion → canary", "Verdict"), cells))
    return "\n\n".join(parts) + "\n"


def canary_json(verdict: CanaryVerdict) -> dict[str, Any]:
    """As JSON."""
    return {
        "step": str(verdict.decision),
        "version": verdict.version,
        "since": format_iso(verdict.since),
        "until": format_iso(verdict.until),
        "reasons": list(verdict.reasons),
        "checks": [asdict(check) | {"labels": dict(check.labels)} for check in verdict.checks],
    }
