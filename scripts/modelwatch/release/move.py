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
from .history import Record
from .mover import NEWEST, Mover, Tell, stops, undoable
from .notify import channels
from .numbering import next_number
from .request import MoveRequest, UnderWayError
from .wanted import holders, reached, wanted

SERVING = (MoveVerb.PROMOTE, MoveVerb.ROLLBACK)
ANNOUNCED_FOR = 86_400.0
"""Seconds after its end for which a move that nobody was told of is told by the next one."""


def move(
    model: Model,
    request: MoveRequest,
    env: Mapping[str, str],
    patience: RetryPolicy,
    now: float,
    *,
    tell: Tell = print,
    workspace: Path | None = None,
) -> Move:
    """Make one move, or go on with it; how it ended stands in its ``state``.

    What is so already is answered with a move of state ``done`` that has no ``url``: nothing was written. Raises
    UserError for what is refused, SourceError where W&B cannot be read (nothing was changed), UnderWayError where
    another move is at work, StoppedError where it was begun and W&B did not let it end.
    """
    env = dict(env)  # The client puts bounds of its own into the process's environment; they are not the command's.
    mover = Mover(open_access(model, env, patience), env, patience, now, tell, workspace or Path(), request.window)
    registry, records = mover.look()
    known = own_record(request, registry, records)
    if known is not None:
        return _go_on(mover, request, registry, known)
    _refuse_overtaken(request, registry)
    target = _target(request, registry)
    rest = _others(request.verb, records)
    _refuse_living((*rest, *_in_the_way(request.verb, records)), request, now)
    superseded = settle(mover, request, registry, rest)
    if rest:
        registry, records = mover.look()
    new = request.verb is MoveVerb.REGISTER and target is not None and not target.number
    number = next_number(registry, request.bump) if new else ""
    intended = _intent(request, registry, target, number, now)
    if request.verb is not MoveVerb.RETRAIN and reached(intended.before, intended.after, dict(intended.before)):
        return replace(intended, state=MoveState.DONE, ended=now, detail=_already(intended, registry))
    with stops(intended):
        if not mover.intend(intended):
            return _go_on(mover, request, registry, _of_key(mover, intended))
        intended = replace(intended, url=_yield_to_the_first(mover, intended, records))
        for record in superseded:
            detail = f"{intended.verb} {intended.target} ({intended.key}) took over before its command had ended"
            mover.end(record.move, MoveState.UNDONE, detail)
    return mover.forward(intended)


def finish(
    model: Model,
    env: Mapping[str, str],
    patience: RetryPolicy,
    now: float,
    *,
    take_over: bool = False,
    tell: Tell = print,
    workspace: Path | None = None,
) -> tuple[Move, ...]:
    """Finish or undo whatever is open, oldest first, and tell of what nobody was told."""
    env = dict(env)
    mover = Mover(open_access(model, env, patience), env, patience, now, tell, workspace or Path())
    registry, records = mover.look()
    ended = []
    for record in reversed(records):
        if not record.move.state.ended:
            if record.lives(now) and not take_over:
                raise _under_way(record, now)
            ended.append(_settle_one(mover, record.move, registry))
            registry, _ = mover.look()
        elif _untold(model, record.move, now):
            ended.append(mover.announce(record.move, registry))
    return tuple(ended)


def own_record(request: MoveRequest, registry: Registry, records: tuple[Record, ...]) -> Record | None:
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


def settle(mover: Mover, request: MoveRequest, registry: Registry, rest: tuple[Record, ...]) -> list[Record]:
    """End what was left open before, oldest first. Gives those that the new move supersedes: their version serves, and
    running their command only to replace it at once would help nobody."""
    superseded = []
    for record in reversed(rest):
        if request.verb in SERVING and not undoable(record.move, registry):
            with stops(record.move):
                mover.settle_aliases(record.move, dict(holders(registry, record.move.after)))
            superseded.append(record)
        else:
            _settle_one(mover, record.move, registry)
        registry, _ = mover.look()
    return superseded


def _settle_one(mover: Mover, left: Move, registry: Registry) -> Move:
    if not undoable(left, registry):
        mover.tell(f"finishing {left.verb} {left.target} ({left.key}), which was left open")
        return mover.forward(left)
    failed = left.state is MoveState.MOVED and bool(left.detail)
    state, detail = (MoveState.FAILED, left.detail) if failed else (MoveState.UNDONE, "its process ended before it did")
    mover.tell(f"undoing {left.verb} {left.target} ({left.key}), which was left open")
    return mover.back(left, state, detail)


def _go_on(mover: Mover, request: MoveRequest, registry: Registry, record: Record) -> Move:
    known = record.move
    wanted_name = registry.version(request.target)
    if request.target and known.target and wanted_name is not None and wanted_name.name != known.target:
        # An alias may name another version by now: the key alone says which move is meant.
        mover.tell(f"the key {known.key} stands for {known.verb} {known.target}; {request.target} is not looked at")

    def over(move: Move) -> bool:
        """Whoever ends a move tells people of it next: two that tell at once would tell them twice."""
        return move.state.ended and not _untold(mover.access.model, move, mover.now)

    if not over(known) and not request.take_over:
        known = mover.outwait(record, over).move
    if not known.state.ended:
        return mover.forward(mover.claim(known))
    if _untold(mover.access.model, known, mover.now):
        return mover.announce(known, registry)
    return known


def _of_key(mover: Mover, mine: Move) -> Record:
    """The record of the move whose intent somebody else wrote first, or of which our own first answer was lost."""
    found = next((record for record in mover.records() if record.move.key == mine.key), None)
    if found is None:
        raise UnderWayError(
            f"W&B took {mine.verb} {mine.target} ({mine.key}) and does not show it yet.", hint="Ask for it again."
        )
    return found


def _untold(model: Model, ended: Move, now: float) -> bool:
    late = ended.ended is None or now - ended.ended >= ANNOUNCED_FOR
    return not late and any(True for _ in channels(model, ended))


def _others(verb: MoveVerb, records: tuple[Record, ...]) -> tuple[Record, ...]:
    """Open moves that this one must not meet: a training moves no alias, and takes hours."""
    alone = verb is MoveVerb.RETRAIN
    return tuple(one for one in records if not one.move.state.ended and (one.move.verb is MoveVerb.RETRAIN) is alone)


def _in_the_way(verb: MoveVerb, records: tuple[Record, ...]) -> tuple[Record, ...]:
    """Open moves that this one waits for and leaves alone: nobody trains while it is not settled what serves."""
    return tuple(one for one in records if verb is MoveVerb.RETRAIN and one.move.verb is MoveVerb.ROLLBACK)


def _refuse_living(rest: tuple[Record, ...], request: MoveRequest, now: float) -> None:
    for record in rest:
        if record.lives(now) and not request.take_over:
            raise _under_way(record, now)


def _refuse_overtaken(request: MoveRequest, registry: Registry) -> None:
    """Between asking and approving somebody else may have mended it: what was meant for one version hits no other."""
    meant, champion = registry.version(request.serving), registry.holder(PRODUCTION)
    if request.serving and meant is not None and champion is not None and meant.name != champion.name:
        raise UserError(
            f"{request.verb} was asked for while {meant.title} was in production; {champion.title} is by now.",
            hint="Look again whether it is still wanted, and ask for it anew.",
            where=registry.artifact,
        )


def _under_way(record: Record, now: float) -> UnderWayError:
    living = record.move
    text = f"{living.verb} {living.target} by {living.by or 'somebody'} is under way ({living.key})"
    return UnderWayError(
        f"{text}; its last sign of life is {max(now - record.alive, 0.0):.0f} s old.",
        hint="Wait for it; or, where you know that its process is dead, ask again with --take-over.",
        where=living.url,
    )


def _yield_to_the_first(mover: Mover, mine: Move, seen: tuple[Record, ...]) -> str:
    """Of two moves that did not see each other the one goes on whose intent W&B took first; of two in the same second,
    neither. Whoever wrote second sees the first, so never both. Gives the address of the W&B run."""
    before = {record.move.key for record in seen}
    records = mover.records()
    own = next((record for record in records if record.move.key == mine.key), None)
    rivals = [
        record
        for record in _others(mine.verb, records)
        if record.move.key not in before and record.move.key != mine.key and (not own or record.created <= own.created)
    ]
    if own is None or rivals:
        first = rivals[0].move if rivals else None
        told = f"{first.verb} {first.target} ({first.key})" if first else "something that W&B does not show yet"
        mover.end(mine, MoveState.UNDONE, f"{told} came first")
        raise UnderWayError(f"{told} came first; nothing was moved.", hint="Ask again when it has ended.")
    return own.move.url


def _target(request: MoveRequest, registry: Registry) -> Version | None:
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
        raise UserError(f"there is no version {text!r} of {registry.artifact}.", hint=_known(registry, text))
    if not found.available:
        raise UserError(f"{found.title} is no longer available: its files are deleted.", hint=_known(registry, text))
    champion = registry.holder(PRODUCTION)
    if verb is MoveVerb.CANARY and champion is not None and champion.name == found.name:
        raise UserError(f"{found.title} is in production already: it cannot be its own canary.")
    return found


def _known(registry: Registry, text: str) -> str:
    import difflib

    names = [
        name for one in registry.versions if one.available for name in (one.name, one.number, *one.aliases) if name
    ]
    near = difflib.get_close_matches(text, names, 1)
    some = ", ".join(one.title for one in registry.versions if one.available)[:200]
    return f"Did you mean {near[0]!r}?" if near else f"There are: {some or 'none'}."


def _intent(request: MoveRequest, registry: Registry, target: Version | None, number: str, now: float) -> Move:
    champion = registry.holder(PRODUCTION)
    after = wanted(request.verb, registry, target, number)
    name = target.name if target else ""
    made_up = f"{request.verb}-{name or registry.model}-{now:.3f}"
    before = holders(registry, after)
    if request.verb is MoveVerb.RETRAIN:
        before = ((NEWEST, registry.versions[0].name if registry.versions else ""),)
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


def _already(intended: Move, registry: Registry) -> str:
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
