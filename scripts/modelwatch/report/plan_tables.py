"""Plans on a terminal: what is changed at GitHub and PagerDuty, what is not, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.alert import Judgement
from ..model.pagerduty_plan import FieldChange, SetupChange, SetupPlan, SetupReceipt, SetupVerb
from ..model.plan import Change, ChangeResult, Plan, Receipt, Receipts
from .console import fit_table, make_table
from .markdown import plain_line
from .summary import change_title, group_skips, no_changes_sentence, rule_names, unplanned_receipts

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

RESULT_STYLE = {"done": "green", "already": "green", "failed": "red", "refused": "red"}
"""By the value of a ``Result``."""
VERB_SIGN = {SetupVerb.CREATE: ("+", "green"), SetupVerb.UPDATE: ("~", "yellow"), SetupVerb.DELETE: ("-", "red")}


def show_plan(
    console: Console, plan: Plan, receipts: Receipts | None = None, judgement: Judgement | None = None
) -> None:
    """Changes with their reasons, then what was skipped and why."""
    from rich.text import Text

    rules = rule_names(plan, judgement)
    if plan.changes:
        proof = {receipt.change: receipt for receipt in receipts.receipts} if receipts else {}
        table = make_table(("model", "rule", "change", *(("result",) if receipts else ()), "why"))
        for change in plan.changes:
            result = [_plan_result(proof.get(change.id))] if receipts else []
            cells = [
                Text(plain_line(change.model)),
                Text(plain_line(rules.get(change.group, ""))),
                Text(change_title(change)),
            ]
            table.add_row(*cells, *result, Text(_change_reason(change, proof.get(change.id))))
        for receipt in unplanned_receipts(plan, receipts):
            alert_cells = (Text(plain_line(receipt.model)), Text(plain_line(rules.get(receipt.group, ""))))
            table.add_row(
                *alert_cells, Text("record on the issue"), _plan_result(receipt), Text(plain_line(receipt.detail, 400))
            )
        console.print(fit_table(table))
    else:
        console.print(no_changes_sentence(judgement, plan))
    for skipped in group_skips(plan.skips):
        guard = f" [{skipped.guard}]" if skipped.guard else ""
        alert = " ".join(part for part in (skipped.model, rules.get(skipped.group, "")) if part)
        line = f"not done{guard}: {alert}: {', '.join(skipped.actions)}: {skipped.reason}"
        console.print(Text(plain_line(line, 500), style="dim"))
    for model, problem in plan.troubles:
        console.print(Text(f"problem: {plain_line(model)}: {plain_line(problem, 400)}", style="red"))


def _plan_result(receipt: Receipt | SetupReceipt | None) -> Text:
    from rich.text import Text

    if receipt is None:
        return Text("planned")
    return Text(receipt.result.value.replace("-", " "), style=RESULT_STYLE.get(receipt.result.value, ""))


def _change_reason(change: Change, receipt: Receipt | None) -> str:
    """Why the change was planned; where it was not done, why not."""
    if receipt is not None and receipt.detail and receipt.result is not ChangeResult.DONE:
        return plain_line(receipt.detail, 400)
    return plain_line(change.reason, 300)


def show_pagerduty_plan(console: Console, plan: SetupPlan, receipts: Sequence[SetupReceipt] = ()) -> None:
    """Every change with its fields, then what was refused and why."""
    from rich.text import Text

    if plan.changes:
        table = make_table(("change", "name", *(("result",) if receipts else ()), "what"))
        for place, change in enumerate(plan.changes):
            sign, style = VERB_SIGN[change.verb]
            receipt = receipts[place] if receipts else None
            what = "\n".join((*_field_lines(change), *([_receipt_line(receipt)] if receipt and receipt.detail else [])))
            result = [_plan_result(receipt)] if receipt else []
            table.add_row(
                Text(f"{sign} {change.kind}", style=style), Text(plain_line(change.name)), *result, Text(what)
            )
        console.print(fit_table(table))
    elif not plan.refusals:
        console.print("No changes needed: PagerDuty matches the configuration.")
    for refusal in plan.refusals:
        line = f"refused: {refusal.kind} {plain_line(refusal.name)}: {refusal.reason}. {refusal.hint}"
        console.print(Text(plain_line(line, 600), style="red"))
    console.print(Text(pagerduty_plan_summary(plan, receipts), style="bold"))


def pagerduty_plan_summary(plan: SetupPlan, receipts: Sequence[SetupReceipt] = ()) -> str:
    """One line: ``3 to create, 1 to update, 2 unchanged``."""
    if receipts:
        counts = Counter(receipt.result.value for receipt in receipts)
        parts = [f"{counts[result]} {result}" for result in counts]
    else:
        parts = []
        for verb in SetupVerb:
            count = sum(change.verb is verb for change in plan.changes)
            parts += [f"{count} to {verb}"] if count else []
    parts += [f"{len(plan.refusals)} refused"] if plan.refusals else []
    parts += [f"{len(plan.same)} unchanged"] if plan.same else []
    return f"{plan.account}: {', '.join(parts) or 'nothing'}."


def _field_lines(change: SetupChange) -> list[str]:
    lines = [_field_line(field) for field in change.fields]
    return [*lines, f"({plain_line(change.why)})"] if change.why else lines


def _field_line(field: FieldChange) -> str:
    name, before, after = plain_line(field.field), plain_line(field.before, 300), plain_line(field.after, 300)
    if before and after:
        return f"{name}: {before} → {after}"
    return f"{name}: {after}" if after else f"{name}: {before} (removed)"


def _receipt_line(receipt: SetupReceipt) -> str:
    return f"{receipt.result}: {plain_line(receipt.detail, 400)}"
