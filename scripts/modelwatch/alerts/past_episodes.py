"""What the past episodes of an alert have in common: how many, since when, and on which weekday or at which hour,
and how regularly they come back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from ..model.past_episode import MAX_EPISODES, PastEpisode, PastEpisodes
from ..timeutil import DAY, HOUR

WEEKS = 4
MIN_WEEKS = 3
"""On so many of the last four weeks' days has an alert to begin, this time included."""
MAX_STARTS = 8
MIN_STARTS = 4
"""Episodes that show a time of day, this one included: at least and at most."""
HOUR_SHARE = 1 / 8
"""Starts on a grid of hours within one hour of a given one, if every hour is as likely."""
MIN_INTERVALS, MAX_INTERVALS = 3, 7
"""Times between episodes that show a cycle."""
MIN_CYCLE = 1.5 * DAY
"""A shorter one is a time of day."""
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MAX_CHANCE = 0.01
"""The largest probability, if days and hours were random, at which a pattern is stated."""


def summarize_episodes(
    episodes: Sequence[PastEpisode], start: float, timezone: str, every: float, *, complete: bool = True
) -> PastEpisodes:
    """The summary of ``episodes`` for an alert that began at ``start``.

    ``timezone``: of weekdays and hours. ``every``: seconds between evaluations of the rule. Those of
    other rules count only where this rule has none, and then show no pattern.
    """
    earlier = {episode.start: episode for episode in episodes if episode.start < start}
    own = [episode for episode in earlier.values() if not episode.rule]
    shown = sorted(own or earlier.values(), key=lambda episode: -episode.start)
    if not shown:
        return PastEpisodes(complete=complete)
    starts = [episode.start for episode in sorted(own, key=lambda episode: episode.start)]
    return PastEpisodes(
        count=len(shown),
        since=shown[-1].start,
        episodes=tuple(replace(episode, action=episode.action[:120]) for episode in shown[:MAX_EPISODES]),
        patterns=tuple(_patterns(starts, start, timezone, every)),
        complete=complete,
    )


def _patterns(starts: Sequence[float], start: float, timezone: str, every: float) -> Iterator[str]:
    zone = ZoneInfo(timezone) if timezone else UTC
    now = datetime.fromtimestamp(start, zone)
    before = [datetime.fromtimestamp(at, zone) for at in starts]
    days = {moment.toordinal() for moment in before}
    hits, chance = weekday_hits(days, now.toordinal())
    if hits >= MIN_WEEKS and chance <= MAX_CHANCE:
        day = _WEEKDAYS[now.weekday()]
        yield f"fires {f'every {day}' if hits == WEEKS else f'on most {day}s'} ({hits} of the last {WEEKS})"
    else:
        yield from _cycle([*starts, start])
    if every > HOUR:
        return  # its evaluations themselves keep to an hour
    newest = before[1 - MAX_STARTS :]
    near = sum(_hours_apart(moment, now) <= 1 for moment in newest)
    if near + 1 >= MIN_STARTS and hour_chance(near, len(newest)) <= MAX_CHANCE:
        yield f"begins around {now:%H:00} ({near + 1} of the last {len(newest) + 1} times)"


def _cycle(starts: Sequence[float]) -> Iterator[str]:
    """Whether it comes back after about the same time, such as a campaign every ten days."""
    intervals = [after - before for before, after in pairwise(starts[-1 - MAX_INTERVALS :])]
    for count in range(len(intervals), MIN_INTERVALS - 1, -1):
        newest = intervals[-count:]
        mean = sum(newest) / count
        if mean >= MIN_CYCLE and interval_chance(count, max(newest) / min(newest)) <= MAX_CHANCE:
            yield f"fires about every {mean / DAY:.2g} days (the last {count + 1} times)"
            return


def interval_chance(count: int, ratio: float) -> float:
    """The probability that of so many times between independent events the longest is at most ``ratio`` times the
    shortest: count * E[(exp(-x) - exp(-ratio x))^(count - 1)] of an exponential x."""
    terms = (math.comb(count - 1, place) * (-1) ** place / (count - place + ratio * place) for place in range(count))
    return count * math.fsum(terms)


def weekday_hits(days: set[int], today: int) -> tuple[int, float]:
    """(in how many of the last four weeks it began on today's weekday, the probability of that many or more).

    The null hypothesis: the other days on which it began are drawn from the 27 before today, all equally likely.
    """
    between = 7 * WEEKS - 1
    others = sum(today - between <= day < today for day in days)
    hits = sum(today - 7 * week in days for week in range(1, WEEKS))
    most = min(WEEKS - 1, others)
    ways = sum(
        math.comb(WEEKS - 1, count) * math.comb(between - WEEKS + 1, others - count) for count in range(hits, most + 1)
    )
    return hits + 1, ways / math.comb(between, others)


def hour_chance(near: int, starts: int) -> float:
    """The probability that so many of ``starts`` or more are within an hour of a given one, if all hours are alike."""
    return sum(
        math.comb(starts, count) * HOUR_SHARE**count * (1 - HOUR_SHARE) ** (starts - count)
        for count in range(near, starts + 1)
    )


def _hours_apart(first: datetime, second: datetime) -> float:
    """Between two times of day, the shorter way around."""
    apart = abs((first.hour - second.hour) + (first.minute - second.minute) / 60)
    return min(apart, 24 - apart)
