"""The job summary: one Markdown page that says what was judged, what was changed and what was not, and why."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.alert import AlertState, Group, Judgement
from ..model.plan import Change, Plan, Receipt, Receipts, Result, Skip
from .escape import code, link
from .issue import table, worst_alert
from .words import number, percent, when

MOST_ROWS = 200
"""Rows of one table; a summary may have 1 MiB a step."""


def summary(judgement: Judgement, plan: Plan | None = None, receipts: Receipts | None = None) -> str:
    """The whole page."""
    parts = ["## modelwatch: " + verdict(judgement), f"Evaluated at {when(judgement.at)}."]
    if judgement.failures:
        rows = [(code(failure.model), code(failure.error, 400)) for failure in judgement.failures]
        parts.append("### Sources that could not be read\n\nNothing was judged for these, so nothing was closed.\n\n")
        parts[-1] += table(("Model", "Why"), rows)
    loud = [group for group in judgement.groups if group.state is not AlertState.QUIET]
    if loud:
        parts.append(
            "### Alerts\n\n"
            + _table(("Model", "Rule", "State", "Severity", "Value", "Change", "Since"), [_alert(g) for g in loud])
        )
    if plan is not None:
        parts.append("### Changes\n\n" + changes(plan, receipts))
        if plan.skips:
            parts.append(
                "### Not done, and why\n\n" + _table(("Model", "What", "Why"), [_skip(skip) for skip in plan.skips])
            )
        if plan.troubles:
            parts.append(
                "### Troubles\n\n" + _table(("Model", "What"), [(code(m), code(t, 400)) for m, t in plan.troubles])
            )
    if judgement.notes:
        parts.append("### Notes\n\n" + "\n".join(f"- {code(note, 400)}" for note in judgement.notes[:50]))
    return "\n\n".join(parts) + "\n"


def verdict(judgement: Judgement) -> str:
    """``2 firing (1 critical), 7 healthy, 1 source down``."""
    firing = [group for group in judgement.groups if group.state is AlertState.FIRING]
    quiet = sum(group.state is AlertState.QUIET for group in judgement.groups)
    parts = []
    if firing:
        worst = max(group.severity for group in firing if group.severity)
        share = sum(group.severity == worst for group in firing)
        parts.append(f"{len(firing)} firing ({share} {worst})")
    parts.append(f"{quiet} healthy")
    if judgement.failures:
        parts.append(f"{len(judgement.failures)} source{'s' if len(judgement.failures) > 1 else ''} down")
    return ", ".join(parts)


def _alert(group: Group) -> tuple[str, ...]:
    alert = worst_alert(group)
    value, change = (number(alert.finding.value), percent(alert.finding.change)) if alert else ("—", "—")
    muted = " (muted)" if group.mutes else ""
    return (
        code(group.model),
        code(group.rule),
        f"{group.state}{muted}",
        str(group.severity or "—"),
        value,
        change,
        when(group.start),
    )


def changes(plan: Plan, receipts: Receipts | None) -> str:
    """A row a change: what, why, and (where it was applied) what became of it."""
    if not plan.changes:
        return "None: the world already agrees."
    proof = {receipt.change: receipt for receipt in receipts.receipts} if receipts else {}
    return _table(
        ("Model", "Change", "Why", "Result"), [_change(change, proof.get(change.id)) for change in plan.changes]
    )


def _change(change: Change, receipt: Receipt | None) -> tuple[str, ...]:
    what = change.kind.value.replace("-", " ")
    if change.dispatch:
        what += f" {code(change.dispatch.verb)}"
    return (code(change.model), what, code(change.reason, 300), _result(receipt))


def _result(receipt: Receipt | None) -> str:
    if receipt is None:
        return "planned"
    words = receipt.result.value.replace("-", " ")
    shown = link(words, receipt.url) if receipt.url else words
    return f"{shown}: {code(receipt.detail, 300)}" if receipt.detail and receipt.result is not Result.DONE else shown


def _skip(skip: Skip) -> tuple[str, ...]:
    guard = f" ({skip.guard})" if skip.guard else ""
    return (code(skip.model), f"{skip.what.replace('-', ' ')}{guard}", code(skip.reason, 300))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    more = len(rows) - MOST_ROWS
    rest = f"\n\n{more} more rows are left out here; plan.json has them all." if more > 0 else ""
    return table(head, rows[:MOST_ROWS]) + rest
