"""Enumerations that are words in files and small numbers in columns."""

from __future__ import annotations

from enum import Enum
from functools import cache, cached_property, total_ordering
from typing import Self, cast


class CodedEnum(Enum):
    """``value`` is the word; ``code`` is the member's place in the definition, from 0."""

    @cached_property
    def code(self) -> int:
        return _codes(type(self))[self]

    @classmethod
    def from_code(cls, code: int) -> Self:
        """The member with this code; raises ``ValueError`` for a number that is none (-1 is no severity)."""
        members = _members(cls)
        if not 0 <= code < len(members):
            raise ValueError(f"{code} is no code of {cls.__name__}")
        return cast(Self, members[code])

    def __str__(self) -> str:
        return str(self.value)


class DescribedEnum(CodedEnum):
    """Members are defined by their word and a ``text`` for people."""

    text: str

    def __new__(cls, word: str, text: str) -> Self:
        member = object.__new__(cls)
        member._value_, member.text = word, text
        return member


@cache
def _members(kind: type[CodedEnum]) -> tuple[CodedEnum, ...]:
    return tuple(kind)


@cache
def _codes(kind: type[CodedEnum]) -> dict[CodedEnum, int]:
    return {member: place for place, member in enumerate(kind)}


@total_ordering
class Severity(CodedEnum):
    """info < warning < error < critical; ``Severity("error")`` parses, ``str()`` gives the word back."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Severity):
            return NotImplemented
        return self.code < other.code
