"""Series from the W&B API: many W&B runs per model, only those and only the rows that are needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..clients.wandb import RunHistory, find_runs
from ..errors import SourceError
from ..model.keys import KeyPattern
from ..model.measured import MEASURED_TIME
from ..model.watched import WandbSpec
from .assemble import Assembler
from .cells import dig, number, time_of, version_text
from .keyring import Keyring
from .need import Need
from .steps import Extent, Row, rows_since

if TYPE_CHECKING:
    import wandb

    from ..clients.patience import RetryPolicy

LINKS = 3
"""The newest W&B runs that are linked."""
SKEW = 300.0
"""Seconds by which the clocks of W&B and of those who log may differ."""
CELLS_PER_CALL = 20_000
"""One more call is worth about as much as this many cells of history that nobody wants."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list of W&B runs says of one of them; times in seconds (UTC)."""

    run: Any
    id: str
    name: str
    created: float
    heartbeat: float
    version: str
    last_step: int
    rows: int
    newest: float
    keys: tuple[str, ...]
    """Names of the keys in its history; empty where unknown."""

    @property
    def extent(self) -> Extent:
        return Extent(self.last_step, self.rows, self.created, self.newest)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads W&B runs with one session, their histories side by side where there is an ``executor``."""

    api: wandb.Api
    patience: RetryPolicy
    executor: Executor | None = None

    def read(self, spec: WandbSpec, need: Need, run_id: str = "") -> Found:
        """Everything that ``need`` asks for; raises SourceError. ``run_id``: only this W&B run."""
        assembler = Assembler(need, spec.time, spec.version)
        listed = self._list(spec, need, run_id)
        wanted = [run for run in listed if _worth_reading(run, assembler.keys)]
        links: list[tuple[float, str, str]] = []
        for run, rows in zip(wanted, self._histories(wanted, spec, need), strict=True):
            if sum(assembler.add_row(row, run.version) for row in rows):
                links.append((run.newest, run.name, run.run.url))
        links.sort(key=lambda link: link[0], reverse=True)
        return Found(assembler, tuple((name, url) for _, name, url in links[:LINKS]), _trouble(listed, wanted, spec))

    def _list(self, spec: WandbSpec, need: Need, run_id: str) -> list[Listed]:
        """The W&B runs that were alive at ``need.since`` or later, oldest first: of two writes the newer run's wins."""
        path = f"{spec.entity}/{spec.project}"
        filters = filters_of(spec) if not run_id else {"name": run_id}
        since = need.since - SKEW
        # However new a W&B run is, it may tell of long ago: it was logged offline and synced later, or filled in.
        alive = [
            run
            for run in (
                _listed(run, spec.version) for run in find_runs(self.api, path, filters, _heartbeat_before(since))
            )
            if run.heartbeat >= since
        ]
        if run_id and not alive:
            raise SourceError(f"there is no W&B run {run_id!r} in this period.", where=path)
        return sorted(alive, key=lambda run: run.created)

    def _histories(self, runs: Sequence[Listed], spec: WandbSpec, need: Need) -> Iterable[list[Row]]:
        def history(run: Listed) -> list[Row]:
            return self._history(run, spec, need)

        if self.executor is None or len(runs) < 2:
            return map(history, runs)
        return _side_by_side(self.executor, history, runs)

    def _history(self, run: Listed, spec: WandbSpec, need: Need) -> list[Row]:
        rows: list[Row] = []
        for keys in reads_of(run.keys, run.rows, need.patterns, spec):
            history = RunHistory(run.run, run.last_step, self.patience, keys)
            rows += _once(rows_since(history.rows, run.extent, need.since - SKEW))
        return rows


@dataclass(frozen=True, slots=True)
class Found:
    """What was read, not yet in columns."""

    assembler: Assembler
    links: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def filters_of(spec: WandbSpec) -> dict[str, Any]:
    """The filters that W&B itself applies, in its MongoDB-like language; every tag must be there."""
    parts: list[dict[str, Any]] = [{"tags": {"$in": [tag]}} for tag in spec.tags]
    if spec.job_type:
        parts.append({"jobType": spec.job_type})
    if spec.group:
        parts.append({"group": spec.group})
    if spec.filters:
        parts.append(_parsed(spec.filters))
    if len(parts) <= 1:
        return parts[0] if parts else {}
    return {"$and": parts}


def reads_of(
    there: Sequence[str], rows: int, patterns: Sequence[KeyPattern], spec: WandbSpec
) -> list[list[str] | None]:
    """How to read a history: ``None`` for whole rows, or one read per key.

    Several keys in one read would give only rows that have all of them (or, of rows W&B has exported, any), so keys are
    read one at a time; that pays where the run logs far more than is wanted.
    """
    keyring = Keyring(patterns)
    wanted = [key for key in there if keyring.resolve(key) is not None]
    spared = (len(there) - len(wanted)) * rows
    nested = any("/" not in key and "." in key for key in wanted)
    if not wanted or nested or spec.version in there or spared < 2 * CELLS_PER_CALL * len(wanted):
        return [None]
    time = MEASURED_TIME if MEASURED_TIME in there else spec.time
    beside = [key for key in (time, "_step", "_timestamp") if key]
    return [list(dict.fromkeys([key, *beside])) for key in wanted]


def _parsed(filters: str) -> dict[str, Any]:
    try:
        parsed = json.loads(filters)
    except ValueError as error:
        raise SourceError(f"`wandb: {{filters}}` is not JSON: {error}", where=filters) from error
    if not isinstance(parsed, dict):
        raise SourceError("`wandb: {filters}` must be a JSON object.", where=filters)
    return parsed


def _heartbeat_before(since: float) -> Callable[[Any], bool]:
    """True for a W&B run that was last heard of before ``since``; the list comes by heartbeat, newest first."""

    def before(run: Any) -> bool:
        heartbeat = time_of(getattr(run, "heartbeat_at", None))
        return heartbeat is not None and heartbeat < since

    return before


def _listed(run: Any, version_key: str) -> Listed:
    history_keys = getattr(run, "history_keys", None) or {}
    created = time_of(getattr(run, "created_at", None)) or 0.0
    heartbeat = time_of(getattr(run, "heartbeat_at", None))
    newest = number(run.summary_metrics.get("_timestamp"))
    last_step = int(history_keys.get("lastStep", -1))
    # A heartbeat may be missing, and a newest row may be newer than it: alive as long as either says so.
    heard = max(value for value in (heartbeat, newest, created) if value is not None)
    return Listed(
        run=run,
        id=run.id,
        name=run.name or run.id,
        created=created,
        heartbeat=heard,
        version=version_text(dig(run.config, version_key)) if version_key else "",
        last_step=last_step,
        rows=int(getattr(run, "history_line_count", None) or 0) or last_step + 1,
        newest=newest if newest is not None else heard,
        keys=tuple(history_keys.get("keys") or ()),
    )


def _worth_reading(run: Listed, keyring: Keyring) -> bool:
    """Whether a W&B run's history can hold anything that is wanted."""
    return run.last_step >= 0 and (not run.keys or any(keyring.may_hold(key) for key in run.keys))


def _once(rows: Iterable[Row]) -> Iterable[Row]:
    """Each step once, as it came last: W&B may give rows twice while it exports them."""
    return {row.get("_step", place): row for place, row in enumerate(rows)}.values()


def _trouble(listed: Sequence[Listed], wanted: Sequence[Listed], spec: WandbSpec) -> tuple[str, ...]:
    where = f"{spec.entity}/{spec.project}"
    if not listed:
        return (f"no W&B run of {where} that matches was alive in the period that is looked at",)
    if not wanted:
        return (f"none of the {len(listed)} W&B runs of {where} that match logs any of the rules' keys",)
    return ()


def _side_by_side(executor: Executor, task: Callable[[Listed], list[Row]], runs: Sequence[Listed]) -> list[list[Row]]:
    """As ``map``; after the first failure what has not begun is not begun any more."""
    futures = [executor.submit(task, run) for run in runs]
    try:
        return [future.result() for future in futures]
    except SourceError:
        for future in futures:
            future.cancel()
        raise
