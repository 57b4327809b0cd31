"""Moves as W&B runs: the configuration holds the intent, the summary the progress; a process writes only its own."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import typed_json
from ..model.release import JOB_TYPE, Move
from ..timeutil import is_time, parse_iso_or_none

FORMAT = 1
HEARTBEAT_TIMEOUT = 120.0
"""Seconds without a heartbeat after which a move counts as abandoned."""
HEARTBEAT_INTERVAL = 20.0
"""Seconds between two heartbeats while the user's command runs."""
HEARTBEAT_SILENCE = 3 * HEARTBEAT_INTERVAL
"""Seconds without a heartbeat after which another process continues the same move."""
MAX_TEXT_LENGTH = 2000
INTENT_FIELDS = ("key", "verb", "model", "source", "target", "reason", "by", "at", "percent", "issue")
"""Fields of a move that the configuration holds as they are."""
PROGRESS_FIELDS = ("state", "ended", "detail", "told", "made")
"""Fields of a move that the summary holds."""
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


def run_title(move: Move) -> str:
    return " ".join(filter(None, (str(move.verb), move.target)))


def encode_intent(move: Move) -> dict[str, Any]:
    """The configuration of the W&B run; it never changes."""
    fields = {name: getattr(move, name) for name in INTENT_FIELDS}
    fields |= {"reason": move.reason[:MAX_TEXT_LENGTH], "before": dict(move.before), "after": dict(move.after)}
    return {"format": FORMAT, **fields}


def encode_progress(move: Move, heartbeat_at: float) -> dict[str, Any]:
    """The summary of the W&B run; a move without one is intended."""
    fields = {name: getattr(move, name) for name in PROGRESS_FIELDS}
    return {**fields, "alive": heartbeat_at, "detail": move.detail[:MAX_TEXT_LENGTH], "told": list(move.told)}


def read_record(run: Any) -> MoveRecord | None:
    """The move in a W&B run; ``None`` if it is not one that this version understands: it is left alone."""
    created = parse_time_or_zero(getattr(run, "created_at", None))
    return decode_record(dict(run.config), dict(run.summary_metrics or {}), created, str(run.url))


def decode_record(config: Mapping[str, Any], summary: Mapping[str, Any], created: float, url: str) -> MoveRecord | None:
    import msgspec

    fields: dict[str, Any] = dict.fromkeys(("source", "target", "reason", "by"), "") | {"url": url}
    fields |= {name: config[name] for name in INTENT_FIELDS if name in config}
    fields |= {name: summary[name] for name in PROGRESS_FIELDS if summary.get(name) is not None}
    for name in ("before", "after"):
        aliases = config.get(name)
        fields[name] = sorted(aliases.items()) if isinstance(aliases, Mapping) else ()
    try:
        move = typed_json.convert(fields, Move)
        alive = typed_json.convert(summary.get("alive", move.at), float)
    except (msgspec.ValidationError, RecursionError):
        return None
    is_plausible = all(map(is_time, (move.at, alive, move.ended or 0.0))) and math.isfinite(move.percent or 0.0)
    return MoveRecord(move, created, alive) if is_plausible and config.get("format") == FORMAT else None


def parse_time_or_zero(text: Any) -> float:
    """Seconds (UTC) of a time that W&B wrote; 0 where it is none."""
    return (parse_iso_or_none(text) if isinstance(text, str) else None) or 0.0
