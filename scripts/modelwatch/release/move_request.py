"""A request to move aliases: its options, the version it names, and the intent that it leads to. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Exit, TargetError, UserError, did_you_mean
from ..model.release import CANARY, DEGRADED, PRODUCTION, Move, MoveVerb, Registry, Version
from .alias_plan import current_holders, desired_aliases

NEWEST_KEY = "newest"
"""Not an alias: in the intent of a retraining, the newest version that existed before it."""
NOTHING_PROMOTED_HINT = "Put a version into production first: `modelwatch release promote VERSION`."


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """One requested move. ``target``: ``v7``, ``1.4.0`` or an alias; empty where the verb needs none."""

    verb: MoveVerb
    target: str = ""
    key: str = ""
    """The same key is the same move, however often and by whomever it is requested; empty: a key is generated."""
    reason: str = ""
    by: str = ""
    issue: str = ""
    percent: float | None = None
    """Of the traffic, for a canary. ``None``: the share that it has, or the configured one."""
    bump: str = ""
    """For `register`: ``major``, ``minor`` or ``patch``."""
    window: tuple[float, float] | None = None
    """For `retrain`: begin and end of the data (seconds, UTC)."""
    expected_champion: str = ""
    """Refuse the move if another version is in production by now. A name that the registry does not know is ignored."""
    take_over: bool = False
    """Treat every open move as abandoned, however recent its last heartbeat is."""


class MoveInProgressError(TargetError):
    """Another move is running, or came first."""

    exit_code = Exit.PARTIAL


class MoveInterruptedError(TargetError):
    """A move started and did not finish; the same key, or the next move, continues it."""

    exit_code = Exit.PARTIAL


def resolve_target(request: MoveRequest, registry: Registry) -> Version | None:
    """The version that the move is about. Raises UserError if it does not exist, was deleted, or makes no sense."""
    verb = request.verb
    if verb is MoveVerb.RETRAIN:
        return None
    implied = {MoveVerb.ABORT: CANARY, MoveVerb.RESTORE: DEGRADED, MoveVerb.DEGRADE: PRODUCTION}
    name = request.target or implied.get(verb, "")
    version = registry.version(name)
    if version is None and verb in (MoveVerb.ABORT, MoveVerb.RESTORE) and not request.target:
        return None
    if version is None:
        raise UserError(f"there is no version {name!r} of {registry.artifact}.", hint=_version_hint(registry, name))
    if not version.available:
        message = f"{version.title} is no longer available: its files are deleted."
        raise UserError(message, hint=_version_hint(registry, name))
    champion = registry.holder(PRODUCTION)
    if verb is MoveVerb.CANARY and champion is None:
        message = "nothing is in production: a canary serves beside the champion."
        raise UserError(message, hint=NOTHING_PROMOTED_HINT, where=registry.artifact)
    if verb is MoveVerb.CANARY and champion is not None and champion.name == version.name:
        message = f"{version.title} is in production already: it cannot be its own canary."
        raise UserError(message, hint="Name the version that shall serve beside it.")
    return version


def build_intent(request: MoveRequest, registry: Registry, target: Version | None, number: str, now: float) -> Move:
    """The move as recorded before anything changes; ``number``: the semantic version to register."""
    champion = registry.holder(PRODUCTION)
    after = desired_aliases(request.verb, registry, target, number)
    name = target.name if target else ""
    before = current_holders(registry, after)
    if request.verb is MoveVerb.RETRAIN:
        before = ((NEWEST_KEY, registry.versions[0].name if registry.versions else ""),)
    return Move(
        key=request.key or f"{request.verb}-{name or registry.model}-{now:.3f}",
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


def already_done_text(intended: Move, registry: Registry) -> str:
    """Why nothing has to be moved."""
    version = registry.version(intended.target) if intended.target else None
    title = version.title if version else "nobody"
    return {
        MoveVerb.CANARY: f"{title} is the canary already",
        MoveVerb.ABORT: "there is no canary",
        MoveVerb.DEGRADE: "the model is degraded already",
        MoveVerb.RESTORE: "the model is not degraded",
        MoveVerb.REGISTER: f"{title} is registered already",
    }.get(intended.verb, f"{title} is in production already")


def _version_hint(registry: Registry, name: str) -> str:
    available = [version for version in registry.versions if version.available]
    names = [name for version in available for name in (version.name, version.number, *version.aliases) if name]
    titles = ", ".join(version.title for version in available)[:200]
    return did_you_mean(name, names, f"Existing versions: {titles or 'none'}.")
