"""Which keys of a source are wanted, and what they are called here.

W&B joins the keys of nested dictionaries with a dot in some places and keeps them nested in others:
``{"eval": {"accuracy": 0.9}}``, ``eval.accuracy`` and ``eval/accuracy`` are all the key ``eval/accuracy``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..model.keys import KeyPattern

_SEPARATOR = re.compile(r"[/.]")


class KeyResolver:
    """Resolves a source's keys against patterns; remembers what it was asked."""

    def __init__(self, patterns: Iterable[KeyPattern]) -> None:
        self._patterns = tuple(patterns)
        self._loose = tuple((_separator_insensitive(pattern), pattern.text) for pattern in self._patterns)
        self._heads = {_SEPARATOR.split(pattern.text, maxsplit=1)[0] for pattern in self._patterns}
        self._open = any("*" in head for head in self._heads)
        self._known: dict[str, str | None] = {}

    def resolve(self, key: str) -> str | None:
        """The wanted key that ``key`` is, separated by ``/``; ``None`` where nobody wants it."""
        try:
            return self._known[key]
        except KeyError:
            found = self._known[key] = self._resolve(key)
            return found

    def may_contain(self, key: str) -> bool:
        """Whether ``key`` is wanted, or may be a dictionary with something wanted in it."""
        return self._open or _SEPARATOR.split(key, maxsplit=1)[0] in self._heads

    def unmatched_keys(self) -> list[str]:
        """Every key that was asked for and is not wanted."""
        return [key for key, found in self._known.items() if found is None]

    def _resolve(self, key: str) -> str | None:
        if any(pattern.match(key) is not None for pattern in self._patterns):
            return key
        for loose, text in self._loose:
            found = loose.fullmatch(key)
            if found:
                captured = iter(found.groups())
                return "".join(next(captured) if piece == "*" else piece for piece in re.split(r"(\*)", text))
        return None


def _separator_insensitive(pattern: KeyPattern) -> re.Pattern[str]:
    """``pattern`` with every separator, be it ``/`` or ``.``, standing for both."""
    pieces = re.split(r"([*/.])", pattern.text)
    return re.compile("".join("([^/]*)" if p == "*" else "[/.]" if p in ("/", ".") else re.escape(p) for p in pieces))
