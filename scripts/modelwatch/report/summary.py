"""The job summary: one Markdown page that says what was judged, what was changed and what was not, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..model.alert import Group, Judgement
from ..model.plan import Change, ChangeResult, Plan, Receipt, Receipts
from .escape import code, link
from .overview import (
    SkippedGroup,
    change_title,
    group_skips,
    group_state,
    no_change_reason,
    rule_names,
    summary_line,
    unhealthy_groups,
    unplanned_receipts,
)
from .tables import table
from .told import describe_alert
from .words import utc_time

MAX_ROWS = 200
"""Rows of one table; a summary may have 1 MiB a step."""


def job_summary(judgement: Judgement, plan: Plan | None = None, receipts: Receipts | None = None) -> str:
    """The whole page."""
    parts = ["## modelwatch: " + summary_line(judgement), f"Evaluated at {utc_time(judgement.at)}."]
    if judgement.failures:
        rows = [(code(failure.model), code(failure.error, 400)) for failure in judgement.failures]
        head = "### Sources that could not be read\n\nNothing was judged for these, so nothing was closed."
        parts.append(f"{head}\n\n{_limited_table(('Model', 'Why'), rows)}")
    if groups := unhealthy_groups(judgement):
        rows_of = [_alert_row(group) for group in groups]
        parts.append("### Alerts\n\n" + _limited_table(("Alert", "State", "What", "Since"), rows_of))
    if plan is not None:
        parts.extend(_plan_sections(plan, receipts, judgement))
    if judgement.notes:
        parts.append("### Notes\n\n" + "\n".join(f"- {code(note, 400)}" for note in judgement.notes[:50]))
    return "\n\n".join(parts) + "\n"


def _alert_row(group: Group) -> tuple[str, ...]:
    told = describe_alert(group)
    where = f"{code(told.where)} " if told.where else ""
    if group.alerts:
        what = f"{where}{told.phrase}"
    else:
        what = group.latest.reason if group.latest and group.latest.reason else "—"
    start = utc_time(group.start) if group.alerts else "—"
    return f"{code(group.model)} {code(group.rule)}", group_state(group), what, start


def _plan_sections(plan: Plan, receipts: Receipts | None, judgement: Judgement) -> list[str]:
    rules = rule_names(plan, judgement)
    told = changes_table(plan, receipts, rules) if plan.changes else f"None: {no_change_reason(judgement)}"
    parts = [f"### Changes\n\n{told}"]
    if skips := list(group_skips(plan.skips)):
        rows = [_skip_row(found, rules) for found in skips]
        parts.append("### Not done, and why\n\n" + _limited_table(("Alert", "What", "Why"), rows))
    if plan.troubles:
        rows_of = [(code(model), code(trouble, 400)) for model, trouble in plan.troubles]
        parts.append("### Troubles\n\n" + _limited_table(("Model", "What"), rows_of))
    return parts


def changes_table(plan: Plan, receipts: Receipts | None, rules: Mapping[str, str]) -> str:
    """A row a change: what, (where it was applied) what became of it, and why."""
    proof = {receipt.change: receipt for receipt in receipts.receipts} if receipts else {}
    rows = [_change_row(change, proof.get(change.id), rules) for change in plan.changes]
    rows += [_unplanned_row(receipt, rules) for receipt in unplanned_receipts(plan, receipts)]
    return _limited_table(("Alert", "Change", "Why"), rows)


def _change_row(change: Change, receipt: Receipt | None, rules: Mapping[str, str]) -> tuple[str, ...]:
    verb = f"dispatch {code(change.dispatch.verb)}" if change.dispatch else change_title(change)
    return _alert_cell(change.model, change.group, rules), f"{verb}: {_result_cell(receipt)}", code(change.reason, 300)


def _unplanned_row(receipt: Receipt, rules: Mapping[str, str]) -> tuple[str, ...]:
    what = f"record on the issue: {_result_cell(receipt)}"
    return _alert_cell(receipt.model, receipt.group, rules), what, "so that nothing is done twice"


def _alert_cell(model: str, group: str, rules: Mapping[str, str]) -> str:
    """The model, and the rule where it is known."""
    return f"{code(model)} {code(rules[group])}" if group in rules else code(model)


def _result_cell(receipt: Receipt | None) -> str:
    if receipt is None:
        return "planned"
    words = receipt.result.value.replace("-", " ")
    shown = link(words, receipt.url) if receipt.url else words
    told = receipt.detail and receipt.result not in (ChangeResult.DONE, ChangeResult.ALREADY)
    return f"{shown}: {code(receipt.detail, 300)}" if told else shown


def _skip_row(found: SkippedGroup, rules: Mapping[str, str]) -> tuple[str, ...]:
    guard = f" ({code(found.guard)})" if found.guard else ""
    whats = ", ".join(code(what) for what in found.actions)
    return _alert_cell(found.model, found.group, rules), whats + guard, code(found.reason, 300)


def _limited_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    more = len(rows) - MAX_ROWS
    rest = f"\n\n{more} more rows are left out here; the files have them all." if more > 0 else ""
    return table(head, rows[:MAX_ROWS]) + rest
