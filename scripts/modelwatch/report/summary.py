"""The summary of an evaluation: the job summary in Markdown, and what it shares with the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..model.alert import Group, Judgement
from ..model.plan import Change, ChangeKind, ChangeResult, Plan, Receipt, Receipts, Skip
from .alert_phrase import describe_alert
from .formatting import utc_time
from .group_states import group_state, listed_groups, summary_line
from .heartbeat import heartbeat_line
from .markdown import bullet_list, code, link, table
from .model_health import fleet_line
from .money import impact_text

MAX_ROWS = 200
"""Rows of one table; a summary can have 1 MiB a step."""


def no_changes_sentence(judgement: Judgement | None, plan: Plan) -> str:
    """The sentence for a plan without changes; where something cannot be read, that is no proof that none is needed."""
    if plan.troubles:
        return "No changes can be planned until the problems are solved."
    if judgement is None or not judgement.failures:
        return "No changes needed."
    return "No changes needed for what could be judged." if judgement.groups else "No changes: nothing could be judged."


def rule_names(plan: Plan, judgement: Judgement | None) -> dict[str, str]:
    """Group key -> name of its rule."""
    return {group.key: group.rule for group in (*plan.groups, *(judgement.groups if judgement else ()))}


def change_title(change: Change, quote: Callable[[str], str] = str) -> str:
    """``open issue``, ``dispatch retrain``"""
    if change.kind is ChangeKind.TELL_INCIDENT:
        return "update incident"
    return f"dispatch {quote(change.dispatch.verb)}" if change.dispatch else change.kind.value.replace("-", " ")


def changes_with_receipts(plan: Plan, receipts: Receipts | None) -> Iterator[tuple[Change | Receipt, Receipt | None]]:
    """Every change with its receipt; then the receipts of no change, such as a failure to record one, each twice."""
    everything = receipts.receipts if receipts else ()
    by_change = {receipt.change: receipt for receipt in everything}
    yield from ((change, by_change.get(change.id)) for change in plan.changes)
    planned = {change.id for change in plan.changes}
    yield from ((receipt, receipt) for receipt in everything if receipt.change not in planned)


def group_skips(skips: Sequence[Skip]) -> Iterator[tuple[Skip, list[str]]]:
    """The first skip of each group for each reason, in order, and what all of them would have done."""
    actions: dict[Skip, list[str]] = {}
    for skip in skips:
        actions.setdefault(replace(skip, what=""), []).append(skip.what.replace("-", " "))
    for first, names in actions.items():
        yield first, list(dict.fromkeys(names))


def short_reason(skip: Skip, plan: Plan) -> str:
    """Why something was not done, without the error that the plan's problems have already."""
    for model, problem in plan.troubles:
        _, _, error = problem.partition(" cannot be observed: ")
        if model == skip.model and error and skip.reason.endswith(error):
            return f"{skip.reason.removesuffix(error).rstrip(': ')} (see the problem below)"
    return skip.reason


def job_summary(judgement: Judgement, plan: Plan | None = None, receipts: Receipts | None = None) -> str:
    """The whole page."""
    models = f"Models: {colours}. " if (colours := fleet_line(judgement)) else ""
    watchdog = f" {code(line, 500)}" if (line := heartbeat_line(judgement, plan, receipts)) else ""
    parts = ["## modelwatch: " + summary_line(judgement), f"{models}Evaluated at {utc_time(judgement.at)}.{watchdog}"]
    if judgement.failures:
        rows = [(code(failure.model), code(failure.error, 400)) for failure in judgement.failures]
        head = "### Sources that could not be read\n\nNothing was judged for these, so nothing was closed."
        parts.append(f"{head}\n\n{_limited_table(('Model', 'Why'), rows)}")
    if rows_of := [_alert_row(group) for group in listed_groups(judgement) if group_state(group) != "healthy"]:
        parts.append("### Alerts\n\n" + _limited_table(("Alert", "State", "What", "Since"), rows_of))
    if causes := _cause_lines(judgement):
        parts.append("### Shared causes\n\n" + bullet_list(causes))
    if plan is not None:
        parts.extend(_plan_sections(plan, receipts, judgement))
    if judgement.notes:
        parts.append("### Notes\n\n" + bullet_list(judgement.notes[:50]))
    return "\n\n".join(parts) + "\n"


def _cause_lines(judgement: Judgement) -> list[str]:
    """``fraud quality-missing, fraud ranking: the others depend on the data of fraud quality-missing``"""
    names = {group.key: f"{group.model} {group.rule}" for group in judgement.groups}
    return [f"{', '.join(names.get(key, key) for key in cause.members)}: {cause.text}" for cause in judgement.causes]


def _alert_row(group: Group) -> tuple[str, ...]:
    alert = describe_alert(group)
    where = f"{place} " if (place := alert.place(code)) else ""
    if group.alerts:
        what = f"{where}{alert.phrase}"
        what += f"; {money}" if (money := impact_text(group.evidence.money)) else ""
    else:
        what = group.latest.reason if group.latest and group.latest.reason else "—"
    start = utc_time(group.start) if group.alerts else "—"
    return f"{code(group.model)} {code(group.rule)}", group_state(group), what, start


def _plan_sections(plan: Plan, receipts: Receipts | None, judgement: Judgement) -> list[str]:
    rules = rule_names(plan, judgement)
    changes = no_changes_sentence(judgement, plan)
    if plan.changes:
        rows = [_change_row(item, receipt, rules) for item, receipt in changes_with_receipts(plan, receipts)]
        changes = _limited_table(("Alert", "Change", "Why"), rows)
    parts = [f"### Changes\n\n{changes}"]
    if skips := list(group_skips(plan.skips)):
        rows = [_skip_row(replace(skip, reason=short_reason(skip, plan)), actions, rules) for skip, actions in skips]
        parts.append("### Not done, and why\n\n" + _limited_table(("Alert", "What", "Why"), rows))
    if plan.troubles:
        rows_of = [(code(model), code(trouble, 400)) for model, trouble in plan.troubles]
        parts.append("### Problems\n\n" + _limited_table(("Model", "What"), rows_of))
    return parts


def _change_row(item: Change | Receipt, receipt: Receipt | None, rules: Mapping[str, str]) -> tuple[str, ...]:
    what, why = "record on the issue", "so that nothing is done twice"
    if isinstance(item, Change):
        what, why = change_title(item, code), code(item.reason, 300)
    return _alert_cell(item.model, item.group, rules), f"{what}: {_result_cell(receipt)}", why


def _alert_cell(model: str, group: str, rules: Mapping[str, str]) -> str:
    """The model, and the rule where it is known."""
    return f"{code(model)} {code(rules[group])}" if group in rules else code(model)


def _result_cell(receipt: Receipt | None) -> str:
    if receipt is None:
        return "planned"
    words = receipt.result.value.replace("-", " ")
    text = link(words, receipt.url) if receipt.url else words
    is_failure = receipt.result not in (ChangeResult.DONE, ChangeResult.ALREADY)
    return f"{text}: {code(receipt.detail, 300)}" if receipt.detail and is_failure else text


def _skip_row(skip: Skip, actions: Sequence[str], rules: Mapping[str, str]) -> tuple[str, ...]:
    guard = f" ({code(skip.guard)})" if skip.guard else ""
    return _alert_cell(skip.model, skip.group, rules), ", ".join(map(code, actions)) + guard, code(skip.reason, 300)


def _limited_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    more = len(rows) - MAX_ROWS
    rest = f"\n\n{more} more rows are left out here; the files have them all." if more > 0 else ""
    return table(head, rows[:MAX_ROWS]) + rest
