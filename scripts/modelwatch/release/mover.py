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
from .access import Access
from .history import LIFE, PULSE, SILENCE, Record, id_of, intent_of, progress_of, tags_of, title_of
from .registry import look, read_records
from .request import StoppedError
from .wanted import Step, holders, overruled, reached, steps_back, steps_forward

Tell = Callable[[str], None]
LOOK = 5.0
"""Seconds between two looks at a move that another process may be at work on."""
NEWEST = "newest"
"""No alias: in the intent of a retraining, the newest version that there was before it."""


@dataclass(slots=True)
class Mover:
    """Makes moves of one model. ``now`` is when it began (seconds, UTC)."""

    access: Access
    env: Mapping[str, str]
    patience: RetryPolicy
    now: float
    tell: Tell
    workspace: Path
    window: tuple[float, float] | None = None
    _began: float = field(default_factory=time.monotonic)
    _ids: dict[str, str] = field(default_factory=dict)

    def clock(self) -> float:
        return self.now + time.monotonic() - self._began

    def look(self) -> tuple[Registry, tuple[Record, ...]]:
        registry, self._ids, records = look(self.access, makers=False)
        return registry, records

    def versions(self) -> Registry:
        """Versions and aliases as they are now, without the history."""
        registry, self._ids, _ = look(self.access, makers=False, moves=False)
        return registry

    def records(self) -> tuple[Record, ...]:
        return read_records(self.access)

    def intend(self, move: Move) -> bool:
        """Writes the intent, whole or not at all; says whether it was the first with this key."""
        return self.access.session.upsert_run(
            self._path(move), title=title_of(move), job_type=JOB_TYPE, tags=tags_of(move.model), config=intent_of(move)
        )

    def write(self, move: Move) -> Move:
        """How far it came; gives ``move`` back."""
        self.access.session.write_summary(self._path(move), progress_of(move, self.clock()))
        return move

    def forward(self, move: Move) -> Move:
        """To its end, from wherever it stands. Raises StoppedError where W&B does not let it."""
        with stops(move):
            if move.state is MoveState.MOVED and move.detail:
                return self.back(move, MoveState.FAILED, move.detail)
            registry = self.versions()
            now = dict(holders(registry, move.after))
            other = overruled(move.before, move.after, now)
            if other:
                detail = f"somebody put {other} into production meanwhile; nothing more was moved"
                return self.end(move, MoveState.UNDONE, detail)
            if self.settle_aliases(move, now) or move.state is MoveState.INTENDED:
                move = self.write(replace(move, state=MoveState.MOVED))
            return self.finish(move, registry)

    def settle_aliases(self, move: Move, now: Mapping[str, str]) -> bool:
        """Every alias to where it belongs, then read back; whether anything had to be moved."""
        steps = steps_forward(move.before, move.after, now)
        self._take(steps)
        if steps:
            now = dict(holders(self.versions(), move.after))
            if not reached(move.before, move.after, now):
                told = ", ".join(f"{alias}: {version or 'nobody'}" for alias, version in sorted(now.items()))
                raise SourceError(f"W&B took the aliases, and shows others: {told}.", where=self.access.spec.artifact)
        return bool(steps)

    def finish(self, move: Move, registry: Registry) -> Move:
        """The user's command, then the end of the move, then telling people."""
        name = command.name_of(move.verb)
        line = command.line_of(move.verb, self.access.spec)
        if line:
            variables = command.variables(move, registry, self.window)
            with self._alive(move):
                code = command.execute(line, variables, self.workspace, self.env, self.tell)
            if code != 0:
                return self.back(move, MoveState.FAILED, f"the {name} command ended with exit code {code}")
        if move.verb is MoveVerb.RETRAIN:
            made = self._made(move)
            if not made:
                return self.back(move, MoveState.FAILED, f"the command logged no new version of {registry.artifact}")
            move = replace(move, made=made)
        move = self.end(move, MoveState.DONE, "")
        return self.announce(move, registry)

    def announce(self, move: Move, registry: Registry) -> Move:
        """Tell whoever has not been told; never fails the move."""
        for channel, told in notify.channels(self.access.model, move):
            trouble = told(move, registry, self.env, self.patience)
            if trouble:
                self.tell(f"warning: the move is made, and telling of it failed ({channel}): {trouble}")
                continue
            try:
                move = self.write(replace(move, told=(*move.told, channel)))
            except SourceError as error:
                self.tell(f"warning: W&B does not know that {channel} was told: {error}")
        self.close(move)
        return move

    def back(self, move: Move, state: MoveState, detail: str) -> Move:
        """Put the aliases back and end the move."""
        with stops(move):
            if move.state is MoveState.MOVED and not move.detail:
                move = self.write(replace(move, detail=detail))  # From here on nobody goes on with it.
            now = dict(holders(self.versions(), move.after))
            steps = steps_back(move.before, move.after, now)
            self._take(steps)
            if steps:
                now = dict(holders(self.versions(), move.after))
                if steps_back(move.before, move.after, now):
                    raise SourceError("W&B took the aliases back, and shows others.", where=self.access.spec.artifact)
            return self.end(move, state, detail)

    def end(self, move: Move, state: MoveState, detail: str) -> Move:
        move = self.write(replace(move, state=state, detail=detail, ended=self.clock()))
        if state is not MoveState.DONE:  # Else it is announced first.
            self.close(move)
        return move

    def claim(self, move: Move) -> Move:
        """A sign of life, before anything else is done with what another process began."""
        with stops(move):
            return self.write(move)

    def close(self, move: Move) -> None:
        """Only for the eye: what counts stands in the summary."""
        try:
            self.access.session.finish_run(self._path(move), succeeded=move.state is MoveState.DONE)
        except SourceError as error:
            self.tell(f"warning: W&B may show the W&B run of {title_of(move)} as crashed: {error}")

    def outwait(self, record: Record, over: Callable[[Move], bool]) -> Record:
        """Wait while another process may be at work on this move: until it is ``over``, or has long been silent."""
        if abs(self.clock() - record.alive) >= LIFE:
            return record
        told = f"{title_of(record.move)} ({record.move.key}) was begun by another process, whose last sign of life is"
        self.tell(f"{told} {max(self.clock() - record.alive, 0.0):.0f} s old: waiting until it ends or falls silent")
        silent = 0.0
        while silent < SILENCE and not over(record.move):
            time.sleep(LOOK * self.patience.wait_scale)
            newer = next((one for one in self.records() if one.move.key == record.move.key), record)
            silent = silent + LOOK if newer == record else 0.0
            record = newer
        return record

    def _take(self, steps: list[Step]) -> None:
        for step in steps:
            id = self._ids.get(step.version)
            if id is None:
                raise SourceError(f"the version {step.version} is not there any more.", where=self.access.spec.artifact)
            if step.takes:
                self.access.session.remove_alias(id, step.alias)
            else:
                self.access.session.add_alias(id, step.alias)

    def _made(self, move: Move) -> str:
        """The newest version that came since the intent was written."""
        before = dict(move.before).get(NEWEST, "")
        newest = next((version.name for version in self.versions().versions), "")
        return newest if newest != before else ""

    def _path(self, move: Move) -> tuple[str, str, str]:
        return (*self.access.home, id_of(move.model, move.key))

    @contextmanager
    def _alive(self, move: Move) -> Iterator[None]:
        """A sign of life now and then, so that nobody takes the move for abandoned."""
        over = Event()

        def beat() -> None:
            while not over.wait(PULSE):
                try:
                    self.write(move)
                    self.access.session.send_heartbeat(self._path(move))
                except SourceError as error:
                    self.tell(f"warning: no sign of life could be given: {error}")

        thread = Thread(target=beat, name="modelwatch-pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def stops(move: Move) -> Iterator[None]:
    """Trouble with W&B after the intent was written: told with the way on."""
    try:
        yield
    except StoppedError:
        raise
    except SourceError as error:
        same = f"Ask for the same with --key {quote(move.key)}"
        again = f"{same}, or `modelwatch release finish`: it goes on where it stopped."
        text = f"{title_of(move)} was begun and has not ended: {error.message}"
        raise StoppedError(text, hint=again, where=error.where) from error


def undoable(move: Move, registry: Registry) -> bool:
    """Whether an abandoned move is to be given up: what it wants to serve does not serve yet, or its aliases are being
    put back, or it was a training, which nobody repeats unasked."""
    if move.verb is MoveVerb.RETRAIN or (move.state is MoveState.MOVED and move.detail):
        return True
    now = dict(holders(registry, move.after))
    key = "production" if "production" in dict(move.after) else ""
    if key:
        return now[key] != dict(move.after)[key]
    return not reached(move.before, move.after, now)
