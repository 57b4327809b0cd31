"""Plans on a terminal: what is changed at GitHub, PagerDuty and W&B, what is not, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.alert import Judgement
from ..model.plan import Change, ChangeResult, Plan, Receipt, Receipts
from ..model.setup_plan import FieldChange, SetupPlan, SetupReceipt, SetupVerb
from .console import make_table, make_text
from .heartbeat import heartbeat_line
from .markdown import plain_line
from .summary import change_title, changes_with_receipts, group_skips, no_changes_sentence, rule_names, short_reason

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

RESULT_STYLE = {"done": "green", "already": "green", "failed": "red", "refused": "red"}
"""By the value of a ``Result``."""
VERB_SIGN = {SetupVerb.CREATE: ("+", "green"), SetupVerb.UPDATE: ("~", "yellow"), SetupVerb.DELETE: ("-", "red")}


def show_plan(
    console: Console, plan: Plan, receipts: Receipts | None = None, judgement: Judgement | None = None
) -> None:
    """Changes with their reasons, then what was skipped and why, and where to see what was done."""
    rules = rule_names(plan, judgement)
    if plan.changes:
        rows = [
            (
                plain_line(item.model),
                plain_line(rules.get(item.group, "")),
                change_title(item) if isinstance(item, Change) else "record on the issue",
                _plan_result(receipt) if receipts else "",
                _change_reason(item, receipt) if isinstance(item, Change) else plain_line(item.detail, 400),
            )
            for item, receipt in changes_with_receipts(plan, receipts)
        ]
        console.print(make_table(("model", "rule", "change", "result", "why"), rows))
    else:
        console.print(no_changes_sentence(judgement, plan))
    for skip, actions in group_skips(plan.skips):
        guard = f" [{skip.guard}]" if skip.guard else ""
        alert = " ".join(part for part in (skip.model, rules.get(skip.group, "")) if part)
        line = f"not done{guard}: {alert}: {', '.join(actions)}: {short_reason(skip, plan)}"
        console.print(make_text(plain_line(line, 500), "dim"))
    for model, problem in plan.troubles:
        console.print(make_text(f"problem: {plain_line(model)}: {plain_line(problem, 400)}", "red"))
    if judgement is not None and (watchdog := heartbeat_line(judgement, plan, receipts)):
        console.print(make_text(watchdog, "dim"), soft_wrap=True)
    urls = {receipt.url: receipt for receipt in receipts.receipts if receipt.url} if receipts else {}
    for url, receipt in urls.items():
        alert = " ".join(part for part in (receipt.model, rules.get(receipt.group, "")) if part)
        console.print(make_text(f"{plain_line(alert)}: {plain_line(url, 400)}"), soft_wrap=True)


def _plan_result(receipt: Receipt | SetupReceipt | None) -> Text:
    if receipt is None:
        return make_text("planned")
    return make_text(receipt.result.value.replace("-", " "), RESULT_STYLE.get(receipt.result.value, ""))


def _change_reason(change: Change, receipt: Receipt | None) -> str:
    """Why the change was planned; where it was not done, why not."""
    if receipt is not None and receipt.detail and receipt.result is not ChangeResult.DONE:
        return plain_line(receipt.detail, 400)
    return plain_line(change.reason, 300)


def show_setup_plan(console: Console, plan: SetupPlan, service: str, receipts: Sequence[SetupReceipt] = ()) -> None:
    """Every change with its fields, then what was refused and why. ``service``: PagerDuty, or W&B."""
    if plan.changes:
        rows = []
        for place, change in enumerate(plan.changes):
            sign, style = VERB_SIGN[change.verb]
            receipt = receipts[place] if receipts else None
            lines = [_field_line(field) for field in change.fields]
            lines += [f"({plain_line(change.why)})"] if change.why else []
            lines += [f"{receipt.result}: {plain_line(receipt.detail, 400)}"] if receipt and receipt.detail else []
            result = _plan_result(receipt) if receipt else ""
            rows.append((make_text(f"{sign} {change.kind}", style), plain_line(change.name), result, "\n".join(lines)))
        console.print(make_table(("change", "name", "result", "what"), rows))
    elif not plan.refusals:
        console.print(f"No changes needed: {service} matches the configuration.")
    for refusal in plan.refusals:
        line = f"refused: {refusal.kind} {plain_line(refusal.name)}: {refusal.reason}. {refusal.hint}"
        console.print(make_text(plain_line(line, 600), "red"))
    console.print(make_text(setup_plan_summary(plan, receipts), "bold"))


def setup_plan_summary(plan: SetupPlan, receipts: Sequence[SetupReceipt] = ()) -> str:
    """One line: ``3 to create, 1 to update, 2 unchanged``."""
    if receipts:
        counts = Counter(receipt.result.value for receipt in receipts)
        parts = [f"{counts[result]} {result}" for result in counts]
    else:
        verbs = Counter(change.verb for change in plan.changes)
        parts = [f"{verbs[verb]} to {verb}" for verb in SetupVerb if verbs[verb]]
    parts += [f"{len(plan.refusals)} refused"] if plan.refusals else []
    parts += [f"{len(plan.same)} unchanged"] if plan.same else []
    return f"{plan.account}: {', '.join(parts) or 'nothing'}."


def _field_line(field: FieldChange) -> str:
    name, before, after = plain_line(field.field), plain_line(field.before, 300), plain_line(field.after, 300)
    if before and after:
        return f"{name}: {before} → {after}"
    return f"{name}: {after}" if after else f"{name}: {before} (removed)"
