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
from .gate_rows import known, number, row_of, short
from .part import HOLDOUT, RECENT, Part
from .segments import segments_of, unguarded, worth_of
from .told import told_rows

LATENCY = 0.95
"""The quantile of the latency that is compared."""


@dataclass(frozen=True, slots=True)
class About:
    """Who is compared, and when."""

    model: str
    champion: str
    candidate: str
    at: float


def judge(parts: Sequence[Part], spec: GateSpec, about: About, notes: Sequence[str] = ()) -> GateReport:
    """The decision for a holdout, a recent window, or both."""
    rows = tuple(row for part in parts for row in rows_of(part, spec, leads=part.name == leading(parts)))
    rows += tuple(row for part in parts for row in told_rows(part, spec))
    decision, reasons = decide(rows, leading(parts), spec)
    alone = () if len(parts) > 1 else (f"there is no {HOLDOUT if leading(parts) == RECENT else RECENT} to compare on.",)
    return GateReport(
        at=about.at,
        model=about.model,
        champion=about.champion,
        candidate=about.candidate,
        metric=spec.metric,
        better=better(spec).value,
        alpha=spec.alpha,
        margin=spec.margin,
        decision=decision,
        reasons=reasons,
        rows=rows,
        notes=(*notes, *alone, *(note for part in parts for note in part.notes)),
    )


def leading(parts: Sequence[Part]) -> str:
    """The part on which superiority has to be shown."""
    return RECENT if any(part.name == RECENT for part in parts) else HOLDOUT


def better(spec: GateSpec) -> Direction:
    """Of a known metric its own direction; ``better`` of the configuration counts for metrics of the user's own."""
    if spec.metric in METRICS:
        return Direction.LOWER if spec.metric in LOWER_IS_BETTER else Direction.HIGHER
    return spec.better


def rows_of(part: Part, spec: GateSpec, *, leads: bool) -> Iterator[GateRow]:
    """Everything that is judged."""
    for trouble in part.troubles:
        yield GateRow(GateCheck.TABLES, part.name, trouble.what, GateVerdict.BLOCKS, trouble.words, n=trouble.n)
    sign = -1 if better(spec) is Direction.LOWER else 1
    found = compare_metric(spec.metric, part.pairs, 1 - spec.alpha) if part.pairs.n else undefined_difference(0)
    verdict, words = _overall(found, part.pairs.units, sign, spec, leads)
    yield row_of(GateCheck.PRIMARY, part.name, spec.metric, verdict, words, found)
    for segment in segments_of(part, spec.least):
        inside = compare_metric(spec.metric, part.pairs.take(segment.rows), 1 - spec.alpha)
        verdict, words = guarded(inside, sign, spec)
        row = row_of(GateCheck.SEGMENT, part.name, spec.metric, verdict, words, inside)
        yield replace(row, segment=segment.name, worth=segment.worth, worth_of=worth_of(part))
    yield from unguarded(part, spec)
    if spec.latency:
        yield _latency(part, spec, leads)


def turned(found: Difference, sign: int) -> tuple[float, float, float]:
    """Difference and bounds, turned so that more is better."""
    low, high = (found.low, found.high) if sign > 0 else (-found.high, -found.low)
    return sign * found.value, low, high


def _overall(found: Difference, n: int, sign: int, spec: GateSpec, leads: bool) -> tuple[GateVerdict, str]:
    """The primary metric on all rows; where the part does not lead, non-inferiority is what is asked for."""
    if n < spec.least:
        return GateVerdict.UNDECIDED, f"{n:,} {found.unit} are fewer than the {spec.least:,} that a judgement needs."
    if not math.isfinite(found.value):
        return GateVerdict.UNDECIDED, f"{spec.metric} is not defined on these {found.unit}."
    if not found.has_interval:
        return GateVerdict.UNDECIDED, "the two never differ here, so nothing can be told of their difference."
    value, low, high = turned(found, sign)
    sure = math.isnan(found.p) or found.p <= spec.alpha
    if low > 0 and sure:
        return GateVerdict.SUPERIOR, "better, and the whole interval says so."
    if high < -spec.margin:
        return (
            GateVerdict.LOST,
            f"worse by more than the margin of {number(spec.margin)}, and the whole interval says so.",
        )
    if not leads and low > -spec.margin:
        return GateVerdict.NON_INFERIOR, f"at most {short(max(0.0, -low))} worse, within the margin."
    if high < 0 and sure:
        return GateVerdict.WORSE, "worse, and the whole interval says so."
    if not leads:
        return GateVerdict.UNDECIDED, f"may be {short(-low)} worse, the margin is {number(spec.margin)}. " + _enough(
            found, value + spec.margin, value - low
        )
    if low > 0:
        test = found.how.rpartition("; ")[2]
        return GateVerdict.UNDECIDED, f"better, but the {test} (p = {number(found.p)}) does not exclude chance."
    verdict = GateVerdict.NON_INFERIOR if low > -spec.margin else GateVerdict.UNDECIDED
    return verdict, "not proven better: the interval holds 0. " + _enough(found, value, value - low)


def _enough(found: Difference, distance: float, half: float) -> str:
    """How many rows, or queries, would decide a difference of this size."""
    if not distance > 0:
        return f"More {found.unit} would not prove it."
    wanted = found.n * (half / distance) ** 2
    # Two digits: it is no more than an order of size.
    size = 10 ** max(0, math.floor(math.log10(max(wanted, 1))) - 1)
    return f"A difference of this size needs some {math.ceil(wanted / size) * size:,} {found.unit}."


def guarded(found: Difference, sign: int, spec: GateSpec) -> tuple[GateVerdict, str]:
    """One segment."""
    if not math.isfinite(found.value):
        return GateVerdict.UNDECIDED, f"{spec.metric} is not defined here, so the segment cannot be guarded."
    if not found.has_interval:
        return GateVerdict.UNDECIDED, "the two never differ here, so nothing can be told of their difference."
    value, low, high = turned(found, sign)
    if low > 0:
        return GateVerdict.SUPERIOR, "better, and the whole interval says so."
    if low > -spec.margin:
        return GateVerdict.NON_INFERIOR, f"at most {short(max(0.0, -low))} worse, within the margin."
    if high < -spec.margin:
        return (
            GateVerdict.LOST,
            f"worse by more than the margin of {number(spec.margin)}, and the whole interval says so.",
        )
    needs = _enough(found, value + spec.margin, value - low)
    return GateVerdict.UNDECIDED, f"may be {short(-low)} worse, the margin is {number(spec.margin)}. {needs}"


def _latency(part: Part, spec: GateSpec, leads: bool) -> GateRow:
    """Ratio of the 95th percentiles; asked for where superiority is, told where else it is known."""
    what = f"p{LATENCY * 100:.0f} of {spec.latency}"
    sides = part.latency
    if sides is None or len(sides.champion) < spec.least:
        verdict = GateVerdict.UNDECIDED if leads else GateVerdict.TOLD
        rows = 0 if sides is None else len(sides.champion)
        return GateRow(GateCheck.LATENCY, part.name, what, verdict, f"known of {rows:,} rows of both.", n=rows)
    found = compare_quantiles(sides, LATENCY, 1 - spec.alpha)
    verdict, words = _slower(found, spec.latency_margin)
    row = row_of(GateCheck.LATENCY, part.name, what, verdict, words, found, shift=1.0)
    ratio = found.candidate / found.champion - 1 if found.champion > 0 else math.nan
    return replace(row, difference=known(ratio))


def _slower(found: Difference, margin: float) -> tuple[GateVerdict, str]:
    if not found.has_interval:
        same = found.value == 0
        words = "equal in every draw." if same else "its ratio has no interval."
        return (GateVerdict.NON_INFERIOR if same else GateVerdict.UNDECIDED), words
    low, high = (100 * (bound - 1) for bound in (found.low, found.high))
    if high < 0:
        return GateVerdict.SUPERIOR, f"at least {short(-high)} % faster."
    if high <= 100 * margin:
        return GateVerdict.NON_INFERIOR, f"at most {short(high)} % slower, within the margin."
    if low > 100 * margin:
        return GateVerdict.LOST, f"at least {short(low)} % slower; the margin is {number(100 * margin)} %."
    return GateVerdict.UNDECIDED, f"may be {short(high)} % slower; the margin is {number(100 * margin)} %."
