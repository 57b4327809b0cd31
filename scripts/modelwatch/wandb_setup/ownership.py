"""The mark in everything that we make inside W&B: whose it is, and what it was when we wrote it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from ..model.pagerduty_setup import ownership_mark

_LENGTH = 16
_MARK = re.compile(r"managed by modelwatch: ([^\s()]+) \(([^\s()]+) ([0-9a-f]{16}) ([0-9a-f]{16})\)")
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
VIEW_NAME_LENGTH = 11
"""As long as the names that ``wandb-workspaces`` gives."""


@dataclass(frozen=True, slots=True)
class Mark:
    """``item`` is ``churn/view``, ``churn/report`` or ``churn/rule-name``: unique for an owner."""

    owner: str
    item: str
    wanted: str
    """Digest of what the configuration wanted."""
    written: str
    """Digest of what was written: a difference from what is there was made by hand."""

    def __str__(self) -> str:
        return f"{ownership_mark(self.owner)} ({self.item} {self.wanted} {self.written})"


def read_mark(text: str) -> Mark | None:
    """The mark in ``text``; ``None`` where there is none."""
    found = _MARK.search(text)
    return Mark(*found.groups()) if found else None


def without_mark(text: str) -> str:
    return _MARK.sub("", text).strip()


def digest(value: Any) -> str:
    """16 hex characters over a JSON value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def content_digest(title: str, description: str, spec: str) -> str:
    """Of a view or a report, without its mark, and without the references that W&B's page adds when it is saved."""
    try:
        value = json.loads(spec)
    except ValueError:
        value = spec
    return digest([title, without_mark(description), _without_marks(value)])


def _without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_marks(part) for key, part in value.items() if key != "ref" and part is not None}
    if isinstance(value, list):
        return [_without_marks(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # as a database may give it back
    return without_mark(value) if isinstance(value, str) else value


def view_name(owner: str, item: str) -> str:
    """The internal name of a view, which its address has and no renaming changes."""
    number = int.from_bytes(hashlib.sha256(f"{owner}\0{item}".encode()).digest(), "big")
    letters = []
    for _ in range(VIEW_NAME_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    return f"nw-{''.join(letters)}-v"
