from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.alerts.muting import apply_mutes, matches, window_end
from modelwatch.model.alert import Alert, AlertState
from modelwatch.model.monitored_model import Inhibition, Matcher, Model, Silence, WeeklyWindow
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

from .making import T0, alert

QUALITY = alert("nulls", "data-quality", severity="warning")
DRIFT = alert("drift", "data-drift")


def silence(**more: object) -> Silence:
    given: dict[str, object] = {
        "match": Matcher(),
        "until": T0 + DAY,
        "owner": "ada",
        "reason": "migration",
    }
    return Silence(**(given | more))  # type: ignore[arg-type]


def muted(model: Model, *alerts: Alert, now: float = T0) -> list[str]:
    return [found.rule for found in apply_mutes(model, alerts, now) if found.mutes]


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (Matcher(), True),
        (Matcher(model="churn", rule="accuracy", kind="accuracy-drop"), True),
        (Matcher(model="fraud"), False),
        (Matcher(rule="drift"), False),
        (Matcher(kind="data-drift"), False),
        (Matcher(labels=(("region", "eu"),)), True),
        (Matcher(labels=(("plan", "pro"), ("region", "eu"))), True),
        (Matcher(labels=(("region", "us"),)), False),
        (Matcher(labels=(("tier", "x"),)), False),
    ],
)
def test_every_part_that_is_given_has_to_match(matcher: Matcher, expected: bool) -> None:
    assert matches(matcher, alert(labels=(("plan", "pro"), ("region", "eu")))) is expected


def test_a_silence_lasts_from_start_until_its_end() -> None:
    model = Model("churn", (), silences=(silence(start=T0, until=T0 + HOUR),))
    assert muted(model, DRIFT, now=T0 - 1) == []
    assert muted(model, DRIFT, now=T0) == ["drift"]
    assert muted(model, DRIFT, now=T0 + HOUR) == []
    found = apply_mutes(model, [DRIFT], T0)[0].mutes[0]
    assert (found.by, found.reason, found.until) == ("silence", "migration (silenced by ada)", T0 + HOUR)


def test_only_firing_alerts_are_muted() -> None:
    model = Model("churn", (), silences=(silence(),))
    assert muted(model, alert(state=AlertState.PENDING), alert(state=AlertState.RESOLVED)) == []


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 14 * 24 * 4),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 95),
    st.integers(0, 95),
)
def test_recurring_windows_follow_the_calendar(quarter: int, days: set[int], start: int, end: int) -> None:
    """Silences may be "recurring ones for quiet hours", in UTC and also over midnight."""
    now = T0 + quarter * 900
    found = window_end(WeeklyWindow(tuple(days), start * 900.0, end * 900.0), now)
    time = datetime.fromtimestamp(now, UTC)
    of_day = time.hour * 3600 + time.minute * 60
    if end > start:
        expected = time.weekday() in days and start * 900 <= of_day < end * 900
    else:
        tonight = time.weekday() in days and of_day >= start * 900
        last_night = (time.weekday() - 1) % 7 in days and of_day < end * 900
        expected = tonight or last_night
    assert (found is not None) is expected
    if found is not None:
        assert now < found <= now + DAY
        assert found % DAY == end * 900 % DAY


def test_a_recurring_silence_is_muted_until_the_window_ends() -> None:
    nightly = silence(until=T0 + 30 * DAY, window=WeeklyWindow((0, 1, 2, 3, 4, 5, 6), 22 * HOUR, 6 * HOUR))
    model = Model("churn", (), silences=(nightly,))
    assert muted(model, DRIFT, now=T0 + 12 * HOUR) == []
    assert apply_mutes(model, [DRIFT], T0 + 23 * HOUR)[0].mutes[0].until == T0 + 30 * HOUR


def test_a_data_quality_alert_inhibits_drift_alerts() -> None:
    """ "A data-quality alert inhibits drift alerts ... of the same model." """
    model = Model("churn", ())
    accuracy = alert()
    assert muted(model, QUALITY, DRIFT, accuracy) == ["drift"]
    assert muted(model, DRIFT, accuracy) == []
    found = apply_mutes(model, [QUALITY, DRIFT], T0)[1].mutes[0]
    assert (found.by, "nulls" in found.reason) == ("inhibition", True)


def test_an_inhibitor_has_to_fire_and_be_severe_enough() -> None:
    model = Model("churn", ())
    assert muted(model, alert("nulls", "data-quality", severity="info"), DRIFT) == []
    assert muted(model, alert("nulls", "data-quality", state=AlertState.PENDING), DRIFT) == []
    strict = Model(
        "churn",
        (),
        inhibitions=(Inhibition(Matcher(kind="data-quality"), Matcher(kind="data-drift"), Severity.CRITICAL),),
    )
    assert muted(strict, QUALITY, DRIFT) == []


def test_an_inhibitor_that_is_muted_still_inhibits() -> None:
    model = Model("churn", (), silences=(silence(match=Matcher(kind="data-quality")),))
    assert muted(model, QUALITY, DRIFT) == ["nulls", "drift"]


def test_alerts_never_mute_each_other_or_themselves() -> None:
    everything = Inhibition(Matcher(), Matcher())
    model = Model("churn", (), inhibitions=(everything,))
    assert muted(model, DRIFT) == []
    assert muted(model, DRIFT, QUALITY) == []
