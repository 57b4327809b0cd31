"""What was logged of one model, with the time that each value is about and the time when it was logged.

So a replay sees at each evaluation what was known then: no point that was logged later, and of a value that was written
again the last write by then. A table has no log times: its rows count as logged at the times that
they are about.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..context import RunContext
from ..errors import UserError
from ..model.monitored_model import Model
from ..model.release import ALIASES, Move, MoveState, Registry, Version
from ..model.rule import Rule
from ..model.series import Deployment, PulledSeries
from ..pipeline import add_release
from ..sources.pull import PulledWrites, build_series, pull_writes
from ..sources.requirements import ReadLengths, ReadRequest, only_rules, plan_read, read_lengths
from ..sources.series_builder import SeriesBuilder
from .result import Span


@dataclass(frozen=True, slots=True)
class LoggedHistory:
    """Everything that evaluations of one model could have known."""

    model: Model
    """Its rules say what an evaluation reads; another setting of them can be put in its place, as long as it reads no
    other keys and no older values."""
    writes: PulledWrites
    registry: Registry | None = None
    """Versions and moves up to now; ``None`` where the model has no ``release:``, or it cannot be read."""
    notes: tuple[str, ...] = ()
    _requests: dict[frozenset[str] | None, tuple[ReadRequest, ReadLengths]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What is read for rules, by their names; ``None``: for all."""

    @property
    def error(self) -> str:
        """Why the source could not be read; empty where it could."""
        return self.writes.error

    def registry_at(self, now: float) -> Registry | None:
        """The registry as it was at ``now`` (seconds, UTC)."""
        return None if self.registry is None else registry_as_of(self.registry, now)

    def as_of(self, now: float, rules: Collection[Rule] | None = None) -> PulledSeries:
        """What an evaluation at ``now`` (seconds, UTC) would have pulled; ``rules``: only for these. Its notes and
        links are left out, and the histograms of ``modelwatch measure`` are those in W&B, not the finer ones of its
        profiles."""
        if self.error:
            return PulledSeries(self.model.name, (), error=self.error, scope=self.writes.scope)
        registry = self.registry_at(now)
        pulled = build_series(self.model, self.writes.builder.as_of(self.request_at(now, rules), now))
        pulled = replace(pulled, notes=(), references=self.writes.references)
        return pulled if registry is None else add_release(pulled, registry)

    def request_at(self, now: float, rules: Collection[Rule] | None = None) -> ReadRequest:
        """What an evaluation at ``now`` (seconds, UTC) reads; ``rules``: only for these."""
        key = None if rules is None else frozenset(rule.name for rule in rules)
        if key not in self._requests:
            request = plan_read(self.model, now)
            request = request if rules is None else only_rules(request, rules, self.model)
            self._requests[key] = request, read_lengths(self.model)
        request, lengths = self._requests[key]
        request = lengths.request_at(request, now, self.model.whole_history(now))
        registry = self.registry_at(now)
        return request if registry is None else replace(request, canary_periods=registry.canary_periods)

    def deployments_at(self, now: float) -> tuple[Deployment, ...]:
        """The deployments that an evaluation at ``now`` (seconds, UTC) would have seen."""
        return self.as_of(now, ()).deployments


def pull_history(context: RunContext, span: Span) -> dict[str, LoggedHistory]:
    """What was logged of every model, by its name, as far back as the first evaluation of ``span`` reads. A source that
    fails is an ``error``."""
    models = context.config.models
    starting = [model.with_whole_history(span.since) for model in models]
    writes = pull_writes(starting, span.since, context.wandb, progress=context.progress)
    histories = {}
    for model in models:
        registry, notes = None, writes[model.name].notes
        if model.release is not None:
            try:
                registry = context.read_registry(model, producers=False)
            except UserError as error:
                notes = (*notes, f"the moves of the release cannot be read: {error}")
        histories[model.name] = LoggedHistory(model, writes[model.name], registry, notes)
    return histories


def history_of_rows(
    model: Model, rows: Iterable[Mapping[str, Any]], *, since: float = -math.inf, registry: Registry | None = None
) -> LoggedHistory:
    """The history of ``rows`` as W&B has them: values under keys, ``_timestamp`` when they were logged (seconds),
    and under the keys of ``wandb: {time, version}`` the event time and the version. Nothing older than ``since`` is
    read."""
    request = replace(
        plan_read(model, 0.0), since=since, histograms_since=since, logged_until=math.inf, keeps_log_times=True
    )
    spec = model.wandb
    builder = SeriesBuilder(request, spec.time if spec else "", spec.version if spec else "")
    for row in rows:
        builder.add_row(row, "")
    return LoggedHistory(model, PulledWrites(builder), registry)


def registry_as_of(registry: Registry, now: float) -> Registry:
    """``registry`` without what came later than ``now`` (seconds, UTC): versions, moves, how moves ended, and where
    they put aliases. Which files have been deleted since is not known: those that are gone count as gone."""
    moves = tuple(_move_as_of(move, now) for move in registry.moves if move.at <= now)
    holders = _alias_holders(registry, now)
    versions = tuple(_version_as_of(version, holders) for version in registry.versions if version.created <= now)
    return replace(registry, versions=versions, moves=moves)


def _move_as_of(move: Move, now: float) -> Move:
    if move.ended is None or move.ended <= now:
        return move
    return replace(move, state=MoveState.INTENDED, ended=None, detail="", told=(), made="")


def _alias_holders(registry: Registry, now: float) -> dict[str, str]:
    """Alias -> the version that held it at ``now``, of the aliases that moves have put elsewhere since. While a move is
    made, they count as not moved yet."""
    holders: dict[str, str] = {}
    for move in registry.moves:  # newest first: the oldest of those that ended later says who held it before
        if move.at > now or (move.ended is not None and move.ended > now):
            holders |= dict(move.before)
    return {alias: name for alias, name in holders.items() if alias in ALIASES}


def _version_as_of(version: Version, holders: Mapping[str, str]) -> Version:
    aliases = [alias for alias in version.aliases if alias not in holders]
    aliases += [alias for alias, name in holders.items() if name == version.name]
    return version if set(aliases) == set(version.aliases) else replace(version, aliases=tuple(aliases))
