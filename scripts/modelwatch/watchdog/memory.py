"""What the watchdog remembers between its runs, in the text of its own issue: since when a condition is not ok, how
often in a row it could not be checked, and when a page was about it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .condition import ConditionResult, State

MAX_UNKNOWN = 3
"""The third time in a row that a condition cannot be checked, it counts as broken."""
MARKER = "<!-- modelwatch-watchdog "
_BLOCK = re.compile(rf"^{re.escape(MARKER)}(\{{[^\n]*\}}) -->\s*\Z", re.MULTILINE)
"""The last line alone: a text that only quotes the watchdog's is not the watchdog's."""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class ConditionMemory:
    """One condition that was not ok."""

    state: State
    since: float
    """Seconds, UTC."""
    unknown: int = 0
    """How often in a row it could not be checked."""
    paged: float = 0.0
    """When a page was delivered that is about it (seconds, UTC); 0: never since it is broken."""


Memory = Mapping[str, ConditionMemory]
"""By the name of the condition; those that are missing were ok."""


def encode_memory(memory: Memory) -> str:
    """The line for the issue's text."""
    rows = {name: [one.state.value, one.since, one.unknown, one.paged] for name, one in sorted(memory.items())}
    return f"{MARKER}{json.dumps({'format': _FORMAT, 'conditions': rows})} -->"


def replace_memory(body: str, memory: Memory) -> str:
    """The text of the watchdog's issue with another memory."""
    return _BLOCK.sub(lambda _: f"{encode_memory(memory)}\n", body)


def decode_memory(body: str) -> Memory | None:
    """What the text of an issue remembers, nothing where a person has garbled it; ``None`` where the text does not end
    with the watchdog's line: then it is not an issue of the watchdog, and nobody may write to it."""
    match = _BLOCK.search(body)
    if match is None:
        return None
    try:
        data = json.loads(match[1])
        rows = data["conditions"] if data.get("format") == _FORMAT else {}
        return {str(name): _decode_row(row) for name, row in rows.items()}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return {}


def _decode_row(row: Sequence[Any]) -> ConditionMemory:
    """Raises IndexError, TypeError and ValueError."""
    return ConditionMemory(State(row[0]), float(row[1]), int(row[2]), float(row[3]) if len(row) > 3 else 0.0)


def settle(
    results: Sequence[ConditionResult], memory: Memory | None, now: float
) -> tuple[list[ConditionResult], Memory]:
    """The results as they count, and what to remember of them.

    What was broken and cannot be checked stays broken: only a check that is ok ends it. What cannot be checked for the
    third time in a row is broken. ``memory``: ``None`` where it cannot be read; then nothing is counted.
    """
    settled, kept = [], dict[str, ConditionMemory]()
    for result in results:
        before = (memory or {}).get(result.name)
        if result.state is State.UNKNOWN:
            times = (before.unknown if before else 0) + 1
            since = before.since if before else now
            if times >= MAX_UNKNOWN or (before is not None and before.state is State.BROKEN):
                text = f"{result.what}; what cannot be checked counts as broken"
                result = replace(result, state=State.BROKEN, what=text, since=since)
            kept[result.name] = ConditionMemory(result.state, since, times, before.paged if before else 0.0)
        elif result.state is State.BROKEN:
            known = before.since if before else now
            since = known if result.since is None else result.since
            result = replace(result, since=since)
            kept[result.name] = ConditionMemory(State.BROKEN, since, paged=before.paged if before else 0.0)
        settled.append(result)
    return settled, kept
