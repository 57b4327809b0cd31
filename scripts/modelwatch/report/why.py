"""Why a metric dropped, in words: a paragraph and a table for the issue, one plain text for the incident."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..model.series import Labels
from ..model.why import Part, Why
from .escape import code, line
from .tables import table
from .units import quantity
from .words import duration, number, place, when

ROWS = 5
WHOLE = 0.95

Quote = Callable[[str], str]
"""How a text from outside is shown: as a Markdown code span, or as a plain line."""


def section(why: Why | None, *, words_only: bool = False) -> str:
    """The issue's paragraph and its table of segments; empty where nothing is known."""
    said = " ".join(_sentences(why, code)) if why else ""
    rows = _rows(why) if why and not words_only else ""
    return "\n\n".join(part for part in (said, rows) if part)


def plain(why: Why | None) -> str:
    """The same paragraph for a lock screen; empty where nothing is known."""
    return " ".join(_sentences(why, line)) if why else ""


def part_of(why: Why | None, labels: Labels) -> tuple[str, str] | None:
    """``30 % → 31 %`` of the rows and ``109 %`` of the change; ``None`` where this segment's part is not known."""
    found = next((part for part in why.parts if part.labels == labels), None) if why else None
    return (_sizes(found), _share(why, found.total)) if why and found else None


def _sentences(why: Why, quote: Quote) -> Iterator[str]:
    word = "drop" if why.total < 0 else "rise"
    if why.mix is not None and why.rate is not None:
        yield _by_segment(why, why.mix, why.rate, word, quote)
    if why.since is not None:
        where = f" in {quote(place(why.since_labels))}" if why.since_labels else ""
        yield f"The level changed{where} at {when(why.since)}{_with_version(why, quote)}."
    if why.features:
        yield f"Inputs that moved at the same time: {_features(why, word, quote)}."


def _by_segment(why: Why, mix: float, rate: float, word: str, quote: Quote) -> str:
    mixed = f"the mix of segments explains {_share(why, mix)} of it"
    if why.found is not None:
        return f"{_found(why, why.found, word, quote)}; {mixed}.{_search(why, why.found)}"
    first = next((part for part in why.parts if part.labels), None)
    worst = f", {quote(place(first.labels))} most ({_share(why, first.total)})" if first else ""
    if abs(mix) > abs(rate):
        return f"{_share(why, mix)} of the {word} is the mix of segments: their sizes moved{worst}."
    rated = f"segments getting worse make up {_share(why, rate)}{worst}"
    return f"No single segment explains most of the {word}: {rated}; {mixed}."


def _found(why: Why, part: Part, word: str, quote: Quote) -> str:
    name = quote(place(part.labels))
    if part.before is None:
        return f"{_portion(why, part.total, word)} is {name}, which is new"
    if part.value is None:
        return f"{_portion(why, part.total, word)} is {name}, which is gone"
    moved = f" ({number(part.before)} to {number(part.value)})"
    if abs(part.rate) >= abs(part.mix):
        return f"{_portion(why, part.rate, word)} is {name} getting worse{moved}"
    way = "growing" if part.share > part.share_before else "shrinking"
    sizes = f" ({_percent(part.share_before)} to {_percent(part.share)} of the rows)"
    return f"{_portion(why, part.mix, word)} is {name} {way}{sizes}"


def _search(why: Why, part: Part) -> str:
    """Of many segments some look bad by chance: how many were looked at, and how likely this is among so many."""
    if why.searched < 2 or part.p is None:
        return ""
    likely = "p < 0.001" if part.p < 0.001 else f"p = {part.p:.2g}"
    return f" Found by searching {why.searched} segments, {likely}."


def _portion(why: Why, of: float, word: str) -> str:
    """``92 % of the drop``; a share that rounds to all of it, or that others made up for, is the whole."""
    return f"The whole {word}" if why.share(of) >= WHOLE else f"{_share(why, of)} of the {word}"


def _with_version(why: Why, quote: Quote) -> str:
    if not why.version or why.since is None or why.version_since is None:
        return ""
    late = why.since - why.version_since
    version = f"version {quote(why.version)}"
    return f", with {version}" if late < 60 else f", {duration(late)} after {version} was first seen"


def _features(why: Why, word: str, quote: Quote) -> str:
    told = []
    for one in why.features[:ROWS]:
        lies = f", {_percent(one.share)} of the {word} lies where it moved" if one.share is not None else ""
        told.append(f"{quote(one.feature)} ({quantity(one.value, one.unit)}, rule {quote(one.rule)}{lies})")
    more = len(why.features) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _rows(why: Why) -> str:
    if not why.parts:
        return ""
    rows = [
        (
            code(place(part.labels)) if part.labels else "all others",
            _sizes(part),
            f"{number(part.before)} → {number(part.value)}",
            _signed(part.rate),
            _signed(part.mix),
            _share(why, part.total),
        )
        for part in why.parts[:ROWS]
    ]
    more = why.parts_seen - len(rows)
    if more > 0:
        rest = why.total - sum(part.total for part in why.parts[:ROWS])
        rows.append((f"{more} more", "", "", "", "", _share(why, rest)))
    rows.append(("together", "", "", _signed(why.rate), _signed(why.mix), "100 %"))
    return table(("Segment", "Share of rows", "Value", "By value", "By size", "Of the change"), rows)


def _sizes(part: Part) -> str:
    return f"{_percent(part.share_before)} → {_percent(part.share)}"


def _signed(value: float | None) -> str:
    return f"+{number(value)}" if value and value > 0 else number(value)


def _share(why: Why, of: float) -> str:
    return _percent(why.share(of))


def _percent(share: float) -> str:
    """Whole percents; a minus where it works against the change."""
    whole = round(share * 100)
    if whole == 0:
        return "0 %"
    return f"{'−' if whole < 0 else ''}{abs(whole):,} %"
