"""What the W&B stand-in remembers: projects, runs, artifact collections and their versions."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from .history import History


@lru_cache(maxsize=65536)
def format_time(at: float) -> str:
    """Seconds as the service writes times: UTC, whole seconds, ``Z``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(*parts: object) -> str:
    """A node id as the service makes them."""
    return base64.b64encode(":".join(str(part) for part in parts).encode()).decode()


@dataclass(slots=True, eq=False)
class RunRecord:
    """One W&B run. Times in seconds, UTC."""

    entity: str
    project: str
    name: str
    """What the client calls the run's id."""
    number: int
    created_at: float
    heartbeat_at: float
    display_name: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    """As on the wire: ``{"lr": {"value": 0.1}}``."""
    config_text: str = ""
    """The same as some client sent it, where no Python object stands for it."""
    summary: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    group: str | None = None
    job_type: str | None = None
    state: str = "running"
    exit_code: int | None = None
    exported_rows: int = 0
    """So many of the oldest rows are given as ``parquet``, the rest live."""
    parquet: bytes = b""
    user: str = "modelwatch"
    notes: str | None = None
    description: str | None = None
    host: str | None = None
    commit: str | None = None
    history: History = field(default_factory=History)
    events: History = field(default_factory=History)
    output: dict[int, str] = field(default_factory=dict)
    """Console lines by offset."""
    files: dict[str, bytes] = field(default_factory=dict)
    input_artifact_ids: list[str] = field(default_factory=list)
    """Ids of the artifacts it declared as inputs."""

    @property
    def id(self) -> str:
        return node_id("Run", "v1", self.name, self.project, self.entity)


@dataclass(slots=True, eq=False)
class ArtifactRecord:
    """One version of an artifact."""

    number: int
    collection: ArtifactCollection
    digest: str
    created_at: float
    version: int | None = None
    """``None`` until it is committed."""
    state: str = "PENDING"
    client_id: str = ""
    description: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    pending_aliases: list[str] = field(default_factory=list)
    """Aliases that it gets once it is committed."""
    run: RunRecord | None = None
    manifest: bytes = b""
    files: dict[str, bytes] = field(default_factory=dict)
    ttl: int = -1
    history_step: int | None = None
    updated_at: float | None = None
    linked_artifact: ArtifactRecord | None = None
    """Of a link in a registry: the version that it stands for; index and aliases are the link's own."""

    @property
    def id(self) -> str:
        return node_id("Artifact", (self.linked_artifact or self).number)

    @property
    def size(self) -> int:
        return sum(len(content) for content in self.files.values())


@dataclass(slots=True, eq=False)
class ArtifactCollection:
    """The versions of one artifact."""

    entity: str
    project: str
    name: str
    type: str
    created_at: float
    number: int
    description: str | None = None
    versions: list[ArtifactRecord] = field(default_factory=list)
    """Committed ones, oldest first."""
    is_portfolio: bool = False
    """Its versions are links, as a registry's are."""

    @property
    def typename(self) -> str:
        return "ArtifactPortfolio" if self.is_portfolio else "ArtifactSequence"

    @property
    def id(self) -> str:
        return node_id("ArtifactCollection", self.number)


@dataclass(slots=True, eq=False)
class ViewRecord:
    """A saved view of a workspace, or a report. ``spec`` is JSON, kept as it was sent."""

    entity: str
    project: str
    type: str
    id: str
    created_at: float
    updated_at: float = 0.0
    name: str = ""
    display_name: str = ""
    description: str = ""
    spec: str = "{}"


@dataclass(slots=True, eq=False)
class ProjectRecord:
    entity: str
    name: str
    number: int
    created_at: float
    runs: dict[str, RunRecord] = field(default_factory=dict)
    collections: dict[str, ArtifactCollection] = field(default_factory=dict)
    views: dict[str, ViewRecord] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return node_id("Project", "v1", self.name, self.entity)
