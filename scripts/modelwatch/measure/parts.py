"""Rows that several workers measure: profiles of distinct parts add up, a part that is measured again is replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..clients.patience import RetryPolicy
from ..clients.wandb import open_api, translate_wandb_error
from ..errors import SourceError, UserError
from ..model.measured import PROFILE_ARTIFACT_TYPE, PROFILE_FILE
from ..model.rule import DAY
from ..model.watched import Model
from ..stats.profile.codec import from_bytes
from ..stats.profile.numeric import ProfileMismatchError
from ..stats.profile.table import Profile, merge_profiles
from .publish import artifact_name, partition_file_name, require_wandb_project, run_address


def sum_profile_files(paths: Iterable[Path]) -> Profile:
    """The sum of profile files. Raises SourceError for one that is none, UserError for those that do not add up."""
    return sum_profiles(_read_profile(path) for path in paths)


def sum_profiles(profiles: Iterable[Profile]) -> Profile:
    """Their sum. Raises UserError where they were counted by different plans."""
    try:
        return merge_profiles(profiles)
    except ProfileMismatchError as error:
        hint = "Measure all parts with the same `measure: {reference: ...}`."
        raise UserError(f"these profiles do not add up: {error}", hint=hint) from error


def fetch_other_partitions(
    model: Model, own: Profile, partition: str, env: Mapping[str, str], retry: RetryPolicy, scratch: Path
) -> dict[str, Profile]:
    """What W&B has of the same days and versions, but for this partition, by the names of the others.

    A day that was measured whole before is replaced by its partitions. Raises SourceError.
    """
    spec = require_wandb_project(model)
    api = open_api(spec.base_url, env.get("WANDB_API_KEY", ""), retry, spec.entity)
    found: dict[str, list[Profile]] = {}
    homes = sorted({(cell.window // DAY * DAY, cell.version) for cell in own.cells})
    for place, (day, version) in enumerate(homes):
        name = f"{spec.entity}/{spec.project}/{artifact_name(run_address(model.name, spec, day, version))}:latest"
        try:
            if not api.artifact_exists(name, type=PROFILE_ARTIFACT_TYPE):
                continue
            folder = Path(
                api.artifact(name, type=PROFILE_ARTIFACT_TYPE).download(root=str(scratch / "parts" / str(place)))
            )
        except Exception as error:
            raise translate_wandb_error(error, name) from error
        for path in sorted(folder.glob("*.npz")):
            if path.name not in (PROFILE_FILE, partition_file_name(partition)):
                found.setdefault(path.name[len("part-") : -len(".npz")], []).append(_read_profile(path))
    return {name: sum_profiles(profiles) for name, profiles in found.items()}


def _read_profile(path: Path) -> Profile:
    try:
        return from_bytes(path.read_bytes())[0]
    except OSError as error:
        raise SourceError(f"the profile cannot be read: {error.strerror}.", where=str(path)) from error
    except ValueError as error:
        raise SourceError(str(error), where=str(path)) from error
