"""A block of evaluations that one pass judges, once that is verified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import unforeseen
from ..model.finding import Outcome, Track
from ..model.rule import Rule
from ..model.series import PulledSeries
from .logged_history import LoggedHistory
from .passes import Pass, is_cut, run_pass


@dataclass(frozen=True, slots=True)
class JudgedBlock:
    """Evaluations that one pass judges."""

    rules: tuple[Rule, ...]
    first: int
    """Place of the first evaluation in the span."""
    last: int
    end: Pass
    error: str = ""
    """Why judging failed, of a single evaluation."""


def judge_block(
    history: LoggedHistory, rules: tuple[Rule, ...], times: Sequence[float], first: int, last: int
) -> list[JudgedBlock]:
    """The evaluations from ``first`` to ``last`` in as few passes as agree with each other."""
    try:
        end = run_pass(history, rules, times[last])
        doubtful = [rule for rule in rules if first < last and _has_breach(end.tracks[rule.name])]
        begin = run_pass(history, doubtful, times[first]) if doubtful else end
    except Exception as error:  # noqa: BLE001 - the barrier between models
        if first == last:
            failed = Pass(times[first], PulledSeries(history.model.name, ()), {})
            return [JudgedBlock(rules, first, last, failed, unforeseen("judging", error))]
        return _halve(history, rules, times, first, last)
    model = history.model.with_whole_history(times[first])
    same = [
        rule
        for rule in rules
        if rule not in doubtful or is_cut(begin.tracks[rule.name], end.tracks[rule.name], model, times[first])
    ]
    others = tuple(rule for rule in rules if rule not in same)
    blocks = [JudgedBlock(tuple(same), first, last, end)] if same else []
    return [*blocks, *(_halve(history, others, times, first, last) if others else ())]


def _has_breach(tracks: Sequence[Track]) -> bool:
    return any(Outcome.BREACH.code in track.outcome for track in tracks)


def _halve(
    history: LoggedHistory, rules: tuple[Rule, ...], times: Sequence[float], first: int, last: int
) -> list[JudgedBlock]:
    middle = (first + last) // 2
    halves = ((first, middle), (middle + 1, last))
    return [block for half in halves for block in judge_block(history, rules, times, *half)]
