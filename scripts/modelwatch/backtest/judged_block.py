"""A block of evaluations that one pass judges, once that is verified."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..alerts.state_machine import alert_stretches
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
        wrong = _differing(history, end, times, first, last) if first < last else set()
    except Exception as error:  # noqa: BLE001 - the barrier between models
        if first == last:
            failed = Pass(times[first], PulledSeries(history.model.name, ()), {})
            return [JudgedBlock(rules, first, last, failed, unforeseen("judging", error))]
        return _halve(history, rules, times, first, last)
    same = tuple(rule for rule in rules if rule.name not in wrong)
    others = tuple(rule for rule in rules if rule.name in wrong)
    blocks = [JudgedBlock(same, first, last, end)] if same else []
    return [*blocks, *(_halve(history, others, times, first, last) if others else ())]


def _differing(history: LoggedHistory, end: Pass, times: Sequence[float], first: int, last: int) -> set[str]:
    """The rules of which an earlier evaluation found something else than ``end`` has for that time: looked for at the
    first evaluation, and at those with which an alert begins and ends."""
    rules = {rule.name: rule for rule in history.model.rules if rule.name in end.tracks}
    places: dict[int, set[str]] = {}
    for name in rules:
        if any(map(_is_doubtful, end.tracks[name])):
            for place in {first, *_turns(end.tracks[name], times, first, last)}:
                places.setdefault(place, set()).add(name)
    wrong: set[str] = set()
    for place, names in sorted(places.items()):
        if left := names - wrong:
            model = history.model.with_whole_history(times[place])
            found = run_pass(history, [rule for name, rule in rules.items() if name in left], times[place])
            wrong |= {name for name in left if not is_cut(found.tracks[name], end.tracks[name], model, times[place])}
    return wrong


def _is_doubtful(track: Track) -> bool:
    """Whether it has what an alert can follow from."""
    return Outcome.BREACH.code in track.outcome or 1 in track.overdue or any(track.implausible)


def _turns(tracks: Sequence[Track], times: Sequence[float], first: int, last: int) -> Iterator[int]:
    """The evaluations after the first with which an alert of the rule begins or ends."""
    for track in tracks:
        rule, begin = track.rule, round(track.grid.start / track.rule.every)
        rows = {row for one in alert_stretches(track) for row in (one.first, one.last)}
        known = [math.floor((now - rule.label_age - rule.lag) / rule.every) - begin for now in times[first : last + 1]]
        for row in rows:
            place = bisect_left(known, row)
            if 0 < place < len(known) - 1:
                yield first + place


def _halve(
    history: LoggedHistory, rules: tuple[Rule, ...], times: Sequence[float], first: int, last: int
) -> list[JudgedBlock]:
    middle = (first + last) // 2
    halves = ((first, middle), (middle + 1, last))
    return [block for half in halves for block in judge_block(history, rules, times, *half)]
