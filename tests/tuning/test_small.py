"""A few simulated worlds with fixed seeds; ``python -m tests.tuning`` is the whole table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelwatch.backtest.tuning import TuningOptions, suggest
from modelwatch.backtest.tuning_choice import DOUBT, find_within_budget
from modelwatch.model.tuning import AlertBudget, Setting, SettingScore, Suggestion
from modelwatch.timeutil import DAY, HOUR, WEEK

from .figures import HEAD, Tally, add_world, row, sum_up, tune_world
from .worlds import DEVELOPMENT, TuningWorld, draw_world, hand_set_rule

BUDGET = AlertBudget(1.0, 30 * DAY)
OPTIONS = TuningOptions(settings=8)


def world(name: str, seed: int) -> TuningWorld:
    """With a rule that somebody made patient."""
    drawn = draw_world(DEVELOPMENT[name], np.random.default_rng([4, seed]), days=150, every=6 * HOUR)
    model = replace(drawn.model, rules=(replace(drawn.rule, for_=3),))
    return replace(drawn, model=model, budget=BUDGET)


def tune(name: str, seed: int) -> Suggestion:
    return tune_world(world(name, seed), OPTIONS)


def test_tuned_rules_keep_their_budget_and_find_no_incident_later() -> None:
    found = [tune(name, seed) for name in ("shares", "means") for seed in range(2)]
    total = sum_up([add_world(Tally(BUDGET.rate), one) for one in found], BUDGET.rate)
    assert total.suggested == 4
    assert total.changed > 0
    assert total.keeps_budget
    assert total.later == 0
    assert total.sooner > 0
    assert total.gained > 0
    assert row("all", total).count("|") == HEAD.count("|")
    for one in found:
        assert one.present_held_out is not None
        assert one.present_held_out.score.since - DAY > one.tried[0].score.until


def test_two_processes_find_what_one_does() -> None:
    drawn = world("points", 1)
    options = replace(OPTIONS, settings=20)
    one, two = (
        suggest(
            drawn.model,
            drawn.rule,
            drawn.history,
            drawn.span,
            drawn.incidents,
            drawn.budget,
            replace(options, processes=processes),
        )
        for processes in (1, 2)
    )
    assert one == two
    assert len(one.tried) == 20


@pytest.mark.parametrize("count", [1, 12])
def test_of_settings_beyond_the_budget_few_are_called_within_it(count: int) -> None:
    """2,000 tuning spans of 200 days without a promise: in ``count`` families the alerts of every setting include those
    of the less sensitive one, and from one place on the true rate is 1.1 times the budget. Taking each setting by its
    own bound would call one within the budget far more often than it may."""
    rng = np.random.default_rng(5)
    rule = hand_set_rule(DEVELOPMENT["points"])
    grid = [
        Setting(replace(rule, window=(1 + family) * WEEK), (), scale)
        for family in range(count)
        for scale in (1.0, 4.0, 2.8, 2.0, 1.4, 0.7, 0.5)
    ]
    rates = {4.0: 0.1, 2.8: 0.3, 2.0: 0.8, 1.4: 1.1, 1.0: 1.1, 0.7: 1.1, 0.5: 1.5}
    exposure, wrong, rounds = 200 * DAY, 0, 2_000
    for _ in range(rounds):
        scores = []
        for family in range(count):
            alerts, below, known = 0, 0.0, {}
            for scale in sorted(rates, reverse=True):
                alerts += int(rng.poisson((rates[scale] - below) * BUDGET.rate * exposure))
                below, known[scale] = rates[scale], alerts
            own = grid[family * 7 : family * 7 + 7]
            scores += [SettingScore(0.0, exposure, exposure, known[one.scale], known[one.scale], ()) for one in own]
        tried = find_within_budget(grid, scores, BUDGET)
        wrong += any(one.within_budget and rates[one.setting.scale] > 1 for one in tried)
    assert wrong / rounds <= DOUBT
