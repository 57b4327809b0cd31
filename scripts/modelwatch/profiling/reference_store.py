"""The reference profile of a training set: captured once, kept in a file, never read from the rows again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..clients.retry import RetryPolicy
from ..clients.wandb import download_artifact_file
from ..clients.wandb_runs import RunAddress, open_run
from ..errors import SourceError
from ..model.monitored_model import Model
from ..model.prediction_log import PROFILE_ARTIFACT_TYPE, PROFILE_FILE, MeasureSpec, is_artifact
from ..stats.profile.codec import from_bytes, to_bytes
from ..stats.profile.table import Profile, ProfileKey, TableProfile
from .plan_inference import infer_and_profile
from .readers import PredictionLog


def capture_reference(log: PredictionLog, spec: MeasureSpec) -> Profile:
    """The profile of a whole table, without windows, versions and outcomes.

    Of score, prediction, label and value only those count that the table has. Raises SourceError.
    """
    there = set(log.names())
    present: dict[str, Any] = {
        name: getattr(spec, name) if getattr(spec, name) in there else ""
        for name in ("id", "score", "prediction", "label", "label_time", "value")
    }
    features = spec.features or tuple(name for name in log.names() if name not in spec.role_columns)
    plain = replace(replace(spec, **present), time="", version="", outcomes=None, features=features)
    _, profile = infer_and_profile(log, plain)
    whole = replace(profile.whole(), ids=None)
    return Profile({ProfileKey(): whole})


def write_reference(path: Path, profile: Profile, metadata: Mapping[str, Any]) -> bytes:
    """Writes the file; gives its content, which is the same for the same profile."""
    content = to_bytes(profile, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


def read_reference(path: str) -> tuple[TableProfile, dict[str, Any]]:
    """The whole profile in a reference file, and what is known of its origin. Raises SourceError."""
    hint = "Write it with `modelwatch baseline capture --from-table`."
    try:
        profile, about = from_bytes(Path(path).read_bytes())
    except OSError as error:
        raise SourceError(f"the reference profile cannot be read: {error.strerror}.", hint=hint, where=path) from error
    except ValueError as error:
        raise SourceError(str(error), hint=hint, where=path) from error
    return profile.whole(), about


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
