"""A canary beside the champion: for the terminal, the summary, the issue, and machines."""

from __future__ import annotations

from typing import Any

from ..model.release import CanaryCheck, CanaryDecision, CanaryVerdict
from ..model.series import format_labels
from .escape import code, plain_line
from .tables import table
from .why import Quote
from .words import count, duration, iso_time, number

CANARY_COLUMNS = ("Rule", "Canary", "Champion", "n", "Verdict")
_DECISION_TEXT = {
    CanaryDecision.CONTINUE: "is watched further",
    CanaryDecision.ABORT: "is worse and is taken back",
    CanaryDecision.PROPOSE: "may be promoted",
    CanaryDecision.PROMOTE: "is promoted",
}


def canary_headline(verdict: CanaryVerdict, quote: Quote = plain_line) -> str:
    """One line."""
    served = duration(verdict.until - verdict.since)
    return (
        f"The canary {quote(verdict.version)} {_DECISION_TEXT[verdict.decision]}, after {served} beside the champion."
    )


def canary_rows(verdict: CanaryVerdict) -> list[tuple[str, ...]]:
    """Plain cells, worst first."""
    order = sorted(verdict.checks, key=lambda one: (one.severity == "", one.labels, one.rule))
    return [
        (_check_name(one), number(one.canary), number(one.champion), count(one.n), one.severity or _outcome_text(one))
        for one in order
    ]


def canary_markdown(verdict: CanaryVerdict, model: str) -> str:
    """The answer, why, and what a person may do next."""
    parts = [f"**{code(model)}: {canary_headline(verdict, code)}**"]
    parts.append("\n".join(f"- {code(reason, 400)}" for reason in verdict.reasons))
    if verdict.decision is CanaryDecision.PROPOSE:
        parts.append(
            f"To promote it: comment {code(f'/modelwatch promote {verdict.version}')}, or start the workflow `promote`."
        )
    if verdict.checks:
        cells = [
            (code(rule), f"{champion} → {canary}, {n} rows", code(said))
            for rule, canary, champion, n, said in canary_rows(verdict)
        ]
        parts.append(table(("Rule", "Champion → canary", "Verdict"), cells))
    return "\n\n".join(parts) + "\n"


def canary_json(verdict: CanaryVerdict) -> dict[str, Any]:
    """As JSON."""
    return {
        "step": str(verdict.decision),
        "version": verdict.version,
        "since": iso_time(verdict.since),
        "until": iso_time(verdict.until),
        "reasons": list(verdict.reasons),
        "checks": [
            {
                "rule": one.rule,
                "labels": dict(one.labels),
                "outcome": one.outcome,
                "severity": one.severity,
                "canary": one.canary,
                "champion": one.champion,
                "low": one.low,
                "high": one.high,
                "n": one.n,
                "champion_n": one.champion_n,
                "reason": one.reason,
            }
            for one in verdict.checks
        ],
    }


def _check_name(check: CanaryCheck) -> str:
    return f"{check.rule} ({format_labels(check.labels)})" if check.labels else check.rule


def _outcome_text(check: CanaryCheck) -> str:
    return f"{check.outcome}: {check.reason}" if check.reason else check.outcome
