"""What to do about performance that was estimated without labels, and about estimates that labels contradict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..model.alert import Group
from ..model.monitored_model import Model
from ..model.register import FollowerRecord
from ..model.unit import ESTIMATE, is_estimated
from .explanation import Quote

CONCEPT_DRIFT = "concept-drift"


def estimate_steps(
    group: Group, model: Model | None, followers: Sequence[FollowerRecord], quote: Quote
) -> Iterator[str]:
    """The steps that fit such an alert, and none other. ``followers``: what fires with the same cause."""
    if group.kind == CONCEPT_DRIFT and not group.built_in:
        yield (
            "Check a few labels by hand. If they are right, inputs no longer mean what they meant: retrain on rows "
            "since the change."
        )
    elif group.unit == ESTIMATE and not group.built_in and (confirmed := _confirming_rule(group, model, followers)):
        yield f"Labels confirm the estimate: {quote(confirmed)} fires, too. Retrain on rows since the change."
    elif group.unit == ESTIMATE and not group.built_in:
        yield (
            "Get labels for some of these rows: this is an estimate from scores, and nothing is rolled back for it. "
            "Look at the inputs, which must have changed."
        )


def _confirming_rule(group: Group, model: Model | None, followers: Sequence[FollowerRecord]) -> str:
    """The rule of the same kind and model that fires from labels; empty where none does."""
    measured = {rule.name for rule in model.rules if not is_estimated(rule.metric)} if model else frozenset[str]()
    found = (one.rule for one in followers if one.model == group.model and one.kind == group.kind)
    return next((rule for rule in found if rule in measured), "")
