"""Whether people called an alert a false one, by what its issue shows."""

from __future__ import annotations

from collections.abc import Iterable, Set

from .ledger import EntryKind, LedgerEntry
from .register import FALSE_POSITIVE, Register

NOT_PLANNED = "not_planned"
"""GitHub's reason of a closing."""
_VERDICTS = (f"command {FALSE_POSITIVE}", "command unsilence")


def false_reason(
    register: Register, entries: Iterable[LedgerEntry], labels: Set[str], closing: str, *, closed_by_bot: bool
) -> str:
    """Why it counts as false; empty where it does not. ``closing``: the reason of the issue that is closed, else empty.

    The label ``false-positive`` says so, the command of that name unless it was withdrawn, and closing as not planned
    where no bot did it. ``labels`` are lower-case; ``entries`` oldest first.
    """
    if FALSE_POSITIVE in labels:
        return f"labelled {FALSE_POSITIVE}"
    said = [entry.what for entry in entries if entry.kind is EntryKind.COMMAND and entry.what in _VERDICTS]
    if register.verdict == FALSE_POSITIVE or (said and said[-1] == _VERDICTS[0]):
        return "called a false positive by command"
    return "closed as not planned" if closing == NOT_PLANNED and not closed_by_bot else ""
