"""Cuts the evaluations of one model into blocks, of which one pass at the end can judge every evaluation.

Findings at a time follow from what came before it. So the tracks of the last evaluation of a block, cut at the time of
an earlier one, are the tracks of that one, unless something that was known at the end and lies before that time was not
known then: a row that was logged late or again, the first point of a series, a version that came back. Evaluations on
both sides of such a moment are in different blocks; so are those whose histories begin at different times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..model.keys import KeyPattern
from ..model.label_maturity import MATURITY_KEY, waits_for_labels
from ..model.rule import Rule
from ..model.series import Deployment
from ..sources.requirements import KeyResolver, read_lengths
from ..stats.arrays import Bools, Floats, Ints
from .logged_history import LoggedHistory

Blocks = tuple[tuple[int, int], ...]
"""The first and the last evaluation of each, by their places in the span."""


def cut_blocks(history: LoggedHistory, times: Sequence[float]) -> dict[tuple[Rule, ...], Blocks]:
    """The blocks of the evaluations at ``times`` (seconds, UTC, ascending), by the rules that have them in common."""
    model, at = history.model, np.asarray(times)
    starts = np.array([now - model.whole_history(now) for now in times])
    begins = np.diff(starts, prepend=-np.inf) > 1.0
    lengths = read_lengths(model)
    since = np.minimum(starts - lengths.before_history, at - lengths.before_now) - lengths.wait
    begins |= _release_begins(history, at)
    begins |= _version_begins(history, at)
    if any(waits_for_labels(rule, model.measure) for rule in model.rules):
        _mark_writes(begins, history, [KeyPattern(MATURITY_KEY)], at)
    begins |= _deployment_begins(history, at, begins)
    by_rule: dict[bytes, list[Rule]] = {}
    for rule in model.rules:
        own = begins | _late_begins(history, rule, at, since, np.flatnonzero(begins))
        by_rule.setdefault(own.tobytes(), []).append(rule)
    return {tuple(rules): tuple(_runs(np.frombuffer(own, dtype=bool))) for own, rules in by_rule.items()}


def _runs(begins: Bools) -> Iterator[tuple[int, int]]:
    first = np.flatnonzero(begins)
    return zip(first.tolist(), (np.append(first[1:], len(begins)) - 1).tolist(), strict=True)


def _mark(begins: Bools, at: Floats, moments: Floats) -> None:
    """Let a block begin with the first evaluation that knows of each moment."""
    places = np.searchsorted(at, moments, side="left")
    begins[places[places < len(at)]] = True


def _release_begins(history: LoggedHistory, at: Floats) -> Bools:
    """The first evaluations after a version was made, and a move was begun or ended."""
    begins = np.zeros(len(at), bool)
    if history.registry is not None:
        moves = history.registry.moves
        moments = [*(version.created for version in history.registry.versions), *(move.at for move in moves)]
        _mark(begins, at, np.array([*moments, *(move.ended for move in moves if move.ended is not None)]))
    return begins


def _version_begins(history: LoggedHistory, at: Floats) -> Bools:
    """The first evaluations that know a version."""
    begins = np.zeros(len(at), bool)
    _, logged, places = history.writes.builder.version_log_times()
    known = np.unique(places[places >= 0])
    _mark(begins, at, np.array([logged[places == place].min() for place in known]))
    return begins


def _mark_writes(begins: Bools, history: LoggedHistory, patterns: Sequence[KeyPattern], at: Floats) -> None:
    for _, logged in history.writes.builder.log_times(KeyResolver(patterns)):
        _mark(begins, at, logged)


def _deployment_begins(history: LoggedHistory, at: Floats, begins: Bools) -> Bools:
    """Evaluations before which another one saw deployments that this one does not, or the other way round: whether a
    version came back is known once the one before it has fallen silent."""
    changed = np.zeros(len(at), bool)
    _, logged, places = history.writes.builder.version_log_times()
    for first, last in _runs(begins):
        before = at[first - 1] if first else -np.inf
        own = np.unique(places[(logged > before) & (logged <= at[last]) & (places >= 0)])
        earlier = np.flatnonzero((logged <= before) & (places >= 0))
        newest_place = places[earlier[np.argmax(logged[earlier])]] if len(earlier) else None
        if len(own) <= 1 and (not len(own) or newest_place is None or own[0] == newest_place):
            continue
        if len(own) == 1 and logged[places == own[0]].min() > before:
            continue  # a new version, which every evaluation of the block knows
        newest = history.deployments_at(float(at[last]))
        for place in range(last - 1, first - 1, -1):
            seen = history.deployments_at(float(at[place]))
            if seen != deployments_until(newest, float(at[place])):
                changed[place + 1], newest = True, seen
    return changed


def deployments_until(deployments: Sequence[Deployment], now: float) -> tuple[Deployment, ...]:
    """Those that had begun."""
    return tuple(deployment for deployment in deployments if deployment.since <= now)


def _late_begins(history: LoggedHistory, rule: Rule, at: Floats, since: Floats, weeks: Ints) -> Bools:
    """The first evaluations that know a value of ``rule`` which an earlier one could have judged, had it known it, and
    the first that know a series. ``since``: what each evaluation reads; ``weeks``: where blocks begin anyway."""
    begins = np.zeros(len(at), bool)
    resolver = KeyResolver(history.request_at(float(at[0]), (rule,)).patterns)
    for times, logged in history.writes.builder.log_times(resolver):
        place = np.searchsorted(at, logged, side="left")
        inside = (place > 0) & (place < len(at))
        place, time = place[inside], times[inside]
        late = (time <= at[place - 1] - rule.lag) & (time >= since[place])
        begins[place[late]] = True
        for first, end in zip(weeks, np.append(weeks[1:], len(at)), strict=True):
            known = logged[times >= since[first]].min(initial=np.inf)
            if at[first] < known <= at[end - 1]:
                begins[np.searchsorted(at, known, side="left")] = True
    return begins
