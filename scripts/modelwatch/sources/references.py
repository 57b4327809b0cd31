"""Reference profiles of drift rules: each column of a captured training set as one histogram."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..model.drift import DriftSpec, drift_spec
from ..model.keys import KeyPattern, escape_label
from ..model.measured import is_artifact
from ..model.rule import BaselineSpec, Rule
from ..model.series import Histograms

if TYPE_CHECKING:
    from ..stats.profile.table import TableProfile


def read_references(
    rules: Iterable[Rule], fetch: Callable[[str], Path]
) -> tuple[tuple[Histograms, ...], tuple[str, ...]]:
    """What rules about drift compare with, each once, and notes about files that cannot be used. ``fetch``: gives the
    file of a W&B artifact.

    Never raises: a feature without a reference is undecided, and told.
    """
    found: dict[tuple[str, str, object], Histograms] = {}
    notes: dict[str, None] = {}
    profiles: dict[str, TableProfile | str] = {}
    for rule in rules:
        asked = drift_spec(rule)
        for spec in (rule.baseline, *rule.also) if asked is not None and asked.patterns else ():
            if not spec.profile:
                continue
            profile = profiles.get(spec.place)
            if profile is None:
                profile = profiles[spec.place] = _read_profile(spec, fetch)
            if isinstance(profile, str):
                notes[profile] = None
            elif asked is not None:
                found |= {(one.source, one.name, one.labels): one for one in _profile_histograms(spec, asked, profile)}
    return tuple(found.values()), tuple(notes)


def _read_profile(spec: BaselineSpec, fetch: Callable[[str], Path]) -> TableProfile | str:
    from ..stats.profile.codec import from_bytes

    try:
        place = spec.place or spec.path
        path = fetch(place) if is_artifact(place) and not Path(place).exists() else Path(place)
        profile, _ = from_bytes(path.read_bytes())
        return profile.whole()
    except OSError as error:
        return f"the reference profile {spec.path} cannot be read ({error.strerror or type(error).__name__})"
    except (ValueError, UserError) as error:
        return f"the reference profile {spec.path} cannot be read ({error})"


def _profile_histograms(spec: BaselineSpec, drift: DriftSpec, profile: TableProfile) -> Iterator[Histograms]:
    """Under the names and labels that the rule's keys would give the columns."""
    from ..stats.profile.categorical import CategoricalProfile
    from ..stats.profile.histogram import to_histogram

    for column, known in profile.columns.items():
        pattern = drift.patterns[-1 if isinstance(known, CategoricalProfile) else 0]
        labels = pattern.match(_histogram_key(drift, pattern, column))
        histogram = to_histogram(known)
        if labels is not None and histogram is not None:
            edges, counts = (array("d", side.tolist()) for side in histogram)
            yield Histograms(
                name=pattern.name,
                labels=labels,
                times=array("d", [0.0]),
                edges=(edges,),
                counts=(counts,),
                version_of=array("i", [-1]),
                source=spec.path,
            )


def _histogram_key(drift: DriftSpec, pattern: KeyPattern, column: str) -> str:
    """The key of the column's histogram: it stands for the pattern's last ``*``, or is the feature's own name."""
    escaped = escape_label(column)
    head, star, tail = pattern.text.rpartition("*")
    if star:
        return f"{head}{escaped}{tail}"
    return pattern.text if drift.patterns[0].text.rpartition("/")[2] == escaped else ""
