"""The gate: whether a candidate may follow the champion. Pure: tables in, a decision with its reasons out.

Every comparison is one two-sided interval at ``1 - alpha`` of candidate minus champion on the same rows, turned so that
more is better. Above 0: superior. Above ``-margin``: non-inferior. Below 0: worse. Below ``-margin``: lost.

*Promote* asks for the candidate to be superior on the most recent window, which is what it will serve, and fresh, while
a fixed holdout wears out with every candidate that is chosen by it; to be non-inferior on the holdout; to be
non-inferior in every guarded segment of both; and to be no slower than its margin. All of these must hold (an
intersection-union test), so no correction for their number is needed: two equal models are promoted with a probability
of at most ``alpha / 2`` (Berger 1982). With one part alone, that part has to show superiority.

*Reject*: worse on the primary metric, or a guarded segment lost, and nothing won. *Hold* is everything else: not
proven, or won here and lost there (that is for people), or tables that cannot be trusted. A segment's loss is tested at
``alpha / 2`` each, without correction: the price of a false one is a look at the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..model.gate import GateCheck, GateReport, GateRow, GateVerdict
from ..model.release import GateSpec
from ..model.rule import Direction
from ..stats.paired.compare import LOWER_IS_BETTER, METRICS, compare_metric, compare_quantiles
from ..stats.paired.difference import Difference, undefined_difference
from .decide import decide
from .gate_rows import comparison_row, finite_or_none, format_number, format_short
from .part import HOLDOUT, RECENT, Comparison
from .segments import guarded_segments, unguarded_rows, worth_unit
from .told import informational_rows

LATENCY_QUANTILE = 0.95
"""The quantile of the latency that is compared."""


@dataclass(frozen=True, slots=True)
class GateSubject:
    """Who is compared, and when."""

    model: str
    champion: str
    candidate: str
    at: float


def judge_candidate(
    comparisons: Sequence[Comparison], spec: GateSpec, subject: GateSubject, notes: Sequence[str] = ()
) -> GateReport:
    """The decision for a holdout, a recent window, or both."""
    rows = tuple(
        row
        for part in comparisons
        for row in judged_rows(part, spec, leads=part.name == leading_comparison(comparisons))
    )
    rows += tuple(row for part in comparisons for row in informational_rows(part, spec))
    decision, reasons = decide(rows, leading_comparison(comparisons), spec)
    alone = (
        ()
        if len(comparisons) > 1
        else (f"there is no {HOLDOUT if leading_comparison(comparisons) == RECENT else RECENT} to compare on.",)
    )
    return GateReport(
        at=subject.at,
        model=subject.model,
        champion=subject.champion,
        candidate=subject.candidate,
        metric=spec.metric,
        better=metric_direction(spec).value,
        alpha=spec.alpha,
        margin=spec.margin,
        decision=decision,
        reasons=reasons,
        rows=rows,
        notes=(*notes, *alone, *(note for part in comparisons for note in part.notes)),
    )


def leading_comparison(comparisons: Sequence[Comparison]) -> str:
    """The part on which superiority has to be shown."""
    return RECENT if any(part.name == RECENT for part in comparisons) else HOLDOUT


def metric_direction(spec: GateSpec) -> Direction:
    """Of a known metric its own direction; ``better`` of the configuration counts for metrics of the user's own."""
    if spec.metric in METRICS:
        return Direction.LOWER if spec.metric in LOWER_IS_BETTER else Direction.HIGHER
    return spec.better


def judged_rows(comparison: Comparison, spec: GateSpec, *, leads: bool) -> Iterator[GateRow]:
    """Everything that is judged."""
    for trouble in comparison.problems:
        yield GateRow(GateCheck.TABLES, comparison.name, trouble.what, GateVerdict.BLOCKS, trouble.words, n=trouble.n)
    sign = -1 if metric_direction(spec) is Direction.LOWER else 1
    found = (
        compare_metric(spec.metric, comparison.pairs, 1 - spec.alpha) if comparison.pairs.n else undefined_difference(0)
    )
    verdict, words = _judge_primary(found, comparison.pairs.units, sign, spec, leads)
    yield comparison_row(GateCheck.PRIMARY, comparison.name, spec.metric, verdict, words, found)
    for segment in guarded_segments(comparison, spec.least):
        inside = compare_metric(spec.metric, comparison.pairs.take(segment.rows), 1 - spec.alpha)
        verdict, words = judge_segment(inside, sign, spec)
        row = comparison_row(GateCheck.SEGMENT, comparison.name, spec.metric, verdict, words, inside)
        yield replace(row, segment=segment.name, worth=segment.worth, worth_of=worth_unit(comparison))
    yield from unguarded_rows(comparison, spec)
    if spec.latency:
        yield _latency_row(comparison, spec, leads)


def orient(difference: Difference, sign: int) -> tuple[float, float, float]:
    """Difference and bounds, turned so that more is better."""
    low, high = (difference.low, difference.high) if sign > 0 else (-difference.high, -difference.low)
    return sign * difference.value, low, high


def _judge_primary(difference: Difference, n: int, sign: int, spec: GateSpec, leads: bool) -> tuple[GateVerdict, str]:
    """The primary metric on all rows; where the part does not lead, non-inferiority is what is asked for."""
    if n < spec.least:
        return (
            GateVerdict.UNDECIDED,
            f"{n:,} {difference.unit} are fewer than the {spec.least:,} that a judgement needs.",
        )
    if not math.isfinite(difference.value):
        return GateVerdict.UNDECIDED, f"{spec.metric} is not defined on these {difference.unit}."
    if not difference.has_interval:
        return GateVerdict.UNDECIDED, "the two never differ here, so nothing can be told of their difference."
    value, low, high = orient(difference, sign)
    sure = math.isnan(difference.p) or difference.p <= spec.alpha
    if low > 0 and sure:
        return GateVerdict.SUPERIOR, "better, and the whole interval says so."
    if high < -spec.margin:
        return (
            GateVerdict.LOST,
            f"worse by more than the margin of {format_number(spec.margin)}, and the whole interval says so.",
        )
    if not leads and low > -spec.margin:
        return GateVerdict.NON_INFERIOR, f"at most {format_short(max(0.0, -low))} worse, within the margin."
    if high < 0 and sure:
        return GateVerdict.WORSE, "worse, and the whole interval says so."
    if not leads:
        return (
            GateVerdict.UNDECIDED,
            f"may be {format_short(-low)} worse, the margin is {format_number(spec.margin)}. "
            + _rows_needed(difference, value + spec.margin, value - low),
        )
    if low > 0:
        test = difference.how.rpartition("; ")[2]
        return (
            GateVerdict.UNDECIDED,
            f"better, but the {test} (p = {format_number(difference.p)}) does not exclude chance.",
        )
    verdict = GateVerdict.NON_INFERIOR if low > -spec.margin else GateVerdict.UNDECIDED
    return verdict, "not proven better: the interval holds 0. " + _rows_needed(difference, value, value - low)


def _rows_needed(difference: Difference, distance: float, half: float) -> str:
    """How many rows, or queries, would decide a difference of this size."""
    if not distance > 0:
        return f"More {difference.unit} would not prove it."
    wanted = difference.n * (half / distance) ** 2
    # Two digits: it is no more than an order of size.
    size = 10 ** max(0, math.floor(math.log10(max(wanted, 1))) - 1)
    return f"A difference of this size needs some {math.ceil(wanted / size) * size:,} {difference.unit}."


def judge_segment(difference: Difference, sign: int, spec: GateSpec) -> tuple[GateVerdict, str]:
    """One segment."""
    if not math.isfinite(difference.value):
        return GateVerdict.UNDECIDED, f"{spec.metric} is not defined here, so the segment cannot be guarded."
    if not difference.has_interval:
        return GateVerdict.UNDECIDED, "the two never differ here, so nothing can be told of their difference."
    value, low, high = orient(difference, sign)
    if low > 0:
        return GateVerdict.SUPERIOR, "better, and the whole interval says so."
    if low > -spec.margin:
        return GateVerdict.NON_INFERIOR, f"at most {format_short(max(0.0, -low))} worse, within the margin."
    if high < -spec.margin:
        return (
            GateVerdict.LOST,
            f"worse by more than the margin of {format_number(spec.margin)}, and the whole interval says so.",
        )
    needs = _rows_needed(difference, value + spec.margin, value - low)
    return (
        GateVerdict.UNDECIDED,
        f"may be {format_short(-low)} worse, the margin is {format_number(spec.margin)}. {needs}",
    )


def _latency_row(comparison: Comparison, spec: GateSpec, leads: bool) -> GateRow:
    """Ratio of the 95th percentiles; asked for where superiority is, told where else it is known."""
    what = f"p{LATENCY_QUANTILE * 100:.0f} of {spec.latency}"
    sides = comparison.latency
    if sides is None or len(sides.champion) < spec.least:
        verdict = GateVerdict.UNDECIDED if leads else GateVerdict.TOLD
        rows = 0 if sides is None else len(sides.champion)
        return GateRow(GateCheck.LATENCY, comparison.name, what, verdict, f"known of {rows:,} rows of both.", n=rows)
    found = compare_quantiles(sides, LATENCY_QUANTILE, 1 - spec.alpha)
    verdict, words = _judge_latency(found, spec.latency_margin)
    row = comparison_row(GateCheck.LATENCY, comparison.name, what, verdict, words, found, shift=1.0)
    ratio = found.candidate / found.champion - 1 if found.champion > 0 else math.nan
    return replace(row, difference=finite_or_none(ratio))


def _judge_latency(difference: Difference, margin: float) -> tuple[GateVerdict, str]:
    if not difference.has_interval:
        same = difference.value == 0
        words = "equal in every draw." if same else "its ratio has no interval."
        return (GateVerdict.NON_INFERIOR if same else GateVerdict.UNDECIDED), words
    low, high = (100 * (bound - 1) for bound in (difference.low, difference.high))
    if high < 0:
        return GateVerdict.SUPERIOR, f"at least {format_short(-high)} % faster."
    if high <= 100 * margin:
        return GateVerdict.NON_INFERIOR, f"at most {format_short(high)} % slower, within the margin."
    if low > 100 * margin:
        return (
            GateVerdict.LOST,
            f"at least {format_short(low)} % slower; the margin is {format_number(100 * margin)} %.",
        )
    return (
        GateVerdict.UNDECIDED,
        f"may be {format_short(high)} % slower; the margin is {format_number(100 * margin)} %.",
    )
