"""The watchdog: a built-in rule that breaches at every time, so that its alert always fires.

It goes through the code that judges, groups and plans every alert, and its delivery is the heartbeat: where any of
that breaks, the heartbeat stops, and the monitor outside says so (Prometheus' Watchdog alert is the model).
"""

from __future__ import annotations

import math

from ..model.alert import WATCHDOG
from ..model.finding import Grid, Track
from ..model.keys import KeyPattern
from ..model.rule import Rule, Tier
from ..model.severity import Severity
from ..timeutil import HOUR
from .builtin_rules import breach_track

LENGTH = 2
"""Findings."""


def watchdog_track(model: str, now: float) -> Track:
    """The track of the watchdog at ``now`` (seconds, UTC): a breach at each of its times."""
    rule = Rule(
        name=WATCHDOG,
        kind=WATCHDOG,
        metric=KeyPattern(WATCHDOG),
        tiers=(Tier(Severity.INFO, (), ()),),
        window=HOUR,
        every=HOUR,
        digest=f"built-in {WATCHDOG}",
    )
    first = math.floor(now / HOUR) - LENGTH + 1
    return breach_track(model, rule, Grid(first * HOUR, HOUR, LENGTH), [1.0] * LENGTH)
