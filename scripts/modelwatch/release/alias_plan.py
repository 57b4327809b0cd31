"""Which version each verb gives each alias to, and the steps that lead there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..model.release import CANARY, CANDIDATE, DEGRADED, PREVIOUS, PRODUCTION, STAGING, MoveVerb, Registry, Version

Aliases = tuple[tuple[str, str], ...]
"""Alias -> version; "" if no version shall hold it."""


@dataclass(frozen=True, slots=True)
class AliasStep:
    """One request to W&B: ``version`` gets ``alias``, or loses it if ``removes``."""

    alias: str
    version: str
    removes: bool = False


def desired_aliases(verb: MoveVerb, registry: Registry, target: Version | None, number: str = "") -> Aliases:
    """The aliases that the move changes or depends on; ``number``: the semantic version to register."""
    name = target.name if target else ""
    match verb:
        case MoveVerb.PROMOTE:
            removed = [alias for alias in (CANDIDATE, STAGING) if target and alias in target.aliases]
            champion, canary = registry.holder(PRODUCTION), registry.holder(CANARY)
            is_new = champion is None or champion.name != name  # Else a promotion again would end another's canary.
            ends_canary = canary is not None and (is_new or canary.name == name)
            return _serving_aliases(registry, name, [*removed, CANARY] if ends_canary else removed)
        case MoveVerb.ROLLBACK:
            return _serving_aliases(registry, name, [CANARY] if registry.holder(CANARY) else [])
        case MoveVerb.CANARY:
            return ((CANARY, name),)
        case MoveVerb.ABORT:
            return ((CANARY, ""),)
        case MoveVerb.DEGRADE:
            return (*(((CANARY, ""),) if registry.holder(CANARY) else ()), (DEGRADED, name))
        case MoveVerb.RESTORE:
            return ((DEGRADED, ""),)
        case MoveVerb.REGISTER:
            return tuple(sorted(((CANDIDATE, name), *(((number, name),) if number else ()))))
        case MoveVerb.RETRAIN:
            return ()


def _serving_aliases(registry: Registry, name: str, removed: list[str]) -> Aliases:
    champion = registry.holder(PRODUCTION)
    pairs = dict.fromkeys(removed, "")
    if registry.holder(DEGRADED):
        pairs[DEGRADED] = ""
    if champion is not None and champion.name != name:
        pairs[PREVIOUS] = champion.name
    pairs[PRODUCTION] = name
    return tuple(sorted(pairs.items()))


def current_holders(registry: Registry, aliases: Aliases) -> Aliases:
    """The versions that hold these aliases at present."""
    return tuple((alias, holder.name if (holder := registry.holder(alias)) else "") for alias, _ in aliases)


def steps_forward(before: Aliases, after: Aliases, holders: Mapping[str, str]) -> list[AliasStep]:
    """The steps that remain. ``previous`` comes first and ``production`` second: wherever a process stops, exactly one
    version is in production and its predecessor is on record. An alias that somebody else moved meanwhile stays; one
    that is to be removed can be with another version by now.
    """
    steps = []
    old = dict(before)
    for alias, version in sorted(after, key=lambda pair: (pair[0] != PREVIOUS, pair[0] != PRODUCTION, pair[0])):
        holder = holders.get(alias, "")
        if holder == version:
            continue
        if version:
            steps.append(AliasStep(alias, version))
        elif holder == old.get(alias):
            steps.append(AliasStep(alias, holder, removes=True))
    return steps


def steps_back(before: Aliases, after: Aliases, holders: Mapping[str, str]) -> list[AliasStep]:
    """The steps that put back what the move did, and only that; ``production`` first."""
    steps = []
    new = dict(after)
    for alias, version in sorted(before, key=lambda pair: (pair[0] != PRODUCTION, pair[0])):
        holder = holders.get(alias, "")
        if holder == version or holder != new.get(alias):
            continue
        steps.append(AliasStep(alias, version) if version else AliasStep(alias, holder, removes=True))
    return steps


def superseded_by(before: Aliases, after: Aliases, holders: Mapping[str, str]) -> str:
    """The version that somebody else put into production meanwhile; empty if nobody did."""
    old, new, holder = dict(before), dict(after), holders.get(PRODUCTION, "")
    if PRODUCTION not in new or holder in (old.get(PRODUCTION, ""), new[PRODUCTION]):
        return ""
    return holder or "nobody"
