"""A stateful W&B server for the real client: runs, history, artifacts and aliases, over loopback HTTP."""

from __future__ import annotations

from .records import ArtifactCollection, ArtifactRecord, ProjectRecord, RunRecord
from .standin import WandbStandIn
from .state import WandbState

__all__ = ["ArtifactCollection", "ArtifactRecord", "ProjectRecord", "RunRecord", "WandbStandIn", "WandbState"]
