"""From the rows of the gate to its decision. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..model.gate import GateCheck, GateDecision, GateReport, GateRow, GateVerdict
from ..model.monitored_model import GateSpec
from ..model.rule import Direction
from ..stats.paired.metrics import LOWER_IS_BETTER, METRICS, compare_metric, compare_quantiles
from ..stats.paired.result import Difference, undefined_difference
from .comparison import HOLDOUT, RECENT, Comparison
from .gate_rows import (
    comparison_row,
    finite_or_none,
    format_number,
    format_short,
    format_signed,
    guarded_segments,
    informational_rows,
    unguarded_rows,
    worth_unit,
)

PASSING_VERDICTS = (GateVerdict.SUPERIOR, GateVerdict.NON_INFERIOR)
MAX_NAMED_CHECKS = 5
"""Segments and other checks that the reasons name one by one."""
JUDGED_CHECKS = (GateCheck.SEGMENT, GateCheck.LATENCY)


def decide(rows: Sequence[GateRow], lead: str, spec: GateSpec) -> tuple[GateDecision, tuple[str, ...]]:
    """The decision that the rows allow, and why; ``lead`` names the part on which superiority has to be shown."""
    blocks = [row for row in rows if row.verdict is GateVerdict.BLOCKS]
    primary = sorted((row for row in rows if row.check is GateCheck.PRIMARY), key=lambda row: row.part != lead)
    superior = any(row.part == lead and row.verdict is GateVerdict.SUPERIOR for row in primary)
    worse = [row for row in primary if row.verdict in (GateVerdict.WORSE, GateVerdict.LOST)]
    judged = [row for row in rows if row.check in JUDGED_CHECKS and row.verdict is not GateVerdict.TOLD]
    failed = [row for row in judged if row.verdict not in PASSING_VERDICTS]
    # What is worth most comes first, a loss before what is not proven.
    failed.sort(key=lambda row: (row.verdict is not GateVerdict.LOST, -(row.worth if row.worth is not None else 2.0)))
    short = [row for row in primary if not _is_sufficient(row, lead)]
    lost = [row for row in failed if row.check is GateCheck.SEGMENT and row.verdict is GateVerdict.LOST]
    if blocks:
        return GateDecision.HOLD, (*(_sentence(row) for row in (*blocks, *worse)), *_failure_sentences(failed))
    if (worse or lost) and not superior:
        return GateDecision.REJECT, (*(_sentence(row) for row in worse), *_failure_sentences(lost))
    if not primary or short or failed:
        won = [row for row in primary if row.part == lead and superior]
        return GateDecision.HOLD, (*(_sentence(row) for row in (*short, *won)), *_failure_sentences(failed))
    return GateDecision.PROMOTE, (*(_sentence(row) for row in primary), *_passed_sentences(judged, spec))


def _is_sufficient(row: GateRow, lead: str) -> bool:
    return row.verdict is GateVerdict.SUPERIOR if row.part == lead else row.verdict in PASSING_VERDICTS


def _passed_sentences(judged: Sequence[GateRow], spec: GateSpec) -> Iterator[str]:
    segments = {row.segment for row in judged if row.check is GateCheck.SEGMENT}
    if segments:
        yield f"None of {len(segments)} guarded segments is worse by {format_number(spec.margin)} or more."
    for row in judged:
        if row.check is GateCheck.LATENCY:
            yield _sentence(row)


def _failure_sentences(failed: Sequence[GateRow]) -> Iterator[str]:
    """The weightiest ones; how many more there are."""
    yield from (_sentence(row) for row in failed[:MAX_NAMED_CHECKS])
    more = len(failed) - MAX_NAMED_CHECKS
    if more == 1:
        yield "1 more check is not passed; the rows name it."
    elif more > 1:
        yield f"{more} more checks are not passed; the rows name them."


def _sentence(row: GateRow) -> str:
    place = f"{row.part}, {row.segment}" if row.segment else row.part
    share = f" ({100 * row.worth:.3g} % of the {row.worth_of})" if row.worth is not None else ""
    if row.check is GateCheck.TABLES:
        return f"{place}: {row.words}"
    return f"{place}{share}: {row.what}{_figures(row)}: {row.words}"


def _figures(row: GateRow) -> str:
    if row.candidate is None or row.champion is None:
        return ""
    both = f" {format_number(row.candidate)} against {format_number(row.champion)}"
    if row.low is None or row.high is None:
        return both
    scale, unit = (100, " %") if row.check is GateCheck.LATENCY else (1, "")
    return f"{both} ({format_signed(row.low * scale)}{unit} to {format_signed(row.high * scale)}{unit})"


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
