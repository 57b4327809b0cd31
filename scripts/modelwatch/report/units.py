"""Values with their units, as ``model.unit`` names them."""

from __future__ import annotations

from ..model.finding import Finding
from ..model.rule import Limit, LimitKind
from ..model.unit import FEATURES, IMPORTANCE, TIMES
from .escape import plain_line
from .words import MINUS, number

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
    """``379.5 ms``, ``3.01 %``; measures of drift as a number alone, for a table or beside a limit."""
    if value is None or unit in METHOD_NAMES or not unit:
        return number(value)
    if unit in TIMES:
        return f"{number(value)} {unit}"
    return _percentage(value)


def quantity(value: float | None, unit: str = "") -> str:
    """The same for a sentence: ``PSI 0.41``, ``60 % of features drifted``."""
    if value is None:
        return number(value)
    if unit in METHOD_NAMES:
        return f"{METHOD_NAMES[unit]} {number(value)}"
    if unit in _SHARE_UNITS:
        return f"{_percentage(value)} of {_SHARE_UNITS[unit]}"
    return bare_value(value, unit)


def method_name(method: str) -> str:
    return METHOD_NAMES.get(method, plain_line(method))


def is_clause(unit: str) -> bool:
    """Whether a quantity has a verb of its own."""
    return unit in _SHARE_UNITS


def column_heading(unit: str) -> str:
    """Of a column whose cells are bare; ``Value`` where they say their unit themselves."""
    return METHOD_NAMES.get(unit, "Value")


def unit_suffix(unit: str) -> str:
    """Behind the title of a chart, whose points are as they were logged: ``: ms``, ``: PSI``."""
    return f": {METHOD_NAMES.get(unit, unit)}" if unit in METHOD_NAMES or unit in TIMES else ""


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
    if limit.form in (LimitKind.DROP, LimitKind.RISE):
        return f"{word} {number(limit.value * 100)} %"
    return f"{word} {number(limit.value) if limit.form is LimitKind.SIGMA else bare_value(limit.value, unit)}"
