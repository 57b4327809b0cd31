"""One model's story: production logs, modelwatch evaluates, what it starts has its effect, and all of it is told."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .. import pipeline
from ..model.alert import AlertState, Group
from ..model.plan import Change, ChangeKind, ChangeResult, Plan, Receipt, Receipts, Target
from ..model.series import Histograms, PulledSeries, Series
from ..model.severity import Severity
from ..model.watched import Config, Model
from ..report.overview import change_title
from ..report.told import describe_alert, recovery_streak
from ..report.why import explanation_text
from ..report.words import finding_labels, number
from .world import Home, World

HOUR, DAY = 3600.0, 24 * 3600.0
TOLD_GUARDS = frozenset({"data-quality"})
"""Refusals that are part of the story; the others only say that something was done already."""

Say = Callable[[float, str, str], None]
"""Called with (simulated time, what happened, style)."""


@dataclass(slots=True)
class Story:
    """The state of one telling."""

    world: World
    home: Home
    read_config: Callable[[], Config]
    say: Say
    lasts: Mapping[str, float]
    """Seconds that a workflow run takes, by its verb."""
    version: str = ""
    deployed: float = 0.0
    evaluations: int = 0
    plans: list[Plan] = field(default_factory=list)
    busiest: pipeline.RunResult | None = None
    """The newest of the evaluations with the most changes."""
    worst_issues: dict[int, str] = field(default_factory=dict)
    """By number the issue as it stood when the alert was at its worst."""
    _config: Config | None = None
    _said: dict[str, str] = field(default_factory=dict)
    _peaks: dict[int, Severity] = field(default_factory=dict)
    _explained: set[str] = field(default_factory=set)
    _refused: set[tuple[str, ...]] = field(default_factory=set)

    @property
    def config(self) -> Config:
        if self._config is None:
            whole = self.read_config()
            self._config = replace(whole, models=tuple(one for one in whole.models if one.name == self.home.model))
        return self._config

    @property
    def model(self) -> Model:
        return self.config.models[0]

    def reload(self) -> None:
        """A file that the configuration names has changed."""
        self._config = None

    def deploy(self, version: str, time: float) -> None:
        self.version, self.deployed = version, time
        self.say(time, f"production now serves {version}", "deploy")

    def pull(self, time: float) -> dict[str, PulledSeries]:
        self.world.clock.now = time
        return pipeline.pull(self.config, time)

    def watch(self, pulls: Mapping[str, PulledSeries], start: float, until: float, every: float) -> int:
        """Only judge, from ``start`` to ``until``; returns at how many of the times something fired."""
        alarms = 0
        for time in times(start, until, every):
            judgement = pipeline.judge(self.config, _known(pulls, time), time)
            alarms += any(group.state is AlertState.FIRING for group in judgement.groups)
            self.evaluations += 1
        return alarms

    def evaluate(self, pulls: Mapping[str, PulledSeries], time: float) -> None:
        """One whole evaluation: judge, plan, apply; and what there is to tell of it."""
        self.world.clock.now = time
        pulls = _known(pulls, time)
        judgement = pipeline.judge(self.config, pulls, time)
        done = pipeline.converge(
            self.config, pipeline.JudgedPulls(pulls, judgement), frozenset(Target), time, pipeline.RunContext()
        )
        self.evaluations += 1
        if self.busiest is None or len(done.plan.changes) >= len(self.busiest.plan.changes):
            self.busiest = done
        for group in sorted(judgement.groups, key=_loudest_first):
            self._tell_group(group, time)
        if done.plan.changes and done.receipts:
            self.plans.append(done.plan)
            self._tell_changes(done.plan, done.receipts, time)
            self._keep_issues(done.plan)
        self._tell_refusals(done.plan, time)

    def is_over(self) -> bool:
        """Whether there were issues, and all are closed."""
        issues = self.world.github.standin.state.repo(self.home.repository).issues.items.values()
        return bool(issues) and all(issue.state == "closed" for issue in issues)

    def finished(self, time: float) -> Iterator[str]:
        """The verbs of the workflow runs that end by now; each has run for the time that it takes."""
        state = self.world.github.standin.state
        self.world.clock.now = time
        for found in list(state.repo(self.home.repository).runs.items.values()):
            verb = found.title.split()[1]
            if found.status != "completed" and time - found.created >= self.lasts[verb]:
                state.finish_run(found.id, "success")
                self.say(time, f"workflow run finished (success): {verb}", "workflow")
                yield verb

    def _tell_group(self, group: Group, time: float) -> None:
        firing = group.state is AlertState.FIRING
        muted = group.mutes[0].reason if firing and group.mutes else ""
        now = f"{group.severity}{' muted' if muted else ''}" if firing else ""
        if now == self._said.get(group.rule, ""):
            return
        before, self._said[group.rule] = self._said.get(group.rule, ""), now
        told = describe_alert(group)
        what = f"{group.model} {told.subject} {told.phrase}"
        if muted:
            self.say(time, f"muted: {what}; {muted}", "dim")
        elif firing and not group.do:
            self.say(time, f"watched only: {what}", "dim")
        elif firing:
            self.say(time, f"{now.upper()}: {what}", now)
            self._tell_reasons(group, time)
        elif not before.endswith("muted"):
            self.say(time, f"{group.model} {group.rule} is healthy again", "green")

    def _tell_reasons(self, group: Group, time: float) -> None:
        """Once an episode why, and at each severity where several series fire which, worst first."""
        why = explanation_text(group.evidence.why)
        if why and group.kind != "data-quality" and group.rule not in self._explained:
            self._explained.add(group.rule)
            self.say(time, f"  {why}", "why")
        found = [one for one in group.evidence.segments if one.severity is not None]
        if len(found) > 1 and not why and not group.built_in:
            named = (f"{finding_labels(one)} {number(one.value)}" for one in found)
            self.say(time, f"  worst first: {', '.join(named)}", "why")

    def _tell_changes(self, plan: Plan, receipts: Receipts, time: float) -> None:
        proof = {receipt.change: receipt for receipt in receipts.receipts}
        told = Counter(_told_of(change, proof.get(change.id)) for change in plan.changes)
        for text, count in told.items():
            if text:
                self.say(time, f"  → {text}{f' ({count} times)' if count > 1 else ''}", "change")

    def _tell_refusals(self, plan: Plan, time: float) -> None:
        for skip in plan.skips:
            told = (skip.group, skip.what, skip.reason)
            if skip.guard in TOLD_GUARDS and told not in self._refused:
                self._refused.add(told)
                self.say(time, f"  ✗ no {skip.what}: {skip.reason}", "refused")

    def _keep_issues(self, plan: Plan) -> None:
        """Each issue as it stands, unless it stood worse before."""
        written = {ChangeKind.OPEN_ISSUE, ChangeKind.UPDATE_ISSUE, ChangeKind.REOPEN_ISSUE}
        changes = [change for change in plan.changes if change.kind in written]
        calm = {group.key for group in plan.groups if group.state is not AlertState.FIRING or recovery_streak(group)}
        issues = self.world.github.standin.state.repo(self.home.repository).issues.items.values()
        for change in changes:
            for issue in issues:
                body = issue.body or ""
                if f"modelwatch:begin {change.group} " not in body or change.group in calm:
                    continue
                if issue.state == "open" and change.severity >= self._peaks.get(issue.number, Severity.INFO):
                    self._peaks[issue.number] = change.severity
                    self.worst_issues[issue.number] = f"# {issue.title} #{issue.number}\n\n{body}\n"


def _told_of(change: Change, receipt: Receipt | None) -> str:
    """What became of a change; nothing of an issue that was merely kept up to date."""
    result = receipt.result if receipt else ChangeResult.NOT_ASKED
    if result is not ChangeResult.DONE:
        return f"{change_title(change)}: {change.reason} [{result.value}: {receipt.detail if receipt else ''}]"
    return "" if change.kind is ChangeKind.UPDATE_ISSUE else f"{change_title(change)}: {change.reason}"


def _loudest_first(group: Group) -> tuple[bool, int]:
    return bool(group.mutes), -group.severity.code if group.severity else 0


def times(start: float, until: float, every: float) -> Iterator[float]:
    """After ``start``, up to ``until``."""
    time = start + every
    while time <= until:
        yield time
        time += every


def _known(pulls: Mapping[str, PulledSeries], time: float) -> dict[str, PulledSeries]:
    return {name: known_at(pull, time) for name, pull in pulls.items()}


def known_at(pull: PulledSeries, time: float) -> PulledSeries:
    """What could have been pulled at ``time``: what is logged in stretches lies ahead of the clock in part."""
    return replace(
        pull,
        series=tuple(_cut(series, bisect_right(series.times, time)) for series in pull.series),
        histograms=tuple(_cut_bins(some, bisect_right(some.times, time)) for some in pull.histograms),
        deployments=tuple(one for one in pull.deployments if one.since <= time),
    )


def _cut(series: Series, count: int) -> Series:
    weights = series.weights[:count] if series.weights is not None else None
    columns = (series.times[:count], series.values[:count], weights)
    return Series(series.name, series.labels, *columns, series.versions, series.version_of[:count])


def _cut_bins(some: Histograms, count: int) -> Histograms:
    """A reference that was read from a file stands for no time, and stays whole."""
    if some.source:
        return some
    columns = (some.times[:count], some.edges[:count], some.counts[:count])
    version_of = some.version_of[:count]
    return replace(some, times=columns[0], edges=columns[1], counts=columns[2], version_of=version_of)
