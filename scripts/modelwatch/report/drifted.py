"""Features that drifted, against each of their references, in words: a paragraph for the issue and the incident."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..model.alert import Evidence
from ..model.drift import FeatureDrift, ReferenceDrift
from ..model.rule import BaselineKind
from .escape import code, plain_line
from .units import method_name
from .words import duration, number

MAX_DRIFTED_FEATURES = 5
FIXED_REFERENCES = frozenset({BaselineKind.FILE, BaselineKind.VERSION})
"""References that stay as they are; the others move along."""
GRADUAL_SHARE = 0.5
"""Less than this share of the distance from a steady reference within the last weeks: it came slowly."""

Quote = Callable[[str], str]


def drift_section(evidence: Evidence) -> str:
    """A list for the issue; empty where no reference is known to be told."""
    told = list(_drift_sentences(evidence, code))
    lead, rest = (told[:1], told[1:]) if evidence.features else ([], told)
    return "\n\n".join([*lead, *(["\n".join(f"- {one}" for one in rest)] if rest else [])])


def drift_text(evidence: Evidence) -> str:
    """The same for a lock screen."""
    return " ".join(_drift_sentences(evidence, plain_line))


def _drift_sentences(evidence: Evidence, quote: Quote) -> Iterator[str]:
    if evidence.features:
        count = len(evidence.drifted)
        yield f"{count or 'None'} of {evidence.features} features drifted{', worst first:' if count else '.'}"
    for one in evidence.drifted[:MAX_DRIFTED_FEATURES]:
        if one.against or evidence.features:
            yield drift_sentence(one, quote)
    more = len(evidence.drifted) - MAX_DRIFTED_FEATURES
    if more > 0:
        yield f"And {more} more."


def drift_sentence(one: FeatureDrift, quote: Quote) -> str:
    """``tenure``: PSI 0.31 against the file …, 0.04 against the 28 d …: it crept."""
    name = f"{quote(one.feature)}: " if one.feature else ""
    if not one.against:
        return f"{name}{method_name(one.method)} {number(one.value)}."
    sides = [f"{_distance_text(side)} against {reference_text(side, quote)}" for side in one.against]
    said = f"{name}{method_name(one.method)} {', '.join(sides)}{_pace_clause(one)}."
    unseen = max(side.unseen for side in one.against)
    if unseen >= 0.0005:
        said += f" {_share_percent(unseen)} of its values are of categories that the reference has never seen."
    off = max(side.off for side in one.against)
    if off >= 0.00005:
        said += f" The bins differ: re-binning shifts at most {_share_percent(off)} of the values."
    return said


def _distance_text(side: ReferenceDrift) -> str:
    if side.value is None:
        return "unknown"
    return number(side.value) + ("" if side.sure else " (may be chance)")


def _pace_clause(one: FeatureDrift) -> str:
    """Whether it came slowly or at once, where a steady reference and a recent one can tell."""
    steady = [
        side.value for side in one.against if side.kind in FIXED_REFERENCES and side.value is not None and side.sure
    ]
    recent = [side for side in one.against if side.kind not in FIXED_REFERENCES and side.value is not None]
    if not steady or not recent:
        return ""
    near = max(side.value or 0.0 for side in recent)
    if near < GRADUAL_SHARE * max(steady):
        return ": it crept"
    return ": it moved within that time" if any(side.sure for side in recent) else ""


def reference_text(side: ReferenceDrift, quote: Quote) -> str:
    match side.kind:
        case BaselineKind.FILE:
            return f"the reference {quote(side.what)}"
        case BaselineKind.VERSION:
            return "the version before" if side.what == "previous" else f"version {quote(side.what)}"
        case BaselineKind.SEASONAL:
            return f"the same hours of the week over {duration(side.length)}"
        case BaselineKind.ROLLING:
            return f"the {duration(side.length)} that ended a week before"
        case _:
            return "nothing"


def _share_percent(share: float) -> str:
    return f"{share * 100:.2g} %"
