"""Replays random histories, evaluates them the live way, and says where both differ."""

from __future__ import annotations

import math
from dataclasses import astuple
from pathlib import Path

import numpy as np

from modelwatch.backtest.logged_history import history_of_rows
from modelwatch.backtest.replay import ReplayRun
from modelwatch.model.alert import Alert, AlertState, Judgement
from modelwatch.model.finding import Finding
from modelwatch.timeutil import DAY, HOUR

from .live import live_evaluations
from .random_histories import random_history


def differences(seed: int, folder: Path, most: int = 60) -> tuple[list[str], int, int]:
    """Where a replay of the history of ``seed`` differs from live evaluations, evaluation by evaluation; how many
    alerts and changes there were. ``most``: evaluations."""
    history = random_history(seed, folder)
    random = np.random.default_rng(seed + 10_000)
    every = float(random.choice([1, 2, 3, 6, 13])) * HOUR
    offset = float(random.choice([0.0, 300.0, 2000.0]))
    first = history.end - min(most * every, 20 * DAY) + offset
    times = [first + place * every for place in range(int((history.end - first) // every))]
    config = history.config
    registries = history.registries
    histories = {
        model.name: history_of_rows(model, history.rows[model.name], registry=registries.get(model.name))
        for model in config.models
    }
    run = ReplayRun(config, histories, times)
    found: list[str] = []
    alerts = done = 0
    for place, (live, effects) in enumerate(live_evaluations(config, history.rows, times, registries)):
        before = len(run.effects)
        replayed = run.step(place)
        when = f"seed {seed}, evaluation {place} at {times[place]:.0f}"
        own, other = _alerts(live), _alerts(replayed)
        alerts += len(own)
        done += len(effects)
        found += [f"{when}: {key}: live {own.get(key)}, replayed {other.get(key)}" for key in own.keys() | other.keys()
                  if not _same(own.get(key), other.get(key))]  # fmt: skip
        ours, theirs = list(map(astuple, effects)), list(map(astuple, run.effects[before:]))
        if ours != theirs:
            missing = [effect for effect in ours if effect not in theirs]
            found.append(f"{when}: changes: live {missing}, replayed {[one for one in theirs if one not in ours]}")
        if len(found) > 8:
            break
    return found, alerts, done


def _alerts(judgement: Judgement | None) -> dict[tuple[object, ...], tuple[object, ...]]:
    if judgement is None:
        return {}
    groups = [group for group in judgement.groups if group.state is not AlertState.QUIET]
    states = {(group.model, group.rule): (group.state, group.severity, group.start, group.end) for group in groups}
    return states | {(one.model, one.rule, one.labels): _facts(one) for group in groups for one in group.alerts}


def _facts(alert: Alert) -> tuple[object, ...]:
    times = (alert.start, alert.fired, alert.end)
    return (alert.state, alert.severity, alert.peak, *times, *_finding(alert.finding), bool(alert.mutes), alert.gone)


def _finding(finding: Finding) -> tuple[object, ...]:
    return astuple(finding)


def _same(one: tuple[object, ...] | None, other: tuple[object, ...] | None) -> bool:
    if one is None or other is None or len(one) != len(other):
        return one is other
    return all(
        math.isclose(a, b, rel_tol=1e-9) if isinstance(a, float) and isinstance(b, float) else a == b
        for a, b in zip(one, other, strict=True)
    )
