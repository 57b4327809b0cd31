"""Chooses the version to roll back to: the newest healthy one that does not share the cause of the failure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ...model.release import PREVIOUS, PRODUCTION, MoveState, MoveVerb, Registry, Version


@dataclass(frozen=True, slots=True)
class RollbackChoice:
    """The version to roll back to; ``target`` is ``None`` where no version will do."""

    target: Version | None
    rejected: tuple[tuple[str, str], ...] = ()
    """(title, reason) of each version that will not do, newest first."""

    @property
    def reason(self) -> str:
        """All rejections in one line; empty where the first version will do."""
        return "; ".join(f"{title} {reason}" for title, reason in self.rejected)


def choose_rollback_target(registry: Registry, failing: str, healthy: Collection[str]) -> RollbackChoice:
    """The version to roll back to from ``failing``.

    ``healthy``: the versions, as the history of metrics calls them, that served without a breach of error or worse
    under the current rules.
    """
    rejected: list[tuple[str, str]] = []
    for version in _candidates(registry):
        reason = unfit_reason(version, registry, failing, healthy)
        if not reason:
            return RollbackChoice(version, tuple(rejected))
        rejected.append((version.title, reason))
    return RollbackChoice(None, tuple(rejected))


def unfit_reason(version: Version, registry: Registry, failing: str, healthy: Collection[str]) -> str:
    """Why ``version`` cannot be rolled back to; empty where it can."""
    current = registry.holder(PRODUCTION)
    bad = registry.version(failing) or current
    if version == current or (bad is not None and version.name == bad.name):
        return "is what just failed"
    if not version.available:
        return "is no longer available: its files are deleted"
    reasons = _rolled_back_versions(registry)
    if version.name in reasons:
        return f"was itself rolled back from: {reasons[version.name]}"
    if cause := _shared_cause(version, bad):
        return f"shares the likely cause: {cause}"
    if not any(version.is_called(name) for name in healthy):
        return "has no record of being healthy under the same rules while it served"
    return ""


def _candidates(registry: Registry) -> Iterator[Version]:
    """Versions that served, the latest first; then the one with the alias ``previous``, if no move has recorded it."""
    versions = [*map(registry.version, registry.served_versions), registry.holder(PREVIOUS)]
    current = registry.holder(PRODUCTION)
    unique = {version.name: version for version in versions if version is not None and version != current}
    yield from unique.values()


def _rolled_back_versions(registry: Registry) -> dict[str, str]:
    """Versions that were rolled back from, and why; one that was promoted again since does not count."""
    reasons: dict[str, str] = {}
    for move in reversed(registry.moves):
        if move.state is not MoveState.DONE:
            continue
        if move.verb is MoveVerb.ROLLBACK and move.source:
            reasons[move.source] = move.reason or "no reason was given"
        elif move.verb is MoveVerb.PROMOTE:
            reasons.pop(move.target, None)
    return reasons


def _shared_cause(version: Version, bad: Version | None) -> str:
    if bad is None:
        return ""
    causes = []
    if version.data and version.data == bad.data:
        causes.append(f"trained on the same data ({version.data})")
    if version.commit and version.commit == bad.commit:
        causes.append(f"built from the same commit ({version.commit[:12]})")
    return ", ".join(causes)
