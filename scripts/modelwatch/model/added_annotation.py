"""What people add to the charts of the dashboard."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddedAnnotation:
    """One entry of ``annotations.yml``; times are seconds (UTC)."""

    at: float
    text: str
    until: float | None = None
    """``None``: a moment, not a period."""
    models: tuple[str, ...] = ()
    """Names; none: every model."""
    url: str = ""
    by: str = ""
    incident: bool = False
    """Whether the model was worse in this period: what its rules should find."""

    def is_about(self, model: str) -> bool:
        return not self.models or model in self.models
