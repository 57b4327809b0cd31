"""Money as text: two digits, signs, intervals."""

from __future__ import annotations

import pytest

from modelwatch.model.money import Estimate, MoneyImpact
from modelwatch.report.money import (
    estimate_text,
    impact_clause,
    impact_sentence,
    impact_text,
    money,
    ratio_text,
    rounded_amount,
    total_money,
)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (3096.0, "3,100"),
        (-3096.0, "−3,100"),
        (1_234_567.0, "1,200,000"),
        (99.6, "100"),
        (96.4, "96"),
        (9.96, "10"),
        (4.0, "4.0"),
        (0.564, "0.56"),
        (0.0564, "0.06"),
        (0.004, "0"),
        (0.0, "0"),
        (-0.001, "0"),
    ],
)
def test_amounts_have_two_digits_and_no_more_than_cents(amount: float, text: str) -> None:
    assert rounded_amount(amount) == text
    assert money(amount, "EUR") == f"{text} EUR"


@pytest.mark.parametrize(
    ("impact", "sentence", "cell"),
    [
        (
            MoneyImpact(-3096.0, "EUR", -4300.0, -1900.0),
            "Costs about 3,100 EUR a day (95 % interval 1,900 to 4,300).",
            "−3,100 EUR a day",
        ),
        (
            MoneyImpact(3096.0, "USD", 1900.0, 4300.0),
            "Gains about 3,100 USD a day (95 % interval 1,900 to 4,300).",
            "+3,100 USD a day",
        ),
        (
            MoneyImpact(-100.0, "EUR", -300.0, 120.0),
            "Costs about 100 EUR a day (95 % interval 300 lost to 120 gained).",
            "−100 EUR a day",
        ),
        (MoneyImpact(-50.0, "EUR"), "Costs about 50 EUR a day (interval unknown).", "−50 EUR a day"),
        (
            MoneyImpact(-50.0, "EUR", -60.0, -40.0, share=0.12),
            "Costs about 50 EUR a day (95 % interval 40 to 60; for 12 % of the rows).",
            "−50 EUR a day",
        ),
        (
            MoneyImpact(0.0, "EUR", -2.0, 3.0),
            "Worth about 0 EUR a day (95 % interval 2.0 lost to 3.0 gained).",
            "0 EUR a day",
        ),
        (None, "", ""),
    ],
)
def test_both_signs_and_every_interval(impact: MoneyImpact | None, sentence: str, cell: str) -> None:
    assert impact_sentence(impact) == sentence
    assert impact_text(impact) == cell


def test_a_clause_has_little_room() -> None:
    lost = MoneyImpact(-3096.0, "EUR", -4300.0, -1900.0, share=0.3)
    assert impact_clause(lost) == "costs about 3,100 EUR a day (1,900 to 4,300)"
    assert impact_clause(MoneyImpact(50.0, "EUR")) == "gains about 50 EUR a day"
    assert impact_clause(MoneyImpact(0.0, "EUR")) == impact_clause(None) == ""


def test_estimates_and_ratios() -> None:
    assert estimate_text(Estimate(92_300.0, 78_100.0, 110_400.0), "EUR") == "92,300 (78,100 to 110,000) EUR"
    assert estimate_text(Estimate(-5.0), "EUR") == "−5.00 EUR"
    assert estimate_text(None, "EUR") == total_money(None, "EUR") == ratio_text(None) == "—"
    assert ratio_text(Estimate(2.5, 2.1, 2.9)) == "250 % (210 % to 290 %)"
    assert ratio_text(Estimate(-0.4)) == "−40 %"
    assert ratio_text(Estimate(12.7438)) == "1,270 %"
    assert total_money(156_432.0, "EUR") == "156,000 EUR"
