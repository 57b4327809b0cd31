"""``modelwatch recorder send``: what lies in a spool goes to its destinations.

One process of a machine does this for one spool. It can be killed anywhere: journals are moved into a numbered batch,
and removed when the batch is in the profiles of its days and its rows are in files that are named after it; repeating
a batch writes the same.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..clients.retry import RetryPolicy
from ..errors import SourceError, UserError, require_extra
from ..model.monitored_model import Model, WandbSpec
from ..profiling.reference_store import fetch_reference, read_reference
from ..stats.profile.table import TableProfile
from ..timeutil import DAY
from .day_profiles import SUFFIX, add_batch, day_age, read_days, remove_day
from .fitting_rows import CountedRows, UnfitUnit, count_fitting, units_of
from .journal import adopt_orphans, read_frames
from .recorder_plan import RecorderPlan, measure_spec
from .set_aside import remember, set_aside, set_aside_file
from .settings import RecorderSettings
from .spool_files import (
    ASIDE,
    BATCH_PREFIX,
    OUTBOX,
    SENDER_LOCK,
    SENDER_STATE,
    SETTINGS,
    WHOLE,
    counts_of_journal,
    held_lock,
    read_json,
    spool_bytes,
    whole_journals,
    write_atomically,
)
from .wandb_sender import send_to_wandb

MAX_BATCH_BYTES = 24 << 20
"""Journals that are read at once."""
KEEP_SECONDS = 3 * DAY
"""A day that has got no row for so long, and is sent, is removed; rows that come later begin another part of it."""
MAX_REMOVED_DAYS = 4000
"""That are remembered: their windows are not logged again from the few rows that come later."""
LOCK_PAUSE = 0.05
COLUMNS = "columns.json"
MAX_CRASHES = 3


@dataclass(slots=True)
class SendReport:
    """What one call has done."""

    rows: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    """Rows by reason."""
    files: int = 0
    """Files of rows in the folder."""
    profiles: list[str] = field(default_factory=list)
    """Days whose profile went to the folder or to W&B, by name."""
    set_aside: list[str] = field(default_factory=list)
    """What could not be counted, a line a batch."""
    wandb: list[str] = field(default_factory=list)
    """Paths of W&B runs, or folders of offline ones."""
    is_busy: bool = False
    """Another process is sending the spool, and this one did nothing."""
    problems: list[str] = field(default_factory=list)
    """Destinations that could not be reached; what is for them stays in the spool."""


def send(
    spool: Path, env: Mapping[str, str], retry: RetryPolicy, clock: Callable[[], float], wait: float = 0.0
) -> SendReport:
    """Send everything that is whole. ``clock``: seconds (UTC); ``wait``: seconds for another sender to end.

    Raises UserError for a folder that is no spool, and where the extra ``profiling`` is missing.
    """
    settings = read_settings(spool)
    with require_extra("profiling", where="the recorder"):
        import pyarrow  # noqa: F401
    report = SendReport()
    end = time.monotonic() + wait
    while True:
        with held_lock(spool / SENDER_LOCK) as is_free:
            if is_free:
                Sender(spool, settings, env, retry, clock).run(report)
                return report
        if time.monotonic() >= end:
            report.is_busy = True
            if wait > 0.0:
                report.problems.append("another process is sending this spool.")
            return report
        time.sleep(LOCK_PAUSE)


def read_settings(spool: Path) -> RecorderSettings:
    """The settings of the recorders that write to a spool. Raises UserError for a folder that is none."""
    try:
        return RecorderSettings.from_json(read_json(spool / SETTINGS))
    except TypeError:
        raise UserError("this is no spool of a recorder.", hint=f"It has no {SETTINGS}.", where=str(spool)) from None


class Sender:
    """Holds the lock of its spool."""

    def __init__(
        self,
        spool: Path,
        settings: RecorderSettings,
        env: Mapping[str, str],
        retry: RetryPolicy,
        clock: Callable[[], float],
    ) -> None:
        self._spool, self._settings, self._env, self._retry, self._clock = spool, settings, env, retry, clock
        self._state = read_json(spool / SENDER_STATE)
        self._state.setdefault("spool", os.urandom(6).hex())
        self._spec = measure_spec(settings)
        wandb: dict[str, Any] = {**settings.wandb, "tags": tuple(settings.wandb.get("tags", ()))}
        model = Model(settings.model, (), wandb=WandbSpec(**wandb) if settings.wandb else None, measure=self._spec)
        if model.wandb is not None:
            model = replace(model, wandb=replace(model.wandb, base_url=model.wandb_url(env)))
        self._model = model
        self._days = read_days(spool)

    def run(self, report: SendReport) -> None:
        adopt_orphans(self._spool)
        plan = self._make_plan(report)
        if plan is not None:
            for number, folder in self._batches():
                plan = self._process(number, folder, plan, report)
        self._deliver(report)
        self._remove_old_days()

    def _make_plan(self, report: SendReport) -> RecorderPlan | None:
        """``None`` if the reference cannot be read: rows wait for it, within the budget."""
        reference: TableProfile | None = None
        if self._spec.reference:
            try:
                reference, _ = read_reference(fetch_reference(self._spec.reference, self._model, self._env))
            except SourceError as error:
                report.problems.append(f"the reference cannot be read, and rows wait for it: {error}")
                return None
        return RecorderPlan.from_json(self._spec, reference, read_json(self._spool / COLUMNS))

    def _batches(self) -> Iterator[tuple[int, Path]]:
        """Batches that were begun, and new ones while there are journals."""
        begun = sorted(self._spool.glob(f"{BATCH_PREFIX}*"))
        for folder in begun:
            yield int(folder.name.removeprefix(BATCH_PREFIX)), folder
        while journals := whole_journals(self._spool):
            last = self._state.get("batch", 0)
            number = 1 + max([last, *(day.batch for day in self._days)])
            folder = self._spool / f"{BATCH_PREFIX}{number:09d}"
            folder.mkdir()
            size = 0
            for path in journals:
                try:
                    size += path.stat().st_size
                    path.rename(folder / path.name)
                except FileNotFoundError:
                    continue  # over the budget, and counted as lost
                if size > MAX_BATCH_BYTES:
                    break
            yield number, folder

    def _process(self, number: int, folder: Path, plan: RecorderPlan, report: SendReport) -> RecorderPlan:
        """Returns the plan with what the rows have taught."""
        if number > self._state.get("batch", 0):
            tries = self._begin_try(number)
            frames, unreadable = self._read(folder)
            lost: dict[str, int] = {}
            for frame in frames:
                for reason, rows in frame["lost"].items():
                    lost[reason] = lost.get(reason, 0) + rows
            units = units_of(frames)
            try:
                if tries > MAX_CRASHES:
                    counted, unfit = CountedRows(plan), [UnfitUnit(unit, "the end of its process") for unit in units]
                else:
                    counted, unfit = count_fitting(units, plan, self._settings)
                    self._state.pop("tries", None)
                    self._save_state()
            except OSError:
                self._state.pop("tries", None)
                self._save_state()
                raise
            plan = counted.plan
            if unfit:
                set_aside(self._spool, number, unfit, self._settings.disk_bytes)
            if unfit or unreadable:
                before = set(self._state.get("aside", {}).get("columns", ()))
                rows = remember(self._state, unfit, unreadable)
                if rows:
                    lost["unfit"] = rows
                names = sorted({name for one in unfit for name in one.columns} - before)
                about = f", for their columns {', '.join(names[:10])}" if names else ""
                what = f"{sum(one.unit.rows for one in unfit) + unreadable:,} rows, of which {rows:,} are lost"
                report.set_aside.append(f"batch {number}: {what}, do not fit{about}; see {self._spool / ASIDE}.")
            write_atomically(self._spool / COLUMNS, _to_json(plan.to_json()))
            began = frames[0]["time"] if frames else self._clock()
            for kind, content in counted.files.items():
                name = f"{self._settings.model}-{self._state['spool']}-{number:09d}.parquet"
                write_atomically(
                    self._spool / OUTBOX / kind / f"{datetime.fromtimestamp(began, UTC):%Y-%m-%d}" / name, content
                )
            profile = counted.profile
            self._days = add_batch(self._spool, self._days, self._settings.model, number, profile, lost, began)
            report.rows += profile.rows + profile.undated
            for reason, rows in lost.items():
                report.lost[reason] = report.lost.get(reason, 0) + rows
            self._state["batch"] = number
            self._state.pop("tries", None)
            self._save_state()
        shutil.rmtree(folder)
        return plan

    def _begin_try(self, number: int) -> int:
        """How often counting the batch has been begun: rows that end the process (for want of memory) are tried no
        more than ``MAX_CRASHES`` times."""
        tries = self._state.get("tries", {})
        count = tries.get("count", 0) + 1 if tries.get("batch") == number else 1
        self._state["tries"] = {"batch": number, "count": count}
        self._save_state()
        return int(count)

    def _read(self, folder: Path) -> tuple[list[dict[str, Any]], int]:
        """The frames of a batch, and the rows of journals that cannot be read."""
        frames: list[dict[str, Any]] = []
        unreadable = 0
        for path in sorted(folder.glob(f"*{WHOLE}")):
            try:
                frames += list(read_frames(path))
            except (ValueError, TypeError):  # of content that nothing of ours writes
                unreadable += max(counts_of_journal(path).rows, 1)
                set_aside_file(self._spool, path, self._settings.disk_bytes)
        return frames, unreadable

    def _deliver(self, report: SendReport) -> None:
        if self._settings.folder:
            try:
                self._fill_folder(Path(self._settings.folder), report)
            except OSError as error:
                report.problems.append(f"the folder {self._settings.folder} cannot be written: {error}")
                self._shrink_outbox(report)
        if self._model.wandb is not None:
            before = dict(self._state.setdefault("wandb", {}))
            try:
                send_to_wandb(
                    self._settings,
                    self._model,
                    self._days,
                    self._state.setdefault("wandb", {}),
                    frozenset(self._state.get("removed", ())),
                    self._clock(),
                    self._env,
                    self._retry,
                    report.wandb,
                )
            except (SourceError, UserError, OSError) as error:
                report.problems.append(f"W&B did not take everything: {error}")
            sent = self._state["wandb"]
            days = [day.name for day in self._days if sent.get(day.name) != before.get(day.name)]
            report.profiles += [name for name in days if name not in report.profiles]
        self._save_state()

    def _fill_folder(self, folder: Path, report: SendReport) -> None:
        for path in sorted((self._spool / OUTBOX).rglob("*.parquet")):
            write_atomically(folder / path.relative_to(self._spool / OUTBOX), path.read_bytes())
            path.unlink()
            report.files += 1
        sent = self._state.setdefault("folder", {})
        for day in self._days:
            if sent.get(day.name) != day.batch:
                write_atomically(folder / "profiles" / f"{day.model}-{day.name}{SUFFIX}", day.to_bytes())
                sent[day.name] = day.batch
                report.profiles.append(day.name)

    def _shrink_outbox(self, report: SendReport) -> None:
        """Within the budget; the oldest rows go first. Profiles have counted them."""
        excess = spool_bytes(self._spool) - self._settings.disk_bytes
        for path in sorted((self._spool / OUTBOX).rglob("*.parquet")) if excess > 0 else []:
            excess -= path.stat().st_size
            path.unlink()
            report.problems.append(f"the spool is full: the rows of {path.name} are lost; their profile is not.")
            if excess <= 0:
                break

    def _remove_old_days(self) -> None:
        sent_to = [name for name, on in (("folder", self._settings.folder), ("wandb", self._model.wandb)) if on]
        for day in list(self._days):
            is_sent = all(self._state.get(name, {}).get(day.name) == day.batch for name in sent_to)
            if is_sent and day.day + DAY < self._clock() and day_age(self._spool, day, self._clock()) > KEEP_SECONDS:
                remove_day(self._spool, day)
                self._days.remove(day)
                for name in sent_to:
                    self._state[name].pop(day.name, None)
                removed = self._state.setdefault("removed", [])
                removed[:] = sorted({*removed, day.day})[-MAX_REMOVED_DAYS:]
        self._save_state()

    def _save_state(self) -> None:
        write_atomically(self._spool / SENDER_STATE, _to_json(self._state))


def _to_json(value: Mapping[str, Any]) -> bytes:
    import json

    return json.dumps(value, sort_keys=True).encode()
