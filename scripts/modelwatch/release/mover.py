"""The core of every move: intent, aliases in the order that survives a crash, read back, command, end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from threading import Event, Thread

from ..clients.patience import RetryPolicy
from ..errors import SourceError
from ..model.release import JOB_TYPE, Move, MoveState, MoveVerb, Registry
from . import command, notify
from .access import ReleaseAccess
from .history import (
    HEARTBEAT_INTERVAL,
    HEARTBEAT_SILENCE,
    HEARTBEAT_TIMEOUT,
    MoveRecord,
    encode_intent,
    encode_progress,
    run_id,
    run_tags,
    run_title,
)
from .registry import read_records, read_state
from .request import MoveInterruptedError
from .wanted import AliasStep, current_holders, is_reached, steps_back, steps_forward, superseded_by

Echo = Callable[[str], None]
POLL_INTERVAL = 5.0
"""Seconds between two looks at a move that another process may be at work on."""
NEWEST_KEY = "newest"
"""No alias: in the intent of a retraining, the newest version that there was before it."""


@dataclass(slots=True)
class MoveExecutor:
    """Makes moves of one model. ``now`` is when it began (seconds, UTC)."""

    access: ReleaseAccess
    env: Mapping[str, str]
    retry: RetryPolicy
    now: float
    echo: Echo
    workspace: Path
    window: tuple[float, float] | None = None
    _began: float = field(default_factory=time.monotonic)
    _ids: dict[str, str] = field(default_factory=dict)

    def current_time(self) -> float:
        return self.now + time.monotonic() - self._began

    def read_state(self) -> tuple[Registry, tuple[MoveRecord, ...]]:
        registry, self._ids, records = read_state(self.access, makers=False)
        return registry, records

    def read_versions(self) -> Registry:
        """Versions and aliases as they are now, without the history."""
        registry, self._ids, _ = read_state(self.access, makers=False, moves=False)
        return registry

    def read_records(self) -> tuple[MoveRecord, ...]:
        return read_records(self.access)

    def write_intent(self, move: Move) -> bool:
        """Writes the intent, whole or not at all; says whether it was the first with this key."""
        return self.access.session.upsert_run(
            self._run_path(move),
            title=run_title(move),
            job_type=JOB_TYPE,
            tags=run_tags(move.model),
            config=encode_intent(move),
        )

    def write_progress(self, move: Move) -> Move:
        """How far it came; gives ``move`` back."""
        self.access.session.write_summary(self._run_path(move), encode_progress(move, self.current_time()))
        return move

    def advance(self, move: Move) -> Move:
        """To its end, from wherever it stands. Raises StoppedError where W&B does not let it."""
        with as_interrupted(move):
            if move.state is MoveState.MOVED and move.detail:
                return self.revert(move, MoveState.FAILED, move.detail)
            registry = self.read_versions()
            now = dict(current_holders(registry, move.after))
            other = superseded_by(move.before, move.after, now)
            if other:
                detail = f"somebody put {other} into production meanwhile; nothing more was moved"
                return self.end(move, MoveState.UNDONE, detail)
            if self.apply_aliases(move, now) or move.state is MoveState.INTENDED:
                move = self.write_progress(replace(move, state=MoveState.MOVED))
            return self.complete(move, registry)

    def apply_aliases(self, move: Move, now: Mapping[str, str]) -> bool:
        """Every alias to where it belongs, then read back; whether anything had to be moved."""
        steps = steps_forward(move.before, move.after, now)
        self._apply_steps(steps)
        if steps:
            now = dict(current_holders(self.read_versions(), move.after))
            if not is_reached(move.before, move.after, now):
                told = ", ".join(f"{alias}: {version or 'nobody'}" for alias, version in sorted(now.items()))
                raise SourceError(f"W&B took the aliases, and shows others: {told}.", where=self.access.spec.artifact)
        return bool(steps)

    def complete(self, move: Move, registry: Registry) -> Move:
        """The user's command, then the end of the move, then telling people."""
        name = command.command_name(move.verb)
        line = command.command_line(move.verb, self.access.spec)
        if line:
            variables = command.command_environment(move, registry, self.window)
            with self._heartbeats(move):
                code = command.run_command(line, variables, self.workspace, self.env, self.echo)
            if code != 0:
                return self.revert(move, MoveState.FAILED, f"the {name} command ended with exit code {code}")
        if move.verb is MoveVerb.RETRAIN:
            made = self._find_new_version(move)
            if not made:
                return self.revert(move, MoveState.FAILED, f"the command logged no new version of {registry.artifact}")
            move = replace(move, made=made)
        move = self.end(move, MoveState.DONE, "")
        return self.announce(move, registry)

    def announce(self, move: Move, registry: Registry) -> Move:
        """Tell whoever has not been told; never fails the move."""
        for channel, told in notify.pending_channels(self.access.model, move):
            trouble = told(move, registry, self.env, self.retry)
            if trouble:
                self.echo(f"warning: the move is made, and telling of it failed ({channel}): {trouble}")
                continue
            try:
                move = self.write_progress(replace(move, told=(*move.told, channel)))
            except SourceError as error:
                self.echo(f"warning: W&B does not know that {channel} was told: {error}")
        self.close(move)
        return move

    def revert(self, move: Move, state: MoveState, detail: str) -> Move:
        """Put the aliases back and end the move."""
        with as_interrupted(move):
            if move.state is MoveState.MOVED and not move.detail:
                move = self.write_progress(replace(move, detail=detail))  # From here on nobody goes on with it.
            now = dict(current_holders(self.read_versions(), move.after))
            steps = steps_back(move.before, move.after, now)
            self._apply_steps(steps)
            if steps:
                now = dict(current_holders(self.read_versions(), move.after))
                if steps_back(move.before, move.after, now):
                    raise SourceError("W&B took the aliases back, and shows others.", where=self.access.spec.artifact)
            return self.end(move, state, detail)

    def end(self, move: Move, state: MoveState, detail: str) -> Move:
        move = self.write_progress(replace(move, state=state, detail=detail, ended=self.current_time()))
        if state is not MoveState.DONE:  # Else it is announced first.
            self.close(move)
        return move

    def claim(self, move: Move) -> Move:
        """A sign of life, before anything else is done with what another process began."""
        with as_interrupted(move):
            return self.write_progress(move)

    def close(self, move: Move) -> None:
        """Only for the eye: what counts stands in the summary."""
        try:
            self.access.session.finish_run(self._run_path(move), succeeded=move.state is MoveState.DONE)
        except SourceError as error:
            self.echo(f"warning: W&B may show the W&B run of {run_title(move)} as crashed: {error}")

    def wait_for_other(self, record: MoveRecord, over: Callable[[Move], bool]) -> MoveRecord:
        """Wait while another process may be at work on this move: until it is ``over``, or has long been silent."""
        if abs(self.current_time() - record.heartbeat_at) >= HEARTBEAT_TIMEOUT:
            return record
        told = f"{run_title(record.move)} ({record.move.key}) was begun by another process, whose last sign of life is"
        self.echo(
            f"{told} {max(self.current_time() - record.heartbeat_at, 0.0):.0f} s old: waiting until it ends or falls "
            "silent"
        )
        silent = 0.0
        while silent < HEARTBEAT_SILENCE and not over(record.move):
            time.sleep(POLL_INTERVAL * self.retry.wait_scale)
            newer = next((one for one in self.read_records() if one.move.key == record.move.key), record)
            silent = silent + POLL_INTERVAL if newer == record else 0.0
            record = newer
        return record

    def _apply_steps(self, steps: list[AliasStep]) -> None:
        for step in steps:
            id = self._ids.get(step.version)
            if id is None:
                raise SourceError(f"the version {step.version} is not there any more.", where=self.access.spec.artifact)
            if step.removes:
                self.access.session.remove_alias(id, step.alias)
            else:
                self.access.session.add_alias(id, step.alias)

    def _find_new_version(self, move: Move) -> str:
        """The newest version that came since the intent was written."""
        before = dict(move.before).get(NEWEST_KEY, "")
        newest = next((version.name for version in self.read_versions().versions), "")
        return newest if newest != before else ""

    def _run_path(self, move: Move) -> tuple[str, str, str]:
        return (*self.access.runs_project, run_id(move.model, move.key))

    @contextmanager
    def _heartbeats(self, move: Move) -> Iterator[None]:
        """A sign of life now and then, so that nobody takes the move for abandoned."""
        over = Event()

        def beat() -> None:
            while not over.wait(HEARTBEAT_INTERVAL):
                try:
                    self.write_progress(move)
                    self.access.session.send_heartbeat(self._run_path(move))
                except SourceError as error:
                    self.echo(f"warning: no sign of life could be given: {error}")

        thread = Thread(target=beat, name="modelwatch-pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def as_interrupted(move: Move) -> Iterator[None]:
    """Trouble with W&B after the intent was written: told with the way on."""
    try:
        yield
    except MoveInterruptedError:
        raise
    except SourceError as error:
        same = f"Ask for the same with --key {quote(move.key)}"
        again = f"{same}, or `modelwatch release finish`: it goes on where it stopped."
        text = f"{run_title(move)} was begun and has not ended: {error.message}"
        raise MoveInterruptedError(text, hint=again, where=error.where) from error


def should_revert(move: Move, registry: Registry) -> bool:
    """Whether an abandoned move is to be given up: what it wants to serve does not serve yet, or its aliases are being
    put back, or it was a training, which nobody repeats unasked."""
    if move.verb is MoveVerb.RETRAIN or (move.state is MoveState.MOVED and move.detail):
        return True
    now = dict(current_holders(registry, move.after))
    key = "production" if "production" in dict(move.after) else ""
    if key:
        return now[key] != dict(move.after)[key]
    return not is_reached(move.before, move.after, now)
