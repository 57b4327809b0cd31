"""Artifact manifests: the list of files with their digests that the client keeps beside them."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .automations import Automations, WebhookIntegration
from .history import to_stored_value
from .records import ArtifactCollection, ArtifactRecord, ProjectRecord, RunRecord, format_time


def md5_digest(content: bytes) -> str:
    """MD5 in base64, as manifests have it."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def make_manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest of files that are stored here."""
    return {
        "version": 1,
        "storagePolicy": "wandb-storage-policy-v1",
        "storagePolicyConfig": {"storageLayout": "V2"},
        "contents": {
            name: {"digest": md5_digest(content), "size": len(content)} for name, content in sorted(files.items())
        },
    }


FEATURES = frozenset(
    {
        "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
        "ARTIFACT_TAGS",
        "AUTOMATION_ACTION_NO_OP",
        "AUTOMATION_EVENT_RUN_METRIC",
        "AUTOMATION_EVENT_RUN_METRIC_CHANGE",
        "AUTOMATION_EVENT_RUN_METRIC_ZSCORE",
        "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
        "QUERY_AUTOMATIONS_ON_ENTITY",
    }
)
"""What the server says it can do; the client asks before it uses these."""


class WandbState:
    """Entities, projects, W&B runs and artifacts. Lock ``lock`` around anything that is more than one call.

    ``keys`` are the API keys let in; ``None`` lets in every key that is long enough. Projects of a known entity come
    into being with their first run.
    """

    def __init__(
        self,
        entities: Iterable[str] = ("acme",),
        keys: Iterable[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lock = threading.RLock()
        self.entities = tuple(entities)
        self.keys = None if keys is None else frozenset(keys)
        self.clock = clock
        self.username = "modelwatch"
        self.projects: dict[tuple[str, str], ProjectRecord] = {}
        self.artifacts: dict[str, ArtifactRecord] = {}
        self.alerts: list[dict[str, Any]] = []
        """The alerts that ``run.alert`` requested."""
        self.automations = Automations(lambda: self.clock())
        self.has_automations = True
        """Whether the team's plan has automations."""
        self.features = FEATURES
        self.rewrites_views = False
        """Whether specifications of views are completed when they are stored."""
        self._numbers = 0

    @property
    def entity(self) -> str:
        """The default entity of the key."""
        return self.entities[0]

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def project(self, entity: str, name: str) -> ProjectRecord | None:
        return self.projects.get((entity, name))

    def add_project(self, entity: str, name: str) -> ProjectRecord:
        """The project, made where it is missing (and its entity let in)."""
        with self.lock:
            if entity not in self.entities:
                self.entities = (*self.entities, entity)
            found = self.projects.get((entity, name))
            if found is None:
                found = ProjectRecord(entity, name, self.next_number(), self.clock())
                self.projects[entity, name] = found
            return found

    def run(self, entity: str, project: str, name: str) -> RunRecord | None:
        found = self.project(entity, project)
        return found.runs.get(name) if found else None

    def start_run(self, entity: str, project: str, name: str) -> RunRecord:
        """An empty W&B run that starts now."""
        with self.lock:
            home = self.add_project(entity, project)
            now = self.clock()
            run = RunRecord(entity, project, name, self.next_number(), now, now, display_name=name, user=self.username)
            home.runs[name] = run
            return run

    def add_run(
        self,
        entity: str,
        project: str,
        id: str,
        config: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        history: Iterable[Mapping[str, Any]] = (),
        created_at: float | None = None,
        *,
        heartbeat_at: float | None = None,
        summary: Mapping[str, Any] | None = None,
        display_name: str = "",
        group: str | None = None,
        job_type: str | None = None,
        state: str = "finished",
    ) -> RunRecord:
        """A whole W&B run at once; an existing one is replaced. Times in seconds, UTC.

        ``config`` is plain (``{"lr": 0.1}``). A row of ``history`` keeps its own ``_step`` and ``_timestamp``; where it
        has none, steps count from 0 and time is ``created_at`` plus a second a step. By default the summary is what the
        last rows say, and the heartbeat is the newest ``_timestamp``.
        """
        with self.lock:
            run = self.start_run(entity, project, id)
            run.created_at = created_at if created_at is not None else run.created_at
            run.history.extend(history)
            for row in run.history.rows:
                row.setdefault("_timestamp", run.created_at + row["_step"])
            run.config = {key: {"value": value} for key, value in (config or {}).items()}
            run.tags = list(tags)
            run.group, run.job_type, run.state = group, job_type, state
            run.display_name = display_name or id
            newest = max((row["_timestamp"] for row in run.history.rows), default=run.created_at)
            run.heartbeat_at = heartbeat_at if heartbeat_at is not None else newest
            if summary is not None:
                run.summary = to_stored_value(dict(summary))
            else:
                for row in run.history.rows:
                    run.summary.update(row)
            return run

    def append_history(self, run: RunRecord, history: Iterable[Mapping[str, Any]]) -> None:
        """More rows of a seeded W&B run, which moves its heartbeat and its summary."""
        with self.lock:
            start = len(run.history.rows)
            run.history.extend(history)
            for row in run.history.rows[start:]:
                row.setdefault("_timestamp", self.clock())
                run.summary.update(row)
                run.heartbeat_at = max(run.heartbeat_at, row["_timestamp"])
            self.automations.look_at_metrics(run)

    def add_webhook(self, entity: str, name: str, url: str, token: str) -> WebhookIntegration:
        """A webhook of a team, with its token, as a person makes it in the settings of the team."""
        with self.lock:
            return self.automations.add_webhook(entity, name, url, token, self.next_number())

    def set_parquet_export(self, run: RunRecord, count: int, parquet: bytes) -> None:
        """From now on the first ``count`` rows are given as this Parquet file, as the service does in time.

        The file has a column a key; a client that scans then asks for the rest by whole pages, which may overlap it.
        """
        with self.lock:
            run.exported_rows, run.parquet = count, parquet

    def backdate(self, run: RunRecord, created_at: float, heartbeat_at: float | None = None) -> None:
        """What no client can do: another start (and last sign of life) of a W&B run that a client wrote."""
        with self.lock:
            run.created_at = created_at
            if heartbeat_at is not None:
                run.heartbeat_at = heartbeat_at

    def ensure_collection(self, entity: str, project: str, name: str, kind: str) -> ArtifactCollection:
        """The artifact collection, made where it is missing."""
        with self.lock:
            home = self.add_project(entity, project)
            found = home.collections.get(name)
            if found is None:
                found = ArtifactCollection(entity, project, name, kind, self.clock(), self.next_number())
                home.collections[name] = found
            return found

    def add_artifact(
        self,
        entity: str,
        project: str,
        name: str,
        files: Mapping[str, bytes],
        kind: str = "model",
        aliases: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        created_at: float | None = None,
        run: RunRecord | None = None,
    ) -> ArtifactRecord:
        """A committed version at once; ``latest`` moves to it."""
        with self.lock:
            home = self.ensure_collection(entity, project, name, kind)
            digest = hashlib.md5(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()
            when = self.clock() if created_at is None else created_at
            version = ArtifactRecord(self.next_number(), home, digest, when, metadata=dict(metadata or {}), run=run)
            version.files = dict(files)
            version.manifest = json.dumps(make_manifest(files)).encode()
            version.pending_aliases = list(aliases)
            self.artifacts[version.id] = version
            self.commit_artifact(version)
            return version

    def commit_artifact(self, artifact: ArtifactRecord) -> None:
        """Give a pending artifact its version and its aliases."""
        with self.lock:
            if artifact.state == "COMMITTED":
                return
            home = artifact.collection
            artifact.state, artifact.version = "COMMITTED", len(home.versions)
            home.versions.append(artifact)
            self.move_aliases(artifact, [*artifact.pending_aliases, "latest"])

    def link_artifact(
        self, artifact: ArtifactRecord, entity: str, project: str, name: str, aliases: Iterable[str] = ()
    ) -> ArtifactRecord:
        """The version's place in a collection of links; linked again, it stays where it is and gets the aliases."""
        with self.lock:
            home = self.ensure_collection(entity, project, name, artifact.collection.type)
            home.is_portfolio = True
            found = next((one for one in home.versions if one.linked_artifact is artifact), None)
            if found is None:
                found = ArtifactRecord(
                    self.next_number(), home, artifact.digest, self.clock(), len(home.versions), "COMMITTED"
                )
                found.linked_artifact = artifact
                home.versions.append(found)
                self.move_aliases(found, ["latest"])
            self.move_aliases(found, aliases)
            return found

    def find_membership(self, artifact: ArtifactRecord, entity: str, project: str, name: str) -> ArtifactRecord | None:
        """The place of a version in a collection: itself in its own, a link in another's."""
        home = self.projects.get((entity, project))
        collection = home.collections.get(name) if home else None
        return next((one for one in collection.versions if one.id == artifact.id), None) if collection else None

    def list_memberships(self, artifact: ArtifactRecord) -> list[ArtifactRecord]:
        """Every place of a version, its own first."""
        links = [
            one
            for project in self.projects.values()
            for collection in project.collections.values()
            if collection.is_portfolio
            for one in collection.versions
            if one.linked_artifact is artifact
        ]
        return [artifact, *links]

    def move_aliases(self, artifact: ArtifactRecord, aliases: Iterable[str]) -> None:
        """An alias names one version of a collection: it leaves the one that had it."""
        with self.lock:
            for alias in aliases:
                for other in artifact.collection.versions:
                    if alias in other.aliases:
                        other.aliases.remove(alias)
                artifact.aliases.append(alias)
                self.automations.look_at_alias(artifact, alias)

    def snapshot(self) -> dict[str, Any]:
        """The state in short, as JSON."""
        with self.lock:
            return {
                f"{project.entity}/{project.name}": {
                    "runs": {name: _run_snapshot(run) for name, run in project.runs.items()},
                    "artifacts": {
                        name: {f"v{version.version}": sorted(version.aliases) for version in collection.versions}
                        for name, collection in project.collections.items()
                    },
                }
                for project in self.projects.values()
            }

    def reset(self) -> None:
        with self.lock:
            self.projects.clear()
            self.artifacts.clear()
            self.alerts.clear()
            self.automations.clear()


def _run_snapshot(run: RunRecord) -> dict[str, Any]:
    return {
        "state": run.state,
        "tags": run.tags,
        "rows": len(run.history.rows),
        "lastStep": run.history.last_step,
        "createdAt": format_time(run.created_at),
        "heartbeatAt": format_time(run.heartbeat_at),
    }
