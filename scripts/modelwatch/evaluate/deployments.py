"""Which version served when: deployments as stretches of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.series import Deployment
from ..stats.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class VersionTimeline:
    """Stretches of one version each. Row 0 is the time before the first deployment, when the version is unknown.

    A version deployed again while it serves begins no new stretch: it is not another version.
    """

    since: Floats
    """Start of every stretch, inclusive, ascending; ``-inf`` first."""
    version: Ints
    """Per stretch an index into ``versions``; -1 first."""
    versions: tuple[str, ...]

    @property
    def has_deployments(self) -> bool:
        return len(self.since) > 1

    def stretch_at(self, times: Floats) -> Ints:
        """The stretch that holds at each time: the newest that began at or before it."""
        return np.searchsorted(self.since, times, side="right") - 1

    def start_of(self, times: Floats) -> Floats:
        """When the stretch that holds at each time began."""
        return self.since[self.stretch_at(times)]

    def version_at(self, times: Floats) -> Ints:
        return self.version[self.stretch_at(times)]


def version_timeline(deployments: Sequence[Deployment]) -> VersionTimeline:
    since: list[float] = [-np.inf]
    version: list[int] = [-1]
    versions: list[str] = []
    for deployment in sorted(deployments, key=lambda deployment: deployment.since):
        if deployment.version not in versions:
            versions.append(deployment.version)
        index = versions.index(deployment.version)
        if index != version[-1]:
            since.append(deployment.since)
            version.append(index)
    return VersionTimeline(np.array(since), np.array(version, dtype=np.int64), tuple(versions))
