"""Why a metric dropped, in words: a paragraph and a table for the issue, one plain text for the incident."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..model.alert import Evidence
from ..model.drift import FeatureDrift, ReferenceDrift
from ..model.explanation import Explanation, SegmentContribution
from ..model.rule import BaselineKind
from ..model.series import Labels
from .formatting import MINUS, duration, labels_text, method_name, number, quantity, utc_time
from .markdown import code, plain_line, table

MAX_SEGMENT_ROWS = 5
WHOLE_SHARE = 0.995

Quote = Callable[[str], str]
"""How a text from outside is shown: as a Markdown code span, or as a plain line."""


def explanation_section(why: Explanation | None, *, words_only: bool = False) -> str:
    """The issue's paragraph and its table of segments; empty where nothing is known."""
    said = " ".join(_explanation_sentences(why, code)) if why else ""
    rows = _segment_table(why) if why and not words_only else ""
    return "\n\n".join(part for part in (said, rows) if part)


def explanation_text(why: Explanation | None, *, inputs: bool = True) -> str:
    """The same paragraph for a lock screen; empty where nothing is known. Without ``inputs`` those are left out."""
    return " ".join(_explanation_sentences(why, plain_line, inputs=inputs)) if why else ""


def contribution_of(why: Explanation | None, labels: Labels) -> tuple[str, str] | None:
    """``30 → 31 %`` of the rows and ``109 %`` of the change; ``None`` where this segment's part is not known."""
    found = next((part for part in why.parts if part.labels == labels), None) if why else None
    return (_size_change(found), _share_text(why, found.total)) if why and found else None


def _explanation_sentences(why: Explanation, quote: Quote, *, inputs: bool = True) -> Iterator[str]:
    word = "drop" if why.total < 0 else "rise"
    if why.mix is not None and why.rate is not None:
        yield _segment_sentence(why, why.mix, why.rate, word, quote)
    if why.since is not None:
        where = f" in {quote(labels_text(why.since_labels))}" if why.since_labels else ""
        yield f"The level changed{where} at {utc_time(why.since)}{_version_clause(why, quote)}."
    if why.features and inputs:
        yield f"Inputs that moved at the same time: {_input_list(why, word, quote)}."


def _segment_sentence(why: Explanation, mix: float, rate: float, word: str, quote: Quote) -> str:
    """Which segment, then how much is rate and how much is mix: together the whole."""
    first = next((part for part in why.parts if part.labels), None)
    most = f", {quote(labels_text(first.labels))} most ({_share_text(why, first.total)})" if first else ""
    searched = ""
    if why.found is not None:
        lead, searched = _single_segment_clause(why, why.found, word, quote), _search_sentence(why, why.found)
    elif abs(mix) > abs(rate):
        lead = f"Most of the {word} is segments that changed size{most}"
    else:
        lead = f"No single segment explains most of the {word}{most}"
    parts = (
        f"{_share_text(why, rate)} is rate (segments got worse) and {_share_text(why, mix)} is mix (segments changed "
        "size)"
    )
    return f"{lead}. In all, {parts}.{searched}"


def _single_segment_clause(why: Explanation, part: SegmentContribution, word: str, quote: Quote) -> str:
    name = quote(labels_text(part.labels))
    if part.before is None:
        return f"{_share_of_change(why, part.total, word)} is {name}, which is new"
    if part.value is None:
        return f"{_share_of_change(why, part.total, word)} is {name}, which is gone"
    moved = f" ({number(part.before)} to {number(part.value)})"
    if abs(part.rate) >= abs(part.mix):
        return f"{_share_of_change(why, part.total, word)} is {name}, which got worse{moved}"
    way = "grew" if part.share > part.share_before else "shrank"
    sizes = f" ({_whole_percent(part.share_before)} to {_whole_percent(part.share)} of the rows)"
    return f"{_share_of_change(why, part.total, word)} is {name}, which {way}{sizes}"


def _search_sentence(why: Explanation, part: SegmentContribution) -> str:
    """Of many segments some look bad by chance: how many were looked at, and how likely this is among so many."""
    if why.searched < 2 or part.p is None:
        return ""
    likely = "p < 0.001" if part.p < 0.001 else f"p = {part.p:.2g}"
    return f" Found by searching {why.searched} segments, {likely}."


def _share_of_change(why: Explanation, of: float, word: str) -> str:
    """``92 % of the drop``; a share that rounds to all of it, or that others made up for, is the whole."""
    return f"The whole {word}" if why.share_of_total(of) >= WHOLE_SHARE else f"{_share_text(why, of)} of the {word}"


def _version_clause(why: Explanation, quote: Quote) -> str:
    if not why.version or why.since is None or why.version_since is None:
        return ""
    late = why.since - why.version_since
    version = f"version {quote(why.version)}"
    return f", with {version}" if late < 60 else f", {duration(late)} after {version} was first seen"


def _input_list(why: Explanation, word: str, quote: Quote) -> str:
    told = []
    for one in why.features[:MAX_SEGMENT_ROWS]:
        lies = f", {_whole_percent(one.share)} of the {word} lies where it moved" if one.share is not None else ""
        told.append(f"{quote(one.feature)} ({quantity(one.value, one.unit)}, rule {quote(one.rule)}{lies})")
    more = len(why.features) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _segment_table(why: Explanation) -> str:
    if not why.parts:
        return ""
    rows = [_segment_row(why, part) for part in why.parts[:MAX_SEGMENT_ROWS]]
    more = why.parts_seen - len(rows)
    if more > 0:
        shown = why.parts[:MAX_SEGMENT_ROWS]
        rate = (why.rate or 0.0) - sum(part.rate for part in shown)
        mix = (why.mix or 0.0) - sum(part.mix for part in shown)
        rows.append((f"{more} more", "", "", _share_text(why, rate), _share_text(why, mix)))
    rows.append(("together", "", "", _share_text(why, why.rate or 0.0), _share_text(why, why.mix or 0.0)))
    return table(("Segment", "Value", "Of all rows", "By value", "By size"), rows)


def _segment_row(why: Explanation, part: SegmentContribution) -> tuple[str, ...]:
    name = code(labels_text(part.labels)) if part.labels else "all others"
    value = f"{number(part.before)} → {number(part.value)}"
    return name, value, _size_change(part), _share_text(why, part.rate), _share_text(why, part.mix)


def _size_change(part: SegmentContribution) -> str:
    """``30 → 28 %``"""
    return f"{_whole_percent(part.share_before).removesuffix(' %')} → {_whole_percent(part.share)}"


def _share_text(why: Explanation, of: float) -> str:
    return _whole_percent(why.share_of_total(of))


def _whole_percent(share: float) -> str:
    """Whole percents; a minus where it works against the change."""
    whole = round(share * 100)
    if whole == 0:
        return "0 %"
    return f"{MINUS if whole < 0 else ''}{abs(whole):,} %"


MAX_DRIFTED_FEATURES = 5
FIXED_REFERENCES = frozenset({BaselineKind.FILE, BaselineKind.VERSION})
"""References that stay as they are; the others move along."""
GRADUAL_SHARE = 0.5
"""Less than this share of the distance from a steady reference within the last weeks: it came slowly."""


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
