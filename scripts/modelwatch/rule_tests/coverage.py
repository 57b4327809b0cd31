"""When a rule was judged in a test, and on which series: where it never was, a check that it is silent cannot fail."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..backtest.logged_history import LoggedHistory
from ..backtest.passes import run_pass
from ..backtest.result import Span
from ..model.finding import Cause, Outcome, Track
from ..model.rule import STATIC_LIMITS, LimitKind, Rule
from ..model.series import Labels

UNPROVEN = "a limit is passed at every evaluation, but too little came before to prove it"


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """What became of one rule at the evaluations of a test."""

    series: frozenset[Labels]
    """The labels of every series that it was about; ``()``: the whole."""
    judged: tuple[float, ...]
    """The times of evaluations that saw a window in which it was judged, of any series."""
    proven: tuple[float, ...]
    """Those of them at which its value passed no limit, or that was proven."""
    unjudged: tuple[tuple[float, str], ...]
    """The times of the others, and why."""
    every: float
    """How often (seconds) the rule is evaluated: what one evaluation finds holds until the next."""

    def gap(self, since: float, before: float) -> str | None:
        """Why nothing was judged at the evaluations in that time; ``None`` where something was. Few rows prove little,
        so a limit may be passed in a part of a test; from the start on, nothing was ever known by which to judge."""
        if any(since - self.every < time < before for time in (self.judged if since > -math.inf else self.proven)):
            return None
        if any(since - self.every < time < before for time in self.judged):
            return UNPROVEN
        reasons = Counter(reason for time, reason in self.unjudged if since <= time < before)
        return reasons.most_common(1)[0][0] if reasons else "no window ends then"


def cover_rule(history: LoggedHistory, rule: Rule, span: Span) -> RuleCoverage:
    """Judge ``rule`` over the whole span, in passes as long as the history that an evaluation reads."""
    series, judged, proven, unjudged = set[Labels](), set[float](), set[float](), dict[float, str]()
    times = span.times
    now = times[-1]
    while True:
        for track in run_pass(history, [rule], now).tracks[rule.name]:
            series.add(track.labels)
            for row, time in _rows(track, span, times):
                cause = Cause.from_code(track.cause[row])
                is_fine = track.outcome[row] == Outcome.OK.code
                if is_fine or track.outcome[row] == Outcome.BREACH.code or cause is Cause.NOT_CLEARED:
                    judged.add(time)
                    if not (is_fine and _passes(rule, track.value[row], track.baseline[row])):
                        proven.add(time)
                else:
                    unjudged[time] = cause.text
        now -= history.model.history
        if now < span.since:
            found = (tuple(sorted(judged)), tuple(sorted(proven)), tuple(unjudged.items()))
            return RuleCoverage(frozenset(series), *found, rule.every)


def _rows(track: Track, span: Span, times: Sequence[float]) -> Iterator[tuple[int, float]]:
    """The row of each finding, and the time of the first evaluation that sees it."""
    for row in range(track.grid.count):
        seen = track.grid.time(row) + track.rule.lag + track.rule.label_age
        place = math.ceil((seen - span.since) / span.every)
        if 0 <= place < len(times):
            yield row, times[place]


def _passes(rule: Rule, value: float, baseline: float) -> bool:
    """Whether the value, as it stands, passes a limit that is not about spread."""
    limits = (limit for tier in rule.tiers for limit in tier.limits if limit.form is not LimitKind.SIGMA)
    return any(
        limit.is_passed(value, 0.0 if math.isnan(baseline) else baseline)
        for limit in limits
        if limit.form in STATIC_LIMITS or not math.isnan(baseline)
    )
