"""An experiment of others: the RAND health insurance experiment, as statsmodels has it.

Families were assigned to plans with different shares that they paid themselves; here those who paid nothing are
compared with all others. The table has years of persons, in no order of time, so that they get one here.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from modelwatch.model.experiment import ExperimentMetric, MetricForm
from modelwatch.timeutil import DAY

from .tables import SPEC, START, analyse, model

NOW = START + 100 * DAY


def arms(rand: dict[str, Any]) -> tuple[tuple[str, float], ...]:
    """With the shares that the table has."""
    return tuple((name, float((rand["arm"] == name).mean())) for name in ("free", "pays"))


@pytest.fixture(scope="module")
def rand() -> dict[str, Any]:
    table = sm.datasets.randhie.load_pandas().data
    n = len(table)
    rng = np.random.default_rng(1)
    return {
        "id": np.arange(n),
        "at": START + 90 * DAY * rng.random(n),
        "arm": np.where(table["lncoins"].to_numpy() > 0, "pays", "free"),
        "visits": table["mdvis"].to_numpy(),
        "diseases": table["disea"].to_numpy(),
        "poor_health": table["hlthp"].to_numpy().astype(str),
    }


def test_visits_fall_where_people_pay(tmp_path: Path, rand: dict[str, Any]) -> None:
    metrics = (ExperimentMetric("visits", "visits"), ExperimentMetric("any", "visits", MetricForm.SHARE))
    spec = replace(SPEC, arms=arms(rand), control="free", metrics=metrics, segments=("poor_health",))
    found = analyse(model(tmp_path, rand), spec, NOW, tmp_path)
    pays, free = (rand["visits"][rand["arm"] == arm] for arm in ("pays", "free"))
    visits, share = found.newest.effects
    assert found.srm_p > 0.001
    assert visits.difference == pytest.approx(pays.mean() - free.mean())
    assert share.control == pytest.approx((free > 0).mean())
    fixed = stats.ttest_ind(pays, free, equal_var=False).confidence_interval()
    assert (visits.low or 0) < fixed.low < fixed.high < (visits.high or 0) < 0
    first = next(look for look in found.looks if look.effects[0].high is not None and look.effects[0].high < 0)
    assert first.units < 10_000, "known long before the end"
    assert [one.value for one in found.segments if one.is_harmed][:1] == ["0"]


def test_a_covariate_gives_what_a_regression_gives(tmp_path: Path, rand: dict[str, Any]) -> None:
    metric = (ExperimentMetric("visits", "visits"),)
    spec = replace(SPEC, arms=arms(rand), control="free", metrics=metric, covariates=("diseases",))
    found = analyse(model(tmp_path, rand), spec, NOW, tmp_path).newest.effects[0]
    treated = (rand["arm"] == "pays").astype(float)
    design = sm.add_constant(np.column_stack([treated, rand["diseases"]]))
    fit = sm.OLS(rand["visits"], design).fit(cov_type="HC1")
    assert found.difference == pytest.approx(fit.params[1], abs=0.1 * fit.bse[1])
    r_squared = np.corrcoef(rand["visits"], rand["diseases"])[0, 1] ** 2
    assert found.reduction == pytest.approx(r_squared, abs=0.01)
