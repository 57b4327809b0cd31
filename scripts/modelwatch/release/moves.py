"""Make moves: write the intent, move the aliases in an order that survives a crash, read back, run the command, end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from threading import Event, Thread

from ..clients.retry import RetryPolicy
from ..errors import SourceError, UserError
from ..model.monitored_model import Model
from ..model.release import CANARY, JOB_TYPE, PRODUCTION, Move, MoveState, MoveVerb, Registry
from ..timeutil import DAY
from . import hooks
from .alias_plan import AliasStep, current_holders, steps_back, steps_forward, superseded_by
from .command_variables import canary_percent, command_variables
from .move_records import (
    HEARTBEAT_INTERVAL,
    HEARTBEAT_SILENCE,
    HEARTBEAT_TIMEOUT,
    MoveRecord,
    encode_intent,
    encode_progress,
    run_id,
    run_title,
)
from .move_request import (
    NEWEST_KEY,
    MoveInProgressError,
    MoveInterruptedError,
    MoveRequest,
    already_done_text,
    build_intent,
    resolve_target,
)
from .registry import ReleaseAccess, next_number, open_access, read_records, read_state

Echo = Callable[[str], None]
POLL_INTERVAL = 5.0
"""Seconds between two reads of a move that another process may be making."""
PRODUCTION_VERBS = (MoveVerb.PROMOTE, MoveVerb.ROLLBACK)
"""They put a version into production."""
ANNOUNCE_WITHIN = DAY
"""Seconds after its end within which a later command announces a move that could not be announced."""


@dataclass(slots=True)
class MoveExecutor:
    """Makes moves of one model. ``now``: when the command started (seconds, UTC)."""

    access: ReleaseAccess
    env: Mapping[str, str]
    retry: RetryPolicy
    now: float
    echo: Echo
    workspace: Path
    window: tuple[float, float] | None = None
    _started: float = field(default_factory=time.monotonic)
    _ids: dict[str, str] = field(default_factory=dict)

    def current_time(self) -> float:
        return self.now + time.monotonic() - self._started

    def read_state(self) -> tuple[Registry, tuple[MoveRecord, ...]]:
        registry, self._ids, records = read_state(self.access)
        return registry, records

    def read_versions(self) -> Registry:
        """The current versions and aliases, without the history."""
        registry, self._ids, _ = read_state(self.access, moves=False)
        return registry

    def write_intent(self, move: Move) -> bool:
        """Write the intent, atomically. Returns whether it was the first with this key."""
        return self.access.session.upsert_run(
            self._run_path(move),
            title=run_title(move),
            job_type=JOB_TYPE,
            tags=("modelwatch", move.model[:64]),
            config=encode_intent(move),
        )

    def write_progress(self, move: Move) -> Move:
        """Write how far the move has come. Returns ``move``."""
        self.access.session.write_summary(self._run_path(move), encode_progress(move, self.current_time()))
        return move

    def advance(self, move: Move) -> Move:
        """Bring the move to its end, from any state. Raises MoveInterruptedError if W&B prevents it."""
        with report_as_interrupted_move(move):
            if move.state is MoveState.MOVED and move.detail:
                return self.revert(move, MoveState.FAILED, move.detail)
            registry = self.read_versions()
            holders = dict(current_holders(registry, move.after))
            other = superseded_by(move.before, move.after, holders)
            if other:
                detail = f"somebody put {other} into production meanwhile; nothing more was moved"
                return self.end(move, MoveState.UNDONE, detail)
            if self.apply_aliases(move, holders) or move.state is MoveState.INTENDED:
                move = self.write_progress(replace(move, state=MoveState.MOVED))
            return self.complete(move, registry)

    def apply_aliases(self, move: Move, holders: Mapping[str, str]) -> bool:
        """Move every alias to its version and read them back. Returns whether anything had to be moved."""
        steps = steps_forward(move.before, move.after, holders)
        self._apply_steps(steps)
        if steps:
            holders = dict(current_holders(self.read_versions(), move.after))
            if steps_forward(move.before, move.after, holders):
                actual = ", ".join(f"{alias}: {version or 'nobody'}" for alias, version in sorted(holders.items()))
                message = f"W&B accepted the aliases but shows others: {actual}."
                raise SourceError(message, where=self.access.spec.artifact)
        return bool(steps)

    def complete(self, move: Move, registry: Registry) -> Move:
        """Run the user's command, end the move, then announce it."""
        name = hooks.COMMAND_NAMES.get(move.verb, "")
        line = getattr(self.access.spec, name) if name else ""
        if line:
            if move.verb in (MoveVerb.RESTORE, MoveVerb.RETRAIN):
                registry, _ = self.read_state()  # The history has the share of a canary that goes on.
            variables = command_variables(move, registry, self.access.spec.canary.percent, self.window)
            with self._heartbeats(move):
                code = hooks.run_command(line, variables, self.workspace, self.env, self.echo)
            if code != 0:
                return self.revert(move, MoveState.FAILED, f"the {name} command ended with exit code {code}")
        if move.verb is MoveVerb.RETRAIN:
            newest = next((version.name for version in self.read_versions().versions), "")
            if newest in ("", dict(move.before).get(NEWEST_KEY, "")):
                return self.revert(move, MoveState.FAILED, f"the command logged no new version of {registry.artifact}")
            move = replace(move, made=newest)
        move = self.end(move, MoveState.DONE, "")
        return self.announce(move, registry)

    def announce(self, move: Move, registry: Registry) -> Move:
        """Send the move to every channel that does not have it yet; a failure never fails the move."""
        for channel, send in hooks.pending_channels(self.access.model, move):
            try:
                send(move, registry, self.env, self.retry)
            except UserError as error:
                self.echo(f"warning: the move is made, but announcing it failed ({channel}): {error}")
                continue
            try:
                move = self.write_progress(replace(move, told=(*move.told, channel)))
            except SourceError as error:
                self.echo(f"warning: W&B did not record that {channel} was sent: {error}")
        self.close(move)
        return move

    def revert(self, move: Move, state: MoveState, detail: str) -> Move:
        """Put the aliases back and end the move."""
        with report_as_interrupted_move(move):
            if move.state is MoveState.MOVED and not move.detail:
                move = self.write_progress(replace(move, detail=detail))  # From here on nobody continues it.
            holders = dict(current_holders(self.read_versions(), move.after))
            steps = steps_back(move.before, move.after, holders)
            self._apply_steps(steps)
            if steps:
                holders = dict(current_holders(self.read_versions(), move.after))
                if steps_back(move.before, move.after, holders):
                    message = "W&B accepted the previous aliases but shows others."
                    raise SourceError(message, where=self.access.spec.artifact)
            return self.end(move, state, detail)

    def end(self, move: Move, state: MoveState, detail: str) -> Move:
        move = self.write_progress(replace(move, state=state, detail=detail, ended=self.current_time()))
        if state is not MoveState.DONE:  # Else it is announced first.
            self.close(move)
        return move

    def close(self, move: Move) -> None:
        """End the W&B run. This only changes how W&B shows it: the move's state is in the summary."""
        try:
            self.access.session.finish_run(self._run_path(move), succeeded=move.state is MoveState.DONE)
        except SourceError as error:
            self.echo(f"warning: W&B may show the W&B run of {run_title(move)} as crashed: {error}")

    def wait_for_other_move(self, record: MoveRecord, is_over: Callable[[Move], bool]) -> MoveRecord:
        """Wait while another process may be making this move: until ``is_over``, or until its heartbeats stop."""
        age = self.current_time() - record.heartbeat_at
        if abs(age) >= HEARTBEAT_TIMEOUT:
            return record
        title = f"{run_title(record.move)} ({record.move.key})"
        self.echo(
            f"{title} was started by another process; its last heartbeat is {max(age, 0.0):.0f} s old: "
            "waiting until it ends or its heartbeats stop"
        )
        silence = 0.0
        while silence < HEARTBEAT_SILENCE and not is_over(record.move):
            time.sleep(POLL_INTERVAL * self.retry.wait_scale)
            newer = _find_record(read_records(self.access), record.move.key) or record
            silence = silence + POLL_INTERVAL if newer == record else 0.0
            record = newer
        return record

    def _apply_steps(self, steps: list[AliasStep]) -> None:
        for step in steps:
            id = self._ids.get(step.version)
            if id is None:
                message = f"the version {step.version} no longer exists."
                raise SourceError(message, where=self.access.spec.artifact)
            if step.removes:
                self.access.session.remove_alias(id, step.alias)
            else:
                self.access.session.add_alias(id, step.alias)

    def _run_path(self, move: Move) -> tuple[str, str, str]:
        return (*self.access.runs_project, run_id(move.model, move.key))

    @contextmanager
    def _heartbeats(self, move: Move) -> Iterator[None]:
        """Write heartbeats while the command runs, so that no other process takes the move for abandoned."""
        stopped = Event()

        def write_heartbeats() -> None:
            while not stopped.wait(HEARTBEAT_INTERVAL):
                try:
                    self.write_progress(move)
                    self.access.session.send_heartbeat(self._run_path(move))
                except SourceError as error:
                    self.echo(f"warning: the heartbeat could not be written: {error}")

        thread = Thread(target=write_heartbeats, name="modelwatch-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()


@contextmanager
def report_as_interrupted_move(move: Move) -> Iterator[None]:
    """Turn a W&B error after the intent was written into one that says how to continue."""
    try:
        yield
    except MoveInterruptedError:
        raise
    except SourceError as error:
        hint = f"Repeat it with --key {quote(move.key)}, or run `modelwatch release finish`: it continues there."
        message = f"{run_title(move)} started and did not finish: {error.message}"
        raise MoveInterruptedError(message, hint=hint, where=error.where) from error


def should_revert(move: Move, registry: Registry) -> bool:
    """Whether to undo an abandoned move rather than finish it: its version does not serve yet, or its aliases are being
    put back, or it is a training, which is only repeated on request."""
    if move.verb is MoveVerb.RETRAIN or (move.state is MoveState.MOVED and move.detail):
        return True
    holders, after = dict(current_holders(registry, move.after)), dict(move.after)
    if PRODUCTION in after:
        return holders[PRODUCTION] != after[PRODUCTION]
    return bool(steps_forward(move.before, move.after, holders))


def make_move(
    model: Model,
    request: MoveRequest,
    env: Mapping[str, str],
    retry: RetryPolicy,
    now: float,
    *,
    echo: Echo = print,
    workspace: Path | None = None,
) -> Move:
    """Make one move, or continue it; its ``state`` says how it ended.

    If nothing has to be moved, the result is a move of state ``done`` without ``url``: nothing was written. Raises
    UserError for a request that makes no sense, SourceError if W&B cannot be read (nothing was changed),
    MoveInProgressError if another move is running, MoveInterruptedError if it started and W&B did not let it finish.
    """
    env = dict(env)  # The W&B client sets time-outs in the process's environment; the command must not see them.
    executor = MoveExecutor(open_access(model, env, retry), env, retry, now, echo, workspace or Path(), request.window)
    registry, records = executor.read_state()
    own_record = find_own_record(request, registry, records)
    if own_record is not None:
        return _resume(executor, request, registry, own_record)
    _refuse_stale_request(request, registry)
    target = resolve_target(request, registry)
    if request.verb is MoveVerb.CANARY and request.percent is None:
        current = canary_percent(registry) if target == registry.holder(CANARY) else None
        request = replace(request, percent=executor.access.spec.canary.percent if current is None else current)
    conflicts = _conflicting_records(request.verb, records)
    # No training starts while production changes: it waits for a rollback, without touching it.
    trains = request.verb is MoveVerb.RETRAIN
    rollbacks = [record for record in records if trains and record.move.verb is MoveVerb.ROLLBACK]
    for record in (*conflicts, *rollbacks):
        if record.is_alive(now) and not request.take_over:
            raise _in_progress_error(record, now)
    superseded = settle_previous_moves(executor, request, registry, conflicts)
    if conflicts:
        registry, records = executor.read_state()
    unnumbered = request.verb is MoveVerb.REGISTER and target is not None and not target.number
    number = next_number(registry, request.bump) if unnumbered else ""
    intended = build_intent(request, registry, target, number, now)
    shifts = request.verb is MoveVerb.CANARY and request.percent != canary_percent(registry)
    if not trains and not shifts and not steps_forward(intended.before, intended.after, dict(intended.before)):
        return replace(intended, state=MoveState.DONE, ended=now, detail=already_done_text(intended, registry))
    with report_as_interrupted_move(intended):
        if not executor.write_intent(intended):
            return _resume(executor, request, registry, _record_of_key(executor, intended))
        intended = replace(intended, url=_yield_to_first(executor, intended, records))
        for record in superseded:
            detail = f"{intended.verb} {intended.target} ({intended.key}) took over before its command had ended"
            executor.end(record.move, MoveState.UNDONE, detail)
    return executor.advance(intended)


def finish_open_moves(
    model: Model,
    env: Mapping[str, str],
    retry: RetryPolicy,
    now: float,
    *,
    take_over: bool = False,
    echo: Echo = print,
    workspace: Path | None = None,
) -> tuple[Move, ...]:
    """Finish or undo every open move, oldest first, and announce what could not be announced before."""
    env = dict(env)
    executor = MoveExecutor(open_access(model, env, retry), env, retry, now, echo, workspace or Path())
    registry, records = executor.read_state()
    ended = []
    for record in reversed(records):
        if not record.move.state.ended:
            if record.is_alive(now) and not take_over:
                raise _in_progress_error(record, now)
            ended.append(_settle_move(executor, record.move, registry))
            registry, _ = executor.read_state()
        elif _is_unannounced(model, record.move, now):
            ended.append(executor.announce(record.move, registry))
    return tuple(ended)


def find_own_record(request: MoveRequest, registry: Registry, records: tuple[MoveRecord, ...]) -> MoveRecord | None:
    """The record of this very move: the one with its key, or without a key an open one with the same effect."""
    if request.key:
        record = _find_record(records, request.key)
        if record is not None and record.move.verb is not request.verb:
            message = f"the key {request.key!r} belongs to another move: {record.move.verb} {record.move.target}."
            raise UserError(message, hint="Choose another --key.")
        return record
    if request.verb is MoveVerb.RETRAIN:
        return None
    target = registry.version(request.target)
    effect = (request.verb, target.name if target else "")
    same = (record for record in records if (record.move.verb, record.move.target) == effect)
    same = (record for record in same if request.percent in (None, record.move.percent))
    return next((record for record in same if not record.move.state.ended), None)


def settle_previous_moves(
    executor: MoveExecutor, request: MoveRequest, registry: Registry, open_records: tuple[MoveRecord, ...]
) -> list[MoveRecord]:
    """End the moves that were left open, oldest first. Returns those that the new move supersedes: their version
    serves, and running their command only to replace it at once would help nobody."""
    superseded = []
    for record in reversed(open_records):
        replaces = request.verb in PRODUCTION_VERBS or (request.verb, record.move.verb) == (
            MoveVerb.ABORT,
            MoveVerb.CANARY,
        )
        if replaces and not should_revert(record.move, registry):
            with report_as_interrupted_move(record.move):
                executor.apply_aliases(record.move, dict(current_holders(registry, record.move.after)))
            superseded.append(record)
        else:
            _settle_move(executor, record.move, registry)
        registry, _ = executor.read_state()
    return superseded


def _settle_move(executor: MoveExecutor, open_move: Move, registry: Registry) -> Move:
    if not should_revert(open_move, registry):
        executor.echo(f"finishing {open_move.verb} {open_move.target} ({open_move.key}), which was left open")
        return executor.advance(open_move)
    executor.echo(f"undoing {open_move.verb} {open_move.target} ({open_move.key}), which was left open")
    if open_move.state is MoveState.MOVED and open_move.detail:
        return executor.revert(open_move, MoveState.FAILED, open_move.detail)
    return executor.revert(open_move, MoveState.UNDONE, "its process ended before it did")


def _resume(executor: MoveExecutor, request: MoveRequest, registry: Registry, record: MoveRecord) -> Move:
    move = record.move
    version = registry.version(request.target)
    if request.target and move.target and version is not None and version.name != move.target:
        # An alias may name another version by now: the key alone says which move is meant.
        executor.echo(f"the key {move.key} means {move.verb} {move.target}; {request.target} is ignored")

    def is_over(move: Move) -> bool:
        """The process that ends a move announces it next: two that announce at once would send it twice."""
        return move.state.ended and not _is_unannounced(executor.access.model, move, executor.now)

    if not is_over(move) and not request.take_over:
        move = executor.wait_for_other_move(record, is_over).move
    if not move.state.ended:
        with report_as_interrupted_move(move):
            executor.write_progress(move)  # A heartbeat, before continuing what another process began.
        return executor.advance(move)
    if _is_unannounced(executor.access.model, move, executor.now):
        return executor.announce(move, registry)
    return move


def _find_record(records: tuple[MoveRecord, ...], key: str) -> MoveRecord | None:
    return next((record for record in records if record.move.key == key), None)


def _record_of_key(executor: MoveExecutor, intended: Move) -> MoveRecord:
    """The record of a move whose intent another process wrote first, or we ourselves in a request without response."""
    record = _find_record(read_records(executor.access), intended.key)
    if record is None:
        message = f"W&B accepted {intended.verb} {intended.target} ({intended.key}) and does not show it yet."
        raise MoveInProgressError(message, hint="Repeat the command.")
    return record


def _is_unannounced(model: Model, ended: Move, now: float) -> bool:
    recent = ended.ended is not None and now - ended.ended < ANNOUNCE_WITHIN
    return recent and any(True for _ in hooks.pending_channels(model, ended))


def _conflicting_records(verb: MoveVerb, records: tuple[MoveRecord, ...]) -> tuple[MoveRecord, ...]:
    """Open moves that must not run beside this one. Trainings only exclude each other: they move no alias, and take
    hours."""
    trains = verb is MoveVerb.RETRAIN
    return tuple(
        record for record in records if not record.move.state.ended and (record.move.verb is MoveVerb.RETRAIN) is trains
    )


def _refuse_stale_request(request: MoveRequest, registry: Registry) -> None:
    """Between request and approval somebody else may have fixed it: a move meant for one version must hit no other."""
    expected, champion = registry.version(request.expected_champion), registry.holder(PRODUCTION)
    if request.expected_champion and expected is not None and champion is not None and expected.name != champion.name:
        raise UserError(
            f"{request.verb} was requested while {expected.title} was in production; now {champion.title} is.",
            hint="Check whether it is still needed, and request it again.",
            where=registry.artifact,
        )


def _in_progress_error(record: MoveRecord, now: float) -> MoveInProgressError:
    move, age = record.move, max(now - record.heartbeat_at, 0.0)
    title = f"{move.verb} {move.target} by {move.by or 'somebody'}"
    return MoveInProgressError(
        f"{title} is in progress ({move.key}); its last heartbeat is {age:.0f} s old.",
        hint="Wait for it to end; if you know that its process is dead, repeat the command with --take-over.",
        where=move.url,
    )


def _yield_to_first(executor: MoveExecutor, intended: Move, earlier_records: tuple[MoveRecord, ...]) -> str:
    """Give way to a move that this one did not see and whose intent W&B stored first, or in the same second: then
    neither continues. The second writer sees the first, so both never do. Returns the address of the W&B run."""
    known_keys = {record.move.key for record in earlier_records} | {intended.key}
    records = read_records(executor.access)
    own = _find_record(records, intended.key)
    rivals = [
        record.move
        for record in _conflicting_records(intended.verb, records)
        if record.move.key not in known_keys and (own is None or record.created <= own.created)
    ]
    if own is None or rivals:
        first = rivals[0] if rivals else None
        title = f"{first.verb} {first.target} ({first.key})" if first else "a move that W&B does not show yet"
        executor.end(intended, MoveState.UNDONE, f"{title} came first")
        raise MoveInProgressError(
            f"{title} came first; nothing was moved.", hint="Repeat the command when it has ended."
        )
    return own.move.url
