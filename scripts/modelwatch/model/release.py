"""Releases of one model: versions in W&B's registry, who holds which alias, and every move that was ever made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

PRODUCTION, PREVIOUS, CANARY, STAGING, CANDIDATE = "production", "previous", "canary", "staging", "candidate"
DEGRADED = "degraded"
"""On the version that would serve if the model were not degraded."""
FALLBACK = "fallback"
"""What serves while a model is degraded, in texts."""
ALIASES = (PRODUCTION, CANARY, STAGING, CANDIDATE, PREVIOUS)
"""In the order in which they are shown."""


class MoveVerb(StrEnum):
    """What a move does. Each is one W&B run of job type ``JOB_TYPE``."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    CANARY = "canary"
    ABORT = "abort"
    DEGRADE = "degrade"
    RESTORE = "restore"
    RETRAIN = "retrain"
    REGISTER = "register"


class MoveState(StrEnum):
    """How far a move came."""

    INTENDED = "intended"
    """Recorded; some aliases may have moved."""
    MOVED = "moved"
    """Every alias is where it belongs, read back; the user's command has not ended yet."""
    DONE = "done"
    FAILED = "failed"
    """The user's command failed, and the aliases were put back."""
    UNDONE = "undone"
    """Given up by a later move before its first alias, or put back by it."""

    @property
    def ended(self) -> bool:
        return self in (MoveState.DONE, MoveState.FAILED, MoveState.UNDONE)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the model's artifact."""

    name: str
    """W&B's own: ``v7``."""
    aliases: tuple[str, ...]
    """Every other alias, the semantic number among them."""
    digest: str
    created: float
    number: str = ""
    """``major.minor.patch``: algorithm, retraining, fix; empty where it has none."""
    commit: str = ""
    data: str = ""
    """Digest or version of the data it was trained on."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Hyperparameters and the rest of the configuration, as text, by name."""
    metrics: tuple[tuple[str, float], ...] = ()
    by: str = ""
    """Who or what made it."""
    run: str = ""
    """URL or path of the W&B run that logged it."""
    available: bool = True
    """Whether its files are still there."""

    def is_called(self, text: str) -> bool:
        """Whether ``text`` names this version: ``v7``, ``1.4.0`` or any alias."""
        return text != "" and (text == self.name or text == self.number or text in self.aliases)

    @property
    def title(self) -> str:
        """``1.4.0 (v7)``, for people."""
        return f"{self.number} ({self.name})" if self.number else self.name


@dataclass(frozen=True, slots=True)
class Move:
    """One change of a release: the intent as it was written, and how far it came."""

    key: str
    """Identity: the dispatch key, or one made of verb, versions and time. The same key is the same move."""
    verb: MoveVerb
    model: str
    source: str
    """The version (``Version.name``) that held ``production`` when it was intended; empty where none did."""
    target: str
    """The version that it moves to."""
    reason: str
    by: str
    """The person or workflow that requested it."""
    at: float
    before: tuple[tuple[str, str], ...] = ()
    """Alias -> version when it was intended, of the aliases that it moves ("" where nobody held it)."""
    after: tuple[tuple[str, str], ...] = ()
    """Alias -> version that it wants."""
    state: MoveState = MoveState.INTENDED
    ended: float | None = None
    detail: str = ""
    """Why it failed or was undone; a line."""
    percent: float | None = None
    """Of the traffic, for a canary."""
    issue: str = ""
    url: str = ""
    told: tuple[str, ...] = ()
    """Who was notified: ``change-event``, ``webhook``."""
    made: str = ""
    """The version that a retraining logged."""

    @property
    def origin(self) -> str:
        """What served before: a version, or the fallback of a degraded model."""
        return FALLBACK if self.verb is MoveVerb.RESTORE else self.source

    @property
    def destination(self) -> str:
        """What serves afterwards: a version, or the fallback; ``degrade`` moves to no version."""
        return FALLBACK if self.verb is MoveVerb.DEGRADE else self.target


RECOVERY_VERBS = (MoveVerb.ROLLBACK, MoveVerb.PROMOTE, MoveVerb.DEGRADE)
"""Verbs, of moves and of workflows, after which the metric has to recover."""


def recovery_move(moves: Iterable[Move], since: float | None) -> Move | None:
    """The newest move, if it should fix what began at ``since`` (seconds, UTC); else ``None``."""
    newest = max(moves, key=lambda move: move.at, default=None)
    if newest is None or since is None or newest.verb not in RECOVERY_VERBS or newest.at < since:
        return None
    return newest


@dataclass(frozen=True, slots=True)
class CanaryPeriod:
    """A canary while it served beside the champion."""

    version: str
    """``Version.name``."""
    names: tuple[str, ...]
    """Every name that metrics can use for it: ``v8``, ``1.5.0`` and its other aliases."""
    since: float
    until: float | None = None
    """When it was promoted or taken back; ``None`` while it serves."""
    promoted: bool = False
    percent: float | None = None

    def covers(self, version: str, time: float) -> bool:
        """Whether what ``version`` logged for ``time`` is the canary's."""
        return version in self.names and self.since <= time and (self.until is None or time < self.until)


@dataclass(frozen=True, slots=True)
class Registry:
    """What W&B says about the releases of one model at one moment."""

    model: str
    artifact: str
    """``entity/project/collection``."""
    versions: tuple[Version, ...]
    """Newest first."""
    moves: tuple[Move, ...] = ()
    """Newest first."""

    def version(self, text: str) -> Version | None:
        """The version that ``text`` names: ``v7``, ``1.4.0`` or an alias."""
        exact = next((version for version in self.versions if version.name == text), None)
        return exact or next((version for version in self.versions if version.is_called(text)), None)

    def holder(self, alias: str) -> Version | None:
        return next((version for version in self.versions if alias in version.aliases), None)

    @property
    def open_moves(self) -> tuple[Move, ...]:
        """Moves that have not ended, oldest first."""
        return tuple(move for move in reversed(self.moves) if not move.state.ended)

    @property
    def canary_periods(self) -> tuple[CanaryPeriod, ...]:
        """Every canary that ever served, oldest first."""
        periods: list[CanaryPeriod] = []
        for move in reversed(self.moves):
            serves = periods[-1].version if periods and periods[-1].until is None else ""
            if move.verb is MoveVerb.CANARY and move.target == serves != "" and _ends_canary(move):
                periods[-1] = replace(periods[-1], percent=move.percent)  # It gets another share.
                continue
            if serves and _ends_canary(move):
                promoted = move.verb is MoveVerb.PROMOTE and move.target == periods[-1].version
                periods[-1] = replace(periods[-1], until=move.at, promoted=promoted)
            if move.verb is MoveVerb.CANARY and move.state in (MoveState.MOVED, MoveState.DONE):
                version = self.version(move.target)
                names = (version.name, version.number, *version.aliases) if version else (move.target,)
                own = tuple(dict.fromkeys(name for name in names if name and name not in ALIASES))
                periods.append(CanaryPeriod(move.target, own, move.at, percent=move.percent))
        return tuple(periods)

    @property
    def served_versions(self) -> tuple[str, ...]:
        """Versions that were in production, by the moves, newest service first, each once: what was put there, what it
        took the place of, and what was called `previous` before."""
        names = [
            name
            for move in self.deployments
            for name in (move.target, move.source, dict(move.before).get(PREVIOUS, ""))
        ]
        return tuple(name for name in dict.fromkeys(names) if name)

    @property
    def rolled_back(self) -> dict[str, str]:
        """Versions that were rolled back from, and why; one that was promoted again since does not count."""
        reasons: dict[str, str] = {}
        for move in reversed(self.moves):
            if move.state is not MoveState.DONE:
                continue
            if move.verb is MoveVerb.ROLLBACK and move.source:
                reasons[move.source] = move.reason or "no reason was given"
            elif move.verb is MoveVerb.PROMOTE:
                reasons.pop(move.target, None)
        return reasons

    @property
    def deployments(self) -> tuple[Move, ...]:
        """Moves that put a version into production, newest first."""
        verbs = (MoveVerb.PROMOTE, MoveVerb.ROLLBACK)
        return tuple(move for move in self.moves if move.verb in verbs and move.state is MoveState.DONE)


JOB_TYPE = "modelwatch-release"
ANNOUNCED_VERBS = (MoveVerb.PROMOTE, MoveVerb.ROLLBACK, MoveVerb.DEGRADE, MoveVerb.RESTORE)
"""Moves that are announced; each verb is also that of a workflow."""
CHANGE_EVENT = "change-event"
"""In ``Move.told``: the change event was sent to PagerDuty."""


def _ends_canary(move: Move) -> bool:
    """A canary ends when it is taken back or replaced, and when anything is promoted, rolled back or degraded."""
    verbs = (MoveVerb.CANARY, MoveVerb.ABORT, MoveVerb.PROMOTE, MoveVerb.ROLLBACK, MoveVerb.DEGRADE)
    return move.verb in verbs and move.state in (MoveState.MOVED, MoveState.DONE)


class CanaryDecision(StrEnum):
    """What becomes of a canary now."""

    CONTINUE = "continue"
    ABORT = "abort"
    PROPOSE = "propose"
    """It may be promoted, and a person decides."""
    PROMOTE = "promote"


@dataclass(frozen=True, slots=True)
class CanaryCheck:
    """One rule on one series: the canary against the champion in the same hours. Values in the metric's own unit."""

    rule: str
    labels: tuple[tuple[str, str], ...]
    outcome: str
    """``ok``, ``breach``, ``undecided`` or ``no_data``."""
    severity: str
    """The tier that the canary reaches; empty for none."""
    canary: float | None
    champion: float | None
    low: float | None
    high: float | None
    """95 % interval of the canary's value."""
    n: float | None
    champion_n: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CanaryVerdict:
    """What becomes of the canary, and why: ``reasons``, the most important first."""

    decision: CanaryDecision
    version: str
    since: float
    until: float
    """The last hour that both have logged."""
    reasons: tuple[str, ...]
    checks: tuple[CanaryCheck, ...] = ()
