"""Files that W&B artifacts hold, each downloaded once for what it contains."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .patience import RetryPolicy
from .wandb import open_api, translate_wandb_error


def download_artifact_file(
    artifact: str, kind: str, name: str, base_url: str, env: Mapping[str, str], retry: RetryPolicy
) -> Path:
    """Where the file ``name`` of ``entity/project/name:alias`` lies on this machine. Raises SourceError."""
    api = open_api(base_url, env.get("WANDB_API_KEY", ""), retry)
    cache = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelwatch" / "profiles"
    try:
        found = api.artifact(artifact, type=kind)
        digest = hashlib.sha256(f"{found.digest}".encode()).hexdigest()[:32]
        if not (cache / digest / name).exists():
            with tempfile.TemporaryDirectory(prefix="modelwatch-artifact-") as folder:
                found.download(root=folder)
                (cache / digest).mkdir(parents=True, exist_ok=True)
                part = cache / digest / f"{os.getpid()}.part"
                part.write_bytes((Path(folder) / name).read_bytes())
                part.replace(cache / digest / name)
    except Exception as error:
        raise translate_wandb_error(error, artifact) from error
    return cache / digest / name
