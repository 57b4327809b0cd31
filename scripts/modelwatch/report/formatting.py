"""How numbers, times, durations, units and labels are written for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from ..model.alert_scope import FEATURE_LABELS
from ..model.finding import Finding, Outcome
from ..model.rule import RELATIVE_LIMITS, Limit, LimitKind
from ..model.series import Labels, StartOrigin
from ..model.unit import ESTIMATE, FEATURES, IMPORTANCE, MARGIN, MINUS, PERCENT, number_text
from ..timeutil import format_utc
from .markdown import plain_line

LEAST_PERCENT = 0.0005
"""A smaller share rounds to 0."""
ValueFormatter = Callable[["float | None"], str]
"""Writes a value for people."""


def number(value: float | None) -> str:
    """Four significant digits, thousands separated: ``0.8412``, ``12,400``, ``1.234e-07``; a dash for none."""
    return "—" if value is None else number_text(value)


def short_number(value: float, digits: int = 2) -> str:
    """So many significant digits: ``38``, ``0.31``, ``12,000``."""
    return number(float(f"{value:.{digits}g}"))


def round_roughly(value: float | None) -> float | None:
    """To two significant digits: ``0.8412`` is about 0.84."""
    return None if value is None else float(f"{value:.2g}")


def count(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"


def row_count(n: float) -> str:
    """``12,400 rows``: what a value was taken from."""
    return f"{n:,.0f} {'row' if round(n) == 1 else 'rows'}"


def p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def percent(fraction: float | None) -> str:
    """A signed share with one digit: ``−8.6 %``, ``+0.3 %``; ``0 %`` of less than half of that digit."""
    if fraction is None:
        return "—"
    if abs(fraction) < LEAST_PERCENT:
        return "0 %"
    sign = MINUS if fraction < 0 else "+"
    return f"{sign}{_percent_digits(abs(fraction))} %"


def _percent_digits(fraction: float) -> str:
    points = fraction * 100
    return f"{points:,.0f}" if points >= 100 else f"{points:.1f}"


def whole_percent(share: float) -> str:
    """``−12 %``: whole percents, with a sign only below 0."""
    whole = round(share * 100)
    return f"{MINUS if whole < 0 else ''}{abs(whole):,} %"


def utc_time(time: float | None) -> str:
    """``2026-11-20 14:00 UTC``."""
    return "—" if time is None else format_utc(time)


def local_time(time: float, zone: str) -> str:
    """``Monday 2026-11-30 09:00 Europe/Berlin``"""
    return f"{datetime.fromtimestamp(time, ZoneInfo(zone or 'UTC')):%A %Y-%m-%d %H:%M} {zone or 'UTC'}"


def start_text(since: float | None, origin: StartOrigin) -> str:
    """``deployed 2026-10-01 14:00 UTC``, ``first seen ...``, or ``first seen before 2026-11-03`` (a date)."""
    match origin:
        case StartOrigin.MOVE:
            return f"deployed {utc_time(since)}"
        case StartOrigin.EDGE:
            return f"first seen before {utc_time(since)[:10]}"
        case _:
            return f"first seen {utc_time(since)}"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``2 h 10 min``, ``3 d 4 h``: two units at most."""
    left = round(max(0.0, seconds))
    if left < 60:
        return f"{left} s"
    days, left = divmod(left, 86400)
    hours, left = divmod(left, 3600)
    minutes = left // 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    first = next(place for place, (amount, _) in enumerate(parts) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount)


def baseline_comparison(finding: Finding, format_value: ValueFormatter = number) -> str:
    """``8.6 % below its baseline 0.9203``; without a baseline only ``past its limit``, or within."""
    if finding.change is not None:
        return f"{relative_change(finding.change)} its baseline {format_value(finding.baseline)}"
    if finding.baseline is not None:
        return f"against a baseline of {format_value(finding.baseline)}"
    return "past its limit" if finding.outcome is Outcome.BREACH else "within its limits"


def relative_change(change: float) -> str:
    """``8.6 % below``; ``at``, where ``percent`` writes 0."""
    if abs(change) < LEAST_PERCENT:
        return "at"
    return f"{_percent_digits(abs(change))} % {'below' if change < 0 else 'above'}"


def labels_text(labels: Labels) -> str:
    """``region=eu, plan=pro``; a feature by its name alone, ``income``; the empty string for the whole."""
    return ", ".join(value if name in FEATURE_LABELS else f"{name}={value}" for name, value in labels)


def finding_labels(finding: Finding) -> str:
    """The labels, or ``all``."""
    return labels_text(finding.labels) or "all"


_ESTIMATE_TEXTS = {ESTIMATE: "{} (estimated)", MARGIN: "off by {} times its margin"}
METHOD_NAMES = {
    "psi": "PSI",
    "ks": "KS",
    "js": "Jensen-Shannon distance",
    "jensen_shannon": "Jensen-Shannon distance",
    "hellinger": "Hellinger distance",
    "tv": "total variation",
    "total_variation": "total variation",
    "squared_variation": "half of total variation squared",
    "chi2": "chi-square effect",
    "chi_square": "chi-square effect",
    "wasserstein": "Wasserstein distance (in standard deviations)",
    "cvm": "Cramér-von Mises effect",
    "cramer_von_mises": "Cramér-von Mises effect",
    "classifier_auc": "classifier AUC",
    "mmd": "mean discrepancy",
}
_SHARE_UNITS = {FEATURES: "features drifted", IMPORTANCE: "feature importance drifted"}


def bare_value(value: float | None, unit: str = "") -> str:
    """``379.5 ms``, ``2 EUR/order``, ``3.01 %``; measures of drift as a number alone, for a table or beside a limit."""
    if value is None or unit in METHOD_NAMES or unit in _ESTIMATE_TEXTS or not unit:
        return number(value)
    if unit == PERCENT or unit in _SHARE_UNITS:
        return _percentage(value)
    return f"{number(value)} {unit}"


def quantity(value: float | None, unit: str = "") -> str:
    """A value in a sentence: ``PSI 0.41``, ``60 % of features drifted``."""
    if value is None:
        return number(value)
    if unit in METHOD_NAMES:
        return f"{METHOD_NAMES[unit]} {number(value)}"
    if unit in _SHARE_UNITS:
        return f"{_percentage(value)} of {_SHARE_UNITS[unit]}"
    if unit in _ESTIMATE_TEXTS:
        return _ESTIMATE_TEXTS[unit].format(number(value))
    return bare_value(value, unit)


def method_name(method: str) -> str:
    return METHOD_NAMES.get(method, plain_line(method))


def is_clause(unit: str) -> bool:
    """Whether a quantity of this unit names what was measured, so that no verb is needed before it."""
    return unit in _SHARE_UNITS or unit in METHOD_NAMES


def column_heading(unit: str) -> str:
    """The heading of a column of values; ``Value`` where the cells have their unit."""
    return METHOD_NAMES.get(unit, "Value")


def unit_suffix(unit: str) -> str:
    """The unit after the title of a chart, whose points are as they were logged: ``: ms``, ``: PSI``."""
    is_converted = not unit or unit == PERCENT or unit in _SHARE_UNITS or unit in _ESTIMATE_TEXTS
    return "" if is_converted else f": {METHOD_NAMES.get(unit, unit)}"


def _percentage(share: float) -> str:
    """Three digits, no sign but a minus."""
    return f"{MINUS if share < 0 else ''}{number(float(f'{abs(share) * 100:.3g}'))} %"


def interval(finding: Finding, unit: str = "") -> str:
    """``0.836 to 0.846``; empty where the interval is not known."""
    if finding.low is None or finding.high is None:
        return ""
    return f"{bare_value(finding.low, unit)} to {bare_value(finding.high, unit)}"


def limit_text(limit: Limit, unit: str = "") -> str:
    """A limit as the configuration states it: ``drop 2 %``, ``above 0.25``, ``above 250 ms``."""
    word = limit.form.value.replace("_", " ")
    if limit.form in RELATIVE_LIMITS:
        return f"{word} {number(limit.value * 100)} %"
    return f"{word} {number(limit.value) if limit.form is LimitKind.SIGMA else bare_value(limit.value, unit)}"
