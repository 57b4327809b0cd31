"""A move as a W&B run: its intent is the configuration, how far it came is the summary; nobody writes another's."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..model.release import JOB_TYPE, Move, MoveState, MoveVerb

FORMAT = 1
LIFE = 120.0
"""Seconds without a sign of life after which a move counts as abandoned."""
PULSE = 20.0
"""Seconds between two signs of life while the user's command works."""
SILENCE = 3 * PULSE
"""Seconds without one after which another process goes on with the same move."""
LONGEST_TEXT = 2000
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Record:
    """A move as W&B has it."""

    move: Move
    created: float
    """When W&B took the intent, by W&B's own clock, in whole seconds."""
    alive: float
    """When its process last wrote, by that process's clock."""

    def lives(self, now: float) -> bool:
        """Whether a process may be at work on it."""
        return not self.move.state.ended and abs(now - self.alive) < LIFE


def id_of(model: str, key: str) -> str:
    """The W&B run's id: the same key is the same move."""
    name = _UNSAFE.sub("-", model)[:40]
    return f"release-{name}-{hashlib.sha256(f'{model} {key}'.encode()).hexdigest()[:16]}"


def filters_of(model: str) -> dict[str, Any]:
    """Of the W&B runs that are this model's moves."""
    return {"jobType": JOB_TYPE, "config.model": model}


def tags_of(model: str) -> tuple[str, ...]:
    return ("modelwatch", model[:64])


def title_of(move: Move) -> str:
    return " ".join(filter(None, (str(move.verb), move.target)))


def intent_of(move: Move) -> dict[str, Any]:
    """The configuration: what is never written again."""
    return {
        "format": FORMAT,
        "key": move.key,
        "verb": str(move.verb),
        "model": move.model,
        "source": move.source,
        "target": move.target,
        "reason": move.reason[:LONGEST_TEXT],
        "by": move.by,
        "at": move.at,
        "before": dict(move.before),
        "after": dict(move.after),
        "percent": move.percent,
        "issue": move.issue,
    }


def progress_of(move: Move, alive: float) -> dict[str, Any]:
    """The summary; a move without one was intended."""
    return {
        "state": str(move.state),
        "alive": alive,
        "ended": move.ended,
        "detail": move.detail[:LONGEST_TEXT],
        "told": list(move.told),
        "made": move.made,
    }


def record_of(run: Any) -> Record | None:
    """``None`` for a W&B run that is no move that we understand: whoever wrote it, it is left alone."""
    return decode(
        dict(run.config), dict(run.summary_metrics or {}), _seconds(getattr(run, "created_at", None)), str(run.url)
    )


def decode(config: Mapping[str, Any], summary: Mapping[str, Any], created: float, url: str) -> Record | None:
    try:
        move = Move(
            key=_text(config["key"]),
            verb=MoveVerb(config["verb"]),
            model=_text(config["model"]),
            source=_text(config.get("source", "")),
            target=_text(config.get("target", "")),
            reason=_text(config.get("reason", "")),
            by=_text(config.get("by", "")),
            at=_number(config["at"]),
            before=_pairs(config.get("before")),
            after=_pairs(config.get("after")),
            state=MoveState(summary.get("state", MoveState.INTENDED)),
            ended=None if summary.get("ended") is None else _number(summary["ended"]),
            detail=_text(summary.get("detail") or ""),
            percent=None if config.get("percent") is None else _number(config["percent"]),
            issue=_text(config.get("issue") or ""),
            url=url,
            told=tuple(_text(one) for one in summary.get("told") or ()),
            made=_text(summary.get("made") or ""),
        )
        alive = _number(summary.get("alive", move.at))
    except (KeyError, TypeError, ValueError):
        return None
    return Record(move, created, alive) if config.get("format") == FORMAT else None


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        return ()
    return tuple(sorted((_text(alias), _text(version)) for alias, version in value.items()))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text was expected")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError("a number was expected")
    return float(value)


def _seconds(text: Any) -> float:
    return seconds(text) if isinstance(text, str) else 0.0


def seconds(text: str) -> float:
    """Of a time as W&B writes it, UTC; 0 where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    from datetime import UTC

    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
