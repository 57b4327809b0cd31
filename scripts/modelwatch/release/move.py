"""Moving a release: refuse or write the intent, see that nobody came first, then the core takes over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..clients.patience import RetryPolicy
from ..errors import UserError
from ..model.release import CANARY, DEGRADED, PRODUCTION, Move, MoveState, MoveVerb, Registry, Version
from ..model.watched import Model
from .access import open_access
from .history import MoveRecord
from .mover import NEWEST_KEY, Echo, MoveExecutor, as_interrupted, should_revert
from .notify import pending_channels
from .numbering import next_number
from .request import MoveInProgressError, MoveRequest
from .wanted import current_holders, desired_aliases, is_reached

SERVING_VERBS = (MoveVerb.PROMOTE, MoveVerb.ROLLBACK)
ANNOUNCE_WITHIN = 86_400.0
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
    with as_interrupted(intended):
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
            with as_interrupted(record.move):
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
        known = executor.wait_for_other(record, over).move
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
