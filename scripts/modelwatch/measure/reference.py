"""The reference profile of a training set: captured once, kept in a file, never read from the rows again."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..clients.patience import Patience
from ..clients.wandb import open_api, translate
from ..clients.wandb_writing import RunAddress, writing
from ..errors import SourceError
from ..model.measured import MeasureSpec, is_artifact
from ..model.watched import Model
from ..stats.profile.codec import from_bytes, to_bytes
from ..stats.profile.table import Cell, Profile, TableProfile
from .capture import capture
from .publish import FILE, KIND
from .reading import Log


def capture_reference(log: Log, spec: MeasureSpec) -> Profile:
    """The profile of a whole table, without windows, versions and outcomes.

    Of score, prediction, label and value only those count that the table has. Raises SourceError.
    """
    there = set(log.names())
    present: dict[str, Any] = {
        name: getattr(spec, name) if getattr(spec, name) in there else ""
        for name in ("id", "score", "prediction", "label", "label_time", "value")
    }
    features = spec.features or tuple(name for name in log.names() if name not in spec.roles)
    plain = replace(replace(spec, **present), time="", version="", outcomes=None, features=features)
    _, profile = capture(log, plain)
    whole = replace(profile.whole(), ids=None)
    return Profile({Cell(): whole})


def write_reference(path: Path, profile: Profile, about: Mapping[str, Any]) -> bytes:
    """Writes the file; gives its content, which is the same for the same profile."""
    content = to_bytes(profile, about)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


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
