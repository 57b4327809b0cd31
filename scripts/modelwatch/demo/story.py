"""Thirty days, hour by hour: production logs, modelwatch evaluates, and whatever it starts has its effect."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from .. import pipeline
from ..model.alert import AlertState, Group
from ..model.plan import Plan, Receipts, Result, Target
from ..model.series import Pull, Series
from ..model.watched import Config
from ..report.overview import kind_of
from ..report.told import tell as tell_group
from ..report.words import number
from .production import BAD_VERSION, BROKEN_REGION, HOUR, hours, log
from .world import ENTITY, PROJECT, REPOSITORY, World

DAYS = 30
HEALTHY_DAYS = 27
GOOD_VERSION = "v6"
STRETCH = 6
"""Hours that are logged, and deployed, together."""
LASTS = {"retrain": 3, "rollback": 1}
"""Hours that a workflow run takes."""

Say = Callable[[float, str, str], None]
"""Called with (simulated time, what happened, style)."""


@dataclass(slots=True)
class Story:
    """The state of the telling."""

    world: World
    config: Config
    say: Say
    version: str = GOOD_VERSION
    deployed: float = 0.0
    evaluations: int = 0
    plans: list[Plan] = field(default_factory=list)
    busiest: pipeline.Done | None = None
    """The newest of the evaluations with the most changes."""
    _severity: str = ""

    def healthy_weeks(self, start: float, until: float, pulls: Mapping[str, Pull]) -> int:
        """Judge every hour of the good weeks; returns how many alerts there were (there should be none)."""
        alarms = 0
        time = start
        while time <= until:
            judgement = pipeline.judge(self.config, pulls, time)
            alarms += any(group.state is AlertState.FIRING for group in judgement.groups)
            self.evaluations += 1
            time += HOUR
        return alarms

    def stretch(self, start: float) -> float:
        """Log the next hours, pull them, and evaluate each in turn; returns when the stretch ends."""
        until = start + STRETCH * HOUR
        log(ENTITY, PROJECT, self.version, list(hours(start, until, self.version, self.deployed)))
        pulls = pipeline.pull(self.config, until)
        time = start + HOUR
        while time <= until:
            self.world.clock.now = time
            self._finish_workflow_runs(time)
            self._evaluate(pulls, time)
            time += HOUR
        return until

    def _evaluate(self, pulls: Mapping[str, Pull], time: float) -> None:
        pulls = {name: known_at(pull, time) for name, pull in pulls.items()}
        judgement = pipeline.judge(self.config, pulls, time)
        evaluation = pipeline.Evaluation(pulls, judgement)
        done = pipeline.converge(self.config, evaluation, frozenset(Target), time, pipeline.Place())
        self.evaluations += 1
        if self.busiest is None or len(done.plan.changes) >= len(self.busiest.plan.changes):
            self.busiest = done
        for group in judgement.groups:
            self._tell_severity(group, time)
        if done.plan.changes and done.receipts:
            self.plans.append(done.plan)
            self._tell_changes(done.plan, done.receipts, time)

    def _tell_severity(self, group: Group, time: float) -> None:
        severity = str(group.severity) if group.state is AlertState.FIRING else ""
        if group.rule != "accuracy" or severity == self._severity:
            return
        self._severity = severity
        if not severity:
            self.say(time, "churn accuracy has recovered, and the proof is complete", "green")
            return
        told = tell_group(group)
        self.say(time, f"{severity.upper()}: churn {told.subject} {told.phrase}", severity)

    def _tell_changes(self, plan: Plan, receipts: Receipts, time: float) -> None:
        proof = {receipt.change: receipt for receipt in receipts.receipts}
        for change in plan.changes:
            receipt = proof.get(change.id)
            result = receipt.result if receipt else Result.NOT_ASKED
            failed = f" [{result.value}: {receipt.detail if receipt else ''}]" if result is not Result.DONE else ""
            self.say(time, f"  → {kind_of(change)}: {change.reason}{failed}", "change")

    def _finish_workflow_runs(self, time: float) -> None:
        """What the dispatched workflows do, after the hours that they take; a rollback redeploys the good version."""
        state = self.world.github.standin.state
        for found in list(state.repo(REPOSITORY).runs.items.values()):
            verb = found.title.split()[1]
            if found.status == "completed" or time - found.created < LASTS[verb] * HOUR:
                continue
            state.finish_run(found.id, "success")
            self.say(time, f"workflow run finished: {found.title}", "workflow")
            if verb == "rollback":
                self.deploy(GOOD_VERSION, time)

    def deploy(self, version: str, time: float) -> None:
        self.version, self.deployed = version, time
        self.say(time, f"production now serves {version}", "deploy")


def known_at(pull: Pull, time: float) -> Pull:
    """What could have been pulled at ``time``: hours are logged in stretches, so some lie ahead of the clock."""
    return replace(
        pull,
        series=tuple(_cut(series, bisect_right(series.times, time)) for series in pull.series),
        deployments=tuple(one for one in pull.deployments if one.since <= time),
    )


def _cut(series: Series, count: int) -> Series:
    weights = series.weights[:count] if series.weights is not None else None
    columns = (series.times[:count], series.values[:count], weights)
    return Series(series.name, series.labels, *columns, series.versions, series.version_of[:count])


def tell(world: World, read_config: Callable[[], Config], start: float, say: Say) -> Story:
    """The whole story from ``start`` (seconds, UTC, a full hour). The configuration is read again with its baseline."""
    from ..files import write_baselines

    bad_day = start + HEALTHY_DAYS * 24 * HOUR
    say(start, f"{GOOD_VERSION} serves; the real wandb client logs {HEALTHY_DAYS} healthy days", "")
    world.clock.now = bad_day
    log(ENTITY, PROJECT, GOOD_VERSION, list(hours(start, bad_day, GOOD_VERSION, start)))
    weeks = pipeline.Period(start, start + 21 * 24 * HOUR)
    config = read_config()
    entries = pipeline.capture_baseline(config, config.models[0], weeks, bad_day)
    write_baselines(world.folder / "baselines" / "churn.json", entries)
    say(start + 21 * 24 * HOUR, f"baseline captured from three weeks: {number(entries[0].value)} overall", "")
    story = Story(world, read_config(), say, deployed=start)
    alarms = story.healthy_weeks(start + 24 * HOUR, bad_day, pipeline.pull(story.config, bad_day))
    say(bad_day, f"{story.evaluations} hourly evaluations so far, {alarms} alerts", "green")
    story.deploy(BAD_VERSION, bad_day)
    say(bad_day, f"{BAD_VERSION} misreads one field of {BROKEN_REGION}; nobody knows it yet", "dim")
    time = bad_day
    while time < start + DAYS * 24 * HOUR:
        time = story.stretch(time)
    return story
