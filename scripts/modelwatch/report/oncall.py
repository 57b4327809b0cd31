"""The plan for PagerDuty as a table, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.oncall import FieldChange, SetupChange, SetupPlan, SetupReceipt, SetupVerb
from .console import RESULT_STYLE, fit_table, make_table
from .escape import plain_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

VERB_SIGN = {SetupVerb.CREATE: ("+", "green"), SetupVerb.UPDATE: ("~", "yellow"), SetupVerb.DELETE: ("-", "red")}


def show_pagerduty_plan(console: Console, plan: SetupPlan, receipts: Sequence[SetupReceipt] = ()) -> None:
    """Every change with its fields, then what is left alone and why."""
    from rich.text import Text

    if plan.changes:
        table = make_table(("change", "name", *(("result",) if receipts else ()), "what"))
        for place, change in enumerate(plan.changes):
            sign, style = VERB_SIGN[change.verb]
            receipt = receipts[place] if receipts else None
            what = "\n".join((*_field_lines(change), *([_receipt_line(receipt)] if receipt and receipt.detail else [])))
            result = [_receipt_result(receipt)] if receipt else []
            table.add_row(
                Text(f"{sign} {change.kind}", style=style), Text(plain_line(change.name)), *result, Text(what)
            )
        console.print(fit_table(table))
    elif not plan.refusals:
        console.print("Nothing to change: PagerDuty is as the configuration wants it.")
    for refusal in plan.refusals:
        alone = f"left alone: {refusal.kind} {plain_line(refusal.name)}: {refusal.reason}. {refusal.hint}"
        console.print(Text(plain_line(alone, 600), style="red"))
    console.print(Text(pagerduty_plan_summary(plan, receipts), style="bold"))


def pagerduty_plan_summary(plan: SetupPlan, receipts: Sequence[SetupReceipt] = ()) -> str:
    """One line: ``3 to create, 1 to update, 2 as they should be``."""
    if receipts:
        counted = [(receipt.result.value, 1) for receipt in receipts]
        words = dict.fromkeys(word for word, _ in counted)
        parts = [f"{sum(word == one for one, _ in counted)} {word}" for word in words]
    else:
        parts = []
        for verb in SetupVerb:
            count = sum(change.verb is verb for change in plan.changes)
            parts += [f"{count} to {verb}"] if count else []
    parts += [f"{len(plan.refusals)} left alone"] if plan.refusals else []
    parts += [f"{len(plan.same)} as {'they' if len(plan.same) > 1 else 'it'} should be"] if plan.same else []
    return f"{plan.account}: {', '.join(parts) or 'nothing'}."


def _field_lines(change: SetupChange) -> list[str]:
    lines = [_field_line(one) for one in change.fields]
    return [*lines, f"({plain_line(change.why)})"] if change.why else lines


def _field_line(one: FieldChange) -> str:
    name, before, after = plain_line(one.field), plain_line(one.before, 300), plain_line(one.after, 300)
    if before and after:
        return f"{name}: {before} → {after}"
    return f"{name}: {after}" if after else f"{name}: no longer {before}"


def _receipt_line(receipt: SetupReceipt) -> str:
    return f"{receipt.result}: {plain_line(receipt.detail, 400)}"


def _receipt_result(receipt: SetupReceipt) -> Text:
    from rich.text import Text

    return Text(receipt.result.value, style=RESULT_STYLE.get(receipt.result.value, ""))
