"""The promotion gate: judge each comparison of champion and candidate, then promote, hold or reject. Pure."""

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
    format_bound,
    format_number,
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
LATENCY_QUANTILE = 0.95
"""The quantile of the latency that is compared."""
BETTER = "better: the interval excludes 0."
NO_DIFFERENCE = "the two never differ here, so their difference has no interval."


@dataclass(frozen=True, slots=True)
class GateSubject:
    """The versions that are compared, and when."""

    model: str
    champion: str
    candidate: str
    at: float


def judge_candidate(comparisons: Sequence[Comparison], spec: GateSpec, subject: GateSubject) -> GateReport:
    """The decision from a holdout, a recent window, or both."""
    lead = leading_comparison(comparisons)
    rows = tuple(
        row for comparison in comparisons for row in judged_rows(comparison, spec, leads=comparison.name == lead)
    )
    rows += tuple(row for comparison in comparisons for row in informational_rows(comparison, spec))
    decision, reasons = decide(rows, lead, spec)
    missing = HOLDOUT if lead == RECENT else RECENT
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
        notes=(
            *(() if len(comparisons) > 1 else (f"there is no {missing} to compare on.",)),
            *(note for comparison in comparisons for note in comparison.notes),
        ),
    )


def leading_comparison(comparisons: Sequence[Comparison]) -> str:
    """The comparison on which superiority has to be shown."""
    return RECENT if any(comparison.name == RECENT for comparison in comparisons) else HOLDOUT


def metric_direction(spec: GateSpec) -> Direction:
    """The direction of a known metric; for the user's own metrics ``better`` of the configuration."""
    if spec.metric in METRICS:
        return Direction.LOWER if spec.metric in LOWER_IS_BETTER else Direction.HIGHER
    return spec.better


def decide(rows: Sequence[GateRow], lead: str, spec: GateSpec) -> tuple[GateDecision, tuple[str, ...]]:
    """The decision that the rows allow, and why; ``lead``: the comparison on which superiority has to be shown."""
    blocks = [row for row in rows if row.verdict is GateVerdict.BLOCKS]
    primary = sorted((row for row in rows if row.check is GateCheck.PRIMARY), key=lambda row: row.part != lead)
    superior = any(row.part == lead and row.verdict is GateVerdict.SUPERIOR for row in primary)
    worse = [row for row in primary if row.verdict in (GateVerdict.WORSE, GateVerdict.INFERIOR)]
    judged = [row for row in rows if row.check in JUDGED_CHECKS and row.verdict is not GateVerdict.REPORTED]
    failed = [row for row in judged if row.verdict not in PASSING_VERDICTS]
    # Losses come before what is not proven, and segments worth more before those worth less.
    failed.sort(key=_urgency)
    short = [row for row in primary if not _is_sufficient(row, lead)]
    inferior = [row for row in failed if row.check is GateCheck.SEGMENT and row.verdict is GateVerdict.INFERIOR]
    if blocks:
        return GateDecision.HOLD, (*(_sentence(row) for row in (*blocks, *worse)), *_failure_sentences(failed))
    if (worse or inferior) and not superior:
        return GateDecision.REJECT, (*(_sentence(row) for row in worse), *_failure_sentences(inferior))
    if not primary or short or failed:
        won = [row for row in primary if row.part == lead and superior]
        return GateDecision.HOLD, (*(_sentence(row) for row in (*short, *won)), *_failure_sentences(failed))
    return GateDecision.PROMOTE, (*(_sentence(row) for row in primary), *_passed_sentences(judged, spec))


def _urgency(row: GateRow) -> tuple[bool, float]:
    return row.verdict is not GateVerdict.INFERIOR, -(row.worth if row.worth is not None else 2.0)


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
    """The most important failed checks, and the number of the others."""
    yield from (_sentence(row) for row in failed[:MAX_NAMED_CHECKS])
    more = len(failed) - MAX_NAMED_CHECKS
    if more == 1:
        yield "1 more check failed; the rows name it."
    elif more > 1:
        yield f"{more} more checks failed; the rows name them."


def _sentence(row: GateRow) -> str:
    location = f"{row.part}, {row.segment}" if row.segment else row.part
    if row.check is GateCheck.TABLES:
        return f"{location}: {row.words}"
    return f"{location}{row.worth_text}: {row.what}{_figures(row)}: {row.words}"


def _figures(row: GateRow) -> str:
    if row.candidate is None or row.champion is None:
        return ""
    both = f" {format_number(row.candidate)} against {format_number(row.champion)}"
    if row.low is None or row.high is None:
        return both
    scale, unit = (100, " %") if row.check is GateCheck.LATENCY else (1, "")
    return f"{both} ({format_signed(row.low * scale)}{unit} to {format_signed(row.high * scale)}{unit})"


def judged_rows(comparison: Comparison, spec: GateSpec, *, leads: bool) -> Iterator[GateRow]:
    """The rows that the decision depends on, and the values that have too few rows to guard."""
    for problem in comparison.problems:
        yield GateRow(GateCheck.TABLES, comparison.name, problem.what, GateVerdict.BLOCKS, problem.words, n=problem.n)
    sign = -1 if metric_direction(spec) is Direction.LOWER else 1
    pairs, level = comparison.pairs, 1 - spec.alpha
    difference = compare_metric(spec.metric, pairs, level) if pairs.n else undefined_difference(0)
    verdict, words = _judge_primary(difference, pairs.units, sign, spec, leads)
    yield comparison_row(GateCheck.PRIMARY, comparison.name, spec.metric, verdict, words, difference)
    for segment, rows, worth in guarded_segments(comparison, spec.least):
        difference = compare_metric(spec.metric, pairs.take(rows), level)
        verdict, words = _judge_segment(difference, sign, spec)
        row = comparison_row(GateCheck.SEGMENT, comparison.name, spec.metric, verdict, words, difference)
        yield replace(row, segment=segment, worth=worth, worth_of=worth_unit(comparison))
    yield from unguarded_rows(comparison, spec)
    if spec.latency:
        yield _latency_row(comparison, spec, leads)


def _orient(difference: Difference, sign: int) -> tuple[float, float, float]:
    """Difference and bounds, with the sign that makes more better."""
    low, high = (difference.low, difference.high) if sign > 0 else (-difference.high, -difference.low)
    return sign * difference.value, low, high


def _judge_primary(difference: Difference, n: int, sign: int, spec: GateSpec, leads: bool) -> tuple[GateVerdict, str]:
    """The primary metric on all rows; a comparison that does not lead only has to show non-inferiority."""
    if n < spec.least:
        words = f"{n:,} {difference.unit} are fewer than the {spec.least:,} that a decision needs."
        return GateVerdict.UNDECIDED, words
    if not math.isfinite(difference.value):
        return GateVerdict.UNDECIDED, f"{spec.metric} is not defined on these {difference.unit}."
    if not difference.has_interval:
        return GateVerdict.UNDECIDED, NO_DIFFERENCE
    value, low, high = _orient(difference, sign)
    significant = math.isnan(difference.p) or difference.p <= spec.alpha
    if low > 0 and significant:
        return GateVerdict.SUPERIOR, BETTER
    if high < -spec.margin:
        return GateVerdict.INFERIOR, _inferior_words(spec)
    if not leads and low > -spec.margin:
        return GateVerdict.NON_INFERIOR, _within_margin_words(low)
    if high < 0 and significant:
        return GateVerdict.WORSE, "worse: the interval excludes 0."
    if not leads:
        return GateVerdict.UNDECIDED, _beyond_margin_words(difference, value, low, spec)
    if low > 0:
        test = difference.how.rpartition("; ")[2]
        words = f"better, but the {test} (p = {format_number(difference.p)}) does not exclude chance."
        return GateVerdict.UNDECIDED, words
    verdict = GateVerdict.NON_INFERIOR if low > -spec.margin else GateVerdict.UNDECIDED
    return verdict, "not proven better: the interval includes 0. " + _rows_needed(difference, value, value - low)


def _judge_segment(difference: Difference, sign: int, spec: GateSpec) -> tuple[GateVerdict, str]:
    if not math.isfinite(difference.value):
        return GateVerdict.UNDECIDED, f"{spec.metric} is not defined here, so the segment cannot be guarded."
    if not difference.has_interval:
        return GateVerdict.UNDECIDED, NO_DIFFERENCE
    value, low, high = _orient(difference, sign)
    if low > 0:
        return GateVerdict.SUPERIOR, BETTER
    if low > -spec.margin:
        return GateVerdict.NON_INFERIOR, _within_margin_words(low)
    if high < -spec.margin:
        return GateVerdict.INFERIOR, _inferior_words(spec)
    return GateVerdict.UNDECIDED, _beyond_margin_words(difference, value, low, spec)


def _inferior_words(spec: GateSpec) -> str:
    return f"worse by more than the margin of {format_number(spec.margin)}: the whole interval is beyond it."


def _within_margin_words(low: float) -> str:
    return f"at most {format_bound(max(0.0, -low))} worse, within the margin."


def _beyond_margin_words(difference: Difference, value: float, low: float, spec: GateSpec) -> str:
    needs = _rows_needed(difference, value + spec.margin, value - low)
    return f"can be {format_bound(-low)} worse; the margin is {format_number(spec.margin)}. {needs}"


def _rows_needed(difference: Difference, distance: float, half: float) -> str:
    """How many rows, or queries, would decide a difference of this size."""
    if not distance > 0:
        return f"More {difference.unit} would not prove it."
    needed = difference.n * (half / distance) ** 2
    # Two digits: this is only an order of magnitude.
    size = 10 ** max(0, math.floor(math.log10(max(needed, 1))) - 1)
    return f"A difference of this size needs about {math.ceil(needed / size) * size:,} {difference.unit}."


def _latency_row(comparison: Comparison, spec: GateSpec, leads: bool) -> GateRow:
    """Ratio of the 95th percentiles: required where superiority is, elsewhere only reported."""
    what = f"p{LATENCY_QUANTILE * 100:.0f} of {spec.latency}"
    sides = comparison.latency
    if sides is None or len(sides.champion) < spec.least:
        verdict = GateVerdict.UNDECIDED if leads else GateVerdict.REPORTED
        rows = 0 if sides is None else len(sides.champion)
        return GateRow(GateCheck.LATENCY, comparison.name, what, verdict, f"both have it in {rows:,} rows.", n=rows)
    difference = compare_quantiles(sides, LATENCY_QUANTILE, 1 - spec.alpha)
    verdict, words = _judge_latency(difference, spec.latency_margin)
    row = comparison_row(GateCheck.LATENCY, comparison.name, what, verdict, words, difference, shift=1.0)
    ratio = difference.candidate / difference.champion - 1 if difference.champion > 0 else math.nan
    return replace(row, difference=finite_or_none(ratio))


def _judge_latency(difference: Difference, margin: float) -> tuple[GateVerdict, str]:
    if not difference.has_interval:
        if difference.value == 0:
            return GateVerdict.NON_INFERIOR, "equal in every bootstrap sample."
        return GateVerdict.UNDECIDED, "its ratio has no interval."
    low, high = (100 * (bound - 1) for bound in (difference.low, difference.high))
    limit = f"the margin is {format_number(100 * margin)} %."
    if high < 0:
        return GateVerdict.SUPERIOR, f"at least {format_bound(-high)} % faster."
    if high <= 100 * margin:
        return GateVerdict.NON_INFERIOR, f"at most {format_bound(high)} % slower, within the margin."
    if low > 100 * margin:
        return GateVerdict.INFERIOR, f"at least {format_bound(low)} % slower; {limit}"
    return GateVerdict.UNDECIDED, f"can be {format_bound(high)} % slower; {limit}"
