"""The colour of a model: what the dashboard, its badges and the job summary say alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from ..model.alert import MONITORING_SILENT, SOURCE_OUTAGE, AlertState, Group, Judgement
from ..model.finding import Outcome
from ..model.severity import Severity


class Health(StrEnum):
    """The colour of a model or an alert, worst first."""

    RED = "red"
    """A tier that pages or worse fires (error, critical)."""
    YELLOW = "yellow"
    """Something fires that can wait (info, warning), or is pending."""
    GREEN = "green"
    GREY = "grey"
    """No data: the source is down or silent, or nothing could be decided. Never a colour of health."""


WITHOUT_DATA = frozenset({MONITORING_SILENT, SOURCE_OUTAGE})
"""Built-in rules that say that there is no data."""
HEALTH_ORDER = (Health.RED, Health.GREY, Health.YELLOW, Health.GREEN)
"""Worst first: what cannot be seen can be red."""
_SQUARES = {Health.RED: "🟥", Health.GREY: "⬜", Health.YELLOW: "🟨", Health.GREEN: "🟩"}
_WORDS = {Health.RED: "red", Health.GREY: "without data", Health.YELLOW: "yellow", Health.GREEN: "green"}


def group_health(group: Group) -> Health:
    """The colour of one alert: what ended, and what never fired, is green."""
    if group.state is AlertState.FIRING:
        return severity_health(group.severity)
    return Health.YELLOW if group.state is AlertState.PENDING else Health.GREEN


def severity_health(severity: Severity | None) -> Health:
    """The colour of what fires."""
    return Health.RED if severity is not None and severity >= Severity.ERROR else Health.YELLOW


def model_colour(groups: Sequence[Group], *, has_failed: bool) -> Health:
    """Of a model, from its groups. ``has_failed``: its source could not be read."""
    if has_failed:
        return Health.GREY
    colours = [group_health(group) for group in groups if group.rule not in WITHOUT_DATA]
    if Health.RED in colours or Health.YELLOW in colours:
        return Health.RED if Health.RED in colours else Health.YELLOW
    rules = [group for group in groups if not group.built_in]
    decided = [group for group in rules if group.latest and group.latest.outcome in (Outcome.OK, Outcome.BREACH)]
    if not decided:
        return Health.GREY
    silent = [group_health(group) for group in groups if group.rule in WITHOUT_DATA]
    return Health.YELLOW if Health.YELLOW in silent or Health.RED in silent else Health.GREEN


def fleet_line(judgement: Judgement) -> str:
    """``🟥 1 red, ⬜ 1 without data, 🟩 98 green``: models, as the dashboard colours them; empty without any."""
    failed = {failure.model for failure in judgement.failures}
    groups: dict[str, list[Group]] = {name: [] for name in failed}
    for group in judgement.groups:
        groups.setdefault(group.model, []).append(group)
    counts = Counter(model_colour(own, has_failed=name in failed) for name, own in groups.items())
    return ", ".join(
        f"{_SQUARES[health]} {counts[health]} {_WORDS[health]}" for health in HEALTH_ORDER if counts[health]
    )
