"""The variables that your commands (deploy, degrade, train, check) get: above all, what must serve afterwards. Pure."""

from __future__ import annotations

from decimal import Decimal

from ..model.release import CANARY, DEGRADED, FALLBACK, PRODUCTION, Move, MoveVerb, Registry
from ..timeutil import format_iso

Traffic = tuple[tuple[str, Decimal], ...]
"""Version and percent of the traffic, the champion first; the percents sum to 100. Empty if nothing serves."""
PREFIX = "MODELWATCH_"
VARIABLES = {
    "SERVING": "What must serve when the command has ended: `version:percent`, the champion first, in sum 100",
    "SERVING_NUMBERS": "The same with semantic numbers; a version without a number by its name",
    "MODEL": "The model in `modelwatch.yml`",
    "VERB": "What happens: `promote`, `rollback`, `canary`, `abort`, `degrade`, `restore` or `retrain`",
    "TARGET_VERSION": "The version that the move is about, also where it is taken out of service",
    "FROM_VERSION": "The version that was in production when the move was requested",
    "REASON": "Why, in one line",
    "KEY": "Identity of the move: called again with the same key, it is the same move",
    "ISSUE": "URL of the issue that the move belongs to",
    "WINDOW_START": "For `retrain`: begin of the data",
    "WINDOW_END": "For `retrain`: end of the data",
}
"""Name, without the prefix, and meaning."""
DEPRECATED_VARIABLES = {
    "VERSION": "The version that serves; of a canary the canary, of an abort the champion",
    "NUMBER": "The semantic number of that version",
    "PERCENT": "The share of the canary: 0 for an abort, where the champion serves all; 100 for all other verbs",
}
"""They say one version and one percent, which do not always belong together. Removed after the next release."""


def command_variables(
    move: Move, registry: Registry, default_percent: float, window: tuple[float, float] | None = None
) -> dict[str, str]:
    """The variables of the command that ``move`` calls, in addition to the environment.

    ``default_percent``: the share of a canary that no move in ``registry`` started.
    """
    traffic = traffic_after(move, registry, default_percent)
    old_version = move.source if move.verb is MoveVerb.ABORT else move.target
    old_percent = {MoveVerb.ABORT: 0.0, MoveVerb.CANARY: move.percent or 0.0}.get(move.verb, 100.0)
    values = {
        "SERVING": format_traffic(traffic),
        "SERVING_NUMBERS": format_traffic(tuple((_number(registry, name) or name, share) for name, share in traffic)),
        "MODEL": move.model,
        "VERB": str(move.verb),
        "TARGET_VERSION": move.target,
        "FROM_VERSION": move.source,
        "REASON": move.reason,
        "KEY": move.key,
        "ISSUE": move.issue,
        "WINDOW_START": format_iso(window[0]) if window else "",
        "WINDOW_END": format_iso(window[1]) if window else "",
        "VERSION": old_version,
        "NUMBER": _number(registry, old_version),
        "PERCENT": f"{old_percent:g}",
    }
    return {f"{PREFIX}{name}": value.replace("\0", "") for name, value in values.items()}


def traffic_after(move: Move, registry: Registry, default_percent: float) -> Traffic:
    """What serves once ``move`` is made, by the aliases that ``registry`` shows and those that the move changes."""
    holders = {alias: holder.name for alias in (PRODUCTION, CANARY, DEGRADED) if (holder := registry.holder(alias))}
    holders |= dict(move.after)
    champion = FALLBACK if holders.get(DEGRADED) else holders.get(PRODUCTION, "")
    canary = holders.get(CANARY, "")
    if not champion:
        return ()
    if canary in ("", holders.get(PRODUCTION, "")):
        return ((champion, Decimal(100)),)
    percent = move.percent if move.verb is MoveVerb.CANARY else canary_percent(registry)
    share = Decimal(repr(default_percent if percent is None else percent))
    return ((champion, 100 - share), (canary, share))


def canary_percent(registry: Registry) -> float | None:
    """The share of the canary that serves, by the history; ``None`` if no move started it."""
    canary, periods = registry.holder(CANARY), registry.canary_periods
    if canary is None or not periods or periods[-1].until is not None or periods[-1].version != canary.name:
        return None
    return periods[-1].percent


def format_traffic(traffic: Traffic) -> str:
    """``v2:95 v3:5``."""
    return " ".join(f"{name}:{format(share.normalize(), 'f')}" for name, share in traffic)


def _number(registry: Registry, name: str) -> str:
    version = registry.version(name) if name else None
    return version.number if version else ""
