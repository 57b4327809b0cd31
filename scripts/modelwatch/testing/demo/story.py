"""One model's story: production logs, modelwatch evaluates, what it starts has its effect, and all of it is printed."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ... import pipeline
from ...context import RunContext, make_context
from ...dashboard.collect import Observations, observe
from ...model.alert import AlertState, Group
from ...model.monitored_model import Config, Model
from ...model.plan import Change, ChangeKind, ChangeResult, Plan, Receipt, Receipts
from ...model.series import Histograms, PulledSeries, Series
from ...model.severity import Severity
from ...model.target import Target
from ...report.alert_phrase import describe_alert, recovery_streak, worst_alert
from ...report.explanation import explanation_text
from ...report.formatting import finding_labels, number
from ...report.summary import change_title
from ...targets.register.codec import parse_body
from .environment import DemoEnvironment, DemoModel

NARRATED_GUARDS = frozenset({"data-quality", "cause", "release"})
"""Refusals that are part of the story; the others only say that something was done already."""

Narrate = Callable[[float, str, str], None]
"""Called with (simulated time, what happened, style)."""


@dataclass(slots=True)
class Story:
    """The state of one story while it runs."""

    environment: DemoEnvironment
    demo_model: DemoModel
    read_config: Callable[[], Config]
    narrate: Narrate
    run_seconds: Mapping[str, float]
    """Seconds that a workflow run takes, by its verb."""
    version: str = ""
    deployed: float = 0.0
    evaluations: int = 0
    plans: list[Plan] = field(default_factory=list)
    worst_result: pipeline.RunResult | None = None
    """The evaluation at the worst moment: the highest severity, then the most that fires, then the most changes."""
    worst_context: RunContext | None = None
    """That of this evaluation."""
    worst_observations: Observations = field(default_factory=lambda: Observations({}))
    """What existed after it."""
    worst_issues: dict[int, str] = field(default_factory=dict)
    """By number the issue as it stood when the alert was at its worst."""
    _config: Config | None = None
    _announced: dict[str, str] = field(default_factory=dict)
    _peaks: dict[int, tuple[Severity, float]] = field(default_factory=dict)
    _explained: set[str] = field(default_factory=set)
    _narrated_refusals: set[tuple[str, ...]] = field(default_factory=set)

    @property
    def config(self) -> Config:
        if self._config is None:
            whole = self.read_config()
            names = {home.name for home in self.demo_model.family}
            self._config = replace(whole, models=tuple(one for one in whole.models if one.name in names))
        return self._config

    @property
    def model(self) -> Model:
        return next(one for one in self.config.models if one.name == self.demo_model.name)

    def reload_config(self) -> None:
        """A file that the configuration names has changed."""
        self._config = None

    def deploy(self, version: str, time: float) -> None:
        self.version, self.deployed = version, time
        self.narrate(time, f"production now serves {version}", "deploy")

    def pull(self, time: float) -> dict[str, PulledSeries]:
        self.environment.clock.now = time
        return pipeline.pull(make_context(self.config, time))

    def judge_only(self, pulls: Mapping[str, PulledSeries], start: float, until: float, every: float) -> int:
        """Only judge, from ``start`` to ``until``; returns at how many of the times something fired."""
        alarms = 0
        for time in time_steps(start, until, every):
            judgement = pipeline.judge(make_context(self.config, time), _truncate_pulls(pulls, time))
            alarms += any(group.state is AlertState.FIRING for group in judgement.groups)
            self.evaluations += 1
        return alarms

    def evaluate(self, pulls: Mapping[str, PulledSeries], time: float) -> None:
        """One whole evaluation: judge, plan, apply; and what there is to tell of it."""
        self.environment.clock.now = time
        pulls = _truncate_pulls(pulls, time)
        context = make_context(self.config, time)
        judgement = pipeline.judge(context, pulls)
        done = pipeline.converge(context, pipeline.JudgedPulls(pulls, judgement), frozenset(Target))
        self.evaluations += 1
        if self.worst_result is None or _badness(done) >= _badness(self.worst_result):
            self.worst_result, self.worst_context, self.worst_observations = done, context, observe(context)
        for group in sorted(judgement.groups, key=_severity_order):
            self._narrate_group(group, time)
        if done.plan.changes and done.receipts:
            self.plans.append(done.plan)
            self._narrate_changes(done.plan, done.receipts, time)
            self._record_worst_issues(done.plan)
        self._narrate_refusals(done.plan, time)

    def is_over(self) -> bool:
        """Whether there were issues, and all are closed for good: one that a person closed only mutes its alert, until
        modelwatch has recorded that it has recovered."""
        issues = self.environment.github.standin.state.repo(self.demo_model.repository).issues.items.values()
        return bool(issues) and all(issue.state == "closed" and _is_recovered(issue.body or "") for issue in issues)

    def is_workflow_running(self) -> bool:
        runs = self.environment.github.standin.state.repo(self.demo_model.repository).runs.items.values()
        return any(run.status != "completed" for run in runs)

    def finish_due_runs(self, time: float) -> Iterator[str]:
        """The verbs of the workflow runs that end by now; each has run for the time that it takes."""
        state = self.environment.github.standin.state
        self.environment.clock.now = time
        for found in list(state.repo(self.demo_model.repository).runs.items.values()):
            verb = found.title.split()[1]
            if found.status != "completed" and time - found.created >= self.run_seconds[verb]:
                state.finish_run(found.id, "success")
                self.narrate(time, f"workflow run finished (success): {verb}", "workflow")
                yield verb

    def _narrate_group(self, group: Group, time: float) -> None:
        firing = group.state is AlertState.FIRING
        muted = group.mutes[0].reason if firing and group.mutes else ""
        now = f"{group.severity}{' muted' if muted else ''}" if firing else ""
        if now == self._announced.get(group.key, ""):
            return
        before, self._announced[group.key] = self._announced.get(group.key, ""), now
        told = describe_alert(group)
        what = f"{group.model} {told.subject} {told.phrase}"
        if muted:
            self.narrate(time, f"muted: {what}; {muted}", "dim")
        elif firing and not group.do:
            self.narrate(time, f"watched only: {what}", "dim")
        elif firing:
            self.narrate(time, f"{now.upper()}: {what}", now)
            self._narrate_reasons(group, time)
        elif not before.endswith("muted"):
            self.narrate(time, f"{group.model} {group.rule} is healthy again", "green")

    def _narrate_reasons(self, group: Group, time: float) -> None:
        """Once an episode why, and at each severity where several series fire which, worst first."""
        why = explanation_text(group.evidence.why, gradual=group.evidence.is_gradual)
        if why and group.kind != "data-quality" and group.rule not in self._explained:
            self._explained.add(group.rule)
            self.narrate(time, f"  {why}", "why")
        found = [one for one in group.evidence.segments if one.severity is not None]
        if len(found) > 1 and not why and not group.built_in:
            named = (f"{finding_labels(one)} {number(one.value)}" for one in found)
            self.narrate(time, f"  worst first: {', '.join(named)}", "why")

    def _narrate_changes(self, plan: Plan, receipts: Receipts, time: float) -> None:
        proof = {receipt.change: receipt for receipt in receipts.receipts}
        told = Counter(_describe_change(change, proof.get(change.id)) for change in plan.changes)
        for text, count in told.items():
            if text:
                self.narrate(time, f"  → {text}{f' ({count} times)' if count > 1 else ''}", "change")

    def _narrate_refusals(self, plan: Plan, time: float) -> None:
        names = {group.key: f"{group.model} {group.rule}" for group in plan.groups}
        for skip in plan.skips:
            told = (skip.group, skip.what, skip.reason)
            if skip.guard not in NARRATED_GUARDS or told in self._narrated_refusals:
                continue
            self._narrated_refusals.add(told)
            if skip.guard != "cause":
                self.narrate(time, f"  ✗ no {skip.what}: {skip.reason}", "refused")
            elif skip.what == ChangeKind.OPEN_ISSUE:
                self.narrate(time, f"  ✗ no issue for {names.get(skip.group, skip.model)}: {skip.reason}", "refused")

    def _record_worst_issues(self, plan: Plan) -> None:
        """Each issue as it stands, unless it stood worse before."""
        written = {ChangeKind.OPEN_ISSUE, ChangeKind.UPDATE_ISSUE, ChangeKind.REOPEN_ISSUE}
        changes = [change for change in plan.changes if change.kind in written]
        calm = {group.key for group in plan.groups if group.state is not AlertState.FIRING or recovery_streak(group)}
        distances = {group.key: _distance(group) for group in plan.groups}
        issues = self.environment.github.standin.state.repo(self.demo_model.repository).issues.items.values()
        for change in changes:
            for issue in issues:
                body = issue.body or ""
                if f"modelwatch:begin {change.group} " not in body or change.group in calm:
                    continue
                badness = (change.severity, distances.get(change.group, 0.0))
                if issue.state == "open" and badness >= self._peaks.get(issue.number, (Severity.INFO, 0.0)):
                    self._peaks[issue.number] = badness
                    self.worst_issues[issue.number] = f"# {issue.title} #{issue.number}\n\n{body}\n"


def _is_recovered(body: str) -> bool:
    """Whether the register in the text of an issue says so; an issue without one is nothing of modelwatch's."""
    register = parse_body(body).register
    return register is None or register.closed is not None


def _describe_change(change: Change, receipt: Receipt | None) -> str:
    """What became of a change; nothing of an issue that was merely kept up to date."""
    result = receipt.result if receipt else ChangeResult.NOT_ASKED
    if result is not ChangeResult.DONE:
        return f"{change_title(change)}: {change.reason} [{result.value}: {receipt.detail if receipt else ''}]"
    return "" if change.kind is ChangeKind.UPDATE_ISSUE else f"{change_title(change)}: {change.reason}"


def _distance(group: Group) -> float:
    """How far the alert that the issue describes is from its baseline; without one its value."""
    alert = worst_alert(group)
    if alert is None:
        return 0.0
    return abs(alert.finding.value or 0.0) if alert.finding.change is None else abs(alert.finding.change)


def _badness(result: pipeline.RunResult) -> tuple[int, int, int]:
    firing = [group for group in result.judgement.groups if group.state is AlertState.FIRING]
    severities = [group.severity.code for group in firing if group.severity and not group.mutes]
    return max(severities, default=-1), len(firing), len(result.plan.changes)


def _severity_order(group: Group) -> tuple[bool, int]:
    return bool(group.mutes), -group.severity.code if group.severity else 0


def time_steps(start: float, until: float, every: float) -> Iterator[float]:
    """After ``start``, up to ``until``."""
    time = start + every
    while time <= until:
        yield time
        time += every


def _truncate_pulls(pulls: Mapping[str, PulledSeries], time: float) -> dict[str, PulledSeries]:
    return {name: truncate_pull(pull, time) for name, pull in pulls.items()}


def truncate_pull(pull: PulledSeries, time: float) -> PulledSeries:
    """What could have been pulled at ``time``: what is logged in stretches lies ahead of the clock in part."""
    return replace(
        pull,
        series=tuple(_truncate_series(series, bisect_right(series.times, time)) for series in pull.series),
        histograms=tuple(_truncate_histograms(some, bisect_right(some.times, time)) for some in pull.histograms),
        deployments=tuple(one for one in pull.deployments if one.since <= time),
    )


def _truncate_series(series: Series, count: int) -> Series:
    weights = series.weights[:count] if series.weights is not None else None
    columns = (series.times[:count], series.values[:count], weights)
    return Series(series.name, series.labels, *columns, series.versions, series.version_of[:count])


def _truncate_histograms(some: Histograms, count: int) -> Histograms:
    """A reference that was read from a file stands for no time, and stays whole."""
    if some.source:
        return some
    columns = (some.times[:count], some.edges[:count], some.counts[:count])
    version_of = some.version_of[:count]
    return replace(some, times=columns[0], edges=columns[1], counts=columns[2], version_of=version_of)
