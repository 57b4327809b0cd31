"""From the rows of the gate to its decision. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..model.gate import GateCheck, GateDecision, GateRow, GateVerdict
from ..model.release import GateSpec
from .gate_rows import format_number, format_signed

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
