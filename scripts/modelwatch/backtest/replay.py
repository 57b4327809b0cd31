"""Replays evaluations over history: what a configuration would have found and done, as of then."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

from ..alerts.moved_baselines import keep_firing
from ..alerts.source_outage import add_source_outages
from ..enrichment import models_with_releases
from ..model.alert import Judgement
from ..model.monitored_model import Config, Model
from ..model.plan import Skip
from ..model.secret import Secret
from ..targets.plan import make_plan
from .block_pool import open_pool
from .episodes import EpisodeRecorder
from .judging import SpanJudge
from .logged_history import LoggedHistory
from .result import ReplayedEffect, ReplayedEpisode, ReplayedRefusal, ReplayResult, Span
from .world import World

Progress = Callable[[float, int, int], None]
"""Called with (time of the evaluation, evaluations done, number of evaluations)."""
Observer = Callable[[float, Judgement | None], None]
"""Called with (time of an evaluation, what it found about the groups that matter); ``None``: nothing."""
LONG = 20_000
"""Evaluations times rules from which on other processes are worth their start."""
PROCESSES = 3
"""One plans and waits for two that judge: on two cores a year of 50 rules takes 9.7 s instead of 13.1 s with one."""


def replay(
    config: Config,
    histories: Mapping[str, LoggedHistory],
    span: Span,
    *,
    progress: Progress | None = None,
    observer: Observer | None = None,
    processes: int | None = None,
) -> ReplayResult:
    """What the evaluations of ``span`` would have found and done with ``config``; ``histories`` by model name.

    Models whose source cannot be read now are left out, and named in ``errors``. A routing key that is not set here
    counts as set: its pages are sent to nobody. ``processes``: by default three for a long span on two cores.
    """
    errors = {model.name: _problem(model, histories) for model in config.models}
    models = tuple(_with_key(model) for model in config.models if not errors[model.name])
    own = replace(config, models=models)
    known = {model.name: replace(histories[model.name], model=model) for model in models}
    times = span.times
    if processes is None:
        is_long = len(times) * sum(len(model.rules) for model in models) >= LONG
        processes = PROCESSES if is_long and (os.cpu_count() or 1) > 1 else 1
    with open_pool(known, times, processes) as executor:
        run = ReplayRun(own, known, times, executor)
        for place, now in enumerate(times):
            judgement = run.step(place)
            if observer:
                observer(now, judgement)
            if progress:
                progress(now, place + 1, len(times))
    return ReplayResult(
        config.digest,
        span,
        len(times),
        run.episodes.finish(),
        tuple(run.effects),
        tuple(run.refusals),
        tuple((name, reason) for name, reason in errors.items() if reason),
        tuple(f"{name}: {note}" for name, history in known.items() for note in history.notes),
    )


def replay_alerts(model: Model, history: LoggedHistory, span: Span) -> tuple[ReplayedEpisode, ...]:
    """When the groups of one model would have fired: judged alone, and without what issues remember of a baseline that
    has moved into an incident. Raises ValueError for a source that could not be read."""
    if history.error:
        raise ValueError(history.error)
    episodes, times = EpisodeRecorder(), span.times
    judge = SpanJudge(Config((model,), ""), {model.name: replace(history, model=model)}, times)
    for place, now in enumerate(times):
        judgement = judge.judge(place, explains=False)
        groups = judgement.groups if judgement else ()
        episodes.see(groups, now, {failure.model for failure in judgement.failures} if judgement else ())
    return episodes.finish()


@dataclass(slots=True)
class ReplayRun:
    """What one evaluation after another finds and does."""

    config: Config
    histories: Mapping[str, LoggedHistory]
    times: Sequence[float]
    executor: ProcessPoolExecutor | None = None
    """Judges ahead in other processes."""
    episodes: EpisodeRecorder = field(default_factory=EpisodeRecorder)
    effects: list[ReplayedEffect] = field(default_factory=list)
    refusals: list[ReplayedRefusal] = field(default_factory=list)
    _world: World = field(init=False)
    _judge: SpanJudge = field(init=False)
    _refused: frozenset[tuple[str, str, str, str]] = frozenset()
    """What the evaluation before refused: model, rule, action, guard."""

    def __post_init__(self) -> None:
        self._world = World(self.config)
        self._judge = SpanJudge(self.config, self.histories, self.times, self.executor)

    def step(self, place: int) -> Judgement | None:
        """Judge the next evaluation, the one at ``place``, and make the changes that it plans in memory. What it found
        about the groups that matter; ``None``: nothing."""
        now, config = self.times[place], self.config
        judgement = self._judge.judge(place, self._world.watched_groups(now))
        if judgement is None:
            self.episodes.see((), now)
            self._refused = frozenset()
            return None
        observed = self._world.observe(judgement)
        judgement = add_source_outages(judgement, config, observed, now)
        judgement = keep_firing(judgement, config, observed, now)
        for model in models_with_releases(config, judgement, observed):
            registry = self.histories[model.name].registry_at(now)
            unread = "" if registry is not None else "it cannot be read now"
            observed[model.name] = replace(observed[model.name], registry=registry, registry_error=unread)
        plan = make_plan(judgement, config, observed, now)
        self.episodes.see(judgement.groups, now, {failure.model for failure in judgement.failures})
        self.effects += self._world.apply(plan)
        self._add_refusals(plan.skips, {group.key: group.rule for group in judgement.groups}, now)
        return judgement

    def _add_refusals(self, skips: Sequence[Skip], rules: Mapping[str, str], now: float) -> None:
        """What a guard refuses; of the same refusal at one evaluation after another the first."""
        refused = {
            (skip.model, rules.get(skip.group, ""), skip.what, skip.guard): skip.reason for skip in skips if skip.guard
        }
        for key, reason in refused.items():
            if key not in self._refused:
                model, rule, action, guard = key
                self.refusals.append(ReplayedRefusal(now, action, model, rule, guard, reason))
        self._refused = frozenset(refused)


def _problem(model: Model, histories: Mapping[str, LoggedHistory]) -> str:
    history = histories.get(model.name)
    return "its history was not read" if history is None else history.error


def _with_key(model: Model) -> Model:
    """``model`` with a routing key where it names one: what would be paged does not depend on who replays it."""
    pagerduty = model.pagerduty
    if pagerduty.routing_key is not None or not pagerduty.key_name:
        return model
    return replace(model, pagerduty=replace(pagerduty, routing_key=Secret(pagerduty.key_name, "replay")))
