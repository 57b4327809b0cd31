"""The curve of a tuning as rows and as a plot."""

from __future__ import annotations

from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import Rule
from modelwatch.model.tuning import (
    AlertBudget,
    HeldOutScore,
    IncidentDelay,
    Setting,
    SettingChange,
    SettingScore,
    Suggestion,
    TriedSetting,
    mark_curve,
)
from modelwatch.report.tuning import (
    budget_text,
    curve_plot,
    curve_rows,
    held_out_rows,
    setting_text,
    tuning_lines,
    tuning_markdown,
)
from modelwatch.timeutil import DAY, HOUR, WEEK

RULE = Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), ())
SINCE = 1_767_225_600.0
"""2026-01-01 00:00 UTC."""
LENGTH = 20 * WEEK


def tried(alerts: int, delay: float | None, scale: float = 1.0) -> TriedSetting:
    """``delay`` in hours, of one incident of two days."""
    changes = () if scale == 1 else (SettingChange(("tiers", "warning", "drop"), "2%", f"{2 * scale:g}%"),)
    own = IncidentDelay("the drop", SINCE, None if delay is None else delay * HOUR, 48 * HOUR)
    score = SettingScore(SINCE, SINCE + LENGTH, LENGTH, alerts, alerts - 1, (own,))
    return TriedSetting(Setting(RULE, changes, scale), score, within_budget=alerts < 20)


def suggestion(*settings: TriedSetting, chosen: int) -> Suggestion:
    best = settings[chosen]
    held_out = HeldOutScore(best.score, 3 / (90 * DAY))
    return Suggestion(
        "churn",
        "accuracy",
        "modelwatch.yml:9:9",
        AlertBudget(2.0, 90 * DAY),
        mark_curve(settings),
        "It is sooner.",
        best.setting,
        held_out,
        HeldOutScore(settings[0].score, 6 / (90 * DAY)),
        DAY,
    )


FOUND = suggestion(tried(10, 20), tried(40, 2, 0.5), tried(5, 10, 2.0), tried(1, None, 4.0), chosen=2)


def test_rows_begin_with_the_present_and_the_suggested_setting() -> None:
    assert curve_rows(FOUND) == [
        ("present", "0.5", "9", "0", "20 h", "yes"),
        ("warning.drop 2% → 4% (suggested)", "0.25", "4", "0", "10 h", "yes"),
        ("warning.drop 2% → 8%", "0.05", "0", "1", "—", "yes"),
        ("warning.drop 2% → 1%", "2", "39", "0", "2 h", "no"),
    ]
    assert held_out_rows(FOUND) == [
        ("present", "0.5", "9", "1 in 15 d", "0", "20 h"),
        ("warning.drop 2% → 4%", "0.25", "4", "1 in 30 d", "0", "10 h"),
    ]


def test_a_long_curve_is_thinned_between_its_ends() -> None:
    many = suggestion(*(tried(30 - place, place, 2.0 ** (place / 10)) for place in range(30)), chosen=0)
    rows = curve_rows(many)
    assert len(rows) == 13
    assert rows[1][1] == "0.05"
    assert rows[-1][4] == "1 h"


def test_the_plot_has_every_setting_at_its_place() -> None:
    assert curve_plot(FOUND, width=20, height=5).splitlines() == [
        "found after (mean; what was missed counts as long as it lasted) against alerts a week",
        "2 d |o",
        "    |",
        "    |    P",
        "    |  *",
        "2 h |                   o",
        "    +--------------------",
        "     0.05               2",
        "* suggested  P present  o on the curve  · other settings",
    ]
    assert curve_plot(suggestion(tried(3, 3), tried(3, 9, 2.0), chosen=0)) == ""


def test_a_patch_in_markdown_keeps_its_spaces() -> None:
    diff = "@@ -1 +1 @@\n-  warning:  {drop: 2%}  # ```\n+  warning:  {drop: 4%}  # ```\n"
    page = tuning_markdown([FOUND], diff, ["by hand"])
    assert f"````diff\n{diff}````\n" in page
    assert page.endswith("\n\n- `by hand`\n")


def test_the_words() -> None:
    first, spans, advice = tuning_lines(FOUND)
    assert first == "churn / accuracy: 4 settings tried, budget 2 false alerts in 90 d."
    assert spans.startswith("Tuned on 2026-01-01 to 2026-05-21 (140 days, 1 incident), judged on 2026-01-01 to ")
    assert advice == "Suggestion: warning.drop 2% → 4%. It is sooner."
    assert budget_text(None) == "none"
    window = SettingChange(("window",), "24h", "12h")
    chart = SettingChange(("tiers", "warning", "chart"), "", "ewma")
    assert setting_text(Setting(RULE, (window, chart))) == "window 24h → 12h, warning.chart ewma"
