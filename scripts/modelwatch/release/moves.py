"""The core of every move: intent, aliases in the order that survives a crash, read back, command, end."""

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
from ..model.release import CANARY, DEGRADED, JOB_TYPE, PRODUCTION, Move, MoveState, MoveVerb, Registry, Version
from ..timeutil import DAY
from . import hooks
from .alias_plan import (
    AliasStep,
    current_holders,
    desired_aliases,
    is_reached,
    steps_back,
    steps_forward,
    superseded_by,
)
from .hooks import pending_channels
from .move_records import (
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
from .move_request import MoveInProgressError, MoveInterruptedError, MoveRequest
from .registry import ReleaseAccess, next_number, open_access, read_records, read_state

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
        registry, self._ids, records = read_state(self.access)
        return registry, records

    def read_versions(self) -> Registry:
        """Versions and aliases as they are now, without the history."""
        registry, self._ids, _ = read_state(self.access, moves=False)
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
        with report_as_interrupted_move(move):
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
        name = hooks.command_name(move.verb)
        line = hooks.command_line(move.verb, self.access.spec)
        if line:
            variables = hooks.command_environment(move, registry, self.window)
            with self._heartbeats(move):
                code = hooks.run_command(line, variables, self.workspace, self.env, self.echo)
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
        for channel, told in hooks.pending_channels(self.access.model, move):
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
        with report_as_interrupted_move(move):
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
        with report_as_interrupted_move(move):
            return self.write_progress(move)

    def close(self, move: Move) -> None:
        """Only for the eye: what counts stands in the summary."""
        try:
            self.access.session.finish_run(self._run_path(move), succeeded=move.state is MoveState.DONE)
        except SourceError as error:
            self.echo(f"warning: W&B may show the W&B run of {run_title(move)} as crashed: {error}")

    def wait_for_other_move(self, record: MoveRecord, over: Callable[[Move], bool]) -> MoveRecord:
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
def report_as_interrupted_move(move: Move) -> Iterator[None]:
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


SERVING_VERBS = (MoveVerb.PROMOTE, MoveVerb.ROLLBACK)
ANNOUNCE_WITHIN = DAY
"""Seconds after its end for which a move that nobody was told of is told by the next one."""


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
    """Make one move, or go on with it; how it ended stands in its ``state``.

    What is so already is answered with a move of state ``done`` that has no ``url``: nothing was written. Raises
    UserError for what is refused, SourceError where W&B cannot be read (nothing was changed), UnderWayError where
    another move is at work, StoppedError where it was begun and W&B did not let it end.
    """
    env = dict(env)  # The client puts bounds of its own into the process's environment; they are not the command's.
    mover = MoveExecutor(open_access(model, env, retry), env, retry, now, echo, workspace or Path(), request.window)
    registry, records = mover.read_state()
    known = find_own_record(request, registry, records)
    if known is not None:
        return _resume(mover, request, registry, known)
    _refuse_stale_request(request, registry)
    target = _resolve_target(request, registry)
    rest = _conflicting_records(request.verb, records)
    _refuse_running((*rest, *_awaited_records(request.verb, records)), request, now)
    superseded = settle_previous_moves(mover, request, registry, rest)
    if rest:
        registry, records = mover.read_state()
    new = request.verb is MoveVerb.REGISTER and target is not None and not target.number
    number = next_number(registry, request.bump) if new else ""
    intended = _build_intent(request, registry, target, number, now)
    if request.verb is not MoveVerb.RETRAIN and is_reached(intended.before, intended.after, dict(intended.before)):
        return replace(intended, state=MoveState.DONE, ended=now, detail=_already_done_text(intended, registry))
    with report_as_interrupted_move(intended):
        if not mover.write_intent(intended):
            return _resume(mover, request, registry, _record_of_key(mover, intended))
        intended = replace(intended, url=_yield_to_first(mover, intended, records))
        for record in superseded:
            detail = f"{intended.verb} {intended.target} ({intended.key}) took over before its command had ended"
            mover.end(record.move, MoveState.UNDONE, detail)
    return mover.advance(intended)


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
    """Finish or undo whatever is open, oldest first, and tell of what nobody was told."""
    env = dict(env)
    mover = MoveExecutor(open_access(model, env, retry), env, retry, now, echo, workspace or Path())
    registry, records = mover.read_state()
    ended = []
    for record in reversed(records):
        if not record.move.state.ended:
            if record.is_alive(now) and not take_over:
                raise _in_progress_error(record, now)
            ended.append(_settle_move(mover, record.move, registry))
            registry, _ = mover.read_state()
        elif _is_unannounced(model, record.move, now):
            ended.append(mover.announce(record.move, registry))
    return tuple(ended)


def find_own_record(request: MoveRequest, registry: Registry, records: tuple[MoveRecord, ...]) -> MoveRecord | None:
    """The record of this very move: of the same key; or, where none is given, an open one that wants the same."""
    if request.key:
        found = next((record for record in records if record.move.key == request.key), None)
        if found is not None and found.move.verb is not request.verb:
            raise UserError(
                f"the key {request.key!r} is that of another move: {found.move.verb} {found.move.target}.",
                hint="Choose another --key.",
            )
        return found
    target = registry.version(request.target)
    name = target.name if target else ""
    same = [one for one in records if one.move.verb is request.verb and not one.move.state.ended]
    return next((one for one in same if one.move.target == name and request.verb is not MoveVerb.RETRAIN), None)


def settle_previous_moves(
    executor: MoveExecutor, request: MoveRequest, registry: Registry, open_records: tuple[MoveRecord, ...]
) -> list[MoveRecord]:
    """End what was left open before, oldest first. Gives those that the new move supersedes: their version serves, and
    running their command only to replace it at once would help nobody."""
    superseded = []
    for record in reversed(open_records):
        if request.verb in SERVING_VERBS and not should_revert(record.move, registry):
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
    failed = open_move.state is MoveState.MOVED and bool(open_move.detail)
    state, detail = (
        (MoveState.FAILED, open_move.detail) if failed else (MoveState.UNDONE, "its process ended before it did")
    )
    executor.echo(f"undoing {open_move.verb} {open_move.target} ({open_move.key}), which was left open")
    return executor.revert(open_move, state, detail)


def _resume(executor: MoveExecutor, request: MoveRequest, registry: Registry, record: MoveRecord) -> Move:
    known = record.move
    wanted_name = registry.version(request.target)
    if request.target and known.target and wanted_name is not None and wanted_name.name != known.target:
        # An alias may name another version by now: the key alone says which move is meant.
        executor.echo(f"the key {known.key} stands for {known.verb} {known.target}; {request.target} is not looked at")

    def over(move: Move) -> bool:
        """Whoever ends a move tells people of it next: two that tell at once would tell them twice."""
        return move.state.ended and not _is_unannounced(executor.access.model, move, executor.now)

    if not over(known) and not request.take_over:
        known = executor.wait_for_other_move(record, over).move
    if not known.state.ended:
        return executor.advance(executor.claim(known))
    if _is_unannounced(executor.access.model, known, executor.now):
        return executor.announce(known, registry)
    return known


def _record_of_key(executor: MoveExecutor, intended: Move) -> MoveRecord:
    """The record of the move whose intent somebody else wrote first, or of which our own first answer was lost."""
    found = next((record for record in executor.read_records() if record.move.key == intended.key), None)
    if found is None:
        raise MoveInProgressError(
            f"W&B took {intended.verb} {intended.target} ({intended.key}) and does not show it yet.",
            hint="Ask for it again.",
        )
    return found


def _is_unannounced(model: Model, ended: Move, now: float) -> bool:
    late = ended.ended is None or now - ended.ended >= ANNOUNCE_WITHIN
    return not late and any(True for _ in pending_channels(model, ended))


def _conflicting_records(verb: MoveVerb, records: tuple[MoveRecord, ...]) -> tuple[MoveRecord, ...]:
    """Open moves that this one must not meet: a training moves no alias, and takes hours."""
    alone = verb is MoveVerb.RETRAIN
    return tuple(one for one in records if not one.move.state.ended and (one.move.verb is MoveVerb.RETRAIN) is alone)


def _awaited_records(verb: MoveVerb, records: tuple[MoveRecord, ...]) -> tuple[MoveRecord, ...]:
    """Open moves that this one waits for and leaves alone: nobody trains while it is not settled what serves."""
    return tuple(one for one in records if verb is MoveVerb.RETRAIN and one.move.verb is MoveVerb.ROLLBACK)


def _refuse_running(records: tuple[MoveRecord, ...], request: MoveRequest, now: float) -> None:
    for record in records:
        if record.is_alive(now) and not request.take_over:
            raise _in_progress_error(record, now)


def _refuse_stale_request(request: MoveRequest, registry: Registry) -> None:
    """Between asking and approving somebody else may have mended it: what was meant for one version hits no other."""
    meant, champion = registry.version(request.expected_champion), registry.holder(PRODUCTION)
    if request.expected_champion and meant is not None and champion is not None and meant.name != champion.name:
        raise UserError(
            f"{request.verb} was asked for while {meant.title} was in production; {champion.title} is by now.",
            hint="Look again whether it is still wanted, and ask for it anew.",
            where=registry.artifact,
        )


def _in_progress_error(record: MoveRecord, now: float) -> MoveInProgressError:
    living = record.move
    text = f"{living.verb} {living.target} by {living.by or 'somebody'} is under way ({living.key})"
    return MoveInProgressError(
        f"{text}; its last sign of life is {max(now - record.heartbeat_at, 0.0):.0f} s old.",
        hint="Wait for it; or, where you know that its process is dead, ask again with --take-over.",
        where=living.url,
    )


def _yield_to_first(executor: MoveExecutor, intended: Move, earlier_records: tuple[MoveRecord, ...]) -> str:
    """Of two moves that did not see each other the one goes on whose intent W&B took first; of two in the same second,
    neither. Whoever wrote second sees the first, so never both. Gives the address of the W&B run."""
    before = {record.move.key for record in earlier_records}
    records = executor.read_records()
    own = next((record for record in records if record.move.key == intended.key), None)
    rivals = [
        record
        for record in _conflicting_records(intended.verb, records)
        if record.move.key not in before
        and record.move.key != intended.key
        and (not own or record.created <= own.created)
    ]
    if own is None or rivals:
        first = rivals[0].move if rivals else None
        told = f"{first.verb} {first.target} ({first.key})" if first else "something that W&B does not show yet"
        executor.end(intended, MoveState.UNDONE, f"{told} came first")
        raise MoveInProgressError(f"{told} came first; nothing was moved.", hint="Ask again when it has ended.")
    return own.move.url


def _resolve_target(request: MoveRequest, registry: Registry) -> Version | None:
    """The version that the move is about; refuses what does not exist, is gone, or makes no sense."""
    verb, text = request.verb, request.target
    if verb is MoveVerb.RETRAIN:
        return None
    implied = {MoveVerb.ABORT: CANARY, MoveVerb.RESTORE: DEGRADED, MoveVerb.DEGRADE: PRODUCTION}
    text = text or implied.get(verb, "")
    found = registry.version(text)
    if found is None and verb in (MoveVerb.ABORT, MoveVerb.RESTORE) and not request.target:
        return None
    if found is None:
        raise UserError(f"there is no version {text!r} of {registry.artifact}.", hint=_version_hint(registry, text))
    if not found.available:
        raise UserError(
            f"{found.title} is no longer available: its files are deleted.", hint=_version_hint(registry, text)
        )
    champion = registry.holder(PRODUCTION)
    if verb is MoveVerb.CANARY and champion is not None and champion.name == found.name:
        raise UserError(f"{found.title} is in production already: it cannot be its own canary.")
    return found


def _version_hint(registry: Registry, text: str) -> str:
    import difflib

    names = [
        name for one in registry.versions if one.available for name in (one.name, one.number, *one.aliases) if name
    ]
    near = difflib.get_close_matches(text, names, 1)
    some = ", ".join(one.title for one in registry.versions if one.available)[:200]
    return f"Did you mean {near[0]!r}?" if near else f"There are: {some or 'none'}."


def _build_intent(request: MoveRequest, registry: Registry, target: Version | None, number: str, now: float) -> Move:
    champion = registry.holder(PRODUCTION)
    after = desired_aliases(request.verb, registry, target, number)
    name = target.name if target else ""
    made_up = f"{request.verb}-{name or registry.model}-{now:.3f}"
    before = current_holders(registry, after)
    if request.verb is MoveVerb.RETRAIN:
        before = ((NEWEST_KEY, registry.versions[0].name if registry.versions else ""),)
    return Move(
        key=request.key or made_up,
        verb=request.verb,
        model=registry.model,
        source=champion.name if champion else "",
        target=name,
        reason=request.reason,
        by=request.by,
        at=now,
        before=before,
        after=after,
        percent=request.percent,
        issue=request.issue,
    )


def _already_done_text(intended: Move, registry: Registry) -> str:
    version = registry.version(intended.target) if intended.target else None
    title = version.title if version else "nobody"
    match intended.verb:
        case MoveVerb.PROMOTE | MoveVerb.ROLLBACK:
            return f"{title} is in production already"
        case MoveVerb.CANARY:
            return f"{title} is the canary already"
        case MoveVerb.ABORT:
            return "there is no canary"
        case MoveVerb.DEGRADE:
            return "the model is degraded already"
        case MoveVerb.RESTORE:
            return "the model is not degraded"
        case _:
            return f"{title} is registered already"
