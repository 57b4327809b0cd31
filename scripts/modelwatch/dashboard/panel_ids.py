"""Ids of panels: stable from one build of the site to the next, unique, and safe in an address and in a selector."""

from __future__ import annotations

import hashlib
import re

MAX_WORDS = 48
"""Characters of the readable part of an id that needs a hash."""
_PLAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def panel_id(*parts: str) -> str:
    """``[a-z0-9-]+``, the same for the same parts and another one for others: ``rule--accuracy``. What letters, digits
    and single dashes cannot say is in a hash at the end."""
    text = "--".join(parts)
    if len(text) <= 2 * MAX_WORDS and all(_PLAIN.fullmatch(part) for part in parts):
        return text
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return f"{words[:MAX_WORDS].strip('-') or 'panel'}---{digest}"
