"""Downloads from artifacts whose manifests somebody else wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.clients.wandb import WandbSessions, open_api
from modelwatch.clients.wandb_artifacts import WantedFiles, download_artifact, download_profiles
from modelwatch.errors import SourceError
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

KEY = "k" * 40
HASTY = RetryPolicy(max_attempts=2, initial_wait=0.0, timeout=2.0)
FILES = {"a.npz": b"first", "deep/b.npz": b"second", "notes.txt": b"not wanted"}
WANTED = WantedFiles((".npz",), max_bytes=1000, seconds=60.0)

Wandb = Server[WandbStandIn]


def download(server: Wandb, folder: Path, entries: Mapping[str, Any], wanted: WantedFiles = WANTED) -> dict[str, bytes]:
    """What a download gives, with ``entries`` of the manifest replaced or added."""
    record = server.standin.state.add_artifact("acme", "p", "profile", FILES)
    manifest = json.loads(record.manifest)
    for name, entry in entries.items():
        manifest["contents"][name] = manifest["contents"].get(name, {}) | entry
    record.manifest = json.dumps(manifest).encode()
    api = open_api(server.url, KEY, HASTY)
    download_artifact(api, api.artifact("acme/p/profile:latest"), wanted, folder, HASTY)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fetched(server: Wandb) -> list[str]:
    return [request.path for request in list(server.requests) if "/storage/artifacts/" in request.path]


def test_only_the_wanted_files_are_fetched(wandb_server: Wandb, tmp_path: Path) -> None:
    assert download(wandb_server, tmp_path / "files", {}) == {"a.npz": b"first", "deep/b.npz": b"second"}
    assert len(fetched(wandb_server)) == 2


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"a.npz": {"ref": "file:///dev/zero"}}, r"'a\.npz' is a reference"),
        ({"new.npz": {"ref": "http://169.254.169.254/latest", "digest": "x", "size": 5}}, r"'new\.npz' is a reference"),
        ({"../out.npz": {"digest": "x", "size": 5}}, r"'\.\./out\.npz' lies outside"),
        ({"/out.npz": {"digest": "x", "size": 5}}, r"'/out\.npz' lies outside"),
        ({"a.npz": {"size": 5000}}, "has 0 MB; at most"),
    ],
)
def test_what_the_manifest_may_not_name_is_refused_before_anything_is_fetched(
    wandb_server: Wandb, tmp_path: Path, entries: Mapping[str, Any], told: str
) -> None:
    with pytest.raises(SourceError, match=told):
        download(wandb_server, tmp_path, entries)
    assert fetched(wandb_server) == []


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"size": 2}, "larger than it may be"),
        ({"size": 50}, "'a.npz' is not the file"),
        ({"digest": "bm90IHRoaXM="}, "'a.npz' is not the file"),
    ],
)
def test_a_file_that_is_not_what_its_manifest_says_is_refused(
    wandb_server: Wandb, tmp_path: Path, entry: Mapping[str, Any], told: str
) -> None:
    with pytest.raises(SourceError, match=told) as error:
        download(wandb_server, tmp_path, {"a.npz": entry})
    assert "first" not in str(error.value)


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b"[" * 100_000, b'{"contents": {"a.npz": 3}}'])
def test_a_manifest_that_is_none_is_told(wandb_server: Wandb, tmp_path: Path, manifest: bytes) -> None:
    record = wandb_server.standin.state.add_artifact("acme", "p", "profile", FILES)
    record.manifest = manifest
    api = open_api(wandb_server.url, KEY, HASTY)
    with pytest.raises(SourceError, match="the artifact's manifest cannot be read"):
        download_artifact(api, api.artifact("acme/p/profile:latest"), WANTED, tmp_path, HASTY)


@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        ("model", {"a.npz": {"size": float("inf")}}),
        ("model", {f"{'n' * 300}.npz": {"digest": "x", "size": 5}}),
        ("model", {"a.npz/b.npz": {"digest": "x", "size": 1}}),
        ("dataset", {}),
    ],
)
def test_what_somebody_logged_is_never_taken_for_a_server_that_is_down(
    wandb_server: Wandb, tmp_path: Path, kind: str, entries: Mapping[str, Any]
) -> None:
    """Else the other models would not even ask."""
    record = wandb_server.standin.state.add_artifact("acme", "p", "profile", FILES)
    manifest = json.loads(record.manifest)
    for name, entry in entries.items():
        manifest["contents"][name] = manifest["contents"].get(name, {}) | entry
    record.manifest = json.dumps(manifest).encode()
    env = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": wandb_server.url, "XDG_CACHE_HOME": str(tmp_path)}
    with pytest.raises(SourceError) as caught:
        download_profiles(WandbSessions(env), "acme/p/profile:latest", kind)
    assert not caught.value.is_shared, caught.value


@pytest.mark.parametrize("path", ["/storage/manifests/", "/storage/artifacts/"])
def test_a_storage_that_drips_is_left_in_time(wandb_server: Wandb, tmp_path: Path, path: str) -> None:
    wandb_server.inject(Fault("drip", path=path, seconds=0.1, times=-1))
    with pytest.raises(SourceError, match=r"in time|storage cannot be read"):
        download(wandb_server, tmp_path, {}, WantedFiles((".npz",), 1000, seconds=0.6))


def test_a_moment_of_trouble_is_bridged_and_a_redirect_is_not_followed(wandb_server: Wandb, tmp_path: Path) -> None:
    wandb_server.inject(Fault("status", path="/storage/artifacts/", status=503))
    assert len(download(wandb_server, tmp_path / "one", {})) == 2
    elsewhere = (("Location", f"{wandb_server.url}/elsewhere"),)
    wandb_server.inject(Fault("status", path="/storage/artifacts/", status=302, headers=elsewhere, times=-1))
    with pytest.raises(SourceError, match="answered HTTP 302"):
        download(wandb_server, tmp_path / "two", {})
    assert not [request for request in wandb_server.requests if "elsewhere" in request.path]


@pytest.mark.parametrize("words", ["Request has expired", "Signature not valid in the specified time frame"])
def test_an_address_that_has_expired_is_told_as_such(wandb_server: Wandb, tmp_path: Path, words: str) -> None:
    body = f"<Error><Code>AccessDenied</Code><Message>{words}</Message><Secret>hunter2</Secret></Error>"
    wandb_server.inject(Fault("status", path="/storage/artifacts/", status=403, body=body, times=-1))
    with pytest.raises(SourceError, match=r"answered HTTP 403\. .* has expired") as caught:
        download(wandb_server, tmp_path, {})
    assert "hunter2" not in str(caught.value)
