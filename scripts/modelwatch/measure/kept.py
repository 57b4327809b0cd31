"""Reference profiles that are W&B artifacts; apart from ``reference``, which starts without anything of W&B."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..clients.patience import Patience
from ..clients.wandb import open_api, translate
from ..clients.wandb_writing import RunAddress, writing
from ..model.measured import is_artifact
from ..model.watched import Model
from .publish import FILE, KIND


def keep_reference(
    artifact: str, content: bytes, model: Model, about: Mapping[str, Any], env: Mapping[str, str], patience: Patience
) -> str:
    """A new version of the W&B artifact ``entity/project/name``; gives its name with it. Raises SourceError."""
    entity, project, name = artifact.split("/")
    base_url = model.wandb.base_url if model.wandb else ""
    address = RunAddress(entity, project, f"reference-{name}"[:120], base_url, job_type="reference")
    with writing(address, {}, env.get("WANDB_API_KEY", ""), patience) as run:
        version = run.keep(name, KIND, {FILE: content}, about)
    return f"{artifact}:{version}"


def fetched(reference: str, model: Model, env: Mapping[str, str], patience: Patience) -> str:
    """The path of a reference file; a W&B artifact is downloaded once for each content. Raises SourceError."""
    if not is_artifact(reference):
        return reference
    api = open_api(model.wandb.base_url if model.wandb else "", env.get("WANDB_API_KEY", ""), patience)
    cache = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelwatch" / "profiles"
    try:
        artifact = api.artifact(reference, type=KIND)
        digest = hashlib.sha256(f"{artifact.digest}".encode()).hexdigest()[:32]
        if not (cache / digest / FILE).exists():
            with tempfile.TemporaryDirectory(prefix="modelwatch-reference-") as folder:
                artifact.download(root=folder)
                (cache / digest).mkdir(parents=True, exist_ok=True)
                part = cache / digest / f"{os.getpid()}.part"
                part.write_bytes((Path(folder) / FILE).read_bytes())
                part.replace(cache / digest / FILE)
    except Exception as error:
        raise translate(error, reference) from error
    return str(cache / digest / FILE)
