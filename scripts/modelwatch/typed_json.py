"""JSON as the types of the model, by msgspec, in any thread.

msgspec describes a dataclass to itself when it first reads one, and other threads find the description before it is
finished: eight threads that read their first register crashed 7 of 60 processes (0.22.0, a segmentation fault). So one
thread reads at a time.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

T = TypeVar("T")

_LOCK = threading.Lock()


def decode(content: bytes | str, kind: type[T]) -> T:
    """``msgspec.json.decode``; raises what that raises."""
    import msgspec

    with _LOCK:
        return msgspec.json.decode(content, type=kind)


def convert(value: Any, kind: type[T]) -> T:
    """``msgspec.convert``; raises what that raises."""
    import msgspec

    with _LOCK:
        return msgspec.convert(value, kind)
