"""Why a metric changed and which features drifted: paragraph and table for the issue, plain text for the incident."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from ..model.alert import Evidence
from ..model.alert_scope import changed_alike
from ..model.drift import DistributionChange, FeatureDrift, ReferenceDrift, ShareChange
from ..model.explanation import Explanation, SegmentContribution
from ..model.finding import Finding
from ..model.rule import BaselineKind
from ..model.unit import MINUS
from .formatting import (
    duration,
    labels_text,
    method_name,
    number,
    p_value,
    quantity,
    short_number,
    utc_time,
    whole_percent,
)
from .markdown import code, plain_line, table

MAX_SEGMENT_ROWS = 5
WHOLE_SHARE = 0.995
OFFSET_SHARE = 0.5
"""A change that is a smaller part of what got worse is mostly offset by what got better."""
MIN_MIX_SHARE = 0.05
"""A smaller part of the change is not worth a sentence."""
STEADY_SHARE = 0.02
"""A segment whose share of the rows changed by less has the same size as before."""
MAX_DRIFTED_FEATURES = 5
FIXED_REFERENCES = frozenset({BaselineKind.FILE, BaselineKind.VERSION})
"""References that never change; the others move with time."""
MIN_MEAN_CHANGE = 0.1
"""A mean that moved by less of a standard deviation is not what changed."""
GRADUAL_SHARE = 0.5
"""Less than this share of the distance from a fixed reference arose within the last weeks: it drifted slowly."""

Quote = Callable[[str], str]
"""How a text from outside is shown: a Markdown code span, or a plain line."""


def explanation_section(why: Explanation | None, *, words_only: bool = False, gradual: bool = False) -> str:
    """The issue's paragraph and its table of segments; empty where nothing is known."""
    paragraph = " ".join(_explanation_sentences(why, code, gradual=gradual)) if why else ""
    rows = _segment_table(why) if why and not words_only else ""
    return "\n\n".join(part for part in (paragraph, rows) if part)


def explanation_text(why: Explanation | None, *, inputs: bool = True, gradual: bool = False) -> str:
    """The same paragraph for a lock screen; empty where nothing is known. Without ``inputs`` those are left out."""
    return " ".join(_explanation_sentences(why, plain_line, inputs=inputs, gradual=gradual)) if why else ""


def contribution_of(why: Explanation | None, finding: Finding) -> tuple[str, str] | None:
    """``30 → 31 %`` of the rows and ``109 %`` of the change; ``None`` where this segment's part is not known, or that
    of another time than the finding's."""
    if why is None or why.at != finding.time:
        return None
    part = next((part for part in why.parts if part.labels == finding.labels), None)
    return (_size_change(part), _part_share(why, part.total)) if part else None


def _explanation_sentences(
    why: Explanation, quote: Quote, *, inputs: bool = True, gradual: bool = False
) -> Iterator[str]:
    """``gradual``: whether the change came day by day, and not at once."""
    word = "drop" if why.total < 0 else "rise"
    if why.mix is not None and why.rate is not None:
        if abs(why.total) < OFFSET_SHARE * (worse := _worse_amount(why)):
            offset = whole_percent(1 - abs(why.total) / worse)
            yield f"Segments moved against each other: some got better, and offset {offset} of the {word} in others."
        yield _segment_sentence(why, why.mix, why.rate, word, quote)
        if why.found is not None and why.searched >= 2 and why.found.p is not None:
            # Among many segments some look bad by chance, so how many were searched is part of the sentence.
            yield f"Found by searching {why.searched} segments, {p_value(why.found.p)}."
        yield _mix_sentence(why, why.mix, why.rate, word)
    if why.since is not None:
        where = f" in {quote(labels_text(why.since_labels))}" if why.since_labels else ""
        began = f"The change began{where} about {utc_time(why.since)[:10]}"
        began = began if gradual else f"The level changed{where} at {utc_time(why.since)}"
        yield f"{began}{_version_clause(why, quote)}."
    if why.features and inputs:
        yield f"Inputs that drifted at the same time: {_input_list(why, word, quote)}."


def _segment_sentence(why: Explanation, mix: float, rate: float, word: str, quote: Quote) -> str:
    """Which segment the change comes from, or that none stands out."""
    if why.found is not None:
        return _single_segment_sentence(why, why.found, word, quote)
    first = next((part for part in why.parts if part.labels), None)
    most = f"; {quote(labels_text(first.labels))} contributes most ({_part_share(why, first.total)})" if first else ""
    if abs(mix) > abs(rate):
        return f"Most of the {word} comes from segments that changed size{most}."
    if changed_alike(why):
        names = {name for part in why.parts for name, _ in part.labels}
        segments = f"Every {quote(names.pop())}" if len(names) == 1 else "Every segment"
        return f"{segments} {'dropped' if why.total < 0 else 'rose'} by about the same amount."
    return f"No single segment explains most of the {word}{most}."


def _mix_sentence(why: Explanation, mix: float, rate: float, word: str) -> str:
    """How much of the change comes from values in the segments, and how much from their sizes; either can have worked
    against it."""
    if abs(why.share_of_total(mix)) < MIN_MIX_SHARE:
        steady = all(abs(part.share - part.share_before) < STEADY_SHARE for part in why.parts)
        return "Traffic mix is unchanged." if steady else "The change in traffic mix has little effect."
    opposed = any(part.rate * rate < 0 and abs(part.rate) >= MIN_MIX_SHARE * abs(why.total) for part in why.parts)
    values = f"{'lower' if rate < 0 else 'higher'} values in the segments{' (on balance)' if opposed else ''}"
    by_value, by_size = (_share_text(why, of, (rate, mix)).removeprefix(MINUS) for of in (rate, mix))
    if rate * mix >= 0:
        return f"Of the {word}, {by_value} comes from {values}, and {by_size} from the change in traffic mix."
    if abs(rate) > abs(mix):
        return f"All of the {word} comes from {values}; the change in traffic mix offset {by_size}."
    return f"All of the {word} comes from the change in traffic mix; {values} offset {by_value}."


def _single_segment_sentence(why: Explanation, part: SegmentContribution, word: str, quote: Quote) -> str:
    lead = f"{quote(labels_text(part.labels))} accounts for {_share_of_change(why, part.total, word)}"
    if part.before is None:
        return f"{lead}: it is new."
    if part.value is None:
        return f"{lead}: it is gone."
    if abs(part.rate) >= abs(part.mix):
        verb = "fell" if part.value < part.before else "rose"
        return f"{lead}: it {verb} from {number(part.before)} to {number(part.value)}."
    verb = "grew" if part.share > part.share_before else "shrank"
    return f"{lead}: it {verb} from {whole_percent(part.share_before)} to {whole_percent(part.share)} of the rows."


def _share_of_change(why: Explanation, of: float, word: str) -> str:
    """``92 % of the drop``; a share that rounds to all of it is the whole."""
    share = why.share_of_worse(of, why.amounts)
    return f"the whole {word}" if share >= WHOLE_SHARE else f"{whole_percent(share)} of the {word}"


def _version_clause(why: Explanation, quote: Quote) -> str:
    if not why.version or why.since is None or why.version_since is None:
        return ""
    late = why.since - why.version_since
    version = f"version {quote(why.version)}"
    return f", {f'{duration(late)} after' if late >= 60 else 'when'} {version} was first seen"


def _input_list(why: Explanation, word: str, quote: Quote) -> str:
    inputs = []
    for feature in why.features[:MAX_SEGMENT_ROWS]:
        share = f", {drift_share_text(feature.share, word)}" if feature.share is not None else ""
        value = quantity(feature.value, feature.unit)
        inputs.append(f"{quote(feature.feature)} ({value}, rule {quote(feature.rule)}{share})")
    more = len(why.features) - len(inputs)
    return "; ".join(inputs) + (f"; and {more} more" if more else "")


def drift_share_text(share: float, word: str) -> str:
    """``63 % of the drop is in the rows that drifted``"""
    return f"{whole_percent(share)} of the {word} is in the rows that drifted"


def _segment_table(why: Explanation) -> str:
    if not why.parts:
        return ""
    rows = []
    shown = why.parts[:MAX_SEGMENT_ROWS]
    more = why.parts_seen - len(shown)
    rate = (why.rate or 0.0) - math.fsum(part.rate for part in shown)
    mix = (why.mix or 0.0) - math.fsum(part.mix for part in shown)
    cells = [cell for part in shown for cell in (part.rate, part.mix)] + ([rate, mix] if more > 0 else [])

    def share(of: float) -> str:
        return _share_text(why, of, cells)

    for part in shown:
        name = code(labels_text(part.labels)) if part.labels else "all others"
        value = f"{number(part.before)} → {number(part.value)}"
        rows.append((name, value, _size_change(part), share(part.rate), share(part.mix)))
    rows += [(f"{more} more", "", "", share(rate), share(mix))] if more > 0 else []
    total = ("total", "", "", share(why.rate or 0.0), share(why.mix or 0.0))
    return table(("Segment", "Value", "Share of rows", "By value", "By size"), [*rows, total])


def _size_change(part: SegmentContribution) -> str:
    """``30 → 28 %``"""
    return f"{whole_percent(part.share_before).removesuffix(' %')} → {whole_percent(part.share)}"


def _part_share(why: Explanation, of: float) -> str:
    """Of what a segment contributes."""
    return _share_text(why, of, why.amounts)


def _share_text(why: Explanation, of: float, amounts: Sequence[float]) -> str:
    """``92 %`` of the ``amounts`` that made the metric worse; negative where it offset some of them."""
    return whole_percent(why.share_of_worse(of, amounts))


def _worse_amount(why: Explanation) -> float:
    return math.fsum(abs(amount) for amount in why.amounts if amount * why.total > 0)


def drift_section(evidence: Evidence) -> str:
    """The drifted features as a list for the issue; empty where no reference is known."""
    sentences = list(_drift_sentences(evidence, code))
    lead = [sentences.pop(0)] if evidence.features else []
    items = "\n".join(f"- {sentence}" for sentence in sentences)
    return "\n\n".join(filter(None, (*lead, items)))


def drift_text(evidence: Evidence) -> str:
    """The same for a lock screen."""
    return " ".join(_drift_sentences(evidence, plain_line))


def _drift_sentences(evidence: Evidence, quote: Quote) -> Iterator[str]:
    if evidence.features:
        count = len(evidence.drifted)
        yield f"{count or 'None'} of {evidence.features} features drifted{', worst first:' if count else '.'}"
    for feature in evidence.drifted[:MAX_DRIFTED_FEATURES]:
        if feature.against or evidence.features:
            yield drift_sentence(feature, quote)
    more = len(evidence.drifted) - MAX_DRIFTED_FEATURES
    if more > 0:
        yield f"And {more} more."


def drift_sentence(feature: FeatureDrift, quote: Quote) -> str:
    """``tenure``: mean 38 → 52; PSI 0.31 against the file …, 0.04 against the 28 d …: it drifted slowly."""
    name = f"{quote(feature.feature)}: " if feature.feature else ""
    if change := change_text(feature.change, quote):
        name += f"{change}; "
    if not feature.against:
        return f"{name}{method_name(feature.method)} {number(feature.value)}."
    sides = [_side_text(side, quote) for side in feature.against]
    text = f"{name}{method_name(feature.method)} {', '.join(sides)}{_pace_clause(feature)}."
    unseen = 100 * max(side.unseen for side in feature.against)
    if unseen >= 0.05:
        text += f" {unseen:.2g} % of its values are categories that the reference does not have."
    error = 100 * max(side.off for side in feature.against)
    if error >= 0.005:
        text += f" The bins differ: re-binning shifts at most {error:.2g} % of the values."
    return f"{text} Judged by its profile, which counts all values." if feature.exact else text


def change_text(change: DistributionChange | None, quote: Quote) -> str:
    """``mean 38 → 52``; ``median 3 → 3, 10 % to 90 % of values 1 to 5 → 0 to 9`` where the mean stayed; ``urban 70 % →
    55 %, rural 20 % → 34 %``. Empty where nothing is known."""
    if change is None:
        return ""
    if change.mean is None:
        return ", ".join(_share_change(share, quote) for share in change.shares)
    before, after = change.mean
    if abs(after - before) >= MIN_MEAN_CHANGE * change.sd and before != after:
        return f"mean {_before_and_after(before, after)}"
    if len(change.quantiles) < 3:
        return ""
    low, middle, high = change.quantiles
    spread = f"{short_number(low.before)} to {short_number(high.before)}"
    spread_after = f"{short_number(low.after)} to {short_number(high.after)}"
    middles = _before_and_after(middle.before, middle.after)
    return f"median {middles}, {low.share:.0%} to {high.share:.0%} of values {spread} → {spread_after}".replace(
        "%", " %"
    )


def _before_and_after(before: float, after: float) -> str:
    """With as many digits as tell the two apart."""
    for digits in (2, 3, 4):
        texts = short_number(before, digits), short_number(after, digits)
        if texts[0] != texts[1]:
            break
    return " → ".join(texts)


def _share_change(share: ShareChange, quote: Quote) -> str:
    name = quote(share.category) if share.category else "a category"
    digits = 0 if round(100 * share.before) != round(100 * share.after) else 1
    return f"{name} {100 * share.before:.{digits}f} % → {100 * share.after:.{digits}f} %"


def _side_text(side: ReferenceDrift, quote: Quote) -> str:
    distance = "unknown" if side.value is None else number(side.value) + ("" if side.sure else " (could be chance)")
    return f"{distance} against {reference_text(side.kind, side.what, side.length, quote)}"


def _pace_clause(feature: FeatureDrift) -> str:
    """Whether it drifted slowly or suddenly, where a fixed reference and a recent one can show that."""
    fixed = [
        side.value for side in feature.against if side.kind in FIXED_REFERENCES and side.value is not None and side.sure
    ]
    recent = [side for side in feature.against if side.kind not in FIXED_REFERENCES and side.value is not None]
    if not fixed or not recent:
        return ""
    if max(side.value or 0.0 for side in recent) < GRADUAL_SHARE * max(fixed):
        return ": it drifted slowly"
    return ": it drifted within that time" if any(side.sure for side in recent) else ""


def reference_text(kind: BaselineKind, what: str, length: float, quote: Quote) -> str:
    """What a value is compared with: the file or version ``what``, or history of ``length`` seconds."""
    texts = {
        BaselineKind.FILE: f"the reference {quote(what)}",
        BaselineKind.VERSION: "the previous version" if what == "previous" else f"version {quote(what)}",
        BaselineKind.SEASONAL: f"the same hours of the week over {duration(length)}",
        BaselineKind.ROLLING: f"the {duration(length)} up to a week before the window",
        BaselineKind.CONSTANT: "as configured",
    }
    return texts.get(kind, "nothing")
