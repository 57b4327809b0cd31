"""Working hours and anchors in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.errors import ConfigError
from modelwatch.model.severity import Severity
from modelwatch.model.working_hours import WorkingHours
from modelwatch.timeutil import HOUR

from .making import load_model, load_rule, messages

TIERS = "tiers: {warning: {drop: 2%}}"


def test_working_hours_have_defaults_and_none_are_the_default(tmp_path: Path) -> None:
    assert load_model(tmp_path, "").hours is None
    assert load_model(tmp_path, "hours: {}").hours == WorkingHours((0, 1, 2, 3, 4), 9 * HOUR, 18 * HOUR)
    night = load_model(tmp_path, "hours: {days: sat, from: 22:00, to: 06:00, slow: error, sudden: warning}").hours
    assert night == WorkingHours((5,), 22 * HOUR, 6 * HOUR, sudden=Severity.WARNING, slow=Severity.ERROR)


def test_holidays_are_those_of_the_calendar_unless_the_hours_name_their_own(tmp_path: Path) -> None:
    calendar = "calendar: {country: [DE-BE, US]}\nhours"
    own = {
        "": ("DE-BE", "US"),
        "holidays: AT": ("AT",),
        "holidays: []": (),
    }
    for keys, holidays in own.items():
        hours = load_model(tmp_path, f"{calendar}: {{{keys}}}").hours
        assert hours is not None
        assert hours.holidays == holidays


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("hours: {days: []}", "`days` is empty."),
        ("hours: {from: 09:00, to: 09:00}", "`from` and `to` are the same."),
        ("hours: {from: 9}", "`9` is not a time of day such as 09:00."),
        ("hours: {until: 18:00}", "`until` is not a key of the working hours."),
        ("hours: {holidays: XX}", "`XX` is not a country such as DE, or a part of one such as DE-BE."),
    ],
)
def test_hours_that_cannot_be_meant_are_problems(tmp_path: Path, keys: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_model(tmp_path, keys)
    assert messages(error.value) == [message]


def test_an_anchor_belongs_to_a_rolling_baseline_and_can_be_off(tmp_path: Path) -> None:
    usual = load_rule(tmp_path, f"baseline: {{rolling: 28d}}\n{TIERS}")
    on = load_rule(tmp_path, f"baseline: {{rolling: 28d, anchor: on}}\n{TIERS}")
    off = load_rule(tmp_path, f"baseline: {{rolling: 28d, anchor: off}}\n{TIERS}")
    assert (usual.has_anchor, on.has_anchor, off.has_anchor) == (True, True, False)
    assert usual.digest == on.digest != off.digest
    with pytest.raises(ConfigError) as error:
        load_rule(tmp_path, f"baseline: {{value: 0.9, anchor: off}}\n{TIERS}")
    assert messages(error.value) == ["`anchor` belongs to `rolling`."]
