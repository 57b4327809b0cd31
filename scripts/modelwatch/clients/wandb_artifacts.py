"""Downloads from W&B artifacts: only files that W&B itself stores, only the wanted ones, and only so many bytes.

The client's own ``download`` follows references: a manifest may name any address or local file, and anybody who may
log an artifact writes it. Here such an entry is refused, and nothing that was fetched is ever quoted.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import SourceError, shorten
from .http import RETRY_STATUSES, is_secure_url
from .retry import RetryPolicy
from .wandb import WandbDownError, WandbSessions, call_timeout, translate_wandb_error

if TYPE_CHECKING:
    import wandb

MAX_MANIFEST_BYTES = 32 << 20
"""About 150,000 files."""
MAX_FILES = 10_000
"""Wanted files of one artifact."""
_NAMES_PER_CALL = 100
_WORKERS = 8
_CHUNK = 1 << 16
_MB = 1 << 20
_MANIFEST = "query ArtifactManifest($id: ID!) { artifact(id: $id) { currentManifest { file { directUrl } } } }"


@dataclass(frozen=True, slots=True)
class WantedFiles:
    """Which files of an artifact are downloaded."""

    suffixes: tuple[str, ...]
    max_bytes: int
    """Of all of them."""
    seconds: float
    """For all of them, however slowly they come."""


PROFILES = WantedFiles((".npz",), 256 * _MB, 60.0)
TABLES = WantedFiles(
    (".parquet", ".pq", ".csv", ".csv.gz", ".csv.bz2", ".csv.zst", ".table.json"), 64 * 1024 * _MB, 3600.0
)


@dataclass(frozen=True, slots=True)
class _ManifestEntry:
    name: str
    size: int | None
    """In bytes; ``None`` where the manifest does not say."""
    md5: str
    """In base64; empty where the manifest has another digest."""
    is_reference: bool


def download_artifact(api: wandb.Api, artifact: Any, wanted: WantedFiles, folder: Path, retry: RetryPolicy) -> None:
    """Download the wanted files of ``artifact`` (as ``api.artifact`` gave it) into ``folder``.

    Raises SourceError for a wanted entry that is a reference, for files that are larger or other than the manifest
    says, and where W&B does not answer.
    """
    download = _Download(api, artifact, wanted, folder, retry)
    entries = [entry for entry in download.read_manifest() if entry.name.endswith(wanted.suffixes)]
    download.check(entries)
    with ThreadPoolExecutor(_WORKERS) as executor:
        for start in range(0, len(entries), _NAMES_PER_CALL):
            part = entries[start : start + _NAMES_PER_CALL]
            addresses = download.find_addresses([entry.name for entry in part])
            list(executor.map(partial(download.save, addresses), part))


def download_profiles(sessions: WandbSessions, artifact: str, kind: str, base_url: str = "") -> Path:
    """The local folder of the profiles in ``entity/project/name:alias``, downloaded once for each content.

    Raises SourceError.
    """
    api = sessions.session(base_url)
    cache = sessions.cache_folder / "profiles"
    try:
        version = api.artifact(artifact, type=kind)
        content = f"{artifact.partition(':')[0]} {version.digest}"
        folder = cache / hashlib.sha256(content.encode()).hexdigest()[:32]
        if not folder.exists():
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as scratch:
                files = Path(scratch, "files")
                files.mkdir()
                download_artifact(api, version, PROFILES, files, sessions.retry)
                try:
                    files.rename(folder)
                except OSError:
                    if not folder.exists():  # else another process was faster
                        raise
    except Exception as error:
        raise translate_wandb_error(error, artifact) from error
    return folder


class _Download:
    def __init__(self, api: wandb.Api, artifact: Any, wanted: WantedFiles, folder: Path, retry: RetryPolicy) -> None:
        self._api = api
        self._artifact = artifact
        self._max_bytes = wanted.max_bytes
        self._folder = folder
        self._where = str(artifact.qualified_name)
        self._retry = retry
        self._until = time.monotonic() + wanted.seconds

    def read_manifest(self) -> list[_ManifestEntry]:
        try:
            answer: Any = self._api._service_api.execute_graphql(
                _MANIFEST, {"id": self._artifact.id}, timeout=call_timeout(self._retry)
            )
        except Exception as error:
            raise translate_wandb_error(error, self._where) from error
        content = io.BytesIO()
        try:
            self._fetch(str(answer["artifact"]["currentManifest"]["file"]["directUrl"]), content, MAX_MANIFEST_BYTES)
            contents = json.loads(content.getvalue())["contents"]
            return [_read_entry(str(name), entry) for name, entry in contents.items()]
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
            raise self._error("the artifact's manifest cannot be read.") from None

    def check(self, entries: list[_ManifestEntry]) -> None:
        """Before anything is fetched. Raises SourceError."""
        for entry in entries:
            path = PurePosixPath(entry.name)
            if entry.is_reference:
                raise self._error(
                    f"the artifact's entry {entry.name!r} is a reference to somewhere else, which is not followed.",
                    "Log the file itself (`artifact.add_file`), or name the place it lies in.",
                )
            if path.is_absolute() or ".." in path.parts or not path.name or "\0" in entry.name:
                raise self._error(f"the artifact's entry {entry.name!r} lies outside of it.")
        total = sum(entry.size or 0 for entry in entries)
        if len(entries) > MAX_FILES:
            raise self._error(f"the artifact has {len(entries)} files; at most {MAX_FILES} are read.")
        if total > self._max_bytes:
            limit = f"at most {self._max_bytes / _MB:,.0f} MB are read."
            raise self._error(f"the artifact has {total / _MB:,.0f} MB; {limit}")

    def find_addresses(self, names: list[str]) -> dict[str, str]:
        """By name the addresses at which the files can be fetched in the next minutes."""
        try:
            files = self._artifact.files(names=names, per_page=_NAMES_PER_CALL)
            return {str(file.name): str(file.direct_url) for file in files}
        except Exception as error:
            raise translate_wandb_error(error, self._where) from error

    def save(self, addresses: Mapping[str, str], entry: _ManifestEntry) -> None:
        """Fetch one file, and hold it to its size and digest."""
        path = self._folder / entry.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            out = path.open("w+b")
        except (OSError, ValueError):
            raise self._error(
                f"no file can be named as the artifact's entry {shorten(repr(entry.name), 80)}."
            ) from None
        with out:
            self._fetch(addresses.get(entry.name, ""), out, self._max_bytes if entry.size is None else entry.size)
            size = out.tell()
            out.seek(0)
            digest = hashlib.file_digest(out, partial(hashlib.md5, usedforsecurity=False)).digest()
        if entry.size not in (None, size) or (entry.md5 and base64.b64encode(digest).decode() != entry.md5):
            path.unlink()
            raise self._error(f"{entry.name!r} is not the file that the artifact's manifest describes.")

    def _fetch(self, address: str, out: BinaryIO, max_bytes: int) -> None:
        """Write what lies at ``address`` to ``out``. Addresses are signed, so errors do not show them."""
        if not is_secure_url(address):
            raise self._error("W&B gives no https address for a file of the artifact.")
        problem = self._fetch_once(address, out, max_bytes)
        for wait in self._retry.backoffs():
            if not problem or time.monotonic() + wait > self._until:
                break
            time.sleep(wait)
            problem = self._fetch_once(address, out, max_bytes)
        if problem:
            raise WandbDownError(f"W&B's storage cannot be read: {problem}.", where=self._where)

    def _fetch_once(self, address: str, out: BinaryIO, max_bytes: int) -> str:
        """What went wrong in a way that may be better next time; raises SourceError where it will not."""
        import requests
        from urllib3.exceptions import HTTPError

        from .request_deadline import bound_session

        out.seek(0)
        out.truncate()
        left = self._until - time.monotonic()
        if left <= 0:
            raise self._error("the artifact could not be read in time.")
        try:
            with (
                bound_session(requests.Session(), min(left, self._retry.timeout)) as session,
                session.get(address, stream=True, timeout=self._retry.timeout, allow_redirects=False) as answer,
            ):
                if answer.status_code in RETRY_STATUSES:
                    return f"it answered HTTP {answer.status_code}"
                if answer.status_code != requests.codes.ok:
                    hint = (
                        "The signed address has expired; the next evaluation gets another." if _expired(answer) else ""
                    )
                    raise self._error(f"W&B's storage answered HTTP {answer.status_code}.", hint)
                while chunk := answer.raw.read1(_CHUNK, decode_content=True):
                    out.write(chunk)
                    if out.tell() > max_bytes:
                        raise self._error("a file of the artifact is larger than it may be, or than W&B says.")
                    if time.monotonic() > self._until:
                        raise self._error("the artifact could not be read in time.")
        except (requests.RequestException, HTTPError) as error:
            return f"no answer ({type(error).__name__})"
        return ""

    def _error(self, text: str, hint: str = "") -> SourceError:
        return SourceError(text, hint=hint, where=self._where)


def _expired(answer: Any) -> bool:
    """Whether the storage says that the signature is too old: in the words of S3, Google's and Azure's."""
    words = answer.raw.read(4096, decode_content=True).lower()
    return any(word in words for word in (b"expired", b"not valid in the specified time frame"))


def _read_entry(name: str, entry: Mapping[str, Any]) -> _ManifestEntry:
    """An entry of a manifest of version 1; an entry whose digest is not MD5 says so in ``extra``."""
    md5 = "" if (entry.get("extra") or {}).get("alg") else str(entry.get("digest") or "")
    size = None if entry.get("size") is None else max(int(entry["size"]), 0)
    return _ManifestEntry(name, size, md5, bool(entry.get("ref")))
