"""What comes day by day is told as a trend: on issue and page, in the facts, and as no fault of a new version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.model.alert import AlertState, Evidence, Group
from modelwatch.model.finding import AnchorPeriod, GradualChange
from modelwatch.model.rule import BaselineKind, BaselineSpec, Rule
from modelwatch.model.unit import MILLISECONDS
from modelwatch.report.alert_phrase import onset_text, pace_text
from modelwatch.report.facts_table import alert_facts
from modelwatch.report.next_steps import began_with_version
from modelwatch.targets.incidents.render import incident_details, incident_summary
from modelwatch.targets.issues.render import headline
from modelwatch.timeutil import DAY

from ..alerts.making import rule
from .making import NEWEST, NOW, group, register

SLOW = GradualChange(NOW - 20 * DAY, -0.001512, is_share=True)


def falling(change: GradualChange | None = SLOW, **more: Any) -> Group:
    return group(evidence=replace(Evidence(), gradual=change, **more))


@pytest.mark.parametrize(
    ("change", "unit", "text"),
    [
        (SLOW, "", "steadily down for 20 days, −0.15 points a day"),
        (replace(SLOW, a_day=0.02, is_older=True), "", "steadily up for more than 20 days, +2 points a day"),
        (GradualChange(NOW - 9 * DAY, 1.234), MILLISECONDS, "steadily up for 9 days, +1.2 ms a day"),
        (GradualChange(NOW - 9 * DAY, -0.00042), "", "steadily down for 9 days, −0.00042 a day"),
    ],
)
def test_a_trend_has_a_length_and_a_pace_in_the_unit_of_the_metric(change: GradualChange, unit: str, text: str) -> None:
    assert onset_text(replace(falling(change), unit=unit), NEWEST, NOW) == text
    assert text.endswith(pace_text(change, unit))


def test_issue_and_page_tell_the_trend_instead_of_an_hour() -> None:
    slow, sudden = falling(), falling(None)
    trend, hour = "steadily down for 20 days, −0.15 points a day", "since 2026-11-20 02:00 UTC"
    for text in (headline(slow, register(), NOW), incident_summary(slow, NEWEST - 36_000, register())):
        assert trend in text
        assert "since" not in text
    for text in (headline(sudden, register(), NOW), incident_summary(sudden, NEWEST - 36_000, register())):
        assert hour in text
    assert incident_details(slow, register(), NOW)["since"] == trend


def test_what_is_over_is_told_by_its_hours() -> None:
    assert onset_text(replace(falling(), state=AlertState.RESOLVED), NOW - 7200, NOW).endswith("(2 h)")


def test_the_facts_say_what_the_value_is_compared_with() -> None:
    a_rule: Rule = rule(baseline=BaselineSpec(BaselineKind.ROLLING))
    period = AnchorPeriod(NOW - 60 * DAY, NOW - 46 * DAY, "v6")
    facts = alert_facts(falling(anchor=period), a_rule)
    assert "healthy weeks of `v6`, 2026-09-21 to 2026-10-05" in facts
    assert "| Trend | −0.15 points a day since 2026-10-31 |" in facts
    assert "up to a week before the window" in alert_facts(falling(), a_rule)


def test_a_slow_change_began_with_a_version_only_if_the_trend_did() -> None:
    young: dict[str, Any] = {"version": "v7", "previous": ("v6",), "version_since": NEWEST - 36_000 - 3600}
    assert began_with_version(falling(None, **young), register())
    assert not began_with_version(falling(**young), register())
    assert began_with_version(falling(**(young | {"version_since": SLOW.since - 3600})), register())
