"""W&B's registry through its own client: versions of a collection, aliases one by one, W&B runs written in one call.

``Artifact.save`` would write back everything that was fetched before, metadata included, and so erase what somebody
else wrote meanwhile. Here an alias moves with the mutation that ``save`` begins with, and nothing else is sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..errors import SourceError, SourceNameError
from .retry import RetryPolicy
from .wandb import call_timeout, find_runs, translate_wandb_error

if TYPE_CHECKING:
    import wandb

MAX_VERSIONS = 1000
"""How many of the newest versions of a collection are read."""
MAX_RUNS = 500
PAGE_SIZE = 100
PRODUCERS_PER_CALL = 30

_ADD = "mutation AddAliases($input: AddAliasesInput!) { addAliases(input: $input) { success } }"
_DELETE = "mutation DeleteAliases($input: DeleteAliasesInput!) { deleteAliases(input: $input) { success } }"
_PRODUCER_FIELDS = """createdBy { __typename ... on Run {
  id name commit config summaryMetrics user { username } project { name entity { name } }
} }"""
_UPSERT = """mutation UpsertBucket($entity: String!, $project: String!, $name: String!, $displayName: String,
  $jobType: String, $tags: [String!], $config: JSONString) {
  upsertBucket(input: {entityName: $entity, modelName: $project, name: $name, displayName: $displayName,
    jobType: $jobType, tags: $tags, config: $config}) {
    bucket { id name createdAt } inserted
  }
}"""
_SUMMARY = """mutation UpsertBucket($entity: String!, $project: String!, $name: String!, $summaryMetrics: JSONString) {
  upsertBucket(input: {entityName: $entity, modelName: $project, name: $name, summaryMetrics: $summaryMetrics}) {
    bucket { id name } inserted
  }
}"""


@dataclass(frozen=True, slots=True)
class ArtifactVersion:
    """One version, as the list of its collection shows it. ``created`` in W&B's own text."""

    id: str
    name: str
    """``v7``."""
    aliases: tuple[str, ...]
    digest: str
    created: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProducerRun:
    """The W&B run that logged a version."""

    path: str
    commit: str
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    user: str


class RegistrySession:
    """One session for one collection; every call ends in time and raises SourceError."""

    def __init__(self, api: wandb.Api, artifact: str, kind: str, retry: RetryPolicy) -> None:
        """``artifact``: ``entity/project/collection``, or a registry's ``organization/wandb-registry-x/collection``."""
        self.api = api
        self.artifact, self.kind = artifact, kind
        self._retry = retry
        self._timeout = call_timeout(retry)
        self._target: dict[str, str] = {}

    def versions(self) -> list[ArtifactVersion]:
        """Newest first, deleted ones left out."""
        try:
            collection = self.api.artifacts(self.kind, self.artifact, per_page=PAGE_SIZE)
            entity, project, name = collection.entity, collection.project, collection.collection_name
            self._target = {"entityName": entity, "projectName": project, "artifactCollectionName": name}
            versions = [_artifact_version(artifact) for artifact in islice(collection, MAX_VERSIONS)]
        except Exception as error:
            raise self._translate_error(error) from error
        return sorted(versions, key=_version_number, reverse=True)

    def producer_runs(self, ids: Sequence[str]) -> dict[str, ProducerRun]:
        """Version id -> the W&B run that logged it, where one did."""
        producers = {}
        for start in range(0, len(ids), PRODUCERS_PER_CALL):
            part = ids[start : start + PRODUCERS_PER_CALL]
            names = [f"a{index}" for index in range(len(part))]
            declared = ", ".join(f"${name}: ID!" for name in names)
            fields = " ".join(f"{name}: artifact(id: ${name}) {{ {_PRODUCER_FIELDS} }}" for name in names)
            answer = self._execute_graphql(
                f"query ArtifactMakers({declared}) {{ {fields} }}", dict(zip(names, part, strict=True))
            )
            for name, id in zip(names, part, strict=True):
                run = (answer.get(name) or {}).get("createdBy") or {}
                if run.get("__typename") == "Run":
                    producers[id] = _producer_run(run)
        return producers

    def add_alias(self, id: str, alias: str) -> None:
        """Give the version ``id`` the ``alias``; W&B takes it from its holder in the same step."""
        self._change_alias(_ADD, id, alias)

    def remove_alias(self, id: str, alias: str) -> None:
        """Take ``alias`` from the version ``id``."""
        self._change_alias(_DELETE, id, alias)

    def find_runs(self, path: str, filters: Mapping[str, Any]) -> list[Any]:
        """The W&B runs of ``entity/project`` that match, read anew; none where there is no such project yet."""
        count = iter(range(MAX_RUNS))
        try:
            return find_runs(self.api, path, filters, lambda _: next(count, None) is None)
        except SourceError as error:
            if "Could not find project" in error.message:
                return []
            raise

    def upsert_run(
        self, path: tuple[str, str, str], *, title: str, job_type: str, tags: Iterable[str], config: Mapping[str, Any]
    ) -> bool:
        """The W&B run ``(entity, project, id)`` in one request: it is there as a whole, or not at all.

        Returns whether it is new: of several processes that write the same one at once, one gets True. Its summary
        stays. Where an answer was lost and the client sent the request again, it is not new either.
        """
        values = {name: {"value": value} for name, value in config.items()}
        answer = self._execute_graphql(
            _UPSERT,
            {
                **_run_variables(path),
                "displayName": title,
                "jobType": job_type,
                "tags": list(tags),
                "config": json.dumps(values, allow_nan=False),
            },
        )
        return bool((answer.get("upsertBucket") or {}).get("inserted"))

    def write_summary(self, path: tuple[str, str, str], summary: Mapping[str, Any]) -> None:
        """Replace the summary of the W&B run, and nothing else of it."""
        self._execute_graphql(
            _SUMMARY, {**_run_variables(path), "summaryMetrics": json.dumps(summary, allow_nan=False)}
        )

    def send_heartbeat(self, path: tuple[str, str, str]) -> None:
        """A sign of life of the W&B run; five minutes after the last one W&B shows it as crashed."""
        self._post_file_stream(path, {"complete": False, "failed": False})

    def finish_run(self, path: tuple[str, str, str], *, succeeded: bool) -> None:
        """Mark the W&B run as finished or failed."""
        self._post_file_stream(path, {"complete": True, "exitcode": 0 if succeeded else 1})

    def _post_file_stream(self, path: tuple[str, str, str], body: Mapping[str, Any]) -> None:
        """What the client's own writer sends while a W&B run lives and when it ends; no query can do that."""
        import requests

        from .request_deadline import bound_session

        url = f"{self.api.settings['base_url']}/files/{'/'.join(quote(part, safe='') for part in path)}/file_stream"
        login = ("api", self.api.api_key or "")
        seconds = self._retry.timeout
        try:
            with bound_session(requests.Session(), seconds) as session:
                answer = session.post(url, json=body, auth=login, timeout=seconds, allow_redirects=False)
        except requests.RequestException as error:
            raise SourceError(f"W&B gave no answer ({type(error).__name__}).", where="/".join(path)) from error
        if not 200 <= answer.status_code < 300:
            raise SourceError(f"W&B answered HTTP {answer.status_code}.", where="/".join(path))

    def _change_alias(self, mutation: str, id: str, alias: str) -> None:
        if not self._target:
            self.versions()  # A registry's entity is not the one that its path names.
        self._execute_graphql(mutation, {"input": {"artifactID": id, "aliases": [{**self._target, "alias": alias}]}})

    def _execute_graphql(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer: Any = self.api._service_api.execute_graphql(query, variables, timeout=self._timeout)
        except Exception as error:
            raise translate_wandb_error(error, self.artifact) from error
        if not isinstance(answer, dict):
            hint = "A proxy may be in the way."
            raise SourceError("W&B's answer is not what its client expects.", hint=hint, where=self.artifact)
        return answer

    def _translate_error(self, error: Exception) -> SourceError:
        if isinstance(error, ValueError) and "Unable to parse" in str(error):
            return SourceNameError(
                f"W&B has no artifact collection of type {self.kind!r} with this path.",
                hint="Check `release: {artifact, type}`: entity/project/name as in W&B, and the key's access.",
                where=self.artifact,
            )
        return translate_wandb_error(error, self.artifact)


def _artifact_version(artifact: Any) -> ArtifactVersion:
    return ArtifactVersion(
        id=str(artifact.id),
        name=str(artifact.name).rpartition(":")[2],  # In a registry, `version` is that of the project that logged it.
        aliases=tuple(sorted(str(alias) for alias in artifact.aliases)),
        digest=str(artifact.digest),
        created=str(artifact.created_at),
        metadata=dict(artifact.metadata or {}),
    )


def _version_number(version: ArtifactVersion) -> int:
    return int(version.name[1:]) if version.name[1:].isdigit() else -1


def _producer_run(run: Mapping[str, Any]) -> ProducerRun:
    project = run.get("project") or {}
    entity = (project.get("entity") or {}).get("name", "")
    config = _parse_object(run.get("config"))
    return ProducerRun(
        path=f"{entity}/{project.get('name', '')}/{run.get('name', '')}",
        commit=str(run.get("commit") or ""),
        config={
            name: _unwrap_value(value) for name, value in config.items() if name not in ("_wandb", "wandb_version")
        },
        summary=_parse_object(run.get("summaryMetrics")),
        user=str((run.get("user") or {}).get("username") or ""),
    )


def _unwrap_value(value: Any) -> Any:
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _parse_object(text: Any) -> dict[str, Any]:
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _run_variables(path: tuple[str, str, str]) -> dict[str, str]:
    entity, project, name = path
    return {"entity": entity, "project": project, "name": name}
