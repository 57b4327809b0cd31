"""The ledger of an episode: an append-only record of what happened, with who, when and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

MODELWATCH, PERSON, WORKFLOW, UNKNOWN = "modelwatch", "a person", "the workflow", "unknown"
PAGERDUTY = "PagerDuty"
"""``LedgerEntry.who`` where nobody is named."""
RECOVERED = "recovered"
"""``LedgerEntry.what`` of the recovery of the episode."""
FOLLOWER_PREFIX = "follower."
"""How the key of an entry begins about another alert that shares the cause: its severity is not the issue's."""
MAX_WHAT, MAX_WHY, MAX_URL, MAX_KEY = 120, 240, 300, 120
MAX_RECENT = 12
"""A register with more entries, or with half the size below, hands over the older ones to a comment."""
MAX_RECENT_SIZE = 10_000
"""Characters of the recent entries in a register (a body has 65,536 in all): the oldest beyond them are lost."""
_SHORTEST_NAMES = 90
"""Characters of an entry in JSON besides its texts."""


class EntryKind(StrEnum):
    FINDING = "finding"
    RECOVERY = "recovery"
    ISSUE = "issue"
    """The issue was opened, reopened or closed."""
    PAGE = "page"
    COMMAND = "command"
    """Somebody commented a command, or acknowledged."""
    DISPATCH = "dispatch"
    MOVE = "move"
    EXPIRY = "expiry"
    """A silence or an acknowledgement ran out."""
    RULE = "rule"
    """The configuration of the rule changed."""
    DELIVERY = "delivery"
    """A page, a dispatch or a message could not be delivered, or can be again."""
    LEDGER = "ledger"
    """The ledger itself was damaged."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One thing that happened. Within an episode ``key`` names it: the same key is the same entry."""

    key: str
    at: float
    """When it happened (seconds, UTC); not when it was written."""
    kind: EntryKind
    who: str
    what: str
    """In our words."""
    why: str = ""
    """The reason, or an answer: text from outside."""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The part of an episode's ledger that its register keeps: the newest entries, and how many are in comments."""

    recent: tuple[LedgerEntry, ...] = ()
    """In the order in which they were written."""
    archived: int = 0
    """Entries that are in comments of the issue."""
    digest: str = ""
    """Of the archived entries: shows that a comment was edited or deleted."""
    url: str = ""
    """The newest comment with archived entries."""
    lost: int = 0
    """Entries that had no room while no comment could be written."""
    moves_until: float = 0.0
    """The newest move of the release that is recorded."""
    comment_ids: tuple[int, ...] = ()
    """Of the comments with archived entries. A register of 0.1 does not have them: then all comments are read."""

    @property
    def is_long(self) -> bool:
        """Whether the older entries belong into a comment."""
        return len(self.recent) > MAX_RECENT or sum(map(_entry_size, self.recent)) > MAX_RECENT_SIZE / 2

    def add(self, *entries: LedgerEntry) -> Ledger:
        """This ledger with ``entries`` at the end, but for known keys; what has no room is counted as lost."""
        known = {entry.key for entry in self.recent}
        recent = [*self.recent, *(entry for entry in entries if entry.key not in known)]
        size, lost = sum(map(_entry_size, recent)), 0
        while size > MAX_RECENT_SIZE and len(recent) > 1:
            size -= _entry_size(recent.pop(0))
            lost += 1
        return replace(self, recent=tuple(recent), lost=self.lost + lost)


def _entry_size(entry: LedgerEntry) -> int:
    """At least the characters of ``entry`` in the register, where some letters are escaped by six."""
    texts = (entry.key, entry.who, entry.what, entry.why, entry.url)
    return _SHORTEST_NAMES + sum(len(text) + 5 * sum(map(text.count, '<>-"\\')) for text in texts)


def merge_entries(*parts: tuple[LedgerEntry, ...]) -> tuple[LedgerEntry, ...]:
    """All entries by time, each key once: the first one counts."""
    entries: dict[str, LedgerEntry] = {}
    for part in parts:
        for entry in part:
            entries.setdefault(entry.key, entry)
    return tuple(sorted(entries.values(), key=lambda entry: entry.at))


def find_successes(entries: Sequence[LedgerEntry], end: float) -> list[LedgerEntry]:
    """The workflow runs and moves that succeeded until ``end``, in the order of ``entries``."""
    kinds = (EntryKind.DISPATCH, EntryKind.MOVE)
    return [
        entry
        for entry in entries
        if entry.at <= end and entry.kind in kinds and entry.what.endswith((": success", ": done"))
    ]


def find_setback(entries: Sequence[LedgerEntry], success: LedgerEntry, end: float) -> LedgerEntry | None:
    """What shows that ``success`` did not help: it got worse, or was escalated, after it and until ``end``."""
    setbacks = (
        entry for entry in entries if entry.kind is EntryKind.FINDING and entry.what.startswith(("worse", "escalated"))
    )
    return next((entry for entry in setbacks if success.at < entry.at <= end), None)
