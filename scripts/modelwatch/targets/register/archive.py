"""Keeps the older entries of a ledger in comments of the issue, each folded and edited in place.

A comment reads::

    <details><summary>Record, part 1: 24 entries</summary> (a table) </details>
    <!-- modelwatch:note ledger.EPISODE.PART -->
    <!-- modelwatch:ledger [json] -->

Editing a comment notifies nobody. An entry is taken out of the register only after GitHub has answered with the comment
that holds it, so a crash in between leaves it in both, where its key tells that it is one. A comment that a person
changed is not written again: what is left of it counts, and the ledger says that entries are missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ... import typed_json
from ...errors import ServiceError
from ...model.ledger import EntryKind, Ledger, LedgerEntry, merge_entries
from ...model.register import Register
from ...report.formatting import utc_time
from ...report.ledger_table import entry_count, ledger_table
from ...timeutil import is_time
from .client import NOTE_MARKER, IssueClient, author_login
from .codec import escape_json, neutralize_markers
from .ledger import FIRING_KEY, make_entry, register_entries

KEEP = 4
"""Entries that stay in the register when the older ones are archived."""
MAX_COMMENT = 60_000
"""Characters of a comment; GitHub takes 65,536. The next entries begin a new one."""
_BLOCK = re.compile(
    r"<!-- modelwatch:note ledger\.\d+\.(?P<part>\d{1,4}) -->\r?\n<!-- modelwatch:ledger (?P<json>[^\r\n<>]*) -->"
)
_MARKER = "<!-- modelwatch:ledger "


@dataclass(frozen=True, slots=True)
class ArchivePart:
    """One comment with entries."""

    comment: int
    part: int
    entries: tuple[LedgerEntry, ...]
    readable: bool
    url: str


@dataclass(frozen=True, slots=True)
class Archive:
    """What the comments of an issue hold of its ledger."""

    parts: tuple[ArchivePart, ...] = ()

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """All entries in the order in which they were written, each key once."""
        entries: dict[str, LedgerEntry] = {}
        for part in self.parts:
            for entry in part.entries:
                entries.setdefault(entry.key, entry)
        return tuple(entries.values())

    def damage(self, ledger: Ledger) -> str:
        """What is missing of the entries that were archived; empty where nothing is."""
        entries = self.entries
        if len(entries) < ledger.archived:
            return f"{ledger.archived - len(entries)} of {entry_count(ledger.archived)} in comments are missing"
        if ledger.archived and digest_entries(entries[: ledger.archived]) != ledger.digest:
            return "entries in a comment were edited"
        return ""


def read_archive(rows: Iterable[dict[str, Any]], authors: frozenset[str]) -> Archive:
    """The archive in the comments ``rows``: those of ``authors`` (lower-case logins) only. Never raises."""
    parts = []
    for row in rows:
        body, number = row.get("body"), row.get("id")
        if not isinstance(body, str) or not isinstance(number, int) or _MARKER not in body:
            continue
        if author_login(row).lower() not in authors:
            continue
        match = _BLOCK.search(body)
        entries = _decode(match["json"]) if match else None
        part = int(match["part"]) if match else 0
        parts.append(ArchivePart(number, part, entries or (), entries is not None, str(row.get("html_url") or "")))
    return Archive(tuple(sorted(parts, key=lambda part: part.comment)))


def read_ledger(register: Register, archive: Archive) -> tuple[LedgerEntry, ...]:
    """Every entry of the episode by time. What was done before modelwatch kept a ledger comes from the register."""
    entries = merge_entries(archive.entries, register.ledger.recent)
    if any(entry.key == FIRING_KEY for entry in entries):
        return entries
    pages = {entry.at for entry in entries if entry.kind is EntryKind.PAGE}
    older = (entry for entry in register_entries(register) if entry.kind is not EntryKind.PAGE or entry.at not in pages)
    return merge_entries(entries, tuple(older))


def fetch_ledger(
    client: IssueClient, number: int, register: Register, authors: frozenset[str]
) -> tuple[tuple[LedgerEntry, ...], str]:
    """Every entry of the episode by time, and what is missing of them: a request for each comment that has any.

    Raises ServiceError.
    """
    archive = _fetch_archive(client, number, register.ledger, authors)
    return read_ledger(register, archive), archive.damage(register.ledger)


def _fetch_archive(client: IssueClient, number: int, ledger: Ledger, authors: frozenset[str]) -> Archive:
    """Read the comments by their ids, so that those of others can neither hide the archive nor cost anything."""
    if ledger.comment_ids:
        return read_archive(filter(None, map(client.get_comment, ledger.comment_ids)), authors)
    return read_archive(client.list_comments(number) if ledger.archived else (), authors)


def archive_entries(
    client: IssueClient, number: int, episode: int, ledger: Ledger, authors: frozenset[str], now: float
) -> Ledger:
    """Move all but the newest entries into a comment; returns the ledger without them. Raises UserError."""
    archive = _fetch_archive(client, number, ledger, authors)
    known = {entry.key for entry in archive.entries}
    entries = [entry for entry in ledger.recent[:-KEEP] if entry.key not in known]
    if damage := archive.damage(ledger):
        key = f"damage.{ledger.archived}.{ledger.digest}"
        what = f"the record was changed by hand: {damage}"
        entries.append(make_entry(key, now, EntryKind.LEDGER, what, who="unknown"))
    url = ledger.url
    while entries:
        archive, url, entries = _append(client, number, episode, archive, entries, authors)
    total = archive.entries
    ids = tuple(part.comment for part in archive.parts)
    return replace(
        ledger,
        recent=ledger.recent[-KEEP:],
        archived=len(total),
        digest=digest_entries(total),
        url=url,
        comment_ids=ids,
    )


def _append(
    client: IssueClient,
    number: int,
    episode: int,
    archive: Archive,
    entries: Sequence[LedgerEntry],
    authors: frozenset[str],
) -> tuple[Archive, str, list[LedgerEntry]]:
    """Write as many of ``entries`` as fit into the last comment, or a new one: (archive, its address, the rest)."""
    last = archive.parts[-1] if archive.parts and archive.parts[-1].readable else None
    written = last.entries if last else ()
    part = last.part if last else max((part.part for part in archive.parts), default=0) + 1
    count = next((n for n in range(len(entries), 0, -1) if _fits(episode, part, (*written, *entries[:n]))), 0)
    if not count and last:  # full
        last, written, part, count = None, (), part + 1, _most_that_fit(episode, part + 1, entries)
    body = client.github.redact(render_archive(episode, part, (*written, *entries[:count])))
    note = _note(episode, part)
    comment = last.comment if last else _find_orphan(client, number, note, archive, authors)
    row = client.edit_comment(comment, body) if comment else client.add_comment(number, body, note, authors)
    if str(row.get("body") or "").replace("\r\n", "\n") != body:
        raise ServiceError(f"the record on issue #{number} was not written as it was sent")
    written = (*written, *entries[:count])
    changed = ArchivePart(row["id"], part, written, True, str(row.get("html_url") or ""))
    others = tuple(old for old in archive.parts if old.comment != changed.comment)
    return Archive((*others, changed)), changed.url, list(entries[count:])


def _find_orphan(client: IssueClient, number: int, note: str, archive: Archive, authors: frozenset[str]) -> int:
    """The comment that a crash kept from being recorded, to be written again; 0 where there is none."""
    row = client.find_comment(number, note, authors)
    found = row["id"] if row else 0
    return 0 if any(part.comment == found for part in archive.parts) else found


def _fits(episode: int, part: int, entries: tuple[LedgerEntry, ...]) -> bool:
    return len(render_archive(episode, part, entries)) <= MAX_COMMENT


def _most_that_fit(episode: int, part: int, entries: Sequence[LedgerEntry]) -> int:
    return next((n for n in range(len(entries), 1, -1) if _fits(episode, part, tuple(entries[:n]))), 1)


def render_archive(episode: int, part: int, entries: tuple[LedgerEntry, ...]) -> str:
    """The comment with ``entries``."""
    import msgspec

    span = f"{utc_time(min(entry.at for entry in entries))} to {utc_time(max(entry.at for entry in entries))}"
    head = f"<details><summary>Record, part {part}: {entry_count(len(entries))}, {span}</summary>"
    table = neutralize_markers(ledger_table(entries))
    json = escape_json(msgspec.json.encode(entries).decode())
    return f"{head}\n\n{table}\n\n</details>\n\n{_note(episode, part)}\n{_MARKER}{json} -->"


def _note(episode: int, part: int) -> str:
    return f"{NOTE_MARKER} ledger.{episode}.{part} -->"


def _decode(text: str) -> tuple[LedgerEntry, ...] | None:
    import msgspec

    try:
        entries = typed_json.decode(text, tuple[LedgerEntry, ...])
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError):
        return None
    return entries if all(is_time(entry.at) for entry in entries) else None


def digest_entries(entries: Sequence[LedgerEntry]) -> str:
    """SHA-256 of the entries in their order, 16 characters."""
    import msgspec

    return hashlib.sha256(msgspec.json.encode(tuple(entries))).hexdigest()[:16]
