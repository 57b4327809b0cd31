"""Artifact manifests: the list of files with their digests that the client keeps beside them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any


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


def named_in(manifest: bytes) -> dict[str, Any]:
    """The entries of a manifest; none where it is not one."""
    try:
        contents = json.loads(manifest)["contents"]
    except (ValueError, KeyError, TypeError):
        return {}
    return contents if isinstance(contents, dict) else {}
