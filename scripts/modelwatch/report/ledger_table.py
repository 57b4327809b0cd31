"""The ledger as a Markdown table: on the issue, in its comments, and in the review."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..model.ledger import Ledger, LedgerEntry
from .formatting import utc_time
from .markdown import code, link, table

_OUR_WORDS = re.compile(r"(?:[A-Za-z0-9 ,;()-]|\.(?=\d)|:(?= )){1,120}")
"""What an entry says in our words; a link, a mention and HTML cannot be written with these."""


def ledger_table(entries: Sequence[LedgerEntry]) -> str:
    """When, who, and what with its reason, the oldest first; empty for no entries."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    rows = [(utc_time(entry.at).removesuffix(" UTC"), plain_words(entry.who), _what(entry)) for entry in ordered]
    return table(("When (UTC)", "Who", "What"), rows) if rows else ""


def ledger_section(ledger: Ledger) -> str:
    """The newest entries, folded; where the rest is, and what is missing."""
    if not ledger.recent and not ledger.archived:
        return ""
    count = len(ledger.recent) + ledger.archived
    notes = []
    if ledger.archived:
        where = link("a comment", ledger.url) if ledger.url else "a comment"
        notes.append(f"{entry_count(ledger.archived)} before these: in {where}.")
    if ledger.lost:
        notes.append(f"{entry_count(ledger.lost)} were lost: no comment could be written.")
    parts = [f"<details><summary>Record ({entry_count(count)})</summary>", *notes, ledger_table(ledger.recent)]
    return "\n\n".join([*filter(None, parts), "</details>"])


def entry_count(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def plain_words(text: str) -> str:
    """``text`` where it is harmless, else as code."""
    return text if _OUR_WORDS.fullmatch(text) else code(text)


def _what(entry: LedgerEntry) -> str:
    why = f": {code(entry.why, 240)}" if entry.why else ""
    where = f" ({link('open', entry.url)})" if entry.url else ""
    return f"{plain_words(entry.what)}{why}{where}"
