"""Where the history of a track, read up to any finding, has an alert."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.alerts.state_machine import RESOLVED_RETENTION, alert_stretches, latest_alert
from modelwatch.backtest.passes import cut_track
from modelwatch.timeutil import HOUR

from ..alerts.making import at, rule, track


@settings(max_examples=300, deadline=None)
@given(st.text(".~~iwec??_", min_size=1, max_size=60), st.integers(1, 3), st.integers(1, 3), st.data())
def test_an_alert_is_there_exactly_in_its_stretches(text: str, needed: int, hold: int, data: st.DataObject) -> None:
    fresh = data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)) | st.just([]))
    whole = track(text, rule(for_=needed, hold=hold), fresh=fresh)
    stretches = alert_stretches(whole)
    for row in range(len(text)):
        for now in (at(row), at(row) + 0.9 * HOUR):
            inside = any(
                one.first <= row and (row <= one.last or (one.end is not None and now - RESOLVED_RETENTION < one.end))
                for one in stretches
            )
            alert = latest_alert(cut_track(whole, row + 1), now)
            assert alert is None or inside
            # What is pending ends with the finding that says so.
            assert alert is not None or not inside or any(row == one.last for one in stretches)
