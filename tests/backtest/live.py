"""Evaluations one by one, the live way: every row that was logged by then is read, everything is judged and explained,
and every group is planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from modelwatch.alerts.moved_baselines import keep_firing
from modelwatch.alerts.source_outage import add_source_outages
from modelwatch.backtest.logged_history import registry_as_of
from modelwatch.backtest.result import ReplayedEffect
from modelwatch.backtest.world import World
from modelwatch.context import make_context
from modelwatch.enrichment import models_with_releases
from modelwatch.model.alert import Judgement
from modelwatch.model.monitored_model import Config, Model
from modelwatch.model.release import Registry
from modelwatch.model.series import PulledSeries
from modelwatch.pipeline import add_release, judge
from modelwatch.sources.pull import build_series
from modelwatch.sources.requirements import plan_read
from modelwatch.sources.series_builder import SeriesBuilder
from modelwatch.targets.plan import make_plan

from .random_histories import Row


def pull(model: Model, rows: Sequence[Row], now: float, registry: Registry | None = None) -> PulledSeries:
    """What a source gives at ``now``: the rows that were logged by then, one after another."""
    model = model.with_whole_history(now)
    request = plan_read(model, now)
    if registry is not None:
        request = replace(request, canary_periods=registry.canary_periods)
    assert model.wandb is not None
    builder = SeriesBuilder(request, model.wandb.time, model.wandb.version)
    for row in rows:
        if row["_timestamp"] <= now:
            builder.add_row(row, "")
    pulled = build_series(model, builder)
    return pulled if registry is None else add_release(pulled, registry)


def live_evaluations(
    config: Config,
    rows: Mapping[str, Sequence[Row]],
    times: Sequence[float],
    registries: Mapping[str, Registry] | None = None,
) -> Iterator[tuple[Judgement, tuple[ReplayedEffect, ...]]]:
    """What each evaluation finds and does."""
    world = World(config)
    for now in times:
        context = make_context(config, now, {})
        known = {name: registry_as_of(registry, now) for name, registry in (registries or {}).items()}
        pulls = {model.name: pull(model, rows[model.name], now, known.get(model.name)) for model in config.models}
        judgement = judge(context, pulls)
        observed = world.observe(judgement)
        judgement = add_source_outages(judgement, config, observed, now)
        judgement = keep_firing(judgement, config, observed, now)
        for model in models_with_releases(config, judgement, observed):
            observed[model.name] = replace(observed[model.name], registry=known[model.name])
        plan = make_plan(judgement, config, observed, now)
        yield judgement, world.apply(plan)
