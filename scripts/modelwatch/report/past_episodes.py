"""Earlier episodes of an alert: as a section of the issue, a line of the page, and lines of the diagnosis."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.past_episode import Ending, PastEpisode, PastEpisodes
from .explanation import Quote
from .formatting import duration, utc_time
from .markdown import code, link, plain_line, safe_url

_ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def past_episodes_section(past: PastEpisodes) -> str:
    """Markdown; empty where it is the first time."""
    if past.problem:
        return f"Not read: {code(past.problem, 300)}"
    if not past.count:
        return ""
    lines = []
    for episode in past.episodes:
        where = f" ({link('open', episode.url)})" if episode.url else ""
        lines.append(f"- {_dated(past, episode, code)}{where}")
    return f"{_summary(past)}\n\n" + "\n".join(lines)


def past_episodes_text(past: PastEpisodes) -> str:
    """One plain line, for a page; empty where it is the first time."""
    if past.problem:
        return plain_line(f"earlier episodes cannot be read: {past.problem}", 300)
    if not past.count:
        return ""
    newest = past.episodes[0]
    where = f" {safe_url(newest.url)}".rstrip()
    name = f"{newest.rule} " if newest.rule else ""
    last = f"Last time {name}({utc_time(newest.start)}): {_ending(newest, str)}.{where}"
    return plain_line(f"{_summary(past)} {last}", 600)


def past_episode_lines(past: PastEpisodes) -> Iterator[str]:
    """Plain lines, for a terminal."""
    if past.problem:
        yield plain_line(f"not read: {past.problem}", 300)
    elif past.count:
        yield _summary(past)
        for episode in past.episodes:
            yield plain_line(f"{_dated(past, episode, plain_line)} {safe_url(episode.url)}".rstrip(), 300)


def ordinal(number: int) -> str:
    """``third``, ``12th``."""
    if number < len(_ORDINALS):
        return _ORDINALS[number]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def _summary(past: PastEpisodes) -> str:
    """``Third time since 2026-05-03. It fires every Saturday (4 of the last 4).``"""
    since = f"since {utc_time(past.since)[:10]}"
    least = "" if past.complete else "at least "
    if past.other_rules:
        times = "once" if past.count == 1 else f"{past.count} times"
        return f"The first time for this rule; others of its kind fired {least}{times} {since}."
    text = f"{'at least the ' if least else ''}{ordinal(past.count + 1)} time {since}"
    patterns = "".join(f" It {pattern}." for pattern in past.patterns)
    return f"{text[0].upper()}{text[1:]}.{patterns}"


def _dated(past: PastEpisodes, episode: PastEpisode, quote: Quote) -> str:
    name = f" {quote(episode.rule)}" if episode.rule else ""
    lasted = f", for {duration(episode.end - episode.start)}" if episode.end is not None else ""
    last = "Last time: " if episode is past.episodes[0] else ""
    return f"{last}{utc_time(episode.start)}{name}{lasted}: {_ending(episode, quote)}"


def _ending(episode: PastEpisode, quote: Quote) -> str:
    """``rollback to v5 helped, it recovered 2 h later``"""
    match episode.ending:
        case Ending.ACTION if episode.end is not None and episode.action_at is not None:
            return f"{_action(episode, quote)} helped, it recovered {duration(episode.end - episode.action_at)} later"
        case Ending.FALSE_POSITIVE:
            return "it was called a false positive"
        case Ending.BY_HAND:
            return "the issue was closed by hand, and no recovery is on record"
        case _:
            return "it recovered without an action on record"


def _action(episode: PastEpisode, quote: Quote) -> str:
    verb, _, target = episode.action.partition(" to ")
    return f"{quote(verb)} to {quote(target)}" if target else quote(verb)
