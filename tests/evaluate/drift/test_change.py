"""What is said of a drifted feature is what its values did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.drift import DistributionChange
from modelwatch.model.monitored_model import Model
from modelwatch.model.series import Histograms, PulledSeries
from modelwatch.timeutil import DAY

from ...false_alarms.drift_years import NOW, categories, drift_rule, jump, numbers


def described(feature: Histograms) -> DistributionChange:
    found = evaluate_model(Model("m", (drift_rule(),), history=DAY), PulledSeries("m", (), histograms=(feature,)), NOW)
    (drifted,) = found.tracks[0].drifted
    assert drifted.change is not None
    return drifted.change


def test_a_number_by_its_mean_and_quantiles() -> None:
    change = described(numbers("age", 2, 20_000, np.random.default_rng(1), jump(0.8)))
    assert change.mean == pytest.approx((0.0, 0.8), abs=0.05)
    assert change.sd == pytest.approx(1.0, abs=0.05)
    assert [one.share for one in change.quantiles] == [0.1, 0.5, 0.9]
    assert [one.before for one in change.quantiles] == pytest.approx([-1.28, 0.0, 1.28], abs=0.1)
    assert [one.after for one in change.quantiles] == pytest.approx([-0.48, 0.8, 2.08], abs=0.1)


def test_categories_by_the_shares_that_changed_most() -> None:
    feature = categories("city", 2, 20_000, np.random.default_rng(2), jump(0.3))
    change = described(feature)
    assert [one.category for one in change.shares[:2]] in (["urban", "rural"], ["rural", "urban"])
    shares = {one.category: (one.before, one.after) for one in change.shares}
    assert shares["urban"] == pytest.approx((0.6, 0.3), abs=0.02)
    assert described(replace(feature, categories=())).shares[0].category == ""
