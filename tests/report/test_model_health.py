"""The colours of a fleet in one line: those of the dashboard."""

from __future__ import annotations

from dataclasses import replace

from modelwatch.model.alert import AlertState, Judgement, SourceFailure
from modelwatch.model.severity import Severity
from modelwatch.report.model_health import fleet_line

from ..targets.world import NOW, group


def test_every_model_is_counted_once() -> None:
    firing = group(Severity.ERROR)
    also = replace(firing, rule="latency", severity=Severity.WARNING)
    mild = replace(firing, model="fraud", severity=Severity.WARNING)
    failures = (SourceFailure("pricing", "503"),)
    judgement = Judgement(NOW, "digest", (firing, also, mild), failures)
    assert fleet_line(judgement) == "🟥 1 red, ⬜ 1 without data, 🟨 1 yellow"


def test_a_model_about_which_nothing_was_decided_is_not_green() -> None:
    unknown = replace(group(), state=AlertState.QUIET, severity=None, latest=None)
    assert fleet_line(Judgement(NOW, "digest", (unknown,))) == "⬜ 1 without data"
    assert fleet_line(Judgement(NOW, "digest", ())) == ""
