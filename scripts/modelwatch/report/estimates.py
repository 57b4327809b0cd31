"""What to do about performance that was estimated without labels, and about estimates that labels contradict."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.alert import Group
from ..model.unit import ESTIMATE

CONCEPT_DRIFT = "concept-drift"


def estimate_steps(group: Group) -> Iterator[str]:
    """The steps that fit such an alert, and none other."""
    if group.kind == CONCEPT_DRIFT and not group.built_in:
        yield (
            "Check a few labels by hand. If they are right, inputs no longer mean what they meant: retrain on rows "
            "since the change."
        )
    elif group.unit == ESTIMATE and not group.built_in:
        yield (
            "Get labels for some of these rows: this is an estimate from scores, and nothing is rolled back for it. "
            "Look at the inputs, which must have changed."
        )
