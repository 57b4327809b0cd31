"""Tables for a terminal; rich decides about colour, and honours NO_COLOR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.alert import AlertState, Group, Judgement
from ..model.pagerduty_setup import FieldChange, SetupChange, SetupPlan, SetupReceipt, SetupVerb
from ..model.plan import Change, ChangeResult, Plan, Receipt, Receipts
from ..model.severity import Severity
from .alert_phrase import describe_alert
from .formatting import bare_value, duration, quantity, utc_time
from .markdown import plain_line
from .summary import (
    change_title,
    group_skips,
    group_state,
    listed_groups,
    no_changes_sentence,
    rule_names,
    summary_line,
    unplanned_receipts,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

SEVERITY_STYLE = {
    Severity.INFO: "cyan",
    Severity.WARNING: "yellow",
    Severity.ERROR: "red",
    Severity.CRITICAL: "bold red",
}
STATE_STYLE = {
    "pending": "yellow",
    "recovered": "green",
    "healthy": "green",
    "undecided": "yellow",
    "no data": "yellow",
}
LONG_WORD_LENGTH = 20
"""Characters; a longer word can be broken on a narrow terminal."""
RESULT_STYLE = {"done": "green", "already": "green", "failed": "red", "refused": "red"}
"""By the value of a ``Result``."""


def open_console() -> Console:
    """A console on the present standard output."""
    from rich.console import Console

    return Console(soft_wrap=False, highlight=False)


def make_table(columns: Sequence[str]) -> Table:
    """An empty table; cells wrap at words, the last column takes the rest of the width. See :func:`fit_table`."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, column in enumerate(columns):
        last = place == len(columns) - 1
        table.add_column(column, overflow="fold", ratio=1 if last else None, min_width=12 if last else None)
    return table


def fit_table(table: Table) -> Table:
    """The full table without its empty columns, each wide enough for words of ordinary length."""
    table.columns = [column for column in table.columns if any(str(cell) for cell in column.cells)]
    for column in table.columns:
        words = (word for cell in (column.header, *column.cells) for word in str(cell).split())
        longest = max((len(word) for word in words), default=0)
        column.min_width = max(column.min_width or 0, min(longest, LONG_WORD_LENGTH))
    return table


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print rows of cells; text in them has no markup."""
    from rich.text import Text

    table = make_table(columns)
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    open_console().print(fit_table(table))


def show_judgement(console: Console, judgement: Judgement) -> None:
    """One line for each rule, the most severe first."""
    from rich.text import Text

    console.print(Text(summary_line(judgement), style="bold"), Text(f"at {utc_time(judgement.at)}"))
    table = make_table(("model", "rule", "state", "for", "what"))
    groups = listed_groups(judgement)
    for group in groups:
        table.add_row(*_group_row(group, judgement.at))
    if groups:
        console.print()
        console.print(fit_table(table))
    for failure in judgement.failures:
        console.print(Text(f"{failure.model}: source down: {plain_line(failure.error, 400)}", style="red"))
    for note in judgement.notes:
        console.print(Text(f"note: {plain_line(note, 400)}", style="dim"))
    console.print()


def _group_row(group: Group, now: float) -> list[Text]:
    from rich.text import Text

    state = group_state(group)
    firing = group.state is AlertState.FIRING and group.severity is not None
    style = SEVERITY_STYLE[group.severity] if firing and group.severity else STATE_STYLE.get(state, "")
    lasts = firing or group.state is AlertState.PENDING
    since = duration(now - group.start) if lasts and group.start is not None else ""
    cells = (
        (plain_line(group.model), ""),
        (plain_line(group.rule), ""),
        (state, style),
        (since, ""),
        (group_text(group), ""),
    )
    return [Text(text, style=style) for text, style in cells]


def group_text(group: Group) -> str:
    """``region=eu: 0.8412, 8.6 % below its baseline 0.9203``; of a quiet rule its newest finding."""
    if group.state in (AlertState.FIRING, AlertState.PENDING):
        alert = describe_alert(group)
        rule = alert.rule if group.built_in else ""
        where = ", ".join(part for part in (rule, alert.where) if part)
        return plain_line(f"{where}: {alert.phrase}" if where else alert.phrase)
    latest = group.latest
    if latest is None:
        return ""
    if latest.reason:
        return plain_line(latest.reason)
    against = f", baseline {bare_value(latest.baseline, group.unit)}" if latest.baseline is not None else ""
    return f"{quantity(latest.value, group.unit)}{against}"


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


def show_markdown(console: Console, text: str) -> None:
    """A page of Markdown. Code blocks are printed unchanged, so that they can be copied."""
    from rich.markdown import Markdown
    from rich.text import Text

    prose: list[str] = []
    inside = False
    for row in [*text.splitlines(), "```"]:
        if row.strip().startswith("```"):
            if prose and not inside:
                console.print(Markdown("\n".join(prose)))
                console.print()
            prose, inside = [], not inside
        elif inside:
            console.print(Text("    " + row.strip(), style="bold cyan"), soft_wrap=True)
        else:
            prose.append(row)


VERB_SIGN = {SetupVerb.CREATE: ("+", "green"), SetupVerb.UPDATE: ("~", "yellow"), SetupVerb.DELETE: ("-", "red")}


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
