"""Episodes from what evaluations see one after another: when groups begin and cease to fire, and how severely."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from ..model.alert import AlertState, Group, SeverityChange
from ..model.series import Labels
from ..model.severity import Severity
from .result import ReplayedEpisode


@dataclass(slots=True)
class _OpenEpisode:
    group: Group
    """As it was first seen to fire."""
    fired: float
    steps: list[SeverityChange] = field(default_factory=list)
    labels: dict[Labels, None] = field(default_factory=dict)

    def see(self, group: Group, now: float) -> None:
        if group.severity is not None and (not self.steps or self.steps[-1].severity is not group.severity):
            self.steps.append(SeverityChange(now, group.severity))
        for alert in group.alerts:
            if alert.state is AlertState.FIRING:
                self.labels.setdefault(alert.labels)

    def end(self, now: float | None) -> ReplayedEpisode:
        group, steps = self.group, self.steps
        peak = max((step.severity for step in steps if step.severity is not None), default=Severity.INFO)
        if now is not None:
            steps = [*steps, SeverityChange(now, None)]
        start = self.fired if group.start is None else group.start
        labels = tuple(self.labels)
        return ReplayedEpisode(group.model, group.rule, group.kind, start, self.fired, now, peak, tuple(steps), labels)


class EpisodeRecorder:
    """Takes what each evaluation found, oldest first."""

    def __init__(self) -> None:
        self._open: dict[str, _OpenEpisode] = {}
        self._ended: list[ReplayedEpisode] = []

    def see(self, groups: Iterable[Group], now: float, failed: Container[str] = ()) -> None:
        """``groups``: at least those that fire at ``now``; every other one does not. Nothing is known of the groups of
        the models in ``failed``: what fired goes on."""
        firing = {group.key: group for group in groups if group.state is AlertState.FIRING}
        for key, episode in list(self._open.items()):
            if key not in firing and episode.group.model not in failed:
                self._ended.append(self._open.pop(key).end(now))
        for key, group in firing.items():
            self._open.setdefault(key, _OpenEpisode(group, now)).see(group, now)

    def finish(self) -> tuple[ReplayedEpisode, ...]:
        """Every episode, by its beginning; those that still fire have no end."""
        episodes = [*self._ended, *(episode.end(None) for episode in self._open.values())]
        return tuple(sorted(episodes, key=lambda one: (one.fired, one.model, one.rule)))
