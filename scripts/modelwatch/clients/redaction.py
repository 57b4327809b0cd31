"""Mask secrets in texts, values and streams before they leave the process."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, TextIO, TypeVar, cast

T = TypeVar("T")

MASK = "***"
MIN_SECRET_LENGTH = 4
"""Shorter values are no secrets, and masking them would garble everything."""


def encoded_forms(secret: str) -> set[str]:
    """The forms in which ``secret`` can appear: plain, line by line, and base64-, URL-, JSON- and HTML-encoded."""
    # Imported here, as in the other functions below: every command begins with this module, most without a secret.
    import json
    from html import escape
    from urllib.parse import quote, quote_plus

    forms: set[str] = set()
    for text in {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}:
        if len(text) < MIN_SECRET_LENGTH:
            continue
        forms |= {text, quote(text), quote(text, safe=""), quote_plus(text), escape(text)}
        forms |= {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
        forms |= _base64_forms(text.encode("utf-8", errors="surrogatepass"))
    return {form for form in forms if len(form) >= MIN_SECRET_LENGTH}


def _base64_forms(data: bytes) -> set[str]:
    """The letters that ``data`` alone determines, wherever it occurs in a base64-encoded text."""
    import base64

    forms: set[str] = set()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        first = (before * 8 + 5) // 6
        last = (before + len(data)) * 8 // 6
        core = encoded[first:last]
        if len(core) >= 2 * MIN_SECRET_LENGTH:
            forms |= {core, core.replace("+", "-").replace("/", "_")}
    return forms


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    """What an object of this class is made from; nothing where that is no dataclass."""
    from dataclasses import fields, is_dataclass

    return tuple(field.name for field in fields(kind) if field.init) if is_dataclass(kind) else ()


class Redactor:
    """Replaces every form of every secret by ``***``, and half letters (lone surrogates), which nothing can write."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in encoded_forms(secret)}
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._pattern = re.compile("|".join(map(re.escape, self._forms))) if forms else None

    def redact_text(self, text: str) -> str:
        if not text.isascii() and (valid := text.encode("utf-8", "replace").decode()) != text:
            text = valid
        if self._pattern is None or not any(form in text for form in self._forms):
            return text
        return self._pattern.sub(MASK, text)

    def redact(self, value: T) -> T:
        """``value`` with every text in it masked, inside dataclasses and containers too; enumerations stay.

        A value in which nothing is replaced is returned unchanged, as the same object.
        """
        return cast(T, self._redact(value, {}))

    def _redact(self, value: Any, masked: dict[str, str | None]) -> Any:
        """``masked``: by text what replaces it; ``None``: nothing does."""
        kind: Any = type(value)
        if kind is str:
            if value not in masked:
                text = self.redact_text(value)
                masked[value] = None if text == value else text
            return masked[value] or value
        if kind in (tuple, list):
            items = [self._redact(item, masked) for item in value]
            return value if all(map(operator.is_, items, value)) else kind(items)
        if kind is dict:
            pairs = {self._redact(name, masked): self._redact(item, masked) for name, item in value.items()}
            same = all(map(operator.is_, pairs, value)) and all(map(operator.is_, pairs.values(), value.values()))
            return value if same else pairs
        if not (names := _field_names(kind)):
            return value
        changed = {}
        for name in names:
            old = getattr(value, name)
            new = self._redact(old, masked)
            if new is not old:
                changed[name] = new
        if not changed:
            return value
        from dataclasses import replace

        return replace(value, **changed)

    def partial_match_length(self, text: str) -> int:
        """How many letters at the end of ``text`` could be the beginning of a secret."""
        for length in range(min(len(text), len(self._forms[0]) - 1 if self._forms else 0), MIN_SECRET_LENGTH - 1, -1):
            tail = text[-length:]
            if any(form.startswith(tail) for form in self._forms):
                return length
        return 0


class RedactedStream:
    """Masks line by line; what could be the first half of a secret is held back until the rest arrives, or the end."""

    def __init__(self, redactor: Redactor, stream: TextIO) -> None:
        self._redactor = redactor
        self._stream = stream
        self._buffer = ""

    def write(self, text: str) -> int:
        self._buffer += text
        done = self._buffer.rfind("\n") + 1
        if done:
            self._write_through(done)
        return len(text)

    def _write_through(self, done: int) -> None:
        """Taken out before it is written: an interrupt in between must not show it twice."""
        ready, self._buffer = self._buffer[:done], self._buffer[done:]
        self._stream.write(self._mask(ready))

    def _mask(self, text: str) -> str:
        return self._redactor.redact_text(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._write_through(len(self._buffer) - self._redactor.partial_match_length(self._buffer))
        self._stream.flush()

    def close(self) -> None:
        """Write, masked, what is still held back; the underlying stream stays open."""
        self._write_through(len(self._buffer))
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:
        return self._stream.encoding
