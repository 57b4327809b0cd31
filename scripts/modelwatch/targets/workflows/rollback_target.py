"""Which version to go back to: the newest that served, was healthy, and does not share what broke the present one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ...model.release import PREVIOUS, PRODUCTION, MoveState, MoveVerb, Registry, Version


@dataclass(frozen=True, slots=True)
class RollbackChoice:
    """``target`` is ``None`` where no version will do; ``refused`` says why not of each that was looked at."""

    target: Version | None
    rejected: tuple[tuple[str, str], ...] = ()
    """``(title of the version, reason)``, in the order in which they were looked at."""

    @property
    def reason(self) -> str:
        """Every refusal in one line; empty where the first version looked at will do."""
        return "; ".join(f"{title} {why}" for title, why in self.rejected)


def choose_rollback_target(registry: Registry, failing: str, healthy: Collection[str]) -> RollbackChoice:
    """The version to roll back to from ``failing``.

    ``healthy``: model versions, as the history of metrics calls them, that served without a breach of error or worse
    under the rules of today.
    """
    refused: list[tuple[str, str]] = []
    for version in _candidates(registry):
        why = unfit_reason(version, registry, failing, healthy)
        if not why:
            return RollbackChoice(version, tuple(refused))
        refused.append((version.title, why))
    return RollbackChoice(None, tuple(refused))


def unfit_reason(version: Version, registry: Registry, failing: str, healthy: Collection[str]) -> str:
    """Why ``version`` is nothing to go back to; empty where it is."""
    current = registry.holder(PRODUCTION)
    bad = registry.version(failing) or current
    if version == current or (bad is not None and version.name == bad.name):
        return "is what just failed"
    if not version.available:
        return "is no longer available: its files are deleted"
    left = _rolled_back_versions(registry)
    if version.name in left:
        return f"was itself rolled back from: {left[version.name]}"
    shared = _shared_cause(version, bad)
    if shared:
        return f"shares the culprit: {shared}"
    if not any(version.is_called(name) for name in healthy):
        return "has no record of being healthy under the same rules while it served"
    return ""


def _candidates(registry: Registry) -> Iterator[Version]:
    """Versions that served, newest service first; then the one called ``previous``, should no move tell of it."""
    seen: set[str] = set()
    current = registry.holder(PRODUCTION)
    names = [*registry.served_versions, *(one.name for one in [registry.holder(PREVIOUS)] if one)]
    for name in names:
        version = registry.version(name)
        if version is not None and version != current and version.name not in seen:
            seen.add(version.name)
            yield version


def _rolled_back_versions(registry: Registry) -> dict[str, str]:
    """Versions that a rollback left, and why; one that was promoted anew since has its second chance."""
    left: dict[str, str] = {}
    for move in reversed(registry.moves):
        if move.state is not MoveState.DONE:
            continue
        if move.verb is MoveVerb.ROLLBACK and move.source:
            left[move.source] = move.reason or "no reason was given"
        elif move.verb is MoveVerb.PROMOTE:
            left.pop(move.target, None)
    return left


def _shared_cause(version: Version, bad: Version | None) -> str:
    if bad is None:
        return ""
    same = []
    if version.data and version.data == bad.data:
        same.append(f"trained on the same data ({version.data})")
    if version.commit and version.commit == bad.commit:
        same.append(f"built from the same commit ({version.commit[:12]})")
    return ", ".join(same)
