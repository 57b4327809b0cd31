"""When rules would have alerted, from their tracks alone: what ``replay_alerts`` finds of rules that nothing mutes, at
a fraction of its cost.

The findings at the end of a block, cut at an earlier evaluation, are those of that evaluation (see ``blocks``). So one
walk of the state machine over a track says what fired at every evaluation of the block. Blocks are not verified: tuning
compares hundreds of settings by it, and replays the one that it suggests in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..alerts.state_machine import FiringPeriod, firing_periods
from ..model.alert import SeverityChange
from ..model.finding import Track
from ..model.monitored_model import Model
from ..model.rule import Rule
from ..model.series import Labels
from ..model.severity import Severity
from ..stats.arrays import Floats, Ints
from .blocks import cut_blocks
from .judged_block import JudgedBlock, judge_block
from .logged_history import LoggedHistory
from .passes import run_pass
from .result import ReplayedEpisode, Span

_QUIET = -1


def replay_rules(model: Model, history: LoggedHistory, span: Span) -> dict[str, tuple[ReplayedEpisode, ...]]:
    """The alerts of each rule of ``model`` by its name, oldest first. Raises ValueError for a source that could not be
    read."""
    if history.error:
        raise ValueError(history.error)
    own, times = replace(history, model=model), span.times
    timelines = {rule.name: _Timeline(rule, len(times)) for rule in model.rules}
    for rules, blocks in cut_blocks(own, times).items():
        for first, last in blocks:
            for block in _judge(own, rules, times, first, last):
                at = np.asarray(times[block.first : block.last + 1])
                for rule in block.rules:
                    for track in block.end.tracks.get(rule.name, ()):
                        timelines[rule.name].add(track, block.first, at)
    return {name: timeline.episodes(model.name, times) for name, timeline in timelines.items()}


def _judge(
    history: LoggedHistory, rules: tuple[Rule, ...], times: Sequence[float], first: int, last: int
) -> list[JudgedBlock]:
    """One pass for the whole block; where it fails, in as small blocks as it takes."""
    try:
        return [JudgedBlock(rules, first, last, run_pass(history, rules, times[last]))]
    except Exception:  # noqa: BLE001 - what cannot be judged at one evaluation can be at others
        return judge_block(history, rules, times, first, last)


@dataclass(slots=True)
class _Timeline:
    """What one rule says at each evaluation, over all of its series."""

    rule: Rule
    length: int
    severity: Ints = field(init=False)
    """``Severity.code`` of the worst alert that fires, by the place of the evaluation."""
    start: Floats = field(init=False)
    """When the earliest of them began."""
    labels: list[tuple[int, int, Labels]] = field(default_factory=list)
    """First and last place at which an alert with these labels fires."""

    def __post_init__(self) -> None:
        self.severity = np.full(self.length, _QUIET)
        self.start = np.full(self.length, np.inf)

    def add(self, track: Track, first: int, times: Floats) -> None:
        """What ``track`` says at the evaluations at ``times``, of which the first has the place ``first``."""
        rule = track.rule
        rows = np.floor((times - rule.total_lag) / rule.every).astype(int) - round(track.grid.start / rule.every)
        for period in firing_periods(track):
            places = np.flatnonzero((rows >= period.fired) & (rows < (period.end or track.grid.count)))
            if not len(places):
                continue
            own = _severity_at(period, rows[places])
            places += first
            self.severity[places] = np.maximum(self.severity[places], own)
            self.start[places] = np.minimum(self.start[places], track.grid.time(period.start))
            self.labels.append((int(places[0]), int(places[-1]), track.labels))

    def episodes(self, model: str, times: Sequence[float]) -> tuple[ReplayedEpisode, ...]:
        edges = np.flatnonzero(np.diff(self.severity >= 0, prepend=False, append=False)).tolist()
        return tuple(
            self._episode(model, times, first, end) for first, end in zip(edges[::2], edges[1::2], strict=True)
        )

    def _episode(self, model: str, times: Sequence[float], first: int, end: int) -> ReplayedEpisode:
        own = self.severity[first:end]
        changes = [0, *(np.flatnonzero(np.diff(own)) + 1).tolist()]
        steps = [SeverityChange(times[first + at], Severity.from_code(int(own[at]))) for at in changes]
        over = times[end] if end < len(times) else None
        if over is not None:
            steps.append(SeverityChange(over, None))
        labels = dict.fromkeys(labels for begin, last, labels in sorted(self.labels) if begin < end and last >= first)
        return ReplayedEpisode(
            model=model,
            rule=self.rule.name,
            kind=self.rule.kind,
            start=float(self.start[first]),
            fired=times[first],
            end=over,
            peak=Severity.from_code(int(own.max())),
            steps=tuple(steps),
            labels=tuple(labels),
        )


def _severity_at(period: FiringPeriod, rows: Ints) -> Ints:
    """``Severity.code`` at each of ``rows``, which lie in the period."""
    since = np.array([row for row, _ in period.steps])
    codes = np.array([code for _, code in period.steps])
    return np.asarray(codes[np.searchsorted(since, rows, side="right") - 1])
