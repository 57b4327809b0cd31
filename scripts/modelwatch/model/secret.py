"""A value that never shows itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret from the environment: ``repr`` and ``str`` mask it, only ``reveal`` gives it away."""

    name: str
    """The environment variable it came from; fit to be shown."""
    _value: str = field(repr=False)

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return "***"
