"""Which settings keep a budget, and which one is suggested."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.backtest.tuning import score_alerts, split_span
from modelwatch.backtest.tuning_choice import choose_setting, find_within_budget
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import BaselineKind, BaselineSpec, Direction, Interval, Limit, LimitKind, Rule, Tier
from modelwatch.model.severity import Severity
from modelwatch.model.tuning import AlertBudget, IncidentDelay, Setting, SettingChange, SettingScore, mark_curve
from modelwatch.timeutil import DAY

from .making import BEGIN, HOUR, at, episode, incident, span

BUDGET = AlertBudget(1.0, 30 * DAY)


def rule(budget: float | None = 30 * DAY, limit: float = 0.02) -> Rule:
    """One that detectors decide, or (without a budget) windows."""
    tier = Tier(Severity.WARNING, (Limit(LimitKind.DROP, limit),), ("issue",), false_alarms=budget)
    return Rule(
        "accuracy",
        "accuracy-drop",
        KeyPattern("eval/accuracy"),
        (tier,),
        Direction.HIGHER,
        weight="eval/n",
        interval=Interval.WILSON,
        baseline=BaselineSpec(BaselineKind.ROLLING),
    )


def setting(scale: float = 1.0, budget: float | None = 30 * DAY, window: float = DAY, for_: int = 9) -> Setting:
    """The present one where nothing is given."""
    own = replace(rule(budget, 0.02 * scale), window=window, for_=for_)
    change = SettingChange(("tiers", "warning", "drop"), "2%", f"{2 * scale:g}%")
    return Setting(own, (change,) if scale != 1 or window != DAY or for_ != 9 else (), scale)


def scored(false: int = 0, days: float = 200.0, delays: tuple[float | None, ...] = (), alerts: int = 0) -> SettingScore:
    """``delays`` in hours, of incidents of two days."""
    found = tuple(
        IncidentDelay(str(place), BEGIN, None if delay is None else delay * HOUR, 48 * HOUR)
        for place, delay in enumerate(delays)
    )
    return SettingScore(BEGIN, BEGIN + days * DAY, days * DAY, alerts or false, false, found)


def test_the_two_spans_share_no_window() -> None:
    parts = split_span(span(28), 0.5, DAY)
    assert parts is not None
    assert (parts.tune.since, parts.tune.until) == (BEGIN, at(14 * 24))
    assert parts.held_out.since - DAY > parts.tune.until
    assert parts.held_out.until == span(28).until
    assert set(parts.tune.times) | set(parts.held_out.times) < set(span(28).times)
    assert split_span(span(2), 0.5, DAY) is None
    assert split_span(span(0), 0.5, 0.0) is None


@pytest.mark.parametrize(
    ("fired", "is_false"),
    [(99, True), (100, False), (148, False), (172, False), (173.0, False), (175, True)],
)
def test_an_alert_soon_after_an_incident_is_not_false(fired: float, is_false: bool) -> None:
    """The incident lasts from 100 to 148, the margin is a day; an alert begins two hours before it fires."""
    found = score_alerts([episode(fired, None)], [incident(100, 148)], span(), DAY)
    assert (found.alerts, found.false_alerts) == (1, int(is_false))
    assert found.exposure == 28 * DAY - 72 * HOUR
    assert found.missed == (0 if 100 <= fired <= 148 else 1)


def test_delays_are_of_incidents_within_the_span() -> None:
    marks = [incident(-5, 10), incident(20, 40), incident(30, 60), incident(660, 700)]
    found = score_alerts([episode(5, 8), episode(35, 50), episode(690, 699)], marks, span(), 0.0)
    assert [delay.delay for delay in found.delays] == [15 * HOUR, 5 * HOUR]
    assert found.false_alerts == 0
    assert found.exposure == 28 * DAY - (10 + 40 + 12) * HOUR
    assert found.mean_delay == 10 * HOUR


@pytest.mark.parametrize(("false", "kept"), [(0, True), (6, True), (7, False)])
def test_a_promise_is_kept_until_the_span_contradicts_it(false: int, kept: bool) -> None:
    (found,) = find_within_budget([setting()], [scored(false)], BUDGET)
    assert found.within_budget is kept


@pytest.mark.parametrize(
    ("budget", "false", "kept"),
    [(None, 0, True), (None, 1, True), (None, 3, False), (29 * DAY, 3, False), (30 * DAY, 3, True)],
)
def test_without_a_promise_the_span_has_to_prove_it(budget: float | None, false: int, kept: bool) -> None:
    """200 days: 7.7 events at the upper bound of 3, 6.67 at the budget."""
    (found,) = find_within_budget([setting(budget=budget)], [scored(false)], BUDGET)
    assert found.within_budget is kept


def test_a_family_ends_at_its_first_setting_beyond_the_budget() -> None:
    scales = [1.0, 4.0, 2.0, 0.5]
    scores = [scored(3), scored(0), scored(1), scored(0)]
    found = find_within_budget([setting(scale, None) for scale in scales], scores, BUDGET)
    assert [one.within_budget for one in found] == [False, True, True, False]


def test_families_share_the_doubt() -> None:
    """In 112 days no false alert proves one in 30 at 2.5 %, which the present family has, and not at less."""
    grid = [setting(1.0, None), setting(1.0, None, 2 * DAY), setting(1.0, None, 3 * DAY)]
    found = find_within_budget(grid, [scored(0, 112)] * 3, BUDGET)
    assert [one.within_budget for one in found] == [True, False, False]
    (alone,) = find_within_budget(grid[:1], [scored(0, 90)], BUDGET)
    assert alone.within_budget


def choice(*pairs: tuple[Setting, SettingScore], budget: AlertBudget = BUDGET) -> tuple[Setting | None, str]:
    """What is chosen, and why."""
    grid, scores = zip(*pairs, strict=True)
    return choose_setting(find_within_budget(grid, scores, budget), budget, HOUR)


def test_the_present_setting_stays_unless_another_is_better_everywhere() -> None:
    present = (setting(), scored(delays=(5, 9, None)))
    sooner = (setting(for_=2), scored(delays=(5, 6, 40)))
    later = (setting(for_=1), scored(delays=(7, 1, 2)))
    assert choice(present, later)[0] == present[0]
    assert choice(present, later)[1].endswith("keep this one.")
    assert choice(present, later, sooner)[0] == sooner[0]
    assert choice(present, (setting(for_=2), scored(delays=(5, 9, 46))))[0] == present[0]  # by less than an evaluation


@pytest.mark.parametrize(
    ("budget", "other", "is_taken"),
    [
        (30 * DAY, setting(0.5), False),  # points prove the limit: a nearer one is not sooner by its nature
        (None, setting(0.5, None), True),
        (None, setting(2.0, None), False),
        (None, setting(1.0, None, DAY / 2), True),
        (None, setting(1.0, None, 2 * DAY), False),
        (None, setting(1.0, None, for_=10), False),
        (30 * DAY, setting(1.0, 60 * DAY), False),
        (30 * DAY, setting(1.0, 15 * DAY, for_=1), True),
    ],
)
def test_luck_with_a_few_incidents_makes_nothing_less_sensitive(
    budget: float | None, other: Setting, is_taken: bool
) -> None:
    present = setting(budget=budget)
    chosen, _ = choice((present, scored(0, 400, (9, 9))), (other, scored(0, 400, (1, 1))))
    assert chosen == (other if is_taken else present)


def test_a_present_setting_beyond_the_budget_is_left_for_the_best_within_it() -> None:
    present = (setting(), scored(9, delays=(1, 1, 1)))
    misses = (setting(4.0), scored(delays=(2, 2, None)))
    finds = (setting(2.0), scored(1, delays=(9, 9, 30)))
    assert choice(present, misses, finds)[0] == finds[0]
    assert choice(present, (setting(2.0), scored(8)))[0] is None
    assert "No setting is shown to keep 1 false alert in 30 d" in choice(present)[1]


def test_of_nearly_equal_settings_the_nearest_is_chosen() -> None:
    present = (setting(), scored(delays=(20, 20)))
    near = (setting(for_=2), scored(delays=(6, 6)))
    far = (setting(for_=1), scored(delays=(5, 5.5)))
    assert choice(present, near, far)[0] == near[0]


def test_without_incidents_the_most_sensitive_setting_is_suggested() -> None:
    chosen, reason = choice((setting(), scored(1)), (setting(0.5), scored(5)), (setting(0.25), scored(8)))
    assert chosen == setting(0.5)
    assert "there was none to find" in reason


@pytest.mark.parametrize(
    ("days", "budget", "says"),
    [
        (8, 30 * DAY, "The 8 d to tune on are too short for 1 false alert in 30 d: in less than 8 d 23 h"),
        (9, 30 * DAY, ""),
        (110, None, "The 110 d to tune on cannot prove 1 false alert in 30 d, which takes 110 d 15 h without"),
        (111, None, ""),
    ],
)
def test_too_short_a_history_says_nothing(days: float, budget: float | None, says: str) -> None:
    grid = [setting(1.0, budget), setting(1.0, budget, 2 * DAY)]
    chosen, reason = choice(*((one, scored(0, days, (3,))) for one in grid))
    assert (chosen is None) == bool(says)
    assert reason.startswith(says)


def test_the_curve_has_what_nothing_beats() -> None:
    pairs = [(9, (1, 1)), (5, (2, 2)), (5, (3, 2)), (3, (1, None)), (2, (9, None)), (1, (9, None))]
    scores = [scored(alerts=alerts, delays=delays) for alerts, delays in pairs]
    grid = [setting(2.0 ** (place / 9)) for place in range(len(pairs))]
    marked = mark_curve(find_within_budget(grid, scores, BUDGET))
    assert [one.on_curve for one in marked] == [True, True, False, True, False, True]
