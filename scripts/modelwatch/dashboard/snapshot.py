"""Everything that was read of one model for its pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model.alert import Group
from ..model.finding import ModelFindings
from ..model.monitored_model import Model
from ..model.plan import ModelObservation, ObservedIssue
from ..model.register import Register
from ..model.release import Registry
from ..model.series import PulledSeries
from .page import Annotation


@dataclass(frozen=True, slots=True)
class ModelSnapshot:
    """One model as of ``now``: the pages are a pure function of it."""

    model: Model
    now: float
    pull: PulledSeries
    findings: ModelFindings
    groups: tuple[Group, ...]
    registers: Mapping[str, Register] = field(default_factory=dict)
    """Of the groups, by key."""
    observation: ModelObservation | None = None
    other_issues: tuple[ObservedIssue, ...] = ()
    """Those of other models that lead alerts of this one."""
    registry: Registry | None = None
    shown: PulledSeries | None = None
    """What no rule reads and pages show where it is logged: see ``sources.shown_keys``."""
    added: tuple[Annotation, ...] = ()
    """What people added with ``modelwatch annotate``."""
    problems: tuple[str, ...] = ()
    """What could not be read, as text."""
