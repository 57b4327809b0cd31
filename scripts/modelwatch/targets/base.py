"""Who writes the texts that people read; ``report`` implements it."""

from __future__ import annotations

from typing import Protocol

from ..model.alert import Group
from ..model.plan import Note
from ..model.register import Register
from ..model.rendered_text import IncidentText, IssueText


class TextWriter(Protocol):
    """Texts come back escaped and ready to be sent; lengths are the target's business."""

    def issue(self, group: Group | None, register: Register, now: float) -> IssueText:
        """Title and body without the register's block; both empty where there is nothing new to say."""
        ...

    def comment(self, note: Note, group: Group | None, register: Register, now: float) -> str: ...

    def incident(self, group: Group, register: Register | None, issue_url: str, now: float) -> IncidentText: ...
