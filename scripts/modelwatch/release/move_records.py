"""Moves as W&B runs: the configuration holds the intent, the summary the progress; a process writes only its own."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..model.release import JOB_TYPE, Move, MoveState, MoveVerb
from ..timeutil import parse_iso_or_none

FORMAT = 1
HEARTBEAT_TIMEOUT = 120.0
"""Seconds without a heartbeat after which a move counts as abandoned."""
HEARTBEAT_INTERVAL = 20.0
"""Seconds between two heartbeats while the user's command runs."""
HEARTBEAT_SILENCE = 3 * HEARTBEAT_INTERVAL
"""Seconds without a heartbeat after which another process continues the same move."""
MAX_TEXT_LENGTH = 2000
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class MoveRecord:
    """A move as W&B stores it."""

    move: Move
    created: float
    """When W&B stored the intent, by W&B's clock, in whole seconds."""
    heartbeat_at: float
    """When its process last wrote, by that process's clock."""

    def is_alive(self, now: float) -> bool:
        """Whether a process can still be making it."""
        return not self.move.state.ended and abs(now - self.heartbeat_at) < HEARTBEAT_TIMEOUT


def run_id(model: str, key: str) -> str:
    """The W&B run's id: the same key is the same move."""
    name = _UNSAFE.sub("-", model)[:40]
    return f"release-{name}-{hashlib.sha256(f'{model} {key}'.encode()).hexdigest()[:16]}"


def move_filters(model: str) -> dict[str, Any]:
    """Finds the W&B runs that are this model's moves."""
    return {"jobType": JOB_TYPE, "config.model": model}


def run_tags(model: str) -> tuple[str, ...]:
    return ("modelwatch", model[:64])


def run_title(move: Move) -> str:
    return " ".join(filter(None, (str(move.verb), move.target)))


def encode_intent(move: Move) -> dict[str, Any]:
    """The configuration of the W&B run; it never changes."""
    return {
        "format": FORMAT,
        "key": move.key,
        "verb": str(move.verb),
        "model": move.model,
        "source": move.source,
        "target": move.target,
        "reason": move.reason[:MAX_TEXT_LENGTH],
        "by": move.by,
        "at": move.at,
        "before": dict(move.before),
        "after": dict(move.after),
        "percent": move.percent,
        "issue": move.issue,
    }


def encode_progress(move: Move, heartbeat_at: float) -> dict[str, Any]:
    """The summary of the W&B run; a move without one is intended."""
    return {
        "state": str(move.state),
        "alive": heartbeat_at,
        "ended": move.ended,
        "detail": move.detail[:MAX_TEXT_LENGTH],
        "told": list(move.told),
        "made": move.made,
    }


def read_record(run: Any) -> MoveRecord | None:
    """The move in a W&B run; ``None`` if it is not one that this version understands: it is left alone."""
    return decode_record(
        dict(run.config),
        dict(run.summary_metrics or {}),
        _created_seconds(getattr(run, "created_at", None)),
        str(run.url),
    )


def decode_record(config: Mapping[str, Any], summary: Mapping[str, Any], created: float, url: str) -> MoveRecord | None:
    try:
        move = Move(
            key=_expect_text(config["key"]),
            verb=MoveVerb(config["verb"]),
            model=_expect_text(config["model"]),
            source=_expect_text(config.get("source", "")),
            target=_expect_text(config.get("target", "")),
            reason=_expect_text(config.get("reason", "")),
            by=_expect_text(config.get("by", "")),
            at=_expect_number(config["at"]),
            before=_decode_aliases(config.get("before")),
            after=_decode_aliases(config.get("after")),
            state=MoveState(summary.get("state", MoveState.INTENDED)),
            ended=None if summary.get("ended") is None else _expect_number(summary["ended"]),
            detail=_expect_text(summary.get("detail") or ""),
            percent=None if config.get("percent") is None else _expect_number(config["percent"]),
            issue=_expect_text(config.get("issue") or ""),
            url=url,
            told=tuple(map(_expect_text, summary.get("told") or ())),
            made=_expect_text(summary.get("made") or ""),
        )
        alive = _expect_number(summary.get("alive", move.at))
    except (KeyError, TypeError, ValueError):
        return None
    return MoveRecord(move, created, alive) if config.get("format") == FORMAT else None


def _decode_aliases(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        return ()
    return tuple(sorted((_expect_text(alias), _expect_text(version)) for alias, version in value.items()))


def _expect_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text was expected")
    return value


def _expect_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError("a number was expected")
    return float(value)


def _created_seconds(text: Any) -> float:
    return parse_time_or_zero(text) if isinstance(text, str) else 0.0


def parse_time_or_zero(text: str) -> float:
    """Seconds (UTC) of a time that W&B wrote; 0 where it is none."""
    return parse_iso_or_none(text) or 0.0
