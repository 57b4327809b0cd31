"""What past episodes have in common: counted, dated, and a pattern only where chance hardly makes it."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest

from modelwatch.alerts.past_episodes import hour_chance, interval_chance, summarize_episodes, weekday_hits
from modelwatch.model.past_episode import Ending, PastEpisode

HOUR, DAY, WEEK = 3600.0, 86_400.0, 604_800.0
SATURDAY = datetime(2026, 11, 21, 3, tzinfo=UTC).timestamp()


def episodes(*starts: float, rule: str = "") -> list[PastEpisode]:
    return [PastEpisode(at, Ending.UNEXPLAINED, at + 2 * HOUR, rule=rule) for at in starts]


def weeks_before(*weeks: float) -> list[float]:
    """Saturdays, at different hours."""
    return [SATURDAY - week * WEEK + hour * 5 * HOUR for hour, week in enumerate(weeks, 1)]


@pytest.mark.parametrize(
    ("starts", "zone", "every", "patterns"),
    [
        ([], "", HOUR, ()),
        (weeks_before(1), "", HOUR, ()),
        (weeks_before(1, 2), "", HOUR, ("fires on most Saturdays (3 of the last 4)",)),
        (weeks_before(1, 2, 3), "", HOUR, ("fires every Saturday (4 of the last 4)",)),
        (weeks_before(2, 3), "", HOUR, ("fires on most Saturdays (3 of the last 4)",)),
        (weeks_before(4, 5, 6), "", HOUR, ()),  # too long ago
        ([*weeks_before(1, 2), SATURDAY - 2 * DAY], "", HOUR, ()),  # other days, too: chance can do that
        ([*weeks_before(1, 2, 3), SATURDAY - 2 * DAY], "", HOUR, ("fires every Saturday (4 of the last 4)",)),
        ([SATURDAY - day * DAY for day in range(1, 28)], "", DAY, ()),  # every day
        # 23:30 UTC of a Saturday is a Sunday in Berlin.
        (
            [SATURDAY - week * WEEK + 20.5 * HOUR for week in (1, 2, 3)],
            "Europe/Berlin",
            HOUR,
            ("fires about every 6.7 days (the last 4 times)",),
        ),
        ([SATURDAY - 10 * day * DAY for day in (1, 2)], "", DAY, ()),
        ([SATURDAY - 10 * day * DAY for day in (1, 2, 3)], "", DAY, ("fires about every 10 days (the last 4 times)",)),
        (
            [SATURDAY - day * DAY for day in (9.5, 20, 29.5, 50)],
            "",
            DAY,
            ("fires about every 9.8 days (the last 4 times)",),
        ),
        ([SATURDAY - day * DAY for day in (5, 20, 29.5, 50)], "", DAY, ()),
        ([SATURDAY - day * DAY for day in (2.5, 9.5, 11, 20)], "", HOUR, ()),
        (
            [SATURDAY - day * DAY for day in (2, 9, 11, 20)],
            "Europe/Berlin",
            HOUR,
            ("begins around 04:00 (5 of the last 5 times)",),
        ),
        ([SATURDAY - day * DAY for day in (2, 9, 11, 20)], "", DAY, ()),  # judged once a day: no wonder
    ],
)
def test_patterns(starts: list[float], zone: str, every: float, patterns: tuple[str, ...]) -> None:
    found = summarize_episodes(episodes(*starts), SATURDAY, zone, every)
    assert found.patterns == patterns
    assert found.count == len(starts)


@pytest.mark.parametrize(("count", "ratio"), [(3, 1.2), (3, 2.0), (5, 1.5), (7, 3.0)])
def test_the_chance_of_a_cycle(count: int, ratio: float) -> None:
    dice = Random(1)
    draws = [[dice.expovariate(1.0) for _ in range(count)] for _ in range(40_000)]
    seen = sum(max(one) <= ratio * min(one) for one in draws) / len(draws)
    assert interval_chance(count, ratio) == pytest.approx(seen, abs=0.002)


def test_the_newest_are_shown_and_the_first_dates_them() -> None:
    starts = [SATURDAY - day * DAY for day in (3, 30, 90, 200)]
    found = summarize_episodes(episodes(*starts, SATURDAY, SATURDAY + DAY), SATURDAY, "", HOUR)
    assert (found.count, found.since) == (4, starts[-1])
    assert [episode.start for episode in found.episodes] == starts[:3]


def test_other_rules_count_only_where_the_rule_has_no_episode() -> None:
    others = episodes(SATURDAY - 5 * DAY, rule="f1")
    assert summarize_episodes(others, SATURDAY, "", HOUR).other_rules
    both = summarize_episodes([*others, *episodes(SATURDAY - 9 * DAY)], SATURDAY, "", HOUR)
    assert [episode.rule for episode in both.episodes] == [""]


def test_random_days_and_hours_show_a_pattern_in_at_most_one_of_a_hundred_cases() -> None:
    luck, weekdays, hours, cases = Random(7), 0, 0, 4000
    for _ in range(cases):
        starts = [SATURDAY - luck.uniform(1, 28) * DAY // HOUR * HOUR for _ in range(luck.randrange(2, 9))]
        patterns = summarize_episodes(episodes(*starts), SATURDAY, "", HOUR).patterns
        weekdays += any("Saturday" in pattern for pattern in patterns)
        hours += any("around" in pattern for pattern in patterns)
    assert weekdays / cases < 0.01
    assert hours / cases < 0.01


def test_the_probabilities_are_those_of_counting() -> None:
    hits, chance = weekday_hits({-7, -14}, 0)
    assert hits == 3
    assert chance == pytest.approx(3 / 351)  # 3 of the 351 pairs of 27 days
    hits, chance = weekday_hits(set(range(-27, 0)), 0)
    assert hits == 4
    assert chance == pytest.approx(1)
    assert hour_chance(0, 5) == pytest.approx(1)
    assert hour_chance(3, 3) == pytest.approx(1 / 512)
