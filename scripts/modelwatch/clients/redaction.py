"""Mask secrets in texts, values and streams before they leave the process."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable
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
        cache: dict[str, str] = {}
        return cast(T, self._redact(value, cache))

    def _redact(self, value: Any, cache: dict[str, str]) -> Any:
        from dataclasses import fields, is_dataclass, replace

        if type(value) is str:
            if value not in cache:
                cache[value] = self.redact_text(value)
            return cache[value]
        if type(value) in (tuple, list):
            items = type(value)(self._redact(item, cache) for item in value)
            return value if all(map(operator.is_, items, value)) else items
        if type(value) is dict:
            return {self._redact(name, cache): self._redact(item, cache) for name, item in value.items()}
        if not is_dataclass(value) or isinstance(value, type):
            return value
        old = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        new = {name: self._redact(item, cache) for name, item in old.items()}
        changed = {name: item for name, item in new.items() if item is not old[name]}
        return replace(value, **changed) if changed else value

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
