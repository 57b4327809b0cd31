"""Words in files, small numbers in columns."""

from __future__ import annotations

import pytest

from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.severity import Severity


def test_codes_are_places_and_come_back() -> None:
    assert [one.code for one in Outcome] == [0, 1, 2, 3]
    assert all(Cause.from_code(one.code) is one for one in Cause)
    assert str(Outcome.NO_DATA) == "no_data"
    assert Outcome("breach") is Outcome.BREACH


@pytest.mark.parametrize("code", [-1, 4])
def test_a_number_that_is_no_code_is_refused(code: int) -> None:
    """-1 stands for "no severity" in a column: it must never become CRITICAL."""
    with pytest.raises(ValueError, match="no code of Severity"):
        Severity.from_code(code)


def test_severities_are_ordered_as_pagerduty_orders_them() -> None:
    assert sorted(Severity, reverse=True) == [Severity.CRITICAL, Severity.ERROR, Severity.WARNING, Severity.INFO]
    assert max(Severity.WARNING, Severity.ERROR) is Severity.ERROR
    assert Severity.INFO <= Severity.INFO < Severity.CRITICAL
    with pytest.raises(TypeError):
        _ = Severity.INFO < "critical"
