"""The return on the investment in a model as text: a table by month and in all, for a terminal or in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..model.money import Estimate, ReturnOnInvestment, ReturnPeriod
from ..timeutil import DAY, format_utc
from .markdown import bullet_list, code, plain_line, table
from .money import estimate_text, ratio_text, total_money

COLUMNS = ("Period", "Value", "Before", "Gained", "Predicted", "Cost", "Net", "Return")


def roi_sentence(result: ReturnOnInvestment) -> str:
    """The result in one or two sentences."""
    total = result.total
    if total is None or total.value is None:
        return "Nothing is known of its value."
    text = f"It earned {total_money(total.value, result.currency)} in {total.days} days"
    if total.gained is None:
        return f"{text}."
    text += f", {_against(total.gained, result.currency)} the value before"
    if total.roi is not None:
        text += f"; the return on its costs is {ratio_text(total.roi)}"
    return f"{text}. {promise_sentence(total, result.currency)}".rstrip()


def _against(gained: Estimate, currency: str) -> str:
    size = estimate_text(gained, currency)
    if gained.low is not None and gained.high is not None and gained.low <= 0 <= gained.high:
        return f"{size} against (no difference is proven)"
    return f"{size} {'more' if gained.value >= 0 else 'against'} than".replace("against than", "against")


def promise_sentence(row: ReturnPeriod, currency: str) -> str:
    """Whether what was promised came true; empty where nothing was."""
    if row.predicted is None or row.predicted_gained is None:
        return ""
    actual, promised = row.predicted_gained, total_money(row.predicted, currency)
    if actual.low is None or actual.high is None:
        verdict = "it is too early to say"
    elif actual.low > row.predicted:
        verdict = "it is more"
    elif actual.high < row.predicted:
        verdict = "it is less"
    else:
        verdict = "this agrees with it"
    return f"Promised were {promised}; {verdict}: {estimate_text(actual, currency)}."


def roi_rows(result: ReturnOnInvestment) -> list[tuple[str, ...]]:
    """A row a month, and the total last."""
    rows = [*result.months, *([result.total] if result.total else [])]
    return [tuple(_cells(row, result.currency)) for row in rows]


def _cells(row: ReturnPeriod, currency: str) -> Iterator[str]:
    yield f"{row.name} ({row.days} d)"
    yield total_money(row.value, currency)
    yield total_money(row.before, currency)
    yield estimate_text(row.gained, currency)
    yield total_money(row.predicted, currency)
    yield total_money(row.cost, currency)
    yield estimate_text(row.net, currency)
    yield ratio_text(row.roi)


def cost_rows(result: ReturnOnInvestment) -> list[tuple[str, str]]:
    """What the costs are made of, in all."""
    total = result.total
    if total is None:
        return []
    count = f" ({total.retrainings})" if total.retrainings is not None else ""
    costs = (("serving", total.serving), (f"retraining{count}", total.retraining), ("labelling", total.labelling))
    return [(name, total_money(cost, result.currency)) for name, cost in costs if cost is not None]


def roi_text(result: ReturnOnInvestment) -> str:
    """For a terminal."""
    lines = [plain_line(f"{result.model}: {roi_sentence(result)}", 600), ""]
    if result.total:
        lines += [*_aligned([COLUMNS, *roi_rows(result)]), ""]
    if costs := cost_rows(result):
        lines += [f"Costs: {', '.join(f'{name} {amount}' for name, amount in costs)}.", ""]
    for title, texts in (("Assumed", result.assumptions), ("Missing", result.missing)):
        lines += [f"{title}:", *(f"  - {plain_line(text, 400)}" for text in texts), ""] if texts else []
    return "\n".join(lines).rstrip()


def roi_markdown(result: ReturnOnInvestment) -> str:
    """For an issue, a page or a job summary."""
    until = format_utc(result.until - DAY)[:10]
    parts = [f"## {code(result.model)}: value and costs until {until}", roi_sentence(result)]
    if result.total:
        parts.append(table(COLUMNS, roi_rows(result)))
    if costs := cost_rows(result):
        parts.append(table(("Cost", "Amount"), costs))
    for title, texts in (("Assumed", result.assumptions), ("Missing", result.missing)):
        if texts:
            parts.append(f"### {title}\n\n{bullet_list(texts)}")
    return "\n\n".join(parts) + "\n"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
