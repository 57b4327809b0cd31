"""Reference profiles that are W&B artifacts; apart from ``reference``, which starts without anything of W&B."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..clients.patience import RetryPolicy
from ..clients.wandb_kept import download_artifact_file
from ..clients.wandb_writing import RunAddress, open_run
from ..model.measured import PROFILE_ARTIFACT_TYPE, PROFILE_FILE, is_artifact
from ..model.watched import Model


def upload_reference(
    artifact: str, content: bytes, model: Model, metadata: Mapping[str, Any], env: Mapping[str, str], retry: RetryPolicy
) -> str:
    """A new version of the W&B artifact ``entity/project/name``; gives its name with it. Raises SourceError."""
    entity, project, name = artifact.split("/")
    base_url = model.wandb.base_url if model.wandb else ""
    address = RunAddress(entity, project, f"reference-{name}"[:120], base_url, job_type="reference")
    with open_run(address, {}, env.get("WANDB_API_KEY", ""), retry) as run:
        version = run.log_artifact(name, PROFILE_ARTIFACT_TYPE, {PROFILE_FILE: content}, metadata)
    return f"{artifact}:{version}"


def fetch_reference(reference: str, model: Model, env: Mapping[str, str], retry: RetryPolicy) -> str:
    """The path of a reference file; a W&B artifact is downloaded once for each content. Raises SourceError."""
    if not is_artifact(reference):
        return reference
    base_url = model.wandb.base_url if model.wandb else ""
    return str(download_artifact_file(reference, PROFILE_ARTIFACT_TYPE, PROFILE_FILE, base_url, env, retry))
