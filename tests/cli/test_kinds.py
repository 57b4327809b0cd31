"""Every kind that has a runbook is raised by something: a rule, modelwatch's own rules, or a failed delivery."""

from __future__ import annotations

import pytest

from modelwatch.alerts.builtin_rules import derived_rule, release_rule
from modelwatch.cli.runbooks import PLANNED_KINDS
from modelwatch.config.vocabulary import KINDS
from modelwatch.model.alert import BUILT_IN_RULES, DELIVERY_FAILED, RELEASE_RULES
from modelwatch.model.monitored_model import BuiltInRule

from ..alerts.making import rule
from .world import CONFIG, ERROR, HEALTHY, TABLE, World

OWN = {
    name: (release_rule(name) if name in RELEASE_RULES else derived_rule(name, rule(), BuiltInRule())).kind
    for name in BUILT_IN_RULES - PLANNED_KINDS.keys()
} | PLANNED_KINDS
"""The kinds of modelwatch's own rules."""
OF_RULES = (
    *(
        "accuracy-drop",
        "anomaly",
        "business-metric",
        "calibration",
        "concept-drift",
        "data-drift",
        "data-quality",
        "error-rate",
    ),
    *("label-delay", "label-drift", "label-quality", "latency", "prediction-drift", "segment-drop"),
)


def test_somebody_raises_every_kind() -> None:
    assert sorted({*OF_RULES, *OWN.values(), DELIVERY_FAILED}) == sorted(KINDS)
    assert "data-quality" in OWN.values()  # a segment that is gone


@pytest.mark.parametrize("kind", OF_RULES)
def test_a_rule_raises_its_kind(world: World, kind: str) -> None:
    world.config(CONFIG.replace("accuracy-drop", kind), TABLE)
    world.metrics(HEALTHY, *[ERROR] * 4)
    world.at(5)
    assert world.run("run").code == 0
    assert world.incidents[0].event["payload"]["class"] == kind
    assert f"[`{kind}`](" in world.issues[0].body


def test_a_failed_delivery_raises_its_kind(world: World) -> None:
    """The other half, the comment, is in ``test_delivery``."""
    world.config(CONFIG.replace("error: {drop: 5%, do: [issue, page]}", "error: {drop: 5%, do: [issue]}"), TABLE)
    world.metrics(HEALTHY, *[ERROR] * 4)
    world.at(5)
    world.delenv("GITHUB_TOKEN")
    assert world.run("run").code == 4
    assert world.incidents[0].event["payload"]["class"] == DELIVERY_FAILED
