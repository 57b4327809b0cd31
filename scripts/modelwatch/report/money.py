"""Money as text: what a change is worth, rounded to what is known."""

from __future__ import annotations

import math

from ..model.money import Estimate, MoneyImpact
from ..model.unit import MINUS
from .formatting import whole_percent


def money(amount: float, currency: str) -> str:
    """Two significant digits: ``3,100 EUR``, ``−0.56 EUR``, ``0 EUR``."""
    return f"{rounded_amount(amount)} {currency}"


def rounded_amount(amount: float, significant: int = 2) -> str:
    """``3,100``; from 0.01 on, less is ``0``."""
    if abs(amount) < 0.005:
        return "0"
    digits = significant - 1 - math.floor(math.log10(abs(amount)))
    value = round(abs(amount), digits)
    text = f"{value:,.0f}" if value >= 10 else f"{value:.{max(1, min(digits, 2))}f}"
    return f"{MINUS if amount < 0 else ''}{text}"


def impact_sentence(impact: MoneyImpact | None) -> str:
    """``Costs about 3,100 EUR a day (95 % interval 1,900 to 4,300).``; empty where nothing is known."""
    if impact is None:
        return ""
    if abs(impact.amount) < 0.005:
        text = f"Worth about 0 {impact.currency} a day"
    else:
        text = f"{_verb(impact)} about {money(abs(impact.amount), impact.currency)} a day"
    details = [detail for detail in (_interval_text(impact), _share_text(impact)) if detail]
    return f"{text} ({'; '.join(details)})." if details else f"{text}."


def impact_clause(impact: MoneyImpact | None) -> str:
    """The same within a sentence that has little room: ``costs about 3,100 EUR a day (1,900 to 4,300)``."""
    if impact is None or abs(impact.amount) < 0.005:
        return ""
    text = f"{_verb(impact).lower()} about {money(abs(impact.amount), impact.currency)} a day"
    ends = _ends_text(impact)
    return f"{text} ({ends})" if ends else text


def impact_text(impact: MoneyImpact | None) -> str:
    """The same for a cell of a table: ``−3,100 EUR a day``; empty where nothing is known."""
    if impact is None:
        return ""
    sign = "+" if impact.amount >= 0.005 else ""
    return f"{sign}{money(impact.amount, impact.currency)} a day"


def _verb(impact: MoneyImpact) -> str:
    return "Costs" if impact.amount < 0 else "Gains"


def _interval_text(impact: MoneyImpact) -> str:
    ends = _ends_text(impact)
    return f"95 % interval {ends}" if ends else "interval unknown"


def _ends_text(impact: MoneyImpact) -> str:
    if impact.low is None or impact.high is None:
        return ""
    ends = sorted((impact.low, impact.high), key=abs) if impact.low * impact.high >= 0 else []
    if ends:
        return f"{rounded_amount(abs(ends[0]))} to {rounded_amount(abs(ends[1]))}"
    lost, gained = (impact.low, impact.high) if impact.low < impact.high else (impact.high, impact.low)
    return f"{rounded_amount(-lost)} lost to {rounded_amount(gained)} gained"


def _share_text(impact: MoneyImpact) -> str:
    return f"for {whole_percent(impact.share)} of the rows" if impact.share < 1 else ""


def estimate_text(estimate: Estimate | None, currency: str) -> str:
    """``92,300 (78,100 to 110,000) EUR``: three digits; a dash for none."""
    if estimate is None:
        return "—"
    if estimate.low is None or estimate.high is None:
        return total_money(estimate.value, currency)
    ends = f"{rounded_amount(estimate.low, 3)} to {rounded_amount(estimate.high, 3)}"
    return f"{rounded_amount(estimate.value, 3)} ({ends}) {currency}"


def total_money(amount: float | None, currency: str) -> str:
    """A sum that is known, to three digits: ``156,000 EUR``; a dash for none."""
    return "—" if amount is None else f"{rounded_amount(amount, 3)} {currency}"


def ratio_text(estimate: Estimate | None) -> str:
    """``250 % (210 % to 290 %)``"""
    if estimate is None:
        return "—"
    value, *ends = (
        whole_percent(float(f"{share:.3g}"))
        for share in (estimate.value, estimate.low, estimate.high)
        if share is not None
    )
    return f"{value} ({' to '.join(ends)})" if len(ends) == 2 else value
